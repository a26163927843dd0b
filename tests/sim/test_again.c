/*
 * test_again.c - what is sent again: the server is killed, sessions end without
 * their clients, who send all that they do not know to have arrived; and each
 * message is in each archive once, and comes to nobody as if it were new twice.
 */
#include "config.h"

#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "unit/test.h"
#include "device.h"
#include "trouble.h"
#include "world.h"

#ifndef SEEDS
#define SEEDS 60
#endif
#define STEPS 250
#define USERS 3
#define DEVICES 2
#define SAID_MAX 4000

struct said {
	uint8_t user, to;
	bool acked;
};

struct member {
	struct device d; /* first */
	struct scene *scene;
	unsigned user, index;
	bool got[SAID_MAX];     /* in this session */
	bool got_new[SAID_MAX]; /* in any, without a delay */
};

struct scene {
	struct world *w;
	struct member members[USERS][DEVICES];
	struct said said[SAID_MAX];
	unsigned n_said;
	unsigned kills, sent_again;
	/* of the user whose archive is looked at */
	unsigned user;
	uint8_t archived[USERS][SAID_MAX];
};

/* --- what comes ---------------------------------------------------------------- */

static void
on_acked(struct device *d, unsigned tag)
{
	struct member *m = CONTAINER_OF(d, struct member, d);

	m->scene->said[tag].acked = true;
}

static void
on_new_life(struct device *d)
{
	struct member *m = CONTAINER_OF(d, struct member, d);

	memset(m->got, 0, sizeof(m->got));
	for (size_t i = 0; i < d->out.n; i++)
		m->scene->sent_again += d->out.p[i].tag != NO_TAG;
}

static void
on_message(struct device *d, struct elem *e)
{
	struct member *m = CONTAINER_OF(d, struct member, d);
	struct scene *s = m->scene;
	long long id;

	if (!str_is(e->name, "message"))
		return;
	CHECK(str_to_int(elem_attr(e, "id"), 0, s->n_said - 1, &id));
	CHECK(!str_is(elem_attr(e, "type"), "error"));
	CHECK_INT(s->said[id].to, m->user);
	CHECK(!m->got[id]);
	m->got[id] = true;
	if (elem_child(e, NS_DELAY, "delay") != NULL)
		return;
	if (m->got_new[id])
		print_error("%lld of u%u comes to u%u/r%u as new again\n", id,
			s->said[id].user, m->user, m->index);
	CHECK(!m->got_new[id]);
	m->got_new[id] = true;
}

static void
read_all(struct scene *s)
{
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < DEVICES; i++)
			client_read(&s->members[u][i].d.c);
}

static void
settle(struct scene *s)
{
	for (int i = 0; i < 30; i++) {
		world_settle(s->w);
		read_all(s);
	}
}

/* --- what happens ---------------------------------------------------------------- */

static void
say(struct member *m)
{
	struct scene *s = m->scene;
	struct world *w = s->w;
	unsigned to = (unsigned)world_draw(w, USERS), id = s->n_said;
	char resource[8] = "";

	if (id == SAID_MAX)
		return;
	if (world_draw(w, 2) == 0)
		snprintf(resource, sizeof(resource), "/r%u",
			(unsigned)world_draw(w, DEVICES));
	s->said[id] = (struct said){ (uint8_t)m->user, (uint8_t)to, false };
	s->n_said++;
	device_say(&m->d, id, "<message type='chat' id='%u' to='u%u@" WORLD_HOST
		"%s'><body>%0*u</body></message>", id, to, resource,
		world_draw(w, 8) == 0 ? 5000 : 1, 7u);
	if (world_draw(w, 2) == 0)
		client_send(&m->d.c, "<r xmlns='" NS_SM "'/>");
}

static void
kill_server(struct scene *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < DEVICES; i++) {
			struct client *c = &s->members[u][i].d.c;

			if (c->conn != NULL)
				client_break(c);
		}
	}
	world_kill(s->w, 1 + (unsigned)world_draw(s->w, 4));
	s->kills++;
	while (world_draw(s->w, 2) == 0)
		world_restart(s->w, 1 + (unsigned)world_draw(s->w, 4));
}

