/*
 * conf_show.c - prints the configuration that is in force, such that reading
 * it again gives the same.
 *
 * Any thread.  Modules are listed at each host, in their order, with
 * `defaults: no` above: what a newer version switches on stays off.
 */
#include "config.h"

#include "conf/conf.h"

#include <stdio.h>

#include "base/buf.h"
#include "conf/conf_int.h"
#include "conf/storage.h"

static void
log_show(const struct config_log *log, struct buf *out)
{
	buf_add_c(out, "log:\n");
	option_show(config_log_options, log, out, 2);
	buf_add_c(out, "  levels:\n");
	for (int i = 0; i < LOG_AREAS; i++)
		buf_printf(out, "    %s: %s\n", log_area_name((enum log_area)i),
			log_level_name(log->levels[i]));
}

/* The first line of what option_show() adds becomes a list item. */
static void
listen_show(const struct config *c, struct buf *out)
{
	buf_add_c(out, "listen:\n");
	for (size_t i = 0; i < c->n_listen; i++) {
		size_t at = out->n;

		option_show(config_listen_options, &c->listen[i], out, 4);
		out->p[at + 2] = '-';
	}
}

static void
section_show(const char *name, const struct option *options, const void *base,
	struct buf *out)
{
	buf_printf(out, "%s:\n", name);
	option_show(options, base, out, 2);
}

static void
modules_show(const struct config_host *h, struct buf *out)
{
	buf_printf(out, "    modules:%s\n", h->n_modules == 0 ? " {}" : "");
	for (size_t i = 0; i < h->n_modules; i++) {
		const struct config_module *mod = &h->modules[i];

		buf_add_c(out, "      ");
		option_quote(out, str_c(mod->name));
		if (mod->conf == NULL) {
			buf_add_c(out, ": yes\n");
			continue;
		}
		buf_add_c(out, ":\n");
		option_show(mod->options, mod->conf, out, 8);
	}
}

static void
host_show(const struct config_host *h, struct buf *out)
{
	buf_add_c(out, "  ");
	option_quote(out, str_c(h->domain));
	buf_add_c(out, ":\n");
	option_show(config_host_options, h, out, 4);
	buf_add_c(out, "    auth:\n");
	option_show(config_auth_options, &h->auth, out, 6);
	buf_add_c(out, "    federation:\n");
	option_show(config_federation_options, &h->federation, out, 6);
	modules_show(h, out);
}

static void
components_show(const struct config *c, struct buf *out)
{
	if (c->n_components != 0)
		buf_add_c(out, "components:\n");
	for (size_t i = 0; i < c->n_components; i++) {
		buf_add_c(out, "  ");
		option_quote(out, str_c(c->components[i].domain));
		buf_add_c(out, ":\n");
		option_show(config_component_options, &c->components[i], out,
			4);
	}
}

static void
remotes_show(const struct config *c, struct buf *out)
{
	if (c->n_remotes != 0)
		buf_add_c(out, "remotes:\n");
	for (size_t i = 0; i < c->n_remotes; i++) {
		buf_add_c(out, "  ");
		option_quote(out, str_c(c->remotes[i].domain));
		buf_add_c(out, ":\n");
		option_show(config_remote_options, &c->remotes[i], out, 4);
	}
}

void
config_show(const struct config *c, struct buf *out)
{
	option_show(config_server_options, &c->server, out, 0);
	log_show(&c->log, out);
	section_show("control", config_control_options, &c->server, out);
	listen_show(c, out);
	section_show("storage", config_storage_options, &c->storage, out);
	option_show(config_drivers[c->storage.driver]->options, c->storage.own,
		out, 2);
	section_show("tls", config_tls_options, &c->tls, out);
	section_show("dns", config_dns_options, &c->dns, out);
	section_show("proxies", config_proxies_options, &c->proxies, out);
	section_show("http", config_http_options, &c->http, out);
	section_show("limits", config_limits_options, &c->limits, out);
	section_show("auth", config_auth_options, &c->auth, out);
	section_show("federation", config_federation_options, &c->federation,
		out);
	section_show("s2s", config_s2s_options, &c->s2s, out);
	remotes_show(c, out);
	buf_add_c(out, "modules:\n  defaults: no\nhosts:\n");
	for (size_t i = 0; i < c->n_hosts; i++)
		host_show(config_host(c, str_c(c->host_order[i])), out);
	components_show(c, out);
}
