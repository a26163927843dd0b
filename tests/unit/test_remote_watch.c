/*
 * test_remote_watch.c - what those are told who have contacts at a domain of another
 * server, when it cannot be reached, and when it can; with streams that go nowhere.
 */
#include "config.h"

#include "remote/remote.h"

#include <limits.h>
#include <stdio.h>

#include "base/mem.h"
#include "xmpp/subscription.h"
#include "net/conn.h"
#include "core/entity.h"
#include "core/entity_message.h"
#include "core/place.h"
#include "core/router.h"
#include "account/account.h"
#include "account/session.h"
#include "remote/remote_int.h"

#include "c2s_world.h"
#include "fake_streams.h"
#include "test.h"

#define SHARDS 3
#define HERE "example.org"
#define THERE "far.example"
#define ROMEO "romeo@" HERE
#define JULIET "juliet@" THERE
#define MINUTE_US (60 * US_PER_S)
#define LOTS 1000000
#define YAML(federation)                                                       \
	"shards: 3\nstorage: { driver: memory }\n"                              \
	"federation: { " federation " }\nhosts: { example.org: {} }\n"

struct scene {
	struct world w;
	struct peer romeo;
	struct fakes *fakes;
	unsigned probes; /* that have gone out, */
	unsigned asks;   /* and requests */
	struct buf who;  /* sent them, with a blank behind each */
};

static struct scene *now_playing;

static void
on_write(struct fake *f, const struct stanza *st)
{
	(void)f;
	now_playing->probes += st->type == PRESENCE_PROBE;
	now_playing->asks += st->type == PRESENCE_SUBSCRIBE;
	buf_add_str(&now_playing->who, jid_str(st->from));
	buf_add_c(&now_playing->who, " ");
}

static struct account *
romeo_of(struct scene *s)
{
	struct account *acc =
		account_find(world_owner(&s->w, "romeo"), STR(ROMEO));

	CHECK(acc != NULL);
	return acc;
}

static void
befriend(struct scene *s, const char *contact, uint8_t state)
{
	roster_set_state(&romeo_of(s)->roster, jid_trusted(str_c(contact)),
		state);
}

/* romeo is available, and juliet is his contact. */
static void
scene_init(struct scene *s)
{
	struct jid nobody = { .text = NULL };
	struct stanza *st;

	*s = (struct scene){ .who = BUF_INIT };
	now_playing = s;
	world_init(&s->w, SHARDS, "federation: { mode: on }\n", "");
	s->fakes = fakes_use(&s->w);
	s->fakes->on_write = on_write;
	peer_open(&s->romeo, &s->w, 0, true);
	peer_login(&s->romeo, AUTH_ROMEO, BIND("orchard"));
	st = stanza_new(PRESENCE_AVAILABLE, jid_trusted(STR(ROMEO "/orchard")),
		nobody, STR_NONE);
	session_set_presence(romeo_of(s)->sessions, st, 0);
	stanza_free(st);
	befriend(s, JULIET, SUB_TO);
	befriend(s, "nurse@" THERE, SUB_FROM);
	befriend(s, "tybalt@else.example", SUB_TO);
	s->romeo.got.n = 0;
}

static void
scene_done(struct scene *s)
{
	for (struct fake *f = s->fakes->first; f != NULL; f = f->next) {
		if (f->link != NULL)
			fake_break(f);
	}
	s->fakes->ends_at_once = true;
	peer_done(&s->romeo);
	world_done(&s->w);
	fakes_free();
	buf_done(&s->who);
}

static struct shard *
shard_there(struct scene *s)
{
	return s->w.server->shards[
		server_place_of(s->w.server, STR(THERE)).shard];
}

static struct remote *
remote_there(struct scene *s)
{
	struct entity *e = entity_find(shard_there(s), STR(THERE));

	return (struct remote *)(void *)e;
}

static void
pass(struct scene *s, int64_t us)
{
	for (int64_t step; us > 0; us -= step) {
		step = MIN(us, MINUTE_US);
		conn_mem_feed(s->romeo.conn, " ", 1);
		clock_manual_advance(&s->w.clock, step);
		world_settle(&s->w);
	}
}

static void
send(struct scene *s, enum stanza_type type, const char *from)
{
	router_send(s->w.server->shards[0],
		stanza_new(type, jid_trusted(str_c(from)),
			jid_trusted(STR(JULIET)), STR_NONE));
	world_settle(&s->w);
}

