/*
 * invisible.c - a client goes invisible, and is visible again (XEP-0186).
 *
 * Keeps no state: that is the session's (account/session_invisible.c), and whom it is
 * shown to all the same is the business of the presence module.  A request is answered
 * before presence that was sent behind it is looked at (account/requests.h), so that
 * who does not wait for the answer is not seen either.
 * Owner shard of the account.
 */
#include "config.h"

#include "module/module.h"

/* Of no session, but a component that asks as the owner (XEP-0356). */
static void
refuse_others(struct iq *iq)
{
	iq_error(iq, COND_NOT_ALLOWED, "Only a session can become invisible");
}

/* §3.1: an xs:boolean, false unless it is there. */
static bool
read_probe(const struct iq *iq, bool *probe_out)
{
	struct str probe = elem_attr(iq->payload, "probe");

	*probe_out = str_is(probe, "true") || str_is(probe, "1");
	return *probe_out || probe.p == NULL || str_is(probe, "false") ||
		str_is(probe, "0");
}

static enum hook_result
on_invisible(struct module_ctx *m, struct iq *iq)
{
	struct session *s = iq_sender(iq);
	bool probe;

	(void)m;
	if (s == NULL) {
		refuse_others(iq);
	} else if (!read_probe(iq, &probe)) {
		iq_error(iq, COND_BAD_REQUEST, "probe is true or false");
	} else {
		session_set_invisible(s, probe);
		iq_result(iq, NULL);
	}
	return HOOK_HANDLED;
}

static enum hook_result
on_visible(struct module_ctx *m, struct iq *iq)
{
	struct session *s = iq_sender(iq);

	(void)m;
	if (s == NULL) {
		refuse_others(iq);
	} else {
		session_set_visible(s);
		iq_result(iq, NULL);
	}
	return HOOK_HANDLED;
}

static const struct iq_handler invisible_iqs[] = {
	{ IQ_SET, AT_OWN_ACCOUNT, NS_INVISIBLE, "invisible", on_invisible },
	{ IQ_SET, AT_OWN_ACCOUNT, NS_INVISIBLE, "visible", on_visible },
	{ .fn = NULL },
};

MODULE(invisible) = {
	.api = MODULE_API,
	.name = "invisible",
	.summary = "let clients be there while others see them gone",
	.specs = "XEP-0186 0.14.0",
	.features = (const char *const[]){ NS_INVISIBLE, NULL },
	.iqs = invisible_iqs,
};
