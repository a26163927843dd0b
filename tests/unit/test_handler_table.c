/*
 * test_handler_table.c - handlers are found by (namespace, name), in the order of
 * the modules.
 */
#include "config.h"

#include "core/handler_table.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "test.h"

#define MANY 300

static char texts[MANY][16];

static const char *
name_of(unsigned i)
{
	snprintf(texts[i], sizeof(texts[i]), "name%u", i);
	return texts[i];
}

static const void *
found(const struct handler_entry *table, const char *ns, const char *name)
{
	struct arena *a = arena_new();
	const struct handler_entry *entry =
		handler_table_find(table, elem_new(a, ns, name));

	arena_free(a);
	return entry != NULL ? entry->row : NULL;
}

TEST(each_row_is_found_among_any_number_of_others)
{
	static const unsigned counts[] = { 0, 1, 2, 3, 10, MANY };

	for (size_t c = 0; c < COUNT(counts); c++) {
		struct handler_entry *table = NULL;

		for (unsigned i = 0; i < counts[c]; i++)
			handler_table_add(&table, "urn:x", name_of(i), NULL,
				texts[i]);
		for (unsigned i = 0; i < MANY; i++)
			CHECK(found(table, "urn:x", name_of(i)) ==
				(i < counts[c] ? texts[i] : NULL));
		CHECK(found(table, "urn:y", "name0") == NULL);
		CHECK(found(table, "urn:x", "name") == NULL);
		handler_table_free(&table);
		CHECK(table == NULL);
	}
}

TEST(rows_of_one_name_are_a_chain_in_the_order_in_which_they_came)
{
	struct handler_entry *table = NULL;
	const struct handler_entry *entry;
	struct arena *a = arena_new();

	for (unsigned i = 0; i < MANY; i++) {
		handler_table_add(&table, "urn:x", "one", NULL, name_of(i));
		handler_table_add(&table, "urn:x", "two", NULL, name_of(i));
	}
	entry = handler_table_find(table, elem_new(a, "urn:x", "one"));
	for (unsigned i = 0; i < MANY; i++, entry = entry->next)
		CHECK(entry->row == texts[i]);
	CHECK(entry == NULL);
	handler_table_free(&table);
	arena_free(a);
}

/* No handler has such a name. */
TEST(a_name_of_any_length_is_looked_for)
{
	struct handler_entry *table = NULL;
	char name[2000];

	handler_table_add(&table, "urn:x", "one", NULL, "row");
	memset(name, 'n', sizeof(name));
	for (size_t n = 1; n < sizeof(name); n += 97) {
		name[n] = '\0';
		CHECK(found(table, "urn:x", name) == NULL);
		name[n] = 'n';
	}
	handler_table_free(&table);
}

TEST_MAIN
