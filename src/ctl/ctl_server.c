/*
 * ctl_server.c - the control socket: who may connect, and the lines that go in
 * and out.
 *
 * ctl_open() and ctl_stop() run on the main thread, everything else on shard 0.
 * A client has one call at a time; while it runs, or much of what was answered is
 * unread, nothing is read, so that a client that asks faster than it is answered,
 * or than it reads, only fills its own socket.
 * Invariant: clients are freed by the callbacks of their events and by
 * ctl_stop() only, never below ctl_client_send().
 */
#include "config.h"

#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tag.h"
#include "core/server.h"
#include "core/shard.h"
#include "ctl/ctl_int.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_socket.h"

#define CLIENTS_MAX 64
#define GROUPS_MAX 1024
#define READ_BYTES ((size_t)64 << 10)
/* What a client lets pile up unread: beyond it no call begins, which also bounds
 * how many a turn serves, */
#define UNREAD_MAX ((size_t)64 << 10)
/* and beyond it, by one call, the client is closed. */
#define OUT_MAX ((size_t)256 << 20)
#define IDLE_S 600 /* without a request */
#define STUCK_S 60 /* without reading the answer */
/* Closing while input is unread would take back what the peer has not read. */
#define LINGER_S 5
#define LINGER_MAX ((size_t)64 << 20)
#define ACCEPT_PAUSE_US (1 * US_PER_S)

/* --- clients ------------------------------------------------------------ */

static struct ctl_client *
client_arg(void *arg)
{
	struct ctl_client *c = arg;

	TAG_CHECK(c, "ctlc");
	return c;
}

static struct ctl *
ctl_arg(void *arg)
{
	struct ctl *ctl = arg;

	TAG_CHECK(ctl, "ctls");
	return ctl;
}

static void
client_free(struct ctl_client *c)
{
	if (c->call != NULL)
		ctl_call_detach(c->call);
	LIST_REMOVE(c, entry);
	c->ctl->n_clients--;
	event_free(c->read_event);
	event_free(c->write_event);
	close(c->fd);
	if (c->in.p != NULL)
		explicit_bzero(c->in.p, c->in.cap);
	buf_done(&c->in);
	buf_done(&c->out);
	TAG_CLEAR(c);
	free(c);
}

static bool
client_may_ask(const struct ctl_client *c)
{
	return c->call == NULL && !c->ending && c->out.n <= UNREAD_MAX;
}

static void
client_want_read(struct ctl_client *c)
{
	static const struct timeval idle = { .tv_sec = IDLE_S };

	if (client_may_ask(c))
		event_add(c->read_event, &idle);
	else
		event_del(c->read_event);
}

void
ctl_client_send(struct ctl_client *c, json_t *o)
{
	static const struct timeval stuck = { .tv_sec = STUCK_S };

	if (c->broken || o == NULL) {
		json_decref(o);
		return;
	}
	if (c->out.n == 0)
		event_add(c->write_event, &stuck);
	ctl_json_line(&c->out, o);
	if (c->out.n > OUT_MAX) {
		c->broken = true;
		event_active(c->write_event, EV_WRITE, 0);
	}
}

static void
client_refuse(struct ctl_client *c, enum err_code code, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, code, "%s", text);
	ctl_client_send(c, ctl_json_end(&err));
	c->ending = true;
}

/* The first whole line of in, and what it takes away; false when there is
 * none. */
static bool
client_line(struct ctl_client *c, struct str *line_out)
{
	char *end = NULL;

	if (c->in.n > c->scanned)
		end = memchr(c->in.p + c->scanned, '\n', c->in.n - c->scanned);
	if (end == NULL) {
		c->scanned = c->in.n;
		return false;
	}
	*line_out = (struct str){ c->in.p, (size_t)(end - c->in.p) };
	return true;
}

