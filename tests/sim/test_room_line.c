/*
 * test_room_line.c - what an entity of a module's class says when it is on disk: in
 * order, never before, and the receipts of those who made it say so are held until
 * then; on disks that are slow, fail, are full, or lose what they were given.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "core/entity.h"
#include "core/receipt.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"
#include "module/module_int.h"
#include "modules/testroom.h"
#include "peek.h"
#include "server/server_reload.h"
#include "store/store_int.h"
#include "unit/test.h"
#include "world.h"
#include "xml/elem.h"
#include "xmpp/stanza.h"

#define ROOM_HOST "room." WORLD_HOST
#define ROOM "r1@" ROOM_HOST
#define LISTENER "l1@" ROOM_HOST
#define CONF                                                                   \
	"limits: { inbox_bytes: 64KiB, stanza_bytes: 64KiB }\n"                                     \
	"modules: { testroom: { stores: yes } }\n"
#define SENDERS 2
#define WORDS 20
#define SEEDS 20

/* Rooms that make r1 say something, so that errors are theirs to see; each counts. */
struct sender {
	const char *bare;
	struct receipt_line line;
};

struct scene {
	struct world *w;
	struct sender senders[SENDERS];
};

static void
on_moved(struct turn_end *t)
{
	(void)t;
}

static struct entity *
find(const struct scene *s, const char *bare)
{
	return entity_find(peek_owner(s->w->server, str_c(bare)), str_c(bare));
}

static const struct room *
room_of(const struct scene *s, const char *bare)
{
	return (const struct room *)(const void *)find(s, bare);
}

static struct stanza *
word(const char *from, const char *what, size_t n)
{
	struct stanza *st = stanza_new(MESSAGE_CHAT, jid_trusted(str_c(from)),
		jid_trusted(STR(ROOM)), STR("w"));
	struct elem *how = elem_add(st->arena, st->root, NS_ROOM, "do");
	char *text = arena_alloc(st->arena, n + 1);

	memset(text, 'x', n);
	elem_set_attr(st->arena, how, "what", str_c(what));
	if (n != 0)
		elem_set_attr(st->arena, how, "much",
			(struct str){ text, n });
	return st;
}

static void
send(struct scene *s, unsigned i, size_t n)
{
	struct sender *by = &s->senders[i];
	struct stanza *st = word(by->bare, "say", n);

	receipt_line_next(&by->line);
	receipt_give(&by->line, st);
	router_send(by->line.home, st);
}

static void
scene_init(struct scene *s, uint64_t seed, bool lasting, const char *conf)
{
	static const char *const bare[SENDERS] = { "r8@" ROOM_HOST,
		"r9@" ROOM_HOST };
	struct stanza *join = word("driver@" WORLD_HOST, "join", 0);

	s->w = lasting ? world_new_lasting(seed, 3, TEST_MODULE_DIR, conf) :
			 world_new(seed, 3, TEST_MODULE_DIR, conf);
	for (unsigned i = 0; i < SENDERS; i++) {
		s->senders[i].bare = bare[i];
		receipt_line_begin(&s->senders[i].line,
			peek_owner(s->w->server, str_c(bare[i])), 0, on_moved);
	}
	elem_set_attr(join->arena, stanza_child(join, NS_ROOM, "do"), "to",
		STR(LISTENER));
	router_send(s->senders[0].line.home, join);
	world_settle(s->w);
	CHECK_INT(room_of(s, ROOM)->number, 1);
}

static void
scene_done(struct scene *s)
{
	for (unsigned i = 0; i < SENDERS; i++)
		receipt_line_end(&s->senders[i].line);
	world_free(s->w);
}

/* So many of what has been sent are dealt with. */
static unsigned
handled(const struct scene *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SENDERS; i++)
		n += receipt_line_handled(&s->senders[i].line);
	return n;
}

/* The listener has heard so many, in order; the first was for him alone. */
static void
check_heard(const struct scene *s, unsigned n)
{
	const struct listener *l =
		(const struct listener *)(const void *)find(s, LISTENER);

	CHECK_INT(l->heard.n, n + 1);
	for (uint32_t i = 0; i < l->heard.n; i++)
		CHECK_INT(l->heard.p[i].number, i);
}

static bool
on_any(void *arg, const struct store_entry *entry)
{
	(void)entry;
	*(bool *)arg = true;
	return false;
}

/* Is the n-th on disk, as after a crash at this moment? */
static bool
is_stored(const struct store_driver *d, struct store_db *db, unsigned n)
{
	struct err err = ERR_INIT;
	bool found = false;
	char key[16];

	snprintf(key, sizeof(key), "%08u", n);
	CHECK(d->begin(db, &err));
	CHECK(d->get(db,
		(struct store_place){ STR(ROOM_HOST), STR("r1"),
			STR("testroom_said") },
		str_c(key), on_any, &found, &err));
	d->rollback(db);
	return found;
}

/* --- as it is ---------------------------------------------------------------------- */

TEST(what_is_said_is_on_disk_and_what_is_acknowledged_was_said)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct err err = ERR_INIT;
		struct store *store;
		struct store_db *db;
		struct scene s;

		scene_init(&s, seed, true, CONF);
		s.w->slow_store = true;
		store = s.w->server->store;
		db = store->driver->open_beside(store->writer.db, &err);
		CHECK(db != NULL);
		for (unsigned i = 0; i < WORDS; i++) {
			unsigned said;

			send(&s, i % SENDERS, 10);
			for (uint64_t n = world_draw(s.w, 6); n > 0; n--)
				world_turn(s.w);
			said = room_of(&s, ROOM)->number - 1;
			CHECK(handled(&s) <= said);
			if (said != 0)
				CHECK(is_stored(store->driver, db, said));
		}
		world_settle(s.w);
		CHECK_INT(handled(&s), WORDS);
		check_heard(&s, WORDS);
		CHECK(entity_line_is_empty(room_of(&s, ROOM)->line));
		store->driver->close(db);
		scene_done(&s);
	}
}

