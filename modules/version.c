/*
 * version.c - tells which server this is (XEP-0092).
 *
 * Keeps no state; any shard.
 */
#include "config.h"

#include <sys/utsname.h>

#include "module/module.h"

struct version_conf {
	bool show_os;
};

static const struct option version_options[] = {
	{ .name = "show_os", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct version_conf, show_os),
		.help = "tell the name and release of the operating system "
			"too" },
	{ .name = NULL },
};

static void
version_add_os(struct arena *a, struct elem *query)
{
	struct utsname os;

	if (uname(&os) == 0)
		elem_add_with_text(a, query, NS_VERSION, "os",
			arena_printf(a, "%s %s", os.sysname, os.release));
}

static enum hook_result
on_version(struct module_ctx *m, struct iq *iq)
{
	const struct version_conf *conf = m->conf;
	struct elem *query = iq_payload(iq, NS_VERSION, "query");
	struct arena *a = iq->st->arena;

	elem_add_with_text(a, query, NS_VERSION, "name", STR(PACKAGE_NAME));
	elem_add_with_text(a, query, NS_VERSION, "version",
		STR(PACKAGE_VERSION));
	/* XEP-0092 §5: what is out of date somewhere helps an attacker */
	if (conf->show_os)
		version_add_os(a, query);
	iq_result(iq, query);
	return HOOK_HANDLED;
}

static const struct iq_handler version_iqs[] = {
	{ IQ_GET, AT_HOST | AT_SERVICE, NS_VERSION, "query", on_version },
	{ .fn = NULL },
};

MODULE(version) = {
	.api = MODULE_API,
	.name = "version",
	.summary = "tell the name and version of this server",
	.specs = "XEP-0092 1.1",
	.features = (const char *const[]){ NS_VERSION, NULL },
	.service_features = (const char *const[]){ NS_VERSION, NULL },
	.options = version_options,
	.conf_size = sizeof(struct version_conf),
	.iqs = version_iqs,
};
