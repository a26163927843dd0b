/*
 * test_session_bulk.c - blocks of in-band bytestreams for a client that takes less
 * than it is sent: what passes them, what keeps its order, and where they go.
 */
#include "config.h"

#include "account/session_bulk.h"

#include <stdio.h>

#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "core/entity.h"
#include "core/listen.h"
#include "account/account.h"
#include "account/session.h"
#include "account/session_out.h"
#include "stream/client/c2s_int.h"
#include "c2s_world.h"
#include "test.h"

#define AUTH_JULIET AUTH("PLAIN", "AGp1bGlldABzZWNyZXQtb25l")
#define FAST                                                                   \
	" bytes_per_second: 1GiB, bytes_burst: 1GiB,"                          \
	" stanzas_per_second: 1000000, stanzas_burst: 1000000 }"
#define LIMITS "limits: { bytestream_bytes: 16KiB," FAST
#define SMALL                                                                  \
	"limits: { bytestream_bytes: 16KiB, write_queue_bytes: 64KiB," FAST
#define BOUND (16 * 1024)
#define ROMEO "romeo@example.org/a"

/* juliet sends blocks to romeo, and another device of hers, as a third, words. */
struct scene {
	struct world w;
	struct peer romeo, juliet, third;
};

static struct session *
romeo_session(struct scene *s)
{
	return account_of(entity_find(world_owner(&s->w, "romeo"),
				  STR("romeo@example.org")))
		->sessions;
}

static bool
rests(struct scene *s, const char *resource)
{
	const struct account *acc = account_of(entity_find(
		world_owner(&s->w, "juliet"), STR("juliet@example.org")));

	return session_find(acc, str_c(resource))->rest != 0;
}

static const struct shard_stats *
romeo_stats(struct scene *s)
{
	return &world_owner(&s->w, "romeo")->stats;
}

static void
scene_init(struct scene *s, unsigned n_shards, const char *more)
{
	world_init(&s->w, n_shards, more, "");
	peer_open(&s->romeo, &s->w, 0, true);
	peer_login(&s->romeo, AUTH_ROMEO, BIND("a"));
	peer_open(&s->juliet, &s->w, 0, true);
	peer_login(&s->juliet, AUTH_JULIET, BIND("j"));
	peer_open(&s->third, &s->w, 0, true);
	peer_login(&s->third, AUTH_JULIET, BIND("third"));
	s->romeo.got.n = s->juliet.got.n = s->third.got.n = 0;
}

static void
scene_done(struct scene *s)
{
	peer_done(&s->romeo);
	peer_done(&s->juliet);
	peer_done(&s->third);
	world_advance(&s->w, 11 * US_PER_S);
	CHECK_INT(listen_count(s->w.server), 0);
	CHECK_INT(romeo_stats(s)->bytestream_bytes.now, 0);
	CHECK_INT(romeo_stats(s)->session_bytes.now, 0);
	world_done(&s->w);
}

/* Numbers from..until, each of n bytes. */
static void
send_blocks(struct peer *p, const char *kind, unsigned from, unsigned until,
	size_t n)
{
	struct buf text = BUF_INIT;

	for (unsigned i = from; i < until; i++) {
		buf_printf(&text, "<%s to='" ROMEO "' id='b%04u'%s><data "
			"xmlns='" NS_IBB "' seq='%u' sid='s'>", kind, i,
			kind[0] == 'i' ? " type='set'" : "", i);
		memset(buf_reserve(&text, n), 'A', n);
		text.n += n;
		buf_printf(&text, "</data></%s>", kind);
	}
	peer_say_n(p, text.p, text.n);
	buf_done(&text);
}

static void
say(struct peer *p, const char *id)
{
	char text[128];

	snprintf(text, sizeof(text), "<message to='" ROMEO "' id='%s' type='chat'>"
		"<body>x</body></message>", id);
	peer_say(p, text);
}

