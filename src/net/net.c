/*
 * net.c - what the connections of one shard share.
 *
 * Owner shard.
 */
#include "config.h"

#include "net/net.h"

#include <assert.h>
#include <signal.h>

#include "base/crash_text.h"
#include "base/mem.h"
#include "base/ring.h"
#include "net/net_int.h"

/* What closed() and drained() write leaves in the same turn, as long as they do
 * not play ping-pong. */
#define ROUNDS_A_FLUSH 8

static void
on_net_again(evutil_socket_t fd, short what, void *arg)
{
	/* the shard flushes after every turn: being one is all it takes */
	(void)fd;
	(void)what;
	(void)arg;
}

static void
describe_conn(struct crash_text *out, const struct ring_event *ev)
{
	crash_put(out, "fd=");
	crash_put_number(out, (int64_t)ev->id);
	if (ev->n == 0)
		return;
	crash_put(out, " n=");
	crash_put_number(out, ev->n);
}

const struct ring_kind ring_bytes_in = { "bytes in", describe_conn };
static const struct ring_kind ring_bytes_out = { "bytes out", describe_conn };

struct net *
net_new(struct event_base *base)
{
	struct net *net = xcalloc(1, sizeof(*net));

	/* OpenSSL writes to sockets with write(), which has no MSG_NOSIGNAL */
	signal(SIGPIPE, SIG_IGN);
	net->base = base;
	net->pipe_bytes = PIPE_BYTES;
	TAILQ_INIT(&net->work);
	TAILQ_INIT(&net->lingering);
	if (base != NULL) {
		net->again = event_new(base, -1, 0, on_net_again, net);
		assert(net->again != NULL);
	}
	return net;
}

void
net_free(struct net *net)
{
	struct conn *c;

	if (net == NULL)
		return;
	while ((c = TAILQ_FIRST(&net->lingering)) != NULL)
		conn_abort(c);
	while (net_is_busy(net))
		net_flush(net);
	assert(net->count == 0);
	for (size_t i = 0; i < net->n_spare; i++)
		buf_done(&net->spare[i]);
	buf_done(&net->trash);
	vec_done(&net->line);
	net_pipes_trim(net);
	tls_tickets_free(net->tickets);
	if (net->again != NULL)
		event_free(net->again);
	free(net);
}

struct event_base *
net_base(const struct net *net)
{
	return net->base;
}

void
net_bound(struct net *net, size_t bytes)
{
	net->left_max = bytes;
}

size_t
net_count(const struct net *net)
{
	return net->count;
}

struct gauge
net_left(const struct net *net)
{
	return net->left;
}

bool
net_is_busy(const struct net *net)
{
	return net->n_work > 0;
}

size_t
net_work(const struct net *net)
{
	return net->n_work;
}

void
net_spare_put(struct net *net, struct buf *b)
{
	b->n = 0;
	if (b->p == NULL)
		return;
	if (b->cap > SPARE_BYTES || net->n_spare == SPARE_BUFS) {
		buf_done(b);
		return;
	}
	net->spare[net->n_spare++] = *b;
	*b = (struct buf)BUF_INIT;
}

void
net_spare_get(struct net *net, struct buf *b)
{
	if (net->n_spare > 0)
		*b = net->spare[--net->n_spare];
}

void
net_trim(struct net *net)
{
	while (net->n_spare > 0)
		buf_done(&net->spare[--net->n_spare]);
	buf_done(&net->trash);
	if (net->line.n == 0)
		vec_done(&net->line);
	net_pipes_trim(net);
}

void
conn_move(struct conn *c, enum conn_place place)
{
	struct net *net = c->net;

	if (c->place == PLACE_WORK) {
		TAILQ_REMOVE(&net->work, c, link);
		net->n_work--;
	} else if (c->place == PLACE_LINGERING) {
		TAILQ_REMOVE(&net->lingering, c, link);
	}
	c->place = (uint8_t)place & 3;
	if (place == PLACE_WORK) {
		TAILQ_INSERT_TAIL(&net->work, c, link);
		net->n_work++;
	} else if (place == PLACE_LINGERING) {
		TAILQ_INSERT_TAIL(&net->lingering, c, link);
	}
}

/* Those who join the list meanwhile belong to the next pass. */
static void
net_pass(struct net *net)
{
	struct ring_event *ev = ring_note(&ring_bytes_out, NULL, 0, 0, 0);
	struct conn *c;

	for (size_t n = net->n_work; n > 0; n--) {
		c = TAILQ_FIRST(&net->work);
		if (c == NULL)
			break; /* some were detached meanwhile */
		conn_move(c, PLACE_NONE);
		ring_next(ev, &ring_bytes_out, NULL, (uint64_t)c->fd);
		conn_turn(c);
	}
}

void
net_flush(struct net *net)
{
	assert(!net->flushing && net->calls == NULL);
	net->flushing = true;
	net_serve_line(net);
	for (int i = 0; i < ROUNDS_A_FLUSH && net_is_busy(net); i++)
		net_pass(net);
	if ((net_is_busy(net) || net->line.n != 0) && net->again != NULL)
		event_active(net->again, 0, 0);
	if (net->trash.cap > SPARE_BYTES)
		buf_done(&net->trash);
	net->flushing = false;
}
