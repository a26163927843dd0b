/*
 * relay.c - what comes by one connection goes out by another.
 *
 *   from --splice--> pipe --splice--> to        a flow; a relay has two
 *   from --recv----> scratch --send--> to       without a pipe; what is not taken
 *                               `----> its output, as if it had been written
 *
 * Owner shard.  Invariant: a flow takes nothing from its source while any of what
 * it took before has not gone out; so it holds one portion, and the peer who sends
 * is slowed by TCP.  A flow has a pipe while bytes are in that, and at no other time
 * but within one call.
 */
#include "config.h"

#include "net/relay.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "base/ring.h"
#include "net/net_int.h"

/* What is moved in one direction before others have their turn. */
#define BYTES_A_TURN ((size_t)256 * 1024)

struct flow {
	struct conn *from, *to;
	struct net_pipe pipe; /* lent while in_pipe > 0 */
	size_t in_pipe;
	bool ended; /* from says no more */
	bool told;  /* to knows that */
};

struct relay {
	struct conn_guest guest; /* of both */
	struct flow flows[2];
	const struct relay_events *events;
	void *arg;
	bool held; /* until relay_go_on() */
};

/* --- pipes ----------------------------------------------------------------- */

void
relay_use_pipes(struct net *net, size_t bytes)
{
	net->pipe_bytes = bytes;
}

size_t
relay_pipes_lent(const struct net *net)
{
	return net->n_pipes_lent;
}

/* False: there is none to have. */
static bool
pipe_take(struct net *net, struct net_pipe *out)
{
	int fds[2];

	if (net->pipe_bytes == 0 || net->n_pipes_lent == PIPES_LENT)
		return false;
	if (net->n_pipes > 0) {
		*out = net->pipes[--net->n_pipes];
	} else {
		if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1)
			return false;
		*out = (struct net_pipe){ fds[0], fds[1] };
	}
	net->n_pipes_lent++;
	return true;
}

/* One with bytes in it is no use to others. */
static void
pipe_give(struct net *net, struct net_pipe pipe, bool empty)
{
	net->n_pipes_lent--;
	if (empty && net->n_pipes < SPARE_PIPES) {
		net->pipes[net->n_pipes++] = pipe;
		return;
	}
	close(pipe.out);
	close(pipe.in);
}

void
net_pipes_trim(struct net *net)
{
	while (net->n_pipes > 0) {
		struct net_pipe pipe = net->pipes[--net->n_pipes];

		close(pipe.out);
		close(pipe.in);
	}
}

/* --- one portion ------------------------------------------------------------ */

static enum io
io_of(ssize_t done, const char *what, struct err *err)
{
	if (done > 0)
		return IO_OK;
	if (done == 0)
		return IO_CLOSED;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return IO_AGAIN;
	conn_errno(err, what);
	return IO_BROKEN;
}

static void
flow_took(struct relay *r, struct flow *f, size_t n)
{
	ring_note(&ring_bytes_in, NULL, (uint64_t)f->from->fd, 0, (uint32_t)n);
	r->events->moved(r->arg, f->from, n);
}

/* What to does not take waits with it. */
static enum io
flow_copy(struct relay *r, struct flow *f, size_t max, size_t *got_out,
	struct err *err)
{
	char *p = f->from->net->scratch;
	ssize_t n = recv(f->from->fd, p, MIN(max, (size_t)SCRATCH_BYTES), 0);
	enum io io = io_of(n, "read", err);
	ssize_t sent;

	if (io != IO_OK)
		return io;
	*got_out = (size_t)n;
	flow_took(r, f, (size_t)n);
	sent = send(f->to->fd, p, (size_t)n, MSG_NOSIGNAL);
	/* why it broke shows when that is written */
	if (sent < n)
		conn_write(f->to, p + MAX(sent, 0), (size_t)(n - MAX(sent, 0)));
	return IO_OK;
}

/* From the source into a pipe; some kinds of sockets cannot do that. */
static enum io
flow_fill(struct relay *r, struct flow *f, size_t max, size_t *got_out,
	struct err *err)
{
	struct net *net = f->from->net;
	ssize_t n;
	enum io io;

