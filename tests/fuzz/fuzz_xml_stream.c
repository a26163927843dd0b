/*
 * fuzz_xml_stream.c - any bytes as a stream: whatever way the bytes are cut,
 * and wherever the owner stops, the same things are reported; and what we write
 * of each stanza parses to the same tree.
 *
 * The first byte of the input chooses the cut and the stops.
 */
#include "config.h"

#include "fuzz.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "../unit/tree.h"

static const struct xml_limits limits = {
	.stanza_bytes = 4096,
	.depth = 16,
	.elements = 64,
	.attrs = 16,
	.name_bytes = 256,
};
static const struct xml_limits wide = {
	.stanza_bytes = 64 * 4096,
	.depth = 64,
	.elements = 1024,
	.attrs = 64,
	.name_bytes = 1024,
};

struct reader {
	struct buf seen;
	unsigned stops; /* every so many events; 0: never */
	unsigned events;
	enum xml_fault fault;
	struct str content_ns; /* valid as long as p can rest */
};

static enum xml_verdict
verdict(struct reader *r)
{
	r->events++;
	return r->stops != 0 && r->events % r->stops == 0 ? XML_STOP :
							    XML_GO_ON;
}

static enum xml_verdict
on_opened(void *arg, const struct elem *root, struct str content_ns)
{
	struct reader *r = arg;

	tree_dump(&r->seen, root);
	buf_add_str(&r->seen, content_ns);
	r->content_ns = xml_intern(content_ns);
	return verdict(r);
}

static enum xml_verdict
on_element(void *arg, struct arena *a, struct elem *e)
{
	struct reader *r = arg;
	size_t from = r->seen.n;
	struct buf out = BUF_INIT, again = BUF_INIT;
	struct err err = ERR_INIT;
	struct elem *copy;

	tree_dump(&r->seen, e);
	xml_write(&out, e, STR(""));
	copy = xml_parse(a, buf_str(&out), &wide, &err);
	FUZZ_CHECK(copy != NULL);
	tree_dump(&again, copy);
	FUZZ_CHECK(again.n == r->seen.n - from &&
		memcmp(again.p, r->seen.p + from, again.n) == 0);
	buf_done(&out);
	buf_done(&again);
	arena_free(a);
	return verdict(r);
}

static enum xml_verdict
on_closed(void *arg)
{
	struct reader *r = arg;

	buf_add_c(&r->seen, "closed");
	return verdict(r);
}

static const struct xml_events events = { on_opened, on_element, on_closed };

static void
read_all(struct xml_pool *pool, struct reader *r, const char *data, size_t n,
	size_t cut)
{
	struct xml_parser *p = xml_parser_get(pool, &limits, &events, r);
	enum xml_fault fault = XML_FAULT_NONE;
	size_t at = 0, used;

	while (at < n && fault == XML_FAULT_NONE) {
		fault = xml_parser_feed(p, data + at, MIN(cut, n - at), &used);
		FUZZ_CHECK(used <= MIN(cut, n - at));
		at += used;
		/* one that can rest goes, and another goes on */
		if (fault == XML_FAULT_NONE && r->stops % 2 == 1 &&
			xml_parser_can_rest(p)) {
			xml_parser_put(pool, p);
			p = xml_parser_get_primed(pool, r->content_ns,
				&limits, &events, r);
		}
	}
	/* the last event may wait for a further call */
	if (fault == XML_FAULT_NONE)
		fault = xml_parser_feed(p, "", 0, &used);
	r->fault = fault;
	xml_parser_put(pool, p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct xml_pool *pool = xml_pool_new();
	struct reader whole = { .stops = 0 }, cut = { .stops = 0 };
	const char *text = (const char *)data + 1;

	if (n > 1) {
		cut.stops = data[0] % 5;
		read_all(pool, &whole, text, n - 1, n - 1);
		read_all(pool, &cut, text, n - 1, 1 + data[0] / 5);
		FUZZ_CHECK(str_eq(buf_str(&whole.seen), buf_str(&cut.seen)));
		/* an unfinished tag is read earlier when it comes as one */
		FUZZ_CHECK(cut.fault == XML_FAULT_NONE ||
			whole.fault != XML_FAULT_NONE ||
			n > limits.stanza_bytes);
	}
	buf_done(&whole.seen);
	buf_done(&cut.seen);
	xml_pool_free(pool);
	return 0;
}
