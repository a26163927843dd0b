/*
 * http_conn.c - connections by which requests come: one request after the other is
 * read, handed on and answered, in the time that it has.
 *
 * Owner shard.  Invariant: what came and was not read lies in rest, and while there
 * is any, or nobody wants more, nothing is read from the network.  So rest has what
 * one call of the network brings, at most.
 */
#include "config.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "net/conn.h"
#include "disk/disk.h"
#include "http/http_exchange.h"

/* Answers of so many bytes wait at once: who sends requests without reading what
 * comes back is not read further. */
#define QUEUED_MAX ((size_t)64 * 1024)
/* Of a body that nobody has asked for, to keep the connection. */
#define DROPPED_MAX ((uint64_t)64 * 1024)
/* What moves is looked at so often: a reader's system takes nothing for a while, as
 * long as its buffer is full. */
#define WINDOW_S 30

static struct http_conn *
http_conn_arg(void *arg)
{
	return CONTAINER_OF((struct listen_peer *)arg, struct http_conn, peer);
}

static void on_http_go(struct turn_end *t);
static void http_conn_run(struct http_conn *c, struct str in);

void
http_conn_go(struct http_conn *c)
{
	c->go.fn = on_http_go;
	if (!c->running)
		shard_at_end(c->peer.shard, &c->go);
}

/* --- one request ------------------------------------------------------------ */

static void
exchange_new(struct http_conn *c)
{
	struct shard *sh = c->peer.shard;
	const struct config_limits *l = &sh->snap->config->limits;
	struct http_bounds bounds = {
		.head_bytes = (size_t)l->http_head_bytes,
		.target_bytes = (size_t)l->http_target_bytes,
		.headers = (unsigned)l->http_headers,
	};
	struct http_exchange *x = xcalloc(1, sizeof(*x));

	memuse_add(MEMUSE_HTTP, x);
	TAG_SET(x, "http");
	x->r.shard = sh;
	x->r.domain = STR("");
	x->c = c;
	x->parser = http_parser_new(&bounds);
	x->since_us = sh->now_us;
	x->share = conn_share(c->peer.conn);
	c->x = x;
	c->requests++;
	c->wait = WAIT_NONE;
	sh->stats.http_requests++;
}

static void
exchange_free(struct http_exchange *x)
{
	http_memory_forget(x);
	http_client_drops_file(x);
	disk_file_close(x->file);
	http_parser_free(x->parser);
	free(x->domain);
	TAG_CLEAR(x);
	memuse_remove(MEMUSE_HTTP, x);
	free(x);
}

/* Behind the handler; true: x is freed. */
static bool
exchange_settle(struct http_exchange *x)
{
	bool over = x->c == NULL;

	if (x->holds != 0 ||
		(!over && x->out != OUT_FILE && x->out != OUT_DONE))
		return false;
	http_request_done(x);
	if (over)
		exchange_free(x);
	return over;
}

static void
on_exchange_end(struct turn_end *t)
{
	(void)exchange_settle(CONTAINER_OF(t, struct http_exchange, end));
}

void
http_exchange_check(struct http_exchange *x)
{
	x->end.fn = on_exchange_end;
	if (x->holds == 0 && (x->c == NULL || x->handled))
		shard_at_end(x->r.shard, &x->end);
}

/* The connection has no more to do with it. */
static void
exchange_over(struct http_exchange *x)
{
	struct http_conn *c = x->c;

	http_log(x);
	http_request_gone(x);
	http_client_count_off(x);
	/* one that is being opened still goes when it is let go of */
	if (x->holds == 0)
		http_client_drops_file(x);
	c->x = NULL;
	c->wait = WAIT_NONE;
	x->c = NULL;
	http_memory_count(x);
}

void
http_exchange_answered(struct http_exchange *x)
{
	http_exchange_check(x);
	http_conn_go(x->c);
}

/* It can go no further as it is: 0, or why, if there is no answer yet. */
static void
exchange_fail(struct http_exchange *x, unsigned status, const char *text)
{
	x->close = true;
	if (x->out == OUT_NONE && status != 0) {
		http_request_gone(x);
		http_refuse(x, status, text, NULL);
	} else if (x->out != OUT_DONE) {
		conn_abort(x->c->peer.conn);
	}
}

/* --- reading it ------------------------------------------------------------- */

static bool
exchange_reads(const struct http_exchange *x)
{
	switch (x->in) {
	case IN_HEAD:
		return true;
	case IN_WANTED:
		return x->out == OUT_DONE;
	case IN_BODY:
		return x->out == OUT_DONE ||
			(!x->paused && x->out != OUT_FILE);
	case IN_END:
		return false;
	}
	return false;
}

static void
exchange_drop(struct http_exchange *x, size_t n)
{
	x->dropped += n;
	if (x->dropped > DROPPED_MAX)
		x->close = true;
}

static void
exchange_body(struct http_exchange *x, struct str part)
{
	x->r.body_bytes += (int64_t)part.n;
	x->r.shard->stats.http_bytes_in += part.n;
	if (x->out == OUT_DONE || x->in != IN_BODY)
		exchange_drop(x, part.n);
	else if ((uint64_t)x->r.body_bytes > x->body_max)
		exchange_fail(x, 413, "It is larger than it may be.");
	else if (part.p == x->c->placed)
		http_request_placed(x, part.n);
	else
		http_request_body(x, part);
}

