/*
 * recent.c - keys of the messages that an account has archived of late.
 *
 * Owner shard.  Invariant: account->recalls is set while the account has a struct
 * recent in its slots, and until that has been read the account is held.
 */
#include "config.h"

#include "account/recent.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/tag.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/message.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "core/slot.h"
#include "core/stored.h"
#include "account/account.h"

/* What is read at once, the newest; and how many are known at most: with more, all
 * is forgotten, and read again. */
#define READ_MAX 2000
#define READ_BYTES ((size_t)2 << 20)
#define KNOWN_MAX 10000
/* The store is behind: it is asked again. */
#define AGAIN_US US_PER_S

struct key {
	uint64_t hash, more;
};

struct known {
	uint64_t more;
	char id[STORE_ID_SIZE];
};

struct recent {
	struct account *account;
	struct table all;     /* of struct known */
	struct recent_read *read; /* under way */
	bool was_read;
	struct timer timer;   /* when it is dropped, or read again */
};

struct recent_read {
	uint32_t tag;
	struct entity_ref who;
};

/* --- keys ----------------------------------------------------------------------- */

/* XEP-0359 §4; STR_NONE: it has none. */
static struct str
message_id(const struct elem *e)
{
	const struct elem *origin = elem_child(e, NS_SID, "origin-id");
	struct str id = origin != NULL ? elem_attr(origin, "id") : STR_NONE;

	if (id.n == 0)
		id = elem_attr(e, "id");
	return id.n != 0 ? id : STR_NONE;
}

/* What differs when a message is sent again: that it is late, and ids that others
 * have given it. */
static bool
is_about_sending(const struct elem *e)
{
	return elem_is(e, NS_DELAY, "delay") ||
		elem_is(e, "jabber:x:delay", "x") ||
		elem_is(e, NS_SID, "stanza-id");
}

static void
text_add(struct buf *text, struct str part)
{
	buf_add_str(text, part);
	buf_add(text, "", 1);
}

/* False: nobody could say which message e is. */
static bool
key_of(const struct server *srv, const struct elem *e, struct key *out)
{
	struct hash_key other = { ~srv->hash_key.k0, ~srv->hash_key.k1 };
	struct str from = elem_attr(e, "from"), rest;
	struct buf text = BUF_INIT;

	if (message_id(e).p == NULL)
		return false;
	(void)str_cut(from, '/', &from, &rest);
	text_add(&text, from);
	text_add(&text, elem_attr(e, "to"));
	text_add(&text, elem_attr(e, "type"));
	text_add(&text, message_id(e));
	elem_each_child(e, child)
		if (!is_about_sending(child))
			xml_write(&text, child, STR(NS_CLIENT));
	out->hash = hash_bytes(&srv->hash_key, text.p, text.n);
	out->more = hash_bytes(&other, text.p, text.n);
	buf_done(&text);
	return true;
}

/* --- what is known ---------------------------------------------------------------- */

static void
recent_done(const struct slot_kind *kind, void *object, void *state)
{
	struct recent *r = state;
	struct table_walk walk = table_walk(&r->all);
	struct known *known;

	(void)kind;
	(void)object;
	shard_timer_cancel(r->account->e.shard, &r->timer);
	r->account->recalls = false;
	while ((known = table_step(&r->all, &walk)) != NULL)
		free(known);
	table_done(&r->all);
}

static const struct slot_kind recent_kind = {
	.size = sizeof(struct recent),
	.done = recent_done,
	.name = "recent",
};

/* NULL: nobody looks. */
static struct recent *
recent_of(const struct account *acc)
{
	struct slot *slots = acc->e.slots; /* it is there: nothing is made */

	return acc->recalls ? slot_get(&slots, &recent_kind) : NULL;
}

static void
recent_drop(struct account *acc)
{
	slot_drop(&acc->e.slots, &recent_kind, &acc->e);
}

static void
known_add(struct recent *r, const struct elem *e, struct str id)
{
	struct known *known;
	struct key key;

	if (id.n >= sizeof(known->id) ||
		!key_of(r->account->e.shard->server, e, &key))
		return;
	known = xcalloc(1, sizeof(*known));
	known->more = key.more;
	memcpy(known->id, id.p, id.n);
	table_add(&r->all, key.hash, known);
}

