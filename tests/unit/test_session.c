/*
 * test_session.c - sessions that outlive their stream: asleep, attached again,
 * ended.
 */
#include "config.h"

#include "account/session.h"

#include "core/entity_message.h"
#include "session_scene.h"

/* --- asleep --------------------------------------------------------------------------- */

TEST(what_comes_while_it_sleeps_is_written_when_it_wakes)
{
	static const unsigned sizes[] = { 0, 1, 2, 3, 50, 200 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct scene s;

		scene_init(&s);
		say(&s, ROMEO "/a", 0, 2, 10);
		check_got(&s.one.got, 0, 2);
		sleep_now(&s);
		CHECK_INT(s.s->state, SESSION_ASLEEP);
		say(&s, ROMEO "/a", 2, 2 + sizes[i], 10);
		CHECK(session_is_available(s.s) && session_is_full(s.s));
		session_attach(s.s, &fake_ops, &s.two);
		CHECK(s.two.session == s.s);
		CHECK_INT(s.s->state, SESSION_ATTACHED);
		check_got(&s.two.got, 2, 2 + sizes[i]);
		CHECK(!session_is_full(s.s) && s.s->out == NULL);
		s.two.got.n = 0;
		say(&s, ROMEO "/a", 900, 905, 10);
		check_got(&s.two.got, 900, 905);
		scene_done(&s);
	}
}

TEST(a_new_stream_that_takes_little_gets_the_rest_when_it_has_drained)
{
	struct scene s;

	scene_init(&s);
	sleep_now(&s);
	say(&s, ROMEO "/a", 0, 50, 10);
	s.two.takes = 7;
	session_attach(s.s, &fake_ops, &s.two);
	check_got(&s.two.got, 0, 7);
	CHECK(session_is_full(s.s));
	/* and breaks again */
	session_detach(s.s, SLEEP_US);
	s.two.takes = -1;
	say(&s, ROMEO "/a", 50, 60, 10);
	session_attach(s.s, &fake_ops, &s.two);
	check_got(&s.two.got, 0, 60);
	scene_done(&s);
}

TEST(a_second_stream_closes_the_first)
{
	struct scene s;

	scene_init(&s);
	s.one.takes = 1;
	say(&s, ROMEO "/a", 0, 10, 10);
	session_attach(s.s, &fake_ops, &s.two);
	CHECK_INT(s.one.closed, STREAM_CONFLICT);
	check_got(&s.one.got, 0, 1);
	check_got(&s.two.got, 1, 10);
	scene_done(&s);
}

TEST(a_stream_that_may_not_have_it_changes_nothing)
{
	struct scene s;

	scene_init(&s);
	s.two.refuses = true;
	CHECK(!session_attach(s.s, &fake_ops, &s.two));
	CHECK_INT(s.s->state, SESSION_ATTACHED);
	say(&s, ROMEO "/a", 0, 3, 10);
	check_got(&s.one.got, 0, 3);
	sleep_now(&s);
	CHECK(!session_attach(s.s, &fake_ops, &s.two));
	CHECK_INT(s.s->state, SESSION_ASLEEP);
	scene_done(&s);
}

/* One that is to be cut at the end of the turn, too. */
TEST(a_client_is_attached_in_place_of_one_that_is_being_cut)
{
	struct scene s;
	struct session *x;

	scene_init(&s);
	x = session_find(romeo_of(&s), STR("x"));
	x->ops->cut(x->stream, "for a test");
	session_attach(x, &fake_ops, &s.two);
	world_settle(&s.w);
	CHECK(s.romeo.closed);
	CHECK(is_there(&s, "x"));
	say(&s, ROMEO "/x", 0, 3, 10);
	check_got(&s.two.got, 0, 3);
	scene_done(&s);
}

TEST(the_new_stream_rests_for_what_the_old_one_rested)
{
	struct scene s;

	scene_init(&s);
	session_rest(s.s, SESSION_REST_OWN);
	CHECK(s.one.rests);
	sleep_now(&s);
	session_rest(s.s, SESSION_REST_LINE);
	session_attach(s.s, &fake_ops, &s.two);
	CHECK(s.two.rests);
	session_go_on(s.s, SESSION_REST_OWN);
	session_go_on(s.s, SESSION_REST_LINE);
	CHECK(!s.two.rests);
	/* what it does not any more when it wakes */
	session_rest(s.s, SESSION_REST_OWN);
	session_detach(s.s, SLEEP_US);
	session_go_on(s.s, SESSION_REST_OWN);
	s.two.rests = false;
	session_attach(s.s, &fake_ops, &s.two);
	CHECK(!s.two.rests);
	scene_done(&s);
}

static void
tell_rest(struct scene *s, int64_t rest_us, int64_t max_us)
{
	entity_tell(s->s->account->e.shard, &(struct entity_message){
		.kind = TELL_REST,
		.to = jid_trusted(STR(ROMEO)),
		.resource = STR("a"),
		.number = { rest_us, max_us },
	});
	world_settle(&s->w);
}

