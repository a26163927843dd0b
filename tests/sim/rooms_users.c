/*
 * rooms_users.c - clients of users: how they come and go, whatever they are in.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "sim_rooms.h"

/* --- one of them -------------------------------------------------------------------- */

const char *
person_domain(const struct person *p)
{
	return p->user >= REMOTE && p->user < USERS ? OTHER : HOST;
}

static unsigned
world_of(const struct person *p)
{
	return strcmp(person_domain(p), OTHER) == 0;
}

bool
person_is_on(const struct person *p)
{
	return !p->leaving && p->c.conn != NULL && p->c.state == CLIENT_ONLINE &&
		(!p->managed || device_is_on(&p->d));
}

void
person_send(struct person *p, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		abort();
	va_end(ap);
	p->scene->moment++;
	if (p->managed)
		device_say(&p->d, NO_TAG, "%s", text);
	else
		client_send(&p->c, "%s", text);
	free(text);
}

/* What it has said and nobody has heard yet may be lost, and what it was to hear alone. */
static void
person_unsure(struct person *p)
{
	for (unsigned i = 1; i < p->scene->n_said; i++)
		if (p->scene->said[i].person == p->index ||
			p->scene->said[i].is_private)
			p->scene->said[i].unsure = true;
}

static void
person_goes(struct person *p)
{
	person_unsure(p);
	person_forgets(p);
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct person *p = CONTAINER_OF(c, struct person, c);

	if (!p->leaving)
		person_hears(p, e);
	arena_free(a);
}

static void
on_managed(struct device *d, struct elem *e)
{
	struct person *p = CONTAINER_OF(d, struct person, d);

	if (p->woke == UINT32_MAX && device_is_on(d))
		p->woke = p->scene->moment;
	if (!p->leaving)
		person_hears(p, e);
}

static void
on_new_life(struct device *d)
{
	struct person *p = CONTAINER_OF(d, struct person, d);

	seeds_say("p%u begins anew", p->index);
	p->scene->counts->anew++;
	person_goes(p);
}

/* --- coming and going --------------------------------------------------------------- */

static void
do_connect(struct person *p)
{
	seeds_say("p%u connects", p->index);
	if (p->c.state == CLIENT_FAILED)
		client_break(&p->c);
	client_read(&p->c); /* who said goodbye reads to the end */
	p->leaving = false;
	if (p->managed && p->d.id[0] != '\0') {
		p->scene->counts->resumed++;
		p->woke = UINT32_MAX;
		device_come(&p->d);
		return;
	}
	person_goes(p);
	if (p->managed)
		device_come(&p->d);
	else
		client_connect(&p->c);
}

/* Its session sleeps, if it is managed. */
static void
do_break(struct person *p)
{
	seeds_say("p%u breaks", p->index);
	client_break(&p->c);
	if (!p->managed)
		person_goes(p);
}

static void
do_leave(struct person *p)
{
	seeds_say("p%u leaves", p->index);
	person_goes(p);
	if (p->managed)
		p->d.id[0] = '\0';
	p->leaving = true;
	client_leave(&p->c);
}

/* --- something ---------------------------------------------------------------------- */

void
persons_act(struct scene *s)
{
	struct person *p = &s->persons[scene_draw(s, PERSONS)];
	unsigned room = scene_draw(s, ROOMS);
	const struct view *v = &p->views[room];

	if (p->c.conn == NULL)
		do_connect(p);
	if (!person_is_on(p))
		return;
	if (p->index == AUDITOR)
		person_affiliates(p, room);
	else if (scene_draw(s, 24) == 0)
		do_break(p);
	else if (scene_draw(s, 40) == 0)
		do_leave(p);
	else if (v->phase == OUTSIDE && v->joining == 0)
		person_acts_outside(p, room);
	else if (v->going)
		return; /* it may be some time until all that it has said is stored */
	else if (v->phase == INSIDE && v->aff == OWNER && scene_draw(s, 6) == 0)
		person_rules(p, room);
	else if (v->phase == INSIDE)
		person_acts_inside(p, room);
}

