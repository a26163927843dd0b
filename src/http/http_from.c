/*
 * http_from.c - who asks: the peer of the connection, or for whom a proxy does that is
 * trusted (proxies: trusted).
 *
 * The one place that decides it.  Invariant: what a client says of itself is believed
 * only where it makes less of him.
 */
#include "config.h"

#include "http/http_from.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/conn.h"
#include "net/ip_network.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/shard.h"
#include "http/http_parse.h"
#include "http/http_text.h"

/* Nobody listens on that way; one in memory has no address. */
static bool
is_this_machine(const struct ip *ip)
{
	static const struct ip_network loopback[] = {
		{ .ip = { 4, { 127 } }, .bits = 8 },
		{ .ip = { 16, { [15] = 1 } }, .bits = 128 },
	};

	return ip->n == 0 || ip_network_has(&loopback[0], ip) ||
		ip_network_has(&loopback[1], ip);
}

static bool
on_trusts(void *arg, struct str address)
{
	const struct config *conf = arg;
	struct ip ip;

	return ip_read(address, &ip) && config_trusts(conf, &ip);
}

/* Is one of those through whom it came said to have been asked in the clear?  Each
 * value counts, for who has written which is not known. */
static bool
says_plain(const struct http_head *head)
{
	const struct http_header *h = NULL;

	while ((h = http_head_next(head, "x-forwarded-proto", h)) != NULL) {
		struct str rest = h->value, item;
		bool more = true;

		while (more) {
			more = str_cut(rest, ',', &item, &rest);
			item = str_trim(item);
			if (!str_is(item, "https") && !str_is(item, "wss"))
				return true;
		}
	}
	return false;
}

static void
from_set(struct http_from *out, struct str address)
{
	struct ip ip;

	if (!ip_read(address, &ip))
		return;
	snprintf(out->text, sizeof(out->text), "%.*s", STR_ARG(address));
	out->key_n = ip.n == sizeof(out->key) / 2 ? ip.n : sizeof(out->key);
	memcpy(out->key, ip.bytes, out->key_n);
}

void
http_from_fill(struct http_from *out, const struct shard *sh,
	const struct conn *c, const struct http_head *head)
{
	struct config *conf = sh->snap->config;
	enum conn_through through = conn_through(c);
	struct ip ip = conn_peer_ip(c);
	/* whom a proxy does not know may say anything */
	bool trusts = through != CONN_PROXIED_NOBODY && config_trusts(conf, &ip);
	bool told = through != CONN_DIRECT;
	bool near = trusts || (!told && is_this_machine(&ip));
	struct str key = conn_peer_key(c), client = STR_NONE;

	snprintf(out->text, sizeof(out->text), "%s", conn_peer(c));
	out->key_n = (uint8_t)MIN(key.n, sizeof(out->key));
	memcpy(out->key, key.p, out->key_n);
	out->is_trusted = trusts;
	out->has_tls = conn_is_secure(c);
	out->is_protected = out->has_tls ||
		((near || told) && through != CONN_PROXIED_PLAIN);
	if (near && says_plain(head))
		out->is_protected = false;
	if (trusts)
		client = http_forwarded_for(head, on_trusts, conf);
	out->is_forwarded = client.p != NULL;
	if (out->is_forwarded) {
		out->has_tls = false;
		from_set(out, client);
	}
}
