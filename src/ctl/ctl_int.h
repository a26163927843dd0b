/*
 * ctl_int.h - the control socket's own: clients and the calls that they make.
 *
 * Shard 0, but for what ctl.h says.
 */
#ifndef CTL_CTL_INT_H
#define CTL_CTL_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/timer.h"
#include "base/vec.h"
#include "command/command.h"

struct ctl_call;
struct event;
struct server;
struct shard;

/* One request; antiphonctl splits larger files. */
#define CTL_REQUEST_MAX ((size_t)16 << 20)

struct ctl_client {
	uint32_t tag;
	LIST_ENTRY(ctl_client) entry;
	struct ctl *ctl;
	struct event *read_event;
	struct event *write_event;
	struct buf in;
	struct buf out;
	size_t scanned; /* bytes of in that hold no end of a line */
	struct ctl_call *call; /* NULL: none is running */
	uid_t uid;
	int fd;
	bool pumping;  /* requests are being taken from in */
	bool ending;   /* is closed when out is written */
	bool lingering; /* out is written: input is dropped until its end */
	size_t dropped; /* bytes of it */
	bool broken;   /* is closed as soon as the loop comes by */
};

/* Whom the socket is for, as far as they were known at the start. */
struct ctl_user {
	uid_t uid;
	char *name;
};

struct ctl {
	uint32_t tag;
	LIST_HEAD(, ctl_client) clients;
	struct server *server;
	struct event *accept_event;
	struct timer accept_again;
	char *path;
	dev_t dev; /* of the socket's file, so that only ours is removed */
	ino_t ino;
	gid_t group;
	struct VEC(struct ctl_user) users;
	size_t n_clients;
	int fd;
	int stopped[2]; /* a pipe: shard 0 tells the main thread */
	bool has_group;
};

/* --- ctl_server.c ------------------------------------------------------- */

/* Queues o (taken) as one line. */
void ctl_client_send(struct ctl_client *c, json_t *o);
/* The call that ran is over: takes the next request. */
void ctl_client_pump(struct ctl_client *c);

/* --- ctl_call.c --------------------------------------------------------- */

/* Runs what line asks for.  The client's call is set until it is over, which
 * may be when this returns. */
void ctl_call_start(struct ctl_client *c, struct str line);
/* The client has read what it was told. */
void ctl_call_taken(struct ctl_call *call);
/* The client goes away; the command ends in its own time. */
void ctl_call_detach(struct ctl_call *call);

#endif
