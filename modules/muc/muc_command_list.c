/*
 * muc_command_list.c - rooms, for administrators: all there are, or those that nobody uses.
 *
 *	a part of the rooms, by the store --> each is read --> who is in them, shard by
 *	        ^                                                    shard --> rows
 *	        '------ when who called has taken them ----------------------'
 *
 * Shard 0.  No room is loaded for it.
 */
#include "config.h"

#include "muc_command.h"

#include "room.h"

#define PART 32 /* so that not too many lists of affiliations are in memory */
#define DAY_US (86400 * US_PER_S)

struct walk;

struct listed {
	struct walk *walk;
	struct jid jid;
	const char *name; /* NULL: none */
	size_t owners;
	size_t occupants;
	bool is_public, persistent;
	int64_t used_us; /* 0: not known */
};

struct listed_rooms VEC(struct listed);

/* In the arena of the call, as what stays until the end; of a part lies in its own. */
struct walk {
	struct command_call *call;
	const struct str *domains; /* of services */
	size_t n_domains, domain;
	struct str after;  /* owned by text */
	char *text;
	bool is_last;      /* of the domain */
	struct arena *a;   /* of the part */
	struct listed_rooms part;
	size_t reading;    /* of the part: that are not answered yet, and one more */
	struct err err;    /* why one of them is not */
	bool ownerless;
	int64_t before_us; /* only rooms in which nobody was since; 0: all */
};

static void walk_part(struct command_call *call);

static void
walk_end(struct walk *w, const struct err *err)
{
	if (w->a != NULL)
		arena_free(w->a);
	free(w->text);
	if (err != NULL)
		command_fail(w->call, err);
	else
		command_done(w->call);
}

/* --- showing ------------------------------------------------------------------------------ */

static bool
is_wanted(const struct walk *w, const struct listed *room)
{
	if (w->ownerless && room->owners != 0)
		return false;
	return w->before_us == 0 ||
		(room->occupants == 0 && room->used_us < w->before_us);
}

static void
listed_show(const struct walk *w, const struct listed *room)
{
	struct command_call *call = w->call;
	char time[DATETIME_SIZE];

	command_row(call);
	command_field(call, "room", jid_str(room->jid));
	command_number(call, "occupants", (int64_t)room->occupants);
	command_number(call, "owners", (int64_t)room->owners);
	command_field(call, "kind", room->is_public ? STR("public") : STR("hidden"));
	command_field(call, "stays", room->persistent ? STR("yes") : STR("no"));
	command_field(call, "used", room->used_us == 0 ?
			STR("never") : datetime_format(time, room->used_us));
	command_field(call, "name", str_c(room->name != NULL ? room->name : ""));
}

static void
part_show(struct walk *w)
{
	for (size_t i = 0; i < w->part.n; i++) {
		if (is_wanted(w, &w->part.p[i]))
			listed_show(w, &w->part.p[i]);
	}
	arena_free(w->a);
	w->a = NULL;
	if (w->is_last) {
		w->domain++;
		w->after = STR_NONE;
	}
	command_when_taken(w->call, walk_part);
}

/* --- who is in them ------------------------------------------------------------------------- */

static void
look_at_shard(struct shard *sh, void *arg)
{
	struct walk *w = arg;
	struct entity *e;

	for (size_t i = 0; i < w->part.n; i++) {
		struct listed *room = &w->part.p[i];
		struct str bare = jid_str(room->jid);

		e = place_is_here(sh, server_place_of(sh->server, bare)) ?
			entity_find(sh, bare) :
			NULL;
		if (e != NULL && e->class == &muc_room_class &&
			e->state == ENTITY_LOADED)
			room->occupants = room_of(e)->people.n;
	}
}

static void
on_looked(struct shard *sh, void *arg)
{
	(void)sh;
	part_show(arg);
}

/* --- what is stored --------------------------------------------------------------------------- */

static void
take_config(struct walk *w, struct listed *room, struct str value)
{
	const struct elem *form = stored_read(w->a, value);
	struct room_config c;
	const char *why;

	room_config_init(&c);
	if (form != NULL && room_config_read(&c, w->a, form, &why)) {
		room->is_public = c.is_public;
		room->persistent = c.persistent;
		if (c.name != NULL)
			room->name = arena_str(w->a, str_c(c.name)).p;
	}
	room_config_done(&c);
}

static void
take_entry(struct walk *w, struct listed *room, const struct store_entry *entry)
{
	if (str_is(entry->with, MAP_AFFILIATIONS))
		room->owners += str_is(stored_attr(entry->value, "affiliation"),
			"owner");
	else if (str_is(entry->key, "config"))
		take_config(w, room, entry->value);
	else if (str_is(entry->key, KEY_USED) &&
		!datetime_parse(entry->value, &room->used_us))
		room->used_us = 0;
}

