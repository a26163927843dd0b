/*
 * test_resume.c - devices whose connections break, stall, are kicked and replaced
 * at random, and that resume their sessions (mod_testresume), which are saved and
 * restored while they sleep: each message arrives once at each device, in order,
 * or comes back to its sender; and some want copies of what the others send and
 * get (XEP-0280).
 *
 * A device may get a message again in a later session, if the earlier one ended
 * before the device had acknowledged it.
 */
#include "config.h"

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/account_int.h"
#include "server/server_reload.h"
#include "unit/test.h"
#include "trouble.h"
#include "world.h"

#ifndef SEEDS
#define SEEDS 40
#endif
#define STEPS 300
#define USERS 4
#define DEVICES 3
#define SAID_MAX 8000
#define NS_DELAY "urn:xmpp:delay"

struct said {
	uint8_t user, device, to;
	unsigned life;  /* of the device that sent it */
	bool certain;   /* the server has it */
	bool arrived;   /* at any device */
	bool came_back; /* as an error */
};

struct device {
	struct client c;
	struct scene *scene;
	unsigned user, index;
	unsigned life;    /* number of its session */
	bool stalls;
	unsigned gone;    /* directed presence that came: unavailable */
	uint32_t acked;   /* the server knows that it has so many stanzas */
	unsigned opened;  /* number of the first message of this connection */
	bool had[SAID_MAX];       /* in a session before, and has said so */
	uint32_t got[SAID_MAX];   /* in this one: 1 + h */
	int last[USERS][DEVICES]; /* of each sender, in this session */
};

struct scene {
	struct world *w;
	struct device devices[USERS][DEVICES];
	struct said said[SAID_MAX];
	unsigned n_said;
	unsigned resumed, copies;
	bool restarts; /* the server does, now and then */
};

/* --- what comes ---------------------------------------------------------------- */

/* Of the message e, that one or its copy: once, and in order. */
static void
on_said(struct device *d, struct elem *e, unsigned id)
{
	const struct said *said = &d->scene->said[id];

	CHECK(!d->had[id]);
	CHECK_INT(d->got[id], 0);
	d->got[id] = 1 + d->c.h;
	if (elem_child(e, NS_DELAY, "delay") != NULL)
		return;
	CHECK((int)id > d->last[said->user][said->device]);
	d->last[said->user][said->device] = (int)id;
}

/* What the copy e, or NULL, is of. */
static struct elem *
copied(struct device *d, struct elem *e, const char *name)
{
	struct elem *copy = elem_child(e, NS_CARBONS, name);

	if (copy == NULL)
		return NULL;
	CHECK(d->c.copies);
	CHECK(str_starts(elem_attr(e, "from"), str_c(d->c.local)) &&
		memchr(elem_attr(e, "from").p, '/', elem_attr(e, "from").n) ==
			NULL);
	d->scene->copies++;
	return elem_child(elem_first_child(copy), NS_CLIENT, "message");
}

static void
on_message(struct device *d, struct elem *e)
{
	struct elem *sent = copied(d, e, "sent");
	struct elem *received = copied(d, e, "received");
	struct scene *s = d->scene;
	struct said *said;
	long long id;

	e = sent != NULL ? sent : received != NULL ? received : e;
	CHECK(str_to_int(elem_attr(e, "id"), 0, s->n_said - 1, &id));
	said = &s->said[id];
	if (str_is(elem_attr(e, "type"), "error")) {
		CHECK(said->user == d->user);
		CHECK((said->device == d->index) == (received == NULL));
		said->came_back |= received == NULL;
		return;
	}
	on_said(d, e, (unsigned)id);
	if (sent != NULL) {
		CHECK(said->user == d->user && said->device != d->index);
		return;
	}
	CHECK_INT(said->to, d->user);
	said->arrived = true;
}

/* What was said on this connection before the request has come. */
static void
on_acked(struct device *d, unsigned until, uint32_t h)
{
	if (until < d->opened)
		return;
	d->acked = h;
	for (unsigned i = d->opened; i < until; i++) {
		struct said *said = &d->scene->said[i];

		if (said->user == d->user && said->device == d->index)
			said->certain = true;
	}
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct device *d = CONTAINER_OF(c, struct device, c);
	const char *id = arena_str(a, elem_attr(e, "id")).p;
	unsigned until, h;

	if (str_is(e->name, "message"))
		on_message(d, e);
	else if (str_is(e->name, "presence"))
		d->gone += str_is(elem_attr(e, "type"), "unavailable");
	else if (str_is(e->name, "acked") &&
		sscanf(id, "ack-%u-%u", &until, &h) == 2)
		on_acked(d, until, h);
	arena_free(a);
}

