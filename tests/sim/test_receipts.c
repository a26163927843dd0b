/*
 * test_receipts.c - sessions that count, on a disk that is slow, fails, is full, and
 * a store that is busy: at the moment a count is told, all below it is on disk,
 * delivered, or refused, and its sender has the error.
 *
 * What is on disk is looked at behind the back of the server, as after a crash at
 * this very moment.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "store/store_int.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/session.h"
#include "account/session_out.h"
#include "unit/test.h"
#include "../peek.h"
#include "trouble.h"
#include "world.h"

#ifndef SEEDS
#define SEEDS 60
#endif
#define STEPS 150
#define USERS 4   /* with a device each */
#define AWAY 4    /* has none */
#define NOBODY 5  /* there is no such account */
#define SAID_MAX 4000

enum kind { CHAT, ROSTER_SET, SUBSCRIBE, GET, PRESENCE };

struct said {
	enum kind kind;
	uint8_t to;
	bool full;      /* to a device */
	bool answered;  /* with a result */
	bool came_back; /* as an error */
	bool arrived;   /* at a device */
};

struct user {
	struct client c;
	struct scene *scene;
	unsigned index;
	struct session *session;
	struct said said[SAID_MAX];
	uint32_t n;
	uint32_t checked; /* all up to this one is dealt with */
};

struct scene {
	struct world *w;
	struct user users[USERS];
	struct store_db *db; /* beside the server's own */
	bool got;   /* what comes is archived */
	unsigned moved;
};

/* --- what comes -------------------------------------------------------------- */

/* "3-17": what user 3 has said, as number 17. */
static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct user *u = CONTAINER_OF(c, struct user, c);
	const char *id = arena_str(a, elem_attr(e, "id")).p;
	struct str type = elem_attr(e, "type");
	unsigned who, n;

	if (id == NULL || sscanf(id, "%u-%u", &who, &n) != 2) {
		arena_free(a);
		return;
	}
	if (str_is(type, "error")) {
		CHECK_INT(who, u->index);
		u->said[n].came_back = true;
	} else if (str_is(type, "result")) {
		u->said[n].answered = true;
	} else if (str_is(e->name, "message")) {
		u->scene->users[who].said[n].arrived = true;
	}
	arena_free(a);
}

/* --- what is on disk ----------------------------------------------------------- */

struct look {
	char id[24];
	bool found;
};

static bool
on_entry(void *arg, const struct store_entry *entry)
{
	struct look *look = arg;

	look->found |= memmem(entry->value.p, entry->value.n, look->id,
			       strlen(look->id)) != NULL;
	return true;
}

static bool
log_has(struct scene *s, unsigned user, const char *name, unsigned who,
	unsigned n)
{
	const struct store_driver *d = s->w->server->store->driver;
	struct store_range all = { .max = SAID_MAX };
	struct err err = ERR_INIT;
	struct look look = { .found = false };
	char local[8];
	uint64_t total;
	bool complete;

	snprintf(local, sizeof(local), "u%u", user);
	snprintf(look.id, sizeof(look.id), "id=\"%u-%u\"", who, n);
	CHECK(d->begin(s->db, &err));
	CHECK(d->range(s->db,
		(struct store_place){ STR(WORLD_HOST), str_c(local),
			str_c(name) },
		&all, on_entry, &look, &total, &complete, &err));
	d->rollback(s->db);
	return look.found;
}

static bool
on_any(void *arg, const struct store_entry *entry)
{
	(void)entry;
	*(bool *)arg = true;
	return false;
}

static bool
roster_has(struct scene *s, unsigned user, const char *contact)
{
	const struct store_driver *d = s->w->server->store->driver;
	struct err err = ERR_INIT;
	bool found = false;
	char local[8];

	snprintf(local, sizeof(local), "u%u", user);
	CHECK(d->begin(s->db, &err));
	CHECK(d->get(s->db,
		(struct store_place){ STR(WORLD_HOST), str_c(local),
			STR(MAP_ROSTER) },
		str_c(contact), on_any, &found, &err));
	d->rollback(s->db);
	return found;
}

/* --- the rule -------------------------------------------------------------------- */

