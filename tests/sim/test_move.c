/*
 * test_move.c - a stream goes from shard to shard between any two elements, with
 * all that the client has sent ahead.
 */
#include "config.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "core/server.h"
#include "core/shard.h"
#include "stream/streams.h"
#include "stream/client/c2s.h"
#include "peek.h"
#include "unit/test.h"
#include "world.h"

#define NS_MOVE "urn:antiphon:test:move"
#define SEEDS 150
#define MODULES "modules: { testmove: yes }\n"
#define SLOW                                                                   \
	"limits: { stanzas_per_second: 1, stanzas_burst: 10 }\n" MODULES
#define FEW "limits: { unauthenticated_connections: 10 }\n" MODULES
#define REGISTER                                                               \
	"modules: { testmove: yes, register: { allow: yes, per_hour: 1000 } }\n"

/* A client that has all it wants to say ready, and what is to come. */
struct talker {
	struct world *w;
	struct conn *conn; /* NULL: it is gone */
	struct buf says;
	struct buf hears;  /* what is to come, one a line */
	struct buf got;
	unsigned shard;    /* where its stream is by then */
	bool prefixed;     /* its header has declared m: */
};

static void
on_write(void *arg, const char *p, size_t n)
{
	struct talker *t = arg;

	buf_add(&t->got, p, n);
}

static void
on_closed(void *arg)
{
	struct talker *t = arg;

	t->conn = NULL;
}

static void
talker_open(struct talker *t, struct world *w)
{
	struct conn_mem_sink sink = { on_write, on_closed, t };
	struct shard *sh;

	*t = (struct talker){ .w = w };
	t->shard = (unsigned)world_draw(w, w->n_shards);
	sh = w->server->shards[t->shard];
	t->conn = conn_new_mem(sh->net, &sink);
	c2s_accept_mem(sh, t->conn, true);
}

static void
talker_done(struct talker *t)
{
	if (t->conn != NULL)
		conn_mem_hangup(t->conn);
	buf_done(&t->says);
	buf_done(&t->hears);
	buf_done(&t->got);
}

/* --- what it says ----------------------------------------------------------------- */

static void
say_header(struct talker *t)
{
	t->prefixed = world_draw(t->w, 2) == 0;
	buf_printf(&t->says, "<?xml version='1.0'?><stream:stream to='%s' "
		"version='1.0' xmlns='jabber:client' xmlns:stream='" NS_STREAM
		"'%s>", WORLD_HOST,
		t->prefixed ? " xmlns:m='" NS_MOVE "'" : "");
	buf_add_c(&t->hears, "<stream:features>\n");
}

static void
say_element(struct talker *t, const char *name, unsigned shard)
{
	if (t->prefixed)
		buf_printf(&t->says, "<m:%s shard='%u'/>", name, shard);
	else
		buf_printf(&t->says, "<%s xmlns='" NS_MOVE "' shard='%u'/>",
			name, shard);
}

static void
say_where(struct talker *t)
{
	say_element(t, "where", 0);
	buf_printf(&t->hears, "<here xmlns=\"" NS_MOVE "\" shard=\"%u\"/>\n",
		t->shard);
}

static void
say_move(struct talker *t, unsigned to, bool went)
{
	say_element(t, world_draw(t->w, 3) == 0 ? "later" : "move", to);
	buf_printf(&t->hears, "<moved xmlns=\"" NS_MOVE "\" went=\"%s\"/>\n",
		went ? "yes" : "no");
	if (went)
		t->shard = to;
}

/* Some moves, each followed by blanks, a question, or nothing. */
static void
say_moves(struct talker *t, bool bound)
{
	uint64_t n = world_draw(t->w, 6);

	for (uint64_t i = 0; i < n; i++) {
		say_move(t, (unsigned)world_draw(t->w, t->w->n_shards), !bound);
		if (world_draw(t->w, 2) == 0)
			say_where(t);
		else if (world_draw(t->w, 2) == 0)
			buf_add_c(&t->says, " \n");
	}
}

static void
say_login(struct talker *t)
{
	buf_add_c(&t->says, "<auth xmlns='" NS_SASL "' mechanism='PLAIN'>"
		"AHJvbWVvAHNlY3JldA==</auth>"); /* romeo, secret */
	buf_add_c(&t->hears, "<success \n");
	t->shard = peek_owner(t->w->server, STR("romeo@" WORLD_HOST))->index;
	say_header(t);
}

