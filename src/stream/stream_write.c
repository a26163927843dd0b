/*
 * stream_write.c - bytes out, and the end of a stream: errors, end tag (RFC 6120
 * §4.4, §4.9).
 *
 * Owner shard.  Invariant: nothing is written into a stream before our header,
 * nor behind its end.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "stream/framing.h"

/* The kernel is asked in the middle of a turn when so much waits; most turns write
 * less, and are done with one call at their end. */
#define EARLY_BYTES (64 * 1024)
/* For the last words to one who makes room for others. */
#define HASTY_US (100 * US_PER_MS)

/* --- bytes out ------------------------------------------------------------ */

static void
stream_flush(struct stream *x)
{
	bool taken = conn_flush(x->conn);

	if (x->stage != STAGE_CLOSED && conn_queued(x->conn) > EARLY_BYTES)
		x->kind->full(x, !taken);
}

static void
stream_wrote(struct stream *x)
{
	conn_wrote(x->conn);
	if (conn_queued(x->conn) > EARLY_BYTES)
		stream_flush(x);
}

void
stream_write(struct stream *x, const struct elem *e)
{
	framings[x->framing].element(conn_out(x->conn), e, x->kind->ns);
	stream_wrote(x);
}

/* Inside, stanzas are of NS_CLIENT (RFC 6120 §4.8.3): written as if the stream were,
 * they are of its own. */
void
stream_write_stanza(struct stream *x, const struct stanza *st)
{
	framings[x->framing].element(conn_out(x->conn), st->root,
		STR(NS_CLIENT));
	stream_wrote(x);
}

bool
stream_write_stanza_within(struct stream *x, const struct stanza *st,
	size_t max)
{
	struct buf *out = conn_out(x->conn);
	size_t before = out->n;
	bool fits;

	framings[x->framing].element(out, st->root, STR(NS_CLIENT));
	fits = max == 0 || out->n - before <= max;
	if (!fits)
		out->n = before;
	stream_wrote(x);
	return fits;
}

bool
stream_write_wire_within(struct stream *x, const struct wire *w, struct str to,
	size_t max)
{
	struct buf *out = conn_out(x->conn);
	size_t before = out->n;

	framings[x->framing].wire(w, to, out);
	if (max != 0 && out->n - before > max) {
		out->n = before;
		return false;
	}
	stream_wrote(x);
	return true;
}

void
stream_write_wire(struct stream *x, const struct wire *w, struct str to)
{
	framings[x->framing].wire(w, to, conn_out(x->conn));
	stream_wrote(x);
}

void
stream_write_bytes(struct stream *x, struct str bytes)
{
	framings[x->framing].bytes(conn_out(x->conn), bytes);
	stream_wrote(x);
}

/* --- the end -------------------------------------------------------------- */

/* What is said at the end. */
struct last_words {
	enum stream_cond cond;  /* STREAM_COND_NONE: no error */
	struct str content;     /* of the condition; STR_NONE: none */
	const char *text;       /* for people; or NULL */
	const struct elem *app; /* of an application (§4.9.4); or NULL */
};

static void
stream_write_error(struct stream *x, const struct last_words *w)
{
	const char *name = stream_cond_name(w->cond);
	struct arena *a = arena_new();
	struct elem *error = elem_new(a, NS_STREAM, "error");

	if (w->content.p != NULL)
		elem_add_with_text(a, error, NS_STREAMS, name, w->content);
	else
		elem_add(a, error, NS_STREAMS, name);
	if (w->text != NULL)
		elem_set_attr_ns(a,
			elem_add_with_text(a, error, NS_STREAMS, "text",
				str_c(w->text)),
			NS_XML, "lang", STR("en"));
	if (w->app != NULL)
		elem_append(error, elem_copy(a, w->app));
	framings[x->framing].element(conn_out(x->conn), error, x->kind->ns);
	arena_free(a);
}

/* §4.9.1.3: an error needs a header. */
static void
stream_say_end(struct stream *x, const struct last_words *w)
{
	if (!x->headed)
		stream_write_header(x, &(struct stream_header){
			.versioned = !x->kind->no_version });
	if (w->cond != STREAM_COND_NONE)
		stream_write_error(x, w);
	framings[x->framing].close(conn_out(x->conn));
	conn_wrote(x->conn);
}

static void
stream_end_saying(struct stream *x, const struct last_words *w)
{
	int64_t linger_us = x->shard->snap->config->limits.close_timeout_us;

	if (x->stage == STAGE_CLOSED)
		return;
	x->kind->log_end(x, "stream closed",
		w->cond != STREAM_COND_NONE ? stream_cond_name(w->cond) :
					      "goodbye");
	if (x->stage == STAGE_BOUND && x->kind->last != NULL)
		x->kind->last(x);
	/* during a handshake there is nobody to read it */
	if (x->stage != STAGE_HANDSHAKE && !x->kind->silent)
		stream_say_end(x, w);
	x->failed = w->cond != STREAM_COND_NONE;
	x->stage = STAGE_CLOSED;
	shard_timer_cancel(x->shard, &x->timer);
	conn_close(x->conn, x->hasty ? MIN(linger_us, HASTY_US) : linger_us);
	if (!x->feeding)
		stream_put_parser(x);
	x->kind->ended(x, true);
}

void
stream_end_with(struct stream *x, enum stream_cond cond, struct str content,
	const char *text)
{
	stream_end_saying(x, &(struct last_words){ cond, content, text, NULL });
}

void
stream_end_app(struct stream *x, enum stream_cond cond, const struct elem *app,
	const char *text)
{
	stream_end_saying(x, &(struct last_words){ cond, STR_NONE, text, app });
}

void
stream_end(struct stream *x, enum stream_cond cond, const char *text)
{
	stream_end_with(x, cond, STR_NONE, text);
}

void
stream_fault(struct stream *x, enum xml_fault fault)
{
	log_debug(LOG_STREAM, stream_who(x), "bad XML reason=\"%s\"",
		xml_parser_reason(x->parser));
	switch (fault) {
	case XML_FAULT_NONE:
		break;
	case XML_FAULT_NOT_WELL_FORMED:
		stream_end(x, STREAM_NOT_WELL_FORMED, NULL);
		break;
	case XML_FAULT_RESTRICTED:
		stream_end(x, STREAM_RESTRICTED_XML, NULL);
		break;
	case XML_FAULT_ENCODING:
		stream_end(x, STREAM_UNSUPPORTED_ENCODING, "Send UTF-8");
		break;
	case XML_FAULT_TOO_BIG:
		stream_end(x, STREAM_POLICY_VIOLATION,
			"An element was larger than the limits of this server");
		break;
	}
}

/* A client that is told of an end, by a tag or by TLS, may take the session for
 * ended, too. */
void
stream_leave_open(struct stream *x)
{
	if (x->stage == STAGE_CLOSED)
		return;
	x->kind->log_end(x, "stream left", "the server stops");
	x->stage = STAGE_CLOSED;
	shard_timer_cancel(x->shard, &x->timer);
	conn_leave(x->conn, x->shard->snap->config->limits.close_timeout_us);
	if (!x->feeding)
		stream_put_parser(x);
}

void
stream_cut(struct stream *x, const char *why, size_t queued)
{
	if (x->stage == STAGE_CLOSED)
		return;
	if (log_limit_ok(&stream_shard(x->shard)->unread, LOG_STREAM))
		log_info(LOG_STREAM, stream_who(x),
			"cut off reason=\"%s\" queued=%zu", why, queued);
	x->stage = STAGE_CLOSED;
	shard_timer_cancel(x->shard, &x->timer);
	conn_abort(x->conn);
}
