/*
 * server_sleep.h - what survives a restart of the daemon, sessions and what classes of
 * modules save (core/entity_save.h): when it is saved, and when it comes back.
 *
 *	stop                                       start
 *	  nothing is read any more (streams_rest_all())      the mark of a stop? --no--> .
 *	  quiet: what is under way is done             | yes
 *	  who cannot sleep goes from where he was    who has saved: sleepers
 *	  quiet: so is what he is told to that         |  threads, clients
 *	  sessions say their last, and sleep           |
 *	  quiet: so are their goodbyes                 v
 *	  sessions are written, then the others,     loaded, a few at a time
 *	  with the mark of this stop
 *	  the rest of the stop                       the mark is deleted
 */
#ifndef SERVER_SERVER_SLEEP_H
#define SERVER_SERVER_SLEEP_H

#include <stdbool.h>

struct err;
struct server;

/* --- start-up, before threads ----------------------------------------------- */

/* Finds out who has something that sleeps.  False with err. */
bool server_find_sleepers(struct server *srv, struct err *err);
/* Finds out which other servers messages of the run before wait for. */
bool server_find_logs(struct server *srv, struct err *err);

/* --- after server_start() --------------------------------------------------- */

/* They are woken. */
void server_wake(struct server *srv);

/* --- shard 0 ---------------------------------------------------------------- */

/* Once no client is read: sessions that can sleep are saved, and others end; then what
 * other entities save.  done runs on shard 0, at the latest some SLEEP_MAX_S later. */
#define SLEEP_MAX_S 20
void server_sleep(struct server *srv, void (*done)(void *arg), void *arg);

#endif
