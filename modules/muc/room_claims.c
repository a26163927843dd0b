/*
 * room_claims.c - who somebody in a room is, under whatever nickname (XEP-0421); and what
 * occupants may not claim, since rooms alone say it.
 *
 * Owner shard of the room.  Ids are made of bare addresses, under a secret of the room:
 * it is drawn when the room is made, and lies beside its configuration, so that who comes
 * again is known by the same id, and in another room by another one.
 */
#include "config.h"

#include "room.h"

#define KEY_SECRET "secret"

/* --- ids of occupants ---------------------------------------------------------------------- */

void
room_secret_new(struct room *r)
{
	char secret[RAND_ID_SIZE];

	people_set_secret(&r->people, rand_id(r->e.shard->rand, secret));
}

bool
room_secret_take(struct room *r, const struct store_entry *entry)
{
	if (!str_is(entry->key, KEY_SECRET) || entry->value.n == 0 ||
		entry->value.n > PEOPLE_SECRET_MAX)
		return false;
	people_set_secret(&r->people, entry->value);
	return true;
}

void
room_secret_store(const struct room *r, struct store_tx *tx)
{
	store_tx_set(tx, entity_place(&r->e, MAP_ROOM), STR(KEY_SECRET),
		people_secret(&r->people));
}

void
room_add_id(const struct room *r, struct arena *a, struct elem *e, struct jid user)
{
	unsigned char id[OCCUPANT_ID_BYTES];
	struct buf hex = BUF_INIT;

	people_id(&r->people, user, id);
	hex_encode(&hex, id, sizeof(id));
	elem_set_attr(a, elem_add(a, e, NS_OCCUPANT_ID, "occupant-id"), "id",
		buf_str(&hex));
	buf_done(&hex);
}

/* --- what occupants may not say ------------------------------------------------------------ */

/* Each copy goes (hostile 48). */
static const struct {
	const char *ns;
	const char *name; /* NULL: any */
} of_rooms[] = {
	{ NS_MUC_USER, NULL }, /* roles, status codes, addresses (§17.3, 6) */
	{ NS_MUC, NULL },
	{ NS_OCCUPANT_ID, NULL }, /* XEP-0421 §4 */
	{ NS_HATS, NULL },
	{ "xmpp:prosody.im/protocol/hats:1", NULL }, /* as it was before it had a number */
	{ NS_ADDRESS, "addresses" }, /* §7.2.14: who it was */
	{ NS_MAM, "result" },
	{ "urn:xmpp:mds:displayed:0", NULL }, /* for the server of who sends it */
	{ NS_RETRACT, "retracted" }, /* a tombstone */
	{ NS_RETRACT_0, "retracted" },
	{ NS_MODERATE, NULL }, /* XEP-0425 §5 */
	{ NS_MODERATE_0, NULL },
};

/* §7.9: who brings what was said elsewhere says when, and by whom.  A date of the room's, or
 * of nobody's, is what history has; one that no clock has shown some clients do not
 * survive (hostile 70). */
static bool
is_date_of_rooms(const struct stanza *st, const struct elem *e)
{
	bool old = elem_is(e, "jabber:x:delay", "x");
	struct jid from;
	int64_t us;

	if (!old && !elem_is(e, NS_DELAY, "delay"))
		return false;
	return !jid_parse(&from, st->arena, elem_attr(e, "from"), NULL) ||
		jid_eq_bare(from, st->to) ||
		str_eq(jid_str(from), jid_domain(st->to)) ||
		(!old && !datetime_parse(elem_attr(e, "stamp"), &us));
}

static bool
is_of_rooms(void *arg, const struct elem *e)
{
	if (!elem_is_text(e) && is_date_of_rooms(arg, e))
		return true;
	for (size_t i = 0; !elem_is_text(e) && i < COUNT(of_rooms); i++) {
		if (str_is(e->ns, of_rooms[i].ns) &&
			(of_rooms[i].name == NULL ||
				str_is(e->name, of_rooms[i].name)))
			return true;
	}
	return false;
}

static bool
is_moderation(void *arg, const struct elem *e)
{
	(void)arg;
	return !elem_is_text(e) &&
		(str_is(e->ns, NS_MODERATE) || str_is(e->ns, NS_MODERATE_0));
}

void
room_clean(struct stanza *st)
{
	elem_drop(st->root, is_of_rooms, st);
	elem_each_child(st->root, e) {
		if (str_is(e->ns, NS_RETRACT) || str_is(e->ns, NS_FASTEN))
			elem_drop(e, is_moderation, NULL);
	}
	stanza_drop_ids_by(st, jid_bare(st->to)); /* XEP-0359 §4; of presence, too */
}
