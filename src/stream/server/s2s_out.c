/*
 * s2s_out.c - a stream that we open to another server: what it does with what comes
 * back, and the link that it becomes.
 *
 *   HEADER   --features: <starttls/>-----------> STARTTLS --TLS--> HEADER
 *   HEADER   --under TLS: EXTERNAL-------------> SASL     --done--> HEADER
 *   HEADER   --else, or SASL was refused-------> DIALBACK --valid--> UP
 *   HEADER   --after SASL----------------------> UP: the link of its pair
 *   HEADER   --its pair asks about keys alone--> KEYS
 *
 * Owner shard of the pair.  Stanzas come back by it only where both sides have agreed
 * on that (XEP-0288), once it is UP: else nothing but answers does, and the peer has a
 * stream of its own (RFC 6120 §4.5, XEP-0220 §2.3).  Invariant: no stanza goes out
 * before UP, and nothing that is secret before TLS.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "xml/elem.h"
#include "xmpp/jid.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "net/tls.h"
#include "net/tls_dane.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/element.h"
#include "core/host.h"
#include "core/link.h"
#include "stream/server/dialback.h"
#include "stream/server/s2s_out_int.h"
#include "stream/server/s2s_sm.h"

/* For one target, from the connection until it is up, while there is another. */
#define TARGET_US (10 * US_PER_S)
/* Of what a peer says to people. */
#define TEXT_MAX 120

static void
out_describe(const void *obj, char *out, size_t n)
{
	const struct s2s_out *o = obj;

	snprintf(out, n, "s%u s2s to %s %s->%s", o->x.shard->index,
		conn_peer(o->x.conn), o->local, o->domain);
}

/* One line when a link ends; what fails before is the pair's to tell. */
static void
out_log_end(const struct stream *x, const char *what, const char *why)
{
	struct s2s_out *o = (struct s2s_out *)(uintptr_t)x;

	if (o->why != NULL)
		why = o->why;
	else if (x->leaving)
		why = "they have closed the stream";
	if (o->step != OUT_UP)
		s2s_search_blame(o, "%s: %s", what, why);
	if (o->step == OUT_UP && x->stage != STAGE_CLOSED)
		log_info(LOG_STREAM, stream_who(x),
			"link is down reason=\"%s\"", why);
	else
		log_debug(LOG_STREAM, stream_who(x), "%s reason=\"%s\"", what,
			why);
}

void
s2s_out_end(struct s2s_out *o, enum stream_cond cond, const char *text,
	const char *why)
{
	o->why = why;
	s2s_search_blame(o, "%s", why);
	stream_end(&o->x, cond, text);
	o->why = NULL;
}

static struct str
on_domain_asked(const struct stream *x)
{
	return str_c(((const struct s2s_out *)x)->local);
}

static const char *
on_peer_asked(const struct stream *x)
{
	return ((const struct s2s_out *)x)->domain;
}

static struct host *
on_host_asked(const struct stream *x)
{
	return shard_host(x->shard, on_domain_asked(x));
}

/* --- the header ----------------------------------------------------------------- */

static bool
header_names(struct stream_header *h, struct str said, const char *domain)
{
	struct str prepared;

	return said.p == NULL ||
		(jid_prep_domain(&prepared, h->arena, said, NULL) &&
			str_is(prepared, domain));
}

/* RFC 6120 §4.7.1, §4.7.2: servers of old say nothing.  One that refuses us may do so
 * in another name (§4.9.3.6), and its reason is worth more than that. */
static void
on_judged(struct stream *x, struct stream_header *h)
{
	struct s2s_out *o = s2s_out_of(x);

	o->misnamed = !header_names(h, h->from, o->domain) ||
		!header_names(h, h->to, o->local);
	if (h->cond != STREAM_COND_NONE)
		s2s_search_blame(o, "they do not answer as a server does: %s",
			h->text);
}

static void
on_opened(struct stream *x, const struct stream_header *h)
{
	struct s2s_out *o = s2s_out_of(x);

	memuse_remove_part(MEMUSE_STREAM, o->id);
	free(o->id);
	o->id = h->given.n != 0 ? str_dup(h->given) : NULL;
	memuse_add_part(MEMUSE_STREAM, o->id);
	o->step = OUT_HEADER;
}

/* --- features -------------------------------------------------------------------- */

void
s2s_out_watch_idle(struct s2s_out *o)
{
	o->deadline_us = s2s_watch_idle(&o->x, &o->limits, &o->idle_taken);
}

