/*
 * store_suite_page.c - parts of maps, as every driver finds them.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "test.h"

#define ROOMS PLACE("", "rooms")

const char *
suite_page(struct suite *su, struct store_place at, const struct store_page *page,
	char *out, size_t room)
{
	struct suite_result r;
	size_t n;

	suite_result_init(su, &r);
	store_page(su->store, at, page, &su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK_INT(r.code, ERR_NONE);
	snprintf(out, room, "%s%s", r.text, r.complete ? "" : " more");
	n = strlen(out);
	if (page->count)
		snprintf(out + n, room - n, " | %llu",
			(unsigned long long)r.total);
	suite_result_done(&r);
	return out;
}

static const struct {
	const char *label;
	struct store_page page;
	const char *found;
} pages[] = {
	{ "the first", { .max = 2 }, "a b more" },
	{ "all, and how many", { .max = 5, .count = true }, "a b c d \xc3\xa9 | 5" },
	{ "how many alone", { .count = true }, " more | 5" },
	{ "behind one", { .after = { "b", 1 }, .max = 2 }, "c d more" },
	{ "behind one that is not there", { .after = { "bb", 2 }, .max = 9 },
		"c d \xc3\xa9" },
	{ "behind the last", { .after = { "\xc3\xa9", 2 }, .max = 9 }, "" },
	{ "the last", { .max = 2, .backwards = true }, "d \xc3\xa9 more" },
	{ "before one",
		{ .before = { "c", 1 }, .max = 9, .backwards = true }, "a b" },
	{ "before the first",
		{ .before = { "a", 1 }, .max = 9, .backwards = true }, "" },
	{ "between", { .after = { "a", 1 }, .before = { "d", 1 }, .max = 9 }, "b c" },
	{ "between nothing",
		{ .after = { "d", 1 }, .before = { "a", 1 }, .max = 9 }, "" },
	{ "some are passed over", { .skip = 3, .max = 1 }, "d more" },
	{ "as many from the end", { .skip = 3, .max = 1, .backwards = true },
		"b more" },
	{ "all are passed over", { .skip = 9, .max = 1 }, "" },
	{ "as many bytes", { .max = 9, .max_bytes = 1 }, "a more" },
};

void
suite_maps_are_read_in_pages(const struct suite_kind *k)
{
	static const char *const keys[] = { "d", "\xc3\xa9", "a", "c", "b" };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(keys); i++)
		store_tx_set(tx, ROOMS, str_c(keys[i]), STR("v"));
	/* neighbours */
	store_tx_set(tx, PLACE("", "room"), STR("x"), STR("v"));
	store_tx_set(tx, PLACE("", "roomt"), STR("x"), STR("v"));
	store_tx_set(tx, PLACE("b", "rooms"), STR("x"), STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	for (size_t i = 0; i < COUNT(pages); i++) {
		TEST_CASE(pages[i].label);
		CHECK_CSTR(suite_page(&su, ROOMS, &pages[i].page, out, sizeof(out)),
			pages[i].found);
	}
	CHECK_CSTR(suite_page(&su, PLACE("", "none"),
			   &(struct store_page){ .max = 1, .count = true }, out,
			   sizeof(out)),
		" | 0");
	suite_close(&su);
}
