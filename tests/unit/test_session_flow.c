/*
 * test_session_flow.c - clients that take less than they are sent: who is cut
 * off and who is not, where the rest goes, and who is slowed.
 */
#include "config.h"

#include "account/session_flow.h"

#include <stdio.h>

#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "core/entity.h"
#include "core/listen.h"
#include "account/account.h"
#include "account/session.h"
#include "stream/client/c2s_int.h"
#include "c2s_world.h"
#include "test.h"

#define AUTH_JULIET AUTH("PLAIN", "AGp1bGlldABzZWNyZXQtb25l")
#define SMALL                                                                  \
	"limits: { write_queue_bytes: 64KiB, write_queue_max_bytes: 256KiB,"   \
	" bytes_per_second: 1GiB, bytes_burst: 1GiB,"                          \
	" stanzas_per_second: 1000000, stanzas_burst: 1000000 }"
#define ROMEO "romeo@example.org/a"

struct scene {
	struct world w;
	struct peer romeo;
	struct peer juliet;
};

static struct account *
account_named(struct scene *s, const char *name)
{
	char bare[64];

	snprintf(bare, sizeof(bare), "%s@example.org", name);
	return account_of(entity_find(world_owner(&s->w, name), str_c(bare)));
}

static struct session *
session_of(struct scene *s, const char *name)
{
	return account_named(s, name)->sessions;
}

/* Whoever rested goes on, and sees what has come meanwhile. */
static void
rested(struct world *w)
{
	world_advance(w, 11 * US_PER_S);
}

static void
be_available(struct session *s)
{
	struct stanza *st = stanza_new(PRESENCE_AVAILABLE, session_jid(s),
		(struct jid){ .text = NULL }, STR_NONE);

	session_set_presence(s, st, 0);
	stanza_free(st);
}

static void
scene_init(struct scene *s, unsigned n_shards, const char *more)
{
	world_init(&s->w, n_shards, more, "");
	peer_open(&s->romeo, &s->w, 0, true);
	peer_login(&s->romeo, AUTH_ROMEO, BIND("a"));
	peer_open(&s->juliet, &s->w, 0, true);
	peer_login(&s->juliet, AUTH_JULIET, BIND("j"));
	be_available(session_of(s, "romeo"));
	s->romeo.got.n = s->juliet.got.n = 0;
}

static void
scene_done(struct scene *s)
{
	peer_done(&s->romeo);
	peer_done(&s->juliet);
	rested(&s->w);
	CHECK_INT(listen_count(s->w.server), 0);
	world_done(&s->w);
}

static void
break_off(struct peer *p)
{
	if (p->conn != NULL)
		conn_mem_hangup(p->conn);
	p->conn = NULL; /* nobody is told */
	rested(p->world);
}

/* What juliet sends: a message with a number, and so many bytes more. */
static void
message(struct buf *out, const char *to, unsigned i, size_t n, char c)
{
	buf_printf(out, "<message to='%s' type='chat' id='m%04u'><x "
		"xmlns='urn:x' a='", to, i);
	memset(buf_reserve(out, n), c, n);
	out->n += n;
	buf_add_c(out, "'/></message>");
}

static void
send_messages(struct peer *p, const char *to, unsigned from, unsigned until,
	size_t n)
{
	struct buf text = BUF_INIT;

	for (unsigned i = from; i < until; i++)
		message(&text, to, i, n, 'x');
	if (p->conn != NULL)
		conn_mem_feed(p->conn, text.p, text.n);
	world_settle(p->world);
	buf_done(&text);
}

/* Those with numbers from..until have come, in order, each once, each behind
 * the words before. */
static void
check_messages(struct peer *p, const char *before, unsigned from,
	unsigned until)
{
	const char *at = buf_c(&p->got);
	unsigned n = 0;

	for (unsigned i = from; i < until; i++) {
		char id[16];

		snprintf(id, sizeof(id), "id=\"m%04u\"", i);
		at = strstr(at, id);
		CHECK(at != NULL);
		CHECK(strstr(at + 1, id) == NULL);
	}
	for (at = buf_c(&p->got); (at = strstr(at, before)) != NULL; at++)
		n++;
	CHECK_INT(n, until - from);
}