/* Its session is lost, and the client does not ask for it. */
static void
forget(struct member *m)
{
	client_break(&m->d.c);
	m->d.id[0] = '\0';
}

static void
act(struct scene *s)
{
	struct world *w = s->w;
	struct member *m =
		&s->members[world_draw(w, USERS)][world_draw(w, DEVICES)];

	if (m->d.c.conn == NULL) {
		device_come(&m->d);
		return;
	}
	if (m->d.c.state == CLIENT_FAILED) {
		client_break(&m->d.c);
		return;
	}
	switch (world_draw(w, 14)) {
	case 0:
	case 1:
		client_break(&m->d.c);
		break;
	case 2:
		if (device_is_on(&m->d))
			forget(m);
		break;
	default:
		for (uint64_t n = world_draw(w, 6);
			n > 0 && device_is_on(&m->d); n--)
			say(m);
	}
}

static void
step(struct scene *s)
{
	act(s);
	if (world_draw(s->w, 40) == 0)
		kill_server(s);
	if (world_draw(s->w, 5) == 0)
		shard_post(s->w->server->shards[world_draw(
				   s->w, s->w->n_shards)],
			trouble_read_anew, NULL, 0);
	for (uint64_t n = world_draw(s->w, 10); n > 0; n--) {
		world_turn(s->w);
		read_all(s);
	}
	if (world_draw(s->w, 40) == 0)
		world_sleep(s->w, 20 * US_PER_S);
}

/* --- what must hold in the end ------------------------------------------------------- */

static void
on_archive(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct scene *s = arg;

	CHECK(err == NULL);
	for (size_t i = 0; err == NULL && i < answer->n; i++) {
		struct str value = answer->entries[i].value;
		const char *id = memmem(value.p, value.n, " id=\"", 5);

		CHECK(id != NULL);
		if (id != NULL)
			s->archived[s->user][atoi(id + 5)]++;
	}
}

static void
read_archives(struct scene *s)
{
	struct store_range all = { .max = SAID_MAX * 2 };
	char local[8];

	for (s->user = 0; s->user < USERS; s->user++) {
		snprintf(local, sizeof(local), "u%u", s->user);
		store_range(s->w->server->store,
			(struct store_place){ STR(WORLD_HOST), str_c(local),
				STR("archive") },
			&all, &s->w->server->shards[0]->mailbox, on_archive, s);
		world_settle(s->w);
	}
}

static void
check_archives(struct scene *s)
{
	read_archives(s);
	for (unsigned i = 0; i < s->n_said; i++) {
		const struct said *x = &s->said[i];

		CHECK(x->acked);
		if (s->archived[x->user][i] != 1 || s->archived[x->to][i] != 1)
			print_error("message %u is archived %u times by u%u, and %u by u%u\n",
				i, s->archived[x->user][i], x->user,
				s->archived[x->to][i], x->to);
		CHECK_INT(s->archived[x->user][i], 1);
		CHECK_INT(s->archived[x->to][i], 1);
	}
}

static void
each_comes(struct scene *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < DEVICES; i++) {
			struct device *d = &s->members[u][i].d;

			if (d->c.conn != NULL && d->c.state == CLIENT_FAILED)
				client_break(&d->c);
			if (d->c.conn == NULL)
				device_come(d);
		}
	}
	settle(s);
}

static void
each_asks(struct scene *s)
{
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < DEVICES; i++)
			client_send(&s->members[u][i].d.c,
				"<r xmlns='" NS_SM "'/>");
	settle(s);
}

static void
scene_open(struct scene *s, uint64_t seed)
{
	char conf[400], local[8], resource[8];

	snprintf(conf, sizeof(conf),
		"limits: { stanzas_burst: 100000, bytes_burst: 256MiB }\n"
		"modules: { sm: { sleep: %us, ask_after_stanzas: %u }, "
		"archive: { stranger_bytes: 1GiB }, "
		"offline: { stranger_share: 100, sender_share: 100, "
		"max_messages: 10000 } }\n",
		seed % 3 == 0 ? 30 : 600, 1 + (unsigned)(seed % 12));
	s->w = world_new_lasting(seed, 1 + (unsigned)(seed % 4),
		TEST_MODULE_DIR, conf);
	for (unsigned u = 0; u < USERS; u++) {
		snprintf(local, sizeof(local), "u%u", u);
		world_add_account(s->w, local);
		for (unsigned i = 0; i < DEVICES; i++) {
			struct member *m = &s->members[u][i];

			snprintf(resource, sizeof(resource), "r%u", i);
			device_init(&m->d, s->w, local, resource);
			m->d.on_stanza = on_message;
			m->d.on_acked = on_acked;
			m->d.on_new_life = on_new_life;
			m->scene = s;
			m->user = u;
			m->index = i;
		}
	}
}

