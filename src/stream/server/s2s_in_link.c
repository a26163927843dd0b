/*
 * s2s_in_link.c - a stream that another server has opened and that takes what goes
 * there, too (XEP-0288): it asks for that, moves to where its domain is known, and is
 * offered to each pair that its peer has shown.
 *
 *   <bidi/> --before anything is shown--> stream_move(): the shard of its domain
 *   a pair  --for the domain of its header--> remote_offer() --taken--> a link
 *
 * Domains that it has shown beside that of its header, which live elsewhere, bring
 * stanzas by it, and get theirs by a stream of ours.
 *
 * Owner shard.  Invariant: of such a stream, each pair that remote_offer() has taken
 * has a struct s2s_back, until the pair or the stream ends.
 */
#include "config.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/link.h"
#include "core/place.h"
#include "stream/server/s2s_in_int.h"
#include "stream/server/s2s_sm.h"

/* For who authenticates to say whether it counts (XEP-0198 §3). */
#define BEGIN_US US_PER_S
/* And so long at most, while keys of it are asked about: it may go on with a stream for
 * all of those. */
#define KEYS_US (10 * US_PER_S)

/* One pair of such a stream, as the remote has it. */
struct s2s_back {
	uint32_t tag;
	struct remote_offer offer;
	struct s2s_in *stream;
	char *local;     /* the pair's */
	uint32_t number; /* of no other one of the stream */
	uint32_t acked;  /* stanzas of its link, if that counts */
	bool counts;
};

static struct s2s_back *
back_arg(void *arg)
{
	struct s2s_back *b = arg;

	TAG_CHECK(b, "sbak");
	ASSERT_ON(b->stream->x.shard);
	return b;
}

/* --- the stream of a link ------------------------------------------------------- */

static void
back_wrote(struct s2s_back *b)
{
	struct s2s_in *c = b->stream;

	c->used_us = c->x.shard->now_us;
	c->x.shard->stats.stanzas_out++;
	if (c->counts != NULL)
		s2s_runs_add(&c->counts->went, b->number);
}

static bool
on_write(void *stream, const struct stanza *st)
{
	struct s2s_in *c = back_arg(stream)->stream;
	bool fits = stream_write_stanza_within(&c->x, st, c->limits.max_bytes);

	if (fits)
		back_wrote(back_arg(stream));
	else
		s2s_bounce(c->x.shard, st, c->from, c->limits.max_bytes);
	return fits;
}

/* What is too large is answered by on_write(). */
static bool
on_write_wire(void *stream, const struct wire *w, struct str to)
{
	struct s2s_in *c = back_arg(stream)->stream;

	if (!stream_write_wire_within(&c->x, w, to, c->limits.max_bytes))
		return false;
	back_wrote(back_arg(stream));
	return true;
}

static uint64_t
on_taken(void *stream)
{
	return conn_taken(back_arg(stream)->stream->x.conn);
}

static const char *
on_describe(void *stream, const char *what)
{
	return strcmp(what, "peer") == 0 ?
		conn_peer(back_arg(stream)->stream->x.conn) :
		NULL;
}

/* What is forbidden for one pair costs no other. */
static void
on_end(void *stream, enum stream_cond cond, const char *text)
{
	struct s2s_back *b = back_arg(stream);
	struct s2s_in *c = b->stream;
	bool of_pair = cond == STREAM_POLICY_VIOLATION ||
		cond == STREAM_HOST_GONE;

	if (of_pair && c->pairs.n > 1)
		s2s_in_forget_pair(c, str_c(b->local), str_c(c->from));
	else
		stream_end(&c->x, cond, text);
}

/* Of several links each asks when it wants to know, and one question is for all. */
static void
in_ask(struct s2s_in *c)
{
	c->asks_again = c->asked_peer;
	if (c->asked_peer)
		return;
	c->asked_peer = true;
	s2s_sm_ask(&c->x);
}

static void
on_ask(void *stream)
{
	in_ask(back_arg(stream)->stream);
}

static void
on_cut(void *stream, const char *why, size_t queued)
{
	stream_cut(&back_arg(stream)->stream->x, why, queued);
}

const struct link_stream s2s_in_link_stream = {
	.write = on_write,
	.taken = on_taken,
	.describe = on_describe,
	.end = on_end,
	.cut = on_cut,
	.write_wire = on_write_wire,
	.ask = on_ask,
};

const struct s2s_in *
s2s_in_of_link(const struct link *l)
{
	return back_arg(l->stream)->stream;
}

/* --- what it may take ------------------------------------------------------------ */

