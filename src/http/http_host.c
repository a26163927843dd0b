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
#include "net/tls.h"
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

static bool
listens_with_tls(const struct config *c)
{
	for (size_t i = 0; i < c->n_listen; i++)
		if (is_for_web(&c->listen[i], true))
			return true;
	return false;
}

/* That of another host would be shown, and believed by nobody. */
static bool
has_certificate(const struct config_host *h, const struct tls_set *tls)
{
	struct tls_shown shown;

	tls_set_shown(tls, str_c(h->domain), &shown);
	return shown.host != NULL && (h->certificate != NULL || shown.named);
}

const char *
http_hindrance(const struct config *c, const struct config_host *h,
	const struct tls_set *tls)
{
	if (h->public_url != NULL)
		return str_starts(str_c(h->public_url), STR("https://")) ?
			NULL :
			"`public_url' of the host does not begin with https://; name the address at which a proxy answers by TLS";
	if (!listens_with_tls(c))
		return "no port for HTTP has TLS; add { kind: https } to `listen', or set `public_url' of the host to the https address of a proxy in front";
	return has_certificate(h, tls) ?
		NULL :
		"the host has no certificate; set `certificate' there, or `public_url' to the https address of a proxy in front";
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
