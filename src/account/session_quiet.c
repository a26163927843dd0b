/*
 * session_quiet.c - what waits for a session until somebody looks at it.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "account/session_quiet.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "base/table.h"
#include "xmpp/message.h"
#include "core/budget.h"
#include "core/hook.h"
#include "core/shard.h"
#include "core/wire.h"
#include "account/account_int.h"
#include "account/session.h"
#include "account/session_flow.h"
#include "account/session_out.h"

/* What is held; of presence the hash of who it is from. */
struct held {
	TAILQ_ENTRY(held) link;
	struct out_item *item;
	uint64_t hash;
	uint16_t n_from; /* 0: nothing comes in its place */
	char from[];
};

struct session_quiet {
	TAILQ_HEAD(, held) all; /* in the order in which they came */
	struct table by_sender;
	size_t bytes;
	uint32_t n;
};

static struct session_quiet *
quiet_of(const struct session *s)
{
	return s->out != NULL ? s->out->quiet : NULL;
}

/* --- one that is held ------------------------------------------------------------ */

/* What replaces others is found by its address. */
static struct str
held_by(const struct stanza *st)
{
	return st->kind == STANZA_PRESENCE ? jid_str(st->from) : STR_NONE;
}

static size_t
held_bytes(size_t n_from, const struct out_item *item)
{
	return sizeof(struct held) + n_from + out_item_bytes(item);
}

/* h comes (1), or goes (-1). */
static void
quiet_count(struct session *s, const struct held *h, int sign)
{
	struct session_quiet *q = s->out->quiet;
	struct shard *sh = session_shard(s);
	struct share *share = budget_share(sh->server, s->account->e.hash);
	size_t bytes = held_bytes(h->n_from, h->item);
	size_t own = bytes - wire_bytes(h->item->wire);

	share_count(share, sign * (int64_t)own);
	if (sign > 0) {
		wire_count(h->item->wire, share);
		gauge_add(&sh->stats.session_bytes, bytes);
		q->bytes += bytes;
		q->n++;
	} else {
		gauge_remove(&sh->stats.session_bytes, bytes);
		q->bytes -= bytes;
		q->n--;
	}
}

static void
held_add(struct session *s, const struct stanza *st, struct out_item *item)
{
	struct session_quiet *q = s->out->quiet;
	struct str from = held_by(st);
	struct held *h = xmalloc(sizeof(*h) + from.n);

	memuse_add_part(MEMUSE_SESSION, h);
	h->item = item;
	h->n_from = (uint16_t)from.n;
	h->hash = 0;
	if (from.n != 0) {
		memcpy(h->from, from.p, from.n);
		h->hash = server_hash(session_shard(s)->server, from);
		table_add(&q->by_sender, h->hash, h);
	}
	TAILQ_INSERT_TAIL(&q->all, h, link);
	quiet_count(s, h, 1);
}

/* It is held no more: its item is the caller's. */
static struct out_item *
held_remove(struct session *s, struct held *h)
{
	struct session_quiet *q = s->out->quiet;
	struct out_item *item = h->item;

	quiet_count(s, h, -1);
	if (h->n_from != 0)
		table_remove(&q->by_sender, h->hash, h);
	TAILQ_REMOVE(&q->all, h, link);
	memuse_remove_part(MEMUSE_SESSION, h);
	free(h);
	return item;
}

/* Presence from the same address; NULL: none is held. */
static struct held *
held_find(struct session *s, const struct stanza *st)
{
	struct session_quiet *q = s->out->quiet;
	struct str from = jid_str(st->from);
	uint64_t hash = server_hash(session_shard(s)->server, from);
	size_t at = table_start(&q->by_sender, hash);
	struct held *h;

	while ((h = table_next(&q->by_sender, hash, &at)) != NULL)
		if (str_eq((struct str){ h->from, h->n_from }, from))
			return h;
	return NULL;
}

/* --- all of them ------------------------------------------------------------------- */

/* To the queue. */
static void
quiet_flush(struct session *s)
{
	struct session_quiet *q = s->out->quiet;

	while (!TAILQ_EMPTY(&q->all)) {
		struct out_item *item = held_remove(s, TAILQ_FIRST(&q->all));

		out_append(s->out, s->account, item);
		session_flow_moved(s, item);
	}
}

void
session_quiet_begin(struct session *s)
{
	struct session_out *o = session_out_get(s);

	if (o->quiet != NULL)
		return;
	o->quiet = xcalloc(1, sizeof(*o->quiet));
	memuse_add_part(MEMUSE_SESSION, o->quiet);
	TAILQ_INIT(&o->quiet->all);
}

void
session_quiet_end(struct session *s)
{
	struct session_quiet *q = quiet_of(s);

	if (q == NULL)
		return;
	quiet_flush(s);
	s->out->quiet = NULL;
	table_done(&q->by_sender);
	memuse_remove_part(MEMUSE_SESSION, q);
	free(q);
}

void
session_set_quiet(struct session *s, bool quiet)
{
	ASSERT_OWNER(&s->account->e);
	if (s->state != SESSION_ATTACHED)
		return;
	if (quiet) {
		session_quiet_begin(s);
	} else if (quiet_of(s) != NULL) {
		session_quiet_end(s);
		session_look_at_counts(s);
		session_out_run(s, session_late_us(s));
		session_out_settle(s);
	}
}

bool
session_is_quiet(const struct session *s)
{
	return quiet_of(s) != NULL;
}

size_t
session_quiet_bytes(const struct session *s, uint32_t *n_out)
{
	const struct session_quiet *q = quiet_of(s);

	*n_out = q != NULL ? q->n : 0;
	return q != NULL ? q->bytes : 0;
}

/* --- what comes --------------------------------------------------------------------- */

bool
session_quiet_drops(const struct session *s, const struct stanza *st)
{
	return quiet_of(s) != NULL && message_is_passing(st);
}

/* What has waited for long says so. */
static void
quiet_give(struct session *s)
{
	quiet_flush(s);
	session_out_run(s, session_late_us(s));
}

/* What a room says to all can wait where it is known that it is not for s alone. */
static bool
is_urgent(struct session *s, const struct stanza *st)
{
	struct session_room_says says = { .session = s, .st = st };

	if (st->kind != STANZA_MESSAGE || st->type != MESSAGE_GROUPCHAT)
		return stanza_is_urgent(st);
	hook_run_for(account_host(s->account), HOOK_SESSION_ROOM_SAYS, &says);
	return !says.known || says.named;
}

/* What stands behind blocks of a bytestream waits there. */
bool
session_quiet_takes(struct session *s, const struct stanza *st,
	struct out_item *item)
{
	struct session_quiet *q = quiet_of(s);
	struct held *before;

	if (q == NULL)
		return false;
	if (s->out->bulk != NULL || item->kept != 0 || is_urgent(s, st)) {
		quiet_give(s);
		return false;
	}
	before = st->kind == STANZA_PRESENCE ? held_find(s, st) : NULL;
	if (before != NULL)
		out_item_free(held_remove(s, before));
	if (q->n >= QUIET_STANZAS ||
		q->bytes + held_bytes(held_by(st).n, item) > QUIET_BYTES) {
		quiet_give(s);
		return false;
	}
	held_add(s, st, item);
	return true;
}
