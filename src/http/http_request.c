/*
 * http_request.c - whom a request is for: its host, its route, what it may do there;
 * and what the handler is told, and asks.
 *
 * Owner shard.  Invariant: while a handler has a request its module is held.
 */
#include "config.h"

#include <assert.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "xmpp/jid.h"
#include "net/conn.h"
#include "net/tls.h"
#include "http/http_exchange.h"
#include "http/http_route.h"

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* --- hosts ------------------------------------------------------------------ */

/* Of the configuration: a service or a component has no pages. */
static struct host *
host_with_pages(const struct shard *sh, struct str domain)
{
	struct host *host = domain.n != 0 ? snapshot_host(sh->snap, domain) :
					    NULL;

	return host != NULL && host->component == NULL &&
			host->parent == NULL ?
		host :
		NULL;
}

/* Browsers send A-labels; ours are those of the configuration (RFC 5890 §2.3.2.1). */
static struct host *
host_find(const struct shard *sh, struct str name)
{
	struct host *host = host_with_pages(sh, name);
	struct str domain;
	struct arena *a;

	if (host != NULL || name.n == 0)
		return host;
	a = arena_new();
	if (jid_prep_domain(&domain, a, name, NULL))
		host = host_with_pages(sh, domain);
	arena_free(a);
	return host;
}

struct host *
http_host(const struct http_request *r)
{
	return host_with_pages(r->shard, r->domain);
}

struct module_ctx *
http_module(const struct http_request *r)
{
	const struct http_exchange *x = http_exchange_of(r);
	struct host *host = http_host(r);

	return x->entry != NULL && host != NULL ?
		module_at_host(host, x->entry) :
		NULL;
}

bool
http_request_has_home(const struct http_exchange *x)
{
	return x->entry != NULL ? http_module(&x->r) != NULL :
				  x->r.domain.n == 0 || http_host(&x->r) != NULL;
}

/* --- methods ---------------------------------------------------------------- */

static const unsigned method_allows[HTTP_METHODS] = {
	[HTTP_METHOD_GET] = HTTP_ALLOW_GET,
	[HTTP_METHOD_HEAD] = HTTP_ALLOW_GET,
	[HTTP_METHOD_POST] = HTTP_ALLOW_POST,
	[HTTP_METHOD_PUT] = HTTP_ALLOW_PUT,
	[HTTP_METHOD_DELETE] = HTTP_ALLOW_DELETE,
};

static const struct {
	unsigned allow;
	const char *names;
} allow_names[] = {
	{ HTTP_ALLOW_GET, "GET, HEAD, " },
	{ HTTP_ALLOW_POST, "POST, " },
	{ HTTP_ALLOW_PUT, "PUT, " },
	{ HTTP_ALLOW_DELETE, "DELETE, " },
};

void
http_allow_add(unsigned methods, struct buf *out)
{
	for (size_t i = 0; i < COUNT(allow_names); i++)
		if ((methods & allow_names[i].allow) != 0)
			buf_add_c(out, allow_names[i].names);
	buf_add_c(out, "OPTIONS");
}

/* RFC 9110 §9.3.7, §15.5.6 */
static void
answer_allow(struct http_exchange *x, unsigned methods, unsigned status)
{
	struct buf allow = BUF_INIT;
	struct http_field fields[] = {
		{ .name = "Allow" },
		{ .name = NULL },
	};

	http_allow_add(methods, &allow);
	fields[0].value = buf_str(&allow);
	http_refuse(x, status,
		status == 405 ? "This cannot be done here." : NULL, fields);
	buf_done(&allow);
}

/* --- routes ----------------------------------------------------------------- */

/* To the handler; its own, in a module that stays. */
static void
request_give(struct http_exchange *x, struct module_ctx *m)
{
	const struct http_route *route = x->r.route;

	x->entry = m != NULL ? module_hold(m) : NULL;
	x->handled = true;
	if (route->state != 0) {
		x->r.state = xcalloc(1, route->state);
		memuse_add_part(MEMUSE_HTTP, x->r.state);
	}
	route->begin(m, &x->r);
	/* else nobody ever would */
	assert(x->holds != 0 || x->in != IN_WANTED || x->out != OUT_NONE);
}

static void
request_enter(struct http_exchange *x, const struct http_route *route,
	struct module_ctx *m)
{
	enum http_method method = x->r.head->method;
	struct str path = x->r.head->path;
	size_t n = str_c(route->prefix).n;

	x->r.route = route;
	x->r.rest = (struct str){ path.p + n, path.n - n };
	if (n == 1)
		x->r.rest = path; /* "/": all of it is below */
	if (method == HTTP_METHOD_OPTIONS)
		answer_allow(x, route->methods, 204);
	else if ((route->methods & method_allows[method]) == 0)
		answer_allow(x, route->methods, 405);
	else if (!http_memory_refuses(x)) /* by its route: pages hear of it */
		request_give(x, m);
	if (!x->handled)
		x->r.route = NULL; /* it may be gone, with its module */
}

