/*
 * http_from.c - who asks, as the connection says it.
 *
 * The one place that decides it.
 */
#include "config.h"

#include "http/http_from.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/conn.h"

void
http_from_fill(struct http_from *out, const struct shard *sh,
	const struct conn *c, const struct http_head *head)
{
	struct str key = conn_peer_key(c);

	(void)sh;
	(void)head;
	snprintf(out->text, sizeof(out->text), "%s", conn_peer(c));
	out->key_n = (uint8_t)MIN(key.n, sizeof(out->key));
	memcpy(out->key, key.p, out->key_n);
	out->has_tls = out->is_protected = conn_is_secure(c);
}
