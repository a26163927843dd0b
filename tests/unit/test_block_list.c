/*
 * test_block_list.c - whom an address on the list stands for (XEP-0191 §6), and that
 * none is there twice, or counts for more than it takes.
 */
#include "config.h"

#include "account/block_list.h"

#include <stdio.h>

#include "base/arena.h"
#include "test.h"

static struct jid
jid_of(struct arena *a, const char *text)
{
	struct jid jid;

	CHECK(jid_parse(&jid, a, str_c(text), NULL));
	return jid;
}

static const struct {
	const char *row, *who;
	bool matches;
} match_cases[] = {
	{ "a@x.org/r", "a@x.org/r", true },
	{ "a@x.org/r", "a@x.org/s", false },
	{ "a@x.org/r", "a@x.org", false },
	{ "a@x.org/r", "x.org", false },
	{ "a@x.org", "a@x.org/r", true },
	{ "a@x.org", "a@x.org", true },
	{ "a@x.org", "b@x.org", false },
	{ "a@x.org", "aa@x.org", false },
	{ "a@x.org", "x.org", false },
	{ "x.org/r", "x.org/r", true },
	{ "x.org/r", "x.org", false },
	{ "x.org/r", "x.org/s", false },
	{ "x.org/r", "a@x.org/r", false },
	{ "x.org", "x.org", true },
	{ "x.org", "x.org/r", true },
	{ "x.org", "a@x.org", true },
	{ "x.org", "a@x.org/r", true },
	{ "x.org", "sub.x.org", false },
	{ "x.org", "a@sub.x.org/r", false },
	{ "x.org", "xx.org", false },
	{ "X.org", "A@x.ORG/r", true },
};

TEST(an_address_on_the_list_stands_for_what_the_specification_says)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(match_cases); i++) {
		struct block_list b = { .bytes = 0 };

		TEST_CASE(match_cases[i].row);
		CHECK(!block_list_matches(&b, jid_of(a, match_cases[i].who)));
		CHECK(block_list_add(&b, jid_of(a, match_cases[i].row)));
		CHECK(block_list_matches(&b, jid_of(a, match_cases[i].who)) ==
			match_cases[i].matches);
		block_list_clear(&b);
	}
	arena_free(a);
}

TEST(each_is_there_once_until_it_is_removed)
{
	struct block_list b = { .bytes = 0 };
	struct arena *a = arena_new();
	char text[40];

	for (unsigned i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "u%u@x.org", i * 7 % 300);
		CHECK(block_list_add(&b, jid_of(a, text)));
		CHECK(!block_list_add(&b, jid_of(a, text)));
		CHECK_INT(b.rows.n, i + 1);
	}
	for (uint32_t i = 1; i < b.rows.n; i++)
		CHECK(str_cmp(jid_str(block_list_row(&b, i - 1)),
			      jid_str(block_list_row(&b, i))) < 0);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "u%u@x.org", i);
		CHECK(block_list_lists(&b, jid_of(a, text)));
		CHECK(block_list_remove(&b, jid_of(a, text)));
		CHECK(!block_list_remove(&b, jid_of(a, text)));
		CHECK(!block_list_matches(&b, jid_of(a, text)));
	}
	CHECK_INT(b.bytes, 0);
	block_list_clear(&b);
	arena_free(a);
}

TEST_MAIN
