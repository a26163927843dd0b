/*
 * room_sleep.c - a room over a stop of the server (XEP-0045 §11.2): who can come back is in
 * it still, and nobody is told anything; who cannot is told so, and leaves.
 *
 *	stop: he cannot come back --> 332, and he hears no more ---.
 *	      all are written ------------------------------------ | ---.
 *	start: read; who was told leaves, the others hear of it <--'    |
 *	       is there his session? --no--> leaves, with 333 <---------'
 *
 * And the other way round, each session that is back asks the rooms that it was in
 * (muc_on_back()).  Owner shard of the room, but for that.
 */
#include "config.h"

#include "room.h"
#include "room_save.h"

/* --- the stop ----------------------------------------------------------------------- */

/* The others hear of it after the start: their sessions are about to be written. */
void
room_parts(struct room *r, struct room_client *c)
{
	struct room_note note = { .codes = { 332 } };

	if (c->told)
		return;
	join_end(c);
	room_show_gone_own(r, c, &note);
	audience_leave(r->audience, c->jid);
	c->told = true;
}

/* Of one that is locked nothing is in the store. */
static void
save_locked(const struct room *r, struct arena *a, struct elem *e)
{
	struct elem *subject = room_subject_elem(r, a);

	elem_set_attr(a, e, "owner",
		jid_str(TAILQ_FIRST(&r->people.occupants)->user));
	if (subject != NULL)
		elem_append(e, subject);
}

static void
save_head(struct room *r, struct entity_save *to)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_MUC_SAVED, "room");
	const struct hash_key *key = &r->people.ids;

	elem_set_attr(a, e, "version", STR(ROOM_SAVED_VERSION));
	elem_set_attr(a, e, "k0", arena_printf(a, "%lld", (long long)key->k0));
	elem_set_attr(a, e, "k1", arena_printf(a, "%lld", (long long)key->k1));
	if (r->state == ROOM_LOCKED)
		save_locked(r, a, e);
	(void)entity_save_elem(to, STR("."), a, e);
	arena_free(a);
}

static void
save_client(struct entity_save *to, const struct room_client *c, unsigned n)
{
	struct arena *a = arena_new();

	(void)entity_save_elem(to, arena_printf(a, "c%08u", n), a,
		room_saved_elem(a, c));
	arena_free(a);
}

/* The first of an occupant, whose presence is shown, last: each that comes in is put
 * before those who are there. */
static void
save_people(struct room *r, struct entity_save *to)
{
	const struct occupant *o;
	const struct room_client *c;
	unsigned n = 0;

	TAILQ_FOREACH (o, &r->people.occupants, link)
		TAILQ_FOREACH_REVERSE (c, &o->clients, room_clients, link)
			save_client(to, c, n++);
}

static void
save_history(struct room *r, struct entity_save *to)
{
	const struct room_said *said;
	unsigned n = 0;

	STAILQ_FOREACH (said, &r->history.said, link) {
		struct arena *a;
		struct elem *e;

		if (said->gone)
			continue;
		a = arena_new();
		e = elem_new(a, NS_MUC_SAVED, "said");
		elem_set_attr(a, e, "at",
			arena_printf(a, "%lld", (long long)said->wall_us));
		elem_append(e, history_unpack(said, a));
		(void)entity_save_elem(to, arena_printf(a, "h%08u", n++), a, e);
		arena_free(a);
	}
}

static bool
is_to_come_back(const struct room *r)
{
	const struct occupant *o;
	const struct room_client *c;

	if (r->state != ROOM_OPEN && r->state != ROOM_LOCKED)
		return false;
	TAILQ_FOREACH (o, &r->people.occupants, link)
		TAILQ_FOREACH (c, &o->clients, link)
			if (client_stays(c))
				return true;
	return false;
}

/* A temporary one in which nobody is left stays in the store: who was in it finds it as
 * it was, and takes it along when he leaves. */
void
room_save(struct entity *e, struct entity_save *to)
{
	struct room *r = room_of(e);

	joins_done(r);
	if (is_to_come_back(r)) {
		save_head(r, to);
		save_people(r, to);
		save_history(r, to);
	}
	shard_timer_cancel(e->shard, &r->missing);
	audience_free(r->audience);
	r->audience = audience_new(e->shard, e->hash);
	people_done(&r->people);
	people_init(&r->people, &e->shard->server->hash_key);
}

/* --- the start: what was written ------------------------------------------------------ */

/* What is read of one room. */
struct waking {
	struct room *r;
	struct arena *a; /* of one row */
	unsigned lost;   /* rows */
};

