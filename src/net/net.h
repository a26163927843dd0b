/*
 * net.h - what the connections of one shard share: the event base, one scratch
 * buffer to read through, output buffers that only busy connections hold, the
 * list of connections with something to write, and those to be freed.
 *
 * Owner shard.  One struct net for each shard.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stddef.h>

struct event_base;
struct net;

/* base is borrowed, and NULL when there are only in-memory connections. */
struct net *net_new(struct event_base *base);
/* All connections must have been closed. */
void net_free(struct net *net);
struct event_base *net_base(const struct net *net);

/*
 * The end of a turn: writes out what the turn produced, one system call and as
 * few TLS records as possible for each connection, and frees the connections
 * that were closed.  Called by the shard between two turns of its loop.
 */
void net_flush(struct net *net);

/* How many connections are attached. */
size_t net_count(const struct net *net);

#endif
