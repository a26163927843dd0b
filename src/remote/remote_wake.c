/*
 * remote_wake.c - messages of the run before for another server: read when that is
 * loaded, ahead of all that comes meanwhile.
 *
 *   the index --start, before threads--> sleepers, one for each domain
 *                                          | some at a time, or who is sent to
 *                                          v
 *   the logs of all its pairs are read <-- load --> whatever comes is in its inbox
 *     |
 *     '--> each message waits, with the receipt of its entry (remote_log.c)
 *
 * They stand ahead of all else, and outlive attempts that fail (remote_last.c).
 *
 * The shard of the remote.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/store.h"
#include "core/host.h"
#include "core/server.h"
#include "core/sleepers.h"
#include "core/stored.h"

/* One read names so many. */
#define ENTRIES_MAX 1000

/* What one log has. */
struct woken {
	struct str local; /* in the arena of its waking */
	struct stanza_queue messages;
	struct VEC(uint32_t) numbers; /* of these */
	uint32_t first, last; /* of all entries; 0: there is none */
	int64_t last_us;
	unsigned damaged;
};

struct waking {
	struct entity_ref ref;
	struct shard *shard;
	struct str remote; /* in the arena */
	struct arena *arena;
	struct woken *logs; /* in the arena */
	size_t n, at;
};

/* Nobody is left who could be told. */
static void
kept_drop(struct shard *sh, struct str local, struct str remote, const char *why)
{
	struct buf name = BUF_INIT;
	struct store_tx *tx = store_tx_new();

	log_warn(LOG_ROUTER, LOG_NOBODY,
		"messages that were kept are dropped from=%.*s to=%.*s reason=\"%s\"",
		STR_ARG(local), STR_ARG(remote), why);
	store_tx_clear(tx,
		(struct store_place){ local, STR(""), log_name(&name, remote) });
	store_tx_delete(tx, server_logs_map(),
		log_index_key(&name, local, remote));
	store_tx_insist(tx);
	store_commit(sh->server->store, tx, NULL, NULL, NULL);
	buf_done(&name);
}

/* --- who has any ----------------------------------------------------------------- */

/* There is room for a power of two of them: what was there before stays in the arena. */
static bool
is_full(size_t n)
{
	return (n & (n - 1)) == 0;
}

void
remote_sleeps(struct shard *sh, struct str local, struct jid remote,
	void (*done)(struct shard *sh))
{
	struct sleeper *s = sleepers_find(sh, jid_str(remote),
		server_hash(sh->server, jid_str(remote)));
	struct store_entry *entries;
	const char *why = NULL;

	/* the streams that route() asks for are yet to come */
	if (!sh->snap->federates)
		why = "no host talks to other servers any more";
	else if (shard_host(sh, jid_domain(remote)) != NULL)
		why = "they are for a domain that is served here now";
	if (why != NULL) {
		kept_drop(sh, local, jid_str(remote), why);
		return;
	}
	if (s == NULL)
		s = sleepers_add(sh, &remote_class, remote, done);
	if (s->arena == NULL)
		s->arena = arena_new();
	if (is_full(s->n)) {
		entries = arena_zalloc(s->arena,
			MAX(2 * s->n, 1) * sizeof(*entries));
		if (s->n != 0)
			memcpy(entries, s->entries, s->n * sizeof(*entries));
		s->entries = entries;
	}
	s->entries[s->n].key = arena_str(s->arena, local);
	s->n++;
}

/* --- reading --------------------------------------------------------------------- */

static void
waking_free(struct waking *w)
{
	struct stanza *st;

	for (size_t i = 0; i < w->n; i++) {
		while ((st = STAILQ_FIRST(&w->logs[i].messages)) != NULL) {
			STAILQ_REMOVE_HEAD(&w->logs[i].messages, link);
			stanza_free(st);
		}
		vec_done(&w->logs[i].numbers);
	}
	arena_free(w->arena);
	free(w);
}

/* The clock may have been set back, or the database was edited: nothing has come later
 * than now, or it would be tried for longer than the option says. */
static int64_t
came_us(const struct waking *w, const struct store_entry *entry)
{
	return MAX(MIN(entry->wall_us, shard_wall_us(w->shard)), 1);
}

/* NULL: the database was damaged or edited. */
static struct stanza *
entry_read(const struct waking *w, const struct woken *log,
	const struct store_entry *entry)
{
	struct arena *a = arena_new();
	struct elem *e = stored_read(a, entry->value);
	enum stanza_cond cond;
	struct stanza *st = e != NULL ? stanza_from_elem(a, e, &cond) : NULL;

	if (st == NULL) {
		arena_free(a);
		return NULL;
	}
	if (st->kind == STANZA_MESSAGE && jid_is_set(st->from) &&
		jid_is_set(st->to) &&
		str_eq(jid_domain(st->from), log->local) &&
		str_eq(jid_domain(st->to), w->remote)) {
		st->away_us = came_us(w, entry);
		return st;
	}
	stanza_free(st);
	return NULL;
}

