/*
 * test_remote.c - domains of other servers: what waits for a link, what is answered,
 * and when; on shards that the test turns, with streams that go nowhere.
 */
#include "config.h"

#include "remote/remote.h"

#include <stdio.h>

#include "base/mem.h"
#include "xml/elem.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/audience.h"
#include "core/entity.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/place.h"
#include "core/router.h"
#include "remote/remote_int.h"

#include "c2s_world.h"
#include "fake_streams.h"
#include "test.h"

#define SHARDS 3
#define HERE "example.org"
#define THERE "far.example"
#define LIMIT_US (30 * US_PER_S)
#define HOUR_US (3600 * US_PER_S)
#define LOTS 1000000
#define ADDRESS "\xc0\x00\x02\x01"
#define FEDERATION "federation: { mode: on, deny: [ forbidden.example ] }\n"
#define YAML(hosts)                                                            \
	"shards: 3\nstorage: { driver: memory }\n" FEDERATION                 \
	"hosts: { " hosts " }\n"

struct scene {
	struct world w;
	struct peer romeo;
	struct fakes *fakes;
};

/* more is YAML of top-level sections. */
static void
scene_init_as(struct scene *s, const char *more)
{
	char yaml[200];

	snprintf(yaml, sizeof(yaml), FEDERATION "%s", more);
	world_init(&s->w, SHARDS, yaml, "");
	s->fakes = fakes_use(&s->w);
	peer_open(&s->romeo, &s->w, 0, true);
	peer_login(&s->romeo, AUTH_ROMEO, BIND("orchard"));
	s->romeo.got.n = 0;
}

static void
scene_init(struct scene *s)
{
	scene_init_as(s, "");
}

static void
scene_done(struct scene *s)
{
	for (struct fake *f = s->fakes->first; f != NULL; f = f->next) {
		if (f->link != NULL || (f->came && f->pair != NULL))
			fake_break(f);
	}
	s->fakes->ends_at_once = true;
	peer_done(&s->romeo);
	world_done(&s->w);
	fakes_free();
}

static struct shard *
shard_of(struct scene *s, const char *domain)
{
	return s->w.server->shards[
		server_place_of(s->w.server, str_c(domain)).shard];
}

static struct remote *
remote_at(struct scene *s, const char *domain)
{
	return (struct remote *)entity_find(shard_of(s, domain), str_c(domain));
}

/* A message with a body of so many bytes; its id is number. */
static void
send_from(struct scene *s, const char *from, const char *to, int number,
	size_t bytes)
{
	struct shard *sh = s->w.server->shards[0];
	struct stanza *st;
	char id[16];
	struct buf body = BUF_INIT;

	snprintf(id, sizeof(id), "%d", number);
	while (body.n < bytes)
		buf_add_c(&body, "x");
	st = stanza_new(MESSAGE_CHAT, jid_trusted(str_c(from)),
		jid_trusted(str_c(to)), str_c(id));
	st->made_here = false;
	elem_add_text(st->arena, elem_add(st->arena, st->root, NS_CLIENT, "body"),
		buf_str(&body));
	buf_done(&body);
	router_send(sh, st);
}

static void
say(struct scene *s, const char *to, int number)
{
	send_from(s, "romeo@example.org/orchard", to, number, 1);
	world_settle(&s->w);
}

static void
say_many(struct scene *s, const char *to, int first, int n)
{
	for (int i = 0; i < n; i++)
		send_from(s, "romeo@example.org/orchard", to, first + i, 1);
	world_settle(&s->w);
}

/* To the microsecond; romeo shows now and then that he is there. */
static void
pass(struct scene *s, int64_t us)
{
	for (int64_t step; us > 0; us -= step) {
		step = MIN(us, 60 * US_PER_S);
		conn_mem_feed(s->romeo.conn, " ", 1);
		clock_manual_advance(&s->w.clock, step);
		world_settle(&s->w);
	}
}

static size_t
answers(const struct scene *s, const char *what)
{
	struct str got = buf_str(&s->romeo.got);
	size_t n = 0;

	while ((got.p = memmem(got.p, got.n, what, strlen(what))) != NULL) {
		n++;
		got.p++;
		got.n = (size_t)(s->romeo.got.p + s->romeo.got.n - got.p);
	}
	return n;
}

static void
check_wrote(const struct fake *f, int first, int n)
{
	struct buf want = BUF_INIT;

	for (int i = 0; i < n; i++)
		buf_printf(&want, "%d ", first + i);
	CHECK_STR(buf_str(&f->wrote), buf_c(&want));
	buf_done(&want);
}

static uint64_t
link_bytes(const struct scene *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SHARDS; i++)
		n += s->w.server->shards[i]->stats.link_bytes.now;
	return n;
}

static struct fake *
newest(void)
{
	struct fake *f = fake_find(HERE, THERE);

	CHECK(f != NULL);
	return f;
}

/* --- the way out --------------------------------------------------------------- */

TEST(what_waits_goes_out_in_order_when_a_link_comes)
{
	const int counts[] = { 1, 2, 3, 300 };

	for (size_t i = 0; i < COUNT(counts); i++) {
		struct scene s;

		scene_init(&s);
		say_many(&s, "x@" THERE, 0, counts[i]);
		CHECK_INT(fake_count(HERE, THERE), 1);
		fake_up(newest(), LOTS);
		world_settle(&s.w);
		check_wrote(newest(), 0, counts[i]);
		CHECK_INT(link_bytes(&s), 0);
		say(&s, THERE, counts[i]);
		say(&s, "y@" THERE "/z", counts[i] + 1);
		check_wrote(newest(), 0, counts[i] + 2);
		CHECK_INT(answers(&s, "<message"), 0);
		scene_done(&s);
	}
}

TEST(each_of_our_domains_has_a_link_of_its_own)
{
	struct scene s;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	send_from(&s, "a@example.net/b", "x@" THERE, 1, 1);
	world_settle(&s.w);
	CHECK_INT(fake_count(HERE, THERE), 1);
	CHECK_INT(fake_count("example.net", THERE), 1);
	fake_up(fake_find("example.net", THERE), LOTS);
	check_wrote(fake_find("example.net", THERE), 1, 1);
	check_wrote(fake_find(HERE, THERE), 0, 0);
	fake_down(newest(), REMOTE_OF_PAIR, "no");
	scene_done(&s);
}

/* What it has got is gone, the rest goes to the next one, and none twice. */
TEST(order_is_kept_over_links_that_break)
{
	struct scene s;
	int n = 0;

	scene_init(&s);
	say_many(&s, "x@" THERE, 0, 100);
	for (int links = 0; links < 10; links++) {
		fake_up(newest(), 7);
		check_wrote(newest(), n, 7);
		n += 7;
		say_many(&s, "x@" THERE, 100 + links * 3, 3);
		pass(&s, 20 * US_PER_S); /* or it counts as a failure */
		fake_break(newest());
		world_settle(&s.w);
		CHECK_INT(fake_count(HERE, THERE), links + 2);
	}
	fake_up(newest(), LOTS);
	check_wrote(newest(), n, 130 - n);
	CHECK_INT(answers(&s, "<message"), 0);
	CHECK_INT(link_bytes(&s), 0);
	scene_done(&s);
}

