/*
 * remote_log.c - what is under way to another server, how long it holds the receipts
 * of those who have sent it, and the log that lets go of them.
 *
 *   it comes --> held --acknowledged, written by a link that does not count,
 *                 |     or answered--------------------------------> freed
 *                 | a look, each second: was it there at the one before?
 *                 v
 *               appended to the log; once that is durable, their senders' receipts are
 *               let go.  Only messages hold any.
 *
 * A message in the log holds a receipt of the pair's own line, whose number is that
 * of its entry: so freeing it, wherever, or telling its sender what has become of it,
 * is all there is to do; the log is trimmed up to where all have come home.
 *
 * The index of all logs is one map of the server, "LOCAL REMOTE".
 *
 * The shard of the remote.  Invariants: of the messages under way, in order, a first
 * part is in the log; one transaction is under way at a time; a receipt is held for
 * two seconds, and for what the disk takes.  A link that answers within one costs
 * nothing but a timer.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/store.h"
#include "core/receipt.h"
#include "core/server.h"
#include "core/stored.h"

#define LOOK_US US_PER_S
/* One transaction has so much, and ends with the entry that reaches it. */
#define WRITE_BYTES ((size_t)1 << 20)

/* Whoever sent what became this entry. */
struct log_held {
	uint32_t number;
	struct receipt *receipt; /* or NULL */
};

/* A transaction that is under way. */
struct log_write {
	struct remote_log *log; /* NULL: it has gone */
	struct VEC(struct log_held) held;
	uint32_t trims_to;
	bool clears; /* nothing is left behind it */
};

/* --- what is under way ----------------------------------------------------------- */

/* fn(arg, st) for each stanza that is under way, in order, until it is false, which is
 * answered then: it may change the receipt of st, and nothing else. */
static bool
pair_each(struct remote_pair *p, stanza_fn fn, void *arg)
{
	struct stanza *st;

	if (p->link != NULL && !link_each(p->link, fn, arg))
		return false;
	if (p->kept != NULL && !link_kept_each(p->kept, fn, arg))
		return false;
	STAILQ_FOREACH (st, &p->waiting, link)
		if (!fn(arg, st))
			return false;
	return true;
}

static bool
is_under_way(const struct remote_pair *p)
{
	size_t bytes;

	return pair_waits(p) ||
		(p->link != NULL && (p->link->n_waiting != 0 ||
				link_unacked(p->link, &bytes) != 0));
}

static bool
count_one(void *arg, struct stanza *st)
{
	size_t *n = arg;

	(void)st;
	(*n)++;
	return true;
}

/* Those that were there at the look before: the last ones have come since. */
static size_t
count_old(struct remote_pair *p)
{
	size_t n = 0;

	pair_each(p, count_one, &n);
	return n > p->n_came ? n - p->n_came : 0;
}

/* --- writing --------------------------------------------------------------------- */

struct str
log_name(struct buf *out, struct str remote)
{
	out->n = 0;
	buf_printf(out, LOG_NAME "%.*s", STR_ARG(remote));
	return buf_str(out);
}

struct str
log_index_key(struct buf *out, struct str local, struct str remote)
{
	out->n = 0;
	buf_printf(out, "%.*s %.*s", STR_ARG(local), STR_ARG(remote));
	return buf_str(out);
}

bool
log_is_for(const struct stanza *st)
{
	return st->kind == STANZA_MESSAGE && st->type != MESSAGE_ERROR &&
		!stanza_has_hint(st, "no-store");
}

static struct remote_log *
log_get(struct remote_pair *p)
{
	if (p->log == NULL)
		p->log = log_new(p);
	return p->log;
}

static bool
is_logged(const struct remote_log *log, const struct stanza *st)
{
	uint32_t number;

	return log != NULL && receipt_is_of(&log->line, st, &number);
}

struct append {
	struct remote_log *log;
	struct log_write *write;
	struct store_tx *tx;
	struct store_place at;
	struct buf text; /* of one */
};

/* Times do not go back from one number to the next (store_tx_append_at()). */
static int64_t
entry_us(struct remote_log *log)
{
	log->last_us = MAX(log->last_us, shard_wall_us(pair_shard(log->pair)));
	return log->last_us;
}

static bool
append_one(void *arg, struct stanza *st)
{
	struct append *a = arg;
	struct remote_log *log = a->log;
	char id[STORE_ID_SIZE];

	if (!log_is_for(st) || is_logged(log, st))
		return true;
	if (log->due == 0 || store_tx_bytes(a->tx) >= WRITE_BYTES)
		return false;
	log->due--;
	receipt_line_next(&log->line);
	*vec_push(&a->write->held) = (struct log_held){
		log->line.received, st->receipt };
	st->receipt = NULL;
	receipt_give(&log->line, st);
	a->text.n = 0;
	stored_write(&a->text, st->root);
	store_tx_append_at(a->tx, a->at,
		store_id_make(log->line.received, STR(""), id), entry_us(log),
		STR(""), buf_str(&a->text));
	return true;
}

