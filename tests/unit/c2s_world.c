/*
 * c2s_world.c - a server in one thread, for tests of streams.
 */
#include "config.h"

#include "c2s_world.h"

#include <arpa/inet.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "store/store.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/server.h"
#include "http/http_port.h"
#include "account/account.h"
#include "account/credentials.h"
#include "module/module_int.h"
#include "server/server_reload.h"
#include "server/server_start.h"
#include "stream/streams.h"
#include "stream/client/c2s.h"
#include "stream/client/c2s_int.h"
#include "../peek.h"
#include "test.h"

/* The clock moves in steps, so that timers which set timers get their turn. */
#define STEP_US (100 * US_PER_MS)

static bool
no_module(void *arg, const char *name, const struct option **options_out,
	size_t *conf_size_out)
{
	(void)arg;
	(void)name;
	(void)options_out;
	(void)conf_size_out;
	return false;
}

static struct config *
world_parse(struct str yaml)
{
	struct config_modules modules = { .find = no_module };
	struct conf_errors mistakes;
	struct config *conf;

	conf_errors_init(&mistakes);
	conf = config_parse("test.yml", yaml, &modules, &mistakes);
	for (size_t i = 0; i < mistakes.n_kept; i++)
		print_error("%s\n", mistakes.texts[i]);
	conf_errors_done(&mistakes);
	CHECK(conf != NULL);
	return conf;
}

/* Authorities are of no use to these tests, and the system's are many: to read them
 * takes longer than the rest of a test. */
static void
world_forget_authorities(void)
{
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
}

static struct config *
world_config(const struct world *w, unsigned n_shards, const char *more,
	const char *host)
{
	struct buf text = BUF_INIT;
	struct config *conf;
	char cert[128];

	certs_dir_file(&w->dir, "host.pem", cert);
	buf_printf(&text,
		"shards: %u\n%s\nstorage: { driver: memory }\n"
		"hosts:\n  example.org: { certificate: %s%s }\n"
		"  example.net: {}\n",
		n_shards, more, cert, host);
	conf = world_parse(buf_str(&text));
	buf_done(&text);
	return conf;
}

void
world_publish(struct world *w, const char *yaml)
{
	server_publish(w->server, world_parse(str_c(yaml)), NULL, NULL);
}

void
world_reload(struct world *w, const char *yaml)
{
	world_publish(w, yaml);
	world_settle(w);
}

static void
world_cert(struct world *w)
{
	struct cert_want want = {
		.cn = "example.org",
		.names = { { CERT_DNS, STR("example.org") } },
	};
	struct cert cert;
	char path[128];

	certs_dir_init(&w->dir);
	certs_dir_file(&w->dir, "host.pem", path);
	cert_make(&cert, &want, NULL);
	cert_write(&cert, path);
	cert_done(&cert);
}

void
world_init(struct world *w, unsigned n_shards, const char *more,
	const char *host)
{
	struct server_env env = {
		.clock = &w->clock.clock,
		.rand = &w->rand.source,
		.modules = module_registry_new("/nonexistent", w->kinds),
		.store_in_memory = true,
	};
	struct err err = ERR_INIT;

	w->kinds[0] = c2s_kinds[0];
	for (size_t i = 0; i <= HTTP_KINDS; i++)
		w->kinds[1 + i] = http_kinds[i];
	world_forget_authorities();
	world_cert(w);
	clock_manual_init(&w->clock, 1000000 * US_PER_S);
	rand_seeded_init(&w->rand, 1);
	w->server = server_new(world_config(w, n_shards, more, host), &env,
		&err);
	if (w->server == NULL || !server_open(w->server, &err))
		print_error("%s\n", err.text);
	CHECK(err.code == ERR_NONE);
	server_start(w->server);
	streams_start(w->server);
	world_settle(w);
	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
}

static void
on_closed(void *arg)
{
	*(bool *)arg = true;
}

void
world_done(struct world *w)
{
	bool closed = false;

	streams_close_all(w->server, STREAM_SYSTEM_SHUTDOWN, on_closed, &closed);
	world_settle(w);
	for (int i = 0; !closed && i < 100; i++)
		world_advance(w, STEP_US);
	CHECK(closed);
	server_stop(w->server);
	certs_dir_done(&w->dir);
}