/* A large room, and then somebody who is hardly behind. */
TEST(who_rests_long_is_not_let_go_by_one_who_asks_for_less)
{
	struct scene s;

	scene_init(&s);
	tell_rest(&s, 10 * US_PER_S, 10 * US_PER_S);
	CHECK(s.one.rests);
	tell_rest(&s, 20 * US_PER_MS, 20 * US_PER_MS);
	world_advance(&s.w, US_PER_S);
	CHECK(s.one.rests);
	tell_rest(&s, US_PER_S, 20 * US_PER_S);
	world_advance(&s.w, 9500 * US_PER_MS);
	CHECK(s.one.rests);
	world_advance(&s.w, US_PER_S);
	CHECK(!s.one.rests);
	tell_rest(&s, 10 * US_PER_S, 10 * US_PER_S);
	tell_rest(&s, 0, 0);
	world_advance(&s.w, US_PER_MS);
	CHECK(!s.one.rests);
	scene_done(&s);
}

/* What it was told to rest for when it could still send is no more to it than
 * what waits: it has no stream that could be cut off. */
TEST(who_sleeps_is_not_slowed_for_others)
{
	struct scene s;

	scene_init(&s);
	session_keep_output(s.s, true);
	say(&s, ROMEO "/a", 0, 3, 30000);
	session_detach(s.s, 10 * SLEEP_US);
	tell_rest(&s, 2 * US_PER_S, 5 * US_PER_S);
	CHECK_INT(s.s->rest, 0);
	say(&s, ROMEO "/a", 3, 6, 30000);
	world_advance(&s.w, 2 * SLEEP_US);
	CHECK_INT(s.s->state, SESSION_ASLEEP);
	session_attach(s.s, &fake_ops, &s.two);
	CHECK(!s.two.rests);
	check_got(&s.two.got, 0, 6);
	scene_done(&s);
}

TEST(what_it_asked_before_is_answered_when_it_wakes)
{
	struct scene s;
	struct jid self;
	struct stanza *st;

	scene_init(&s);
	self = session_jid(s.s);
	for (unsigned i = 0; i < 5; i++) {
		char id[16];

		snprintf(id, sizeof(id), "m%04u", i);
		st = stanza_new(IQ_GET, self, jid_bare(self), str_c(id));
		elem_add(st->arena, st->root, "urn:x", "x");
		CHECK(session_receive(s.s, st));
	}
	sleep_now(&s);
	world_settle(&s.w);
	session_attach(s.s, &fake_ops, &s.two);
	world_settle(&s.w);
	check_got(&s.two.got, 0, 5);
	scene_done(&s);
}

TEST(a_session_that_sleeps_makes_room)
{
	struct scene s;
	struct fake more;
	enum stanza_cond cond;

	scene_init(&s);
	sleep_now(&s);
	CHECK(bind(&s, "b", &s.two) != NULL);
	CHECK(bind(&s, "c", &more) != NULL);
	CHECK_INT(romeo_of(&s)->n_sessions, 3);
	CHECK(session_bind(romeo_of(&s), STR("d"), &fake_ops, &more, &cond) ==
		NULL);
	CHECK_INT(cond, COND_RESOURCE_CONSTRAINT);
	buf_done(&more.got);
	scene_done(&s);
}

/* --- its presence ------------------------------------------------------------------------- */

TEST(what_is_asked_of_a_presence_is_there)
{
	struct scene s;
	struct stanza *st;

	scene_init(&s);
	CHECK_STR(session_show(s.s), NULL);
	CHECK_STR(session_caps(s.s).ver, NULL);
	send_presence(s.s, "dnd", true);
	CHECK_STR(session_show(s.s), "dnd");
	CHECK_STR(session_caps(s.s).node, "urn:node");
	CHECK_STR(session_caps(s.s).hash, "sha-1");
	CHECK_STR(session_caps(s.s).ver, "dmVy");
	st = session_presence(s.s);
	CHECK_STR(jid_str(st->from), ROMEO "/a");
	CHECK(!jid_is_set(st->to));
	CHECK_STR(st->id, "p1");
	CHECK_INT(st->type, PRESENCE_AVAILABLE);
	CHECK_INT(elem_count(st->root), 2);
	stanza_free(st);
	send_presence(s.s, NULL, false);
	CHECK_STR(session_show(s.s), NULL);
	scene_done(&s);
}

TEST(a_presence_counts_in_the_share_while_it_is_kept)
{
	struct scene s;
	int64_t before;
	char *text = xmalloc(10001);

	scene_init(&s);
	before = share_of_romeo(&s);
	memset(text, 'x', 10000);
	text[10000] = '\0';
	send_presence(s.s, text, false);
	CHECK(share_of_romeo(&s) - before >= 10000);
	session_set_presence(s.s, NULL, 0);
	CHECK(share_of_romeo(&s) <= before);
	free(text);
	scene_done(&s);
}

/* --- how it ends ------------------------------------------------------------------------ */

