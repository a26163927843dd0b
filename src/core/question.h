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

/* Its number, never 0; or 0: too many are open, or the shard ends. */
uint64_t question_open(struct shard *sh, question_fn fn, void *arg);
/* That it was not opened: fn is called soon, and never before this has returned,
 * with ERR_LIMIT, or with ERR_CLOSED when the shard ends. */
void question_refuse(struct shard *sh, question_fn fn, void *arg);
/* What was given with it, if it is open and fn waits for it; or NULL. */
void *question_arg(const struct shard *sh, uint64_t number, question_fn fn);
/* Calls who waits, with err or, for NULL, that it worked.  Does nothing when no
 * such question is open. */
void question_close(struct shard *sh, uint64_t number, const struct err *err);
/* The shard ends, and takes turns for a while yet: all are closed, with
 * ERR_CLOSED, and none is opened any more. */
void questions_end(struct shard *sh);
/* The end of the shard: nobody is called any more.  Copes with NULL. */
void questions_free(struct questions *q);

#endif
