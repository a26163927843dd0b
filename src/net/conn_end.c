/*
 * conn_end.c - how a connection ends.
 *
 *   OPEN --conn_close()--> CLOSING --all written: conn_shut()--> SHUT
 *   SHUT --the peer closes: conn_discard(), or on_conn_linger()--> DEAD
 *   OPEN, CLOSING --conn_abort(), conn_fail()--> DEAD --conn_destroy()--> freed
 *
 * Owner shard.  What is dead is freed by net_flush() and nobody else.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "net/conn.h"
#include "net/net_int.h"

/* Input that is thrown away before closing, so that the kernel does not send a
 * reset that overtakes our last words (RFC 1122 §4.2.2.13). */
#define READS_AT_END 8

/* The peer did not close in time. */
static void
on_conn_linger(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_abort(arg);
}

void
conn_close(struct conn *c, int64_t linger_us)
{
	if (c->life != LIFE_OPEN)
		return;
	assert(c->net != NULL);
	if (c->has_guest) {
		conn_abort(c); /* what it has got is not the whole */
		return;
	}
	conn_set_life(c, LIFE_CLOSING);
	if (c->mem == NULL && linger_us > 0) {
		struct timeval tv = {
			.tv_sec = (time_t)(linger_us / US_PER_S),
			.tv_usec = (suseconds_t)(linger_us % US_PER_S),
		};

		c->timer = evtimer_new(c->net->base, on_conn_linger, c);
		assert(c->timer != NULL);
		evtimer_add(c->timer, &tv);
	}
	conn_touch(c);
}

void
conn_leave(struct conn *c, int64_t linger_us)
{
	c->silent = true;
	conn_close(c, linger_us);
}

void
conn_abort(struct conn *c)
{
	if (c->life == LIFE_DEAD)
		return;
	assert(c->net != NULL);
	conn_set_life(c, LIFE_DEAD);
	conn_touch(c);
}

void
conn_bound(struct conn *c)
{
	c->bounded = true;
}

void
conn_check_bound(struct conn *c)
{
	struct err err = ERR_INIT;

	/* a guest has one portion waiting, and slows who sends */
	if (!c->bounded || c->left <= c->net->left_max || c->has_guest)
		return;
	err_set(&err, ERR_LIMIT, "it does not read what it is sent");
	conn_fail(c, &err);
}

void
conn_shut(struct conn *c)
{
	conn_tls_bye(c);
	if (c->timer == NULL || shutdown(c->fd, SHUT_WR) == -1)
		conn_set_life(c, LIFE_DEAD);
	else
		conn_set_life(c, LIFE_SHUT);
}

void
conn_discard(struct conn *c)
{
	ssize_t got = -1;

	for (int i = 0; i < READS_AT_END; i++) {
		got = recv(c->fd, c->net->scratch, SCRATCH_BYTES, MSG_DONTWAIT);
		if (got <= 0)
			break;
	}
	if (got == 0 || (got == -1 && errno != EAGAIN && errno != EINTR))
		conn_abort(c);
}

static void
conn_free_socket(struct conn *c)
{
	if (c->armed != 0)
		event_del(&c->ev);
	if (!c->has_guest && c->timer != NULL)
		event_free(c->timer);
	conn_tls_bye(c);
	conn_tls_free(c);
	for (int i = 0; i < READS_AT_END; i++)
		if (recv(c->fd, c->net->scratch, SCRATCH_BYTES, MSG_DONTWAIT) <=
			0)
			break;
	close(c->fd);
}

void
conn_destroy(struct conn *c)
{
	struct net *net = c->net;

	/* the last call is not the place to write or close again */
	assert(c->life == LIFE_DEAD);
	if (c->events != NULL)
		c->events->closed(c->arg, c->why);
	conn_leave_line(c);
	conn_move(c, PLACE_NONE);
	if (c->mem != NULL)
		conn_mem_free(c);
	else
		conn_free_socket(c);
	conn_count_left(c, 0);
	net_spare_put(net, &c->out);
	net->count--;
	free(c->why);
	TAG_CLEAR(c);
	memuse_remove(MEMUSE_CONN, c);
	free(c);
}
