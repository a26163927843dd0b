/*
 * newcomer.c - who has come to a port of several kinds: a stream that reads no more
 * than it takes to know what it will be.
 *
 * Owner shard.  Invariant: what waits in first was told to every kind that the port
 * had then, and one of them wants more.  Kinds are looked up by name whenever
 * something comes: a reload may change those of the port, and modules may leave.
 */
#include "config.h"

#include "stream/newcomer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/listen.h"
#include "stream/stream_int.h"

struct newcomer {
	struct stream x;
	struct listen_port *port; /* reference */
	struct buf first;         /* below NEWCOMER_BYTES */
	int64_t since_us, deadline_us;
	int tls; /* enum listen_tls, of the port as it was */
};

static struct newcomer *
newcomer_of(struct stream *x)
{
	return CONTAINER_OF(x, struct newcomer, x);
}

static struct newcomer *
newcomer_arg(void *arg)
{
	struct stream *x = arg;

	TAG_CHECK(x, "strm");
	ASSERT_ON(x->shard);
	/* the loop calls us before the turn has read the clock */
	x->shard->now_us = clock_mono_us(x->shard->server->clock);
	return newcomer_of(x);
}

/* The entry for which he has come; NULL: it is not there any more, or other in what
 * he has been through already. */
static const struct config_listen *
newcomer_entry(const struct newcomer *c)
{
	const struct config_listen *at = listen_entry(c->x.shard, c->port);

	return at != NULL && at->tls == c->tls ? at : NULL;
}

/* --- whose he is ------------------------------------------------------------- */

/* All but the connection, the port and the bytes. */
static void
newcomer_leave(struct newcomer *c)
{
	struct stream *x = &c->x;

	stream_count_known(x);
	stream_wait_free(x);
	stream_leave(x);
	TAG_CLEAR(x);
	memuse_remove(MEMUSE_STREAM, x);
	free(c);
}

/* c is gone when this returns. */
static void
newcomer_give(struct newcomer *c, const struct listen_row *row, struct str told)
{
	struct shard *sh = c->x.shard;
	struct listen_arrival a = {
		.conn = c->x.conn,
		.at = newcomer_entry(c),
		.port = c->port,
		.since_us = c->since_us,
		.counted = c->x.counted,
	};
	struct buf first = c->first;

	log_debug(LOG_STREAM, stream_who(&c->x), "is of kind=%s",
		row->kind->name);
	memuse_remove_part(MEMUSE_STREAM, first.p);
	newcomer_leave(c);
	listen_give(sh, row, &a);
	if (told.n != 0)
		conn_tell_again(a.conn, told.p, told.n);
	listen_port_unref(a.port);
	buf_done(&first);
}

/* False: it is known what comes of him, and c may be gone. */
static bool
newcomer_judge(struct newcomer *c, struct str bytes)
{
	const struct config_listen *at = newcomer_entry(c);
	const struct listen_row *row = NULL;
	bool more = false;

	if (at != NULL)
		row = listen_by_bytes(c->x.shard->snap, at, bytes,
			bytes.n >= NEWCOMER_BYTES, &more);
	if (row != NULL)
		newcomer_give(c, row, bytes);
	else if (!more)
		stream_end(&c->x, STREAM_UNDEFINED_CONDITION, NULL);
	return row == NULL && more;
}

static void
newcomer_keep(struct newcomer *c, const char *p, size_t n)
{
	memuse_remove_part(MEMUSE_STREAM, c->first.p);
	buf_add(&c->first, p, n);
	memuse_add_part(MEMUSE_STREAM, c->first.p);
}

static void
on_newcomer_data(void *arg, const char *p, size_t n)
{
	struct newcomer *c = newcomer_arg(arg);

	if (c->x.stage == STAGE_CLOSED)
		return;
	stream_seen(&c->x);
	if (c->first.n == 0) {
		if (newcomer_judge(c, (struct str){ p, n }))
			newcomer_keep(c, p, n);
		return;
	}
	newcomer_keep(c, p, n);
	(void)newcomer_judge(c, buf_str(&c->first));
}

/* By ALPN, or else by what he says next. */
static void
on_newcomer_secured(void *arg)
{
	struct newcomer *c = newcomer_arg(arg);
	struct str alpn = conn_alpn(c->x.conn);
	const struct config_listen *at = newcomer_entry(c);
	const struct listen_row *row = NULL;

	stream_secured(&c->x);
	if (c->x.stage == STAGE_CLOSED || alpn.n == 0)
		return;
	if (at != NULL)
		row = listen_by_alpn(c->x.shard->snap, at, alpn);
	if (row != NULL)
		newcomer_give(c, row, STR_NONE);
	else
		stream_end(&c->x, STREAM_UNDEFINED_CONDITION, NULL);
}

static const struct conn_events newcomer_events = {
	.data = on_newcomer_data,
	.secured = on_newcomer_secured,
	.closed = stream_conn_closed,
};

/* --- what a stream has to be able to do ------------------------------------------ */

