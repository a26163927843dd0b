/*
 * http_cors.c - what pages of other origins may do (Fetch Standard §3.2, the CORS
 * protocol): what the route says, for the origins that the host says.
 *
 * Owner shard.  Credentials are never allowed, so that "*" is enough where all origins
 * may; an origin that is not among those gets no header, and the browser keeps the
 * answer from the page.
 */
#include "config.h"

#include "base/buf.h"
#include "http/http_exchange.h"

/* Browsers keep what a preflight has told: for a day, if they let that be. */
#define MAX_AGE_S 86400

/* What Access-Control-Allow-Origin says; STR_NONE: nothing. */
static struct str
allowed_origin(const struct http_request *r, const struct option_list *origins)
{
	struct str origin = http_head_find(r->head, "origin");

	if (option_list_has(origins, STR("*")))
		return STR("*");
	return origin.p != NULL && option_list_has(origins, origin) ?
		origin :
		STR_NONE;
}

static bool
is_preflight(const struct http_request *r)
{
	return r->head->method == HTTP_METHOD_OPTIONS &&
		http_head_find(r->head, "access-control-request-method").p !=
		NULL;
}

static void
add_preflight(const struct http_request *r, struct buf *out)
{
	buf_add_c(out, "Access-Control-Allow-Methods: ");
	http_allow_add(r->route->methods, out);
	buf_add_c(out, "\r\n");
	if (r->route->cors->headers != NULL)
		buf_printf(out, "Access-Control-Allow-Headers: %s\r\n",
			r->route->cors->headers);
	buf_printf(out, "Access-Control-Max-Age: %d\r\n", MAX_AGE_S);
}

void
http_cors_add(const struct http_request *r, struct buf *out)
{
	const struct host *host = http_host(r);
	const struct http_cors *cors = r->route != NULL ? r->route->cors : NULL;
	struct str origin;

	if (cors == NULL || host == NULL)
		return;
	origin = allowed_origin(r, &host->conf->cors_origins);
	if (!option_list_has(&host->conf->cors_origins, STR("*")))
		buf_add_c(out, "Vary: Origin\r\n");
	if (origin.p == NULL)
		return;
	buf_printf(out, "Access-Control-Allow-Origin: %.*s\r\n",
		STR_ARG(origin));
	if (is_preflight(r))
		add_preflight(r, out);
	else if (cors->expose != NULL)
		buf_printf(out, "Access-Control-Expose-Headers: %s\r\n",
			cors->expose);
}
