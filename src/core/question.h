/*
 * question.h - what a shard has asked of other places and is not answered yet:
 * for each question, who waits.
 *
 * A closure stays where it was made; what travels is the number of the question,
 * and an answer without an open question is dropped.  The number of open
 * questions has a bound.
 *
 * Owner shard.
 */
#ifndef CORE_QUESTION_H
#define CORE_QUESTION_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct questions;
struct shard;

/* Open at one shard. */
#define QUESTIONS_MAX 16384

/* err (borrowed) says why not; NULL when ok. */
typedef void (*question_fn)(void *arg, bool ok, const struct err *err);

/* Its number, never 0; or 0: too many are open. */
uint64_t question_open(struct shard *sh, question_fn fn, void *arg);
/* Calls who waits, with err or, for NULL, that it worked.  Does nothing when no
 * such question is open. */
void question_close(struct shard *sh, uint64_t number, const struct err *err);
/* The end of the shard: nobody is called any more.  Copes with NULL. */
void questions_free(struct questions *q);

#endif
