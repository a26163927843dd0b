/*
 * floor.c - antiphon-floor: a relay that knows no XMPP, to tell what nobody
 * can beat on a machine.  `antiphon-bench --floor' plays its traffic against
 * it.
 *
 * A client introduces itself by one line of 20 bytes, "<kind> <index> <group>",
 * and gets it back; what it sends from then on goes, by its kind,
 *
 *   e  back to itself,
 *   p  to the client whose index differs in the lowest bit,
 *   g  to all others of its group: as many as <group> says, from a multiple of
 *      that on.
 *
 * One thread; TLS comes first, or is not there.  A connection that is ready
 * costs one read; what a turn of the loop has for a connection leaves in one
 * write.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/mem.h"

#define INTRO_BYTES 20
#define INDEX_MAX 99999999u
#define SCRATCH_BYTES 65536
#define EVENTS_MAX 512

struct peer {
	SSL *ssl; /* NULL without TLS */
	struct buf out;
	struct peer *next_dirty;
	int fd;
	unsigned index, group;
	char kind; /* 0: it has not introduced itself */
	bool handshake, dirty, want_write, dead;
};

struct floor {
	int epoll, listener;
	SSL_CTX *tls;
	BIO *bio;           /* of all connections: see below */
	struct peer *peer;  /* whose bytes it carries now */
	struct str raw;     /* what was read from it, and not yet deciphered */
	char *scratch, *plain;
	struct peer **peers; /* by index */
	unsigned n_peers;
	struct peer *dirty;
};

/* --- the BIO: TLS reads from our buffer and writes to the socket ------------- */

static int
relay_bio_read(BIO *bio, char *to, int room)
{
	struct floor *f = BIO_get_data(bio);
	size_t n = MIN((size_t)room, f->raw.n);

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, f->raw.p, n);
	f->raw = (struct str){ f->raw.p + n, f->raw.n - n };
	return (int)n;
}

static int
relay_bio_write(BIO *bio, const char *from, int n)
{
	struct floor *f = BIO_get_data(bio);
	ssize_t sent = send(f->peer->fd, from, (size_t)n, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (sent == -1 && errno == EAGAIN)
		BIO_set_retry_write(bio);
	return (int)sent;
}

static long
relay_bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

/* One for all, because there is one thread: a BIO for each would cost memory
 * that a relay does not need. */
static BIO *
relay_bio_new(struct floor *f)
{
	BIO_METHOD *how = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "relay");
	BIO *bio;

	BIO_meth_set_read(how, relay_bio_read);
	BIO_meth_set_write(how, relay_bio_write);
	BIO_meth_set_ctrl(how, relay_bio_ctrl);
	bio = BIO_new(how);
	BIO_set_data(bio, f);
	BIO_set_init(bio, 1);
	return bio;
}

/* --- out ----------------------------------------------------------------------- */

static void
peer_watch(struct floor *f, struct peer *p, int op)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };

	if (p->want_write)
		ev.events |= EPOLLOUT;
	epoll_ctl(f->epoll, op, p->fd, &ev);
}

static void
peer_dirty(struct floor *f, struct peer *p)
{
	if (p->dirty)
		return;
	p->dirty = true;
	p->next_dirty = f->dirty;
	f->dirty = p;
}

/* It goes away at the end of the turn. */
static void
peer_end(struct floor *f, struct peer *p)
{
	p->dead = true;
	peer_dirty(f, p);
}

static ssize_t
peer_write(struct floor *f, struct peer *p)
{
	ssize_t n;

	if (p->ssl == NULL) {
		n = send(p->fd, p->out.p, p->out.n, MSG_NOSIGNAL);
		return n == -1 && errno == EAGAIN ? 0 : n;
	}
	f->peer = p;
	f->raw.n = 0;
	n = SSL_write(p->ssl, p->out.p, (int)p->out.n);
	if (n > 0)
		return n;
	n = SSL_get_error(p->ssl, (int)n) == SSL_ERROR_WANT_WRITE ? 0 : -1;
	ERR_clear_error();
	return n;
}

static void
peer_flush(struct floor *f, struct peer *p)
{
	ssize_t n = 1;

	while (p->out.n > 0 && n > 0) {
		n = peer_write(f, p);
		if (n > 0)
			buf_consume(&p->out, (size_t)n);
	}
	if (n == -1)
		p->dead = true;
	if (p->out.n == 0)
		buf_done(&p->out);
	if (p->want_write != (p->out.n > 0)) {
		p->want_write = !p->want_write;
		peer_watch(f, p, EPOLL_CTL_MOD);
	}
}

