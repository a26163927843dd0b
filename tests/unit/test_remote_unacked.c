/*
 * test_remote_unacked.c - links that count: what is kept until its peer has
 * acknowledged it, when it is asked, and what becomes of the rest when the stream
 * breaks; with streams that go nowhere.
 */
#include "config.h"

#include "remote/remote.h"

#include <stdio.h>

#include "base/mem.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/place.h"
#include "core/receipt.h"
#include "core/router.h"
#include "remote/remote_int.h"

#include "c2s_world.h"
#include "fake_streams.h"
#include "test.h"

#define SHARDS 2
#define HERE "example.org"
#define THERE "far.example"
#define JULIET "juliet@" THERE
#define LOTS 1000000

struct scene {
	struct world w;
	struct peer romeo;
	struct fakes *fakes;
	unsigned next; /* id */
};

static void
scene_init_as(struct scene *s, const char *more)
{
	char yaml[200];

	s->next = 1;
	snprintf(yaml, sizeof(yaml), "federation: on\n%s", more);
	world_init(&s->w, SHARDS, yaml, "");
	s->fakes = fakes_use(&s->w);
	s->fakes->counts = true;
	peer_open(&s->romeo, &s->w, 0, true);
	peer_login(&s->romeo, AUTH_ROMEO, BIND("orchard"));
	s->romeo.got.n = 0;
}

static struct shard *
shard_there(struct scene *s)
{
	return s->w.server->shards[
		server_place_of(s->w.server, STR(THERE)).shard];
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
}

/* The next id. */
static struct stanza *
make(struct scene *s, enum stanza_type type)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", s->next++);
	return stanza_new(type, jid_trusted(STR("romeo@example.org/orchard")),
		jid_trusted(STR(JULIET)), str_c(id));
}

static void
say(struct scene *s, unsigned n)
{
	while (n-- > 0)
		router_send(shard_there(s), make(s, MESSAGE_CHAT));
	world_settle(&s->w);
}

/* In steps; romeo shows now and then that he is there. */
static void
pass(struct scene *s, int64_t us)
{
	for (int64_t step; us > 0; us -= step) {
		step = MIN(us, US_PER_S / 4);
		clock_manual_advance(&s->w.clock, step);
		world_settle(&s->w);
		if (us % (60 * US_PER_S) < US_PER_S / 4)
			conn_mem_feed(s->romeo.conn, " ", 1);
	}
}

/* A link of HERE that takes all. */
static struct fake *
link_up(struct scene *s, unsigned n)
{
	struct fake *f;

	say(s, n);
	f = fake_find(HERE, THERE);
	fake_up(f, LOTS);
	world_settle(&s->w);
	return f;
}

static size_t
unacked(const struct fake *f)
{
	size_t bytes;

	return link_unacked(f->link, &bytes);
}

static bool
answered(struct scene *s, int id, const char *cond)
{
	char text[40];

	snprintf(text, sizeof(text), "id=\"%d\"", id);
	return peer_has(&s->romeo, text) && peer_has(&s->romeo, cond);
}

/* --- acknowledgements ---------------------------------------------------------- */

TEST(what_is_written_is_kept_until_it_is_acknowledged)
{
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "");
	f = link_up(&s, 5);
	CHECK_CSTR(buf_c(&f->wrote), "1 2 3 4 5 ");
	CHECK_INT(unacked(f), 5);
	fake_ack(f, 3);
	CHECK_INT(unacked(f), 2);
	/* what was said before is nothing new */
	fake_ack(f, 1);
	fake_ack(f, 0);
	CHECK_INT(unacked(f), 2);
	CHECK(!link_acked(f->link, 6));
	CHECK(!link_acked(f->link, 0x7fffffff));
	CHECK_INT(unacked(f), 2);
	fake_ack(f, 5);
	CHECK_INT(unacked(f), 0);
	CHECK_INT(shard_there(&s)->stats.link_bytes.now, 0);
	scene_done(&s);
}

