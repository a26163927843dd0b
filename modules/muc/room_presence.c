/*
 * room_presence.c - what those who are in a room say of themselves: that they are away,
 * have another nickname, or go; and those who go without a word.
 *
 * Owner shard of the room.  Each who goes is told so himself (110), and all others are;
 * of a user with several clients the others hear when the last has gone.
 */
#include "config.h"

#include "room.h"

/* After that a shard that had too much to do takes what somebody there is told. */
#define OVERLOAD_US US_PER_S

/* --- who goes ----------------------------------------------------------------------------- */

/* Of his presence the others get what is for people (§7.14): <status/>. */
static struct elem *
last_words(struct arena *a, const struct stanza *said)
{
	const struct elem *status = said != NULL ?
		stanza_child(said, NS_CLIENT, "status") :
		NULL;
	struct elem *words = elem_new(a, NS_CLIENT, "presence");

	if (status != NULL)
		elem_append(words, elem_copy(a, status));
	return words;
}

/* What the others see of o, whose client has gone: nothing, or what another one of his
 * has said. */
static void
show_rest(struct room *r, struct room_gone *gone, struct occupant *o,
	bool was_shown, const struct room_note *note)
{
	if (o != NULL)
		room_show(r, o, NULL, gone->user);
	else if (was_shown)
		room_show_gone(r, gone, note, gone->user);
}

/* With the last client of who makes a room, that is gone; what he has submitted is to
 * be stored first. */
static bool
was_never_open(const struct room *r)
{
	return r->state == ROOM_LOCKED && !r->submitting &&
		r->people.n_clients == 1;
}

/* Another session may have his address by now, to which it would mean nothing. */
static bool
has_ended(const struct stanza *said)
{
	return said != NULL &&
		(said->gone == GONE_ENDED || said->gone == GONE_LOST);
}

void
room_leaves(struct room *r, struct room_client *c, const struct room_note *note,
	const struct stanza *said)
{
	struct arena *a;
	struct occupant *o = c->occupant;
	bool was_shown = o->is_shown, was_first = TAILQ_FIRST(&o->clients) == c;
	struct room_gone gone = { .number = o->number, .aff = o->aff };

	if (was_never_open(r)) {
		room_destroy(r); /* §10.1.3 */
		return;
	}
	a = arena_new();
	gone.user = jid_copy(a, c->jid);
	gone.nick = arena_str(a, occupant_nick(o));
	if (said != NULL && limits_fit_presence(r, said))
		gone.said = last_words(a, said);
	join_end(c);
	if (!c->told && !has_ended(said))
		room_show_gone_own(r, c, note);
	audience_leave(r->audience, c->jid);
	if (people_leave(&r->people, c))
		o = NULL;
	if (o == NULL || was_first)
		show_rest(r, &gone, o, was_shown, note);
	arena_free(a);
	if (r->people.n == 0)
		room_is_empty(r);
}

/* The one that is shown goes last, so that the others hear of it once. */
void
room_leave_all(struct room *r, struct occupant *o, const struct room_note *note)
{
	struct room_client *shown = TAILQ_FIRST(&o->clients), *c;

	while ((c = TAILQ_NEXT(shown, link)) != NULL)
		room_leaves(r, c, note, NULL);
	room_leaves(r, shown, note, NULL);
}

/* All of them hear nothing any more before the others hear of one: else each of a domain
 * that has gone away would make as much come back as there are. */
/* Of many at once who comes first tells which domain it is. */
static void
log_missing(const struct room *r, const struct room_client *first, size_t n)
{
	struct muc_shard *of =
		module_shard_state(module_of_entity(&r->e), r->e.shard);

	if (log_limit_ok(&of->missed, LOG_ROUTER))
		log_info(LOG_ROUTER, entity_who(&r->e),
			"what they were told did not arrive, they leave the room (333) clients=%zu first=%.*s",
			n, STR_ARG(jid_str(first->jid)));
}

static void
on_missing(struct timer *t)
{
	struct room *r = CONTAINER_OF(t, struct room, missing);
	static const struct room_note note = { .codes = { 333 } };
	struct VEC(struct room_client *) all = { .n = 0 };
	const struct occupant *o;
	struct room_client *c;

	TAILQ_FOREACH (o, &r->people.occupants, link)
		TAILQ_FOREACH (c, &o->clients, link)
			if (c->missed)
				*vec_push(&all) = c;
	if (all.n != 0 && room_conf(r) != NULL)
		log_missing(r, all.p[0], all.n);
	for (size_t i = 0; i < all.n; i++)
		room_leaves(r, all.p[i], &note, NULL);
	vec_done(&all);
}

void
room_missed(struct room *r, struct room_client *c, int64_t in_us)
{
	if (c->missed || c->told)
		return;
	c->missed = true;
	join_end(c);
	audience_leave(r->audience, c->jid);
	if (!timer_is_set(&r->missing) ||
		r->missing.at_us > r->e.shard->now_us + in_us)
		shard_timer(r->e.shard, &r->missing, in_us, on_missing);
}

