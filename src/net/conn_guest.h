/*
 * conn_guest.h - who moves the bytes of a connection in place of its owner, for a
 * while: one that is joined to another (relay.h), one that a file goes out by
 * (disk/disk_send.h).
 *
 * Owner shard.  A guest is asked what to wait for, and is called when that has come.
 * The owner hears of the end, closed(), and of nothing else meanwhile; what he has
 * written before goes out first.
 *
 *	conn_set_guest(c, g) --> drained(), at the end of the turn in which the last
 *	                         of what was queued went out
 *	                     --> wants() --the loop--> ready()     as often as need be
 *	                     --> conn_set_guest(c, NULL): the owner's again
 *	                     `-> ended(): closed, aborted or broken; it is no guest
 *	                         any more
 */
#ifndef NET_CONN_GUEST_H
#define NET_CONN_GUEST_H

#include <stddef.h>

struct conn;
struct conn_guest;
struct err;

/* None of these frees c, or moves it. */
struct conn_guest_kind {
	/* What is waited for, of libevent's EV_READ and EV_WRITE; room for what is
	 * queued is waited for anyway.  It goes on being ready until it is taken. */
	short (*wants)(struct conn *c, struct conn_guest *g);
	void (*ready)(struct conn *c, struct conn_guest *g, short what);
	/* Nothing is queued, at the end of a turn. */
	void (*drained)(struct conn *c, struct conn_guest *g);
	void (*ended)(struct conn *c, struct conn_guest *g);
};

/* Lies inside what the guest keeps. */
struct conn_guest {
	const struct conn_guest_kind *kind;
};

/* c is open; NULL for g: its guest, who calls this, leaves. */
void conn_set_guest(struct conn *c, struct conn_guest *g);
/* What the guest wants has changed. */
void conn_arm(struct conn *c);
/* c is broken off, for a reason (borrowed; NULL: for none), so that the peer sees a
 * reset: he cannot take what he has for the whole. */
void conn_reset(struct conn *c, const struct err *why);

/*
 * Lends the socket of c, of TCP and with nothing queued, to another thread.  The shard
 * leaves it alone until conn_take_back(), and does not free c before.
 */
int conn_lend(struct conn *c);
/* n bytes were written to it meanwhile.  conn_arm() follows, unless it is lent again, or
 * the guest leaves; and if c is closed by now, that happens. */
void conn_take_back(struct conn *c, size_t n);

#endif