/* Some link of c is in use. */
static bool
in_has_link(const struct s2s_in *c)
{
	for (size_t i = 0; i < c->pairs.n; i++)
		if (c->pairs.p[i].back != NULL &&
			c->pairs.p[i].back->offer.link != NULL)
			return true;
	return false;
}

bool
s2s_in_link_ends(const struct s2s_in *c)
{
	for (size_t i = 0; i < c->pairs.n; i++) {
		const struct s2s_pair *p = &c->pairs.p[i];

		if (p->link != NULL && *p->link != NULL &&
			link_is_ending(*p->link))
			return true;
	}
	return false;
}

bool
s2s_in_links_full(struct s2s_in *c, bool refused)
{
	if (!in_has_link(c) || s2s_is_flooded(&c->x))
		return false;
	if (!refused)
		return true;
	c->full = true;
	for (size_t i = 0; i < c->pairs.n; i++) {
		struct s2s_back *b = c->pairs.p[i].back;

		if (b != NULL && b->offer.link != NULL)
			link_full(b->offer.link);
	}
	return true;
}

/* Each time another one is the first. */
void
s2s_in_links_drained(struct s2s_in *c)
{
	uint32_t n = c->pairs.n, first = n != 0 ? c->turn++ % n : 0;

	c->full = false;
	for (uint32_t i = 0; i < n && c->begun && !c->resumes && !c->full;
		i++) {
		struct s2s_back *b = c->pairs.p[(first + i) % n].back;

		if (b != NULL && b->offer.link != NULL)
			link_drained(b->offer.link);
	}
}

/* --- offers ----------------------------------------------------------------------- */

/* Numbers are those of the stream (XEP-0198 §4), and each link has its own: what is
 * written is noted as its, and what is acknowledged is shared out by that. */
static void
back_count(struct s2s_back *b)
{
	if (b == NULL || b->offer.link == NULL || b->counts ||
		b->stream->counts == NULL)
		return;
	b->counts = true;
	b->acked = 0;
	link_count(b->offer.link, 0);
}

void
s2s_in_begin_links(struct s2s_in *c)
{
	if (c->begun || c->resumes)
		return;
	c->begun = true;
	c->links_us = OPTION_NEVER;
	if (!c->full && c->x.stage != STAGE_CLOSED)
		s2s_in_links_drained(c);
}

void
s2s_in_links_late(struct s2s_in *c)
{
	int64_t now_us = c->x.shard->now_us;

	if (c->n_asks != 0 && now_us - c->linked_us < KEYS_US)
		c->links_us = now_us + BEGIN_US;
	else
		s2s_in_begin_links(c);
}

void
s2s_in_count_links(struct s2s_in *c, uint32_t from)
{
	c->counts->went.acked = from;
	for (size_t i = 0; i < c->pairs.n; i++)
		back_count(c->pairs.p[i].back);
	c->begun = false; /* some may not have */
	s2s_in_begin_links(c);
}

void
s2s_in_links_alone(struct s2s_in *c)
{
	if (c->alone || c->resumes)
		return;
	c->alone = true;
	for (size_t i = 0; i < c->pairs.n; i++)
		if (c->pairs.p[i].back != NULL)
			remote_offer_begins(&c->pairs.p[i].back->offer);
}

void
s2s_in_links_wait(struct s2s_in *c)
{
	c->resumes = true;
	c->links_us = OPTION_NEVER;
}

void
s2s_in_links_go_on(struct s2s_in *c)
{
	c->resumes = false;
	if (c->begun) {
		s2s_in_links_drained(c);
		return;
	}
	c->links_us = c->x.shard->now_us + BEGIN_US;
	stream_arm(&c->x);
}

static uint32_t
in_line_of(const struct s2s_in *c, uint32_t number)
{
	for (uint32_t i = 0; i < c->pairs.n; i++)
		if (c->pairs.p[i].back != NULL &&
			c->pairs.p[i].back->number == number)
			return i + 1;
	return 0;
}

void
s2s_in_links_sleep(struct s2s_in *c)
{
	struct s2s_run *run;

	for (uint32_t i = 0;
		(run = s2s_runs_at(&c->counts->went, i)) != NULL; i++)
		run->whose = in_line_of(c, run->whose);
	for (size_t i = 0; i < c->pairs.n; i++) {
		struct s2s_back *b = c->pairs.p[i].back;

		if (b != NULL && b->counts)
			link_resumable(b->offer.link, c->counts->id);
	}
}

