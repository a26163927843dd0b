/*
 * test_room_said.c - what is said in a room with an archive (modules/muc/room_message.c),
 * on disks that are slow, fail, are full: who hears it finds it there, at that very moment,
 * as after a crash; what is acknowledged to who has sent it was said; what cannot be stored
 * comes back; all of it in one order, archived or not; and nobody leaves before his words.
 *
 * What is on disk is looked at behind the back of the server.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "../../modules/muc/room.h"

#include "base/arena.h"
#include "peek.h"
#include "store/store_int.h"
#include "unit/test.h"
#include "world.h"

#ifndef SEEDS
#define SEEDS 15
#endif
#define WORDS 60
#define WORDS_MAX 256
#define SERVICE "conference." WORLD_HOST
#define ROOM "den@" SERVICE
#define SENDER "c1@room." WORLD_HOST
#define CONF                                                                   \
	"modules: { testroom: yes, muc: { join_rate: 0, presence_rate: 0,\n"    \
	"  nick_rate: 0, message_rate: 0 } }\n"                                \
	"limits: { stanzas_per_second: 100000, stanzas_burst: 100000,\n"        \
	"  inbox_bytes: 1MiB }\n"

enum { OWNER, GUEST, USERS };

struct scene;

struct user {
	struct client c;
	struct scene *scene;
	unsigned n;              /* that it has heard */
	unsigned heard[WORDS_MAX];
	bool came_back[WORDS_MAX];
	char cond[64];           /* of the last that came back */
	char id[STORE_ID_SIZE];  /* by the room, of the last that it has heard */
	bool left;               /* it has left, by what the room says */
	unsigned after;          /* how many it has heard when the guest had left */
};

struct scene {
	struct world *w;
	struct user users[USERS];
	struct store_db *db;      /* beside the server's own; NULL: none */
	struct receipt_line line; /* of the sender, who is a room of the test's */
	unsigned sent;
};

/* --- what is on disk --------------------------------------------------------------- */

struct look {
	char id[24];
	unsigned n;
};

static bool
on_entry(void *arg, const struct store_entry *entry)
{
	struct look *look = arg;

	look->n += memmem(entry->value.p, entry->value.n, look->id,
			   strlen(look->id)) != NULL;
	return true;
}

static void
look_at(struct scene *s, struct look *look)
{
	const struct store_driver *d = s->w->server->store->driver;
	struct store_range all = { .max = 4 * WORDS_MAX };
	struct err err = ERR_INIT;
	uint64_t total;
	bool complete;

	CHECK(d->begin(s->db, &err));
	CHECK(d->range(s->db,
		(struct store_place){ STR(SERVICE), STR("den"), STR("archive") },
		&all, on_entry, look, &total, &complete, &err));
	d->rollback(s->db);
}

static unsigned
archived(struct scene *s, unsigned n)
{
	struct look look = { .n = 0 };

	snprintf(look.id, sizeof(look.id), "id=\"w%u\"", n);
	look_at(s, &look);
	return look.n;
}

static unsigned
all_archived(struct scene *s)
{
	struct look look = { .n = 0 };

	look_at(s, &look);
	return look.n;
}

/* Each third word is a state of a chat, which no archive has. */
static bool
is_archived(unsigned n)
{
	return n % 3 != 2;
}

/* --- what comes --------------------------------------------------------------------- */

static void
hear(struct user *u, unsigned n)
{
	struct scene *s = u->scene;

	CHECK(u->n < WORDS_MAX);
	u->heard[u->n++] = n;
	if (s->db != NULL)
		CHECK_INT(archived(s, n), is_archived(n));
}

static void
note_id(struct user *u, const struct elem *e)
{
	if (e != NULL)
		snprintf(u->id, sizeof(u->id), "%.*s", STR_ARG(elem_attr(e, "id")));
}