/* --- who is cut off, and who is not ------------------------------------------------ */

TEST(what_one_turn_writes_cuts_nobody_off_who_reads)
{
	struct scene s;
	struct stanza *st;

	scene_init(&s, 1, SMALL);
	st = stanza_new(MESSAGE_CHAT, session_jid(session_of(&s, "juliet")),
		session_jid(session_of(&s, "romeo")), STR("m0000"));
	for (int i = 0; i < 20000; i++)
		session_write(session_of(&s, "romeo"), st);
	stanza_free(st);
	world_settle(&s.w);
	CHECK(!s.romeo.closed);
	CHECK(s.romeo.got.n > 20000 * 50);
	CHECK(session_of(&s, "romeo")->out == NULL);
	scene_done(&s);
}

/* Quotes are six bytes each when they are written. */
TEST(the_largest_stanza_of_the_worst_bytes_arrives)
{
	struct scene s;
	struct buf text = BUF_INIT;

	scene_init(&s, 2, "");
	message(&text, ROMEO, 0, 256 * 1024 - 200, '"');
	conn_mem_take(s.romeo.conn, 0);
	conn_mem_feed(s.juliet.conn, text.p, text.n);
	world_settle(&s.w);
	/* at the least pace that is allowed */
	for (int i = 0; i < 11 && !s.romeo.closed; i++) {
		conn_mem_take(s.romeo.conn, 61 * 1024);
		world_advance(&s.w, 60 * US_PER_S);
	}
	CHECK(!s.romeo.closed);
	conn_mem_take(s.romeo.conn, SIZE_MAX);
	world_settle(&s.w);
	CHECK(s.romeo.got.n > (size_t)6 * 256 * 1024 - 2000);
	check_messages(&s.romeo, "<message ", 0, 1);
	buf_done(&text);
	scene_done(&s);
}

static bool
is_cut_off(size_t bytes_a_minute, unsigned minutes)
{
	struct scene s;
	bool closed;

	scene_init(&s, 1, SMALL);
	conn_mem_take(s.romeo.conn, 0);
	for (unsigned i = 0; i < 5; i++)
		send_messages(&s.juliet, ROMEO, i, i + 1, 40000);
	for (unsigned i = 0; i < minutes && !s.romeo.closed; i++) {
		world_advance(&s.w, 30 * US_PER_S);
		if (!s.romeo.closed)
			conn_mem_take(s.romeo.conn, bytes_a_minute);
		world_advance(&s.w, 30 * US_PER_S);
	}
	closed = s.romeo.closed;
	CHECK_INT(s.w.server->shards[0]->stats.sessions, closed ? 1 : 2);
	scene_done(&s);
	return closed;
}

TEST(who_takes_too_little_in_a_minute_is_cut_off)
{
	CHECK(is_cut_off(0, 2));
	CHECK(is_cut_off(1, 2));
	CHECK(is_cut_off(50 * 1024, 2));
	CHECK(!is_cut_off(62 * 1024, 3));
}

TEST(who_has_less_than_the_bound_waiting_may_take_his_time)
{
	struct scene s;

	scene_init(&s, 1, "");
	conn_mem_take(s.romeo.conn, 0);
	send_messages(&s.juliet, ROMEO, 0, 10, 100000);
	world_advance(&s.w, 290 * US_PER_S);
	CHECK(!s.romeo.closed);
	conn_mem_take(s.romeo.conn, SIZE_MAX);
	world_settle(&s.w);
	check_messages(&s.romeo, "<message ", 0, 10);
	CHECK(session_of(&s, "romeo")->out == NULL);
	CHECK_INT(world_owner(&s.w, "romeo")->stats.session_bytes.now, 0);
	scene_done(&s);
}

/* Errors that the stream gives by itself count too (hostile 12), and stay in
 * their place. */
TEST(errors_that_are_not_read_are_bounded)
{
	struct scene s;
	struct buf text = BUF_INIT;
	struct shard *sh;

	scene_init(&s, 1, SMALL);
	sh = s.w.server->shards[0];
	conn_mem_take(s.romeo.conn, 0);
	for (int i = 0; i < 30000; i++)
		buf_add_c(&text, "<message to='@'/>");
	peer_say_n(&s.romeo, text.p, text.n);
	CHECK(s.romeo.closed);
	CHECK(sh->stats.session_bytes.highest < 400 * 1024);
	CHECK_INT(sh->stats.session_bytes.now, 0);
	buf_done(&text);
	scene_done(&s);
}

