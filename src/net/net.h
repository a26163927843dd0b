/*
 * net.h - what the connections of one shard share: the event base, one scratch
 * buffer to read through, output buffers that only busy connections hold, the
 * list of connections with something to write, and those to be freed.
 *
 * Owner shard.  One struct net for each shard.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/gauge.h"

struct clock;
struct event_base;
struct net;

/* base is borrowed, and NULL when there are only in-memory connections.
 * SIGPIPE is ignored in the process from here on. */
struct net *net_new(struct event_base *base);
/* All connections must have been closed.  Those which still wait for their
 * peer are cut, and closed() is called for them. */
void net_free(struct net *net);
struct event_base *net_base(const struct net *net);

/*
 * The end of a turn: reads what goes to files, and lets guests go on, for a part of a
 * millisecond (conn_bulk.c); writes out what the turn produced, one system call and as
 * few TLS records as possible for each connection, and frees the connections
 * that were closed.  Called by the shard between two turns of its loop, which
 * are made by event_base_loop(EVLOOP_ONCE): events are level-triggered, and stay
 * active until the flush.
 */
void net_flush(struct net *net);

/* Whether a flush has something to do: for who turns a net without a base. */
bool net_is_busy(const struct net *net);
/* For how many connections. */
size_t net_work(const struct net *net);

/* How many bytes a connection with conn_bound() may have left at the end of a
 * turn. */
void net_bound(struct net *net, size_t bytes);

/* Gives back the buffers and pipes that are kept for busy connections. */
void net_trim(struct net *net);

/*
 * The keys of TLS tickets: from here on clients can resume sessions, for an hour
 * to two, at every net that was given the same seed (copied), clock (borrowed)
 * and began_us (monotonic, not later than now).  Once at most.
 */
#define NET_SEED_SIZE 32
void net_give_tickets(struct net *net, const uint8_t seed[NET_SEED_SIZE],
	const struct clock *clock, int64_t began_us);
/* Keys whose time is over are wiped when a ticket is made or read; and here, so
 * that they do not stay where nobody comes. */
void net_wipe_tickets(struct net *net);

/* How many connections are attached. */
size_t net_count(const struct net *net);
/* Bytes that the kernel did not take by the end of a turn. */
struct gauge net_left(const struct net *net);

#endif
