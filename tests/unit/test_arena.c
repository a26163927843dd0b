/*
 * test_arena.c - memory that is freed at once.
 */
#include "config.h"

#include "base/arena.h"

#include <stdalign.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "test.h"

TEST(arena_pieces_are_aligned_and_do_not_overlap)
{
	struct arena *a = arena_new();
	unsigned char *pieces[200];

	for (size_t i = 0; i < COUNT(pieces); i++) {
		pieces[i] = arena_alloc(a, i + 1);
		CHECK_INT((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		memset(pieces[i], (int)i, i + 1);
	}
	for (size_t i = 0; i < COUNT(pieces); i++)
		for (size_t at = 0; at <= i; at++)
			CHECK_INT(pieces[i][at], i);
	arena_free(a);
}

TEST(arena_holds_pieces_larger_than_a_chunk)
{
	struct arena *a = arena_new();
	size_t before = arena_bytes(a);
	char *big = arena_zalloc(a, 100000);

	for (size_t i = 0; i < 100000; i++)
		CHECK_INT(big[i], 0);
	CHECK(arena_bytes(a) >= before + 100000);
	CHECK(arena_bytes(a) < before + 110000);
	arena_free(a);
}

TEST(arena_str_copies_with_a_nul_behind)
{
	struct arena *a = arena_new();
	struct str s = arena_str(a, (struct str){ "romeo@", 5 });

	CHECK_STR(s, "romeo");
	CHECK_INT(s.p[5], '\0');
	CHECK_STR(arena_str(a, STR_NONE), NULL);
	CHECK_STR(arena_str(a, STR("")), "");
	arena_free(a);
}

TEST(arena_printf_formats_any_length)
{
	struct arena *a = arena_new();

	CHECK_STR(arena_printf(a, "h=%d", 118), "h=118");
	CHECK_INT(arena_printf(a, "%5000d", 1).n, 5000);
	arena_free(a);
}

/* From its first chunk, and from another one; and whatever came behind. */
TEST(arena_rewind_frees_what_came_behind_the_mark)
{
	const size_t sizes[] = { 1, 500, 5000 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (size_t n = 0; n < 300; n += n < 4 ? 1 : 99) {
			struct share mine = { 0 };
			struct share *before = share_set(&mine);
			struct arena *a = arena_new();
			char *kept = arena_alloc(a, sizes[i]);
			struct arena_mark mark = arena_mark(a);
			size_t bytes = arena_bytes(a);
			char *at = arena_alloc(a, 1);

			memset(kept, 'k', sizes[i]);
			for (size_t j = 0; j < n; j++)
				arena_zalloc(a, j * 10);
			arena_rewind(a, mark);
			CHECK_INT(arena_bytes(a), bytes);
			CHECK_INT(share_bytes(&mine), bytes);
			/* there is as much room as before */
			CHECK(sizes[i] == 5000 || arena_alloc(a, 1) == at);
			arena_zalloc(a, 3000);
			for (size_t j = 0; j < sizes[i]; j++)
				CHECK_INT(kept[j], 'k');
			arena_free(a);
			CHECK_INT(share_bytes(&mine), 0);
			share_set(before);
		}
	}
}

TEST(arena_free_copes_with_null)
{
	arena_free(NULL);
}

TEST(what_it_holds_counts_in_the_share_it_was_made_in)
{
	struct share mine = { 0 }, other = { 0 };
	struct share *before = share_set(&mine);
	struct arena *a = arena_new();

	CHECK(before == NULL);
	CHECK(share_set(&other) == &mine);
	arena_alloc(a, 100000);
	CHECK_INT(share_bytes(&mine), arena_bytes(a));
	CHECK(arena_share(a) == &mine);
	CHECK_INT(share_bytes(&other), 0);
	arena_free(a);
	CHECK_INT(share_bytes(&mine), 0);
	share_set(NULL);
	a = arena_new();
	CHECK(arena_share(a) == NULL);
	arena_free(a);
}

TEST(what_lasts_does_not_count_as_waiting)
{
	struct share mine = { 0 };
	int64_t waiting = memuse_sum(MEMUSE_ARENA).bytes;
	struct arena_mark mark;
	struct arena *a;

	share_set(&mine);
	a = arena_new_lasting();
	arena_alloc(a, 100000);
	CHECK_INT(memuse_sum(MEMUSE_ARENA).bytes, waiting);
	CHECK_INT(memuse_sum(MEMUSE_CONFIG).bytes, arena_bytes(a));
	CHECK_INT(share_bytes(&mine), 0);
	mark = arena_mark(a);
	arena_alloc(a, 200000);
	arena_rewind(a, mark);
	CHECK_INT(memuse_sum(MEMUSE_ARENA).bytes, waiting);
	CHECK_INT(memuse_sum(MEMUSE_CONFIG).bytes, arena_bytes(a));
	arena_free(a);
	CHECK_INT(memuse_sum(MEMUSE_CONFIG).bytes, 0);
	CHECK_INT(memuse_sum(MEMUSE_CONFIG).objects, 0);
	share_set(NULL);
}

TEST_MAIN
