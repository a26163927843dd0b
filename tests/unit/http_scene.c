/*
 * http_scene.c - routes for tests of the HTTP server.
 */
#include "config.h"

#include "http_scene.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/host.h"
#include "http/http_parse.h"
#include "http/http_route.h"
#include "module/module.h"
#include "test.h"

#define PART_BYTES 10240

struct scene_log scene_log;

struct parts {
	unsigned left;
	bool has_length;
};

static void
on_now(struct module_ctx *m, struct http_request *r)
{
	CHECK(m != NULL && m == http_module(r));
	scene_log.begun++;
	http_answer(r, 200, NULL, STR("now"));
}

static void
on_no(struct module_ctx *m, struct http_request *r)
{
	(void)m;
	scene_log.begun++;
	http_answer(r, 403, NULL, STR_NONE);
}

static void
on_want(struct module_ctx *m, struct http_request *r)
{
	(void)m;
	scene_log.begun++;
	(void)http_want_body(r, str_is(r->head->path, "/put") ? 1 << 20 : 1000);
}

static void
on_body(struct module_ctx *m, struct http_request *r, struct str part)
{
	CHECK(m != NULL && !http_is_gone(r));
	CHECK(part.n > 0);
	scene_log.bytes += part.n;
	buf_add_str(&scene_log.body, part);
}

static void
on_echo(struct module_ctx *m, struct http_request *r)
{
	struct buf out = BUF_INIT;

	(void)m;
	scene_log.whole++;
	buf_printf(&out, "%zu:%.*s", scene_log.bytes,
		STR_ARG(buf_str(&scene_log.body)));
	http_answer(r, 200, NULL, buf_str(&out));
	buf_done(&out);
	scene_log.bytes = 0;
	scene_log.body.n = 0;
}

static char places[8];

static char *
on_place(struct module_ctx *m, struct http_request *r, size_t *n_out)
{
	CHECK(m != NULL && !http_is_gone(r));
	*n_out = sizeof(places);
	return places;
}

static void
on_placed(struct module_ctx *m, struct http_request *r, size_t n)
{
	CHECK(n > 0 && n <= sizeof(places));
	on_body(m, r, (struct str){ places, n });
	scene_log.placed += n;
	memset(places, 0, sizeof(places));
}

static void
on_put(struct module_ctx *m, struct http_request *r)
{
	static const struct http_field fields[] = {
		{ "Location", STR("/get/1\r\nX-Evil: 1") },
		{ .name = NULL },
	};

	(void)m;
	scene_log.whole++;
	http_answer(r, 201, fields, STR_NONE);
}

static void
on_hold(struct module_ctx *m, struct http_request *r)
{
	(void)m;
	scene_log.begun++;
	CHECK(scene_log.held == NULL);
	scene_log.held = r;
	http_hold(r);
}

static void
parts_write(struct http_request *r)
{
	struct parts *p = r->state;
	char part[PART_BYTES];

	memset(part, 'x', sizeof(part));
	while (p->left > 0) {
		p->left--;
		if (!http_write(r, part, sizeof(part)))
			return;
	}
	http_end(r);
}

static void
on_parts(struct module_ctx *m, struct http_request *r)
{
	struct parts *p = r->state;

	(void)m;
	scene_log.begun++;
	p->left = r->head->query.p != NULL ?
		(unsigned)atoi(r->head->query.p) : 3;
	p->has_length = str_is(r->head->path, "/length");
	http_begin(r, 200, NULL,
		p->has_length ? (int64_t)p->left * PART_BYTES : -1);
	parts_write(r);
}

static void
on_room(struct module_ctx *m, struct http_request *r)
{
	CHECK(m != NULL);
	scene_log.room++;
	parts_write(r);
}

static void
on_gone(struct http_request *r)
{
	CHECK(http_is_gone(r));
	scene_log.gone++;
}

static void
on_done(struct http_request *r)
{
	(void)r;
	scene_log.done++;
}

static const struct http_cors put_cors = {
	.headers = "Authorization, Content-Type",
	.expose = "Location",
};

#define ENDS .gone = on_gone, .done = on_done

