/*
 * test_hist.c - how values are distributed, since the start and of late.
 */
#include "config.h"

#include "base/hist.h"

#include "base/gauge.h"
#include "test.h"

/* Alone in a histogram a value is its own mean, maximum and quantile. */
static const uint64_t values[] = { 0, 1, 15, 16, 31, 32, 33, 34, 63, 64, 1000,
	999999, HIST_VALUE_MAX - 1, HIST_VALUE_MAX, UINT64_C(1) << 40 };

TEST(one_value_is_reported_as_it_is)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		struct hist h = { .n = 0 };
		char label[32];

		snprintf(label, sizeof(label), "%llu",
			(unsigned long long)values[i]);
		TEST_CASE(label);
		hist_add(&h, values[i]);
		CHECK_INT(hist_mean(&h), values[i]);
		CHECK_INT(h.max, values[i]);
		CHECK_INT(hist_quantile(&h, 1), values[i]);
		CHECK_INT(hist_quantile(&h, 1000), values[i]);
	}
}

TEST(an_empty_one_is_zero)
{
	struct hist h = { .n = 0 };

	CHECK_INT(hist_mean(&h), 0);
	CHECK_INT(hist_quantile(&h, 990), 0);
}

/* Below a value that is far larger, so that the maximum does not help. */
TEST(a_quantile_is_at_most_a_sixteenth_above_the_truth)
{
	for (uint64_t v = 1; v < HIST_VALUE_MAX / 8; v += v / 7 + 1) {
		struct hist h = { .n = 0 };
		uint64_t got;

		hist_add(&h, v);
		hist_add(&h, HIST_VALUE_MAX);
		got = hist_quantile(&h, 500);
		CHECK(got >= v);
		CHECK(got - v <= v / 16);
	}
}

TEST(quantiles_count_from_below)
{
	struct hist h = { .n = 0 };

	for (uint64_t v = 1; v <= 30; v++)
		hist_add(&h, v);
	CHECK_INT(hist_quantile(&h, 500), 15);
	CHECK_INT(hist_quantile(&h, 501), 16);
	CHECK_INT(hist_quantile(&h, 990), 30);
	CHECK_INT(hist_quantile(&h, 1), 1);
	CHECK_INT(hist_mean(&h), 16); /* 15.5 */
}

TEST(merging_adds_all_of_it)
{
	struct hist a = { .n = 0 }, b = { .n = 0 };

	hist_add(&a, 1);
	hist_add(&b, 20);
	hist_add(&b, 3);
	hist_merge(&a, &b);
	CHECK_INT(a.n, 3);
	CHECK_INT(a.sum, 24);
	CHECK_INT(a.max, 20);
	CHECK_INT(hist_quantile(&a, 500), 3);
}

/* A window of 60 in slots of 10. */
static const struct {
	int64_t add_at, ask_at;
	uint64_t n; /* with what was added in the rows before */
} steps[] = {
	{ 105, 105, 1 },
	{ 109, 129, 2 },
	{ 130, 159, 3 },
	{ 159, 160, 2 }, /* 100 to 109 have gone */
	{ 165, 189, 3 },
	{ 190, 190, 3 }, /* 130 to 139 */
	{ 189, 190, 4 }, /* late, and not lost */
	{ 900, 900, 1 },
	{ 900, 5000, 0 },
};

TEST(a_window_forgets_slot_by_slot)
{
	struct hist_window w;
	struct hist sum;

	hist_window_init(&w, 60);
	for (size_t i = 0; i < COUNT(steps); i++) {
		char label[32];

		snprintf(label, sizeof(label), "step %zu", i);
		TEST_CASE(label);
		hist_window_add(&w, steps[i].add_at, 7);
		hist_window_sum(&w, steps[i].ask_at, &sum);
		CHECK_INT(sum.n, steps[i].n);
		CHECK_INT(sum.sum, steps[i].n * 7);
		CHECK_INT(sum.max, steps[i].n != 0 ? 7 : 0);
	}
}

TEST(a_gauge_keeps_its_highest)
{
	struct gauge g = { .now = 0 };

	gauge_add(&g, 5);
	gauge_remove(&g, 4);
	gauge_add(&g, 3);
	CHECK_INT(g.now, 4);
	CHECK_INT(g.highest, 5);
}

TEST_MAIN