/* --- as it should not be ------------------------------------------------------------ */

static unsigned n_failing;

static bool
fails(void *arg, bool writes)
{
	(void)arg;
	return writes && n_failing != 0 && n_failing-- != 0;
}

static unsigned
errors(const struct scene *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SENDERS; i++) {
		const struct room *r = room_of(s, s->senders[i].bare);

		n += r != NULL ? r->errors : 0;
	}
	return n;
}

/* One that fails takes with it what rests on it, and nothing else: each sender is
 * told, and the room goes on from what is on disk. */
TEST(what_cannot_be_stored_is_refused_with_what_is_behind_it)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		unsigned failed;
		struct scene s;

		scene_init(&s, seed, false, CONF);
		n_failing = 1;
		store_fail_when(s.w->server->store, fails, NULL);
		for (unsigned i = 0; i < WORDS; i++) {
			send(&s, i % SENDERS, 10);
			for (uint64_t n = world_draw(s.w, 6); n > 0; n--)
				world_turn(s.w);
		}
		world_settle(s.w);
		failed = room_of(&s, ROOM)->failed;
		CHECK(failed != 0);
		CHECK_INT(errors(&s), failed);
		CHECK_INT(room_of(&s, ROOM)->taken, WORDS - failed);
		CHECK_INT(handled(&s), WORDS);
		check_heard(&s, WORDS - failed);
		send(&s, 0, 10);
		world_settle(s.w);
		check_heard(&s, WORDS - failed + 1);
		store_fail_when(s.w->server->store, NULL, NULL);
		scene_done(&s);
	}
}

TEST(on_a_full_disk_it_is_refused_before_anything_changes)
{
	struct scene s;
	const struct room *by;

	scene_init(&s, 1, false, CONF);
	store_set_full(s.w->server->store, true);
	/* the first finds out */
	for (unsigned i = 0; i < 3; i++) {
		send(&s, 0, 10);
		world_settle(s.w);
	}
	by = room_of(&s, s.senders[0].bare);
	CHECK_INT(by->errors, 3);
	CHECK_STR(str_c(by->error.condition), "resource-constraint");
	CHECK_INT(room_of(&s, ROOM)->failed, 1);
	CHECK_INT(room_of(&s, ROOM)->taken, 0);
	CHECK_INT(handled(&s), 3);
	store_set_full(s.w->server->store, false);
	world_sleep(s.w, 60 * US_PER_S);
	send(&s, 0, 10);
	world_settle(s.w);
	check_heard(&s, 1);
	scene_done(&s);
}

static bool
loses(void *arg, enum store_moment at)
{
	(void)arg;
	return (at == STORE_AT_COMMIT || at == STORE_AT_ANSWER) &&
		n_failing != 0 && n_failing-- != 0;
}

/* A database that is gone for a moment: all of it waits, and comes once. */
TEST(what_the_database_loses_waits_in_line)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scene s;

		scene_init(&s, seed, false, CONF);
		n_failing = 1;
		store_lose_when(s.w->server->store, loses, NULL);
		for (unsigned i = 0; i < WORDS; i++) {
			send(&s, i % SENDERS, 10);
			for (uint64_t n = world_draw(s.w, 6); n > 0; n--)
				world_turn(s.w);
		}
		world_sleep(s.w, 20 * US_PER_S);
		CHECK_INT(room_of(&s, ROOM)->failed, 0);
		CHECK_INT(handled(&s), WORDS);
		check_heard(&s, WORDS);
		store_lose_when(s.w->server->store, NULL, NULL);
		scene_done(&s);
	}
}

/* More than may wait: the rest is refused at once, and what was taken is said. */
TEST(what_waits_has_a_bound)
{
	unsigned refused;
	struct scene s;

	scene_init(&s, 1, false, CONF);
	for (unsigned i = 0; i < 5 * WORDS; i++)
		send(&s, 0, 2000);
	world_settle(s.w);
	refused = errors(&s);
	CHECK(refused != 0 && refused < 5 * WORDS);
	CHECK_STR(str_c(room_of(&s, s.senders[0].bare)->error.condition),
		"resource-constraint");
	CHECK_INT(room_of(&s, ROOM)->failed, 0);
	CHECK_INT(handled(&s), 5 * WORDS);
	check_heard(&s, 5 * WORDS - refused);
	scene_done(&s);
}

/* The module goes while its rooms wait for the disk: nobody waits for ever. */
TEST(who_waits_for_a_room_that_leaves_is_answered)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scene s;

		scene_init(&s, seed, false, CONF);
		s.w->slow_store = true;
		for (unsigned i = 0; i < WORDS; i++)
			send(&s, i % SENDERS, 10);
		for (uint64_t n = world_draw(s.w, 20); n > 0; n--)
			world_turn(s.w);
		server_switch_module(s.w->server, STR("testroom"), false, NULL,
			NULL);
		world_settle(s.w);
		CHECK(find(&s, ROOM) == NULL);
		CHECK_INT(handled(&s), WORDS);
		for (unsigned i = 0; i < s.w->n_shards; i++)
			CHECK_INT(s.w->server->shards[i]->stats.line_bytes.now,
				0);
		scene_done(&s);
	}
}

TEST_MAIN
