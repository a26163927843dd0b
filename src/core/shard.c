/*
 * shard.c - one thread, one loop: what a turn consists of, and how other threads
 * hand work to it.
 *
 * Invariant: everything that a shard owns is touched by its own thread only; the
 * mailbox is the one way in.
 */
#include "config.h"

#include "core/shard.h"

#include <stdio.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/thread.h"
#include "xml/parser.h"
#include "net/net.h"
#include "net/tls.h"
#include "conf/conf.h"
#include "core/entity.h"
#include "core/lane.h"
#include "core/listen.h"
#include "core/question.h"
#include "core/router.h"
#include "core/sleepers.h"
#include "core/slot.h"
#include "core/stats.h"

/* What one turn takes from the mailbox before it looks at the network again. */
#define MAILS_A_TURN 4096
/* How often it looks for mail again before it looks at the network. */
#define WORKS_A_TURN 8

static _Thread_local struct shard *current_shard;

struct shard *
shard_current(void)
{
	return current_shard;
}

/* --- a turn ------------------------------------------------------------------ */

void
shard_put(struct shard *sh, struct shard *to, struct mail *m)
{
	mailbox_put(&to->mailbox, m);
	sh->to_wake[to->index / 64] |= UINT64_C(1) << to->index % 64;
}

/* One write for all that a turn has posted to a shard: waking a thread on
 * another core costs more than most stanzas. */
static void
shard_wake_others(struct shard *sh)
{
	for (unsigned i = 0; i < COUNT(sh->to_wake); i++) {
		while (sh->to_wake[i] != 0) {
			int bit = __builtin_ctzll(sh->to_wake[i]);

			sh->to_wake[i] &= sh->to_wake[i] - 1;
			mailbox_wake(&sh->server->shards[i * 64 +
				(unsigned)bit]->mailbox);
		}
	}
}

/* What they ask for comes at the next. */
static void
shard_run_ends(struct shard *sh)
{
	struct turn_ends ends = sh->ends;
	struct turn_end *t;

	if (LIST_EMPTY(&ends))
		return;
	LIST_INIT(&sh->ends);
	LIST_FIRST(&ends)->link.le_prev = &LIST_FIRST(&ends);
	while ((t = LIST_FIRST(&ends)) != NULL) {
		shard_not_at_end(t);
		t->fn(t);
	}
}

static bool
shard_has_stanzas(const struct shard *sh)
{
	return !STAILQ_EMPTY(&sh->local) || sh->lanes != NULL;
}

static bool
shard_work(struct shard *sh)
{
	bool busy;
	size_t mails, stanzas;

	sh->now_us = clock_mono_us(sh->server->clock);
	stats_keep(sh);
	budget_look(sh);
	memory_trim_look(sh);
	mails = mailbox_run(&sh->mailbox, sh, MAILS_A_TURN);
	sh->stats.mails += mails;
	busy = mails != 0 || timer_queue_next(&sh->timers) <= sh->now_us;
	timer_queue_run(&sh->timers, sh->now_us);
	busy = busy || shard_has_stanzas(sh);
	stanzas = router_run(sh);
	if (sh->lanes != NULL)
		lane_run(sh, stanzas);
	shard_run_ends(sh);
	shard_wake_others(sh);
	net_flush(sh->net);
	shard_wake_others(sh);
	sh->stats.turns++;
	return busy || net_is_busy(sh->net) || shard_has_stanzas(sh) ||
		!LIST_EMPTY(&sh->ends);
}

bool
shard_turn(struct shard *sh)
{
	struct shard *outer = current_shard;
	bool busy;

	current_shard = sh;
	busy = shard_work(sh);
	current_shard = outer;
	return busy;
}

int64_t
shard_next_us(const struct shard *sh)
{
	return timer_queue_next(&sh->timers);
}

/* --- the loop ---------------------------------------------------------------- */

static void
on_shard_mail(evutil_socket_t fd, short what, void *arg)
{
	/* only ends the wait: the turn drains the mailbox */
	(void)fd;
	(void)what;
	(void)arg;
}

