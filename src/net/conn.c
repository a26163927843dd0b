/*
 * conn.c - bytes in and out of a connection: reading through the net's scratch
 * buffer, writing at the end of the turn, or before when the owner wants it.
 *
 * Owner shard; net_int.h draws the states.  Invariant: ev waits for what
 * conn_is_reading() and OUTPUT_REFUSED ask for, and a connection with queued
 * bytes is on the work list, or refused.  It may go on waiting for input that
 * nobody wants now, until some comes.
 */
#include "config.h"

#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "base/ring.h"
#include "base/tag.h"
#include "net/net_int.h"

/* --- making --------------------------------------------------------------- */

struct conn *
conn_new(struct net *net)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	TAG_SET(c, "conn");
	c->fd = -1;
	c->net = net;
	net->count++;
	memuse_add(MEMUSE_CONN, c);
	return c;
}

struct conn *
conn_new_tcp(
	struct net *net, int fd, const struct sockaddr *peer, unsigned peer_len)
{
	struct conn *c = conn_new(net);
	int on = 1;

	assert(net->base != NULL);
	c->fd = fd;
	conn_set_peer(c, peer, peer_len);
	/* a turn's output is gathered already; fails on what is not TCP */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return c;
}

/* --- the loop ------------------------------------------------------------- */

void
conn_touch(struct conn *c)
{
	if (c->place != PLACE_WORK)
		conn_move(c, PLACE_WORK);
}

void
conn_set_life(struct conn *c, enum conn_life to)
{
	assert(to > c->life);
	assert(to != LIFE_SHUT || c->life == LIFE_CLOSING);
	c->life = to;
	conn_end_guest(c);
}

void
conn_set_output(struct conn *c, enum conn_output to)
{
	assert(to == OUTPUT_REFUSED ||
		(to == OUTPUT_DUE && c->output == OUTPUT_REFUSED) ||
		(to == OUTPUT_FREE && c->output == OUTPUT_DUE));
	c->output = to;
}

void
conn_has_room(struct conn *c)
{
	if (c->output == OUTPUT_REFUSED)
		conn_set_output(c, OUTPUT_DUE);
}

bool
conn_is_reading(const struct conn *c)
{
	return c->events != NULL && !c->paused && c->life == LIFE_OPEN &&
		c->clear == 0 && !c->has_guest;
}

static struct conn *
conn_arg(void *arg)
{
	struct conn *c = arg;

	TAG_CHECK(c, "conn");
	return c;
}

/* The callbacks of the owner, who may detach c inside: false when c must not be
 * touched any more. */
static bool
conn_tell(struct conn *c, void (*fn)(void *arg))
{
	struct net *net = c->net;
	struct net_call call = { .c = c, .up = net->calls };

	if (fn == NULL)
		return true;
	net->calls = &call;
	fn(c->arg);
	net->calls = call.up;
	return call.c != NULL;
}

bool
conn_tell_secured(struct conn *c)
{
	return conn_tell(c, c->events->secured) && conn_is_reading(c);
}

bool
conn_tell_drained(struct conn *c)
{
	conn_set_output(c, OUTPUT_FREE);
	return c->events == NULL || c->has_guest ||
		conn_tell(c, c->events->drained);
}

bool
conn_tell_data(struct conn *c, const char *p, size_t n)
{
	struct net *net = c->net;
	struct net_call call = { .c = c, .up = net->calls };

	net->calls = &call;
	c->events->data(c->arg, p, n);
	net->calls = call.up;
	return call.c != NULL && conn_is_reading(c);
}

void
conn_fail(struct conn *c, const struct err *why)
{
	if (c->life == LIFE_DEAD)
		return;
	if (c->life == LIFE_OPEN) {
		c->why = xmalloc(sizeof(*c->why));
		*c->why = *why;
	}
	conn_set_life(c, LIFE_DEAD);
	conn_touch(c);
}