/* What comes while a link ends stands behind what it was not given. */
TEST(what_comes_while_a_link_ends_waits_for_the_next)
{
	struct scene s;

	scene_init(&s);
	say_many(&s, "x@" THERE, 0, 5);
	fake_up(newest(), 2);
	entity_tell(s.w.server->shards[0],
		&(struct entity_message){ .kind = TELL_KICK,
			.to = jid_trusted(STR(THERE)) });
	world_settle(&s.w);
	CHECK(newest()->told_to_end);
	say_many(&s, "x@" THERE, 5, 5);
	fake_break(newest());
	world_settle(&s.w);
	CHECK_INT(fake_count(HERE, THERE), 2);
	fake_up(newest(), LOTS);
	check_wrote(newest(), 2, 8);
	scene_done(&s);
}

static void
on_shown_steps(void *arg, const struct remote_shown *shown)
{
	struct buf *out = arg;

	out->n = 0;
	remote_steps(shown, out);
}

static const char *
steps(struct scene *s, struct buf *out)
{
	remote_show(shard_of(s, THERE), STR(THERE), on_shown_steps, out);
	return buf_c(out);
}

/* A link keeps no more than that, whatever was noted on the way. */
TEST(what_a_stream_can_tell_is_not_kept_with_its_link)
{
	struct buf out = BUF_INIT;
	struct scene s;
	struct remote_pair *p;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	p = newest()->pair;
	remote_step(p, "SRV", "ok", "by nobody else");
	remote_steps_begin(p);
	for (int i = 0; i < 9; i++)
		remote_step(p, "told", "ok", "with many words for which there is no use any more");
	CHECK(strstr(steps(&s, &out), "no use") != NULL);
	fake_up(newest(), LOTS);
	for (int i = 0; i < 2; i++)
		CHECK_CSTR(steps(&s, &out), "SRV\tok\tby nobody else\n"
					    "told\tok\tby the stream\n");
	CHECK_INT(p->steps.n, strlen("SRV\tok\tby nobody else\n"));
	CHECK(p->steps.cap <= 64);
	buf_done(&out);
	scene_done(&s);
}

/* --- answers ------------------------------------------------------------------- */

