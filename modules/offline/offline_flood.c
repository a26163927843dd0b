/*
 * offline_flood.c - delivers what waits for an account.
 *
 * Owner shard of the account.
 *
 *   a session takes messages --halt--> read --> written --> deleted --> read ...
 *       --(some are in the archive)--> read there --> written
 *       --(it does not keep up)--> waiting --(it has drained, or is gone)--> read
 *       --(it falls asleep)--> go on
 *       --(the store is behind)--> a second --> read
 *       --(no more, nobody takes them, or it is not alone)--> go on
 *
 * From the moment at which a session takes messages until it has all of them,
 * the account's line is halted (account/account_line.h): what comes meanwhile does
 * not overtake, and a second session finds nothing left.  But one that does not
 * keep up holds up no other session: then the line goes on, and what is left is
 * delivered when somebody can take it.  If nobody else takes messages, what comes
 * until then is kept behind that (account_stanza.behind), for him alone while he
 * lives, whoever comes meanwhile; and else it overtakes.
 * An entry is deleted when it has been given to the stream, or, of a session that
 * counts, when its client has acknowledged it (offline_flight.c); a crash between
 * the two delivers it again, and loses nothing.  What cannot be deleted then is left
 * out until nobody takes messages any more; the account is read anew, and whoever
 * comes next gets it again.
 *
 * Who has read the archive before he was there has read there what was kept until then,
 * and is given what came since (HOOK_SESSION_READ).
 *
 * Of entries that name one in the archive, a batch is read there at once, as far
 * as it is no more than any other; the rest comes with the next batch.  One that
 * is not there any more has been moved here since the batch was read, which is read
 * again; what is not there then is left out.
 */
#include "config.h"

#include <stdio.h>

#include "offline.h"

/* What is read at once. */
#define BATCH 512
#define BATCH_BYTES ((size_t)128 * 1024)

/* The store is behind: it is asked again. */
#define AGAIN_US US_PER_S

/* One delivery of what waits. */
struct flood {
	struct backlog *backlog; /* NULL: the account has forgotten it */
	struct module_halt *halt;
	struct module_entry *entry;
	struct entity_ref account;
	struct timer retry; /* set: the store is behind */
	bool waiting; /* for a session; else for the store, or to ask it */
	bool all;       /* that there is was delivered */
	bool more;      /* is kept, since it was read */
	bool reads;     /* the store was asked */
	bool again;     /* what it answers is not in order any more */
	bool missed;    /* the archive had not all, and the batch is read again */
	bool held;      /* until nothing is being deleted */
	long long last; /* entry that was */
	struct arena *arena; /* of the batch; NULL: there is none */
	struct store_answer batch; /* while the archive is read */
	size_t n_asked;            /* of it */
};

static void flood_read(struct module_ctx *m, struct account *acc,
	struct flood *f);

static void
flood_end(struct flood *f)
{
	struct module_halt *halt = f->halt;

	if (f->backlog != NULL) {
		f->backlog->flood = NULL;
		offline_forget_gone(f->backlog);
	}
	shard_timer_cancel(f->account.shard, &f->retry);
	entity_ref_end(&f->account);
	arena_free(f->arena);
	free(f);
	module_go_on(halt);
}

/* NULL, and f has ended, when the account or the module is not there any more,
 * or is about to go: what is written now would outlive it. */
static struct module_ctx *
flood_find(struct flood *f, struct account **acc_out)
{
	struct account *acc = account_if(f->account.e);
	struct host *host;
	struct module_ctx *m = NULL;

	if (f->backlog != NULL && acc != NULL && !acc->removing) {
		*acc_out = acc;
		host = account_host(acc);
		m = host != NULL ? module_at_host(host, f->entry) : NULL;
	}
	if (m == NULL)
		flood_end(f);
	return m;
}

static bool
has_taker(const struct account *acc)
{
	const struct session *s = acc->sessions;

	while (s != NULL && !session_takes_messages(s))
		s = s->next;
	return s != NULL;
}

/* One that sleeps may do so for long, and what waits in line for it is that of
 * others, too. */
static bool
has_taker_awake(const struct account *acc)
{
	const struct session *s = acc->sessions;

	while (s != NULL && (!session_takes_messages(s) ||
			s->state != SESSION_ATTACHED))
		s = s->next;
	return s != NULL;
}

