/*
 * net_peer.c - both ends of a connection in one thread.
 */
#include "config.h"

#include "net_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "certs.h"
#include "test.h"

#define NEED(expr)                                                             \
	do {                                                                   \
		if (!(expr)) {                                                 \
			fprintf(stderr, "net_peer.c: failed: %s\n", #expr);    \
			abort();                                               \
		}                                                              \
	} while (0)

/* --- the owner of a conn -------------------------------------------------- */

static void
on_seen_data(void *arg, const char *p, size_t n)
{
	struct seen *seen = arg;
	void (*once)(struct seen *) = seen->on_data;

	NEED(n > 0 && !seen->closed);
	buf_add(&seen->in, p, n);
	seen->on_data = NULL;
	if (once != NULL)
		once(seen);
}

static void
on_seen_secured(void *arg)
{
	((struct seen *)arg)->secured++;
}

static void
on_seen_drained(void *arg)
{
	((struct seen *)arg)->drained++;
}

static void
on_seen_closed(void *arg, const struct err *why)
{
	struct seen *seen = arg;

	seen->closed++;
	seen->c = NULL;
	seen->broken = why != NULL;
	if (why != NULL)
		seen->why = *why;
}

const struct conn_events seen_events = {
	.data = on_seen_data,
	.secured = on_seen_secured,
	.drained = on_seen_drained,
	.closed = on_seen_closed,
};

/* --- the pair ------------------------------------------------------------- */

static int
pair_listen(struct sockaddr_in *sa, int small)
{
	socklen_t n = sizeof(*sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*sa = (struct sockaddr_in){ .sin_family = AF_INET };
	sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (small > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	NEED(bind(fd, (struct sockaddr *)sa, n) == 0);
	NEED(listen(fd, 1) == 0);
	NEED(getsockname(fd, (struct sockaddr *)sa, &n) == 0);
	return fd;
}

static void
pair_open(struct pair *p, int small)
{
	struct sockaddr_in sa, peer;
	socklen_t n = sizeof(peer);
	int listening = pair_listen(&sa, small);
	int fd;

	*p = (struct pair){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
	if (small > 0)
		setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	NEED(connect(p->fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	fd = accept4(listening, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK);
	NEED(fd != -1);
	close(listening);
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	p->base = event_base_new();
	p->net = net_new(p->base);
	p->server.c = conn_new_tcp(p->net, fd, (struct sockaddr *)&peer, n);
	conn_set_owner(p->server.c, &seen_events, &p->server);
}

void
pair_init(struct pair *p)
{
	pair_open(p, 0);
}

void
pair_init_small(struct pair *p)
{
	pair_open(p, 8192);
}

void
pair_done(struct pair *p)
{
	if (p->server.c != NULL && !p->server.closed)
		conn_abort(p->server.c);
	net_flush(p->net);
	net_free(p->net);
	event_base_free(p->base);
	if (p->ssl != NULL) /* so that its session can be resumed */
		SSL_set_shutdown(
			p->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(p->ssl);
	if (p->fd != -1)
		close(p->fd);
	buf_done(&p->in);
	buf_done(&p->server.in);
}

static void
pair_hear_ssl(struct pair *p)
{
	char text[4096];
	int n;

	ERR_clear_error();
	if (!SSL_is_init_finished(p->ssl)) {
		n = SSL_do_handshake(p->ssl);
	} else {
		n = SSL_read(p->ssl, text, sizeof(text));
		if (n > 0)
			buf_add(&p->in, text, (size_t)n);
	}
	if (n > 0)
		return;
	switch (SSL_get_error(p->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		break;
	case SSL_ERROR_ZERO_RETURN:
		p->client_eof = true;
		break;
	default:
		p->client_broken = true;
	}
}

void
pair_hear(struct pair *p)
{
	char text[4096];
	ssize_t n;

	if (p->fd == -1 || p->client_eof || p->client_broken)
		return;
	if (p->ssl != NULL) {
		pair_hear_ssl(p);
		return;
	}
	n = recv(p->fd, text, sizeof(text), 0);
	if (n > 0)
		buf_add(&p->in, text, (size_t)n);
	else if (n == 0)
		p->client_eof = true;
	else if (errno != EAGAIN)
		p->client_broken = true;
}

void
pair_turn(struct pair *p)
{
	event_base_loop(p->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	net_flush(p->net);
	pair_hear(p);
}

void
pair_tls(struct pair *p, const struct tls_set *set, SSL_CTX *ctx,
	const char *host, const char *sni)
{
	struct err err = ERR_INIT;

	if (p->protocols != NULL)
		NEED(conn_start_tls_one_of(p->server.c, set, p->protocols,
			p->n_protocols, &err));
	else
		NEED(conn_start_tls(p->server.c, set, str_c(host),
			STR("xmpp-client"), false, &err));
	p->ssl = SSL_new(ctx);
	NEED(p->ssl != NULL && SSL_set_fd(p->ssl, p->fd) == 1);
	if (sni != NULL)
		SSL_set_tlsext_host_name(p->ssl, sni);
	SSL_set_connect_state(p->ssl);
}

void
pair_say(struct pair *p, const char *text, size_t n)
{
	for (int i = 0; n > 0 && i < 100000; i++) {
		ssize_t done = p->ssl != NULL
			? SSL_write(p->ssl, text, (int)n)
			: send(p->fd, text, n, MSG_NOSIGNAL);

		if (done > 0) {
			text += done;
			n -= (size_t)done;
		} else {
			ERR_clear_error();
			event_base_loop(p->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
			net_flush(p->net);
		}
	}
	NEED(n == 0);
}

/* --- in the clear and under TLS ------------------------------------------- */

char *
big_text(void)
{
	char *text = xmalloc(BIG);

	for (size_t i = 0; i < BIG; i++)
		text[i] = (char)(i * 31 + (i >> 8) * 7 + (i >> 16));
	return text;
}

void
check_big(const struct buf *got)
{
	char *want = big_text();
	size_t n = 0;

	while (n < got->n && n < BIG && got->p[n] == want[n])
		n++;
	free(want);
	CHECK_INT(n, BIG);
	CHECK_INT(got->n, BIG);
}

void
tls_both_init(struct tls_both *t)
{
	struct cert cert;
	struct err err = ERR_INIT;
	char path[128];
	struct tls_host_conf host = { .host = "example.org" };
	struct tls_conf conf = { .hosts = &host, .n_hosts = 1 };

	certs_dir_init(&t->dir);
	certs_dir_file(&t->dir, "host.pem", path);
	cert_make(&cert,
		&(struct cert_want){
			.cn = "example.org",
			.names = { { CERT_DNS, STR("example.org") } },
		},
		NULL);
	cert_write(&cert, path);
	cert_done(&cert);
	host.certificate = path;
	t->set = tls_set_new(&conf, NULL, NULL, &err);
	CHECK_CSTR(err.text, "");
	CHECK(t->set != NULL);
	t->client = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(t->client,
		SSL_MODE_ENABLE_PARTIAL_WRITE |
			SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

void
tls_both_done(struct tls_both *t)
{
	tls_set_unref(t->set);
	SSL_CTX_free(t->client);
	certs_dir_done(&t->dir);
}

void
with_and_without_tls(void (*fn)(struct pair *p), bool small)
{
	struct tls_both t;
	struct pair p;

	TEST_CASE("in the clear");
	small ? pair_init_small(&p) : pair_init(&p);
	fn(&p);
	pair_done(&p);
	TEST_CASE("TLS");
	tls_both_init(&t);
	small ? pair_init_small(&p) : pair_init(&p);
	pair_tls(&p, t.set, t.client, "example.org", NULL);
	PAIR_UNTIL(&p, p.server.secured && SSL_is_init_finished(p.ssl));
	fn(&p);
	pair_done(&p);
	tls_both_done(&t);
}
