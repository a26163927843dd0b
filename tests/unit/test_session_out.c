/*
 * test_session_out.c - what a session writes is kept until it is acknowledged.
 */
#include "config.h"

#include "account/session_out.h"

#include "core/receipt.h"
#include "core/router.h"

#include "session_scene.h"

/* --- what is kept ----------------------------------------------------------------------- */

TEST(what_was_not_acknowledged_is_written_again)
{
	static const struct {
		unsigned said, h, asleep;
	} cases[] = { { 0, 0, 0 }, { 1, 0, 0 }, { 1, 1, 0 }, { 1, 1, 1 },
		{ 3, 2, 5 }, { 50, 0, 50 }, { 200, 150, 1 }, { 200, 200, 0 } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s;
		unsigned end = cases[i].said + cases[i].asleep;

		scene_init(&s);
		session_keep_output(s.s, true);
		say(&s, ROMEO "/a", 0, cases[i].said, 10);
		check_got(&s.one.got, 0, cases[i].said);
		CHECK_INT(session_unacked(s.s), cases[i].said);
		CHECK(!session_is_full(s.s));
		sleep_now(&s);
		say(&s, ROMEO "/a", cases[i].said, end, 10);
		CHECK(session_acked(s.s, cases[i].h));
		session_attach(s.s, &fake_ops, &s.two);
		check_got(&s.two.got, cases[i].h, end);
		CHECK_INT(session_unacked(s.s), end - cases[i].h);
		CHECK(session_acked(s.s, end));
		CHECK_INT(kept_bytes(s.s), 0);
		CHECK_INT(session_queued(s.s), 0);
		scene_done(&s);
	}
}

/* --- what is paced ---------------------------------------------------------------------- */

static struct stanza *
paced_new(struct receipt_line *line)
{
	struct stanza *st = stanza_new(MESSAGE_CHAT,
		jid_trusted(STR("juliet@example.org/j")),
		jid_trusted(STR(ROMEO "/a")), STR_NONE);

	elem_add_with_text(st->arena, st->root, NS_CLIENT, "body", STR("hey"));
	receipt_line_next(line);
	receipt_give(line, st);
	st->paced = true;
	return st;
}

static void
on_paced(struct turn_end *t)
{
	(void)t;
}

/* Who has sent it learns how much of it the client takes, be it written at once, kept
 * till it is acknowledged, in line for a client that is full or asleep, or dropped. */