TEST(one_that_does_not_count_after_all_keeps_nothing)
{
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "");
	f = link_up(&s, 5);
	link_count_no_more(f->link);
	CHECK_INT(unacked(f), 0);
	CHECK_INT(shard_there(&s)->stats.link_bytes.now, 0);
	say(&s, 2);
	CHECK_CSTR(buf_c(&f->wrote), "1 2 3 4 5 6 7 ");
	CHECK_INT(unacked(f), 0);
	scene_done(&s);
}

TEST(it_is_asked_behind_some_or_after_a_while)
{
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "");
	f = link_up(&s, 1);
	CHECK_INT(f->n_asked, 0);
	pass(&s, 200 * US_PER_MS);
	CHECK_INT(f->n_asked, 1);
	/* one question at a time */
	say(&s, 100);
	CHECK_INT(f->n_asked, 1);
	fake_ack(f, 1);
	CHECK_INT(f->n_asked, 2);
	fake_ack(f, 101);
	pass(&s, US_PER_S);
	CHECK_INT(f->n_asked, 2);
	say(&s, 40);
	CHECK_INT(f->n_asked, 3);
	/* nothing new: not at once, but at some time */
	fake_ack(f, 101);
	CHECK_INT(f->n_asked, 4); /* about the 24 that came behind it */
	fake_ack(f, 101);
	pass(&s, US_PER_S);
	CHECK_INT(f->n_asked, 4);
	pass(&s, 5 * US_PER_S);
	CHECK_INT(f->n_asked, 5);
	scene_done(&s);
}

static const struct {
	const char *label;
	int answers; /* h after each of 30 seconds: -1: none */
} silences[] = {
	{ "no answer", -1 },
	{ "always the same", 2 },
	{ "going back", 1 },
};

TEST(who_acknowledges_nothing_is_cut)
{
	for (size_t i = 0; i < COUNT(silences); i++) {
		struct scene s;
		struct fake *f;

		TEST_CASE(silences[i].label);
		scene_init_as(&s, "limits: { ping_timeout: 60s }");
		f = link_up(&s, 5);
		fake_ack(f, 2);
		for (int t = 0; t < 59; t += 1) {
			pass(&s, US_PER_S);
			CHECK(!f->told_to_end);
			if (silences[i].answers >= 0 && t % 10 == 9)
				fake_ack(f, (uint32_t)silences[i].answers);
		}
		pass(&s, 2 * US_PER_S);
		CHECK(f->told_to_end);
		scene_done(&s);
	}
}

TEST(who_acknowledges_some_at_a_time_is_not)
{
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "limits: { ping_timeout: 60s }");
	f = link_up(&s, 5);
	for (uint32_t h = 1; h <= 5; h++) {
		pass(&s, 50 * US_PER_S);
		fake_ack(f, h);
	}
	pass(&s, 300 * US_PER_S);
	CHECK(!f->told_to_end);
	scene_done(&s);
}

/* More than write_queue_bytes is as if the kernel took no more. */
TEST(what_is_kept_has_a_bound)
{
	struct scene s;
	struct fake *f;
	size_t bytes, n;

	scene_init_as(&s, "limits: { write_queue_bytes: 64KiB }");
	f = link_up(&s, 200);
	n = link_unacked(f->link, &bytes);
	CHECK(bytes >= 64 * 1024 && bytes < 66 * 1024);
	CHECK(n < 70);
	CHECK_INT(f->n_asked, 1);
	CHECK_INT(f->link->n_waiting, 200 - n);
	fake_ack(f, 10);
	CHECK_INT(link_unacked(f->link, &bytes), n);
	for (uint32_t h = 0; h <= 200; h += 10)
		fake_ack(f, h);
	CHECK_INT(unacked(f), 0);
	CHECK_INT(f->link->n_waiting, 0);
	CHECK_INT(f->n_wrote, 200);
	CHECK_INT(shard_there(&s)->stats.link_bytes.now, 0);
	scene_done(&s);
}

