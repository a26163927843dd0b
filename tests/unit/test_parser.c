/*
 * test_parser.c - streams: what is reported, where the parser stops, and how
 * one parser takes over from another.
 */
#include "config.h"

#include "test.h"

#include "base/arena.h"
#include "base/err.h"
#include "xml/parser.h"
#include "tree.h"

#define HEADER                                                                 \
	"<?xml version='1.0'?><stream:stream to='example.org' version='1.0'"   \
	" xmlns='jabber:client' xml:lang='en'"                                 \
	" xmlns:stream='http://etherx.jabber.org/streams'>"
#define ROOT_SEEN                                                              \
	"{http://etherx.jabber.org/streams}stream @to='example.org'"           \
	" @version='1.0' @{http://www.w3.org/XML/1998/namespace}lang='en'()"   \
	" jabber:client\n"

static const struct xml_limits limits = {
	.stanza_bytes = 1000,
	.depth = 5,
	.elements = 10,
	.attrs = 5,
	.name_bytes = 60,
};

/* What the owner of a stream saw, one line for one event. */
struct owner {
	struct buf seen;
	int stop_at; /* the event to be answered with XML_STOP; -1: all */
	int events;
};

static enum xml_verdict
owner_verdict(struct owner *o)
{
	o->events++;
	return o->stop_at == -1 || o->events == o->stop_at ? XML_STOP :
							     XML_GO_ON;
}

static enum xml_verdict
on_opened(void *arg, const struct elem *root, struct str content_ns)
{
	struct owner *o = arg;

	tree_dump(&o->seen, root);
	buf_printf(&o->seen, " %.*s\n", STR_ARG(content_ns));
	return owner_verdict(o);
}

static enum xml_verdict
on_element(void *arg, struct arena *a, struct elem *e)
{
	struct owner *o = arg;

	tree_dump(&o->seen, e);
	buf_add_c(&o->seen, "\n");
	arena_free(a);
	return owner_verdict(o);
}

static enum xml_verdict
on_closed(void *arg)
{
	struct owner *o = arg;

	buf_add_c(&o->seen, "closed\n");
	return owner_verdict(o);
}

static const struct xml_events events = { on_opened, on_element, on_closed };

struct fixture {
	struct xml_pool *pool;
	struct xml_parser *p;
	struct owner owner;
};

static void
fixture_init(struct fixture *f)
{
	*f = (struct fixture){ .pool = xml_pool_new() };
	f->p = xml_parser_get(f->pool, &limits, &events, &f->owner);
}

static void
fixture_done(struct fixture *f)
{
	xml_parser_put(f->pool, f->p);
	xml_pool_free(f->pool);
	buf_done(&f->owner.seen);
}

/* All of s, which nothing stops. */
static enum xml_fault
feed(struct fixture *f, struct str s)
{
	size_t used = 0;
	enum xml_fault fault = xml_parser_feed(f->p, s.p, s.n, &used);

	CHECK_INT(used, s.n);
	return fault;
}

#define FEED(f, literal)                                                       \
	CHECK_INT(feed(f, STR(literal)), XML_FAULT_NONE)
#define SEEN(f, text) CHECK_CSTR(buf_c(&(f)->owner.seen), text)

/* --- trees ---------------------------------------------------------------- */

static const struct {
	const char *in, *seen;
} tree_cases[] = {
	{ "<iq/>", "{jabber:client}iq()\n" },
	{ "<iq></iq >", "{jabber:client}iq()\n" },
	{ " \t\r\n<iq/>\n<iq/>  ",
		"{jabber:client}iq()\n{jabber:client}iq()\n" },
	{ "<iq type='get' id=\"a'b\"/>",
		"{jabber:client}iq @type='get' @id='a'b'()\n" },
	{ "<iq><q xmlns='urn:x' k='v'><r/></q></iq>",
		"{jabber:client}iq({urn:x}q @k='v'({urn:x}r()))\n" },
	{ "<iq><q xmlns=''/></iq>", "{jabber:client}iq(q())\n" },
	{ "<x:a xmlns:x='urn:x' x:k='v' k='w'/>",
		"{urn:x}a @{urn:x}k='v' @k='w'()\n" },
	{ "<a>x&amp;y&lt;&gt;&quot;&apos;&#65;&#x42;\r\nz</a>",
		"{jabber:client}a(\"x&y<>\"'AB\nz\")\n" },
	{ "<a>1<b/>2<c/>3</a>", "{jabber:client}a(\"1\"{jabber:client}b()"
		"\"2\"{jabber:client}c()\"3\")\n" },
	{ "<a>x<![CDATA[<b/>&amp;]]]]><![CDATA[>]]>y</a>",
		"{jabber:client}a(\"x<b/>&amp;]]>y\")\n" },
	{ "<a k=' x\ty\n&#10;&#9;&lt;>'/>",
		"{jabber:client}a @k=' x y \n\t<>'()\n" },
	{ "<a k='\xC3\xA4>\"'>\xF0\x9F\x98\x80</a>",
		"{jabber:client}a @k='\xC3\xA4>\"'(\"\xF0\x9F\x98\x80\")\n" },
	{ "<\xC3\xA4 \xC3\xB6='1'/>",
		"{jabber:client}\xC3\xA4 @\xC3\xB6='1'()\n" },
	{ "<a xml:lang='de'/>",
		"{jabber:client}a @{http://www.w3.org/XML/1998/namespace}"
		"lang='de'()\n" },
	{ "<stream:error/>", "{http://etherx.jabber.org/streams}error()\n" },
	{ "</stream:stream>", "closed\n" },
	{ "<iq/></stream:stream > \n", "{jabber:client}iq()\nclosed\n" },
};