static void
read_all(struct scene *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < DEVICES; i++)
			client_read(&s->devices[u][i].c);
	}
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

/* What it had, and has said so, never comes again; all else may. */
static void
begin_life(struct device *d)
{
	for (unsigned i = 0; i < d->scene->n_said; i++) {
		d->had[i] |= d->got[i] != 0 && d->got[i] - 1 <= d->acked;
		d->got[i] = 0;
	}
	memset(d->last, -1, sizeof(d->last));
	d->acked = 0;
	d->life++;
}

static void
come(struct device *d)
{
	struct scene *s = d->scene;
	bool may_resume = d->c.counts && d->c.state != CLIENT_FAILED;

	d->opened = s->n_said;
	d->stalls = false;
	if (may_resume && world_draw(s->w, 8) != 0) {
		s->resumed++;
		client_resume(&d->c);
	} else {
		begin_life(d);
		d->c.copies = world_draw(s->w, 2) == 0;
		client_connect(&d->c);
	}
}

static void
say(struct device *d)
{
	static const unsigned sizes[] = { 1, 10, 100, 3000, 20000 };
	struct scene *s = d->scene;
	struct world *w = s->w;
	unsigned to = (unsigned)world_draw(w, USERS);
	char resource[8] = "";

	if (s->n_said == SAID_MAX || to == d->user)
		return;
	if (world_draw(w, 2) == 0)
		snprintf(resource, sizeof(resource), "/r%u",
			(unsigned)world_draw(w, DEVICES));
	s->said[s->n_said] = (struct said){ (uint8_t)d->user,
		(uint8_t)d->index, (uint8_t)to, .life = d->life };
	client_send(&d->c,
		"<message type='chat' id='%u' to='u%u@" WORLD_HOST "%s'><body>"
		"%0*u</body></message>", s->n_said, to, resource,
		(int)sizes[world_draw(w, COUNT(sizes))], 7u);
	s->n_said++;
}

static void
acknowledge(struct device *d)
{
	char id[40];

	snprintf(id, sizeof(id), "ack-%u-%u", d->scene->n_said,
		(unsigned)d->c.h);
	client_ack(&d->c, id);
}

/* A change, so that what follows has to wait for the disk. */
static void
change(struct device *d)
{
	client_send(&d->c, "<iq type='set' id='r'><query xmlns='jabber:iq:roster'>"
		"<item jid='c%u@" WORLD_HOST "' name='a contact'/></query></iq>",
		(unsigned)world_draw(d->c.world, 5));
}

static void
stall(struct device *d)
{
	d->stalls = !d->stalls;
	conn_mem_take(d->c.conn, d->stalls ? 0 : SIZE_MAX);
}

static void
reload(struct shard *sh, void *arg)
{
	struct server *srv = sh->server;

	(void)arg;
	server_publish(srv, config_ref(srv->newest->config), NULL, NULL);
}

static void
disturb(struct scene *s)
{
	struct world *w = s->w;

	if (world_draw(w, 2) == 0)
		shard_post(w->server->shards[world_draw(w, w->n_shards)],
			trouble_save_and_restore, NULL, 0);
	else if (world_draw(w, 2) == 0)
		shard_post(w->server->shards[0], reload, NULL, 0);
	else
		shard_post(w->server->shards[world_draw(w, w->n_shards)],
			trouble_read_anew, NULL, 0);
}

static void
act(struct scene *s)
{
	struct world *w = s->w;
	struct device *d =
		&s->devices[world_draw(w, USERS)][world_draw(w, DEVICES)];

	if (d->c.conn == NULL) {
		come(d);
		return;
	}
	if (d->c.state == CLIENT_FAILED) {
		client_break(&d->c);
		return;
	}
	if (d->c.state != CLIENT_ONLINE || !d->c.counts)
		return;
	switch (world_draw(w, 24)) {
	case 0:
	case 1:
		client_break(&d->c);
		break;
	case 2:
		client_leave(&d->c);
		break;
	case 3:
		trouble_kick(&d->c);
		break;
	case 4:
	case 5:
		stall(d);
		break;
	case 6:
		disturb(s);
		break;
	case 7:
	case 8:
		change(d);
		break;
	case 9:
	case 10:
	case 11:
		acknowledge(d);
		break;
	default:
		for (uint64_t n = world_draw(w, 6); n > 0; n--)
			say(d);
	}
}

