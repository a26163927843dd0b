/*
 * credentials.c - SCRAM verifiers: derivation from a password, and the check of
 * passwords and proofs against them (RFC 5802 §3).
 *
 * Any thread.  Invariant: whatever would let somebody log in (the password,
 * SaltedPassword, ClientKey) is wiped before its memory is given back.
 */
#include "config.h"

#include "account/credentials.h"

#include <assert.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/text.h"
#include "xmpp/saslprep.h"

/* Of SHA-512. */
#define SCRAM_BLOCK_MAX 128

_Static_assert(PASSWORD_MAX == SASLPREP_MAX, "one limit for passwords");

static const struct {
	const char *name;
	size_t size, block;
	const EVP_MD *(*md)(void);
} hashes_known[SCRAM_HASHES] = {
	[SCRAM_SHA_1] = { "SHA-1", 20, 64, EVP_sha1 },
	[SCRAM_SHA_256] = { "SHA-256", 32, 64, EVP_sha256 },
	[SCRAM_SHA_512] = { "SHA-512", 64, 128, EVP_sha512 },
};

const char *
scram_hash_name(enum scram_hash hash)
{
	return hashes_known[hash].name;
}

bool
scram_hash_parse(struct str name, enum scram_hash *out)
{
	for (unsigned i = 0; i < SCRAM_HASHES; i++) {
		if (str_is(name, hashes_known[i].name)) {
			*out = (enum scram_hash)i;
			return true;
		}
	}
	return false;
}

size_t
scram_digest_size(enum scram_hash hash)
{
	return hashes_known[hash].size;
}

void
scram_digest(enum scram_hash hash, struct str data, uint8_t *out)
{
	int ok = EVP_Digest(data.p, data.n, out, NULL, hashes_known[hash].md(),
		NULL);

	assert(ok == 1);
	(void)ok;
}

/* A block of the hash, of the key and pad (RFC 2104 §2); data; out may lie in
 * data. */
static void
hmac_pass(EVP_MD_CTX *ctx, const uint8_t *key, size_t block, uint8_t pad,
	struct str data, uint8_t *out)
{
	uint8_t padded[SCRAM_BLOCK_MAX];
	bool ok;

	for (size_t i = 0; i < block; i++)
		padded[i] = key[i] ^ pad;
	ok = EVP_DigestUpdate(ctx, padded, block) == 1 &&
		EVP_DigestUpdate(ctx, data.p, data.n) == 1 &&
		EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	assert(ok);
	(void)ok;
	explicit_bzero(padded, sizeof(padded));
}

/* RFC 2104 §2, with one look-up of the hash.  The library's HMAC() makes five of
 * them, and takes 12000 instructions for what takes 4000 here; a login needs
 * three. */
void
scram_hmac(enum scram_hash hash, struct str key, struct str data, uint8_t *out)
{
	size_t block = hashes_known[hash].block, n = hashes_known[hash].size;
	uint8_t k[SCRAM_BLOCK_MAX] = { 0 };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	assert(ctx != NULL);
	if (key.n > block)
		scram_digest(hash, key, k);
	else if (key.n != 0)
		memcpy(k, key.p, key.n);
	ok = EVP_DigestInit_ex(ctx, hashes_known[hash].md(), NULL) == 1;
	assert(ok);
	hmac_pass(ctx, k, block, 0x36, data, out);
	ok = EVP_DigestInit_ex(ctx, NULL, NULL) == 1;
	assert(ok);
	(void)ok;
	hmac_pass(ctx, k, block, 0x5c, (struct str){ (const char *)out, n },
		out);
	EVP_MD_CTX_free(ctx);
	explicit_bzero(k, sizeof(k));
}

static struct str
digest_str(enum scram_hash hash, const uint8_t *p)
{
	return (struct str){ (const char *)p, hashes_known[hash].size };
}

/* SaltedPassword := Hi(password, salt, i); password is prepared. */
static void
salted_password(enum scram_hash hash, const struct scram_verifier *v,
	struct str password, uint8_t *out)
{
	int ok = PKCS5_PBKDF2_HMAC(password.p, (int)password.n, v->salt,
		(int)v->salt_len, (int)v->iterations, hashes_known[hash].md(),
		(int)hashes_known[hash].size, out);

	assert(ok == 1);
	(void)ok;
}

