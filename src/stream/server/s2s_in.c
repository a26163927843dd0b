/*
 * s2s_in.c - the stream that another server has opened: what it does with elements,
 * the pairs of domains that it is for, and its life beside that of the stream.
 *
 *   HEADER --the domain of ours, maybe theirs------> OPEN
 *   OPEN   --<starttls/>---------------------------> HANDSHAKE --> HEADER
 *   OPEN   --EXTERNAL: its certificate is from's---> HEADER --> BOUND
 *   OPEN   --a key, and its domain says it is right> BOUND
 *   BOUND  --further keys--------------------------> further pairs
 *
 * Owner shard.  Invariant: each pair has been shown, and is permitted by the
 * snapshot `judged_of'; who is bound has one.
 */
#include "config.h"

#include "stream/server/s2s_in.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "net/tls.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/host.h"
#include "remote/remote.h"
#include "stream/server/dialback.h"
#include "stream/server/s2s_in_int.h"
#include "stream/server/s2s_sm.h"

/* Of what they say, in the log. */
#define SAID_MAX 100

static void
on_describe(const void *obj, char *out, size_t n)
{
	const struct s2s_in *c = obj;

	snprintf(out, n, "s%u server %s %s", c->x.shard->index,
		conn_peer(c->x.conn), c->from != NULL ? c->from : "-");
}

/* Strangers come and go at will: theirs is for debugging only. */
static void
on_log_end(const struct stream *x, const char *what, const char *why)
{
	const struct s2s_in *c = (const struct s2s_in *)x;

	if (x->stage == STAGE_BOUND)
		log_info(LOG_STREAM, stream_who(x), "%s reason=\"%s\"", what,
			why);
	else
		log_debug(LOG_STREAM, stream_who(x), "%s reason=\"%s\"", what,
			why);
	/* who only asks about a key of ours has nothing to show */
	if (c->from != NULL && !x->authenticated && !c->told && !c->verifies &&
		strcmp(why, "goodbye") != 0 && !x->shard->streams_closed)
		s2s_in_refuse(c, str_c(c->local), str_c(c->from), "%s%s: %s",
			x->stage == STAGE_HANDSHAKE ? "TLS: " : "", what, why);
}

static struct str
on_domain_asked(const struct stream *x)
{
	const struct s2s_in *c = (const struct s2s_in *)x;

	return c->local != NULL ? str_c(c->local) : STR_NONE;
}

/* The one that its header has named; when a reload has removed that, one that it is
 * for all the same. */
static struct host *
on_host_asked(const struct stream *x)
{
	const struct s2s_in *c = (const struct s2s_in *)x;
	struct host *host = c->local != NULL ?
		shard_host(x->shard, str_c(c->local)) :
		NULL;

	for (size_t i = 0; host == NULL && i < c->pairs.n; i++)
		host = shard_host(x->shard, str_c(c->pairs.p[i].local));
	return host;
}

/* --- pairs ---------------------------------------------------------------- */

struct s2s_pair *
s2s_in_pair(const struct s2s_in *c, struct str local, struct str remote)
{
	return s2s_pair_find(c->pairs.p, c->pairs.n, local, remote);
}

static char *
s2s_in_keep(struct str s)
{
	char *kept = str_dup(s);

	memuse_add_part(MEMUSE_STREAM, kept);
	return kept;
}

static void
s2s_in_drop(char *kept)
{
	memuse_remove_part(MEMUSE_STREAM, kept);
	free(kept);
}

static void
pair_done(struct s2s_pair *p)
{
	s2s_in_part(p);
	s2s_in_drop(p->local);
	s2s_in_drop(p->remote);
}

static void
s2s_in_bound(struct s2s_in *c)
{
	struct stream *x = &c->x;
	const struct config_limits *l = &x->shard->snap->config->limits;

	c->deadline_us = s2s_watch_idle(x, &c->limits, &c->idle_taken);
	stream_bound(x);
	conn_set_share(x->conn,
		budget_share(x->shard->server, c->pairs.p[0].hash));
	/* nobody knows whether it answers pings, or bears blanks */
	conn_probe(x->conn, l->idle_before_ping_us, l->ping_timeout_us);
	x->shard->stats.logins++;
}

void
s2s_in_add_pair(struct s2s_in *c, struct str local, struct str remote,
	enum s2s_proof proof)
{
	struct stream *x = &c->x;
	const char *tls = tls_version(x->conn);

