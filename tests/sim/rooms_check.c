/*
 * rooms_check.c - what must hold of rooms: those who are in one see the same, and as it
 * is; what was said has one order, in which each has heard all of it from his coming to
 * his going; and what is stored is what was in memory.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "xmpp/ns.h"
#include "core/entity.h"
#include "core/server.h"
#include "core/shard.h"
#include "sim_rooms.h"

#define IDLE_US (10 * INT64_C(60) * US_PER_S)

/* --- who is in it ------------------------------------------------------------------- */

static bool
is_inside(const struct person *p, unsigned room)
{
	const struct view *v = &p->views[room];

	return person_is_on(p) && v->phase == INSIDE && !v->doubt && !v->lost &&
		v->joining == 0 && v->renaming == 0;
}

/* He may be there or not, under whatever name. */
static bool
may_be_inside(const struct person *p, unsigned room)
{
	const struct view *v = &p->views[room];

	return !is_inside(p, room) && (v->stay != NULL || v->joining != 0);
}

static const struct seen *
seen_as(const struct view *v, const char *nick)
{
	for (size_t i = 0; i < v->sees.n; i++)
		if (strcmp(v->sees.p[i].nick, nick) == 0)
			return &v->sees.p[i];
	return NULL;
}

static void
check_sees(struct scene *s, const struct person *at, const struct person *other,
	unsigned room)
{
	const struct view *v = &at->views[room], *o = &other->views[room];
	const struct seen *one = seen_as(v, o->nick);

	if (one == NULL) {
		scene_fail(s, "p%u does not see %s (p%u) in room%u", at->index,
			o->nick, other->index, room);
		return;
	}
	if (one->role != o->role || one->aff != o->aff)
		scene_fail(s, "p%u sees %s (p%u) in room%u as %c/%c, who is %c/%c",
			at->index, o->nick, other->index, room, one->role,
			one->aff, o->role, o->aff);
	if (one->real >= 0 && s->persons[one->real].user != other->user)
		scene_fail(s, "p%u takes %s in room%u, who is p%u, for p%d",
			at->index, o->nick, room, other->index, one->real);
	if (one->real < 0 && (v->role == MODERATOR || v->open))
		scene_fail(s, "p%u is not told who %s in room%u is", at->index,
			o->nick, room);
	if (v->open != o->open || v->subject != o->subject)
		scene_fail(s, "p%u and p%u differ on room%u: %d s%u, %d s%u",
			at->index, other->index, room, v->open, v->subject,
			o->open, o->subject);
}

static bool
is_somebodys(const struct scene *s, unsigned room, const struct seen *one)
{
	if (s->stops && (one->real < 0 || person_may_haunt(&s->persons[one->real])))
		return true;
	for (unsigned i = 0; i < PERSONS; i++) {
		const struct person *p = &s->persons[i];

		if (may_be_inside(p, room) || (is_inside(p, room) &&
			strcmp(p->views[room].nick, one->nick) == 0))
			return true;
	}
	return false;
}

/* Somebody may have made it anew, and sleeps, so that he has not read that. */
static bool
may_be_anew(const struct scene *s, unsigned room)
{
	for (unsigned i = 0; i < PERSONS; i++)
		if (!person_is_on(&s->persons[i]) &&
			s->persons[i].views[room].joining != 0)
			return true;
	return false;
}

static void
check_rights(struct scene *s, const struct person *p, unsigned room)
{
	const struct view *v = &p->views[room];
	char kept = p->index != AUDITOR ? s->aff[room][p->user].kept : 0;

	if (v->aff == OUTCAST)
		scene_fail(s, "p%u is in room%u, from which it is banned",
			p->index, room);
	if ((v->aff == OWNER || v->aff == ADMIN) && v->role != MODERATOR)
		scene_fail(s, "p%u is %c in room%u, and no moderator", p->index,
			v->aff, room);
	if (kept != 0 && v->aff != kept && !may_be_anew(s, room))
		scene_fail(s, "p%u is %c in room%u, and was made %c", p->index,
			v->aff, room, kept);
}