bool
conn_errno(struct err *err, const char *what)
{
	int saved = errno;

	err_errno(err, "%s", what);
	if (err != NULL &&
		(saved == ECONNRESET || saved == EPIPE || saved == ETIMEDOUT))
		err->code = ERR_CLOSED;
	return false;
}

static enum io
conn_recv(struct conn *c, char *p, size_t n, size_t *got_out, struct err *err)
{
	ssize_t got;

	if (conn_is_secure(c))
		return conn_tls_read(c, p, n, got_out, err);
	do
		got = recv(c->fd, p, n, 0);
	while (got == -1 && errno == EINTR);
	if (got > 0) {
		*got_out = (size_t)got;
		return IO_OK;
	}
	if (got == 0) {
		err_set(err, ERR_CLOSED, "the peer closed the connection");
		return IO_CLOSED;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return IO_AGAIN;
	conn_errno(err, "read");
	return IO_BROKEN;
}

/* Where there is always room. */
static char *
conn_place_any(struct conn *c, size_t *n_out)
{
	char *p = conn_place(c, n_out);

	if (p != NULL)
		return p;
	*n_out = SCRATCH_BYTES;
	return c->net->scratch;
}

/* Reads until there is nothing, or this conn had its share.  The loop announces
 * again what is left in the socket, but not what TLS holds already. */
static void
conn_read(struct conn *c)
{
	struct err err = ERR_INIT;
	size_t got, room, sum = 0;

	c->more = false;
	for (int i = 0; i < READS_A_WAKEUP && sum < BYTES_A_WAKEUP; i++) {
		char *p = conn_place_any(c, &room);

		switch (conn_recv(c, p, room, &got, &err)) {
		case IO_OK:
			ring_note(&ring_bytes_in, NULL, (uint64_t)c->fd, 0,
				(uint32_t)got);
			sum += got;
			if (!conn_tell_data(c, p, got))
				return;
			if (c->tls == CONN_TLS_HELLO)
				return; /* TLS begins here */
			break;
		case IO_AGAIN:
			return;
		case IO_CLOSED:
		case IO_BROKEN:
			conn_fail(c, &err);
			return;
		}
		/* spares the call that finds nothing */
		if (conn_is_secure(c) ? !conn_tls_has_pending(c) :
					got < room)
			return;
	}
	if (conn_is_secure(c)) {
		c->more = true;
		conn_touch(c);
	}
}

static short
conn_wants(struct conn *c)
{
	short want = 0;

	if (c->life == LIFE_DEAD || c->lent)
		return 0;
	if (c->life == LIFE_SHUT)
		return EV_READ;
	if (c->has_guest)
		want = c->guest->kind->wants(c, c->guest);
	if (conn_is_reading(c))
		want |= EV_READ;
	if (c->output == OUTPUT_REFUSED || c->read_blocked)
		want |= EV_WRITE;
	return want;
}

static void on_conn_event(evutil_socket_t fd, short what, void *arg);

static void
conn_wait(struct conn *c, short want)
{
	if (c->armed == want)
		return;
	if (c->armed != 0)
		event_del(&c->ev);
	c->armed = (uint8_t)want & (EV_READ | EV_WRITE);
	if (want == 0)
		return;
	event_assign(&c->ev, c->net->base, c->fd, (short)(want | EV_PERSIST),
		on_conn_event, c);
	event_add(&c->ev, NULL);
}

/* Loop of the shard which holds c. */
static void
on_conn_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = conn_arg(arg);

	(void)fd;
	if (c->life == LIFE_DEAD)
		return;
	if (what & EV_WRITE) {
		conn_has_room(c);
		c->read_blocked = false;
		conn_touch(c);
	}
	if (c->life == LIFE_SHUT)
		conn_discard(c);
	else if (c->in_line || conn_is_bulk(c))
		conn_stand_in_line(c, what);
	else
		conn_go_on(c, what);
}

