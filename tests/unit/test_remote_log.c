/*
 * test_remote_log.c - messages for another server in the log of their pair: when they
 * get there, when they go, and what becomes of them at a stop and at a start; with
 * streams that go nowhere.
 */
#include "config.h"

#include "remote/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "store/store.h"
#include "core/place.h"
#include "core/receipt.h"
#include "core/router.h"
#include "core/sleepers.h"
#include "remote/remote_int.h"

#include "c2s_world.h"
#include "fake_streams.h"
#include "test.h"

#define SHARDS 2
#define HERE "example.org"
#define THERE "far.example"
#define JULIET "juliet@" THERE
#define LOTS 1000000
#define SEEDS 30

struct scene {
	struct world w;
	struct peer romeo;
	struct fakes *fakes;
	struct receipt_line line; /* of who sends */
	unsigned next; /* id */
};

static void
on_moved(struct turn_end *t)
{
	(void)t;
}

static struct shard *
shard_there(struct scene *s)
{
	return s->w.server->shards[
		server_place_of(s->w.server, STR(THERE)).shard];
}

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
	receipt_line_begin(&s->line, shard_there(s), 0, on_moved);
}

static void
scene_done(struct scene *s)
{
	receipt_line_end(&s->line);
	s->fakes->ends_at_once = true;
	peer_done(&s->romeo);
	world_done(&s->w);
	fakes_free();
}

/* The next id, with a receipt; hint: of XEP-0334, or NULL; and a body of so many
 * bytes. */
static void
say_this(struct scene *s, enum stanza_type type, const char *hint, size_t bytes)
{
	char id[16];
	struct stanza *st;
	char *body;

	snprintf(id, sizeof(id), "%u", s->next++);
	st = stanza_new(type, jid_trusted(STR("romeo@example.org/orchard")),
		jid_trusted(STR(JULIET)), str_c(id));
	if (hint != NULL)
		elem_add(st->arena, st->root, "urn:xmpp:hints", hint);
	if (bytes != 0) {
		body = xmalloc(bytes);
		memset(body, 'x', bytes);
		elem_add_text(st->arena, st->root, (struct str){ body, bytes });
		free(body);
	}
	receipt_line_next(&s->line);
	receipt_give(&s->line, st);
	router_send(shard_there(s), st);
	world_settle(&s->w);
}

static void
say_as(struct scene *s, enum stanza_type type)
{
	say_this(s, type, NULL, 0);
}

static void
say_with(struct scene *s, enum stanza_type type, const char *hint)
{
	say_this(s, type, hint, 0);
}

static void
say_long(struct scene *s, size_t bytes)
{
	say_this(s, MESSAGE_CHAT, NULL, bytes);
}

static void
say(struct scene *s, unsigned n)
{
	while (n-- > 0)
		say_as(s, MESSAGE_CHAT);
}