static unsigned
count(struct peer *p, const char *what)
{
	unsigned n = 0;

	for (const char *at = buf_c(&p->got); (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static size_t
where(struct peer *p, const char *id)
{
	char what[32];
	const char *at;

	snprintf(what, sizeof(what), "id=\"%s\"", id);
	at = strstr(buf_c(&p->got), what);
	return at != NULL ? (size_t)(at - buf_c(&p->got)) : SIZE_MAX;
}

/* Takes all, at so many bytes a time. */
static void
take_all(struct scene *s, size_t step, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		conn_mem_take(s->romeo.conn, step);
		world_advance(&s->w, 200 * US_PER_MS);
	}
	conn_mem_take(s->romeo.conn, SIZE_MAX);
	world_advance(&s->w, 11 * US_PER_S);
}

static void
check_order(struct peer *p, unsigned from, unsigned until)
{
	size_t before = 0, at;
	char id[16];

	for (unsigned i = from; i < until; i++) {
		snprintf(id, sizeof(id), "b%04u", i);
		at = where(p, id);
		CHECK(at != SIZE_MAX && at >= before);
		before = at;
	}
}

static void
check_others_pass(const char *kind, unsigned n_shards, size_t block)
{
	struct scene s;
	unsigned n = (unsigned)(60000 / block);

	scene_init(&s, n_shards, LIMITS);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.juliet, kind, 0, n, block);
	CHECK(romeo_stats(&s)->bytestream_bytes.now > 20000);
	say(&s.third, "now");
	take_all(&s, 5000, 10);
	/* what was on its way, and no more */
	CHECK(where(&s.romeo, "now") <= MAX(BOUND, block + 300));
	check_order(&s.romeo, 0, n);
	CHECK_INT(count(&s.romeo, NS_IBB), n);
	CHECK(romeo_session(&s)->out == NULL);
	scene_done(&s);
}

TEST(what_others_send_passes_blocks)
{
	check_others_pass("message", 1, 1000);
	check_others_pass("message", 2, 4000);
	check_others_pass("message", 1, 12000);
	check_others_pass("iq", 1, 4000);
	check_others_pass("iq", 3, 7000);
}

/* Such a one goes alone. */
TEST(a_block_that_is_larger_than_the_bound_arrives)
{
	struct scene s;

	scene_init(&s, 1, LIMITS);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.juliet, "message", 0, 4, 30000);
	say(&s.third, "now");
	take_all(&s, 10000, 20);
	CHECK(where(&s.romeo, "now") > 30000);
	CHECK(where(&s.romeo, "now") < 31000);
	check_order(&s.romeo, 0, 4);
	scene_done(&s);
}

/* A client that others keep busy gets blocks all the same: one at a time. */
TEST(blocks_are_not_held_back_for_ever)
{
	struct scene s;
	char id[16];

	scene_init(&s, 1, LIMITS);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.juliet, "message", 0, 8, 4000);
	for (unsigned i = 0; i < 400; i++) {
		snprintf(id, sizeof(id), "w%u", i);
		for (unsigned k = 0; k < 20; k++)
			say(&s.third, id);
		conn_mem_take(s.romeo.conn, 2200);
		world_advance(&s.w, 100 * US_PER_MS);
	}
	CHECK_INT(count(&s.romeo, NS_IBB), 8);
	scene_done(&s);
}

TEST(all_that_one_sends_keeps_its_order)
{
	struct scene s;

	scene_init(&s, 1, LIMITS);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.juliet, "message", 0, 8, 4000);
	say(&s.juliet, "mine");
	send_blocks(&s.juliet, "iq", 8, 12, 4000);
	say(&s.juliet, "last");
	peer_say(&s.juliet, "<iq type='get' id='q' to='" ROMEO "'>"
		"<query xmlns='urn:x'/></iq>");
	say(&s.third, "third");
	take_all(&s, 5000, 12);
	check_order(&s.romeo, 0, 12);
	CHECK(where(&s.romeo, "third") < where(&s.romeo, "mine"));
	CHECK(where(&s.romeo, "b0007") < where(&s.romeo, "mine"));
	CHECK(where(&s.romeo, "mine") < where(&s.romeo, "b0008"));
	CHECK(where(&s.romeo, "b0011") < where(&s.romeo, "last"));
	CHECK(where(&s.romeo, "last") < where(&s.romeo, "q"));
	CHECK(where(&s.romeo, "q") != SIZE_MAX);
	scene_done(&s);
}

