/*
 * c2s.c - the stream of a client: what it does with elements, and its life beside
 * that of the stream.
 *
 *   OPEN   --<starttls/>-------------------> HANDSHAKE --> HEADER
 *   OPEN   --<success/>--------------------> HEADER, at its account --> OPEN
 *   OPEN   --bind, on_account_loaded()-----> BOUND
 *
 * Owner shard.  Invariant: login is there until a session is.
 */
#include "config.h"

#include "stream/client/c2s.h"

#include <assert.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "core/host.h"
#include "stream/client/c2s_int.h"

static void
c2s_shard_free(void *client)
{
	struct c2s_shard *cs = client;

	c2s_features_free(cs);
	c2s_looks_free(cs);
	free(cs);
}

struct c2s_shard *
c2s_shard(struct shard *sh)
{
	struct stream_shard *ss = stream_shard(sh);

	if (ss->client == NULL) {
		ss->client = xcalloc(1, sizeof(struct c2s_shard));
		ss->client_free = c2s_shard_free;
	}
	return ss->client;
}

static void
c2s_describe(const void *obj, char *out, size_t n)
{
	const struct c2s *c = obj;
	const char *account = "-";

	if (c->session != NULL) {
		struct log_who who = session_who(c->session);

		who.describe(who.obj, out, n);
		return;
	}
	if (c->login != NULL && c->login->account != NULL)
		account = c->login->account;
	snprintf(out, n, "s%u c2s %s %s", c->x.shard->index,
		conn_peer(c->x.conn), account);
}

struct host *
c2s_host(const struct c2s *c)
{
	if (c->session != NULL)
		return account_host(c->session->account);
	if (c->login->host == NULL)
		return NULL;
	return account_host_of(c->x.shard->snap, str_c(c->login->host));
}

static struct host *
on_host_asked(const struct stream *x)
{
	return c2s_host((const struct c2s *)x);
}

struct c2s *
c2s_find(struct shard *sh, uint64_t token)
{
	struct stream *x = stream_find(sh, token);

	return x != NULL ? c2s_of(x) : NULL;
}

/* --- elements ------------------------------------------------------------- */

static enum hook_result
on_starttls(struct module_ctx *m, struct element *el)
{
	struct c2s *c = el->stream;

	(void)m;
	if (!c2s_offers_tls(c))
		return HOOK_PASS;
	c->x.next = NEXT_TLS;
	return HOOK_HANDLED;
}

static const struct element_handler c2s_elements[] = {
	{ ELEMENT_STRANGER, NS_TLS, "starttls", on_starttls },
	{ ELEMENT_STRANGER, NS_SASL, "auth", c2s_on_auth },
	{ ELEMENT_STRANGER, NS_SASL, "response", c2s_on_response },
	{ ELEMENT_STRANGER, NS_SASL, "abort", c2s_on_abort },
	{ .fn = NULL },
};

static bool
on_asked_about(const struct stream *x, struct element *out)
{
	const struct c2s *c = (const struct c2s *)x;

	out->session = c->session;
	if (c->session != NULL) {
		out->stage = ELEMENT_BOUND;
		out->account = jid_str(c->session->account->e.jid);
		return true;
	}
	if (x->authenticated) {
		out->stage = ELEMENT_AUTHENTICATED;
		out->account = str_c(c->login->account);
		out->session_ops = &c2s_session_stream;
		return true;
	}
	out->stage = ELEMENT_STRANGER;
	return c2s_may_log_in(c);
}

