/*
 * test_session_quiet.c - a session to which nobody looks: what is held, what is not,
 * and in which order all of it comes.
 */
#include "config.h"

#include "account/session_quiet.h"

#include "session_scene.h"

/* --- what is sent ---------------------------------------------------------------------- */

/* A stanza, as it came. */
static void
give(struct scene *s, const char *text)
{
	struct arena *a = arena_new();
	struct elem *e = stored_read(a, str_c(text));
	enum stanza_cond cond;
	struct stanza *st;

	CHECK(e != NULL);
	st = stanza_from_elem(a, e, &cond);
	CHECK(st != NULL);
	session_write(s->s, st);
	stanza_free(st);
}

static void
give_presence(struct scene *s, unsigned who, const char *type, unsigned n)
{
	char text[256];

	snprintf(text, sizeof(text),
		"<presence xmlns='jabber:client' from='u%u@example.org/x'"
		" to='" ROMEO "/a'%s><status>%u</status></presence>", who, type,
		n);
	give(s, text);
}

/* inside may be "" */
static void
give_message(struct scene *s, const char *type, const char *inside)
{
	char text[512];

	snprintf(text, sizeof(text),
		"<message xmlns='jabber:client' from='m@example.org/x'"
		" to='" ROMEO "/a' type='%s'>%s</message>", type, inside);
	give(s, text);
}

static void
see_one(struct buf *seen, const char *at)
{
	if (strncmp(at, "<presence", 9) == 0)
		buf_printf(seen, " %.*s=%d",
			(int)strcspn(strstr(at, "from=\"") + 6, "@"),
			strstr(at, "from=\"") + 6,
			atoi(strstr(at, "<status>") + 8));
	else if (strncmp(at, "<message", 8) == 0)
		buf_add_c(seen, " m");
	else if (strncmp(at, "<iq", 3) == 0)
		buf_add_c(seen, " iq");
}

/* As in " u1=7 m": what came since the last look, in order. */
static void
check_seen(struct fake *f, const char *want)
{
	struct buf seen = BUF_INIT;
	const char *at = buf_c(&f->got);

	for (; (at = strchr(at, '<')) != NULL; at++)
		see_one(&seen, at);
	CHECK_STR(buf_str(&seen), want);
	buf_done(&seen);
	f->got.n = 0;
}

#define BODY "<body>b</body>"
#define COMPOSING "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
#define EVENT "<event xmlns='http://jabber.org/protocol/pubsub#event'/>"

/* --- what is held ------------------------------------------------------------------------ */

TEST(of_presence_the_last_of_each_address_is_held)
{
	struct scene s;

	scene_init(&s);
	give_presence(&s, 0, "", 1);
	session_set_quiet(s.s, true);
	check_seen(&s.one, " u0=1");
	for (unsigned i = 0; i < 3; i++) {
		give_presence(&s, 1, "", 10 + i);
		give_presence(&s, 2, i == 1 ? " type='unavailable'" : "", 20 + i);
	}
	give_presence(&s, 1, " type='unavailable'", 13);
	check_seen(&s.one, "");
	session_set_quiet(s.s, true); /* once more */
	check_seen(&s.one, "");
	session_set_quiet(s.s, false);
	check_seen(&s.one, " u2=22 u1=13");
	CHECK(s.s->out == NULL);
	give_presence(&s, 1, "", 14);
	check_seen(&s.one, " u1=14");
	session_set_quiet(s.s, false);
	check_seen(&s.one, "");
	scene_done(&s);
}

TEST(what_is_urgent_comes_behind_what_was_held)
{
	static const char *const urgent[] = {
		"<message xmlns='jabber:client' from='m@example.org/x'"
		" type='chat'>" BODY COMPOSING "</message>",
		"<message xmlns='jabber:client' from='m@example.org'"
		" type='error'>" COMPOSING "</message>",
		"<message xmlns='jabber:client' from='m@example.org/x'>"
		"<received xmlns='urn:xmpp:receipts' id='1'/></message>",
		"<message xmlns='jabber:client' from='m@example.org/x'>" COMPOSING
		"<store xmlns='urn:xmpp:hints'/></message>",
		"<message xmlns='jabber:client' from='m@example.org/x'/>",
		"<message xmlns='jabber:client' from='m@example.org/x'"
		" type='headline'>" BODY "</message>",
		"<iq xmlns='jabber:client' from='m@example.org/x' type='get'"
		" id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq xmlns='jabber:client' type='result' id='1'/>",
	};
	struct scene s;

	scene_init(&s);
	session_set_quiet(s.s, true);
	for (size_t i = 0; i < COUNT(urgent); i++) {
		give_presence(&s, 1, "", 1);
		give_presence(&s, 2, "", 2);
		check_seen(&s.one, "");
		give(&s, urgent[i]);
		check_seen(&s.one,
			i < COUNT(urgent) - 2 ? " u1=1 u2=2 m" : " u1=1 u2=2 iq");
	}
	scene_done(&s);
}

