/*
 * link_kept.c - what a link has written, and its peer has not acknowledged yet
 * (XEP-0198 §4).
 *
 *   written --> kept, with a number --link_acked()--> freed
 *                | so many, or a while after the first: the peer is asked
 *                | it says nothing new for long: the link is cut
 *                v
 *              link_leave(): whose it was decides
 *
 * Presence to many is kept by runs (link_run.c), all else as stanzas.
 *
 * Owner shard.  Invariant: the numbers from acked + 1 on are those of the runs, and in
 * between of the stanzas, in order.
 */
#include "config.h"

#include "core/link_kept.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/entity.h"

/* It is asked behind so many stanzas, or so long after one. */
#define ASK_STANZAS 16
#define ASK_US (100 * US_PER_MS)
/* One that has said nothing new is asked again then, and not at once. */
#define AGAIN_US (5 * US_PER_S)

static void on_kept_timer(struct timer *t);

static const struct config_limits *
limits_of(const struct link_kept *k)
{
	return &k->shard->snap->config->limits;
}

static int64_t
first_of(int64_t a_us, int64_t b_us)
{
	return a_us == 0 || (b_us != 0 && b_us < a_us) ? b_us : a_us;
}

static void
kept_arm(struct link_kept *k)
{
	int64_t next_us = first_of(k->ask_us, k->judge_us);

	if (next_us == 0)
		shard_timer_cancel(k->shard, &k->timer);
	else
		shard_timer(k->shard, &k->timer,
			MAX(next_us - k->shard->now_us, 0), on_kept_timer);
}

/* --- asking ----------------------------------------------------------------------- */

static void
kept_wait(struct link_kept *k)
{
	k->judge_us = k->shard->now_us + limits_of(k)->ping_timeout_us;
	k->taken = k->link->ops->taken(k->link->stream);
}

static void
kept_ask(struct link_kept *k)
{
	k->ask_us = 0;
	k->unasked = 0;
	k->asked = true;
	if (k->judge_us == 0)
		kept_wait(k);
	k->link->ops->ask(k->link->stream);
}

/* One that has been asked and has not answered is not asked again. */
static void
kept_look(struct link_kept *k)
{
	if (k->asked || k->n == 0)
		return;
	if (k->unasked >= ASK_STANZAS || (k->unasked != 0 && kept_is_full(k))) {
		kept_ask(k);
		kept_arm(k);
	} else if (k->ask_us == 0) {
		k->ask_us = k->shard->now_us + ASK_US;
		kept_arm(k);
	}
}

/* Is it as good as dead?  Who has yet to read the question, and goes on reading, cannot
 * answer it; how fast he has to be is said elsewhere. */
static bool
kept_judge(struct link_kept *k)
{
	uint64_t before = k->taken;

	k->judge_us = 0;
	if (k->n == 0)
		return false;
	kept_wait(k);
	return !k->link->full || k->taken == before;
}

static void
on_kept_timer(struct timer *t)
{
	struct link_kept *k = CONTAINER_OF(t, struct link_kept, timer);
	int64_t now_us = k->shard->now_us;
	bool dead;

	if (k->ask_us != 0 && k->ask_us <= now_us) {
		k->ask_us = 0;
		if (k->n != 0)
			kept_ask(k);
	}
	dead = k->judge_us != 0 && k->judge_us <= now_us && kept_judge(k);
	kept_arm(k);
	if (dead) /* and k may be gone with it */
		link_cut(k->link, "does not acknowledge what it is sent");
}

/* --- the queue -------------------------------------------------------------------- */

bool
kept_is_full(const struct link_kept *k)
{
	return k->bytes >= limits_of(k)->write_queue_bytes;
}

static void
kept_more(struct link_kept *k, size_t bytes)
{
	k->n++;
	k->unasked++;
	k->bytes += bytes;
	gauge_add(&k->shard->stats.link_bytes, bytes);
}