static void
request_enter_host(struct http_exchange *x, struct host *host)
{
	struct str path = x->r.head->path;
	const struct http_routed *routed = http_routes_find(host->routes, path);
	const struct http_route *own = http_route_find(http_routes_host, path);

	x->r.domain = str_c(x->domain = str_dup(host->domain));
	if (own != NULL && (routed == NULL || str_c(own->prefix).n >=
				str_c(routed->route->prefix).n))
		request_enter(x, own, NULL);
	else if (routed != NULL)
		request_enter(x, routed->route, routed->m);
	else
		http_refuse(x, 404, "There is nothing here.", NULL);
}

/* RFC 9110 §7.4: what is asked by https of a name other than that of the certificate
 * is for somebody else, unless a gateway asks that we trust. */
static bool
is_misdirected(const struct http_exchange *x, const struct host *host)
{
	return x->r.from.has_tls && !x->r.from.is_trusted &&
		!tls_is_for(x->c->peer.conn, host->domain);
}

void
http_request_begin(struct http_exchange *x)
{
	const struct http_head *head = http_parser_head(x->parser);
	const struct http_route *route;
	struct host *host;

	x->r.head = head;
	http_from_fill(&x->r.from, x->r.shard, x->c->peer.conn, head);
	if (!http_client_count(x))
		return;
	if (str_is(head->path, "*")) {
		answer_allow(x, ~0u, 204);
		return;
	}
	route = http_route_find(http_routes_any, head->path);
	host = host_find(x->r.shard, head->host);
	if (route != NULL)
		request_enter(x, route, NULL);
	else if (host == NULL)
		http_refuse(x, 404, "There is no such host here.", NULL);
	else if (is_misdirected(x, host))
		http_refuse(x, 421, "This connection is for another host.", NULL);
	else if (x->r.from.is_protected || !http_plain_answer(x, host))
		request_enter_host(x, host);
}

void
http_request_body(struct http_exchange *x, struct str part)
{
	x->r.route->body(http_module(&x->r), &x->r, part);
}

char *
http_request_place(struct http_exchange *x, size_t *n_out)
{
	return x->r.route->place == NULL ?
		NULL :
		x->r.route->place(http_module(&x->r), &x->r, n_out);
}

void
http_request_placed(struct http_exchange *x, size_t n)
{
	x->r.route->placed(http_module(&x->r), &x->r, n);
}

void
http_request_whole(struct http_exchange *x)
{
	x->r.route->whole(http_module(&x->r), &x->r);
}

void
http_request_gone(struct http_exchange *x)
{
	bool tell = x->handled && !x->is_gone &&
		(x->out == OUT_NONE || x->out == OUT_PARTS);

	x->is_gone = true;
	if (tell && x->r.route->gone != NULL)
		x->r.route->gone(&x->r);
}

void
http_request_done(struct http_exchange *x)
{
	http_client_drops_body(x);
	if (!x->handled)
		return;
	x->handled = false;
	if (x->r.route->done != NULL)
		x->r.route->done(&x->r);
	memuse_remove_part(MEMUSE_HTTP, x->r.state);
	free(x->r.state);
	x->r.state = NULL;
	x->r.route = NULL;
	if (x->entry != NULL)
		module_release(x->entry);
	x->entry = NULL;
}

/* --- what the handler asks for ------------------------------------------------ */

static bool
has_body(const struct http_head *head)
{
	return head->chunked || head->content_length > 0;
}

bool
http_want_body(struct http_request *r, uint64_t max_bytes)
{
	struct http_exchange *x = http_exchange_of(r);

	assert(r->route->body != NULL && x->in == IN_WANTED);
	if (x->is_gone)
		return false;
	assert(x->out == OUT_NONE);
	if (r->head->content_length > 0 &&
		(uint64_t)r->head->content_length > max_bytes) {
		http_refuse(x, 413, "It is larger than it may be.", NULL);
		return false;
	}
	if (has_body(r->head) && !http_client_takes_body(x))
		return false;
	x->body_max = max_bytes;
	x->in = IN_BODY;
	/* RFC 9110 §10.1.1: not where some of it is there already, but who sends
	 * it at once does not wait for us either */
	if (r->head->expect_continue && r->head->minor > 0)
		conn_write(x->c->peer.conn, CONTINUE, sizeof(CONTINUE) - 1);
	http_conn_go(x->c);
	return true;
}

void
http_pause(struct http_request *r)
{
	struct http_exchange *x = http_exchange_of(r);

	x->paused = true;
	if (x->c != NULL)
		http_conn_go(x->c);
}

void
http_resume(struct http_request *r)
{
	struct http_exchange *x = http_exchange_of(r);

	x->paused = false;
	if (x->c != NULL)
		http_conn_go(x->c);
}

void
http_hold(struct http_request *r)
{
	http_exchange_of(r)->holds++;
}

void
http_let_go(struct http_request *r)
{
	struct http_exchange *x = http_exchange_of(r);

	assert(x->holds > 0);
	x->holds--;
	http_exchange_check(x);
}

bool
http_is_gone(const struct http_request *r)
{
	return http_exchange_of(r)->is_gone;
}
