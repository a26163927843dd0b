/*
 * bench_client.c - one connection: socket, TLS, and the parser behind it.
 *
 *   OFF -> CONNECTING -> OPENING [-> STARTTLS -> OPENING] -> AUTH -> OPENING
 *       [-> RESUMING -> READY] -> BIND [-> SESSION] -> ENTERING -> READY
 *       -> CLOSING -> OFF
 *
 * With antiphon-floor: OFF -> CONNECTING -> OPENING -> READY -> CLOSING -> OFF.
 *
 * Invariant: nothing is freed while the parser runs; callbacks only say how
 * the connection shall end (c->end), and client_read carries it out.
 */
#include "config.h"

#include "xmpp/ns.h"
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

/* Addresses 127.0.0.2 to 127.0.0.201 take turns, because one address has
 * fewer ports than a server has sessions, and the server limits each. */
#define SOURCES 200

static void
client_watch(struct client *c, int op)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (c->want_write)
		ev.events |= EPOLLOUT;
	epoll_ctl(c->b->epoll, op, c->fd, &ev);
}

static void
client_want_write(struct client *c, bool want)
{
	if (c->want_write == want)
		return;
	c->want_write = want;
	client_watch(c, EPOLL_CTL_MOD);
}

static bool
client_bind_source(struct client *c, in_addr_t server)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int one = 1;

	if ((ntohl(server) >> 24) != 127)
		return true;
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
		sizeof(one));
	from.sin_addr.s_addr = htonl(0x7f000002 + c->index % SOURCES);
	return bind(c->fd, (struct sockaddr *)&from, sizeof(from)) == 0;
}

void
client_start(struct client *c)
{
	struct bench *b = c->b;
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)b->conf->port) };
	int one = 1;

	inet_pton(AF_INET, b->conf->address, &to.sin_addr);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1 || !client_bind_source(c, to.sin_addr.s_addr)) {
		bench_error(b, "socket: %s", strerror(errno));
		return;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == -1 &&
		errno != EINPROGRESS) {
		bench_error(b, "connect: %s", strerror(errno));
		close(c->fd);
		c->fd = -1;
		return;
	}
	c->started_us = b->now_us;
	c->state = CLIENT_CONNECTING;
	c->end = END_NONE;
	c->want_write = true;
	c->authenticated = c->handshake = c->restart = false;
	c->wants_session = false;
	b->starting++;
	client_watch(c, EPOLL_CTL_ADD);
}

/* --- the end ---------------------------------------------------------------- */

static void
client_drop(struct client *c, enum client_end how)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (c->ssl != NULL) {
		if (how == END_CLEAN)
			SSL_shutdown(c->ssl);
		else /* for OpenSSL, it could not be resumed otherwise */
			SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN);
		SSL_free(c->ssl);
		c->ssl = NULL;
		ERR_clear_error();
	}
	if (how == END_RESET)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->fd);
	c->fd = -1;
	xml_parser_put(c->b->xml, c->parser);
	c->parser = NULL;
	buf_done(&c->out);
	buf_done(&c->first_bare);
}

void
client_end(struct client *c, enum client_end how, const char *why)
{
	struct bench *b = c->b;

	if (c->state == CLIENT_OFF)
		return;
	if (c->in_feed) {
		c->end = how;
		return;
	}
	if (c->state == CLIENT_READY)
		b->ready--;
	else if (c->state == CLIENT_CLOSING)
		b->closing--;
	else
		b->starting--;
	if (how == END_BROKEN)
		bench_error(b, "b%u in state %d: %s", c->index, (int)c->state,
			why);
	client_drop(c, how);
	c->state = CLIENT_OFF;
	bench_progress(b);
	if (b->on_lost != NULL)
		b->on_lost(c, how);
}

void
client_reset(struct client *c)
{
	client_end(c, END_RESET, "");
}

void
client_close(struct client *c)
{
	if (c->state != CLIENT_READY) {
		client_end(c, END_RESET, "");
		return;
	}
	if (c->b->conf->floor)
		floor_close(c);
	else
		client_send_str(c, STR("</stream:stream>"));
	c->b->ready--;
	c->b->closing++;
	c->state = CLIENT_CLOSING;
}

void
client_free(struct client *c)
{
	if (c->state != CLIENT_OFF)
		client_drop(c, END_RESET);
	c->state = CLIENT_OFF;
	SSL_SESSION_free(c->session);
	free(c->session_id);
	buf_done(&c->out);
	buf_done(&c->first_bare);
}

/* --- out -------------------------------------------------------------------- */

static void
client_dirty(struct client *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = c->b->dirty;
	c->b->dirty = c;
}

void
client_send_str(struct client *c, struct str s)
{
	if (c->state == CLIENT_OFF || c->state == CLIENT_CLOSING)
		return;
	buf_add_str(&c->out, s);
	client_dirty(c);
}

void
client_send(struct client *c, const char *fmt, ...)
{
	char text[8192];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(text))
		client_send_str(c, (struct str){ text, (size_t)n });
}

/* How many bytes went; 0 for none yet; -1 when the connection is broken. */
static ssize_t
client_write(struct client *c)
{
	ssize_t n;

	if (c->ssl == NULL) {
		n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);
		return n == -1 && errno == EAGAIN ? 0 : n;
	}
	n = SSL_write(c->ssl, c->out.p, (int)c->out.n);
	if (n > 0)
		return n;
	switch (SSL_get_error(c->ssl, (int)n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	default:
		ERR_clear_error();
		return -1;
	}
}