static void
c2s_other_element(struct c2s *c, struct arena *a, struct elem *e)
{
	bool handled = stream_handle(&c->x, a, e);

	arena_free(a);
	if (handled)
		return;
	if (c->x.authenticated)
		stream_end(&c->x, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
	else
		stream_end(&c->x, STREAM_NOT_AUTHORIZED, "Log in first");
}

/* RFC 6120 §6.3.5 and §4.9.3.12: before there is an identity, only what leads to
 * one. */
static void
on_element(struct stream *x, struct arena *a, struct elem *e)
{
	struct c2s *c = c2s_of(x);

	if (!str_is(e->ns, NS_CLIENT) && (str_is(e->ns, NS_SERVER) ||
			str_is(e->ns, NS_COMPONENT))) {
		/* §4.8.2: it is not the content namespace of this stream */
		arena_free(a);
		stream_end(x, STREAM_INVALID_NAMESPACE, NULL);
	} else if (x->authenticated && elem_is_stanza(e)) {
		if (x->stage == STAGE_BOUND)
			c2s_bound_element(c, a, e);
		else
			c2s_unbound_element(c, a, e);
	} else if (!x->authenticated && elem_is(e, NS_CLIENT, "iq") &&
		c2s_may_log_in(c)) {
		c2s_stranger_iq(c, a, e);
	} else {
		c2s_other_element(c, a, e);
	}
}

/* --- life ----------------------------------------------------------------- */

static struct c2s_login *
login_new(int tls)
{
	struct c2s_login *l = xcalloc(1, sizeof(*l));

	memuse_add_part(MEMUSE_STREAM, l);
	l->tls = (uint8_t)tls;
	return l;
}

static void
login_free(struct c2s *c)
{
	struct c2s_login *l = c->login;

	if (l == NULL)
		return;
	c2s_auth_free(l->auth);
	stanza_free(l->bind);
	free(l->host);
	free(l->from);
	free(l->account);
	memuse_remove_part(MEMUSE_STREAM, l);
	free(l);
	c->login = NULL;
}

void
c2s_bound(struct c2s *c, struct session *s)
{
	c->session = s;
	login_free(c);
	stream_bound(&c->x);
	conn_set_share(c->x.conn,
		budget_share(c->x.shard->server, s->account->e.hash));
}

/* Much waits for the client: a session is told, and who has none is cut off
 * (hostile 12): all that a client which has not logged in is answered is much smaller
 * than what is asked for early. */
static void
on_full(struct stream *x, bool refused)
{
	struct c2s *c = c2s_of(x);

	if (c->session != NULL) {
		if (refused)
			session_full(c->session);
		return;
	}
	x->shard->stats.refused++;
	stream_cut(x, "does not read what it is sent", conn_queued(x->conn));
}

static void
on_drained(struct stream *x)
{
	struct c2s *c = c2s_of(x);

	if (c->session == NULL)
		return;
	stream_seen(x);
	session_drained(c->session);
}

static void
on_moved(struct stream *x)
{
	struct c2s *c = c2s_of(x);

	if (c->login->auth != NULL)
		c->login->auth->offer.rand = x->shard->rand;
	if (x->authenticated)
		c2s_bind_moved(c);
	else
		stream_count_moved(x);
}

static void
on_ended(struct stream *x, bool goodbye)
{
	struct c2s *c = c2s_of(x);
	struct session *s = c->session;

	c->session = NULL;
	if (s == NULL)
		return;
	s->left = goodbye && !x->failed;
	session_lost(s, goodbye);
}

static void
on_closed(struct stream *x)
{
	struct c2s *c = c2s_of(x);

	c2s_auth_leave(c);
	stream_count_out(x);
	login_free(c);
}

static const struct stream_kind c2s_kind = {
	.ns = { NS_CLIENT, sizeof(NS_CLIENT) - 1 },
	.alpn = STREAM_ALPN_CLIENT,
	.may_go_elsewhere = true,
	.describe = c2s_describe,
	.log_end = c2s_log_end,
	.domain = c2s_domain,
	.host = on_host_asked,
	.judge = c2s_judge,
	.opened = c2s_opened,
	.element = on_element,
	.elements = c2s_elements,
	.about = on_asked_about,
	.moved = on_moved,
	.full = on_full,
	.drained = on_drained,
	.due = c2s_due,
	.do_due = c2s_do_due,
	.leaves = c2s_leaves,
	.ended = on_ended,
	.closed = on_closed,
};

static void
c2s_new(struct shard *sh, struct conn *conn, int tls, int64_t since_us,
	bool counted)
{
	struct c2s *c = xcalloc(1, sizeof(*c));

	c->login = login_new(tls);
	stream_open(&c->x, &c2s_kind, sh, conn);
	c->x.counted = counted;
	c->login->deadline_us =
		since_us + sh->snap->config->limits.login_timeout_us;
	if (!stream_count_in(&c->x)) {
		c->x.stage = STAGE_CLOSED;
		conn_abort(conn);
		return;
	}
	log_debug(LOG_STREAM, stream_who(&c->x), "accepted");
	if (tls == LISTEN_DIRECT && !conn_is_secure(conn))
		stream_tls_direct(&c->x);
	stream_arm(&c->x);
}

void
c2s_accept_mem(struct shard *sh, struct conn *c, bool secure)
{
	if (secure)
		conn_mem_secure(c);
	c2s_new(sh, c, secure ? LISTEN_DIRECT : LISTEN_STARTTLS,
		clock_mono_us(sh->server->clock), false);
}

/* --- its port ------------------------------------------------------------- */

static void
c2s_accept(struct shard *sh, const struct listen_arrival *a)
{
	c2s_new(sh, a->conn, a->at->tls, a->since_us, a->counted);
}

static enum listen_verdict
c2s_recognise(struct str first)
{
	return stream_recognise(STR(NS_CLIENT), first);
}

const struct listen_kind c2s_kinds[] = {
	{ .name = "c2s", .summary = "clients",
		.tls_modes = LISTEN_MAY(LISTEN_STARTTLS) |
			LISTEN_MAY(LISTEN_DIRECT) | LISTEN_MAY(LISTEN_PLAIN),
		.tls = LISTEN_STARTTLS,
		.ports = { [LISTEN_STARTTLS] = 5222, [LISTEN_DIRECT] = 5223 },
		.alpn = { STREAM_ALPN_CLIENT }, .recognise = c2s_recognise,
		.accept_raw = c2s_accept },
	{ .name = NULL },
};