static void
run(uint64_t seed, unsigned *kills_io, unsigned *again_io)
{
	struct scene *s = xcalloc(1, sizeof(*s));

	snprintf(test_file.label, sizeof(test_file.label), "seed %u",
		(unsigned)seed);
	scene_open(s, seed);
	for (unsigned i = 0; i < STEPS; i++)
		step(s);
	for (int i = 0; i < 4; i++)
		each_comes(s);
	each_asks(s);
	check_archives(s);
	*kills_io += s->kills;
	*again_io += s->sent_again;
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < DEVICES; i++)
			device_done(&s->members[u][i].d);
	world_free(s->w);
	free(s);
}

TEST(what_is_sent_again_is_kept_once_and_never_new_twice)
{
	unsigned kills = 0, again = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run(seed, &kills, &again);
	CHECK(kills > SEEDS * 2);
	CHECK(again > SEEDS * 10);
}

/* --- for who is away ------------------------------------------------------------ */

static void
count_message(struct device *d, struct elem *e)
{
	unsigned *n = d->user;

	*n += str_is(e->name, "message");
}

static void
one_comes(struct device *d)
{
	device_come(d);
	device_settle(d);
	CHECK(device_is_on(d));
}

/* What he gets when it is said, and the server is killed after so many turns of the
 * store. */
static unsigned
said_and_killed(unsigned turns, unsigned *said_again_io)
{
	struct world *w = world_new_lasting(turns, 1, TEST_MODULE_DIR, "");
	struct device romeo, juliet;
	unsigned got = 0;

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	device_init(&romeo, w, "romeo", "r");
	device_init(&juliet, w, "juliet", "j");
	juliet.on_stanza = count_message;
	juliet.user = &got;
	one_comes(&romeo);
	device_say(&romeo, 0, "<message type='chat' id='0' to='juliet@"
		WORLD_HOST "'><body>x</body></message><r xmlns='" NS_SM "'/>");
	for (unsigned i = 0; i <= turns; i++) {
		if (i != 0)
			store_turn(w->server->store);
		for (unsigned n = 0; n < 50; n++)
			shard_turn(w->server->shards[0]);
	}
	client_read(&romeo.c);
	*said_again_io += romeo.out.n != 0;
	client_break(&romeo.c);
	world_kill(w, 1);
	one_comes(&romeo);
	one_comes(&juliet);
	device_done(&romeo);
	device_done(&juliet);
	world_free(w);
	return got;
}

TEST(who_is_away_gets_each_once_whenever_the_server_is_killed)
{
	unsigned again = 0;

	for (unsigned turns = 0; turns < 12; turns++) {
		snprintf(test_file.label, sizeof(test_file.label), "%u turns",
			turns);
		CHECK_INT(said_and_killed(turns, &again), 1);
	}
	CHECK(again > 0);
	CHECK(again < 12);
}

/* --- for who has just gone -------------------------------------------------------- */

static void
write_id(struct device *d, struct elem *e)
{
	if (str_is(e->name, "message") && elem_attr(e, "id").p != NULL)
		buf_printf(d->user, "%.*s ", STR_ARG(elem_attr(e, "id")));
}

static void
turn_all(struct world *w)
{
	for (unsigned n = 0; n < 50; n++)
		shard_turn(w->server->shards[0]);
}

/* before messages while juliet is there, and so many in all when she has left, and
 * the store has not moved: which of them she gets, in out, when it has made so many
 * turns and the server is killed. */
