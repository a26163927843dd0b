/*
 * session_out.c - what a session writes: to its stream, or, while the client does
 * not keep up, to a queue; and what it keeps of it.
 *
 * Owner shard of the account.  Invariant: stanzas wait only while s->full; those
 * before next are kept, and there are sent - acked of them.
 */
#include "config.h"

#include "account/session_out.h"

#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "base/vec.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/host.h"
#include "core/shard.h"
#include "core/wire.h"
#include "account/account_int.h"
#include "account/requests.h"
#include "account/session.h"
#include "account/session_bulk.h"
#include "account/session_flow.h"
#include "account/session_quiet.h"
#include "account/trace.h"

/* --- what waits ---------------------------------------------------------------- */

struct session_out *
session_out_get(struct session *s)
{
	struct session_out *o = s->out;

	if (o != NULL)
		return o;
	o = xcalloc(1, sizeof(*o));
	memuse_add_part(MEMUSE_SESSION, o);
	STAILQ_INIT(&o->queue);
	o->session = s;
	s->out = o;
	return o;
}

void
out_free(struct session_out *o)
{
	if (o == NULL)
		return;
	free(o->keeper);
	memuse_remove_part(MEMUSE_SESSION, o);
	free(o);
}

void
session_out_settle(struct session *s)
{
	struct session_out *o = s->out;

	if (o == NULL || s->full || o->keeps || s->counts || o->flow != NULL ||
		o->bulk != NULL || o->quiet != NULL ||
		timer_is_set(&o->due) || (o->listed && o->in.n_out != 0))
		return;
	session_stop_counting(s);
	s->out = NULL;
	out_free(o);
}

size_t
out_item_bytes(const struct out_item *item)
{
	return sizeof(*item) + item->n_to + wire_bytes(item->wire);
}

static struct share *
share_of(const struct account *acc)
{
	return budget_share(acc->e.shard->server, acc->e.hash);
}

/* In the share, a wire counts once, however many sessions have it. */
void
out_append(struct session_out *o, struct account *acc, struct out_item *item)
{
	size_t bytes = out_item_bytes(item);

	STAILQ_INSERT_TAIL(&o->queue, item, link);
	if (o->next == NULL)
		o->next = item;
	o->n++;
	o->n_kept += item->kept != 0;
	o->waiting_bytes += bytes;
	o->largest = MAX(o->largest, bytes);
	gauge_add(&acc->e.shard->stats.session_bytes, bytes);
	wire_count(item->wire, share_of(acc));
	share_count(share_of(acc), (int64_t)(sizeof(*item) + item->n_to));
}

/* The next one that waits is written. */
void
out_step(struct session_out *o)
{
	size_t bytes = out_item_bytes(o->next);

	o->waiting_bytes -= bytes;
	o->kept_bytes += bytes;
	o->sent++;
	receipt_unref(o->next->paced);
	o->next->paced = NULL;
	o->next = STAILQ_NEXT(o->next, link);
}

struct out_item *
out_pop(struct session_out *o, struct account *acc)
{
	struct out_item *item = STAILQ_FIRST(&o->queue);
	size_t bytes;

	if (item == NULL)
		return NULL;
	if (item == o->next)
		out_step(o);
	STAILQ_REMOVE_HEAD(&o->queue, link);
	bytes = out_item_bytes(item);
	o->kept_bytes -= bytes;
	o->n--;
	o->n_kept -= item->kept != 0;
	o->acked++;
	if (STAILQ_EMPTY(&o->queue))
		o->largest = 0;
	gauge_remove(&acc->e.shard->stats.session_bytes, bytes);
	share_count(share_of(acc), -(int64_t)(sizeof(*item) + item->n_to));
	return item;
}

void
out_item_free(struct out_item *item)
{
	receipt_unref(item->paced);
	wire_unref(item->wire);
	memuse_remove_part(MEMUSE_SESSION, item);
	free(item);
}

