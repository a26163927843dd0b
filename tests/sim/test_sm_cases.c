/*
 * test_sm_cases.c - stream management (XEP-0198): resumptions that have to wait,
 * counts that do not fit, who does not acknowledge, and who comes back all day.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/session.h"
#include "account/session_save.h"
#include "unit/test.h"
#include "../peek.h"
#include "device.h"
#include "witness.h"
#include "world.h"

/* --- one device, and juliet ------------------------------------------------------- */

/* Of romeo, whose sessions these are. */
struct pair {
	struct world *w;
	struct device d;
	struct witness juliet;
	struct buf got; /* ids of messages, "1 2+ ": + is delayed */
};

static void
on_pair_stanza(struct device *d, struct elem *e)
{
	struct pair *p = d->user;

	if (str_is(e->name, "message"))
		buf_printf(&p->got, "%.*s%s ", STR_ARG(elem_attr(e, "id")),
			elem_child(e, NS_DELAY, "delay") != NULL ? "+" : "");
}

static void
pair_open(struct pair *p, const char *sm)
{
	struct buf conf = BUF_INIT;

	memset(p, 0, sizeof(*p));
	buf_printf(&conf, "modules: { sm: { %s }, testarchive: {}, "
		"offline: { stranger_share: 100, sender_share: 100 } }\n", sm);
	p->w = world_of_two(1, TEST_MODULE_DIR, buf_c(&conf));
	buf_done(&conf);
	for (int i = 0; i < LOG_AREAS; i++)
		log_set_level((enum log_area)i, (enum log_level)-1);
	witness_start(&p->juliet, p->w, "juliet");
	device_init(&p->d, p->w, "romeo", "r");
	p->d.on_stanza = on_pair_stanza;
	p->d.user = p;
	device_come(&p->d);
	device_settle(&p->d);
	CHECK(device_is_on(&p->d));
}

static void
pair_close(struct pair *p)
{
	device_done(&p->d);
	witness_done(&p->juliet);
	buf_done(&p->got);
	world_free(p->w);
}

static void
juliet_says(struct pair *p, unsigned from, unsigned until)
{
	for (unsigned i = from; i < until; i++)
		client_send(&p->juliet.c, "<message type='chat' id='%u' to='romeo@"
			WORLD_HOST "'><body>x</body></message>", i);
	device_settle(&p->d);
	witness_turn(&p->juliet);
}

static void
sleep_for(struct pair *p, int64_t us)
{
	for (; us > 0; us -= US_PER_S) {
		world_sleep(p->w, US_PER_S);
		client_read(&p->d.c);
	}
	device_settle(&p->d);
}

static uint64_t
stat_of(const struct pair *p, size_t off)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < p->w->n_shards; i++) {
		const char *stats =
			(const char *)&p->w->server->shards[i]->stats;
		uint64_t one;

		memcpy(&one, stats + off, sizeof(one));
		sum += one;
	}
	return sum;
}

#define STAT(p, field) stat_of(p, offsetof(struct shard_stats, field))

/* --- another stream, by hand --------------------------------------------------------- */

/* Only logs in, and writes down what comes: "resumed:3 ". */
struct hand {
	struct client c;
	struct buf got;
	bool in;
};

static void
on_hand_in(struct client *c)
{
	CONTAINER_OF(c, struct hand, c)->in = true;
}

static void
on_hand(struct client *c, struct arena *a, struct elem *e)
{
	struct hand *h = CONTAINER_OF(c, struct hand, c);

	buf_printf(&h->got, "%.*s:%.*s ", STR_ARG(e->name),
		STR_ARG(elem_attr(e, "h")));
	arena_free(a);
}

static void
hand_settle(struct hand *h)
{
	for (int i = 0; i < 12; i++) {
		world_settle(h->c.world);
		client_read(&h->c);
	}
}

static void
hand_open(struct hand *h, struct pair *p, const char *local)
{
	memset(h, 0, sizeof(*h));
	client_init(&h->c, p->w, local, "x");
	h->c.on_login = on_hand_in;
	h->c.on_stanza = on_hand;
	client_connect(&h->c);
	hand_settle(h);
	CHECK(h->in);
}

static void
hand_resume(struct hand *h, const char *id, unsigned n)
{
	client_send(&h->c, "<resume xmlns='" NS_SM "' previd='%s' h='%u'/>", id,
		n);
}