static void
end_by_time(struct scene *s)
{
	world_advance(&s->w, SLEEP_US - US_PER_S);
	CHECK(is_there(s, "a"));
	world_advance(&s->w, 2 * US_PER_S);
}

static void
end_by_close(struct scene *s)
{
	session_close(s->s, STREAM_POLICY_VIOLATION, NULL);
}

static void
end_by_conflict(struct scene *s)
{
	CHECK(bind(s, "a", &s->two) != NULL);
	/* it is another one, to which nothing of the old is handed */
	CHECK_INT(s->two.got.n, 0);
	session_close(s->two.session, STREAM_RESET, NULL);
}

static void
on_done(void *arg, bool ok, const struct err *err)
{
	*(bool *)arg = ok;
	(void)err;
}

static void
end_by_kick(struct scene *s)
{
	bool ok = false;

	account_kick(s->w.server->shards[0], jid_trusted(STR(ROMEO)), STR("a"),
		"go", on_done, &ok);
	world_settle(&s->w);
	CHECK(ok);
}

static void
end_by_password(struct scene *s)
{
	bool ok = false;

	account_set_credentials(s->w.server->shards[0], jid_trusted(STR(ROMEO)),
		STR("<credentials/>"), STR_NONE, on_done, &ok);
	world_settle(&s->w);
	CHECK(ok);
}

static void
end_by_removal(struct scene *s)
{
	bool ok = false;

	account_remove(s->w.server->shards[0], jid_trusted(STR(ROMEO)), on_done,
		&ok);
	world_settle(&s->w);
	CHECK(ok);
}

static void
end_by_shutdown(struct scene *s)
{
	for (unsigned i = 0; i < s->w.server->n_shards; i++)
		entity_close_all(s->w.server->shards[i]);
}

TEST(what_it_did_not_get_comes_back_in_order_however_it_ends)
{
	static void (*const ends[])(struct scene *) = { end_by_time,
		end_by_close, end_by_conflict, end_by_kick, end_by_password,
		end_by_removal };

	for (size_t i = 0; i < COUNT(ends); i++) {
		struct scene s;
		struct account *acc;

		scene_init(&s);
		acc = romeo_of(&s);
		sleep_now(&s);
		say(&s, ROMEO "/a", 0, 40, 10);
		s.juliet.got.n = 0;
		acc->n_ops++; /* stays */
		ends[i](&s);
		world_settle(&s.w);
		CHECK(session_find(acc, STR("a")) == NULL);
		acc->n_ops--;
		check_got(&s.juliet.got, 0, 40);
		CHECK_INT(acc->e.shard->stats.session_bytes.now, 0);
		scene_done(&s);
	}
}

TEST(it_ends_when_the_server_stops)
{
	struct scene s;

	scene_init(&s);
	sleep_now(&s);
	end_by_shutdown(&s);
	CHECK_INT(world_owner(&s.w, "romeo")->stats.sessions, 0);
	scene_done(&s);
}

TEST(it_ends_when_too_much_waits)
{
	struct scene s;

	scene_init(&s);
	sleep_now(&s);
	s.juliet.got.n = 0;
	for (unsigned i = 0; i < 40 && is_there(&s, "a"); i++)
		say(&s, ROMEO "/a", i, i + 1, 20000);
	CHECK(!is_there(&s, "a"));
	CHECK(peer_has(&s.juliet, "type=\"error\""));
	CHECK(world_owner(&s.w, "romeo")->stats.session_bytes.highest <
		330 * 1024);
	CHECK_INT(world_owner(&s.w, "romeo")->stats.session_bytes.now, 0);
	/* nobody was slowed for one who may not come */
	CHECK_INT(account_of(entity_find(world_owner(&s.w, "juliet"),
		STR("juliet@example.org")))->sessions->rest, 0);
	scene_done(&s);
}

/* Else all of them would end, each with what all before it had. */
TEST(what_one_that_sleeps_had_is_not_for_others_that_sleep)
{
	struct scene s;
	struct session *b;

	scene_init(&s);
	b = bind(&s, "b", &s.two);
	be_available(b);
	session_keep_output(s.s, true);
	say(&s, ROMEO "/a", 0, 5, 10);
	sleep_now(&s);
	s.two.session = NULL;
	session_detach(b, 5 * SLEEP_US);
	s.juliet.got.n = 0;
	world_advance(&s.w, 2 * SLEEP_US);
	CHECK(!is_there(&s, "a") && is_there(&s, "b"));
	CHECK_INT(kept_bytes(b), 0);
	check_got(&s.juliet.got, 0, 5);
	scene_done(&s);
}

TEST(without_a_handler_a_broken_stream_ends_its_session)
{
	for (int goodbye = 0; goodbye < 2; goodbye++) {
		struct scene s;

		scene_init(&s);
		session_lost(s.s, goodbye);
		CHECK(!is_there(&s, "a"));
		scene_done(&s);
	}
}

TEST_MAIN
