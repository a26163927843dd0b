/*
 * http_plain.c - what strangers ask in the clear: they are sent to where it is asked by
 * TLS.
 *
 * Owner shard of the request.
 */
#include "config.h"

#include "base/buf.h"
#include "http/http_exchange.h"

/* To the address that we have told others, never to one that came with the request. */
static void
plain_redirect(struct http_exchange *x, struct buf *url)
{
	const struct http_head *head = x->r.head;
	struct http_field fields[] = {
		{ .name = "Location" },
		{ .name = NULL },
	};

	buf_add_str(url, head->path);
	if (head->query.p != NULL)
		buf_printf(url, "?%.*s", STR_ARG(head->query));
	fields[0].value = buf_str(url);
	http_refuse(x, 308, "This is asked by https.", fields);
}

bool
http_plain_answer(struct http_exchange *x, struct host *host)
{
	enum http_method method = x->r.head->method;
	struct buf url = BUF_INIT;
	bool by_tls = http_public_url(x->r.shard, host, &url) &&
		str_starts(buf_str(&url), STR("https://"));

	if (by_tls && (method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD))
		plain_redirect(x, &url);
	else if (by_tls)
		/* whatever it was to do, and its secrets, have been seen */
		http_refuse(x, 403, "This is possible by https alone.", NULL);
	buf_done(&url);
	return by_tls;
}