/* Fills in the keys of v, whose salt and iterations are set. */
static void
derive(enum scram_hash hash, struct scram_verifier *v, struct str password)
{
	uint8_t salted[SCRAM_DIGEST_MAX], client_key[SCRAM_DIGEST_MAX];

	salted_password(hash, v, password, salted);
	scram_hmac(hash, digest_str(hash, salted), STR("Client Key"),
		client_key);
	scram_digest(hash, digest_str(hash, client_key), v->stored_key);
	scram_hmac(hash, digest_str(hash, salted), STR("Server Key"),
		v->server_key);
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client_key, sizeof(client_key));
}

bool
credentials_derive(struct credentials *out, struct str password,
	unsigned hashes, uint32_t iterations, struct rand_source *rand,
	struct err *err)
{
	struct credentials made = { 0 };
	struct buf prepared = BUF_INIT;

	if (iterations < SCRAM_ITERATIONS_MIN ||
		iterations > SCRAM_ITERATIONS_MAX)
		return err_set(err, ERR_INVALID,
			"iterations: %u is not between %d and %d", iterations,
			SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX);
	if (!saslprep(&prepared, password, err))
		return err_prefix(err, "password");
	for (unsigned i = 0; i < SCRAM_HASHES; i++) {
		struct scram_verifier *v = &made.verifiers[i];

		if ((hashes & SCRAM_BIT(i)) == 0)
			continue;
		v->iterations = iterations;
		v->salt_len = SCRAM_SALT_BYTES;
		rand_bytes(rand, v->salt, SCRAM_SALT_BYTES);
		derive((enum scram_hash)i, v, buf_str(&prepared));
	}
	explicit_bzero(prepared.p, prepared.cap);
	buf_done(&prepared);
	*out = made;
	credentials_wipe(&made);
	return true;
}

/* SHA-256 is what clients prefer, so its verifier exists nearly always, and is
 * faster to compute than that of SHA-512 on 32-bit machines. */
static const enum scram_hash verify_order[] = { SCRAM_SHA_256, SCRAM_SHA_512,
	SCRAM_SHA_1 };

bool
credentials_verify_password(const struct credentials *c, struct str password)
{
	enum scram_hash hash = SCRAM_SHA_256;
	struct buf prepared = BUF_INIT;
	struct scram_verifier v;
	bool well_formed, same;

	for (size_t i = 0; i < COUNT(verify_order); i++) {
		hash = verify_order[i];
		if (c->verifiers[hash].iterations != 0)
			break;
	}
	v = c->verifiers[hash];
	if (v.iterations == 0)
		return false;
	well_formed = saslprep(&prepared, password, NULL);
	derive(hash, &v, buf_str(&prepared));
	same = secret_eq(digest_str(hash, v.stored_key),
		digest_str(hash, c->verifiers[hash].stored_key));
	if (prepared.p != NULL)
		explicit_bzero(prepared.p, prepared.cap);
	buf_done(&prepared);
	explicit_bzero(&v, sizeof(v));
	return well_formed && same;
}

unsigned
credentials_hashes(const struct credentials *c)
{
	unsigned set = 0;

	for (unsigned i = 0; i < SCRAM_HASHES; i++) {
		if (c->verifiers[i].iterations != 0)
			set |= SCRAM_BIT(i);
	}
	return set;
}

void
credentials_wipe(struct credentials *c)
{
	explicit_bzero(c, sizeof(*c));
}

bool
scram_proof_ok(enum scram_hash hash, const struct scram_verifier *v,
	struct str auth_message, struct str proof)
{
	size_t n = hashes_known[hash].size;
	uint8_t client_key[SCRAM_DIGEST_MAX], found[SCRAM_DIGEST_MAX];
	bool same;

	if (proof.n != n)
		return false;
	scram_hmac(hash, digest_str(hash, v->stored_key), auth_message,
		client_key);
	for (size_t i = 0; i < n; i++)
		client_key[i] ^= (uint8_t)proof.p[i];
	scram_digest(hash, digest_str(hash, client_key), found);
	same = secret_eq(digest_str(hash, found),
		digest_str(hash, v->stored_key));
	explicit_bzero(client_key, sizeof(client_key));
	return same;
}

void
scram_server_signature(enum scram_hash hash, const struct scram_verifier *v,
	struct str auth_message, uint8_t *out)
{
	scram_hmac(hash, digest_str(hash, v->server_key), auth_message, out);
}
