/*
 * test_session_save.c - sessions that outlive the process.
 */
#include "config.h"

#include "account/session_save.h"

#include "net/conn.h"
#include "account/session_bulk.h"
#include "session_scene.h"

/* --- saved --------------------------------------------------------------------------------- */

static struct session *
read_saved(struct scene *s, struct str text)
{
	struct arena *a = arena_new();
	struct elem *e = stored_read(a, text);
	struct session *again = NULL;

	if (e != NULL)
		again = session_restore(romeo_of(s), e, STR_NONE);
	arena_free(a);
	return again;
}

/* As by a restart. */
static void
save_and_restore(struct scene *s)
{
	struct buf text = BUF_INIT, again = BUF_INIT;

	session_save(s->s, STR_NONE, &text);
	session_free(s->s);
	s->s = read_saved(s, buf_str(&text));
	CHECK(s->s != NULL);
	session_save(s->s, STR_NONE, &again);
	CHECK_STR(buf_str(&again), buf_c(&text));
	buf_done(&text);
	buf_done(&again);
}

TEST(who_is_invisible_is_so_after_a_restart)
{
	for (unsigned probes = 0; probes < 2; probes++) {
		struct scene s;

		scene_init(&s);
		session_set_invisible(s.s, probes);
		sleep_now(&s);
		save_and_restore(&s);
		CHECK(session_is_available(s.s));
		CHECK(!session_is_visible(s.s));
		CHECK_INT(s.s->probes, probes);
		scene_done(&s);
	}
}

TEST(a_session_is_the_same_after_a_restart)
{
	static const unsigned sizes[] = { 0, 1, 2, 3, 50, 200 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		unsigned kept = sizes[i] / 2, end = sizes[i];
		struct scene s;
		int64_t bound_us;
		uint32_t id;

		scene_init(&s);
		send_presence(s.s, "dnd", true);
		s.s->interested = s.s->copied = true;
		session_keep_output(s.s, true);
		s.s->out->acked = s.s->out->sent = UINT32_MAX - 1;
		say(&s, ROMEO "/a", 0, kept, 10);
		sleep_now(&s);
		say(&s, ROMEO, kept, end, 10);
		bound_us = s.s->bound_us;
		id = s.s->id;
		save_and_restore(&s);
		CHECK_INT(s.s->state, SESSION_ASLEEP);
		CHECK_STR(session_resource(s.s), "a");
		CHECK_STR(session_show(s.s), "dnd");
		CHECK_STR(session_caps(s.s).ver, "dmVy");
		CHECK(s.s->interested && s.s->copied);
		CHECK_INT(s.s->priority, 3);
		CHECK(s.s->bound_us == bound_us && s.s->id == id);
		CHECK_INT(session_unacked(s.s), kept);
		CHECK(session_acked(s.s, UINT32_MAX - 1 + kept / 2));
		session_attach(s.s, &fake_ops, &s.two);
		check_got(&s.two.got, kept / 2, end);
		CHECK(session_acked(s.s, UINT32_MAX - 1 + end));
		CHECK_INT(kept_bytes(s.s), 0);
		scene_done(&s);
	}
}

TEST(it_sleeps_its_full_time_and_gives_back_what_it_kept)
{
	struct scene s;

	scene_init(&s);
	session_keep_output(s.s, true);
	say(&s, ROMEO "/a", 0, 5, 10);
	sleep_now(&s);
	world_advance(&s.w, SLEEP_US - US_PER_S);
	save_and_restore(&s);
	world_advance(&s.w, SLEEP_US - US_PER_S);
	CHECK(is_there(&s, "a"));
	s.juliet.got.n = 0;
	world_advance(&s.w, 2 * US_PER_S);
	CHECK(!is_there(&s, "a"));
	check_got(&s.juliet.got, 0, 5);
	scene_done(&s);
}

/* As that of a machine: no two looks at it show the same. */
static int64_t
running_us(const struct clock *c)
{
	return ++((struct clock_manual *)(uintptr_t)c)->wall_us;
}

