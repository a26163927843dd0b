/*
 * test_room_burst.c - people who say much at once in a room with an archive, on a slow
 * disk: nothing is refused, all hear all of it, and as long as much of his waits nothing
 * more is read of one (core/entity_line.h), whether he counts what he sends or not.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "../../modules/muc/room.h"

#include "account/account.h"
#include "account/account_int.h"
#include "account/session.h"
#include "account/session_out.h"
#include "base/arena.h"
#include "peek.h"
#include "unit/test.h"
#include "world.h"

#ifndef SEEDS
#define SEEDS 10
#endif
#define USERS 6
#define WORDS 60
#define ROOM "den@conference." WORLD_HOST
#define INBOX (64 * 1024)
#define CONF                                                                   \
	"modules: { muc: { message_rate: 0, join_rate: 0 } }\n"               \
	"limits: { inbox_bytes: 64KiB, stanza_bytes: 16KiB,\n"                 \
	"  stanzas_per_second: 100000, stanzas_burst: 100000 }\n"

struct scene;

struct user {
	struct client c;
	struct scene *scene;
	struct session *session;
	unsigned sent;
	unsigned heard[USERS]; /* of each, in order */
};

struct scene {
	struct world *w;
	struct user users[USERS];
	unsigned rested; /* how often one could not go on */
	uint64_t most;   /* bytes in line at once */
};

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct user *u = CONTAINER_OF(c, struct user, c);
	const char *id = arena_str(a, elem_attr(e, "id")).p;
	unsigned by, n;

	if (str_is(e->name, "message") && id != NULL &&
		sscanf(id, "%u.%u", &by, &n) == 2) {
		CHECK(!str_is(elem_attr(e, "type"), "error"));
		CHECK_INT(u->heard[by]++, n);
	}
	arena_free(a);
}

static void
settle(struct scene *s)
{
	for (int i = 0; i < 8; i++) {
		world_settle(s->w);
		for (unsigned u = 0; u < USERS; u++)
			client_read(&s->users[u].c);
	}
}

static struct session *
session_of(const struct scene *s, const char *local)
{
	char bare[64];
	struct account *acc;

	snprintf(bare, sizeof(bare), "%s@" WORLD_HOST, local);
	acc = account_find(peek_owner(s->w->server, str_c(bare)), str_c(bare));
	CHECK(acc != NULL && acc->sessions != NULL);
	return acc->sessions;
}

static void
come(struct scene *s, unsigned i)
{
	struct user *u = &s->users[i];
	char local[8];

	snprintf(local, sizeof(local), "u%u", i);
	world_add_account(s->w, local);
	u->scene = s;
	client_init(&u->c, s->w, local, "r");
	u->c.on_stanza = on_stanza;
	client_connect(&u->c);
	settle(s);
	u->session = session_of(s, local);
	if (i % 2 == 1)
		session_count_input(u->session, true);
	client_send(&u->c, "<presence to='" ROOM "/%s'><x xmlns='" NS_MUC
		"'/></presence>", local);
	if (i == 0)
		client_send(&u->c, "<iq to='" ROOM "' type='set' id='1'>"
			"<query xmlns='" NS_MUC_OWNER "'>"
			"<x xmlns='jabber:x:data' type='submit'/></query></iq>");
	settle(s);
}

static void
scene_begin(struct scene *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->w = world_new(seed, 3, TEST_MODULE_DIR, CONF);
	for (unsigned i = 0; i < USERS; i++)
		come(s, i);
	s->w->slow_store = true;
}

static void
scene_end(struct scene *s)
{
	for (unsigned i = 0; i < USERS; i++) {
		client_leave(&s->users[i].c);
		settle(s);
		client_done(&s->users[i].c);
	}
	world_free(s->w);
}

static void
say(struct scene *s, unsigned i)
{
	struct user *u = &s->users[i];

	client_send(&u->c, "<message to='" ROOM "' type='groupchat' id='%u.%u'>"
		"<body>x</body></message>", i, u->sent++);
}

static void
look(struct scene *s)
{
	uint64_t now = 0;

	for (unsigned i = 0; i < s->w->n_shards; i++)
		now += s->w->server->shards[i]->stats.line_bytes.now;
	s->most = MAX(s->most, now);
}

/* All was heard by all, and nothing is left of it. */
static void
check_end(struct scene *s)
{
	settle(s);
	for (unsigned i = 0; i < USERS; i++) {
		const struct session *of = s->users[i].session;

		for (unsigned by = 0; by < USERS; by++)
			CHECK_INT(s->users[i].heard[by], s->users[by].sent);
		CHECK_INT(of->rest, 0);
		if (of->counts)
			CHECK_INT(session_handled(of), session_received(of));
		else
			CHECK(of->out == NULL);
	}
}

/* As TCP has it: what is not read is not sent. */
TEST(who_says_more_than_the_disk_takes_is_read_more_slowly)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scene s;
		unsigned left = USERS * WORDS;

		scene_begin(&s, seed);
		while (left != 0) {
			unsigned i = (unsigned)world_draw(s.w, USERS);

			if (s.users[i].session->rest != 0) {
				s.rested++;
			} else if (s.users[i].sent != WORDS) {
				say(&s, i);
				left--;
			}
			if (world_draw(s.w, 4) == 0)
				world_turn(s.w);
			look(&s);
		}
		check_end(&s);
		CHECK(s.rested != 0);
		/* in line one is some times as large as it was when it was read */
		CHECK(s.most < USERS * (INBOX / 2));
		scene_end(&s);
	}
}

/* What was read already is taken. */
TEST(who_has_said_it_all_before_he_is_not_read_loses_nothing)
{
	static const unsigned numbers[] = { 0, 1, 2, 20, 300 };

	for (size_t k = 0; k < COUNT(numbers); k++) {
		struct scene s;

		test_case_number("n", numbers[k]);
		scene_begin(&s, k + 1);
		for (unsigned i = 0; i < USERS; i++)
			for (unsigned n = 0; n < numbers[k]; n++)
				say(&s, i);
		check_end(&s);
		scene_end(&s);
	}
}

TEST_MAIN