static uint32_t
handled(const struct scene *s)
{
	return receipt_line_handled(&s->line);
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

static struct fake *
link_up(struct scene *s)
{
	struct fake *f = fake_find(HERE, THERE);

	fake_up(f, LOTS);
	world_settle(&s->w);
	return f;
}

static bool
answered(struct scene *s, unsigned id, const char *cond)
{
	char text[40];

	snprintf(text, sizeof(text), "id=\"%u\"", id);
	world_settle(&s->w);
	return strstr(buf_c(&s->romeo.got), text) != NULL &&
		strstr(buf_c(&s->romeo.got), cond) != NULL;
}

/* --- what is in the store -------------------------------------------------------- */

struct found {
	struct buf ids; /* of stanzas, each with a blank behind */
	size_t n;
};

static void
on_found(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct found *found = arg;

	CHECK(err == NULL);
	found->n = answer->n;
	for (size_t i = 0; i < answer->n; i++) {
		struct str value = answer->entries[i].value;
		const char *at = memmem(value.p, value.n, "id=\"", 4);

		if (at != NULL)
			buf_printf(&found->ids, "%d ", atoi(at + 4));
	}
}

static struct store_place
log_place(void)
{
	return (struct store_place){ STR(HERE), STR(""), STR("s2s:" THERE) };
}

static bool
log_is(struct scene *s, const char *ids)
{
	struct found found = { .ids = BUF_INIT }, index = { .ids = BUF_INIT };
	struct mailbox *mailbox = &s->w.server->shards[0]->mailbox;
	bool ok;

	world_settle(&s->w);
	store_range(s->w.server->store, log_place(),
		&(struct store_range){ .with = STR_NONE,
			.after_id = STR_NONE,
			.before_id = STR_NONE,
			.max = 1000 },
		mailbox, on_found, &found);
	store_list(s->w.server->store, server_logs_map(), mailbox, on_found,
		&index);
	world_settle(&s->w);
	ok = str_eq(buf_str(&found.ids), str_c(ids)) &&
		index.n == (*ids != '\0');
	if (!ok)
		print_error("log \"%s\" index %zu\n", buf_c(&found.ids),
			index.n);
	buf_done(&found.ids);
	return ok;
}

static struct remote_pair *
pair_there(struct scene *s)
{
	struct entity *e = entity_find(shard_there(s), STR(THERE));

	return e != NULL ? pair_find((struct remote *)(void *)e, STR(HERE)) :
			   NULL;
}

/* --- into the log, and out of it ------------------------------------------------- */

TEST(what_is_not_acknowledged_in_two_seconds_is_in_the_log)
{
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "");
	say(&s, 2);
	f = link_up(&s);
	fake_ack(f, 1);
	pass(&s, US_PER_S);
	CHECK_INT(handled(&s), 1);
	CHECK(log_is(&s, ""));
	pass(&s, US_PER_S);
	CHECK_INT(handled(&s), 2);
	CHECK(log_is(&s, "2 "));
	/* a new one is not there yet, and trims with the others */
	say(&s, 2);
	pass(&s, 2 * US_PER_S);
	CHECK(log_is(&s, "2 3 4 "));
	fake_ack(f, 3);
	CHECK(log_is(&s, "4 "));
	fake_ack(f, 4);
	CHECK(log_is(&s, ""));
	CHECK(pair_there(&s)->log == NULL);
	CHECK_INT(handled(&s), 4);
	scene_done(&s);
}

TEST(who_answers_within_a_second_costs_no_write)
{
	struct scene s;
	struct fake *f;
	struct store_stats before, after;

	scene_init_as(&s, "");
	say(&s, 1);
	f = link_up(&s);
	fake_ack(f, 1);
	world_settle(&s.w);
	store_stats(s.w.server->store, &before);
	for (unsigned i = 2; i < 20; i++) {
		say(&s, 1);
		pass(&s, US_PER_S / 2);
		fake_ack(f, i);
		world_settle(&s.w);
	}
	store_stats(s.w.server->store, &after);
	CHECK_INT(after.writes, before.writes);
	CHECK_INT(handled(&s), 19);
	CHECK(pair_there(&s)->log == NULL);
	scene_done(&s);
}

/* Nothing of it stands between them; requests and presence let go, and are nowhere. */
TEST(messages_alone_are_in_the_log_all_up_to_the_point)
{
	struct scene s;

	scene_init_as(&s, "");
	say_as(&s, MESSAGE_CHAT);
	say_as(&s, PRESENCE_SUBSCRIBE);
	say_as(&s, MESSAGE_NORMAL);
	pass(&s, 2 * US_PER_S);
	CHECK_INT(handled(&s), 3);
	CHECK(log_is(&s, "1 3 "));
	/* those that a stream gets, and that wait in front of it */
	fake_up(fake_find(HERE, THERE), 2);
	say(&s, 1);
	pass(&s, 2 * US_PER_S);
	CHECK(log_is(&s, "1 3 4 "));
	/* what breaks changes nothing */
	fake_break(fake_find(HERE, THERE));
	pass(&s, US_PER_S);
	CHECK(log_is(&s, "1 3 4 "));
	scene_done(&s);
}

