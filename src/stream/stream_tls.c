/*
 * stream_tls.c - TLS on a stream: when the peer asks for it (RFC 6120 §5.4), or
 * from the first byte (XEP-0368).
 *
 * Owner shard.  Invariant: no byte that came in the clear is used after the
 * handshake has begun (hostile 19): there must be none but white space, which is
 * dropped, and the parser is a new one.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/err.h"
#include "base/mem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "net/tls.h"
#include "core/host.h"

static bool
stream_handshake(struct stream *x, struct str host, struct str alpn)
{
	struct err err = ERR_INIT;

	x->stage = STAGE_HANDSHAKE;
	x->headed = false;
	if (conn_kind(x->conn) == CONN_MEM) {
		conn_mem_secure(x->conn); /* there are no bytes to agree on */
		stream_secured(x);
		return true;
	}
	if (conn_start_tls(x->conn, x->shard->snap->tls, host, alpn, false,
		    &err))
		return true;
	if (log_limit_ok(&stream_shard(x->shard)->broken, LOG_TLS))
		log_error(LOG_TLS, stream_who(x),
			"TLS cannot begin reason=\"%s\"", err.text);
	return false;
}

/* RFC 6120 §5.4.2.
 * COMPAT: go-xmpp (go-sendxmpp 0.5, Debian 12) sends a line feed behind
 * <starttls/>.  White space says nothing to anybody, and is dropped. */
void
stream_tls_start(struct stream *x, struct str rest)
{
	if (str_trim(rest).n != 0) {
		stream_end(x, STREAM_POLICY_VIOLATION,
			"Wait for <proceed/> before you go on");
		return;
	}
	stream_write_bytes(x, STR("<proceed xmlns='" NS_TLS "'/>"));
	if (!stream_handshake(x, x->kind->domain(x), STR("")))
		stream_end(x, STREAM_COND_NONE, NULL);
}

void
stream_tls_direct(struct stream *x)
{
	x->stage = STAGE_HANDSHAKE; /* nothing is ever said in the clear */
	if (x->shard->snap->tls == NULL ||
		!stream_handshake(x, STR(""), str_c(x->kind->alpn)))
		stream_end(x, STREAM_COND_NONE, NULL);
}

void
stream_secured(struct stream *x)
{
	if (x->stage == STAGE_HANDSHAKE)
		x->stage = STAGE_HEADER;
}
