/*
 * sqlite_talk.c - an index of the entries of a log by the address they are with.
 *
 * On the writer's thread, but for what is found.  In the transaction of a message it
 * would be a page to write for each, and more than all the rest; so it follows
 * behind, in runs of which many go to one page (sqlite_digest.c), and who asks for
 * entries with somebody looks at those that are not digested one by one.  Invariant:
 * of the entries with a number up to log.digested each that is with somebody has a
 * row in "talk", and nothing else has one; in "peer" are the addresses of these.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

static sqlite3_stmt *
peer_stmt(struct store_db *db, enum sqlite_sql which,
	const struct sqlite_log *log, struct str with, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	if (st != NULL) {
		sqlite3_bind_int64(st, 1, log->place);
		sqlite_bind_str(st, 2, with);
	}
	return st;
}

bool
sqlite_peer_find(struct store_db *db, const struct sqlite_log *log,
	struct str with, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = peer_stmt(db, SQL_PEER_FIND, log, with, err);
	bool found;

	*out = 0;
	return st != NULL && sqlite_number(db, st, &found, out, err);
}

static bool
peer_make(struct store_db *db, struct sqlite_known *k, struct str with,
	int64_t *out, struct err *err)
{
	sqlite3_stmt *st;

	if (!sqlite_peer_find(db, &k->log, with, out, err))
		return false;
	if (*out != 0)
		return true;
	*out = ++k->log.peers;
	sqlite_known_changed(db, k);
	st = peer_stmt(db, SQL_PEER_ADD, &k->log, with, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, *out);
	return sqlite_run(db, st, err);
}

static sqlite3_stmt *
talk_stmt(struct store_db *db, enum sqlite_sql which,
	const struct sqlite_log *log, int64_t peer, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	if (st != NULL) {
		sqlite3_bind_int64(st, 1, log->place);
		sqlite3_bind_int64(st, 2, peer);
	}
	return st;
}

bool
sqlite_talk_add(struct store_db *db, struct sqlite_known *k, int64_t pos,
	struct str with, struct str words, struct err *err)
{
	sqlite3_stmt *st;
	int64_t peer = 0;

	if ((with.n != 0 && !peer_make(db, k, with, &peer, err)) ||
		!sqlite_search_add(db, k->log.place, pos, peer, words, err))
		return false;
	if (with.n == 0)
		return true;
	st = talk_stmt(db, SQL_TALK_ADD, &k->log, peer, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, pos - k->log.lo);
	return sqlite_run(db, st, err);
}

/* The address goes with the last that was with it. */
static bool
peer_tidy(struct store_db *db, const struct sqlite_log *log, struct str with,
	int64_t peer, struct err *err)
{
	sqlite3_stmt *st = talk_stmt(db, SQL_TALK_ANY, log, peer, err);
	int64_t one;
	bool found;

	if (st == NULL || !sqlite_number(db, st, &found, &one, err))
		return false;
	if (found)
		return true;
	st = peer_stmt(db, SQL_PEER_DEL, log, with, err);
	return st != NULL && sqlite_run(db, st, err);
}

static bool
talk_del(struct store_db *db, const struct sqlite_log *log, int64_t pos,
	struct str with, struct err *err)
{
	sqlite3_stmt *st;
	int64_t peer;

	if (with.n == 0)
		return true;
	if (!sqlite_peer_find(db, log, with, &peer, err))
		return false;
	st = talk_stmt(db, SQL_TALK_DEL, log, peer, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, pos - log->lo);
	return sqlite_run(db, st, err) && peer_tidy(db, log, with, peer, err);
}

bool
sqlite_talk_forget(struct store_db *db, struct sqlite_known *k, int64_t lo,
	int64_t hi, struct err *err)
{
	sqlite3_stmt *st;
	bool row = true;

	hi = MIN(hi, k->log.lo + k->log.digested);
	if (lo >= hi)
		return true;
	if (!sqlite_search_forget(db, &k->log, lo, hi, err))
		return false;
	st = sqlite_span_stmt(db, SQL_SPAN_PEERS, lo, hi, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, -1);
	while (sqlite_step(db, st, &row, err)) {
		if (!row)
			return true;
		if (!talk_del(db, &k->log, sqlite3_column_int64(st, 0),
			    sqlite_text(st, 1), err)) {
			sqlite3_reset(st);
			break;
		}
	}
	return false;
}

bool
sqlite_talk_clear(
	struct store_db *db, const struct sqlite_log *log, struct err *err)
{
	static const enum sqlite_sql which[] = { SQL_TALK_CLEAR,
		SQL_PEER_CLEAR };

	if (!sqlite_search_forget(db, log, log->lo, log->hi, err))
		return false;
	for (size_t i = 0; i < COUNT(which); i++) {
		sqlite3_stmt *st = sqlite_stmt(db, which[i], err);

		if (st == NULL)
			return false;
		sqlite3_bind_int64(st, 1, log->place);
		if (!sqlite_run(db, st, err))
			return false;
	}
	return true;
}

/* --- asking ----------------------------------------------------------------- */

/* A range in two parts. */
struct parts {
	struct sqlite_log digested, tail;
	int64_t base; /* number 0 */
	struct store_range range; /* its max: what is left of it */
	store_entry_fn fn;
	void *arg;
};

