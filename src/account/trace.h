/*
 * trace.h - shows the stanzas of one account in the log, live: what went in and
 * out, with all character data replaced by its length.
 */
#ifndef ACCOUNT_TRACE_H
#define ACCOUNT_TRACE_H

#include "account/session.h"

void trace_write(const struct session *s, const char *direction,
	const struct stanza *st);

/* Owner shard.  Costs one test while the account is not traced. */
static inline void
trace_stanza(const struct session *s, const char *direction,
	const struct stanza *st)
{
	if (__builtin_expect(s->account->traced, false))
		trace_write(s, direction, st);
}

#endif