/* Those who send blocks take turns. */
TEST(two_streams_share_what_there_is)
{
	struct scene s;

	scene_init(&s, 1, LIMITS);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.juliet, "message", 0, 20, 4000);
	send_blocks(&s.third, "message", 100, 120, 4000);
	take_all(&s, 5000, 40);
	check_order(&s.romeo, 0, 20);
	check_order(&s.romeo, 100, 120);
	CHECK(where(&s.romeo, "b0105") < where(&s.romeo, "b0019"));
	scene_done(&s);
}

/* Who does not read costs a bound, and his sender is told. */
TEST(too_many_blocks_are_refused)
{
	struct scene s;

	scene_init(&s, 1, SMALL);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.juliet, "iq", 0, 60, 4000);
	world_advance(&s.w, 2 * US_PER_S);
	CHECK(!s.romeo.closed);
	CHECK(romeo_stats(&s)->bytestream_bytes.highest < 64 * 1024 + 5000);
	CHECK(count(&s.juliet, "resource-constraint") > 10);
	take_all(&s, 20000, 20);
	CHECK(count(&s.romeo, NS_IBB) +
			count(&s.juliet, "resource-constraint") == 60);
	scene_done(&s);
}

/* Its sender rests, while a third is read as ever. */
TEST(who_sends_blocks_is_slowed)
{
	struct scene s;
	unsigned i = 0;

	scene_init(&s, 1, LIMITS);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.juliet, "message", 0, 8, 4000);
	world_advance(&s.w, 10 * US_PER_MS);
	while (i < 20 && !rests(&s, "j")) {
		send_blocks(&s.juliet, "message", 8 + i, 9 + i, 4000);
		i++;
	}
	CHECK(i < 20);
	CHECK(!rests(&s, "third"));
	take_all(&s, 5000, 40);
	CHECK(!rests(&s, "j"));
	scene_done(&s);
}

/* By blocks or by words behind one: more than write_queue_max_bytes of those would
 * have the client cut off. */
TEST(who_sends_words_behind_a_block_is_slowed)
{
	struct buf text = BUF_INIT;
	struct scene s;
	unsigned i = 0;

	scene_init(&s, 1, SMALL);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.third, "message", 0, 5, 3500);
	CHECK(romeo_stats(&s)->bytestream_bytes.now != 0);
	send_blocks(&s.juliet, "message", 5, 6, 2500);
	buf_add_c(&text, "<message to='" ROMEO "' type='chat'><body>");
	memset(buf_reserve(&text, 1000), 'A', 1000);
	text.n += 1000;
	buf_add_c(&text, "</body></message>");
	world_advance(&s.w, 10 * US_PER_MS);
	CHECK(!rests(&s, "j"));
	for (; i < 40 && !rests(&s, "j"); i++)
		peer_say_n(&s.juliet, text.p, text.n);
	CHECK(i < 40);
	CHECK(!rests(&s, "third"));
	take_all(&s, 5000, 40);
	buf_done(&text);
	scene_done(&s);
}

/* Rooms would take an error for the end of their guest (XEP-0045 §18.1.2). */
TEST(what_no_stream_sends_is_no_block)
{
	static const char *const types[] = { "groupchat", "headline" };
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < COUNT(types); i++) {
		struct scene s;

		scene_init(&s, 1, SMALL);
		conn_mem_take(s.romeo.conn, 0);
		text.n = 0;
		buf_printf(&text, "<message to='" ROMEO "' type='%s'><data "
			"xmlns='" NS_IBB "'>%04000u</data></message>", types[i],
			1u);
		for (unsigned n = 0; n < 40; n++)
			peer_say_n(&s.juliet, text.p, text.n);
		world_advance(&s.w, 2 * US_PER_S);
		CHECK_INT(romeo_stats(&s)->bytestream_bytes.highest, 0);
		CHECK_INT(count(&s.juliet, "type=\"error\""), 0);
		take_all(&s, 20000, 20);
		CHECK_INT(count(&s.romeo, NS_IBB), 40);
		scene_done(&s);
	}
	buf_done(&text);
}

/* Nor is what waited for its client before there were lanes (XEP-0160): it is counted
 * in the queue. */