TEST(neither_errors_nor_what_must_not_be_stored_are_in_the_log)
{
	struct scene s;

	scene_init_as(&s, "");
	say_as(&s, MESSAGE_ERROR);
	CHECK_INT(handled(&s), 1); /* it holds up nobody */
	say_with(&s, MESSAGE_CHAT, "no-store");
	say_as(&s, MESSAGE_CHAT);
	pass(&s, 2 * US_PER_S);
	CHECK_INT(handled(&s), 3);
	CHECK(log_is(&s, "3 "));
	remotes_stop(shard_there(&s));
	CHECK(log_is(&s, "3 "));
	CHECK(answered(&s, 2, "remote-server-timeout"));
	scene_done(&s);
}

TEST(what_is_answered_leaves_the_log)
{
	struct scene s;

	scene_init_as(&s, "");
	say(&s, 3);
	pass(&s, 2 * US_PER_S);
	CHECK(log_is(&s, "1 2 3 "));
	fake_down(fake_find(HERE, THERE), REMOTE_OF_PAIR, "no");
	CHECK(answered(&s, 3, "remote-server-timeout"));
	CHECK(log_is(&s, ""));
	CHECK_INT(handled(&s), 3);
	scene_done(&s);
}

TEST(without_it_receipts_are_let_go_and_nothing_is_stored)
{
	struct scene s;

	scene_init_as(&s, "s2s: { keep: 0s }\n");
	say(&s, 2);
	pass(&s, US_PER_S);
	CHECK_INT(handled(&s), 0);
	pass(&s, US_PER_S);
	CHECK_INT(handled(&s), 2);
	CHECK(log_is(&s, ""));
	scene_done(&s);
}

/* --- a disk that fails ------------------------------------------------------------ */

static bool
fails(void *arg, bool writes)
{
	return writes && (*(int *)arg)-- > 0;
}

/* Of the one that failed nobody knows; then all is written once more. */
TEST(receipts_are_held_until_the_disk_takes_what_they_are_for)
{
	struct scene s;
	int times = 1;
	struct fake *f;

	scene_init_as(&s, "");
	say(&s, 2);
	pass(&s, 2 * US_PER_S);
	CHECK(log_is(&s, "1 2 "));
	f = link_up(&s);
	say(&s, 2);
	store_fail_when(s.w.server->store, fails, &times);
	pass(&s, 2 * US_PER_S);
	CHECK_INT(times, 0);
	CHECK_INT(handled(&s), 2);
	fake_ack(f, 1);
	pass(&s, 2 * US_PER_S);
	CHECK_INT(handled(&s), 4);
	CHECK(log_is(&s, "2 3 4 "));
	/* a trim */
	times = 1;
	fake_ack(f, 2);
	world_settle(&s.w);
	CHECK_INT(times, 0);
	pass(&s, 2 * US_PER_S);
	CHECK(log_is(&s, "3 4 "));
	fake_ack(f, 4);
	CHECK(log_is(&s, ""));
	CHECK(pair_there(&s)->log == NULL);
	store_fail_when(s.w.server->store, NULL, NULL);
	scene_done(&s);
}

/* All that it has, while that is written. */
struct acks {
	struct fake *fake;
	uint32_t h, up_to;
};

static bool
acks(void *arg, bool writes)
{
	struct acks *a = arg;

	while (writes && a->h < a->up_to)
		fake_ack(a->fake, ++a->h);
	return false;
}

TEST(what_is_acknowledged_while_it_is_written_gives_no_number_back)
{
	struct scene s;
	struct acks a = { .up_to = 5 };

	scene_init_as(&s, "s2s: { queue_bytes: 4MiB }\n");
	for (unsigned i = 0; i < 5; i++)
		say_long(&s, 240 * 1024); /* that is one transaction */
	say(&s, 2);
	a.fake = link_up(&s);
	store_fail_when(s.w.server->store, acks, &a);
	pass(&s, 2 * US_PER_S);
	store_fail_when(s.w.server->store, NULL, NULL);
	CHECK_INT(a.h, 5);
	CHECK_INT(handled(&s), 7);
	CHECK(log_is(&s, "6 7 "));
	fake_ack(a.fake, 6);
	CHECK(log_is(&s, "7 "));
	fake_ack(a.fake, 7);
	CHECK(log_is(&s, ""));
	scene_done(&s);
}

