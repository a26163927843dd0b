/*
 * comp_stanza.c - a component's stream with a link: stanzas in, stanzas out.
 *
 * Owner shard of the component.
 */
#include "config.h"

#include <string.h>

#include "base/arena.h"
#include "base/tag.h"
#include "xml/elem.h"
#include "xmpp/jid.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "core/component.h"
#include "core/host.h"
#include "core/link.h"
#include "core/router.h"
#include "stream/component/comp_int.h"

/* --- in ------------------------------------------------------------------- */

/* error is taken; NULL: there is no answer to it. */
static void
comp_answer(struct comp *c, struct stanza *error)
{
	if (error != NULL)
		stream_write_stanza(&c->x, error);
	stanza_free(error);
}

/* What stanza_from_elem() has refused; an address that is none is not in the domain
 * of the component either. */
static void
comp_refuse_elem(struct comp *c, struct arena *a, const struct elem *e,
	enum stanza_cond cond)
{
	struct str from = elem_attr(e, "from");
	struct jid jid;

	if (from.p != NULL && !jid_parse(&jid, a, from, NULL))
		stream_end(&c->x, STREAM_INVALID_FROM, "\"from\" is no address");
	else
		comp_answer(c, stanza_error_of_elem(e, cond, STR_NONE));
}

/* XEP-0114 §3.  COMPAT: without a from, it is the component itself; others allow
 * it, so there may be some that leave it out. */
static bool
comp_stamp(const struct comp *c, const struct host *host, struct stanza *st)
{
	if (!jid_is_set(st->from))
		stanza_set_from(st, jid_trusted(host->domain));
	return component_has(c->x.shard, host, jid_domain(st->from));
}

/* st is taken. */
static void
comp_stanza(struct comp *c, struct stanza *st)
{
	struct shard *sh = c->x.shard;
	const struct host *host = comp_host(c);

	if (host == NULL) {
		stanza_free(st); /* its stream is about to end */
		return;
	}
	if (!comp_stamp(c, host, st)) {
		stanza_free(st);
		stream_end(&c->x, STREAM_INVALID_FROM,
			"\"from\" is not in the domain of the component");
		return;
	}
	if (!jid_is_set(st->to)) {
		comp_answer(c, stanza_error(st, COND_BAD_REQUEST,
			STR("A stanza of a component needs a \"to\"")));
		stanza_free(st);
		return;
	}
	c->link->received++;
	sh->stats.stanzas_in++;
	if (st->type == IQ_GET || st->type == IQ_SET)
		component_asks(c->link, st);
	stream_talk(&c->x, &c->talk, st);
	router_send(sh, st);
	stream_give_way(&c->x, host->hash);
}

void
comp_element(struct comp *c, struct arena *a, struct elem *e)
{
	enum stanza_cond cond;
	struct stanza *st;

	stream_stamp_lang(&c->x, a, e);
	st = stanza_from_elem(a, e, &cond);
	if (st != NULL) {
		comp_stanza(c, st);
		return;
	}
	comp_refuse_elem(c, a, e, cond);
	arena_free(a);
}

/* --- out ------------------------------------------------------------------ */

static struct comp *
link_comp(void *stream)
{
	struct comp *c = stream;

	TAG_CHECK(&c->x, "strm");
	return c;
}

static bool
on_write(void *stream, const struct stanza *st)
{
	struct comp *c = link_comp(stream);

	c->x.shard->stats.stanzas_out++;
	stream_write_stanza(&c->x, st);
	return true;
}

static uint64_t
on_taken(void *stream)
{
	return conn_taken(link_comp(stream)->x.conn);
}

static const char *
on_describe(void *stream, const char *what)
{
	const struct comp *c = link_comp(stream);

	return strcmp(what, "peer") == 0 ? conn_peer(c->x.conn) : NULL;
}

static void
on_rest(void *stream, int64_t us, int64_t max_us)
{
	struct stream *x = &link_comp(stream)->x;
	int64_t now_us = x->shard->now_us;

	stream_rest_until(x,
		MIN(MAX(x->resume_us, now_us) + us, now_us + max_us));
	stream_arm(x);
}

static void
on_end(void *stream, enum stream_cond cond, const char *text)
{
	stream_end(&link_comp(stream)->x, cond, text);
}

static void
on_cut(void *stream, const char *why, size_t queued)
{
	stream_cut(&link_comp(stream)->x, why, queued);
}

const struct link_stream comp_link_stream = {
	.write = on_write,
	.taken = on_taken,
	.describe = on_describe,
	.rest = on_rest,
	.end = on_end,
	.cut = on_cut,
};