/* A message to both comes back once, from the last that gives it up. */
TEST(what_two_sessions_kept_together_they_keep_together)
{
	static const unsigned sizes[] = { 0, 1, 2, 9, 300 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		unsigned n = sizes[i];
		struct scene s;
		struct buf a = BUF_INIT, b = BUF_INIT;
		struct session *other;
		int64_t share;

		scene_init(&s);
		s.w.clock.clock.wall_us = running_us;
		other = bind(&s, "b", &s.two);
		be_available(other);
		session_detach(s.s, SLEEP_US);
		session_detach(other, SLEEP_US);
		say(&s, ROMEO, 0, n, 10);
		share = share_of_romeo(&s);
		session_save(s.s, STR_NONE, &a);
		session_save(other, STR_NONE, &b);
		session_free(s.s);
		session_free(other);
		s.s = read_saved(&s, buf_str(&a));
		other = read_saved(&s, buf_str(&b));
		CHECK(share_of_romeo(&s) == share);
		s.juliet.got.n = 0;
		session_close(s.s, STREAM_RESET, NULL);
		world_settle(&s.w);
		check_got(&s.juliet.got, 0, 0);
		session_close(other, STREAM_RESET, NULL);
		world_settle(&s.w);
		check_got(&s.juliet.got, 0, n);
		buf_done(&a);
		buf_done(&b);
		scene_done(&s);
	}
}

/* To one of them it stands behind a block of a bytestream, and later words before it
 * (session_bulk.h). */
TEST(what_two_sessions_kept_in_two_orders_they_keep_together)
{
	struct scene s;
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct session *other;
	struct peer third;

	scene_init(&s);
	s.w.clock.clock.wall_us = running_us;
	peer_open(&third, &s.w, 0, true);
	peer_login(&third, AUTH_JULIET, BIND("k"));
	other = bind(&s, "b", &s.two);
	be_available(other);
	session_detach(s.s, SLEEP_US);
	session_detach(other, SLEEP_US);
	peer_say(&s.juliet, "<iq type='set' id='i' to='" ROMEO "/a'>"
		"<data xmlns='" NS_IBB "'>AAAA</data></iq>");
	say(&s, ROMEO, 0, 20, 10);
	peer_say(&third, "<message to='" ROMEO "' type='chat'>"
		"<body>between</body></message>");
	session_save(s.s, STR_NONE, &a);
	session_save(other, STR_NONE, &b);
	CHECK(strstr(buf_c(&a), "between") < strstr(buf_c(&a), NS_IBB));
	session_free(s.s);
	session_free(other);
	s.s = read_saved(&s, buf_str(&a));
	other = read_saved(&s, buf_str(&b));
	s.juliet.got.n = third.got.n = 0;
	session_close(s.s, STREAM_RESET, NULL);
	session_close(other, STREAM_RESET, NULL);
	world_settle(&s.w);
	CHECK(peer_has(&s.juliet, "id=\"i\""));
	CHECK(peer_has(&third, "service-unavailable"));
	buf_consume(&s.juliet.got, (size_t)(strstr(buf_c(&s.juliet.got),
		"<message") - buf_c(&s.juliet.got)));
	check_got(&s.juliet.got, 0, 20);
	peer_done(&third);
	buf_done(&a);
	buf_done(&b);
	scene_done(&s);
}

/* Those that wait wait so that others pass them, after a restart as before. */
TEST(blocks_that_waited_wait_apart)
{
	struct buf text = BUF_INIT;
	struct scene s;
	uint32_t n;

	scene_init(&s);
	session_keep_output(s.s, true);
	peer_say(&s.juliet, "<message to='" ROMEO "/a'><data xmlns='" NS_IBB
		"' seq='0'/></message>");
	sleep_now(&s);
	for (unsigned i = 1; i < 6; i++) {
		char block[160];

		snprintf(block, sizeof(block), "<message to='" ROMEO
			"/a' id='m%04u'><data xmlns='" NS_IBB "'/></message>", i);
		peer_say(&s.juliet, block);
	}
	session_save(s.s, STR_NONE, &text);
	session_free(s.s);
	s.s = read_saved(&s, buf_str(&text));
	CHECK(s.s != NULL);
	(void)session_bulk_bytes(s.s, &n);
	CHECK_INT(n, 5);
	CHECK_INT(session_unacked(s.s), 1);
	session_attach(s.s, &fake_ops, &s.two);
	check_got(&s.two.got, 1, 6);
	buf_done(&text);
	scene_done(&s);
}

/* Answers with the same words to each are no message to both. */
TEST(what_each_got_alone_is_not_taken_for_what_both_got)
{
	struct scene s;
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct session *other;

	scene_init(&s);
	other = bind(&s, "b", &s.two);
	be_available(other);
	session_detach(s.s, SLEEP_US);
	session_detach(other, SLEEP_US);
	peer_say(&s.juliet, "<iq type='result' id='r' to='" ROMEO "/a'/>");
	say(&s, ROMEO, 0, 1, 10);
	peer_say(&s.juliet, "<iq type='result' id='r' to='" ROMEO "/b'/>");
	session_save(s.s, STR_NONE, &a);
	session_save(other, STR_NONE, &b);
	session_free(s.s);
	session_free(other);
	other = read_saved(&s, buf_str(&b));
	s.s = read_saved(&s, buf_str(&a));
	s.juliet.got.n = 0;
	session_close(s.s, STREAM_RESET, NULL);
	world_settle(&s.w);
	check_got(&s.juliet.got, 0, 0);
	session_close(other, STREAM_RESET, NULL);
	world_settle(&s.w);
	check_got(&s.juliet.got, 0, 1);
	buf_done(&a);
	buf_done(&b);
	scene_done(&s);
}

