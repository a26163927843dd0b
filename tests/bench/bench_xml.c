/*
 * bench_xml.c - what reading and writing one chat message costs.
 *
 * Prints ns per message, the best of several rounds.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xml/writer.h"

#define ROUNDS 20
#define MESSAGES 20000
/* as many stanzas as one read of a busy connection brings */
#define BATCH 8

static const char message[] =
	"<message to='juliet@example.com/balcony' from='romeo@example.net/x'"
	" type='chat' id='ac1f2b'><body>Art thou not Romeo, and a Montague?"
	"</body><active xmlns='http://jabber.org/protocol/chatstates'/>"
	"</message>";

static const struct xml_limits limits = {
	.stanza_bytes = 262144,
	.depth = 64,
	.elements = 1024,
	.attrs = 64,
	.name_bytes = 1024,
};

struct sink {
	struct arena *a; /* the last stanza, kept for writing */
	struct elem *e;
};

static enum xml_verdict
on_opened(void *arg, const struct elem *root, struct str content_ns)
{
	(void)arg;
	(void)root;
	(void)content_ns;
	return XML_GO_ON;
}

static enum xml_verdict
on_element(void *arg, struct arena *a, struct elem *e)
{
	struct sink *s = arg;

	arena_free(s->a);
	s->a = a;
	s->e = e;
	return XML_GO_ON;
}

static enum xml_verdict
on_closed(void *arg)
{
	(void)arg;
	return XML_GO_ON;
}

static const struct xml_events events = { on_opened, on_element, on_closed };

static double
ns_since(int64_t from_us, unsigned messages)
{
	return (double)(clock_mono_us(&clock_system) - from_us) * 1000.0 /
		messages;
}

static double
round_parse(struct xml_parser *p, const char *data, size_t n, unsigned batch)
{
	int64_t from = clock_mono_us(&clock_system);
	size_t used;

	for (unsigned i = 0; i < MESSAGES / batch; i++) {
		if (xml_parser_feed(p, data, n, &used) != XML_FAULT_NONE)
			abort();
	}
	return ns_since(from, MESSAGES);
}

static double
round_write(struct buf *out, const struct elem *e)
{
	int64_t from = clock_mono_us(&clock_system);

	for (unsigned i = 0; i < MESSAGES; i++) {
		out->n = 0;
		xml_write(out, e, STR("jabber:client"));
	}
	return ns_since(from, MESSAGES);
}

static double
round_prime(struct xml_pool *pool, struct sink *s)
{
	int64_t from = clock_mono_us(&clock_system);

	for (unsigned i = 0; i < MESSAGES; i++)
		xml_parser_put(pool, xml_parser_get_primed(pool,
			STR("jabber:client"), &limits, &events, s));
	return ns_since(from, MESSAGES);
}

static double
least(double a, double b)
{
	return a < b ? a : b;
}

int
main(void)
{
	struct xml_pool *pool = xml_pool_new();
	struct sink s = { NULL, NULL };
	struct xml_parser *p = xml_parser_get_primed(pool, STR("jabber:client"),
		&limits, &events, &s);
	struct buf out = BUF_INIT, many = BUF_INIT;
	double one = 1e9, batch = 1e9, written = 1e9, primed = 1e9;
	size_t n = sizeof(message) - 1;

	for (unsigned i = 0; i < BATCH; i++)
		buf_add(&many, message, n);
	for (unsigned i = 0; i < ROUNDS; i++) {
		one = least(one, round_parse(p, message, n, 1));
		batch = least(batch, round_parse(p, many.p, many.n, BATCH));
		written = least(written, round_write(&out, s.e));
		primed = least(primed, round_prime(pool, &s));
	}
	printf("message of %zu bytes\n", n);
	printf("parse, one in a read    %7.0f ns\n", one);
	printf("parse, %d in a read      %7.0f ns\n", BATCH, batch);
	printf("write                   %7.0f ns\n", written);
	printf("rest and take up again  %7.0f ns\n", primed);
	buf_done(&out);
	buf_done(&many);
	arena_free(s.a);
	xml_parser_put(pool, p);
	xml_pool_free(pool);
	return 0;
}
