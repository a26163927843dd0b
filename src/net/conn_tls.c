/*
 * conn_tls.c - TLS on a connection: OpenSSL directly on the socket.
 *
 * Owner shard.  OpenSSL reads ahead, so that a record costs one system call
 * instead of two; what it holds then is not announced by the socket, which
 * conn.c knows (`more`).
 */
#include "config.h"

#include <assert.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/net_int.h"
#include "net/tls.h"

/* Key updates, refused renegotiations and the like that a peer may send in a
 * minute; nobody has reason for more than one in an hour (hostile 20). */
#define NOISE_A_MINUTE 64 /* conn.noise has seven bits */

void
conn_set_tls(struct conn *c, enum conn_tls to)
{
	static const uint8_t follow[] = {
		[CONN_TLS_NONE] = 1 << CONN_TLS_HELLO | 1 << CONN_TLS_ON,
		[CONN_TLS_HELLO] = 1 << CONN_TLS_FAILED | 1 << CONN_TLS_ON,
		[CONN_TLS_ON] = 1 << CONN_TLS_FLOODED | 1 << CONN_TLS_OVER,
		[CONN_TLS_FLOODED] = 1 << CONN_TLS_OVER,
		[CONN_TLS_FAILED] = 0,
		[CONN_TLS_OVER] = 0,
	};

	assert((follow[c->tls] & 1 << to) != 0);
	assert((c->ssl != NULL) == (c->mem == NULL));
	c->tls = to;
}

/* ssl (taken): NULL when it could not be made. */
static bool
conn_begin_tls(struct conn *c, const struct tls_set *tls, SSL *ssl,
	struct err *err)
{
	if (ssl != NULL && SSL_set_fd(ssl, c->fd) != 1) {
		tls_err(err, "socket for TLS");
		SSL_free(ssl);
		ssl = NULL;
	}
	tls_memory_watch(NULL);
	if (ssl == NULL) {
		tls_memory_end(c);
		return false;
	}
	c->ssl = ssl;
	conn_set_tls(c, CONN_TLS_HELLO);
	c->hello = xcalloc(1, sizeof(*c->hello));
	c->hello->set = tls_set_ref((struct tls_set *)(uintptr_t)tls);
	/* what is queued asked the peer to begin: it leaves in the clear */
	c->clear = (uint32_t)conn_queued(c);
	if (c->net != NULL) {
		conn_arm(c);
		conn_touch(c);
	}
	return true;
}

bool
conn_start_tls(struct conn *c, const struct tls_set *tls, struct str host,
	struct str alpn, bool from_server, struct err *err)
{
	assert(c->ssl == NULL && c->mem == NULL);
	assert(alpn.n < sizeof(c->hello->alpn));
	tls_memory_begin(c);
	tls_memory_watch(c);
	if (!conn_begin_tls(c, tls,
		    tls_session_new(tls, host, from_server, c, err), err))
		return false;
	c->hello->named = host.n != 0;
	c->hello->server = c->hello->near = from_server;
	if (alpn.n > 0)
		memcpy(c->hello->alpn, alpn.p, alpn.n);
	return true;
}

bool
conn_start_tls_one_of(struct conn *c, const struct tls_set *tls,
	const struct conn_protocol *all, size_t n, struct err *err)
{
	bool all_of_servers = true;
	struct conn_choice *choice;

	assert(n > 0 && n <= CONN_PROTOCOLS_MAX);
	for (size_t i = 0; i < n; i++)
		all_of_servers = all_of_servers && all[i].of_servers;
	if (!conn_start_tls(c, tls, STR(""), str_c(all[0].alpn), all_of_servers,
		    err))
		return false;
	choice = c->hello->choice = xcalloc(1, sizeof(*choice));
	for (; choice->n < n; choice->n++) {
		const struct conn_protocol *p = &all[choice->n];

		assert(strlen(p->alpn) <= CONN_ALPN_MAX);
		memcpy(choice->all[choice->n].alpn, p->alpn, strlen(p->alpn));
		choice->all[choice->n].of_servers = p->of_servers;
		c->hello->near = c->hello->near || p->of_servers;
	}
	return true;
}

void
conn_tell_again(struct conn *c, const char *p, size_t n)
{
	if (c->life == LIFE_OPEN)
		(void)conn_tell_data(c, p, n);
}

struct str
conn_alpn(const struct conn *c)
{
	const unsigned char *p = NULL;
	unsigned n = 0;

	if (c->ssl != NULL)
		SSL_get0_alpn_selected(c->ssl, &p, &n);
	return n != 0 ? (struct str){ (const char *)p, n } : STR("");
}

bool
conn_start_tls_client(struct conn *c, const struct tls_set *tls,
	struct str local, struct str sni, struct str alpn, struct err *err)
{
	assert(c->ssl == NULL && c->mem == NULL);
	if (tls == NULL)
		return err_set(err, ERR_MISSING, "no host has a certificate");
	tls_memory_begin(c);
	tls_memory_watch(c);
	if (!conn_begin_tls(c, tls,
		    tls_session_new_client(tls, local, sni, alpn, c, err), err))
		return false;
	c->hello->named = c->hello->server = c->hello->opens = true;
	return true;
}

