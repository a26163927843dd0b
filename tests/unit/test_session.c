/*
 * test_session.c - sessions that outlive their stream: asleep, attached again,
 * ended.
 */
#include "config.h"

#include "account/session.h"

#include <stdio.h>

#include "base/share.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/entity.h"
#include "core/wire.h"
#include "account/account.h"
#include "account/account_int.h"
#include "account/session_out.h"
#include "c2s_world.h"
#include "test.h"

#define AUTH_JULIET AUTH("PLAIN", "AGp1bGlldABzZWNyZXQtb25l")
#define ROMEO "romeo@example.org"
#define SLEEP_US (60 * US_PER_S)
#define LIMITS                                                                 \
	"limits: { write_queue_bytes: 64KiB, write_queue_max_bytes: 256KiB,"   \
	" sessions_per_account: 3, bytes_per_second: 1GiB, bytes_burst: 1GiB }"

/* --- a stream that is none -------------------------------------------------------- */

/* What it was written; it takes so many stanzas before it is full. */
struct fake {
	struct session *session;
	struct buf got;
	int takes; /* -1: all */
	unsigned taken;
	bool rests;
	enum stream_cond closed;
};

static void
fake_attached(void *stream, struct session *s)
{
	((struct fake *)stream)->session = s;
}

static void
fake_took(struct fake *f)
{
	f->taken++;
	if (f->takes == 0 || (f->takes > 0 && --f->takes == 0))
		session_full(f->session);
}

static void
fake_write_wire(void *stream, const struct wire *w, struct str to)
{
	struct fake *f = stream;

	wire_write(w, to, &f->got);
	fake_took(f);
}

static void
fake_write(void *stream, const struct stanza *st)
{
	struct wire *w = wire_new(st);

	fake_write_wire(stream, w, jid_str(st->to));
	wire_unref(w);
}

static void
fake_close(void *stream, enum stream_cond cond, const char *text)
{
	struct fake *f = stream;

	(void)text;
	f->session = NULL;
	f->closed = cond;
}

static void
fake_cut(void *stream, const char *why)
{
	((struct fake *)stream)->closed = STREAM_POLICY_VIOLATION;
	(void)why;
}

static void
fake_rest(void *stream, bool rests)
{
	struct fake *f = stream;

	CHECK(f->rests != rests);
	f->rests = rests;
}

static const struct session_stream fake_ops = {
	.attached = fake_attached,
	.write = fake_write,
	.write_wire = fake_write_wire,
	.close = fake_close,
	.cut = fake_cut,
	.rest = fake_rest,
};

/* --- the scene ---------------------------------------------------------------------- */

/* romeo's session a stands behind a fake; juliet is a client. */
struct scene {
	struct world w;
	struct peer juliet, romeo; /* romeo/x, so that the account stays */
	struct fake one, two;
	struct session *s;
};

static struct account *
romeo_of(struct scene *s)
{
	return account_of(
		entity_find(world_owner(&s->w, "romeo"), STR(ROMEO)));
}