static void
left_and_killed(unsigned before, unsigned all, unsigned turns, struct buf *out)
{
	struct world *w = world_new_lasting(turns, 1, TEST_MODULE_DIR, "");
	struct device romeo, juliet;

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	device_init(&romeo, w, "romeo", "r");
	device_init(&juliet, w, "juliet", "j");
	one_comes(&romeo);
	one_comes(&juliet);
	for (unsigned i = 0; i <= all; i++) {
		if (i == before) {
			turn_all(w);
			client_send(&juliet.c, "</stream:stream>");
			turn_all(w);
			client_break(&juliet.c);
		}
		if (i == all)
			break;
		device_say(&romeo, i, "<message type='chat' id='%u' to='juliet@"
			WORLD_HOST "'><body>x</body></message>", i);
		device_say(&romeo, NO_TAG, "<message type='chat' to='juliet@"
			WORLD_HOST "'><composing xmlns='" NS_CHATSTATES
			"'/></message>");
	}
	client_send(&romeo.c, "<r xmlns='" NS_SM "'/>");
	turn_all(w);
	for (unsigned i = 0; i < turns; i++) {
		store_turn(w->server->store);
		turn_all(w);
	}
	client_read(&romeo.c);
	client_break(&romeo.c);
	world_kill(w, 1);
	one_comes(&romeo);
	juliet.on_stanza = write_id;
	juliet.user = out;
	one_comes(&juliet);
	device_done(&romeo);
	device_done(&juliet);
	world_free(w);
}

TEST(who_has_just_gone_gets_each_once_whenever_the_server_is_killed)
{
	static const unsigned numbers[] = { 0, 1, 2, 50 };

	for (unsigned i = 0; i < 16 * 8; i++) {
		unsigned before = numbers[i / 8 % 4];
		unsigned all = before + numbers[i / 32], turns = i % 8;
		struct buf want = BUF_INIT, got = BUF_INIT;

		snprintf(test_file.label, sizeof(test_file.label),
			"%u of %u before, %u turns", before, all, turns);
		for (unsigned n = 0; n < all; n++)
			buf_printf(&want, "%u ", n);
		left_and_killed(before, all, turns, &got);
		CHECK_CSTR(buf_c(&got), buf_c(&want));
		buf_done(&want);
		buf_done(&got);
	}
}

/* --- who ends too soon ------------------------------------------------------------- */

#define MESSAGE                                                                \
	"<message type='chat' id='0' to='juliet@" WORLD_HOST                   \
	"'><body>x</body></message>"

static void
on_archived(void *arg, const struct store_answer *answer, const struct err *err)
{
	CHECK(err == NULL);
	*(size_t *)arg = answer->n;
}

static size_t
n_archived(struct world *w, const char *local)
{
	struct store_range all = { .max = SAID_MAX };
	size_t n = 0;

	store_range(w->server->store,
		(struct store_place){ STR(WORLD_HOST), str_c(local),
			STR("archive") },
		&all, &w->server->shards[0]->mailbox, on_archived, &n);
	world_settle(w);
	return n;
}

/* With the message, or in the middle of all that is read for it. */
TEST(whose_session_ends_while_it_is_looked_for_has_it_once)
{
	for (unsigned turns = 0; turns < 60; turns++) {
		struct world *w = world_new_lasting(turns, 1, TEST_MODULE_DIR, "");
		struct device romeo;

		snprintf(test_file.label, sizeof(test_file.label), "%u turns",
			turns);
		world_add_account(w, "romeo");
		world_add_account(w, "juliet");
		device_init(&romeo, w, "romeo", "r");
		one_comes(&romeo);
		device_say(&romeo, 0, MESSAGE "<r xmlns='" NS_SM "'/>");
		device_settle(&romeo);
		client_break(&romeo.c);
		world_kill(w, 1);
		one_comes(&romeo);
		client_send(&romeo.c, turns % 2 == 0 ? MESSAGE :
				"<presence/>" MESSAGE "<presence/>");
		for (unsigned i = 0; i < turns / 2; i++)
			world_turn(w);
		client_send(&romeo.c, "</bad>");
		device_settle(&romeo);
		CHECK_INT(n_archived(w, "romeo"), 1);
		CHECK_INT(n_archived(w, "juliet"), 1);
		CHECK_INT(w->server->shards[0]->stats.sessions, 0);
		device_done(&romeo);
		world_free(w);
	}
}

TEST_MAIN
