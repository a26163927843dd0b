/*
 * stream_read.c - bytes in: what framings make of them, what an element has asked
 * for, and resting.
 *
 * Owner shard.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/tag.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "stream/framing.h"

/* --- parsers -------------------------------------------------------------- */

const struct xml_limits *
stream_limits(struct stream *x)
{
	struct stream_shard *ss = stream_shard(x->shard);
	const struct config_limits *l = &x->shard->snap->config->limits;

	if (ss->limits_of != x->shard->snap->serial) {
		ss->limits_of = x->shard->snap->serial;
		ss->after = (struct xml_limits){
			.stanza_bytes = (uint32_t)l->stanza_bytes,
			.depth = (uint32_t)l->depth,
			.elements = (uint32_t)l->elements,
			.attrs = (uint32_t)l->attributes,
			.name_bytes = (uint32_t)l->name_bytes,
		};
		ss->before = ss->after;
		ss->before.stanza_bytes =
			(uint32_t)l->stanza_bytes_unauthenticated;
	}
	return x->authenticated ? &ss->after : &ss->before;
}

void
stream_put_parser(struct stream *x)
{
	xml_parser_put(x->shard->xml, x->parser);
	x->parser = NULL;
}

enum xml_verdict
stream_on_element(void *arg, struct arena *a, struct elem *e)
{
	struct stream *x = arg;

	TAG_CHECK(x, "strm");
	stream_count_element(x);
	if (x->stage == STAGE_BOUND || x->stage == STAGE_OPEN)
		x->kind->element(x, a, e);
	else
		arena_free(a);
	return x->stage == STAGE_CLOSED || x->next != NEXT_NONE ||
			(x->rest & REST_KEEPS) != 0 ?
		XML_STOP :
		XML_GO_ON;
}

/* RFC 6120 §4.4 */
enum xml_verdict
stream_on_end(void *arg)
{
	struct stream *x = arg;

	TAG_CHECK(x, "strm");
	if (x->stage != STAGE_BOUND || x->kind->leaves == NULL ||
		!x->kind->leaves(x)) {
		x->leaving = x->initiated; /* whose end it is matters there */
		stream_end(x, STREAM_COND_NONE, NULL);
		return XML_STOP;
	}
	x->leaving = true;
	stream_hold(x);
	return XML_STOP;
}

/* --- what an element has asked for ---------------------------------------- */

void
stream_restart(struct stream *x, struct place to)
{
	x->next = NEXT_RESTART;
	x->wait->to = to;
}

bool
stream_move(struct stream *x, struct place to)
{
	if (x->stage != STAGE_OPEN)
		return false;
	x->next = NEXT_MOVE;
	x->wait->to = to;
	return true;
}

/* RFC 6120 §4.3.3, §6.4.6: a new stream, with nothing of the old one but who the
 * peer is. */
static void
stream_forget(struct stream *x)
{
	stream_put_parser(x);
	x->stage = STAGE_HEADER;
	x->headed = false;
}

/* rest_io: the bytes that came behind it, and what is left of them.  False when x
 * has moved. */
static bool
stream_do_next(struct stream *x, struct str *rest_io)
{
	enum stream_next next = (enum stream_next)x->next;
	struct str rest = *rest_io;

	if ((x->rest & REST_KEEPS) != 0)
		return true; /* later */
	x->next = NEXT_NONE;
	switch (next) {
	case NEXT_NONE:
		return true;
	case NEXT_TLS:
		stream_put_parser(x);
		rest_io->n = 0; /* nobody reads it (hostile 19) */
		stream_tls_start(x, rest);
		return true;
	case NEXT_RESTART:
		stream_forget(x);
		if (x->initiated)
			stream_greet(x);
		return stream_do_move(x, rest);
	case NEXT_MOVE:
		return stream_do_move(x, rest);
	}
	return true;
}

/* --- bytes ---------------------------------------------------------------- */

/* Between two stanzas of a plain stream one parser is as good as another: given
 * back at once, the few that a shard needs stay in the caches of the processor.
 * Given back after 100 ms there were thousands, and with 100,000 sessions a
 * message cost 7.5 us instead of 3.6 (tests/bench/bench_million). */
static bool
stream_can_rest(const struct stream *x)
{
	return x->stage == STAGE_BOUND && x->parser != NULL &&
		xml_parser_can_rest(x->parser);
}

bool
stream_read(struct stream *x, const char *p, size_t n)
{
	struct str in = { p, n };
	enum xml_fault fault;
	size_t used;

	while (in.n > 0 && x->stage != STAGE_CLOSED) {
		if ((x->rest & REST_KEEPS) != 0) {
			buf_add(&x->wait->input, in.p, in.n);
			return true;
		}
		x->feeding = true;
		fault = framings[x->framing].feed(x, in, &used);
		x->feeding = false;
		in.p += used;
		in.n -= used;
		if (x->stage == STAGE_CLOSED)
			break;
		if (fault != XML_FAULT_NONE)
			stream_fault(x, fault);
		else if (!stream_do_next(x, &in))
			return false;
	}
	if (!x->feeding && (x->stage == STAGE_CLOSED || stream_can_rest(x)))
		stream_put_parser(x);
	return true;
}

/* --- resting -------------------------------------------------------------- */

static void
stream_set_reading(struct stream *x)
{
	if (x->stage == STAGE_CLOSED)
		return;
	if (x->rest != 0)
		conn_pause(x->conn);
	else
		conn_resume(x->conn);
}

void
stream_rest(struct stream *x, enum stream_rest why)
{
	x->rest |= (uint8_t)why;
	stream_set_reading(x);
}

void
stream_go_on(struct stream *x, enum stream_rest why)
{
	x->rest &= (uint8_t)~why;
	stream_set_reading(x);
}

void
stream_rest_until(struct stream *x, int64_t us)
{
	x->resume_us = MAX(x->resume_us, us);
	stream_rest(x, REST_RATE);
}

void
stream_hold(struct stream *x)
{
	if (x->wait == NULL)
		stream_wait_make(x);
	stream_rest(x, REST_HOLD);
}

bool
stream_continue(struct stream *x)
{
	struct buf input = x->wait->input;
	struct str in = buf_str(&input);
	bool here = true;

	x->wait->input = (struct buf)BUF_INIT;
	if (x->stage == STAGE_BOUND)
		stream_wait_free(x);
	/* a call that is on the stack goes on by itself */
	if (!x->feeding)
		here = stream_do_next(x, &in) && stream_read(x, in.p, in.n);
	buf_done(&input);
	if (!here)
		return false;
	stream_set_reading(x);
	stream_arm(x);
	return true;
}

bool
stream_release(struct stream *x)
{
	stream_unhold(x);
	return stream_continue(x);
}

/* --- what waits for answers ----------------------------------------------- */

void
stream_asks(struct stream *x)
{
	x->wait->asked++;
}

void
stream_answered(struct stream *x)
{
	if (x->wait == NULL || x->wait->asked == 0)
		return;
	x->wait->asked--;
	if (x->wait->asked != 0 || (x->rest & REST_MOVE) == 0)
		return;
	x->rest &= (uint8_t)~REST_MOVE;
	if ((x->rest & REST_HOLD) == 0)
		(void)stream_continue(x);
}