static void
say_bind(struct talker *t)
{
	buf_add_c(&t->says, "<iq type='set' id='b'><bind xmlns='" NS_BIND
		"'><resource>r</resource></bind></iq>");
	buf_add_c(&t->hears, "<jid>romeo@" WORLD_HOST "/r</jid>\n");
	t->shard = peek_owner(t->w->server, STR("romeo@" WORLD_HOST))->index;
}

static void
say_messages(struct talker *t)
{
	uint64_t n = world_draw(t->w, 20);

	for (uint64_t i = 0; i < n; i++) {
		buf_printf(&t->says, "<message id='m%02llu' to='romeo@"
			WORLD_HOST "/r'><body>x</body></message>",
			(unsigned long long)i);
		buf_printf(&t->hears, "id=\"m%02llu\"\n", (unsigned long long)i);
	}
}

static void
say_all(struct talker *t)
{
	say_header(t);
	say_moves(t, false);
	say_login(t);
	say_moves(t, false);
	say_bind(t);
	say_moves(t, true);
	say_messages(t);
}

/* --- how it says it --------------------------------------------------------------- */

/* In one write, or in pieces with some turns between, up to so many bytes. */
static void
send(struct talker *t, size_t until)
{
	size_t piece = world_draw(t->w, 2) == 0 ? t->says.n :
		1 + (size_t)world_draw(t->w, 200);

	for (size_t at = 0; at < until && t->conn != NULL; at += piece) {
		conn_mem_feed(t->conn, t->says.p + at, MIN(piece, until - at));
		for (uint64_t i = world_draw(t->w, 5); i > 0; i--)
			world_turn(t->w);
	}
}

static unsigned
count(struct talker *t, const char *text)
{
	const char *at = buf_c(&t->got);
	unsigned n = 0;

	for (; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* All of it has come, in order, each once. */
static void
check_heard(struct talker *t)
{
	const char *at = buf_c(&t->got);
	struct str rest = buf_str(&t->hears), line;
	unsigned n = 0;

	while (str_cut(rest, '\n', &line, &rest)) {
		char want[200];

		snprintf(want, sizeof(want), "%.*s", STR_ARG(line));
		at = strstr(at, want);
		if (at == NULL)
			print_error("\"%s\" is not in its place in: %s\n", want,
				buf_c(&t->got));
		CHECK(at != NULL);
		at += strlen(want);
		n += strstr(want, NS_MOVE) != NULL;
	}
	CHECK_INT(count(t, NS_MOVE), n);
}

static uint64_t
streams_of(const struct world *w)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < w->n_shards; i++)
		n += w->server->shards[i]->stats.streams;
	return n;
}

static struct world *
world_of_romeo(uint64_t seed, const char *conf)
{
	struct world *w = world_new(seed, 1 + (unsigned)(seed % 5),
		TEST_MODULE_DIR, conf);

	world_add_account(w, "romeo");
	return w;
}

/* One where t, who is romeo, is about to say it all. */
static struct world *
world_of_talker(uint64_t seed, struct talker *t)
{
	struct world *w = world_of_romeo(seed, MODULES);

	talker_open(t, w);
	say_all(t);
	return w;
}

/* --- tests ------------------------------------------------------------------------ */

TEST(all_that_was_sent_ahead_is_done_in_order_wherever_the_stream_goes)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct talker t;
		struct world *w = world_of_talker(seed, &t);

		send(&t, t.says.n);
		world_settle(w);
		check_heard(&t);
		CHECK_INT(streams_of(w), 1);
		talker_done(&t);
		world_settle(w);
		CHECK_INT(streams_of(w), 0);
		world_free(w);
	}
}

TEST(a_connection_that_breaks_on_the_way_leaves_nothing)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct talker t;
		struct world *w = world_of_talker(seed, &t);

		send(&t, (size_t)world_draw(w, t.says.n));
		talker_done(&t);
		world_settle(w);
		CHECK_INT(streams_of(w), 0);
		world_free(w);
	}
}

TEST(a_server_that_stops_waits_for_streams_that_are_on_their_way)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct talker t;
		struct world *w = world_of_talker(seed, &t);

		send(&t, t.says.n);
		world_free(w);
		CHECK(t.conn == NULL);
		/* it was told, and did not end by itself later */
		CHECK(strstr(buf_c(&t.got), "<connection-timeout ") == NULL);
		talker_done(&t);
	}
}

