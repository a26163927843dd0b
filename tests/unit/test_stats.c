/*
 * test_stats.c - what shards count: columns, sums and rates.
 */
#include "config.h"

#include "core/stats.h"

#include "base/clock.h"
#include "test.h"

static const struct stats_column *
column(const char *name)
{
	const struct stats_column *c = stats_columns;

	while (c->name != NULL && strcmp(c->name, name) != 0)
		c++;
	CHECK(c->name != NULL);
	return c;
}

TEST(each_column_has_a_name_of_its_own_and_a_place_of_its_own)
{
	for (const struct stats_column *c = stats_columns; c->name != NULL;
		c++) {
		TEST_CASE(c->name);
		CHECK(column(c->name) == c);
		CHECK(c->off + sizeof(uint64_t) <= sizeof(struct shard_stats));
		for (const struct stats_column *d = stats_columns; d != c; d++)
			CHECK(d->off != c->off);
	}
}

TEST(shards_add_up_but_the_highest_is_that_of_one)
{
	const struct shard_stats a = {
		.sessions = 3,
		.stanzas_in = 10,
		.mailbox_mails = { 2, 9 },
	};
	const struct shard_stats b = {
		.sessions = 4,
		.stanzas_in = 20,
		.mailbox_mails = { 1, 5 },
	};
	struct shard_stats sum = { .sessions = 0 };

	stats_add(&sum, &a);
	stats_add(&sum, &b);
	CHECK_INT(stats_value(&sum, column("sessions")), 7);
	CHECK_INT(stats_value(&sum, column("stanzas_in")), 30);
	CHECK_INT(stats_value(&sum, column("mailbox_mails")), 3);
	CHECK_INT(stats_value(&sum, column("mailbox_mails_highest")), 9);
}

static const struct {
	const char *label;
	int64_t us;
	uint64_t before, now, rate;
} rates[] = {
	{ "five seconds", 5 * US_PER_S, 100, 150, 10 },
	{ "rounded up", 10 * US_PER_S, 7, 12, 1 },
	{ "rounded down", 10 * US_PER_S, 7, 11, 0 },
	{ "nothing", 5 * US_PER_S, 42, 42, 0 },
	{ "no time at all", 0, 0, 1, US_PER_S },
	{ "large", 3600 * US_PER_S, UINT64_C(1) << 40,
		(UINT64_C(1) << 40) + UINT64_C(3600000000), 1000000 },
};

TEST(a_rate_is_what_was_added_in_a_second)
{
	for (size_t i = 0; i < COUNT(rates); i++) {
		struct shard_stats before = {
			.at_us = 17,
			.stanzas_in = rates[i].before,
			.sessions = 5,
		};
		struct shard_stats now = {
			.at_us = 17 + rates[i].us,
			.stanzas_in = rates[i].now,
			.sessions = 6,
		};
		struct shard_stats rate = stats_rate(&now, &before);

		TEST_CASE(rates[i].label);
		CHECK_INT(rate.stanzas_in, rates[i].rate);
		CHECK_INT(rate.sessions, 0);
	}
}

TEST_MAIN