static void
out_begin_tls(struct s2s_out *o, struct arena *a, const struct elem *features)
{
	if (elem_child(features, NS_TLS, "starttls") == NULL) {
		s2s_out_end(o, STREAM_POLICY_VIOLATION, "TLS is required",
			"they offer no TLS, without which nothing goes out");
		return;
	}
	o->step = OUT_STARTTLS;
	stream_write(&o->x, elem_new(a, NS_TLS, "starttls"));
}

void
s2s_out_up(struct s2s_out *o, const char *by)
{
	struct stream *x = &o->x;
	const struct config_limits *l = &x->shard->snap->config->limits;

	o->step = OUT_UP;
	o->by = by;
	o->judged_of = x->shard->snap->serial;
	o->back = (struct s2s_pair){
		.local = o->local,
		.remote = o->domain,
		.hash = server_hash(x->shard->server, str_c(o->domain)),
		.link = &o->way->link,
	};
	s2s_step_up(o, o->way->pair);
	s2s_out_watch_idle(o);
	stream_bound(x);
	conn_set_share(x->conn,
		budget_share(x->shard->server, o->back.hash));
	conn_probe(x->conn, l->idle_before_ping_us, l->ping_timeout_us);
	log_info(LOG_STREAM, stream_who(x), "link is up by=%s tls=%s cipher=%s",
		by, conn_kind(x->conn) == CONN_MEM ? "none" : tls_version(x->conn),
		conn_kind(x->conn) == CONN_MEM ? "none" : tls_cipher(x->conn));
	stream_arm(x);
	s2s_way_up(o);
}

static enum hook_result
on_features(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->step != OUT_HEADER)
		return HOOK_PASS;
	if (o->misnamed) {
		s2s_out_end(o, STREAM_INVALID_FROM, NULL,
			"they answer in the name of another domain");
	} else if (!conn_is_secure(o->x.conn)) {
		out_begin_tls(o, el->arena, el->e);
	} else {
		/* XEP-0478 §3.1; the last features count */
		o->limits = s2s_read_limits(el->arena, el->e);
		s2s_out_sm_read(o, el->e);
		s2s_out_authenticate(o, el->arena, el->e);
	}
	return HOOK_HANDLED;
}

static enum hook_result
on_proceed(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->step != OUT_STARTTLS)
		return HOOK_PASS;
	o->x.next = NEXT_TLS;
	return HOOK_HANDLED;
}

/* RFC 6120 §5.4.2.2 */
static enum hook_result
on_tls_failure(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	s2s_out_end(o, STREAM_COND_NONE, NULL, "they refuse to begin TLS");
	return HOOK_HANDLED;
}

/* --- elements --------------------------------------------------------------------- */

static const struct element_handler out_elements[] = {
	{ ELEMENT_STRANGER, NS_STREAM, "features", on_features },
	{ ELEMENT_STRANGER, NS_TLS, "proceed", on_proceed },
	{ ELEMENT_STRANGER, NS_TLS, "failure", on_tls_failure },
	{ ELEMENT_STRANGER, NS_SASL, "success", s2s_out_on_success },
	{ ELEMENT_STRANGER, NS_SASL, "failure", s2s_out_on_failure },
	{ ELEMENT_STRANGER, NS_SASL, "challenge", s2s_out_on_challenge },
	{ ELEMENT_STRANGER, NS_DIALBACK, "result", s2s_out_on_result },
	{ ELEMENT_STRANGER, NS_DIALBACK, "verify", s2s_out_on_verify },
	{ ELEMENT_STRANGER, NS_SM, "enabled", s2s_out_on_sm_enabled },
	{ ELEMENT_STRANGER, NS_SM, "resumed", s2s_out_on_sm_resumed },
	{ ELEMENT_STRANGER, NS_SM, "failed", s2s_out_on_sm_failed },
	{ ELEMENT_STRANGER, NS_SM, "a", s2s_out_on_sm_a },
	{ ELEMENT_STRANGER, NS_SM, "r", s2s_out_on_sm_r },
	{ .fn = NULL },
};

static bool
on_asked_about(const struct stream *x, struct element *out)
{
	(void)x;
	out->stage = ELEMENT_STRANGER;
	return false;
}