/* Who has logged in is told, also between two shards; who has not is not. */
TEST(who_is_on_his_way_is_sent_elsewhere_like_others)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world *w = world_of_romeo(seed, MODULES);
		struct talker t, stranger;
		size_t before;

		talker_open(&stranger, w);
		say_header(&stranger);
		say_moves(&stranger, false);
		talker_open(&t, w);
		say_header(&t);
		say_login(&t);
		send(&t, t.says.n);
		world_settle(w);
		check_heard(&t);
		before = t.says.n;
		say_move(&t, (unsigned)world_draw(w, w->n_shards), true);
		conn_mem_feed(t.conn, t.says.p + before, t.says.n - before);
		conn_mem_feed(stranger.conn, stranger.says.p, stranger.says.n);
		for (uint64_t i = world_draw(w, 3); i > 0; i--)
			world_turn(w);
		streams_drain(w->server, "other.example.org", NULL, NULL);
		world_settle(w);
		CHECK(t.conn == NULL);
		CHECK_INT(count(&t, "<see-other-host "), 1);
		check_heard(&stranger);
		CHECK(stranger.conn != NULL);
		talker_done(&t);
		talker_done(&stranger);
		world_settle(w);
		CHECK_INT(streams_of(w), 0);
		world_free(w);
	}
}

/* Ten at once, and then one a second. */
TEST(a_stream_that_rests_is_not_read_sooner_for_having_moved)
{
	struct world *w = world_new(3, 4, TEST_MODULE_DIR, SLOW);
	struct talker t;
	unsigned had;

	talker_open(&t, w);
	say_header(&t);
	for (unsigned i = 0; i < 20; i++)
		say_move(&t, i % 4, true);
	for (size_t at = 0, n; at < t.says.n; at += n) {
		const char *end = memchr(t.says.p + at + 1, '>',
			t.says.n - at - 1);

		n = (size_t)(end + 1 - (t.says.p + at));
		conn_mem_feed(t.conn, t.says.p + at, n);
		world_settle(w);
	}
	had = count(&t, " went=");
	CHECK(had >= 10 && had < 13);
	for (int s = 0; s < 20; s++)
		world_sleep(w, US_PER_S);
	check_heard(&t);
	talker_done(&t);
	world_settle(w);
	world_free(w);
}

TEST(the_time_to_log_in_goes_on)
{
	struct world *w = world_new(7, 4, TEST_MODULE_DIR, MODULES);
	struct talker t;

	talker_open(&t, w);
	say_header(&t);
	for (unsigned i = 0; i < 9; i++)
		say_move(&t, i % 4, true);
	send(&t, t.says.n);
	world_settle(w);
	check_heard(&t);
	for (int s = 0; s < 40; s++)
		world_sleep(w, US_PER_S);
	CHECK(strstr(buf_c(&t.got), "<connection-timeout ") != NULL);
	talker_done(&t);
	world_settle(w);
	CHECK_INT(streams_of(w), 0);
	world_free(w);
}

/* Those who make room are found where they are. */
TEST(strangers_that_move_make_room_like_others)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world *w = world_new(seed, 3, TEST_MODULE_DIR, FEW);
		struct talker t[30];

		for (size_t i = 0; i < COUNT(t); i++) {
			talker_open(&t[i], w);
			say_header(&t[i]);
			say_moves(&t[i], false);
			send(&t[i], t[i].says.n);
		}
		world_settle(w);
		for (int i = 0; i < 10; i++)
			world_sleep(w, US_PER_S);
		CHECK_INT(streams_of(w), 10);
		for (size_t i = 0; i < COUNT(t); i++)
			talker_done(&t[i]);
		world_settle(w);
		CHECK_INT(streams_of(w), 0);
		world_free(w);
	}
}

/* The answer comes to where it was asked. */
TEST(a_stranger_gets_the_answer_before_his_stream_moves)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world *w = world_new(seed, 3, TEST_MODULE_DIR ":"
			TEST_BUNDLED_DIR, REGISTER);
		struct talker t;

		talker_open(&t, w);
		say_header(&t);
		buf_add_c(&t.says, "<iq type='set' id='reg'><query "
			"xmlns='jabber:iq:register'><username>new</username>"
			"<password>long-enough</password></query></iq>");
		buf_add_c(&t.hears, "id=\"reg\"\n");
		say_move(&t, (t.shard + 1) % 3, true);
		say_where(&t);
		send(&t, t.says.n);
		world_settle(w);
		CHECK(strstr(buf_c(&t.got), "id=\"reg\" type=\"result\"") !=
				NULL ||
			strstr(buf_c(&t.got), "type=\"result\" id=\"reg\"") !=
				NULL);
		CHECK(strstr(buf_c(&t.got), "<here ") != NULL);
		talker_done(&t);
		world_settle(w);
		world_free(w);
	}
}

TEST_MAIN