void
world_settle(struct world *w)
{
	bool busy = true;

	while (busy) {
		busy = false;
		for (unsigned i = 0; i < w->server->n_shards; i++)
			busy = shard_turn(w->server->shards[i]) || busy;
		busy = store_turn(w->server->store) || busy;
	}
	/* once more, for what the last flush has closed */
	for (unsigned i = 0; i < w->server->n_shards; i++)
		shard_turn(w->server->shards[i]);
}

void
world_advance(struct world *w, int64_t us)
{
	for (; us > 0; us -= STEP_US) {
		clock_manual_advance(&w->clock, MIN(us, STEP_US));
		world_settle(w);
	}
}

struct shard *
world_owner(struct world *w, const char *name)
{
	struct arena *a = arena_new();
	struct shard *sh = peek_owner(w->server,
		jid_str(jid_make(a, str_c(name), STR("example.org"),
			STR_NONE)));

	arena_free(a);
	return sh;
}

/* --- accounts ------------------------------------------------------------- */

static void
world_credentials(struct buf *text)
{
	struct credentials creds = { 0 };

	CHECK(credentials_derive(&creds, STR("secret-one"),
		SCRAM_BIT(SCRAM_SHA_256), SCRAM_ITERATIONS_MIN, &rand_system,
		NULL));
	credentials_format(text, &creds);
}

static void
on_created(void *arg, bool ok, const struct err *err)
{
	(void)err;
	*(bool *)arg = ok;
}

static void
world_create(struct world *w, const char *name, struct buf *credentials)
{
	struct arena *a = arena_new();
	bool ok = false;

	account_create(w->server->shards[0],
		jid_make(a, str_c(name), STR("example.org"), STR_NONE),
		buf_str(credentials), on_created, &ok);
	world_settle(w);
	CHECK(ok);
	buf_done(credentials);
	arena_free(a);
}

void
world_add_account(struct world *w, const char *name)
{
	struct buf text = BUF_INIT;

	world_credentials(&text);
	world_create(w, name, &text);
}

void
world_add_account_as(struct world *w, const char *name, uint32_t iterations,
	uint32_t salt_bytes)
{
	struct credentials creds = { .verifiers = { { 0 } } };
	struct buf text = BUF_INIT;

	CHECK(credentials_derive(&creds, STR("secret-one"), SCRAM_ALL,
		SCRAM_ITERATIONS_MIN, &rand_system, NULL));
	for (unsigned i = 0; i < SCRAM_HASHES; i++) {
		creds.verifiers[i].iterations = iterations;
		creds.verifiers[i].salt_len = salt_bytes;
	}
	credentials_format(&text, &creds);
	world_create(w, name, &text);
}

/* --- with threads --------------------------------------------------------- */

static void
on_created_in_thread(void *arg, bool ok, const struct err *err)
{
	(void)err;
	if (ok)
		sem_post(arg);
}

static void
on_make_account(struct shard *sh, void *arg)
{
	struct buf text = BUF_INIT;

	world_credentials(&text);
	account_create(sh, jid_trusted(STR("romeo@example.org")),
		buf_str(&text), on_created_in_thread, arg);
	buf_done(&text);
}

void
world_init_threaded(struct world *w, unsigned n_shards, const char *more,
	uint16_t *ports)
{
	struct server_env env = {
		.clock = &clock_system,
		.rand = &rand_system,
		.modules = module_registry_new("/nonexistent", c2s_kinds),
		.store_in_memory = true,
		.threaded = true,
	};
	struct err err = ERR_INIT;
	sem_t made;

	world_forget_authorities();
	world_cert(w);
	w->server = server_new(world_config(w, n_shards, more, ""), &env, &err);
	CHECK(w->server != NULL && listen_open(w->server, &err));
	for (size_t i = 0; i < w->server->newest->config->n_listen; i++)
		ports[i] = w->server->newest->ports[i]->bound;
	CHECK(server_open(w->server, &err));
	server_start(w->server);
	sem_init(&made, 0, 0);
	shard_post(w->server->shards[1], on_make_account, &made, 0);
	while (sem_wait(&made) != 0)
		;
	sem_destroy(&made);
	streams_start(w->server);
	listen_start(w->server);
}

