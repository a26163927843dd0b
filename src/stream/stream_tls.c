/*
 * stream_tls.c - TLS on a stream: when the peer asks for it, or is asked (RFC 6120
 * §5.4), or from the first byte (XEP-0368).
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
#include "dns/dns.h"
#include "core/host.h"

/* As a client: the certificate that we want to see is that of the domain, whatever
 * host serves it (RFC 6120 §5.4.3.1). */
static bool
stream_connect_tls(struct stream *x, struct str alpn, struct err *err)
{
	char sni[DNS_NAME_SIZE];

	if (!dns_name(x->kind->peer(x), sni))
		sni[0] = '\0';
	return conn_start_tls_client(x->conn, x->shard->snap->tls,
		x->kind->domain(x), str_c(sni), alpn, err);
}

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
	if (x->initiated ? stream_connect_tls(x, alpn, &err) :
			   conn_start_tls(x->conn, x->shard->snap->tls, host,
				   alpn, x->kind->of_servers, &err))
		return true;
	if (x->initiated) /* who looks for the way wants to know */
		x->kind->log_end(x, "TLS cannot begin", err.text);
	else if (log_limit_ok(&stream_shard(x->shard)->broken, LOG_TLS))
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
		stream_end(x, STREAM_POLICY_VIOLATION, x->initiated ?
			"Wait for TLS behind <proceed/>" :
			"Wait for <proceed/> before you go on");
		return;
	}
	if (!x->initiated)
		stream_write_bytes(x, STR("<proceed xmlns='" NS_TLS "'/>"));
	if (!stream_handshake(x, x->kind->domain(x), STR("")))
		stream_end(x, STREAM_COND_NONE, NULL);
}

void
stream_tls_direct(struct stream *x)
{
	x->stage = STAGE_HANDSHAKE; /* nothing is ever said in the clear */
	if ((x->shard->snap->tls == NULL && !x->initiated) ||
		!stream_handshake(x, STR(""), str_c(x->kind->alpn)))
		stream_end(x, STREAM_COND_NONE, NULL);
}

void
stream_secured(struct stream *x)
{
	if (x->stage != STAGE_HANDSHAKE)
		return;
	x->stage = STAGE_HEADER;
	if (x->initiated)
		stream_greet(x);
}