TEST(each_stanza_is_reported_as_a_tree)
{
	for (size_t i = 0; i < COUNT(tree_cases); i++) {
		struct fixture f;

		fixture_init(&f);
		TEST_CASE(tree_cases[i].in);
		FEED(&f, HEADER);
		SEEN(&f, ROOT_SEEN);
		f.owner.seen.n = 0;
		CHECK_INT(feed(&f, str_c(tree_cases[i].in)), XML_FAULT_NONE);
		SEEN(&f, tree_cases[i].seen);
		fixture_done(&f);
	}
}

TEST(a_split_at_any_byte_changes_nothing)
{
	for (size_t i = 0; i < COUNT(tree_cases); i++) {
		struct buf in = BUF_INIT;

		buf_add_c(&in, HEADER);
		buf_add_c(&in, tree_cases[i].in);
		TEST_CASE(tree_cases[i].in);
		for (size_t cut = 0; cut <= in.n; cut++) {
			struct fixture f;
			struct str head = { in.p, cut };
			struct str tail = { in.p + cut, in.n - cut };

			fixture_init(&f);
			CHECK_INT(feed(&f, head), XML_FAULT_NONE);
			CHECK_INT(feed(&f, tail), XML_FAULT_NONE);
			CHECK(strncmp(buf_c(&f.owner.seen), ROOT_SEEN,
				sizeof(ROOT_SEEN) - 1) == 0);
			CHECK_CSTR(buf_c(&f.owner.seen) + sizeof(ROOT_SEEN) - 1,
				tree_cases[i].seen);
			fixture_done(&f);
		}
		buf_done(&in);
	}
}

TEST(bytes_one_by_one_change_nothing)
{
	for (size_t i = 0; i < COUNT(tree_cases); i++) {
		const char *in = tree_cases[i].in;
		struct fixture f;

		fixture_init(&f);
		TEST_CASE(in);
		FEED(&f, HEADER);
		f.owner.seen.n = 0;
		for (size_t at = 0; in[at] != '\0'; at++)
			CHECK_INT(feed(&f, (struct str){ in + at, 1 }),
				XML_FAULT_NONE);
		SEEN(&f, tree_cases[i].seen);
		fixture_done(&f);
	}
}

/* --- stopping ------------------------------------------------------------- */

/* Where each event of this stream ends. */
#define PIPELINE                                                               \
	"<a k='1'><b/></a>", "<c/>", " <d>x</d>", "</stream:stream>"

#define PIPELINE_SEEN                                                          \
	ROOT_SEEN                                                              \
	"{jabber:client}a @k='1'({jabber:client}b())\n{jabber:client}c()\n"    \
	"{jabber:client}d(\"x\")\nclosed\n"

static const char *const pipeline[] = { HEADER, PIPELINE };

TEST(nothing_behind_the_stop_is_read)
{
	for (int stop = 1; stop <= (int)COUNT(pipeline); stop++) {
		struct fixture f;
		struct buf in = BUF_INIT;
		size_t want = 0, used = 0;

		fixture_init(&f);
		f.owner.stop_at = stop;
		for (int i = 0; i < (int)COUNT(pipeline); i++) {
			buf_add_c(&in, pipeline[i]);
			if (i < stop)
				want = in.n;
		}
		TEST_CASE(pipeline[stop - 1]);
		CHECK_INT(xml_parser_feed(f.p, in.p, in.n, &used),
			XML_FAULT_NONE);
		CHECK_INT(used, want);
		CHECK_INT(f.owner.events, stop);
		CHECK_INT(feed(&f, (struct str){ in.p + used, in.n - used }),
			XML_FAULT_NONE);
		SEEN(&f, PIPELINE_SEEN);
		buf_done(&in);
		fixture_done(&f);
	}
}

