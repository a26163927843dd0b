/*
 * c2s.c - the stream of a client: its stages, its bytes, its timer, its way
 * from one shard to another.
 *
 *   accepted --direct TLS--> HANDSHAKE --c2s_secured()--> HEADER
 *   accepted --starttls----> HEADER --c2s_opened()--> OPEN
 *   OPEN   --<starttls/>, c2s_tls_start()--> HANDSHAKE --> HEADER
 *   OPEN   --<success/>, c2s_restart()----> HEADER (authenticated) --> OPEN
 *   OPEN   --bind, on_account_loaded()----> BOUND
 *   any    --c2s_end()--> CLOSED --on_conn_closed()--> freed
 *
 * Owner shard.  Invariant: login is there until a session is, and the parser is
 * never given back while it is on the stack (feeding).
 */
#include "config.h"

#include "stream/client/c2s.h"

#include <assert.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "core/host.h"
#include "core/place.h"
#include "stream/client/c2s_int.h"

struct c2s_shard *
c2s_shard(struct shard *sh)
{
	struct c2s_shard *cs = sh->streams;

	if (cs == NULL) {
		cs = xcalloc(1, sizeof(*cs));
		TAILQ_INIT(&cs->streams);
		sh->streams = cs;
	}
	return cs;
}

static struct c2s *
c2s_arg(void *arg)
{
	struct c2s *c = arg;

	assert(c->tag == C2S_TAG);
	ASSERT_ON(c->shard);
	/* the loop calls us before the turn has read the clock */
	c->shard->now_us = clock_mono_us(c->shard->server->clock);
	return c;
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
	snprintf(out, n, "s%u c2s %s %s", c->shard->index, conn_peer(c->conn),
		account);
}

struct log_who
c2s_who(const struct c2s *c)
{
	return (struct log_who){ c2s_describe, c };
}

struct host *
c2s_host(const struct c2s *c)
{
	if (c->session != NULL)
		return account_host(c->session->account);
	if (c->login->host == NULL)
		return NULL;
	return account_host_of(c->shard->snap, str_c(c->login->host));
}

/* --- the login that is under way ------------------------------------------ */

static void
login_enter(struct c2s_login *l, struct c2s_shard *cs)
{
	l->token = ++cs->last_token;
	HASH_ADD(hh, cs->logins, token, sizeof(l->token), l);
}

static void
login_leave(struct c2s_login *l, struct c2s_shard *cs)
{
	HASH_DEL(cs->logins, l);
}

struct c2s *
c2s_find(struct shard *sh, uint64_t token)
{
	struct c2s_shard *cs = sh->streams;
	struct c2s_login *l = NULL;

	if (cs != NULL)
		HASH_FIND(hh, cs->logins, &token, sizeof(token), l);
	if (l == NULL || l->stream->stage == C2S_CLOSED)
		return NULL;
	return l->stream;
}

static void
c2s_login_free(struct c2s *c)
{
	struct c2s_login *l = c->login;

	if (l == NULL)
		return;
	login_leave(l, c2s_shard(c->shard));
	c2s_auth_free(l->auth);
	stanza_free(l->bind);
	buf_done(&l->input);
	free(l->host);
	free(l->from);
	free(l->account);
	memuse_remove_part(MEMUSE_STREAM, l);
	free(l);
	c->login = NULL;
}

/* --- parsers -------------------------------------------------------------- */

static enum xml_verdict
c2s_verdict(const struct c2s *c)
{
	return c->stage == C2S_CLOSED || c->next != NEXT_NONE ||
			(c->rest & C2S_REST_LOGIN) != 0 ?
		XML_STOP :
		XML_GO_ON;
}

/* RFC 6120 §6.3.5 and §4.9.3.12: before there is an identity, only what leads
 * to one. */
static void
c2s_stranger_element(struct c2s *c, struct arena *a, struct elem *e)
{
	if (elem_is(e, NS_TLS, "starttls") && c2s_offers_tls(c))
		c->next = NEXT_TLS;
	else if (elem_is(e, NS_CLIENT, "iq") && c2s_may_log_in(c)) {
		c2s_stranger_iq(c, a, e);
		return;
	} else if (!str_is(e->ns, NS_SASL) || !c2s_auth_element(c, e))
		c2s_end(c, STREAM_NOT_AUTHORIZED, "Log in first");
	arena_free(a);
}