/* --- receipts -------------------------------------------------------------------- */

static struct receipt_line line;

static void
on_moved(struct turn_end *t)
{
	(void)t;
}

static void
say_with_receipt(struct scene *s)
{
	struct stanza *st = make(s, MESSAGE_CHAT);

	receipt_line_next(&line);
	receipt_give(&line, st);
	router_send(shard_there(s), st);
	world_settle(&s->w);
}

TEST(a_receipt_is_held_for_two_seconds_at_most)
{
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "");
	f = link_up(&s, 1);
	receipt_line_begin(&line, shard_there(&s), 0, on_moved);
	say_with_receipt(&s);
	say_with_receipt(&s);
	pass(&s, US_PER_S);
	CHECK_INT(receipt_line_handled(&line), 0);
	/* it is let go with what has it */
	fake_ack(f, 2);
	CHECK_INT(receipt_line_handled(&line), 1);
	pass(&s, US_PER_S);
	CHECK_INT(receipt_line_handled(&line), 2);
	CHECK_INT(unacked(f), 1);
	/* one behind those that are let go */
	say_with_receipt(&s);
	fake_ack(f, 3);
	pass(&s, US_PER_S);
	say_with_receipt(&s);
	CHECK_INT(receipt_line_handled(&line), 2);
	pass(&s, US_PER_S);
	CHECK_INT(receipt_line_handled(&line), 3);
	pass(&s, US_PER_S);
	CHECK_INT(receipt_line_handled(&line), 4);
	/* without a link, too: one that broke, or none yet */
	say_with_receipt(&s);
	pass(&s, US_PER_S);
	fake_break(f);
	say_with_receipt(&s);
	CHECK_INT(receipt_line_handled(&line), 4);
	pass(&s, US_PER_S);
	CHECK_INT(receipt_line_handled(&line), 5);
	pass(&s, US_PER_S);
	CHECK_INT(receipt_line_handled(&line), 6);
	receipt_line_end(&line);
	fake_down(fake_find(HERE, THERE), REMOTE_OF_PAIR, "no");
	scene_done(&s);
}

/* --- streams that break ------------------------------------------------------------ */

static const struct {
	enum stanza_type type;
	bool again, answered;
	bool of_service; /* it goes again where a service has said it */
} kinds[] = {
	{ MESSAGE_CHAT, true, false, false },
	{ MESSAGE_ERROR, true, false, false },
	{ PRESENCE_SUBSCRIBE, true, false, false },
	{ PRESENCE_UNSUBSCRIBED, true, false, false },
	{ IQ_GET, false, true, false },
	{ IQ_SET, false, true, false },
	{ IQ_RESULT, false, false, false },
	{ IQ_ERROR, false, false, false },
	{ PRESENCE_AVAILABLE, false, false, true },
	{ PRESENCE_UNAVAILABLE, false, false, true },
	{ PRESENCE_PROBE, false, false, false },
};

/* HERE is a domain of a module, or is one no more. */
static void
serve(struct scene *s, const struct service *service)
{
	struct host *host = shard_host(shard_there(s), STR(HERE));

	host->service = service;
}

static void
check_kinds(bool of_service)
{
	static const struct service service = { .option = "domain" };
	struct buf ids = BUF_INIT;
	struct fake *f, *next;
	struct scene s;

	scene_init_as(&s, "");
	f = link_up(&s, 1);
	fake_ack(f, 1);
	for (size_t i = 0; i < COUNT(kinds); i++)
		router_send(shard_there(&s), make(&s, kinds[i].type));
	world_settle(&s.w);
	s.romeo.got.n = 0;
	serve(&s, of_service ? &service : NULL);
	fake_break(f);
	serve(&s, NULL);
	world_settle(&s.w);
	say(&s, 1); /* behind them */
	pass(&s, 2 * US_PER_S);
	next = fake_find(HERE, THERE);
	CHECK(next != f);
	fake_up(next, LOTS);
	world_settle(&s.w);
	for (int i = 0; i < (int)COUNT(kinds); i++) {
		if (kinds[i].again || (of_service && kinds[i].of_service))
			buf_printf(&ids, "%d ", i + 2);
		CHECK_INT(answered(&s, i + 2, "<remote-server-timeout"),
			kinds[i].answered);
	}
	buf_printf(&ids, "%u ", s.next - 1);
	CHECK_CSTR(buf_c(&next->wrote), buf_c(&ids));
	CHECK(peer_has(&s.romeo, "has not said whether it got this"));
	buf_done(&ids);
	scene_done(&s);
}

