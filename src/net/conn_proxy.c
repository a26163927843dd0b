/*
 * conn_proxy.c - reads the header of the PROXY protocol, and leaves in the socket
 * what follows it.
 *
 * Owner shard.  The socket is looked into before it is read, for what stands behind
 * the header is for TLS.  Invariant: kept is the beginning of a header that is not
 * whole, and no byte of it is in the socket any more, which would announce it again
 * and again.
 */
#include "config.h"

#include "net/conn_proxy.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/tag.h"
#include "net/net_int.h"
#include "net/proxy_protocol.h"

struct conn_proxy {
	uint32_t tag;
	struct conn *conn;
	conn_proxy_fn fn;
	void *arg;
	struct buf kept;
	struct event readable;
};

static void
proxy_over(struct conn_proxy *p, const struct err *why)
{
	conn_proxy_fn fn = p->fn;
	void *arg = p->arg;

	conn_proxy_stop(p);
	fn(arg, why);
}

static void
proxy_believe(struct conn *c, const struct proxy_header *h)
{
	switch (h->told) {
	case PROXY_ITSELF:
		break;
	case PROXY_SOMEBODY:
		c->through = CONN_PROXIED_NOBODY;
		break;
	case PROXY_ADDRESS:
		c->through = h->plain ? CONN_PROXIED_PLAIN : CONN_PROXIED;
		conn_set_peer_ip(c, &h->ip, h->port);
		break;
	}
}

/* The system has so many for us. */
static bool
proxy_take(const struct conn_proxy *p, char *to, size_t n, struct err *err)
{
	ssize_t got = recv(p->conn->fd, to, n, 0);

	if (got == -1)
		return conn_errno(err, "read");
	return (size_t)got == n ||
		err_set(err, ERR_CLOSED, "the system has lost bytes of it");
}

/* got bytes more are in the socket, and, behind those that are kept, in all. */
static void
proxy_look(struct conn_proxy *p, char *all, size_t got)
{
	size_t kept = p->kept.n;
	struct proxy_header h;
	struct err err = ERR_INIT;
	bool ok;

	switch (proxy_header_read((struct str){ all, kept + got }, &h, &err)) {
	case PROXY_MORE:
		if (proxy_take(p, all + kept, got, &err))
			buf_add(&p->kept, all + kept, got);
		else
			proxy_over(p, &err);
		return;
	case PROXY_DONE:
		ok = proxy_take(p, all + kept, h.n - kept, &err);
		if (ok)
			proxy_believe(p->conn, &h);
		proxy_over(p, ok ? NULL : &err);
		return;
	case PROXY_BAD:
		proxy_over(p, &err);
	}
}

static struct conn_proxy *
proxy_arg(void *arg)
{
	struct conn_proxy *p = arg;

	TAG_CHECK(p, "prxy");
	return p;
}

/* Loop of the shard which holds the connection. */
static void
on_proxy_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn_proxy *p = proxy_arg(arg);
	struct err err = ERR_INIT;
	char all[PROXY_HEADER_MAX];
	size_t kept = p->kept.n;
	ssize_t got;

	(void)what;
	assert(kept < sizeof(all)); /* a longer one is bad */
	if (kept != 0)
		memcpy(all, p->kept.p, kept);
	got = recv(fd, all + kept, sizeof(all) - kept, MSG_PEEK);
	if (got > 0) {
		proxy_look(p, all, (size_t)got);
		return;
	}
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got == -1)
		conn_errno(&err, "read");
	else
		err_set(&err, kept == 0 ? ERR_MISSING : ERR_CLOSED,
			"the proxy closed the connection");
	proxy_over(p, &err);
}

struct conn_proxy *
conn_proxy_read(struct conn *c, conn_proxy_fn fn, void *arg)
{
	struct conn_proxy *p = xcalloc(1, sizeof(*p));

	assert(c->events == NULL && c->mem == NULL);
	TAG_SET(p, "prxy");
	p->conn = c;
	p->fn = fn;
	p->arg = arg;
	event_assign(&p->readable, c->net->base, c->fd, EV_READ | EV_PERSIST,
		on_proxy_readable, p);
	event_add(&p->readable, NULL);
	return p;
}

void
conn_proxy_stop(struct conn_proxy *p)
{
	event_del(&p->readable);
	buf_done(&p->kept);
	TAG_CLEAR(p);
	free(p);
}
