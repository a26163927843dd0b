/*
 * sessions_stop.c - sessions that are sent to sleep when the server stops, and
 * written.
 *
 * Owner shard.  Invariant: a session that has been handed to the store is in memory
 * no more, so that nothing comes to it that would be lost.
 */
#include "config.h"

#include "account/sessions_stop.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/tag.h"
#include "base/vec.h"
#include "core/host.h"
#include "core/shard.h"
#include "core/sleepers.h"
#include "account/account_int.h"
#include "account/requests.h"
#include "account/session.h"
#include "account/session_bulk.h"
#include "account/session_out.h"
#include "account/session_quiet.h"
#include "account/session_save.h"

/* What the sessions of one account may take: it is read again as a whole, and one
 * of them is one value (STORE_VALUE_MAX, STORE_ANSWER_MAX).  Written, a stanza
 * takes less than it does in memory, and an attribute or two. */
#define ACCOUNT_BYTES_MAX ((size_t)32 << 20)
/* Of one transaction, and how many of them are under way. */
#define BATCH_BYTES ((size_t)1 << 20)
#define BATCHES_MAX 2

/* Hashes of accounts: entities come and go while they are looked at. */
struct crowd_of_accounts VEC(uint64_t);

static void
accounts_gather(struct shard *sh, struct crowd_of_accounts *out)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		if (account_if(e) != NULL && account_of(e)->sessions != NULL)
			*vec_push(out) = e->hash;
	}
}

/* The account with this hash that has sessions, NULL when it has none left. */
static struct account *
account_with(struct shard *sh, uint64_t hash)
{
	size_t at = table_start(&sh->entities, hash);
	struct entity *e;

	do
		e = table_next(&sh->entities, hash, &at);
	while (e != NULL &&
		(account_if(e) == NULL || account_of(e)->sessions == NULL));
	return account_if(e);
}

/* --- asleep ----------------------------------------------------------------- */

/* Is there anything of it after a restart? */
static bool
account_stays(const struct account *acc)
{
	return acc->exists && !acc->anonymous && !acc->removing;
}

static struct session *
attached_session(const struct account *acc)
{
	struct session *s = acc->sessions;

	while (s != NULL && s->state != SESSION_ATTACHED)
		s = s->next;
	return s;
}

static void
session_stop(struct session *s)
{
	struct session_sleep how;

	(void)session_leaves(s, false);
	if (s->left || s->ops->leave == NULL || !account_stays(s->account) ||
		!session_may_sleep(s, &how)) {
		session_close(s, STREAM_SYSTEM_SHUTDOWN, NULL);
		return;
	}
	s->ops->leave(s->stream);
	requests_stop(s);
	session_fall_asleep(s, &how);
}

/* Those that sleep have nobody to hear a last word; but what waits for their clients is
 * answered, since that is what remains of it. */
static void
sleepers_stop(const struct account *acc)
{
	struct session *s;

	for (s = acc->sessions; s != NULL; s = s->next) {
		if (s->state != SESSION_ASLEEP)
			continue;
		requests_stop(s);
		(void)session_leaves(s, false);
	}
}

static size_t
session_bytes(const struct session *s)
{
	uint32_t n;

	return s->out != NULL ? s->out->waiting_bytes + s->out->kept_bytes +
			session_bulk_bytes(s, &n) +
			session_quiet_bytes(s, &n) :
				0;
}

/* The one with the most, if it is too much for them all; none that ends. */
static struct session *
session_too_large(const struct account *acc)
{
	struct session *s = acc->sessions, *most = NULL;
	size_t bytes = 0;

	for (; s != NULL; s = s->next) {
		if (session_ends(s))
			continue;
		bytes += session_bytes(s);
		if (most == NULL || session_bytes(s) > session_bytes(most))
			most = s;
	}
	return bytes > ACCOUNT_BYTES_MAX || !account_stays(acc) ? most : NULL;
}

void
sessions_sleep(struct shard *sh)
{
	struct crowd_of_accounts all = { .n = 0 };
	struct account *acc;
	struct session *s;

	ASSERT_ON(sh);
	sleepers_rest(sh);
	accounts_gather(sh, &all);
	for (size_t i = 0; i < all.n; i++) {
		if ((acc = account_with(sh, all.p[i])) != NULL)
			sleepers_stop(acc);
		while ((acc = account_with(sh, all.p[i])) != NULL &&
			(s = attached_session(acc)) != NULL)
			session_stop(s);
		while ((acc = account_with(sh, all.p[i])) != NULL &&
			(s = session_too_large(acc)) != NULL)
			session_close(s, STREAM_SYSTEM_SHUTDOWN, NULL);
	}
	vec_done(&all);
}

/* --- written ---------------------------------------------------------------- */

