/*
 * sasl_int.h - what sasl.c and the mechanisms share.
 *
 * A mechanism is a struct sasl_method: functions that judge one message, and
 * say with their result what they wait for.  sasl.c keeps the order of calls,
 * and the limit on sizes, so that a mechanism sees only what it asked for.
 */
#ifndef STREAM_SASL_SASL_INT_H
#define STREAM_SASL_SASL_INT_H

#include "base/buf.h"
#include "account/credentials.h"
#include "stream/sasl/sasl.h"

struct arena;

enum sasl_state {
	SASL_IS_NEW,
	SASL_WANTS_RESPONSE,
	SASL_WANTS_CREDENTIALS,
	SASL_IS_OVER,
};

struct sasl_method {
	/* Judges a message from the peer; never absent, may be empty. */
	enum sasl_result (*step)(struct sasl *s, struct str in,
		struct buf *out);
	/* NULL for a mechanism that never answers SASL_NEED_CREDENTIALS. */
	enum sasl_result (*credentials)(struct sasl *s,
		const struct credentials *c, struct buf *out);
};

struct sasl_scram {
	enum scram_hash hash;
	bool plus;
	bool has_first;      /* client-first-message was read */
	const char *binding; /* one of the offer's, with plus */
	const char *unknown; /* why no proof can be right; NULL: one can */
	struct buf gs2;      /* header as received */
	struct buf first;    /* client-first-message-bare as received */
	struct buf nonce;    /* of both sides */
	struct buf server_first;
	struct scram_verifier verifier;
};

struct sasl {
	const struct sasl_offer *offer;
	const struct sasl_method *method;
	struct arena *arena; /* addresses and names */
	enum sasl_mech mech;
	enum sasl_state state;
	bool told;
	enum sasl_cond cond;
	const char *reason;
	struct str account;
	struct buf password; /* PLAIN, until the credentials come */
	struct sasl_scram scram;
};

/* The mechanisms that bind to the channel. */
#define SASL_PLUS                                                              \
	(SASL_BIT(SASL_SCRAM_SHA_512_PLUS) |                                   \
		SASL_BIT(SASL_SCRAM_SHA_256_PLUS) |                            \
		SASL_BIT(SASL_SCRAM_SHA_1_PLUS))

extern const struct sasl_method sasl_scram_method;
extern const struct sasl_method sasl_plain_method;
extern const struct sasl_method sasl_external_method;
extern const struct sasl_method sasl_anonymous_method;

/* Notes why, and returns SASL_FAILURE; reason is a literal. */
enum sasl_result sasl_fail(struct sasl *s, enum sasl_cond cond,
	const char *reason);

/* Prepares name as the localpart of an account of the host, and keeps it. */
bool sasl_set_account(struct sasl *s, struct str name);

/* Whether authzid is the bare JID of s->account here, in whatever spelling that
 * prepares to it (RFC 6120 §6.3.8). */
bool sasl_authzid_ok(struct sasl *s, struct str authzid);

/* Whether address is that of an account at the host; its localpart is borrowed
 * from address, or lies in the arena of a. */
bool sasl_address_local(const struct sasl_offer *o, struct arena *a,
	struct str address, struct str *local_out);

/* Fills v as if the account that does not exist had one for hash, the same each
 * time (hostile 28); nothing can be derived that fits it. */
void sasl_fake_verifier(const struct sasl_offer *o, enum scram_hash hash,
	struct str account, struct scram_verifier *v);

#endif