TEST(it_is_answered_as_soon_as_nothing_is_left_to_try)
{
	static const struct {
		enum remote_failed what;
		const char *cond;
	} cases[] = {
		{ REMOTE_NO_NAME, "remote-server-not-found" },
		{ REMOTE_NO_ANSWER, "remote-server-timeout" },
		{ REMOTE_OF_PAIR, "remote-server-timeout" },
		{ REMOTE_NOT_BELIEVED, "internal-server-error" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s;

		TEST_CASE(cases[i].cond);
		scene_init(&s);
		say_many(&s, "x@" THERE, 0, 3);
		fake_down(newest(), cases[i].what, "no");
		world_settle(&s.w);
		CHECK_INT(answers(&s, "type=\"error\""), 3);
		CHECK_INT(answers(&s, cases[i].cond), 3);
		CHECK_INT(answers(&s, "from=\"x@" THERE "\""), 3);
		CHECK_INT(link_bytes(&s), 0);
		/* and so is what comes next, without an attempt */
		say(&s, "x@" THERE, 3);
		CHECK_INT(answers(&s, cases[i].cond), 4);
		CHECK_INT(fake_count(HERE, THERE), 1);
		scene_done(&s);
	}
}

TEST(the_limit_runs_from_the_first_that_waits)
{
	struct scene s;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	pass(&s, LIMIT_US - 1);
	say(&s, "x@" THERE, 1);
	CHECK_INT(answers(&s, "<message"), 0);
	CHECK(!newest()->cancelled);
	pass(&s, 1);
	CHECK(newest()->cancelled);
	CHECK_INT(answers(&s, "remote-server-timeout"), 2);
	CHECK_INT(answers(&s, "did not answer in time"), 2);
	CHECK_INT(link_bytes(&s), 0);
	CHECK_STR(str_c(remote_at(&s, THERE)->failures->all[0].why),
		"a fake: it took too long");
	scene_done(&s);
}

/* What only the server has said is for nobody. */
TEST(presence_of_ours_goes_without_an_answer)
{
	struct scene s;
	struct stanza *st;

	scene_init(&s);
	st = stanza_new(PRESENCE_PROBE, jid_trusted(STR("romeo@example.org")),
		jid_trusted(STR("x@" THERE)), STR_NONE);
	router_send(s.w.server->shards[0], st);
	world_settle(&s.w);
	fake_down(newest(), REMOTE_OF_PAIR, "no");
	world_settle(&s.w);
	CHECK_INT(s.romeo.got.n, 0);
	CHECK_INT(link_bytes(&s), 0);
	scene_done(&s);
}

/* --- pauses -------------------------------------------------------------------- */

/* 1, 2, 4, ... seconds, up to the longest, each less at most a quarter. */
static void
check_left_alone(enum remote_failed what, const char *cond)
{
	int64_t longest = 300 * US_PER_S, at_most = US_PER_S;
	struct scene s;
	int n = 0;

	scene_init(&s);
	for (unsigned i = 1; i <= 12; i++) {
		say(&s, "x@" THERE, n++);
		CHECK_INT(fake_count(HERE, THERE), i);
		fake_down(newest(), what, "no");
		pass(&s, at_most * 3 / 4 - 1);
		say(&s, "x@" THERE, n++);
		CHECK_INT(fake_count(HERE, THERE), i);
		CHECK_INT(answers(&s, cond), n);
		pass(&s, at_most / 4 + 1);
		at_most = MIN(at_most * 2, longest);
	}
	/* told once, and counted */
	CHECK_INT(remote_at(&s, THERE)->failures->n, 1);
	CHECK_INT(remote_at(&s, THERE)->failures->all[0].times, 12);
	scene_done(&s);
}

TEST(who_fails_is_left_alone_for_longer_and_longer)
{
	check_left_alone(REMOTE_OF_PAIR, "remote-server-timeout");
	check_left_alone(REMOTE_NOT_BELIEVED, "internal-server-error");
	check_left_alone(REMOTE_NO_ANSWER, "remote-server-timeout");
	check_left_alone(REMOTE_NO_NAME, "remote-server-not-found");
}

TEST(a_pause_ends_when_they_come_or_by_a_reload)
{
	for (int how = 0; how < 4; how++) {
		struct scene s;

		scene_init(&s);
		say(&s, "x@" THERE, 0);
		fake_down(newest(),
			how < 2 ? REMOTE_OF_PAIR : REMOTE_NO_ANSWER, "no");
		world_settle(&s.w);
		if (how % 2 == 0)
			remote_came(s.w.server->shards[0], STR(THERE));
		else
			world_reload(&s.w,
				YAML("example.org: {}, example.net: {}"));
		world_settle(&s.w);
		say(&s, "x@" THERE, 1);
		CHECK_INT(fake_count(HERE, THERE), 2);
		fake_up(newest(), LOTS);
		check_wrote(newest(), 1, 1);
		scene_done(&s);
	}
}

#define ALSO "example.net"

static void
say_as(struct scene *s, const char *local, int number)
{
	char from[64];

	snprintf(from, sizeof(from), "romeo@%s/orchard", local);
	send_from(s, from, "x@" THERE, number, 1);
	world_settle(&s->w);
}

/* What one has found out of the whole domain holds for all. */
TEST(no_two_of_ours_find_out_that_a_domain_is_dead)
{
	static const struct {
		enum remote_failed what;
		const char *cond;
		unsigned attempts; /* of the other */
	} cases[] = {
		{ REMOTE_NO_NAME, "remote-server-not-found", 0 },
		{ REMOTE_NO_ANSWER, "remote-server-timeout", 0 },
		{ REMOTE_OF_PAIR, "remote-server-timeout", 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s;

		TEST_CASE(cases[i].cond);
		scene_init(&s);
		say_as(&s, ALSO, 0);
		fake_down(fake_find(ALSO, THERE), cases[i].what, "no");
		say(&s, "x@" THERE, 1);
		CHECK_INT(fake_count(HERE, THERE), cases[i].attempts);
		CHECK_INT(answers(&s, cases[i].cond), !cases[i].attempts);
		if (cases[i].attempts == 0) {
			/* and is forgotten where nothing was tried */
			CHECK(pair_find(remote_at(&s, THERE), STR(HERE)) == NULL);
			pass(&s, US_PER_S);
			say(&s, "x@" THERE, 2);
			CHECK_INT(fake_count(HERE, THERE), 1);
			fake_down(newest(), cases[i].what, "no");
			/* the second failure, whoever had the first */
			CHECK_INT(remote_at(&s, THERE)->pause.failures, 2);
			pass(&s, 3 * US_PER_S / 2 - 1);
			say_as(&s, ALSO, 3);
			CHECK_INT(fake_count(ALSO, THERE), 1);
		} else {
			fake_down(newest(), cases[i].what, "no");
		}
		scene_done(&s);
	}
}

/* It limits itself to what is its own. */
TEST(what_one_pair_does_wrong_is_no_other_ones_trouble)
{
	struct scene s;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	fake_down(newest(), REMOTE_OF_PAIR, "the certificate");
	say_as(&s, ALSO, 1);
	fake_up(fake_find(ALSO, THERE), LOTS);
	/* somebody is there, and does not want this one */
	say(&s, "x@" THERE, 2);
	CHECK_INT(fake_count(HERE, THERE), 1);
	CHECK_INT(answers(&s, "remote-server-timeout"), 2);
	scene_done(&s);
}

TEST(a_link_of_any_pair_ends_what_all_wait_for)
{
	struct scene s;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	say_as(&s, ALSO, 1);
	fake_down(newest(), REMOTE_NO_ANSWER, "no");
	/* whose attempt had begun before */
	CHECK(!fake_find(ALSO, THERE)->cancelled);
	fake_up(fake_find(ALSO, THERE), LOTS);
	CHECK_INT(remote_at(&s, THERE)->pause.failures, 0);
	say(&s, "x@" THERE, 2);
	CHECK_INT(fake_count(HERE, THERE), 2);
	fake_up(newest(), LOTS);
	check_wrote(newest(), 2, 1);
	scene_done(&s);
}

TEST(two_that_fail_at_the_same_time_are_one_failure)
{
	struct scene s;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	say_as(&s, ALSO, 1);
	pass(&s, US_PER_S);
	fake_down(newest(), REMOTE_NO_ANSWER, "no");
	fake_down(fake_find(ALSO, THERE), REMOTE_NO_ANSWER, "no");
	CHECK_INT(remote_at(&s, THERE)->pause.failures, 1);
	CHECK_INT(remote_at(&s, THERE)->failures->n, 1);
	CHECK_INT(remote_at(&s, THERE)->failures->all[0].times, 2);
	world_settle(&s.w);
	CHECK_INT(answers(&s, "remote-server-timeout"), 1);
	CHECK_INT(link_bytes(&s), 0);
	scene_done(&s);
}

/* Of two that wait while it restarts, each has its own limit, and one tells both. */
TEST(while_a_domain_restarts_one_tries_at_a_time)
{
	struct scene s;
	unsigned before;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	fake_up(newest(), LOTS);
	pass(&s, 60 * US_PER_S);
	fake_break(newest());
	say(&s, "x@" THERE, 1);
	fake_down(newest(), REMOTE_NO_ANSWER, "no");
	before = fake_count(ALSO, THERE);
	say_as(&s, ALSO, 2);
	CHECK_INT(fake_count(ALSO, THERE), before);
	CHECK_INT(answers(&s, "<message"), 0);
	pass(&s, US_PER_S);
	/* the pause is over for both: who comes first, comes */
	CHECK_INT(fake_count(ALSO, THERE), 1);
	fake_up(fake_find(ALSO, THERE), LOTS);
	fake_up(newest(), LOTS);
	check_wrote(newest(), 1, 1);
	check_wrote(fake_find(ALSO, THERE), 2, 1);
	scene_done(&s);
}

/* Nobody knows why a stream did not come up in time; that nobody answers is known. */
TEST(what_takes_too_long_is_told_by_what_it_waited_for)
{
	static const enum remote_failed whats[] = { REMOTE_OF_PAIR,
		REMOTE_NO_ANSWER };

	for (size_t i = 0; i < COUNT(whats); i++) {
		struct scene s;

		scene_init(&s);
		say(&s, "x@" THERE, 0);
		newest()->late = whats[i];
		pass(&s, LIMIT_US);
		CHECK(newest()->cancelled);
		CHECK_INT(answers(&s, "remote-server-timeout"), 1);
		say_as(&s, ALSO, 1);
		CHECK_INT(fake_count(ALSO, THERE), whats[i] == REMOTE_OF_PAIR);
		if (whats[i] == REMOTE_OF_PAIR)
			fake_down(fake_find(ALSO, THERE), REMOTE_OF_PAIR, "no");
		scene_done(&s);
	}
}

/* Within the limit, and with pauses. */
TEST(who_was_linked_within_the_hour_is_restarting)
{
	struct scene s;
	unsigned n;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	fake_up(newest(), LOTS);
	pass(&s, 60 * US_PER_S);
	fake_break(newest());
	pass(&s, HOUR_US - 31 * US_PER_S);
	say(&s, "x@" THERE, 1);
	for (n = 1; answers(&s, "<message") == 0; n++) {
		CHECK_INT(fake_count(HERE, THERE), n + 1);
		fake_down(newest(), REMOTE_OF_PAIR, "no");
		for (int64_t us = 0; us < 16 * US_PER_S &&
			newest()->pair == NULL &&
			answers(&s, "<message") == 0; us += US_PER_S / 100)
			pass(&s, US_PER_S / 100);
	}
	/* after 0, 1, 3, 7, 15 seconds, and not at 31 */
	CHECK(n - 1 == 5 || n - 1 == 6);
	CHECK_INT(answers(&s, "remote-server-timeout"), 1);
	/* what comes in a pause of the limit waits */
	pass(&s, HOUR_US);
	say(&s, "x@" THERE, 2);
	fake_down(newest(), REMOTE_OF_PAIR, "no");
	world_settle(&s.w);
	CHECK_INT(answers(&s, "remote-server-timeout"), 2);
	scene_done(&s);
}

/* However often it accepts. */
TEST(who_takes_nothing_does_not_stop_the_limit)
{
	struct scene s;
	unsigned n = 0;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	for (int64_t us = 0; us < LIMIT_US - US_PER_S; us += US_PER_S / 10) {
		if (newest()->pair != NULL && newest()->link == NULL) {
			fake_up(newest(), 0);
			n++;
			fake_break(newest());
		}
		pass(&s, US_PER_S / 10);
	}
	CHECK(n >= 4 && n <= 6);
	CHECK_INT(answers(&s, "<message"), 0);
	pass(&s, US_PER_S);
	CHECK_INT(answers(&s, "remote-server-timeout"), 1);
	scene_done(&s);
}

/* --- bounds -------------------------------------------------------------------- */

TEST(so_many_wait_and_no_more)
{
	const int limits[] = { 1, 2, 100, 1000 };

	for (size_t i = 0; i < COUNT(limits); i++) {
		struct scene s;
		char more[64];
		int n;

		snprintf(more, sizeof(more), "s2s: { queue_stanzas: %d }",
			limits[i]);
		TEST_CASE(more);
		scene_init_as(&s, more);
		for (n = 0; n < limits[i]; n++) {
			say(&s, "x@" THERE, n);
			CHECK_INT(remote_at(&s, THERE)->n_waiting, n + 1);
		}
		CHECK_INT(answers(&s, "<message"), 0);
		say(&s, "x@" THERE, n);
		CHECK_INT(answers(&s, "resource-constraint"), 1);
		/* of the whole domain, whoever of ours sends */
		send_from(&s, "a@example.net/b", "x@" THERE, n + 1, 1);
		world_settle(&s.w);
		CHECK_INT(remote_at(&s, THERE)->n_waiting, limits[i]);
		CHECK_INT(fake_count("example.net", THERE), 0);
		fake_up(newest(), LOTS);
		check_wrote(newest(), 0, limits[i]);
		CHECK_INT(link_bytes(&s), 0);
		scene_done(&s);
	}
}

/* One alone may be larger than all. */
TEST(so_many_bytes_wait_and_no_more)
{
	size_t most = 1 << 20, each = most / 16;
	struct scene s;
	int i;

	scene_init(&s);
	for (i = 0; answers(&s, "<message") == 0; i++) {
		send_from(&s, "romeo@example.org/orchard", "x@" THERE, i, each);
		world_settle(&s.w);
		CHECK(remote_at(&s, THERE)->bytes <= most);
	}
	CHECK(i >= 14 && i <= 17);
	fake_down(newest(), REMOTE_OF_PAIR, "no");
	world_settle(&s.w);
	CHECK_INT(answers(&s, "<message"), i);
	CHECK_INT(link_bytes(&s), 0);
	pass(&s, US_PER_S);
	send_from(&s, "romeo@example.org/orchard", "x@" THERE, i, 2 * most);
	world_settle(&s.w);
	CHECK_INT(answers(&s, "<message"), i);
	fake_up(newest(), LOTS);
	check_wrote(newest(), i, 1);
	scene_done(&s);
}

/* Two thousand, and more, asked for by one who has nothing else to do. */
TEST(one_who_asks_for_thousands_of_domains_is_nobodys_trouble)
{
	int share = 20000 / SHARDS / 16;
	struct scene s;
	char to[64];
	int n = 4000;

	scene_init(&s);
	for (int i = 0; i < n; i++) {
		snprintf(to, sizeof(to), "x@d%d.example", i);
		say(&s, to, i);
	}
	/* those that may begin at once, at each shard */
	CHECK_INT(s.fakes->n, 32 * SHARDS);
	CHECK(answers(&s, "resource-constraint") >=
		(size_t)(n - 3 * share));
	/* somebody else begins at once, also where he stands in line */
	send_from(&s, "juliet@example.org/x", "x@free.example", 1, 1);
	send_from(&s, "juliet@example.org/x", "x@d1000.example", 1, 1);
	world_settle(&s.w);
	CHECK_INT(fake_count(HERE, "free.example"), 1);
	CHECK_INT(fake_count(HERE, "d1000.example"), 1);
	/* he himself can go on as time passes */
	pass(&s, US_PER_S);
	CHECK_INT(s.fakes->n, 2 * 32 * SHARDS + 2);
	/* and when those end that he has begun */
	fake_down(s.fakes->first, REMOTE_OF_PAIR, "no");
	world_settle(&s.w);
	CHECK(s.fakes->n >= 2 * 32 * SHARDS + 2);
	pass(&s, LIMIT_US);
	CHECK_INT(answers(&s, "<message"), n);
	CHECK_INT(link_bytes(&s), 0);
	/* those that failed are remembered for an hour, and their place is
	 * another's when he needs it */
	pass(&s, HOUR_US);
	pass(&s, HOUR_US);
	for (unsigned i = 0; i < SHARDS; i++)
		CHECK(s.w.server->shards[i]->remotes == NULL);
	scene_done(&s);
}

/* Of a shard ten at the least, a third of them all here. */
TEST(so_many_domains_and_no_more)
{
	const unsigned limits[] = { 10, 60, 3000 };

	for (size_t at = 0; at < COUNT(limits); at++) {
		unsigned max = MAX(10, limits[at] / SHARDS), n = 0, begun;
		char to[64], from[64], more[64];
		struct scene s;

		snprintf(more, sizeof(more), "s2s: { domains: %u }", limits[at]);
		TEST_CASE(more);
		scene_init_as(&s, more);
		/* each from somebody else, or that would stop him before */
		for (unsigned i = 0; i < 2 * SHARDS * max; i++) {
			snprintf(to, sizeof(to), "x@d%u.example", i);
			snprintf(from, sizeof(from), "u%u@example.org/x", i);
			send_from(&s, from, to, 1, 1);
			if (i % 1000 == 0)
				world_settle(&s.w);
		}
		world_settle(&s.w);
		for (unsigned i = 0; i < SHARDS; i++) {
			CHECK(s.w.server->shards[i]->remotes->n <= max);
			n += s.w.server->shards[i]->remotes->n;
		}
		CHECK(n >= SHARDS * max * 9 / 10);
		CHECK_INT(s.fakes->n, n);
		/* once they have failed they make room */
		pass(&s, LIMIT_US);
		begun = s.fakes->n;
		for (unsigned i = 0; i < 10; i++) {
			snprintf(to, sizeof(to), "x@late%u.example", i);
			say(&s, to, 1);
		}
		CHECK_INT(s.fakes->n, begun + 10);
		CHECK_INT(answers(&s, "<message"), 0);
		pass(&s, LIMIT_US);
		scene_done(&s);
	}
}

/* --- links --------------------------------------------------------------------- */

TEST(an_idle_link_ends)
{
	int64_t idle_us = 600 * US_PER_S;
	struct scene s;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	fake_up(newest(), LOTS);
	pass(&s, idle_us - 1);
	CHECK(!newest()->told_to_end);
	say(&s, "x@" THERE, 1);
	pass(&s, idle_us - 1);
	CHECK(!newest()->told_to_end);
	pass(&s, 1);
	CHECK(newest()->told_to_end);
	CHECK_INT(newest()->cond, STREAM_COND_NONE);
	fake_break(newest());
	world_settle(&s.w);
	/* the next one comes when there is something for it */
	CHECK_INT(fake_count(HERE, THERE), 1);
	say(&s, "x@" THERE, 2);
	CHECK_INT(fake_count(HERE, THERE), 2);
	fake_up(newest(), LOTS);
	s.fakes->ends_at_once = true;
	pass(&s, idle_us);
	CHECK(newest()->link == NULL);
	CHECK_INT(newest()->n_wrote, 1);
	scene_done(&s);
}

TEST(what_is_forbidden_is_not_tried)
{
	struct scene s;

	scene_init(&s);
	say(&s, "x@forbidden.example", 0);
	say(&s, "x@192.0.2.1", 1);
	CHECK_INT(answers(&s, "not-allowed"), 2);
	CHECK_INT(s.fakes->n, 0);
	/* nothing is kept of it */
	CHECK_INT(remote_at(&s, "forbidden.example")->n_busy, 0);
	CHECK(LIST_EMPTY(&remote_at(&s, "forbidden.example")->pairs));
	scene_done(&s);
}

/* Links that stand, attempts, and what waits. */
TEST(what_is_forbidden_from_now_on_ends)
{
	static const struct {
		const char *federation, *cond;
	} cases[] = {
		{ "{ mode: on, deny: [ " THERE ", late.example ] }",
			"not-allowed" },
		{ "{ mode: on, allow: [ other.example ] }", "not-allowed" },
		{ "off", "remote-server-not-found" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s;
		char yaml[512];

		TEST_CASE(cases[i].federation);
		scene_init(&s);
		say(&s, "x@late.example", 0);
		say(&s, "x@" THERE, 1);
		fake_up(newest(), 1);
		say(&s, "x@" THERE, 2);
		snprintf(yaml, sizeof(yaml),
			"shards: 3\nstorage: { driver: memory }\n"
			"hosts: { example.org: {}, example.net: {} }\n"
			"federation: %s\n",
			cases[i].federation);
		world_reload(&s.w, yaml);
		CHECK(fake_find(HERE, "late.example")->cancelled);
		CHECK(newest()->told_to_end);
		CHECK_INT(answers(&s, cases[i].cond), 1);
		fake_break(newest());
		world_settle(&s.w);
		CHECK_INT(answers(&s, cases[i].cond), 2);
		say(&s, "x@" THERE, 3);
		CHECK_INT(answers(&s, "<message"), 3);
		CHECK_INT(s.fakes->n, 2);
		CHECK_INT(link_bytes(&s), 0);
		world_reload(&s.w, YAML("example.org: {}, example.net: {}"));
		say(&s, "x@" THERE, 4);
		CHECK_INT(s.fakes->n, 3);
		fake_down(newest(), REMOTE_OF_PAIR, "no");
		scene_done(&s);
	}
}

/* One host does, the other does not. */
TEST(a_host_that_talks_to_nobody_says_so)
{
	struct scene s;

	scene_init(&s);
	world_reload(&s.w,
		YAML("example.org: { federation: off }, example.net: {}"));
	say(&s, "x@" THERE, 0);
	CHECK_INT(answers(&s, "remote-server-not-found"), 1);
	CHECK_INT(answers(&s, "does not talk to other servers"), 1);
	CHECK_INT(s.fakes->n, 0);
	scene_done(&s);
}

/* Each shard posts to those that its members live at, which for addresses of others
 * is where their domain does. */
TEST(what_is_said_to_many_reaches_those_at_other_servers)
{
	const int counts[] = { 0, 1, 2, 300 };

	for (size_t at = 0; at < COUNT(counts); at++) {
		struct shard *sh;
		struct audience *a;
		struct scene s;
		char who[64];

		scene_init(&s);
		sh = world_owner(&s.w, "romeo");
		a = audience_new(sh, 1);
		for (int i = 0; i < counts[at]; i++) {
			snprintf(who, sizeof(who), "u%d@d%d.example", i, i % 7);
			audience_join(a, jid_trusted(str_c(who)), 1);
			snprintf(who, sizeof(who), "u%d@example.org", i);
			audience_join(a, jid_trusted(str_c(who)), 1);
		}
		for (int i = 0; i < 3; i++) {
			snprintf(who, sizeof(who), "%d", i);
			audience_send(a,
				stanza_new(PRESENCE_AVAILABLE,
					jid_trusted(STR("romeo@example.org/a")),
					(struct jid){ .text = NULL },
					str_c(who)),
				1, NULL, (struct jid){ .text = NULL });
		}
		audience_free(a);
		world_settle(&s.w);
		CHECK_INT(s.fakes->n, MIN(counts[at], 7));
		for (struct fake *f = s.fakes->first; f != NULL; f = f->next) {
			int members = 0;

			for (int i = 0; i < counts[at]; i++) {
				snprintf(who, sizeof(who), "d%d.example", i % 7);
				members += strcmp(who, f->domain) == 0;
			}
			fake_up(f, LOTS);
			CHECK_INT(f->n_wrote, 3 * members);
			CHECK(members == 0 || f->wrote.p[0] == '0');
		}
		scene_done(&s);
	}
}

/* That domain of ours is not served any more, or theirs is ours now. */
TEST(a_reload_ends_links)
{
	static const char *const hosts[] = { YAML("example.org: {}"),
		YAML("example.org: {}, example.net: {}, " THERE ": {}") };

	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct fake *up, *waits;
		struct scene s;

		scene_init(&s);
		send_from(&s, "a@example.net/b", "x@" THERE, 0, 1);
		send_from(&s, "a@example.net/b", "x@other.example", 0, 1);
		world_settle(&s.w);
		up = fake_find("example.net", THERE);
		waits = fake_find("example.net", "other.example");
		fake_up(up, LOTS);
		world_reload(&s.w, hosts[i]);
		CHECK(up->told_to_end);
		CHECK_INT(up->cond, STREAM_HOST_GONE);
		CHECK_INT(waits->cancelled, i == 0);
		fake_break(up);
		world_settle(&s.w);
		pass(&s, 1);
		CHECK(i == 0 || remote_at(&s, THERE) == NULL ||
			remote_at(&s, THERE)->e.class != &remote_class);
		if (waits->pair != NULL)
			fake_down(waits, REMOTE_OF_PAIR, "no");
		scene_done(&s);
	}
}

TEST(at_the_stop_what_waits_is_answered)
{
	struct scene s;

	scene_init_as(&s, "s2s: { keep: 0s }\n");
	say_many(&s, "x@" THERE, 0, 3);
	say(&s, "x@other.example", 3);
	fake_up(newest(), 1);
	s.fakes->ends_at_once = true;
	for (unsigned i = 0; i < SHARDS; i++)
		entity_close_all(s.w.server->shards[i]);
	CHECK(newest()->link == NULL);
	CHECK(fake_find(HERE, "other.example")->cancelled);
	CHECK_INT(link_bytes(&s), 0);
	scene_done(&s);
}

/* Sessions have yet to say their last word. */
TEST(links_outlast_what_waits_at_the_stop)
{
	struct scene s;

	scene_init_as(&s, "s2s: { keep: 0s }\n");
	say(&s, "x@" THERE, 0);
	fake_up(newest(), LOTS);
	say(&s, "x@other.example", 1);
	for (unsigned i = 0; i < SHARDS; i++)
		remotes_stop(s.w.server->shards[i]);
	world_settle(&s.w);
	CHECK_INT(answers(&s, "remote-server-timeout"), 1);
	CHECK(fake_find(HERE, "other.example")->cancelled);
	say(&s, "x@" THERE, 2);
	CHECK_INT(newest()->n_wrote, 2);
	say(&s, "x@other.example", 3);
	CHECK_INT(answers(&s, "remote-server-timeout"), 2);
	fake_break(newest());
	say(&s, "x@" THERE, 4);
	CHECK_INT(answers(&s, "remote-server-timeout"), 3);
	CHECK_INT(s.fakes->n, 2);
	scene_done(&s);
}

/* There is nobody to be told when it ends. */
TEST(what_waits_in_a_link_is_answered_at_the_stop)
{
	struct scene s;

	scene_init_as(&s, "s2s: { keep: 0s }\n");
	say(&s, "x@" THERE, 0);
	fake_up(newest(), 1);
	say(&s, "x@" THERE, 1);
	say(&s, "x@" THERE, 2);
	CHECK_INT(newest()->n_wrote, 1);
	for (unsigned i = 0; i < SHARDS; i++)
		remotes_stop(s.w.server->shards[i]);
	world_settle(&s.w);
	CHECK_INT(answers(&s, "remote-server-timeout"), 2);
	CHECK_INT(link_bytes(&s), 0);
	CHECK(newest()->link != NULL);
	fake_break(newest());
	world_settle(&s.w);
	CHECK_INT(answers(&s, "remote-server-timeout"), 2);
	scene_done(&s);
}

/* --- keys ---------------------------------------------------------------------- */

struct verdict {
	int n;
	enum err_code code;
};

static void
on_verdict(void *arg, bool ok, const struct err *err)
{
	struct verdict *v = arg;

	v->n++;
	v->code = ok ? ERR_NONE : err->code;
}

static void
ask_key(struct scene *s, struct verdict *v)
{
	remote_verify_ask(s->w.server->shards[1], STR(HERE), STR(THERE),
		STR(ADDRESS), STR("stream1"), STR("the key"), false, on_verdict, v);
	world_settle(&s->w);
}

TEST(a_key_goes_out_by_the_attempt_or_the_link_and_is_answered_once)
{
	struct scene s;
	struct verdict v[4] = { { 0 } };

	scene_init(&s);
	ask_key(&s, &v[0]);
	CHECK_INT(fake_count(HERE, THERE), 1);
	CHECK_INT(newest()->n_verifies, 1);
	CHECK(str_is(newest()->verifies[0]->stream_id, "stream1"));
	CHECK(str_is(newest()->verifies[0]->key, "the key"));
	CHECK_INT(v[0].n, 0);
	ask_key(&s, &v[1]);
	CHECK_INT(newest()->n_verifies, 2);
	newest()->n_verifies = 0;
	remote_verified(newest()->verifies[0], ERR_NONE,
		NULL);
	remote_verified(newest()->verifies[1], ERR_INVALID,
		NULL);
	world_settle(&s.w);
	CHECK_INT(v[0].code, ERR_NONE);
	CHECK_INT(v[1].code, ERR_INVALID);
	fake_up(newest(), LOTS);
	ask_key(&s, &v[2]);
	ask_key(&s, &v[3]);
	CHECK_INT(newest()->n_verifies, 2);
	remote_verified(newest()->verifies[--newest()->n_verifies], ERR_NONE,
		NULL);
	fake_break(newest());
	world_settle(&s.w);
	CHECK_INT(v[3].code, ERR_NONE);
	CHECK_INT(v[2].code, ERR_CLOSED);
	for (int i = 0; i < 4; i++)
		CHECK_INT(v[i].n, 1);
	scene_done(&s);
}

/* Who has many domains, and answers for all, fills nobody else's room. */
TEST(a_link_for_a_key_alone_ends_soon)
{
	struct verdict v[3] = { { 0 } };
	struct scene s;

	scene_init(&s);
	ask_key(&s, &v[0]);
	fake_up(newest(), LOTS);
	CHECK_INT(shard_of(&s, THERE)->remotes->strangers, 1);
	remote_verified(newest()->verifies[--newest()->n_verifies], ERR_NONE,
		NULL);
	pass(&s, 10 * US_PER_S - 1);
	CHECK(!newest()->told_to_end);
	pass(&s, 1);
	CHECK(newest()->told_to_end);
	fake_break(newest());
	world_settle(&s.w);
	/* not while a key is asked about; nor when it has been used */
	ask_key(&s, &v[1]);
	fake_up(newest(), LOTS);
	pass(&s, LIMIT_US - 1);
	CHECK(!newest()->told_to_end);
	say(&s, "x@" THERE, 0);
	CHECK_INT(shard_of(&s, THERE)->remotes->strangers, 0);
	remote_verified(newest()->verifies[--newest()->n_verifies], ERR_NONE,
		NULL);
	pass(&s, LIMIT_US);
	CHECK(!newest()->told_to_end);
	/* whom nobody answers that it asks is no better */
	fake_break(newest());
	world_settle(&s.w);
	ask_key(&s, &v[2]);
	fake_up(newest(), LOTS);
	pass(&s, LIMIT_US);
	CHECK_INT(v[2].code, ERR_TIMEOUT);
	CHECK(newest()->told_to_end);
	fake_break(newest());
	world_settle(&s.w);
	scene_done(&s);
}

TEST(keys_from_one_address_leave_room_for_those_from_others)
{
	struct verdict v[2] = { { 0 } };
	char domain[32];
	struct scene s;
	struct shard *sh;
	unsigned n;

	scene_init_as(&s, "s2s: { domains: 1000 }\n");
	sh = s.w.server->shards[1];
	for (n = 0; v[0].n == 0 || v[0].code == ERR_NONE; n++) {
		CHECK(n < 100);
		snprintf(domain, sizeof(domain), "d%u.example", n);
		remote_verify_ask(sh, STR(HERE), str_c(domain), STR(ADDRESS),
			STR("id"), STR("key"), false, on_verdict, &v[0]);
		world_settle(&s.w);
	}
	/* of a third of the domains, which is that of a shard, a quarter is for
	 * strangers, and an eighth of this for one address */
	CHECK(n > 1000 / 3 / 4 / 8);
	CHECK_INT(v[0].n, 1);
	CHECK_INT(v[0].code, ERR_LIMIT);
	remote_verify_ask(sh, STR(HERE), str_c(domain), STR("elsewhere"),
		STR("id"), STR("key"), false, on_verdict, &v[1]);
	world_settle(&s.w);
	CHECK_INT(v[1].n, 0);
	CHECK_INT(fake_count(HERE, domain), 1);
	/* whoever has waited in vain is counted no more */
	pass(&s, LIMIT_US);
	CHECK_INT(shard_of(&s, domain)->remotes->strangers, 0);
	scene_done(&s);
}

/* Or two who start at once would wait for each other. */
TEST(a_key_is_asked_for_also_in_a_pause)
{
	struct verdict v = { 0 };
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < 5; i++) {
		say(&s, "x@" THERE, i);
		if (newest()->pair != NULL)
			fake_down(newest(), REMOTE_OF_PAIR, "no");
		pass(&s, 2 * US_PER_S);
	}
	CHECK(newest()->pair == NULL);
	ask_key(&s, &v);
	CHECK(newest()->pair != NULL && newest()->n_verifies == 1);
	remote_verified(newest()->verifies[--newest()->n_verifies], ERR_NONE,
		NULL);
	world_settle(&s.w);
	CHECK_INT(v.n, 1);
	fake_up(newest(), LOTS);
	scene_done(&s);
}

TEST(a_key_has_a_limit_of_time)
{
	struct verdict v[2] = { { 0 } };
	struct scene s;

	scene_init(&s);
	ask_key(&s, &v[0]);
	pass(&s, LIMIT_US / 2);
	say(&s, "x@" THERE, 0);
	pass(&s, LIMIT_US / 2 - 1);
	CHECK_INT(v[0].n, 0);
	pass(&s, 1);
	CHECK_INT(v[0].n, 1);
	CHECK_INT(v[0].code, ERR_TIMEOUT);
	CHECK(!newest()->cancelled); /* a stanza waits, and not so long */
	pass(&s, LIMIT_US / 2);
	CHECK(newest()->cancelled);
	CHECK_INT(answers(&s, "remote-server-timeout"), 1);
	/* alone it is cancelled at the same time */
	pass(&s, US_PER_S);
	ask_key(&s, &v[1]);
	pass(&s, LIMIT_US);
	CHECK_INT(v[1].n, 1);
	CHECK_INT(v[1].code, ERR_TIMEOUT);
	CHECK(newest()->cancelled);
	scene_done(&s);
}

TEST(so_many_keys_and_no_more)
{
	struct verdict all[70] = { { 0 } };
	struct scene s;
	int refused = 0;

	scene_init(&s);
	/* none is given to a stream: the next attempt waits for its second */
	ask_key(&s, &all[0]);
	fake_down(newest(), REMOTE_OF_PAIR, "no");
	world_settle(&s.w);
	for (size_t i = 1; i < COUNT(all); i++)
		ask_key(&s, &all[i]);
	for (size_t i = 1; i < COUNT(all); i++)
		refused += all[i].n == 1 && all[i].code == ERR_LIMIT;
	CHECK_INT(refused, (int)COUNT(all) - 1 - 64);
	scene_done(&s);
	for (size_t i = 0; i < COUNT(all); i++)
		CHECK_INT(all[i].n, 1);
}

TEST(a_key_for_nobody_of_ours_is_not_asked_about)
{
	struct verdict v = { 0 };
	struct scene s;

	scene_init(&s);
	remote_verify_ask(s.w.server->shards[1], STR("nobody.example"),
		STR(THERE), STR(ADDRESS), STR("id"), STR("key"), false, on_verdict,
		&v);
	world_settle(&s.w);
	CHECK_INT(v.n, 1);
	CHECK_INT(v.code, ERR_REFUSED);
	/* and a domain of ours is no other's */
	remote_verify_ask(s.w.server->shards[1], STR(HERE), STR("example.net"),
		STR(ADDRESS), STR("id"), STR("key"), false, on_verdict, &v);
	world_settle(&s.w);
	CHECK_INT(v.n, 2);
	CHECK_INT(v.code, ERR_REFUSED);
	CHECK_INT(s.fakes->n, 0);
	scene_done(&s);
}

/* --- streams that come by themselves (XEP-0288) ---------------------------------- */

static struct fake *
offer(struct scene *s, int64_t room)
{
	struct fake *f = fake_offer(shard_of(s, THERE), HERE, THERE, room);

	CHECK(f != NULL);
	world_settle(&s->w);
	return f;
}

TEST(a_stream_that_comes_is_the_link_and_what_waits_goes_by_it)
{
	struct fake *attempt, *came;
	struct scene s;

	scene_init(&s);
	say_many(&s, "x@" THERE, 0, 5);
	attempt = newest();
	came = offer(&s, 3);
	CHECK(attempt->cancelled);
	check_wrote(came, 0, 3);
	say(&s, "x@" THERE, 5);
	fake_take(came, LOTS);
	check_wrote(came, 0, 6);
	CHECK_INT(answers(&s, "<message"), 0);
	CHECK_INT(link_bytes(&s), 0);
	scene_done(&s);
}

TEST(a_stream_that_comes_before_anything_is_sent_is_used)
{
	struct fake *came;
	struct scene s;

	scene_init(&s);
	came = offer(&s, LOTS);
	CHECK_INT(shard_of(&s, THERE)->remotes->guests, 1);
	say(&s, "x@" THERE, 0);
	CHECK_INT(shard_of(&s, THERE)->remotes->guests, 0);
	check_wrote(came, 0, 1);
	CHECK_INT(fake_count(HERE, THERE), 1);
	scene_done(&s);
}

/* Or two who open streams to each other at the same time would both end theirs. */
TEST(an_attempt_that_has_said_who_we_are_is_awaited)
{
	for (int comes_up = 0; comes_up < 2; comes_up++) {
		struct fake *attempt, *came;
		struct scene s;

		TEST_CASE(comes_up ? "it comes up" : "it does not");
		scene_init(&s);
		say_many(&s, "x@" THERE, 0, 3);
		attempt = newest();
		attempt->shown = true;
		came = offer(&s, LOTS);
		CHECK(!attempt->cancelled && came->link == NULL);
		if (comes_up)
			fake_up(attempt, LOTS);
		else
			fake_down(attempt, REMOTE_OF_PAIR, "no");
		say(&s, "x@" THERE, 3);
		check_wrote(attempt, 0, comes_up ? 4 : 0);
		check_wrote(came, 0, comes_up ? 0 : 4);
		CHECK_INT(answers(&s, "<message"), 0);
		scene_done(&s);
	}
}

TEST(a_pair_keeps_its_link_and_the_newest_stream_is_next)
{
	struct fake *first, *second, *third;
	struct scene s;

	scene_init(&s);
	say(&s, "x@" THERE, 0);
	first = newest();
	fake_up(first, 2);
	second = offer(&s, LOTS);
	third = offer(&s, LOTS);
	say_many(&s, "x@" THERE, 1, 4);
	check_wrote(first, 0, 2);
	CHECK(second->link == NULL && third->link == NULL);
	pass(&s, 60 * US_PER_S);
	fake_break(first);
	world_settle(&s.w);
	check_wrote(third, 2, 3);
	fake_break(third);
	say(&s, "x@" THERE, 5);
	check_wrote(second, 5, 1);
	CHECK_INT(fake_count(HERE, THERE), 3);
	/* what is withdrawn is not used */
	fake_break(second);
	say(&s, "x@" THERE, 6);
	CHECK_INT(fake_count(HERE, THERE), 4);
	CHECK(!newest()->came);
	scene_done(&s);
}

/* §2.2: never on the connection that brought it. */
TEST(a_key_is_not_asked_about_by_a_stream_that_has_come)
{
	struct verdict v = { 0 };
	struct fake *came;
	struct scene s;

	scene_init(&s);
	came = offer(&s, LOTS);
	ask_key(&s, &v);
	CHECK(newest() != came && newest()->n_verifies == 1);
	CHECK(remote_is_for_keys(newest()->pair));
	say(&s, "x@" THERE, 0);
	check_wrote(came, 0, 1);
	remote_verified(newest()->verifies[--newest()->n_verifies], ERR_NONE, NULL);
	world_settle(&s.w);
	CHECK_INT(v.code, ERR_NONE);
	CHECK(newest()->cancelled && !came->told_to_end);
	/* nor is anything answered because that has failed */
	pass(&s, 2 * US_PER_S);
	ask_key(&s, &v);
	fake_down(newest(), REMOTE_OF_PAIR, "no");
	say(&s, "x@" THERE, 1);
	CHECK_INT(v.code, ERR_CLOSED);
	check_wrote(came, 0, 2);
	CHECK_INT(answers(&s, "<message"), 0);
	scene_done(&s);
}

static void
ask_key_of_offer(struct scene *s, struct verdict *v)
{
	remote_verify_ask(s->w.server->shards[1], STR(HERE), STR(THERE),
		STR(ADDRESS), STR("stream1"), STR("the key"), true, on_verdict, v);
	world_settle(&s->w);
}

TEST(an_attempt_for_keys_of_such_a_stream_gives_way_to_what_is_sent)
{
	struct verdict v = { 0 };
	struct fake *first;
	struct scene s;

	scene_init(&s);
	ask_key_of_offer(&s, &v);
	first = newest();
	CHECK(remote_is_for_keys(first->pair));
	say(&s, "x@" THERE, 0);
	/* it is asked again, and the key is not lost */
	CHECK(first->cancelled && newest() != first);
	CHECK(!remote_is_for_keys(newest()->pair));
	CHECK_INT(newest()->n_verifies, 1);
	CHECK_INT(v.n, 0);
	remote_verified(newest()->verifies[--newest()->n_verifies], ERR_NONE, NULL);
	fake_up(newest(), LOTS);
	world_settle(&s.w);
	CHECK_INT(v.n, 1);
	check_wrote(newest(), 0, 1);
	scene_done(&s);
}

TEST(an_attempt_for_keys_is_given_up_when_they_are_judged)
{
	struct verdict v = { 0 };
	struct scene s;

	scene_init(&s);
	ask_key_of_offer(&s, &v);
	remote_verified(newest()->verifies[--newest()->n_verifies], ERR_NONE, NULL);
	world_settle(&s.w);
	CHECK_INT(v.n, 1);
	CHECK(newest()->cancelled);
	CHECK_INT(shard_of(&s, THERE)->remotes->strangers, 0);
	scene_done(&s);
}

/* Until all that it is for is idle. */
TEST(a_stream_that_came_ends_when_both_directions_are_idle)
{
	struct fake *came;
	struct scene s;

	scene_init_as(&s, "s2s: { idle_timeout: 60s }\n");
	came = offer(&s, LOTS);
	pass(&s, 59 * US_PER_S);
	came->used_us = shard_of(&s, THERE)->now_us;
	pass(&s, 59 * US_PER_S);
	CHECK(!came->told_to_end);
	came->link->received++;
	pass(&s, 59 * US_PER_S);
	CHECK(!came->told_to_end);
	say(&s, "x@" THERE, 0);
	pass(&s, 59 * US_PER_S);
	CHECK(!came->told_to_end);
	pass(&s, 61 * US_PER_S);
	CHECK(came->told_to_end);
	CHECK_INT(came->cond, STREAM_COND_NONE);
	scene_done(&s);
}

TEST(what_is_forbidden_is_not_offered_and_ends)
{
	struct fake *came;
	struct scene s;

	scene_init(&s);
	CHECK(fake_offer(shard_of(&s, "forbidden.example"), HERE,
		      "forbidden.example", LOTS) == NULL);
	CHECK(fake_offer(shard_of(&s, THERE), "nobody.example", THERE, LOTS) ==
		NULL);
	came = offer(&s, LOTS);
	s.fakes->ends_at_once = true;
	world_reload(&s.w,
		"shards: 3\nstorage: { driver: memory }\n"
		"federation: { mode: on, deny: [ " THERE " ] }\n"
		"hosts: { example.org: {}, example.net: {} }\n");
	CHECK(came->told_to_end);
	CHECK_INT(came->cond, STREAM_POLICY_VIOLATION);
	scene_done(&s);
}

/* Strangers who come have a part of the room, and are let in all the same. */
TEST(so_many_streams_that_came_and_no_more)
{
	char domain[40];
	struct scene s;
	unsigned most, n = 0;

	scene_init(&s);
	offer(&s, LOTS);
	most = remotes_max(shard_of(&s, THERE)) / 4;
	for (unsigned i = 0; n < most - 1; i++) {
		snprintf(domain, sizeof(domain), "d%u.example", i);
		if (shard_of(&s, domain) == shard_of(&s, THERE)) {
			CHECK(fake_offer(shard_of(&s, domain), HERE, domain,
				LOTS) != NULL);
			n++;
		}
	}
	for (unsigned i = 0;; i++) {
		snprintf(domain, sizeof(domain), "e%u.example", i);
		if (shard_of(&s, domain) == shard_of(&s, THERE))
			break;
	}
	CHECK(fake_offer(shard_of(&s, domain), HERE, domain, LOTS) == NULL);
	/* one that is used makes room */
	say(&s, "x@" THERE, 0);
	CHECK(fake_offer(shard_of(&s, domain), HERE, domain, LOTS) != NULL);
	scene_done(&s);
}

/* A pair that has come up for the key of the same stranger is no more ours than
 * another, while that counts, and when it does not any more. */
TEST(a_stream_that_came_by_a_key_is_one_of_them)
{
	struct verdict v = { 0 };
	struct scene s;

	scene_init(&s);
	ask_key_of_offer(&s, &v);
	offer(&s, LOTS);
	CHECK_INT(shard_of(&s, THERE)->remotes->guests, 1);
	remote_verified(fake_find(HERE, THERE)->next->verifies[0], ERR_NONE, NULL);
	fake_find(HERE, THERE)->next->n_verifies = 0;
	world_settle(&s.w);
	CHECK_INT(v.n, 1);
	CHECK_INT(shard_of(&s, THERE)->remotes->strangers, 0);
	CHECK_INT(shard_of(&s, THERE)->remotes->guests, 1);
	say(&s, "x@" THERE, 0);
	CHECK_INT(shard_of(&s, THERE)->remotes->guests, 0);
	/* nor is one that is used when the stream comes */
	offer(&s, LOTS);
	CHECK_INT(shard_of(&s, THERE)->remotes->guests, 0);
	scene_done(&s);
}

/* --- failures -------------------------------------------------------------------- */

TEST(the_last_failures_are_kept)
{
	struct remote_failures *all;
	struct scene s;
	char why[REMOTE_WHY_SIZE + 44];

	scene_init(&s);
	for (int i = 0; i < REMOTE_FAILURES + 2; i++) {
		memset(why, 'a' + i, sizeof(why) - 1);
		why[sizeof(why) - 1] = '\0';
		for (int twice = 0; twice < 2; twice++) {
			say(&s, "x@" THERE, i);
			fake_down(newest(), REMOTE_OF_PAIR, why);
			pass(&s, 300 * US_PER_S);
		}
	}
	all = remote_at(&s, THERE)->failures;
	CHECK_INT(all->n, REMOTE_FAILURES);
	for (size_t i = 0; i < all->n; i++) {
		CHECK_INT(strlen(all->all[i].why), REMOTE_WHY_SIZE - 1);
		CHECK_INT(all->all[i].why[0],
			'a' + REMOTE_FAILURES + 1 - (int)i);
		CHECK_INT(all->all[i].times, 2);
		CHECK_STR(str_c(all->all[i].local), HERE);
	}
	scene_done(&s);
}

/* What is tried comes in another order each time, and so do the reasons. */
TEST(each_reason_is_counted_by_itself_until_there_is_a_link)
{
	static const char *const reasons[] = { "one", "the other" };
	struct remote_failures *all;
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < 6; i++) {
		say(&s, "x@" THERE, i);
		fake_down(newest(), REMOTE_OF_PAIR, reasons[i % 2]);
		pass(&s, 300 * US_PER_S);
	}
	all = remote_at(&s, THERE)->failures;
	CHECK_INT(all->n, 2);
	CHECK_INT(all->all[0].times, 3);
	CHECK_STR(str_c(all->all[0].why), "the other");
	CHECK_INT(all->all[1].times, 3);
	scene_done(&s);
}

TEST_MAIN
