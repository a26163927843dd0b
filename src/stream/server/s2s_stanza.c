/*
 * s2s_stanza.c - stanzas that come from another server: each is from a domain, and to
 * one, that its stream has authenticated for (RFC 6120 §8.1.1.2, §8.1.2.2; hostile
 * 43), whoever has opened it.
 *
 * Owner shard of the stream; the router brings them where they belong.
 */
#include "config.h"

#include "stream/server/s2s_stanza.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/jid.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/link.h"
#include "core/router.h"
#include "stream/server/s2s_sm.h"

/* What a stanza is written as, at worst, of what was read. */
#define WRITTEN_MAX 6
/* Of the time in which a peer wants to hear something. */
#define IDLE_PARTS 3

/* --- who may bring what ------------------------------------------------------ */

enum stanza_cond
s2s_refuses(struct shard *sh, struct str local, struct str remote,
	const char **text_out)
{
	const struct host *host = shard_host(sh, local);

	*text_out = "This domain is not served here";
	if (host == NULL)
		return COND_ITEM_NOT_FOUND;
	*text_out = "That domain is served here, and comes by no stream";
	if (shard_host(sh, remote) != NULL)
		return COND_NOT_ACCEPTABLE;
	switch (federation_may(sh->snap, host, remote)) {
	case FEDERATION_MAY:
		return COND_NONE;
	case FEDERATION_OFF_HERE:
		*text_out = "This domain has to do with no other servers";
		break;
	case FEDERATION_FORBIDDEN:
		*text_out = "This domain has nothing to do with yours";
		break;
	}
	return COND_NOT_ALLOWED;
}

struct s2s_pair *
s2s_pair_find(struct s2s_pair *pairs, size_t n, struct str local,
	struct str remote)
{
	for (size_t i = 0; i < n; i++) {
		if (str_is(remote, pairs[i].remote) &&
			str_is(local, pairs[i].local))
			return &pairs[i];
	}
	return NULL;
}

/* One second's worth may come at once, and the largest stanza. */
struct stream_rates
s2s_rates(const struct stream *x)
{
	const struct config *conf = x->shard->snap->config;
	const struct config_limits *l = &conf->limits;

	if (!x->authenticated)
		return (struct stream_rates){ l->bytes_per_second,
			l->bytes_burst, (uint64_t)l->stanzas_per_second,
			(uint64_t)l->stanzas_burst };
	return (struct stream_rates){
		.bytes = conf->s2s.bytes_per_second,
		.bytes_burst = MAX(conf->s2s.bytes_per_second, l->stanza_bytes),
		.stanzas = (uint64_t)conf->s2s.stanzas_per_second,
		.stanzas_burst = (uint64_t)conf->s2s.stanzas_per_second,
	};
}

/* What was there before is full, and one stanza behind it. */
bool
s2s_is_flooded(const struct stream *x)
{
	const struct config_limits *l = &x->shard->snap->config->limits;

	return conn_queued(x->conn) >
		l->write_queue_max_bytes + WRITTEN_MAX * l->stanza_bytes;
}

/* --- limits (XEP-0478) ---------------------------------------------------------- */

/* 0: it is not said, or no number. */
static uint32_t
read_limit(struct arena *a, const struct elem *limits, const char *name)
{
	const struct elem *e = elem_child(limits, NS_STREAM_LIMITS, name);
	long long n;

	return e != NULL &&
			str_to_int(str_trim(elem_text(a, e)), 1, UINT32_MAX,
				&n) ?
		(uint32_t)n :
		0;
}

struct s2s_limits
s2s_read_limits(struct arena *a, const struct elem *e)
{
	e = elem_child(e, NS_STREAM_LIMITS, "limits");
	if (e == NULL)
		return (struct s2s_limits){ .max_bytes = 0 };
	return (struct s2s_limits){
		.max_bytes = read_limit(a, e, "max-bytes"),
		.idle_s = read_limit(a, e, "idle-seconds"),
	};
}

static void
add_limit(struct arena *a, struct elem *limits, const char *name, uint64_t n)
{
	elem_add_with_text(a, limits, NS_STREAM_LIMITS, name,
		arena_printf(a, "%llu", (unsigned long long)n));
}

void
s2s_add_limits(struct shard *sh, struct arena *a, struct elem *e)
{
	const struct config_limits *l = &sh->snap->config->limits;
	struct elem *limits = elem_add(a, e, NS_STREAM_LIMITS, "limits");

	add_limit(a, limits, "max-bytes", l->stanza_bytes);
	if (l->idle_before_ping_us < OPTION_NEVER)
		add_limit(a, limits, "idle-seconds",
			(uint64_t)(l->idle_before_ping_us / US_PER_S));
}