TEST(a_full_disk_holds_receipts)
{
	struct scene s;

	scene_init_as(&s, "");
	say(&s, 1);
	store_set_full(s.w.server->store, true);
	pass(&s, 5 * US_PER_S);
	CHECK_INT(handled(&s), 0);
	store_set_full(s.w.server->store, false);
	pass(&s, 10 * US_PER_S);
	CHECK_INT(handled(&s), 1);
	CHECK(log_is(&s, "1 "));
	scene_done(&s);
}

/* --- at random -------------------------------------------------------------------- */

static bool
fails_sometimes(void *arg, bool writes)
{
	return writes && rand_below(arg, 4) == 0;
}

/* Whatever comes, breaks, or fails. */
static void
step_at_random(struct scene *s, struct rand_source *r, bool all_kinds)
{
	struct fake *f = fake_find(HERE, THERE);
	bool there = f != NULL && f->pair != NULL;

	switch (rand_below(r, 8)) {
	case 0:
	case 1:
		say(s, 1 + (unsigned)rand_below(r, 3));
		break;
	case 2:
		if (all_kinds)
			say_as(s, rand_below(r, 2) == 0 ? IQ_GET :
								PRESENCE_SUBSCRIBE);
		break;
	case 3:
		if (there && f->link == NULL)
			fake_up(f, (int64_t)rand_below(r, 9) + 1);
		else if (there)
			fake_take(f, (int64_t)rand_below(r, 9));
		break;
	case 4:
	case 5:
		if (there && f->link != NULL)
			fake_ack(f, f->acked + (uint32_t)rand_below(r,
						f->n_wrote - f->acked + 1));
		break;
	case 6:
		if (there && f->link != NULL && rand_below(r, 3) == 0)
			fake_break(f);
		break;
	default:
		pass(s, (int64_t)(1 + rand_below(r, 8)) * US_PER_S / 4);
		return;
	}
	if (rand_below(r, 2) == 0)
		world_settle(&s->w);
}

/* In the end nothing is held, and nothing left. */
static void
check_all_is_over(struct scene *s)
{
	struct fake *f;

	for (int i = 0; i < 200 && pair_there(s) != NULL; i++) {
		f = fake_find(HERE, THERE);
		if (f != NULL && f->pair != NULL && f->link == NULL)
			fake_up(f, LOTS);
		else if (f != NULL && f->pair != NULL && f->room < LOTS / 2)
			fake_take(f, LOTS);
		if (f != NULL && f->link != NULL)
			fake_ack(f, f->n_wrote);
		pass(s, US_PER_S);
		if (f != NULL && f->link != NULL && handled(s) == s->next - 1 &&
			pair_there(s)->log == NULL)
			break;
	}
	CHECK_INT(handled(s), s->next - 1);
	CHECK(log_is(s, ""));
	CHECK_INT(shard_there(s)->stats.link_bytes.now, 0);
}

TEST(at_random_nothing_is_held_or_left)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct rand_seeded r;
		struct scene s;

		rand_seeded_init(&r, seed);
		scene_init_as(&s, "");
		store_fail_when(s.w.server->store, fails_sometimes,
			&r.source);
		for (int i = 0; i < 150; i++)
			step_at_random(&s, &r.source, true);
		store_fail_when(s.w.server->store, NULL, NULL);
		check_all_is_over(&s);
		scene_done(&s);
	}
}

/* --- a stop ------------------------------------------------------------------------ */

static void
stop(struct scene *s)
{
	for (unsigned i = 0; i < SHARDS; i++)
		remotes_stop(s->w.server->shards[i]);
	world_settle(&s->w);
}