/* Why the peer ends it. */
static void
out_told_error(struct s2s_out *o, struct arena *a, const struct elem *e)
{
	const struct elem *cond = elem_first_child(e);
	const struct elem *text = elem_child(e, NS_STREAMS, "text");
	struct str name = cond != NULL ? cond->name : STR("no condition");
	struct str said = text != NULL ? elem_text(a, text) : STR("");
	char why[2 * TEXT_MAX + 60];

	if (o->way != NULL && str_is(name, "host-unknown"))
		o->way->unknown = true;
	name.n = MIN(name.n, TEXT_MAX);
	said.n = MIN(said.n, TEXT_MAX);
	snprintf(why, sizeof(why), "they have ended the stream: %.*s%s%.*s",
		STR_ARG(name), said.n != 0 ? ", " : "", STR_ARG(said));
	s2s_out_end(o, STREAM_COND_NONE, NULL, why);
}

static void
out_refuse_element(struct s2s_out *o, const struct elem *e)
{
	struct str name = e->name;
	char why[TEXT_MAX + 60];

	name.n = MIN(name.n, TEXT_MAX);
	snprintf(why, sizeof(why), "they send what does not belong here: <%.*s/>",
		STR_ARG(name));
	s2s_out_end(o, STREAM_UNSUPPORTED_STANZA_TYPE, NULL, why);
}

/* XEP-0288 §2.2: who we have reached, as the policy wants it, and who has taken us
 * for whom we are.  What a reload has forbidden is not. */
static void
out_take_stanza(struct s2s_out *o, struct arena *a, struct elem *e)
{
	struct stream *x = &o->x;
	const char *text;

	if (o->judged_of != x->shard->snap->serial &&
		s2s_refuses(x->shard, str_c(o->local), str_c(o->domain),
			&text) != COND_NONE) {
		arena_free(a);
		s2s_out_end(o, STREAM_POLICY_VIOLATION, text,
			"it is not permitted any more");
		return;
	}
	o->judged_of = x->shard->snap->serial;
	s2s_stanza(&(struct s2s_bringer){ x, &o->back, 1, o->counts, &o->talk },
		a, e);
}

static void
on_element(struct stream *x, struct arena *a, struct elem *e)
{
	struct s2s_out *o = s2s_out_of(x);

	if (o->bidi && o->step == OUT_UP && elem_is_stanza(e)) {
		out_take_stanza(o, a, e);
		return;
	}
	if (elem_is(e, NS_STREAM, "error"))
		out_told_error(o, a, e);
	else if (elem_is_stanza(e)) /* §4.9.3.12, hostile 43 */
		s2s_out_end(o, STREAM_NOT_AUTHORIZED,
			"Stanzas come by a stream of your own",
			"they send stanzas by a stream that is for ours");
	else if (!stream_handle(x, a, e))
		out_refuse_element(o, e);
	arena_free(a);
}

/* --- life --------------------------------------------------------------------------- */

/* What is written before it is up is small, but for keys that others have shown; then
 * its link stops by itself, and all else is answers that are not read. */
static void
on_full(struct stream *x, bool refused)
{
	const struct config_limits *l = &x->shard->snap->config->limits;
	struct s2s_out *o = s2s_out_of(x);

	if (o->step == OUT_UP ? s2s_is_flooded(x) :
				conn_queued(x->conn) > l->write_queue_bytes)
		stream_cut(x, "does not read what it is sent",
			conn_queued(x->conn));
	else if (refused && o->step == OUT_UP && o->way != NULL)
		link_full(o->way->link);
}

static void
on_drained(struct stream *x)
{
	struct s2s_out *o = s2s_out_of(x);

	if (o->step == OUT_UP && o->way != NULL && o->sm != OUT_SM_RESUMES)
		link_drained(o->way->link);
}

/* A link that stands is held to another policy, too. */
static void
on_reloaded(struct stream *x)
{
	if (s2s_out_of(x)->step == OUT_UP)
		(void)s2s_out_judge(s2s_out_of(x));
}

static void
on_back_dropped(void *back)
{
	s2s_sm_in_free(back);
}

/* To the next one, if it goes on with o, as o may have been about to with another. */
static void
out_leave_counts(struct s2s_out *o, struct link *l)
{
	struct s2s_sm_in *before = link_back(l);

	if (before != NULL)
		before->next = NULL;
	if (o->counts != NULL)
		link_came_back(l, o->counts, on_back_dropped,
			s2s_sm_in_leave(o->counts));
	o->counts = NULL;
}

static void
on_ended(struct stream *x, bool goodbye)
{
	struct s2s_out *o = s2s_out_of(x);

	if (o->way == NULL)
		return;
	/* §5, §7: where they know that it is over nothing is left of it */
	if (goodbye && o->way->link != NULL)
		link_resumable(o->way->link, NULL);
	if (o->way->link != NULL)
		out_leave_counts(o, o->way->link);
	s2s_way_ended(o);
}