static void
kept_less(struct link_kept *k, uint32_t n, size_t bytes)
{
	k->n -= n;
	k->acked += n;
	k->bytes -= bytes;
	gauge_remove(&k->shard->stats.link_bytes, bytes);
}

void
kept_add(struct link_kept *k, struct stanza *st)
{
	STAILQ_INSERT_TAIL(&k->stanzas, st, link);
	kept_more(k, stanza_bytes(st));
	kept_look(k);
}

void
kept_add_shared(struct link_kept *k, const struct stanza *st, struct wire *w,
	struct str to)
{
	kept_more(k, runs_add(&k->runs, st, w, to, link_counted(k->link) + 1));
	kept_look(k);
}

/* The first one, if what comes next is of it; NULL: it is a stanza. */
static struct link_run *
kept_run(const struct link_kept *k)
{
	struct link_run *r = TAILQ_FIRST(&k->runs);

	return r != NULL && r->number == k->acked + 1 ? r : NULL;
}

static struct stanza *
kept_take(struct link_kept *k)
{
	struct stanza *st = STAILQ_FIRST(&k->stanzas);

	STAILQ_REMOVE_HEAD(&k->stanzas, link);
	kept_less(k, 1, stanza_bytes(st));
	return st;
}

static void
kept_drop(struct link_kept *k, uint32_t n)
{
	while (n != 0) {
		const struct link_run *r = kept_run(k);
		uint32_t of_run = r != NULL ? MIN(n, r->n) : 1;

		if (r != NULL)
			kept_less(k, of_run, runs_drop(&k->runs, of_run));
		else
			stanza_free(kept_take(k));
		n -= of_run;
	}
}

/* Where another stream is yet to be gone on with, that asks by itself. */
void
kept_finish(struct link_kept *k)
{
	if (k->unasked != 0)
		kept_ask(k);
	kept_arm(k);
}

void
kept_detach(struct link_kept *k)
{
	shard_timer_cancel(k->shard, &k->timer);
	k->link = NULL;
	k->ask_us = k->judge_us = 0;
	k->asked = false;
	k->unasked = 0;
}

/* All of it is gone. */
static void
kept_end(struct link_kept *k)
{
	if (k->back != NULL)
		k->drop_back(k->back);
	free(k->id);
	free(k);
}

/* --- for entities ------------------------------------------------------------------- */

bool
link_kept_gained(const struct link_kept *k)
{
	return k->gained;
}

void
link_kept_free(struct link_kept *k, bool (*wants)(enum stanza_type type),
	struct stanza_queue *back)
{
	assert(k->link == NULL);
	while (k->n != 0) {
		const struct link_run *r = kept_run(k);
		struct stanza *st;

		if (r != NULL) {
			if (wants(r->type))
				run_stanzas(r, back);
			kept_drop(k, r->n);
			continue;
		}
		st = kept_take(k);
		STAILQ_INSERT_TAIL(back, st, link);
	}
	kept_end(k);
}

bool
link_kept_resumes(const struct link_kept *k)
{
	return k->id != NULL && (k->n != 0 || k->untold);
}

bool
link_kept_is_of(const struct link_kept *k, const char *id)
{
	return k->id != NULL && strcmp(k->id, id) == 0;
}

void
link_kept_came(struct link_kept *k, uint32_t n)
{
	assert(k->link == NULL);
	kept_drop(k, MIN(n, k->n));
}

struct jid
link_kept_from(const struct link_kept *k)
{
	const struct link_run *r = kept_run(k);

	assert(k->n != 0);
	return r != NULL ? run_from(r) : STAILQ_FIRST(&k->stanzas)->from;
}

bool
link_kept_each(struct link_kept *k, stanza_fn fn, void *arg)
{
	struct stanza *st;

	STAILQ_FOREACH (st, &k->stanzas, link)
		if (!fn(arg, st))
			return false;
	return true;
}

size_t
link_kept_size(const struct link_kept *k, size_t *bytes_out)
{
	*bytes_out = k->bytes;
	return k->n;
}

