/*
 * framing_tcp.c - a stream as one document over TCP (RFC 6120 §4), and the table
 * of framings, of which that is the first.
 *
 * Owner shard of the stream.
 */
#include "config.h"

#include "stream/framing.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/tag.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "core/shard.h"
#include "core/wire.h"
#include "stream/stream.h"

/* --- in ------------------------------------------------------------------- */

/* §4.8 */
static void
header_check_names(struct stream_header *h, const struct elem *root,
	struct str content_ns, struct str ns)
{
	if (!str_is(root->ns, NS_STREAM))
		stream_header_refuse(h, STREAM_INVALID_NAMESPACE,
			"The namespace of streams is " NS_STREAM);
	else if (!str_is(root->name, "stream"))
		stream_header_refuse(h, STREAM_BAD_FORMAT,
			"A stream begins with <stream:stream>");
	else if (str_is(content_ns, NS_STREAM))
		stream_header_refuse(h, STREAM_BAD_NAMESPACE_PREFIX,
			"The prefix of the stream has to be \"stream\"");
	else if (!str_eq(content_ns, ns))
		stream_header_refuse(h, STREAM_INVALID_NAMESPACE,
			arena_printf(h->arena,
				"The default namespace has to be %.*s",
				STR_ARG(ns))
				.p);
}

static enum xml_verdict
on_opened(void *arg, const struct elem *root, struct str content_ns)
{
	struct stream_header h = { .arena = arena_new() };
	struct stream *x = arg;

	TAG_CHECK(x, "strm");
	header_check_names(&h, root, content_ns, x->kind->ns);
	stream_begin(x, root, &h);
	arena_free(h.arena);
	return x->stage == STAGE_CLOSED || (x->rest & REST_KEEPS) != 0 ?
		XML_STOP :
		XML_GO_ON;
}

static const struct xml_events tcp_events = { on_opened, stream_on_element,
	stream_on_end };

static void
tcp_take_parser(struct stream *x)
{
	const struct xml_limits *limits = stream_limits(x);

	if (x->stage == STAGE_HEADER)
		x->parser = xml_parser_get(x->shard->xml, limits, &tcp_events,
			x);
	else
		x->parser = xml_parser_get_primed(x->shard->xml,
			x->kind->ns, limits, &tcp_events, x);
}

/* How many of the bytes are white space between two streams.
 * COMPAT: go-xmpp (go-sendxmpp 0.5, Debian 12) sends a line feed behind </auth>:
 * it belongs to the stream that has ended, and none may stand before the header
 * of the next. */
static size_t
tcp_blanks(const struct stream *x, struct str in)
{
	if (x->stage != STAGE_HEADER || !x->authenticated)
		return 0;
	return (size_t)(str_trim(in).p - in.p);
}

static enum xml_fault
tcp_feed(struct stream *x, struct str in, size_t *used_out)
{
	if (x->parser == NULL) {
		*used_out = tcp_blanks(x, in);
		if (*used_out != 0)
			return XML_FAULT_NONE;
		tcp_take_parser(x);
	}
	return xml_parser_feed(x->parser, in.p, in.n, used_out);
}

/* --- out ------------------------------------------------------------------ */

/* §4.7 */
static void
tcp_open(struct buf *out, struct stream *x, struct str host,
	const struct stream_header *h)
{
	buf_add_c(out, "<?xml version='1.0'?><stream:stream xmlns='");
	buf_add_str(out, x->kind->ns);
	buf_add_c(out, "' xmlns:stream='" NS_STREAM "'");
	if (x->kind->declares != NULL)
		buf_add_c(out, x->kind->declares);
	if (h->id[0] != '\0') {
		buf_add_c(out, " id='");
		buf_add_c(out, h->id);
		buf_add_c(out, "'");
	}
	buf_add_c(out, " from='");
	xml_escape(out, host, true);
	if (h->peer.p != NULL) {
		buf_add_c(out, "' to='");
		xml_escape(out, h->peer, true);
	}
	/* §4.7.5: who did not say any gets none */
	buf_add_c(out, h->versioned ? "' version='1.0" : "");
	buf_add_c(out, "' xml:lang='en'>");
}

/* §4.8.5: those of the stream itself have its prefix, and some clients look for
 * nothing else. */
static void
tcp_element(struct buf *out, const struct elem *e, struct str ns)
{
	if (!str_is(e->ns, NS_STREAM)) {
		xml_write(out, e, ns);
		return;
	}
	buf_add_c(out, "<stream:");
	buf_add_str(out, e->name);
	buf_add_c(out, ">");
	elem_each_child(e, child)
		xml_write(out, child, ns);
	buf_add_c(out, "</stream:");
	buf_add_str(out, e->name);
	buf_add_c(out, ">");
}

static void
tcp_close(struct buf *out)
{
	buf_add_c(out, "</stream:stream>");
}

const struct framing framings[] = {
	[FRAMING_TCP] = { tcp_feed, tcp_open, tcp_element, wire_write,
		buf_add_str, tcp_close },
};