TEST(what_becomes_of_each_kind)
{
	check_kinds(false);
}

/* Nobody asks a room for its presence anew. */
TEST(presence_of_a_service_goes_again)
{
	check_kinds(true);
}

TEST(what_was_written_goes_ahead_of_what_waits)
{
	struct fake *f;
	struct scene s;

	scene_init_as(&s, "");
	say(&s, 1);
	f = fake_find(HERE, THERE);
	fake_up(f, 4);
	say(&s, 5);
	CHECK_CSTR(buf_c(&f->wrote), "1 2 3 4 ");
	fake_ack(f, 2);
	fake_break(f);
	say(&s, 1);
	pass(&s, 2 * US_PER_S);
	f = fake_find(HERE, THERE);
	fake_up(f, LOTS);
	world_settle(&s.w);
	CHECK_CSTR(buf_c(&f->wrote), "3 4 5 6 7 ");
	fake_ack(f, 5);
	CHECK_INT(unacked(f), 0);
	scene_done(&s);
}

/* Once, when no stream comes in time; nothing before. */
TEST(without_a_next_stream_it_is_answered)
{
	struct fake *f;
	struct scene s;

	scene_init_as(&s, "");
	f = link_up(&s, 3);
	fake_ack(f, 1);
	fake_break(f);
	pass(&s, 29 * US_PER_S);
	CHECK_CSTR(buf_c(&s.romeo.got), "");
	pass(&s, 2 * US_PER_S);
	CHECK(!answered(&s, 1, "<message"));
	CHECK(answered(&s, 2, "<remote-server-timeout"));
	CHECK(answered(&s, 3, "<remote-server-timeout"));
	s.romeo.got.n = 0;
	pass(&s, 600 * US_PER_S);
	CHECK_INT(s.romeo.got.n, 0);
	scene_done(&s);
}

/* Or one that breaks each stream would go on for ever. */
TEST(what_is_never_acknowledged_is_sent_so_often)
{
	unsigned n = 0;
	struct fake *f, *last = NULL;
	struct scene s;

	scene_init_as(&s, "s2s: { timeout: 5m }");
	say(&s, 1);
	for (; (f = fake_find(HERE, THERE)) != last && n < 20; n++) {
		fake_up(f, LOTS);
		world_settle(&s.w);
		CHECK_CSTR(buf_c(&f->wrote), "1 ");
		pass(&s, 20 * US_PER_S);
		fake_break(f);
		pass(&s, US_PER_S);
		last = f;
	}
	CHECK_INT(n, 5);
	CHECK(answered(&s, 1, "<remote-server-timeout"));
	scene_done(&s);
}

/* Each link may have as much as one may have by itself: who acknowledges a little of
 * it and breaks, again and again, makes no more of it wait than that. */
