/*
 * test_sm.c - stream management (XEP-0198) with devices that break off, stall, come
 * back, or do not, while the disk is slow, or fails: each message arrives once, in
 * order, or comes back to its sender.  In every second seed some are blocks of in-band
 * bytestreams (XEP-0047), of which a few at a time may be on their way.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
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
#define SAID_MAX 6000

struct said {
	uint8_t user, device, to;
	unsigned life;  /* of its sender, when it was said last */
	bool acked;
	bool again;     /* sent in another session, since nobody knew */
	bool arrived;
	bool came_back;
	bool block;
};

struct member {
	struct device d; /* first */
	struct scene *scene;
	unsigned user, index;
	bool stalls;
	unsigned got[SAID_MAX];   /* in this session, so often */
	int last[USERS][DEVICES]; /* of each sender */
};

struct scene {
	struct world *w;
	struct member members[USERS][DEVICES];
	struct said said[SAID_MAX];
	unsigned n_said;
	bool blocks;
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
	memset(m->last, -1, sizeof(m->last));
	for (size_t i = 0; i < d->out.n; i++) {
		if (d->out.p[i].tag == NO_TAG)
			continue;
		m->scene->said[d->out.p[i].tag].again = true;
		m->scene->said[d->out.p[i].tag].life = d->lives;
	}
}

