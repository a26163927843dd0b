/*
 * listener.c - sockets that accept.
 *
 * Owner shard, but for listener_bind().  Invariant: a listener that is paused
 * waits for nothing, and its socket is bound and does not listen.
 */
#include "config.h"

#include "net/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tag.h"
#include "net/net.h"

/* New connections in one wake-up; the others have their turn in between. */
#define ACCEPTS_A_WAKEUP 64
#define REST_S 1
/* Descriptors that no connection gets: for the administrator, the store, files
 * that are opened anew. */
#define KEPT_FREE 32

struct listener {
	uint32_t tag;
	int fd;
	listener_accept_fn fn;
	void *arg;
	bool resting; /* from the first failure until an accept works */
	bool running; /* fn may be on the stack */
	bool stopped; /* by fn: to be freed behind it */
	bool paused;
	int fd_max;   /* the highest descriptor for a connection */
	struct log_limit limit;
	struct event readable;
	struct event rest;
};

struct endpoint {
	struct sockaddr_storage sa;
	socklen_t n;
	bool dual; /* IPv6 socket that takes IPv4 too */
};

/* --- any thread ----------------------------------------------------------- */

static void
endpoint_set(struct endpoint *ep, const struct in6_addr *in6,
	const struct in_addr *in, uint16_t port)
{
	*ep = (struct endpoint){ .n = 0 };
	if (in6 != NULL) {
		struct sockaddr_in6 *sa = (struct sockaddr_in6 *)&ep->sa;

		sa->sin6_family = AF_INET6;
		sa->sin6_addr = *in6;
		sa->sin6_port = htons(port);
		ep->n = sizeof(*sa);
	} else {
		struct sockaddr_in *sa = (struct sockaddr_in *)&ep->sa;

		sa->sin_family = AF_INET;
		sa->sin_addr = *in;
		sa->sin_port = htons(port);
		ep->n = sizeof(*sa);
	}
}

static bool
endpoint_parse(struct endpoint *ep, const char *address, uint16_t port,
	struct err *err)
{
	struct in6_addr in6;
	struct in_addr in;

	if (strcmp(address, "*") == 0) {
		endpoint_set(ep, &in6addr_any, NULL, port);
		ep->dual = true;
	} else if (strcmp(address, "localhost") == 0) {
		in.s_addr = htonl(INADDR_LOOPBACK);
		endpoint_set(ep, NULL, &in, port);
	} else if (inet_pton(AF_INET6, address, &in6) == 1) {
		endpoint_set(ep, &in6, NULL, port);
	} else if (inet_pton(AF_INET, address, &in) == 1) {
		endpoint_set(ep, NULL, &in, port);
	} else {
		return err_set(err, ERR_INVALID,
			"\"%.60s\" is no address to listen on; use an IPv4 or "
			"IPv6 address, \"*\" or \"localhost\"",
			address);
	}
	return true;
}

static bool
socket_share(int fd)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
}

/*
 * SO_REUSEPORT would share the port with any process of the same user that asks
 * for it too, a second server for one.  So the first socket is bound, and
 * listens, without it: that fails where anybody listens.  Only then it lets the
 * others in, which are ours; whoever comes later fails with his own first one.
 */
static int
endpoint_open(const struct endpoint *ep, int backlog, bool first)
{
	int on = 1, v6only = !ep->dual;
	int fd = socket(ep->sa.ss_family,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
		(!first && !socket_share(fd)) ||
		(ep->sa.ss_family == AF_INET6 &&
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
				sizeof(v6only)) == -1) ||
		bind(fd, (const struct sockaddr *)&ep->sa, ep->n) == -1 ||
		listen(fd, backlog) == -1 || (first && !socket_share(fd))) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* The port that the kernel chose is in the same place for both families. */