static void
hand_done(struct hand *h)
{
	client_done(&h->c);
	buf_done(&h->got);
}

static void
turn_both(struct pair *p, struct hand *h)
{
	turn_shards(p->w);
	client_read(&p->d.c);
	client_read(&h->c);
}

/* The store does nothing while the client comes back: it is told what of it is
 * durable when it is. */
TEST(a_resumption_waits_for_the_disk)
{
	struct pair p;
	struct hand h;

	pair_open(&p, "");
	hand_open(&h, &p, "romeo");
	device_say(&p.d, NO_TAG, "<message type='chat' id='m' to='juliet@"
		WORLD_HOST "'><body>x</body></message>");
	turn_both(&p, &h);
	hand_resume(&h, p.d.id, p.d.h);
	client_send(&h.c, "<r xmlns='" NS_SM "'/>");
	for (int i = 0; i < 10; i++)
		turn_both(&p, &h);
	CHECK(p.d.c.state == CLIENT_FAILED); /* it had a conflict */
	CHECK_CSTR(buf_c(&h.got), "");
	CHECK_CSTR(seen(&p.juliet), "");
	hand_settle(&h);
	CHECK_CSTR(buf_c(&h.got), "resumed:3 a:3 ");
	witness_turn(&p.juliet);
	CHECK_CSTR(seen(&p.juliet), "message:m ");
	CHECK_INT(STAT(&p, resumed), 1);
	hand_done(&h);
	pair_close(&p);
}

/* Who leaves hears that all is dealt with, if that is so in time; and whatever becomes
 * of his connection meanwhile, he is gone. */
TEST(a_goodbye_waits_for_the_disk)
{
	enum { DURABLE, LATE, BROKEN, HOWS };
	static const unsigned left[] = { 0, 1, 3 }; /* unacknowledged */

	for (int how = 0; how < HOWS; how++) {
		struct pair p;

		pair_open(&p, "");
		p.d.acks = 0;
		device_say(&p.d, NO_TAG, "<message type='chat' id='m' to='juliet@"
			WORLD_HOST "'><body>x</body></message>");
		client_leave(&p.d.c);
		for (int i = 0; i < 10; i++)
			turn_shards(p.w);
		client_read(&p.d.c);
		CHECK_INT(p.d.acks, 0);
		CHECK_INT(STAT(&p, sessions), 2);
		if (how == LATE)
			clock_manual_advance(&p.w->clock, 6 * US_PER_S);
		if (how == BROKEN)
			client_break(&p.d.c);
		for (int i = 0; i < 10; i++)
			turn_shards(p.w);
		CHECK_INT(STAT(&p, sessions), how == LATE ? 1 : 2);
		device_settle(&p.d);
		CHECK_INT(STAT(&p, sessions), 1);
		CHECK_INT(STAT(&p, slept_out), 0);
		CHECK_INT(p.d.acks, how != BROKEN);
		CHECK_INT(p.d.out.n, left[how]);
		witness_turn(&p.juliet);
		CHECK_CSTR(seen(&p.juliet), "message:m ");
		pair_close(&p);
	}
}

/* If the server stops just then, and is started without the module, nobody could
 * ever resume it. */
TEST(what_a_resumption_puts_to_sleep_is_that_of_the_module)
{
	struct buf text = BUF_INIT;
	struct session *s;
	struct pair p;
	struct hand h;

	pair_open(&p, "");
	hand_open(&h, &p, "romeo");
	device_say(&p.d, NO_TAG, "<message type='chat' id='m' to='juliet@"
		WORLD_HOST "'><body>x</body></message>");
	turn_both(&p, &h);
	hand_resume(&h, p.d.id, p.d.h);
	turn_both(&p, &h);
	s = account_find(peek_owner(p.w->server, STR("romeo@" WORLD_HOST)),
		STR("romeo@" WORLD_HOST))->sessions;
	CHECK_INT(s->state, SESSION_ASLEEP);
	session_save(s, STR_NONE, &text);
	CHECK(strstr(buf_c(&text), " keeper='sm'") != NULL);
	buf_done(&text);
	hand_settle(&h);
	CHECK_CSTR(buf_c(&h.got), "resumed:3 ");
	hand_done(&h);
	pair_close(&p);
}