/* Who does not read what comes is not read himself. */
static void
start_again(struct scene *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < DEVICES; i++) {
			struct device *d = &s->devices[u][i];

			if (d->c.conn != NULL && d->stalls)
				client_break(&d->c);
		}
	}
	world_restart(s->w, 1 + (unsigned)world_draw(s->w, 4));
	read_all(s);
}

static void
step(struct scene *s)
{
	act(s);
	if (s->restarts && world_draw(s->w, 40) == 0)
		start_again(s);
	for (uint64_t n = world_draw(s->w, 6); n > 0; n--) {
		world_turn(s->w);
		read_all(s);
	}
	if (world_draw(s->w, 40) == 0)
		world_sleep(s->w, 30 * US_PER_S);
}

/* --- what must hold in the end ------------------------------------------------------- */

static void
each_device(struct scene *s, void (*fn)(struct device *d))
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < DEVICES; i++)
			fn(&s->devices[u][i]);
	}
	settle(s);
}

static void
read_on(struct device *d)
{
	if (d->c.conn != NULL && d->stalls)
		stall(d);
}

static void
give_up(struct device *d)
{
	if (d->c.conn != NULL && d->c.state == CLIENT_FAILED)
		client_break(&d->c);
}

static void
come_back(struct device *d)
{
	if (d->c.conn == NULL)
		come(d);
}

static void
leave(struct device *d)
{
	if (d->c.conn != NULL)
		client_leave(&d->c);
}

/* Everybody reads, resumes if he can, and hears what waits for him; who sleeps
 * and is not resumed ends. */
static void
come_to_rest(struct scene *s)
{
	store_fail_when(s->w->server->store, NULL, NULL);
	each_device(s, read_on);
	each_device(s, give_up);
	for (int i = 0; i < 3; i++) {
		each_device(s, come_back);
		each_device(s, give_up);
	}
	for (int i = 0; i < 20; i++) {
		world_sleep(s->w, 12 * US_PER_S);
		settle(s);
	}
	each_device(s, leave);
	each_device(s, come_back);
	each_device(s, give_up);
	each_device(s, come_back);
}

static void
check_said(struct scene *s)
{
	for (unsigned i = 0; i < s->n_said; i++) {
		const struct said *x = &s->said[i];
		const struct device *from = &s->devices[x->user][x->device];

		/* an error finds nobody when the session that asked is gone */
		if (!x->certain || x->arrived || x->came_back ||
			x->life != from->life)
			continue;
		print_error("message %u of u%u/r%u to u%u is lost\n", i,
			x->user, x->device, x->to);
		CHECK(false);
	}
}

/* --- one seed -------------------------------------------------------------------------- */

static void
scene_open(struct scene *s, uint64_t seed)
{
	char conf[400];

	snprintf(conf, sizeof(conf),
		"limits: { write_queue_bytes: 64KiB, "
		"write_queue_max_bytes: 256KiB, stanzas_burst: 100000, "
		"bytes_burst: 256MiB, bytes_per_second: 64MiB }\n"
		"modules: { testresume: { sleep: %us }, offline: %s }\n",
		seed % 4 == 0 ? 5 : 60,
		seed % 2 == 0 ? "off" :
				"{ stranger_share: 100, sender_share: 100 }");
	s->w = (s->restarts ? world_new_lasting : world_new)(seed,
		1 + (unsigned)(seed % 4), TEST_MODULE_DIR, conf);
	for (unsigned u = 0; u < USERS; u++) {
		char local[8];

		snprintf(local, sizeof(local), "u%u", u);
		world_add_account(s->w, local);
		for (unsigned i = 0; i < DEVICES; i++) {
			struct device *d = &s->devices[u][i];
			char resource[8];

			snprintf(resource, sizeof(resource), "r%u", i);
			client_init(&d->c, s->w, local, resource);
			d->c.on_stanza = on_stanza;
			d->c.resumable = true;
			d->scene = s;
			d->user = u;
			d->index = i;
		}
	}
	trouble_quiet();
	/* what was delivered and cannot be deleted would come again */
	if (seed % 6 == 0)
		trouble_disk(s->w);
}

