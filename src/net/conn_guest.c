/*
 * conn_guest.c - who moves the bytes of a connection in place of its owner.
 *
 * Owner shard.  Invariant: only an open connection has a guest; and one whose socket
 * is lent is neither written, read, nor freed.
 */
#include "config.h"

#include "net/conn_guest.h"

#include <assert.h>
#include <sys/socket.h>

#include "net/net_int.h"

void
conn_set_guest(struct conn *c, struct conn_guest *g)
{
	assert(c->net != NULL && c->life == LIFE_OPEN && !c->lent);
	assert(c->has_guest == (g == NULL));
	if (g == NULL) {
		conn_drop_guest(c);
		conn_wake(c);
		return;
	}
	c->guest = g;
	c->has_guest = true;
	conn_arm(c);
	conn_touch(c);
}

bool
conn_tell_guest(struct conn *c)
{
	struct net *net = c->net;
	struct net_call call = { .c = c, .up = net->calls };

	if (!c->has_guest || c->life != LIFE_OPEN)
		return true;
	net->calls = &call;
	c->guest->kind->drained(c, c->guest);
	net->calls = call.up;
	return call.c != NULL;
}

/* Nor does TLS say that this was all. */
static void
conn_will_reset(struct conn *c)
{
	struct linger none = { .l_onoff = 1 };

	c->silent = true;
	if (c->mem == NULL)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none,
			sizeof(none));
}

void
conn_reset(struct conn *c, const struct err *why)
{
	conn_will_reset(c);
	if (why != NULL)
		conn_fail(c, why);
	else
		conn_abort(c);
}

void
conn_end_guest(struct conn *c)
{
	struct conn_guest *g;

	if (!c->has_guest)
		return;
	g = c->guest;
	conn_drop_guest(c);
	conn_will_reset(c);
	g->kind->ended(c, g);
}

int
conn_lend(struct conn *c)
{
	assert(c->life == LIFE_OPEN && c->mem == NULL && !c->lent);
	assert(conn_queued(c) == 0);
	c->lent = true;
	conn_arm(c);
	return c->fd;
}

void
conn_take_back(struct conn *c, size_t n)
{
	assert(c->lent);
	c->lent = false;
	c->given += n;
	if (c->life == LIFE_DEAD)
		conn_touch(c);
}