static void
on_message(struct device *d, struct elem *e)
{
	struct member *m = CONTAINER_OF(d, struct member, d);
	struct scene *s = m->scene;
	bool delayed = elem_child(e, NS_DELAY, "delay") != NULL;
	struct said *said;
	long long id;

	if (!str_is(e->name, "message"))
		return;
	CHECK(str_to_int(elem_attr(e, "id"), 0, s->n_said - 1, &id));
	said = &s->said[id];
	if (str_is(elem_attr(e, "type"), "error")) {
		CHECK(said->user == m->user && said->device == m->index);
		said->came_back = true;
		return;
	}
	CHECK_INT(said->to, m->user);
	if (m->got[id] != 0 && !said->again)
		print_error("%s %lld of u%u/r%u comes to u%u/r%u again\n", said->block ? "block" : "message", id,
			said->user, said->device, m->user, m->index);
	CHECK(m->got[id]++ == 0 || said->again);
	said->arrived = true;
	if (delayed || said->again)
		return;
	CHECK((int)id > m->last[said->user][said->device]);
	m->last[said->user][said->device] = (int)id;
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

/* --- what devices do --------------------------------------------------------------- */

/* What is behind a word that goes to one device. */
static const char *
body_of(struct scene *s, const char *resource, char out[64])
{
	bool block = s->blocks && resource[0] != '\0' &&
		world_draw(s->w, 2) == 0;

	snprintf(out, 64, block ? "<data xmlns='" NS_IBB "'>" : "<body>");
	return block ? "</data>" : "</body>";
}

static void
say(struct member *m)
{
	struct scene *s = m->scene;
	struct world *w = s->w;
	unsigned to = (unsigned)world_draw(w, USERS), id = s->n_said;
	char resource[8] = "", begin[64];
	const char *end;

	if (id == SAID_MAX || to == m->user)
		return;
	if (world_draw(w, 2) == 0)
		snprintf(resource, sizeof(resource), "/r%u",
			(unsigned)world_draw(w, DEVICES));
	end = body_of(s, resource, begin);
	s->said[id] = (struct said){ (uint8_t)m->user, (uint8_t)m->index,
		(uint8_t)to, .life = m->d.lives };
	s->said[id].block = begin[1] == 'd';
	s->n_said++;
	device_say(&m->d, id, "<message type='chat' id='%u' to='u%u@" WORLD_HOST
		"%s'>%s%0*u%s</message>", id, to, resource, begin,
		world_draw(w, 8) == 0 ? 5000 : 1, 7u, end);
	if (world_draw(w, 2) == 0)
		client_send(&m->d.c, "<r xmlns='" NS_SM "'/>");
}

/* Changes, behind which stanzas wait for the disk. */
static void
change(struct member *m)
{
	struct world *w = m->scene->w;

	device_say(&m->d, NO_TAG, "<iq type='set' id='r'>"
		"<query xmlns='jabber:iq:roster'><item jid='c%u@" WORLD_HOST
		"' name='a contact'/></query></iq>",
		(unsigned)world_draw(w, 5));
}

static void
stall(struct member *m)
{
	m->stalls = !m->stalls;
	conn_mem_take(m->d.c.conn, m->stalls ? 0 : SIZE_MAX);
}

static void
come(struct member *m)
{
	m->stalls = false;
	device_come(&m->d);
}

static void
act(struct scene *s)
{
	struct world *w = s->w;
	struct member *m =
		&s->members[world_draw(w, USERS)][world_draw(w, DEVICES)];

	if (m->d.c.conn == NULL) {
		come(m);
		return;
	}
	if (m->d.c.state == CLIENT_FAILED) {
		client_break(&m->d.c);
		return;
	}
	switch (world_draw(w, 20)) {
	case 0:
	case 1:
	case 2:
		client_break(&m->d.c); /* at any stage */
		break;
	case 3:
		if (device_is_on(&m->d))
			stall(m);
		break;
	case 4:
		if (world_draw(w, 4) == 0)
			trouble_kick(&m->d.c);
		break;
	case 5:
		shard_post(w->server->shards[world_draw(w, w->n_shards)],
			trouble_save_and_restore, NULL, 0);
		break;
	case 6:
	case 7:
		if (device_is_on(&m->d))
			change(m);
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
	for (uint64_t n = world_draw(s->w, 6); n > 0; n--) {
		world_turn(s->w);
		read_all(s);
	}
	if (world_draw(s->w, 30) == 0)
		world_sleep(s->w, 20 * US_PER_S);
}

/* --- what must hold in the end ------------------------------------------------------- */

static void
each_member(struct scene *s, void (*fn)(struct member *m))
{
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < DEVICES; i++)
			fn(&s->members[u][i]);
	settle(s);
}

static void
back_to_life(struct member *m)
{
	if (m->d.c.conn != NULL && m->stalls)
		stall(m);
	if (m->d.c.conn != NULL && m->d.c.state == CLIENT_FAILED)
		client_break(&m->d.c);
	if (m->d.c.conn == NULL)
		come(m);
}

static void
ask(struct member *m)
{
	client_send(&m->d.c, "<r xmlns='" NS_SM "'/>");
}

/* Those that wait: a clock has them go on, and nothing else. */
static void
let_blocks_go(struct scene *s)
{
	for (unsigned i = 0; i < s->w->n_shards; i++) {
		const struct gauge *left =
			&s->w->server->shards[i]->stats.bytestream_bytes;

		for (unsigned n = 0; n < 1000 && left->now != 0; n++) {
			world_sleep(s->w, US_PER_S);
			read_all(s);
		}
		CHECK_INT(left->now, 0);
	}
	settle(s);
}

static void
leave(struct member *m)
{
	client_leave(&m->d.c);
}

static void
check_said(struct scene *s)
{
	for (unsigned i = 0; i < s->n_said; i++) {
		const struct said *x = &s->said[i];
		const struct member *from = &s->members[x->user][x->device];

		/* an error finds nobody when the session that asked is gone */
		if (x->arrived || x->came_back ||
			(x->acked && x->life != from->d.lives))
			continue;
		print_error("%s %u of u%u/r%u to u%u is lost, acked %d\n",
			x->block ? "block" : "message", i, x->user, x->device, x->to, x->acked);
		CHECK(false);
	}
}

static void
scene_open(struct scene *s, uint64_t seed)
{
	char conf[600], local[8], resource[8];

	snprintf(conf, sizeof(conf),
		"limits: { stanzas_burst: 100000, bytes_burst: 256MiB, "
		"bytestream_bytes: 4KiB }\n"
		"modules: { sm: { sleep: %us, ask_after_stanzas: %u }, "
		"testarchive: { before: %s }, archive: %s, "
		"offline: %s }\n",
		seed % 3 == 0 ? 30 : 600, 1 + (unsigned)(seed % 12),
		seed % 2 == 0 ? "on" : "off",
		/* what is archived makes no error where nothing is kept */
		seed % 5 == 0 ? "off" : "on",
		/* what was delivered and cannot be deleted would come again */
		seed % 5 == 0 ? "off" :
				"{ stranger_share: 100, sender_share: 100, "
				"max_messages: 10000 }");
	s->w = world_new(seed, 1 + (unsigned)(seed % 4), TEST_MODULE_DIR, conf);
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
	s->blocks = seed % 2 == 0;
	trouble_quiet();
	if (seed % 5 == 0)
		trouble_disk(s->w);
}

static unsigned
run(uint64_t seed)
{
	struct scene *s = xcalloc(1, sizeof(*s));
	unsigned resumed = 0;

	snprintf(test_file.label, sizeof(test_file.label), "seed %u",
		(unsigned)seed);
	scene_open(s, seed);
	for (unsigned i = 0; i < STEPS; i++)
		step(s);
	store_fail_when(s->w->server->store, NULL, NULL);
	for (int i = 0; i < 4; i++)
		each_member(s, back_to_life);
	let_blocks_go(s);
	each_member(s, ask);
	check_said(s);
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < DEVICES; i++) {
			resumed += s->members[u][i].d.resumed;
			CHECK_INT(s->members[u][i].d.out.n, 0);
		}
	}
	each_member(s, leave);
	trouble_nothing_left(s->w);
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < DEVICES; i++)
			device_done(&s->members[u][i].d);
	world_free(s->w);
	free(s);
	return resumed;
}

TEST(each_message_arrives_once_in_order_or_comes_back)
{
	unsigned resumed = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		resumed += run(seed);
	CHECK(resumed > SEEDS * 8);
}

TEST_MAIN