static void
on_presence(struct user *u, const struct elem *e)
{
	if (!str_is(elem_attr(e, "type"), "unavailable") ||
		!str_is(elem_attr(e, "from"), ROOM "/guest"))
		return;
	u->left = true;
	u->after = u->n;
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct user *u = CONTAINER_OF(c, struct user, c);
	const char *id = arena_str(a, elem_attr(e, "id")).p;
	const struct elem *error = elem_child(e, NS_CLIENT, "error");
	unsigned n;

	if (str_is(e->name, "presence")) {
		on_presence(u, e);
	} else if (id != NULL && sscanf(id, "w%u", &n) == 1 && error != NULL) {
		CHECK(!u->came_back[n]);
		u->came_back[n] = true;
		snprintf(u->cond, sizeof(u->cond), "%.*s",
			STR_ARG(elem_first_child(error)->name));
	} else if (id != NULL && sscanf(id, "w%u", &n) == 1) {
		note_id(u, elem_child(e, NS_SID, "stanza-id"));
		hear(u, n);
	}
	arena_free(a);
}

/* --- the scene ----------------------------------------------------------------------- */

static void
settle(struct scene *s)
{
	for (int i = 0; i < 8; i++) {
		world_settle(s->w);
		for (unsigned u = 0; u < USERS; u++)
			client_read(&s->users[u].c);
	}
}

static void
some_turns(struct scene *s)
{
	for (uint64_t n = world_draw(s->w, 8); n > 0; n--)
		world_turn(s->w);
}

static void
come(struct scene *s, unsigned i)
{
	client_send(&s->users[i].c, "<presence to='" ROOM "/%s'><x xmlns='" NS_MUC
		"'/></presence>", i == OWNER ? "owner" : "guest");
	settle(s);
}

static void
on_moved(struct turn_end *t)
{
	(void)t;
}

/* Its room is locked. */
static void
scene_make(struct scene *s, uint64_t seed, bool lasting)
{
	static const char *const names[USERS] = { "owner", "guest" };
	struct err err = ERR_INIT;

	memset(s, 0, sizeof(*s));
	s->w = lasting ? world_new_lasting(seed, 3, TEST_MODULE_DIR, CONF) :
			 world_new(seed, 3, TEST_MODULE_DIR, CONF);
	for (unsigned i = 0; i < USERS; i++) {
		struct user *u = &s->users[i];

		u->scene = s;
		world_add_account(s->w, names[i]);
		client_init(&u->c, s->w, names[i], "r");
		u->c.on_stanza = on_stanza;
		client_connect(&u->c);
	}
	settle(s);
	come(s, OWNER);
	receipt_line_begin(&s->line, peek_owner(s->w->server, STR(SENDER)), 0,
		on_moved);
	if (lasting) {
		struct store *store = s->w->server->store;

		s->db = store->driver->open_beside(store->writer.db, &err);
		CHECK(s->db != NULL);
	}
}

static void
open_it(struct scene *s)
{
	client_send(&s->users[OWNER].c, "<iq to='" ROOM "' type='set' id='1'>"
		"<query xmlns='" NS_MUC_OWNER "'>"
		"<x xmlns='jabber:x:data' type='submit'/></query></iq>");
}

static void
scene_begin(struct scene *s, uint64_t seed, bool lasting)
{
	scene_make(s, seed, lasting);
	open_it(s);
	settle(s);
	come(s, GUEST);
}

static void
scene_end(struct scene *s)
{
	receipt_line_end(&s->line);
	if (s->db != NULL)
		s->w->server->store->driver->close(s->db);
	for (unsigned i = 0; i < USERS; i++) {
		client_leave(&s->users[i].c);
		settle(s);
		client_done(&s->users[i].c);
	}
	world_free(s->w);
}

/* --- what is said ------------------------------------------------------------------------ */

static void
guest_says(struct scene *s)
{
	unsigned n = s->sent++;

	client_send(&s->users[GUEST].c,
		"<message to='" ROOM "' type='groupchat' id='w%u'>%s</message>", n,
		is_archived(n) ? "<body>x</body>" :
				 "<active xmlns='" NS_CHATSTATES "'/>");
}

/* The same by one whose receipts the test has. */
static void
sender_sends(struct scene *s, struct stanza *st)
{
	stanza_set_from(st, jid_copy(st->arena, jid_trusted(STR(SENDER "/x"))));
	receipt_line_next(&s->line);
	receipt_give(&s->line, st);
	router_send(s->line.home, st);
}