void
conn_go_on(struct conn *c, short what)
{
	if (c->life == LIFE_DEAD)
		return;
	if (c->has_guest) {
		c->guest->kind->ready(c, c->guest, what);
		return;
	}
	if (!conn_is_reading(c)) {
		conn_wait(c, conn_wants(c));
		return;
	}
	/* what came with the end of a handshake is held by TLS, or announced */
	if (c->tls == CONN_TLS_HELLO &&
		(!conn_tls_handshake(c) || !conn_tls_has_pending(c)))
		return;
	conn_read(c);
}

/* Who reads no more for a while is seldom sent anything meanwhile: a login
 * rests while the store is asked, and while TLS begins, and is spared six calls
 * of epoll_ctl(). */
void
conn_arm(struct conn *c)
{
	short want;

	if (c->mem != NULL || c->net == NULL)
		return;
	want = conn_wants(c);
	/* who sends to one that takes nothing would be announced for ever */
	if (c->has_guest || c->lent || c->armed != (want | EV_READ))
		conn_wait(c, want);
}

/* --- writing -------------------------------------------------------------- */

struct buf *
conn_out(struct conn *c)
{
	if (c->life != LIFE_OPEN) {
		c->net->trash.n = 0;
		return &c->net->trash;
	}
	if (c->out.p == NULL && c->net != NULL)
		net_spare_get(c->net, &c->out);
	return &c->out;
}

void
conn_wrote(struct conn *c)
{
	if (c->net == NULL)
		return;
	if (c->output == OUTPUT_REFUSED)
		conn_count_left(c, conn_queued(c));
	else if (c->out.n > 0 && c->life == LIFE_OPEN)
		conn_touch(c);
}

void
conn_write(struct conn *c, const void *p, size_t n)
{
	if (c->life != LIFE_OPEN)
		return;
	buf_add(conn_out(c), p, n);
	conn_wrote(c);
}

size_t
conn_queued(const struct conn *c)
{
	return c->out.n - c->out_at;
}

void
conn_warm(const struct conn *c)
{
	mem_warm(c, sizeof(*c));
}

static enum io
conn_send(struct conn *c, const char *p, size_t n, size_t *done_out,
	struct err *err)
{
	ssize_t done;

	if (c->clear > 0)
		n = MIN(n, c->clear); /* what comes behind waits for TLS */
	else if (c->ssl != NULL)
		return conn_tls_write(c, p, n, done_out, err);
	do
		done = send(c->fd, p, n, MSG_NOSIGNAL);
	while (done == -1 && errno == EINTR);
	if (done >= 0) {
		*done_out = (size_t)done;
		c->clear -= MIN(c->clear, (uint32_t)done);
		return IO_OK;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		conn_set_output(c, OUTPUT_REFUSED);
		return IO_AGAIN;
	}
	conn_errno(err, "write");
	return IO_BROKEN;
}

/* What was sent is given up when it is half of the buffer, so that no byte of a
 * long queue is moved often. */
static void
conn_sent(struct conn *c, size_t n)
{
	c->given += n;
	c->out_at += n;
	if (c->out_at < c->out.n / 2)
		return;
	buf_consume(&c->out, c->out_at);
	c->out_at = 0;
}

/* True when nothing is left that can be sent, now or later. */
static bool
conn_push(struct conn *c)
{
	struct err err = ERR_INIT;
	enum io io = IO_OK;
	size_t at = c->out_at, done = 0;

	while (at < c->out.n && io == IO_OK) {
		if (c->clear == 0 && c->hello != NULL)
			break; /* the handshake comes first */
		io = conn_send(c, c->out.p + at, c->out.n - at, &done, &err);
		if (io == IO_OK)
			at += done;
	}
	conn_sent(c, at - c->out_at);
	if (io == IO_BROKEN || io == IO_CLOSED)
		conn_fail(c, &err);
	return c->out.n == 0 ||
		(c->life != LIFE_OPEN && c->hello != NULL && c->clear == 0);
}