static const struct http_route routes[] = {
	{ .prefix = "/now", .methods = HTTP_ALLOW_GET, .begin = on_now, ENDS },
	{ .prefix = "/echo", .methods = HTTP_ALLOW_GET | HTTP_ALLOW_POST,
		.begin = on_want, .body = on_body, .whole = on_echo, ENDS },
	{ .prefix = "/place", .methods = HTTP_ALLOW_POST, .begin = on_want,
		.body = on_body, .place = on_place, .placed = on_placed,
		.whole = on_echo, ENDS },
	{ .prefix = "/put", .methods = HTTP_ALLOW_PUT, .cors = &put_cors,
		.begin = on_want, .body = on_body, .whole = on_put, ENDS },
	{ .prefix = "/no", .methods = HTTP_ALLOW_PUT, .begin = on_no, ENDS },
	{ .prefix = "/hold", .methods = HTTP_ALLOW_GET | HTTP_ALLOW_PUT,
		.begin = on_hold, .body = on_body, .whole = on_put, ENDS },
	{ .prefix = "/parts", .methods = HTTP_ALLOW_GET, .begin = on_parts,
		.state = sizeof(struct parts), .room = on_room, ENDS },
	{ .prefix = "/length", .methods = HTTP_ALLOW_GET, .begin = on_parts,
		.state = sizeof(struct parts), .room = on_room, ENDS },
	{ .prefix = NULL },
};

static const struct module module = { .name = "scene" };

void
scene_attach(struct scene *s)
{
	struct snapshot *snap = s->world.server->newest;
	struct host *host = snapshot_host(snap, STR("example.org"));
	struct err err = ERR_INIT;

	host->modules[0] = (struct module_ctx){
		.module = &module, .host = host, .entry = &s->entry };
	host->n_modules = 1;
	atomic_fetch_add(&s->entry.refs, 1);
	s->m = &host->modules[0];
	CHECK(http_routes_add(&host->routes, snap->arena, routes, s->m, &err));
}

void
scene_init(struct scene *s, const char *more, const char *host)
{
	memset(s, 0, sizeof(*s));
	buf_done(&scene_log.body);
	memset(&scene_log, 0, sizeof(scene_log));
	world_init(&s->world, 1, more, host);
	listen_follow(s->world.server->shards[0]);
	scene_attach(s);
}

void
scene_done(struct scene *s)
{
	world_done(&s->world);
	CHECK_INT(atomic_load(&s->entry.pending), 0);
	CHECK_INT(scene_log.done, scene_log.begun);
	buf_done(&scene_log.body);
}

/* --- answers ------------------------------------------------------------------ */

static size_t
chunks_read(struct str at, struct buf *out)
{
	const char *begin = at.p;

	for (;;) {
		char *end;
		size_t n = strtoul(at.p, &end, 16);

		if (strncmp(end, "\r\n", 2) != 0 ||
			(size_t)(end - at.p) + 2 + n + 2 > at.n)
			return 0;
		buf_add(out, end + 2, n);
		end += 2 + n;
		CHECK(strncmp(end, "\r\n", 2) == 0);
		at = (struct str){ end + 2,
			at.n - (size_t)(end + 2 - at.p) };
		if (n == 0)
			return (size_t)(at.p - begin);
	}
}

size_t
scene_answer(struct str got, struct buf *out)
{
	const char *end = memmem(got.p, got.n, "\r\n\r\n", 4);
	size_t head = end != NULL ? (size_t)(end - got.p) + 4 : 0;
	const char *length, *chunked;
	size_t n;

	if (end == NULL)
		return 0;
	chunked = memmem(got.p, head, "Transfer-Encoding: chunked\r\n", 28);
	length = memmem(got.p, head, "Content-Length: ", 16);
	if (chunked != NULL) {
		CHECK(length == NULL);
		n = chunks_read((struct str){ got.p + head, got.n - head },
			out);
		return n != 0 ? head + n : 0;
	}
	n = length != NULL ? (size_t)atoi(length + 16) : 0;
	if (got.n < head + n)
		return 0;
	buf_add(out, got.p + head, n);
	return head + n;
}