static bool
wake_head(struct waking *w, const struct elem *e)
{
	struct room *r = w->r;
	struct hash_key *key = &r->people.ids;
	const struct elem *subject;
	struct jid owner;
	long long k0, k1;

	if (e == NULL || !elem_is(e, NS_MUC_SAVED, "room") ||
		!str_is(elem_attr(e, "version"), ROOM_SAVED_VERSION) ||
		!str_to_int(elem_attr(e, "k0"), INT64_MIN, INT64_MAX, &k0) ||
		!str_to_int(elem_attr(e, "k1"), INT64_MIN, INT64_MAX, &k1))
		return false;
	*key = (struct hash_key){ (uint64_t)k0, (uint64_t)k1 };
	memcpy(r->mark_key, key, sizeof(r->mark_key));
	if (r->state == ROOM_ABSENT &&
		jid_parse(&owner, w->a, elem_attr(e, "owner"), NULL)) {
		r->state = ROOM_LOCKED;
		members_set(&r->members, jid_bare(owner), AFF_OWNER, STR_NONE,
			STR_NONE);
		subject = elem_child(e, NS_CLIENT, "subject");
		if (subject != NULL)
			room_subject_read(r, w->a, subject);
	}
	return r->state != ROOM_ABSENT;
}

static bool
wake_client(struct waking *w, const struct elem *e)
{
	struct room *r = w->r;
	struct room_saved saved;
	enum room_affiliation aff;
	struct room_client *c;

	if (!room_saved_read(&saved, w->a, e))
		return false;
	aff = room_affiliation(r, saved.jid);
	if (aff == AFF_OUTCAST)
		return false;
	c = room_saved_enter(&r->people, &saved);
	if (c == NULL)
		return false;
	c->occupant->aff = aff;
	if (!c->told)
		room_hear(r, c);
	return true;
}

static bool
wake_said(struct waking *w, const struct elem *e)
{
	const struct elem *st = elem_child(e, NS_CLIENT, "message");
	long long at;
	struct jid from;

	if (!elem_is(e, NS_MUC_SAVED, "said") || st == NULL ||
		!str_to_int(elem_attr(e, "at"), 0, INT64_MAX, &at) ||
		!jid_parse(&from, w->a, elem_attr(st, "from"), NULL) ||
		!jid_eq_bare(from, w->r->e.jid))
		return false;
	history_put(&w->r->history, st, at, w->r->config.max_history);
	return true;
}

static void
wake_row(struct waking *w, const struct store_entry *entry)
{
	const struct elem *e;

	if (str_is(entry->key, "."))
		return;
	w->a = arena_new();
	e = entity_saved_elem(&w->r->e, w->a, entry);
	if (e == NULL ||
		!(elem_is(e, NS_MUC_SAVED, "said") ? wake_said(w, e) :
						     wake_client(w, e)))
		w->lost++;
	arena_free(w->a);
}

static bool
find_head(struct waking *w, const struct store_answer *saved)
{
	bool ok = false;

	w->a = arena_new();
	for (size_t i = 0; i < saved->n && !ok; i++)
		ok = str_is(saved->entries[i].key, ".") &&
			wake_head(w, entity_saved_elem(&w->r->e, w->a,
					     &saved->entries[i]));
	arena_free(w->a);
	return ok;
}

/* --- the start: who is there still ------------------------------------------------------ */

/* Is there the session of one who is in it? */
struct whereabouts {
	struct entity_ref ref;
	char full[];
};

/* What could not be found out the first message will. */
static void
on_whereabouts(void *arg, bool ok, const struct err *err)
{
	struct whereabouts *w = arg;
	struct entity *e = entity_ref_end(&w->ref);
	struct room_client *c = e != NULL ?
		people_by_address(&room_of(e)->people,
			jid_trusted(str_c(w->full))) :
		NULL;

	if (!ok && c != NULL && err->code == ERR_MISSING)
		room_missed(room_of(e), c, 0);
	free(w);
}

static void
look_for(struct room *r, const struct room_client *c)
{
	const struct host *host =
		shard_host(r->e.shard, jid_domain(c->jid));
	struct str full = jid_str(c->jid);
	struct whereabouts *w;

	if (host == NULL || host->address_class != &account_class)
		return;
	w = xmalloc(sizeof(*w) + full.n + 1);
	memcpy(w->full, full.p, full.n);
	w->full[full.n] = '\0';
	entity_ref(&w->ref, &r->e);
	entity_ask(r->e.shard,
		&(struct entity_message){
			.kind = TELL_IS_THERE,
			.to = jid_bare(c->jid),
			.resource = jid_resource(c->jid),
		},
		on_whereabouts, w);
}

