/*
 * server_quiet.h - waits until nothing is under way in the server any more.
 *
 * Shard 0.  For who has made sure that nothing new comes in.
 */
#ifndef SERVER_SERVER_QUIET_H
#define SERVER_SERVER_QUIET_H

#include <stdint.h>

struct server;

/*
 * Calls fn(srv, arg) on shard 0 when no mail and no stanza was between shards, nor
 * anything asked of the store or of the workers, for two looks; or after most_us.
 * Never before this has returned.  Timers that are set count for nothing.
 */
void server_when_quiet(struct server *srv, int64_t most_us,
	void (*fn)(struct server *srv, void *arg), void *arg);

#endif
