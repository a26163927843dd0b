/*
 * entity_save.c - entities that are written when the server stops.
 *
 * Owner shard.  Invariant: all that one entity saves is in one transaction, so that
 * it comes back as it was, or not at all.
 */
#include "config.h"

#include "core/entity_save.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/tag.h"
#include "base/vec.h"
#include "xml/elem.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/server.h"
#include "core/shard.h"
#include "core/sleepers.h"
#include "core/stored.h"

/* Of one transaction, and how many of them are under way. */
#define BATCH_BYTES ((size_t)1 << 20)
#define BATCHES_MAX 2

struct writer {
	uint32_t tag;
	struct shard *shard;
	const struct entity_class *class; /* NULL: all that are left */
	struct VEC(uint64_t) all; /* hashes: entities come and go meanwhile */
	size_t at;                /* whose turn it is */
	unsigned batches;
	bool rest; /* that of the sleepers was written */
	bool late;
	struct entities_saved n;
	int64_t until_us;
	void (*done)(struct shard *sh, const struct entities_saved *n, void *arg);
	void *arg;
};

/* A transaction, and whose turn it is in it. */
struct entity_save {
	struct writer *writer;
	struct store_tx *tx;
	uint64_t n; /* rows */
	const struct entity *e;
	size_t bytes; /* of e */
};

static bool
is_meant(const struct writer *w, const struct entity_class *class)
{
	return w->class == NULL || w->class == class;
}

/* --- rows ------------------------------------------------------------------- */

bool
entity_save_is_late(const struct entity_save *to)
{
	return to->writer->late;
}

bool
entity_save_text(struct entity_save *to, struct str key, struct str value)
{
	if (to->writer->late || value.n > STORE_VALUE_MAX) {
		to->writer->n.lost++;
		return false;
	}
	store_tx_set(to->tx, entity_place(to->e, to->e->class->asleep), key,
		value);
	to->n++;
	return true;
}

bool
entity_save_elem(struct entity_save *to, struct str key, struct arena *a,
	struct elem *e)
{
	struct buf text = BUF_INIT;
	bool ok;

	elem_set_attr(a, e, "stop", str_c(to->e->shard->server->stop_mark));
	stored_write(&text, e);
	to->bytes += key.n + text.n;
	ok = to->bytes <= ENTITY_SAVED_MAX;
	if (ok)
		ok = entity_save_text(to, key, buf_str(&text));
	else
		to->writer->n.lost++;
	buf_done(&text);
	return ok;
}

/* --- who is written --------------------------------------------------------- */

static bool
is_to_be_saved(const struct writer *w, const struct entity *e)
{
	return is_meant(w, e->class) && e->class->save != NULL &&
		e->state == ENTITY_LOADED && !e->saved;
}

static void
writer_gather(struct writer *w)
{
	struct table_walk walk = table_walk(&w->shard->entities);
	struct entity *e;

	while ((e = table_step(&w->shard->entities, &walk)) != NULL) {
		if (is_to_be_saved(w, e))
			*vec_push(&w->all) = e->hash;
	}
}

/* The entity with this hash, NULL when it has left. */
static struct entity *
writer_find(const struct writer *w, uint64_t hash)
{
	size_t at = table_start(&w->shard->entities, hash);
	struct entity *e;

	do
		e = table_next(&w->shard->entities, hash, &at);
	while (e != NULL && !is_to_be_saved(w, e));
	return e;
}

static void
save_next(struct entity_save *to)
{
	struct writer *w = to->writer;
	struct entity *e = writer_find(w, w->all.p[w->at++]);

	if (e == NULL)
		return;
	to->e = e;
	to->bytes = 0;
	e->saved = true;
	e->class->save(e, to);
	entity_check_idle(e);
}

/* What is in memory alone, since it could not be restored yet, goes back. */
static void
save_sleepers(struct entity_save *to)
{
	struct sleepers *all = to->writer->shard->sleepers;
	struct table_walk walk;
	struct sleeper *s;

	to->writer->rest = true;
	if (all == NULL)
		return;
	walk = table_walk(&all->all);
	while ((s = table_step(&all->all, &walk)) != NULL) {
		if (s->map.n == 0 || !is_meant(to->writer, s->class))
			continue;
		for (size_t i = 0; i < s->n; i++)
			store_tx_set(to->tx,
				(struct store_place){ jid_domain(s->jid),
					jid_local(s->jid), s->map },
				s->entries[i].key, s->entries[i].value);
		to->n += s->n;
		s->n = 0;
	}
}

/* --- transactions ----------------------------------------------------------- */

static void writer_go_on(struct writer *w);

static void
on_batch(void *arg, bool ok, const struct err *err)
{
	struct entity_save b = *(struct entity_save *)arg;

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
	struct entity_save *b = xcalloc(1, sizeof(*b));

	b->writer = w;
	b->tx = store_tx_new();
	store_tx_set(b->tx, server_map(), STR(KEY_STOP),
		str_c(w->shard->server->stop_mark));
	while (w->at < w->all.n && store_tx_bytes(b->tx) < BATCH_BYTES)
		save_next(b);
	if (w->at == w->all.n && !w->rest)
		save_sleepers(b);
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
	struct entity_save none = { .writer = w };

	w->late = true;
	while (w->at < w->all.n)
		save_next(&none);
}

static void
writer_end(struct writer *w)
{
	w->done(w->shard, &w->n, w->arg);
	vec_done(&w->all);
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
entities_save(struct shard *sh, const struct entity_class *class,
	int64_t until_us,
	void (*done)(struct shard *sh, const struct entities_saved *n, void *arg),
	void *arg)
{
	struct writer *w = xcalloc(1, sizeof(*w));

	ASSERT_ON(sh);
	TAG_SET(w, "sawr");
	w->shard = sh;
	w->class = class;
	w->until_us = until_us;
	w->done = done;
	w->arg = arg;
	writer_gather(w);
	shard_post(sh, on_begin, w, 0);
}