/* Who says the same twice in one turn has said it twice. */
TEST(what_was_said_twice_comes_back_twice)
{
	static const char twice[] = "<message to='" ROMEO "/a' type='chat'>"
		"<body>twice</body></message>";
	struct scene s;
	const char *at;
	unsigned n = 0;

	scene_init(&s);
	sleep_now(&s);
	peer_say(&s.juliet, twice);
	peer_say(&s.juliet, twice);
	save_and_restore(&s);
	s.juliet.got.n = 0;
	session_close(s.s, STREAM_RESET, NULL);
	world_settle(&s.w);
	at = buf_c(&s.juliet.got);
	for (; (at = strstr(at, "type=\"error\"")) != NULL; at++)
		n++;
	CHECK_INT(n, 2);
	scene_done(&s);
}

#define SAVED "<session xmlns='urn:antiphon:session' version='1' resource='q'"
#define ITEM(to) "<item xmlns='jabber:client' at='1' to='" to "'>"             \
	"<message type='chat'><body>x</body></message></item>"

#define COPY(what) "<item xmlns='jabber:client' at='1' copy='1' of='1'>"        \
	what "</item>"
#define FORWARDED(what) "<forwarded xmlns='urn:xmpp:forward:0'>" what          \
	"</forwarded>"
#define HEARD(from) "<message xmlns='jabber:client' from='" from "' to='" ROMEO \
	"/q' type='chat'><body>x</body></message>"

TEST(what_is_no_session_is_refused)
{
	static const char *const bad[] = {
		"<session xmlns='urn:other' version='1' resource='q'/>",
		"<sessions xmlns='urn:antiphon:session' version='1'/>",
		"<session xmlns='urn:antiphon:session' version='2' resource='q'/>",
		"<session xmlns='urn:antiphon:session' resource='q'/>",
		"<session xmlns='urn:antiphon:session' version='1'/>",
		"<session xmlns='urn:antiphon:session' version='1' resource=''/>",
		"<session xmlns='urn:antiphon:session' version='1' resource='x'/>",
		SAVED " id='x'/>",
		SAVED " id='4294967296'/>",
		SAVED " id='-1'/>",
		SAVED " bound='99999999999999999999'/>",
		SAVED " interested='2'/>",
		SAVED " priority='200'/>",
		SAVED " sent='1'/>",
		SAVED " keeps='1' sent='1'/>",
		SAVED " keeps='1' acked='2' sent='1'>" ITEM(ROMEO) "</session>",
		SAVED " sent='1'>" ITEM(ROMEO) "</session>",
		SAVED "><unknown/></session>",
		SAVED "><presence/></session>",
		SAVED "><presence xmlns='jabber:client' type='unavailable'/>"
		"</session>",
		SAVED "><presence xmlns='jabber:client'/>"
		"<presence xmlns='jabber:client'/></session>",
		SAVED ">" ITEM("juliet@example.org") "</session>",
		SAVED ">" ITEM("@") "</session>",
		SAVED "><item xmlns='jabber:client'/></session>",
		SAVED "><item xmlns='jabber:client'><iq type='get'/></item>"
		"</session>",
		SAVED "><item xmlns='jabber:client' at='never'><message/></item>"
		"</session>",
		SAVED " copies='x'/>",
		SAVED "><item xmlns='jabber:client' copy='2'><message/></item>"
		"</session>",
		SAVED "><item xmlns='jabber:client' of='1'><message/></item>"
		"</session>",
		SAVED ">" COPY("<message/>") "</session>",
		SAVED ">" COPY("<presence/>") "</session>",
		SAVED ">" COPY("<message>x</message>") "</session>",
		SAVED ">" COPY("<message><x/></message>") "</session>",
		SAVED ">" COPY("<message><x><y/></x></message>") "</session>",
		SAVED ">" COPY("<message><x>" FORWARDED("") "</x></message>")
		"</session>",
		SAVED ">" COPY("<message><x>" FORWARDED("x") "</x></message>")
		"</session>",
		SAVED ">" COPY("<message><x>" FORWARDED("<message from='a@b'/>")
		"</x></message>") "</session>",
		SAVED ">" COPY("<message><x>" FORWARDED("<message to='a@b'/>")
		"</x></message>") "</session>",
		SAVED ">" COPY("<message><x>" FORWARDED("<message from='a@b' "
		"to='@'/>") "</x></message>") "</session>",
		SAVED ">" COPY("<message><x>" FORWARDED("<iq from='a@b' to='c@d'"
		" type='result' id='1'/>") "</x></message>") "</session>",
	};
	struct scene s;
	struct account *acc;

	scene_init(&s);
	acc = romeo_of(&s);
	for (size_t i = 0; i < COUNT(bad); i++) {
		unsigned n = acc->n_sessions;

		TEST_CASE(bad[i]);
		CHECK(read_saved(&s, str_c(bad[i])) == NULL);
		CHECK_INT(acc->n_sessions, n);
		CHECK_INT(acc->e.shard->stats.session_bytes.now, 0);
	}
	scene_done(&s);
}

