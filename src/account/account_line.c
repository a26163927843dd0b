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

#include "base/mem.h"
#include "base/tag.h"
#include "xmpp/subscription.h"
#include "conf/conf.h"
#include "core/audience.h"
#include "core/entity_ring.h"
#include "core/host.h"
#include "core/router.h"
#include "core/wire.h"
#include "account/account_copy.h"
#include "account/account_line_int.h"
#include "account/contacts.h"
#include "account/requests.h"
#include "account/session.h"

/* To whom one fan-out goes, and those behind it, until a contact comes or goes:
 * else a few bytes of presence would hold a whole roster each. */
struct recipients {
	struct audience *contacts;
	size_t refs;
	size_t bytes;
};

struct account_steps *
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

struct account_step *
step_new(struct account *acc, enum step_kind kind)
{
	struct account_step *step = xcalloc(1, sizeof(*step));

	TAG_SET(step, "step");
	STAILQ_INIT(&step->copies);
	step->number = acc->line.n_steps++;
	step->kind = kind;
	step->account = acc;
	step->shard = acc->e.shard;
	return step;
}

/* --- how much waits ----------------------------------------------------------- */

uint64_t
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
void
line_rest(struct account *acc)
{
	acc->line.rests = true;
	for (struct session *s = acc->sessions; s != NULL; s = s->next)
		session_rest(s, SESSION_REST_LINE);
}

static void
line_look(struct account *acc)
{
	uint64_t less = line_most(acc) / 2;

	if (!acc->line.rests || acc->line.bytes > less ||
		acc->line.stored_bytes > less)
		return;
	acc->line.rests = false;
	for (struct session *s = acc->sessions; s != NULL; s = s->next)
		session_go_on(s, SESSION_REST_LINE);
}

bool
step_is_open(const struct account_step *step)
{
	return step->kind == STEP_DELIVER && !step->kept &&
		step->st->kind == STANZA_MESSAGE;
}

void
line_append(struct account *acc, struct account_step *step)
{
	acc->line.messages += step_is_open(step);
	line_more(acc, step->bytes);
	STAILQ_INSERT_TAIL(line_steps(acc), step, link);
}

static void
line_remove(struct account *acc, struct account_step *step)
{
	acc->line.messages -= step_is_open(step);
	line_less(acc, step->bytes);
	STAILQ_REMOVE(&acc->line.steps, step, account_step, link);
}

/* --- recipients --------------------------------------------------------------- */