void
link_keep(struct link *l, struct link_kept *k)
{
	assert(l->kept == NULL && l->full);
	l->kept = k;
	k->link = l;
	k->gained = false;
}

struct link_kept *
link_keep_no_more(struct link *l)
{
	struct link_kept *k = l->kept;

	l->kept = NULL;
	kept_detach(k);
	return k;
}

/* --- for streams -------------------------------------------------------------------- */

void
link_count(struct link *l, uint32_t from)
{
	struct link_kept *k = xcalloc(1, sizeof(*k));

	assert(l->kept == NULL && l->ops->ask != NULL);
	k->shard = l->entity->shard;
	k->link = l;
	k->acked = from;
	STAILQ_INIT(&k->stanzas);
	TAILQ_INIT(&k->runs);
	l->kept = k;
}

void
link_count_no_more(struct link *l)
{
	struct link_kept *k = l->kept;

	l->kept = NULL;
	kept_detach(k);
	kept_drop(k, k->n);
	kept_end(k);
	link_go_on(l);
}

void
link_resumable(struct link *l, const char *id)
{
	struct link_kept *k = l->kept;

	if (k == NULL)
		return;
	free(k->id);
	k->id = id != NULL ? xstrdup(id) : NULL;
}

void
link_came_back(struct link *l, void *back, void (*drop)(void *back), bool untold)
{
	if (l->kept == NULL) {
		drop(back);
		return;
	}
	assert(l->kept->back == NULL);
	l->kept->back = back;
	l->kept->drop_back = drop;
	l->kept->untold = untold;
}

void *
link_back(const struct link *l)
{
	return l->kept != NULL ? l->kept->back : NULL;
}

void *
link_take_back_count(struct link *l)
{
	void *back = l->kept->back;

	l->kept->back = NULL;
	l->kept->untold = false;
	return back;
}

const char *
link_resumes(const struct link *l)
{
	return l->kept != NULL ? l->kept->id : NULL;
}

static void
kept_write_all(const struct link_kept *k)
{
	const struct stanza *st = STAILQ_FIRST(&k->stanzas);
	const struct link_run *r = TAILQ_FIRST(&k->runs);

	for (uint32_t n = 0; n != k->n;) {
		if (r != NULL && r->number == k->acked + 1 + n) {
			run_write(r, k->link);
			n += r->n;
			r = TAILQ_NEXT(r, in);
		} else {
			(void)k->link->ops->write(k->link->stream, st);
			n++;
			st = STAILQ_NEXT(st, link);
		}
	}
}

bool
link_resumed(struct link *l, uint32_t h)
{
	struct link_kept *k = l->kept;

	if (!link_acked(l, h))
		return false;
	kept_write_all(k);
	k->unasked = k->n;
	kept_look(k);
	return true;
}

uint32_t
link_counted(const struct link *l)
{
	return l->kept->acked + l->kept->n;
}

/* It has said something; new: more than before. */
static void
kept_answered(struct link_kept *k, bool new)
{
	k->asked = false;
	if (new) {
		k->gained = true;
		k->judge_us = 0;
		if (k->n != 0)
			kept_wait(k);
	}
	if (new || k->unasked != 0)
		kept_look(k);
	else if (k->n != 0 && k->ask_us == 0)
		k->ask_us = k->shard->now_us + AGAIN_US;
	kept_arm(k);
}

bool
link_acked(struct link *l, uint32_t h)
{
	struct link_kept *k = l->kept;
	uint32_t n = h - k->acked;

	ASSERT_OWNER(l->entity);
	if (n > k->n) {
		/* numbers go round: what is not between both is nearer to either */
		if ((int32_t)(h - link_counted(l)) > 0)
			return false;
		n = 0;
	}
	kept_drop(k, n);
	kept_answered(k, n != 0);
	if (n != 0)
		link_go_on(l);
	return true;
}