void
ctl_client_pump(struct ctl_client *c)
{
	struct str line;

	if (c->pumping)
		return;
	c->pumping = true;
	while (client_may_ask(c) && client_line(c, &line)) {
		ctl_call_start(c, line);
		explicit_bzero(c->in.p, line.n);
		buf_consume(&c->in, line.n + 1);
		c->scanned = 0;
	}
	c->pumping = false;
	if (c->in.n == 0)
		buf_done(&c->in);
	if (client_may_ask(c) && c->in.n > CTL_REQUEST_MAX)
		client_refuse(c, ERR_LIMIT, "the request is too large");
	client_want_read(c);
}

/* --- reading and writing ------------------------------------------------ */

/* All is said; the peer may not have finished.  False when it is to be closed
 * now. */
static bool
client_linger(struct ctl_client *c)
{
	static const struct timeval linger = { .tv_sec = LINGER_S };

	if (c->lingering || shutdown(c->fd, SHUT_WR) == -1)
		return false;
	c->lingering = true;
	event_add(c->read_event, &linger);
	return true;
}

static bool
client_drop(struct ctl_client *c)
{
	char waste[4096];
	ssize_t n = recv(c->fd, waste, sizeof(waste), 0);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	c->dropped += (size_t)n;
	return n != 0 && c->dropped < LINGER_MAX;
}

/* False when the client is to be closed now. */
static bool
client_read(struct ctl_client *c)
{
	char *p = buf_reserve(&c->in, READ_BYTES);
	ssize_t n = recv(c->fd, p, READ_BYTES, 0);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0) {
		c->ending = true;
		client_want_read(c);
		return c->out.n != 0;
	}
	c->in.n += (size_t)n;
	ctl_client_pump(c);
	return true;
}

static void
on_client_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_client *c = client_arg(arg);

	(void)fd;
	if ((what & EV_TIMEOUT) != 0 ||
		!(c->lingering ? client_drop(c) : client_read(c)))
		client_free(c);
}

static bool
client_write(struct ctl_client *c)
{
	ssize_t n;

	if (c->out.n == 0)
		return !c->ending || c->call != NULL;
	n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	buf_consume(&c->out, (size_t)n);
	if (c->out.n != 0)
		return true;
	buf_done(&c->out);
	event_del(c->write_event);
	if (c->call != NULL) {
		ctl_call_taken(c->call);
		return true;
	}
	if (c->ending)
		return client_linger(c);
	ctl_client_pump(c);
	return true;
}

static void
on_client_writable(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_client *c = client_arg(arg);

	(void)fd;
	if (c->broken || (what & EV_TIMEOUT) != 0 || !client_write(c))
		client_free(c);
}

/* --- accepting ---------------------------------------------------------- */

/* Supplementary groups are asked of the kernel: looking them up could wait for
 * the network. */
static bool
peer_in_group(int fd, const struct ucred *peer, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t n = sizeof(groups);

	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) == -1)
		return false;
	for (size_t i = 0; i < n / sizeof(groups[0]); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

static bool
peer_may(const struct ctl *ctl, int fd, struct ucred *peer_out)
{
	socklen_t n = sizeof(*peer_out);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer_out, &n) == -1)
		return false;
	return peer_out->uid == 0 || peer_out->uid == geteuid() ||
		(ctl->has_group && peer_in_group(fd, peer_out, ctl->group));
}

static void
client_new(struct ctl *ctl, int fd)
{
	struct event_base *base = ctl->server->shards[0]->base;
	struct ctl_client *c = xcalloc(1, sizeof(*c));
	struct ucred peer = { .uid = (uid_t)-1 };
	bool may = peer_may(ctl, fd, &peer);

	TAG_SET(c, "ctlc");
	c->ctl = ctl;
	c->fd = fd;
	c->uid = peer.uid;
	c->read_event = event_new(base, fd, EV_READ | EV_PERSIST,
		on_client_readable, c);
	c->write_event = event_new(base, fd, EV_WRITE | EV_PERSIST,
		on_client_writable, c);
	LIST_INSERT_HEAD(&ctl->clients, c, entry);
	ctl->n_clients++;
	if (!may) {
		log_warn(LOG_CTL, LOG_NOBODY, "refused uid=%u",
			(unsigned)peer.uid);
		client_refuse(c, ERR_REFUSED,
			"only root, the server's own user and the control group may do this");
	} else if (ctl->n_clients > CLIENTS_MAX) {
		client_refuse(c, ERR_BUSY, "too many control connections");
	}
	client_want_read(c);
}

