/*
 * c2s_ping.c - finds out which silent clients are gone: after a while each is
 * asked for a sign of life, by a ping (XEP-0199 §4.1) or as a module likes, and any
 * byte is one (RFC 6120 §4.6.1).
 *
 * Owner shard.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "core/host.h"

int64_t
c2s_ping_due(const struct c2s *c)
{
	const struct config_limits *l = &c->x.shard->snap->config->limits;

	/* its answer would not be read */
	if (c->x.stage != STAGE_BOUND || (c->x.rest & (REST_READER | REST_HOLD)) != 0)
		return INT64_MAX;
	return c->x.seen_us +
		(c->x.pinged ? l->ping_timeout_us : l->idle_before_ping_us);
}

static void
ping_send(struct c2s *c)
{
	struct jid self = session_jid(c->session);
	struct str domain = jid_domain(self);
	struct jid host = {
		.text = domain.p,
		.bare_len = (uint16_t)domain.n,
		.len = (uint16_t)domain.n,
	};
	char id[RAND_ID_SIZE];
	struct stanza *st = stanza_new(IQ_GET, host, self,
		rand_id(c->x.shard->rand, id));

	elem_add(st->arena, st->root, NS_PING, "ping");
	c2s_write_stanza(c, st);
	stanza_free(st);
}

void
c2s_ping(struct c2s *c)
{
	if (session_takes_anything(c->session)) {
		stream_seen(&c->x);
		return;
	}
	/* who may come back must not take it for a goodbye */
	if (c->x.pinged && session_keeps_output(c->session)) {
		stream_cut(&c->x, "does not answer", session_queued(c->session));
		return;
	}
	if (c->x.pinged) {
		stream_end(&c->x, STREAM_CONNECTION_TIMEOUT, NULL);
		return;
	}
	stream_seen(&c->x);
	c->x.pinged = true;
	if (hook_run(account_host(c->session->account), HOOK_SESSION_SILENT,
		    c->session) != HOOK_HANDLED)
		ping_send(c);
}