/* With an identity, stanzas alone. */
static void
c2s_user_element(struct c2s *c, struct arena *a, struct elem *e)
{
	if (!elem_is_stanza(e)) {
		arena_free(a);
		c2s_end(c, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
	} else if (c->stage == C2S_BOUND)
		c2s_bound_element(c, a, e);
	else
		c2s_unbound_element(c, a, e);
}

static enum xml_verdict
c2s_element(void *arg, struct arena *a, struct elem *e)
{
	struct c2s *c = arg;

	c2s_count_stanza(c);
	/* RFC 6120 §4.8.2: it is not the content namespace of this stream */
	if (str_is(e->ns, NS_SERVER)) {
		arena_free(a);
		c2s_end(c, STREAM_INVALID_NAMESPACE, NULL);
	} else if (c->stage == C2S_BOUND ||
		(c->stage == C2S_OPEN && c->authenticated))
		c2s_user_element(c, a, e);
	else if (c->stage == C2S_OPEN)
		c2s_stranger_element(c, a, e);
	else
		arena_free(a);
	return c2s_verdict(c);
}

/* RFC 6120 §4.4 */
static enum xml_verdict
c2s_root_closed(void *arg)
{
	c2s_end(arg, STREAM_COND_NONE, NULL);
	return XML_STOP;
}

static const struct xml_events c2s_xml_events = { c2s_opened, c2s_element,
	c2s_root_closed };

static void
c2s_take_parser(struct c2s *c)
{
	struct c2s_shard *cs = c2s_shard(c->shard);
	struct xml_limits *limits =
		c->authenticated ? &cs->after : &cs->before;

	c2s_limits_set(c->shard, cs);
	if (c->stage == C2S_HEADER)
		c->parser = xml_parser_get(c->shard->xml, limits,
			&c2s_xml_events, c);
	else
		c->parser = xml_parser_get_primed(c->shard->xml,
			STR(NS_CLIENT), limits, &c2s_xml_events, c);
}

static void
c2s_put_parser(struct c2s *c)
{
	xml_parser_put(c->shard->xml, c->parser);
	c->parser = NULL;
}

/* --- moving to the shard of the account ----------------------------------- */

static void
c2s_enter(struct c2s *c, struct shard *sh)
{
	struct c2s_shard *cs = c2s_shard(sh);

	c->shard = sh;
	TAILQ_INSERT_TAIL(&cs->streams, c, link);
	sh->stats.streams++;
	login_enter(c->login, cs);
}

static void
c2s_leave(struct c2s *c)
{
	struct c2s_shard *cs = c2s_shard(c->shard);

	shard_timer_cancel(c->shard, &c->timer);
	TAILQ_REMOVE(&cs->streams, c, link);
	c->shard->stats.streams--;
	if (c->login != NULL)
		login_leave(c->login, cs);
}

static void
on_c2s_arrived(struct shard *sh, void *arg)
{
	struct c2s *c = arg;

	c2s_enter(c, sh);
	conn_attach(c->conn, sh->net);
	if (c2s_shard(sh)->closing) {
		c2s_end(c, c2s_shard(sh)->closing_cond, NULL);
		return;
	}
	/* one that has got a stream of its own already does not move again */
	(void)c2s_release(c);
}

/* From here on c belongs to another thread. */
static void
c2s_move(struct c2s *c, struct place to)
{
	size_t bytes = sizeof(*c) + sizeof(*c->login) + c->login->input.n;
	const struct server *srv = c->shard->server;

	c2s_leave(c);
	conn_detach(c->conn);
	place_post(srv, to, on_c2s_arrived, c, bytes);
}

/* RFC 6120 §6.4.6: a new stream, with nothing of the old one but who the client
 * is.  False when c has moved, and rest with it. */
static bool
c2s_restart(struct c2s *c, struct str rest)
{
	struct place to = server_place_of(c->shard->server,
		str_c(c->login->account));

	c->next = NEXT_NONE;
	c2s_put_parser(c);
	c->stage = C2S_HEADER;
	c->headed = false;
	if (place_is_here(c->shard, to))
		return true;
	c2s_hold(c);
	buf_add(&c->login->input, rest.p, rest.n);
	c2s_move(c, to);
	return false;
}

/* --- bytes ---------------------------------------------------------------- */

/* What the last element has asked for; rest_io: the bytes that came behind it,
 * and what is left of them.  False when c has moved. */
static bool
c2s_do_next(struct c2s *c, struct str *rest_io)
{
	struct str rest = *rest_io;

	switch ((enum c2s_next)c->next) {
	case NEXT_NONE:
		return true;
	case NEXT_TLS:
		c->next = NEXT_NONE;
		c2s_put_parser(c);
		rest_io->n = 0; /* nobody reads it (hostile 19) */
		c2s_tls_start(c, rest);
		return true;
	case NEXT_RESTART:
		return c2s_restart(c, rest);
	}
	return true;
}

/* Between two stanzas of a plain stream one parser is as good as another: given
 * back at once, the few that a shard needs stay in the caches of the processor.
 * Given back after 100 ms there were thousands, and with 100,000 sessions a
 * message cost 7.5 us instead of 3.6 (tests/bench/bench_million). */
static bool
c2s_can_rest(const struct c2s *c)
{
	return c->stage == C2S_BOUND && c->parser != NULL &&
		xml_parser_can_rest(c->parser);
}

/* How many of the bytes are white space between two streams.
 * COMPAT: go-xmpp (go-sendxmpp 0.5, Debian 12) sends a line feed behind </auth>:
 * it belongs to the stream that has ended, and none may stand before the header
 * of the next. */
static size_t
c2s_blanks(const struct c2s *c, struct str in)
{
	if (c->parser != NULL || c->stage != C2S_HEADER || !c->authenticated)
		return 0;
	return (size_t)(str_trim(in).p - in.p);
}

/* False when c has moved to another shard. */
static bool
c2s_feed(struct c2s *c, struct str in)
{
	enum xml_fault fault;
	size_t used;

	while (in.n > 0 && c->stage != C2S_CLOSED) {
		if ((c->rest & C2S_REST_LOGIN) != 0) {
			buf_add(&c->login->input, in.p, in.n);
			return true;
		}
		used = c2s_blanks(c, in);
		in.p += used;
		in.n -= used;
		if (in.n == 0)
			break;
		if (c->parser == NULL)
			c2s_take_parser(c);
		c->feeding = true;
		fault = xml_parser_feed(c->parser, in.p, in.n, &used);
		c->feeding = false;
		in.p += used;
		in.n -= used;
		if (c->stage == C2S_CLOSED)
			break;
		if (fault != XML_FAULT_NONE)
			c2s_fault(c, fault);
		else if (!c2s_do_next(c, &in))
			return false;
	}
	if (!c->feeding && (c->stage == C2S_CLOSED || c2s_can_rest(c)))
		c2s_put_parser(c);
	return true;
}

/* --- resting ------------------------------------------------------------------ */

static void
c2s_set_reading(struct c2s *c)
{
	if (c->stage == C2S_CLOSED)
		return;
	if (c->rest != 0)
		conn_pause(c->conn);
	else
		conn_resume(c->conn);
}

void
c2s_rest(struct c2s *c, enum c2s_rest why)
{
	c->rest |= (uint8_t)why;
	c2s_set_reading(c);
}

void
c2s_go_on(struct c2s *c, enum c2s_rest why)
{
	c->rest &= (uint8_t)~why;
	c2s_set_reading(c);
}

void
c2s_rest_until(struct c2s *c, int64_t us)
{
	c->resume_us = MAX(c->resume_us, us);
	c2s_rest(c, C2S_REST_RATE);
}

void
c2s_hold(struct c2s *c)
{
	c2s_rest(c, C2S_REST_LOGIN);
}

bool
c2s_release(struct c2s *c)
{
	struct buf input = c->login->input;
	struct str in = buf_str(&input);
	bool here = true;

	c->login->input = (struct buf)BUF_INIT;
	c->rest &= (uint8_t)~C2S_REST_LOGIN;
	if (c->stage == C2S_BOUND)
		c2s_login_free(c);
	/* a call that is on the stack goes on by itself */
	if (!c->feeding)
		here = c2s_do_next(c, &in) && c2s_feed(c, in);
	buf_done(&input);
	if (!here)
		return false;
	c2s_set_reading(c);
	c2s_arm(c);
	return true;
}

/* A stanza that has begun and does not end waits too. */
static void
c2s_count_parser(struct c2s *c)
{
	size_t now = c->parser != NULL && c->stage == C2S_BOUND ?
		xml_parser_bytes(c->parser) :
		0;
	int64_t more = (int64_t)now - c->parser_bytes;

	if (more == 0)
		return;
	c->parser_bytes += (uint32_t)more;
	memuse_count(MEMUSE_QUEUE, 0, more);
	share_count(conn_share(c->conn), more);
}

static void
on_conn_data(void *arg, const char *p, size_t n)
{
	struct c2s *c = c2s_arg(arg);
	bool here;

	if (c->stage == C2S_CLOSED)
		return;
	c2s_seen(c);
	share_set(conn_share(c->conn));
	here = c2s_feed(c, (struct str){ p, n });
	share_set(NULL);
	if (!here)
		return;
	c2s_count_parser(c);
	c2s_count_bytes(c, n);
	c2s_arm(c);
}

/* --- life ----------------------------------------------------------------- */

static void
on_conn_drained(void *arg)
{
	struct c2s *c = c2s_arg(arg);

	if (c->session == NULL)
		return;
	c2s_seen(c);
	session_drained(c->session);
}

/* Called at the end of a turn, when nobody holds c. */
static void
on_conn_closed(void *arg, const struct err *why)
{
	struct c2s *c = c2s_arg(arg);
	struct session *s = c->session;

	if (why != NULL)
		c2s_log_end(c, "connection lost", why->text);
	c->stage = C2S_CLOSED;
	c->session = NULL;
	if (s != NULL)
		session_lost(s, false);
	c2s_auth_leave(c);
	c2s_count_out(c);
	c2s_put_parser(c);
	c2s_count_parser(c);
	shard_timer_cancel(c->shard, &c->timer);
	TAILQ_REMOVE(&c2s_shard(c->shard)->streams, c, link);
	c->shard->stats.streams--;
	c2s_login_free(c);
	memuse_remove_part(MEMUSE_STREAM, c->lang);
	free(c->lang);
	c->tag = 0;
	memuse_remove(MEMUSE_STREAM, c);
	free(c);
}

static const struct conn_events c2s_conn_events = {
	.data = on_conn_data,
	.secured = c2s_secured,
	.drained = on_conn_drained,
	.closed = on_conn_closed,
};

void
c2s_new(struct shard *sh, struct conn *conn, int tls)
{
	struct c2s *c = xcalloc(1, sizeof(*c));

	sh->now_us = clock_mono_us(sh->server->clock);
	memuse_add(MEMUSE_STREAM, c);
	c->tag = C2S_TAG;
	c->conn = conn;
	c->stage = C2S_HEADER;
	c->seen_us = sh->now_us;
	c->login = xcalloc(1, sizeof(*c->login));
	memuse_add_part(MEMUSE_STREAM, c->login);
	c->login->stream = c;
	c->login->tls = (uint8_t)tls;
	c->login->deadline_us =
		sh->now_us + sh->snap->config->limits.login_timeout_us;
	c2s_enter(c, sh);
	conn_set_owner(conn, &c2s_conn_events, c);
	if (!c2s_count_in(c)) {
		c->stage = C2S_CLOSED;
		conn_abort(conn);
		return;
	}
	log_debug(LOG_STREAM, c2s_who(c), "accepted");
	if (tls == LISTEN_DIRECT && !conn_is_secure(conn))
		c2s_tls_direct(c);
	c2s_arm(c);
}

void
c2s_accept_mem(struct shard *sh, struct conn *c, bool secure)
{
	if (secure)
		conn_mem_secure(c);
	c2s_new(sh, c, secure ? LISTEN_DIRECT : LISTEN_STARTTLS);
}
