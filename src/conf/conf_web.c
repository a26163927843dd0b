/*
 * conf_web.c - what a host says of itself for the web: its address, and whose pages
 * may use it.
 *
 * Called by conf_hosts.c while a configuration is built.
 */
#include "config.h"

#include "conf/conf.h"

#include "xmpp/ip_literal.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

/* Behind the host: nothing, or a port. */
static bool
is_port(struct str text)
{
	long long port;

	if (text.n == 0)
		return true;
	text.p++;
	text.n--;
	return text.n != 0 && text.n <= 5 && text.p[0] != '-' &&
		str_to_int(text, 1, 65535, &port);
}

/* A name in ASCII, or an address (RFC 3986 §3.2.2), in lower case as in an origin. */
static bool
is_authority(struct str text)
{
	const char *end, *colon;
	struct str host = text;
	size_t n = 0;

	if (text.n != 0 && text.p[0] == '[') {
		char ip[IP_LITERAL_SIZE];

		end = memchr(text.p, ']', text.n);
		host.n = end != NULL ? (size_t)(end - text.p) + 1 : 0;
		return host.n != 0 && ip_literal_read(host, ip) == 16 &&
			is_port((struct str){ text.p + host.n,
				text.n - host.n });
	}
	colon = memchr(text.p, ':', text.n);
	host.n = colon != NULL ? (size_t)(colon - text.p) : text.n;
	while (n < host.n &&
		((host.p[n] >= 'a' && host.p[n] <= 'z') ||
			(host.p[n] >= '0' && host.p[n] <= '9') ||
			host.p[n] == '-' || host.p[n] == '.'))
		n++;
	return n != 0 && n == host.n &&
		is_port((struct str){ text.p + n, text.n - n });
}

/* The characters of a path (RFC 3986 §3.3), and no '/' at its end. */
static bool
is_path(struct str text)
{
	if (text.n != 0 && text.p[text.n - 1] == '/')
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~' ||
			strchr("?#\"<>\\^`{|}", text.p[i]) != NULL)
			return false;
	return true;
}

static bool
is_url(struct str text, bool with_path)
{
	struct str path = STR("");
	const char *slash;

	if (str_starts(text, STR("https://")))
		text = (struct str){ text.p + 8, text.n - 8 };
	else if (str_starts(text, STR("http://")))
		text = (struct str){ text.p + 7, text.n - 7 };
	else
		return false;
	slash = memchr(text.p, '/', text.n);
	if (slash != NULL) {
		path = (struct str){ slash, text.n - (size_t)(slash - text.p) };
		text.n -= path.n;
	}
	return is_authority(text) && (with_path || slash == NULL) &&
		is_path(path);
}

void
config_web_check(const struct config_host *h, const struct yaml_node *node,
	const char *path, struct conf_errors *m)
{
	if (h->public_url != NULL && !is_url(str_c(h->public_url), true))
		conf_error_add(m, yaml_get(node, "public_url"), path,
			"public_url: \"%.100s\" is no address of a page, in lower case and without a / at its end; expected one such as https://example.org or https://www.example.org:8443/xmpp",
			h->public_url);
	for (size_t i = 0; i < h->cors_origins.n; i++)
		if (strcmp(h->cors_origins.items[i], "*") != 0 &&
			!is_url(str_c(h->cors_origins.items[i]), false))
			conf_error_add(m, yaml_get(node, "cors_origins"), path,
				"cors_origins: \"%.100s\" is no origin; expected one such as https://chat.example.org, or *",
				h->cors_origins.items[i]);
}