static void
exchange_end(struct http_exchange *x)
{
	bool wanted = x->in == IN_BODY && x->out != OUT_DONE;

	x->in = IN_END;
	if (wanted)
		http_request_whole(x);
}

/* False: more has to come. */
static bool
exchange_read(struct http_exchange *x, struct str *in)
{
	struct http_bad bad = { .status = 0 };
	struct str part;

	switch (http_parser_next(x->parser, in, &part, &bad)) {
	case HTTP_MORE:
		return false;
	case HTTP_HEAD:
		x->in = IN_WANTED;
		http_request_begin(x);
		break;
	case HTTP_BODY:
		exchange_body(x, part);
		break;
	case HTTP_END:
		exchange_end(x);
		break;
	case HTTP_BAD:
		x->in = IN_END;
		exchange_fail(x, (unsigned)bad.status, bad.text);
		break;
	}
	return true;
}

/* --- one after the other ---------------------------------------------------- */

/* Answered, and read as far as it will be.  False: the connection waits, or ends. */
static bool
conn_next(struct http_conn *c)
{
	struct http_exchange *x = c->x;
	struct conn *conn = c->peer.conn;
	bool close = x->close || c->leaving;

	/* what the peer is slow to take has the time of an answer */
	if ((close || conn_queued(conn) > QUEUED_MAX) && !conn_flush(conn)) {
		c->full = true;
		return false;
	}
	exchange_over(x);
	http_exchange_check(x);
	if (close)
		conn_close(conn,
			c->peer.shard->snap->config->limits.close_timeout_us);
	return !close;
}

/* False: there is nothing to do until something comes. */
static bool
conn_step(struct http_conn *c, struct str *in)
{
	struct http_exchange *x = c->x;

	if (!conn_is_open(c->peer.conn) || c->full)
		return false;
	if (x == NULL) {
		if (in->n != 0)
			exchange_new(c);
		return in->n != 0;
	}
	if (x->out == OUT_DONE && (x->close || x->in == IN_END))
		return conn_next(c);
	return exchange_reads(x) && exchange_read(x, in);
}

static void
conn_keep(struct http_conn *c, struct str in)
{
	if (in.n == 0 || !conn_is_open(c->peer.conn))
		return;
	buf_add_str(&c->rest, in);
	memuse_add_part(MEMUSE_HTTP, c->rest.p);
}

static void
conn_let_rest(struct buf *rest)
{
	memuse_remove_part(MEMUSE_HTTP, rest->p);
	buf_done(rest);
}

static void
conn_set_reading(struct http_conn *c)
{
	bool reads = c->rest.n == 0 && !c->full &&
		(c->x == NULL || exchange_reads(c->x));

	/* a file is being sent: the connection is the disk's */
	if (!conn_is_open(c->peer.conn) ||
		(c->x != NULL && c->x->out == OUT_FILE))
		return;
	if (reads)
		conn_resume(c->peer.conn);
	else
		conn_pause(c->peer.conn);
}

static void conn_arm(struct http_conn *c);

/* With what has come just now. */
static void
http_conn_run(struct http_conn *c, struct str in)
{
	struct buf rest = c->rest;

	c->rest = (struct buf)BUF_INIT;
	if (rest.n != 0) {
		memuse_remove_part(MEMUSE_HTTP, rest.p);
		buf_add_str(&rest, in);
		memuse_add_part(MEMUSE_HTTP, rest.p);
		in = buf_str(&rest);
	}
	c->running = true;
	while (conn_step(c, &in))
		;
	c->running = false;
	conn_keep(c, in);
	conn_let_rest(&rest);
	if (c->x != NULL)
		http_memory_count(c->x);
	conn_set_reading(c);
	conn_arm(c);
}

static void
on_http_go(struct turn_end *t)
{
	http_conn_run(CONTAINER_OF(t, struct http_conn, go), STR_NONE);
}

/* --- time ------------------------------------------------------------------- */

static enum http_wait
conn_awaits(const struct http_conn *c)
{
	const struct http_exchange *x = c->x;

	if (c->leaving)
		return WAIT_STOP;
	if (x == NULL)
		return WAIT_NEXT;
	if (x->in == IN_HEAD && x->out == OUT_NONE)
		return WAIT_HEAD;
	if (x->out == OUT_FILE || c->full || x->wants_room)
		return WAIT_ANSWER;
	if (x->in != IN_END && exchange_reads(x))
		return WAIT_BODY;
	return WAIT_NONE;
}

static uint64_t
conn_moved(const struct http_conn *c)
{
	if (c->wait == WAIT_ANSWER)
		return conn_taken(c->peer.conn);
	return (uint64_t)c->x->r.body_bytes;
}

static void on_http_timeout(struct timer *t);

static void
conn_set_timer(struct http_conn *c, int64_t in_us)
{
	shard_timer(c->peer.shard, &c->timer, in_us, on_http_timeout);
}