static void
run(uint64_t seed, bool restarts, unsigned *resumed_io, unsigned *copies_io)
{
	struct scene *s = xcalloc(1, sizeof(*s));

	s->restarts = restarts;
	snprintf(test_file.label, sizeof(test_file.label), "seed %u",
		(unsigned)seed);
	scene_open(s, seed);
	for (unsigned i = 0; i < STEPS; i++)
		step(s);
	come_to_rest(s);
	check_said(s);
	each_device(s, leave);
	trouble_nothing_left(s->w);
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < DEVICES; i++)
			client_done(&s->devices[u][i].c);
	}
	world_free(s->w);
	*resumed_io += s->resumed;
	*copies_io += s->copies;
	free(s);
}

TEST(each_message_arrives_once_in_order_or_comes_back)
{
	unsigned resumed = 0, copies = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run(seed, false, &resumed, &copies);
	CHECK(resumed > SEEDS * 5);
	CHECK(copies > SEEDS * 50);
}

/* --- who ends first ---------------------------------------------------------------- */

/* u1/r0 gets a message, the others copies; acker, if it is one, acknowledges. */
static unsigned
say_to_three(struct scene *s, unsigned acker)
{
	struct device *d = s->devices[1];
	unsigned id = s->n_said++;

	for (unsigned i = 0; i < DEVICES; i++) {
		begin_life(&d[i]);
		d[i].c.copies = i != 0;
		client_connect(&d[i].c);
		settle(s);
	}
	s->said[id] = (struct said){ .to = 1 };
	client_send(&s->devices[0][0].c, "<message type='chat' id='%u' to='u1@"
		WORLD_HOST "/r0'><body>1</body></message>", id);
	settle(s);
	for (unsigned i = 0; i < DEVICES; i++)
		CHECK(d[i].got[id] != 0);
	if (acker < DEVICES)
		acknowledge(&d[acker]);
	settle(s);
	return id;
}

static void
restart_all(struct scene *s, struct device *d)
{
	for (unsigned i = 0; i < DEVICES; i++)
		client_break(&d[i].c);
	settle(s);
	for (unsigned i = 0; i < s->w->n_shards; i++)
		shard_post(s->w->server->shards[i],
			trouble_save_and_restore, NULL, 0);
	settle(s);
}

/* In this order, and then all come again, one after the other. */
static void
end_three(struct scene *s, const unsigned order[DEVICES], unsigned acker,
	bool restarts)
{
	unsigned id = say_to_three(s, acker), again = 0;
	struct device *d = s->devices[1];

	if (restarts)
		restart_all(s, d);
	for (unsigned i = 0; i < DEVICES; i++) {
		if (restarts)
			trouble_kick(&d[order[i]].c);
		else
			client_leave(&d[order[i]].c);
		settle(s);
	}
	for (unsigned i = 0; i < DEVICES; i++) {
		begin_life(&d[i]);
		client_connect(&d[i].c);
		settle(s);
		again += d[i].got[id] != 0;
	}
	CHECK_INT(again, acker >= DEVICES);
	each_device(s, leave);
	client_connect(&s->devices[0][0].c);
	settle(s);
}

/* Itself or as a copy, in whatever order they end: when one has said that it has the
 * message, nobody gets it again; else one does. */
TEST(a_message_is_had_again_by_none_but_where_all_may_have_lost_it)
{
	static const unsigned orders[][DEVICES] = { { 0, 1, 2 }, { 0, 2, 1 },
		{ 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct scene *s = xcalloc(1, sizeof(*s));

	scene_open(s, 1);
	come(&s->devices[0][0]);
	settle(s);
	for (unsigned i = 0; i < COUNT(orders) * 2 * (DEVICES + 1); i++)
		end_three(s, orders[i % COUNT(orders)],
			i / COUNT(orders) % (DEVICES + 1),
			i / COUNT(orders) / (DEVICES + 1) != 0);
	each_device(s, leave);
	trouble_nothing_left(s->w);
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < DEVICES; i++)
			client_done(&s->devices[u][i].c);
	}
	world_free(s->w);
	free(s);
}

