/*
 * test_store_damage.c - a database that is damaged says so, whatever stands in the
 * file.
 */
#include "config.h"

#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_suite.h"
#include "test.h"

static const struct suite_kind inline_kind = { "inline", "sqlite", true, false };

#define MAP PLACE("romeo", "map")

static void
file_write(const char *path, off_t at, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd != -1);
	CHECK(pwrite(fd, p, n, at) == (ssize_t)n);
	CHECK(close(fd) == 0);
}

TEST(a_file_that_is_no_database_is_named)
{
	struct suite su;
	struct err err;

	suite_open(&su, &inline_kind);
	suite_shut(&su);
	file_write(su.path, 0, "This is not a database.", 23);
	CHECK(!suite_try_open(&su, &err));
	CHECK_INT(err.code, ERR_STORAGE);
	CHECK(strstr(err.text, su.path) != NULL);
	CHECK(strstr(err.text, "not a database") != NULL);
	suite_close(&su);
}

TEST(a_damaged_database_says_so)
{
	static const char rubbish[4096] = { 1, 2, 3 };
	struct suite_result r;
	struct suite su;
	struct err err;
	struct stat st;

	suite_open(&su, &inline_kind);
	suite_fill(&su, MAP);
	suite_shut(&su);
	CHECK(stat(su.path, &st) == 0);
	for (off_t at = 4096; at < st.st_size; at += 4096)
		file_write(su.path, at, rubbish, sizeof(rubbish));
	CHECK(suite_try_open(&su, &err));
	suite_result_init(&su, &r);
	store_list(su.store, MAP, &su.mailbox, suite_on_read, &r);
	suite_wait(&su);
	CHECK_INT(r.code, ERR_STORAGE);
	CHECK(strstr(r.err, su.path) != NULL);
	CHECK(strstr(r.err, "damaged") != NULL);
	suite_result_done(&r);
	CHECK_INT(suite_set(&su, MAP, "key", "v"), ERR_STORAGE);
	suite_close(&su);
}

#define ARCHIVE PLACE("juliet", "archive")

/* 400 that are digested and have words, and some that are not. */
static void
archive_fill(struct suite *su)
{
	struct store_tx *tx = store_tx_new();
	char id[STORE_ID_SIZE];

	for (uint64_t n = 1; n <= 400; n++) {
		struct str is = store_id_make(n, STR("s"), id);

		store_tx_append_at(tx, ARCHIVE, is, (int64_t)n, STR("romeo"),
			STR("<message>hello</message>"));
		store_tx_index(tx, ARCHIVE, is, STR("hello world"));
	}
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
	tx = store_tx_new();
	for (uint64_t n = 401; n <= 420; n++)
		store_tx_append_at(tx, ARCHIVE,
			store_id_make(n, STR("s"), id), (int64_t)n,
			STR("romeo"), STR("value"));
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

static void
damaged_archive_use(struct suite *su)
{
	const struct store_range with = { .max = 500, .count = true,
		.with = STR("romeo"), .after_id = STR("3.s") };
	const struct store_range words = { .max = 500, .count = true,
		.words = STR("hello world"), .backwards = true };
	const struct store_trim large = { .max_bytes = 9000,
		.waits = STR("map") };
	static char out[100000];
	struct store_tx *tx = store_tx_new();

	suite_range(su, ARCHIVE, &with, out, sizeof(out));
	suite_range(su, ARCHIVE, &words, out, sizeof(out));
	store_tx_replace_entry(tx, ARCHIVE, STR("20.s"), STR("gone"));
	store_tx_index(tx, ARCHIVE, STR("21.s"), STR("other"));
	store_tx_delete_entry(tx, ARCHIVE, STR("22.s"));
	store_tx_trim(tx, ARCHIVE, &large);
	suite_commit(su, tx);
	while (store_turn(su->store))
		continue;
}

/* Whatever stands in the file: an answer or an error, never a crash. */
static void
damaged_use(struct suite *su)
{
	const struct store_range range = { .max = 500,
		.count = true,
		.since_us = 1,
		.after_id = STR("key-0001") };
	const struct store_trim large = { .max_bytes = 90000,
		.waits = STR("archive") };
	static char out[100000];
	struct store_tx *tx = store_tx_new();
	struct err err;

	if (!suite_try_open(su, &err)) {
		store_tx_free(tx);
		return;
	}
	damaged_archive_use(su);
	suite_list(su, MAP, out, sizeof(out));
	suite_range(su, MAP, &range, out, sizeof(out));
	suite_entries(su, MAP, "key-0300 key-0001 none", 0, out, sizeof(out));
	store_tx_append(tx, MAP, STR("new"), 1, STR_NONE, STR("v"));
	store_tx_trim(tx, MAP, &large);
	store_tx_trim_count(tx, MAP, 3);
	store_tx_delete(tx, MAP, STR("key-0100"));
	store_tx_clear_owner(tx, MAP.host, MAP.owner);
	suite_commit(su, tx);
	suite_shut(su);
}

TEST(random_damage_crashes_nothing)
{
	uint64_t state = 1;
	struct suite su;

	suite_open(&su, &inline_kind);
	su.may_be_new = true;
	for (int round = 0; round < 40; round++) {
		struct stat st;
		struct err err;

		if (su.store == NULL) {
			unlink(su.path);
			CHECK(suite_try_open(&su, &err));
		}
		suite_fill(&su, MAP);
		archive_fill(&su);
		suite_shut(&su);
		CHECK(stat(su.path, &st) == 0);
		for (int i = 0; i < 60; i++) {
			unsigned char byte;
			off_t at;

			state = state * UINT64_C(6364136223846793005) + 1;
			byte = (unsigned char)(state >> 56);
			at = (off_t)((state >> 20) % (uint64_t)st.st_size);
			file_write(su.path, at, &byte, 1);
		}
		damaged_use(&su);
	}
	suite_close(&su);
}

TEST_MAIN