static struct session *
bind(struct scene *s, const char *resource, struct fake *f)
{
	enum stanza_cond cond;

	*f = (struct fake){ .got = BUF_INIT, .takes = -1 };
	f->session = session_bind(romeo_of(s), str_c(resource), &fake_ops, f,
		&cond);
	return f->session;
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
scene_init(struct scene *s)
{
	world_init(&s->w, 2, LIMITS, "");
	peer_open(&s->juliet, &s->w, 0, true);
	peer_login(&s->juliet, AUTH_JULIET, BIND("j"));
	peer_open(&s->romeo, &s->w, 0, true);
	peer_login(&s->romeo, AUTH_ROMEO, BIND("x"));
	s->s = bind(s, "a", &s->one);
	s->two = (struct fake){ .got = BUF_INIT, .takes = -1 };
	be_available(s->s);
}

static void
scene_done(struct scene *s)
{
	peer_done(&s->juliet);
	peer_done(&s->romeo);
	buf_done(&s->one.got);
	buf_done(&s->two.got);
	world_done(&s->w);
}

/* As the stream would that breaks, if somebody keeps its session. */
static void
sleep_now(struct scene *s)
{
	s->one.session = NULL;
	session_detach(s->s, SLEEP_US);
}

static bool
is_there(struct scene *s, const char *resource)
{
	return session_find(romeo_of(s), str_c(resource)) != NULL;
}

/* juliet to romeo/a or romeo, one after the other. */
static void
say(struct scene *s, const char *to, unsigned from, unsigned until,
	size_t n_body)
{
	struct buf text = BUF_INIT;

	for (unsigned i = from; i < until; i++) {
		text.n = 0;
		buf_printf(&text, "<message to='%s' type='chat' id='m%04u'>"
			"<body>%0*d</body></message>", to, i, (int)n_body, 7);
		peer_say(&s->juliet, buf_c(&text));
	}
	buf_done(&text);
}

/* from..until and no others, each once, in order. */
static void
check_got(const struct buf *got, unsigned from, unsigned until)
{
	const char *at = got->n != 0 ? got->p : "";
	const char *end = at + got->n;
	unsigned n = 0;

	for (unsigned i = from; i < until; i++) {
		char id[16];
		size_t len = (size_t)snprintf(id, sizeof(id), "id=\"m%04u\"", i);

		at = memmem(at, (size_t)(end - at), id, len);
		CHECK(at != NULL);
	}
	at = got->p;
	while (got->n != 0 &&
		(at = memmem(at, (size_t)(end - at), "id=\"m", 5)) != NULL) {
		at++;
		n++;
	}
	CHECK_INT(n, until - from);
}

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

TEST(a_session_that_sleeps_counts)
{
	struct scene s;
	struct fake more;
	enum stanza_cond cond;

	scene_init(&s);
	sleep_now(&s);
	CHECK(bind(&s, "b", &s.two) != NULL);
	CHECK(session_bind(romeo_of(&s), STR("c"), &fake_ops, &more, &cond) ==
		NULL);
	CHECK_INT(cond, COND_RESOURCE_CONSTRAINT);
	scene_done(&s);
}

/* --- what is kept ----------------------------------------------------------------------- */

static size_t
kept(const struct session *s)
{
	return s->out->kept_bytes + s->out->waiting_bytes;
}

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
		CHECK_INT(kept(s.s), 0);
		CHECK_INT(session_queued(s.s), 0);
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
	CHECK_INT(kept(s.s), 0);
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

static int64_t
share_of_romeo(struct scene *s)
{
	struct account *acc = romeo_of(s);

	return share_bytes(budget_share(acc->e.shard->server, acc->e.hash));
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
	CHECK(kept(s.s) > 10 * 10000 && kept(b) > 10 * 10000);
	check_got(&s.one.got, 0, 10);
	check_got(&s.two.got, 0, 10);
	CHECK(session_acked(s.s, 10));
	CHECK_INT(kept(s.s), 0);
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

TEST(who_never_acknowledges_is_cut_off)
{
	struct scene s;
	unsigned n = 0;

	scene_init(&s);
	session_keep_output(s.s, true);
	for (; s.one.closed == STREAM_COND_NONE && n < 40; n++)
		say(&s, ROMEO "/a", n, n + 1, 20000);
	CHECK(n > 12 && n < 17);
	CHECK(!session_is_full(s.s));
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

/* --- its presence ------------------------------------------------------------------------- */

#define CAPS "http://jabber.org/protocol/caps"

static void
send_presence(struct session *s, const char *show, bool caps)
{
	struct stanza *st = stanza_new(PRESENCE_AVAILABLE, session_jid(s),
		(struct jid){ .text = NULL }, STR("p1"));

	if (show != NULL)
		elem_add_with_text(st->arena, st->root, NS_CLIENT, "show",
			str_c(show));
	if (caps) {
		struct elem *c = elem_add(st->arena, st->root, CAPS, "c");

		elem_set_attr(st->arena, c, "hash", STR("sha-1"));
		elem_set_attr(st->arena, c, "node", STR("urn:node"));
		elem_set_attr(st->arena, c, "ver", STR("dmVy"));
	}
	session_set_presence(s, st, 3);
	stanza_free(st);
}

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