/* It is not held, and what was held comes before it. */
TEST(presence_that_asks_for_something_is_not_held)
{
	static const char *const types[] = { " type='subscribe'",
		" type='subscribed'", " type='unsubscribe'",
		" type='unsubscribed'", " type='error'" };
	struct scene s;

	scene_init(&s);
	session_set_quiet(s.s, true);
	for (size_t i = 0; i < COUNT(types); i++) {
		give_presence(&s, 1, "", 1);
		give_presence(&s, 1, types[i], 2);
		check_seen(&s.one, " u1=1 u1=2");
	}
	give_presence(&s, 1, "", 1);
	give(&s, "<presence xmlns='jabber:client' from='u1@example.org/x'>"
		"<status>5</status><x xmlns='http://jabber.org/protocol/muc#user'>"
		"<status code='303'/></x></presence>");
	check_seen(&s.one, " u1=1 u1=5");
	/* without a code it is as any */
	give(&s, "<presence xmlns='jabber:client' from='u1@example.org/x'>"
		"<status>6</status><x xmlns='http://jabber.org/protocol/muc#user'>"
		"<item role='none'/></x></presence>");
	give_presence(&s, 1, "", 7);
	check_seen(&s.one, "");
	session_set_quiet(s.s, false);
	check_seen(&s.one, " u1=7");
	scene_done(&s);
}

TEST(chat_states_are_for_who_looks)
{
	struct scene s;

	scene_init(&s);
	give_message(&s, "chat", COMPOSING);
	check_seen(&s.one, " m");
	session_set_quiet(s.s, true);
	give_presence(&s, 1, "", 1);
	give_message(&s, "chat", COMPOSING);
	give_message(&s, "groupchat", COMPOSING);
	give_message(&s, "chat", COMPOSING "<thread>t</thread>"
		"<no-store xmlns='urn:xmpp:hints'/>");
	check_seen(&s.one, "");
	session_set_quiet(s.s, false);
	check_seen(&s.one, " u1=1");
	scene_done(&s);
}

/* Each, for they may say different things. */
TEST(headlines_of_programs_are_held)
{
	struct scene s;

	scene_init(&s);
	session_set_quiet(s.s, true);
	give_message(&s, "headline", EVENT);
	give_presence(&s, 1, "", 1);
	give_message(&s, "headline", EVENT);
	check_seen(&s.one, "");
	give_message(&s, "chat", BODY);
	check_seen(&s.one, " m u1=1 m m");
	scene_done(&s);
}

/* --- its bounds ---------------------------------------------------------------------------- */

TEST(more_than_may_be_held_goes_out)
{
	static const unsigned sizes[] = { 0, 1, 2, 200, QUIET_STANZAS - 1,
		QUIET_STANZAS, QUIET_STANZAS + 1, 2 * QUIET_STANZAS + 5 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct buf want = BUF_INIT;
		struct scene s;
		uint32_t n;

		scene_init(&s);
		session_set_quiet(s.s, true);
		for (unsigned k = 0; k < sizes[i]; k++) {
			give_presence(&s, k, "", k);
			buf_printf(&want, " u%u=%u", k, k);
			CHECK(session_quiet_bytes(s.s, &n) <= QUIET_BYTES);
			CHECK(n <= QUIET_STANZAS);
		}
		CHECK((s.one.got.n == 0) == (sizes[i] <= QUIET_STANZAS));
		session_set_quiet(s.s, false);
		check_seen(&s.one, buf_c(&want));
		CHECK(s.s->out == NULL);
		buf_done(&want);
		scene_done(&s);
	}
}