/* And of what was cut off, nothing is taken. */
TEST(what_is_whole_is_taken_and_what_is_cut_off_is_not)
{
	static const char good[] = SAVED " sleep='1000000' keeps='1' acked='7' "
		"sent='8'><presence xmlns='jabber:client'><show>xa</show>"
		"</presence><state of='nobody'><x/></state>" ITEM(ROMEO)
		ITEM(ROMEO "/q") "</session>";
	struct scene s;
	struct session *q;

	scene_init(&s);
	for (size_t n = 0; n < sizeof(good) - 1; n++)
		CHECK(read_saved(&s, (struct str){ good, n }) == NULL);
	q = read_saved(&s, str_c(good));
	CHECK(q != NULL);
	CHECK_STR(session_show(q), "xa");
	CHECK_INT(session_unacked(q), 1);
	/* there is one now */
	CHECK(read_saved(&s, str_c(good)) == NULL);
	CHECK(session_acked(q, 8));
	CHECK(!session_acked(q, 9));
	scene_done(&s);
}

/* Of those in whose sessions it was, one has to take it, or it finds another place:
 * once, whoever was restored first. */
TEST(a_copy_and_what_it_is_of_find_each_other)
{
	static const char direct[] = "<session xmlns='urn:antiphon:session' "
		"version='1' resource='q' sleep='1000000'><item "
		"xmlns='jabber:client' at='1' shared='1' to='" ROMEO "/q'>"
		"<message from='juliet@example.org/j' type='chat'><body>x</body>"
		"</message></item></session>";
	static const char copy[] = "<session xmlns='urn:antiphon:session' "
		"version='1' resource='%u' sleep='1000000'>"
		"<item xmlns='jabber:client' at='1' copy='1' of='1'>"
		"<message type='chat' from='" ROMEO "'><x>"
		FORWARDED(HEARD("juliet@example.org/j"))
		"</x></message></item></session>";

	for (unsigned i = 0; i < 3 * 2; i++) {
		struct session *of[2];
		struct scene s;

		scene_init(&s);
		session_close(s.s, STREAM_RESET, NULL);
		be_available(session_find(romeo_of(&s), STR("x")));
		for (unsigned n = 0; n < 2; n++) {
			char text[600];

			snprintf(text, sizeof(text), n == i % 3 ? direct : copy,
				n);
			of[n] = read_saved(&s, str_c(text));
			CHECK(of[n] != NULL);
		}
		/* each ends in its turn */
		for (unsigned n = 0; n < 2; n++) {
			world_settle(&s.w);
			CHECK(memmem(s.romeo.got.p, s.romeo.got.n, "<body>",
				      6) == NULL);
			session_close(of[(i / 3 + n) % 2], STREAM_RESET, NULL);
		}
		world_settle(&s.w);
		CHECK(memmem(s.romeo.got.p, s.romeo.got.n,
			      "from=\"juliet@example.org/j\"", 27) != NULL);
		CHECK(memmem(s.romeo.got.p, s.romeo.got.n, "forwarded", 9) ==
			NULL);
		scene_done(&s);
	}
}

/* --- what does not fit --------------------------------------------------------------------- */

#define FROM_JULIET                                                            \
	"<item xmlns='jabber:client' at='1' to='" ROMEO "/q'>"                 \
	"<message from='juliet@example.org/j' id='x%u' type='chat'>"           \
	"<body>x</body></message></item>"

/* A session of the resource q, with so many messages. */
static void
saved_with(struct buf *out, const char *attributes, unsigned n)
{
	buf_printf(out, "<session xmlns='urn:antiphon:session' resource='q' %s>"
		"<presence xmlns='jabber:client'/>", attributes);
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, FROM_JULIET, i);
	buf_add_c(out, "</session>");
}

