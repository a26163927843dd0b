/*
 * account_line.c - what an account does, in order: steps that wait until they
 * are ready, and until all before them were.
 *
 *   commit, halt --(durable, go on)--> ready --(first in line)--> run, freed
 *
 * Invariant: while a line is not empty, its first step is not ready, or it is
 * being run.
 */
#include "config.h"

#include "core/account_line.h"

#include <stdatomic.h>

#include "base/arena.h"
#include "base/mem.h"
#include "core/account_int.h"
#include "core/conf.h"
#include "core/host.h"
#include "core/module.h"
#include "core/module_int.h"
#include "core/requests.h"
#include "core/router.h"

enum step_kind { STEP_SEND, STEP_FANOUT, STEP_DELIVER, STEP_CALL, STEP_HALT };

/* Commits of which each rests on those before it; counted by steps. */
struct line_chain {
	struct store_chain store;
	unsigned refs;
};

struct account_step {
	STAILQ_ENTRY(account_step) link;
	enum step_kind kind;
	bool ready;
	struct account *account; /* NULL: it has left memory */
	size_t bytes;
	/* SEND, FANOUT, DELIVER */
	struct stanza *st;
	struct jid *to; /* in the arena of st */
	size_t n_to;
	/* CALL, HALT */
	struct module_entry *entry;
	module_turn_fn fn;
	void *arg;
	struct line_chain *chain; /* NULL: nothing is stored */
	struct err err; /* code ERR_NONE: it worked */
};

static struct account_steps *
line_steps(struct account *acc)
{
	if (acc->line.steps.stqh_last == NULL)
		STAILQ_INIT(&acc->line.steps);
	return &acc->line.steps;
}

bool
account_line_is_empty(const struct account *acc)
{
	return acc->line.steps.stqh_first == NULL;
}

static struct account_step *
step_new(struct account *acc, enum step_kind kind)
{
	struct account_step *step = xcalloc(1, sizeof(*step));

	step->kind = kind;
	step->account = acc;
	return step;
}

static void
line_append(struct account *acc, struct account_step *step)
{
	acc->line.bytes += step->bytes;
	gauge_add(&acc->e.shard->stats.line_bytes, step->bytes);
	STAILQ_INSERT_TAIL(line_steps(acc), step, link);
}

static void
line_count_out(struct account *acc, const struct account_step *step)
{
	acc->line.bytes -= step->bytes;
	gauge_remove(&acc->e.shard->stats.line_bytes, step->bytes);
}

/* --- stanzas in line ---------------------------------------------------------- */

static void
line_append_stanza(struct account *acc, enum step_kind kind, struct stanza *st,
	struct jid *to, size_t n)
{
	struct account_step *step = step_new(acc, kind);

	step->ready = true;
	step->st = st;
	step->to = to;
	step->n_to = n;
	step->bytes = stanza_bytes(st);
	line_append(acc, step);
}

static bool
line_has_room(struct account *acc, const struct stanza *st)
{
	return acc->line.bytes + stanza_bytes(st) <=
		acc->e.shard->snap->config->limits.inbox_bytes;
}

static void
line_refuse(struct account *acc, struct stanza *st)
{
	acc->e.shard->stats.refused++;
	router_bounce(acc->e.shard, st, COND_RESOURCE_CONSTRAINT,
		"Too much is waiting to be stored");
}

void
account_send(struct account *acc, struct stanza *st)
{
	ASSERT_OWNER(&acc->e);
	if (account_line_is_empty(acc) || jid_eq_bare(st->to, acc->e.jid))
		router_send(acc->e.shard, st);
	else if (line_has_room(acc, st))
		line_append_stanza(acc, STEP_SEND, st, NULL, 0);
	else
		line_refuse(acc, st);
}

/* Not bounded here: it is presence that the account's own sessions have sent,
 * at no more than their rate, and what is lost of it nobody sends again. */