/* All has come that is on its way, or does not; but what goes to a server that ends waits
 * for it. */
static void
view_rests(struct scene *s, struct person *p, unsigned room)
{
	struct view *v = &p->views[room];

	if (s->stops && !s->calm && strcmp(person_domain(p), OTHER) == 0)
		return;
	if (!person_is_on(p))
		return; /* it waits for him */
	v->stale = v->repeats = false;
	if (v->going && person_may_haunt(p))
		person_flees(p, room);
	else if (v->going)
		scene_fail(s, "p%u is not told that it has gone from room%u", p->index,
			room);
	if ((v->joining != 0 || v->phase == TOLD_HISTORY) && !v->doubt &&
		!v->may_miss && !person_may_haunt(p))
		scene_fail(s, "p%u is not answered by room%u", p->index, room);
	if (v->renaming != 0 && !v->doubt && !v->may_miss &&
		!person_may_haunt(p))
		scene_fail(s, "p%u is not renamed in room%u", p->index, room);
	if (v->joining != 0 || v->phase == TOLD_HISTORY) {
		view_forgets(v);
		v->lost = false;
		v->joining = 0;
	}
	v->renaming = 0;
}

void
scene_check(struct scene *s)
{
	s->counts->checks++;
	for (unsigned room = 0; room < ROOMS; room++) {
		for (unsigned i = 0; i < PERSONS; i++) {
			const struct person *at = &s->persons[i];
			const struct view *v = &at->views[room];

			view_rests(s, &s->persons[i], room);
			if (!is_inside(at, room))
				continue;
			check_rights(s, at, room);
			for (unsigned j = 0; j < PERSONS; j++)
				if (is_inside(&s->persons[j], room))
					check_sees(s, at, &s->persons[j], room);
			for (size_t j = 0; j < v->sees.n; j++)
				if (!is_somebodys(s, room, &v->sees.p[j]))
					scene_fail(s, "p%u sees %s in room%u, who is nobody",
						i, v->sees.p[j].nick, room);
		}
	}
}

/* --- what was heard ----------------------------------------------------------------- */

static void
order_add(struct scene *s, struct order *o, const struct stay *stay, unsigned first,
	unsigned second)
{
	if (first == 0)
		return;
	if ((o->next[first] != 0 && o->next[first] != second) ||
		(o->before[second] != 0 && o->before[second] != first))
		scene_fail(s, "p%u hears %u behind %u in room%u, another one %u, or behind %u",
			stay->person, second, first, stay->room, o->next[first],
			o->before[second]);
	o->next[first] = second;
	o->before[second] = first;
}

/* Of bodies, or of all that was heard as it was said. */
static void
order_fill(struct scene *s, struct order *o, bool live)
{
	memset(o, 0, sizeof(*o));
	for (size_t i = 0; i < s->stays.n; i++) {
		const struct stay *stay = s->stays.p[i];
		unsigned last = 0;

		for (size_t j = 0; j < stay->heard.n; j++) {
			const struct heard *h = &stay->heard.p[j];

			if (h->as == (live ? AS_HISTORY : AS_SUBJECT))
				continue;
			order_add(s, o, stay, last, h->id);
			last = h->id;
		}
	}
	for (unsigned i = 1; i < s->n_said; i++)
		for (unsigned id = i, n = 1; o->before[i] == 0 && id != 0;
			id = o->next[id]) {
			o->chain[id] = i;
			o->at[id] = n++;
		}
	for (unsigned i = 1; i < s->n_said; i++)
		if (o->chain[i] == 0)
			scene_fail(s, "m%u was said before itself", i);
}

/* All from the moment at which others saw him come, and nothing before it but as
 * history. */