void
client_flush(struct client *c)
{
	ssize_t n;

	if (c->fd == -1 || c->state == CLIENT_CONNECTING || c->handshake)
		return;
	while (c->out.n > 0) {
		n = client_write(c);
		if (n == -1) {
			client_end(c, END_BROKEN, "cannot write");
			return;
		}
		if (n == 0)
			break;
		buf_consume(&c->out, (size_t)n);
	}
	if (c->out.n == 0)
		buf_done(&c->out);
	client_want_write(c, c->out.n > 0);
}

/* --- TLS --------------------------------------------------------------------- */

/* The connection is as it has to be for the first word. */
static void
client_begin(struct client *c)
{
	if (c->b->conf->floor)
		floor_introduce(c);
	else
		login_open_stream(c);
}

static void
client_handshake(struct client *c)
{
	int rc;

	if (c->ssl == NULL) {
		c->ssl = SSL_new(c->b->tls);
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_tlsext_host_name(c->ssl, c->b->conf->domain);
		SSL_set_connect_state(c->ssl);
		SSL_set_app_data(c->ssl, c);
		if (c->session != NULL)
			SSL_set_session(c->ssl, c->session);
	}
	rc = SSL_do_handshake(c->ssl);
	if (rc == 1) {
		c->handshake = false;
		client_want_write(c, false);
		client_begin(c);
		return;
	}
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		client_want_write(c, false);
		break;
	case SSL_ERROR_WANT_WRITE:
		client_want_write(c, true);
		break;
	default:
		ERR_clear_error();
		client_end(c, END_BROKEN, "TLS handshake failed");
	}
}

/* --- in --------------------------------------------------------------------- */

/* The callbacks have had their say: what they wanted is done now. */
static void
client_after_feed(struct client *c)
{
	enum client_end end = c->end;

	if (end != END_NONE) {
		c->end = END_NONE;
		client_end(c, end, "ended by the server");
	} else if (c->restart) {
		c->restart = false;
		xml_parser_put(c->b->xml, c->parser);
		c->parser = NULL;
		if (c->handshake)
			client_handshake(c);
		else
			login_open_stream(c);
	} else if (c->state == CLIENT_READY && xml_parser_can_rest(c->parser)) {
		/* ten thousand parsers would fill the machine's memory */
		xml_parser_put(c->b->xml, c->parser);
		c->parser = NULL;
	}
}

static void
client_feed(struct client *c, const char *p, size_t n)
{
	enum xml_fault fault;
	size_t used;

	if (c->b->conf->floor && c->state == CLIENT_OPENING) {
		floor_answer(c, p, n);
		return;
	}
	if (c->deaf) {
		bench_progress(c->b);
		return;
	}
	if (c->parser == NULL)
		c->parser = xml_parser_get_primed(c->b->xml,
			STR(NS_CLIENT), &login_limits, &login_events, c);
	c->in_feed = true;
	fault = xml_parser_feed(c->parser, p, n, &used);
	c->in_feed = false;
	if (fault != XML_FAULT_NONE)
		client_end(c, END_BROKEN, xml_parser_reason(c->parser));
	else
		client_after_feed(c);
}

/* Like client_write, and 0 at the end of the stream. */
static ssize_t
client_receive(struct client *c, bool *again)
{
	ssize_t n;

	*again = false;
	if (c->ssl == NULL) {
		n = recv(c->fd, c->b->scratch, SCRATCH_BYTES, 0);
		*again = n == -1 && errno == EAGAIN;
		return n;
	}
	n = SSL_read(c->ssl, c->b->scratch, SCRATCH_BYTES);
	if (n > 0)
		return n;
	switch (SSL_get_error(c->ssl, (int)n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		*again = true;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_clear_error();
		return -1;
	}
}

static void
client_read(struct client *c)
{
	bool again;
	ssize_t n;

	do {
		n = client_receive(c, &again);
		if (again)
			return;
		if (n <= 0) {
			client_end(c, c->state == CLIENT_CLOSING ? END_CLEAN :
				END_BROKEN, n == 0 ? "closed by the server" :
				"cannot read");
			return;
		}
		client_feed(c, c->b->scratch, (size_t)n);
	} while (c->fd != -1 && c->ssl != NULL && SSL_has_pending(c->ssl));
}

/* --- the loop ----------------------------------------------------------------- */

static void
client_connected(struct client *c)
{
	int error = 0;
	socklen_t n = sizeof(error);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	if (error != 0) {
		client_end(c, END_BROKEN, strerror(error));
		return;
	}
	c->state = CLIENT_OPENING;
	if (c->b->conf->tls == BENCH_DIRECT) {
		c->handshake = true;
		client_handshake(c);
	} else {
		client_want_write(c, false);
		client_begin(c);
	}
}

void
client_event(struct client *c, uint32_t events)
{
	if (c->fd == -1)
		return;
	if (c->state == CLIENT_CONNECTING) {
		client_connected(c);
		return;
	}
	if (c->handshake) {
		client_handshake(c);
		return;
	}
	if ((events & EPOLLOUT) != 0)
		client_dirty(c);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		client_read(c);
}