static void
probe(struct scene *s)
{
	send(s, PRESENCE_PROBE, ROMEO);
}

static void
tell(struct scene *s, enum entity_message_kind kind, const char *text)
{
	entity_tell(s->w.server->shards[0],
		&(struct entity_message){
			.kind = kind,
			.to = jid_trusted(STR(THERE)),
			.resource = STR_NONE,
			.text = str_c(text),
		});
	world_settle(&s->w);
}

static struct fake *
newest(void)
{
	struct fake *f = fake_find(HERE, THERE);

	CHECK(f != NULL);
	return f;
}

static bool
has_attempt(void)
{
	return fake_count(HERE, THERE) != 0 && newest()->pair != NULL &&
		newest()->link == NULL;
}

/* All that is tried fails. */
static void
pass_down(struct scene *s, int64_t us)
{
	for (int64_t step; us > 0; us -= step) {
		step = MIN(us, US_PER_S);
		pass(s, step);
		if (has_attempt()) {
			fake_down(newest(), REMOTE_OF_PAIR, "refused");
			world_settle(&s->w);
		}
	}
}

/* Until somebody tries it. */
static void
pass_until_tried(struct scene *s)
{
	for (int i = 0; i < 360 && !has_attempt(); i++)
		pass(s, US_PER_S);
}

static void
up(struct scene *s)
{
	CHECK(has_attempt());
	fake_up(newest(), LOTS);
	world_settle(&s->w);
}

/* The link breaks, and the next attempt fails. */
static void
lose(struct scene *s)
{
	pass(s, 20 * US_PER_S);
	fake_break(newest());
	send(s, PRESENCE_AVAILABLE, ROMEO "/orchard");
	CHECK(has_attempt());
	fake_down(newest(), REMOTE_OF_PAIR, "refused");
	world_settle(&s->w);
}

static size_t
shown_away(struct scene *s, const char *who)
{
	struct str got = buf_str(&s->romeo.got);
	char what[100];
	size_t n = 0;

	snprintf(what, sizeof(what), "from=\"%s\"", who);
	while ((got.p = memmem(got.p, got.n, what, strlen(what))) != NULL) {
		n++;
		got.p++;
		got.n = (size_t)(s->romeo.got.p + s->romeo.got.n - got.p);
	}
	return n;
}

static size_t
unavailable(struct scene *s)
{
	struct str got = buf_str(&s->romeo.got);
	size_t n = 0;

	while ((got.p = memmem(got.p, got.n, "\"unavailable\"", 13)) != NULL) {
		n++;
		got.p++;
		got.n = (size_t)(s->romeo.got.p + s->romeo.got.n - got.p);
	}
	return n;
}

/* --- lost ------------------------------------------------------------------------ */

TEST(who_cannot_be_reached_for_long_is_shown_as_away_once)
{
	struct scene s;

	scene_init(&s);
	probe(&s);
	up(&s);
	CHECK_INT(s.probes, 1);
	lose(&s);
	pass_down(&s, 10 * MINUTE_US - 2 * US_PER_S);
	CHECK_INT(unavailable(&s), 0);
	pass_down(&s, 4 * US_PER_S);
	CHECK_INT(unavailable(&s), 1);
	CHECK_INT(shown_away(&s, JULIET), 1);
	pass_down(&s, 60 * MINUTE_US);
	CHECK_INT(unavailable(&s), 1);
	scene_done(&s);
}

TEST(a_stream_that_closes_is_no_loss)
{
	struct scene s;

	scene_init(&s);
	probe(&s);
	up(&s);
	s.fakes->ends_at_once = true;
	pass(&s, 11 * MINUTE_US);
	CHECK(newest()->link == NULL);
	pass(&s, 300 * MINUTE_US);
	CHECK_INT(unavailable(&s), 0);
	CHECK_INT(s.probes, 1);
	/* it is remembered who saw what */
	CHECK_INT(remote_there(&s)->watch.all.n, 1);
	send(&s, PRESENCE_AVAILABLE, ROMEO "/orchard");
	pass_down(&s, 11 * MINUTE_US);
	CHECK_INT(shown_away(&s, JULIET), 1);
	scene_done(&s);
}

