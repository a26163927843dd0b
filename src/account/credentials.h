/*
 * credentials.h - what an account keeps to know its owner again: SCRAM
 * verifiers (RFC 5802 §3), one for each hash, never the password.
 *
 * Any thread; pure functions but for credentials_derive, which draws salts.
 * Deriving is slow on purpose: one PBKDF2 for each hash, so callers that have
 * the choice do it away from the shards.
 */
#ifndef ACCOUNT_CREDENTIALS_H
#define ACCOUNT_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct err;
struct rand_source;
struct xml_pool;

enum scram_hash { SCRAM_SHA_1, SCRAM_SHA_256, SCRAM_SHA_512, SCRAM_HASHES };

/* Sets of hashes. */
#define SCRAM_BIT(hash) (1u << (hash))
#define SCRAM_ALL (SCRAM_BIT(SCRAM_HASHES) - 1)

#define SCRAM_DIGEST_MAX 64
#define SCRAM_SALT_BYTES 16 /* of a new verifier */
#define SCRAM_SALT_MAX 64   /* of an imported one */
/* RFC 5802 §5.1 asks for 4096 at least; the maximum keeps a login with PLAIN
 * from holding up all others. */
#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 1000000
#define SCRAM_ITERATIONS_DEFAULT 10000

#define PASSWORD_MAX 1023 /* bytes, before and after preparation */

struct scram_verifier {
	uint32_t iterations; /* 0: there is no verifier for this hash */
	uint32_t salt_len;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored_key[SCRAM_DIGEST_MAX]; /* as long as the digest */
	uint8_t server_key[SCRAM_DIGEST_MAX];
};

/* Zeroed memory: an account without a password, which nobody can guess. */
struct credentials {
	struct scram_verifier verifiers[SCRAM_HASHES];
};

/* --- passwords ----------------------------------------------------------- */

/*
 * Prepares password (RFC 4013, as RFC 5802 §2.2 demands) and derives a
 * verifier for each hash of the set, with a new salt each; what *out held is
 * lost.  False (ERR_INVALID), *out unchanged, for a password that is empty, too
 * long, not UTF-8 or holds control characters, and for iterations out of range.
 */
bool credentials_derive(struct credentials *out, struct str password,
	unsigned hashes, uint32_t iterations, struct rand_source *rand,
	struct err *err);

/*
 * Whether password, as it came from a peer, is the right one.  Exactly one
 * PBKDF2, with the verifier of SHA-256 or else the first that exists, whatever
 * the outcome; false at once only when c has no verifier at all.
 */
bool credentials_verify_password(const struct credentials *c,
	struct str password);

/* The set of hashes for which c has a verifier. */
unsigned credentials_hashes(const struct credentials *c);

/* Overwrites c, which is an account without a password then. */
void credentials_wipe(struct credentials *c);

/* --- text ---------------------------------------------------------------- */

/*
 * Appends c as one element, for the store:
 * <credentials xmlns='urn:antiphon:credentials:1'><scram hash='SHA-256'
 * iterations='10000' salt='...' stored-key='...' server-key='...'/>
 * </credentials>, binary values in base64.
 */
void credentials_format(struct buf *out, const struct credentials *c);
/* Reads what credentials_format wrote; hashes unknown here are skipped.
 * False (ERR_INVALID), *out unchanged, for anything else.  The pool's thread. */
bool credentials_parse(struct credentials *out, struct xml_pool *pool,
	struct str text, struct err *err);

/* Appends one verifier, which must exist, in the form of RFC 5803 §2:
 * "SCRAM-SHA-256$10000:salt$stored-key:server-key". */
void credentials_format_line(struct buf *out, const struct credentials *c,
	enum scram_hash hash);
/* Reads such a line into its place in c.  False (ERR_INVALID), c unchanged,
 * for a line of another form, and when the verifier exists already. */
bool credentials_add_line(struct credentials *c, struct str line,
	struct err *err);

/* --- SCRAM --------------------------------------------------------------- */

/* "SHA-256" */
const char *scram_hash_name(enum scram_hash hash);
bool scram_hash_parse(struct str name, enum scram_hash *out);
size_t scram_digest_size(enum scram_hash hash);

/* H(data) and HMAC(key, data); out has room for SCRAM_DIGEST_MAX. */
void scram_digest(enum scram_hash hash, struct str data, uint8_t *out);
void scram_hmac(enum scram_hash hash, struct str key, struct str data,
	uint8_t *out);

/* RFC 5802 §3: whether proof (raw) shows knowledge of the password.  Takes the
 * same time for every proof of the right length. */
bool scram_proof_ok(enum scram_hash hash, const struct scram_verifier *v,
	struct str auth_message, struct str proof);
/* ServerSignature; out has room for SCRAM_DIGEST_MAX. */
void scram_server_signature(enum scram_hash hash,
	const struct scram_verifier *v, struct str auth_message, uint8_t *out);

#endif