/* --- where the rest goes -------------------------------------------------------------- */

/* All that comes in one turn: nobody can be slowed. */
static void
flood(struct scene *s, const char *to, unsigned first, unsigned end)
{
	struct session *from = session_of(s, "juliet");
	char text[1000];

	memset(text, 'x', sizeof(text));
	for (unsigned i = first; i < end; i++) {
		char id[16];
		struct stanza *st;
		struct str s_id = { id, (size_t)snprintf(id, sizeof(id),
			"m%04u", i) };

		st = stanza_new(MESSAGE_CHAT, session_jid(from),
			jid_trusted(str_c(to)), s_id);
		elem_add_text(st->arena, elem_add(st->arena, st->root,
			NS_CLIENT, "body"), (struct str){ text, sizeof(text) });
		session_receive(from, st);
	}
	world_settle(&s->w);
}

/* Until romeo's stream, which takes nothing, has no room: how many it has got. */
static unsigned
fill(struct scene *s, const char *to)
{
	unsigned n = 0;

	conn_mem_take(s->romeo.conn, 0);
	for (; !session_is_full(session_of(s, "romeo")); n++)
		flood(s, to, n, n + 1);
	return n;
}

/* Beyond the hard bound, and by the end of its connection: what was not handed
 * on is found. */
TEST(what_a_client_did_not_take_comes_back_in_order)
{
	static const unsigned sizes[] = { 0, 1, 2, 3, 50, 200, 1000 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct scene s;
		unsigned first, end;

		scene_init(&s, 2, SMALL);
		first = fill(&s, ROMEO);
		end = first + sizes[i];
		flood(&s, ROMEO, first, end);
		CHECK(s.romeo.closed == (sizes[i] > 300));
		break_off(&s.romeo);
		check_messages(&s.juliet, "type=\"error\"", first, end);
		scene_done(&s);
	}
}

TEST(another_session_gets_it_unless_it_has_it_already)
{
	struct scene s;
	struct peer other;
	unsigned first;

	scene_init(&s, 1, SMALL);
	first = fill(&s, "romeo@example.org");
	flood(&s, "romeo@example.org", first, 100);
	peer_open(&other, &s.w, 0, true);
	peer_login(&other, AUTH_ROMEO, BIND("b"));
	be_available(session_of(&s, "romeo")->next);
	rested(&s.w);
	other.got.n = 0;
	send_messages(&s.juliet, "romeo@example.org", 100, 110, 100);
	check_messages(&other, "<message ", 100, 110);
	/* it was not there yet */
	other.got.n = 0;
	break_off(&s.romeo);
	check_messages(&other, "<delay ", first, 100);
	check_messages(&other, "<message ", first, 100);
	CHECK(!peer_has(&s.juliet, "type=\"error\""));
	peer_done(&other);
	scene_done(&s);
}

TEST(the_last_of_several_slow_sessions_gives_it_back)
{
	struct scene s;
	struct peer other;
	unsigned first;

	scene_init(&s, 1, SMALL);
	peer_open(&other, &s.w, 0, true);
	peer_login(&other, AUTH_ROMEO, BIND("b"));
	be_available(session_of(&s, "romeo")->next);
	conn_mem_take(other.conn, 0);
	first = fill(&s, "romeo@example.org");
	flood(&s, "romeo@example.org", first, 100);
	break_off(&s.romeo);
	CHECK(!peer_has(&s.juliet, "type=\"error\""));
	break_off(&other);
	check_messages(&s.juliet, "type=\"error\"", first, 100);
	peer_done(&other);
	scene_done(&s);
}