void
room_on_missed(struct entity *e, struct jid who)
{
	struct room *r = room_of(e);
	struct room_client *c = people_by_address(&r->people, who);

	if (c != NULL)
		room_missed(r, c, OVERLOAD_US);
}

void
room_is_empty(struct room *r)
{
	if (r->submitting)
		return; /* what is to become of it is known then */
	if (r->state == ROOM_LOCKED) {
		room_forget(r); /* nothing of it was stored */
	} else if (r->state == ROOM_OPEN && !r->config.persistent) {
		room_destroy(r);
	} else {
		room_used(r);
		entity_check_idle(&r->e);
	}
}

void
room_send_away(struct shard *sh, struct jid from, struct jid client,
	const char *reason, const unsigned *codes)
{
	struct stanza *kick = stanza_new(PRESENCE_UNAVAILABLE, from, client,
		STR_NONE);
	struct elem *x = elem_add(kick->arena, kick->root, NS_MUC_USER, "x");
	struct elem *item = elem_add(kick->arena, x, NS_MUC_USER, "item");

	elem_set_attr(kick->arena, item, "affiliation", STR("none"));
	elem_set_attr(kick->arena, item, "role", STR("none"));
	if (reason != NULL)
		elem_add_with_text(kick->arena, item, NS_MUC_USER, "reason",
			str_c(reason));
	for (; *codes != 0; codes++)
		elem_set_attr(kick->arena,
			elem_add(kick->arena, x, NS_MUC_USER, "status"), "code",
			arena_printf(kick->arena, "%u", *codes));
	router_send(sh, kick);
}

void
room_not_in(struct room *r, struct stanza *st)
{
	static const unsigned codes[] = { 110, 307, 333, 0 };

	room_send_away(r->e.shard, st->to, st->from, "You are not in the room",
		codes);
	stanza_free(st);
}

/* --- another nickname (§7.6) ------------------------------------------------------------ */

/* His old name goes, with 303, then the new one comes.  One of several clients goes to
 * another name alone: the old one stays. */
static void
take_nick(struct room *r, struct room_client *c, struct str nick, struct str key,
	struct jid by)
{
	struct arena *a = arena_new();
	struct occupant *old = c->occupant;
	struct room_note note = { .codes = { 303 }, .nick = nick };
	struct room_gone gone = {
		.user = jid_copy(a, c->jid),
		.nick = arena_str(a, occupant_nick(old)),
		.number = old->number,
		.aff = old->aff,
		.role = old->role,
	};
	bool alone = TAILQ_NEXT(TAILQ_FIRST(&old->clients), link) == NULL;
	bool was_shown = old->is_shown;

	room_show_gone_own(r, c, &note);
	audience_leave(r->audience, c->jid);
	people_rename(&r->people, c, nick, key);
	if (alone && was_shown) {
		room_show_gone(r, &gone, &note, by);
	} else if (!alone) { /* to him, too, who was told that it is gone */
		room_show(r, old, NULL, by);
		if (old->is_shown && !join_owes(c, old->number))
			router_send(r->e.shard, room_shown_to(r, old, c));
	}
	room_hear(r, c);
	arena_free(a);
}

static bool
nick_is_anothers(const struct room *r, struct str key, struct jid user)
{
	return people_in_the_way(&r->people, key, user) != NULL ||
		members_reserved(&r->members, key, user) != NULL;
}

/* False: he cannot have it, and st is gone. */
static bool
change_nick(struct room *r, struct room_client *c, struct stanza *st)
{
	struct str nick = jid_resource(st->to), key;
	enum stanza_cond cond = COND_NONE;

	if (!people_key(&key, st->arena, nick))
		cond = COND_JID_MALFORMED;
	else if (nick_is_anothers(r, key, st->from))
		cond = COND_CONFLICT;
	if (cond != COND_NONE) {
		room_refuse(r, st, cond, NULL);
		return false;
	}
	if (!limits_let(r, st, DOING_NICK))
		return false;
	take_nick(r, c, nick, key, st->from);
	return true;
}

/* --- what they say ------------------------------------------------------------------------ */

void
room_presence(struct room *r, struct room_client *c, struct stanza *st)
{
	static const struct room_note lost = { .codes = { 333 } };
	uint8_t saw = audience_flags(r->audience, c->jid);

	if (st->type == PRESENCE_UNAVAILABLE) {
		room_leaves(r, c, st->gone == GONE_LOST ? &lost : NULL, st);
		stanza_free(st);
		return;
	}
	if (!limits_let(r, st, DOING_PRESENCE) || !limits_let_presence(r, st))
		return;
	if (!str_eq(jid_resource(st->to), occupant_nick(c->occupant)) &&
		!change_nick(r, c, st))
		return;
	room_clean(st);
	people_say(&r->people, c, st->root);
	room_show(r, c->occupant, NULL, st->from);
	/* with the nickname of a moderator, who is another client of his */
	if ((saw & VIEW_PLAIN) != 0 &&
		(audience_flags(r->audience, c->jid) & VIEW_REAL) != 0)
		join_shown_again(r, c);
	stanza_free(st);
}