/* --- the other side ------------------------------------------------------- */

static void
on_sink_write(void *arg, const char *p, size_t n)
{
	struct peer *peer = arg;

	buf_add(&peer->got, p, n);
}

static void
on_sink_closed(void *arg)
{
	struct peer *peer = arg;

	peer->closed = true;
	peer->conn = NULL;
}

static void
peer_make(struct peer *p, struct world *w, unsigned shard)
{
	struct conn_mem_sink sink = { on_sink_write, on_sink_closed, p };

	*p = (struct peer){ .world = w };
	p->conn = conn_new_mem(w->server->shards[shard]->net, &sink);
}

void
peer_open(struct peer *p, struct world *w, unsigned shard, bool secure)
{
	peer_make(p, w, shard);
	c2s_accept_mem(w->server->shards[shard], p->conn, secure);
	world_settle(w);
}

void
peer_open_at(struct peer *p, struct world *w, unsigned shard,
	const struct listen_kind *kind)
{
	peer_make(p, w, shard);
	kind->accept_raw(w->server->shards[shard],
		&(struct listen_arrival){ .conn = p->conn,
			.since_us = clock_mono_us(w->server->clock) });
	world_settle(w);
}

/* As if it came from there: IPv4 or IPv6. */
static void
peer_come_from(struct peer *p, const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, address, &in.sin_addr) == 1) {
		conn_mem_from(p->conn, (struct sockaddr *)&in, sizeof(in));
	} else {
		CHECK(inet_pton(AF_INET6, address, &in6.sin6_addr) == 1);
		conn_mem_from(p->conn, (struct sockaddr *)&in6, sizeof(in6));
	}
}

void
peer_open_web(struct peer *p, struct world *w, unsigned shard,
	const char *kind, const char *address)
{
	static const struct config_listen at = { .tls = LISTEN_PLAIN };
	struct shard *sh = w->server->shards[shard];

	peer_make(p, w, shard);
	if (address != NULL)
		peer_come_from(p, address);
	if (strcmp(kind, "http") != 0)
		conn_mem_secure(p->conn);
	listen_give(sh, listen_row(sh->snap, kind),
		&(struct listen_arrival){ .conn = p->conn, .at = &at,
			.since_us = clock_mono_us(w->server->clock) });
	world_settle(w);
}

void
peer_open_from(struct peer *p, struct world *w, unsigned shard,
	const char *address)
{
	peer_make(p, w, shard);
	peer_come_from(p, address);
	c2s_accept_mem(w->server->shards[shard], p->conn, true);
	world_settle(w);
}

void
peer_done(struct peer *p)
{
	if (p->conn != NULL)
		conn_mem_hangup(p->conn);
	world_settle(p->world);
	buf_done(&p->got);
}

void
peer_say_n(struct peer *p, const char *text, size_t n)
{
	p->got.n = 0;
	if (p->conn != NULL)
		conn_mem_feed(p->conn, text, n);
	world_settle(p->world);
}

void
peer_say(struct peer *p, const char *text)
{
	peer_say_n(p, text, strlen(text));
}

bool
peer_has(struct peer *p, const char *text)
{
	return strstr(buf_c(&p->got), text) != NULL;
}

void
peer_check(struct peer *p, const char *file, int line, const char *const *texts)
{
	const char *at = buf_c(&p->got);

	for (; *texts != NULL; texts++) {
		at = strstr(at, *texts);
		if (at == NULL)
			test_fail(file, line, "\"%s\" is not (in this place) in: %s",
				*texts, buf_c(&p->got));
		at += strlen(*texts);
	}
}

void
peer_login(struct peer *p, const char *auth, const char *bind)
{
	peer_say(p, HEADER);
	CHECK_GOT(p, "<stream:features>", "PLAIN");
	peer_say(p, auth);
	CHECK_GOT(p, "<success ");
	peer_say(p, HEADER);
	CHECK_GOT(p, "<stream:features>", "<bind ");
	peer_say(p, bind);
	CHECK_GOT(p, "<jid>");
}