/* --- in turn ------------------------------------------------------------------------ */

static void
halt(struct shard *sh, void *arg)
{
	struct account *acc = account_find(sh, STR("u1@" WORLD_HOST));

	if (acc != NULL)
		*(struct account_step **)arg = account_halt(acc);
}

static void
go_on(struct shard *sh, void *arg)
{
	if (account_find(sh, STR("u1@" WORLD_HOST)) != NULL)
		account_go_on(*(struct account_step **)arg);
}

static void
on_all_shards(struct scene *s, void (*fn)(struct shard *sh, void *arg), void *arg)
{
	for (unsigned i = 0; i < s->w->n_shards; i++)
		shard_post(s->w->server->shards[i], fn, arg, 0);
	settle(s);
}

static void
say_hello(struct scene *s, struct device *d, unsigned to)
{
	unsigned id = s->n_said++;

	s->said[id] = (struct said){ (uint8_t)d->user, (uint8_t)d->index,
		(uint8_t)to, .life = d->life };
	client_send(&d->c, "<message type='chat' id='%u' to='u%u@" WORLD_HOST
		"'><body>1</body></message>", id, to);
	settle(s);
}

/* What the account does first, its other device sees first (RFC 6120 §10.1). */
TEST(a_copy_comes_in_its_turn)
{
	struct scene *s = xcalloc(1, sizeof(*s));
	struct device *other = &s->devices[0][0], *one = &s->devices[1][0];
	struct device *two = &s->devices[1][1];
	struct account_step *step = NULL;

	scene_open(s, 1);
	two->c.copies = true;
	each_device(s, begin_life);
	client_connect(&other->c);
	client_connect(&one->c);
	client_connect(&two->c);
	settle(s);
	on_all_shards(s, halt, &step);
	CHECK(step != NULL);
	say_hello(s, one, 0);
	say_hello(s, other, 1);
	say_hello(s, one, 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK_INT(two->got[i], 0);
	on_all_shards(s, go_on, &step);
	CHECK(two->got[0] != 0);
	CHECK(two->got[0] < two->got[1] && two->got[1] < two->got[2]);
	each_device(s, leave);
	trouble_nothing_left(s->w);
	client_done(&other->c);
	client_done(&one->c);
	client_done(&two->c);
	world_free(s->w);
	free(s);
}

/* With a disk that works: what cannot be saved is lost. */
TEST(and_so_it_does_when_the_server_starts_again_and_again)
{
	unsigned resumed = 0, copies = 0, seeds = 0;

	for (uint64_t seed = 1; seed <= SEEDS / 2; seed++) {
		if (seed % 6 == 0)
			continue;
		run(seed, true, &resumed, &copies);
		seeds++;
	}
	CHECK(resumed > seeds * 5);
}

static void
say_much(struct device *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++, d->scene->n_said++) {
		d->scene->said[d->scene->n_said] = (struct said){
			(uint8_t)d->user, (uint8_t)d->index, 1, .life = d->life };
		client_send(&d->c, "<message type='chat' id='%u' to='u1@"
			WORLD_HOST "/r0'><body>%020000u</body></message>",
			d->scene->n_said, 7u);
	}
}

/* Back-pressure: who makes no progress in a minute counts as gone, which is asleep
 * for one who can resume. */
TEST(a_reader_that_stops_sleeps_and_finds_all)
{
	struct scene *s = xcalloc(1, sizeof(*s));
	struct device *d = &s->devices[0][0], *reader = &s->devices[1][0];

	scene_open(s, 2);
	come(d);
	come(reader);
	settle(s);
	stall(reader);
	say_much(d, 8);
	settle(s);
	for (int i = 0; i < 12 && reader->c.conn != NULL; i++)
		world_sleep(s->w, 10 * US_PER_S);
	CHECK(reader->c.conn == NULL);
	CHECK(!s->said[0].arrived);
	client_resume(&reader->c);
	settle(s);
	CHECK_INT(reader->c.state, CLIENT_ONLINE);
	for (unsigned i = 0; i < s->n_said; i++)
		CHECK(s->said[i].arrived && !s->said[i].came_back);
	each_device(s, leave);
	client_done(&d->c);
	client_done(&reader->c);
	world_free(s->w);
	free(s);
}