struct out_item *
out_item_new(const struct session *s, const struct stanza *st, struct wire *wire,
	struct str to)
{
	struct out_item *item = xmalloc(sizeof(*item) + to.n);

	memuse_add_part(MEMUSE_SESSION, item);
	item->wire = wire_ref(wire);
	item->kept = 0;
	item->paced = NULL;
	if (wire->wall_us == 0)
		wire->wall_us = shard_wall_us(session_shard(s));
	if (wire->of != NULL)
		wire->of->wall_us = wire->wall_us;
	item->type = st->type;
	item->sender = session_flow_bucket(s, st);
	item->block = session_bulk_is(st);
	item->n_to = (uint16_t)to.n;
	item->alone = to.n == 0 || str_eq(to, jid_str(session_jid(s)));
	if (to.n != 0)
		memcpy(item->to, to.p, to.n);
	return item;
}

/* st, of which wire is the copy (a reference is taken), waits for its turn, which
 * may be at once; to is shown, or STR_NONE. */
static void
out_push(struct session *s, const struct stanza *st, struct wire *wire,
	struct str to, int64_t kept)
{
	struct out_item *item;
	bool block;

	(void)session_out_get(s);
	if (session_quiet_drops(s, st) ||
		(kept == 0 && session_bulk_refuses(s, st)))
		return;
	item = out_item_new(s, st, wire, to);
	item->kept = kept;
	item->block = item->block && kept == 0;
	block = item->block;
	if (session_quiet_takes(s, st, item))
		return;
	session_flow_make_room(s);
	if (st->paced)
		item->paced = receipt_ref(st->receipt);
	if (!session_bulk_takes(s, st, item)) {
		out_append(s->out, s->account, item);
		session_flow_waits(s, st, item);
	}
	session_look_at_counts(s);
	session_out_run(s, 0);
	if (block)
		session_out_settle(s);
}

size_t
session_queued(const struct session *s)
{
	size_t n = s->out != NULL ? s->out->waiting_bytes : 0;

	if (s->stream != NULL && s->ops->queued != NULL)
		n += s->ops->queued(s->stream);
	return n;
}

/* --- in time ----------------------------------------------------------------------- */

void
session_out_told(struct session *s)
{
	if (session_is_full(s))
		return;
	requests_drained(s);
	hook_run(account_host(s->account), HOOK_SESSION_DRAINED, s);
}

static void
on_due(struct timer *t)
{
	struct session *s = CONTAINER_OF(t, struct session_out, due)->session;

	if (s->state == SESSION_ASLEEP) {
		on_session_slept(s);
		return;
	}
	session_out_settle(s);
	session_out_told(s);
}

void
session_out_tell(struct session *s)
{
	if (s->state == SESSION_ATTACHED && !session_is_full(s))
		shard_timer(session_shard(s), &s->out->due, 0, on_due);
}

void
session_out_end_in(struct session *s, int64_t in_us)
{
	shard_timer(session_shard(s), &session_out_get(s)->due, in_us, on_due);
}

void
session_out_keeper(struct session *s, struct str name)
{
	free(s->out->keeper);
	s->out->keeper = name.p != NULL ? str_dup(name) : NULL;
}

void
session_out_awake(struct session *s)
{
	if (s->out != NULL)
		shard_timer_cancel(session_shard(s), &s->out->due);
}

/* --- what is kept ---------------------------------------------------------------- */

/* What was taken, and is kept elsewhere. */
struct kept_numbers VEC(int64_t);

static void
out_take(struct session_out *o, struct kept_numbers *taken)
{
	struct out_item *item = out_pop(o, o->session->account);

	if (item->kept != 0)
		*vec_push(taken) = item->kept;
	wire_take(item->wire);
	out_item_free(item);
}

static void
out_tell_taken(struct session *s, struct kept_numbers *taken)
{
	struct session_taken arg = { s, taken->p, taken->n };

	if (taken->n != 0)
		hook_run(account_host(s->account), HOOK_SESSION_TAKEN, &arg);
	vec_done(taken);
}