/* The timer stays as it is while the next one due does: most turns. */
static void
shard_arm_timer(struct shard *sh)
{
	int64_t next = timer_queue_next(&sh->timers);
	int64_t wait;
	struct timeval tv;

	if (next == sh->armed_us &&
		event_pending(sh->timer_event, EV_TIMEOUT, NULL))
		return;
	sh->armed_us = next;
	if (next == INT64_MAX) {
		event_del(sh->timer_event);
		return;
	}
	wait = MAX(next - clock_mono_us(sh->server->clock), 0);
	tv.tv_sec = wait / US_PER_S;
	tv.tv_usec = wait % US_PER_S;
	event_add(sh->timer_event, &tv);
}

/* Mail that came during a turn is dealt with at once, which spares a call that
 * asks for more; but the network has its turn too, and at once where broadcasts have
 * made the turn long. */
static void
shard_work_on(struct shard *sh)
{
	int i = 0;

	do
		shard_work(sh);
	while (++i < WORKS_A_TURN && sh->lanes == NULL &&
		mailbox_depth(&sh->mailbox).mails != 0);
}

static void *
shard_main(void *arg)
{
	struct shard *sh = shard_arg(arg);

	current_shard = sh;
	while (!sh->stop) {
		shard_arm_timer(sh);
		if (shard_has_stanzas(sh) || !LIST_EMPTY(&sh->ends) ||
			!mailbox_rest(&sh->mailbox))
			event_active(sh->mail_event, EV_READ, 0);
		event_base_loop(sh->base, EVLOOP_ONCE);
		shard_work_on(sh);
	}
	return NULL;
}

void
shard_start(struct shard *sh)
{
	char name[THREAD_NAME_SIZE];

	snprintf(name, sizeof(name), "shard %u", sh->index);
	sh->running = thread_start(&sh->thread, name, shard_main, sh, NULL);
	if (!sh->running)
		abort();
}

static void
on_stop(struct shard *sh, void *arg)
{
	(void)arg;
	sh->stop = true;
}

void
shard_join(struct shard *sh)
{
	if (!sh->running)
		return;
	shard_post(sh, on_stop, NULL, 0);
	pthread_join(sh->thread, NULL);
	sh->running = false;
}

/* --- life -------------------------------------------------------------------- */

static bool
shard_open_loop(struct shard *sh, struct err *err)
{
	sh->base = event_base_new();
	if (sh->base == NULL)
		return err_set(err, ERR_SYSTEM, "cannot make an event loop");
	sh->mail_event = event_new(sh->base, sh->mailbox.fd,
		EV_READ | EV_PERSIST | EV_ET, on_shard_mail, sh);
	sh->timer_event = event_new(sh->base, -1, 0, on_shard_mail, sh);
	event_add(sh->mail_event, NULL);
	return true;
}

struct shard *
shard_new(struct server *srv, unsigned index, struct err *err)
{
	struct shard *sh = xcalloc(1, sizeof(*sh));

	TAG_SET(sh, "shrd");
	sh->server = srv;
	sh->index = index;
	rand_buffered_init(&sh->buffered, srv->rand);
	sh->rand = &sh->buffered.source;
	sh->now_us = clock_mono_us(srv->clock);
	sh->snap = snapshot_ref(srv->newest);
	STAILQ_INIT(&sh->local);
	if (!mailbox_init(&sh->mailbox, err)) {
		snapshot_unref(sh->snap);
		free(sh);
		return NULL;
	}
	if (srv->threaded && !shard_open_loop(sh, err)) {
		mailbox_done(&sh->mailbox);
		snapshot_unref(sh->snap);
		free(sh);
		return NULL;
	}
	sh->before.at_us = sh->next_before.at_us = sh->now_us;
	sh->net = net_new(sh->base);
	sh->xml = xml_pool_new();
	return sh;
}

static void
on_tickets(struct timer *t)
{
	struct shard *sh = CONTAINER_OF(t, struct shard, tickets);

	net_wipe_tickets(sh->net);
	shard_timer(sh, t, TLS_TICKETS_US, on_tickets);
}

void
shard_give_tickets(struct shard *sh, const uint8_t *seed)
{
	net_give_tickets(
		sh->net, seed, sh->server->clock, sh->server->started_us);
	shard_timer(sh, &sh->tickets, TLS_TICKETS_US, on_tickets);
}