static void
woken_take(const struct waking *w, struct woken *log,
	const struct store_entry *entry)
{
	struct stanza *st = entry_read(w, log, entry);

	log->last = (uint32_t)store_id_number(entry->key);
	log->last_us = entry->wall_us;
	if (log->first == 0)
		log->first = log->last;
	if (st == NULL) {
		log->damaged++;
		return;
	}
	*vec_push(&log->numbers) = log->last;
	STAILQ_INSERT_TAIL(&log->messages, st, link);
}

static void waking_read(struct waking *w, struct str after);

static void
on_entries(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct waking *w = arg;
	struct entity *e;

	if (err != NULL || w->ref.e == NULL) {
		e = entity_ref_end(&w->ref);
		if (e != NULL)
			entity_failed(e, err);
		waking_free(w);
		return;
	}
	for (size_t i = 0; i < answer->n; i++)
		woken_take(w, &w->logs[w->at], &answer->entries[i]);
	if (answer->n != 0 && !answer->complete) {
		waking_read(w, answer->entries[answer->n - 1].key);
		return;
	}
	w->at++;
	waking_read(w, STR_NONE);
}

static void waking_done(struct waking *w);

static void
waking_read(struct waking *w, struct str after)
{
	struct buf name = BUF_INIT;

	if (w->at == w->n) {
		waking_done(w);
		return;
	}
	store_range(w->shard->server->store,
		(struct store_place){ w->logs[w->at].local, STR(""),
			log_name(&name, w->remote) },
		&(struct store_range){
			.with = STR_NONE,
			.after_id = after,
			.before_id = STR_NONE,
			.max = ENTRIES_MAX,
		},
		&w->shard->mailbox, on_entries, w);
	buf_done(&name);
}

bool
remote_wakes(struct remote *r)
{
	struct shard *sh = r->e.shard;
	const struct sleeper *s =
		sleepers_find(sh, jid_str(r->e.jid), r->e.hash);
	struct waking *w;

	if (s == NULL)
		return false;
	w = xcalloc(1, sizeof(*w));
	w->arena = arena_new();
	w->shard = sh;
	w->remote = arena_str(w->arena, jid_str(r->e.jid));
	w->n = s->n;
	w->logs = arena_zalloc(w->arena, s->n * sizeof(w->logs[0]));
	for (size_t i = 0; i < s->n; i++) {
		w->logs[i].local = arena_str(w->arena, s->entries[i].key);
		STAILQ_INIT(&w->logs[i].messages);
	}
	entity_ref(&w->ref, &r->e);
	waking_read(w, STR_NONE);
	return true;
}

/* --- woken ----------------------------------------------------------------------- */

static void
woken_wait(struct remote_pair *p, struct woken *log)
{
	struct stanza *st;
	uint32_t i = 0;

	p->log = log_new(p);
	p->log->there = true;
	p->log->last_us = log->last_us;
	log_begin_line(p->log, log->first != 0 ? log->first - 1 : 0);
	while ((st = STAILQ_FIRST(&log->messages)) != NULL) {
		STAILQ_REMOVE_HEAD(&log->messages, link);
		p->log->line.received = log->numbers.p[i++];
		receipt_give(&p->log->line, st);
		pair_add_waiting(p, st);
	}
	p->log->line.received = log->last;
}

static void
woken_log(struct waking *w, struct remote *r, struct woken *log)
{
	const char *why;
	enum stanza_cond cond = remote_judge(r, log->local, &why);
	struct remote_pair *p;

	if (log->damaged != 0)
		log_error(LOG_ROUTER, entity_who(&r->e),
			"messages that were kept cannot be read, they are skipped from=%.*s n=%u",
			STR_ARG(log->local), log->damaged);
	if (cond == COND_ITEM_NOT_FOUND) {
		kept_drop(w->shard, log->local, w->remote,
			"their domain is not served any more");
		return;
	}
	log_info(LOG_ROUTER, entity_who(&r->e),
		"messages of the run before wait from=%.*s n=%u",
		STR_ARG(log->local), log->numbers.n);
	p = pair_new(r, log->local);
	woken_wait(p, log);
	if (cond != COND_NONE)
		pair_refuse_waiting(p, cond, why);
	log_go_on(p->log);
}

static void
waking_done(struct waking *w)
{
	struct entity *e = entity_ref_end(&w->ref);
	struct remote *r = (struct remote *)(uintptr_t)e;
	struct sleeper *s = sleepers_find(w->shard, w->remote, e->hash);
	struct remote_pair *p, *next;

	remote_begin(r);
	pairs_walk(r);
	for (size_t i = 0; i < w->n; i++)
		woken_log(w, r, &w->logs[i]);
	if (s != NULL)
		sleeper_done(w->shard, s);
	waking_free(w);
	e->calls++;
	entity_loaded(e);
	for (p = LIST_FIRST(&r->pairs); p != NULL; p = next) {
		next = LIST_NEXT(p, in);
		pair_go_on(p);
	}
	e->calls--;
	pairs_walked(r);
}
