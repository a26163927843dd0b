/*
 * room_log.c - what is in the archive of a room, how it is written, and what of it is
 * shown.
 *
 * Who it was stands last in an entry, so that it is cut off, and nothing is read for it
 * but the bytes, for those who may not know.
 */
#include "config.h"

#include "room.h"

#define X_BEGIN "<x xmlns=\"" NS_MUC_USER "\">"
#define X_END "</x>"
#define MESSAGE_END "</message>"

bool
room_log_wants(const struct stanza *st)
{
	return message_is_archived_in_room(st);
}

/* --- writing -------------------------------------------------------------------------- */

static void
add_author(struct arena *a, struct elem *message, const struct room_author *author)
{
	struct elem *x = elem_add(a, message, NS_MUC_USER, "x");
	struct elem *item = elem_add(a, x, NS_MUC_USER, "item");

	elem_set_attr(a, item, "affiliation",
		str_c(affiliation_name(author->aff)));
	elem_set_attr(a, item, "role", str_c(role_name(author->role)));
	elem_set_attr(a, item, "jid", jid_str(author->jid));
}

static bool
is_last(void *arg, const struct elem *e)
{
	return e == arg;
}

void
room_log_write(struct buf *out, struct stanza *st,
	const struct room_author *author)
{
	if (author != NULL)
		add_author(st->arena, st->root, author);
	stored_write_sealed(out, st->root);
	if (author != NULL)
		elem_drop(st->root, is_last, st->root->last);
}

struct str
room_log_add(struct room *r, struct store_tx *tx, struct stanza *st,
	const struct room_author *author, struct jid with, char out[STORE_ID_SIZE])
{
	struct store_place at = entity_place(&r->e, LOG_ARCHIVE);
	struct buf value = BUF_INIT;
	char secret[RAND_ID_SIZE];
	struct str id;

	r->log.last_us = MAX(r->log.last_us, shard_wall_us(r->e.shard));
	id = store_id_make(++r->log.last, rand_id(r->e.shard->rand, secret), out);
	room_log_write(&value, st, author);
	store_tx_append_at(tx, at, id, r->log.last_us, jid_bare_str(with),
		buf_str(&value));
	room_archive_added(r, tx, st, id, value.n);
	buf_done(&value);
	return id;
}

/* --- reading -------------------------------------------------------------------------- */

static struct str
last_of(struct str text, struct str what)
{
	for (size_t at = text.n; at >= what.n; at--) {
		struct str here = { text.p + at - what.n, what.n };

		if (str_eq(here, what))
			return (struct str){ here.p,
				text.n - (size_t)(here.p - text.p) };
	}
	return STR_NONE;
}

/* From where on it says who it was, or its end: < is written as a reference in all
 * texts and values, and nobody but us has said such an x. */
static size_t
author_at(struct str text)
{
	struct str end = last_of(text, STR(X_END MESSAGE_END)), x;

	if (end.n != STR(X_END MESSAGE_END).n)
		return text.n;
	x = last_of((struct str){ text.p, text.n - end.n }, STR("<x "));
	if (!str_starts(x, STR(X_BEGIN)))
		return text.n;
	return (size_t)(x.p - text.p);
}

struct str
room_log_value(struct xml_pool *pool, struct str value, bool real, struct buf *out)
{
	struct str text = stored_text(pool, value);
	size_t from = out->n, at;

	if (text.p == NULL || real)
		return text.p == NULL ? STR_NONE : value;
	at = author_at(text);
	if (at == text.n)
		return value;
	buf_add(out, text.p, at);
	buf_add_c(out, MESSAGE_END);
	/* in what was edited, another one may look like it */
	if (!stored_is_whole(value) &&
		stored_text(pool, (struct str){ out->p + from, out->n - from }).p ==
			NULL)
		return STR_NONE;
	stored_seal_behind(out, from);
	return (struct str){ out->p + from, out->n - from };
}

struct stanza *
room_log_message(const struct room *r, const struct store_entry *entry, bool real,
	struct jid to)
{
	struct buf buf = BUF_INIT;
	struct str value =
		room_log_value(r->e.shard->xml, entry->value, real, &buf);
	enum stanza_cond cond;
	struct stanza *st = NULL;
	struct arena *a;
	struct elem *e;

	e = value.p != NULL ? stored_read_own(r->e.shard->xml, value, &a) : NULL;
	buf_done(&buf);
	if (e == NULL)
		return NULL;
	st = stanza_from_elem(a, e, &cond);
	if (st == NULL) {
		arena_free(a);
		return NULL;
	}
	stanza_set_to(st, jid_copy(st->arena, to));
	stanza_add_id(st, r->e.jid, entry->key);
	stanza_add_delay(st, jid_str(r->e.jid), entry->wall_us);
	return st;
}

/* --- of a room ------------------------------------------------------------------------- */

void
room_log_take(struct room *r, const struct store_entry *last)
{
	r->log.last = r->log.said = last->last;
	r->log.last_us = last->wall_us;
}

void
room_log_said(struct room *r, const struct stanza *st)
{
	uint64_t number = store_id_number(stanza_id_by(st, r->e.jid));

	r->log.said = MAX(r->log.said, number);
}