struct str
recent_find(const struct account *acc, const struct stanza *st)
{
	struct recent *r = st->again ? recent_of(acc) : NULL;
	const struct known *known;
	struct key key;
	size_t at;

	if (r == NULL || !key_of(acc->e.shard->server, st->root, &key))
		return STR_NONE;
	at = table_start(&r->all, key.hash);
	while ((known = table_next(&r->all, key.hash, &at)) != NULL) {
		if (known->more == key.more)
			return str_c(known->id);
	}
	return STR_NONE;
}

void
recent_add(struct account *acc, const struct stanza *st, struct str id)
{
	struct recent *r = recent_of(acc);

	if (r == NULL)
		return;
	if (r->all.n < KNOWN_MAX)
		known_add(r, st->root, id);
	else if (r->was_read)
		recent_drop(acc);
}

/* --- reading --------------------------------------------------------------------- */

static void recent_read(struct recent *r);

static void
on_recent_due(struct timer *t)
{
	struct recent *r = CONTAINER_OF(t, struct recent, timer);

	if (r->was_read)
		recent_drop(r->account);
	else
		recent_read(r);
}

/* Nobody but us can have written what lies there. */
static void
recent_take(struct recent *r, const struct store_answer *answer)
{
	struct shard *sh = r->account->e.shard;

	for (size_t i = 0; i < answer->n; i++) {
		struct arena *a;
		const struct elem *e = stored_read_own(sh->xml,
			answer->entries[i].value, &a);

		if (e == NULL)
			continue;
		known_add(r, e, answer->entries[i].key);
		arena_free(a);
	}
}

/* What cannot be read is not recognised, and comes twice: better than never. */
static void
recent_was_read(struct recent *r, const struct store_answer *answer,
	const struct err *err)
{
	struct account *acc = r->account;
	struct shard *sh = acc->e.shard;

	if (err != NULL && err->code == ERR_BUSY) {
		shard_timer(sh, &r->timer, AGAIN_US, on_recent_due);
		return;
	}
	if (err == NULL)
		recent_take(r, answer);
	else if (log_limit_ok(&sh->storage, LOG_STORE))
		log_error(LOG_STORE, LOG_NOBODY,
			"what was archived of late cannot be read, and may come twice account=%.*s reason=\"%s\"",
			STR_ARG(jid_str(acc->e.jid)), err->text);
	r->was_read = true;
	shard_timer(sh, &r->timer, RECENT_US, on_recent_due);
	/* who reads it anew goes on by himself */
	if (acc->hold != NULL && !account_is_read(acc))
		account_release(acc);
}

static void
on_recent_read(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct recent_read *read = arg;
	struct account *acc;
	struct recent *r;

	TAG_CHECK(read, "rcnt");
	acc = account_if(entity_ref_end(&read->who));
	r = acc != NULL ? recent_of(acc) : NULL;
	/* it may have been forgotten, and asked for again */
	if (r != NULL && r->read == read) {
		r->read = NULL;
		recent_was_read(r, answer, err);
	}
	TAG_CLEAR(read);
	free(read);
}

static void
recent_read(struct recent *r)
{
	struct account *acc = r->account;
	struct shard *sh = acc->e.shard;
	struct store_range range = {
		.since_us = shard_wall_us(sh) - RECENT_US,
		.max = READ_MAX,
		.max_bytes = READ_BYTES,
		.backwards = true,
	};

	r->read = xmalloc(sizeof(*r->read));
	TAG_SET(r->read, "rcnt");
	entity_ref(&r->read->who, &acc->e);
	store_range(sh->server->store, account_place(acc, LOG_ARCHIVE), &range,
		&sh->mailbox, on_recent_read, r->read);
}

/* One that is held already will be asked again when it goes on. */
void
recent_look(struct account *acc, const struct stanza *st)
{
	struct recent *r;

	if (acc->recalls || acc->hold != NULL || !message_is_archived(st) ||
		message_id(st->root).p == NULL)
		return;
	r = slot_get(&acc->e.slots, &recent_kind);
	r->account = acc;
	acc->recalls = true;
	account_hold(acc);
	recent_read(r);
}