/* Before a call whose errors will be asked for.  The library clears sixteen
 * places one by one, also when there is nothing in them: 900 instructions for
 * each record. */
static void
errors_clear(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

bool
conn_is_secure(const struct conn *c)
{
	return c->tls >= CONN_TLS_ON;
}

struct ssl_st *
conn_ssl(const struct conn *c)
{
	return c->ssl;
}

static void
conn_hello_free(struct conn *c)
{
	if (c->hello == NULL)
		return;
	tls_set_unref(c->hello->set);
	free(c->hello->choice);
	free(c->hello);
	c->hello = NULL;
}

/* OpenSSL is not called any more. */
static void
conn_tls_end(struct conn *c)
{
	conn_set_tls(c,
		c->tls == CONN_TLS_HELLO ? CONN_TLS_FAILED : CONN_TLS_OVER);
}

/* After SSL_read and the like returned ret: the reason in our words. */
static enum io
conn_tls_result(struct conn *c, int ret, const char *what, struct err *err)
{
	unsigned long code = ERR_peek_error();
	bool flooded = c->tls == CONN_TLS_FLOODED;

	switch (SSL_get_error(c->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		err_set(err, ERR_CLOSED, "the peer closed the connection");
		return IO_CLOSED;
	case SSL_ERROR_SYSCALL:
		conn_tls_end(c);
		conn_errno(err, what);
		return IO_BROKEN;
	default:
		break;
	}
	conn_tls_end(c);
	if (flooded) {
		ERR_clear_error();
		err_set(err, ERR_LIMIT,
			"more than %d TLS key updates in a minute",
			NOISE_A_MINUTE);
	} else if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		err_set(err, ERR_CLOSED,
			"the peer closed the connection without a TLS goodbye");
		return IO_CLOSED;
	} else {
		tls_err(err, what);
	}
	return IO_BROKEN;
}

bool
conn_tls_handshake(struct conn *c)
{
	struct err err = ERR_INIT;
	int ret;

	c->hello->opens = false;
	errors_clear();
	tls_memory_watch(c);
	ret = SSL_do_handshake(c->ssl);
	tls_memory_watch(NULL);
	if (ret == 1) {
		conn_hello_free(c);
		conn_set_tls(c, CONN_TLS_ON);
		if (c->out.n > 0)
			conn_touch(c);
		return conn_tell_secured(c);
	}
	if (SSL_get_error(c->ssl, ret) == SSL_ERROR_WANT_WRITE) {
		c->read_blocked = true;
		conn_touch(c);
	}
	switch (conn_tls_result(c, ret, "TLS handshake", &err)) {
	case IO_OK:
	case IO_AGAIN:
		break;
	case IO_CLOSED:
	case IO_BROKEN:
		conn_fail(c, &err);
	}
	return false;
}

enum io
conn_tls_read(
	struct conn *c, char *p, size_t n, size_t *got_out, struct err *err)
{
	int done;

	errors_clear();
	tls_memory_watch(c);
	done = SSL_read_ex(c->ssl, p, n, got_out);
	tls_memory_watch(NULL);
	if (done == 1)
		return IO_OK;
	if (SSL_want_write(c->ssl)) {
		c->read_blocked = true;
		conn_touch(c);
	}
	return conn_tls_result(c, 0, "TLS read", err);
}

enum io
conn_tls_write(struct conn *c, const char *p, size_t n, size_t *done_out,
	struct err *err)
{
	enum io io;
	int done;

	errors_clear();
	tls_memory_watch(c);
	done = SSL_write_ex(c->ssl, p, n, done_out);
	tls_memory_watch(NULL);
	if (done == 1)
		return IO_OK;
	io = conn_tls_result(c, 0, "TLS write", err);
	if (io == IO_AGAIN)
		conn_set_output(c, OUTPUT_REFUSED);
	return io;
}

bool
conn_tls_has_pending(const struct conn *c)
{
	return c->ssl != NULL && SSL_has_pending(c->ssl) == 1;
}

void
conn_tls_noise(struct conn *c)
{
	uint16_t minute =
		(uint16_t)(clock_mono_us(&clock_system) / (60 * US_PER_S));

	if (minute != c->minute) {
		c->minute = minute;
		c->noise = 0;
	}
	if (c->tls != CONN_TLS_ON || c->noise++ < NOISE_A_MINUTE)
		return;
	/* SSL_read would go on as long as such messages come: there are no
	 * more, from the next one on */
	conn_set_tls(c, CONN_TLS_FLOODED);
	SSL_set0_rbio(c->ssl, NULL);
}

void
conn_tls_bye(struct conn *c)
{
	if ((c->tls != CONN_TLS_ON && c->tls != CONN_TLS_FLOODED) || c->silent)
		return;
	ERR_clear_error();
	tls_memory_watch(c);
	(void)SSL_shutdown(c->ssl);
	tls_memory_watch(NULL);
	ERR_clear_error();
	conn_tls_end(c); /* once is enough */
}

void
conn_tls_free(struct conn *c)
{
	conn_hello_free(c);
	if (c->ssl == NULL)
		return;
	tls_memory_watch(c);
	SSL_free(c->ssl);
	c->ssl = NULL;
	tls_memory_watch(NULL);
	tls_memory_end(c);
}