/* What a module keeps with a session is saved, too. */
TEST(who_was_told_directly_is_told_of_the_end_after_a_restart)
{
	struct scene *s = xcalloc(1, sizeof(*s));
	struct device *d = &s->devices[0][0], *other = &s->devices[1][0];

	scene_open(s, 1);
	come(d);
	come(other);
	settle(s);
	client_send(&d->c, "<presence to='u1@" WORLD_HOST "/r0'/>");
	settle(s);
	client_break(&d->c);
	settle(s);
	for (unsigned i = 0; i < s->w->n_shards; i++)
		shard_post(s->w->server->shards[i],
			trouble_save_and_restore, NULL, 0);
	settle(s);
	CHECK_INT(other->gone, 0);
	for (int i = 0; i < 20; i++)
		world_sleep(s->w, 12 * US_PER_S);
	settle(s);
	CHECK_INT(other->gone, 1);
	client_done(&d->c);
	each_device(s, leave);
	client_done(&other->c);
	world_free(s->w);
	free(s);
}

/* --- requests for subscription that wait (RFC 6121 §3.1.3) --------------------- */

#define ASKERS 60

/* The ids of those who have asked. */
static void
on_asked(struct client *c, struct arena *a, struct elem *e)
{
	if (str_is(e->name, "presence") &&
		str_is(elem_attr(e, "type"), "subscribe"))
		buf_printf(c->user, "%.*s ", STR_ARG(elem_attr(e, "id")));
	arena_free(a);
}

static void
client_settle(struct client *c)
{
	for (int i = 0; i < 8; i++) {
		world_settle(c->world);
		client_read(c);
	}
}

/* Presence of some 8 KB each, for u0. */
static void
ask(struct world *w, struct buf *all)
{
	struct client c;
	struct buf none = BUF_INIT;
	char local[8];

	for (unsigned i = 0; i < ASKERS; i++) {
		snprintf(local, sizeof(local), "a%02u", i);
		world_add_account(w, local);
		client_init(&c, w, local, "r");
		c.on_stanza = on_asked;
		c.user = &none;
		client_connect(&c);
		client_settle(&c);
		client_send(&c, "<presence type='subscribe' id='%s' to='u0@"
			WORLD_HOST "'><status>%07900d</status></presence>",
			local, 0);
		client_settle(&c);
		client_done(&c);
		buf_printf(all, "%s ", local);
	}
	buf_done(&none);
}

static void
restart(struct client *c)
{
	struct world *w = c->world;

	client_break(c);
	world_settle(w);
	for (unsigned i = 0; i < w->n_shards; i++)
		shard_post(w->server->shards[i], trouble_save_and_restore,
			NULL, 0);
	world_settle(w);
	client_resume(c);
	client_settle(c);
	CHECK_INT(c->state, CLIENT_ONLINE);
}

/* He takes little, and, if so, finds another server in the middle. */
static void
read_slowly(struct client *c, bool restarts)
{
	conn_mem_take(c->conn, 0);
	client_send(c, "<presence type='unavailable'/><presence/>");
	client_settle(c);
	for (unsigned i = 0; i < 100 && c->conn != NULL; i++) {
		if (restarts && i == 20)
			restart(c);
		conn_mem_take(c->conn, 10000);
		client_settle(c);
	}
	CHECK(c->conn != NULL);
}

static void
reader_of_requests(const char *conf, bool restarts)
{
	struct world *w = world_new(1, 2, TEST_MODULE_DIR, conf);
	struct buf all = BUF_INIT, asked = BUF_INIT;
	struct client c;

	world_add_account(w, "u0");
	ask(w, &all);
	client_init(&c, w, "u0", "r0");
	c.on_stanza = on_asked;
	c.user = &asked;
	c.resumable = restarts;
	client_connect(&c);
	client_settle(&c);
	CHECK_CSTR(buf_c(&asked), buf_c(&all));
	if (restarts)
		client_ack(&c, "ack");
	buf_consume(&asked, asked.n);
	read_slowly(&c, restarts);
	CHECK_CSTR(buf_c(&asked), buf_c(&all));
	client_done(&c);
	world_free(w);
	buf_done(&all);
	buf_done(&asked);
}