/* Of two that come back meanwhile the later one counts; and if it breaks off, too,
 * nothing of it is left. */
TEST(the_last_that_resumes_gets_the_session)
{
	struct pair p;
	struct hand a, b;

	for (int breaks = 0; breaks < 2; breaks++) {
		pair_open(&p, "");
		hand_open(&a, &p, "romeo");
		hand_open(&b, &p, "romeo");
		device_say(&p.d, NO_TAG, "<message type='chat' id='m' to='juliet@"
			WORLD_HOST "'><body>x</body></message>");
		turn_both(&p, &a);
		hand_resume(&a, p.d.id, p.d.h);
		turn_both(&p, &a);
		hand_resume(&b, p.d.id, p.d.h);
		turn_both(&p, &b);
		if (breaks)
			client_break(&b.c);
		hand_settle(&a);
		hand_settle(&b);
		CHECK_CSTR(buf_c(&a.got), "");
		CHECK(a.c.state == CLIENT_FAILED);
		CHECK_CSTR(buf_c(&b.got), breaks ? "" : "resumed:3 ");
		hand_done(&a);
		hand_done(&b);
		client_break(&p.d.c);
		device_come(&p.d);
		device_settle(&p.d);
		CHECK_INT(p.d.resumed, 1);
		pair_close(&p);
	}
}

/* --- counts that do not fit ----------------------------------------------------------- */

TEST(who_has_lost_count_begins_anew)
{
	static const struct {
		unsigned h;
		const char *got;
	} cases[] = { { 1, "failed:2 " }, { 9, "error: " },
		{ UINT32_MAX, "failed:2 " }, { 0x80000006u, "failed:2 " },
		{ 0x7fffffffu, "error: " } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pair p;
		struct hand h;

		test_case_number("h", cases[i].h);
		pair_open(&p, "ask_after_stanzas: 1");
		juliet_says(&p, 0, 4);
		CHECK_INT(p.d.h, 6);
		client_break(&p.d.c);
		hand_open(&h, &p, "romeo");
		hand_resume(&h, p.d.id, cases[i].h);
		hand_settle(&h);
		if (cases[i].got[0] == 'f')
			CHECK_CSTR(buf_c(&h.got), cases[i].got);
		else
			CHECK(h.c.state == CLIENT_FAILED);
		hand_done(&h);
		pair_close(&p);
	}
}

TEST(nobody_guesses_an_id)
{
	struct pair p;
	struct hand h, stranger;

	pair_open(&p, "");
	client_break(&p.d.c);
	hand_open(&h, &p, "romeo");
	hand_open(&stranger, &p, "juliet");
	for (unsigned i = 0; i < 300; i++) {
		char id[RAND_ID_SIZE];

		rand_id(&p.w->turns.source, id);
		hand_resume(&h, id, 0);
		hand_settle(&h);
		CHECK_CSTR(buf_c(&h.got), "failed: ");
		buf_consume(&h.got, h.got.n);
	}
	hand_resume(&h, "", 0);
	hand_settle(&h);
	hand_resume(&stranger, p.d.id, p.d.h);
	hand_settle(&stranger);
	CHECK_CSTR(buf_c(&stranger.got), "failed: ");
	CHECK_INT(STAT(&p, resume_refused), 302);
	device_come(&p.d);
	device_settle(&p.d);
	CHECK_INT(p.d.resumed, 1);
	hand_done(&h);
	hand_done(&stranger);
	pair_close(&p);
}

/* --- who does not acknowledge ----------------------------------------------------------- */

#define STRICT "unacked_stanzas: 20, ask_after_stanzas: 5, answer_within: 60s"

