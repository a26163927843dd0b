/*
 * fuzz_stream.c - any bytes into the stream of a client: nothing breaks,
 * nothing is left, and a stranger stays one.
 *
 * The first byte of the input chooses: 1: the stream is bound already, 2: no
 * TLS, 4: TLS is not required; the rest, into how large pieces the input is
 * cut.
 */
#include "config.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "module/module_int.h"
#include "server/server_start.h"
#include "stream/streams.h"
#include "stream/client/c2s.h"
#include "fuzz.h"

#define BOUND 1
#define CLEAR 2
#define LAX 4

#define HEADER                                                                 \
	"<stream:stream xmlns='jabber:client' to='a.example' version='1.0' "   \
	"xmlns:stream='http://etherx.jabber.org/streams'>"
#define LOGIN                                                                  \
	HEADER                                                                 \
	"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "                      \
	"mechanism='ANONYMOUS'>=</auth>" HEADER                                \
	"<iq type='set' id='1'><bind "                                         \
	"xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"

struct fuzz {
	struct clock_manual clock;
	struct rand_seeded rand;
	struct server *server;
	struct conn *conn; /* NULL when closed */
	struct buf got;
};

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

static void
fuzz_start(struct fuzz *f, bool lax)
{
	struct config_modules modules = { .find = no_module };
	struct str text = lax ?
		STR("shards: 2\nhosts: { a.example: { auth: { anonymous: yes, "
			"tls_required: no } } }") :
		STR("shards: 2\nhosts: { a.example: { auth: { anonymous: yes } "
			"} }");
	struct server_env env = {
		.clock = &f->clock.clock,
		.rand = &f->rand.source,
		.modules = module_registry_new("/nonexistent", NULL),
		.store_in_memory = true,
	};
	struct conf_errors mistakes;
	struct config *conf;

	clock_manual_init(&f->clock, 1000000 * US_PER_S);
	rand_seeded_init(&f->rand, 1);
	conf_errors_init(&mistakes);
	conf = config_parse("fuzz", text, &modules, &mistakes);
	FUZZ_CHECK(conf != NULL);
	conf_errors_done(&mistakes);
	f->server = server_new(conf, &env, NULL);
	FUZZ_CHECK(f->server != NULL && server_open(f->server, NULL));
	server_start(f->server);
	streams_start(f->server);
}

/* All that can be done now, and a little later. */
static void
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

static void
on_all_closed(void *arg)
{
	*(bool *)arg = true;
}

static void
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

static void
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fuzz f = { .conn = NULL };
	struct conn_mem_sink sink = { on_write, on_closed, &f };
	struct shard *first;
	uint8_t choice = n > 0 ? data[0] : 0;

	for (int area = 0; area < LOG_AREAS; area++)
		log_set_level((enum log_area)area, LEVEL_ERROR);
	fuzz_start(&f, (choice & LAX) != 0);
	first = f.server->shards[0];
	f.conn = conn_new_mem(first->net, &sink);
	c2s_accept_mem(first, f.conn,
		(choice & CLEAR) == 0 || (choice & BOUND) != 0);
	if ((choice & BOUND) != 0) {
		fuzz_feed(&f, LOGIN, sizeof(LOGIN) - 1, sizeof(LOGIN));
		FUZZ_CHECK(strstr(buf_c(&f.got), "<jid>") != NULL);
	}
	if (n > 1)
		fuzz_feed(&f, (const char *)data + 1, n - 1,
			(choice >> 3) == 0 ? n : (size_t)(choice >> 3) * 8);
	if ((choice & (BOUND | CLEAR | LAX)) == CLEAR)
		FUZZ_CHECK(first->stats.logins == 0);
	fuzz_stop(&f);
	return 0;
}
