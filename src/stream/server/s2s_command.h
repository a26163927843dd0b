/*
 * s2s_command.h - the commands about streams of other servers, and to them, as a
 * table.
 */
#ifndef STREAM_SERVER_S2S_COMMAND_H
#define STREAM_SERVER_S2S_COMMAND_H

#include <stdint.h>

#include "command/command.h"

struct s2s_in;
struct s2s_pair;

/* Ends with a name of NULL. */
extern const struct command s2s_commands[];

/* --- s2s_close.c, s2s_why.c ------------------------------------------------------ */

void s2s_close_run(struct command_call *call);
void s2s_why_run(struct command_call *call);

/* --- that shard, while command_walk() is there ------------------------------------ */

/* Each stream that has come from domain, and for what; pair NULL: it has shown nothing
 * yet. */
void s2s_each_in(struct command_call *call, struct shard *sh, struct str domain,
	void (*show)(struct command_call *call, const struct s2s_in *c,
		const struct s2s_pair *pair));

/* A way in which there was none. */
struct s2s_failed {
	struct str domain, ours;
	const char *direction, *peer, *why;
	int64_t first_us, last_us; /* of the wall clock */
	uint32_t times;
};

/* When it was, and why, in words. */
struct str s2s_failure_text(struct arena *a, const struct s2s_failed *f);
/* The last ones that are known, at the shard of domain. */
void s2s_each_failure(struct command_call *call, struct shard *sh,
	struct str domain,
	void (*show)(struct command_call *call, const struct s2s_failed *f));

#endif