	*vec_push(&c->pairs) = (struct s2s_pair){
		.local = s2s_in_keep(local),
		.remote = s2s_in_keep(remote),
		.hash = server_hash(x->shard->server, remote),
		.since_us = shard_wall_us(x->shard),
		.proof = proof,
	};
	if (c->pairs.n == 1) /* else others may not have been looked at yet */
		c->judged_of = x->shard->snap->serial;
	log_info(LOG_AUTH, stream_who(x),
		"server authenticated domain=%.*s to=%.*s by=%s tls=%s",
		STR_ARG(remote), STR_ARG(local), s2s_proof_names[proof],
		tls != NULL ? tls : "none");
	if (!x->authenticated)
		stream_authenticated(x);
	if (x->stage == STAGE_OPEN)
		s2s_in_bound(c);
	remote_came(x->shard, remote);
	s2s_in_came(x->shard, remote);
}

/* Policies and authorities may be others now, too: of a stream that goes both ways as
 * on one of ours. */
static bool
pair_stands(const struct s2s_in *c, const struct s2s_pair *p)
{
	struct str local = str_c(p->local), remote = str_c(p->remote);
	const char *text;

	if (s2s_refuses(c->x.shard, local, remote, &text) != COND_NONE)
		return false;
	return p->proof == S2S_EXTERNAL ?
		s2s_in_takes_certificate(c, local, remote) :
		s2s_in_takes_dialback(c, local, remote, &text);
}

bool
s2s_in_judge_pairs(struct s2s_in *c)
{
	struct stream *x = &c->x;
	uint32_t n = 0, had = c->pairs.n;

	if (c->judged_of == x->shard->snap->serial || had == 0)
		return true;
	for (uint32_t i = 0; i < had; i++) {
		struct s2s_pair *p = &c->pairs.p[i];

		if (pair_stands(c, p)) {
			c->pairs.p[n++] = *p;
			continue;
		}
		log_info(LOG_STREAM, stream_who(x),
			"not permitted any more domain=%s to=%s", p->remote,
			p->local);
		pair_done(p);
	}
	c->pairs.n = n;
	c->judged_of = x->shard->snap->serial;
	if (n == 0)
		stream_end(x, on_host_asked(x) == NULL ?
				STREAM_HOST_GONE :
				STREAM_POLICY_VIOLATION,
			"What this stream was for is not permitted any more");
	return n != 0;
}

void
s2s_in_forget_pair(struct s2s_in *c, struct str local, struct str remote)
{
	struct s2s_pair *p = s2s_in_pair(c, local, remote), gone;

	if (p == NULL)
		return;
	gone = *p;
	*p = c->pairs.p[--c->pairs.n];
	pair_done(&gone);
	if (c->pairs.n == 0)
		stream_end(&c->x, STREAM_POLICY_VIOLATION,
			"What this stream was for is not permitted any more");
}

/* A link that ends, for it was forbidden, waits for acknowledgements, and ends what it
 * has to; stanzas that come by it until then are judged before. */
static void
on_reloaded(struct stream *x)
{
	struct s2s_in *c = s2s_in_of(x);

	if (!s2s_in_link_ends(c))
		(void)s2s_in_judge_pairs(c);
}

/* --- elements ------------------------------------------------------------- */

static enum hook_result
on_starttls(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;

	(void)m;
	if (conn_is_secure(c->x.conn))
		return HOOK_PASS;
	c->x.next = NEXT_TLS;
	return HOOK_HANDLED;
}

/* --- stream management (XEP-0198) -------------------------------------------- */

/* §3: once a pair stands, and once. */
static enum hook_result
on_sm_enable(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;
	struct str resume = elem_attr(el->e, "resume");

	(void)m;
	if (c->x.stage != STAGE_BOUND || c->counts != NULL)
		s2s_sm_fail(&c->x, COND_UNEXPECTED_REQUEST);
	else {
		c->counts = s2s_sm_in_new(&c->x,
			str_is(resume, "true") || str_is(resume, "1"));
		s2s_in_links_alone(c);
		s2s_in_count_links(c, 0);
	}
	return HOOK_HANDLED;
}

static enum hook_result
on_sm_r(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;

	(void)m;
	if (c->counts != NULL)
		s2s_sm_in_ask(c->counts);
	else
		s2s_sm_fail(&c->x, COND_UNEXPECTED_REQUEST);
	return HOOK_HANDLED;
}

static enum hook_result
on_sm_a(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;
	uint32_t h;

	(void)m;
	if (c->counts == NULL)
		s2s_sm_fail(&c->x, COND_UNEXPECTED_REQUEST);
	else if (!s2s_sm_get_h(el->e, &h))
		stream_end(&c->x, STREAM_BAD_FORMAT, "An <a/> needs its \"h\"");
	else
		s2s_in_acked(c, h);
	return HOOK_HANDLED;
}

static void
on_last(struct stream *x)
{
	struct s2s_in *c = s2s_in_of(x);

	if (c->counts != NULL)
		s2s_sm_in_last(c->counts);
}

