/*
 * question.c - the open questions of a shard: slots, with a list of those that
 * are free.
 *
 * Invariant: a number is given out once.  It is the slot's index and, above it,
 * how often the slot was used.
 */
#include "config.h"

#include "core/question.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "core/place.h"
#include "core/shard.h"

#define NO_SLOT UINT32_MAX

struct question {
	question_fn fn; /* NULL: free */
	void *arg;
	uint32_t used;  /* how often */
	uint32_t next;  /* of the free ones */
};

struct questions {
	struct question_slots VEC(struct question) all;
	uint32_t first_free;
	bool ended;
};

static struct questions *
questions_of(struct shard *sh)
{
	if (sh->questions == NULL) {
		sh->questions = xcalloc(1, sizeof(*sh->questions));
		sh->questions->first_free = NO_SLOT;
	}
	return sh->questions;
}

uint64_t
question_open(struct shard *sh, question_fn fn, void *arg)
{
	struct questions *q = questions_of(sh);
	uint32_t i = q->first_free;
	struct question *slot;

	ASSERT_ON(sh);
	if (q->ended)
		return 0;
	if (i != NO_SLOT) {
		q->first_free = q->all.p[i].next;
	} else if (q->all.n < QUESTIONS_MAX) {
		i = q->all.n;
		vec_push(&q->all)->used = 0;
	} else {
		return 0;
	}
	slot = &q->all.p[i];
	slot->fn = fn;
	slot->arg = arg;
	if (++slot->used == 0)
		slot->used = 1; /* 0 would be no number */
	return (uint64_t)slot->used << 32 | i;
}

/* NULL: it is not open. */
static struct question *
question_find(const struct questions *q, uint64_t number)
{
	uint32_t i = (uint32_t)number;

	if (q == NULL || i >= q->all.n || q->all.p[i].fn == NULL ||
		q->all.p[i].used != number >> 32)
		return NULL;
	return &q->all.p[i];
}

static void
question_end(struct questions *q, struct question *slot, const struct err *err)
{
	struct question open = *slot;

	slot->fn = NULL;
	slot->next = q->first_free;
	q->first_free = (uint32_t)(slot - q->all.p);
	open.fn(open.arg, err == NULL, err);
}

void *
question_arg(const struct shard *sh, uint64_t number, question_fn fn)
{
	const struct question *slot = question_find(sh->questions, number);

	ASSERT_ON(sh);
	return slot != NULL && slot->fn == fn ? slot->arg : NULL;
}

void
question_close(struct shard *sh, uint64_t number, const struct err *err)
{
	struct question *slot = question_find(sh->questions, number);

	ASSERT_ON(sh);
	if (slot != NULL)
		question_end(sh->questions, slot, err);
}

/* --- none is opened ------------------------------------------------------------ */

struct unasked {
	struct mail mail;
	question_fn fn;
	void *arg;
};

static void
unasked_err(const struct questions *q, struct err *err)
{
	if (q->ended)
		err_set(err, ERR_CLOSED, "the server stops");
	else
		err_set(err, ERR_LIMIT, "too many questions are open");
}

static void
on_unasked(struct mail *mail, void *owner)
{
	struct unasked *u = CONTAINER_OF(mail, struct unasked, mail);
	struct unasked copy = *u;
	struct err err = ERR_INIT;

	free(u);
	unasked_err(questions_of(shard_arg(owner)), &err);
	copy.fn(copy.arg, false, &err);
}

void
question_refuse(struct shard *sh, question_fn fn, void *arg)
{
	struct unasked *u = xmalloc(sizeof(*u));

	sh->stats.refused++;
	*u = (struct unasked){ { .run = on_unasked, .bytes = sizeof(*u) }, fn,
		arg };
	place_put(sh, place_of_shard(sh), &u->mail);
}

/* --- the end --------------------------------------------------------------------- */

void
questions_end(struct shard *sh)
{
	struct questions *q = questions_of(sh);
	struct err err = ERR_INIT;

	q->ended = true;
	unasked_err(q, &err);
	for (uint32_t i = 0; i < q->all.n; i++) {
		if (q->all.p[i].fn != NULL)
			question_end(q, &q->all.p[i], &err);
	}
}

void
questions_free(struct questions *q)
{
	if (q == NULL)
		return;
	vec_done(&q->all);
	free(q);
}
