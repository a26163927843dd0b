/*
 * account_store.c - what an account stores, and the steps of its line that wait
 * for that.
 *
 *   asked for --(durable, refused)--> ready: in its turn, or aside
 *
 * Invariant: what an account stores is asked for in the order in which its
 * memory has changed, each change resting on those before it (struct
 * store_chain), and none of them is refused because much waits.
 */
#include "config.h"

#include <stdatomic.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/tag.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "account/account_line_int.h"
#include "account/session.h"

/* What part of a line may fill before senders rest; how long for as much as all of
 * it, when it is full; and the longest rest. */
#define LINE_FREE 0.125
#define LINE_REST_US (8 * US_PER_S)
#define LINE_REST_MAX_US US_PER_S

/* Commits of which each rests on those before it; counted by steps. */
struct line_chain {
	struct store_chain store;
	unsigned refs;
};

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

/* --- storing ------------------------------------------------------------------- */

/* What is in line behind it and shows what memory held is not true either.  Who
 * is called says himself what has failed. */
static void
step_fail(struct account *acc, struct account_step *step, const struct err *why)
{
	struct account_step *s = step->kind != STEP_ASIDE ? step : NULL;

	while (s != NULL && (s = STAILQ_NEXT(s, link)) != NULL) {
		if (s->kind == STEP_CALL && s->err.code == ERR_NONE &&
			(s->chain == NULL || s->chain == step->chain))
			s->err = *why;
	}
	/* the store says itself that the disk takes nothing */
	if (step->kind != STEP_CALL && why->code != ERR_DISK &&
		log_limit_ok(&step->shard->storage, LOG_STORE))
		log_error(LOG_STORE, LOG_NOBODY,
			"what is kept of a stanza cannot be stored account=%.*s reason=\"%s\"",
			STR_ARG(jid_str(acc->e.jid)), why->text);
	account_reload(acc);
}

static void
on_step_durable(void *arg, bool ok, const struct err *err)
{
	struct account_step *step = arg;
	struct account *acc = step->account;

	TAG_CHECK(step, "step");
	if (acc != NULL)
		acc->line.stored_bytes -= step->stored;
	step->stored = 0;
	if (!ok)
		step->err = *err;
	if (!ok && acc != NULL)
		step_fail(acc, step, err);
	chain_unref(acc, step->chain);
	if (--step->commits == 0)
		step_get_ready(step);
}

/* False, and tx is freed, when there is nothing to store it for.  Memory shows
 * it already: a store that is busy takes it all the same, and who asks for more
 * rests.  bytes wait with it. */
static bool
step_commit(struct account *acc, struct account_step *step, struct store_tx *tx,
	size_t bytes, bool keeps)
{
	if (!keeps) {
		store_tx_free(tx);
		return false;
	}
	step->chain = chain_ref(acc);
	step->commits++;
	store_tx_chain(tx, &step->chain->store);
	store_tx_insist(tx);
	bytes += store_tx_bytes(tx);
	step->stored += bytes;
	acc->line.stored_bytes += bytes;
	if (acc->line.stored_bytes > line_most(acc))
		line_rest(acc);
	account_hold_changed(acc);
	shard_commit(acc->e.shard, tx, on_step_durable, step);
	return true;
}

/* --- with stanzas ---------------------------------------------------------------- */

/* What is written of one that is being removed would outlive it. */
static bool
account_keeps(const struct account *acc)
{
	return acc->exists && !acc->anonymous && !acc->removing;
}

/* Nothing waits for what is stored aside, so that one account may have as much
 * of it on the way as the store takes, until that is behind.  What is archived has
 * waited for that, and what is kept of it beside is small. */
static bool
has_room(const struct account *acc, const struct stanza *st, bool aside)
{
	if (!acc->anonymous && shard_refuses_writes(acc->e.shard))
		return false;
	if (aside && stanza_id_by(st, acc->e.jid).p != NULL)
		return true;
	/* one that is larger than all that may wait has to arrive, too */
	if (!aside && acc->line.bytes == 0)
		return true;
	if (!aside || !account_line_is_empty(acc))
		return line_has_room(acc, st);
	return !store_is_behind(acc->e.shard->server->store) ||
		acc->line.stored_bytes + stanza_bytes(st) <= line_most(acc);
}

struct store_tx *
account_line_tx(struct account *acc, const struct stanza *st,
	struct line_tx *with)
{
	if (with->tx == NULL && !with->refused) {
		if (has_room(acc, st, with->aside))
			with->tx = store_tx_new();
		else
			with->refused = true;
	}
	return with->tx;
}

