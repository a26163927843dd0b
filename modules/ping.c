/*
 * ping.c - answers XMPP pings (XEP-0199).
 *
 * Keeps no state.  on_ping() is called on the shard of the addressed entity for
 * each ping to a host or a service, or of a client to its own account, for which the server
 * answers.  Who else pings an account is refused as if there were none, so that
 * accounts cannot be found out (hostile 53).
 */
#include "config.h"

#include "module/module.h"

/* iq is borrowed until we return. */
static enum hook_result
on_ping(struct module_ctx *m, struct iq *iq)
{
	(void)m;

	iq_result(iq, NULL); /* XEP-0199 §4.2: the answer is empty */
	return HOOK_HANDLED;
}

static const struct iq_handler ping_iqs[] = {
	{ IQ_GET, AT_HOST | AT_OWN_ACCOUNT | AT_SERVICE | AT_SERVICE_ADDRESS,
		NS_PING, "ping", on_ping },
	{ .fn = NULL },
};

MODULE(ping) = {
	.api = MODULE_API,
	.name = "ping",
	.summary = "answer pings from clients and other servers",
	.specs = "XEP-0199 2.0.1",
	.features = (const char *const[]){ NS_PING, NULL },
	.service_features = (const char *const[]){ NS_PING, NULL },
	.address_features = (const char *const[]){ NS_PING, NULL },
	.iqs = ping_iqs,
};
