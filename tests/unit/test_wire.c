/*
 * test_wire.c - stanzas serialised once for many.
 */
#include "config.h"

#include "core/wire.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "core/stored.h"
#include "test.h"

static const struct xml_limits limits = {
	.stanza_bytes = 65536,
	.depth = 64,
	.elements = 256,
	.attrs = 64,
	.name_bytes = 256,
};

static struct stanza *
presence(void)
{
	struct stanza *st = stanza_new(PRESENCE_AVAILABLE,
		jid_trusted(STR("romeo@example.net/orchard")),
		jid_trusted(STR("nurse@example.com")), STR("p1"));

	elem_add_with_text(st->arena, st->root, NS_CLIENT, "status",
		STR("a < b"));
	return st;
}

static void
check_written(const struct wire *w, struct str to, const char *xml)
{
	struct buf out = BUF_INIT;

	wire_write(w, to, &out);
	CHECK_STR(buf_str(&out), xml);
	buf_done(&out);
}

TEST(wire_write_splices_the_address_in)
{
	struct stanza *st = presence();
	struct wire *w = wire_new(st);

	stanza_free(st);
	check_written(w, STR("juliet@example.com"),
		"<presence to=\"juliet@example.com\" from=\"romeo@example.net/orchard\" id=\"p1\">"
		"<status>a &lt; b</status></presence>");
	check_written(w, STR_NONE,
		"<presence from=\"romeo@example.net/orchard\" id=\"p1\">"
		"<status>a &lt; b</status></presence>");
	wire_unref(w);
}

TEST(wire_write_escapes_the_address)
{
	struct stanza *st = presence();
	struct wire *w = wire_new(st);
	struct buf out = BUF_INIT;

	stanza_free(st);
	wire_write(w, STR("a@b/\"<&"), &out);
	CHECK(memmem(out.p, out.n, "\"a@b/&quot;&lt;&amp;\"", 21) != NULL);
	buf_done(&out);
	wire_unref(w);
}

TEST(wire_stanza_gives_the_stanza_back)
{
	struct stanza *st = presence(), *again;
	struct wire *w = wire_new(st);

	stanza_free(st);
	again = wire_stanza(w);
	CHECK_INT(again->type, PRESENCE_AVAILABLE);
	CHECK_STR(jid_str(again->from), "romeo@example.net/orchard");
	CHECK(!jid_is_set(again->to));
	CHECK_STR(elem_text(again->arena,
			  stanza_child(again, NS_CLIENT, "status")),
		"a < b");
	stanza_free(again);
	wire_unref(w);
}

TEST(wire_lives_until_the_last_reference_is_given_back)
{
	struct stanza *st = presence();
	struct wire *w = wire_new(st);

	stanza_free(st);
	CHECK(wire_ref(w) == w);
	wire_unref(w);
	check_written(w, STR_NONE,
		"<presence from=\"romeo@example.net/orchard\" id=\"p1\">"
		"<status>a &lt; b</status></presence>");
	wire_unref(w);
	wire_unref(NULL);
}

/* Who has the copy has what it is of, which stays as long. */
TEST(a_copy_holds_and_takes_what_it_is_of)
{
	struct stanza *st = presence();
	struct wire *of = wire_new(st), *copy = wire_new(st);

	stanza_free(st);
	wire_set_of(copy, of);
	CHECK_INT(of->refs, 2);
	wire_unref(of);
	wire_take(copy);
	CHECK(copy->taken && of->taken);
	wire_unref(copy);
	CHECK_INT(memuse_sum(MEMUSE_WIRE).objects, 0);
}

/* As it would have been written to the stream. */
TEST(a_stored_stanza_loses_the_namespace_of_the_stream)
{
	struct stanza *st = presence();
	struct buf stored = BUF_INIT;
	struct wire *w;

	stored_write(&stored, st->root);
	w = wire_of_stored(buf_str(&stored));
	CHECK(w != NULL);
	CHECK_INT(memuse_sum(MEMUSE_WIRE).objects, 1);
	check_written(w, STR_NONE,
		"<presence from=\"romeo@example.net/orchard\""
		" to=\"nurse@example.com\" id=\"p1\">"
		"<status>a &lt; b</status></presence>");
	wire_unref(w);
	CHECK_INT(memuse_sum(MEMUSE_WIRE).objects, 0);
	buf_done(&stored);
	stanza_free(st);
}

