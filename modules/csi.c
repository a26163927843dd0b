/*
 * csi.c - a client says whether somebody looks at it (XEP-0352); what waits meanwhile
 * is account/session_quiet.h's.
 *
 * Shard of the session, whose stream has said so; each stream begins active, also one
 * that resumes a session (§5.2).
 */
#include "config.h"

#include "module/module.h"

/* Of a session whose client has been inactive: nobody else could say any more that it
 * is not, when the module goes. */
struct csi {
	bool said;
};

static void
session_done(struct session *s, void *state)
{
	(void)state;
	session_set_quiet(s, false);
}

static enum hook_result
on_features(struct module_ctx *m, void *arg)
{
	struct stream_features *f = arg;

	(void)m;
	if (f->authenticated)
		elem_add(f->arena, f->features, NS_CSI, "csi");
	return HOOK_PASS;
}

/* What waited is written before anything that comes behind is answered (§5.1). */
static enum hook_result
on_active(struct module_ctx *m, struct element *el)
{
	(void)m;
	session_set_quiet(el->session, false);
	return HOOK_HANDLED;
}

static enum hook_result
on_inactive(struct module_ctx *m, struct element *el)
{
	struct csi *csi = module_session_state(m, el->session);

	csi->said = true;
	session_set_quiet(el->session, true);
	return HOOK_HANDLED;
}

/* It is offered before there is a session (§4.1), which begins active, whatever was said
 * till then: that may cost a client something, and its stream, nothing. */
static enum hook_result
on_early(struct module_ctx *m, struct element *el)
{
	(void)m;
	(void)el;
	return HOOK_HANDLED;
}

static const struct hook_handler csi_hooks[] = {
	{ HOOK_STREAM_FEATURES, HOOK_DELIVER, on_features },
	{ .fn = NULL },
};

static const struct element_handler csi_elements[] = {
	{ ELEMENT_AUTHENTICATED, NS_CSI, "active", on_early },
	{ ELEMENT_AUTHENTICATED, NS_CSI, "inactive", on_early },
	{ ELEMENT_BOUND, NS_CSI, "active", on_active },
	{ ELEMENT_BOUND, NS_CSI, "inactive", on_inactive },
	{ .fn = NULL },
};

MODULE(csi) = {
	.api = MODULE_API,
	.name = "csi",
	.summary = "hold presence back while nobody looks at a client",
	.specs = "XEP-0352 1.0.0",
	.hooks = csi_hooks,
	.elements = csi_elements,
	.session_state = sizeof(struct csi),
	.session_done = session_done,
};
