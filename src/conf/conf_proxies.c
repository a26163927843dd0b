/*
 * conf_proxies.c - `proxies`: who may say from whom a connection, or a request, is.
 *
 * Called by conf.c while a configuration is built; config_trusts() on any thread.
 */
#include "config.h"

#include "base/arena.h"
#include "net/ip_network.h"
#include "conf/conf.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

const struct option config_proxies_options[] = {
	{ .name = "trusted", .type = OPT_LIST, .item = OPT_NETWORK,
		.dflt = "127.0.0.0/8, ::1", .max = "64",
		.off = offsetof(struct config_proxies, trusted),
		.help = "who is believed from whom a connection, or a request "
			"by HTTP, is: addresses and networks of proxies",
		.example = "[ 127.0.0.1, 192.0.2.0/24 ]" },
	{ .name = NULL },
};

void
config_proxies_apply(struct config_whole *w, const struct yaml_node *node,
	struct conf_errors *m)
{
	struct config_proxies *p = &w->c.proxies;
	struct ip_network *all;

	option_apply(config_proxies_options, node, "proxies", p, w->arena, m);
	all = arena_zalloc(w->arena, (p->trusted.n + 1) * sizeof(*all));
	/* each was looked at as an option already */
	for (size_t i = 0; i < p->trusted.n; i++)
		(void)ip_network_read(str_c(p->trusted.items[i]), &all[i]);
	p->networks = all;
}

bool
config_trusts(const struct config *c, const struct ip *ip)
{
	for (size_t i = 0; i < c->proxies.trusted.n; i++)
		if (ip_network_has(&c->proxies.networks[i], ip))
			return true;
	return false;
}
