/*
 * test_wire.c - stanzas serialised once for many.
 */
#include "config.h"

#include "core/wire.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "core/stored.h"
#include "test.h"

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