static bool
chat_is_safe(struct scene *s, const struct user *u, uint32_t n)
{
	const struct said *x = &u->said[n];

	if (!log_has(s, u->index, "testarchive_sent", u->index, n))
		return false;
	/* who does not exist cannot be told from one who is away */
	if (x->to == NOBODY)
		return true;
	if (x->arrived || (s->got && log_has(s, x->to, "testarchive_got",
					     u->index, n)))
		return true;
	return !s->got && log_has(s, x->to, "offline", u->index, n);
}

static bool
is_dealt_with(struct scene *s, const struct user *u, uint32_t n)
{
	const struct said *x = &u->said[n];
	char contact[40];

	if (x->came_back)
		return true;
	snprintf(contact, sizeof(contact), "c%u@" WORLD_HOST, n);
	switch (x->kind) {
	case CHAT:
		return chat_is_safe(s, u, n);
	case ROSTER_SET:
		return x->answered && roster_has(s, u->index, contact);
	case SUBSCRIBE:
		snprintf(contact, sizeof(contact), "u%u@" WORLD_HOST, x->to);
		return roster_has(s, u->index, contact);
	case GET:
		return x->answered;
	case PRESENCE:
		return true;
	}
	return false;
}

static void
check_counts(struct scene *s)
{
	for (unsigned i = 0; i < USERS; i++) {
		struct user *u = &s->users[i];
		uint32_t h = session_handled(u->session);

		CHECK(h >= u->checked && h <= u->n);
		s->moved += h != u->checked && session_received(u->session) != h;
		while (u->checked != h) {
			if (!is_dealt_with(s, u, ++u->checked)) {
				const struct said *x = &u->said[u->checked];

				print_error("u%u: %u of kind %d to u%u is not; answered %d arrived %d\n",
					i, u->checked, (int)x->kind, x->to,
					x->answered, x->arrived);
				CHECK(false);
			}
		}
	}
}

static void
turn(struct scene *s)
{
	world_turn(s->w);
	for (unsigned i = 0; i < USERS; i++)
		client_read(&s->users[i].c);
	check_counts(s);
}

/* --- what users do --------------------------------------------------------------- */

static void
say(struct scene *s)
{
	struct world *w = s->w;
	struct user *u = &s->users[world_draw(w, USERS)];
	uint32_t n = u->n + 1;
	struct said *x = &u->said[n];

	if (n == SAID_MAX)
		return;
	u->n = n;
	*x = (struct said){ .to = (uint8_t)world_draw(w, NOBODY + 1),
		.full = world_draw(w, 4) == 0 };
	switch (world_draw(w, 12)) {
	case 0:
		x->kind = ROSTER_SET;
		client_send(&u->c, "<iq type='set' id='%u-%u'>"
			"<query xmlns='jabber:iq:roster'><item jid='c%u@"
			WORLD_HOST "'/></query></iq>", u->index, n, n);
		break;
	case 1:
		x->kind = x->to != u->index ? SUBSCRIBE : PRESENCE;
		client_send(&u->c, "<presence type='%s' id='%u-%u' to='u%u@"
			WORLD_HOST "'/>",
			x->to != u->index ? "subscribe" : "probe", u->index, n,
			x->to);
		break;
	case 2:
		x->kind = GET;
		client_send(&u->c, "<iq type='get' id='%u-%u'>"
			"<query xmlns='jabber:iq:roster'/></iq>", u->index, n);
		break;
	case 3:
		x->kind = PRESENCE;
		client_send(&u->c, "<presence id='%u-%u'/>", u->index, n);
		break;
	default:
		x->kind = CHAT;
		client_send(&u->c, "<message type='chat' id='%u-%u' to='u%u@"
			WORLD_HOST "%s'><body>x</body></message>", u->index, n,
			x->to, x->full ? "/r" : "");
	}
}

static bool
on_busy(void *arg, bool writes)
{
	return writes && world_draw(arg, 4) == 0;
}

static void
disturb(struct scene *s, uint64_t seed)
{
	struct world *w = s->w;

	if (seed % 5 == 3)
		store_set_full(w->server->store, world_draw(w, 2) == 0);
	else if (world_draw(w, 2) == 0)
		shard_post(w->server->shards[world_draw(w, w->n_shards)],
			trouble_read_anew, NULL, 0);
}

