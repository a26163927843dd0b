/*
 * phone_day.c - a phone's day, with client state indication (XEP-0352) and without: how
 * much it is sent, and how often its radio wakes.
 *
 *   phone_day [--contacts N] [--hours N] [--seed N] [--ping TIME] [--module-dir DIR]
 *
 * Contacts come, go, are away and back, change what they listen to, type and write.
 * Somebody looks at the phone now and then; else it says that it is inactive, or, in a
 * second run of the same day, nothing.  It has stream management in both.  Its radio
 * sleeps when nothing has gone either way for ten seconds; what goes then wakes it.
 *
 * The clock is scripted and the day drawn from the seed, so that the figures are the same
 * each time.  Fails when being inactive saves less than three quarters of the wake-ups, or
 * no bytes, or costs a message.  What is sent without TLS; that adds 22 bytes each time.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "core/server.h"
#include "core/shard.h"
#include "device.h"
#include "world.h"

#define TAIL_US (10 * US_PER_S) /* of the radio */
#define HOUR 3600
#define MORNING (7 * HOUR)
#define NIGHT (23 * HOUR)
#define LOOK 120 /* seconds */

enum kind { AWAY, BACK, LEAVES, COMES, LISTENS, TYPES, WRITES, LOOKS, LOOKS_AWAY };

struct event {
	unsigned at; /* seconds since midnight */
	unsigned who;
	enum kind kind;
};

struct day {
	unsigned contacts, hours;
	uint64_t seed, drawn;
	const char *ping; /* limits: idle_before_ping */
	const char *modules;
	struct VEC(struct event) events;
};

struct radio {
	uint64_t down, up;
	unsigned wakes;
	int64_t on_us, last_us; /* how long it was on; when something went */
};

struct scene {
	const struct day *day;
	struct world *w;
	struct device phone;
	struct client *contacts;
	bool quiet; /* the phone says that it is inactive */
	struct radio radio;
	unsigned stanzas, messages;
};

/* --- the day ---------------------------------------------------------------------------- */

/* splitmix64: the day is the same, whatever the server draws. */
static unsigned
day_draw(struct day *d, unsigned below)
{
	uint64_t z = (d->drawn += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ (z >> 31)) % below);
}

static void
day_add(struct day *d, unsigned at, unsigned who, enum kind kind)
{
	if (at < d->hours * HOUR)
		*vec_push(&d->events) = (struct event){ at, who, kind };
}

/* By day, mostly. */
static unsigned
day_moment(struct day *d)
{
	return day_draw(d, 10) == 0 ? day_draw(d, MORNING) :
				      MORNING + day_draw(d, NIGHT - MORNING);
}

static void
day_of_contact(struct day *d, unsigned who)
{
	for (unsigned i = 0; i < 12; i++) {
		unsigned at = day_moment(d);

		day_add(d, at, who, AWAY);
		day_add(d, at + 300 + day_draw(d, 3000), who, BACK);
	}
	for (unsigned i = 0; i < 2; i++) {
		unsigned at = day_moment(d);

		day_add(d, at, who, LEAVES);
		day_add(d, at + 60 + day_draw(d, HOUR), who, COMES);
	}
	for (unsigned i = 0; i < 3; i++)
		day_add(d, day_moment(d), who, LISTENS);
}

static int
compare(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->who != y->who)
		return x->who < y->who ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

/* A third of those who type write. */
static void
day_make(struct day *d)
{
	d->drawn = d->seed;
	for (unsigned i = 0; i < d->contacts; i++)
		day_of_contact(d, i);
	for (unsigned i = 0; i < 180; i++) {
		unsigned at = day_moment(d), who = day_draw(d, d->contacts);

		day_add(d, at, who, TYPES);
		if (i % 3 == 0)
			day_add(d, at + 5 + day_draw(d, 20), who, WRITES);
	}
	for (unsigned i = 0; i < 24; i++) {
		unsigned at = MORNING + (NIGHT - MORNING) / 24 * i +
			day_draw(d, 2000);

		day_add(d, at, 0, LOOKS);
		day_add(d, at + LOOK, 0, LOOKS_AWAY);
	}
	qsort(d->events.p, d->events.n, sizeof(d->events.p[0]), compare);
}

/* --- the radio ----------------------------------------------------------------------- */

static struct scene *watched; /* whose phone's radio it is: there is one */

