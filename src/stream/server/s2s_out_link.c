/*
 * s2s_out_link.c - what a stream that we have opened to another server does for the
 * link that it is.
 *
 * Owner shard of the pair.
 */
#include "config.h"

#include <string.h>

#include "base/tag.h"
#include "net/conn.h"
#include "core/link.h"
#include "stream/server/s2s_out_int.h"
#include "stream/server/s2s_sm.h"

static struct s2s_out *
link_out(void *stream)
{
	struct s2s_way *w = stream;

	TAG_CHECK(w, "sway");
	return w->stream;
}

static bool
on_write(void *stream, const struct stanza *st)
{
	struct s2s_out *o = link_out(stream);
	bool fits = stream_write_stanza_within(&o->x, st, o->limits.max_bytes);

	if (fits)
		o->x.shard->stats.stanzas_out++;
	else
		s2s_bounce(o->x.shard, st, o->domain, o->limits.max_bytes);
	return fits;
}

/* What is too large is answered by on_write(). */
static bool
on_write_wire(void *stream, const struct wire *w, struct str to)
{
	struct s2s_out *o = link_out(stream);

	if (!stream_write_wire_within(&o->x, w, to, o->limits.max_bytes))
		return false;
	o->x.shard->stats.stanzas_out++;
	return true;
}

static uint64_t
on_taken(void *stream)
{
	return conn_taken(link_out(stream)->x.conn);
}

static const char *
on_describe(void *stream, const char *what)
{
	return strcmp(what, "peer") == 0 ?
		conn_peer(link_out(stream)->x.conn) :
		NULL;
}

static void
on_end(void *stream, enum stream_cond cond, const char *text)
{
	stream_end(&link_out(stream)->x, cond, text);
}

static void
on_cut(void *stream, const char *why, size_t queued)
{
	stream_cut(&link_out(stream)->x, why, queued);
}

static void
on_ask(void *stream)
{
	s2s_sm_ask(&link_out(stream)->x);
}

const struct link_stream s2s_link_stream = {
	.write = on_write,
	.taken = on_taken,
	.describe = on_describe,
	.end = on_end,
	.cut = on_cut,
	.write_wire = on_write_wire,
	.ask = on_ask,
};
