/*
 * room_save.c - a client in a room as an element, and back.
 */
#include "config.h"

#include "room_save.h"

/* --- writing ------------------------------------------------------------------------ */

static void
add_ids(struct arena *a, struct elem *e, const struct room_client *c)
{
	const uint32_t *id = c->private_ids;

	if ((id[0] | id[1] | id[2] | id[3]) != 0)
		elem_set_attr(a, e, "private",
			arena_printf(a, "%u %u %u %u", id[0], id[1], id[2],
				id[3]));
}

struct elem *
room_saved_elem(struct arena *a, const struct room_client *c)
{
	const struct occupant *o = c->occupant;
	struct elem *e = elem_new(a, NS_MUC_SAVED, "client");
	struct elem *presence = elem_add(a, e, NS_CLIENT, "presence");
	const struct elem *said = elem_unpack(a,
		(struct str){ c->presence, c->presence_bytes });

	elem_set_attr(a, e, "jid", jid_str(c->jid));
	elem_set_attr(a, e, "nick", occupant_nick(o));
	elem_set_attr(a, e, "role", str_c(role_name(o->role)));
	if (o->is_shown)
		elem_set_attr(a, e, "shown", STR("1"));
	if (!client_stays(c))
		elem_set_attr(a, e, "told", STR("1"));
	add_ids(a, e, c);
	presence->first = said->first; /* in the same arena */
	presence->last = said->last;
	return e;
}

/* --- reading ------------------------------------------------------------------------ */

static bool
read_ids(struct room_saved *out, struct str text)
{
	struct str number;
	long long n;

	if (text.p == NULL)
		return true;
	for (size_t i = 0; i < COUNT(out->private_ids); i++) {
		(void)str_cut(text, ' ', &number, &text);
		if (!str_to_int(number, 0, UINT32_MAX, &n))
			return false;
		out->private_ids[i] = (uint32_t)n;
	}
	return text.p == NULL;
}

/* As it would be prepared: somebody may have edited it. */
static bool
read_names(struct room_saved *out, struct arena *a, const struct elem *e)
{
	struct str nick = elem_attr(e, "nick");

	return jid_parse(&out->jid, a, elem_attr(e, "jid"), NULL) &&
		!jid_is_bare(out->jid) && nick.p != NULL &&
		jid_prep_resource(&out->nick, a, nick, NULL) &&
		str_eq(out->nick, nick) && people_key(&out->key, a, nick);
}

bool
room_saved_read(struct room_saved *out, struct arena *a, const struct elem *e)
{
	*out = (struct room_saved){
		.shown = elem_attr(e, "shown").p != NULL,
		.told = elem_attr(e, "told").p != NULL,
		.presence = elem_child(e, NS_CLIENT, "presence"),
	};
	return elem_is(e, NS_MUC_SAVED, "client") && out->presence != NULL &&
		role_parse(elem_attr(e, "role"), &out->role) &&
		out->role != ROLE_NONE && read_names(out, a, e) &&
		read_ids(out, elem_attr(e, "private"));
}

struct room_client *
room_saved_enter(struct room_people *p, const struct room_saved *saved)
{
	const struct occupant *o = people_by_nick(p, saved->nick);
	struct room_client *c;

	if (people_by_address(p, saved->jid) != NULL ||
		(o != NULL && !jid_eq_bare(o->user, saved->jid)) ||
		people_in_the_way(p, saved->key, saved->jid) != NULL)
		return NULL;
	c = people_enter(p, saved->jid, saved->nick, saved->key);
	c->occupant->role = saved->role;
	c->occupant->is_shown = saved->shown;
	c->told = saved->told;
	memcpy(c->private_ids, saved->private_ids, sizeof(c->private_ids));
	people_say(p, c, saved->presence);
	return c;
}