static void
radio_goes(struct scene *s, uint64_t down, uint64_t up)
{
	struct radio *r = &s->radio;
	int64_t now_us = s->w->server->shards[0]->now_us;

	if (down + up == 0)
		return;
	if (now_us - r->last_us >= TAIL_US) {
		r->wakes++;
		r->on_us += TAIL_US;
	} else {
		r->on_us += now_us - r->last_us;
	}
	r->last_us = now_us;
	r->down += down;
	r->up += up;
}

/* Linked in front of the connection's by --wrap. */
void __real_conn_mem_feed(struct conn *c, const char *p, size_t n);
void __wrap_conn_mem_feed(struct conn *c, const char *p, size_t n);

void
__wrap_conn_mem_feed(struct conn *c, const char *p, size_t n)
{
	if (watched != NULL && c == watched->phone.c.conn)
		radio_goes(watched, 0, n);
	__real_conn_mem_feed(c, p, n);
}

/* --- who is there --------------------------------------------------------------------- */

static void
on_phone(struct device *d, struct elem *e)
{
	struct scene *s = d->user;

	s->stanzas++;
	s->messages += elem_child(e, NS_CLIENT, "body") != NULL;
}

static void
on_contact(struct client *c, struct arena *a, struct elem *e)
{
	if (str_is(elem_attr(e, "type"), "subscribe"))
		client_send(c, "<presence type='subscribed' to='%.*s'/>",
			STR_ARG(elem_attr(e, "from")));
	else if (str_is(elem_attr(e, "type"), "get"))
		client_send(c, "<iq type='result' id='%.*s'/>",
			STR_ARG(elem_attr(e, "id")));
	arena_free(a);
}

/* What has come by now, and what that makes them say. */
static void
scene_settle(struct scene *s)
{
	for (int i = 0; i < 4; i++) {
		world_settle(s->w);
		radio_goes(s, s->phone.c.in.n, 0);
		client_read(&s->phone.c);
		for (unsigned k = 0; k < s->day->contacts; k++)
			client_read(&s->contacts[k]);
	}
}

static void
contact_open(struct scene *s, unsigned i)
{
	char local[16];

	snprintf(local, sizeof(local), "c%u", i);
	world_add_account(s->w, local);
	client_init(&s->contacts[i], s->w, local, "desk");
	s->contacts[i].on_stanza = on_contact;
	client_connect(&s->contacts[i]);
}

static void
scene_open(struct scene *s)
{
	const struct day *d = s->day;
	char conf[128];

	snprintf(conf, sizeof(conf),
		"limits: { idle_before_ping: %s, stanzas_burst: 100000 }\n",
		d->ping);
	s->w = world_new(d->seed, 1, d->modules, conf);
	s->contacts = xcalloc(d->contacts, sizeof(s->contacts[0]));
	world_add_account(s->w, "romeo");
	device_init(&s->phone, s->w, "romeo", "phone");
	s->phone.user = s;
	s->phone.on_stanza = on_phone;
	device_come(&s->phone);
	for (unsigned i = 0; i < d->contacts; i++)
		contact_open(s, i);
	for (int i = 0; i < 8; i++)
		scene_settle(s);
	for (unsigned i = 0; i < d->contacts; i++) {
		device_say(&s->phone, NO_TAG,
			"<presence type='subscribe' to='c%u@" WORLD_HOST "'/>", i);
		scene_settle(s);
	}
}

static void
scene_free(struct scene *s)
{
	device_done(&s->phone);
	for (unsigned i = 0; i < s->day->contacts; i++)
		client_done(&s->contacts[i]);
	free(s->contacts);
	world_free(s->w);
}

/* --- what happens --------------------------------------------------------------------- */

#define CAPS                                                                   \
	"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1'"              \
	" node='http://client.example' ver='2Ok3bNmBBf3wJzyJbGvS3Q6uS3k='/>"   \
	"<x xmlns='vcard-temp:x:update'>"                                      \
	"<photo>8a7c1b0f3a1b6c0e5d4f2a19b8c7d6e5f4a3b2c1</photo></x>"

