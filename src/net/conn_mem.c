/*
 * conn_mem.c - connections without a socket, for simulations and benchmarks.
 *
 * Owner shard; the other side feeds from the same thread.  Input is reported at
 * once when the owner reads, else kept until he does.
 */
#include "config.h"

#include "net/conn.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "net/net_int.h"

struct conn *
conn_new_mem(struct net *net, const struct conn_mem_sink *sink)
{
	struct conn *c = conn_new(net);

	c->mem = xcalloc(1, sizeof(*c->mem));
	c->mem->sink = *sink;
	c->mem->room = SIZE_MAX;
	snprintf(c->peer, sizeof(c->peer), "memory");
	return c;
}

void
conn_mem_from(struct conn *c, const struct sockaddr *peer, unsigned peer_len)
{
	assert(c->mem != NULL);
	conn_set_peer(c, peer, peer_len);
}

/* Reports what was fed while nobody read, as much as there is room for.  False when c
 * must not be touched. */
static bool
conn_mem_report(struct conn *c)
{
	struct net *net = c->net;
	struct net_call call = { .c = c, .up = net->calls };
	struct buf in = c->mem->in;
	size_t n = in.n, room;
	char *p = conn_place(c, &room);

	c->mem->in = (struct buf)BUF_INIT; /* may be fed meanwhile */
	if (p != NULL) {
		n = MIN(n, room);
		memcpy(p, in.p, n);
		buf_add(&c->mem->in, in.p + n, in.n - n);
	}
	net->calls = &call;
	(void)conn_tell_data(c, p != NULL ? p : in.p, n);
	net->calls = call.up;
	buf_done(&in);
	return call.c != NULL;
}

/* False when c must not be touched. */
static bool
conn_mem_report_all(struct conn *c)
{
	while (c->mem->in.n > 0 && conn_is_reading(c))
		if (!conn_mem_report(c))
			return false;
	return true;
}

void
conn_mem_feed(struct conn *c, const char *p, size_t n)
{
	assert(c->mem != NULL);
	if (n == 0 || c->mem->hung_up || c->life != LIFE_OPEN)
		return;
	if (c->net == NULL || !conn_is_reading(c) || c->mem->in.n != 0) {
		buf_add(&c->mem->in, p, n);
	} else if (c->events->place == NULL) {
		(void)conn_tell_data(c, p, n);
	} else {
		buf_add(&c->mem->in, p, n);
		(void)conn_mem_report_all(c);
	}
}

void
conn_mem_hangup(struct conn *c)
{
	assert(c->mem != NULL);
	c->mem->hung_up = true;
	if (c->net != NULL)
		conn_touch(c);
}

void
conn_mem_secure(struct conn *c)
{
	assert(c->mem != NULL);
	conn_set_tls(c, CONN_TLS_ON);
}

void
conn_mem_take(struct conn *c, size_t n)
{
	assert(c->mem != NULL);
	c->mem->room = n;
	if (c->net != NULL)
		conn_touch(c);
}

void
conn_mem_tell_lost(struct conn *c,
	void (*lost)(void *arg, const char *p, size_t n))
{
	assert(c->mem != NULL);
	c->mem->lost = lost;
}

void
conn_mem_ask(struct conn *c)
{
	if (c->mem->room < conn_queued(c))
		conn_set_output(c, OUTPUT_REFUSED);
	else
		conn_has_room(c);
}

static void
conn_mem_lose(const struct conn *c, const char *p, size_t n)
{
	if (n != 0 && c->mem->lost != NULL)
		c->mem->lost(c->mem->sink.arg, p, n);
}

static void
conn_mem_write(struct conn *c)
{
	struct buf out = c->out;
	size_t n = MIN(conn_queued(c), c->mem->room);

	/* the sink may feed us, and the owner write, before it returns */
	c->out = (struct buf)BUF_INIT;
	buf_add(&c->out, out.p + n, out.n - n);
	c->given += n;
	if (c->mem->room != SIZE_MAX)
		c->mem->room -= n;
	if (!c->mem->hung_up)
		c->mem->sink.write(c->mem->sink.arg, out.p, n);
	else
		conn_mem_lose(c, out.p, n);
	net_spare_put(c->net, &out);
}

/* False when c must not be touched any more. */
static bool
conn_mem_write_some(struct conn *c)
{
	if (c->out.n > 0 && c->mem->room > 0)
		conn_mem_write(c);
	conn_mem_ask(c);
	return c->output != OUTPUT_DUE || conn_tell_drained(c);
}

void
conn_mem_turn(struct conn *c)
{
	struct err err = ERR_INIT;

	if (!conn_mem_report_all(c) || !conn_mem_write_some(c) ||
		(conn_queued(c) == 0 && !conn_tell_guest(c)))
		return;
	if (c->mem->hung_up && conn_is_reading(c) && c->mem->in.n == 0) {
		err_set(&err, ERR_CLOSED, "the peer closed the connection");
		conn_fail(c, &err);
	}
}

void
conn_mem_free(struct conn *c)
{
	if (!c->mem->hung_up && c->mem->sink.closed != NULL)
		c->mem->sink.closed(c->mem->sink.arg);
	conn_mem_lose(c, c->out.p, c->out.n);
	buf_done(&c->mem->in);
	free(c->mem);
	c->mem = NULL;
}
