/*
 * quota.h - how much of something each of many has: a number and bytes, by
 * name.
 *
 * One owner.  NULL is a table in which nobody has anything, and takes nothing.
 */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct quota {
	uint64_t n;
	uint64_t bytes;
	bool apart; /* the owner's, to tell two kinds of them apart */
};

struct buf;
struct quotas;

/* "3 1200", behind a star if it is apart; zeroes are read from anything else. */
void quota_format(struct buf *out, struct quota quota);
struct quota quota_parse(struct str text);

/* May it grow by one of so many bytes, up to n and max_bytes?  Who has nothing
 * may have one, whatever his part comes to. */
bool quota_fits(struct quota quota, uint64_t n, uint64_t max_bytes,
	uint64_t bytes);

/* Zeroes for one who has nothing. */
struct quota quotas_get(const struct quotas *s, struct str name);
/* *s may change.  n 0: it has nothing any more. */
void quotas_set(struct quotas **s, struct str name, struct quota quota);
/* One more of name, of so many bytes; or one less. */
void quotas_more(struct quotas **s, struct str name, uint64_t bytes,
	bool apart);
void quotas_less(struct quotas **s, struct str name, uint64_t bytes);
/* Of all that are apart. */
struct quota quotas_apart(const struct quotas *s);
/* Forgets all. */
void quotas_free(struct quotas **s);

#endif