static int64_t
base_of(const struct sqlite_log *log)
{
	return log->place << SQLITE_POS_BITS;
}

static void
parts_cut(const struct sqlite_log *log, struct sqlite_log *digested,
	struct sqlite_log *tail)
{
	int64_t cut = base_of(log) + log->digested;

	*digested = *tail = *log;
	digested->hi = MIN(log->hi, cut);
	tail->lo = MAX(log->lo, cut);
}

static bool
part_pass(void *arg, const struct store_entry *e)
{
	struct parts *p = arg;

	p->range.max--;
	return p->fn(p->arg, e);
}

static sqlite3_stmt *
talk_range_stmt(struct store_db *db, const struct parts *p, int64_t peer,
	struct err *err)
{
	const struct sqlite_log *log = &p->digested;
	sqlite3_stmt *st = sqlite_stmt(db,
		p->range.backwards ? SQL_TALK_RANGE_DESC : SQL_TALK_RANGE, err);

	if (st == NULL)
		return NULL;
	sqlite3_bind_int64(st, 1, p->base);
	sqlite3_bind_int64(st, 2, log->lo - p->base);
	sqlite3_bind_int64(st, 3, log->hi - p->base);
	sqlite3_bind_int64(st, 4, log->place);
	sqlite3_bind_int64(st, 5, peer);
	sqlite3_bind_int64(st, 6, (int64_t)p->range.max + 1);
	return st;
}

static bool
digested_ask(struct store_db *db, struct parts *p, int64_t peer,
	bool *complete_out, struct err *err)
{
	const struct sqlite_log *log = &p->digested;
	struct buf text = BUF_INIT;
	sqlite3_stmt *st;
	bool ok;

	if ((p->range.with.p != NULL && peer == 0) || log->lo >= log->hi)
		return true;
	if (p->range.words.p == NULL)
		st = talk_range_stmt(db, p, peer, err);
	else
		st = sqlite_search_stmt(db,
			p->range.backwards ? SQL_SEARCH_RANGE_DESC :
					     SQL_SEARCH_RANGE,
			log, peer, p->range.words, &text, err);
	if (st != NULL && p->range.words.p != NULL)
		sqlite3_bind_int64(st, 3, (int64_t)p->range.max + 1);
	ok = st != NULL &&
		sqlite_range_pass(db, st, log, p->range.max, part_pass, p,
			complete_out, err);
	buf_done(&text);
	return ok;
}

static bool
tail_ask(struct store_db *db, struct parts *p, bool *complete_out,
	struct err *err)
{
	sqlite3_stmt *st;

	if (p->tail.lo >= p->tail.hi)
		return true;
	st = sqlite_range_stmt(db,
		p->range.backwards ? SQL_RANGE_SCAN_DESC : SQL_RANGE_SCAN,
		&p->tail, &p->range, err);
	return st != NULL &&
		sqlite_range_pass(db, st, &p->tail, p->range.max, part_pass, p,
			complete_out, err);
}

bool
sqlite_talk_range(struct store_db *db, const struct sqlite_log *log,
	const struct store_range *range, store_entry_fn fn, void *arg,
	bool *complete_out, struct err *err)
{
	struct parts p = { .base = base_of(log), .range = *range, .fn = fn,
		.arg = arg };
	int64_t peer = 0;

	parts_cut(log, &p.digested, &p.tail);
	if (range->with.p != NULL &&
		!sqlite_peer_find(db, log, range->with, &peer, err))
		return false;
	if (range->backwards)
		return tail_ask(db, &p, complete_out, err) &&
			(!*complete_out ||
				digested_ask(db, &p, peer, complete_out, err));
	return digested_ask(db, &p, peer, complete_out, err) &&
		(!*complete_out || tail_ask(db, &p, complete_out, err));
}

static bool
talk_total(struct store_db *db, const struct sqlite_log *log, int64_t peer,
	int64_t *out, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_TALK_TOTAL, err);
	int64_t base = base_of(log);
	bool found;

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 2, log->lo - base);
	sqlite3_bind_int64(st, 3, log->hi - base);
	sqlite3_bind_int64(st, 4, log->place);
	sqlite3_bind_int64(st, 5, peer);
	return sqlite_number(db, st, &found, out, err);
}

static bool
search_total(struct store_db *db, const struct sqlite_log *log, int64_t peer,
	struct str words, int64_t *out, struct err *err)
{
	struct buf text = BUF_INIT;
	sqlite3_stmt *st = sqlite_search_stmt(
		db, SQL_SEARCH_TOTAL, log, peer, words, &text, err);
	bool found, ok = st != NULL && sqlite_number(db, st, &found, out, err);

	buf_done(&text);
	return ok;
}

bool
sqlite_talk_total(struct store_db *db, const struct sqlite_log *log,
	const struct store_range *range, int64_t *out,
	struct sqlite_log *tail_out, struct err *err)
{
	struct sqlite_log digested;
	int64_t peer = 0;

	parts_cut(log, &digested, tail_out);
	*out = 0;
	if (range->with.p != NULL &&
		!sqlite_peer_find(db, log, range->with, &peer, err))
		return false;
	if (range->with.p != NULL && peer == 0)
		return true;
	return range->words.p != NULL ?
		search_total(db, &digested, peer, range->words, out, err) :
		talk_total(db, &digested, peer, out, err);
}