static unsigned
count_messages(const struct buf *got)
{
	const char *at = buf_c((struct buf *)(uintptr_t)got);
	unsigned n = 0;

	for (; (at = strstr(at, "<body>x</body>")) != NULL; at++)
		n++;
	return n;
}

/* Also when it is saved again, since nobody has come back meanwhile. */
TEST(which_module_had_it_sleep_is_known_after_each_restart)
{
	struct buf text = BUF_INIT, again = BUF_INIT;
	struct scene s;

	scene_init(&s);
	saved_with(&text, "version='1' sleep='9000000000' keeper='nobody'", 0);
	s.s = read_saved(&s, buf_str(&text));
	CHECK(s.s != NULL);
	session_save(s.s, STR_NONE, &again);
	CHECK(strstr(buf_c(&again), " keeper='nobody'") != NULL);
	buf_done(&text);
	buf_done(&again);
	scene_done(&s);
}

/* It ends as if its time were over: what it has finds another place, at the other
 * one that is there. */
TEST(a_session_whose_module_is_gone_ends_by_the_table)
{
	static const unsigned sizes[] = { 0, 1, 2, 300 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct buf text = BUF_INIT;
		struct scene s;

		scene_init(&s);
		saved_with(&text, "version='1' sleep='9000000000' "
			"keeper='nobody'", sizes[i]);
		CHECK(read_saved(&s, buf_str(&text)) != NULL);
		s.one.got.n = 0;
		world_settle(&s.w);
		CHECK(!is_there(&s, "q"));
		CHECK_INT(count_messages(&s.one.got), sizes[i]);
		buf_done(&text);
		scene_done(&s);
	}
}

TEST(more_sessions_than_an_account_may_have_end_by_the_table)
{
	struct buf text = BUF_INIT;
	struct scene s;

	scene_init(&s);
	bind(&s, "b", &s.two);
	saved_with(&text, "version='1' sleep='9000000000'", 2);
	CHECK(read_saved(&s, buf_str(&text)) != NULL);
	s.one.got.n = 0;
	world_settle(&s.w);
	CHECK(!is_there(&s, "q") && is_there(&s, "a") && is_there(&s, "b"));
	CHECK_INT(count_messages(&s.one.got), 2);
	buf_done(&text);
	scene_done(&s);
}

/* Of one that cannot be restored, what can be found out of it. */
TEST(the_rest_of_a_session_that_is_none_finds_another_place)
{
	static const struct {
		const char *attributes;
		unsigned n, comes_back;
	} cases[] = {
		{ "version='2'", 0, 0 },
		{ "version='2'", 3, 3 },
		{ "version='1' stop='another'", 200, 200 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf text = BUF_INIT;
		struct arena *a = arena_new();
		struct scene s;
		struct elem *e;

		TEST_CASE(cases[i].attributes);
		scene_init(&s);
		saved_with(&text, cases[i].attributes, cases[i].n);
		e = stored_read(a, buf_str(&text));
		CHECK(session_restore(romeo_of(&s), e, STR_NONE) == NULL);
		s.one.got.n = 0;
		session_restore_rest(romeo_of(&s), STR("q"), e);
		world_settle(&s.w);
		CHECK(!is_there(&s, "q"));
		CHECK_INT(count_messages(&s.one.got), cases[i].comes_back);
		arena_free(a);
		buf_done(&text);
		scene_done(&s);
	}
}

TEST(of_what_cannot_be_read_nothing_is_left)
{
	struct scene s;

	scene_init(&s);
	CHECK(session_restore(romeo_of(&s), NULL, STR_NONE) == NULL);
	session_restore_rest(romeo_of(&s), STR("q"), NULL);
	session_restore_rest(romeo_of(&s), STR("a"), NULL); /* it is bound */
	session_restore_rest(romeo_of(&s), STR(""), NULL);
	world_settle(&s.w);
	CHECK(!is_there(&s, "q") && is_there(&s, "a"));
	scene_done(&s);
}

/* Nor does it keep its account in memory. */
TEST(an_account_leaves_after_a_session_that_is_none)
{
	struct scene s;

	scene_init(&s);
	session_close(s.s, STREAM_RESET, NULL);
	conn_mem_hangup(s.romeo.conn);
	s.romeo.conn = NULL;
	world_settle(&s.w);
	CHECK(read_saved(&s, STR(SAVED " sent='1'/>")) == NULL);
	world_advance(&s.w, 3600 * US_PER_S);
	CHECK(entity_find(world_owner(&s.w, "romeo"), STR(ROMEO)) == NULL);
	scene_done(&s);
}

TEST_MAIN