TEST(a_stop_at_every_event_loses_nothing_wherever_the_bytes_are_cut)
{
	static const char in[] = HEADER "<a k='1'><b/></a><c/> <d>x</d>"
		"</stream:stream> ";

	for (size_t cut = 1; cut < sizeof(in); cut++) {
		struct fixture f;
		size_t at = 0, used;

		fixture_init(&f);
		f.owner.stop_at = -1;
		while (at < sizeof(in) - 1) {
			CHECK_INT(xml_parser_feed(f.p, in + at,
				MIN(cut, sizeof(in) - 1 - at), &used),
				XML_FAULT_NONE);
			at += used;
		}
		SEEN(&f, PIPELINE_SEEN);
		fixture_done(&f);
	}
}

TEST(other_bytes_may_follow_a_stop)
{
	struct fixture f;
	size_t used;

	fixture_init(&f);
	FEED(&f, HEADER);
	f.owner.stop_at = 2;
	CHECK_INT(xml_parser_feed(f.p, "<a/>garbage", 11, &used),
		XML_FAULT_NONE);
	CHECK_INT(used, 4);
	f.owner.seen.n = 0;
	FEED(&f, "<b/>");
	SEEN(&f, "{jabber:client}b()\n");
	fixture_done(&f);
}

TEST(a_root_that_opens_and_closes_at_once_is_reported_as_both)
{
	static const char in[] =
		"<s:stream xmlns:s='http://etherx.jabber.org/streams'/>";
	struct fixture f;
	size_t used;

	fixture_init(&f);
	CHECK_INT(feed(&f, str_c(in)), XML_FAULT_NONE);
	SEEN(&f, "{http://etherx.jabber.org/streams}stream() \nclosed\n");
	fixture_done(&f);

	fixture_init(&f);
	f.owner.stop_at = 1;
	CHECK_INT(feed(&f, str_c(in)), XML_FAULT_NONE);
	CHECK_INT(f.owner.events, 1);
	CHECK_INT(xml_parser_feed(f.p, "", 0, &used), XML_FAULT_NONE);
	SEEN(&f, "{http://etherx.jabber.org/streams}stream() \nclosed\n");
	fixture_done(&f);
}

/* --- rest ----------------------------------------------------------------- */

static const struct {
	const char *in;
	bool rests;
} rest_cases[] = {
	{ "", false },
	{ "<?xml version='1.0'?>", false },
	{ HEADER, true },
	{ HEADER " \n", true },
	{ HEADER "<", false },
	{ HEADER "<a", false },
	{ HEADER "<a>", false },
	{ HEADER "<a>x", false },
	{ HEADER "<a/>", true },
	{ HEADER "</stream:stream>", false },
	{ "<stream:stream xmlns='jabber:server'"
		" xmlns:db='jabber:server:dialback'"
		" xmlns:stream='http://etherx.jabber.org/streams'>", true },
	{ "<stream:stream xmlns='jabber:server'"
		" xmlns:stream='http://etherx.jabber.org/streams'>", false },
	{ "<stream:stream xmlns='jabber:server' xmlns:db='urn:other'"
		" xmlns:stream='http://etherx.jabber.org/streams'>", false },
	{ "<stream:stream xmlns='jabber:server' xmlns:d='jabber:server:dialback'"
		" xmlns:stream='http://etherx.jabber.org/streams'>", false },
	{ "<stream:stream xmlns='jabber:client'"
		" xmlns:db='jabber:server:dialback'"
		" xmlns:stream='http://etherx.jabber.org/streams'>", false },
	{ "<s:stream xmlns='jabber:client'"
		" xmlns:s='http://etherx.jabber.org/streams'>", false },
	{ "<stream xmlns='http://etherx.jabber.org/streams'>", false },
	{ "<stream:stream xmlns='urn:unknown'"
		" xmlns:stream='http://etherx.jabber.org/streams'>", false },
	{ "<stream:x xmlns='jabber:client'"
		" xmlns:stream='http://etherx.jabber.org/streams'>", false },
	{ "<x xmlns='jabber:client' xmlns:stream='urn:x'>", false },
};

