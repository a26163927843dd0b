/*
 * fuzz_recognise.c - any bytes as the first of a connection: what is said of them
 * stays so when more come, both kinds of streams are never meant, and what the parser
 * takes for a header of a client's stream is one.
 */
#include "config.h"

#include "fuzz.h"

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xmpp/ns.h"
#include "stream/stream.h"

static const struct xml_limits limits = {
	.stanza_bytes = 4096,
	.depth = 16,
	.elements = 64,
	.attrs = 16,
	.name_bytes = 256,
};

static enum xml_verdict
on_opened(void *arg, const struct elem *root, struct str content_ns)
{
	(void)root;
	*(bool *)arg = str_is(content_ns, NS_CLIENT);
	return XML_STOP;
}

static enum xml_verdict
on_element(void *arg, struct arena *a, struct elem *e)
{
	(void)arg;
	(void)e;
	arena_free(a);
	return XML_STOP;
}

static enum xml_verdict
on_closed(void *arg)
{
	(void)arg;
	return XML_STOP;
}

static const struct xml_events events = { on_opened, on_element, on_closed };

static bool
opens_client_stream(struct str in)
{
	bool found = false;
	size_t used;
	struct xml_pool *pool = xml_pool_new();
	struct xml_parser *p = xml_parser_get(pool, &limits, &events, &found);

	(void)xml_parser_feed(p, in.p, in.n, &used);
	xml_parser_put(pool, p);
	xml_pool_free(pool);
	return found;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum listen_verdict client = LISTEN_MORE, server = LISTEN_MORE;
	struct str in = { (const char *)data, MIN(n, 1024) };

	for (size_t i = 1; i <= in.n; i++) {
		/* a copy of that size: what is read behind it is seen */
		char *part = memcpy(xmalloc(i), in.p, i);
		struct str first = { part, i };
		enum listen_verdict c = stream_recognise(STR(NS_CLIENT), first);
		enum listen_verdict s = stream_recognise(STR(NS_SERVER), first);

		FUZZ_CHECK(client == LISTEN_MORE || client == c);
		FUZZ_CHECK(server == LISTEN_MORE || server == s);
		FUZZ_CHECK(c != LISTEN_MINE || s == LISTEN_NOT_MINE);
		FUZZ_CHECK((c == LISTEN_MORE) == (s == LISTEN_MORE));
		client = c;
		server = s;
		free(part);
	}
	/* but for one that writes its letters as numbers */
	if (in.n != 0 && memchr(in.p, '&', in.n) == NULL &&
		opens_client_stream(in))
		FUZZ_CHECK(client == LISTEN_MINE);
	return 0;
}
