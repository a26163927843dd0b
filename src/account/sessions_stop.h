/*
 * sessions_stop.h - what becomes of sessions when the server stops: those that can
 * sleep do, and are written to the store (sessions_wake.h); the others end.
 *
 * Each on its own shard; server/server_sleep.c says when.
 */
#ifndef ACCOUNT_SESSIONS_STOP_H
#define ACCOUNT_SESSIONS_STOP_H

#include <stdint.h>

struct shard;

/* Of the map of the server itself: the mark of the last stop, as long as sessions
 * of it sleep. */
#define KEY_STOP "stop"

struct sessions_saved {
	uint64_t saved;
	uint64_t lost; /* there was no time, or they could not be stored */
};

/* --- owner shard ------------------------------------------------------------ */

/*
 * Nothing is read any more, and what was is dealt with, as far as it will be.
 * HOOK_SESSION_STOPPING has the last word of each session, be it asleep; then those
 * that somebody wants to sleep (HOOK_SESSION_LOST) do, and their streams are cut
 * without an end, while the others say goodbye.
 */
void sessions_sleep(struct shard *sh);
/*
 * Those that sleep are written, some at a time, with the mark of the server, and are
 * gone from memory without a word.  From until_us (monotonic) on what is left is lost
 * as by a crash.  Then done(sh, n, arg); never before the call has returned.
 */
void sessions_save(struct shard *sh, int64_t until_us,
	void (*done)(struct shard *sh, const struct sessions_saved *n,
		void *arg),
	void *arg);

#endif