static const char *const says[] = {
	[AWAY] = "<presence><show>away</show>"
		"<idle xmlns='urn:xmpp:idle:1' since='2026-11-29T08:00:00Z'/>" CAPS
		"</presence>",
	[BACK] = "<presence>" CAPS "</presence>",
	[LEAVES] = "<presence type='unavailable'/>",
	[COMES] = "<presence>" CAPS "</presence>",
	[LISTENS] = "<message to='romeo@" WORLD_HOST "' type='headline'>"
		"<event xmlns='http://jabber.org/protocol/pubsub#event'>"
		"<items node='http://jabber.org/protocol/tune'><item id='current'>"
		"<tune xmlns='http://jabber.org/protocol/tune'><artist>An artist"
		"</artist><title>A title</title></tune></item></items></event>"
		"</message>",
	[TYPES] = "<message to='romeo@" WORLD_HOST "' type='chat'>"
		"<composing xmlns='" NS_CHATSTATES "'/></message>",
	[WRITES] = "<message to='romeo@" WORLD_HOST "' type='chat' id='m'>"
		"<body>Shall we meet at the fountain at eight?</body>"
		"<active xmlns='" NS_CHATSTATES "'/></message>",
};

static void
happens(struct scene *s, const struct event *e)
{
	if (e->kind != LOOKS && e->kind != LOOKS_AWAY)
		client_send(&s->contacts[e->who], "%s", says[e->kind]);
	else if (s->quiet)
		client_send(&s->phone.c, "<%s xmlns='" NS_CSI "'/>",
			e->kind == LOOKS ? "active" : "inactive");
}

/* From one timer to the next. */
static void
scene_wait(struct scene *s, int64_t until_us)
{
	const struct shard *sh = s->w->server->shards[0];

	while (sh->now_us < until_us) {
		world_sleep(s->w, until_us - sh->now_us);
		scene_settle(s);
	}
}

/* True: the phone is there to the end. */
static bool
scene_run(struct scene *s)
{
	const struct day *d = s->day;
	int64_t begin_us;
	bool there;

	watched = s;
	scene_open(s);
	scene_wait(s, s->w->server->shards[0]->now_us + 60 * US_PER_S);
	if (s->quiet)
		client_send(&s->phone.c, "<inactive xmlns='" NS_CSI "'/>");
	scene_settle(s);
	begin_us = s->w->server->shards[0]->now_us;
	s->radio = (struct radio){ .last_us = begin_us - TAIL_US };
	s->stanzas = s->messages = 0;
	for (size_t i = 0; i < d->events.n; i++) {
		const struct event *e = &d->events.p[i];

		scene_wait(s, begin_us + (int64_t)e->at * US_PER_S);
		happens(s, e);
		scene_settle(s);
	}
	scene_wait(s, begin_us + (int64_t)d->hours * HOUR * US_PER_S);
	there = device_is_on(&s->phone) && s->phone.lives == 1;
	watched = NULL;
	scene_free(s);
	return there;
}

static void
print(const struct scene *s, const char *what)
{
	printf("| %s | %u | %u | %llu | %llu | %u | %.0f |\n", what, s->stanzas,
		s->messages, (unsigned long long)s->radio.down,
		(unsigned long long)s->radio.up, s->radio.wakes,
		(double)s->radio.on_us / US_PER_S / 60);
}

static bool
saves(const struct scene *without, const struct scene *with)
{
	return with->messages == without->messages && with->messages != 0 &&
		with->radio.wakes * 4 <= without->radio.wakes &&
		with->radio.down < without->radio.down;
}

int
main(int argc, char **argv)
{
	struct day d = { .contacts = 20, .hours = 12, .seed = 1, .ping = "1h" };
	const char *module_dir = "modules/.libs";
	struct scene without = { .day = &d }, with = { .day = &d, .quiet = true };
	bool there;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return 2;
		else if (strcmp(argv[i], "--contacts") == 0)
			d.contacts = (unsigned)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--hours") == 0)
			d.hours = (unsigned)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			d.seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--ping") == 0)
			d.ping = argv[i + 1];
		else if (strcmp(argv[i], "--module-dir") == 0)
			module_dir = argv[i + 1];
		else
			return 2;
	}
	d.modules = module_dir;
	day_make(&d);
	there = scene_run(&without) && scene_run(&with);
	printf("| %u contacts, %u hours | stanzas | messages | bytes down | bytes up | wake-ups | minutes that the radio is on |\n"
	       "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
		d.contacts, d.hours);
	print(&without, "always active");
	print(&with, "inactive while nobody looks");
	vec_done(&d.events);
	if (there && saves(&without, &with))
		return 0;
	fprintf(stderr, there ? "being inactive saves too little\n" :
				"the phone has lost its session\n");
	return 1;
}
