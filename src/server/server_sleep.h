/*
 * server_sleep.h - sessions that survive a restart of the daemon: when they are
 * saved, and when they come back.
 *
 *	stop                                       start
 *	  nothing is read any more (streams_rest_all())      the mark of a stop? --no--> .
 *	  quiet: what is under way is done             | yes
 *	  sessions say their last, and sleep         whose sessions: sleepers
 *	  quiet: so are their goodbyes                 |  threads, clients
 *	  written, with the mark of this stop        loaded, a few at a time
 *	  the rest of the stop                       the mark is deleted
 */
#ifndef SERVER_SERVER_SLEEP_H
#define SERVER_SERVER_SLEEP_H

#include <stdbool.h>

struct err;
struct server;

/* --- start-up, before threads ----------------------------------------------- */

/* Finds out whose sessions sleep.  False with err. */
bool server_find_sleepers(struct server *srv, struct err *err);
/* Finds out which other servers messages of the run before wait for. */
bool server_find_logs(struct server *srv, struct err *err);

/* --- after server_start() --------------------------------------------------- */

/* They are woken. */
void server_wake(struct server *srv);

/* --- shard 0 ---------------------------------------------------------------- */

/* Once no client is read: sessions that can sleep are saved, and others end.  done
 * runs on shard 0, at the latest some SLEEP_MAX_S later. */
#define SLEEP_MAX_S 20
void server_sleep(struct server *srv, void (*done)(void *arg), void *arg);

#endif