static const struct element_handler s2s_in_elements[] = {
	{ ELEMENT_STRANGER, NS_TLS, "starttls", on_starttls },
	{ ELEMENT_STRANGER | ELEMENT_BOUND, NS_BIDI, "bidi", s2s_in_on_bidi },
	{ ELEMENT_STRANGER, NS_SASL, "auth", s2s_in_on_auth },
	{ ELEMENT_STRANGER, NS_SASL, "response", s2s_in_on_response },
	{ ELEMENT_STRANGER, NS_SASL, "abort", s2s_in_on_abort },
	{ ELEMENT_STRANGER | ELEMENT_BOUND, NS_DIALBACK, "result",
		s2s_in_on_result },
	{ ELEMENT_STRANGER | ELEMENT_BOUND, NS_DIALBACK, "verify",
		s2s_in_on_verify },
	{ ELEMENT_STRANGER | ELEMENT_BOUND, NS_SM, "enable", on_sm_enable },
	{ ELEMENT_STRANGER | ELEMENT_BOUND, NS_SM, "resume",
		s2s_in_on_sm_resume },
	{ ELEMENT_STRANGER | ELEMENT_BOUND, NS_SM, "r", on_sm_r },
	{ ELEMENT_STRANGER | ELEMENT_BOUND, NS_SM, "a", on_sm_a },
	{ .fn = NULL },
};

/* The hosts that a stream is for are several, and modules know of one. */
static bool
on_asked_about(const struct stream *x, struct element *out)
{
	out->stage = x->authenticated ? ELEMENT_BOUND : ELEMENT_STRANGER;
	return false;
}

/* RFC 6120 §4.9.1.1: it is over, and what ends it is not answered by another error. */
static void
s2s_in_told_error(struct s2s_in *c, const struct elem *e)
{
	const struct elem *cond = elem_first_child(e);
	struct str name = cond != NULL ? cond->name : STR("no condition");

	name.n = MIN(name.n, SAID_MAX);
	log_info(LOG_STREAM, stream_who(&c->x),
		"they have ended the stream reason=\"%.*s\"", STR_ARG(name));
	stream_end(&c->x, STREAM_COND_NONE, NULL);
}