static void
on_closed(struct stream *x)
{
	struct s2s_out *o = s2s_out_of(x);
	char *const texts[] = { o->local, o->domain, o->target, o->id };

	s2s_sm_in_free(o->counts);
	stream_talk_free(o->talk);
	stream_count_out(x);
	for (size_t i = 0; i < COUNT(texts); i++) {
		memuse_remove_part(MEMUSE_STREAM, texts[i]);
		free(texts[i]);
	}
	memuse_remove_part(MEMUSE_STREAM, o->dane);
	tls_dane_unref(o->dane);
}

static void
on_last(struct stream *x)
{
	if (s2s_out_of(x)->counts != NULL)
		s2s_sm_in_last(s2s_out_of(x)->counts);
}

static int64_t
on_due_asked(const struct stream *x)
{
	return ((const struct s2s_out *)x)->deadline_us;
}

const char *
s2s_out_waits_for(const struct s2s_out *o)
{
	static const char *const waits[] = {
		[OUT_HEADER] = "their features",
		[OUT_STARTTLS] = "their answer to STARTTLS",
		[OUT_JUDGED] = "nothing",
		[OUT_SASL] = "their answer to SASL EXTERNAL",
		[OUT_DIALBACK] = "their answer to our dialback key, for which they have to reach us",
		[OUT_KEYS] = "their answers about keys",
		[OUT_UP] = "nothing",
	};

	if (o->sm == OUT_SM_RESUMES)
		return "their answer to <resume/>";
	if (o->x.stage == STAGE_HANDSHAKE)
		return "their part of the TLS handshake";
	return o->x.stage == STAGE_HEADER ? "their header" : waits[o->step];
}

static void
on_due(struct stream *x)
{
	struct s2s_out *o = s2s_out_of(x);
	char why[TEXT_MAX + 40];

	if (o->deadline_us <= x->shard->now_us && o->step == OUT_UP &&
		o->sm != OUT_SM_RESUMES) {
		o->deadline_us = s2s_keep_alive(x, &o->limits, &o->idle_taken);
	} else if (o->deadline_us <= x->shard->now_us) {
		snprintf(why, sizeof(why), "waited in vain for %s",
			s2s_out_waits_for(o));
		s2s_out_end(o, STREAM_CONNECTION_TIMEOUT, NULL, why);
	}
	stream_arm(x);
}

static const struct stream_kind out_kind = {
	.ns = { NS_SERVER, sizeof(NS_SERVER) - 1 },
	.alpn = STREAM_ALPN_SERVER,
	.declares = S2S_DECLARES,
	.describe = out_describe,
	.log_end = out_log_end,
	.domain = on_domain_asked,
	.host = on_host_asked,
	.peer = on_peer_asked,
	.judge = on_judged,
	.opened = on_opened,
	.rates = s2s_rates,
	.element = on_element,
	.elements = out_elements,
	.about = on_asked_about,
	.reloaded = on_reloaded,
	.full = on_full,
	.drained = on_drained,
	.due = on_due_asked,
	.do_due = on_due,
	.last = on_last,
	.ended = on_ended,
	.closed = on_closed,
};

void
s2s_out_open(struct s2s_way *w, struct conn *conn, bool direct)
{
	struct s2s_out *o = xcalloc(1, sizeof(*o));

	o->way = w;
	o->local = str_dup(remote_pair_local(w->pair));
	o->domain = str_dup(remote_pair_domain(w->pair));
	memuse_add_part(MEMUSE_STREAM, o->local);
	memuse_add_part(MEMUSE_STREAM, o->domain);
	o->target = xstrdup(s2s_search_target(w->search));
	memuse_add_part(MEMUSE_STREAM, o->target);
	if (s2s_search_dane(w->search) != NULL)
		o->dane = tls_dane_ref(s2s_search_dane(w->search));
	memuse_add_part(MEMUSE_STREAM, o->dane);
	o->deadline_us = s2s_search_has_more(w->search) ?
		w->shard->now_us + TARGET_US :
		OPTION_NEVER;
	w->stream = o;
	o->direct = direct;
	remote_steps_begin(w->pair);
	s2s_step_connected(o, w->pair, conn_peer(conn));
	stream_open_to(&o->x, &out_kind, w->shard, conn, direct);
	if (!stream_count_in(&o->x)) {
		s2s_search_blame(o, "there are too many connections here (limits: connections)");
		stream_cut(&o->x, "limits: connections", 0);
	}
	stream_arm(&o->x);
}