static void
check_stay(struct scene *s, const struct order *o, const struct stay *stay)
{
	const struct came *c = &s->came[stay->came];
	unsigned first = 0, live = 0;

	for (size_t i = stay->heard.n; i-- > 0;) {
		if (stay->heard.p[i].as != AS_SUBJECT)
			first = stay->heard.p[i].id;
		if (stay->heard.p[i].as == LIVE)
			live = stay->heard.p[i].id;
	}
	if (stay->came == 0 || !c->seen)
		return;
	if (first != 0 && o->chain[first] == o->chain[c->after] &&
		o->at[first] > o->at[c->after] + 1)
		scene_fail(s, "p%u came into room%u behind m%u, and hears m%u first",
			stay->person, stay->room, c->after, first);
	if (live != 0 && o->chain[live] == o->chain[c->after] &&
		o->at[live] <= o->at[c->after])
		scene_fail(s, "p%u came into room%u behind m%u, and hears m%u",
			stay->person, stay->room, c->after, live);
}

void
scene_check_heard(struct scene *s)
{
	struct order *o = xmalloc(sizeof(*o));

	order_fill(s, o, true);
	order_fill(s, o, false);
	for (size_t i = 0; i < s->stays.n; i++)
		check_stay(s, o, s->stays.p[i]);
	for (unsigned room = 0; room < ROOMS; room++)
		scene_check_archive(s, o, room);
	for (unsigned i = 1; i < s->n_said; i++) {
		const struct said *one = &s->said[i];

		if (!one->heard && !one->told && !one->unsure)
			scene_fail(s, "%u, which p%u said in room%u, is lost", i,
				one->person, one->room);
	}
	free(o);
}

/* --- the auditor -------------------------------------------------------------------- */