/* The largest value of the option stanza_bytes, in bytes of which six times as
 * many are written: it came in, so it can be read again. */
TEST(the_largest_stanza_that_came_in_can_be_read_again)
{
	size_t n = (size_t)16 << 20;
	char *quotes = xmalloc(n);
	struct stanza *st = presence(), *again;
	struct wire *w;

	memset(quotes, '"', n);
	elem_set_attr(st->arena, st->root, "a", (struct str){ quotes, n });
	w = wire_new(st);
	CHECK(w->n > 6 * n);
	again = wire_stanza(w);
	CHECK(str_eq(elem_attr(again->root, "a"), (struct str){ quotes, n }));
	stanza_free(again);
	wire_unref(w);
	stanza_free(st);
	free(quotes);
}

static struct stanza *
stanza_of(const char *xml)
{
	struct arena *a = arena_new();
	enum stanza_cond cond;

	return stanza_from_elem(a, xml_parse(a, str_c(xml), &limits, NULL),
		&cond);
}

#define C " xmlns='jabber:client'"
#define HELLO "<body>1</body></message>"
#define COPY_IN "><got xmlns=\"urn:a\"><forwarded xmlns=\"urn:xmpp:forward:0\">" \
	"<message xmlns=\"jabber:client\" to=\"d@e\""
#define COPY_OUT "</forwarded></got></message>"
#define ID "<stanza-id xmlns=\"urn:xmpp:sid:0\" by=\"d@e\" id=\"7&amp;\"/>"

/* The message lies in it as it goes out itself, in a namespace and with its to. */
TEST(a_copy_forwards_the_message_as_it_is)
{
	static const struct {
		const char *in, *id, *copy;
	} cases[] = {
		{ "<message" C " from='a@b/c' type='chat' to='d@e'>" HELLO, NULL,
			"<message from=\"d@e\" type=\"chat\"" COPY_IN
			" from=\"a@b/c\" type=\"chat\">" HELLO COPY_OUT },
		{ "<message" C " to='d@e' from='a@b/c' type='normal'>" HELLO,
			NULL,
			"<message from=\"d@e\" type=\"normal\"" COPY_IN
			" from=\"a@b/c\" type=\"normal\">" HELLO COPY_OUT },
		{ "<message" C " to='d@e' type='&lt;' from='a@b/&quot;'>" HELLO,
			NULL,
			"<message from=\"d@e\"" COPY_IN
			" from=\"a@b/&quot;\">" HELLO COPY_OUT },
		{ "<message" C " from='a@b/c' to='d@e'>" HELLO, "7&",
			"<message from=\"d@e\"" COPY_IN " from=\"a@b/c\">"
			"<body>1</body>" ID "</message>" COPY_OUT },
		{ "<message" C " from='a@b/c' to='d@e'/>", NULL,
			"<message from=\"d@e\"" COPY_IN " from=\"a@b/c\"/>"
			COPY_OUT },
		{ "<message" C " from='a@b/c' to='d@e'><x xmlns=''/></message>",
			"7&",
			"<message from=\"d@e\"" COPY_IN " from=\"a@b/c\">"
			"<x xmlns=\"\"/>" ID "</message>" COPY_OUT },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct stanza *st = stanza_of(cases[i].in), *again;
		struct wire *w = wire_new(st), *copy, *same;
		struct wire_envelope in = { STR("d@e"), "urn:a", "got",
			cases[i].id != NULL ? str_c(cases[i].id) : STR_NONE };

		TEST_CASE(cases[i].in);
		copy = wire_forward(w, st, &in);
		check_written(copy, STR_NONE, cases[i].copy);
		CHECK(copy->copy && !w->copy && copy->of == NULL);
		/* without a wire it differs in the order of attributes */
		same = wire_forward(NULL, st, &in);
		CHECK_INT(same->n, copy->n);
		CHECK(same->copy && same->to_at == copy->to_at);
		wire_unref(same);
		again = wire_stanza(copy);
		CHECK(again->copy && again->made_here);
		CHECK_INT(again->type, st->type);
		CHECK_STR(jid_str(again->from), "d@e");
		CHECK_STR(elem_attr(stanza_forwarded(again), "from"),
			jid_str(st->from).p);
		stanza_free(again);
		wire_unref(copy);
		wire_unref(w);
		stanza_free(st);
	}
	CHECK_INT(memuse_sum(MEMUSE_WIRE).objects, 0);
}

