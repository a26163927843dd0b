/*
 * dialback.h - keys of Server Dialback (XEP-0220), made as XEP-0185 §2 says, so that
 * whoever is asked about one needs to remember nothing.
 *
 * Any thread; pure.  Domains are prepared, and have no blanks in them; the id of a
 * stream is what a peer made of it, and stands last: so no two sets of fields make
 * one text (hostile 39).
 */
#ifndef STREAM_SERVER_DIALBACK_H
#define STREAM_SERVER_DIALBACK_H

#include <stdbool.h>

#include "base/str.h"
#include "xmpp/ns.h"

/* What our headers declare, in both directions (XEP-0220 §2.4.1). */
#define S2S_DECLARES " xmlns:db='" NS_DIALBACK "'"
/* A SHA-256 in hex, with the NUL. */
#define DIALBACK_KEY_SIZE 65
/* secret: of struct stream_server.  The key with which originating shows to
 * receiving, in the stream that receiving has given the id stream_id, that it is
 * itself. */
void dialback_key(char out[DIALBACK_KEY_SIZE], struct str secret,
	struct str receiving, struct str originating, struct str stream_id);
/* Is key, as it came, that one?  Blanks around it do not count; takes the same time
 * for each of the right length (hostile 27). */
bool dialback_key_ok(struct str key, struct str secret, struct str receiving,
	struct str originating, struct str stream_id);

#endif