static void
on_accept_again(struct timer *t)
{
	struct ctl *ctl = CONTAINER_OF(t, struct ctl, accept_again);

	event_add(ctl->accept_event, NULL);
}

static void
on_ctl_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct ctl *ctl = ctl_arg(arg);
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (peer != -1) {
		client_new(ctl, peer);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	/* out of descriptors: asking again at once would be a busy loop */
	log_warn(LOG_CTL, LOG_NOBODY, "cannot accept reason=\"%s\"",
		strerror(errno));
	event_del(ctl->accept_event);
	shard_timer(ctl->server->shards[0], &ctl->accept_again,
		ACCEPT_PAUSE_US, on_accept_again);
}

/* --- life --------------------------------------------------------------- */

static void
start_on_shard(struct shard *sh, void *arg)
{
	struct ctl *ctl = ctl_arg(arg);

	ctl->accept_event = event_new(sh->base, ctl->fd, EV_READ | EV_PERSIST,
		on_ctl_acceptable, ctl);
	event_add(ctl->accept_event, NULL);
}

/* What was answered, to `stop' among others, is taken by the kernel before we
 * close; a call that still runs is told why it has no answer. */
static void
client_end(struct ctl_client *c)
{
	ssize_t n = 1;

	if (c->call != NULL) {
		ctl_call_detach(c->call);
		c->call = NULL;
		client_refuse(c, ERR_CLOSED, "the server stops");
	}
	while (!c->broken && c->out.n != 0 && n > 0) {
		n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);
		if (n > 0)
			buf_consume(&c->out, (size_t)n);
	}
	client_free(c);
}

static void
stop_on_shard(struct shard *sh, void *arg)
{
	struct ctl *ctl = ctl_arg(arg);
	int fd = ctl->stopped[1];

	shard_timer_cancel(sh, &ctl->accept_again);
	event_free(ctl->accept_event);
	while (!LIST_EMPTY(&ctl->clients))
		client_end(LIST_FIRST(&ctl->clients));
	/* ctl is freed as soon as this is read; ThreadSanitizer sees the order
	 * in a byte, but not in the end of the pipe */
	while (write(fd, "", 1) == -1 && errno == EINTR)
		continue;
	close(fd);
}

bool
ctl_open(struct server *srv, struct err *err)
{
	struct ctl *ctl = xcalloc(1, sizeof(*ctl));

	TAG_SET(ctl, "ctls");
	LIST_INIT(&ctl->clients);
	ctl->server = srv;
	if (!ctl_socket_open(ctl, err)) {
		free(ctl);
		return false;
	}
	if (pipe2(ctl->stopped, O_CLOEXEC) == -1) {
		err_errno(err, "control socket");
		ctl_socket_close(ctl);
		free(ctl);
		return false;
	}
	srv->ctl = ctl;
	return true;
}

void
ctl_start(struct server *srv)
{
	shard_post(srv->shards[0], start_on_shard, srv->ctl, 0);
}

void
ctl_stop(struct server *srv)
{
	struct ctl *ctl = srv->ctl;
	char byte;

	if (ctl == NULL)
		return;
	if (srv->n_shards != 0 && srv->shards[0]->running) {
		shard_post(srv->shards[0], stop_on_shard, ctl, 0);
		/* ends when shard 0 is done with ctl */
		while (read(ctl->stopped[0], &byte, 1) == -1 && errno == EINTR)
			continue;
	} else {
		close(ctl->stopped[1]);
	}
	close(ctl->stopped[0]);
	ctl_socket_close(ctl);
	TAG_CLEAR(ctl);
	free(ctl);
	srv->ctl = NULL;
}
