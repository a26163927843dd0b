/*
 * c2s_tls.c - TLS on a stream: when the client asks for it (RFC 6120 §5.4), or
 * from the first byte (XEP-0368).
 *
 * Owner shard.  Invariant: no byte that came in the clear is used after the
 * handshake has begun (hostile 19): there must be none but white space, which is
 * dropped, and the parser is a new one.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/err.h"
#include "base/mem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "net/tls.h"
#include "core/host.h"

#define ALPN STR("xmpp-client") /* XEP-0368 §3 */

static bool
c2s_handshake(struct c2s *c, struct str host, struct str alpn)
{
	struct err err = ERR_INIT;

	c->stage = C2S_HANDSHAKE;
	c->headed = false;
	if (conn_kind(c->conn) == CONN_MEM) {
		conn_mem_secure(c->conn); /* there are no bytes to agree on */
		c2s_secured(c);
		return true;
	}
	if (conn_start_tls(c->conn, c->shard->snap->tls, host, alpn, &err))
		return true;
	if (log_limit_ok(&c2s_shard(c->shard)->broken, LOG_TLS))
		log_error(LOG_TLS, c2s_who(c), "TLS cannot begin reason=\"%s\"",
			err.text);
	return false;
}

/* RFC 6120 §5.4.2.
 * COMPAT: go-xmpp (go-sendxmpp 0.5, Debian 12) sends a line feed behind
 * <starttls/>.  White space says nothing to anybody, and is dropped. */
void
c2s_tls_start(struct c2s *c, struct str rest)
{
	if (str_trim(rest).n != 0) {
		c2s_end(c, STREAM_POLICY_VIOLATION,
			"Wait for <proceed/> before you go on");
		return;
	}
	c2s_auth_free(c->login->auth);
	c->login->auth = NULL;
	conn_write(c->conn, STR("<proceed xmlns='" NS_TLS "'/>").p,
		STR("<proceed xmlns='" NS_TLS "'/>").n);
	if (!c2s_handshake(c, str_c(c->login->host), STR("")))
		c2s_end(c, STREAM_COND_NONE, NULL);
}

void
c2s_tls_direct(struct c2s *c)
{
	c->stage = C2S_HANDSHAKE; /* nothing is ever said in the clear */
	if (c->shard->snap->tls == NULL ||
		!c2s_handshake(c, STR(""), ALPN))
		c2s_end(c, STREAM_COND_NONE, NULL);
}

void
c2s_secured(void *arg)
{
	struct c2s *c = arg;

	if (c->stage == C2S_HANDSHAKE)
		c->stage = C2S_HEADER;
}