TEST(nothing_is_taken_back_where_nothing_was_shown)
{
	struct scene s;

	scene_init(&s);
	probe(&s);
	pass_down(&s, 60 * MINUTE_US);
	CHECK(fake_count(HERE, THERE) > 10);
	CHECK_INT(s.romeo.got.n, 0);
	CHECK_INT(s.probes, 0);
	pass_until_tried(&s);
	up(&s);
	CHECK_INT(s.probes, 1);
	scene_done(&s);
}

TEST(another_domain_of_ours_that_is_refused_is_no_loss)
{
	struct scene s;

	scene_init(&s);
	probe(&s);
	up(&s);
	for (int i = 0; i < 20; i++) {
		send(&s, PRESENCE_PROBE, "mercutio@example.net");
		pass(&s, MINUTE_US);
		probe(&s);
		if (fake_find("example.net", THERE)->pair != NULL)
			fake_down(fake_find("example.net", THERE), REMOTE_OF_PAIR, "no");
	}
	CHECK(fake_count("example.net", THERE) < 20);
	CHECK_INT(unavailable(&s), 0);
	scene_done(&s);
}

/* --- back ------------------------------------------------------------------------- */

TEST(who_is_back_is_asked_again)
{
	static const bool comes[] = { false, true };

	for (size_t i = 0; i < COUNT(comes); i++) {
		struct scene s;

		scene_init(&s);
		probe(&s);
		up(&s);
		lose(&s);
		pass_down(&s, 11 * MINUTE_US);
		CHECK_INT(unavailable(&s), 1);
		s.probes = 0;
		if (comes[i])
			tell(&s, TELL_CAME, "");
		/* or one of those who wait tries it now and then */
		pass_until_tried(&s);
		up(&s);
		pass(&s, US_PER_S);
		CHECK(s.probes >= 1);
		CHECK_STR(((struct str){ s.who.p + s.who.n - 18, 18 }),
			ROMEO " ");
		s.probes = 0;
		pass(&s, 5 * MINUTE_US);
		CHECK_INT(s.probes, 0);
		scene_done(&s);
	}
}

TEST(who_asked_in_vain_asks_again_soon)
{
	struct scene s;

	scene_init(&s);
	befriend(&s, "benvolio@" THERE, SUB_PENDING_OUT);
	probe(&s);
	fake_down(newest(), REMOTE_OF_PAIR, "refused");
	pass_down(&s, 30 * US_PER_S);
	CHECK_INT(s.probes, 0);
	tell(&s, TELL_CAME, "");
	pass(&s, US_PER_S);
	up(&s);
	CHECK_INT(s.probes, 1);
	CHECK_INT(s.asks, 1);
	CHECK_INT(unavailable(&s), 0);
	scene_done(&s);
}

TEST(who_has_slept_is_told_when_it_can_be_reached)
{
	struct scene s;

	scene_init(&s);
	tell(&s, TELL_WATCH, ROMEO);
	tell(&s, TELL_WATCH, ROMEO);
	pass(&s, US_PER_S);
	up(&s);
	CHECK_INT(s.probes, 1);
	pass(&s, MINUTE_US);
	CHECK_INT(s.probes, 1);
	CHECK_INT(remote_there(&s)->watch.all.n, 1);
	scene_done(&s);
}

/* --- who watches nobody any more --------------------------------------------------- */

static void
scene_seen(struct scene *s)
{
	scene_init(s);
	probe(s);
	up(s);
	CHECK_INT(remote_there(s)->watch.all.n, 1);
}

static void
leave(struct scene *s)
{
	struct session *romeo = romeo_of(s)->sessions;

	session_set_presence(romeo, NULL, 0);
	send(s, PRESENCE_UNAVAILABLE, ROMEO "/orchard");
}

TEST(who_has_left_watches_no_more)
{
	struct scene s;

	scene_seen(&s);
	/* another session of his has */
	send(&s, PRESENCE_UNAVAILABLE, ROMEO "/hall");
	CHECK_INT(remote_there(&s)->watch.all.n, 1);
	/* and one asks for all */
	leave(&s);
	CHECK_INT(remote_there(&s)->watch.all.n, 0);
	CHECK_INT(remote_there(&s)->watch.n_asks, 0);
	probe(&s);
	CHECK_INT(remote_there(&s)->watch.all.n, 1);
	scene_done(&s);
}