static void
s2s_in_other_element(struct s2s_in *c, struct arena *a, struct elem *e)
{
	bool tells = c->x.authenticated && elem_is(e, NS_STREAM, "error");
	bool handled = tells || stream_handle(&c->x, a, e);

	if (tells)
		s2s_in_told_error(c, e);
	arena_free(a);
	if (handled)
		return;
	if (c->x.authenticated)
		stream_end(&c->x, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
	else
		stream_end(&c->x, STREAM_NOT_AUTHORIZED,
			"Show first who you are");
}

/* Its pairs are judged first, so that nothing that a reload has forbidden comes by
 * them. */
static void
s2s_in_stanza(struct s2s_in *c, struct arena *a, struct elem *e)
{
	c->used_us = c->x.shard->now_us;
	s2s_in_links_alone(c);
	s2s_in_begin_links(c);
	if (s2s_in_judge_pairs(c))
		s2s_stanza(&(struct s2s_bringer){ &c->x, c->pairs.p,
				   c->pairs.n, c->counts, &c->talk },
			a, e);
	else
		arena_free(a);
}

/* RFC 6120 §5.3.1: before TLS nothing but what leads there (hostile 10). */
static void
on_element(struct stream *x, struct arena *a, struct elem *e)
{
	struct s2s_in *c = s2s_in_of(x);

	if (!conn_is_secure(x->conn) && !elem_is(e, NS_TLS, "starttls")) {
		arena_free(a);
		stream_end(x, STREAM_POLICY_VIOLATION,
			"Begin with <starttls/>");
	} else if (str_is(e->ns, NS_CLIENT) || str_is(e->ns, NS_COMPONENT)) {
		/* §4.8.2: it is not the content namespace of this stream */
		arena_free(a);
		stream_end(x, STREAM_INVALID_NAMESPACE, NULL);
	} else if (x->stage == STAGE_BOUND && elem_is_stanza(e)) {
		s2s_in_stanza(c, a, e);
	} else {
		s2s_in_other_element(c, a, e);
	}
}

/* --- later ---------------------------------------------------------------- */

/* While somebody is asked about it, that has its own limit of time. */
static int64_t
on_due_asked(const struct stream *x)
{
	const struct s2s_in *c = (const struct s2s_in *)x;

	int64_t due_us = c->n_asks == 0 || x->stage == STAGE_BOUND ?
		c->deadline_us :
		OPTION_NEVER;

	return MIN(c->links_us, due_us);
}

static void
on_due(struct stream *x)
{
	struct s2s_in *c = s2s_in_of(x);

	if (c->links_us <= x->shard->now_us)
		s2s_in_links_late(c);
	if (on_due_asked(x) <= x->shard->now_us && x->stage == STAGE_BOUND)
		c->deadline_us = s2s_keep_alive(x, &c->limits, &c->idle_taken);
	else if (on_due_asked(x) <= x->shard->now_us)
		stream_end(x, STREAM_CONNECTION_TIMEOUT,
			"You did not show in time who you are");
	stream_arm(x);
}

/* --- life ----------------------------------------------------------------- */

/* To where what goes to its domain is: it has shown nothing yet. */
static void
on_moved(struct stream *x)
{
	s2s_in_enter(s2s_in_of(x));
	stream_count_moved(x);
}

/* All that a server is answered in its own stream is much smaller than what it has
 * sent for that. */
static void
on_full(struct stream *x, bool refused)
{
	if (s2s_in_links_full(s2s_in_of(x), refused))
		return;
	x->shard->stats.refused++;
	stream_cut(x, "does not read what it is sent", conn_queued(x->conn));
}

static void
on_drained(struct stream *x)
{
	if (x->stage != STAGE_CLOSED)
		s2s_in_links_drained(s2s_in_of(x));
}

static void
on_ended(struct stream *x, bool goodbye)
{
	struct s2s_in *c = s2s_in_of(x);

	if (goodbye)
		s2s_in_no_resume(c);
	else
		s2s_in_sleep(c);
	s2s_in_forget_asks(c);
	for (size_t i = 0; i < c->pairs.n; i++)
		s2s_in_part(&c->pairs.p[i]);
}

static void
on_closed(struct stream *x)
{
	struct s2s_in *c = s2s_in_of(x);

	s2s_in_leave(c);
	s2s_sm_in_free(c->counts);
	stream_talk_free(c->talk);
	stream_count_out(x);
	for (size_t i = 0; i < c->pairs.n; i++)
		pair_done(&c->pairs.p[i]);
	vec_done(&c->pairs);
	s2s_in_dane_done(c);
	s2s_in_drop(c->local);
	s2s_in_drop(c->from);
}

static const struct stream_kind s2s_in_kind = {
	.ns = { NS_SERVER, sizeof(NS_SERVER) - 1 },
	.alpn = STREAM_ALPN_SERVER,
	.of_servers = true,
	.declares = S2S_DECLARES,
	.describe = on_describe,
	.log_end = on_log_end,
	.domain = on_domain_asked,
	.host = on_host_asked,
	.judge = s2s_in_judge,
	.opened = s2s_in_opened,
	.rates = s2s_rates,
	.element = on_element,
	.elements = s2s_in_elements,
	.about = on_asked_about,
	.moved = on_moved,
	.reloaded = on_reloaded,
	.full = on_full,
	.drained = on_drained,
	.due = on_due_asked,
	.do_due = on_due,
	.last = on_last,
	.ended = on_ended,
	.closed = on_closed,
};

static void
s2s_in_accept(struct shard *sh, const struct listen_arrival *a)
{
	struct s2s_in *c = xcalloc(1, sizeof(*c));
	struct conn *conn = a->conn;

	stream_open(&c->x, &s2s_in_kind, sh, conn);
	c->x.counted = a->counted;
	LIST_INIT(&c->asks);
	s2s_in_enter(c);
	c->links_us = OPTION_NEVER;
	c->deadline_us =
		a->since_us + sh->snap->config->limits.login_timeout_us;
	if (!stream_count_in(&c->x)) {
		c->x.stage = STAGE_CLOSED;
		conn_abort(conn);
		return;
	}
	log_debug(LOG_STREAM, stream_who(&c->x), "accepted");
	if (conn_kind(conn) != CONN_MEM && a->at->tls == LISTEN_DIRECT &&
		!conn_is_secure(conn))
		stream_tls_direct(&c->x);
	stream_arm(&c->x);
}

/* --- its port ------------------------------------------------------------- */

static const char *
s2s_in_hindrance(const struct snapshot *snap)
{
	return snap->federates ? NULL : "no host talks to other servers";
}

static enum listen_verdict
s2s_in_recognise(struct str first)
{
	return stream_recognise(STR(NS_SERVER), first);
}

const struct listen_kind s2s_in_kinds[] = {
	{ .name = "server", .summary = "other servers",
		.tls_modes = LISTEN_MAY(LISTEN_STARTTLS) |
			LISTEN_MAY(LISTEN_DIRECT),
		.tls = LISTEN_STARTTLS,
		.ports = { [LISTEN_STARTTLS] = 5269, [LISTEN_DIRECT] = 5270 },
		.alpn = { STREAM_ALPN_SERVER }, .of_servers = true,
		.recognise = s2s_in_recognise,
		.hindrance = s2s_in_hindrance,
		.accept_raw = s2s_in_accept },
	{ .name = NULL },
};
