/*
 * http_route.c - routes by their prefixes, which are compared by whole segments and
 * as they were sent.
 *
 * A host has a few, so they are looked through.
 */
#include "config.h"

#include "http/http_route.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "http/http.h"

struct http_routes VEC(struct http_routed);

const char *
http_route_mistake(const struct http_route *route)
{
	struct str prefix = str_c(route->prefix);

	if (prefix.p[0] != '/' ||
		(prefix.n > 1 && prefix.p[prefix.n - 1] == '/'))
		return "does not begin with '/', or ends with one";
	if (route->methods == 0)
		return "has no methods";
	if (route->begin == NULL)
		return "has no begin()";
	if ((route->body == NULL) != (route->whole == NULL))
		return "has only one of body() and whole()";
	return NULL;
}

bool
http_routes_add(struct http_routes **all_io, struct arena *a,
	const struct http_route *rows, struct module_ctx *m, struct err *err)
{
	for (; rows != NULL && rows->prefix != NULL; rows++) {
		if (*all_io == NULL)
			*all_io = arena_zalloc(a, sizeof(**all_io));
		for (size_t i = 0; i < (*all_io)->n; i++)
			if (str_is(str_c(rows->prefix),
				    (*all_io)->p[i].route->prefix))
				return err_set(err, ERR_CONFLICT,
					"another module has the route \"%s\"",
					rows->prefix);
		*vec_push_in(a, *all_io) = (struct http_routed){ rows, m };
	}
	return true;
}

/* Is path that of route, or below it? */
static bool
route_fits(const struct http_route *route, struct str path)
{
	struct str prefix = str_c(route->prefix);

	if (!str_starts(path, prefix))
		return false;
	if (path.n == prefix.n)
		return true;
	return !route->exact && (prefix.n == 1 || path.p[prefix.n] == '/');
}

static bool
is_longer(const struct http_route *route, const struct http_route *than)
{
	return than == NULL || str_c(route->prefix).n > str_c(than->prefix).n;
}

const struct http_routed *
http_routes_find(const struct http_routes *all, struct str path)
{
	const struct http_routed *best = NULL;

	for (size_t i = 0; all != NULL && i < all->n; i++)
		if (route_fits(all->p[i].route, path) &&
			is_longer(all->p[i].route,
				best != NULL ? best->route : NULL))
			best = &all->p[i];
	return best;
}

const struct http_route *
http_route_find(const struct http_route *rows, struct str path)
{
	const struct http_route *best = NULL;

	for (; rows->prefix != NULL; rows++)
		if (route_fits(rows, path) && is_longer(rows, best))
			best = rows;
	return best;
}