static size_t
sessions_awake(const struct account *acc)
{
	size_t n = 0;

	for (const struct session *s = acc->sessions; s != NULL; s = s->next)
		n += s->state == SESSION_ATTACHED;
	return n;
}

/* The first who takes messages, and keeps up. */
static struct session *
flood_reader(const struct account *acc)
{
	struct session *s = acc->sessions;

	while (s != NULL && (!session_takes_messages(s) || session_is_full(s)))
		s = s->next;
	return s;
}

/* What would be in the queue of another by now, did it not stand behind what was
 * kept, is his, however full it is. */
static struct session *
entry_reader(const struct account *acc, const struct store_entry *entry)
{
	struct session *s = offline_whom(acc, entry);

	return s != NULL ? s : flood_reader(acc);
}

/* What was read is delivered, and deleted if that could be. */
static void
flood_go_on(struct module_ctx *m, struct account *acc, struct flood *f)
{
	bool full = flood_reader(acc) == NULL;

	if (f->all || !has_taker(acc) ||
		(full && (sessions_awake(acc) > 1 || !has_taker_awake(acc))))
		flood_end(f);
	else if (full)
		f->waiting = true; /* the client has to read before that */
	else
		flood_read(m, acc, f);
}

static void
on_deleted(void *arg, bool ok, const struct err *err)
{
	struct flood *f = arg;
	struct account *acc = NULL;
	struct module_ctx *m = flood_find(f, &acc);

	if (!ok && err->code != ERR_DISK)
		offline_log_undeleted(acc, err);
	if (m == NULL)
		return;
	if (!ok)
		f->backlog->given = f->last;
	flood_go_on(m, acc, f);
}

/* What the senders of n entries have left, each written once. */
static void
shares_write(struct store_tx *tx, struct account *acc, const struct backlog *b,
	const struct store_entry *entries, size_t n)
{
	struct quotas *written = NULL;

	if (b->n == 0) {
		store_tx_clear(tx, account_place(acc, MAP_SHARES));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct str sender = offline_sender(&entries[i]);

		if (sender.n == 0 || quotas_get(written, sender).n != 0)
			continue;
		quotas_more(&written, sender, 0, false);
		offline_share_write(tx, acc, b, sender);
	}
	quotas_free(&written);
}

/* What is over of a batch. */
struct over {
	const struct store_entry *entries[BATCH];
	int64_t numbers[BATCH];
	size_t n;
};

static void
over_add(struct over *over, const struct store_entry *e, int64_t number)
{
	over->entries[over->n] = e;
	over->numbers[over->n++] = number;
}

/* Entries up to the first for which there is nobody, or which nobody has looked
 * for; how many that is. */
static size_t
flood_write_batch(struct account *acc, struct backlog *b,
	const struct store_answer *batch, const struct store_answer *found,
	struct over *over)
{
	struct int64_list not_again = offline_not_again(acc, b);
	enum written w = WRITTEN;
	size_t i, next = 0;

	for (i = 0; i < batch->n; i++) {
		const struct store_entry *e = &batch->entries[i];
		struct session *s = entry_reader(acc, e);
		long long number = 0;

		str_to_int(e->key, 1, INT64_MAX, &number);
		if (int64_list_has(&not_again, number)) {
			offline_find_archived(e, found, &next);
		} else if (offline_was_read(s, e)) {
			offline_find_archived(e, found, &next);
			over_add(over, e, number);
		} else {
			w = s != NULL ? offline_write(s, e, number, found,
						&next) :
					NOT_WRITTEN;
			if (w == NOT_WRITTEN)
				break;
			if (w == GIVEN)
				offline_give(b, s->id, e, number);
			else
				over_add(over, e, number);
		}
		b->read = number;
	}
	vec_done(&not_again);
	return i;
}

/* All that there is was given to somebody. */
static void
flood_count_all(const struct account *acc, struct backlog *b)
{
	b->n = offline_in_flight(acc); /* whatever was counted */
	if (b->n == 0)
		backlog_is_empty(b);
}

/* Nothing else was given: they go as one; but not behind what could not be
 * deleted. */