TEST(who_never_acknowledges_loses_the_session_and_nothing_else)
{
	struct pair p;

	pair_open(&p, STRICT);
	p.d.mute = true;
	juliet_says(&p, 0, 15);
	for (int i = 0; i < 10; i++) { /* it is there, and below the bound */
		sleep_for(&p, 20 * US_PER_S);
		device_say(&p.d, NO_TAG, "<message type='chat' to='juliet@"
			WORLD_HOST "'><body>x</body></message>");
	}
	CHECK(p.d.c.conn != NULL);
	CHECK_INT(p.d.asked, 1);
	juliet_says(&p, 15, 30);
	sleep_for(&p, 70 * US_PER_S);
	CHECK(p.d.c.conn == NULL || p.d.c.state == CLIENT_FAILED);
	buf_consume(&p.got, p.got.n);
	client_break(&p.d.c);
	p.d.mute = false;
	device_come(&p.d);
	device_settle(&p.d);
	device_settle(&p.d);
	CHECK_INT(p.d.failed, 1);
	CHECK_CSTR(buf_c(&p.got), "0+ 1+ 2+ 3+ 4+ 5+ 6+ 7+ 8+ 9+ 10+ 11+ 12+ "
		"13+ 14+ 15+ 16+ 17+ 18+ 19+ 20+ 21+ 22+ 23+ 24+ 25+ 26+ 27+ "
		"28+ 29+ ");
	pair_close(&p);
}

TEST(one_who_sleeps_ends_when_too_much_waits)
{
	struct pair p;

	pair_open(&p, STRICT);
	sleep_for(&p, 10 * US_PER_S);
	client_break(&p.d.c);
	juliet_says(&p, 0, 19);
	CHECK_INT(STAT(&p, sessions), 2);
	juliet_says(&p, 19, 22);
	sleep_for(&p, US_PER_S);
	CHECK_INT(STAT(&p, sessions), 1);
	CHECK_INT(STAT(&p, slept_out), 1);
	device_come(&p.d);
	device_settle(&p.d);
	device_settle(&p.d);
	CHECK_CSTR(buf_c(&p.got), "0+ 1+ 2+ 3+ 4+ 5+ 6+ 7+ 8+ 9+ 10+ 11+ 12+ "
		"13+ 14+ 15+ 16+ 17+ 18+ 19+ 20+ 21+ ");
	pair_close(&p);
}

/* Found out by a message, not after minutes. */
TEST(a_dead_connection_is_noticed_and_the_session_sleeps)
{
	struct pair p;

	pair_open(&p, "");
	sleep_for(&p, 10 * US_PER_S);
	p.d.mute = true; /* nothing comes back */
	sleep_for(&p, 90 * US_PER_S);
	CHECK(p.d.c.conn != NULL); /* it has acknowledged all: who knows */
	juliet_says(&p, 1, 2);
	sleep_for(&p, 70 * US_PER_S);
	CHECK(p.d.c.conn == NULL);
	CHECK_INT(STAT(&p, sessions), 2);
	juliet_says(&p, 2, 3);
	p.d.mute = false;
	device_come(&p.d);
	device_settle(&p.d);
	CHECK_INT(p.d.resumed, 1);
	CHECK_CSTR(buf_c(&p.got), "1 2 ");
	pair_close(&p);
}

/* More than a client need not have acknowledged before it is given more; as fast as
 * she may. */
static void
juliet_says_much(struct pair *p)
{
	for (unsigned i = 3; i < 17; i++) {
		client_send(&p->juliet.c, "<message type='chat' id='%u' to='romeo@"
			WORLD_HOST "'><body>%0100000u</body></message>", i, 7u);
		sleep_for(p, 2 * US_PER_S);
		witness_turn(&p->juliet);
	}
	device_settle(&p->d);
}