size_t
session_kept(const struct session *s)
{
	return s->out != NULL && s->state != SESSION_ENDING ? s->out->n_kept :
							       0;
}

void
session_kept_numbers(const struct session *s, int64_t *out)
{
	const struct out_item *item;

	if (session_kept(s) == 0)
		return;
	STAILQ_FOREACH (item, &s->out->queue, link)
		if (item->kept != 0)
			*out++ = item->kept;
}

static bool
out_is_above(const struct session_out *o)
{
	const struct shard *sh = session_shard(o->session);

	return o->kept_bytes > sh->snap->config->limits.write_queue_bytes;
}

/* Less is kept: as much as may be? */
static void
out_catch_up(struct session_out *o)
{
	if (!o->behind || out_is_above(o))
		return;
	o->behind = false;
	session_out_tell(o->session);
}

/* Clients show as of now what does not say when it was sent (XEP-0203 §2), which
 * XEP-0198 §5 does not ask for; an iq has no place for it. */
static void
out_write(struct session *s, const struct out_item *item, int64_t late_us)
{
	struct wire *late = NULL;

	if (item->wire->wall_us < late_us &&
		stanza_type_kind(item->type) != STANZA_IQ)
		late = wire_delayed(item->wire, account_domain(s->account));
	s->ops->write_wire(s->stream, late != NULL ? late : item->wire,
		out_item_to(item));
	wire_unref(late);
}

void
session_out_run(struct session *s, int64_t late_us)
{
	struct kept_numbers taken = { .n = 0 };
	struct session_out *o = s->out;
	struct out_item *item;

	while (!s->full && (item = o->next) != NULL) {
		session_flow_written(s, item);
		out_step(o);
		out_write(s, item, late_us);
		if (item->block)
			session_bulk_written(s);
		if (!o->keeps)
			out_take(o, &taken);
		o->behind |= o->keeps && out_is_above(o);
	}
	if (o != NULL && o->behind)
		session_look_at_counts(s); /* and ask whether it has come */
	out_tell_taken(s, &taken);
}

void
session_out_rewind(struct session *s)
{
	struct session_out *o = session_out_get(s);

	o->next = STAILQ_FIRST(&o->queue);
	o->waiting_bytes += o->kept_bytes;
	o->kept_bytes = 0;
	o->behind = false;
	o->sent = o->acked;
	session_bulk_rewound(s);
}

void
session_keep_output(struct session *s, bool on)
{
	struct kept_numbers taken = { .n = 0 };
	struct session_out *o;

	ASSERT_OWNER(&s->account->e);
	if (!on && !session_keeps_output(s))
		return;
	o = session_out_get(s);
	if (s->state == SESSION_ASLEEP)
		session_out_rewind(s);
	while (o->acked != o->sent)
		out_take(o, &taken);
	o->acked = o->sent = 0;
	o->keeps = on;
	out_tell_taken(s, &taken);
	out_catch_up(o);
	session_out_settle(s);
}

bool
session_acked(struct session *s, uint32_t h)
{
	struct kept_numbers taken = { .n = 0 };
	struct session_out *o = s->out;

	ASSERT_OWNER(&s->account->e);
	/* both differences are modulo 2^32, and small (XEP-0198 §4) */
	if (!session_keeps_output(s) || h - o->acked > o->sent - o->acked)
		return false;
	while (o->acked != h)
		out_take(o, &taken);
	out_tell_taken(s, &taken);
	out_catch_up(o);
	return true;
}

bool
session_is_behind(const struct session *s)
{
	const uint8_t own = (uint8_t)~SESSION_REST_READER;

	return s->out != NULL && s->out->behind && (s->rest & own) == 0;
}

bool
session_keeps_output(const struct session *s)
{
	return s->out != NULL && s->out->keeps;
}

uint32_t
session_unacked(const struct session *s)
{
	return s->out != NULL ? s->out->sent - s->out->acked : 0;
}

uint32_t
session_sent(const struct session *s)
{
	return s->out != NULL ? s->out->sent : 0;
}