static void
sender_comes(struct scene *s)
{
	struct jid none = { .text = NULL };
	struct stanza *st = stanza_new(PRESENCE_AVAILABLE, none,
		jid_trusted(STR(ROOM "/sender")), STR_NONE);

	elem_add(st->arena, st->root, NS_MUC, "x");
	sender_sends(s, st);
	settle(s);
	CHECK_INT(receipt_line_handled(&s->line), 1);
}

static void
sender_says(struct scene *s)
{
	struct jid none = { .text = NULL };
	unsigned n = s->sent++;
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT, none,
		jid_trusted(STR(ROOM)), STR_NONE);

	stanza_set_id(st, arena_printf(st->arena, "w%u", n));
	if (is_archived(n))
		elem_add_with_text(st->arena, st->root, NS_CLIENT, "body",
			STR("x"));
	else
		elem_add(st->arena, st->root, NS_CHATSTATES, "active");
	sender_sends(s, st);
}

/* All but those that came back, in order, and both alike. */
static void
check_heard(const struct scene *s)
{
	const struct user *owner = &s->users[OWNER], *guest = &s->users[GUEST];
	unsigned at = 0;

	for (unsigned n = 0; n < s->sent; n++) {
		if (guest->came_back[n])
			continue;
		CHECK(at < owner->n);
		CHECK_INT(owner->heard[at], n);
		CHECK_INT(guest->heard[at], n);
		at++;
	}
	CHECK_INT(owner->n, at);
	CHECK_INT(guest->n, at);
}

/* --- as it is ------------------------------------------------------------------------ */

TEST(what_is_heard_is_on_disk_and_what_is_acknowledged_too)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scene s;

		scene_begin(&s, seed, true);
		sender_comes(&s);
		s.w->slow_store = true;
		for (unsigned i = 0; i < WORDS; i++) {
			unsigned handled;

			sender_says(&s);
			some_turns(&s);
			handled = receipt_line_handled(&s.line) - 1;
			if (handled != 0)
				CHECK_INT(archived(&s, handled - 1),
					is_archived(handled - 1));
		}
		settle(&s);
		CHECK_INT(receipt_line_handled(&s.line), WORDS + 1);
		check_heard(&s);
		CHECK_INT(s.users[OWNER].n, WORDS);
		scene_end(&s);
	}
}

static bool
on_subject(void *arg, const struct store_entry *entry)
{
	*(bool *)arg = memmem(entry->value.p, entry->value.n, "w0", 2) != NULL;
	return false;
}

static bool
subject_is_stored(struct scene *s)
{
	const struct store_driver *d = s->w->server->store->driver;
	struct err err = ERR_INIT;
	bool found = false;

	CHECK(d->begin(s->db, &err));
	CHECK(d->get(s->db,
		(struct store_place){ STR(SERVICE), STR("den"), STR(MAP_ROOM) },
		STR("subject"), on_subject, &found, &err));
	d->rollback(s->db);
	return found;
}

/* What was said while it opens waits for that, and is kept as ever. */
TEST(a_subject_is_on_disk_also_of_a_room_that_opens)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scene s;

		scene_make(&s, seed, true);
		s.w->slow_store = true;
		open_it(&s);
		some_turns(&s);
		client_send(&s.users[OWNER].c, "<message to='" ROOM "' id='w0' "
			"type='groupchat'><subject>w0</subject></message>");
		settle(&s);
		CHECK_INT(s.users[OWNER].n, 1);
		CHECK(subject_is_stored(&s));
		scene_end(&s);
	}
}

static uint64_t
commits(const struct scene *s)
{
	struct store_stats stats;

	store_stats(s->w->server->store, &stats);
	return stats.batches.n;
}

TEST(what_is_said_in_one_turn_takes_few_commits)
{
	struct scene s;
	uint64_t before;

	scene_begin(&s, 1, false);
	before = commits(&s);
	for (unsigned i = 0; i < 100; i++)
		guest_says(&s);
	settle(&s);
	check_heard(&s);
	CHECK_INT(s.users[OWNER].n, 100);
	CHECK(commits(&s) - before <= 10);
	scene_end(&s);
}

/* He hears his own words, and the others do before they hear that he has gone; who comes
 * again at once has come. */
