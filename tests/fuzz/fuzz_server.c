/*
 * fuzz_server.c - a server for targets that feed a stream.
 */
#include "config.h"

#include "fuzz_server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "module/module_int.h"
#include "server/server_start.h"
#include "stream/streams.h"
#include "fuzz.h"

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

void
fuzz_start(struct fuzz *f, const char *conf_text)
{
	struct config_modules modules = { .find = no_module };
	struct server_env env = {
		.clock = &f->clock.clock,
		.rand = &f->rand.source,
		.modules = module_registry_new("/nonexistent", NULL),
		.store_in_memory = true,
	};
	struct conf_errors mistakes;
	struct config *conf;

	for (int area = 0; area < LOG_AREAS; area++)
		log_set_level((enum log_area)area, LEVEL_ERROR);
	clock_manual_init(&f->clock, 1000000 * US_PER_S);
	rand_seeded_init(&f->rand, 1);
	conf_errors_init(&mistakes);
	conf = config_parse("fuzz", str_c(conf_text), &modules, &mistakes);
	FUZZ_CHECK(conf != NULL);
	conf_errors_done(&mistakes);
	f->server = server_new(conf, &env, NULL);
	FUZZ_CHECK(f->server != NULL && server_open(f->server, NULL));
	server_start(f->server);
	streams_start(f->server);
}

void
fuzz_settle(struct fuzz *f)
{
	bool busy = true;

	clock_manual_advance(&f->clock, 20 * US_PER_MS);
	while (busy) {
		busy = false;
		for (unsigned i = 0; i < f->server->n_shards; i++)
			busy = shard_turn(f->server->shards[i]) || busy;
		busy = store_turn(f->server->store) || busy;
	}
}

static void
on_write(void *arg, const char *p, size_t n)
{
	struct fuzz *f = arg;

	buf_add(&f->got, p, n);
}

static void
on_closed(void *arg)
{
	struct fuzz *f = arg;

	f->conn = NULL;
}

struct conn *
fuzz_connect(struct fuzz *f)
{
	struct conn_mem_sink sink = { on_write, on_closed, f };

	f->conn = conn_new_mem(f->server->shards[0]->net, &sink);
	return f->conn;
}

static void
on_all_closed(void *arg)
{
	*(bool *)arg = true;
}

void
fuzz_stop(struct fuzz *f)
{
	bool closed = false;

	streams_close_all(f->server, STREAM_SYSTEM_SHUTDOWN, on_all_closed,
		&closed);
	for (int i = 0; !closed && i < 1000; i++)
		fuzz_settle(f);
	FUZZ_CHECK(closed && f->conn == NULL);
	for (unsigned i = 0; i < f->server->n_shards; i++) {
		FUZZ_CHECK(f->server->shards[i]->stats.streams == 0);
		FUZZ_CHECK(f->server->shards[i]->stats.sessions == 0);
	}
	server_stop(f->server);
	buf_done(&f->got);
}

void
fuzz_feed(struct fuzz *f, const char *p, size_t n, size_t piece)
{
	while (n > 0 && f->conn != NULL) {
		size_t now = MIN(n, piece);

		conn_mem_feed(f->conn, p, now);
		fuzz_settle(f);
		p += now;
		n -= now;
	}
}
