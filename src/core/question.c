/*
 * question.c - the open questions of a shard: slots, with a list of those that
 * are free.
 *
 * Invariant: a number is given out once.  It is the slot's index and, above it,
 * how often the slot was used.
 */
#include "config.h"

#include "core/question.h"

#include "base/mem.h"
#include "base/vec.h"
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
	slot->used++;
	return (uint64_t)slot->used << 32 | i;
}

void
question_close(struct shard *sh, uint64_t number, const struct err *err)
{
	struct questions *q = questions_of(sh);
	uint32_t i = (uint32_t)number;
	struct question open;

	ASSERT_ON(sh);
	if (i >= q->all.n)
		return;
	open = q->all.p[i];
	if (open.fn == NULL || open.used != number >> 32)
		return;
	q->all.p[i].fn = NULL;
	q->all.p[i].next = q->first_free;
	q->first_free = i;
	open.fn(open.arg, err == NULL, err);
}

void
questions_free(struct questions *q)
{
	if (q == NULL)
		return;
	vec_done(&q->all);
	free(q);
}