/* The rest of what is due, as much as goes into one transaction. */
static void
log_append(struct append *a)
{
	if (pair_each(a->log->pair, append_one, a))
		a->log->due = 0; /* it has gone meanwhile */
	buf_done(&a->text);
}

/* What nobody waits for any more.  False: there is no such thing. */
static bool
log_trim(struct append *a, struct str key)
{
	struct remote_log *log = a->log;
	struct log_write *w = a->write;
	char id[STORE_ID_SIZE];

	w->trims_to = receipt_line_handled(&log->line);
	w->clears = log->line.n_out == 0;
	if (w->clears) {
		store_tx_clear(a->tx, a->at);
		store_tx_delete(a->tx, server_logs_map(), key);
		return log->there || log->anew;
	}
	if (log->anew || w->trims_to == log->trimmed)
		return false;
	store_tx_trim_to(a->tx, a->at,
		store_id_make(w->trims_to, STR(""), id));
	return true;
}

static void log_settle(struct remote_pair *p);
static void on_written(void *arg, bool ok, const struct err *err);

void
log_go_on(struct remote_log *log)
{
	struct shard *sh = pair_shard(log->pair);
	struct str local = pair_local(log->pair);
	struct str remote = remote_pair_domain(log->pair);
	struct buf name = BUF_INIT, key = BUF_INIT;
	struct append a = { .log = log, .text = BUF_INIT };
	bool any;

	if (log->write != NULL)
		return;
	a.write = xcalloc(1, sizeof(*a.write));
	a.write->log = log;
	a.tx = store_tx_new();
	a.at = (struct store_place){ local, STR(""), log_name(&name, remote) };
	if (log->anew)
		store_tx_clear(a.tx, a.at);
	log_append(&a);
	any = a.write->held.n != 0;
	if (any && (!log->there || log->anew))
		store_tx_set(a.tx, server_logs_map(),
			log_index_key(&key, local, remote), STR("1"));
	any = log_trim(&a, log_index_key(&key, local, remote)) || any;
	if (any) {
		log->write = a.write;
		store_tx_insist(a.tx);
		store_commit(sh->server->store, a.tx, &sh->mailbox, on_written,
			a.write);
	} else {
		store_tx_free(a.tx);
		free(a.write);
	}
	buf_done(&name);
	buf_done(&key);
}

/* --- what has become of it ------------------------------------------------------- */

static void
write_free(struct log_write *w)
{
	for (uint32_t i = 0; i < w->held.n; i++)
		receipt_unref(w->held.p[i].receipt);
	vec_done(&w->held);
	free(w);
}

static void
log_written(struct remote_log *log, const struct log_write *w)
{
	log->there = !w->clears;
	log->anew = false;
	log->trimmed = w->trims_to;
	if (w->clears)
		log->line.received = log->trimmed = 0;
}

struct give_back {
	struct remote_log *log;
	struct log_write *write;
	uint32_t at; /* of those held */
	bool last;   /* those before stay in the log */
};

/* As it was before: it holds its sender's receipt, or none. */
static bool
give_back_one(void *arg, struct stanza *st)
{
	struct give_back *g = arg;
	struct log_write *w = g->write;
	uint32_t number;

	if (!receipt_is_of(&g->log->line, st, &number))
		return true;
	if (g->last && (w->held.n == 0 || number < w->held.p[0].number))
		return true;
	receipt_let_go(st);
	g->log->due++;
	/* both in order; of those held some have been freed */
	while (g->at < w->held.n && w->held.p[g->at].number < number)
		g->at++;
	if (g->at < w->held.n && w->held.p[g->at].number == number) {
		st->receipt = w->held.p[g->at].receipt;
		w->held.p[g->at].receipt = NULL;
	}
	return true;
}

/* The server stops: those whose entries these are can still be told. */
static void
log_failed_at_last(struct remote_log *log, struct log_write *w)
{
	struct give_back g = { .log = log, .write = w, .last = true };

	pair_each(log->pair, give_back_one, &g);
	log->due = 0;
	pair_stop_failed(log->pair);
}

/* Maybe it was done after all.  So all is written once more, and under numbers of which
 * none has been used. */
static void
log_failed(struct remote_log *log, struct log_write *w, const struct err *err)
{
	struct remote_pair *p = log->pair;
	struct shard *sh = pair_shard(p);
	struct give_back g = { .log = log, .write = w };

	if (err->code != ERR_DISK && log_limit_ok(&sh->storage, LOG_ROUTER))
		log_error(LOG_ROUTER, entity_who(&p->remote->e),
			"what waits cannot be stored, trying again from=%.*s reason=\"%s\"",
			STR_ARG(pair_local(p)), err->text);
	log->due = 0;
	pair_each(p, give_back_one, &g);
	log_begin_line(log, 0);
	log->anew = true;
	p->look_us = sh->now_us + LOOK_US;
}