/* Looked at so often that the peer hears something in two thirds of its time. */
int64_t
s2s_watch_idle(const struct stream *x, const struct s2s_limits *l,
	uint64_t *taken_out)
{
	int64_t part_us = (int64_t)l->idle_s * US_PER_S / IDLE_PARTS;

	if (l->idle_s == 0)
		return OPTION_NEVER;
	*taken_out = conn_taken(x->conn);
	return x->shard->now_us + MAX(part_us, US_PER_S);
}

/* RFC 6120 §4.6.1: a blank is traffic. */
int64_t
s2s_keep_alive(struct stream *x, const struct s2s_limits *l, uint64_t *taken_io)
{
	if (conn_taken(x->conn) == *taken_io && conn_queued(x->conn) == 0)
		stream_write_bytes(x, STR(" "));
	return s2s_watch_idle(x, l, taken_io);
}

void
s2s_bounce(struct shard *sh, const struct stanza *st, const char *domain,
	uint32_t max_bytes)
{
	struct stanza *error;
	char text[JID_PART_MAX + 80];

	snprintf(text, sizeof(text),
		"%s takes nothing that is larger than %u bytes", domain,
		max_bytes);
	error = stanza_error(st, COND_POLICY_VIOLATION, str_c(text));
	if (error != NULL)
		router_send(sh, error);
}

/* --- stanzas ----------------------------------------------------------------- */

static bool
is_remote_of(const struct s2s_bringer *b, struct str domain)
{
	for (size_t i = 0; i < b->n; i++) {
		if (str_is(domain, b->pairs[i].remote))
			return true;
	}
	return false;
}

/* NULL: the stream ends, for it may bring nothing of this kind. */
static struct s2s_pair *
stanza_pair(const struct s2s_bringer *b, struct jid from, struct jid to)
{
	struct s2s_pair *pair = s2s_pair_find(b->pairs, b->n, jid_domain(to),
		jid_domain(from));

	if (pair != NULL)
		return pair;
	if (!is_remote_of(b, jid_domain(from)))
		stream_end(b->x, STREAM_INVALID_FROM,
			"This stream was not authenticated for the domain of \"from\"");
	else
		stream_end(b->x, STREAM_HOST_UNKNOWN,
			"This stream was not authenticated for the domain of \"to\"");
	return NULL;
}

/* What stanza_from_elem() has refused.  Addresses come first: nobody is answered in
 * whose name another has spoken. */
static void
stanza_refuse(const struct s2s_bringer *b, struct arena *a, const struct elem *e,
	enum stanza_cond cond)
{
	struct str from = elem_attr(e, "from"), to = elem_attr(e, "to");
	struct jid from_jid, to_jid;
	struct stanza *error;

	if (from.p == NULL || to.p == NULL ||
		!jid_parse(&from_jid, a, from, NULL) ||
		!jid_parse(&to_jid, a, to, NULL)) {
		stream_end(b->x, STREAM_IMPROPER_ADDRESSING,
			"\"from\" and \"to\" have to be addresses");
		return;
	}
	if (stanza_pair(b, from_jid, to_jid) == NULL)
		return;
	if (b->counts != NULL)
		s2s_sm_in_take(b->counts, NULL);
	error = stanza_error_of_elem(e, cond, STR_NONE);
	if (error != NULL)
		router_send(b->x->shard, error);
}

void
s2s_stanza(const struct s2s_bringer *b, struct arena *a, struct elem *e)
{
	struct stream *x = b->x;
	struct shard *sh = x->shard;
	enum stanza_cond cond;
	struct s2s_pair *pair;
	struct stanza *st;

	stream_stamp_lang(x, a, e);
	st = stanza_from_elem(a, e, &cond);
	if (st == NULL) {
		stanza_refuse(b, a, e, cond);
		arena_free(a);
		return;
	}
	if (!jid_is_set(st->from) || !jid_is_set(st->to)) {
		stanza_free(st);
		stream_end(x, STREAM_IMPROPER_ADDRESSING,
			"A stanza between servers needs \"from\" and \"to\"");
		return;
	}
	pair = stanza_pair(b, st->from, st->to);
	if (pair == NULL) {
		stanza_free(st);
		return;
	}
	sh->stats.stanzas_in++;
	pair->received++;
	if (pair->link != NULL && *pair->link != NULL)
		(*pair->link)->received++;
	if (b->counts != NULL)
		s2s_sm_in_take(b->counts, st);
	else
		stream_talk(x, b->talk, st);
	router_send(sh, st);
	stream_give_way(x, pair->hash);
}
