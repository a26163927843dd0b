/*
 * s2s_way.c - the way from a domain of ours to a remote one, as its pair has it: what
 * is asked by it, and what becomes of it.
 *
 *   start --> search, stream, search, stream ... --> up: a link --> its stream ends
 *                |                                                       |
 *                | given up, or nobody is left                           |
 *                v                                                       v
 *              gone: what was asked is answered  <-----------------------'
 *
 * Owner shard of the pair.
 */
#include "config.h"

#include "stream/server/s2s_out.h"

#include <stdio.h>

#include "base/memuse.h"
#include "base/tag.h"
#include "core/link.h"
#include "stream/server/s2s_out_int.h"

static struct s2s_way *
way_arg(void *arg)
{
	struct s2s_way *w = arg;

	TAG_CHECK(w, "sway");
	ASSERT_ON(w->shard);
	return w;
}

/* --- what is asked ------------------------------------------------------------- */

void
s2s_way_answer(struct way_asks *list, struct way_ask *a, enum err_code code,
	const char *why)
{
	TAILQ_REMOVE(list, a, in);
	remote_verified(a->verify, code, why);
	free(a);
}

/* Ahead of what has come since. */
void
s2s_way_ask_again(struct s2s_way *w)
{
	TAILQ_CONCAT(&w->asked, &w->asks, in);
	TAILQ_CONCAT(&w->asks, &w->asked, in);
}

static void
way_refuse_asks(struct way_asks *asks, enum err_code code, const char *why)
{
	struct way_ask *a;

	while ((a = TAILQ_FIRST(asks)) != NULL)
		s2s_way_answer(asks, a, code, why);
}

/* --- its end --------------------------------------------------------------------- */

/* Its stream ends without it. */
static void
way_free(struct s2s_way *w, enum err_code code, const char *why)
{
	struct s2s_out *o = w->stream;

	if (w->search != NULL)
		s2s_search_drop(w->search);
	w->search = NULL;
	if (o != NULL) {
		o->way = NULL;
		stream_end(&o->x, STREAM_COND_NONE, NULL);
	}
	way_refuse_asks(&w->asked, code, why);
	way_refuse_asks(&w->asks, code, why);
	memuse_remove(MEMUSE_STREAM, w);
	TAG_CLEAR(w);
	free(w);
}

void
s2s_way_down(struct s2s_way *w, enum remote_failed what, const char *why)
{
	struct remote_pair *p = w->pair;
	char text[S2S_WHY_SIZE];

	snprintf(text, sizeof(text), "%s", why); /* it goes with w */
	/* XEP-0220 §2.5: nobody is there to be asked, or he cannot be reached */
	way_free(w, what == REMOTE_NO_NAME || w->unknown ? ERR_MISSING :
							    ERR_CLOSED,
		text);
	remote_down(p, what, text);
}

/* --- its stream ------------------------------------------------------------------- */

const char *
s2s_out_step(const struct s2s_out *o)
{
	static const char *const steps[] = {
		[OUT_HEADER] = "stream",
		[OUT_STARTTLS] = "TLS",
		[OUT_JUDGED] = "certificate",
		[OUT_SASL] = "authentication",
		[OUT_DIALBACK] = "authentication",
		[OUT_KEYS] = "stream",
		[OUT_UP] = "stream",
	};

	if (o->at_dane)
		return "DANE";
	return o->x.stage == STAGE_HANDSHAKE ? "TLS" : steps[o->step];
}

void
s2s_way_up(struct s2s_out *o)
{
	struct s2s_way *w = o->way;

	s2s_search_drop(w->search);
	w->search = NULL;
	w->link = remote_up(w->pair, &s2s_link_stream, w);
	s2s_out_sm_up(o, w->link);
}

void
s2s_way_ended(struct s2s_out *o)
{
	struct s2s_way *w = o->way;
	struct link *l = w->link;

	o->way = NULL;
	w->stream = NULL;
	if (l != NULL) {
		way_free(w, ERR_CLOSED, "the stream has ended");
		remote_leave(l);
	} else if (w->not_believed) {
		s2s_way_down(w, REMOTE_NOT_BELIEVED, s2s_search_why(w->search));
	} else {
		s2s_way_ask_again(w);
		s2s_search_next(w->search);
	}
}

/* --- for pairs ---------------------------------------------------------------------- */

static void *
on_start(struct remote_pair *p)
{
	struct s2s_way *w = xcalloc(1, sizeof(*w));

	memuse_add(MEMUSE_STREAM, w);
	TAG_SET(w, "sway");
	w->pair = p;
	w->shard = remote_pair_shard(p);
	TAILQ_INIT(&w->asks);
	TAILQ_INIT(&w->asked);
	w->search = s2s_search_new(w);
	return w;
}

static void
on_cancel(void *attempt)
{
	way_free(way_arg(attempt), ERR_TIMEOUT, "it took too long");
}

static void
on_verify(void *attempt_or_stream, struct remote_verify *v)
{
	struct s2s_way *w = way_arg(attempt_or_stream);
	struct way_ask *a = xcalloc(1, sizeof(*a));

	a->verify = v;
	TAILQ_INSERT_TAIL(&w->asks, a, in);
	if (w->stream != NULL && w->stream->ready)
		s2s_out_ask(w->stream);
}

static bool
on_has_shown(void *attempt)
{
	const struct s2s_way *w = way_arg(attempt);

	return w->stream != NULL && (w->stream->step == OUT_SASL ||
			w->stream->step == OUT_DIALBACK ||
			w->stream->x.authenticated);
}

static const char *
on_waits_for(void *attempt)
{
	const struct s2s_way *w = way_arg(attempt);

	return w->stream != NULL ? s2s_out_waits_for(w->stream) :
				   s2s_search_waits_for(w->search);
}

static enum remote_failed
on_late(void *attempt)
{
	const struct s2s_way *w = way_arg(attempt);

	return w->stream != NULL ? REMOTE_OF_PAIR : s2s_search_late(w->search);
}

static void
on_tell(void *stream, struct remote_pair *p)
{
	const struct s2s_way *w = way_arg(stream);

	if (w->stream != NULL)
		s2s_steps_tell(w->stream, p);
}

const struct remote_streams s2s_streams = {
	.start = on_start,
	.cancel = on_cancel,
	.verify = on_verify,
	.has_shown = on_has_shown,
	.waits_for = on_waits_for,
	.late = on_late,
	.tell = on_tell,
};
