/*
 * http_exchange.h - what the files of this folder share: a connection, and what is asked
 * by it now.
 *
 * Owner shard.  An idle connection has no exchange, and so no parser and no buffer.
 *
 *   idle --first byte--> head --its end--> wanted --http_want_body()--> body --> end
 *                          |                 |                           |
 *                          | malformed,      '- the answer: what is left of a body
 *                          v time               is dropped, or the connection ends
 *                        answered
 *
 *   none --http_begin()--> parts --http_end()--> done --all has been read--> idle
 *        --http_answer_file()--> file --sent---->
 *        --http_answer()------------------------>
 */
#ifndef HTTP_HTTP_EXCHANGE_H
#define HTTP_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/tag.h"
#include "base/timer.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/module_ctx.h"
#include "core/shard.h"
#include "http/http.h"
#include "http/http_parse.h"

/* What of a request is read. */
enum http_in {
	IN_HEAD,
	IN_WANTED, /* a body, perhaps, of which the handler has said nothing yet */
	IN_BODY,   /* is handed on; dropped once there is an answer */
	IN_END,
};

/* What of its answer is queued. */
enum http_out {
	OUT_NONE,
	OUT_PARTS, /* the handler writes it */
	OUT_FILE,  /* the disk sends it */
	OUT_DONE,
};

/* What the timer of a connection is for. */
enum http_wait {
	WAIT_NONE,
	WAIT_NEXT,   /* another request */
	WAIT_HEAD,   /* the whole of one */
	WAIT_BODY,   /* that one moves */
	WAIT_ANSWER, /* that it is taken */
	WAIT_STOP,   /* the server stops */
};

/* One request, and its answer. */
struct http_exchange {
	struct http_request r; /* first */
	uint32_t tag;
	struct http_conn *c;   /* NULL: it has ended, or is gone */
	struct http_parser *parser;
	char *domain;          /* what r.domain says; or NULL */
	struct module_entry *entry; /* held until done(); NULL: no module's */
	enum http_in in;
	enum http_out out;
	uint64_t body_max;
	uint64_t dropped;      /* bytes of it that nobody wanted */
	struct disk_file *file; /* that is sent */
	struct share *share;   /* of who asks, */
	size_t held;           /* and what counts in it: http_memory.c */
	int64_t left;          /* of parts; -1: they are chunked, or end with the
				* connection */
	int64_t since_us;      /* its first byte */
	uint64_t bytes;        /* of the answer, its head too */
	unsigned holds;
	unsigned status;       /* 0: none yet */
	bool close;            /* the connection ends behind it */
	bool chunked;          /* the answer */
	bool bodyless;         /* the same: to HEAD, 204, 304 */
	bool paused;           /* by the handler */
	bool wants_room;
	bool is_gone;
	bool counted;          /* among the bodies of its address */
	bool counted_client;   /* as a connection of who asks by a proxy */
	bool counted_file;     /* among the files that its address fetches */
	bool wants_file;       /* http_want_file() was called */
	bool handled;          /* begin() was called, and done() was not */
	struct turn_end end;   /* done(), and then it is freed */
};

struct http_conn {
	struct listen_peer peer;  /* first */
	struct http_exchange *x;  /* NULL: it is idle */
	struct buf rest;          /* came, and was not read yet */
	const char *placed;       /* where the handler wants what is read now, or
				   * NULL */
	struct turn_end go;       /* it goes on at the end of the turn */
	struct timer timer;
	uint64_t window;          /* bytes when that was set: WAIT_BODY, WAIT_ANSWER */
	int64_t requests;
	enum http_wait wait;
	int64_t due_us;           /* its end */
	bool running;
	bool full;                /* the next request waits until it is drained */
	bool leaving;
};

static inline struct http_exchange *
http_exchange_of(const struct http_request *r)
{
	struct http_exchange *x = (struct http_exchange *)(uintptr_t)r;

	TAG_CHECK(x, "http");
	return x;
}

static inline const struct config_limits *
http_limits(const struct http_exchange *x)
{
	return &x->r.shard->snap->config->limits;
}

/* --- http_conn.c ------------------------------------------------------------- */

