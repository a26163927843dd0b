/*
 * room_again.c - a client whose session was lost sends again what it has not heard of
 * (XEP-0198 §5): what the room has heard already it is not told once more.
 *
 *	may be sent again --> behind what is in line, the author's last are looked through:
 *	                      in the archive, or in memory where there is none
 *	                        | there                          | not there
 *	                        v                                v
 *	                      his client alone has a copy      it is said, as any
 *
 * Owner shard of the room.  It is the same by its author, its id (XEP-0359 §4: origin-id,
 * else id), and all that it says; without an id nothing is recognised.  While the store
 * looks, what comes to the room waits, so that nothing overtakes it.  Who sends nothing
 * again pays the test of a bit; what comes from other servers does not say that it might
 * be, and is always new.
 */
#include "config.h"

#include "room.h"

/* Of one author, within RECENT_US, the newest. */
#define LOOK_ENTRIES 512
#define LOOK_BYTES ((size_t)512 << 10)

/* --- is it the same? ------------------------------------------------------------------- */

static struct str
id_of(const struct elem *message)
{
	const struct elem *origin = elem_child(message, NS_SID, "origin-id");
	struct str id = origin != NULL ? elem_attr(origin, "id") : STR_NONE;

	return id.n != 0 ? id : elem_attr(message, "id");
}

/* What the room has said of it, and that it is late. */
static bool
is_about_saying(const struct elem *e)
{
	return elem_is(e, NS_DELAY, "delay") ||
		elem_is(e, "jabber:x:delay", "x") ||
		elem_is(e, NS_SID, "stanza-id") ||
		elem_is(e, NS_OCCUPANT_ID, "occupant-id") ||
		elem_is(e, NS_MUC_USER, "x");
}

static void
text_of(struct buf *out, const struct elem *message)
{
	elem_each_child(message, e)
		if (!is_about_saying(e))
			stored_write(out, e);
}

/* Of what was taken back nothing is left but the id. */
static bool
is_same(const struct stanza *st, const struct elem *message)
{
	struct buf mine = BUF_INIT, theirs = BUF_INIT;
	bool is;

	if (!str_eq(id_of(st->root), id_of(message)))
		return false;
	text_of(&mine, st->root);
	text_of(&theirs, message);
	is = room_is_buried(message) || str_eq(buf_str(&mine), buf_str(&theirs));
	buf_done(&mine);
	buf_done(&theirs);
	return is;
}

/* --- it is -------------------------------------------------------------------------------- */

/* st (taken) was said: his copy (NULL: there is none) tells him that it was taken. */
static void
tell(struct room *r, struct stanza *st, struct stanza *copy)
{
	struct room_client *c = people_by_address(&r->people, st->from);

	if (copy != NULL) {
		receipt_move(copy, st);
		if (c == NULL || !join_takes(c, copy))
			router_send(r->e.shard, copy);
	}
	stanza_free(st);
}

/* --- in memory ---------------------------------------------------------------------------- */

static bool
said_is_same(const struct room *r, const struct room_said *said,
	const struct stanza *st)
{
	struct str id = id_of(st->root);
	struct elem *mine, *by;
	const struct elem *message;
	struct arena *a;
	bool is;

	if (said->wall_us < shard_wall_us(r->e.shard) - RECENT_US ||
		memmem(said + 1, said->bytes, id.p, id.n) == NULL)
		return false;
	a = arena_new();
	message = history_unpack(said, a);
	mine = elem_new(a, NS_CLIENT, "message");
	room_add_id(r, a, mine, st->from);
	by = elem_child(message, NS_OCCUPANT_ID, "occupant-id");
	is = by != NULL && is_same(st, message) &&
		str_eq(elem_attr(by, "id"),
			elem_attr(elem_child(mine, NS_OCCUPANT_ID, "occupant-id"),
				"id"));
	arena_free(a);
	return is;
}

static bool
look_in_memory(struct room *r, struct stanza *st)
{
	const struct room_said *said;

	STAILQ_FOREACH (said, &r->history.said, link)
		if (said_is_same(r, said, st))
			break;
	if (said == NULL)
		return false;
	tell(r, st, said->gone ? NULL : history_stanza(r, said, st->from));
	return true;
}

/* --- in the archive ----------------------------------------------------------------------- */

struct look {
	struct entity_ref ref;
	struct stanza *st; /* owned */
};

static const struct store_entry *
find(const struct room *r, const struct stanza *st,
	const struct store_answer *answer)
{
	struct str id = id_of(st->root);
	const struct elem *message;
	struct arena *a;
	bool is;

	for (size_t i = answer->n; i != 0; i--) {
		const struct store_entry *entry = &answer->entries[i - 1];

		if (memmem(entry->value.p, entry->value.n, id.p, id.n) == NULL)
			continue;
		message = stored_read_own(r->e.shard->xml, entry->value, &a);
		if (message == NULL)
			continue;
		is = is_same(st, message);
		arena_free(a);
		if (is)
			return entry;
	}
	return NULL;
}

/* What cannot be read is not recognised, and is said twice: better than never. */
static void
on_looked(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct look *look = arg;
	struct entity *e = entity_ref_end(&look->ref);
	struct stanza *st = look->st;
	const struct store_entry *entry;
	struct room *r;

	if (e == NULL) {
		router_bounce(look->ref.shard, st, COND_ITEM_NOT_FOUND, NULL);
		free(look);
		return;
	}
	free(look);
	r = room_of(e);
	r->looking = false;
	entry = err == NULL ? find(r, st, answer) : NULL;
	if (entry != NULL)
		tell(r, st, room_log_message(r, entry, false, st->from));
	else
		room_message_new(r, st);
	room_go_on(r);
}

/* Whatever was before st is durable, or was refused. */
static void
on_line(struct entity *e, struct stanza *st, const struct err *err)
{
	struct module_ctx *m = module_of_entity(e);
	struct room *r = room_of(e);
	struct store_range range = {
		.with = jid_bare_str(st->from),
		.since_us = shard_wall_us(e->shard) - RECENT_US,
		.max = LOOK_ENTRIES,
		.max_bytes = LOOK_BYTES,
		.backwards = true,
	};
	struct look *look;

	(void)err; /* it stores nothing */
	if (m == NULL) {
		r->looking = false;
		router_bounce(e->shard, st, COND_ITEM_NOT_FOUND, NULL);
		room_go_on(r);
		return;
	}
	look = xcalloc(1, sizeof(*look));
	look->st = st;
	entity_ref(&look->ref, e);
	module_range(m, e->shard, entity_place(e, LOG_ARCHIVE), &range, on_looked,
		look);
}

bool
room_sent_again(struct room *r, struct stanza *st)
{
	struct str id;

	if (!st->again)
		return false;
	room_clean(st);
	id = id_of(st->root);
	if (id.p == NULL || id.n == 0)
		return false;
	if (!room_has_archive(r))
		return look_in_memory(r, st);
	if (!room_log_wants(st))
		return false;
	if (!entity_line_takes(r->line, st, false))
		return true;
	r->looking = true;
	if (entity_line_is_empty(r->line))
		on_line(&r->e, st, NULL);
	else
		entity_turn(r->line, st, NULL, on_line);
	return true;
}
