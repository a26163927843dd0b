/*
 * http_route.h - which route a path has: tables of hosts, which belong to a
 * snapshot, and of the server itself.
 *
 * A table is made with its snapshot, in its arena, and immutable from then on.
 */
#ifndef HTTP_HTTP_ROUTE_H
#define HTTP_HTTP_ROUTE_H

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct err;
struct http_route;
struct http_routes;
struct module_ctx;

/* A route at a host. */
struct http_routed {
	const struct http_route *route;
	struct module_ctx *m; /* whose it is; NULL: the server's own */
};

/* --- while a snapshot is made ------------------------------------------------ */

/* Why route cannot be used, for a sentence about it; NULL: it can. */
const char *http_route_mistake(const struct http_route *route);
/* Adds rows (NULL: none) to *all_io, which is made in a when it is NULL.  False with
 * err: one has a prefix that is there already. */
bool http_routes_add(struct http_routes **all_io, struct arena *a,
	const struct http_route *rows, struct module_ctx *m, struct err *err);

/* --- any thread -------------------------------------------------------------- */

/* The one with the longest prefix of path, which is raw; NULL: none.  all may be
 * NULL. */
const struct http_routed *http_routes_find(const struct http_routes *all,
	struct str path);
/* The longest among rows, of the server itself; or NULL. */
const struct http_route *http_route_find(const struct http_route *rows,
	struct str path);

#endif
