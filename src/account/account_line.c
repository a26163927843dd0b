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

#include "account/account_line.h"

#include "base/arena.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/module_ctx.h"
#include "core/router.h"
#include "account/account_int.h"
#include "account/requests.h"
#include "account/session.h"

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
	struct recipients *to; /* reference; NULL but for FANOUT */
	/* CALL */
	account_turn_fn fn;
	void *arg;
	struct line_chain *chain; /* NULL: nothing is stored */
	struct err err; /* code ERR_NONE: it worked */
};

/* To whom one fan-out goes, and those behind it, until a contact comes or goes:
 * else a few bytes of presence would hold a whole roster each. */
struct recipients {
	struct arena *arena; /* it lies in */
	size_t refs;
	size_t n;
	struct jid to[];
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

/* --- how much waits ----------------------------------------------------------- */

static uint64_t
line_most(const struct account *acc)
{
	return acc->e.shard->snap->config->limits.inbox_bytes;
}

static void
line_more(struct account *acc, size_t bytes)
{
	acc->line.bytes += bytes;
	gauge_add(&acc->e.shard->stats.line_bytes, bytes);
}

static void
line_less(struct account *acc, size_t bytes)
{
	acc->line.bytes -= bytes;
	gauge_remove(&acc->e.shard->stats.line_bytes, bytes);
}

/* The line moves without them: it waits for the disk, and for clients that
 * read. */
static void
line_rest(struct account *acc)
{
	acc->line.rests = true;
	for (struct session *s = acc->sessions; s != NULL; s = s->next)
		session_rest(s, SESSION_REST_LINE);
}

static void
line_go_on(struct account *acc)
{
	acc->line.rests = false;
	for (struct session *s = acc->sessions; s != NULL; s = s->next)
		session_go_on(s, SESSION_REST_LINE);
}

static void
line_append(struct account *acc, struct account_step *step)
{
	line_more(acc, step->bytes);
	STAILQ_INSERT_TAIL(line_steps(acc), step, link);
}

/* --- recipients --------------------------------------------------------------- */

static struct recipients *
recipients_new(const struct jid *to, size_t n)
{
	struct arena *arena = arena_new();
	struct recipients *r =
		arena_alloc(arena, sizeof(*r) + n * sizeof(r->to[0]));

	*r = (struct recipients){ arena, 0, n };
	for (size_t i = 0; i < n; i++)
		r->to[i] = jid_copy(arena, to[i]);
	return r;
}

static bool
recipients_are(const struct recipients *r, const struct jid *to, size_t n)
{
	if (r == NULL || r->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!jid_eq(r->to[i], to[i]))
			return false;
	}
	return true;
}

/* A reference; counts in the line of acc until the last is gone. */
static struct recipients *
recipients_get(struct account *acc, const struct jid *to, size_t n)
{
	struct recipients *r = acc->line.last;

	if (!recipients_are(r, to, n)) {
		r = recipients_new(to, n);
		line_more(acc, arena_bytes(r->arena));
		acc->line.last = r;
	}
	r->refs++;
	return r;
}

static void
recipients_unref(struct account *acc, struct recipients *r)
{
	if (r == NULL || --r->refs != 0)
		return;
	if (acc->line.last == r)
		acc->line.last = NULL;
	line_less(acc, arena_bytes(r->arena));
	arena_free(r->arena);
}

/* --- stanzas in line ---------------------------------------------------------- */

static struct account_step *
line_append_stanza(
	struct account *acc, enum step_kind kind, struct stanza *st)
{
	struct account_step *step = step_new(acc, kind);

	step->ready = true;
	step->st = st;
	step->bytes = stanza_bytes(st);
	line_append(acc, step);
	return step;
}

static bool
line_has_room(struct account *acc, const struct stanza *st)
{
	return acc->line.bytes + stanza_bytes(st) <= line_most(acc);
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
		line_append_stanza(acc, STEP_SEND, st);
	else
		line_refuse(acc, st);
}

void
account_fanout(struct account *acc, struct stanza *st, const struct jid *to,
	size_t n)
{
	ASSERT_OWNER(&acc->e);
	if (account_line_is_empty(acc)) {
		router_fanout(acc->e.shard, st, to, n);
		return;
	}
	line_append_stanza(acc, STEP_FANOUT, st)->to =
		recipients_get(acc, to, n);
	if (acc->line.bytes > line_most(acc))
		line_rest(acc);
}

/* A halt may last as long as the client likes: what we answer ourselves does not
 * wait for it, or else who asks would be held up by whom he asks. */
static bool
line_passes(const struct account *acc, const struct stanza *st)
{
	if (st->kind != STANZA_IQ)
		return false;
	return jid_eq_bare(st->from, acc->e.jid) ||
		(jid_is_bare(st->to) &&
			acc->line.steps.stqh_first->kind == STEP_HALT);
}

bool
account_line_keeps(struct account *acc, struct stanza *st)
{
	if (account_line_is_empty(acc) || line_passes(acc, st))
		return false;
	if (requests_is_answer(st) || line_has_room(acc, st))
		line_append_stanza(acc, STEP_DELIVER, st);
	else
		line_refuse(acc, st);
	return true;
}

/* --- running -------------------------------------------------------------------- */

static void
step_call(struct account *acc, struct account_step *step)
{
	step->fn(acc, step->err.code == ERR_NONE ? NULL : &step->err,
		step->arg);
}

static void
step_run(struct account *acc, struct account_step *step)
{
	switch (step->kind) {
	case STEP_SEND:
		router_send(acc->e.shard, step->st);
		break;
	case STEP_FANOUT:
		router_fanout(acc->e.shard, step->st, step->to->to,
			step->to->n);
		recipients_unref(acc, step->to);
		break;
	case STEP_DELIVER:
		account_deliver_now(acc, step->st);
		break;
	case STEP_CALL:
		step_call(acc, step);
		break;
	case STEP_HALT:
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
		line_less(acc, step->bytes);
		acc->line.running = step;
		step_run(acc, step);
		acc->line.running = NULL;
	}
	if (acc->line.rests && acc->line.bytes <= line_most(acc) / 2)
		line_go_on(acc);
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
		line_less(acc, step->bytes);
		step_run(acc, step);
	}
}

void
account_line_done(struct account *acc)
{
	struct account_step *step;

	while ((step = STAILQ_FIRST(line_steps(acc))) != NULL) {
		STAILQ_REMOVE_HEAD(&acc->line.steps, link);
		line_less(acc, step->bytes);
		recipients_unref(acc, step->to);
		stanza_free(step->st);
		step->account = NULL;
		/* of one that is not ready, a callback is still to come */
		if (step->ready && step->kind == STEP_CALL)
			step_call(NULL, step);
		if (step->ready)
			free(step);
	}
}

/* --- getting ready ---------------------------------------------------------------- */

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
account_turn(struct account *acc, struct store_tx *tx, account_turn_fn fn,
	void *arg)
{
	struct shard *sh = acc->e.shard;
	struct account_step *step = step_new(acc, STEP_CALL);
	bool alone = account_line_is_empty(acc) && acc->line.running == NULL;

	ASSERT_OWNER(&acc->e);
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
account_halt(struct account *acc)
{
	struct account_step *step = step_new(acc, STEP_HALT);

	ASSERT_OWNER(&acc->e);
	STAILQ_INSERT_HEAD(line_steps(acc), step, link);
	return step;
}

void
account_go_on(struct account_step *halt)
{
	step_get_ready(halt);
}
