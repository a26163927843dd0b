/*
 * test_roster.c - contacts in memory.
 */
#include "config.h"

#include "account/roster.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "xmpp/subscription.h"
#include "store/store.h"
#include "test.h"

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
	struct roster r = { .n = 0 };

	for (size_t i = 0; i < COUNT(in); i++)
		roster_set(&r, addr(in[i]), STR_NONE, NULL, 0);
	CHECK_INT(r.n, COUNT(in));
	for (uint32_t i = 1; i < r.n; i++)
		CHECK(str_cmp(jid_str(roster_item_jid(roster_at(&r, i - 1))),
			      jid_str(roster_item_jid(roster_at(&r, i)))) < 0);
	for (size_t i = 0; i < COUNT(in); i++)
		CHECK(roster_find(&r, str_c(in[i])) != NULL);
	CHECK(roster_find(&r, STR("a@y")) == NULL);
	roster_done(&r);
}

TEST(roster_memory_is_counted_until_it_is_done)
{
	struct memuse_sum before = memuse_sum(MEMUSE_ROSTER), now;
	struct roster r = { .n = 0 };

	roster_set(&r, addr("a@x"), STR_NONE, NULL, 0);
	roster_set(&r, addr("b@x"), STR("Bea"), NULL, 0);
	roster_set(&r, addr("b@x"), STR("Beatrice"), NULL, 0);
	roster_set_state(&r, addr("c@x"), SUB_TO);
	CHECK(roster_remove(&r, STR("a@x")));
	now = memuse_sum(MEMUSE_ROSTER);
	CHECK_INT(now.objects - before.objects, 2);
	CHECK(now.bytes - before.bytes >= (int64_t)r.used);
	roster_done(&r);
	now = memuse_sum(MEMUSE_ROSTER);
	CHECK_INT(now.objects, before.objects);
	CHECK_INT(now.bytes, before.bytes);
}

