/*
 * s2s_sm.c - stream management between servers (XEP-0198): elements, the count of what
 * comes, and acknowledgements of what goes.
 *
 * Owner shard of the stream.
 */
#include "config.h"

#include "stream/server/s2s_sm.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/text.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "conf/conf.h"
#include "core/entity_line.h"
#include "core/link.h"
#include "stream/stream.h"

/* --- elements ------------------------------------------------------------------ */

void
s2s_sm_fail(struct stream *x, enum stanza_cond cond)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_SM, "failed");

	elem_add(a, e, NS_STANZAS, stanza_cond_name(cond));
	stream_write(x, e);
	arena_free(a);
}

static void
set_number(struct arena *a, struct elem *e, const char *name, uint32_t n)
{
	elem_set_attr(a, e, name, arena_printf(a, "%u", (unsigned)n));
}

void
s2s_sm_end_too_high(struct stream *x, uint32_t h, uint32_t sent)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_SM, "handled-count-too-high");

	set_number(a, e, "h", h);
	set_number(a, e, "send-count", sent);
	stream_end_app(x, STREAM_UNDEFINED_CONDITION, e,
		arena_printf(a, "You acknowledged %u stanzas, but I only sent you "
			"%u so far", (unsigned)h, (unsigned)sent).p);
	arena_free(a);
}

bool
s2s_sm_get_h(const struct elem *e, uint32_t *h_out)
{
	long long h;

	if (!str_to_int(elem_attr(e, "h"), 0, UINT32_MAX, &h))
		return false;
	*h_out = (uint32_t)h;
	return true;
}

void
s2s_sm_tell(struct stream *x, uint32_t h)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_SM, "a");

	set_number(a, e, "h", h);
	stream_write(x, e);
	arena_free(a);
}

/* --- what goes -------------------------------------------------------------------- */

void
s2s_sm_enable(struct stream *x)
{
	stream_write_bytes(x, STR("<enable xmlns='" NS_SM "' resume='true'/>"));
}

void
s2s_sm_resume(struct stream *x, const char *id, uint32_t h)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_SM, "resume");

	set_number(a, e, "h", h);
	elem_set_attr(a, e, "previd", str_c(id));
	stream_write(x, e);
	arena_free(a);
}

void
s2s_sm_ask(struct stream *x)
{
	stream_write_bytes(x, STR("<r xmlns='" NS_SM "'/>"));
}

void
s2s_sm_acked(struct stream *x, struct link *l, const struct elem *e)
{
	uint32_t h;

	if (!s2s_sm_get_h(e, &h))
		stream_end(x, STREAM_BAD_FORMAT, "An <a/> needs its \"h\"");
	else if (!link_acked(l, h))
		s2s_sm_end_too_high(x, h, link_counted(l));
}

/* --- what comes ---------------------------------------------------------------- */

static void
in_tell(struct s2s_sm_in *in)
{
	in->told = receipt_line_handled(&in->line);
	in->owes = in->told != in->line.received;
	in->due = false;
	in->told_us = in->shard->now_us;
	s2s_sm_tell(in->x, in->told);
}

/* As many as of a session may be on their way, or wait for the disk. */
static void
in_look(struct s2s_sm_in *in)
{
	int64_t most = in->x->shard->snap->config->limits.receipts_per_session;
	int64_t n = in->line.n_out;

	if (n >= most || entity_line_is_heavy(&in->line, LINE_PART_OF_MANY))
		stream_rest(in->x, REST_READER);
	else if (n <= most / 2 && (in->x->rest & REST_READER) != 0 &&
		entity_line_is_light(&in->line, LINE_PART_OF_MANY))
		stream_go_on(in->x, REST_READER);
}

static void
on_moved(struct turn_end *t)
{
	struct s2s_sm_in *in = CONTAINER_OF(t, struct s2s_sm_in, line.moved);

	if (in->x == NULL) {
		if (in->next == NULL)
			s2s_in_resume_look(in); /* and in may be gone */
		else if (s2s_sm_in_is_settled(in))
			s2s_out_sm_settled(in->next);
		return;
	}
	if (in->x->stage == STAGE_CLOSED)
		return;
	if (in->due ||
		(in->owes && in->told != receipt_line_handled(&in->line)))
		in_tell(in);
	in_look(in);
}