TEST(who_has_no_contacts_there_any_more_watches_no_more)
{
	struct scene s;

	scene_seen(&s);
	befriend(&s, "benvolio@" THERE, SUB_PENDING_OUT);
	befriend(&s, JULIET, SUB_FROM);
	send(&s, PRESENCE_UNSUBSCRIBE, ROMEO);
	CHECK_INT(remote_there(&s)->watch.all.n, 1);
	befriend(&s, "benvolio@" THERE, 0);
	send(&s, PRESENCE_UNSUBSCRIBE, ROMEO);
	CHECK_INT(remote_there(&s)->watch.all.n, 0);
	scene_done(&s);
}

TEST(a_trial_by_one_who_has_gone_is_made_by_the_next)
{
	struct scene s;
	char who[40];

	scene_init(&s);
	for (int i = 0; i < 5; i++) {
		snprintf(who, sizeof(who), "user%d@" HERE, i);
		tell(&s, TELL_WATCH, who);
	}
	tell(&s, TELL_WATCH, ROMEO);
	send(&s, PRESENCE_AVAILABLE, ROMEO "/orchard");
	fake_down(newest(), REMOTE_OF_PAIR, "refused");
	world_settle(&s.w);
	CHECK_INT(remote_there(&s)->watch.all.n, 6);
	pass(&s, 5 * MINUTE_US);
	pass_until_tried(&s);
	CHECK(has_attempt());
	CHECK_INT(remote_there(&s)->watch.all.n, 1);
	fake_down(newest(), REMOTE_OF_PAIR, "refused");
	scene_done(&s);
}

/* --- many ------------------------------------------------------------------------- */

TEST(many_are_told_some_at_a_time)
{
	struct remote_watch *w;
	struct scene s;
	char who[40];

	scene_init(&s);
	for (int i = 0; i < 350; i++) {
		snprintf(who, sizeof(who), "user%d@" HERE, i);
		send(&s, PRESENCE_PROBE, who);
	}
	up(&s);
	w = &remote_there(&s)->watch;
	CHECK_INT(w->all.n, 350);
	/* so many have yet to answer that these, who are nobody, are not asked */
	shard_there(&s)->remotes->n_watch_asks = INT_MAX;
	lose(&s);
	pass_down(&s, 10 * MINUTE_US - US_PER_S);
	CHECK(!w->lost);
	for (int i = 0; i < 12 && !w->lost; i++)
		pass(&s, 100 * US_PER_MS);
	CHECK(w->lost && !TAILQ_EMPTY(&w->sees));
	for (int i = 0; i < 3; i++)
		pass(&s, 100 * US_PER_MS);
	CHECK(TAILQ_EMPTY(&w->sees));
	CHECK_INT(w->all.n, 350);
	tell(&s, TELL_CAME, "");
	for (int i = 3; i > 0; i--) {
		pass(&s, 100 * US_PER_MS);
		CHECK_INT(w->all.n, 50 + (i - 1) * 100);
	}
	pass(&s, 100 * US_PER_MS);
	CHECK_INT(w->all.n, 0);
	if (has_attempt())
		fake_down(newest(), REMOTE_OF_PAIR, "no");
	scene_done(&s);
}

/* --- reload ------------------------------------------------------------------------ */

TEST(what_a_reload_forbids_is_away_in_the_end)
{
	struct scene s;

	scene_init(&s);
	probe(&s);
	up(&s);
	s.fakes->ends_at_once = true;
	world_reload(&s.w, YAML("mode: on, deny: [ " THERE " ]"));
	pass_down(&s, 9 * MINUTE_US);
	CHECK_INT(unavailable(&s), 0);
	pass_down(&s, 2 * MINUTE_US);
	CHECK_INT(shown_away(&s, JULIET), 1);
	s.probes = 0;
	world_reload(&s.w, YAML("mode: on"));
	pass_until_tried(&s);
	up(&s);
	pass(&s, US_PER_S);
	CHECK(s.probes >= 1);
	scene_done(&s);
}

TEST(where_nobody_is_talked_to_any_more_all_are_away)
{
	struct scene s;

	scene_init(&s);
	probe(&s);
	up(&s);
	s.fakes->ends_at_once = true;
	world_reload(&s.w, YAML("mode: off"));
	CHECK_INT(shown_away(&s, JULIET), 1);
	CHECK(remote_there(&s) == NULL);
	scene_done(&s);
}

TEST_MAIN