/* Addresses count as well. */
TEST(what_is_held_is_bounded_in_bytes)
{
	char resource[JID_PART_MAX + 1], text[2 * sizeof(resource)];
	struct scene s;
	uint32_t n, most = 0;

	scene_init(&s);
	session_set_quiet(s.s, true);
	memset(resource, 'r', sizeof(resource) - 1);
	resource[sizeof(resource) - 1] = '\0';
	for (unsigned i = 0; i < 300; i++) {
		/* a little less each time, so that some just fit */
		snprintf(text, sizeof(text),
			"<presence xmlns='jabber:client' to='" ROMEO "/a'"
			" from='u%u@example.org/%s'/>", i, resource + i);
		give(&s, text);
		CHECK(session_quiet_bytes(s.s, &n) <= QUIET_BYTES);
		most = MAX(most, n);
	}
	CHECK(most > QUIET_BYTES / (3 * JID_PART_MAX));
	scene_done(&s);
}

TEST(what_is_held_counts_with_its_bytes)
{
	struct scene s;
	int64_t before;
	uint32_t n;

	scene_init(&s);
	before = share_of_romeo(&s);
	session_set_quiet(s.s, true);
	for (unsigned i = 0; i < 300; i++)
		give_presence(&s, i % 100, "", i);
	CHECK(session_quiet_bytes(s.s, &n) > 100 * 150);
	CHECK_INT(n, 100);
	CHECK(share_of_romeo(&s) - before >=
		(int64_t)session_quiet_bytes(s.s, &n));
	session_set_quiet(s.s, false);
	CHECK(share_of_romeo(&s) == before);
	session_set_quiet(s.s, true);
	give_presence(&s, 1, "", 1);
	session_close(s.s, STREAM_RESET, NULL);
	CHECK(share_of_romeo(&s) < before);
	scene_done(&s);
}

/* --- with all else ---------------------------------------------------------------------------- */

/* What was never written has no number, so it can be merged; what was comes again. */
TEST(a_session_that_sleeps_is_quiet_until_it_is_resumed)
{
	struct scene s;

	scene_init(&s);
	session_keep_output(s.s, true);
	give_presence(&s, 1, "", 1);
	session_set_quiet(s.s, true);
	give_presence(&s, 2, "", 2);
	sleep_now(&s);
	session_set_quiet(s.s, false); /* nobody says so */
	give_presence(&s, 2, "", 3);
	give_presence(&s, 1, "", 4);
	give_message(&s, "chat", COMPOSING);
	CHECK_INT(session_sent(s.s), 1);
	CHECK_INT(session_backlog(s.s).stanzas, 3);
	session_attach(s.s, &fake_ops, &s.two);
	check_seen(&s.two, " u1=1 u2=3 u1=4");
	CHECK_INT(session_sent(s.s), 3);
	/* a stream begins active (§5.2) */
	give_presence(&s, 1, "", 5);
	check_seen(&s.two, " u1=5");
	scene_done(&s);
}

TEST(what_a_sleeping_session_holds_is_saved)
{
	struct buf text = BUF_INIT;
	struct arena *a = arena_new();
	struct scene s;

	scene_init(&s);
	session_keep_output(s.s, true);
	sleep_now(&s);
	for (unsigned i = 0; i < 6; i++)
		give_presence(&s, i % 2, "", i);
	session_save(s.s, STR_NONE, &text);
	session_free(s.s);
	s.s = session_restore(romeo_of(&s), stored_read(a, buf_str(&text)),
		STR_NONE);
	CHECK(s.s != NULL);
	give_presence(&s, 3, "", 6);
	session_attach(s.s, &fake_ops, &s.two);
	check_seen(&s.two, " u0=4 u1=5 u3=6");
	arena_free(a);
	buf_done(&text);
	scene_done(&s);
}

/* A client that takes nothing, and says then that it is looked at. */
TEST(what_was_held_waits_for_a_client_that_is_full)
{
	struct scene s;

	scene_init(&s);
	session_set_quiet(s.s, true);
	s.one.takes = 1;
	give_message(&s, "chat", BODY);
	give_presence(&s, 1, "", 1);
	give_presence(&s, 1, "", 2);
	session_set_quiet(s.s, false);
	give_presence(&s, 1, "", 3);
	check_seen(&s.one, " m");
	s.one.takes = -1;
	session_drained(s.s);
	check_seen(&s.one, " u1=2 u1=3");
	scene_done(&s);
}

TEST_MAIN