#define LATE "<delay xmlns=\"urn:xmpp:delay\" from=\"b&amp;\" stamp=\"" \
	"2026-11-28T05:42:56Z\"/>"

/* XEP-0203 §2, XEP-0297 §3.2: one delay, in the message, or beside that which is
 * forwarded. */
#define ENTRY                                                                  \
	"<message xmlns=\"jabber:client\" from=\"a@x/y\" to=\"b@x\" id=\"1\">"     \
	"<body>a &lt; b</body><x xmlns=\"urn:x\"/></message>"

TEST(a_result_shows_an_entry_as_it_lies)
{
	struct wire_shown in = {
		.from = STR("b@x"),
		.queryid = STR("q'1"),
		.id = STR("7.abc"),
		.wall_us = INT64_C(1278803305123456),
	};
	struct xml_pool *pool = xml_pool_new();
	struct wire *w = wire_result(pool, STR(ENTRY), &in);
	struct stanza *st;

	check_written(w, STR("b@x/z"),
		"<message to=\"b@x/z\" from=\"b@x\">"
		"<result xmlns=\"urn:xmpp:mam:2\" queryid=\"q&apos;1\" id=\"7.abc\">"
		"<forwarded xmlns=\"urn:xmpp:forward:0\">"
		"<delay xmlns=\"urn:xmpp:delay\" stamp=\"2010-07-10T23:08:25Z\"/>" ENTRY
		"</forwarded></result></message>");
	/* it is nobody's but the session's, and says when it was sent */
	CHECK(w->copy);
	CHECK(wire_delayed(w, STR("x")) == NULL);
	st = wire_stanza(w);
	CHECK(st->copy);
	CHECK_STR(elem_attr(stanza_forwarded(st), "id"), "1");
	st->copy = false;
	CHECK(stanza_is_copy_again(st));
	stanza_free(st);
	wire_unref(w);
	in.queryid = STR_NONE;
	w = wire_result(pool, STR("<message xmlns=\"jabber:client\"/>"), &in);
	check_written(w, STR_NONE,
		"<message from=\"b@x\"><result xmlns=\"urn:xmpp:mam:2\" id=\"7.abc\">"
		"<forwarded xmlns=\"urn:xmpp:forward:0\">"
		"<delay xmlns=\"urn:xmpp:delay\" stamp=\"2010-07-10T23:08:25Z\"/>"
		"<message xmlns=\"jabber:client\"/></forwarded></result></message>");
	wire_unref(w);
	xml_pool_free(pool);
}

TEST(what_was_damaged_is_not_shown)
{
	static const char *const damaged[] = {
		"",
		"<",
		"x",
		"<presence xmlns=\"jabber:client\"/>",
		"<message xmlns=\"jabber:client\"",
		"<message xmlns=\"jabber:client\">",
		"<message xmlns=\"jabber:client\"></message",
		"<message xmlns=\"jabber:client\"><body>x</message>",
		"<message xmlns=\"jabber:client\"><body>x</body>",
		"<message xmlns=\"jabber:client\"><body>x<</body></message>",
		"<message xmlns=\"jabber:client\"><>x</></message>",
		"<message xmlns=\"jabber:client\"/><message/>",
		"<message xmlns=\"jabber:client\"/> ",
		"<message xmlns=\"jabber:client\"></message></message>",
		"<message xmlns=\"jabber:client\">\xFF</message>",
		"<message xmlns=\"jabber:client\">\x01</message>",
		"<message xmlns=\"jabber:client\">&lt</message>",
		"<message xmlns=\"jabber:client\"><body>x</bodz></message>",
		"<message xmlns=\"jabber:client\" id=\"1\" id=\"2\"/>",
		"<message xmlns=\"jabber:client\" a:b=\"1\"/>",
		"<message xmlns=\"jabber:client\"><!--x--></message>",
	};
	struct wire_shown in = { .from = STR("b@x"), .id = STR("1") };
	struct xml_pool *pool = xml_pool_new();

	for (size_t i = 0; i < COUNT(damaged); i++) {
		TEST_CASE(damaged[i]);
		CHECK(wire_result(pool, str_c(damaged[i]), &in) == NULL);
	}
	xml_pool_free(pool);
}