TEST(a_stop_stores_messages_and_answers_the_rest)
{
	struct scene s;

	scene_init_as(&s, "");
	say(&s, 2);
	say_as(&s, IQ_GET);
	stop(&s);
	CHECK(answered(&s, 3, "remote-server-timeout"));
	CHECK(!answered(&s, 1, "remote-server-timeout"));
	CHECK_INT(handled(&s), 3);
	CHECK(log_is(&s, "1 2 "));
	CHECK(fake_find(HERE, THERE)->cancelled);
	CHECK_INT(fake_count(HERE, THERE), 1);
	scene_done(&s);
}

TEST(at_a_stop_what_is_acknowledged_last_is_trimmed)
{
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "");
	say(&s, 3);
	f = link_up(&s);
	fake_take(f, 0);
	stop(&s);
	CHECK_INT(handled(&s), 3);
	CHECK(log_is(&s, "1 2 3 "));
	fake_ack(f, 2);
	CHECK(log_is(&s, "3 "));
	/* said last, and neither acknowledged nor answered */
	say(&s, 1);
	for (unsigned i = 0; i < SHARDS; i++)
		entity_close_all(s.w.server->shards[i]);
	CHECK(log_is(&s, "3 4 "));
	fake_break(f);
	CHECK(log_is(&s, "3 4 "));
	CHECK_INT(handled(&s), 4);
	CHECK(!answered(&s, 3, ""));
	CHECK(!answered(&s, 4, ""));
	CHECK_INT(shard_there(&s)->stats.link_bytes.now, 0);
	scene_done(&s);
}

/* Its last word and its end may come in one turn. */
TEST(what_is_acknowledged_as_the_stream_ends_is_trimmed_at_a_stop)
{
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "");
	say(&s, 3);
	f = link_up(&s);
	stop(&s);
	CHECK(log_is(&s, "1 2 3 "));
	fake_ack(f, 2);
	fake_break(f);
	CHECK(log_is(&s, "3 "));
	scene_done(&s);
	scene_init_as(&s, "");
	say(&s, 3);
	f = link_up(&s);
	stop(&s);
	fake_ack(f, 3);
	fake_break(f);
	CHECK(log_is(&s, ""));
	CHECK(pair_there(&s) == NULL || pair_there(&s)->log == NULL);
	scene_done(&s);
}

/* A reload may have said so. */
TEST(what_is_answered_at_a_stop_is_not_sent_after_it)
{
	struct scene s;

	scene_init_as(&s, "");
	say(&s, 2);
	pass(&s, 2 * US_PER_S);
	CHECK(log_is(&s, "1 2 "));
	world_reload(&s.w, "shards: 2\nstorage: { driver: memory }\n"
		"hosts: { example.org: {}, example.net: {} }\n"
		"federation: on\ns2s: { keep: 0s }\n");
	stop(&s);
	CHECK(answered(&s, 1, "remote-server-timeout"));
	CHECK(answered(&s, 2, "remote-server-timeout"));
	CHECK(log_is(&s, ""));
	scene_done(&s);
}

TEST(a_disk_that_fails_at_the_stop_has_all_answered)
{
	struct scene s;
	int times = 100;

	scene_init_as(&s, "");
	say(&s, 1);
	pass(&s, 2 * US_PER_S);
	CHECK(log_is(&s, "1 "));
	say(&s, 2);
	store_fail_when(s.w.server->store, fails, &times);
	stop(&s);
	store_fail_when(s.w.server->store, NULL, NULL);
	CHECK(answered(&s, 2, "remote-server-timeout"));
	CHECK(answered(&s, 3, "remote-server-timeout"));
	CHECK(!answered(&s, 1, "remote-server-timeout"));
	CHECK_INT(handled(&s), 3);
	CHECK(log_is(&s, "1 "));
	scene_done(&s);
}

/* What was acknowledged, as far as f knows. */
static bool
has_come(struct fake *f, unsigned id)
{
	const char *at = buf_c(&f->wrote);
	char *end;

	for (uint32_t i = 0; i < f->acked; i++, at = end)
		if (strtoul(at, &end, 10) == id)
			return true;
	return false;
}