static void
peer_free(struct floor *f, struct peer *p)
{
	if (p->kind != 0 && f->peers[p->index] == p)
		f->peers[p->index] = NULL;
	f->peer = p;
	if (p->ssl != NULL)
		SSL_free(p->ssl);
	close(p->fd);
	buf_done(&p->out);
	free(p);
}

/* --- the relay ------------------------------------------------------------------- */

static void
relay_to(struct floor *f, unsigned index, struct str bytes)
{
	struct peer *p = index < f->n_peers ? f->peers[index] : NULL;

	if (p == NULL)
		return;
	buf_add_str(&p->out, bytes);
	peer_dirty(f, p);
}

static void
relay_group(struct floor *f, const struct peer *p, struct str bytes)
{
	unsigned first = p->index / p->group * p->group;

	for (unsigned i = first; i < first + p->group; i++)
		if (i != p->index)
			relay_to(f, i, bytes);
}

static void
floor_add(struct floor *f, struct peer *p)
{
	unsigned n = MAX(f->n_peers, 256);

	while (n <= p->index)
		n *= 2;
	if (n > f->n_peers) {
		f->peers = xrealloc(f->peers, n * sizeof(struct peer *));
		memset(f->peers + f->n_peers, 0,
			(n - f->n_peers) * sizeof(struct peer *));
		f->n_peers = n;
	}
	f->peers[p->index] = p;
}

static void
relay_intro(struct floor *f, struct peer *p, struct str bytes)
{
	struct str line = { bytes.p, INTRO_BYTES - 1 };
	struct str kind, rest, index, group;
	long long i, n;

	if (bytes.n != INTRO_BYTES || !str_cut(line, ' ', &kind, &rest) ||
		!str_cut(rest, ' ', &index, &group) || kind.n != 1 ||
		strchr("epg", kind.p[0]) == NULL ||
		!str_to_int(index, 0, INDEX_MAX, &i) ||
		!str_to_int(group, 1, INDEX_MAX, &n)) {
		fprintf(stderr, "antiphon-floor: not an introduction\n");
		peer_end(f, p);
		return;
	}
	p->kind = kind.p[0];
	p->index = (unsigned)i;
	p->group = (unsigned)n;
	floor_add(f, p);
	relay_to(f, p->index, bytes);
}

static void
relay(struct floor *f, struct peer *p, struct str bytes)
{
	switch (p->kind) {
	case 'e':
		relay_to(f, p->index, bytes);
		break;
	case 'p':
		relay_to(f, p->index ^ 1, bytes);
		break;
	case 'g':
		relay_group(f, p, bytes);
		break;
	default:
		relay_intro(f, p, bytes);
	}
}

/* --- in -------------------------------------------------------------------------- */

/* False: the connection is over. */
static bool
peer_decipher(struct floor *f, struct peer *p)
{
	int n;

	f->peer = p;
	if (p->handshake) {
		n = SSL_do_handshake(p->ssl);
		if (n != 1)
			return SSL_get_error(p->ssl, n) == SSL_ERROR_WANT_READ;
		p->handshake = false;
	}
	while ((n = SSL_read(p->ssl, f->plain, SCRATCH_BYTES)) > 0)
		relay(f, p, (struct str){ f->plain, (size_t)n });
	return SSL_get_error(p->ssl, n) == SSL_ERROR_WANT_READ;
}

static void
peer_read(struct floor *f, struct peer *p)
{
	ssize_t n = recv(p->fd, f->scratch, SCRATCH_BYTES, 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		peer_end(f, p);
		return;
	}
	f->raw = (struct str){ f->scratch, (size_t)n };
	if (p->ssl == NULL) {
		relay(f, p, f->raw);
	} else if (!peer_decipher(f, p)) {
		ERR_clear_error();
		peer_end(f, p);
	}
}

static void
peer_new(struct floor *f, int fd)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	p->fd = fd;
	if (f->tls != NULL) {
		p->ssl = SSL_new(f->tls);
		BIO_up_ref(f->bio);
		BIO_up_ref(f->bio);
		SSL_set0_rbio(p->ssl, f->bio);
		SSL_set0_wbio(p->ssl, f->bio);
		SSL_set_accept_state(p->ssl);
		p->handshake = true;
	}
	peer_watch(f, p, EPOLL_CTL_ADD);
}