static struct s2s_sm_in *
in_begin(struct shard *sh, struct stream *x, uint32_t received)
{
	struct s2s_sm_in *in = xcalloc(1, sizeof(*in));

	memuse_add(MEMUSE_STREAM, in);
	in->shard = sh;
	in->x = x;
	in->told = received;
	receipt_line_begin(&in->line, sh, received, on_moved);
	return in;
}

struct s2s_sm_in *
s2s_sm_in_begin(struct stream *x, uint32_t received)
{
	return in_begin(x->shard, x, received);
}

struct s2s_sm_in *
s2s_sm_in_new(struct stream *x, bool resumes)
{
	struct s2s_sm_in *in = in_begin(x->shard, x, 0);
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_SM, "enabled");

	if (resumes) {
		s2s_sm_id_make(x->shard, in->id);
		elem_set_attr(a, e, "id", str_c(in->id));
		elem_set_attr(a, e, "resume", STR("true"));
		set_number(a, e, "max", S2S_SM_SLEEP_S);
	}
	stream_write(x, e);
	arena_free(a);
	return in;
}

struct s2s_sm_in *
s2s_sm_in_go_on(struct shard *sh, struct stream *x, const char *id, uint32_t n)
{
	struct s2s_sm_in *in = in_begin(sh, x, n);
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_SM, "resumed");

	memcpy(in->id, id, sizeof(in->id));
	set_number(a, e, "h", n);
	elem_set_attr(a, e, "previd", str_c(id));
	if (x != NULL)
		stream_write(x, e);
	arena_free(a);
	return in;
}

void
s2s_sm_in_free(struct s2s_sm_in *in)
{
	if (in == NULL)
		return;
	receipt_line_end(&in->line);
	s2s_runs_done(&in->went);
	memuse_remove_part(MEMUSE_STREAM, in->pairs);
	free(in->pairs);
	memuse_remove(MEMUSE_STREAM, in);
	free(in);
}

/* What was told so long ago has arrived, or the stream would have ended before. */
bool
s2s_sm_in_leave(struct s2s_sm_in *in)
{
	in->x = NULL;
	return in->told != in->line.received || (in->told_us != 0 &&
			in->shard->now_us - in->told_us <
				S2S_SM_SLEEP_S * US_PER_S);
}

bool
s2s_sm_in_is_settled(const struct s2s_sm_in *in)
{
	return receipt_line_handled(&in->line) == in->line.received;
}

void
s2s_sm_in_join(struct s2s_sm_in *in, struct stream *x)
{
	in->x = x;
	in->next = NULL;
	in->told = in->line.received;
	in->told_us = in->shard->now_us;
	in->due = in->owes = false;
}

/* Of what becomes of all else nobody hears, or only from a client. */
static bool
is_answered_for(const struct stanza *st)
{
	switch (st->kind) {
	case STANZA_MESSAGE:
		return true;
	case STANZA_PRESENCE:
		return st->type >= PRESENCE_SUBSCRIBE &&
			st->type <= PRESENCE_UNSUBSCRIBED;
	case STANZA_IQ:
		break;
	}
	return (st->type == IQ_GET || st->type == IQ_SET) &&
		jid_is_bare(st->to);
}

void
s2s_sm_in_take(struct s2s_sm_in *in, struct stanza *st)
{
	receipt_line_next(&in->line);
	if (st == NULL || !is_answered_for(st))
		return;
	receipt_give(&in->line, st);
	if (entity_line_is_for(in->shard, st))
		entity_line_weigh(&in->line, st);
	in_look(in);
}

void
s2s_sm_in_ask(struct s2s_sm_in *in)
{
	in->due = true;
	shard_at_end(in->x->shard, &in->line.moved);
}

void
s2s_sm_in_last(struct s2s_sm_in *in)
{
	if (in->due || in->told != receipt_line_handled(&in->line))
		in_tell(in);
}