TEST(requests_are_refused_and_all_else_is_dropped)
{
	struct scene s;
	struct session *romeo;
	struct jid juliet, self;
	static const enum stanza_type types[] = { PRESENCE_AVAILABLE,
		PRESENCE_ERROR, IQ_RESULT, IQ_ERROR, MESSAGE_ERROR,
		MESSAGE_HEADLINE, IQ_GET, IQ_SET, MESSAGE_GROUPCHAT };

	scene_init(&s, 1, SMALL);
	romeo = session_of(&s, "romeo");
	juliet = session_jid(session_of(&s, "juliet"));
	self = session_jid(romeo);
	(void)fill(&s, ROMEO);
	for (size_t i = 0; i < COUNT(types); i++) {
		char id[16];
		struct stanza *st;

		snprintf(id, sizeof(id), "t%zu", i);
		st = stanza_new(types[i], juliet, self, str_c(id));
		elem_add(st->arena, st->root, "urn:x", "x");
		session_write(romeo, st);
		stanza_free(st);
	}
	break_off(&s.romeo);
	CHECK_GOT(&s.juliet, "id=\"t6\"", "id=\"t7\"", "id=\"t8\"");
	for (int i = 0; i < 6; i++) {
		char id[16];

		snprintf(id, sizeof(id), "id=\"t%d\"", i);
		CHECK(!peer_has(&s.juliet, id));
	}
	scene_done(&s);
}

/* --- who is slowed ------------------------------------------------------------------------ */

/* Is there an answer after a while? */
static bool
is_read(struct peer *p, int64_t after_us)
{
	peer_say(p, "<iq type='get' id='p' to='example.org'>"
		"<x xmlns='urn:x'/></iq>");
	if (!peer_has(p, "id=\"p\""))
		world_advance(p->world, after_us);
	return peer_has(p, "id=\"p\"");
}

/* Little by little, and never longer than ten seconds. */
TEST(who_sends_to_a_slow_reader_is_slowed_and_nothing_is_lost)
{
	struct scene s;
	struct session *juliet;
	unsigned n = 0;

	scene_init(&s, 2, SMALL);
	juliet = session_of(&s, "juliet");
	for (int i = 0; i < 300; i++) {
		conn_mem_take(s.romeo.conn, 4000);
		/* as a connection does that is not read */
		if (juliet->rest == 0) {
			send_messages(&s.juliet, ROMEO, n, n + 1, 20000);
			n++;
		}
		world_advance(&s.w, 500 * US_PER_MS);
	}
	CHECK(n < 300 * 4000 / 20000 + 20);
	CHECK(!s.romeo.closed);
	CHECK(session_is_full(session_of(&s, "romeo")));
	CHECK(world_owner(&s.w, "romeo")->stats.session_bytes.highest <
		256 * 1024);
	conn_mem_take(s.romeo.conn, SIZE_MAX);
	world_advance(&s.w, 11 * US_PER_S);
	CHECK(is_read(&s.juliet, 0));
	check_messages(&s.romeo, "<message ", 0, n);
	scene_done(&s);
}

/* Whatever it is called: presence is sent unasked too, and what others say are
 * answers may be none.  The client that is flooded goes on. */
TEST(who_sends_is_slowed_whatever_he_calls_it)
{
	static const char *const heads[] = {
		"<message type='chat'",
		"<message type='error'",
		"<presence",
		"<iq type='result' id='1'",
	};
	char fill[2000];

	memset(fill, 'x', sizeof(fill));
	fill[sizeof(fill) - 1] = '\0';
	for (size_t i = 0; i < COUNT(heads); i++) {
		struct scene s;
		struct session *juliet;
		struct buf text = BUF_INIT;

		scene_init(&s, 2, SMALL);
		juliet = session_of(&s, "juliet");
		conn_mem_take(s.romeo.conn, 0);
		buf_printf(&text, "%s to='" ROMEO "'><x xmlns='urn:x' a='%s'/>"
			"</%.*s>", heads[i], fill,
			(int)strcspn(heads[i] + 1, " "), heads[i] + 1);
		for (int n = 0; n < 100 && juliet->rest == 0; n++)
			peer_say_n(&s.juliet, text.p, text.n);
		CHECK(juliet->rest & SESSION_REST_READER);
		CHECK(!s.romeo.closed);
		CHECK_INT(session_of(&s, "romeo")->rest, 0);
		buf_done(&text);
		scene_done(&s);
	}
}

