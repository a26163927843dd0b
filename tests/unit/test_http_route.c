/*
 * test_http_route.c - which route a path has.
 */
#include "config.h"

#include "http/http_route.h"

#include "base/arena.h"
#include "base/err.h"
#include "http/http.h"

#include "test.h"

static void
on_begin(struct module_ctx *m, struct http_request *r)
{
	(void)m;
	(void)r;
}

#define ROUTE(path)                                                            \
	{ .prefix = path, .methods = HTTP_ALLOW_GET, .begin = on_begin }

static const struct http_route rows[] = {
	ROUTE("/upload"),
	ROUTE("/upload/sub"),
	{ .prefix = "/", .exact = true, .methods = HTTP_ALLOW_GET,
		.begin = on_begin },
	ROUTE("/a%20b"),
	{ .prefix = NULL },
};

static const struct http_route all_below[] = {
	ROUTE("/"),
	{ .prefix = "/health", .exact = true, .methods = HTTP_ALLOW_GET,
		.begin = on_begin },
	{ .prefix = NULL },
};

static const struct {
	const char *path, *prefix, *below;
} find_cases[] = {
	{ "/", "/", "/" },
	{ "/upload", "/upload", "/" },
	{ "/upload/", "/upload", "/" },
	{ "/upload/x/y", "/upload", "/" },
	{ "/uploads", NULL, "/" },
	{ "/Upload", NULL, "/" },
	{ "/%75pload", NULL, "/" },
	{ "//upload", NULL, "/" },
	{ "/upload/sub", "/upload/sub", "/" },
	{ "/upload/sub/z", "/upload/sub", "/" },
	{ "/upload/subs", "/upload", "/" },
	{ "/a%20b/c", "/a%20b", "/" },
	{ "/a b/c", NULL, "/" },
	{ "/health", NULL, "/health" },
	{ "/health/", NULL, "/" },
	{ "", NULL, NULL },
	{ "*", NULL, NULL },
	{ "upload", NULL, NULL },
};

TEST(http_route_find_takes_the_longest_prefix_by_whole_segments)
{
	for (size_t i = 0; i < COUNT(find_cases); i++) {
		const char *path = find_cases[i].path;
		const struct http_route *r, *below;

		TEST_CASE(path);
		r = http_route_find(rows, str_c(path));
		below = http_route_find(all_below, str_c(path));
		CHECK_CSTR(r != NULL ? r->prefix : "none",
			find_cases[i].prefix != NULL ? find_cases[i].prefix :
						       "none");
		CHECK_CSTR(below != NULL ? below->prefix : "none",
			find_cases[i].below != NULL ? find_cases[i].below :
						      "none");
	}
}

TEST(http_routes_add_refuses_a_prefix_that_another_module_has)
{
	struct arena *a = arena_new();
	struct http_routes *all = NULL;
	struct err err = ERR_INIT;

	CHECK(http_routes_find(NULL, STR("/")) == NULL);
	CHECK(http_routes_add(&all, a, NULL, NULL, &err));
	CHECK(all == NULL);
	CHECK(http_routes_add(&all, a, rows, NULL, &err));
	CHECK(http_routes_find(all, STR("/upload/sub/z"))->route == &rows[1]);
	CHECK(!http_routes_add(&all, a, all_below, NULL, &err));
	CHECK_CSTR(err.text, "another module has the route \"/\"");
	arena_free(a);
}

static const struct {
	struct http_route route;
	const char *why;
} mistakes[] = {
	{ ROUTE("/upload"), NULL },
	{ ROUTE("/"), NULL },
	{ ROUTE("upload"), "does not begin with '/', or ends with one" },
	{ ROUTE(""), "does not begin with '/', or ends with one" },
	{ ROUTE("/upload/"), "does not begin with '/', or ends with one" },
	{ { .prefix = "/x", .begin = on_begin }, "has no methods" },
	{ { .prefix = "/x", .methods = HTTP_ALLOW_PUT }, "has no begin()" },
	{ { .prefix = "/x", .methods = HTTP_ALLOW_PUT, .begin = on_begin,
		  .whole = on_begin },
		"has only one of body() and whole()" },
};

TEST(http_route_mistake_tells_what_cannot_be_used)
{
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		const char *why = http_route_mistake(&mistakes[i].route);

		TEST_CASE(mistakes[i].route.prefix);
		CHECK_CSTR(why != NULL ? why : "none",
			mistakes[i].why != NULL ? mistakes[i].why : "none");
	}
}

TEST_MAIN
