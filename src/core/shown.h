/*
 * shown.h - the presence of many that somebody was shown last, so that he is shown
 * it once, however many tell of it.
 *
 * Owner shard of whoever has it.  It remembers a thousand, those that were told of
 * last: what is told again comes shortly behind the first.
 */
#ifndef CORE_SHOWN_H
#define CORE_SHOWN_H

#include <stdbool.h>

struct server;
struct shown;
struct stanza;

/* Is st (borrowed), available or unavailable, what was shown last of its sender?  It
 * is from now on.  *shown_io is NULL as long as nothing was shown, and owned by the
 * caller, who forgets it by free(). */
bool shown_before(struct shown **shown_io, const struct server *srv,
	const struct stanza *st);

#endif
