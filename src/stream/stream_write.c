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

static void
stream_write_error(struct stream *x, enum stream_cond cond, struct str content,
	const char *text)
{
	struct arena *a = arena_new();
	struct elem *error = elem_new(a, NS_STREAM, "error");

	if (content.p != NULL)
		elem_add_with_text(a, error, NS_STREAMS, stream_cond_name(cond),
			content);
	else
		elem_add(a, error, NS_STREAMS, stream_cond_name(cond));
	if (text != NULL)
		elem_set_attr_ns(a,
			elem_add_with_text(a, error, NS_STREAMS, "text",
				str_c(text)),
			NS_XML, "lang", STR("en"));
	framings[x->framing].element(conn_out(x->conn), error, x->kind->ns);
	arena_free(a);
}

/* §4.9.1.3: an error needs a header. */
static void
stream_say_end(struct stream *x, enum stream_cond cond, struct str content,
	const char *text)
{
	if (!x->headed)
		stream_write_header(x, &(struct stream_header){
			.versioned = true });
	if (cond != STREAM_COND_NONE)
		stream_write_error(x, cond, content, text);
	framings[x->framing].close(conn_out(x->conn));
	conn_wrote(x->conn);
}

void
stream_end_with(struct stream *x, enum stream_cond cond, struct str content,
	const char *text)
{
	int64_t linger_us = x->shard->snap->config->limits.close_timeout_us;

	if (x->stage == STAGE_CLOSED)
		return;
	x->kind->log_end(x, "stream closed",
		cond != STREAM_COND_NONE ? stream_cond_name(cond) : "goodbye");
	/* during a handshake there is nobody to read it */
	if (x->stage != STAGE_HANDSHAKE)
		stream_say_end(x, cond, content, text);
	x->stage = STAGE_CLOSED;
	shard_timer_cancel(x->shard, &x->timer);
	conn_close(x->conn, x->hasty ? MIN(linger_us, HASTY_US) : linger_us);
	if (!x->feeding)
		stream_put_parser(x);
	x->kind->ended(x, true);
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