static void
conn_arm(struct http_conn *c)
{
	const struct config_limits *l = &c->peer.shard->snap->config->limits;
	enum http_wait wait = conn_awaits(c);

	if (wait == c->wait)
		return;
	c->wait = wait;
	switch (wait) {
	case WAIT_NONE:
		shard_timer_cancel(c->peer.shard, &c->timer);
		break;
	case WAIT_NEXT:
		conn_set_timer(c, l->http_idle_timeout_us);
		break;
	case WAIT_HEAD:
		conn_set_timer(c, l->http_head_timeout_us);
		break;
	case WAIT_BODY:
	case WAIT_ANSWER:
		c->window = conn_moved(c);
		conn_set_timer(c, WINDOW_S * US_PER_S);
		break;
	case WAIT_STOP:
		conn_set_timer(c, l->close_timeout_us);
		break;
	}
}

/* The time of a window is over. */
static void
conn_look(struct http_conn *c)
{
	const struct config_limits *l = &c->peer.shard->snap->config->limits;
	uint64_t moved = conn_moved(c) - c->window;

	if (moved >= l->http_bytes_per_second * WINDOW_S)
		c->wait = WAIT_NONE; /* another one */
	else if (c->wait == WAIT_ANSWER)
		conn_abort(c->peer.conn);
	else
		exchange_fail(c->x, 408, "It comes too slowly.");
}

static void
on_http_timeout(struct timer *t)
{
	struct http_conn *c = CONTAINER_OF(t, struct http_conn, timer);

	switch (c->wait) {
	case WAIT_NONE:
		return;
	case WAIT_NEXT:
		conn_close(c->peer.conn,
			c->peer.shard->snap->config->limits.close_timeout_us);
		return;
	case WAIT_HEAD:
		c->x->in = IN_END;
		exchange_fail(c->x, 408, "The request did not come in time.");
		break;
	case WAIT_BODY:
	case WAIT_ANSWER:
		conn_look(c);
		break;
	case WAIT_STOP:
		conn_abort(c->peer.conn);
		return;
	}
	http_conn_run(c, STR_NONE);
}

/* --- events of the connection ------------------------------------------------ */

/* Nothing but what is surely of the body: then all of it is used when it has come, and
 * nobody looks for more there, which the handler may have freed. */
static char *
conn_place_body(struct http_conn *c, size_t *n_out)
{
	struct http_exchange *x = c->x;
	uint64_t next;
	char *p;

	if (x == NULL || x->in != IN_BODY || x->out == OUT_DONE ||
		c->rest.n != 0)
		return NULL;
	next = http_parser_body_next(x->parser);
	p = next != 0 ? http_request_place(x, n_out) : NULL;
	if (p != NULL)
		*n_out = (size_t)MIN((uint64_t)*n_out, next);
	return p;
}

static char *
on_http_place(void *arg, size_t *n_out)
{
	struct http_conn *c = http_conn_arg(arg);
	char *p = conn_place_body(c, n_out);

	c->placed = p;
	return p;
}

static void
on_http_data(void *arg, const char *p, size_t n)
{
	struct http_conn *c = http_conn_arg(arg);

	http_conn_run(c, (struct str){ p, n });
	c->placed = NULL;
}

static void
on_http_drained(void *arg)
{
	struct http_conn *c = http_conn_arg(arg);

	c->full = false;
	if (c->x != NULL && c->x->wants_room)
		http_answer_room(c->x);
	http_conn_run(c, STR_NONE);
}

/* No code of a module is below us: it may go behind this. */
static void
on_http_closed(void *arg, const struct err *why)
{
	struct http_conn *c = http_conn_arg(arg);
	struct shard *sh = c->peer.shard;
	struct http_exchange *x = c->x;

	(void)why;
	shard_timer_cancel(sh, &c->timer);
	shard_not_at_end(&c->go);
	conn_let_rest(&c->rest);
	sh->stats.http_connections--;
	if (x == NULL)
		return;
	exchange_over(x);
	shard_not_at_end(&x->end);
	(void)exchange_settle(x);
}

const struct conn_events http_conn_events = {
	.data = on_http_data,
	.place = on_http_place,
	.drained = on_http_drained,
	.closed = on_http_closed,
};

/* --- reloads, and the stop ------------------------------------------------------ */

/* A reload may have taken the module or the host of what is asked now. */
void
http_conn_follow(struct listen_peer *p)
{
	struct http_conn *c = http_conn_arg(p);
	struct http_exchange *x = c->x;

	if (x == NULL || !x->handled || http_request_has_home(x))
		return;
	exchange_fail(x, 503, "What would answer has been switched off.");
	http_conn_go(c);
}

/* An answer that is on its way has the time that a stream has. */
bool
http_conn_leave(struct listen_peer *p)
{
	struct http_conn *c = http_conn_arg(p);

	if (c->x == NULL || c->x->in == IN_HEAD ||
		!conn_is_open(c->peer.conn))
		return false;
	if (!c->leaving) {
		c->leaving = true;
		http_conn_go(c);
	}
	return true;
}
