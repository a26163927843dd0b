/*
 * sim_quiet.c - phones that say at random whether somebody looks at them (XEP-0352),
 * that fall asleep, resume, are resumed while they are still there, and stall; and
 * contacts that say all kinds of things.
 *
 *   sim_quiet [--seeds N] [--first SEED] [--steps N] [--module-dir DIR] [--verbose]
 *
 * A witness, which is another session of the same account and always active, has all
 * in its order.  quiet_check.c says what must hold of the phones; what they ask is
 * answered meanwhile, and behind what they missed when they say that they are active
 * (§5.1).  In half of the seeds they see copies (XEP-0280), also of what the desk says.
 * Twenty seeds in which one of the things that are counted does not happen
 * fail.  A seed that fails is printed, and replays exactly.
 */
#include "config.h"

#include "sim_quiet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "core/server.h"
#include "core/shard.h"

#define SEEDS 20

void
scene_fail(struct scene *s, const char *fmt, ...)
{
	va_list ap;

	s->failed = true;
	va_start(ap, fmt);
	seeds_fail(s->seed, fmt, ap);
	va_end(ap);
}

unsigned
scene_draw(struct scene *s, unsigned below)
{
	return (unsigned)world_draw(s->w, below);
}

/* --- what arrives ------------------------------------------------------------------ */

/* What a copy shows, or e itself. */
static const struct elem *
shown(struct scene *s, const struct elem *e)
{
	const struct elem *copy = elem_first_child(e);

	if (copy == NULL || !str_is(copy->ns, NS_CARBONS))
		return e;
	s->counts->copied++;
	return elem_child(elem_first_child(copy), NS_CLIENT, "message");
}

/* False: it is none of those that are counted. */
static bool
said_by(struct scene *s, const struct elem *e, unsigned *sender_out,
	unsigned *at_out)
{
	struct str from = elem_attr(e, "from"), id = elem_attr(e, "id");
	char text[16];

	if (str_is(elem_attr(e, "type"), "subscribe") && from.n > 2 &&
		from.p[0] == 's') {
		*sender_out = STRANGER + (unsigned)(from.p[1] - '0');
		*at_out = s->senders[*sender_out].request - 1;
		return true;
	}
	snprintf(text, sizeof(text), "%.*s", STR_ARG(id));
	return sscanf(text, "%u-%u", sender_out, at_out) == 2 &&
		*sender_out < SENDERS && *at_out < s->senders[*sender_out].n;
}

static void
on_witness(struct client *c, struct arena *a, struct elem *e)
{
	struct scene *s = c->user;
	unsigned sender, at;

	if (said_by(s, e, &sender, &at)) {
		seeds_say("  the witness gets %u-%u", sender, at);
		witness_hears(s, sender, at);
	}
	scene_answer(c, e);
	arena_free(a);
}

/* The answer to a ping behind <active/>. */
static void
on_pong(struct phone *p)
{
	if (!p->pings)
		return;
	seeds_say("phone %u is answered", p->index);
	p->pings = false;
	p->scene->counts->pings++;
	phone_has_all(p, p->due);
}

static void
on_phone(struct device *d, struct elem *e)
{
	struct phone *p = d->user;
	unsigned sender, at;

	if (str_is(e->name, "iq") && str_is(elem_attr(e, "id"), "active"))
		on_pong(p);
	if (!said_by(p->scene, shown(p->scene, e), &sender, &at))
		return;
	seeds_say("  phone %u gets %u-%u", p->index, sender, at);
	phone_hears(p, sender, at);
	/* what it says before it counts it would say again */
	if (d->on && str_is(elem_attr(e, "type"), "get"))
		device_say(d, NO_TAG, "<iq type='result' id='%.*s' to='%.*s'/>",
			STR_ARG(elem_attr(e, "id")),
			STR_ARG(elem_attr(e, "from")));
}

static void
on_new_life(struct device *d)
{
	struct phone *p = d->user;

	seeds_say("phone %u begins anew", p->index);
	p->anew = p->scene->again = true;
	p->inactive = p->calm = p->pings = false;
}

static void
read_all(struct scene *s)
{
	client_read(&s->witness);
	for (unsigned i = 0; i < SENDERS; i++)
		client_read(&s->senders[i].c);
	for (unsigned i = 0; i < PHONES; i++)
		client_read(&s->phones[i].d->c);
}

static void
settle(struct scene *s)
{
	for (int i = 0; i < 12; i++) {
		world_settle(s->w);
		read_all(s);
	}
}

/* Who begins anew has to ask for copies again. */
static void
look(struct scene *s)
{
	settle(s);
	for (unsigned i = 0; s->copies && i < PHONES; i++) {
		struct phone *p = &s->phones[i];

		if (p->anew && device_is_on(p->d))
			device_say(p->d, NO_TAG, "<iq type='set' id='copies'>"
				"<enable xmlns='" NS_CARBONS "'/></iq>");
	}
	if (s->copies)
		settle(s);
	scene_check(s);
}