static void
part_read(struct walk *w)
{
	if (--w->reading != 0)
		return;
	if (w->err.code != ERR_NONE)
		walk_end(w, &w->err);
	else
		shard_visit_all(w->call->shard, look_at_shard, on_looked, w);
}

static void
on_room(void *arg, const struct store_answer *found, const struct err *err)
{
	struct listed *room = arg;

	if (err != NULL)
		room->walk->err = *err;
	for (size_t i = 0; i < found->n; i++)
		take_entry(room->walk, room, &found->entries[i]);
	part_read(room->walk);
}

static void
walk_read(struct walk *w, struct module_ctx *m)
{
	static const struct str names[] = { { MAP_ROOM, sizeof(MAP_ROOM) - 1 },
		{ MAP_AFFILIATIONS, sizeof(MAP_AFFILIATIONS) - 1 } };

	w->reading = w->part.n + 1;
	for (size_t i = 0; i < w->part.n; i++)
		module_list_many(m, w->call->shard, jid_domain(w->part.p[i].jid),
			jid_local(w->part.p[i].jid), names, COUNT(names),
			on_room, &w->part.p[i]);
	part_read(w);
}

static void
on_part(void *arg, const struct store_answer *found, const struct err *err)
{
	struct walk *w = arg;
	struct str domain = w->domains[w->domain];
	struct module_ctx *m;

	if (err != NULL) {
		walk_end(w, err);
		return;
	}
	m = muc_call_module(w->call, domain);
	if (m == NULL) {
		free(w->text);
		return;
	}
	w->a = arena_new();
	w->part = (struct listed_rooms){ .n = 0 };
	w->is_last = found->complete || found->n == 0;
	for (size_t i = 0; i < found->n; i++)
		*vec_push_in(w->a, &w->part) = (struct listed){
			.walk = w,
			.jid = jid_make(w->a, found->entries[i].key, domain,
				STR_NONE),
		};
	if (found->n != 0) {
		free(w->text);
		w->text = str_dup(found->entries[found->n - 1].key);
		w->after = str_c(w->text);
	}
	walk_read(w, m);
}

static void
walk_part(struct command_call *call)
{
	struct walk *w = call->state;
	struct module_ctx *m;

	if (call->unheard || w->domain == w->n_domains) {
		walk_end(w, NULL);
		return;
	}
	m = muc_call_module(call, w->domains[w->domain]);
	if (m != NULL)
		module_owners(m, call->shard, w->domains[w->domain],
			STR(MAP_ROOM), w->after, PART, on_part, w);
	else
		free(w->text);
}

/* --- whose ---------------------------------------------------------------------------------- */

static bool
has_rooms(const struct host *h)
{
	return h->service != NULL && h->address_class == &muc_room_class;
}

/* Those of a host, of a service, or of all hosts. */
static void
walk_domains(struct walk *w, const struct host *of)
{
	const struct snapshot *snap = w->call->shard->snap;
	struct VEC(struct str) domains = { .n = 0 };
	const struct host *h;

	for (h = snap->hosts; h != NULL; h = h->hh.next) {
		if (has_rooms(h) && (of == NULL || h == of || h->parent == of))
			*vec_push_in(w->call->arena, &domains) =
				arena_str(w->call->arena, h->domain);
	}
	w->domains = domains.p;
	w->n_domains = domains.n;
}

bool
muc_list_check(struct command_call *call, struct err *err)
{
	struct str domain = command_value(call, "domain");
	const struct host *h;

	if (domain.p == NULL)
		return true;
	h = shard_host(call->shard, domain);
	if (h != NULL && (has_rooms(h) || (h->service == NULL && h->conf != NULL)))
		return true;
	return err_set(err, ERR_MISSING,
		"%.*s is neither a host of ours nor a service with rooms: "
		"antiphonctl rooms list names those that there are",
		STR_ARG(domain));
}

static struct walk *
walk_new(struct command_call *call)
{
	struct walk *w = arena_zalloc(call->arena, sizeof(*w));
	struct str domain = command_value(call, "domain");

	w->call = call;
	w->after = STR_NONE;
	walk_domains(w, domain.p != NULL ? shard_host(call->shard, domain) : NULL);
	call->state = w;
	return w;
}

void
muc_list_run(struct command_call *call)
{
	struct walk *w = walk_new(call);

	w->ownerless = command_switch(call, "ownerless");
	walk_part(call);
}

static long long
days_of(const struct command_call *call)
{
	long long days;

	return str_to_int(command_value(call, "days"), 1, 36500, &days) ? days : 0;
}

bool
muc_unused_check(struct command_call *call, struct err *err)
{
	if (days_of(call) == 0)
		return err_set(err, ERR_INVALID,
			"\"days\" is how many, from 1 to 36500");
	return muc_list_check(call, err);
}

void
muc_unused_run(struct command_call *call)
{
	struct walk *w = walk_new(call);

	w->before_us = shard_wall_us(call->shard) - days_of(call) * DAY_US;
	walk_part(call);
}