static void
flood_delete(struct module_ctx *m, struct account *acc, struct flood *f,
	const struct store_answer *batch, const struct over *over)
{
	const struct store_entry *e = batch->entries;
	struct backlog *b = f->backlog;
	struct store_tx *tx;

	for (size_t i = 0; i < over->n; i++)
		backlog_less(b, offline_sender(&e[i]), e[i].value.n);
	if (f->all)
		flood_count_all(acc, b);
	offline_look(acc, b);
	b->read = 0;
	f->last = over->numbers[over->n - 1];
	if (b->given != 0) {
		b->given = MAX(b->given, f->last);
		flood_go_on(m, acc, f);
		return;
	}
	tx = store_tx_new();
	shares_write(tx, acc, b, e, over->n);
	store_tx_trim_to(tx, account_place(acc, LOG_OFFLINE),
		e[over->n - 1].key);
	store_tx_insist(tx); /* they are delivered */
	module_commit(m, acc->e.shard, tx, on_deleted, f);
}

/* found: in the archive. */
static void
flood_deliver(struct module_ctx *m, struct account *acc, struct flood *f,
	const struct store_answer *batch, const struct store_answer *found)
{
	struct backlog *b = f->backlog;
	struct over over = { .n = 0 };
	size_t n;

	f->reads = false;
	n = f->again ? 0 : flood_write_batch(acc, b, batch, found, &over);
	f->all = !f->again && n == batch->n && batch->complete && !f->more;
	offline_forget_gone(b);
	if (n != 0 && over.n == n && offline_in_flight(acc) == 0 &&
		!offline_is_deleting(b)) {
		flood_delete(m, acc, f, batch, &over);
	} else {
		/* whose they are is known while they are given */
		for (size_t i = 0; i < over.n; i++)
			offline_give(b, 0, over.entries[i], over.numbers[i]);
		if (over.n != 0)
			offline_over(m, acc, over.numbers, over.n);
		if (f->all)
			flood_count_all(acc, b);
		offline_look(acc, b);
		flood_go_on(m, acc, f);
	}
}

static void
on_retry(struct timer *t)
{
	struct flood *f = CONTAINER_OF(t, struct flood, retry);
	struct account *acc;
	struct module_ctx *m = flood_find(f, &acc);

	if (m != NULL)
		flood_go_on(m, acc, f);
}

void
offline_flood_asleep(struct module_ctx *m, struct account *acc)
{
	struct backlog *b = module_entity_state(m, &acc->e);
	struct flood *f = b->flood;

	if (f == NULL || !f->waiting)
		return;
	f->waiting = false;
	/* not from within a hook of a session that it may end */
	shard_timer(acc->e.shard, &f->retry, 0, on_retry);
}

/* True: it was read.  Else it is asked again, or the flood is over. */
static bool
flood_was_read(struct flood *f, const struct err *err)
{
	if (err == NULL)
		return true;
	if (err->code == ERR_BUSY) {
		shard_timer(f->account.shard, &f->retry, AGAIN_US, on_retry);
		return false;
	}
	if (log_limit_ok(&f->account.shard->storage, LOG_STORE))
		log_error(LOG_STORE, LOG_NOBODY,
			"kept messages cannot be read account=%.*s reason=\"%s\"",
			STR_ARG(jid_str(f->account.e->jid)), err->text);
	/* what comes is not to wait for it */
	account_of(f->account.e)->backlog = false;
	flood_end(f);
	return false;
}

static void
on_archived(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct flood *f = arg;
	struct account *acc;
	struct module_ctx *m = flood_find(f, &acc);

	if (m == NULL || !flood_was_read(f, err))
		return;
	f->missed = !f->missed && answer->complete && answer->n < f->n_asked;
	f->again |= f->missed;
	flood_deliver(m, acc, f, &f->batch, answer);
}

static void
flood_keep_batch(struct flood *f, const struct store_answer *answer)
{
	struct store_entry *e;

	f->arena = arena_new();
	e = arena_alloc(f->arena, answer->n * sizeof(*e));
	for (size_t i = 0; i < answer->n; i++) {
		e[i] = answer->entries[i];
		e[i].key = arena_str(f->arena, e[i].key);
		e[i].value = arena_str(f->arena, e[i].value);
		e[i].with = arena_str(f->arena, e[i].with);
	}
	f->batch = *answer;
	f->batch.entries = e;
}