/* All of them, each once and in order, though they are more than may wait for a
 * client. */
TEST(requests_that_wait_are_shown_as_they_are_read)
{
	reader_of_requests("limits: { write_queue_bytes: 64KiB, "
		"write_queue_max_bytes: 256KiB }\n", false);
}

TEST(requests_that_wait_are_shown_on_behind_a_restart)
{
	reader_of_requests("modules: { testresume: { sleep: 60s } }\n", true);
}

/* --- acknowledgements ---------------------------------------------------------- */

#define TIGHT                                                                  \
	"limits: { write_queue_bytes: 64KiB, write_queue_max_bytes: 256KiB }\n" \
	"modules: { testresume: { sleep: 60s } }\n"

/* Who takes all at once, and acknowledges little, gets no more than is kept for
 * him; and all of it in the end. */
TEST(requests_that_wait_are_shown_as_they_are_acknowledged)
{
	struct world *w = world_new(1, 2, TEST_MODULE_DIR, TIGHT);
	struct buf all = BUF_INIT, asked = BUF_INIT;
	struct client c;
	size_t had;

	world_add_account(w, "u0");
	ask(w, &all);
	client_init(&c, w, "u0", "r0");
	c.on_stanza = on_asked;
	c.user = &asked;
	c.resumable = true;
	client_connect(&c);
	client_settle(&c);
	CHECK(asked.n != 0 && asked.n < all.n / 4);
	for (unsigned i = 0; i < ASKERS && asked.n < all.n; i++) {
		had = asked.n;
		client_ack(&c, "ack");
		client_settle(&c);
		CHECK(asked.n > had);
	}
	CHECK(c.conn != NULL);
	CHECK_CSTR(buf_c(&asked), buf_c(&all));
	client_done(&c);
	world_free(w);
	buf_done(&all);
	buf_done(&asked);
}

static uint64_t
bytes_of_sessions(const struct world *w)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < w->n_shards; i++)
		n += w->server->shards[i]->stats.session_bytes.now;
	return n;
}

/* A module that goes keeps nothing, and the rest goes on. */
TEST(nothing_is_kept_when_the_module_that_kept_it_is_gone)
{
	struct world *w = world_new(1, 2, TEST_MODULE_DIR, TIGHT);
	struct buf all = BUF_INIT, asked = BUF_INIT;
	struct client c;

	world_add_account(w, "u0");
	ask(w, &all);
	client_init(&c, w, "u0", "r0");
	c.on_stanza = on_asked;
	c.user = &asked;
	c.resumable = true;
	client_connect(&c);
	client_settle(&c);
	CHECK(asked.n < all.n && bytes_of_sessions(w) > 64 * 1024);
	server_switch_module(w->server, STR("testresume"), false, NULL, NULL);
	client_settle(&c);
	client_settle(&c);
	CHECK_INT(bytes_of_sessions(w), 0);
	CHECK_CSTR(buf_c(&asked), buf_c(&all));
	client_done(&c);
	world_settle(w);
	world_free(w);
	buf_done(&all);
	buf_done(&asked);
}

#define GETS 100

static void
on_answer(struct client *c, struct arena *a, struct elem *e)
{
	unsigned *n = c->user;

	if (str_is(e->name, "iq") && str_starts(elem_attr(e, "id"), STR("get")))
		++*n;
	arena_free(a);
}

/* The acknowledgement that is waited for stands behind more requests than are
 * read at once. */
TEST(who_asks_much_before_he_acknowledges_is_read_on)
{
	struct world *w = world_new(1, 2, TEST_MODULE_DIR, TIGHT);
	unsigned answers = 0;
	struct client c;

	world_add_account(w, "u0");
	client_init(&c, w, "u0", "r0");
	c.on_stanza = on_answer;
	c.user = &answers;
	c.resumable = true;
	client_connect(&c);
	client_settle(&c);
	client_ack(&c, "ack");
	for (unsigned i = 0; i < GETS; i++)
		client_send(&c, "<iq type='get' id='get%02000u'><ping "
			"xmlns='urn:xmpp:ping'/></iq>", i);
	client_settle(&c);
	client_ack(&c, "ack");
	client_settle(&c);
	CHECK_INT(answers, GETS);
	CHECK(c.conn != NULL);
	client_done(&c);
	world_free(w);
}

TEST_MAIN
