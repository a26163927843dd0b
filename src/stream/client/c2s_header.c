/*
 * c2s_header.c - the header of a client, and what is logged when its stream ends.
 *
 * Owner shard.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/mem.h"
#include "xmpp/jid.h"
#include "core/host.h"

struct str
c2s_domain(const struct stream *x)
{
	const struct c2s *c = (const struct c2s *)x;

	return c->login != NULL && c->login->host != NULL ?
		str_c(c->login->host) :
		STR_NONE;
}

/* --- the end -------------------------------------------------------------- */

/* Strangers come and go at will: theirs is for debugging only.  Whoever has
 * logged in and gets no further wants to know why. */
void
c2s_log_end(const struct stream *x, const char *what, const char *why)
{
	const struct c2s *c = (const struct c2s *)x;
	bool got_in = c->login != NULL && x->authenticated &&
		x->stage != STAGE_CLOSED;

	if (c->session != NULL || got_in)
		log_info(LOG_STREAM, stream_who(x), "%s reason=\"%s\"", what,
			why);
	else
		log_debug(LOG_STREAM, stream_who(x), "%s reason=\"%s\"", what,
			why);
}

/* --- the client's header -------------------------------------------------- */

/* §4.7.2: later headers may leave it out (RFC 3920), not change it
 * (hostile 25). */
static void
header_check_to(struct stream_header *h, struct c2s *c)
{
	struct c2s_login *l = c->login;
	struct str host = l->host != NULL ? str_c(l->host) : STR_NONE;

	if (h->to.p != NULL && !jid_prep_domain(&host, h->arena, h->to, NULL))
		host = STR_NONE;
	if (host.p == NULL ||
		account_host_of(c->x.shard->snap, host) == NULL) {
		stream_header_refuse(h, STREAM_HOST_UNKNOWN, h->to.p != NULL ?
			"This domain is not served here" :
			"Name the domain in the attribute \"to\"");
		return;
	}
	if (l->host != NULL && !str_is(host, l->host)) {
		stream_header_refuse(h, STREAM_POLICY_VIOLATION,
			"A connection is for one domain");
		return;
	}
	h->host = host;
}

/* §4.7.1: not necessary, but then it holds.
 * COMPAT: Perl's Net::XMPP (1.05, Debian 12) gives the domain, which is nobody's
 * account: it is answered as it came, and not compared with anything. */
static void
header_check_from(struct stream_header *h, struct c2s *c)
{
	struct c2s_login *l = c->login;
	const char *known = l->account != NULL ? l->account : l->from;
	struct jid jid;

	if (h->from.p == NULL)
		return;
	if (!jid_parse(&jid, h->arena, h->from, NULL)) {
		stream_header_refuse(h, STREAM_INVALID_FROM,
			"\"from\" is no address");
		return;
	}
	jid = jid_bare(jid);
	h->peer = jid_str(jid);
	if (known != NULL && jid_local(jid).n != 0 && !str_is(h->peer, known))
		stream_header_refuse(h, STREAM_INVALID_FROM,
			"\"from\" is not who you were before");
}

static void
c2s_pin(struct c2s_login *l, const struct stream_header *h)
{
	if (l->host == NULL)
		l->host = str_dup(h->host);
	if (l->from == NULL && h->peer.p != NULL &&
		memchr(h->peer.p, '@', h->peer.n) != NULL)
		l->from = str_dup(h->peer);
}

void
c2s_judge(struct stream *x, struct stream_header *h)
{
	header_check_to(h, c2s_of(x));
	header_check_from(h, c2s_of(x));
}

void
c2s_opened(struct stream *x, const struct stream_header *h)
{
	c2s_pin(c2s_of(x)->login, h);
	c2s_features(c2s_of(x));
	if (x->authenticated && x->shard->sleepers != NULL)
		c2s_wait_for_sessions(c2s_of(x));
}
