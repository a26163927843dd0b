/*
 * test_store.c - every driver passes the one suite, with threads and without;
 * and they cannot be told apart by what they answer.
 */
#include "config.h"

#include "store/store.h"

#include <stdlib.h>

#include "store_suite.h"
#include "test.h"

static const struct suite_kind kinds[] = {
	{ "memory, inline", "memory", true, false },
	{ "memory, threads", "memory", false, false },
	{ "memory, one by one", "memory", true, true },
	{ "sqlite, inline", "sqlite", true, false },
	{ "sqlite, threads", "sqlite", false, false },
};

#define FOR_EACH_KIND(name)                                                    \
	TEST(name)                                                             \
	{                                                                      \
		for (size_t i = 0; i < COUNT(kinds); i++)                      \
			suite_##name(&kinds[i]);                               \
	}
STORE_SUITE(FOR_EACH_KIND)

TEST(unknown_drivers_are_named)
{
	struct store_conf conf = { .driver = "postgres" };
	struct err err = ERR_INIT;

	CHECK(store_open(&conf, &err) == NULL);
	CHECK_INT(err.code, ERR_INVALID);
	CHECK(strstr(err.text, "\"postgres\"") != NULL);
}

TEST(a_store_in_memory_cannot_be_copied)
{
	struct suite_result r;
	struct suite su;

	for (size_t i = 0; i < 2; i++) {
		suite_open(&su, &kinds[i]);
		suite_result_init(&su, &r);
		store_backup(su.store, "/nonexistent", &su.mailbox,
			suite_on_done, &r);
		suite_wait(&su);
		CHECK_INT(r.code, ERR_REFUSED);
		suite_close(&su);
	}
}

/* --- the same answers from both, for whatever is done ------------------- */

#define SEEDS 12
#define STEPS 250

static uint32_t
draw(uint64_t *state, uint32_t n)
{
	*state = *state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33) % n;
}

static const char *
pick(uint64_t *state)
{
	static const char *const names[] = { "a", "b", "c", "ab", "", "'x",
		"\xc3\xa9" };

	return names[draw(state, COUNT(names))];
}

static struct store_place
pick_place(uint64_t *state)
{
	static const char *const names[] = { "m", "n", "q", "p" };

	return PLACE(pick(state), names[draw(state, COUNT(names))]);
}

/* Entries of "p" lie where their ids say, in whatever order they come. */
static void
append_draw(struct store_tx *tx, struct store_place at, struct str key,
	struct str value, uint64_t *rnd)
{
	uint32_t number = draw(rnd, 30);
	char id[STORE_ID_SIZE];

	if (str_is(at.name, "p")) {
		store_tx_append_at(tx, at,
			store_id_make(number + 1, STR("s"), id),
			3 * (int64_t)number, key, value);
		return;
	}
	snprintf(id, sizeof(id), "%u", number);
	store_tx_append(tx, at, str_c(id), draw(rnd, 100), key, value);
}

static void
id_draw(char out[16], uint32_t n, uint64_t *rnd)
{
	if (draw(rnd, 4) == 0)
		snprintf(out, 16, "%x.%c", draw(rnd, n) + 1,
			"sssst"[draw(rnd, 5)]);
	else
		snprintf(out, 16, "%u", draw(rnd, n));
}

static void
op_draw(struct store_tx *tx, uint64_t *rnd)
{
	struct store_place at = pick_place(rnd);
	struct str key = str_c(pick(rnd));
	struct str value = str_c(pick(rnd));
	struct store_trim trim;
	char id[16];

	switch (draw(rnd, 20)) {
	case 14:
	case 15:
		id_draw(id, 12, rnd);
		store_tx_replace_entry(tx, at, str_c(id), value);
		break;
	case 13:
		id_draw(id, 12, rnd);
		trim = (struct store_trim){
			.max_bytes = draw(rnd, 2) ? draw(rnd, 2600) : 0,
			.before_us = draw(rnd, 2) ? draw(rnd, 30) : 0,
			.up_to = draw(rnd, 3) ? STR_NONE : str_c(id),
			.waits = draw(rnd, 2) ? STR("q") : STR_NONE,
		};
		store_tx_trim(tx, at, &trim);
		break;
	case 0:
	case 1:
		store_tx_set(tx, at, key, value);
		break;
	case 2:
		store_tx_create(tx, at, key, value);
		break;
	case 3:
		store_tx_require(tx, at, key);
		break;
	case 4:
		store_tx_delete(tx, at, key);
		break;
	case 5:
		if (draw(rnd, 4) == 0)
			store_tx_clear(tx, at);
		break;
	case 6:
		if (draw(rnd, 6) == 0)
			store_tx_clear_owner(tx, at.host, at.owner);
		break;
	case 7:
		store_tx_trim_age(tx, at, draw(rnd, 50));
		break;
	case 8:
		store_tx_trim_count(tx, at, draw(rnd, 8));
		break;
	case 9:
		id_draw(id, 30, rnd);
		store_tx_delete_entry(tx, at, str_c(id));
		break;
	case 10:
		id_draw(id, 12, rnd);
		store_tx_trim_to(tx, at, str_c(id));
		break;
	case 11:
	case 12:
		at.name = STR("q");
		id_draw(id, 30, rnd);
		store_tx_append(tx, at, STR_NONE, draw(rnd, 100), key,
			draw(rnd, 2) ? value : str_c(id));
		break;
	default:
		append_draw(tx, at, key, value, rnd);
		break;
	}
}

