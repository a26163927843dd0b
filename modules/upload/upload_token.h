/*
 * upload_token.h - the right to upload one file, as it stands in the header
 * `Authorization' of a slot (XEP-0363 §4).
 *
 * It says all that was granted, under a signature, so that a slot needs nothing in
 * the store and outlives a restart.  The key is the user's own: it goes with his
 * account, and nobody else's token is worth anything.  The URL, which others see,
 * holds nothing of it.
 *
 * Any thread; pure functions.
 */
#ifndef MODULES_UPLOAD_UPLOAD_TOKEN_H
#define MODULES_UPLOAD_UPLOAD_TOKEN_H

#include "upload_limits.h"

/* Of a file: 128 bits, in lower case, for file systems that do not tell cases
 * apart. */
#define UPLOAD_ID_BYTES 32

struct upload_token {
	struct str id;
	struct str user;  /* bare; whoever reads it has to ask whether that is one */
	struct str type;  /* empty: none was named */
	uint64_t bytes;
	enum upload_purpose purpose;
	int64_t slot_us;  /* wall clock: the slot is good until then */
	int64_t until_us; /* the file must not be shown behind; 0: no such time */
};

/* Is it UPLOAD_ID_BYTES of hex in lower case? */
bool upload_id_ok(struct str id);

/* Appends the value of the header; name is that of the file, in its URL. */
void upload_token_make(struct buf *out, const struct upload_token *t,
	struct str name, struct str key);

/* What the value of the header says, in the arena of a, whether it is true or not;
 * *mac_out and *said_out are for upload_token_is_true().  False: nothing that we have
 * made. */
bool upload_token_read(struct upload_token *t, struct arena *a, struct str header,
	struct str *mac_out, struct str *said_out);
bool upload_token_is_true(struct str mac, struct str said, struct str name,
	struct str key);

#endif