TEST(a_parser_can_rest_between_stanzas_of_a_plain_stream)
{
	for (size_t i = 0; i < COUNT(rest_cases); i++) {
		struct fixture f;

		fixture_init(&f);
		TEST_CASE(rest_cases[i].in);
		CHECK_INT(feed(&f, str_c(rest_cases[i].in)), XML_FAULT_NONE);
		CHECK_INT(xml_parser_can_rest(f.p), rest_cases[i].rests);
		fixture_done(&f);
	}
}

/* Makes f->p primed: from scratch, or one that has read another's stream. */
static void
prime(struct fixture *f, bool used_before)
{
	fixture_init(f);
	if (used_before)
		FEED(f, HEADER "<a/>");
	xml_parser_put(f->pool, f->p);
	f->owner.seen.n = 0;
	f->p = xml_parser_get_primed(f->pool, STR("jabber:client"), &limits,
		&events, &f->owner);
}

TEST(a_primed_parser_goes_on_as_if_it_had_read_the_header)
{
	for (size_t i = 0; i < 2 * COUNT(tree_cases); i++) {
		struct fixture f;

		TEST_CASE(tree_cases[i / 2].in);
		prime(&f, i % 2 == 1);
		CHECK(xml_parser_can_rest(f.p));
		CHECK_INT(feed(&f, str_c(tree_cases[i / 2].in)),
			XML_FAULT_NONE);
		SEEN(&f, tree_cases[i / 2].seen);
		fixture_done(&f);
	}
}

/* Of those that all have, two prefixes for servers. */
TEST(a_parser_primed_for_servers_knows_dialback)
{
	for (size_t i = 0; i < 2; i++) {
		struct fixture f;

		fixture_init(&f);
		if (i == 1) /* by one that has rested */
			FEED(&f, "<stream:stream xmlns='jabber:server' "
				 "xmlns:db='jabber:server:dialback' "
				 "xmlns:stream='http://etherx.jabber.org/streams'>");
		xml_parser_put(f.pool, f.p);
		f.owner.seen.n = 0;
		f.p = xml_parser_get_primed(f.pool, STR("jabber:server"),
			&limits, &events, &f.owner);
		FEED(&f, "<db:verify/><a/>");
		SEEN(&f, "{jabber:server:dialback}verify()\n{jabber:server}a()\n");
		CHECK(xml_parser_can_rest(f.p));
		fixture_done(&f);
	}
}

TEST(a_parser_primed_for_an_unknown_namespace_never_rests)
{
	struct fixture f;

	fixture_init(&f);
	xml_parser_put(f.pool, f.p);
	f.p = xml_parser_get_primed(f.pool, STR("urn:a&b"), &limits, &events,
		&f.owner);
	FEED(&f, "<a/></stream:stream>");
	SEEN(&f, "{urn:a&b}a()\nclosed\n");
	CHECK(!xml_parser_can_rest(f.p));
	fixture_done(&f);
}

TEST(a_parser_given_back_in_any_state_is_as_new)
{
	for (size_t i = 0; i < COUNT(rest_cases); i++) {
		struct fixture f;

		fixture_init(&f);
		TEST_CASE(rest_cases[i].in);
		CHECK_INT(feed(&f, str_c(rest_cases[i].in)), XML_FAULT_NONE);
		xml_parser_put(f.pool, f.p);
		f.p = xml_parser_get(f.pool, &limits, &events, &f.owner);
		f.owner.seen.n = 0;
		FEED(&f, HEADER "<iq/>");
		SEEN(&f, ROOT_SEEN "{jabber:client}iq()\n");
		fixture_done(&f);
	}
}

TEST(a_long_stream_goes_on_through_renewals)
{
	struct fixture f;
	int events_seen;

	fixture_init(&f);
	FEED(&f, "<st:stream xmlns='jabber:server' xmlns:db='urn:db'"
		" xmlns:st='http://etherx.jabber.org/streams'>");
	for (int i = 0; i < 20000; i++) {
		char text[64];

		/* names that expat would remember */
		snprintf(text, sizeof(text), "<db:n%d db:a%d='x'/> \n", i, i);
		CHECK_INT(feed(&f, str_c(text)), XML_FAULT_NONE);
	}
	events_seen = f.owner.events;
	CHECK_INT(events_seen, 20001);
	f.owner.seen.n = 0;
	FEED(&f, "<db:x><y/></db:x></st:stream>");
	SEEN(&f, "{urn:db}x({jabber:server}y())\nclosed\n");
	fixture_done(&f);
}

TEST_MAIN
