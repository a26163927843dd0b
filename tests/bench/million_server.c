/*
 * million_server.c - the server of bench_million: real but for its connections,
 * its clock and its threads.  Accounts lie in a database of SQLite, which is
 * made once and found again when a folder is named.
 */
#include "config.h"

#include "million.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "module/module_int.h"
#include "server/server_start.h"
#include "sim/in_memory.h"

/* Accounts in one transaction. */
#define ACCOUNTS_AT_ONCE 500
/* Who has each other in their rosters; MILLION_MAX is a multiple. */
#define NEIGHBOURS 1000

static const char conf_text[] =
	"shards: %u\n"
	"storage: { driver: sqlite, path: %s/million.sqlite }\n"
	"auth: { mechanisms: [ SCRAM-SHA-1 ] }\n"
	"limits: { connections: 10000000, stanzas_per_second: 1000000,\n"
	"  stanzas_burst: 1000000, bytes_per_second: 1GiB, bytes_burst: 1GiB }\n"
	"modules: { archive: no }\n"
	"hosts:\n"
	"  " MILLION_HOST ": { auth: { tls_required: no } }\n";

void
million_die(const char *what, const char *why)
{
	fprintf(stderr, "bench_million: %s: %s\n", what, why);
	exit(2);
}

/* --- turns -------------------------------------------------------------------- */

void
million_settle(struct million *m)
{
	struct server *srv = m->server;
	bool busy = true;

	while (busy) {
		busy = false;
		for (unsigned i = 0; i < srv->n_shards; i++)
			busy = shard_turn(srv->shards[i]) || busy;
		busy = store_turn(srv->store) || busy;
	}
}

void
million_pass(struct million *m, int64_t us)
{
	clock_manual_advance(&m->clock, us);
}

/* --- accounts ----------------------------------------------------------------- */

static void
contact_add(struct store_tx *tx, struct store_place at, unsigned number)
{
	struct buf key = BUF_INIT, item = BUF_INIT;

	buf_printf(&key, MILLION_ADDRESS, number);
	buf_printf(&item, "<item xmlns='jabber:iq:roster' jid='%s' "
		"name='Friend %u' subscription='both'/>", buf_c(&key),
		number % NEIGHBOURS);
	store_tx_set(tx, at, buf_str(&key), buf_str(&item));
	buf_done(&item);
	buf_done(&key);
}

/* Those next to it in a ring; of an odd number, one is opposite. */
static void
contacts_add(const struct million *m, struct store_tx *tx,
	struct store_place at, unsigned number)
{
	unsigned first = number - number % NEIGHBOURS;
	unsigned place = number % NEIGHBOURS, half = m->conf->contacts / 2;

	for (unsigned i = 1; i <= half; i++) {
		contact_add(tx, at, first + (place + i) % NEIGHBOURS);
		contact_add(tx, at,
			first + (place + NEIGHBOURS - i) % NEIGHBOURS);
	}
	if (m->conf->contacts % 2 != 0)
		contact_add(tx, at,
			first + (place + NEIGHBOURS / 2) % NEIGHBOURS);
}

static void
account_add(const struct million *m, struct store_tx *tx, struct str creds,
	unsigned number)
{
	struct store_place at = { .host = STR(MILLION_HOST) };
	char local[16];

	snprintf(local, sizeof(local), "u%07u", number);
	at.owner = str_c(local);
	at.name = STR(MAP_ACCOUNT);
	store_tx_set(tx, at, STR(KEY_CREATED), STR("2026-11-21T00:00:00Z"));
	store_tx_set(tx, at, STR(KEY_CREDENTIALS), creds);
	at.name = STR(MAP_ROSTER);
	contacts_add(m, tx, at, number);
}

static void
on_accounts(void *arg, bool ok, const struct err *err)
{
	(void)arg;
	if (!ok)
		million_die("accounts", err->text);
}

static void
accounts_make(struct million *m)
{
	struct buf creds = BUF_INIT;

	credentials_format(&creds, &m->creds);
	for (unsigned i = 0; i < m->conf->sessions;) {
		struct store_tx *tx = store_tx_new();
		unsigned end = MIN(i + ACCOUNTS_AT_ONCE, m->conf->sessions);

		while (i < end)
			account_add(m, tx, buf_str(&creds), i++);
		store_commit(m->server->store, tx,
			&m->server->shards[0]->mailbox, on_accounts, NULL);
		million_settle(m);
	}
	buf_done(&creds);
}

/* The same in every run, so that a database can be used again. */
static void
credentials_make(struct million *m)
{
	const EVP_MD *md = EVP_sha1();
	size_t n = scram_digest_size(SCRAM_SHA_1);
	struct rand_seeded salts;
	struct scram_verifier *v = &m->creds.verifiers[SCRAM_SHA_1];
	uint8_t salted[SCRAM_DIGEST_MAX];

	rand_seeded_init(&salts, 1);
	if (!credentials_derive(&m->creds, STR(MILLION_PASSWORD),
		SCRAM_BIT(SCRAM_SHA_1), SCRAM_ITERATIONS_MIN, &salts.source,
		NULL))
		million_die("accounts", "the password is refused");
	PKCS5_PBKDF2_HMAC(MILLION_PASSWORD, sizeof(MILLION_PASSWORD) - 1,
		v->salt, (int)v->salt_len, (int)v->iterations, md, (int)n,
		salted);
	scram_hmac(SCRAM_SHA_1, (struct str){ (char *)salted, n },
		STR("Client Key"), m->client_key);
	scram_digest(SCRAM_SHA_1, (struct str){ (char *)m->client_key, n },
		m->stored_key);
}

/* --- the server ----------------------------------------------------------------- */

void
million_open(struct million *m, const char *folder)
{
	struct server_env env = {
		.clock = &m->clock.clock,
		.rand = &m->rand.source,
	};
	struct buf path = BUF_INIT, yaml = BUF_INIT;
	struct stat st;
	bool found;

	buf_printf(&path, "%s/million.sqlite", folder);
	found = stat(buf_c(&path), &st) == 0;
	buf_done(&path);
	buf_printf(&yaml, conf_text, m->conf->shards, folder);
	clock_manual_init(&m->clock, IN_MEMORY_START_US);
	rand_seeded_init(&m->rand, 1);
	m->server = in_memory_start(&env, m->conf->module_dir, &yaml);
	credentials_make(m);
	if (!found)
		accounts_make(m);
}

static void
on_settle(void *arg)
{
	million_settle(arg);
}

void
million_close(struct million *m)
{
	m->closing = true;
	in_memory_stop(m->server, &m->clock, on_settle, m);
	free(m->logins);
	free(m->conns);
}