void
account_fanout(struct account *acc, struct stanza *st, const struct jid *to,
	size_t n)
{
	struct jid *copy;

	ASSERT_OWNER(&acc->e);
	if (account_line_is_empty(acc)) {
		router_fanout(acc->e.shard, st, to, n);
		return;
	}
	copy = arena_alloc(st->arena, n * sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = jid_copy(st->arena, to[i]);
	line_append_stanza(acc, STEP_FANOUT, st, copy, n);
}

bool
account_line_keeps(struct account *acc, struct stanza *st)
{
	if (account_line_is_empty(acc) ||
		(st->kind == STANZA_IQ && jid_eq_bare(st->from, acc->e.jid)))
		return false;
	if (requests_is_answer(st) || line_has_room(acc, st))
		line_append_stanza(acc, STEP_DELIVER, st, NULL, 0);
	else
		line_refuse(acc, st);
	return true;
}

/* --- running -------------------------------------------------------------------- */

static void
step_call(struct account *acc, struct account_step *step)
{
	struct host *host = acc != NULL ? account_host(acc) : NULL;
	struct module_ctx *m =
		host != NULL ? module_at_host(host, step->entry) : NULL;

	step->fn(m, acc, step->err.code == ERR_NONE ? NULL : &step->err,
		step->arg);
	module_release(step->entry);
}

static void
step_run(struct account *acc, struct account_step *step)
{
	switch (step->kind) {
	case STEP_SEND:
		router_send(acc->e.shard, step->st);
		break;
	case STEP_FANOUT:
		router_fanout(acc->e.shard, step->st, step->to, step->n_to);
		break;
	case STEP_DELIVER:
		account_deliver_now(acc, step->st);
		break;
	case STEP_CALL:
		step_call(acc, step);
		break;
	case STEP_HALT:
		module_release(step->entry);
		break;
	}
	free(step);
}

static void
line_run(struct account *acc)
{
	struct account_step *step;

	if (acc->line.running != NULL)
		return;
	while (!account_is_read(acc) &&
		(step = STAILQ_FIRST(&acc->line.steps)) != NULL &&
		step->ready) {
		STAILQ_REMOVE_HEAD(&acc->line.steps, link);
		line_count_out(acc, step);
		acc->line.running = step;
		step_run(acc, step);
		acc->line.running = NULL;
	}
	entity_check_idle(&acc->e);
}

void
account_line_go_on(struct account *acc)
{
	if (!account_line_is_empty(acc))
		line_run(acc);
}

void
account_line_let_out(struct account *acc)
{
	struct account_step *step = STAILQ_FIRST(line_steps(acc)), *next;

	for (; step != NULL; step = next) {
		next = STAILQ_NEXT(step, link);
		if (step->st == NULL)
			continue;
		STAILQ_REMOVE(&acc->line.steps, step, account_step, link);
		line_count_out(acc, step);
		step_run(acc, step);
	}
}

void
account_line_done(struct account *acc)
{
	struct account_step *step;

	gauge_remove(&acc->e.shard->stats.line_bytes, acc->line.bytes);
	acc->line.bytes = 0;
	while ((step = STAILQ_FIRST(line_steps(acc))) != NULL) {
		STAILQ_REMOVE_HEAD(&acc->line.steps, link);
		stanza_free(step->st);
		step->account = NULL;
		/* of one that is not ready, a callback is still to come */
		if (step->ready && step->kind == STEP_CALL)
			step_call(NULL, step);
		if (step->ready)
			free(step);
	}
}

/* --- for modules ------------------------------------------------------------------ */

static void
step_get_ready(struct account_step *step)
{
	step->ready = true;
	if (step->account != NULL) {
		line_run(step->account);
		return;
	}
	if (step->kind == STEP_CALL)
		step_call(NULL, step);
	else
		module_release(step->entry);
	free(step);
}

static void
on_step_posted(struct shard *sh, void *arg)
{
	(void)sh;
	step_get_ready(arg);
}

/* --- storing ------------------------------------------------------------------- */

static struct line_chain *
chain_ref(struct account *acc)
{
	if (acc->line.chain == NULL)
		acc->line.chain = xcalloc(1, sizeof(*acc->line.chain));
	acc->line.chain->refs++;
	return acc->line.chain;
}

/* acc may be NULL. */
static void
chain_unref(struct account *acc, struct line_chain *chain)
{
	if (--chain->refs != 0)
		return;
	if (acc != NULL && acc->line.chain == chain)
		acc->line.chain = NULL;
	free(chain);
}

void
account_line_unchain(struct account *acc)
{
	acc->line.chain = NULL;
}

/* What is behind it and shows what memory held is not true either. */
static void
line_fail(struct account *acc, struct account_step *step, const struct err *why)
{
	struct account_step *s = step;

	step->err = *why;
	while ((s = STAILQ_NEXT(s, link)) != NULL) {
		if (s->kind == STEP_CALL && s->err.code == ERR_NONE &&
			(s->chain == NULL || s->chain == step->chain))
			s->err = *why;
	}
	account_reload(acc);
}

static void
on_step_durable(void *arg, bool ok, const struct err *err)
{
	struct account_step *step = arg;

	if (!ok && step->account != NULL)
		line_fail(step->account, step, err);
	else if (!ok)
		step->err = *err;
	chain_unref(step->account, step->chain);
	step_get_ready(step);
}

void
module_commit_in_turn(struct module_ctx *m, struct account *acc,
	struct store_tx *tx, module_turn_fn fn, void *arg)
{
	struct shard *sh = acc->e.shard;
	struct account_step *step = step_new(acc, STEP_CALL);
	bool alone = account_line_is_empty(acc) && acc->line.running == NULL;

	ASSERT_OWNER(&acc->e);
	step->entry = module_hold(m);
	step->fn = fn;
	step->arg = arg;
	line_append(acc, step);
	if (tx != NULL && acc->anonymous) {
		store_tx_free(tx);
		tx = NULL;
	}
	if (tx == NULL && alone) {
		shard_post(sh, on_step_posted, step, 0);
	} else if (tx == NULL) {
		step->ready = true;
	} else {
		step->chain = chain_ref(acc);
		store_tx_chain(tx, &step->chain->store);
		account_hold_changed(acc);
		shard_commit(sh, tx, on_step_durable, step);
	}
}

struct account_step *
module_halt(struct module_ctx *m, struct account *acc)
{
	struct account_step *step = step_new(acc, STEP_HALT);

	ASSERT_OWNER(&acc->e);
	step->entry = module_hold(m);
	STAILQ_INSERT_HEAD(line_steps(acc), step, link);
	return step;
}

void
module_go_on(struct account_step *step)
{
	step_get_ready(step);
}
