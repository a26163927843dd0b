/*
 * test_session_invisible.c - sessions that nobody is to see.
 */
#include "config.h"

#include "core/host.h"
#include "session_scene.h"

/* What HOOK_SESSION_HIDDEN has told. */
struct told {
	unsigned n;
	bool shown, probe;
	bool available; /* the session, at that moment */
};

static enum hook_result
on_hidden(struct module_ctx *m, void *arg)
{
	struct told *told = (void *)m;
	const struct session_hidden *hidden = arg;

	told->n++;
	told->shown = hidden->shown;
	told->probe = hidden->probe;
	told->available = session_is_available(hidden->session);
	CHECK(!session_is_visible(hidden->session));
	return HOOK_PASS;
}

/* told stands for the module, which the handler does not look at. */
static void
listen_to(struct scene *s, struct told *told)
{
	struct host *host = account_host(romeo_of(s));

	*told = (struct told){ .n = 0 };
	*vec_push(&host->hooks[HOOK_SESSION_HIDDEN]) = (struct hook_entry){
		.ctx = (void *)told,
		.fn = on_hidden,
		.band = HOOK_DELIVER,
	};
}

static void
check_told(struct told *told, unsigned n, bool shown, bool probe)
{
	CHECK_INT(told->n, n);
	if (n != 0) {
		CHECK_INT(told->shown, shown);
		CHECK_INT(told->probe, probe);
	}
	told->n = 0;
}

TEST(who_is_invisible_is_available_and_not_visible)
{
	struct scene s;

	scene_init(&s);
	CHECK(session_is_visible(s.s));
	CHECK(account_is_visible(romeo_of(&s)));
	session_set_invisible(s.s, false);
	CHECK(session_is_available(s.s));
	CHECK(session_takes_messages(s.s));
	CHECK(!session_is_visible(s.s));
	CHECK(account_is_available(romeo_of(&s)));
	CHECK(!account_is_visible(romeo_of(&s)));
	/* what its client says of itself does not show it */
	be_available(s.s);
	CHECK(!session_is_visible(s.s));
	scene_done(&s);
}

TEST(one_that_others_see_makes_the_account_visible)
{
	struct scene s;
	struct session *b;

	scene_init(&s);
	b = bind(&s, "b", &s.two);
	session_set_invisible(s.s, false);
	CHECK(!account_is_visible(romeo_of(&s)));
	be_available(b);
	CHECK(account_is_visible(romeo_of(&s)));
	CHECK(!session_is_visible(s.s));
	session_close(b, STREAM_RESET, NULL);
	scene_done(&s);
}

TEST(others_are_told_once_and_contacts_asked_when_it_is_said)
{
	struct told told;
	struct scene s;

	scene_init(&s);
	listen_to(&s, &told);
	session_set_invisible(s.s, false);
	CHECK(told.available);
	check_told(&told, 1, true, false);
	session_set_invisible(s.s, false);
	check_told(&told, 0, false, false);
	session_set_invisible(s.s, true);
	check_told(&told, 1, false, true);
	session_set_invisible(s.s, true);
	check_told(&told, 0, false, false);
	session_set_invisible(s.s, false);
	check_told(&told, 0, false, false);
	session_set_visible(s.s);
	check_told(&told, 0, false, false);
	scene_done(&s);
}

TEST(contacts_are_asked_by_who_is_seen_or_says_so)
{
	struct scene s;

	scene_init(&s);
	CHECK(account_probes(romeo_of(&s)));
	session_set_invisible(s.s, false);
	CHECK(!account_probes(romeo_of(&s)));
	session_set_invisible(s.s, true);
	CHECK(account_probes(romeo_of(&s)));
	session_set_presence(s.s, NULL, 0);
	CHECK(!account_probes(romeo_of(&s)));
	scene_done(&s);
}

TEST(who_is_visible_again_has_said_nothing_yet)
{
	struct scene s;

	scene_init(&s);
	session_set_visible(s.s);
	CHECK(session_is_visible(s.s));
	session_set_invisible(s.s, true);
	session_set_visible(s.s);
	CHECK(!session_is_available(s.s));
	CHECK(!s.s->invisible && !s.s->probes);
	be_available(s.s);
	CHECK(session_is_visible(s.s));
	scene_done(&s);
}

TEST_MAIN