void
shard_free(struct shard *sh)
{
	if (sh == NULL)
		return;
	listen_shard_free(sh);
	entity_drop_all(sh);
	sleepers_free(sh);
	idle_done(&sh->idle);
	slot_drop_all(&sh->slots, sh);
	net_free(sh->net);
	xml_pool_free(sh->xml);
	questions_free(sh->questions);
	free(sh->spare_requests);
	timer_queue_done(&sh->timers);
	if (sh->base != NULL) {
		event_free(sh->mail_event);
		event_free(sh->timer_event);
		event_base_free(sh->base);
	}
	mailbox_done(&sh->mailbox);
	snapshot_unref(sh->snap);
	TAG_CLEAR(sh);
	free(sh);
}

/* --- any thread -------------------------------------------------------------- */

static const struct ring_kind ring_call = { "call", ring_describe_function };

struct post {
	struct mail mail;
	void (*fn)(struct shard *sh, void *arg);
	void *arg;
};

static void
post_run(struct mail *m, void *owner)
{
	struct post *p = CONTAINER_OF(m, struct post, mail);
	struct post copy = *p;

	free(p);
	ring_note(&ring_call, NULL, (uintptr_t)copy.fn, 0, 0);
	copy.fn(shard_arg(owner), copy.arg);
}

void
shard_post(struct shard *sh, void (*fn)(struct shard *sh, void *arg), void *arg,
	size_t bytes)
{
	struct post *p = xmalloc(sizeof(*p));

	p->mail.run = post_run;
	p->mail.bytes = (uint32_t)MIN(bytes + sizeof(*p), UINT32_MAX);
	p->fn = fn;
	p->arg = arg;
	mailbox_post(&sh->mailbox, &p->mail);
}

struct visit {
	struct shard *from;
	void (*each)(struct shard *sh, void *arg);
	void (*done)(struct shard *from, void *arg);
	void *arg;
};

static void
visit_end(struct shard *from, void *arg)
{
	struct visit visit = *(struct visit *)arg;

	free(arg);
	visit.done(from, visit.arg);
}

static void
visit_visit(struct shard *sh, void *arg)
{
	struct visit *t = arg;
	unsigned next = sh->index + 1;

	t->each(sh, t->arg);
	if (next == sh->server->n_shards)
		shard_post(t->from, visit_end, t, 0);
	else
		shard_post(sh->server->shards[next], visit_visit, t, 0);
}

void
shard_visit_all(struct shard *from, void (*each)(struct shard *sh, void *arg),
	void (*done)(struct shard *from, void *arg), void *arg)
{
	struct visit *t = xmalloc(sizeof(*t));

	*t = (struct visit){ from, each, done, arg };
	shard_post(from->server->shards[0], visit_visit, t, 0);
}

/* --- owner shard ------------------------------------------------------------- */

struct host *
shard_host(struct shard *sh, struct str domain)
{
	return snapshot_host(sh->snap, domain);
}

void
shard_timer(struct shard *sh, struct timer *t, int64_t in_us,
	void (*fire)(struct timer *t))
{
	timer_set(&sh->timers, t, sh->now_us + in_us, fire);
}

void
shard_timer_cancel(struct shard *sh, struct timer *t)
{
	timer_cancel(&sh->timers, t);
}

void
shard_at_end(struct shard *sh, struct turn_end *t)
{
	if (t->link.le_prev == NULL)
		LIST_INSERT_HEAD(&sh->ends, t, link);
}

void
shard_not_at_end(struct turn_end *t)
{
	if (t->link.le_prev == NULL)
		return;
	LIST_REMOVE(t, link);
	t->link.le_prev = NULL;
}

int64_t
shard_wall_us(const struct shard *sh)
{
	return clock_wall_us(sh->server->clock);
}

bool
shard_refuses_writes(struct shard *sh)
{
	struct store *store = sh->server->store;

	if (store_takes_writes(store))
		return false;
	store_note_refused(store);
	return true;
}

void
shard_commit(struct shard *sh, struct store_tx *tx, store_done_fn done,
	void *arg)
{
	ASSERT_ON(sh);
	store_commit(sh->server->store, tx,
		done != NULL ? &sh->mailbox : NULL, done, arg);
}