TEST(roster_set_replaces_name_and_groups_and_keeps_the_subscription)
{
	struct str two[] = { STR("Friends"), STR("a \"b\" & <c>") };
	struct roster r = { .n = 0 };

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

/* What a roster should hold: of each address, the length of its name and how
 * many groups it is in; -1 when it is no contact. */
#define MODEL_N 40
#define MODEL_STEPS 4000

static void
model_groups(void *arg, struct str group)
{
	int *n = arg;

	CHECK_INT(group.n, 5 * (*n + 1));
	(*n)++;
}

static void
model_check(const struct roster *r, const int model[MODEL_N])
{
	uint32_t n = 0;

	for (int i = 0; i < MODEL_N; i++) {
		char bare[8];
		struct roster_item *it;
		int groups = 0;

		snprintf(bare, sizeof(bare), "%02d@x", i);
		it = roster_find(r, str_c(bare));
		CHECK((it != NULL) == (model[i] >= 0));
		if (it == NULL)
			continue;
		CHECK(it == roster_at(r, n));
		CHECK_STR(jid_str(roster_item_jid(it)), bare);
		CHECK_INT(roster_item_name(it).n, model[i] / 4);
		roster_item_groups(it, model_groups, &groups);
		CHECK_INT(groups, model[i] % 4);
		CHECK_INT(it->state, model[i] % 3);
		n++;
	}
	CHECK_INT(r->n, n);
}

TEST(roster_holds_what_was_set_last_whatever_came_between)
{
	struct str groups[] = { STR("group"), STR("groupgroup"),
		STR("groupgroupgroup") };
	struct str name = STR("a name of thirty bytes or more");
	struct roster r = { .n = 0 };
	int model[MODEL_N];
	uint32_t random = 1;

	for (int i = 0; i < MODEL_N; i++)
		model[i] = -1;
	for (int step = 0; step < MODEL_STEPS; step++) {
		int i, value;
		char bare[8];

		random = random * 1103515245 + 12345;
		i = (int)(random >> 16) % MODEL_N;
		random = random * 1103515245 + 12345;
		value = (int)(random >> 16) % 150 - 30;
		snprintf(bare, sizeof(bare), "%02d@x", i);
		if (value < 0) {
			CHECK(roster_remove(&r, str_c(bare)) ==
				(model[i] >= 0));
			value = -1;
		} else {
			name.n = (size_t)value / 4;
			roster_set(&r, addr(bare), name, groups,
				(size_t)value % 4)
				->state = (uint8_t)(value % 3);
		}
		model[i] = value;
		if (step % 16 == 0)
			roster_trim(&r);
		model_check(&r, model);
	}
	roster_done(&r);
}

/* How often the contact at the end of a large roster moves in its block, while
 * others are set, named anew and removed. */
TEST(roster_changes_leave_the_others_where_they_are)
{
	static const int sizes[] = { 1, 2, 10, 300, 20000 };

	for (size_t k = 0; k < COUNT(sizes); k++) {
		struct roster r = { .n = 0 };
		int n = sizes[k], moves = 0, changes = 0;
		char bare[16];

		for (int i = 0; i < n; i++) {
			snprintf(bare, sizeof(bare), "%06d@x", i);
			roster_set(&r, addr(bare), STR("name"), NULL, 0);
		}
		roster_set(&r, addr("z@x"), STR("last"), NULL, 0);
		roster_trim(&r);
		for (int i = 0; i < 3 * n; i++) {
			const char *at = (char *)roster_at(&r, r.n - 1);
			ptrdiff_t before = at - r.block;

			snprintf(bare, sizeof(bare), "%06d@x", i * 7 % n);
			if (i % 3 == 2)
				changes += roster_remove(&r, str_c(bare));
			else
				changes += roster_set(&r, addr(bare),
					STR("another"), NULL, 0) != NULL;
			at = (char *)roster_at(&r, r.n - 1);
			moves += at - r.block != before;
		}
		CHECK_STR(jid_str(roster_item_jid(roster_at(&r, r.n - 1))),
			"z@x");
		/* whenever a quarter was set */
		CHECK(moves <= 4 + changes * 5 / n);
		roster_done(&r);
	}
}

TEST(roster_trim_leaves_nothing_over)
{
	struct roster r = { .n = 0 };
	uint32_t needs;

	roster_trim(&r);
	CHECK(r.block == NULL);
	roster_set(&r, addr("a@x"), STR("A"), NULL, 0);
	roster_set(&r, addr("b@x"), STR("B"), NULL, 0);
	roster_trim(&r);
	needs = r.cap;
	CHECK_INT(needs, 2 * (sizeof(struct roster_item) + 4 + 4));
	roster_remove(&r, STR("a@x"));
	roster_trim(&r);
	CHECK_INT(r.cap, needs / 2);
	CHECK_STR(roster_item_name(roster_find(&r, STR("b@x"))), "B");
	roster_remove(&r, STR("b@x"));
	roster_trim(&r);
	CHECK(r.block == NULL);
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
		struct roster r = { .n = 0 };
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

static struct str
listed_write(const struct roster *r, struct buf *out)
{
	struct arena *a = arena_new();
	struct elem *query = elem_new(a, "jabber:iq:roster", "query");

	for (uint32_t i = 0; i < r->n; i++) {
		if (roster_at(r, i)->listed)
			roster_item_elem(a, query, roster_at(r, i));
	}
	out->n = 0;
	xml_write(out, query, STR("jabber:iq:roster"));
	arena_free(a);
	return buf_str(out);
}

/* Of each item up to 60 bytes are for what its state may come to say. */
static void
check_listed_bytes(const struct roster *r, struct buf *out)
{
	size_t query = sizeof("<query></query>") - 1;
	size_t written = listed_write(r, out).n;

	written -= r->listed_bytes != 0 ? query : sizeof("<query/>") - 1;
	CHECK(written <= r->listed_bytes);
	CHECK(r->listed_bytes <= written + 60 * r->n);
}

TEST(roster_knows_what_it_takes_when_it_is_written)
{
	static const struct str groups[] = { { "a\"<&>'", 6 }, { "\t\n\r", 3 } };
	const uint8_t states[] = { 0, SUB_PENDING_IN, SUB_TO | SUB_FROM,
		SUB_PENDING_OUT | SUB_APPROVED };
	struct roster r = { .n = 0 };
	struct buf out = BUF_INIT;
	char jid[16];

	check_listed_bytes(&r, &out);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned what = i * 7919 % 11;

		snprintf(jid, sizeof(jid), "c%u@x", i * 31 % 50);
		if (what == 0)
			roster_remove(&r, str_c(jid));
		else if (what < 5)
			roster_set_state(&r, addr(jid), states[what - 1]);
		else
			roster_set(&r, addr(jid),
				(struct str){ "\"&\t'\n<>", what - 5 }, groups,
				i % 3);
		check_listed_bytes(&r, &out);
	}
	roster_done(&r);
	CHECK_INT(r.listed_bytes, 0);
	buf_done(&out);
}

TEST(roster_has_bytes_for_what_takes_no_more_than_before)
{
	struct roster r = { .n = 0 };
	struct str name = STR("0123456789");

	CHECK(!roster_has_bytes(&r, addr("a@x"), name, NULL, 0, 90));
	CHECK(roster_has_bytes(&r, addr("a@x"), name, NULL, 0, 200));
	roster_set(&r, addr("a@x"), name, NULL, 0);
	CHECK(roster_has_bytes(&r, addr("a@x"), name, NULL, 0, 90));
	CHECK(roster_has_bytes(&r, addr("a@x"), STR("012345678"), NULL, 0, 90));
	CHECK(!roster_has_bytes(&r, addr("a@x"), STR("01234567890"), NULL, 0, 90));
	CHECK(!roster_has_bytes(&r, addr("b@x"), STR_NONE, NULL, 0,
		r.listed_bytes));
	roster_done(&r);
}

TEST(roster_forgets_a_request_that_was_refused)
{
	struct roster r = { .n = 0 };

	roster_set_state(&r, addr("a@x"), SUB_PENDING_IN);
	CHECK(roster_set_state(&r, addr("a@x"), 0) == NULL);
	CHECK_INT(r.n, 0);
	roster_done(&r);
}

TEST(roster_keeps_a_contact_whose_subscription_ended)
{
	struct roster r = { .n = 0 };

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
	struct xml_pool *pool = xml_pool_new();

	for (size_t i = 0; i < COUNT(load_cases); i++) {
		struct roster r = { .n = 0 };
		struct store_entry entry = {
			.key = str_c(load_cases[i].key),
			.value = str_c(load_cases[i].value),
		};

		TEST_CASE(load_cases[i].value);
		CHECK(roster_load(&r, pool, &entry) == load_cases[i].ok);
		if (!load_cases[i].ok)
			CHECK_INT(r.n, 0);
		roster_done(&r);
	}
	xml_pool_free(pool);
}

TEST(roster_load_refuses_texts_that_no_item_can_hold)
{
	static const struct {
		const char *label, *before, *after;
		size_t n;
		bool ok;
	} cases[] = {
		{ "a name as long as may be", "<item xmlns='jabber:iq:roster' name='",
			"'/>", ROSTER_TEXT_MAX, true },
		{ "a longer name", "<item xmlns='jabber:iq:roster' name='", "'/>",
			ROSTER_TEXT_MAX + 1, false },
		{ "a longer group", "<item xmlns='jabber:iq:roster'><group>",
			"</group></item>", ROSTER_TEXT_MAX + 1, false },
	};
	struct xml_pool *pool = xml_pool_new();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct roster r = { .n = 0 };
		struct buf value = BUF_INIT;
		struct store_entry entry = { .key = STR("a@x") };

		TEST_CASE(cases[i].label);
		buf_add_c(&value, cases[i].before);
		memset(buf_reserve(&value, cases[i].n), 'x', cases[i].n);
		value.n += cases[i].n;
		buf_add_c(&value, cases[i].after);
		entry.value = buf_str(&value);
		CHECK(roster_load(&r, pool, &entry) == cases[i].ok);
		CHECK_INT(r.n, cases[i].ok);
		roster_done(&r);
		buf_done(&value);
	}
	xml_pool_free(pool);
}

TEST_MAIN