/* --- writing --------------------------------------------------------------------- */

static inline bool
session_may_write(struct session *s, struct stanza *st)
{
	struct session_stanza arg = {
		.account = s->account,
		.session = s,
		.st = st,
	};

	if (s->state == SESSION_ENDING)
		return false;
	if (hook_run(account_host(s->account), HOOK_SESSION_DELIVER, &arg) ==
		HOOK_HANDLED)
		return false;
	session_shard(s)->stats.stanzas_out++;
	trace_stanza(s, "out", st);
	return true;
}

/* Has all that is written to go by the queue?  A session that is full has one. */
static inline bool
session_queues_all(const struct session *s)
{
	return s->out != NULL &&
		(s->full || s->out->keeps || s->out->bulk != NULL ||
			s->out->quiet != NULL);
}

static inline bool
session_queues(const struct session *s, const struct stanza *st)
{
	return session_queues_all(s) || session_bulk_is(st);
}

static void
session_queue(struct session *s, struct stanza *st, struct wire **copy_io)
{
	if (*copy_io == NULL) {
		*copy_io = wire_new(st);
		(*copy_io)->one_account = true;
	}
	out_push(s, st, *copy_io, jid_str(st->to), 0);
}

void
session_write(struct session *s, struct stanza *st)
{
	if (session_may_write(s, st))
		session_write_own(s, st);
}

void
session_write_own(struct session *s, struct stanza *st)
{
	struct wire *copy = NULL;

	if (!session_queues(s, st)) {
		s->ops->write(s->stream, st);
		return;
	}
	session_queue(s, st, &copy);
	wire_unref(copy);
}

bool
session_write_kept(struct session *s, struct stanza *st, int64_t kept)
{
	struct wire *wire;

	if (!session_may_write(s, st))
		return false;
	wire = wire_new(st);
	wire->one_account = true;
	out_push(s, st, wire, jid_str(st->to), kept);
	wire_unref(wire);
	return true;
}

bool
session_write_copy(struct session *s, struct stanza *st, struct wire **copy_io)
{
	if (!session_may_write(s, st))
		return false;
	if (session_queues(s, st)) {
		session_queue(s, st, copy_io);
		return false;
	}
	if (*copy_io != NULL)
		s->ops->write_wire(s->stream, *copy_io, jid_str(st->to));
	else
		s->ops->write(s->stream, st);
	return true;
}

static bool
has_watchers(const struct session *s)
{
	const struct host *host = account_host(s->account);

	return s->account->traced ||
		(host != NULL && host->hooks[HOOK_SESSION_DELIVER].n != 0);
}

bool
session_write_stored(struct session *s, struct str text)
{
	struct wire *w;

	if (s->state == SESSION_ENDING || session_queues_all(s) ||
		has_watchers(s))
		return false;
	w = wire_of_stored(text);
	if (w == NULL)
		return false;
	session_shard(s)->stats.stanzas_out++;
	s->ops->write_wire(s->stream, w, STR_NONE);
	wire_unref(w);
	return true;
}

static void
session_put_wire(struct session *s, const struct stanza *st, struct wire *w,
	struct str to)
{
	if (session_queues_all(s)) {
		out_push(s, st, w, to, 0);
		return;
	}
	s->ops->write_wire(s->stream, w, to);
	/* else it may be that of many accounts, of which this tells nothing */
	if (w->of != NULL)
		wire_take(w);
}

void
session_write_shared(struct session *s, struct stanza *st,
	struct wire **wire_io, struct str to)
{
	if (!session_may_write(s, st))
		return;
	if (*wire_io == NULL)
		*wire_io = wire_new(st);
	session_put_wire(s, st, *wire_io, to);
}

bool
session_write_forwarded(struct session *s, const struct stanza *st,
	struct wire *w)
{
	if (s->state == SESSION_ENDING)
		return true;
	if (has_watchers(s))
		return false;
	session_shard(s)->stats.stanzas_out++;
	session_put_wire(s, st, w, jid_str(session_jid(s)));
	return true;
}
