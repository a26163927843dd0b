/*
 * s2s_in_stanza.c - stanzas that come from another server: each is from a domain,
 * and to one, that its stream has authenticated for (RFC 6120 §8.1.1.2, §8.1.2.2;
 * hostile 43).
 *
 * Owner shard of the stream; the router brings them where they belong.
 */
#include "config.h"

#include "base/arena.h"
#include "xml/elem.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"
#include "core/host.h"
#include "core/router.h"
#include "stream/server/s2s_in_int.h"
#include "stream/server/s2s_sm.h"

static bool
is_remote_of(const struct s2s_in *c, struct str domain)
{
	for (size_t i = 0; i < c->pairs.n; i++) {
		if (str_is(domain, c->pairs.p[i].remote))
			return true;
	}
	return false;
}

/* NULL: the stream ends, for it may bring nothing of this kind. */
static struct s2s_pair *
stanza_pair(struct s2s_in *c, struct jid from, struct jid to)
{
	struct s2s_pair *pair;

	if (!s2s_in_judge_pairs(c))
		return NULL;
	pair = s2s_in_pair(c, jid_domain(to), jid_domain(from));
	if (pair != NULL)
		return pair;
	if (!is_remote_of(c, jid_domain(from)))
		stream_end(&c->x, STREAM_INVALID_FROM,
			"This stream was not authenticated for the domain of \"from\"");
	else
		stream_end(&c->x, STREAM_HOST_UNKNOWN,
			"This stream was not authenticated for the domain of \"to\"");
	return NULL;
}

/* What stanza_from_elem() has refused.  Addresses come first: nobody is answered in
 * whose name another has spoken. */
static void
stanza_refuse(struct s2s_in *c, struct arena *a, const struct elem *e,
	enum stanza_cond cond)
{
	struct str from = elem_attr(e, "from"), to = elem_attr(e, "to");
	struct jid from_jid, to_jid;
	struct stanza *error;

	if (from.p == NULL || to.p == NULL ||
		!jid_parse(&from_jid, a, from, NULL) ||
		!jid_parse(&to_jid, a, to, NULL)) {
		stream_end(&c->x, STREAM_IMPROPER_ADDRESSING,
			"\"from\" and \"to\" have to be addresses");
		return;
	}
	if (stanza_pair(c, from_jid, to_jid) == NULL)
		return;
	if (c->counts != NULL)
		s2s_sm_in_take(c->counts, NULL);
	error = stanza_error_of_elem(e, cond, STR_NONE);
	if (error != NULL)
		router_send(c->x.shard, error);
}

void
s2s_in_stanza(struct s2s_in *c, struct arena *a, struct elem *e)
{
	struct shard *sh = c->x.shard;
	enum stanza_cond cond;
	struct s2s_pair *pair;
	struct stanza *st;

	stream_stamp_lang(&c->x, a, e);
	st = stanza_from_elem(a, e, &cond);
	if (st == NULL) {
		stanza_refuse(c, a, e, cond);
		arena_free(a);
		return;
	}
	if (!jid_is_set(st->from) || !jid_is_set(st->to)) {
		stanza_free(st);
		stream_end(&c->x, STREAM_IMPROPER_ADDRESSING,
			"A stanza between servers needs \"from\" and \"to\"");
		return;
	}
	pair = stanza_pair(c, st->from, st->to);
	if (pair == NULL) {
		stanza_free(st);
		return;
	}
	sh->stats.stanzas_in++;
	pair->received++;
	if (c->counts != NULL)
		s2s_sm_in_take(c->counts, st);
	router_send(sh, st);
	stream_give_way(&c->x, pair->hash);
}
