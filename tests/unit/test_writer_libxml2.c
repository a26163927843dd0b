/*
 * test_writer_libxml2.c - what we write, read by a parser that shares nothing
 * with ours: both must see the same tree (hostile 7).
 */
#include "config.h"

#include "test.h"

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "base/arena.h"
#include "base/rand.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "tree.h"

#define TREES 3000
#define CHILDREN_MAX 4
#define DEPTH_MAX 5
#define RUNS_MAX 6

/* --- trees drawn from a seed --------------------------------------------------- */

/* Without & and <, of which libxml2 leaves references in namespaces as they
 * are written. */
static const char *const namespaces[] = { "", "jabber:client", "urn:x", "urn:y",
	"http://etherx.jabber.org/streams", "urn:a'b\"c>d", "urn:\xc3\xa9" };
static const char *const names[] = { "a", "b", "message", "stream", "xmlns1",
	"n0", "n1", "x-y.z", "\xc3\xa9t\xc3\xa9" };
/* Whatever XML 1.0 can say, and what parsers have stumbled over. */
static const char *const runs[] = { "<", ">", "&", "'", "\"", "]]>", "<![CDATA[",
	"-->", "<!--", "<?x?>", "&lt;", "&#60;", "&amp;amp;", "\t", "\n", "\r",
	"\r\n", " ", "  ", "x", "</a>", "<stream:stream>", "\xc3\xa9",
	"\xe2\x80\xa8", "\xc2\x85", "\xc2\xa0", "\xf0\x9f\x98\x80",
	"\xef\xbf\xbd", "\xf4\x8f\xbf\xbd", "\x7f", "%", "\\" };

#define PICK(r, table) ((table)[rand_below((r), COUNT(table))])

static struct str
random_text(struct rand_source *r, struct arena *a)
{
	struct buf text = BUF_INIT;
	struct str out;

	for (uint64_t n = rand_below(r, RUNS_MAX); n > 0; n--)
		buf_add_c(&text, PICK(r, runs));
	out = arena_str(a, buf_str(&text));
	buf_done(&text);
	return out.p != NULL ? out : STR("");
}

static void
random_fill(struct rand_source *r, struct arena *a, struct elem *e, int depth)
{
	for (uint64_t n = rand_below(r, CHILDREN_MAX); n > 0; n--)
		elem_set_attr_ns(a, e, PICK(r, namespaces), PICK(r, names),
			random_text(r, a));
	if (rand_below(r, 4) == 0)
		elem_set_attr_ns(a, e, NS_XML, "lang", STR("en"));
	for (uint64_t n = rand_below(r, CHILDREN_MAX); n > 0; n--) {
		struct str text = random_text(r, a);

		if (text.n != 0)
			elem_add_text(a, e, text);
		if (depth < DEPTH_MAX)
			random_fill(r, a,
				elem_add(a, e, PICK(r, namespaces),
					PICK(r, names)),
				depth + 1);
	}
}

/* --- what the other parser sees, as tree_dump() shows it --------------------------- */

static void
other_name(struct buf *out, const xmlNs *ns, const xmlChar *name)
{
	tree_dump_name(out,
		ns != NULL ? str_c((const char *)ns->href) : STR_NONE,
		str_c((const char *)name));
}

static void other_dump(struct buf *out, const xmlNode *node);

static void
other_content(struct buf *out, const xmlNode *node)
{
	bool in_text = false;

	for (const xmlNode *n = node->children; n != NULL; n = n->next) {
		bool text = n->type == XML_TEXT_NODE;

		CHECK(text || n->type == XML_ELEMENT_NODE);
		if (text != in_text)
			buf_add_c(out, "\"");
		in_text = text;
		if (text)
			buf_add_c(out, (const char *)n->content);
		else
			other_dump(out, n);
	}
	if (in_text)
		buf_add_c(out, "\"");
}

static void
other_dump(struct buf *out, const xmlNode *node)
{
	other_name(out, node->ns, node->name);
	for (const xmlAttr *at = node->properties; at != NULL; at = at->next) {
		xmlChar *value = xmlNodeListGetString(node->doc, at->children,
			1);

		buf_add_c(out, " @");
		other_name(out, at->ns, at->name);
		buf_add_c(out, "='");
		buf_add_c(out, value != NULL ? (const char *)value : "");
		buf_add_c(out, "'");
		xmlFree(value);
	}
	buf_add_c(out, "(");
	other_content(out, node);
	buf_add_c(out, ")");
}

static void
check_same(const struct elem *e)
{
	struct buf out = BUF_INIT, ours = BUF_INIT, other = BUF_INIT;
	xmlDoc *doc;

	xml_write(&out, e, STR(""));
	TEST_CASE(buf_c(&out));
	doc = xmlReadMemory(out.p, (int)out.n, NULL, "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	CHECK(doc != NULL);
	tree_dump(&ours, e);
	other_dump(&other, xmlDocGetRootElement(doc));
	CHECK_STR(buf_str(&other), buf_c(&ours));
	xmlFreeDoc(doc);
	buf_done(&out);
	buf_done(&ours);
	buf_done(&other);
}

TEST(another_parser_sees_the_same_tree)
{
	struct rand_seeded r;

	for (uint64_t seed = 1; seed <= TREES; seed++) {
		struct arena *a = arena_new();
		struct elem *e;

		rand_seeded_init(&r, seed);
		e = elem_new(a, PICK(&r.source, namespaces),
			PICK(&r.source, names));
		random_fill(&r.source, a, e, 0);
		check_same(e);
		arena_free(a);
	}
	xmlCleanupParser();
}

TEST_MAIN
