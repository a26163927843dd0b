/*
 * comp.c - the stream of a component (XEP-0114): what it does with elements, and
 * its life beside that of the stream.
 *
 *   HEADER --the name of a component--------------> OPEN
 *   OPEN   --<handshake/>, wrong------------------> told a while later, CLOSED
 *   OPEN   --<handshake/>, right; to its component> BOUND, with a link
 *
 * Owner shard.  Invariant: a stream that is bound, and not closed, has a link.
 */
#include "config.h"

#include "stream/component/comp.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/component.h"
#include "core/host.h"
#include "core/link.h"
#include "stream/component/comp_int.h"

static void
comp_describe(const void *obj, char *out, size_t n)
{
	const struct comp *c = obj;

	snprintf(out, n, "s%u component %s %s", c->x.shard->index,
		conn_peer(c->x.conn), c->domain != NULL ? c->domain : "-");
}

/* Strangers come and go at will: theirs is for debugging only. */
static void
comp_log_end(const struct stream *x, const char *what, const char *why)
{
	if (x->stage == STAGE_BOUND)
		log_info(LOG_STREAM, stream_who(x), "%s reason=\"%s\"", what,
			why);
	else
		log_debug(LOG_STREAM, stream_who(x), "%s reason=\"%s\"", what,
			why);
}

static struct str
on_domain_asked(const struct stream *x)
{
	const struct comp *c = (const struct comp *)x;

	return c->domain != NULL ? str_c(c->domain) : STR_NONE;
}

struct host *
comp_host(const struct comp *c)
{
	return c->domain != NULL ?
		component_host(c->x.shard, str_c(c->domain)) :
		NULL;
}

static struct host *
on_host_asked(const struct stream *x)
{
	return comp_host((const struct comp *)x);
}

/* One second's worth may come at once, and the largest stanza. */
static struct stream_rates
comp_rates(const struct stream *x)
{
	const struct config_limits *l = &x->shard->snap->config->limits;
	const struct host *host = on_host_asked(x);
	struct stream_rates r = { l->bytes_per_second, l->bytes_burst,
		(uint64_t)l->stanzas_per_second, (uint64_t)l->stanzas_burst };

	if (host != NULL && x->authenticated) {
		r.bytes = host->component->bytes_per_second;
		r.bytes_burst = MAX(r.bytes, l->stanza_bytes);
		r.stanzas = r.stanzas_burst =
			(uint64_t)host->component->stanzas_per_second;
	}
	return r;
}

/* --- elements ------------------------------------------------------------- */

static const struct element_handler comp_elements[] = {
	{ ELEMENT_STRANGER, NS_COMPONENT, "handshake", comp_on_handshake },
	{ .fn = NULL },
};

static bool
on_asked_about(const struct stream *x, struct element *out)
{
	out->stage = x->authenticated ? ELEMENT_BOUND : ELEMENT_STRANGER;
	return false;
}

static void
on_element(struct stream *x, struct arena *a, struct elem *e)
{
	struct comp *c = comp_of(x);
	bool handled;

	if (c->link != NULL && elem_is_stanza(e) &&
		!str_is(e->ns, NS_SERVER)) {
		comp_element(c, a, e);
		return;
	}
	handled = stream_handle(x, a, e);
	arena_free(a);
	if (handled)
		return;
	if (x->authenticated)
		stream_end(x, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
	else
		stream_end(x, STREAM_NOT_AUTHORIZED,
			"Begin with the handshake");
}

/* --- life ----------------------------------------------------------------- */

static void
on_moved(struct stream *x)
{
	/* what holds it while it is bound keeps what came with it */
	stream_hold(x);
	comp_attach(comp_of(x));
	stream_unhold(x);
}

/* All that a stranger is answered is much smaller than what is asked for early. */
static void
on_full(struct stream *x, bool refused)
{
	struct comp *c = comp_of(x);

	if (c->link == NULL) {
		x->shard->stats.refused++;
		stream_cut(x, "does not read what it is sent",
			conn_queued(x->conn));
	} else if (refused) {
		link_full(c->link);
	}
}

static void
on_drained(struct stream *x)
{
	struct comp *c = comp_of(x);

	if (c->link != NULL)
		link_drained(c->link);
}

static void
on_ended(struct stream *x, bool goodbye)
{
	struct comp *c = comp_of(x);
	struct link *l = c->link;

	(void)goodbye;
	c->link = NULL;
	if (l != NULL)
		component_leave(l);
}

static void
on_closed(struct stream *x)
{
	struct comp *c = comp_of(x);

	stream_talk_free(c->talk);
	stream_count_out(x);
	memuse_remove_part(MEMUSE_STREAM, c->domain);
	free(c->domain);
}

static const struct stream_kind comp_kind = {
	.ns = { NS_COMPONENT, sizeof(NS_COMPONENT) - 1 },
	.no_version = true,
	.describe = comp_describe,
	.log_end = comp_log_end,
	.domain = on_domain_asked,
	.host = on_host_asked,
	.judge = comp_judge,
	.opened = comp_opened,
	.rates = comp_rates,
	.element = on_element,
	.elements = comp_elements,
	.about = on_asked_about,
	.moved = on_moved,
	.full = on_full,
	.drained = on_drained,
	.due = comp_due,
	.do_due = comp_do_due,
	.ended = on_ended,
	.closed = on_closed,
};

static void
comp_accept(struct shard *sh, const struct listen_arrival *a)
{
	struct comp *c = xcalloc(1, sizeof(*c));
	struct conn *conn = a->conn;

	stream_open(&c->x, &comp_kind, sh, conn);
	c->deadline_us =
		sh->now_us + sh->snap->config->limits.login_timeout_us;
	if (!stream_count_in(&c->x)) {
		c->x.stage = STAGE_CLOSED;
		conn_abort(conn);
		return;
	}
	log_debug(LOG_STREAM, stream_who(&c->x), "accepted");
	stream_arm(&c->x);
}

/* --- its port ------------------------------------------------------------- */

const struct listen_kind comp_kinds[] = {
	{ .name = "component",
		.summary = "components of `components' (XEP-0114), which has no TLS",
		.tls_modes = LISTEN_MAY(LISTEN_PLAIN), .tls = LISTEN_PLAIN,
		.ports = { [LISTEN_PLAIN] = 5347 }, .address = "127.0.0.1",
		.alone = "what they say goes in the clear, so that their port is for this machine, or a net that can be trusted",
		.accept_raw = comp_accept },
	{ .name = NULL },
};
