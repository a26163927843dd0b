/*
 * listen_int.h - what the files of listen.h share: what one shard has open.
 *
 * Owner shard.
 */
#ifndef CORE_LISTEN_INT_H
#define CORE_LISTEN_INT_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/log.h"
#include "core/listen.h"

struct guest;
struct listener;
struct proxied;

/* A socket of a port, here. */
struct door {
	TAILQ_ENTRY(door) link;
	struct shard *shard;
	struct listen_port *port; /* reference */
	struct listener *listener;
};

TAILQ_HEAD(doors, door);
TAILQ_HEAD(guests, guest);
TAILQ_HEAD(proxied_list, proxied);

struct listen_shard {
	struct doors doors;
	struct guests guests;
	struct proxied_list proxied;
	bool started;
	struct log_limit refused;
	struct log_limit broken; /* TLS cannot begin */
	struct log_limit unread;
};

/* --- listen.c ---------------------------------------------------------------- */

/* Never NULL: made when first asked for. */
struct listen_shard *listen_shard(struct shard *sh);
/* It is known from whom a connection is: to its kind, or to the newcomers. */
void listen_arrive(struct shard *sh, const struct listen_arrival *a);

/* --- listen_proxy.c --------------------------------------------------------- */

/* Who has come is a proxy, if it is one that is trusted. */
void proxied_new(struct shard *sh, const struct listen_arrival *a);
/* False: there are none. */
bool proxied_abort_all(struct shard *sh);

/* --- listen_guest.c --------------------------------------------------------- */

/* Who has come is of the kind row, of a module. */
void guest_new(struct shard *sh, const struct listen_row *row,
	const struct listen_arrival *a);
/* Another snapshot is in force: closes those of modules that bring no kind any more,
 * and tells the others; all: the server stops, and those end that do not by
 * themselves. */
void guests_close(struct shard *sh, bool all);
/* False: there are none. */
bool guests_abort(struct shard *sh);

#endif
