/*
 * test_vec.c - arrays that grow, by malloc and in an arena.
 */
#include "config.h"

#include "base/vec.h"

#include "base/arena.h"
#include "test.h"

struct numbers VEC(int);

struct wide {
	char text[24];
};

static void
check(const struct numbers *v, uint32_t n)
{
	CHECK_INT(v->n, n);
	CHECK(v->n <= v->room);
	for (uint32_t i = 0; i < n; i++)
		CHECK_INT(v->p[i], i);
}

TEST(zeroed_memory_is_empty)
{
	struct numbers v;

	memset(&v, 0, sizeof(v));
	check(&v, 0);
	vec_done(&v);
	check(&v, 0);
}

TEST(what_is_pushed_stays_in_order)
{
	struct numbers v = { .n = 0 };

	for (int i = 0; i < 1000; i++) {
		*vec_push(&v) = i;
		check(&v, (uint32_t)i + 1);
	}
	CHECK(v.room < 2100);
	vec_done(&v);
	CHECK(v.p == NULL && v.room == 0);
	*vec_push(&v) = 0;
	check(&v, 1);
	vec_done(&v);
}

TEST(room_that_is_left_is_used_again)
{
	struct numbers v = { .n = 0 };
	uint32_t room;

	for (int i = 0; i < 100; i++)
		*vec_push(&v) = -1;
	room = v.room;
	v.n = 0;
	for (int i = 0; i < 100; i++)
		*vec_push(&v) = i;
	check(&v, 100);
	CHECK_INT(v.room, room);
	vec_done(&v);
}

TEST(an_arena_holds_one_too)
{
	struct arena *a = arena_new();
	struct VEC(struct wide) v = { .n = 0 };
	struct numbers other = { .n = 0 };

	for (int i = 0; i < 500; i++) {
		snprintf(vec_push_in(a, &v)->text, sizeof(v.p->text), "%d", i);
		*vec_push_in(a, &other) = i;
	}
	check(&other, 500);
	for (int i = 0; i < 500; i++) {
		char text[24];

		snprintf(text, sizeof(text), "%d", i);
		CHECK_CSTR(v.p[i].text, text);
	}
	arena_free(a);
}

/* As when an array is sorted into another one, and then grows. */
TEST(one_that_is_replaced_knows_its_room)
{
	struct arena *a = arena_new();

	for (int n = 0; n < 300; n++) {
		struct numbers from = { .n = 0 }, to = { .n = 0 };

		for (int i = 0; i < n; i++)
			*vec_push_in(a, &from) = n - 1 - i;
		for (uint32_t i = from.n; i > 0; i--)
			*vec_push_in(a, &to) = from.p[i - 1];
		from = to;
		*vec_push_in(a, &from) = n;
		check(&from, (uint32_t)n + 1);
	}
	arena_free(a);
}

TEST_MAIN
