/*
 * room_archive_show.c - what is shown of a room's archive, to one who has asked (XEP-0313
 * §4.2, §6.1.2).
 *
 * Owner shard of the room.
 */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "room.h"
#include "room_ask.h"

/* What says of an error that it is about a result. */
#define MARK_SIZE 18

/* By an id that nobody else knows: of the room's messages, others have given the ids. */
static struct str
mark_of(const struct room *r, struct jid to, char out[MARK_SIZE])
{
	struct hash_key key;

	static_assert(sizeof(key) == sizeof(r->mark_key), "it is one");
	memcpy(&key, r->mark_key, sizeof(key));
	snprintf(out, MARK_SIZE, "a%016llx",
		(unsigned long long)hash_bytes(&key, to.text, to.len));
	return str_c(out);
}

bool
room_has_shown(const struct room *r, const struct stanza *error)
{
	char mark[MARK_SIZE];

	return error->id.p != NULL &&
		str_eq(error->id, mark_of(r, error->from, mark));
}

/* The message, in an arena of its own; NULL: it was damaged. */
static struct elem *
entry_read(const struct room_ask *k, const struct store_entry *e, struct arena **a_out)
{
	struct xml_pool *pool = k->room->e.shard->xml;
	struct buf buf = BUF_INIT;
	struct str value = room_log_value(pool, e->value, k->real, &buf);
	struct elem *message = value.p != NULL ?
		stored_read_own(pool, value, a_out) :
		NULL;

	buf_done(&buf);
	if (message != NULL && !elem_is(message, NS_CLIENT, "message")) {
		arena_free(*a_out);
		return NULL;
	}
	return message;
}

/* §4.2; message lies in a. */
static struct stanza *
result_new(const struct room_ask *k, const struct store_entry *e, struct arena *a,
	struct elem *message)
{
	struct elem *root = elem_new(a, NS_CLIENT, "message");
	struct elem *result = elem_add(a, root, NS_MAM, "result");
	struct elem *forwarded = elem_add(a, result, NS_FORWARD, "forwarded");
	struct elem *delay = elem_add(a, forwarded, NS_DELAY, "delay");
	char stamp[DATETIME_SIZE], mark[MARK_SIZE];
	enum stanza_cond cond;
	struct stanza *st;

	if (k->page.q->queryid.p != NULL)
		elem_set_attr(a, result, "queryid", k->page.q->queryid);
	elem_set_attr(a, result, "id", e->key);
	elem_set_attr(a, delay, "stamp", datetime_format(stamp, e->wall_us));
	elem_append(forwarded, message);
	st = stanza_from_elem(a, root, &cond);
	assert(st != NULL);
	stanza_set_from(st, k->room->e.jid);
	stanza_set_to(st, jid_copy(a, k->by));
	stanza_set_id(st, mark_of(k->room, k->by, mark));
	return st;
}

static void
entry_show(void *arg, const struct store_entry *e)
{
	struct room_ask *k = arg;
	struct shard *sh = k->room->e.shard;
	struct elem *message;
	struct stanza *st;
	struct arena *a;

	message = entry_read(k, e, &a);
	if (message == NULL) {
		if (log_limit_ok(&sh->storage, LOG_STORE))
			log_error(LOG_STORE, entity_who(&k->room->e),
				"an archived message cannot be read, it is left out id=%.*s",
				STR_ARG(e->key));
		return;
	}
	st = result_new(k, e, a, message);
	receipt_line_next(&k->line);
	receipt_give(&k->line, st);
	st->paced = true;
	router_send(sh, st);
}

/* The real address of who has said it. */
static bool
is_of_resource(const struct room_ask *k, const struct store_entry *e)
{
	const struct elem *message, *x, *item;
	struct arena *a;
	bool is = false;

	message = stored_read_own(k->room->e.shard->xml, e->value, &a);
	if (message == NULL)
		return false;
	x = elem_child(message, NS_MUC_USER, "x");
	item = x != NULL ? elem_child(x, NS_MUC_USER, "item") : NULL;
	if (item != NULL)
		is = str_eq(jid_resource(jid_trusted(elem_attr(item, "jid"))),
			k->resource);
	arena_free(a);
	return is;
}

static bool
entry_is_meant(void *arg, const struct store_entry *e)
{
	const struct room_ask *k = arg;

	if (k->nick.p != NULL)
		return str_eq(stored_attr(e->value, "from"), k->nick);
	return is_of_resource(k, e);
}

const struct archive_reader room_asker = {
	.is_meant = entry_is_meant,
	.show = entry_show,
};
