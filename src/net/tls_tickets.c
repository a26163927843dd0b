/*
 * tls_tickets.c - the keys of tickets, which go with time.
 *
 *   seed --> secret --> secret --> secret (the next hour's)
 *              |          |
 *              v          v
 *            keys of    keys of
 *            before     now
 *
 * Owner shard.  Every net makes its own out of the same seed, by the same clock:
 * so they agree without a lock, and a client may come back at any shard.
 * A secret is left as soon as the next one is made of it, and none leads back: a
 * ticket of two hours ago cannot be read any more, by nobody.
 */
#include "config.h"

#include <assert.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/net_int.h"
#include "net/tls.h"

#define NAME_SIZE 16 /* OpenSSL's */
#define KEY_SIZE 32

struct ticket_keys {
	uint8_t name[NAME_SIZE];
	uint8_t cipher[KEY_SIZE];
	uint8_t mac[KEY_SIZE];
};

struct tls_tickets {
	const struct clock *clock;
	int64_t until_us; /* monotonic: when now becomes before */
	uint8_t secret[NET_SEED_SIZE];
	struct ticket_keys now, before;
};

/* --- going on ------------------------------------------------------------- */

static void
derive(const uint8_t secret[NET_SEED_SIZE], const char *what, uint8_t *out,
	size_t n)
{
	uint8_t text[EVP_MAX_MD_SIZE];

	assert(n <= NET_SEED_SIZE);
	if (HMAC(EVP_sha256(), secret, NET_SEED_SIZE,
		    (const unsigned char *)what, strlen(what), text,
		    NULL) == NULL)
		abort(); /* out of memory, as for xmalloc() */
	memcpy(out, text, n);
	OPENSSL_cleanse(text, sizeof(text));
}

static void
tickets_step(struct tls_tickets *t)
{
	struct ticket_keys *now = &t->now;

	t->before = *now;
	derive(t->secret, "name", now->name, sizeof(now->name));
	derive(t->secret, "cipher", now->cipher, sizeof(now->cipher));
	derive(t->secret, "mac", now->mac, sizeof(now->mac));
	derive(t->secret, "next", t->secret, sizeof(t->secret));
}

static void
tickets_go_on(struct tls_tickets *t)
{
	int64_t now_us = clock_mono_us(t->clock);

	for (; t->until_us <= now_us; t->until_us += TLS_TICKETS_US)
		tickets_step(t);
}

void
net_give_tickets(struct net *net, const uint8_t seed[NET_SEED_SIZE],
	const struct clock *clock, int64_t began_us)
{
	struct tls_tickets *t = xcalloc(1, sizeof(*t));

	assert(net->tickets == NULL);
	t->clock = clock;
	t->until_us = began_us + TLS_TICKETS_US;
	memcpy(t->secret, seed, sizeof(t->secret));
	/* twice: keys that nobody can know stand in before, too */
	tickets_step(t);
	tickets_step(t);
	tickets_go_on(t);
	net->tickets = t;
}

void
net_wipe_tickets(struct net *net)
{
	if (net->tickets != NULL)
		tickets_go_on(net->tickets);
}

void
tls_tickets_free(struct tls_tickets *t)
{
	if (t == NULL)
		return;
	OPENSSL_cleanse(t, sizeof(*t));
	free(t);
}

/* --- for OpenSSL ---------------------------------------------------------- */

static bool
keys_use(const struct ticket_keys *keys, const unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	char digest[] = "SHA256";
	uint8_t key[KEY_SIZE];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, key, sizeof(key)),
		OSSL_PARAM_construct_utf8_string(
			OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	bool ok;

	memcpy(key, keys->mac, sizeof(key));
	ok = EVP_MAC_CTX_set_params(mac, params) == 1 &&
		EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL,
			keys->cipher, iv, enc) == 1;
	OPENSSL_cleanse(key, sizeof(key));
	return ok;
}

/* RFC 5077 §5.5.  0: it is none of ours, or too old: a handshake in full; 2: it is
 * good, and a new one is given, as TLS 1.3 does each time (RFC 8446 §C.4). */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	const struct conn *c = SSL_get_app_data(ssl);
	struct tls_tickets *t = c->net != NULL ? c->net->tickets : NULL;
	const struct ticket_keys *keys;

	if (t == NULL)
		return 0;
	tickets_go_on(t);
	keys = &t->now;
	if (enc) {
		memcpy(name, keys->name, NAME_SIZE);
		rand_bytes(&rand_system, iv, EVP_MAX_IV_LENGTH);
	} else if (memcmp(name, keys->name, NAME_SIZE) != 0) {
		keys = &t->before;
		if (memcmp(name, keys->name, NAME_SIZE) != 0)
			return 0;
	}
	if (!keys_use(keys, iv, cipher, mac, enc))
		return -1;
	return keys == &t->before || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
}

bool
tls_tickets_attach(SSL_CTX *ctx, struct str rules, struct err *err)
{
	unsigned char id[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(rules.p, rules.n, id, &n, EVP_sha256(), NULL) != 1 ||
		SSL_CTX_set_session_id_context(ctx, id, n) != 1 ||
		SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1)
		return tls_err(err, "tickets");
	SSL_CTX_set_timeout(ctx, 2 * TLS_TICKETS_US / US_PER_S);
	return true;
}

void
tls_tickets_begin(SSL *ssl, const struct conn *c)
{
	if (c->net != NULL && c->net->tickets != NULL)
		return;
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
	SSL_set_num_tickets(ssl, 0);
}
