/*
 * http.h - requests by HTTP as whoever answers them sees them: routes, what came,
 * and answers.
 *
 * A module names its routes in a table (struct module, .routes); each host where it
 * is in force has them.  A request belongs to the shard of its connection, and stays
 * there:
 *
 *	its head is there: host by Host, the longest prefix, methods, CORS
 *	     v
 *	begin(m, r) --------------------------- answers at once, by http_answer(), or
 *	     |  |                               http_answer_file(), or http_begin()
 *	     |  '-- http_hold(r): waits for the store, the disk ... and answers then
 *	     v
 *	http_want_body(r) --> body(m, r, part) ... whole(m, r) --> answers
 *	                      place(m, r), placed(m, r, n)
 *	                       http_pause(r), http_resume(r)
 *	     v
 *	done(r): it is over, with or without an answer, and r is freed
 *
 * The client may go at any moment (which is seen when it is read, or written to), the
 * time of a body may end, a reload may take the
 * module or the host away, and the server may stop: the core then answers what
 * there is to answer, and gone(r) is called, once, unless all of the answer is the
 * core's already.  From there on http_is_gone(r) holds, and what is answered goes
 * nowhere.  The module stays in memory until done() has returned, so nobody looks
 * for its code.
 *
 * What a client says of itself proves nothing: authentication is the handler's, never
 * that of a path.  HEAD, OPTIONS, preflights (CORS), unknown hosts and paths, wrong
 * methods, malformed requests, too slow ones, Date, Content-Length, Connection,
 * keep-alive and what is pipelined are the core's.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/http_from.h"

struct buf;
struct config;
struct config_host;
struct disk_file;
struct host;
struct http_head;
struct http_request;
struct module_ctx;
struct shard;
struct tls_set;

/* Methods of a route, or-ed.  HEAD goes with GET, and OPTIONS is answered for all. */
enum http_allow {
	HTTP_ALLOW_GET = 1,
	HTTP_ALLOW_POST = 2,
	HTTP_ALLOW_PUT = 4,
	HTTP_ALLOW_DELETE = 8,
};

/*
 * What pages of other origins may do (Fetch, CORS protocol), without credentials:
 * they use the methods of the route, and read its answers, errors too.  Which
 * origins that are, `cors_origins' of the host says; all, as it stands.
 */
struct http_cors {
	const char *headers; /* that requests may bring: "Authorization,
			      * Content-Type"; NULL: none but what is safe */
	const char *expose;  /* of answers, that a page may read; NULL: the same */
};

/* One row of a module's table, which ends with { .prefix = NULL }.  Functions run on
 * the shard of the request; m is the module at its host, valid for the turn. */
struct http_route {
	/* "/upload": that path, and all below it, by whole segments and as it is
	 * sent (still percent-encoded); of several the longest counts.  It begins with
	 * '/', and does not end with one, unless it is "/".  What below it is a
	 * secret has a part of more than 16 bytes, of which the log shows 8, and
	 * nothing behind it. */
	const char *prefix;
	bool exact;       /* nothing below it */
	unsigned methods; /* enum http_allow, or-ed; others get 405 */
	const struct http_cors *cors; /* NULL: pages of other origins may not */
	size_t state;     /* bytes at r->state, zeroed */

	/* A request is there, but its body: answers, holds it, or asks for the body;
	 * one or more of these before it returns. */
	void (*begin)(struct module_ctx *m, struct http_request *r);
	/* After http_want_body(): n > 0 bytes came; borrowed.  Never from within a call
	 * of the handler's.  NULL with whole: it never asks. */
	void (*body)(struct module_ctx *m, struct http_request *r,
		struct str part);
	/* Where the next bytes of it may be put, *n_out > 0 at most, such as into the
	 * buffer of a file (disk_draft_place()); NULL: nowhere now.  Asked before
	 * more is read, and maybe asked again.  placed() tells that n > 0 are
	 * there; what comes otherwise is told by body() all the same.  Neither is
	 * called from within a call of the handler's.  Both or none. */
	char *(*place)(struct module_ctx *m, struct http_request *r,
		size_t *n_out);
	void (*placed)(struct module_ctx *m, struct http_request *r, size_t n);
	/* All of it has come. */
	void (*whole)(struct module_ctx *m, struct http_request *r);
	/* After http_write() has answered false: there is room again.  May be NULL. */
	void (*room)(struct module_ctx *m, struct http_request *r);
	/* It will not be answered any more; it may be held still.  May be NULL. */
	void (*gone)(struct http_request *r);
	/* The last call: nobody holds it, and all is answered, or it is gone.  Frees
	 * what r->state holds.  May be NULL. */
	void (*done)(struct http_request *r);
};

/* What the core shows of a request; read only. */
struct http_request {
	struct shard *shard;
	const struct http_route *route;
	struct str domain;  /* prepared, of the host that was asked for; "" where a
			     * route of the server itself is for all */
	/* Method, target, headers: see http_parse.h; valid until done(). */
	const struct http_head *head;
	struct str rest;    /* of its path, behind the prefix: "", or what begins
			     * with '/'; no segment is "." or "..", or has a '/' or a
			     * NUL encoded */
	struct http_from from; /* who asks */
	int64_t body_bytes; /* of it that came so far */
	void *state;        /* the handler's own; NULL: it has none */
};