TEST(what_is_paced_is_held_until_the_connection_takes_it)
{
	static const struct {
		int takes;          /* then it is full */
		unsigned handled;   /* of eight; */
		unsigned drained;   /* when it has taken all */
		bool keeps, sleeps, ends;
	} cases[] = {
		{ -1, 8, 8, false, false, false },
		{ -1, 8, 8, true, false, false },
		{ 3, 3, 8, false, false, false },
		{ 3, 3, 8, true, false, false },
		{ -1, 0, 8, true, true, false },
		{ 3, 3, 8, false, false, true },
		{ -1, 0, 8, true, true, true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct receipt_line line;
		struct scene s;
		struct shard *sh;

		scene_init(&s);
		sh = world_owner(&s.w, "romeo");
		receipt_line_begin(&line, sh, 0, on_paced);
		session_keep_output(s.s, cases[i].keeps);
		s.one.takes = cases[i].takes;
		if (cases[i].sleeps)
			sleep_now(&s);
		for (unsigned n = 0; n < 8; n++)
			router_send(sh, paced_new(&line));
		world_settle(&s.w);
		CHECK_INT(receipt_line_handled(&line), cases[i].handled);
		if (cases[i].ends) {
			session_close(s.s, STREAM_RESET, NULL);
		} else if (cases[i].sleeps) {
			session_attach(s.s, &fake_ops, &s.two);
		} else {
			s.one.takes = -1;
			session_drained(s.s);
		}
		world_settle(&s.w);
		CHECK_INT(receipt_line_handled(&line), cases[i].drained);
		receipt_line_end(&line);
		scene_done(&s);
	}
}

TEST(only_what_was_written_can_be_acknowledged)
{
	struct scene s;

	scene_init(&s);
	CHECK(!session_acked(s.s, 0)); /* nothing is kept */
	say(&s, ROMEO "/a", 0, 3, 10);
	session_keep_output(s.s, true);
	CHECK(session_acked(s.s, 0));
	CHECK(!session_acked(s.s, 1));
	s.one.takes = 2;
	say(&s, ROMEO "/a", 3, 8, 10);
	CHECK(!session_acked(s.s, 3));
	CHECK(session_acked(s.s, 1));
	CHECK(!session_acked(s.s, 0)); /* it went back */
	CHECK(!session_acked(s.s, 0x80000000u));
	CHECK(session_acked(s.s, 2));
	s.one.takes = -1;
	session_drained(s.s);
	CHECK(session_acked(s.s, 5));
	check_got(&s.one.got, 0, 8);
	CHECK(!session_is_full(s.s));
	scene_done(&s);
}

TEST(numbers_go_round)
{
	struct scene s;

	scene_init(&s);
	session_keep_output(s.s, true);
	s.s->out->acked = s.s->out->sent = UINT32_MAX - 5;
	say(&s, ROMEO "/a", 0, 20, 10);
	CHECK_INT(session_unacked(s.s), 20);
	CHECK(!session_acked(s.s, 15));
	CHECK(session_acked(s.s, UINT32_MAX - 2));
	CHECK_INT(session_unacked(s.s), 17);
	CHECK(session_acked(s.s, 4));
	sleep_now(&s);
	session_attach(s.s, &fake_ops, &s.two);
	check_got(&s.two.got, 10, 20);
	CHECK(session_acked(s.s, 14));
	CHECK_INT(kept_bytes(s.s), 0);
	scene_done(&s);
}

TEST(what_is_kept_no_longer_is_gone)
{
	struct scene s;

	scene_init(&s);
	session_keep_output(s.s, true);
	say(&s, ROMEO "/a", 0, 5, 10);
	session_keep_output(s.s, false);
	CHECK(s.s->out == NULL);
	CHECK_INT(world_owner(&s.w, "romeo")->stats.session_bytes.now, 0);
	say(&s, ROMEO "/a", 5, 9, 10);
	check_got(&s.one.got, 0, 9);
	scene_done(&s);
}

/* Of one that sleeps nobody knows what it has got. */
TEST(what_a_sleeper_kept_goes_elsewhere_when_it_is_kept_no_longer)
{
	struct scene s;

	scene_init(&s);
	session_keep_output(s.s, true);
	say(&s, ROMEO "/a", 0, 5, 10);
	CHECK(session_acked(s.s, 2));
	sleep_now(&s);
	say(&s, ROMEO "/a", 5, 7, 10);
	session_keep_output(s.s, false);
	s.juliet.got.n = 0;
	session_close(s.s, STREAM_RESET, NULL);
	world_settle(&s.w);
	check_got(&s.juliet.got, 2, 7);
	scene_done(&s);
}

/* In the share of the account, but in full below the bound of each. */
TEST(a_stanza_to_several_sessions_is_kept_once)
{
	struct scene s;
	struct session *b;
	int64_t before, with;

	scene_init(&s);
	b = bind(&s, "b", &s.two);
	be_available(b);
	session_keep_output(s.s, true);
	session_keep_output(b, true);
	before = share_of_romeo(&s);
	say(&s, ROMEO, 0, 10, 10000);
	with = share_of_romeo(&s) - before;
	CHECK(with > 10 * 10000 && with < 11 * 10000);
	CHECK(kept_bytes(s.s) > 10 * 10000 && kept_bytes(b) > 10 * 10000);
	check_got(&s.one.got, 0, 10);
	check_got(&s.two.got, 0, 10);
	CHECK(session_acked(s.s, 10));
	CHECK_INT(kept_bytes(s.s), 0);
	CHECK(share_of_romeo(&s) - before > 10 * 10000);
	CHECK(session_acked(b, 10));
	CHECK_INT(share_of_romeo(&s), before);
	scene_done(&s);
}

TEST(one_of_several_who_acknowledges_has_got_it)
{
	struct scene s;
	struct session *b;

	scene_init(&s);
	b = bind(&s, "b", &s.two);
	be_available(b);
	session_keep_output(s.s, true);
	session_keep_output(b, true);
	say(&s, ROMEO, 0, 10, 10);
	CHECK(session_acked(b, 4));
	s.juliet.got.n = 0;
	session_lost(s.s, true);
	world_settle(&s.w);
	check_got(&s.juliet.got, 0, 0); /* b has the rest */
	session_lost(b, true);
	world_settle(&s.w);
	check_got(&s.juliet.got, 4, 10);
	scene_done(&s);
}

/* As soon as there is more than the bound, until there is not. */
TEST(who_leaves_much_unacknowledged_is_full_until_he_does)
{
	struct scene s;
	unsigned n = 0;

	scene_init(&s);
	session_keep_output(s.s, true);
	for (; s.s->out->kept_bytes <= 64 * 1024; n++) {
		CHECK(!session_is_full(s.s));
		say(&s, ROMEO "/a", n, n + 1, 2000);
	}
	CHECK(n > 25 && n < 35);
	CHECK(session_is_full(s.s));
	CHECK(session_acked(s.s, 0));
	CHECK(session_is_full(s.s));
	/* what others say comes all the same */
	say(&s, ROMEO "/a", n, n + 2, 2000);
	check_got(&s.one.got, 0, n + 2);
	CHECK(session_acked(s.s, 2));
	CHECK(session_is_full(s.s));
	CHECK(session_acked(s.s, 3));
	CHECK(!session_is_full(s.s));
	/* from the beginning, for a stream that has got nothing yet */
	say(&s, ROMEO "/a", n + 2, n + 4, 2000);
	CHECK(session_is_full(s.s));
	sleep_now(&s);
	session_attach(s.s, &fake_ops, &s.two);
	CHECK(session_is_full(s.s));
	session_keep_output(s.s, false);
	CHECK(!session_is_full(s.s));
	world_settle(&s.w);
	CHECK(s.s->out == NULL);
	scene_done(&s);
}

/* The acknowledgement may stand behind what is not read. */
TEST(who_is_not_read_for_what_waits_for_him_is_not_full)
{
	static const struct {
		enum session_rest why;
		bool full;
	} cases[] = { { SESSION_REST_OWN, false }, { SESSION_REST_OTHERS, false },
		{ SESSION_REST_LINE, false }, { SESSION_REST_READER, true } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s;

		scene_init(&s);
		session_keep_output(s.s, true);
		say(&s, ROMEO "/a", 0, 5, 20000);
		CHECK(session_is_full(s.s));
		session_rest(s.s, cases[i].why);
		CHECK(session_is_full(s.s) == cases[i].full);
		session_go_on(s.s, cases[i].why);
		CHECK(session_is_full(s.s));
		world_settle(&s.w);
		scene_done(&s);
	}
}

TEST(who_never_acknowledges_is_cut_off)
{
	struct scene s;
	unsigned n = 0;

	scene_init(&s);
	session_keep_output(s.s, true);
	for (; s.one.closed == STREAM_COND_NONE && n < 40; n++)
		say(&s, ROMEO "/a", n, n + 1, 20000);
	CHECK(n > 12 && n < 17);
	CHECK(session_is_full(s.s)); /* until it does */
	/* what comes until the end of the turn is kept too; then it may sleep, and
	 * ends with the next one */
	sleep_now(&s);
	CHECK(session_acked(s.s, n - 2));
	say(&s, ROMEO "/a", n, n + 1, 20000);
	CHECK(is_there(&s, "a"));
	s.juliet.got.n = 0;
	for (unsigned i = n + 1; i < 40 && is_there(&s, "a"); i++)
		say(&s, ROMEO "/a", i, i + 1, 20000);
	CHECK(!is_there(&s, "a"));
	CHECK(peer_has(&s.juliet, "type=\"error\""));
	scene_done(&s);
}

/* The quiet one is asked, and has no time to answer: that is no goodbye. */
TEST(who_keeps_its_output_and_is_silent_is_cut_without_a_word)
{
	for (int keeps = 0; keeps < 2; keeps++) {
		struct scene s;

		scene_init(&s);
		session_keep_output(session_find(romeo_of(&s), STR("x")), keeps);
		s.romeo.got.n = 0;
		world_advance(&s.w, 400 * US_PER_S);
		CHECK(s.romeo.closed);
		CHECK(peer_has(&s.romeo, "</stream:stream>") == !keeps);
		scene_done(&s);
	}
}

TEST_MAIN
