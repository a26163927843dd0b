/*
 * http_scene.h - a server in one thread with routes of a test, as if a module of
 * example.org had them.
 */
#ifndef TESTS_UNIT_HTTP_SCENE_H
#define TESTS_UNIT_HTTP_SCENE_H

#include "c2s_world.h"
#include "core/module_ctx.h"
#include "http/http.h"

struct scene {
	struct world world;
	struct module_entry entry;
	struct module_ctx *m; /* of the snapshot in force */
};

/* What routes of a scene have seen. */
struct scene_log {
	unsigned begun, whole, gone, done, room;
	size_t bytes;
	size_t placed; /* of those: where /place wanted them */
	struct http_request *held; /* by /hold, until scene_let_go() */
	struct buf body;
};
extern struct scene_log scene_log;

/* As world_init(), with the routes:
 *	/now	GET: answers "now"
 *	/echo	GET, POST: the number of bytes and the body, up to 1000
 *	/place	POST: as /echo, to places of 8 bytes
 *	/put	PUT: takes up to 1 MiB, answers 201; CORS
 *	/hold	GET, PUT: waits for the test
 *	/parts	GET: in parts, chunked; ?n says how many of 10 KiB
 *	/length	GET: the same with a length
 *	/no	PUT: answers 403 without its body
 */
void scene_init(struct scene *s, const char *more, const char *host);
void scene_done(struct scene *s);
/* Puts the routes into the snapshot in force; again after a reload. */
void scene_attach(struct scene *s);
/* The body of an answer of HTTP/1.1, its chunks put together; and the length of it all,
 * 0: it is not whole. */
size_t scene_answer(struct str got, struct buf *body_out);

#endif
