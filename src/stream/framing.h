/*
 * framing.h - how a stream lies in its bytes: over TCP as one document (RFC 6120
 * §4), elsewhere each element by itself (RFC 7395).
 *
 * Owner shard of the stream.  What is written goes through the table alone, and
 * what is read comes in by it; nobody else knows how a stream opens or closes.
 */
#ifndef STREAM_FRAMING_H
#define STREAM_FRAMING_H

#include <stddef.h>

#include "base/str.h"
#include "xml/parser.h"

struct buf;
struct elem;
struct stream;
struct stream_header;
struct wire;

struct framing {
	/* Makes input of a parser of up to all of in, and *used_out of how much:
	 * less than all when an event asked to stop.  Gets the parser, too. */
	enum xml_fault (*feed)(struct stream *x, struct str in,
		size_t *used_out);
	/* Our header; host: the domain that it is from. */
	void (*open)(struct buf *out, struct stream *x, struct str host,
		const struct stream_header *h);
	/* An element in a stream of stanzas of ns; a stanza that is serialised,
	 * with to spliced in; any other element that is, and says of which
	 * namespace it is. */
	void (*element)(struct buf *out, const struct elem *e, struct str ns);
	void (*wire)(const struct wire *w, struct str to, struct buf *out);
	void (*bytes)(struct buf *out, struct str bytes);
	/* Our end. */
	void (*close)(struct buf *out);
};

/* By enum framing_id. */
extern const struct framing framings[];

/* --- for framings: what their parsers report ---------------------------------- */

/* The peer has opened a stream, or answered ours: root (borrowed) has its
 * attributes, h an arena, and maybe what is wrong with root. */
void stream_begin(struct stream *x, const struct elem *root,
	struct stream_header *h);
/* A whole element, and the end of the stream, as struct xml_events. */
enum xml_verdict stream_on_element(void *x, struct arena *a, struct elem *e);
enum xml_verdict stream_on_end(void *x);
/* Limits as they are now for x. */
const struct xml_limits *stream_limits(struct stream *x);

#endif