/* A reference; counts in the line of acc until the last is gone. */
static struct recipients *
recipients_get(struct account *acc)
{
	struct recipients *r = acc->line.last;

	if (r == NULL) {
		r = xmalloc(sizeof(*r));
		r->contacts = contacts_get(acc);
		r->refs = 0;
		r->bytes = audience_bytes(r->contacts) + sizeof(*r);
		line_more(acc, r->bytes);
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
	line_less(acc, r->bytes);
	audience_free(r->contacts);
	free(r);
}

void
account_line_forget_contacts(struct account *acc)
{
	acc->line.last = NULL;
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

bool
line_has_room(const struct account *acc, const struct stanza *st)
{
	return acc->line.bytes + stanza_bytes(st) <= line_most(acc);
}

void
account_line_refuse(struct account *acc, struct stanza *st)
{
	acc->e.shard->stats.refused++;
	router_bounce(acc->e.shard, st, COND_RESOURCE_CONSTRAINT,
		store_takes_writes(acc->e.shard->server->store) ?
			"Too much is waiting to be stored" :
			SHARD_REFUSES_TEXT);
}

void
account_send_taken(struct account *acc, struct stanza *st)
{
	if (account_line_is_empty(acc) || jid_eq_bare(st->to, acc->e.jid))
		router_send(acc->e.shard, st);
	else
		line_append_stanza(acc, STEP_SEND, st);
}

void
account_send(struct account *acc, struct stanza *st)
{
	ASSERT_OWNER(&acc->e);
	if (account_line_is_empty(acc) || jid_eq_bare(st->to, acc->e.jid) ||
		line_has_room(acc, st))
		account_send_taken(acc, st);
	else
		account_line_refuse(acc, st);
}

void
account_tell_contacts(struct account *acc, struct stanza *st, uint8_t state)
{
	struct account_step *step;
	struct audience *contacts;

	ASSERT_OWNER(&acc->e);
	if (acc->roster.n == 0) {
		stanza_free(st);
		return;
	}
	if (account_line_is_empty(acc)) {
		contacts = contacts_get(acc);
		audience_send(contacts, st, state, NULL, st->from);
		audience_free(contacts);
		return;
	}
	step = line_append_stanza(acc, STEP_FANOUT, st);
	step->to = recipients_get(acc);
	step->flags = state;
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

/* What the sender of st has said of himself before, and nobody has seen yet. */
static void
line_drop_outdated(struct account *acc, const struct stanza *st)
{
	struct account_step *step, *next;

	for (step = STAILQ_FIRST(&acc->line.steps); step != NULL; step = next) {
		const struct stanza *old = step->st;

		next = STAILQ_NEXT(step, link);
		if (step->kind != STEP_DELIVER || !step->ready ||
			(old->type != PRESENCE_AVAILABLE &&
				old->type != PRESENCE_UNAVAILABLE) ||
			!jid_eq(old->from, st->from) || !jid_eq(old->to, st->to))
			continue;
		line_remove(acc, step);
		stanza_free(step->st);
		TAG_CLEAR(step);
		free(step);
	}
}

/* What a contact says of himself he does not say again: of that the last counts,
 * and it finds room when nothing else does. */
static bool
line_takes_presence(struct account *acc, const struct stanza *st)
{
	if ((st->type != PRESENCE_AVAILABLE &&
		    st->type != PRESENCE_UNAVAILABLE) ||
		(roster_state(&acc->roster, jid_bare_str(st->from)) & SUB_TO) ==
			0)
		return false;
	line_drop_outdated(acc, st);
	return acc->line.bytes + stanza_bytes(st) <= 2 * line_most(acc);
}

bool
account_line_keeps(struct account *acc, struct stanza *st)
{
	if (account_line_is_empty(acc) || line_passes(acc, st))
		return false;
	if (requests_is_answer(acc, st) || line_has_room(acc, st) ||
		line_takes_presence(acc, st))
		line_append_stanza(acc, STEP_DELIVER, st);
	else if (st->type == MESSAGE_ERROR)
		return false; /* it says what is lost, and nobody would say it again */
	else
		account_line_refuse(acc, st);
	return true;
}

/* --- copies in line -------------------------------------------------------------- */

struct account_step *
line_copy_new(struct account *acc, const struct stanza *st, struct wire *w)
{
	struct account_step *copy = step_new(acc, STEP_COPY);

	copy->ready = true;
	copy->st = stanza_new(st->type, st->from, st->to, st->id);
	copy->wire = wire_ref(w);
	copy->bytes = stanza_bytes(copy->st) + wire_bytes(w);
	return copy;
}

/* The last of those with copies; NULL: there is none. */
static struct account_step *
line_copying_aside(const struct account *acc)
{
	struct account_step *step = LIST_FIRST(&acc->line.asides);

	while (step != NULL && STAILQ_EMPTY(&step->copies))
		step = LIST_NEXT(step, aside);
	return step;
}

bool
line_has_copies_aside(const struct account *acc)
{
	return line_copying_aside(acc) != NULL;
}

/* Of what goes out at once, the copies may be the first that wait. */
void
line_copy_waits(struct account *acc, struct account_step *step,
	struct account_step *copy)
{
	if (copy == NULL)
		return;
	line_more(acc, copy->bytes);
	STAILQ_INSERT_TAIL(&step->copies, copy, link);
	if (acc->line.bytes > line_most(acc))
		line_rest(acc);
}

/* Those of one session are seen in the order in which it sent them.  The message
 * itself has found room, or was refused: with it there is twice as much at
 * most. */
void
line_copy(struct account *acc, struct account_step *copy)
{
	struct account_step *aside = line_copying_aside(acc);

	if (aside != NULL)
		line_copy_waits(acc, aside, copy);
	else
		line_append(acc, copy);
}

static void
copy_free(struct account_step *copy)
{
	stanza_free(copy->st);
	wire_unref(copy->wire);
	TAG_CLEAR(copy);
	free(copy);
}

/* Behind what was there before it, and ahead of what came while it waited. */
static void
line_insert_copy(struct account *acc, struct account_step *copy)
{
	struct account_step *step, *before = NULL;

	STAILQ_FOREACH (step, line_steps(acc), link) {
		if (step->kind != STEP_HALT &&
			(int32_t)(step->number - copy->number) > 0)
			break;
		before = step;
	}
	if (before != NULL) {
		line_more(acc, copy->bytes);
		STAILQ_INSERT_AFTER(line_steps(acc), before, copy, link);
	} else {
		account_copy_show_now(acc, copy->st, copy->wire);
		copy_free(copy);
	}
}

/* NULL: none waits for step any more. */
static struct account_step *
step_pop_copy(struct account *acc, struct account_step *step)
{
	struct account_step *copy = STAILQ_FIRST(&step->copies);

	if (copy == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&step->copies, link);
	line_less(acc, copy->bytes);
	return copy;
}

/* step has been done, or has failed: then nobody sees what is not there. */
static void
step_show_copies(struct account *acc, struct account_step *step, bool ok)
{
	struct account_step *copy = step_pop_copy(acc, step);

	if (copy != NULL && !ok) {
		copy_free(copy);
		copy = step_pop_copy(acc, step);
	}
	for (; copy != NULL; copy = step_pop_copy(acc, step))
		line_insert_copy(acc, copy);
}

static void
step_drop_copies(struct account *acc, struct account_step *step)
{
	struct account_step *copy;

	while ((copy = step_pop_copy(acc, step)) != NULL)
		copy_free(copy);
}

/* --- running -------------------------------------------------------------------- */

/* What was to be stored with it is not: nobody gets it, and its sender is told,
 * but for what nobody sends again, and what its recipient finds in his archive. */
static void
step_refuse(const struct account_step *step)
{
	struct stanza *st = step->st;

	if (st == NULL)
		return;
	if (st->kind == STANZA_PRESENCE || st->type == MESSAGE_HEADLINE ||
		(step->kind == STEP_ASIDE &&
			stanza_id_by(st, jid_bare(st->to)).p != NULL))
		stanza_free(st);
	else
		router_bounce(step->shard, st,
			step->err.code != ERR_NONE ?
				stanza_cond_of(step->err.code) :
				COND_INTERNAL_SERVER_ERROR,
			"The server cannot store it");
}

/* acc may be NULL; step is freed. */
static void
step_run(struct account *acc, struct account_step *step)
{
	bool ok = step->err.code == ERR_NONE;

	if (acc != NULL)
		entity_note(&ring_turn, &acc->e, step->kind);
	switch (step->kind) {
	case STEP_SEND:
		if (ok)
			router_send(step->shard, step->st);
		else
			step_refuse(step);
		step_show_copies(acc, step, ok);
		break;
	case STEP_FANOUT:
		audience_send(step->to->contacts, step->st, step->flags, NULL,
			step->st->from);
		recipients_unref(acc, step->to);
		break;
	case STEP_DELIVER:
		if (ok && step->kept)
			account_deliver_kept(acc, step->st);
		else if (ok && acc != NULL)
			account_deliver_now(acc, step->st);
		else
			step_refuse(step);
		break;
	case STEP_COPY:
		if (acc != NULL)
			account_copy_show_now(acc, step->st, step->wire);
		copy_free(step);
		return;
	case STEP_CALL:
		step->fn(acc, ok ? NULL : &step->err, step->arg);
		break;
	case STEP_HALT:
		break;
	case STEP_ASIDE:
		if (ok)
			stanza_free(step->st);
		else
			step_refuse(step);
		step_show_copies(acc, step, ok);
		break;
	}
	TAG_CLEAR(step);
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
		line_remove(acc, step);
		acc->line.running = step;
		step_run(acc, step);
		acc->line.running = NULL;
	}
	line_look(acc);
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
		if (step->st == NULL || !step->ready)
			continue;
		line_remove(acc, step);
		step_run(acc, step);
	}
}

/* Nobody sees any more what it would do. */
static void
step_drop(struct account *acc, struct account_step *step)
{
	if (step->kind == STEP_CALL) {
		step_run(NULL, step);
		return;
	}
	recipients_unref(acc, step->to);
	wire_unref(step->wire);
	stanza_free(step->st);
	TAG_CLEAR(step);
	free(step);
}

/* Of a step that is not ready, a callback is still to come. */
void
account_line_done(struct account *acc)
{
	struct account_step *step;

	while ((step = STAILQ_FIRST(line_steps(acc))) != NULL) {
		line_remove(acc, step);
		step_drop_copies(acc, step);
		step->account = NULL;
		if (step->ready)
			step_drop(acc, step);
	}
	while ((step = LIST_FIRST(&acc->line.asides)) != NULL) {
		LIST_REMOVE(step, aside);
		step_drop_copies(acc, step);
		step->account = NULL;
	}
}

void
step_get_ready(struct account_step *step)
{
	struct account *acc = step->account;

	step->ready = true;
	if (acc == NULL) {
		step_run(NULL, step);
	} else if (step->kind == STEP_ASIDE) {
		LIST_REMOVE(step, aside);
		step_run(acc, step);
		line_look(acc);
		entity_check_idle(&acc->e);
	} else {
		line_run(acc);
	}
}
