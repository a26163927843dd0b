/*
 * tls_tickets.c - the keys of tickets, which go with time.
 *
 *   seed ----------> secret ----------> secret (of the next 64 hours)
 *     |                |
 *     v                v
 *   secret -> ...    secret --> secret --> secret (of the next hour)
 *                      |          |
 *                      v          v
 *                    keys of    keys of
 *                    before     now
 *
 * Owner shard.  Every net makes its own out of the same seed, by the same clock:
 * so they agree without a lock, and a client may come back at any shard.
 * A secret is left as soon as the next one is made of it, and none leads back: a
 * ticket of two hours ago cannot be read any more, by nobody.  There are more rows
 * than two, each of 64 secrets below one of the row above, so that years without
 * anybody are skipped in some steps.
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

/* Of 2^36 hours in all: more than the clock can tell. */
#define ROWS 6
#define ROW_BITS 6

struct tls_tickets {
	const struct clock *clock;
	int64_t until_us; /* monotonic: when now becomes before */
	uint64_t hour;    /* whose keys now has */
	/* The one behind that of this hour, in each row. */
	uint8_t secrets[ROWS][NET_SEED_SIZE];
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

static unsigned
place_in_row(uint64_t hour, int row)
{
	return hour >> (row * ROW_BITS) & ((1U << ROW_BITS) - 1);
}

/* The keys of an hour to come: of the next secret but `skipped` in that row, which
 * is the first one from above in which the hours differ. */
static void
tickets_make(struct tls_tickets *t, uint64_t hour, int row, unsigned skipped)
{
	struct ticket_keys *now = &t->now;
	uint8_t *secret = t->secrets[row];

	for (;;) {
		for (; skipped > 0; skipped--)
			derive(secret, "next", secret, NET_SEED_SIZE);
		if (row == 0)
			break;
		derive(secret, "row", t->secrets[row - 1], NET_SEED_SIZE);
		derive(secret, "next", secret, NET_SEED_SIZE);
		secret = t->secrets[--row];
		skipped = place_in_row(hour, row);
	}
	t->before = *now;
	derive(secret, "name", now->name, sizeof(now->name));
	derive(secret, "cipher", now->cipher, sizeof(now->cipher));
	derive(secret, "mac", now->mac, sizeof(now->mac));
	derive(secret, "next", secret, NET_SEED_SIZE);
	t->hour = hour;
}

static void
tickets_go_to(struct tls_tickets *t, uint64_t hour)
{
	int row = 0;

	while (hour >> ((row + 1) * ROW_BITS) != t->hour >> ((row + 1) * ROW_BITS))
		row++;
	tickets_make(t, hour, row,
		place_in_row(hour, row) - place_in_row(t->hour, row) - 1);
}

static void
tickets_go_on(struct tls_tickets *t)
{
	int64_t late_us = clock_mono_us(t->clock) - t->until_us;
	int64_t hours;

	if (late_us < 0)
		return;
	hours = late_us / TLS_TICKETS_US + 1;
	t->until_us += hours * TLS_TICKETS_US;
	if (hours > 1)
		tickets_go_to(t, t->hour + (uint64_t)hours - 1);
	tickets_go_to(t, t->hour + 1);
}

void
net_give_tickets(struct net *net, const uint8_t seed[NET_SEED_SIZE],
	const struct clock *clock, int64_t began_us)
{
	struct tls_tickets *t = xcalloc(1, sizeof(*t));

	assert(net->tickets == NULL);
	t->clock = clock;
	t->until_us = began_us + TLS_TICKETS_US;
	memcpy(t->secrets[ROWS - 1], seed, NET_SEED_SIZE);
	/* twice: keys that nobody can know stand in before, too */
	tickets_make(t, 0, ROWS - 1, 0);
	tickets_go_to(t, 1);
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
tls_tickets_refuse(SSL *ssl)
{
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
	SSL_set_num_tickets(ssl, 0);
}

void
tls_tickets_begin(SSL *ssl, const struct conn *c)
{
	if (c->net == NULL || c->net->tickets == NULL)
		tls_tickets_refuse(ssl);
}