/* Each message has come, was answered, or is in the log, and no two of these. */
static void
check_each_is_somewhere(struct scene *s, const char *log)
{
	for (unsigned id = 1; id < s->next; id++) {
		char text[20];
		int n;

		snprintf(text, sizeof(text), " %u ", id);
		n = strstr(log, text) != NULL;
		snprintf(text, sizeof(text), "id=\"%u\"", id);
		n += strstr(buf_c(&s->romeo.got), text) != NULL;
		for (struct fake *f = s->fakes->first; f != NULL; f = f->next)
			n += has_come(f, id);
		if (n != 1)
			print_error("%u is at %d places\n", id, n);
		CHECK_INT(n, 1);
	}
}

TEST(at_random_a_stop_loses_nothing_and_keeps_nothing_that_is_over)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct found found = { .ids = BUF_INIT };
		struct rand_seeded r;
		struct scene s;
		struct fake *f;

		buf_add_c(&found.ids, " ");
		rand_seeded_init(&r, seed);
		scene_init_as(&s, "");
		for (int i = 0; i < 80; i++)
			step_at_random(&s, &r.source, false);
		stop(&s);
		f = fake_find(HERE, THERE);
		if (f != NULL && f->link != NULL) {
			fake_ack(f, f->acked + (uint32_t)rand_below(&r.source,
						f->n_wrote - f->acked + 1));
			fake_break(f);
		}
		world_settle(&s.w);
		store_range(s.w.server->store, log_place(),
			&(struct store_range){ .with = STR_NONE,
				.after_id = STR_NONE,
				.before_id = STR_NONE,
				.max = 1000 },
			&s.w.server->shards[0]->mailbox, on_found, &found);
		world_settle(&s.w);
		check_each_is_somewhere(&s, buf_c(&found.ids));
		buf_done(&found.ids);
		scene_done(&s);
	}
}

/* --- a start ------------------------------------------------------------------------ */

static void
on_all_woken(struct shard *sh)
{
	(void)sh;
}

/* As the run before has left it, so long ago. */
static void
leave(struct scene *s, unsigned first, unsigned n, int64_t ago_us)
{
	struct store_tx *tx = store_tx_new();
	struct shard *sh = shard_there(s);
	char id[STORE_ID_SIZE], text[200];

	for (unsigned i = first; i < first + n; i++) {
		snprintf(text, sizeof(text),
			"<message xmlns='jabber:client' type='chat' id=\"%u\" from='romeo@" HERE
			"/orchard' to='" JULIET "'><body>%u</body></message>",
			s->next++, i);
		store_tx_append_at(tx, log_place(),
			store_id_make(i, STR(""), id),
			shard_wall_us(sh) - ago_us, STR(""), str_c(text));
	}
	store_tx_set(tx, server_logs_map(), STR(HERE " " THERE), STR("1"));
	store_commit(s->w.server->store, tx, NULL, NULL, NULL);
	remote_sleeps(sh, STR(HERE), jid_trusted(STR(THERE)), on_all_woken);
}

/* One, a minute ago, of so many bytes more. */
static void
leave_more(struct scene *s, unsigned more)
{
	struct store_tx *tx = store_tx_new();
	struct shard *sh = shard_there(s);
	char id[STORE_ID_SIZE], text[1000];

	snprintf(text, sizeof(text),
		"<message xmlns='jabber:client' type='chat' id=\"%u\" from='romeo@" HERE
		"/orchard' to='" JULIET "'><body>%0*d</body></message>",
		s->next++, (int)more, 1);
	store_tx_append_at(tx, log_place(), store_id_make(1, STR(""), id),
		shard_wall_us(sh) - 60 * US_PER_S, STR(""), str_c(text));
	store_tx_set(tx, server_logs_map(), STR(HERE " " THERE), STR("1"));
	store_commit(s->w.server->store, tx, NULL, NULL, NULL);
	remote_sleeps(sh, STR(HERE), jid_trusted(STR(THERE)), on_all_woken);
}

static void
wake(struct scene *s)
{
	sleepers_run(shard_there(s));
	pass(s, US_PER_S / 4);
}