TEST(what_comes_back_from_links_that_break_has_a_bound)
{
	int64_t most = (64 + 128) * 1024 + 2 * 1024, back;
	unsigned heard = 0;
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "limits: { write_queue_bytes: 64KiB, "
		"write_queue_max_bytes: 128KiB }\ns2s: { timeout: 5m }\n");
	say(&s, 1);
	for (int i = 0; i < 20; i++) {
		f = fake_find(HERE, THERE);
		fake_up(f, LOTS);
		say(&s, 110);
		CHECK(!f->told_to_end);
		fake_ack(f, 1);
		pass(&s, 11 * US_PER_S);
		fake_break(f);
		back = shard_there(&s)->stats.link_bytes.now;
		CHECK(back <= most);
		pass(&s, US_PER_S);
	}
	/* what there was no room for is answered: the last, once */
	CHECK(answered(&s, (int)s.next - 1, "<resource-constraint"));
	CHECK(!answered(&s, 30, "<resource-constraint"));
	for (const char *at = buf_c(&s.romeo.got);
		(at = strstr(at, "<resource-constraint")) != NULL; at++)
		heard++;
	f = fake_find(HERE, THERE);
	fake_up(f, LOTS);
	for (unsigned n = 0; n != f->n_wrote;) {
		n = f->n_wrote;
		fake_ack(f, n);
	}
	CHECK_INT(heard + 20 + f->n_wrote, s.next - 1);
	CHECK_INT(shard_there(&s)->stats.link_bytes.now, 0);
	scene_done(&s);
}

TEST(a_link_whose_peer_owes_an_answer_is_not_idle)
{
	struct fake *f;
	struct scene s;

	scene_init_as(&s, "limits: { ping_timeout: 1h }\ns2s: { idle_timeout: 60s }");
	f = link_up(&s, 1);
	pass(&s, 61 * US_PER_S);
	CHECK(!f->told_to_end);
	fake_ack(f, 1);
	pass(&s, 61 * US_PER_S);
	pass(&s, 61 * US_PER_S);
	CHECK(f->told_to_end);
	scene_done(&s);
}

/* --- its end -------------------------------------------------------------------- */

/* "s2s close". */
static void
close_links(struct scene *s)
{
	entity_tell(shard_there(s),
		&(struct entity_message){ .kind = TELL_KICK,
			.to = jid_trusted(STR(THERE)) });
	world_settle(&s->w);
}

TEST(a_link_that_is_closed_waits_until_all_is_acknowledged)
{
	struct fake *f, *next;
	struct scene s;

	scene_init_as(&s, "");
	f = link_up(&s, 3);
	close_links(&s);
	CHECK(!f->told_to_end);
	CHECK_INT(f->n_asked, 1);
	/* what comes meanwhile waits for the next one */
	say(&s, 1);
	CHECK_INT(f->n_wrote, 3);
	fake_ack(f, 2);
	world_settle(&s.w);
	CHECK(!f->told_to_end);
	fake_ack(f, 3);
	world_settle(&s.w);
	CHECK(f->told_to_end);
	CHECK_INT(f->cond, STREAM_COND_NONE);
	fake_break(f);
	next = fake_find(HERE, THERE);
	fake_up(next, LOTS);
	CHECK_CSTR(buf_c(&next->wrote), "4 ");
	CHECK_CSTR(buf_c(&s.romeo.got), "");
	scene_done(&s);
}

TEST(a_link_that_has_nothing_to_wait_for_is_closed_at_once)
{
	for (int counts = 0; counts < 2; counts++) {
		struct fake *f;
		struct scene s;

		scene_init_as(&s, "");
		s.fakes->counts = counts;
		f = link_up(&s, 1);
		if (counts)
			fake_ack(f, 1);
		close_links(&s);
		CHECK(f->told_to_end);
		scene_done(&s);
	}
}

/* And what it was not given does not go to it. */
TEST(a_link_is_not_waited_for_longer_than_some_seconds)
{
	struct fake *f, *next;
	struct scene s;

	scene_init_as(&s, "");
	say(&s, 3);
	f = fake_find(HERE, THERE);
	fake_up(f, 2);
	world_settle(&s.w);
	close_links(&s);
	fake_take(f, LOTS);
	fake_ack(f, 1);
	pass(&s, 5 * US_PER_S - US_PER_S / 4);
	CHECK(!f->told_to_end);
	CHECK_INT(f->n_wrote, 2);
	pass(&s, US_PER_S / 4);
	CHECK(f->told_to_end);
	fake_break(f);
	next = fake_find(HERE, THERE);
	CHECK(next != f);
	fake_up(next, LOTS);
	CHECK_CSTR(buf_c(&next->wrote), "2 3 ");
	scene_done(&s);
}