static void
line_append_with(struct account *acc, struct account_step *step,
	struct stanza *st, struct store_tx *tx, struct account_step *copy)
{
	step->st = st;
	step->bytes = stanza_bytes(st);
	line_append(acc, step);
	line_copy_waits(acc, step, copy);
	if (!step_commit(acc, step, tx, stanza_bytes(st),
		    account_keeps(acc)))
		step_get_ready(step);
}

void
account_line_send(struct account *acc, struct stanza *st, struct store_tx *tx,
	struct account_step *copy)
{
	line_append_with(acc, step_new(acc, STEP_SEND), st, tx, copy);
}

/*
 * Who sends faster than the disk takes it rests, as behind one who reads slowly
 * (session_flow.h), before the line is full and refuses what he sends: for a time
 * that is computed, the longer the more waits and the larger this one is.
 */
static void
line_slow_sender(struct account *acc, const struct stanza *st)
{
	struct shard *sh = acc->e.shard;
	double most = (double)line_most(acc);
	double fill = (double)acc->line.bytes / most;

	if (fill < LINE_FREE || !jid_is_set(st->from) ||
		jid_is_bare(st->from) || jid_eq_bare(st->from, acc->e.jid) ||
		shard_host(sh, jid_domain(st->from)) == NULL)
		return;
	entity_tell(sh,
		&(struct entity_message){
			.kind = TELL_REST,
			.to = st->from,
			.resource = jid_resource(st->from),
			.number = { (int64_t)((double)stanza_bytes(st) / most *
					    fill * LINE_REST_US),
				LINE_REST_MAX_US },
		});
}

void
account_line_deliver(struct account *acc, struct stanza *st,
	struct store_tx *tx, bool kept)
{
	struct account_step *step = step_new(acc, STEP_DELIVER);

	step->kept = kept;
	line_slow_sender(acc, st);
	line_append_with(acc, step, st, tx, NULL);
}

void
account_line_aside(struct account *acc, struct stanza *st, struct store_tx *tx,
	struct account_step *copy)
{
	struct account_step *step;

	if (tx == NULL) {
		if (copy != NULL)
			line_copy(acc, copy);
		return;
	}
	step = step_new(acc, STEP_ASIDE);
	step->st = st;
	line_copy_waits(acc, step, copy);
	LIST_INSERT_HEAD(&acc->line.asides, step, aside);
	if (!step_commit(acc, step, tx, st != NULL ? stanza_bytes(st) : 0,
		    account_keeps(acc)))
		step_get_ready(step);
}

/* It waits for that, too. */
static void
step_keep(struct account *acc, struct account_step *step)
{
	struct account_stanza arg = {
		.account = acc,
		.st = step->st,
		.with.aside = true,
		.early = true,
	};

	step->asked = true; /* once: others may come until its turn */
	/* what it rests on has failed */
	if (step->commits != 0 && step->chain != acc->line.chain)
		return;
	hook_run(account_host(acc), HOOK_ACCOUNT_OFFLINE, &arg);
	if (!arg.kept) {
		account_line_aside(acc, NULL, arg.with.tx, NULL);
		return;
	}
	acc->line.messages--;
	step->kept = true;
	if (step_commit(acc, step, arg.with.tx, 0, account_keeps(acc)))
		step->ready = false;
}

bool
account_line_keep(struct account *acc,
	bool (*wanted)(const struct account *acc, const struct stanza *st))
{
	struct account_step *step;
	bool all = true;

	if (acc->line.messages == 0)
		return true;
	STAILQ_FOREACH (step, line_steps(acc), link) {
		if (step_is_open(step) && !step->asked &&
			step->err.code == ERR_NONE && wanted(acc, step->st))
			step_keep(acc, step);
		all = all && (step->kept || !step->asked);
	}
	return all;
}

/* --- turns ----------------------------------------------------------------------- */

static void
on_step_posted(struct shard *sh, void *arg)
{
	(void)sh;
	step_get_ready(arg);
}

void
account_turn(struct account *acc, struct store_tx *tx, size_t bytes,
	account_turn_fn fn, void *arg)
{
	struct account_step *step = step_new(acc, STEP_CALL);
	bool alone = account_line_is_empty(acc) && acc->line.running == NULL;

	ASSERT_OWNER(&acc->e);
	step->fn = fn;
	step->arg = arg;
	line_append(acc, step);
	if (tx != NULL && step_commit(acc, step, tx, bytes, !acc->anonymous))
		return;
	if (alone)
		shard_post(acc->e.shard, on_step_posted, step, 0);
	else
		step->ready = true;
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