struct writer {
	uint32_t tag;
	struct shard *shard;
	struct crowd_of_accounts all;
	size_t at; /* whose turn it is */
	unsigned batches;
	bool rest; /* that of the sleepers was written */
	struct buf text;
	struct sessions_saved n;
	int64_t until_us;
	void (*done)(struct shard *sh, const struct sessions_saved *n,
		void *arg);
	void *arg;
};

struct batch {
	struct writer *writer;
	struct store_tx *tx;
	uint64_t n; /* sessions */
};

static void
batch_session(struct batch *b, const struct account *acc, struct session *s)
{
	struct writer *w = b->writer;

	w->text.n = 0;
	session_save(s, str_c(w->shard->server->stop_mark), &w->text);
	if (w->text.n > STORE_VALUE_MAX) {
		w->n.lost++;
		return;
	}
	store_tx_set(b->tx, account_place(acc, MAP_SESSIONS),
		session_resource(s), buf_str(&w->text));
	b->n++;
}

/* All are written before one of them goes, for what they share says so. */
static void
batch_account(struct batch *b, struct account *acc)
{
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = s->next) {
		if (s->state == SESSION_ASLEEP)
			batch_session(b, acc, s);
	}
	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (s->state == SESSION_ASLEEP)
			session_free(s);
	}
	entity_check_idle(&acc->e);
}

/* What is in memory alone, since it could not be restored yet, goes back. */
static void
batch_sleepers(struct batch *b)
{
	struct sleepers *all = b->writer->shard->sleepers;
	struct table_walk walk;
	struct sleeper *s;

	b->writer->rest = true;
	if (all == NULL)
		return;
	walk = table_walk(&all->all);
	while ((s = table_step(&all->all, &walk)) != NULL) {
		if (s->class != &account_class)
			continue;
		for (size_t i = 0; i < s->n; i++)
			store_tx_set(b->tx,
				(struct store_place){ jid_domain(s->jid),
					jid_local(s->jid), STR(MAP_SESSIONS) },
				s->entries[i].key, s->entries[i].value);
		b->n += s->n;
		s->n = 0;
	}
}

static void writer_go_on(struct writer *w);

static void
on_batch(void *arg, bool ok, const struct err *err)
{
	struct batch b = *(struct batch *)arg;

	(void)err; /* the store has said that the disk takes nothing */
	free(arg);
	TAG_CHECK(b.writer, "sawr");
	b.writer->batches--;
	if (ok)
		b.writer->n.saved += b.n;
	else
		b.writer->n.lost += b.n;
	writer_go_on(b.writer);
}

static void
writer_batch(struct writer *w)
{
	struct batch *b = xcalloc(1, sizeof(*b));
	struct account *acc;

	b->writer = w;
	b->tx = store_tx_new();
	store_tx_set(b->tx, server_map(), STR(KEY_STOP),
		str_c(w->shard->server->stop_mark));
	while (w->at < w->all.n && store_tx_bytes(b->tx) < BATCH_BYTES) {
		acc = account_with(w->shard, w->all.p[w->at++]);
		if (acc != NULL)
			batch_account(b, acc);
	}
	if (w->at == w->all.n && !w->rest)
		batch_sleepers(b);
	if (b->n == 0) {
		store_tx_free(b->tx);
		free(b);
		return;
	}
	store_tx_insist(b->tx);
	w->batches++;
	shard_commit(w->shard, b->tx, on_batch, b);
}

/* There is no time for them: gone without a word, as by a crash. */
static void
writer_drop(struct writer *w)
{
	struct account *acc;

	for (; w->at < w->all.n; w->at++) {
		while ((acc = account_with(w->shard, w->all.p[w->at])) !=
			NULL) {
			session_free(acc->sessions);
			w->n.lost++;
		}
	}
}

static void
writer_end(struct writer *w)
{
	w->done(w->shard, &w->n, w->arg);
	vec_done(&w->all);
	buf_done(&w->text);
	TAG_CLEAR(w);
	free(w);
}

static void
writer_go_on(struct writer *w)
{
	if (w->shard->now_us >= w->until_us)
		writer_drop(w);
	while (w->batches < BATCHES_MAX && (w->at < w->all.n || !w->rest))
		writer_batch(w);
	if (w->batches == 0)
		writer_end(w);
}

static void
on_begin(struct shard *sh, void *arg)
{
	(void)sh;
	writer_go_on(arg);
}

void
sessions_save(struct shard *sh, int64_t until_us,
	void (*done)(struct shard *sh, const struct sessions_saved *n,
		void *arg),
	void *arg)
{
	struct writer *w = xcalloc(1, sizeof(*w));

	ASSERT_ON(sh);
	TAG_SET(w, "sawr");
	w->shard = sh;
	w->until_us = until_us;
	w->done = done;
	w->arg = arg;
	accounts_gather(sh, &w->all);
	shard_post(sh, on_begin, w, 0);
}