TEST(who_leaves_leaves_behind_his_words)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scene s;

		scene_begin(&s, seed, false);
		s.w->slow_store = true;
		for (unsigned i = 0; i < 4; i++)
			guest_says(&s);
		client_send(&s.users[GUEST].c,
			"<presence to='" ROOM "/guest' type='unavailable'/>");
		some_turns(&s);
		settle(&s);
		for (unsigned i = 0; i < USERS; i++) {
			CHECK(s.users[i].left);
			CHECK_INT(s.users[i].after, 4);
		}
		come(&s, GUEST);
		guest_says(&s);
		client_send(&s.users[GUEST].c,
			"<presence to='" ROOM "/guest' type='unavailable'/>"
			"<presence to='" ROOM "/guest'><x xmlns='" NS_MUC
			"'><history maxstanzas='0'/></x></presence>");
		settle(&s);
		guest_says(&s);
		settle(&s);
		CHECK_INT(s.users[GUEST].heard[s.users[GUEST].n - 1], 5);
		CHECK(!s.users[GUEST].came_back[5]);
		CHECK_INT(s.users[OWNER].heard[s.users[OWNER].n - 1], 5);
		scene_end(&s);
	}
}

/* The last one goes while something is moderated: who makes the room anew finds nothing of
 * it. */
TEST(a_room_that_ends_while_something_is_moderated_leaves_nothing)
{
	for (uint64_t seed = 1; seed <= 3 * SEEDS; seed++) {
		struct user *owner;
		struct scene s;

		scene_begin(&s, seed, true);
		owner = &s.users[OWNER];
		guest_says(&s);
		client_send(&s.users[GUEST].c,
			"<presence to='" ROOM "/guest' type='unavailable'/>");
		settle(&s);
		CHECK_INT(all_archived(&s), 1);
		s.w->slow_store = true;
		client_send(&owner->c, "<iq to='" ROOM "' type='set' id='2'>"
			"<moderate id='%s' xmlns='" NS_MODERATE "'>"
			"<retract xmlns='" NS_RETRACT "'/></moderate></iq>",
			owner->id);
		for (uint64_t n = world_draw(s.w, 100); n > 0; n--)
			world_turn(s.w);
		client_send(&owner->c,
			"<presence to='" ROOM "/owner' type='unavailable'/>");
		settle(&s);
		CHECK_INT(all_archived(&s), 0);
		scene_end(&s);
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

TEST(what_cannot_be_stored_comes_back_and_nobody_hears_it)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		const struct user *guest;
		unsigned back = 0;
		struct scene s;

		scene_begin(&s, seed, false);
		guest = &s.users[GUEST];
		n_failing = 1;
		store_fail_when(s.w->server->store, fails, NULL);
		for (unsigned i = 0; i < WORDS; i++) {
			guest_says(&s);
			some_turns(&s);
		}
		settle(&s);
		for (unsigned i = 0; i < WORDS; i++) {
			back += guest->came_back[i];
			CHECK(is_archived(i) || !guest->came_back[i]);
		}
		CHECK(back != 0);
		CHECK_CSTR(guest->cond, "internal-server-error");
		check_heard(&s);
		/* and it goes on */
		guest_says(&s);
		settle(&s);
		check_heard(&s);
		CHECK(!guest->came_back[WORDS]);
		store_fail_when(s.w->server->store, NULL, NULL);
		scene_end(&s);
	}
}

TEST(on_a_full_disk_is_said_what_need_not_be_stored)
{
	struct scene s;
	const struct user *guest;

	scene_begin(&s, 1, false);
	guest = &s.users[GUEST];
	store_set_full(s.w->server->store, true);
	for (unsigned i = 0; i < 6; i++) { /* the first finds out */
		guest_says(&s);
		settle(&s);
		CHECK_INT(guest->came_back[i], is_archived(i));
	}
	CHECK_CSTR(guest->cond, "resource-constraint");
	check_heard(&s);
	store_set_full(s.w->server->store, false);
	world_sleep(s.w, 60 * US_PER_S);
	guest_says(&s);
	settle(&s);
	check_heard(&s);
	CHECK(!guest->came_back[6]);
	scene_end(&s);
}

/* What a retraction means, the store cannot say: it is said nevertheless, and nothing
 * waits for it. */
static bool
fails_to_read(void *arg, bool writes)
{
	(void)arg;
	return !writes && n_failing != 0 && n_failing-- != 0;
}

