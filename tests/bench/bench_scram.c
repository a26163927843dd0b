/*
 * bench_scram.c - the client's half of SCRAM (RFC 5802) and PLAIN (RFC 4616).
 *
 * The salted password is kept, since all accounts that accounts_print() makes
 * share one salt: PBKDF2 would cost the generator more than all the rest.  The
 * server's signature is not checked, for the same reason.
 */
#include "config.h"

#include "bench.h"

#include <openssl/evp.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/text.h"

/* The attribute x= of a message; STR_NONE when it is not there. */
static struct str
scram_attr(struct str message, char x)
{
	struct str attr;

	while (message.p != NULL) {
		if (!str_cut(message, ',', &attr, &message))
			message = STR_NONE;
		if (attr.n >= 2 && attr.p[0] == x && attr.p[1] == '=')
			return (struct str){ attr.p + 2, attr.n - 2 };
	}
	return STR_NONE;
}

void
plain_first(struct client *c, struct buf *out)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%cb%u%c%s", 0, c->account, 0,
		c->b->conf->password);
	base64_encode(out, text.p, text.n);
	buf_done(&text);
}

void
scram_first(struct client *c, struct buf *out)
{
	struct buf text = BUF_INIT;
	char nonce[RAND_ID_SIZE];

	rand_id(&rand_system, nonce);
	c->first_bare.n = 0;
	buf_printf(&c->first_bare, "n=b%u,r=%s", c->account, nonce);
	buf_add_c(&text, "n,,");
	buf_add_str(&text, buf_str(&c->first_bare));
	base64_encode(out, text.p, text.n);
	buf_done(&text);
}

/* The keys for this salt, from the cache if it is the same as last time. */
static void
scram_keys(struct bench *b, struct buf *salt, unsigned iterations)
{
	struct scram_cache *cache = &b->scram;
	enum scram_hash hash = b->conf->hash;
	const EVP_MD *md = EVP_get_digestbyname(scram_hash_name(hash));
	size_t n = scram_digest_size(hash);
	uint8_t salted[SCRAM_DIGEST_MAX];

	if (cache->iterations == iterations &&
		str_eq(buf_str(&cache->salt), buf_str(salt)))
		return;
	PKCS5_PBKDF2_HMAC(b->conf->password, (int)strlen(b->conf->password),
		(const unsigned char *)salt->p, (int)salt->n, (int)iterations,
		md, (int)n, salted);
	scram_hmac(hash, (struct str){ (char *)salted, n }, STR("Client Key"),
		cache->client_key);
	scram_digest(hash, (struct str){ (char *)cache->client_key, n },
		cache->stored_key);
	cache->iterations = iterations;
	cache->salt.n = 0;
	buf_add_str(&cache->salt, buf_str(salt));
}

static void
scram_proof(struct client *c, struct str first, struct buf *reply)
{
	struct scram_cache *cache = &c->b->scram;
	enum scram_hash hash = c->b->conf->hash;
	size_t n = scram_digest_size(hash);
	uint8_t proof[SCRAM_DIGEST_MAX];
	struct buf auth = BUF_INIT;

	buf_printf(&auth, "%.*s,%.*s,%.*s", STR_ARG(buf_str(&c->first_bare)),
		STR_ARG(first), STR_ARG(buf_str(reply)));
	scram_hmac(hash, (struct str){ (char *)cache->stored_key, n },
		buf_str(&auth), proof);
	for (size_t i = 0; i < n; i++)
		proof[i] ^= cache->client_key[i];
	buf_add_c(reply, ",p=");
	base64_encode(reply, proof, n);
	buf_done(&auth);
}

bool
scram_final(struct client *c, struct str challenge, struct buf *out)
{
	struct buf first = BUF_INIT, salt = BUF_INIT, reply = BUF_INIT;
	long long iterations;
	bool ok = false;

	if (!base64_decode(&first, str_trim(challenge)))
		goto out;
	if (!str_to_int(scram_attr(buf_str(&first), 'i'), 1,
		SCRAM_ITERATIONS_MAX, &iterations) ||
		!base64_decode(&salt, scram_attr(buf_str(&first), 's')))
		goto out;
	scram_keys(c->b, &salt, (unsigned)iterations);
	buf_printf(&reply, "c=biws,r=%.*s",
		STR_ARG(scram_attr(buf_str(&first), 'r')));
	scram_proof(c, buf_str(&first), &reply);
	base64_encode(out, reply.p, reply.n);
	ok = true;
out:
	buf_done(&first);
	buf_done(&salt);
	buf_done(&reply);
	return ok;
}

int
accounts_print(const struct bench_conf *conf)
{
	struct credentials c = { 0 };
	struct buf line = BUF_INIT;
	struct err err = ERR_INIT;

	if (!credentials_derive(&c, str_c(conf->password),
		SCRAM_BIT(conf->hash), SCRAM_ITERATIONS_MIN, &rand_system,
		&err)) {
		fprintf(stderr, "antiphon-bench: %s\n", err.text);
		return 1;
	}
	credentials_format_line(&line, &c, conf->hash);
	for (unsigned i = 0; i < conf->clients; i++)
		printf("b%u@%s %.*s\n", i, conf->domain,
			STR_ARG(buf_str(&line)));
	buf_done(&line);
	return 0;
}