	if (!pipe_take(net, &f->pipe))
		return flow_copy(r, f, max, got_out, err);
	n = splice(f->from->fd, NULL, f->pipe.in, NULL,
		MIN(max, net->pipe_bytes), SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	io = io_of(n, "read", err);
	if (io == IO_OK) {
		*got_out = f->in_pipe = (size_t)n;
		flow_took(r, f, (size_t)n);
		return io;
	}
	pipe_give(net, f->pipe, true);
	if (io == IO_BROKEN && (errno == EINVAL || errno == ENOSYS))
		return flow_copy(r, f, max, got_out, err);
	return io;
}

/* Is nothing of it left to go out? */
static bool
flow_is_clear(const struct flow *f)
{
	return f->in_pipe == 0 && conn_queued(f->to) == 0;
}

/* From the pipe to where it goes. */
static enum io
flow_drain(struct flow *f, struct err *err)
{
	while (f->in_pipe > 0) {
		ssize_t n = splice(f->pipe.out, NULL, f->to->fd, NULL,
			f->in_pipe, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		enum io io = io_of(n, "write", err);

		if (io != IO_OK)
			return io;
		f->in_pipe -= (size_t)n;
		if (f->in_pipe == 0)
			pipe_give(f->to->net, f->pipe, true);
	}
	return IO_OK;
}

/* --- a flow ----------------------------------------------------------------- */

/* All has gone out: so does the end, if that has come. */
static void
flow_tell_end(struct flow *f)
{
	if (!f->ended || f->told || !flow_is_clear(f))
		return;
	f->told = true;
	(void)shutdown(f->to->fd, SHUT_WR); /* who is gone, is found so */
}

/* Moves what it may and can.  NULL; or the one that broke, with err. */
static struct conn *
flow_run(struct relay *r, struct flow *f, struct err *err)
{
	size_t left = BYTES_A_TURN, got = 0;
	enum io io = flow_drain(f, err);

	while (io == IO_OK && left > 0 && !f->ended && flow_is_clear(f)) {
		size_t may = r->held ? 0 : r->events->may(r->arg);

		r->held = may == 0;
		if (r->held)
			break;
		io = flow_fill(r, f, MIN(may, left), &got, err);
		f->ended = io == IO_CLOSED;
		if (io == IO_BROKEN)
			return f->from;
		if (io != IO_OK)
			break;
		left -= MIN(got, left);
		io = flow_drain(f, err);
	}
	if (f->in_pipe > 0 && io == IO_BROKEN)
		return f->to;
	flow_tell_end(f);
	return NULL;
}

/* --- both ------------------------------------------------------------------- */

static struct relay *
relay_of(struct conn_guest *g)
{
	return CONTAINER_OF(g, struct relay, guest);
}

static struct flow *
flow_from(struct relay *r, const struct conn *c)
{
	return &r->flows[r->flows[0].from == c ? 0 : 1];
}

static struct flow *
flow_to(struct relay *r, const struct conn *c)
{
	return &r->flows[r->flows[0].from == c ? 1 : 0];
}

static void
flow_done(struct flow *f)
{
	if (f->in_pipe > 0)
		pipe_give(f->from->net, f->pipe, false);
	conn_drop_guest(f->from);
}

static void
relay_part(struct relay *r)
{
	flow_done(&r->flows[0]);
	flow_done(&r->flows[1]);
	memuse_remove_part(MEMUSE_CONN, r);
	free(r);
}

/* The other one ends, too. */
static void
relay_ended(struct conn *c, struct conn_guest *g)
{
	struct relay *r = relay_of(g);
	struct conn *other = flow_from(r, c)->to;

	relay_part(r);
	conn_reset(other, NULL);
}

/* Both have said all, and know it of each other. */
static bool
relay_finish(struct relay *r)
{
	struct conn *a = r->flows[0].from, *b = r->flows[1].from;

	if (!r->flows[0].told || !r->flows[1].told)
		return false;
	relay_part(r);
	conn_abort(a);
	conn_abort(b);
	return true;
}

/* Runs the flows that c is in. */
static void
relay_run(struct relay *r, const struct conn *c, bool from, bool to)
{
	struct conn *a = r->flows[0].from, *b = r->flows[1].from;
	struct conn *broken = NULL;
	struct err err = ERR_INIT;

	if (from)
		broken = flow_run(r, flow_from(r, c), &err);
	if (to && broken == NULL)
		broken = flow_run(r, flow_to(r, c), &err);
	if (broken != NULL) {
		conn_fail(broken, &err);
		return;
	}
	if (relay_finish(r))
		return;
	conn_arm(a);
	conn_arm(b);
}

static short
relay_wants(struct conn *c, struct conn_guest *g)
{
	struct relay *r = relay_of(g);
	const struct flow *in = flow_from(r, c);
	short want = 0;

	if (!in->ended && !r->held && in->in_pipe == 0 &&
		in->to->output != OUTPUT_REFUSED)
		want |= EV_READ;
	if (flow_to(r, c)->in_pipe > 0)
		want |= EV_WRITE;
	return want;
}

static void
relay_ready(struct conn *c, struct conn_guest *g, short what)
{
	relay_run(relay_of(g), c, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

static void
relay_drained(struct conn *c, struct conn_guest *g)
{
	relay_run(relay_of(g), c, false, true);
}

static const struct conn_guest_kind relay_kind = {
	relay_wants,
	relay_ready,
	relay_drained,
	relay_ended,
};

void
relay_join(struct conn *a, struct conn *b, const struct relay_events *events,
	void *arg)
{
	struct relay *r = xcalloc(1, sizeof(*r));

	assert(a->net == b->net && a != b);
	assert(a->life == LIFE_OPEN && a->mem == NULL && a->ssl == NULL);
	assert(b->life == LIFE_OPEN && b->mem == NULL && b->ssl == NULL);
	memuse_add_part(MEMUSE_CONN, r);
	r->flows[0] = (struct flow){ .from = a, .to = b };
	r->flows[1] = (struct flow){ .from = b, .to = a };
	r->events = events;
	r->arg = arg;
	r->guest.kind = &relay_kind;
	conn_set_guest(a, &r->guest);
	conn_set_guest(b, &r->guest);
}

void
relay_go_on(struct conn *c)
{
	struct relay *r;

	if (!c->has_guest || c->guest->kind != &relay_kind)
		return;
	r = relay_of(c->guest);
	r->held = false;
	conn_arm(r->flows[0].from);
	conn_arm(r->flows[1].from);
}