TEST(what_is_kept_elsewhere_is_no_block)
{
	struct session *romeo;
	struct stanza *st;
	struct scene s;
	char text[4000];

	scene_init(&s, 1, LIMITS);
	romeo = romeo_session(&s);
	session_keep_output(romeo, true);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.juliet, "message", 0, 5, 4000);
	CHECK(romeo_stats(&s)->bytestream_bytes.now != 0);
	st = stanza_new(MESSAGE_CHAT, jid_trusted(STR("juliet@example.org/j")),
		jid_trusted(STR(ROMEO)), STR("old"));
	memset(text, 'A', sizeof(text));
	elem_add_with_text(st->arena, st->root, NS_IBB, "data",
		(struct str){ text, sizeof(text) });
	CHECK(session_write_kept(romeo, st, 7));
	stanza_free(st);
	CHECK_INT(session_kept(romeo), 1);
	take_all(&s, 5000, 10);
	CHECK(where(&s.romeo, "old") < where(&s.romeo, "b0004"));
	CHECK_INT(count(&s.romeo, NS_IBB), 6);
	scene_done(&s);
}

/* Blocks go back; what stands behind them is as good as any message. */
TEST(a_client_that_takes_nothing_gets_no_blocks)
{
	struct scene s;

	scene_init(&s, 1, LIMITS);
	conn_mem_take(s.romeo.conn, 0);
	send_blocks(&s.juliet, "iq", 0, 8, 4000);
	say(&s.juliet, "mine");
	world_advance(&s.w, 50 * US_PER_S);
	CHECK_INT(count(&s.juliet, "recipient-unavailable"), 0);
	world_advance(&s.w, 20 * US_PER_S);
	CHECK(!s.romeo.closed);
	CHECK_INT(count(&s.juliet, "recipient-unavailable"), 5);
	CHECK_INT(romeo_stats(&s)->bytestream_bytes.now, 0);
	take_all(&s, 5000, 4);
	CHECK_INT(count(&s.romeo, NS_IBB), 3);
	CHECK(where(&s.romeo, "mine") != SIZE_MAX);
	scene_done(&s);
}

/* At each point of what it takes. */
TEST(a_client_that_ends_leaves_nothing)
{
	for (size_t taken = 0; taken < 40000; taken += 3700) {
		struct scene s;
		unsigned n;

		scene_init(&s, 1 + taken % 2, LIMITS);
		conn_mem_take(s.romeo.conn, 0);
		send_blocks(&s.juliet, "iq", 0, 8, 4000);
		send_blocks(&s.third, "message", 100, 108, 4000);
		conn_mem_take(s.romeo.conn, taken);
		world_advance(&s.w, US_PER_S);
		n = count(&s.romeo, NS_IBB);
		conn_mem_hangup(s.romeo.conn);
		s.romeo.conn = NULL;
		world_advance(&s.w, 11 * US_PER_S);
		/* of what the stream has got nobody knows more */
		CHECK(count(&s.juliet, "recipient-unavailable") +
				count(&s.third, "recipient-unavailable") >=
			16 - n - BOUND / 4000 - 1);
		CHECK(count(&s.juliet, "recipient-unavailable") != 0 ||
			n >= 4);
		scene_done(&s);
	}
}

/* As chat is that is for a device that has gone: nobody else gets it. */
TEST(a_block_for_a_device_that_is_not_there_comes_back)
{
	struct scene s;

	scene_init(&s, 1, LIMITS);
	peer_say(&s.romeo, "<presence/>");
	peer_say(&s.juliet, "<message to='romeo@example.org/gone' id='b' "
		"type='chat'><data xmlns='" NS_IBB "'>AAAA</data></message>");
	CHECK_GOT(&s.juliet, "type=\"error\"", "id=\"b\"",
		"service-unavailable");
	CHECK_INT(count(&s.romeo, NS_IBB), 0);
	scene_done(&s);
}

/* It has nothing of all that: no queue, no lanes. */
TEST(a_client_that_keeps_up_has_no_queue)
{
	struct scene s;

	scene_init(&s, 1, LIMITS);
	for (unsigned i = 0; i < 50; i++) {
		send_blocks(&s.juliet, "message", i, i + 1, 4000);
		CHECK(romeo_session(&s)->out == NULL);
	}
	check_order(&s.romeo, 0, 50);
	CHECK_INT(romeo_stats(&s)->bytestream_bytes.highest, 0);
	scene_done(&s);
}

TEST_MAIN