bool
conn_flush(struct conn *c)
{
	/* in memory, what is written is taken at the end of the turn */
	if (c->mem != NULL)
		conn_mem_ask(c);
	else if (c->output != OUTPUT_REFUSED && c->life == LIFE_OPEN)
		(void)conn_push(c);
	return c->output != OUTPUT_REFUSED;
}

/* The end of the turn for a socket. */
static void
conn_turn_tcp(struct conn *c)
{
	if (c->output != OUTPUT_REFUSED && c->life != LIFE_SHUT &&
		conn_push(c) && c->life != LIFE_DEAD) {
		net_spare_put(c->net, &c->out);
		if (c->life == LIFE_CLOSING)
			conn_shut(c);
		else if (c->output == OUTPUT_DUE && !conn_tell_drained(c))
			return;
		if (!conn_tell_guest(c))
			return;
	}
	if (c->hello != NULL && c->hello->opens && c->clear == 0 &&
		c->life == LIFE_OPEN)
		(void)conn_tls_handshake(c); /* a client speaks first */
	conn_arm(c);
	if (c->more && conn_is_reading(c))
		event_active(&c->ev, EV_READ, 0);
}

void
conn_turn(struct conn *c)
{
	struct net *net = c->net;
	struct net_call call = { .c = c, .up = net->calls };

	if (c->lent)
		return; /* conn_take_back() comes again */
	if (c->life != LIFE_DEAD) {
		net->calls = &call;
		if (c->mem != NULL)
			conn_mem_turn(c);
		else
			conn_turn_tcp(c);
		net->calls = call.up;
		if (call.c == NULL)
			return;
		if (c->left != conn_queued(c)) {
			conn_count_left(c, conn_queued(c));
			conn_check_bound(c);
		}
		/* without linger there is one try */
		if (c->life == LIFE_CLOSING && c->timer == NULL)
			conn_set_life(c, LIFE_DEAD);
	}
	if (c->life == LIFE_DEAD) {
		conn_destroy(c);
		return;
	}
	if (c->life != LIFE_OPEN && c->place == PLACE_NONE)
		conn_move(c, PLACE_LINGERING);
}

/* There may be something that TLS, or the peer in memory, holds already, and that no
 * socket will announce. */
void
conn_wake(struct conn *c)
{
	if (c->net == NULL)
		return;
	conn_arm(c);
	if (c->mem != NULL || conn_tls_has_pending(c)) {
		c->more = true;
		conn_touch(c);
	}
}

void
conn_set_owner(struct conn *c, const struct conn_events *events, void *arg)
{
	c->events = events;
	c->arg = arg;
	conn_wake(c);
}

void
conn_pause(struct conn *c)
{
	c->paused = true;
	conn_arm(c);
}

void
conn_resume(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	conn_wake(c);
}

/* --- moving to another shard ---------------------------------------------- */

void
conn_detach(struct conn *c)
{
	struct net *net = c->net;

	/* it may be dead: the peer decides that, and closed() follows it */
	assert(net != NULL && c->timer == NULL && !c->has_guest);
	assert(!c->lent);
	assert(c->life == LIFE_OPEN || c->life == LIFE_DEAD);
	for (struct net_call *call = net->calls; call != NULL; call = call->up)
		if (call->c == c)
			call->c = NULL;
	if (c->armed != 0)
		event_del(&c->ev);
	c->armed = 0;
	conn_leave_line(c);
	conn_move(c, PLACE_NONE);
	conn_count_left(c, 0);
	net->count--;
	c->net = NULL;
}

void
conn_attach(struct conn *c, struct net *net)
{
	assert(c->net == NULL);
	c->net = net;
	net->count++;
	/* the new kernel queue is the old one, but asking again is harmless */
	conn_has_room(c);
	conn_wake(c);
	conn_touch(c);
	if (c->more && c->mem == NULL && conn_is_reading(c))
		event_active(&c->ev, EV_READ, 0);
}