/* --- what phones do ---------------------------------------------------------------- */

static void
do_active(struct scene *s, struct phone *p)
{
	bool asks = scene_draw(s, 2) == 0;

	seeds_say("phone %u is active", p->index);
	/* all that has come until now it must have when it is answered */
	if (asks)
		settle(s);
	p->inactive = p->calm = false;
	client_send(&p->d->c, "<active xmlns='" NS_CSI "'/>");
	s->counts->woken++;
	if (!asks || p->pings || p->stalls || p->anew || !device_is_on(p->d))
		return;
	for (unsigned x = 0; x < SENDERS; x++)
		p->due[x] = s->senders[x].n;
	p->pings = true;
	device_say(p->d, NO_TAG, "<iq type='get' id='active' to='" WORLD_HOST
		"'><ping xmlns='urn:xmpp:ping'/></iq>");
}

static void
do_inactive(struct phone *p)
{
	seeds_say("phone %u is inactive", p->index);
	p->calm = p->calm && p->inactive;
	p->inactive = true;
	client_send(&p->d->c, "<inactive xmlns='" NS_CSI "'/>");
}

static void
do_break(struct phone *p)
{
	seeds_say("phone %u breaks", p->index);
	p->calm = p->stalls = p->inactive = false;
	client_break(&p->d->c);
}

static void
do_come(struct scene *s, struct phone *p)
{
	seeds_say("phone %u comes", p->index);
	p->calm = p->stalls = p->inactive = false;
	s->counts->resumed++;
	device_come(p->d);
}

/* Another stream goes on, while the one before is still there. */
static void
do_move(struct scene *s, struct phone *p)
{
	struct device *next = xmalloc(sizeof(*next));

	seeds_say("phone %u moves", p->index);
	if (p->stalls)
		conn_mem_take(p->d->c.conn, SIZE_MAX);
	*next = *p->d;
	next->c.conn = NULL;
	next->c.parser = NULL;
	next->c.in = (struct buf)BUF_INIT;
	memset(&p->d->out, 0, sizeof(p->d->out));
	*vec_push(&p->left) = p->d;
	p->d = next;
	p->calm = p->stalls = p->inactive = false;
	s->counts->moved++;
	device_come(next);
}

static void
do_stall(struct phone *p)
{
	seeds_say("phone %u stalls, or goes on", p->index);
	p->stalls = !p->stalls;
	p->calm = false;
	conn_mem_take(p->d->c.conn, p->stalls ? 0 : SIZE_MAX);
}

static void
phone_act(struct scene *s, struct phone *p)
{
	if (p->d->c.conn == NULL) {
		if (scene_draw(s, 3) == 0)
			do_come(s, p);
		return;
	}
	if (!device_is_on(p->d))
		return;
	switch (scene_draw(s, 12)) {
	case 0:
		do_break(p);
		break;
	case 1:
		do_move(s, p);
		break;
	case 2:
		do_stall(p);
		break;
	case 3:
	case 4:
		do_active(s, p);
		break;
	case 5:
		client_send(&p->d->c, "<r xmlns='" NS_SM "'/>");
		break;
	default:
		do_inactive(p);
	}
}

/* --- one seed ----------------------------------------------------------------------- */

static void
scene_step(struct scene *s)
{
	unsigned sender = scene_draw(s, SENDERS);

	if (scene_draw(s, 5) == 0)
		phone_act(s, &s->phones[scene_draw(s, PHONES)]);
	for (unsigned n = 1 + scene_draw(s, 3); n > 0; n--)
		sender_says(s, sender);
	if (sender >= STRANGER && sender != DESK && scene_draw(s, 8) == 0)
		sender_asks(s, sender);
	for (unsigned n = scene_draw(s, 5); n > 0; n--) {
		world_turn(s->w);
		read_all(s);
	}
	/* long enough for what sleeps to end, now and then */
	if (scene_draw(s, 60) == 0)
		for (unsigned n = scene_draw(s, 24); n > 0; n--) {
			world_sleep(s->w, 10 * US_PER_S);
			read_all(s);
		}
	if (scene_draw(s, 6) == 0)
		look(s);
}

static void
phone_open(struct scene *s, unsigned index)
{
	struct phone *p = &s->phones[index];
	char resource[16];

	snprintf(resource, sizeof(resource), "phone%u", index);
	p->d = xmalloc(sizeof(*p->d));
	device_init(p->d, s->w, "romeo", resource);
	p->d->user = p;
	p->d->on_stanza = on_phone;
	p->d->on_new_life = on_new_life;
	p->scene = s;
	p->index = index;
	device_come(p->d);
}