static bool
endpoint_learn_port(struct endpoint *ep, int fd, uint16_t *port_out)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	in_port_t port;

	if (getsockname(fd, (struct sockaddr *)&sa, &n) == -1)
		return false;
	if (sa.ss_family == AF_INET6) {
		port = ((struct sockaddr_in6 *)&sa)->sin6_port;
		((struct sockaddr_in6 *)&ep->sa)->sin6_port = port;
	} else {
		port = ((struct sockaddr_in *)&sa)->sin_port;
		((struct sockaddr_in *)&ep->sa)->sin_port = port;
	}
	*port_out = ntohs(port);
	return true;
}

/* A machine without IPv6 has IPv4 alone. */
static int
endpoint_open_any(struct endpoint *ep, uint16_t port, int backlog, bool first)
{
	int fd = endpoint_open(ep, backlog, first);

	if (fd != -1 || !first || !ep->dual ||
		(errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
		return fd;
	endpoint_set(ep, NULL, &(struct in_addr){ htonl(INADDR_ANY) }, port);
	return endpoint_open(ep, backlog, first);
}

/* n sockets; those that were opened are counted, also when one fails.  A port
 * that the kernel chose would not stay with a socket that is paused, so none of
 * the n is the one that it was chosen for. */
static bool
endpoint_open_all(struct endpoint *ep, uint16_t *port_io, int backlog,
	int *fds_out, size_t n, size_t *opened_out)
{
	bool chosen = *port_io == 0;
	int fd = endpoint_open_any(ep, *port_io, backlog, true);
	bool ok = fd != -1 && endpoint_learn_port(ep, fd, port_io);

	assert(n > 0);
	*opened_out = 0;
	if (fd != -1 && !chosen)
		fds_out[(*opened_out)++] = fd;
	while (ok && *opened_out < n) {
		int next = endpoint_open(ep, backlog, false);

		ok = next != -1;
		if (ok)
			fds_out[(*opened_out)++] = next;
	}
	if (fd != -1 && chosen) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return ok;
}

static struct str
endpoint_bytes(const struct endpoint *ep)
{
	return (struct str){ (const char *)&ep->sa, ep->n };
}

static bool
endpoint_is_any(const struct endpoint *ep)
{
	struct endpoint any;

	if (ep->sa.ss_family == AF_INET6)
		endpoint_set(&any, &in6addr_any, NULL, 0);
	else
		endpoint_set(&any, NULL, &(struct in_addr){ INADDR_ANY }, 0);
	return str_eq(endpoint_bytes(&any), endpoint_bytes(ep));
}

bool
listener_collides(const char *address, const char *other)
{
	struct err err = ERR_INIT;
	struct endpoint a, b;

	if (!endpoint_parse(&a, address, 0, &err) ||
		!endpoint_parse(&b, other, 0, &err))
		return strcmp(address, other) == 0;
	if (a.dual || b.dual)
		return true;
	return a.sa.ss_family == b.sa.ss_family &&
		(endpoint_is_any(&a) || endpoint_is_any(&b) ||
			str_eq(endpoint_bytes(&a), endpoint_bytes(&b)));
}

/* What an administrator may not know of the reason, or nothing. */
static const char *
bind_hint(int why)
{
	if (why == EACCES)
		return " (ports below 1024 are for root, or CAP_NET_BIND_SERVICE)";
	if (why == EADDRNOTAVAIL)
		return " (this machine has no such address)";
	return "";
}

bool
listener_bind(const char *address, uint16_t port, int backlog, int *fds_out,
	size_t n, uint16_t *port_out, struct err *err)
{
	struct endpoint ep;
	uint16_t bound = port;
	size_t opened;

	if (!endpoint_parse(&ep, address, port, err))
		return false;
	if (endpoint_open_all(&ep, &bound, backlog, fds_out, n, &opened)) {
		*port_out = bound;
		return true;
	}
	if (errno == EADDRINUSE)
		err_set(err, ERR_CONFLICT,
			"listen on %s port %u: another process listens there "
			"already, and `ss -ltnp` names it; stop it, or choose "
			"another port",
			address, port);
	else
		err_errno(err, "listen on %s port %u%s", address, port,
			bind_hint(errno));
	while (opened > 0)
		close(fds_out[--opened]);
	return false;
}

/* --- owner shard ---------------------------------------------------------- */

static struct listener *
listener_arg(void *arg)
{
	struct listener *l = arg;

	TAG_CHECK(l, "lstn");
	return l;
}

static void
on_listener_rested(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = listener_arg(arg);

	(void)fd;
	(void)what;
	if (!l->paused)
		event_add(&l->readable, NULL);
}

/* Without descriptors or memory the queue of the kernel would wake us again and
 * again for nothing. */
static void
listener_rest(struct listener *l)
{
	struct err err = ERR_INIT;

	err_errno(&err, "accept");
	if (!l->resting && log_limit_ok(&l->limit, LOG_NET))
		log_warn(LOG_NET, LOG_NOBODY,
			"new connections wait, trying again every second: %s",
			err.text);
	l->resting = true;
	event_del(&l->readable);
	evtimer_add(&l->rest, &(struct timeval){ .tv_sec = REST_S });
}

/* The kernel gives the lowest number that is free, so one among the last says
 * that there are no others: nothing has to be counted, nor kept open in reserve,
 * where another thread could take it between closing and opening. */
static int
listener_fd_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	return (int)limit.rlim_cur - 1 -
		MIN(KEPT_FREE, (int)limit.rlim_cur / 4);
}

/* False when nothing more can be accepted now. */
static bool
listener_accept(struct listener *l)
{
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	int fd = accept4(l->fd, (struct sockaddr *)&peer, &peer_len,
		SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd > l->fd_max) {
		close(fd);
		errno = EMFILE;
		listener_rest(l);
		return false;
	}
	if (fd != -1) {
		l->resting = false;
		l->fn(l->arg, fd, (const struct sockaddr *)&peer, peer_len);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		listener_rest(l);
		return false;
	default:
		/* accept(2): errors of the network, for this one connection;
		 * the number of tries is bounded */
		return true;
	}
}

static void
listener_free(struct listener *l)
{
	event_del(&l->readable);
	evtimer_del(&l->rest);
	close(l->fd);
	TAG_CLEAR(l);
	free(l);
}

/* Loop of the shard which holds l. */
static void
on_listener_readable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = listener_arg(arg);

	(void)fd;
	(void)what;
	l->running = true;
	l->fd_max = listener_fd_max();
	for (int i = 0; i < ACCEPTS_A_WAKEUP; i++)
		if (!listener_accept(l) || l->stopped || l->paused)
			break;
	l->running = false;
	if (l->stopped)
		listener_free(l);
}

struct listener *
listener_start(struct net *net, int fd, listener_accept_fn fn, void *arg)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	TAG_SET(l, "lstn");
	l->fd = fd;
	l->fn = fn;
	l->arg = arg;
	event_assign(&l->readable, net_base(net), fd, EV_READ | EV_PERSIST,
		on_listener_readable, l);
	evtimer_assign(&l->rest, net_base(net), on_listener_rested, l);
	event_add(&l->readable, NULL);
	return l;
}

void
listener_stop(struct listener *l)
{
	if (l == NULL)
		return;
	l->stopped = true;
	if (!l->running)
		listener_free(l);
}

void
listener_pause(struct listener *l)
{
	if (l->paused)
		return;
	l->paused = true;
	event_del(&l->readable);
	evtimer_del(&l->rest);
	/* on Linux, a socket that listens does not any more, and can again */
	(void)shutdown(l->fd, SHUT_RD);
}

bool
listener_resume(struct listener *l, int backlog, struct err *err)
{
	if (listen(l->fd, backlog) == -1)
		return err_errno(err, "listen");
	if (l->paused) {
		l->paused = false;
		event_add(&l->readable, NULL);
	}
	return true;
}