/* --- all of them -------------------------------------------------------------------- */

void
persons_read(struct scene *s)
{
	for (unsigned i = 0; i < PERSONS; i++)
		client_read(&s->persons[i].c);
}

void
persons_connect(struct scene *s)
{
	for (unsigned i = 0; i < PERSONS; i++)
		if (s->persons[i].c.conn == NULL ||
			s->persons[i].c.state == CLIENT_FAILED)
			do_connect(&s->persons[i]);
}

void
persons_ping(struct scene *s, bool doubtful_only)
{
	for (unsigned i = 0; i < PERSONS; i++)
		for (unsigned room = 0; room < ROOMS; room++) {
			struct person *p = &s->persons[i];

			if (person_is_on(p) && p->views[room].phase == INSIDE &&
				(p->views[room].doubt || !doubtful_only))
				person_pings(p, room);
		}
}

void
persons_leave(struct scene *s)
{
	for (unsigned i = 0; i < AUDITOR; i++)
		if (s->persons[i].c.conn != NULL)
			do_leave(&s->persons[i]);
}

/* Rooms are in the first world.  Who returns to his session, and to his room, after a stop
 * in order is as sure of all as if there had been none. */
void
persons_of_world_go(struct scene *s, unsigned world, bool killed)
{
	for (unsigned i = 0; i < PERSONS; i++) {
		struct person *p = &s->persons[i];

		if (p->managed && world_of(p) == world && !killed)
			continue;
		person_unsure(p);
		for (unsigned room = 0; room < ROOMS; room++) {
			struct view *v = &p->views[room];

			v->doubt = true;
			v->repeats = v->stale = true;
			v->renaming = 0;
			v->may_miss = true;
		}
		if (world_of(p) != world)
			continue;
		if (killed)
			client_break(&p->c);
		if (!p->managed || killed)
			person_goes(p);
	}
	for (unsigned room = 0; room < ROOMS; room++)
		for (unsigned u = 0; u < USERS; u++)
			s->aff[room][u] = (struct affiliated){ .kept =
				s->aff[room][u].kept };
}

static void
person_init(struct scene *s, unsigned i, const char *local)
{
	struct person *p = &s->persons[i];
	char resource[8];

	p->scene = s;
	p->index = i;
	p->user = i / CLIENTS;
	p->managed = i % CLIENTS == 0 && i != AUDITOR;
	snprintf(resource, sizeof(resource), "r%u", i % CLIENTS);
	if (p->managed) {
		device_init(&p->d, s->worlds[world_of(p)], local, resource);
		p->d.on_stanza = on_managed;
		p->d.on_new_life = on_new_life;
	} else {
		client_init(&p->c, s->worlds[world_of(p)], local, resource);
		p->c.on_stanza = on_stanza;
	}
	p->c.domain = person_domain(p);
}

void
persons_init(struct scene *s)
{
	char local[8];

	s->n_said = s->n_came = 1;
	for (unsigned u = 0; u < USERS; u++) {
		snprintf(local, sizeof(local), "u%u", u);
		world_add_account_at(s->worlds[u >= REMOTE], local,
			u >= REMOTE ? OTHER : HOST);
		for (unsigned i = 0; i < CLIENTS; i++)
			person_init(s, u * CLIENTS + i, local);
	}
	world_add_account_at(s->worlds[0], "admin", HOST);
	person_init(s, AUDITOR, "admin");
	persons_connect(s);
	scene_settle(s);
}

void
persons_done(struct scene *s)
{
	for (unsigned i = 0; i < PERSONS; i++) {
		struct person *p = &s->persons[i];

		for (unsigned room = 0; room < ROOMS; room++)
			vec_done(&p->views[room].sees);
		if (p->managed)
			device_done(&p->d);
		else
			client_done(&p->c);
	}
}