static void
newcomer_describe(const void *obj, char *out, size_t n)
{
	const struct newcomer *c = obj;

	snprintf(out, n, "s%u newcomer %s", c->x.shard->index,
		conn_peer(c->x.conn));
}

static void
newcomer_log_end(const struct stream *x, const char *what, const char *why)
{
	log_debug(LOG_STREAM, stream_who(x), "%s reason=\"%s\"", what, why);
}

static struct str
on_domain_asked(const struct stream *x)
{
	(void)x;
	return STR_NONE;
}

static struct host *
on_host_asked(const struct stream *x)
{
	(void)x;
	return NULL;
}

static int64_t
newcomer_due(const struct stream *x)
{
	return ((const struct newcomer *)x)->deadline_us;
}

/* Who has begun a stream is told why it ends (RFC 6120 §4.9.3.4): by the kind that is
 * named first, as whoever is nobody's, whose time for strangers is over, too, or soon.
 * False: he has not. */
static bool
newcomer_give_late(struct newcomer *c)
{
	struct str first = buf_str(&c->first);
	const struct config_listen *at = newcomer_entry(c);
	const struct listen_row *row = NULL;
	bool more;

	if (at != NULL && first.n != 0 && memchr(first.p, '<', first.n) != NULL)
		row = listen_by_bytes(c->x.shard->snap, at, first, true, &more);
	if (row == NULL)
		return false;
	if (log_limit_ok(&stream_shard(c->x.shard)->refused, LOG_STREAM))
		log_info(LOG_STREAM, stream_who(&c->x),
			"has not said in time for which kind he has come kind=%s bytes=%zu",
			row->kind->name, first.n);
	newcomer_give(c, row, first);
	return true;
}

static void
newcomer_do_due(struct stream *x)
{
	bool late = newcomer_due(x) <= x->shard->now_us;

	if (late && newcomer_give_late(newcomer_of(x)))
		return;
	if (late)
		stream_end(x, STREAM_CONNECTION_TIMEOUT, NULL);
	stream_arm(x);
}

/* His port may be gone: he would wait in vain. */
static void
newcomer_reloaded(struct stream *x)
{
	if (newcomer_entry(newcomer_of(x)) == NULL)
		stream_end(x, STREAM_RESET, NULL);
}

static void
newcomer_ended(struct stream *x, bool goodbye)
{
	(void)x;
	(void)goodbye;
}

static void
newcomer_closed(struct stream *x)
{
	struct newcomer *c = newcomer_of(x);

	stream_count_out(x);
	memuse_remove_part(MEMUSE_STREAM, c->first.p);
	buf_done(&c->first);
	listen_port_unref(c->port);
}

/* Nothing is ever read as a stream, or written. */
static const struct stream_kind newcomer_kind = {
	.silent = true,
	.describe = newcomer_describe,
	.log_end = newcomer_log_end,
	.domain = on_domain_asked,
	.host = on_host_asked,
	.reloaded = newcomer_reloaded,
	.due = newcomer_due,
	.do_due = newcomer_do_due,
	.ended = newcomer_ended,
	.closed = newcomer_closed,
};

/* --- coming ------------------------------------------------------------------------ */

static bool
newcomer_handshake(struct newcomer *c, const struct config_listen *at,
	struct err *err)
{
	const struct snapshot *snap = c->x.shard->snap;
	struct conn_protocol all[CONN_PROTOCOLS_MAX];
	size_t n = listen_protocols(snap, at, all);

	if (snap->tls == NULL)
		return err_set(err, ERR_MISSING, "no host has a certificate");
	if (n == 0)
		return conn_start_tls(c->x.conn, snap->tls, STR(""), STR(""),
			false, err);
	return conn_start_tls_one_of(c->x.conn, snap->tls, all, n, err);
}

static void
newcomer_secure(struct newcomer *c, const struct config_listen *at)
{
	struct stream *x = &c->x;
	struct err err = ERR_INIT;

	x->stage = STAGE_HANDSHAKE;
	if (newcomer_handshake(c, at, &err))
		return;
	if (log_limit_ok(&stream_shard(x->shard)->broken, LOG_TLS))
		log_error(LOG_TLS, stream_who(x),
			"TLS cannot begin reason=\"%s\"", err.text);
	stream_end(x, STREAM_COND_NONE, NULL);
}

void
newcomer_new(struct shard *sh, const struct listen_arrival *a)
{
	struct newcomer *c = xcalloc(1, sizeof(*c));
	struct stream *x = &c->x;

	stream_open(x, &newcomer_kind, sh, a->conn);
	conn_set_owner(a->conn, &newcomer_events, x);
	c->port = listen_port_ref(a->port);
	c->since_us = a->since_us;
	c->deadline_us = a->since_us + listen_patience(sh->snap, a->at);
	c->tls = a->at->tls;
	if (!stream_count_in(x)) {
		x->stage = STAGE_CLOSED;
		conn_abort(a->conn);
		return;
	}
	log_debug(LOG_STREAM, stream_who(x), "accepted");
	if (a->at->tls == LISTEN_DIRECT)
		newcomer_secure(c, a->at);
	stream_arm(x);
}
