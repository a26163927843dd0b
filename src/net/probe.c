/*
 * probe.c - looks which certificate is served somewhere.
 *
 *	race --> direct ----------------------------------.
 *	  |                                                v
 *	  '----> header, features, <starttls/>, proceed --> handshake --> told
 *
 * Owner shard.  What comes before TLS is not parsed, only searched, in PLAIN_MAX
 * bytes: nothing of it is believed, or shown.
 */
#include "config.h"

#include "net/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "net/net.h"
#include "net/net_int.h"
#include "net/race.h"

#define PLAIN_MAX 8192

enum step { STEP_CONNECT, STEP_FEATURES, STEP_PROCEED, STEP_HANDSHAKE };

struct probe {
	struct net *net;
	struct probe_what what;
	probe_fn fn;
	void *arg;
	enum step step;
	struct race *race; /* STEP_CONNECT */
	int fd;
	struct event *event; /* one at a time; with the time that is left */
	struct event *end;
	struct buf in;
	SSL_CTX *ctx;
	SSL *ssl;
	struct probe_found found;
};

void
probe_cancel(struct probe *p)
{
	if (p->race != NULL)
		race_cancel(p->race);
	if (p->event != NULL)
		event_free(p->event);
	event_free(p->end);
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	if (p->fd != -1)
		close(p->fd);
	buf_done(&p->in);
	free(p);
}

static void
probe_tell(struct probe *p, enum probe_state state)
{
	probe_fn fn = p->fn;
	void *arg = p->arg;
	struct probe_found found = p->found;

	found.state = state;
	probe_cancel(p);
	fn(arg, &found);
}

static void
probe_fail(struct probe *p, enum probe_state state, const char *why)
{
	snprintf(p->found.why, sizeof(p->found.why), "%s", why);
	probe_tell(p, state);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void
probe_wait(struct probe *p, short what)
{
	if (p->event != NULL)
		event_free(p->event);
	p->event = event_new(net_base(p->net), p->fd, what, on_ready, p);
	event_add(p->event, NULL);
}

/* --- TLS ------------------------------------------------------------------------ */

static void
probe_served(struct probe *p)
{
	X509 *cert = SSL_get0_peer_certificate(p->ssl);
	unsigned n = PROBE_DIGEST_SIZE;

	if (cert == NULL ||
		X509_digest(cert, EVP_sha256(), p->found.digest, &n) != 1)
		probe_fail(p, PROBE_NO_TLS, "no certificate is served");
	else
		probe_tell(p, PROBE_SERVED);
}

static void
probe_handshake(struct probe *p)
{
	struct err err = ERR_INIT;
	int rc;

	ERR_clear_error();
	rc = SSL_connect(p->ssl);
	switch (SSL_get_error(p->ssl, rc)) {
	case SSL_ERROR_NONE:
		probe_served(p);
		return;
	case SSL_ERROR_WANT_READ:
		probe_wait(p, EV_READ);
		return;
	case SSL_ERROR_WANT_WRITE:
		probe_wait(p, EV_WRITE);
		return;
	default:
		if (ERR_peek_error() != 0)
			tls_err(&err, "TLS fails");
		else
			err_set(&err, ERR_CLOSED,
				"the connection was closed during the TLS handshake");
		ERR_clear_error();
		probe_fail(p, PROBE_NO_TLS, err.text);
	}
}

/* A certificate that nobody trusts is still the one that is served. */
static void
probe_begin_tls(struct probe *p)
{
	static const unsigned char client[] = "\x0bxmpp-client";
	static const unsigned char server[] = "\x0bxmpp-server";

	p->step = STEP_HANDSHAKE;
	p->ctx = SSL_CTX_new(TLS_client_method());
	p->ssl = p->ctx != NULL ? SSL_new(p->ctx) : NULL;
	if (p->ssl == NULL || SSL_set_fd(p->ssl, p->fd) != 1 ||
		SSL_set_tlsext_host_name(p->ssl, p->what.name) != 1 ||
		(p->what.direct &&
			SSL_set_alpn_protos(p->ssl,
				p->what.server ? server : client,
				sizeof(client) - 1) != 0)) {
		ERR_clear_error();
		probe_fail(p, PROBE_NO_TLS, "TLS cannot be used");
		return;
	}
	probe_handshake(p);
}

/* --- before it ------------------------------------------------------------------- */

static void
probe_write(struct probe *p, struct str text)
{
	/* some hundred bytes into an empty socket */
	ssize_t n = send(p->fd, text.p, text.n, MSG_NOSIGNAL);

	if (n != (ssize_t)text.n)
		probe_fail(p, PROBE_NO_TLS, "the connection was closed");
	else
		probe_wait(p, EV_READ);
}

static void
probe_open_stream(struct probe *p)
{
	struct buf out = BUF_INIT;

	p->step = STEP_FEATURES;
	buf_printf(&out,
		"<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='" NS_STREAM
		"' version='1.0' to='%s'>",
		p->what.server ? NS_SERVER : NS_CLIENT, p->what.domain);
	probe_write(p, buf_str(&out));
	buf_done(&out);
}

static void
probe_read(struct probe *p)
{
	ssize_t n = recv(p->fd, buf_reserve(&p->in, PLAIN_MAX), PLAIN_MAX, 0);
	const char *text;

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		probe_wait(p, EV_READ);
		return;
	}
	p->in.n += (size_t)MAX(n, 0);
	text = buf_c(&p->in);
	if (p->step == STEP_PROCEED && strstr(text, "<proceed") != NULL) {
		probe_begin_tls(p);
	} else if (p->step == STEP_FEATURES && strstr(text, "features>") != NULL &&
		strstr(text, NS_TLS) != NULL) {
		p->step = STEP_PROCEED;
		probe_write(p,
			STR("<starttls xmlns='" NS_TLS "'/>"));
	} else if (n <= 0 || p->in.n > PLAIN_MAX ||
		strstr(text, "features>") != NULL ||
		strstr(text, ":error") != NULL) {
		probe_fail(p, PROBE_NO_TLS,
			"there is no XMPP with STARTTLS for this domain");
	} else {
		probe_wait(p, EV_READ);
	}
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	(void)fd;
	(void)what;
	if (p->step == STEP_HANDSHAKE)
		probe_handshake(p);
	else
		probe_read(p);
}

static void
on_raced(void *arg, int fd, size_t which, const struct err *err)
{
	struct probe *p = arg;

	(void)which;
	p->race = NULL;
	p->fd = fd;
	if (fd == -1)
		probe_fail(p, PROBE_UNREACHED, err->text);
	else if (p->what.direct)
		probe_begin_tls(p);
	else
		probe_open_stream(p);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	(void)fd;
	(void)what;
	probe_fail(p, p->step == STEP_CONNECT ? PROBE_UNREACHED : PROBE_NO_TLS,
		"no answer");
}

struct probe *
probe_start(struct net *net, const struct probe_what *what, int64_t timeout_us,
	probe_fn fn, void *arg)
{
	struct timeval in = { timeout_us / US_PER_S, timeout_us % US_PER_S };
	struct probe *p = xcalloc(1, sizeof(*p));

	p->net = net;
	p->what = *what;
	p->fn = fn;
	p->arg = arg;
	p->fd = -1;
	p->race = race_start(net, &what->address, 1, timeout_us, on_raced, p);
	p->end = event_new(net_base(net), -1, 0, on_end, p);
	event_add(p->end, &in);
	return p;
}
