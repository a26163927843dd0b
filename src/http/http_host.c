/*
 * http_host.c - at which address a host is found by HTTP.
 *
 * Any thread; of a snapshot.  What a client says of the address that it has used is
 * never asked.
 */
#include "config.h"

#include "http/http_host.h"

#include <idn2.h>
#include <string.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/shard.h"
#include "http/http.h"

#define PORT_HTTP 80
#define PORT_HTTPS 443

bool
http_port_is_open(const struct snapshot *snap, size_t i)
{
	return snap->ports == NULL || snap->ports[i]->why == NULL;
}

uint16_t
http_port(const struct snapshot *snap, size_t i)
{
	uint16_t port = (uint16_t)snap->config->listen[i].port;

	return port == 0 && snap->ports != NULL ? snap->ports[i]->bound : port;
}

static bool
is_for_web(const struct config_listen *l, bool tls)
{
	return (l->tls == LISTEN_DIRECT) == tls &&
		(config_listen_has(l, "https") || config_listen_has(l, "web") ||
			config_listen_has(l, "http"));
}

/* The first port that is open, with TLS or without.  0: none. */
static uint16_t
port_find(const struct snapshot *snap, bool tls)
{
	for (size_t i = 0; i < snap->config->n_listen; i++)
		if (is_for_web(&snap->config->listen[i], tls) &&
			http_port_is_open(snap, i))
			return http_port(snap, i);
	return 0;
}

/* As the DNS has it, with A-labels. */
static void
add_ascii(struct str domain, struct buf *out)
{
	char *text = str_dup(domain), *ascii = NULL;

	if (idn2_to_ascii_8z(text, &ascii, IDN2_NONTRANSITIONAL) == IDN2_OK)
		buf_add_c(out, ascii);
	else
		buf_add_str(out, domain); /* an address of IP, in brackets */
	idn2_free(ascii);
	free(text);
}

bool
http_public_url(const struct shard *sh, const struct host *host,
	struct buf *out)
{
	uint16_t port, usual = PORT_HTTPS;

	if (host->parent != NULL)
		host = host->parent;
	if (host->conf == NULL)
		return false;
	if (host->conf->public_url != NULL) {
		buf_add_c(out, host->conf->public_url);
		return true;
	}
	port = port_find(sh->snap, true);
	if (port == 0) {
		usual = PORT_HTTP;
		port = port_find(sh->snap, false);
	}
	if (port == 0)
		return false;
	buf_add_c(out, usual == PORT_HTTPS ? "https://" : "http://");
	add_ascii(host->domain, out);
	if (port != usual)
		buf_printf(out, ":%u", (unsigned)port);
	return true;
}
