/*
 * relay.h - two connections that are joined: what comes by either goes out by the
 * other, within the kernel (splice(2)), or by a buffer where that cannot be.
 *
 * Owner shard of both.  A pipe is lent to a direction while bytes are in it and no
 * longer, and a shard lends no more than some: an ordinary user of the system has
 * about a thousand full ones (pipe-user-pages-soft, pipe(7)).
 *
 *	a says no more --all is with b--> b is told (shutdown); b may go on
 *	both say no more --------------> both close, without a reason
 *	either breaks, or is closed ---> the other is reset: it cannot take what it
 *	                                 has for the whole
 */
#ifndef NET_RELAY_H
#define NET_RELAY_H

#include <stddef.h>

struct conn;
struct net;

/* What the owner of both is asked, and told.  Neither may end, or move, a
 * connection. */
struct relay_events {
	/* How many bytes may be taken now, from whichever side; 0: none until
	 * relay_go_on(). */
	size_t (*may)(void *arg);
	/* n > 0 bytes were taken from c, and are on their way. */
	void (*moved)(void *arg, struct conn *c, size_t n);
};

/*
 * Joins a and b: on one net, of TCP in the clear, open.  Their owners stay, and
 * hear of their end, closed(), and of nothing else any more; what they have
 * written before goes out first.  events (a static table) and arg are borrowed
 * until then.
 */
void relay_join(struct conn *a, struct conn *b, const struct relay_events *events,
	void *arg);
/* More may be taken again, from c and the one that it is joined to. */
void relay_go_on(struct conn *c);

/* For tests: how many bytes a pipe is given at once, at the most; 0: there are no
 * pipes to have.  And how many are lent. */
void relay_use_pipes(struct net *net, size_t bytes);
size_t relay_pipes_lent(const struct net *net);

#endif
