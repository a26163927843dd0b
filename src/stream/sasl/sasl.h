/*
 * sasl.h - one authentication exchange, the server's side (RFC 4422): SCRAM,
 * PLAIN, EXTERNAL, ANONYMOUS.
 *
 * One owner, the stream.  Bytes in, bytes out: base64, XML, sockets and the
 * store are the caller's.  Each call answers what has to happen next; a session
 * that has failed or succeeded is over, and another attempt takes a new one.
 *
 *   sasl_new -> sasl_start -> { SASL_CHALLENGE        -> sasl_step
 *                               SASL_NEED_CREDENTIALS -> sasl_credentials }*
 *                          -> SASL_SUCCESS or SASL_FAILURE
 */
#ifndef STREAM_SASL_SASL_H
#define STREAM_SASL_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct credentials;
struct rand_source;

/* In the order of preference in which they are advertised. */
enum sasl_mech {
	SASL_EXTERNAL,
	SASL_SCRAM_SHA_512_PLUS,
	SASL_SCRAM_SHA_256_PLUS,
	SASL_SCRAM_SHA_1_PLUS,
	SASL_SCRAM_SHA_512,
	SASL_SCRAM_SHA_256,
	SASL_SCRAM_SHA_1,
	SASL_PLAIN,
	SASL_ANONYMOUS,
	SASL_MECHS
};

/* Sets of mechanisms. */
#define SASL_BIT(mech) (1u << (mech))
/* All but ANONYMOUS, which only a host for guests enables (XEP-0175). */
#define SASL_DEFAULT (SASL_BIT(SASL_ANONYMOUS) - 1)

/* Decoded bytes of one message of the peer. */
#define SASL_INPUT_MAX 4096

/*
 * What may be used on one stream.  The stream fills it in when it sends its
 * features, and keeps it unchanged while a session uses it.
 */
struct sasl_offer {
	struct str host;  /* prepared domain */
	unsigned enabled; /* set of mechanisms, by configuration; -PLUS are used
			   * only where there is a channel binding */
	bool tls;
	const char *tls_version; /* "0304", for XEP-0515; NULL: not said */

	/* The channel binding types that this connection can give; and whether
	 * they are announced to the peer as they stand here (XEP-0440). */
	const char *const *bindings;
	size_t n_bindings;
	bool bindings_announced;
	const char *binding_quiet; /* taken, and never announced; or NULL */
	/* Appends the data for one of the bindings; false: not available. */
	bool (*binding)(void *arg, const char *type, struct buf *out);
	void *binding_arg;

	/* Addresses in the verified client certificate, as found there. */
	const struct str *addresses;
	size_t n_addresses;

	/* The names that were advertised, for the hash of XEP-0474, where the
	 * list is not that of sasl_mechanisms(); else NULL. */
	const struct str *advertised;
	size_t n_advertised;

	/* For accounts that do not exist: a secret (32 bytes or more) which is
	 * the same for every stream and after a restart, so that salts stay the
	 * same (hostile 28); and what theirs would look like, known before
	 * sasl_credentials is called. */
	struct str secret;
	uint32_t iterations;
	uint32_t salt_bytes; /* up to SCRAM_SALT_MAX */

	struct rand_source *rand;
};

/* RFC 6120 §6.5 */
enum sasl_cond {
	SASL_ABORTED,
	SASL_ACCOUNT_DISABLED,
	SASL_CREDENTIALS_EXPIRED,
	SASL_ENCRYPTION_REQUIRED,
	SASL_INCORRECT_ENCODING,
	SASL_INVALID_AUTHZID,
	SASL_INVALID_MECHANISM,
	SASL_MALFORMED_REQUEST,
	SASL_MECHANISM_TOO_WEAK,
	SASL_NOT_AUTHORIZED,
	SASL_TEMPORARY_AUTH_FAILURE,
	SASL_CONDS
};

enum sasl_result {
	SASL_CHALLENGE,        /* send out (may be empty); sasl_step next */
	SASL_NEED_CREDENTIALS, /* look up sasl_account; sasl_credentials next */
	SASL_SUCCESS,          /* send out; sasl_account has authenticated */
	SASL_FAILURE,          /* sasl_failure says which, sasl_reason why */
};

/* --- any thread ---------------------------------------------------------- */

/* The set that o allows; SASL_BIT(m) for each. */
unsigned sasl_mechanisms(const struct sasl_offer *o);
/* "SCRAM-SHA-1-PLUS" */
const char *sasl_mech_name(enum sasl_mech mech);
bool sasl_mech_parse(struct str name, enum sasl_mech *out);
/* "not-authorized" */
const char *sasl_cond_name(enum sasl_cond cond);

/* --- the owner of the session -------------------------------------------- */

struct sasl;

/* Owned by the caller; o is borrowed until sasl_free, which copes with NULL and
 * with a session that waits for credentials. */
struct sasl *sasl_new(const struct sasl_offer *o);
void sasl_free(struct sasl *s);

/*
 * All three append what is to be sent to out, and only with SASL_CHALLENGE and
 * SASL_SUCCESS.  A call at the wrong time is a failure, malformed-request.
 */

/* initial is STR_NONE where the peer sent none, and empty where it sent "="
 * (RFC 6120 §6.4.2). */
enum sasl_result sasl_start(struct sasl *s, struct str mechanism,
	struct str initial, struct buf *out);
enum sasl_result sasl_step(struct sasl *s, struct str response,
	struct buf *out);
/*
 * What the store knows of sasl_account; c (borrowed) is NULL when there is no
 * such account, and an account without a password has zeroed credentials.  With
 * PLAIN it takes as long as one PBKDF2, and may be called on any thread, while
 * nobody else touches s and its offer.  When the store cannot tell, the caller
 * sends temporary-auth-failure by itself, and frees the session.
 */
enum sasl_result sasl_credentials(struct sasl *s, const struct credentials *c,
	struct buf *out);

/* The prepared localpart, from SASL_NEED_CREDENTIALS on; STR_NONE before.
 * Borrowed from s. */
struct str sasl_account(const struct sasl *s);
/* Whether the peer was told something of that account: a salt.  To leave the
 * exchange after this is to have failed. */
bool sasl_has_told(const struct sasl *s);
/* Valid once sasl_start has found the mechanism. */
enum sasl_mech sasl_mech(const struct sasl *s);

/* After SASL_FAILURE.  The reason is a fixed phrase for the log, never for the
 * peer: it tells a wrong password from an unknown account. */
enum sasl_cond sasl_failure(const struct sasl *s);
const char *sasl_reason(const struct sasl *s);

#endif