static void
flood_read_archive(struct module_ctx *m, struct account *acc, struct flood *f)
{
	struct str ids[BATCH];
	size_t n = 0;

	for (size_t i = 0; i < f->batch.n; i++) {
		if (offline_is_archived(&f->batch.entries[i]))
			ids[n++] = f->batch.entries[i].value;
	}
	f->n_asked = n;
	module_get_entries(m, acc->e.shard, account_place(acc, LOG_ARCHIVE), ids, n,
		BATCH_BYTES, on_archived, f);
}

static bool
has_archived(const struct store_answer *answer)
{
	size_t i = 0;

	while (i < answer->n && !offline_is_archived(&answer->entries[i]))
		i++;
	return i < answer->n;
}

static void
on_batch(void *arg, const struct store_answer *answer, const struct err *err)
{
	static const struct store_answer none = { .complete = true };
	struct flood *f = arg;
	struct account *acc;
	struct module_ctx *m = flood_find(f, &acc);

	if (m == NULL)
		return;
	/* the entry behind which it was asked for may be gone, too */
	if (f->again && err != NULL && err->code == ERR_MISSING)
		answer = &none;
	else if (!flood_was_read(f, err))
		return;
	if (!has_archived(answer)) {
		flood_deliver(m, acc, f, answer, &none);
		return;
	}
	flood_keep_batch(f, answer);
	flood_read_archive(m, acc, f);
}

static void
flood_read(struct module_ctx *m, struct account *acc, struct flood *f)
{
	struct store_range range = { .max = BATCH, .max_bytes = BATCH_BYTES };
	struct backlog *b = f->backlog;
	char after[24];

	arena_free(f->arena);
	f->arena = NULL;
	f->held = offline_is_deleting(b);
	if (f->held)
		return;
	f->reads = true;
	f->more = f->again = false;
	snprintf(after, sizeof(after), "%lld", MAX((long long)b->read, b->given));
	if (b->read != 0 || b->given != 0)
		range.after_id = str_c(after);
	module_range(m, acc->e.shard, account_place(acc, LOG_OFFLINE), &range,
		on_batch, f);
}

void
offline_flood_begin(struct module_ctx *m, struct account *acc)
{
	struct backlog *b = module_entity_state(m, &acc->e);
	struct flood *f;

	if (b->flood != NULL || !offline_look(acc, b) ||
		flood_reader(acc) == NULL)
		return;
	f = xcalloc(1, sizeof(*f));
	f->backlog = b;
	f->halt = module_halt(m, acc);
	f->entry = m->entry;
	entity_ref(&f->account, &acc->e);
	b->flood = f;
	flood_read(m, acc, f);
}

/* What was asked for does not hold it: it is stored behind this call. */
void
offline_flood_more(struct module_ctx *m, struct account *acc)
{
	struct backlog *b = module_entity_state(m, &acc->e);

	offline_flood_begin(m, acc);
	if (b->flood != NULL) {
		b->flood->more = true;
		b->flood->all = false;
	}
}

void
offline_flood_go_on(struct module_ctx *m, struct account *acc)
{
	struct backlog *b = module_entity_state(m, &acc->e);

	if (b->flood == NULL && (b->given != 0 || offline_has_stuck(b)) &&
		!has_taker(acc)) {
		account_reload(acc);
	} else if (b->flood == NULL) {
		offline_flood_begin(m, acc);
	} else if (b->flood->waiting) {
		b->flood->waiting = false;
		flood_read(m, acc, b->flood);
	}
}

/* What the store was asked for ends the flood when it is answered. */
void
offline_flood_forget(struct backlog *b)
{
	struct flood *f = b->flood;

	if (f == NULL)
		return;
	f->backlog = NULL;
	if (f->waiting || f->held || timer_is_set(&f->retry))
		flood_end(f);
}

bool
offline_flood_is_reading(const struct backlog *b)
{
	return b->flood != NULL && b->flood->reads;
}

void
offline_flood_again(struct backlog *b)
{
	if (b->flood != NULL)
		b->flood->again = true;
}

void
offline_flood_deleted(struct module_ctx *m, struct account *acc)
{
	const struct backlog *b = module_entity_state(m, &acc->e);

	if (b->flood == NULL || !b->flood->held)
		return;
	b->flood->held = false;
	flood_go_on(m, acc, b->flood);
}