static void
range_draw(struct store_range *range, char ids[2][16], uint64_t *rnd)
{
	*range = (struct store_range){
		.max = draw(rnd, 6),
		.backwards = draw(rnd, 2) != 0,
		.count = draw(rnd, 2) != 0,
		.since_us = draw(rnd, 2) != 0 ? draw(rnd, 100) : 0,
		.until_us = draw(rnd, 2) != 0 ? draw(rnd, 100) : 0,
	};
	if (draw(rnd, 2) != 0)
		range->with = str_c(pick(rnd));
	for (int i = 0; i < 2; i++)
		id_draw(ids[i], 30, rnd);
	if (draw(rnd, 3) == 0)
		range->after_id = str_c(ids[0]);
	if (draw(rnd, 3) == 0)
		range->before_id = str_c(ids[1]);
}

/* How large the logs of one owner are. */
static void
on_sizes(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;
	uint64_t total = 0, bytes = 0;

	CHECK(err == NULL);
	for (size_t i = 0; i < a->n; i++) {
		total += a->entries[i].total + a->entries[i].last * 1000;
		bytes += a->entries[i].bytes;
	}
	r->n = (size_t)total;
	r->total = bytes;
	r->suite->waiting--;
}

static void
sizes_run(struct suite *su, struct str owner, char *out, size_t room)
{
	const struct str names[] = { STR("m"), STR("n"), STR("q"), STR("p") };
	struct suite_result r;

	suite_result_init(su, &r);
	store_list_many(su->store, STR("example.org"), owner, names,
		COUNT(names), &su->mailbox, on_sizes, &r);
	suite_wait(su);
	snprintf(
		out, room, "%zu, %llu bytes", r.n, (unsigned long long)r.total);
	suite_result_done(&r);
}

static void
page_run(struct suite *su, uint64_t *rnd, char *out, size_t room)
{
	struct store_page page = {
		.skip = draw(rnd, 3),
		.max = draw(rnd, 4),
		.max_bytes = draw(rnd, 4) == 0 ? 100 : 0,
		.backwards = draw(rnd, 2) != 0,
		.count = draw(rnd, 2) != 0,
	};

	if (draw(rnd, 2) != 0)
		page.after = str_c(pick(rnd));
	if (draw(rnd, 2) != 0)
		page.before = str_c(pick(rnd));
	suite_page(su, pick_place(rnd), &page, out, room);
}

/* What one store says to the step that rnd draws. */
static void
step_run(struct suite *su, uint64_t rnd, char *out, size_t room)
{
	struct store_range range;
	struct store_tx *tx;
	struct suite_result r;
	char ids[2][16], many[40] = "";

	switch (draw(&rnd, 9)) {
	case 8:
		page_run(su, &rnd, out, room);
		break;
	case 7:
		for (uint32_t n = draw(&rnd, 5); n > 0; n--) {
			id_draw(many + strlen(many), 30, &rnd);
			strcat(many, " ");
		}
		suite_entries(su, pick_place(&rnd), many, draw(&rnd, 300), out,
			room);
		break;
	case 4:
		sizes_run(su, str_c(pick(&rnd)), out, room);
		break;
	case 0:
		suite_list(su, pick_place(&rnd), out, room);
		break;
	case 1:
	case 2:
		range_draw(&range, ids, &rnd);
		suite_range(su, pick_place(&rnd), &range, out, room);
		break;
	case 3:
		suite_result_init(su, &r);
		store_owners(su->store, STR("example.org"), STR("m"),
			draw(&rnd, 2) != 0 ? str_c(pick(&rnd)) : STR_NONE,
			draw(&rnd, 5), &su->mailbox, suite_on_read, &r);
		suite_wait(su);
		snprintf(out, room, "%s %d", r.text, r.complete);
		suite_result_done(&r);
		break;
	default:
		tx = store_tx_new();
		for (uint32_t n = draw(&rnd, 5); n > 0; n--)
			op_draw(tx, &rnd);
		snprintf(out, room, "%d", (int)suite_commit(su, tx));
		break;
	}
}

TEST(drivers_answer_alike)
{
	struct suite memory, sqlite;
	char left[2000], right[2000], label[64];

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t rnd = seed;

		suite_open(&memory, &kinds[0]);
		suite_open(&sqlite, &kinds[3]);
		for (int i = 0; i < STEPS; i++) {
			draw(&rnd, 2);
			snprintf(label, sizeof(label), "seed %d, step %d",
				(int)seed, i);
			TEST_CASE(label);
			step_run(&memory, rnd, left, sizeof(left));
			step_run(&sqlite, rnd, right, sizeof(right));
			CHECK_CSTR(left, right);
		}
		suite_close(&memory);
		suite_close(&sqlite);
	}
}

TEST_MAIN