/* No more is written before it has acknowledged some: nobody waits for a timer. */
TEST(who_has_much_to_acknowledge_is_asked_at_once)
{
	struct pair p;
	unsigned asked;

	pair_open(&p, "ask_after: 10m, ask_after_stanzas: 1000, "
		"unacked_bytes: 1GiB");
	sleep_for(&p, 2 * US_PER_S);
	asked = p.d.asked;
	juliet_says(&p, 1, 3);
	CHECK_INT(p.d.asked, asked);
	juliet_says_much(&p);
	CHECK_CSTR(buf_c(&p.got), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 ");
	CHECK_INT(p.d.asked, asked + 1);
	pair_close(&p);
}

/* Its own requests wait for that as well, and would for ever: it is there, and below
 * what ends its session. */
TEST(who_speaks_and_has_not_answered_is_asked_again_where_it_is_given_no_more)
{
	struct pair p;

	pair_open(&p, "answer_within: 60s, unacked_bytes: 1GiB");
	p.d.mute = true;
	juliet_says_much(&p);
	CHECK_INT(p.d.asked, 1);
	p.d.mute = false;
	for (int i = 0; i < 8; i++) {
		device_say(&p.d, NO_TAG, "<iq type='get' id='ping'>"
			"<ping xmlns='urn:xmpp:ping'/></iq>");
		sleep_for(&p, 20 * US_PER_S);
		device_settle(&p.d);
	}
	CHECK(p.d.c.conn != NULL);
	client_send(&p.d.c, "<r xmlns='" NS_SM "'/>");
	device_settle(&p.d);
	CHECK_INT(p.d.out.n, 0);
	pair_close(&p);
}

/* He cannot answer what he has yet to read. */
TEST(who_reads_slowly_is_waited_for)
{
	struct pair p;

	pair_open(&p, "unacked_bytes: 64KiB, ask_after_stanzas: 1");
	sleep_for(&p, 10 * US_PER_S);
	conn_mem_take(p.d.c.conn, 0);
	client_send(&p.juliet.c, "<message type='chat' id='1' to='romeo@"
		WORLD_HOST "'><body>%0200000u</body></message>", 7u);
	device_settle(&p.d);
	witness_turn(&p.juliet);
	for (int i = 0; i < 10; i++) {
		sleep_for(&p, 50 * US_PER_S);
		CHECK(p.d.c.conn != NULL);
		conn_mem_take(p.d.c.conn, 15000);
	}
	CHECK_CSTR(buf_c(&p.got), "");
	conn_mem_take(p.d.c.conn, SIZE_MAX);
	sleep_for(&p, 10 * US_PER_S);
	CHECK_CSTR(buf_c(&p.got), "1 ");
	CHECK(device_is_on(&p.d));
	pair_close(&p);
}

TEST(the_oldest_of_too_many_sleepers_ends)
{
	struct pair p;
	struct device more[5];

	pair_open(&p, "sleepers: 3");
	for (unsigned i = 0; i < COUNT(more); i++) {
		char resource[8];

		snprintf(resource, sizeof(resource), "r%u", i);
		device_init(&more[i], p.w, "romeo", resource);
		device_come(&more[i]);
		device_settle(&more[i]);
	}
	for (unsigned i = 0; i < COUNT(more); i++) {
		client_break(&more[i].c);
		sleep_for(&p, US_PER_S);
	}
	CHECK_INT(STAT(&p, sessions), 2 + 3);
	for (unsigned i = 0; i < COUNT(more); i++) {
		device_come(&more[i]);
		device_settle(&more[i]);
		test_case_number("device", i);
		CHECK_INT(more[i].resumed, i >= 2);
	}
	for (unsigned i = 0; i < COUNT(more); i++)
		device_done(&more[i]);
	pair_close(&p);
}

/* --- a phone -------------------------------------------------------------------------- */

/* But for parsers, of which pools keep some. */
static int64_t
all_bytes(void)
{
	int64_t sum = 0;

	for (int i = 0; i < MEMUSE_KINDS; i++)
		if (i != MEMUSE_PARSER)
			sum += memuse_sum((enum memuse)i).bytes;
	return sum;
}

/* Its address changes every few minutes, and sometimes something comes meanwhile. */
TEST(a_day_of_resumptions_leaves_nothing_behind)
{
	struct pair p;
	int64_t before = 0;

	pair_open(&p, "");
	for (unsigned i = 0; i < 288; i++) {
		if (i == 3)
			before = all_bytes();
		sleep_for(&p, 270 * US_PER_S);
		client_break(&p.d.c);
		juliet_says(&p, i, i + i % 3);
		sleep_for(&p, 30 * US_PER_S);
		device_come(&p.d);
		device_settle(&p.d);
		CHECK(device_is_on(&p.d));
		device_say(&p.d, NO_TAG, "<message type='chat' id='m%u' to='juliet@"
			WORLD_HOST "'><body>x</body></message>"
			"<r xmlns='" NS_SM "'/>", i);
		sleep_for(&p, 10 * US_PER_S);
		CHECK_INT(p.d.out.n, 0);
		buf_consume(&p.got, p.got.n);
		seen_anew(&p.juliet);
	}
	CHECK_INT(p.d.resumed, 288);
	CHECK_INT(p.d.lives, 1);
	CHECK(all_bytes() - before < 64);
	pair_close(&p);
}

TEST_MAIN