TEST(one_that_breaks_while_it_is_waited_for)
{
	struct fake *f, *next;
	struct scene s;

	scene_init_as(&s, "");
	f = link_up(&s, 3);
	close_links(&s);
	fake_ack(f, 1);
	fake_break(f);
	next = fake_find(HERE, THERE);
	CHECK(next != f);
	fake_up(next, LOTS);
	CHECK_CSTR(buf_c(&next->wrote), "2 3 ");
	pass(&s, 20 * US_PER_S);
	scene_done(&s);
}

#define FORBIDS                                                                \
	"shards: 2\nstorage: { driver: memory }\n"                             \
	"federation: { mode: on, deny: [ " THERE " ] }\n"                      \
	"hosts: { example.org: {} }\n"

/* Only what they have not got is answered. */
TEST(what_a_reload_forbids_is_answered_when_nobody_knows_whether_it_came)
{
	struct fake *f;
	struct scene s;

	scene_init_as(&s, "");
	f = link_up(&s, 3);
	world_reload(&s.w, FORBIDS);
	CHECK(!f->told_to_end);
	CHECK_INT(f->n_asked, 1);
	say(&s, 1);
	CHECK(answered(&s, 4, "<not-allowed"));
	s.romeo.got.n = 0;
	fake_ack(f, 2);
	pass(&s, 5 * US_PER_S);
	CHECK(f->told_to_end);
	CHECK_INT(f->cond, STREAM_POLICY_VIOLATION);
	fake_break(f);
	world_settle(&s.w);
	CHECK(answered(&s, 3, "<not-allowed"));
	CHECK(!answered(&s, 1, "<not-allowed"));
	CHECK(!answered(&s, 2, "<not-allowed"));
	scene_done(&s);
}

#define PERMITS                                                                \
	"shards: 2\nstorage: { driver: memory }\nfederation: on\n"             \
	"hosts: { example.org: {} }\n"

/* Before its link has ended: that is no reason any more. */
TEST(what_another_reload_permits_again_goes_by_the_next_link)
{
	struct fake *f;
	struct scene s;

	scene_init_as(&s, "");
	f = link_up(&s, 2);
	world_reload(&s.w, FORBIDS);
	CHECK(!f->told_to_end);
	world_reload(&s.w, PERMITS);
	say(&s, 1);
	fake_ack(f, 1);
	pass(&s, 5 * US_PER_S);
	CHECK(f->told_to_end);
	fake_break(f);
	world_settle(&s.w);
	CHECK_INT(s.romeo.got.n, 0);
	f = fake_find(HERE, THERE);
	fake_up(f, LOTS);
	CHECK_STR(buf_str(&f->wrote), "2 3 ");
	scene_done(&s);
}

#define RELOADED                                                               \
	"shards: 2\nstorage: { driver: memory }\nfederation: on\n"             \
	"hosts: { example.org: {} }\nlimits: { write_queue_bytes: 1MiB }\n"

/* What comes then stands behind what has waited because of the bound before. */
TEST(a_reload_that_makes_room_keeps_the_order)
{
	struct buf want = BUF_INIT;
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "limits: { write_queue_bytes: 64KiB }\n");
	f = link_up(&s, 200);
	CHECK(f->link->n_waiting != 0);
	world_reload(&s.w, RELOADED);
	say(&s, 1);
	fake_ack(f, f->n_wrote);
	world_settle(&s.w);
	CHECK_INT(f->n_wrote, 201);
	for (unsigned i = 1; i < s.next; i++)
		buf_printf(&want, "%u ", i);
	CHECK_STR(buf_str(&f->wrote), buf_c(&want));
	buf_done(&want);
	scene_done(&s);
}

TEST_MAIN