/* Before anybody speaks to it. */
static void
on_woken(struct entity *e, void *arg)
{
	struct VEC(struct room_client *) told = { .n = 0 };
	struct room_note note = { .codes = { 332 } };
	struct room *r = e != NULL ? room_of(e) : NULL;
	const struct occupant *o;
	struct room_client *c;

	(void)arg;
	if (r == NULL)
		return;
	TAILQ_FOREACH (o, &r->people.occupants, link) {
		TAILQ_FOREACH (c, &o->clients, link) {
			if (c->told)
				*vec_push(&told) = c;
			else
				look_for(r, c);
		}
	}
	for (size_t i = 0; i < told.n; i++)
		room_leaves(r, told.p[i], &note, NULL);
	vec_done(&told);
	if (r->people.n == 0)
		room_is_empty(r); /* what was damaged */
}

void
room_wake(struct entity *e, const struct store_answer *saved)
{
	struct waking w = { .r = room_of(e) };

	if (saved->n == 0)
		return;
	if (find_head(&w, saved)) {
		for (size_t i = 0; i < saved->n; i++)
			wake_row(&w, &saved->entries[i]);
	} else {
		w.lost = (unsigned)saved->n;
	}
	if (w.lost != 0)
		log_error(LOG_STORE, entity_who(e),
			"who was in a room at the last stop cannot be read whole, some have left it rows=%u lost=%u",
			(unsigned)saved->n, w.lost);
	entity_when_loaded(e, on_woken, NULL);
}

/* --- sessions that are back --------------------------------------------------------------- */

/* Is it in the room still? */
struct asking {
	struct shard *shard;
	struct jid room;   /* its address there */
	struct jid client;
	char text[];       /* of both */
};

static struct asking *
asking_new(struct shard *sh, struct jid room, struct jid client)
{
	struct asking *q = xmalloc(sizeof(*q) + room.len + client.len + 2);
	struct str full = jid_str(client), nick = jid_str(room);

	q->shard = sh;
	memcpy(q->text, nick.p, nick.n);
	q->text[nick.n] = '\0';
	memcpy(q->text + nick.n + 1, full.p, full.n);
	q->text[nick.n + 1 + full.n] = '\0';
	q->room = jid_trusted((struct str){ q->text, nick.n });
	q->client = jid_trusted((struct str){ q->text + nick.n + 1, full.n });
	return q;
}

static void
on_asked(void *arg, bool ok, const struct err *err)
{
	static const unsigned codes[] = { 110, 333, 0 };
	struct asking *q = arg;

	if (!ok && (err->code == ERR_MISSING || err->code == ERR_STORAGE))
		room_send_away(q->shard, q->room, q->client, NULL, codes);
	free(q);
}

enum hook_result
muc_on_back(struct module_ctx *m, void *arg)
{
	const struct session_back *back = arg;
	struct shard *sh = session_shard(back->session);
	const struct host *host = shard_host(sh, jid_domain(back->to));
	struct asking *q;

	(void)m;
	if (host == NULL || host->address_class != &muc_room_class ||
		jid_is_bare(back->to))
		return HOOK_PASS;
	q = asking_new(sh, back->to, session_jid(back->session));
	entity_ask(sh,
		&(struct entity_message){
			.kind = TELL_IS_THERE,
			.to = jid_bare(q->room),
			.resource = jid_resource(q->room),
			.text = jid_str(q->client),
		},
		on_asked, q);
	return HOOK_PASS;
}

/* What was written of him was damaged, or that could not be done: the others have him
 * still. */
static void
show_lost(struct room *r, struct jid client, struct str nick)
{
	static const struct room_note note = { .codes = { 333 } };
	struct room_gone gone = { .user = client, .nick = nick,
		.aff = room_affiliation(r, client) };

	if (nick.n != 0 && people_by_nick(&r->people, nick) == NULL)
		room_show_gone(r, &gone, &note, client);
}

static bool
is_there(struct room *r, const struct entity_message *m)
{
	struct jid client = jid_trusted(m->text);
	const struct room_client *c = people_by_address(&r->people, client);

	if (c == NULL)
		show_lost(r, client, m->resource);
	return c != NULL && client_stays(c);
}

void
room_told(struct entity *e, struct entity_message *m)
{
	struct room *r = room_of(e);

	if (m->kind == TELL_ACCOUNT_GONE) {
		room_account_gone(r, jid_trusted(m->text));
		entity_answer(m, NULL);
	} else if (m->kind != TELL_IS_THERE) {
		entity_refuse(m, ERR_REFUSED, "it is a room");
	} else if (!is_there(r, m)) {
		entity_refuse(m, ERR_MISSING, "it is not in the room");
	} else {
		entity_answer(m, NULL);
	}
}