/* While it rests because it does not read what it has asked for, too. */
TEST(who_sends_is_slowed_while_the_reader_rests_by_its_asking)
{
	struct scene s;
	struct session *romeo, *juliet;

	scene_init(&s, 2, SMALL);
	romeo = session_of(&s, "romeo");
	juliet = session_of(&s, "juliet");
	conn_mem_take(s.romeo.conn, 0);
	for (int i = 0; i < 1000; i++)
		peer_say(&s.romeo, "<message to='@'/>");
	CHECK(romeo->rest & SESSION_REST_READER);
	send_messages(&s.juliet, ROMEO, 0, 1, 20000);
	CHECK(juliet->rest & SESSION_REST_READER);
	scene_done(&s);
}

/* One who reads nothing does not hold up those who have a word for him. */
TEST(who_has_said_little_to_a_slow_reader_is_not_slowed)
{
	struct scene s;
	struct peer other;

	scene_init(&s, 2, SMALL);
	peer_open(&other, &s.w, 0, true);
	peer_login(&other, AUTH_ROMEO, BIND("b"));
	conn_mem_take(s.romeo.conn, 0);
	for (int i = 0; i < 5; i++)
		send_messages(&other, ROMEO, (unsigned)i, (unsigned)i + 1, 20000);
	CHECK(session_find(account_named(&s, "romeo"), STR("a"))->out != NULL);
	CHECK(session_find(account_named(&s, "romeo"), STR("b"))->rest != 0);
	send_messages(&s.juliet, ROMEO, 5, 8, 500);
	CHECK_INT(session_of(&s, "juliet")->rest, 0);
	CHECK(is_read(&s.juliet, 0));
	send_messages(&s.juliet, ROMEO, 8, 12, 2000);
	CHECK(session_of(&s, "juliet")->rest != 0);
	peer_done(&other);
	scene_done(&s);
}

TEST(nobody_rests_for_one_who_rests)
{
	struct scene s;
	struct session *romeo, *juliet;
	unsigned n = 0;

	scene_init(&s, 2, SMALL);
	romeo = session_of(&s, "romeo");
	juliet = session_of(&s, "juliet");
	conn_mem_take(s.romeo.conn, 0);
	conn_mem_take(s.juliet.conn, 0);
	/* both are full, and send on */
	for (int i = 0; i < 8; i++, n++) {
		send_messages(&s.juliet, ROMEO, n, n + 1, 20000);
		send_messages(&s.romeo, "juliet@example.org/j", n, n + 1, 20000);
		world_advance(&s.w, 100 * US_PER_MS);
		CHECK((romeo->rest & juliet->rest & SESSION_REST_READER) == 0);
	}
	CHECK(session_is_full(romeo) && session_is_full(juliet));
	CHECK(((romeo->rest | juliet->rest) & SESSION_REST_READER) != 0);
	/* each has said all that it had to, and reads now */
	world_advance(&s.w, 30 * US_PER_S);
	conn_mem_take(s.romeo.conn, SIZE_MAX);
	conn_mem_take(s.juliet.conn, SIZE_MAX);
	world_advance(&s.w, 11 * US_PER_S);
	check_messages(&s.romeo, "<message ", 0, n);
	check_messages(&s.juliet, "<message ", 0, n);
	CHECK(romeo->rest == 0 && juliet->rest == 0);
	CHECK(romeo->out == NULL && juliet->out == NULL);
	scene_done(&s);
}

TEST(who_does_not_read_the_answers_is_not_read)
{
	struct scene s;
	struct session *romeo;

	scene_init(&s, 1, SMALL);
	romeo = session_of(&s, "romeo");
	conn_mem_take(s.romeo.conn, 0);
	for (int i = 0; i < 1000; i++)
		peer_say(&s.romeo, "<message to='@'/>");
	CHECK(romeo->rest & SESSION_REST_READER);
	world_advance(&s.w, 5 * US_PER_S);
	conn_mem_take(s.romeo.conn, SIZE_MAX);
	CHECK(is_read(&s.romeo, 11 * US_PER_S));
	rested(&s.w);
	CHECK(romeo->out == NULL);
	scene_done(&s);
}

TEST_MAIN
