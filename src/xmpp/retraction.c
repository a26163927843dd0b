/*
 * retraction.c - which message is taken back, by whom, and what is left of it
 * (XEP-0424).
 */
#include "config.h"

#include "xmpp/retraction.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/datetime.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"

static struct str
occupant_of(const struct elem *message)
{
	const struct elem *e = elem_child(message, NS_OCCUPANT_ID, "occupant-id");

	return e != NULL ? elem_attr(e, "id") : STR_NONE;
}

static bool
is_in_room(const struct elem *message)
{
	return elem_child(message, NS_MUC_USER, "x") != NULL ||
		elem_child(message, NS_OCCUPANT_ID, "occupant-id") != NULL;
}

bool
retraction_read(struct retraction *out, const struct stanza *st)
{
	const struct elem *e;
	struct str of;

	if (st->kind != STANZA_MESSAGE ||
		(st->type != MESSAGE_CHAT && st->type != MESSAGE_NORMAL))
		return false;
	e = elem_child(st->root, NS_RETRACT, "retract");
	of = e != NULL ? elem_attr(e, "id") : STR_NONE;
	if (of.n == 0)
		return false;
	*out = (struct retraction){
		.of = of,
		.id = st->id,
		.from = jid_str(st->from),
		.occupant = occupant_of(st->root),
		.in_room = is_in_room(st->root),
	};
	return true;
}

struct retraction
retraction_copy(struct arena *a, const struct retraction *r)
{
	return (struct retraction){
		.of = arena_str(a, r->of),
		.id = arena_str(a, r->id),
		.from = arena_str(a, r->from),
		.occupant = arena_str(a, r->occupant),
		.in_room = r->in_room,
	};
}

/* A domain and a localpart have no slash. */
static struct str
bare(struct str address)
{
	struct str first, rest;

	return str_cut(address, '/', &first, &rest) ? first : address;
}

static bool
is_by_author(const struct retraction *r, const struct elem *message, bool own)
{
	struct str from = elem_attr(message, "from");

	if (!own && (r->in_room || is_in_room(message)))
		return str_eq(from, r->from) &&
			str_eq(occupant_of(message), r->occupant);
	return str_eq(bare(from), bare(r->from));
}

enum retracted
retraction_of(const struct retraction *r, const struct elem *message, bool own)
{
	const struct elem *replaces = elem_child(message, NS_CORRECT, "replace");
	bool is_it = str_eq(elem_attr(message, "id"), r->of);

	if ((!is_it &&
		    (replaces == NULL ||
			    !str_eq(elem_attr(replaces, "id"), r->of))) ||
		elem_child(message, NS_RETRACT, "retract") != NULL ||
		elem_child(message, NS_RETRACT, "retracted") != NULL ||
		!is_by_author(r, message, own))
		return RETRACTED_NOT;
	return is_it ? RETRACTED_IT : RETRACTED_TEXT;
}

/* What is written by references is not looked for. */
bool
retraction_may_be_of(const struct retraction *r, struct str written)
{
	return xml_written_bytes(r->of, true) != r->of.n ||
		memmem(written.p, written.n, r->of.p, r->of.n) != NULL;
}

/* When it was sent, by whom, and under which id, is no secret. */
static bool
is_left(const struct elem *e)
{
	return elem_is(e, NS_DELAY, "delay") || elem_is(e, NS_SID, "origin-id") ||
		elem_is(e, NS_OCCUPANT_ID, "occupant-id") ||
		(elem_is(e, NS_MUC_USER, "x") && elem_first_child(e) == NULL);
}

struct elem *
retraction_tombstone(struct arena *a, const struct retraction *r,
	const struct elem *message, int64_t wall_us)
{
	static const char *const left[] = { "from", "to", "type", "id" };
	struct elem *out = elem_new(a, NS_CLIENT, "message"), *retracted;
	char stamp[DATETIME_SIZE];

	for (size_t i = 0; i < COUNT(left); i++) {
		struct str value = elem_attr(message, left[i]);

		if (value.p != NULL)
			elem_set_attr(a, out, left[i], value);
	}
	elem_each_child(message, e)
		if (is_left(e))
			elem_append(out, elem_copy(a, e));
	retracted = elem_add(a, out, NS_RETRACT, "retracted");
	elem_set_attr(a, retracted, "id", r->id);
	elem_set_attr(a, retracted, "stamp", datetime_format(stamp, wall_us));
	return out;
}