/* Headers that an answer may have of its handler. */
#define HTTP_FIELDS_MAX 16

/* A header of an answer, borrowed for the call.  name is our own text; of value,
 * what may not stand in one (CR, LF, NUL and other controls) is left out.  A list of
 * them ends with { .name = NULL }. */
struct http_field {
	const char *name;
	struct str value;
};

/* --- owner shard: a request ------------------------------------------------- */

/* Its host as it is now, for this turn; NULL: a reload has removed it, or it was
 * asked of none. */
struct host *http_host(const struct http_request *r);
/* The module whose route it is, there; NULL: it is not in force any more, and r is
 * gone, or the route is the server's own. */
struct module_ctx *http_module(const struct http_request *r);

/*
 * Asks for its body, of max_bytes at most, which then comes by body() and whole(),
 * also when there is none: whole() alone.  100 (Continue) goes out where it was waited
 * for (RFC 9110 §10.1.1).  False: it says that it is longer, and 413 is the answer.
 * When it becomes longer, that is the answer then; both are as http_answer().
 * A body that moves too slowly (limits: http_bytes_per_second) ends with 408.
 */
bool http_want_body(struct http_request *r, uint64_t max_bytes);
/* Stops and starts the body; a client that is not read is slowed by TCP, and its time
 * does not run. */
void http_pause(struct http_request *r);
void http_resume(struct http_request *r);

/* Before a file is opened for it, and http_answer_file() is called: true, and it counts
 * among those that its address fetches (limits: http_files_per_address) until r is over.
 * False: it fetches too many; 429 is the answer. */
bool http_want_file(struct http_request *r);

/* Keeps r in memory beyond this call, while somebody else works for it; each hold has
 * one http_let_go(), on the same shard.  r may be freed when that returns. */
void http_hold(struct http_request *r);
void http_let_go(struct http_request *r);
/* Nobody waits for an answer. */
bool http_is_gone(const struct http_request *r);

/* Appends the address of host for people and clients, without a '/' at its end:
 * "https://example.org:5281"; `public_url' of it, or else the first port of
 * kind https or web that is open, or http.  False: there is none. */
bool http_public_url(const struct shard *sh, const struct host *host,
	struct buf *out);

/* Why no address that begins with https:// can be told for the host h, in words, with
 * what would help; NULL: one can.  tls may be NULL.  Any thread. */
const char *http_hindrance(const struct config *c, const struct config_host *h,
	const struct tls_set *tls);

/* --- any thread: the first page ------------------------------------------------- */

/* Argument of HOOK_HTTP_PAGE, the page at "/": append paragraphs, as HTML. */
struct http_page {
	struct shard *shard;
	struct host *host;
	struct buf *html;
};
/* Appends text so that it is text in HTML, also within quotes. */
void http_escape(struct str text, struct buf *out);

/* --- owner shard: exactly one answer to each request -------------------------- */

/*
 * Each of these is the answer to r, whether all of its body came or not; nothing more
 * is told of the body.  fields may be NULL.  Date, Content-Length,
 * Connection, X-Content-Type-Options and what CORS wants are added, and, where fields
 * do not have them: Cache-Control: no-store, Content-Security-Policy (nothing is
 * loaded, framed or run) and Referrer-Policy; with 429 and 503 Retry-After.  One to
 * HEAD has the head alone.  A body that nobody has asked for is read and dropped, where
 * it is short, or else the connection ends behind the answer.
 */

/* With a text of our own, which is sent as it is: plain, unless fields have
 * Content-Type.  STR_NONE: the name of the status, and a line's end; for 204 and 304
 * nothing. */
void http_answer(struct http_request *r, unsigned status,
	const struct http_field *fields, struct str text);

/*
 * After http_want_file(): 200 with a file, or 206, 304, 412, 416, as the conditions of
 * r and its Range say (RFC 9110 §13, §14).  file is taken.  fields has Content-Type, and Cache-Control,
 * Content-Disposition ... where they are wanted: 304 has those that §15.4.5 names.
 */
struct http_file {
	struct disk_file *file; /* open for reading; taken */
	uint64_t size;
	int64_t changed_us;     /* wall clock; 0: no Last-Modified */
	struct str etag;        /* with its quotes, strong; STR_NONE: none */
};
void http_answer_file(struct http_request *r, const struct http_file *file,
	const struct http_field *fields);

/* One whose body comes in parts: of length bytes in all, or (-1) as long as it
 * is, chunked; to a client of HTTP/1.0 until the connection ends.  http_end() is the
 * last; short of length it breaks the connection. */
void http_begin(struct http_request *r, unsigned status,
	const struct http_field *fields, int64_t length);
/* False: p is taken, and enough is on its way: room() follows. */
bool http_write(struct http_request *r, const void *p, size_t n);
void http_end(struct http_request *r);

#endif