TEST(what_was_kept_is_sent_in_order_ahead_of_what_comes)
{
	struct scene s;
	struct fake *f;

	scene_init_as(&s, "");
	leave(&s, 5, 3, 10 * US_PER_S);
	say(&s, 1);
	wake(&s);
	CHECK(shard_there(&s)->sleepers == NULL);
	f = link_up(&s);
	CHECK_STR(buf_str(&f->wrote), "1 2 3 4 ");
	fake_ack(f, 2);
	CHECK(log_is(&s, "3 "));
	fake_ack(f, 4);
	CHECK(log_is(&s, ""));
	CHECK(pair_there(&s)->log == NULL);
	scene_done(&s);
}

static unsigned n_delayed;

static void
on_write(struct fake *f, const struct stanza *st)
{
	(void)f;
	n_delayed += stanza_child(st, NS_DELAY, "delay") != NULL;
}

TEST(what_waited_for_long_says_since_when)
{
	static const struct {
		int64_t ago_us;
		unsigned delayed;
	} cases[] = { { 10 * US_PER_S, 0 }, { 60 * US_PER_S, 2 } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s;

		n_delayed = 0;
		scene_init_as(&s, "");
		s.fakes->on_write = on_write;
		leave(&s, 1, 2, cases[i].ago_us);
		wake(&s);
		link_up(&s);
		CHECK_INT(n_delayed, cases[i].delayed);
		scene_done(&s);
	}
}

/* The stamp makes it larger, where there is no room for it by chance. */
TEST(what_gets_a_stamp_counts_as_much_when_it_goes)
{
	for (unsigned more = 0; more < 600; more += 50) {
		struct scene s;
		struct remote *r;
		struct fake *f;

		scene_init_as(&s, "");
		leave_more(&s, more);
		wake(&s);
		r = pair_there(&s)->remote;
		CHECK(r->bytes != 0);
		f = link_up(&s);
		CHECK_INT(r->bytes, 0);
		CHECK_INT(pair_there(&s)->bytes, 0);
		fake_ack(f, 1);
		CHECK_INT(shard_there(&s)->stats.link_bytes.now, 0);
		scene_done(&s);
	}
}

TEST(what_was_kept_outlives_attempts_until_its_time_is_over)
{
	struct scene s;
	unsigned tries;

	scene_init_as(&s, "s2s: { keep: 10m, backoff_max: 60s }\n");
	leave(&s, 1, 2, 5 * 60 * US_PER_S);
	wake(&s);
	CHECK_INT(fake_count(HERE, THERE), 1);
	say(&s, 1);
	fake_down(fake_find(HERE, THERE), REMOTE_OF_PAIR, "no");
	/* what has come since is answered, now and while it pauses */
	CHECK(answered(&s, 3, "remote-server-timeout"));
	say(&s, 1);
	CHECK(answered(&s, 4, "remote-server-timeout"));
	CHECK(!answered(&s, 1, "remote-server-timeout"));
	pass(&s, 2 * US_PER_S);
	CHECK_INT(fake_count(HERE, THERE), 2);
	/* one that is silent ends at the limit */
	pass(&s, 40 * US_PER_S);
	tries = fake_count(HERE, THERE);
	CHECK(tries >= 3);
	CHECK(log_is(&s, "1 2 "));
	pass(&s, 200 * US_PER_S);
	CHECK(fake_count(HERE, THERE) > tries);
	CHECK(!answered(&s, 1, "remote-server-timeout"));
	pass(&s, 70 * US_PER_S);
	CHECK(answered(&s, 1, "remote-server-timeout"));
	CHECK(answered(&s, 2, "remote-server-timeout"));
	CHECK(log_is(&s, ""));
	scene_done(&s);
}

