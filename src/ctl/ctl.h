/*
 * ctl.h - the control socket, the daemon's side: a local stream socket that
 * runs commands for whoever the operating system says may.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>

struct err;
struct server;

/* Start-up, before privileges are dropped: makes the socket (mode 0600, or 0660
 * with a control group).  Refuses when another server answers there. */
bool ctl_open(struct server *srv, struct err *err);
/* After server_start: serves it on shard 0. */
void ctl_start(struct server *srv);
/* The main thread, before server_stop: ends calls, removes the socket. */
void ctl_stop(struct server *srv);

#endif