/* --- the loop ---------------------------------------------------------------------- */

static void
floor_accept(struct floor *f)
{
	int fd;

	while ((fd = accept4(f->listener, NULL, NULL,
			SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1)
		peer_new(f, fd);
}

static void
floor_turn(struct floor *f)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(f->epoll, events, EVENTS_MAX, -1);
	struct peer *p;

	for (int i = 0; i < n; i++) {
		p = events[i].data.ptr;
		if (p == NULL) {
			floor_accept(f);
			continue;
		}
		if ((events[i].events & EPOLLOUT) != 0)
			peer_dirty(f, p);
		if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
			peer_read(f, p);
	}
	while ((p = f->dirty) != NULL) {
		f->dirty = p->next_dirty;
		p->dirty = false;
		if (!p->dead)
			peer_flush(f, p);
		if (p->dead)
			peer_free(f, p);
	}
}

/* --- the start --------------------------------------------------------------------- */

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "antiphon-floor: %s: %s\n", what, why);
	exit(2);
}

static const char *
tls_reason(void)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	return why != NULL ? why : "unknown";
}

/* As antiphond sets it: no tickets, buffers given back, its ciphers first. */
static SSL_CTX *
floor_tls(const char *cert, const char *key)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (tls == NULL)
		die("OpenSSL", tls_reason());
	if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1)
		die(cert, tls_reason());
	if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		die(key, tls_reason());
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256:"
		"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION |
		SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(tls, 1);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(tls, 0);
	return tls;
}

static void
floor_listen(struct floor *f, const char *address, unsigned port)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	socklen_t n = sizeof(sa);
	int one = 1;

	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		die(address, "not an IPv4 address");
	f->listener = socket(AF_INET,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(f->listener, (struct sockaddr *)&sa, n) == -1 ||
		listen(f->listener, 4096) == -1 ||
		getsockname(f->listener, (struct sockaddr *)&sa, &n) == -1)
		die(address, strerror(errno));
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->listener, &ev);
	printf("listening port=%u tls=%s\n", ntohs(sa.sin_port),
		f->tls != NULL ? "direct" : "none");
	fflush(stdout);
}

static void
usage(FILE *out)
{
	fputs("usage: antiphon-floor [--OPTION VALUE]...\n"
	      "  relays what `antiphon-bench --floor' sends until it is ended\n"
	      "options:\n"
	      "  --address IP   to listen at (127.0.0.1)\n"
	      "  --port N       0 is a free one, told on standard output (0)\n"
	      "  --cert FILE    PEM; with it and its key: TLS from the first "
	      "byte\n"
	      "  --key FILE     PEM\n"
	      "  --help         print this\n", out);
}

struct floor_conf {
	const char *address, *cert, *key;
	long long port;
};

static void
wrong(void)
{
	usage(stderr);
	exit(2);
}

static void
parse(struct floor_conf *conf, int argc, char **argv)
{
	static const struct option options[] = {
		{ "address", required_argument, NULL, 'a' },
		{ "port", required_argument, NULL, 'p' },
		{ "cert", required_argument, NULL, 'c' },
		{ "key", required_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int got;

	while ((got = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (got == 'a') {
			conf->address = optarg;
		} else if (got == 'c') {
			conf->cert = optarg;
		} else if (got == 'k') {
			conf->key = optarg;
		} else if (got == 'h') {
			usage(stdout);
			exit(0);
		} else if (got != 'p' ||
			!str_to_int(str_c(optarg), 0, 65535, &conf->port)) {
			wrong();
		}
	}
	if (optind != argc || (conf->cert == NULL) != (conf->key == NULL))
		wrong();
}

static void
raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
main(int argc, char **argv)
{
	struct floor_conf conf = { .address = "127.0.0.1" };
	struct floor f = { .scratch = xmalloc(SCRATCH_BYTES),
		.plain = xmalloc(SCRATCH_BYTES) };

	parse(&conf, argc, argv);
	raise_files();
	if (conf.cert != NULL) {
		f.tls = floor_tls(conf.cert, conf.key);
		f.bio = relay_bio_new(&f);
	}
	floor_listen(&f, conf.address, (unsigned)conf.port);
	for (;;)
		floor_turn(&f);
}