/* A stream that is at its end takes nothing more, and gives it back.  One that may be
 * about to count waits for that, so that nothing is written that nobody keeps. */
static void
on_linked(struct remote_offer *o)
{
	struct s2s_in *c = back_arg(o->stream)->stream;

	log_info(LOG_STREAM, stream_who(&c->x),
		"stream goes both ways domain=%s ours=%s", c->from,
		back_arg(o->stream)->local);
	back_count(back_arg(o->stream));
	if (c->resumes)
		return;
	if (!c->begun) {
		if (c->linked_us == 0)
			c->linked_us = c->x.shard->now_us;
		c->links_us = c->x.shard->now_us + BEGIN_US;
		stream_arm(&c->x);
	} else if (!c->full && c->x.stage != STAGE_CLOSED) {
		link_drained(o->link);
	}
}

void
s2s_in_join(struct s2s_in *c, struct str local, struct str remote)
{
	struct s2s_pair *pair = s2s_in_pair(c, local, remote);
	struct s2s_back *b;

	if (!c->bidi || pair == NULL || pair->back != NULL ||
		!str_is(remote, c->from) || c->x.stage != STAGE_BOUND)
		return;
	b = xcalloc(1, sizeof(*b));
	memuse_add(MEMUSE_STREAM, b);
	TAG_SET(b, "sbak");
	b->stream = c;
	b->local = pair->local;
	b->number = ++c->last_back;
	b->offer = (struct remote_offer){ .ops = &s2s_in_link_stream,
		.stream = b, .linked = on_linked, .used_us = &c->used_us };
	pair->back = b;
	pair->link = &b->offer.link;
	c->used_us = c->x.shard->now_us;
	if (!remote_offer(c->x.shard, local, remote, &b->offer))
		s2s_in_part(pair);
}

void
s2s_in_part(struct s2s_pair *pair)
{
	struct s2s_back *b = pair->back;

	if (b == NULL)
		return;
	pair->back = NULL;
	pair->link = NULL;
	if (b->offer.pair != NULL)
		remote_withdraw(&b->offer);
	memuse_remove(MEMUSE_STREAM, b);
	TAG_CLEAR(b);
	free(b);
}

/* --- acknowledgements --------------------------------------------------------------- */

static struct s2s_back *
in_back(const struct s2s_in *c, uint32_t number)
{
	for (size_t i = 0; i < c->pairs.n; i++)
		if (c->pairs.p[i].back != NULL &&
			c->pairs.p[i].back->number == number)
			return c->pairs.p[i].back;
	return NULL;
}

/* The first n that are not acknowledged are: of a pair that has left, for nobody. */
static void
in_share_out(struct s2s_in *c, uint32_t n)
{
	while (n != 0) {
		struct s2s_run run = s2s_runs_take(&c->counts->went, n);
		struct s2s_back *b = in_back(c, run.whose);

		if (b != NULL)
			b->acked += run.n;
		n -= run.n;
	}
}

void
s2s_in_acked(struct s2s_in *c, uint32_t h)
{
	struct s2s_runs *went = &c->counts->went;
	uint32_t n;

	if (!s2s_runs_count(went, h, &n)) {
		s2s_sm_end_too_high(&c->x, h, went->acked + went->wrote);
		return;
	}
	in_share_out(c, n);
	c->asked_peer = false;
	for (size_t i = 0; i < c->pairs.n; i++) {
		struct s2s_back *b = c->pairs.p[i].back;

		if (b != NULL && b->counts)
			(void)link_acked(b->offer.link, b->acked);
	}
	if (c->asks_again)
		in_ask(c);
}

/* --- the request ------------------------------------------------------------------ */

bool
s2s_in_offers_bidi(const struct s2s_in *c)
{
	return conn_is_secure(c->x.conn) && !c->x.authenticated &&
		c->from != NULL;
}

/* What has gone on before it, or without what was offered, stays as it is (§2.2). */
enum hook_result
s2s_in_on_bidi(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;
	struct stream *x = &c->x;
	struct place home;

	(void)m;
	if (c->bidi || c->n_asks != 0 || !s2s_in_offers_bidi(c)) {
		log_debug(LOG_STREAM, stream_who(x),
			"request for a stream that goes both ways ignored");
		return HOOK_HANDLED;
	}
	c->bidi = true;
	c->limits = s2s_read_limits(el->arena, el->e); /* XEP-0478 §3.2 */
	home = server_place_of(x->shard->server, str_c(c->from));
	if (!place_is_here(x->shard, home) && stream_move(x, home))
		s2s_in_leave(c);
	return HOOK_HANDLED;
}