/* Of the connection of a port; and its listen_kind.follow, .leave. */
extern const struct conn_events http_conn_events;
void http_conn_follow(struct listen_peer *p);
bool http_conn_leave(struct listen_peer *p);
/* c goes on with what it has, at the end of the turn. */
void http_conn_go(struct http_conn *c);
/* The answer of x is queued, or is to be: nothing more of it is the handler's. */
void http_exchange_answered(struct http_exchange *x);
/* done() at the end of the turn, if it is time for that. */
void http_exchange_check(struct http_exchange *x);

/* --- http_request.c ---------------------------------------------------------- */

/* Its head is there: answers, or calls the handler. */
void http_request_begin(struct http_exchange *x);
void http_request_body(struct http_exchange *x, struct str part);
/* NULL: it wants it nowhere. */
char *http_request_place(struct http_exchange *x, size_t *n_out);
void http_request_placed(struct http_exchange *x, size_t n);
void http_request_whole(struct http_exchange *x);
/* "GET, HEAD, OPTIONS": methods is enum http_allow, or-ed. */
void http_allow_add(unsigned methods, struct buf *out);
/* Nobody waits for an answer any more; tells the handler. */
void http_request_gone(struct http_exchange *x);
/* Is the route of x still in force? */
bool http_request_has_home(const struct http_exchange *x);
/* done() of the handler, whose module may leave then. */
void http_request_done(struct http_exchange *x);

/* --- http_memory.c ----------------------------------------------------------- */

/* What x holds has changed; or all of it will be freed. */
void http_memory_count(struct http_exchange *x);
void http_memory_forget(struct http_exchange *x);
/* It counts in that share from now on, as does what its connection has queued. */
void http_memory_of(struct http_exchange *x, struct share *share);
/* Memory is short, and who asks has more of it than others: that is answered. */
bool http_memory_refuses(struct http_exchange *x);

/* --- http_client.c ----------------------------------------------------------- */

/* Who asks is known: counts him, where the connection is that of a proxy.  False: he
 * has too many; that is answered. */
bool http_client_count(struct http_exchange *x);
void http_client_count_off(struct http_exchange *x);
/* It has a body.  False: its address sends too many; that is answered. */
bool http_client_takes_body(struct http_exchange *x);
void http_client_drops_body(struct http_exchange *x);
/* No file is open for it any more. */
void http_client_drops_file(struct http_exchange *x);

/* --- http_answer.c ----------------------------------------------------------- */

/* http_answer() by the server itself; text is static, and for people. */
void http_refuse(struct http_exchange *x, unsigned status, const char *text,
	const struct http_field *fields);
/* One that may be sent again soon, with 429 (RFC 6585 §4) or 503: counted, and told in
 * the log; limit is what is reached. */
void http_refuse_for_now(struct http_exchange *x, unsigned status,
	const char *text, const char *limit);
/* The status line and all headers; length -1: not known. */
void http_answer_head(struct http_exchange *x, unsigned status,
	const struct http_field *fields, int64_t length);
/* The connection has room. */
void http_answer_room(struct http_exchange *x);

/* --- http_plain.c ------------------------------------------------------------ */

/* What was asked of host in the clear by strangers can be asked by TLS: sends them
 * there.  False: nothing is answered. */
bool http_plain_answer(struct http_exchange *x, struct host *host);

/* --- http_acme.c ------------------------------------------------------------- */

/* Of a route of the server itself. */
void http_acme_begin(struct module_ctx *m, struct http_request *r);

/* --- http_cors.c -------------------------------------------------------------- */

/* Headers of an answer to r, also of one to a preflight. */
void http_cors_add(const struct http_request *r, struct buf *out);

/* --- http_pages.c -------------------------------------------------------------- */

/* Routes of the server itself: of all hosts, unknown ones too, and of known ones. */
extern const struct http_route http_routes_any[];
extern const struct http_route http_routes_host[];

/* --- http_log.c ---------------------------------------------------------------- */

void http_log(const struct http_exchange *x);
/* It was refused for that; not each of many. */
void http_log_refused(const struct http_exchange *x, const char *limit);

#endif