TEST(while_the_room_asks_what_is_taken_back_nothing_overtakes_it)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scene s;

		scene_begin(&s, seed, false);
		if (seed % 3 == 0) {
			n_failing = 1;
			store_fail_when(s.w->server->store, fails_to_read, NULL);
		}
		s.w->slow_store = true;
		guest_says(&s);
		client_send(&s.users[GUEST].c,
			"<message to='" ROOM "' type='groupchat' id='w%u'>"
			"<retract xmlns='" NS_RETRACT "' id='1.abc'/></message>",
			s.sent++);
		for (unsigned i = 0; i < 6; i++) {
			guest_says(&s);
			some_turns(&s);
		}
		settle(&s);
		check_heard(&s);
		CHECK_INT(s.users[OWNER].n, 8);
		store_fail_when(s.w->server->store, NULL, NULL);
		scene_end(&s);
	}
}

/* Of a database that was edited. */
TEST(history_goes_on_behind_an_id_that_is_too_long)
{
	struct scene s;
	struct store_place at = { STR(SERVICE), STR("den"), STR("archive") };
	struct store_tx *tx = store_tx_new();
	struct str text = STR("<message xmlns='jabber:client' from='" ROOM
		"/x' type='groupchat' id='w1'><body>x</body></message>");
	struct str nothing = STR("<message xmlns='jabber:client' from='" ROOM
		"/x' type='groupchat'/>");
	char id[8], longer[201] = "";

	scene_begin(&s, 1, false);
	guest_says(&s);
	client_send(&s.users[GUEST].c,
		"<presence to='" ROOM "/guest' type='unavailable'/>");
	settle(&s);
	memset(longer, 'y', sizeof(longer) - 1);
	store_tx_append(tx, at, str_c(longer), 1, STR("x@y.example"), nothing);
	for (unsigned i = 1; i < 20; i++) {
		snprintf(id, sizeof(id), "x%u", i);
		store_tx_append(tx, at, str_c(id), 1, STR("x@y.example"), text);
	}
	store_commit(s.w->server->store, tx, NULL, NULL, NULL);
	settle(&s);
	s.users[GUEST].n = 0;
	come(&s, GUEST);
	CHECK_INT(s.users[GUEST].n, 20);
	scene_end(&s);
}

/* --- what others ask ------------------------------------------------------------------ */

static void
sender_registers(struct scene *s)
{
	struct jid none = { .text = NULL };
	struct stanza *st = stanza_new(IQ_SET, none, jid_trusted(STR(ROOM)),
		STR("r"));
	struct arena *a = st->arena;
	struct elem *query = elem_add(a, st->root, NS_REGISTER, "query");
	struct elem *form = elem_add(a, query, NS_FORM, "x");
	struct elem *field = elem_add(a, form, NS_FORM, "field");
	char text[10000];

	memset(text, 'x', sizeof(text));
	elem_set_attr(a, form, "type", STR("submit"));
	elem_set_attr(a, field, "var", STR("muc#register_roomnick"));
	elem_add_with_text(a, field, NS_FORM, "value", STR("sender"));
	elem_add_with_text(a, query, NS_REGISTER, "misc",
		arena_str(a, (struct str){ text, sizeof(text) }));
	sender_sends(s, st);
}

/* They come from a server whose users are bounded by nobody here, and are done one by
 * one, while the disk is slow. */
TEST(what_waits_to_be_done_in_a_room_is_bounded)
{
	enum { MANY = 400 };
	struct scene s;
	uint64_t refused = 0, before = 0;

	scene_begin(&s, 1, false);
	for (unsigned i = 0; i < s.w->n_shards; i++)
		before += s.w->server->shards[i]->stats.refused;
	for (unsigned i = 0; i < MANY; i++) {
		sender_registers(&s);
		for (unsigned k = 0; k < s.w->n_shards; k++)
			shard_turn(s.w->server->shards[k]);
	}
	for (unsigned i = 0; i < s.w->n_shards; i++)
		refused += s.w->server->shards[i]->stats.refused;
	CHECK(refused - before > MANY / 4);
	CHECK(refused - before < MANY);
	settle(&s);
	CHECK_INT(receipt_line_handled(&s.line), MANY);
	scene_end(&s);
}

TEST_MAIN