/* Whatever becomes of any byte: what is shown is one element. */
static void
check_damaged(struct xml_pool *pool, struct buf *value)
{
	struct wire_shown in = { .from = STR("b@x"), .id = STR("1") };
	unsigned shown = 0;

	for (size_t i = 0; i < value->n; i++) {
		char was = value->p[i];

		for (int c = 0; c < 256; c++) {
			struct arena *a = arena_new();
			struct wire *w;

			value->p[i] = (char)c;
			w = wire_result(pool, buf_str(value), &in);
			if (w != NULL) {
				shown++;
				CHECK(stored_read(a, wire_str(w)) != NULL);
			}
			wire_unref(w);
			arena_free(a);
		}
		value->p[i] = was;
	}
	CHECK(shown > value->n);
}

TEST(a_damaged_byte_breaks_no_stream)
{
	struct xml_pool *pool = xml_pool_new();
	struct arena *a = arena_new();
	struct buf value = BUF_INIT;

	buf_add_c(&value, ENTRY);
	check_damaged(pool, &value);
	value.n = 0;
	stored_write_sealed(&value, stored_read(a, STR(ENTRY)));
	CHECK_INT(value.n, strlen(ENTRY) + 8);
	check_damaged(pool, &value);
	buf_done(&value);
	arena_free(a);
	xml_pool_free(pool);
}

TEST(what_waited_says_since_when)
{
	static const struct {
		const char *in, *late; /* NULL: it says so already */
		bool copy;
	} cases[] = {
		{ "<presence" C " from='a@b/c'/>",
			"<presence from=\"a@b/c\">" LATE "</presence>", false },
		{ "<presence" C "/>", "<presence>" LATE "</presence>", false },
		{ "<message" C " from='a@b/c'>" HELLO,
			"<message from=\"a@b/c\"><body>1</body>" LATE
			"</message>",
			false },
		{ "<message" C "><body>urn:xmpp:delay</body></message>",
			"<message><body>urn:xmpp:delay</body>" LATE
			"</message>",
			false },
		{ "<message" C "><x xmlns='a'><delay xmlns='urn:xmpp:delay'/>"
		  "</x></message>",
			"<message><x xmlns=\"a\"><delay "
			"xmlns=\"urn:xmpp:delay\"/></x>" LATE "</message>",
			false },
		{ "<message" C "><delay xmlns='urn:xmpp:delay' stamp='x'/>"
		  "</message>",
			NULL, false },
		{ "<message" C " from='a@b/c' to='d@e'>" HELLO,
			"<message from=\"d@e\"><got xmlns=\"urn:a\"><forwarded "
			"xmlns=\"urn:xmpp:forward:0\">" LATE
			"<message xmlns=\"jabber:client\" from=\"a@b/c\" "
			"to=\"d@e\">" HELLO COPY_OUT,
			true },
		{ "<message" C " from='a@b/c' to='d@e'>"
		  "<delay xmlns='urn:xmpp:delay' stamp='x'/></message>",
			NULL, true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct stanza *st = stanza_of(cases[i].in);
		struct wire_envelope in = { STR("d@e"), "urn:a", "got",
			STR_NONE };
		struct wire *w = cases[i].copy ? wire_forward(NULL, st, &in) :
						 wire_new(st);
		struct wire *late;

		TEST_CASE(cases[i].in);
		w->wall_us = 1795844576999999;
		late = wire_delayed(w, STR("b&"));
		CHECK((late == NULL) == (cases[i].late == NULL));
		if (late != NULL)
			check_written(late, STR_NONE, cases[i].late);
		wire_unref(late);
		wire_unref(w);
		stanza_free(st);
	}
	CHECK_INT(memuse_sum(MEMUSE_WIRE).objects, 0);
}

TEST(only_a_stanza_of_clients_becomes_a_wire)
{
	static const char *const texts[] = {
		"", "<message/>", "<message from=\"a\"/>",
		"<message xmlns=\"jabber:server\"/>",
		"<message from=\"a\" xmlns=\"jabber:client\"/>",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		TEST_CASE(texts[i]);
		CHECK(wire_of_stored(str_c(texts[i])) == NULL);
	}
}

TEST_MAIN
