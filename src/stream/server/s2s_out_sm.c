/*
 * s2s_out_sm.c - stream management in a stream that we open to another server
 * (XEP-0198): what the link has sent is acknowledged.
 *
 *   features: <sm/> --> OFFERED --up: <enable/>, then stanzas--> ASKED
 *   ASKED  --<enabled/>--> ON
 *   ASKED  --<failed/>---> OFF: what was sent is as good as acknowledged
 *
 * Owner shard of the pair.
 */
#include "config.h"

#include "xml/elem.h"
#include "core/element.h"
#include "core/link.h"
#include "stream/server/s2s_out_int.h"
#include "stream/server/s2s_sm.h"

void
s2s_out_sm_read(struct s2s_out *o, const struct elem *features)
{
	o->sm = elem_child(features, NS_SM, "sm") != NULL ? OUT_SM_OFFERED :
							    OUT_SM_OFF;
}

void
s2s_out_sm_up(struct s2s_out *o, struct link *l)
{
	if (o->sm != OUT_SM_OFFERED)
		return;
	o->sm = OUT_SM_ASKED;
	s2s_sm_enable(&o->x);
	link_count(l);
}

enum hook_result
s2s_out_on_sm_enabled(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->sm != OUT_SM_ASKED)
		return HOOK_PASS;
	o->sm = OUT_SM_ON;
	if (o->bidi)
		o->counts = s2s_sm_in_begin(&o->x);
	return HOOK_HANDLED;
}

enum hook_result
s2s_out_on_sm_failed(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->sm != OUT_SM_ASKED)
		return HOOK_PASS;
	o->sm = OUT_SM_OFF;
	link_count_no_more(o->way->link);
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