static void
on_written(void *arg, bool ok, const struct err *err)
{
	struct log_write *w = arg;
	struct remote_log *log = w->log;
	struct remote_pair *p;

	if (log == NULL) {
		write_free(w);
		return;
	}
	p = log->pair;
	log->write = NULL;
	if (ok)
		log_written(log, w);
	else if (pair_stops(p))
		log_failed_at_last(log, w);
	else
		log_failed(log, w, err);
	write_free(w);
	if (ok)
		log_go_on(log);
	if (pair_stops(p))
		pair_stop_go_on(p);
	log_settle(p);
}

/* --- its time -------------------------------------------------------------------- */

static void
on_moved(struct turn_end *t)
{
	struct remote_log *log = CONTAINER_OF(t, struct remote_log, line.moved);

	if (!log->anew)
		log_go_on(log);
	log_settle(log->pair);
}

void
log_begin_line(struct remote_log *log, uint32_t received)
{
	if (log->line.home != NULL)
		receipt_line_end(&log->line);
	receipt_line_begin(&log->line, pair_shard(log->pair), received,
		on_moved);
	log->trimmed = received;
}

struct remote_log *
log_new(struct remote_pair *p)
{
	struct remote_log *log = xcalloc(1, sizeof(*log));

	log->pair = p;
	log_begin_line(log, 0);
	return log;
}

bool
log_has(const struct remote_pair *p, const struct stanza *st)
{
	return is_logged(p->log, st);
}

static void
log_free(struct remote_log *log)
{
	log->pair->log = NULL;
	if (log->write != NULL)
		log->write->log = NULL;
	receipt_line_end(&log->line);
	free(log);
}

void
log_done(struct remote_pair *p)
{
	if (p->log != NULL)
		log_free(p->log);
}

static void
log_settle(struct remote_pair *p)
{
	const struct remote_log *log = p->log;

	if (log != NULL && log->write == NULL && log->line.n_out == 0 &&
		!log->there && !log->anew && log->due == 0)
		log_free(p->log);
	pair_settle(p);
}

/* --- looks ----------------------------------------------------------------------- */

void
log_came(struct remote_pair *p, bool receipt)
{
	p->n_came++;
	if (!receipt || p->look_us != 0 || !is_under_way(p))
		return;
	p->n_came = 1;
	p->look_us = pair_shard(p)->now_us + LOOK_US;
	pair_settle(p);
}

struct look {
	const struct remote_log *log;
	size_t n_old;    /* that are left */
	size_t messages; /* old ones that are not in the log */
	size_t due;      /* of those, up to the last one that holds a receipt */
	bool keeps;      /* messages are to be in the log */
	bool holds;      /* others do */
};

static bool
look_at_one(void *arg, struct stanza *st)
{
	struct look *look = arg;
	bool old = look->n_old != 0;

	if (is_logged(look->log, st)) {
		look->n_old -= old;
		return true;
	}
	if (!old) {
		look->holds = look->holds || st->receipt != NULL;
		return !look->holds;
	}
	look->n_old--;
	if (log_is_for(st) && look->keeps) {
		look->messages++;
		if (st->receipt != NULL)
			look->due = look->messages;
	} else {
		receipt_let_go(st);
	}
	return true;
}

/* While the store takes nothing, they are held: what it takes later is not lost. */
void
log_look(struct remote_pair *p)
{
	struct shard *sh = pair_shard(p);
	struct look look = {
		.log = p->log,
		.n_old = count_old(p),
		.keeps = remote_conf(p->remote)->keep_us != 0,
	};
	bool takes = store_takes_writes(sh->server->store) &&
		!store_is_behind(sh->server->store);

	pair_each(p, look_at_one, &look);
	p->n_came = 0;
	if (takes && (look.due != 0 || (p->log != NULL && p->log->anew))) {
		struct remote_log *log = log_get(p);

		log->due = MAX(log->due, look.due);
		log_go_on(log);
		look.due = 0;
	}
	p->look_us = look.holds || look.due != 0 ||
			(p->log != NULL && p->log->anew &&
				p->log->write == NULL) ?
		sh->now_us + LOOK_US :
		0;
}

void
log_write_all(struct remote_pair *p)
{
	struct look look = {
		.log = p->log,
		.n_old = SIZE_MAX,
		.keeps = true,
	};

	pair_each(p, look_at_one, &look);
	p->look_us = 0;
	if (look.messages == 0 && (p->log == NULL || !p->log->anew))
		return;
	log_get(p)->due = look.messages;
	log_go_on(p->log);
}
