/*
 * s2s_out_sm.c - stream management in a stream that we open to another server
 * (XEP-0198): what the link has sent is acknowledged.
 *
 *   features: <sm/> --> OFFERED --up: <enable/>, then stanzas--> ASKED
 *   OFFERED --up: <resume/>, where a stream broke that can be--> RESUMES
 *   RESUMES --<resumed/>: what they have not got--> ON
 *   RESUMES --<failed/>: <enable/>, what is sent again--> ASKED
 *   ASKED  --<enabled/>--> ON
 *   ASKED  --<failed/>---> OFF: what was sent is as good as acknowledged
 *
 * Owner shard of the pair.
 */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "xml/elem.h"
#include "core/element.h"
#include "core/link.h"
#include "stream/server/s2s_out_int.h"
#include "stream/server/s2s_sm.h"

/* Theirs, and kept. */
#define ID_MAX 4000
/* For their answer to <resume/>, which waits for their disk. */
#define RESUME_US (15 * US_PER_S)

void
s2s_out_sm_read(struct s2s_out *o, const struct elem *features)
{
	o->sm = elem_child(features, NS_SM, "sm") != NULL ? OUT_SM_OFFERED :
							    OUT_SM_OFF;
}

static void
out_begin(struct s2s_out *o, struct link *l)
{
	o->sm = OUT_SM_ASKED;
	s2s_sm_enable(&o->x);
	link_count(l, 0);
}

/* What has come back is told when all of it is dealt with. */
static void
out_resume(struct s2s_out *o, struct link *l)
{
	struct s2s_sm_in *back = link_back(l);

	if (back != NULL && !s2s_sm_in_is_settled(back))
		back->next = o;
	else
		s2s_sm_resume(&o->x, link_resumes(l),
			back != NULL ? back->line.received : 0);
}

void
s2s_out_sm_settled(struct s2s_out *o)
{
	struct s2s_sm_in *back = link_back(o->way->link);

	back->next = NULL;
	out_resume(o, o->way->link);
}

void
s2s_out_sm_up(struct s2s_out *o, struct link *l)
{
	const char *id = link_resumes(l);

	if (o->sm == OUT_SM_OFFERED && id != NULL) {
		o->sm = OUT_SM_RESUMES;
		o->deadline_us = o->x.shard->now_us + RESUME_US;
		stream_arm(&o->x);
		out_resume(o, l);
		return;
	}
	if (id != NULL)
		remote_not_resumed(l);
	if (o->sm == OUT_SM_OFFERED)
		out_begin(o, l);
	link_drained(l);
}

/* They have not been asked yet. */
static bool
out_waits_to_resume(const struct link *l)
{
	const struct s2s_sm_in *back = link_back(l);

	return back != NULL && back->next != NULL;
}

static bool
says_true(const struct elem *e, const char *name)
{
	struct str said = elem_attr(e, name);

	return str_is(said, "true") || str_is(said, "1");
}

/* What comes back has numbers. */
static void
out_count_back(struct s2s_out *o)
{
	if (o->bidi)
		o->counts = s2s_sm_in_begin(&o->x, 0);
}

/* Behind those of the stream that broke. */
static void
out_go_on_back(struct s2s_out *o, struct s2s_sm_in *back)
{
	o->counts = back;
	if (back != NULL)
		s2s_sm_in_join(back, &o->x);
	else
		out_count_back(o);
}

enum hook_result
s2s_out_on_sm_enabled(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;
	struct str id = elem_attr(el->e, "id");

	(void)m;
	if (o->sm != OUT_SM_ASKED)
		return HOOK_PASS;
	o->sm = OUT_SM_ON;
	out_count_back(o);
	if (says_true(el->e, "resume") && id.n != 0 && id.n <= ID_MAX)
		link_resumable(o->way->link, id.p);
	return HOOK_HANDLED;
}

/* What h says is believed, if there is one. */
static void
out_not_resumed(struct s2s_out *o, const struct elem *e)
{
	struct link *l = o->way->link;
	uint32_t h;

	if (s2s_sm_get_h(e, &h))
		(void)link_acked(l, h);
	log_debug(LOG_STREAM, stream_who(&o->x), "not resumed");
	s2s_out_watch_idle(o);
	remote_not_resumed(l);
	out_begin(o, l);
	link_drained(l);
}

enum hook_result
s2s_out_on_sm_failed(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->sm == OUT_SM_RESUMES) {
		if (out_waits_to_resume(o->way->link))
			return HOOK_PASS;
		out_not_resumed(o, el->e);
		return HOOK_HANDLED;
	}
	if (o->sm != OUT_SM_ASKED)
		return HOOK_PASS;
	o->sm = OUT_SM_OFF;
	link_count_no_more(o->way->link);
	return HOOK_HANDLED;
}

/* What they have had before was not too large for them; what they have sent before was
 * counted with it. */
enum hook_result
s2s_out_on_sm_resumed(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;
	struct link *l = o->way != NULL ? o->way->link : NULL;
	uint32_t h, max_bytes = o->limits.max_bytes;

	(void)m;
	if (o->sm != OUT_SM_RESUMES || out_waits_to_resume(l))
		return HOOK_PASS;
	if (!s2s_sm_get_h(el->e, &h)) {
		s2s_out_end(o, STREAM_BAD_FORMAT, "<resumed/> needs its \"h\"",
			"they do not say up to where they have resumed");
		return HOOK_HANDLED;
	}
	o->sm = OUT_SM_ON;
	s2s_out_watch_idle(o);
	o->limits.max_bytes = 0;
	if (link_resumed(l, h)) {
		o->limits.max_bytes = max_bytes;
		out_go_on_back(o, link_take_back_count(l));
		log_debug(LOG_STREAM, stream_who(&o->x), "resumed h=%u",
			(unsigned)h);
		link_drained(l);
	} else {
		s2s_sm_end_too_high(&o->x, h, link_counted(l));
	}
	return HOOK_HANDLED;
}

enum hook_result
s2s_out_on_sm_a(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->sm != OUT_SM_ON)
		return HOOK_PASS;
	o->why = "they acknowledge what they cannot have got";
	s2s_sm_acked(&o->x, o->way->link, el->e);
	o->why = NULL;
	return HOOK_HANDLED;
}

/* Where stanzas come back, they count. */
enum hook_result
s2s_out_on_sm_r(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->sm != OUT_SM_ON)
		return HOOK_PASS;
	if (o->counts != NULL)
		s2s_sm_in_ask(o->counts);
	else
		s2s_sm_tell(&o->x, 0);
	return HOOK_HANDLED;
}
