/*
 * test_table.c - the hash table of pointers, against a plain list.
 */
#include "config.h"

#include "base/table.h"

#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

#define ITEMS 2000

struct item {
	uint64_t hash;
	bool in;
	int seen;
};

struct fixture {
	struct table table;
	struct rand_seeded rand;
	struct item items[ITEMS];
	size_t n;
};

/* Few different hashes: long runs, around the end too. */
static void
fixture_init(struct fixture *f, uint64_t hashes)
{
	memset(f, 0, sizeof(*f));
	rand_seeded_init(&f->rand, 7);
	for (size_t i = 0; i < ITEMS; i++)
		f->items[i].hash = UINT64_MAX - 20 +
			rand_below(&f->rand.source, hashes);
}

static bool
is_found(const struct fixture *f, const struct item *it)
{
	size_t at = table_start(&f->table, it->hash);
	const struct item *found;

	while ((found = table_next(&f->table, it->hash, &at)) != NULL) {
		if (found == it)
			return true;
	}
	return false;
}

static void
toggle(struct fixture *f, struct item *it)
{
	if (it->in)
		table_remove(&f->table, it->hash, it);
	else
		table_add(&f->table, it->hash, it);
	f->n += it->in ? (size_t)-1 : 1;
	it->in = !it->in;
}

static void
check_all(const struct fixture *f)
{
	for (size_t i = 0; i < ITEMS; i++)
		CHECK_INT(is_found(f, &f->items[i]), f->items[i].in);
	CHECK_INT(f->table.n, f->n);
}

static const uint64_t spreads[] = { 1, 3, 40, 1000, UINT32_MAX };

TEST(a_table_finds_what_is_in_it_and_nothing_else)
{
	static struct fixture f;

	for (size_t i = 0; i < COUNT(spreads); i++) {
		fixture_init(&f, spreads[i]);
		for (int round = 0; round < 20; round++) {
			for (int k = 0; k < 300; k++)
				toggle(&f, &f.items[rand_below(
					&f.rand.source, ITEMS)]);
			check_all(&f);
		}
		table_done(&f.table);
	}
}

TEST(a_walk_meets_each_item_once_though_it_is_removed)
{
	static struct fixture f;
	struct table_walk walk;
	struct item *it;

	for (size_t i = 0; i < COUNT(spreads); i++) {
		fixture_init(&f, spreads[i]);
		for (size_t k = 0; k < ITEMS; k++)
			toggle(&f, &f.items[k]);
		walk = table_walk(&f.table);
		while ((it = table_step(&f.table, &walk)) != NULL) {
			it->seen++;
			if (rand_below(&f.rand.source, 3) != 0)
				toggle(&f, it);
		}
		for (size_t k = 0; k < ITEMS; k++)
			CHECK_INT(f.items[k].seen, 1);
		check_all(&f);
		table_done(&f.table);
	}
}

TEST(a_table_that_has_emptied_gives_its_memory_back)
{
	static struct fixture f;
	size_t size;

	fixture_init(&f, UINT32_MAX);
	for (size_t i = 0; i < ITEMS; i++)
		toggle(&f, &f.items[i]);
	size = f.table.size;
	for (size_t i = 10; i < ITEMS; i++)
		toggle(&f, &f.items[i]);
	for (int i = 0; i < 20; i++) {
		toggle(&f, &f.items[20]);
		toggle(&f, &f.items[20]);
	}
	CHECK(f.table.size < size / 16);
	check_all(&f);
	for (size_t i = 0; i < 10; i++)
		toggle(&f, &f.items[i]);
	CHECK(f.table.slots == NULL);
}

TEST(nothing_is_found_in_an_empty_table)
{
	struct table t = { .slots = NULL };
	struct table_walk walk = table_walk(&t);
	size_t at = table_start(&t, 5);

	table_warm(&t, 5);
	CHECK(table_next(&t, 5, &at) == NULL);
	CHECK(table_step(&t, &walk) == NULL);
}

TEST_MAIN