/* The clock was set back, or the database was edited. */
TEST(what_comes_from_the_future_is_tried_as_what_comes_now)
{
	struct scene s;

	scene_init_as(&s, "s2s: { keep: 10m }\n");
	leave(&s, 1, 2, shard_wall_us(shard_there(&s)) - INT64_MAX);
	wake(&s);
	pass(&s, 590 * US_PER_S);
	CHECK(!answered(&s, 1, ""));
	pass(&s, 20 * US_PER_S);
	CHECK(answered(&s, 1, "remote-server-timeout"));
	CHECK(answered(&s, 2, "remote-server-timeout"));
	CHECK(log_is(&s, ""));
	scene_done(&s);
}

/* A component has as many addresses as it likes. */
TEST(many_of_ours_that_wait_for_one_cost_what_each_of_them_does)
{
	struct scene s;
	struct shard *sh;
	const struct sleeper *one;
	char local[40];
	size_t n = 2000;

	scene_init_as(&s, "");
	sh = shard_there(&s);
	for (size_t i = 0; i < n; i++) {
		snprintf(local, sizeof(local), "s%zu.example.org", i);
		remote_sleeps(sh, str_c(local), jid_trusted(STR(THERE)),
			on_all_woken);
	}
	one = sleepers_find(sh, STR(THERE),
		server_hash(s.w.server, STR(THERE)));
	CHECK_INT(one->n, n);
	CHECK_STR(one->entries[n - 1].key, local);
	CHECK_STR(one->entries[0].key, "s0.example.org");
	CHECK(arena_bytes(one->arena) < n * 500);
	wake(&s);
	CHECK(sh->sleepers == NULL);
	scene_done(&s);
}

/* XEP-0220 §2.1.1: he has been reached, and all that is queued MUST be returned. */
TEST(what_was_kept_is_answered_where_our_key_is_said_to_be_wrong)
{
	struct scene s;

	scene_init_as(&s, "");
	leave(&s, 1, 2, 10 * US_PER_S);
	wake(&s);
	fake_down(fake_find(HERE, THERE), REMOTE_NOT_BELIEVED, "no");
	CHECK(answered(&s, 1, "internal-server-error"));
	CHECK(answered(&s, 2, "internal-server-error"));
	CHECK(log_is(&s, ""));
	scene_done(&s);
}

TEST(damaged_entries_are_skipped)
{
	struct scene s;
	struct store_tx *tx = store_tx_new();
	char id[STORE_ID_SIZE];
	struct fake *f;

	scene_init_as(&s, "");
	store_tx_append_at(tx, log_place(), store_id_make(1, STR(""), id),
		shard_wall_us(shard_there(&s)), STR(""), STR("<message"));
	store_commit(s.w.server->store, tx, NULL, NULL, NULL);
	leave(&s, 2, 2, 0);
	wake(&s);
	f = link_up(&s);
	CHECK_STR(buf_str(&f->wrote), "1 2 ");
	fake_ack(f, 2);
	CHECK(log_is(&s, ""));
	scene_done(&s);
}

TEST(a_log_for_a_domain_of_ours_is_dropped)
{
	struct scene s;
	struct store_tx *tx = store_tx_new();

	scene_init_as(&s, "");
	store_tx_set(tx, server_logs_map(), STR(HERE " " HERE), STR("1"));
	store_commit(s.w.server->store, tx, NULL, NULL, NULL);
	remote_sleeps(shard_there(&s), STR(HERE), jid_trusted(STR(HERE)),
		on_all_woken);
	CHECK(shard_there(&s)->sleepers == NULL);
	CHECK(log_is(&s, ""));
	scene_done(&s);
}

TEST(a_log_of_nobody_is_dropped)
{
	struct scene s;
	struct store_tx *tx = store_tx_new();

	scene_init_as(&s, "");
	store_tx_set(tx, server_logs_map(), STR("gone.example " THERE),
		STR("1"));
	store_commit(s.w.server->store, tx, NULL, NULL, NULL);
	remote_sleeps(shard_there(&s), STR("gone.example"),
		jid_trusted(STR(THERE)), on_all_woken);
	wake(&s);
	CHECK(log_is(&s, ""));
	CHECK_INT(s.fakes->n, 0);
	scene_done(&s);
}

TEST_MAIN