static void
scene_open(struct scene *s, const char *modules)
{
	/* whoever sends much is not slowed */
	s->w = world_new(s->seed, 1 + (unsigned)(s->seed % 3), modules,
		"limits: { stanzas_burst: 100000, bytes_burst: 16MiB }\n"
		"modules: { sm: { sleep: 60s } }\n");
	world_add_account(s->w, "romeo");
	client_init(&s->witness, s->w, "romeo", "witness");
	s->witness.on_stanza = on_witness;
	s->witness.user = s;
	client_connect(&s->witness);
	for (unsigned i = 0; i < SENDERS; i++)
		sender_open(s, i);
	for (unsigned i = 0; i < PHONES; i++)
		phone_open(s, i);
	settle(s);
	for (unsigned i = 0; i < CONTACTS; i++)
		client_send(&s->witness, "<presence type='subscribe' to='c%u@"
			WORLD_HOST "'/><presence type='subscribed' to='c%u@"
			WORLD_HOST "'/>", i, i);
	settle(s);
	for (unsigned i = 0; i < STRANGER; i += 2)
		client_send(&s->senders[i].c,
			"<presence type='subscribe' to='" ROMEO "'/>");
	look(s);
}

/* Somebody looks at all of them, and nothing is missing. */
static void
scene_end(struct scene *s)
{
	for (unsigned i = 0; i < PHONES; i++) {
		struct phone *p = &s->phones[i];

		if (p->stalls && p->d->c.conn != NULL)
			do_stall(p);
		settle(s);
		if (p->d->c.conn == NULL)
			do_come(s, p);
		settle(s);
		p->inactive = p->calm = false;
		client_send(&p->d->c, "<active xmlns='" NS_CSI "'/>");
	}
	look(s);
	for (unsigned i = 0; i < PHONES; i++) {
		if (!device_is_on(s->phones[i].d))
			scene_fail(s, "phone %u does not come back", i);
		phone_count(&s->phones[i]);
	}
	/* an answer may be lost with its session, and who asked hear both */
	for (unsigned i = 0; i < SENDERS && s->lives == PHONES; i++)
		if (s->senders[i].answered != s->senders[i].asked)
			scene_fail(s, "sender %u asked %u times, and has %u answers",
				i, s->senders[i].asked, s->senders[i].answered);
}

static void
scene_free(struct scene *s)
{
	client_done(&s->witness);
	for (unsigned i = 0; i < SENDERS; i++)
		client_done(&s->senders[i].c);
	for (unsigned i = 0; i < PHONES; i++) {
		struct phone *p = &s->phones[i];

		for (size_t k = 0; k < p->left.n; k++) {
			device_done(p->left.p[k]);
			free(p->left.p[k]);
		}
		vec_done(&p->left);
		device_done(p->d);
		free(p->d);
		vec_done(&p->heard);
	}
	world_free(s->w);
	free(s);
}

static bool
run(uint64_t seed, unsigned steps, const char *modules, void *counts)
{
	struct scene *s = xcalloc(1, sizeof(*s));
	bool ok;

	s->seed = seed;
	s->copies = seed % 2 == 0;
	s->counts = counts;
	scene_open(s, modules);
	for (unsigned i = 0; i < steps && !s->failed; i++)
		scene_step(s);
	if (!s->failed)
		scene_end(s);
	ok = !s->failed;
	scene_free(s);
	return ok;
}

static bool
has_all(const struct counts *c)
{
	return c->copied != 0 && c->merged != 0 && c->dropped != 0 && c->still != 0 &&
		c->waits != 0 && c->woken != 0 && c->resumed != 0 &&
		c->moved != 0 && c->lives > PHONES && c->pings != 0;
}

int
main(int argc, char **argv)
{
	struct seeds seeds = { .program = "sim_quiet", .first = 1, .n = SEEDS,
		.steps = 250, .module_dirs = "modules/.libs:tests/modules/.libs" };
	struct counts c = { 0 };

	if (!seeds_read(&seeds, argc, argv))
		return 2;
	seeds_run(&seeds, run, &c);
	if (seeds.n >= SEEDS && !has_all(&c)) {
		fprintf(stderr, "something of what is to be tried never happened\n");
		seeds.failed++;
	}
	printf("%u stanzas said, %u heard by phones, %u copies, %u merged, %u for nobody\n",
		c.said, c.heard, c.copied, c.merged, c.dropped);
	printf("%u times quiet and %u stanzas waited; %u times active, %u pings, %u resumed, %u moved, %u sessions\n",
		c.still, c.waits, c.woken, c.pings, c.resumed, c.moved, c.lives);
	printf("%llu seeds, %u failed\n", (unsigned long long)seeds.n, seeds.failed);
	return seeds.failed != 0;
}