static void
look(struct scene *s, struct buf *out, unsigned room, const char *ns,
	const char *item)
{
	s->answered = false;
	person_send(&s->persons[AUDITOR], "<iq type='get' id='look' to='room%u@"
		ROOM_HOST "'><query xmlns='%s'>%s</query></iq>", room, ns, item);
	scene_rest(s);
	if (!s->answered)
		scene_fail(s, "the auditor is not answered by room%u", room);
	buf_add(out, s->answer.p, s->answer.n);
	buf_consume(&s->answer, s->answer.n);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In which order something is listed does not matter. */
static void
sort_lines(struct buf *out)
{
	struct VEC(char *) lines = { .n = 0 };
	char *text = xstrdup(buf_c(out)), *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (line[0] != '\0')
			*vec_push(&lines) = line;
	qsort(lines.p, lines.n, sizeof(*lines.p), compare);
	buf_consume(out, out->n);
	for (size_t i = 0; i < lines.n; i++)
		buf_printf(out, "%s\n", lines.p[i]);
	vec_done(&lines);
	free(text);
}

/* What there is of it in the store, if all is well. */
static void
look_at(struct scene *s, struct buf *out, unsigned room)
{
	static const char *const affs[] = { "outcast", "member", "admin", "owner" };
	char item[64];

	buf_consume(out, out->n);
	for (unsigned i = 0; i < COUNT(affs); i++) {
		snprintf(item, sizeof(item), "<item affiliation='%s'/>", affs[i]);
		look(s, out, room, NS_MUC_ADMIN, item);
	}
	look(s, out, room, NS_MUC_OWNER, "");
	sort_lines(out);
}

static char
listed(struct buf *list, unsigned user)
{
	char row[64];
	const char *at;

	snprintf(row, sizeof(row), "u%u@%s=", user, user >= REMOTE ? OTHER : HOST);
	at = strstr(buf_c(list), row);
	return at != NULL ? AFF_OF(at + strlen(row)) : AFF_OF("none");
}

static void
check_list(struct scene *s, struct buf *list, unsigned room)
{
	bool closed = strstr(buf_c(list), "_membersonly=1") != NULL;

	for (unsigned i = 0; i < AUDITOR; i++) {
		const struct person *p = &s->persons[i];
		const struct view *v = &p->views[room];
		char kept = s->aff[room][p->user].kept;

		if (kept != 0 && kept != listed(list, p->user))
			scene_fail(s, "u%u was made %c of room%u, and is %c",
				p->user, kept, room, listed(list, p->user));
		if (!is_inside(p, room))
			continue;
		if (v->aff != listed(list, p->user))
			scene_fail(s, "p%u is %c of room%u, in which it is %c",
				i, listed(list, p->user), room, v->aff);
		if (closed && v->aff == AFF_OF("none"))
			scene_fail(s, "p%u is in room%u, which is for members", i,
				room);
	}
}

static unsigned
last_heard(const struct stay *stay)
{
	return stay->heard.n != 0 ? stay->heard.p[stay->heard.n - 1].id : 0;
}

/* He comes in last, and what he says is the last that everybody hears. */
static void
audit_people(struct scene *s)
{
	struct person *auditor = &s->persons[AUDITOR];
	unsigned last[ROOMS];

	for (unsigned room = 0; room < ROOMS; room++)
		person_join(auditor, room, "audit");
	scene_rest(s);
	for (unsigned i = 0; i < PERSONS; i++)
		for (unsigned room = 0; room < ROOMS; room++)
			if (is_inside(&s->persons[i], room))
				last[room] = person_says(&s->persons[i], room);
	scene_rest(s);
	for (unsigned room = 0; room < ROOMS; room++)
		last[room] = person_says(auditor, room);
	scene_rest(s);
	for (unsigned room = 0; room < ROOMS; room++) {
		if (!is_inside(auditor, room))
			scene_fail(s, "the auditor is not let into room%u", room);
		for (unsigned i = 0; i < PERSONS; i++)
			if (is_inside(&s->persons[i], room) &&
				last_heard(s->persons[i].views[room].stay) != last[room])
				scene_fail(s, "p%u does not hear m%u in room%u", i,
					last[room], room);
	}
	scene_check(s);
}

static bool
is_loaded(const struct scene *s, unsigned room)
{
	const struct world *w = s->worlds[0];
	char jid[64];

	snprintf(jid, sizeof(jid), "room%u@" ROOM_HOST, room);
	for (unsigned i = 0; i < w->n_shards; i++) {
		struct table *table = &w->server->shards[i]->entities;
		struct table_walk walk = table_walk(table);
		const struct entity *e;

		while ((e = table_step(table, &walk)) != NULL)
			if (str_is(jid_str(e->jid), jid))
				return true;
	}
	return false;
}

void
scene_audit(struct scene *s)
{
	struct buf before[ROOMS] = { BUF_INIT, BUF_INIT, BUF_INIT };
	struct buf after = BUF_INIT;
	struct person *auditor = &s->persons[AUDITOR];

	audit_people(s);
	for (unsigned room = 0; room < ROOMS; room++) {
		look_at(s, &before[room], room);
		check_list(s, &before[room], room);
		person_send(auditor, "<presence type='unavailable' to='room%u@"
			ROOM_HOST "/audit'/>", room);
	}
	persons_leave(s);
	scene_pass(s, IDLE_US);
	for (unsigned room = 0; room < ROOMS; room++) {
		if (is_loaded(s, room)) {
			scene_fail(s, "room%u is in memory, and empty", room);
			person_join(auditor, room, "audit"); /* who is in it? */
			scene_rest(s);
		}
		if (strstr(buf_c(&before[room]), "_persistentroom=1") != NULL) {
			look_at(s, &after, room);
			if (!str_eq(buf_str(&after), buf_str(&before[room])))
				scene_fail(s, "room%u was\n%sand is\n%s", room,
					buf_c(&before[room]), buf_c(&after));
		}
		buf_done(&before[room]);
	}
	buf_done(&after);
}
