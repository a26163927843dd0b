/*
 * test_roster.c - contacts in memory.
 */
#include "config.h"

#include "core/roster.h"

#include "base/arena.h"
#include "base/buf.h"
#include "store/store.h"
#include "test.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/subscription.h"

static struct jid
addr(const char *text)
{
	return jid_trusted(str_c(text));
}

static void
check_item(const struct roster_item *it, const char *xml)
{
	struct arena *a = arena_new();
	struct elem *query = elem_new(a, "jabber:iq:roster", "query");
	struct buf out = BUF_INIT;

	roster_item_elem(a, query, it);
	xml_write(&out, elem_first_child(query), STR("jabber:iq:roster"));
	CHECK_STR(buf_str(&out), xml);
	buf_done(&out);
	arena_free(a);
}

TEST(roster_keeps_items_sorted_by_address)
{
	static const char *const in[] = { "m@x", "a@x", "z@x", "b@x", "a@w" };
	struct roster r = { .items = NULL };

	for (size_t i = 0; i < COUNT(in); i++)
		roster_set(&r, addr(in[i]), STR_NONE, NULL, 0);
	CHECK_INT(r.n, COUNT(in));
	for (uint32_t i = 1; i < r.n; i++)
		CHECK(str_cmp(jid_str(roster_item_jid(r.items[i - 1])),
			      jid_str(roster_item_jid(r.items[i]))) < 0);
	for (size_t i = 0; i < COUNT(in); i++)
		CHECK(roster_find(&r, str_c(in[i])) != NULL);
	CHECK(roster_find(&r, STR("a@y")) == NULL);
	roster_done(&r);
}

TEST(roster_set_replaces_name_and_groups_and_keeps_the_subscription)
{
	struct str two[] = { STR("Friends"), STR("a \"b\" & <c>") };
	struct roster r = { .items = NULL };

	roster_set_state(&r, addr("juliet@example.com"), SUB_TO);
	roster_set(&r, addr("juliet@example.com"), STR("Julia"), two, 2);
	check_item(roster_find(&r, STR("juliet@example.com")),
		"<item jid=\"juliet@example.com\" name=\"Julia\" subscription=\"to\">"
		"<group>Friends</group><group>a \"b\" &amp; &lt;c&gt;</group></item>");
	roster_set(&r, addr("juliet@example.com"), STR_NONE, NULL, 0);
	check_item(roster_find(&r, STR("juliet@example.com")),
		"<item jid=\"juliet@example.com\" subscription=\"to\"/>");
	CHECK_INT(r.n, 1);
	roster_done(&r);
}

static const struct {
	const char *label;
	uint8_t state;
	bool there, listed;
} state_cases[] = {
	{ "a request out makes a contact", SUB_PENDING_OUT, true, true },
	{ "to makes a contact", SUB_TO, true, true },
	{ "from makes a contact", SUB_FROM, true, true },
	{ "a request in is kept but not listed", SUB_PENDING_IN, true, false },
	{ "nothing makes nothing", 0, false, false },
};

TEST(roster_lists_what_is_more_than_a_request)
{
	for (size_t i = 0; i < COUNT(state_cases); i++) {
		struct roster r = { .items = NULL };
		const struct roster_item *it;

		TEST_CASE(state_cases[i].label);
		it = roster_set_state(&r, addr("a@x"), state_cases[i].state);
		CHECK((it != NULL) == state_cases[i].there);
		if (it != NULL)
			CHECK(it->listed == state_cases[i].listed);
		CHECK_INT(roster_state(&r, STR("a@x")), state_cases[i].state);
		roster_done(&r);
	}
}

TEST(roster_forgets_a_request_that_was_refused)
{
	struct roster r = { .items = NULL };

	roster_set_state(&r, addr("a@x"), SUB_PENDING_IN);
	CHECK(roster_set_state(&r, addr("a@x"), 0) == NULL);
	CHECK_INT(r.n, 0);
	roster_done(&r);
}

TEST(roster_keeps_a_contact_whose_subscription_ended)
{
	struct roster r = { .items = NULL };

	roster_set_state(&r, addr("a@x"), SUB_TO);
	CHECK(roster_set_state(&r, addr("a@x"), 0) != NULL);
	CHECK(roster_remove(&r, STR("a@x")));
	CHECK(!roster_remove(&r, STR("a@x")));
	roster_done(&r);
}

static const struct {
	const char *key, *value;
	bool ok;
} load_cases[] = {
	{ "a@x",
		"<item xmlns='jabber:iq:roster' jid='a@x' subscription='both' name='A'><group>g</group></item>",
		true },
	{ "a@x", "<item xmlns='jabber:iq:roster' jid='a@x' pending-in='true' listed='false'/>",
		true },
	{ "", "17", true },
	{ "", "seventeen", false },
	{ "a@x", "<item", false },
	{ "a@x", "<item xmlns='other'/>", false },
	/* no state of RFC 6121 §A.1: subscribed and asking at once */
	{ "a@x", "<item xmlns='jabber:iq:roster' subscription='to' ask='subscribe'/>",
		false },
};

TEST(roster_load_takes_what_was_saved_and_nothing_else)
{
	for (size_t i = 0; i < COUNT(load_cases); i++) {
		struct roster r = { .items = NULL };
		struct store_entry entry = {
			.key = str_c(load_cases[i].key),
			.value = str_c(load_cases[i].value),
		};

		TEST_CASE(load_cases[i].value);
		CHECK(roster_load(&r, &entry) == load_cases[i].ok);
		if (!load_cases[i].ok)
			CHECK_INT(r.n, 0);
		roster_done(&r);
	}
}

TEST_MAIN