/* --- one seed ---------------------------------------------------------------------- */

static struct session *
session_of(struct scene *s, const char *local)
{
	struct buf bare = BUF_INIT;
	struct account *acc;

	buf_printf(&bare, "%s@" WORLD_HOST, local);
	acc = account_find(peek_owner(s->w->server, buf_str(&bare)),
		buf_str(&bare));
	buf_done(&bare);
	CHECK(acc != NULL && acc->sessions != NULL);
	return acc->sessions;
}

static void
user_open(struct scene *s, unsigned i)
{
	struct user *u = &s->users[i];
	char local[8];

	snprintf(local, sizeof(local), "u%u", i);
	u->scene = s;
	u->index = i;
	client_init(&u->c, s->w, local, "r");
	u->c.on_stanza = on_stanza;
	client_connect(&u->c);
	for (int n = 0; n < 10; n++) {
		world_settle(s->w);
		client_read(&u->c);
	}
	u->session = session_of(s, local);
	session_count_input(u->session, true);
}

static void
scene_open(struct scene *s, uint64_t seed)
{
	struct store *store;
	struct err err = ERR_INIT;
	char conf[400], local[8];

	s->got = seed % 3 != 0;
	snprintf(conf, sizeof(conf),
		"limits: { stanzas_burst: 100000, bytes_burst: 256MiB, "
		"receipts_per_session: %d }\n"
		"modules: { archive: off, "
		"testarchive: { before: %s, got: %s }, offline: "
		"{ stranger_share: 100, sender_share: 100, "
		"max_messages: 10000 } }\n",
		seed % 7 == 0 ? 3 : 1000, seed % 2 == 0 ? "on" : "off",
		s->got ? "on" : "off");
	s->w = world_new(seed, 1 + (unsigned)(seed % 4), TEST_MODULE_DIR, conf);
	store = s->w->server->store;
	s->db = store->driver->open_beside(store->writer.db, &err);
	CHECK(s->db != NULL);
	for (unsigned i = 0; i <= AWAY; i++) {
		snprintf(local, sizeof(local), "u%u", i);
		world_add_account(s->w, local);
	}
	for (unsigned i = 0; i < USERS; i++)
		user_open(s, i);
	trouble_quiet();
	if (seed % 5 == 1)
		trouble_disk(s->w);
	if (seed % 5 == 2)
		store_busy_when(store, on_busy, s->w);
}

static void
scene_close(struct scene *s)
{
	for (unsigned i = 0; i < USERS; i++)
		client_done(&s->users[i].c);
	s->w->server->store->driver->close(s->db);
	world_free(s->w);
}

static unsigned
run(uint64_t seed)
{
	struct scene *s = xcalloc(1, sizeof(*s));
	unsigned moved;

	snprintf(test_file.label, sizeof(test_file.label), "seed %u",
		(unsigned)seed);
	scene_open(s, seed);
	for (unsigned i = 0; i < STEPS; i++) {
		for (uint64_t n = world_draw(s->w, 6); n > 0; n--)
			say(s);
		for (uint64_t n = world_draw(s->w, 8); n > 0; n--)
			turn(s);
		if (world_draw(s->w, 20) == 0)
			disturb(s, seed);
	}
	store_fail_when(s->w->server->store, NULL, NULL);
	store_busy_when(s->w->server->store, NULL, NULL);
	store_set_full(s->w->server->store, false);
	for (unsigned i = 0; i < 10; i++) {
		world_sleep(s->w, 12 * US_PER_S);
		turn(s);
	}
	/* nothing is forgotten either */
	for (unsigned i = 0; i < USERS; i++) {
		CHECK_INT(s->users[i].checked, s->users[i].n);
		CHECK_INT(s->users[i].session->out->in.n_out, 0);
	}
	moved = s->moved;
	scene_close(s);
	free(s);
	return moved;
}

TEST(what_is_below_a_count_is_dealt_with)
{
	unsigned moved = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		moved += run(seed);
	/* often while something was out */
	CHECK(moved > SEEDS * 10);
}

TEST_MAIN
