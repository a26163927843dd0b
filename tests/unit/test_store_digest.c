/*
 * test_store_digest.c - an index that follows behind its log is complete up to where
 * it says, and has nothing else, whatever is done to the log; and who asks cannot
 * tell where that is.
 */
#include "config.h"

#include "store/driver.h"

#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_int.h"
#include "store/store_int.h"
#include "store_suite.h"
#include "test.h"

static const struct suite_kind memory_kind = { "memory", "memory", true, false };
static const struct suite_kind sqlite_kind = { "sqlite", "sqlite", true, false };

#define ARCHIVE PLACE("romeo", "archive")
#define OTHER PLACE("juliet", "archive")

static uint32_t
draw(uint64_t *state, uint32_t n)
{
	*state = *state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33) % n;
}

/* "" is with nobody. */
static struct str
peer_draw(uint64_t *rnd)
{
	static const char *const peers[] = { "nurse", "nurse", "nurse", "paris",
		"mercutio", "" };

	return str_c(peers[draw(rnd, COUNT(peers))]);
}

/* Some of five, each once, or none: two of three texts have any. */
static struct str
words_draw(uint64_t *rnd, char out[32])
{
	static const char *const words[] = { "rose", "name", "sweet", "1",
		"\xe7\x8c\xab" };
	uint32_t which = draw(rnd, 3) != 0 ? draw(rnd, 32) : 0;

	out[0] = '\0';
	for (size_t i = 0; i < COUNT(words); i++) {
		if ((which >> i & 1) == 0)
			continue;
		if (out[0] != '\0')
			strcat(out, " ");
		strcat(out, words[i]);
	}
	return str_c(out);
}

/* --- the files ------------------------------------------------------------ */

static int64_t
number_of(sqlite3 *sql, const char *text)
{
	sqlite3_stmt *st;
	int64_t n;

	CHECK(sqlite3_prepare_v2(sql, text, -1, &st, NULL) == SQLITE_OK);
	CHECK(sqlite3_step(st) == SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* What "talk" and "peer" should have. */
#define SHOULD                                                                 \
	"SELECT log.place, e.peer AS name, pos & 68719476735 AS number"        \
	" FROM log JOIN entry AS e USING (place)"                              \
	" WHERE numbered = 2 AND e.peer <> ''"                                 \
	" AND pos & 68719476735 <= digested"
#define IS                                                                     \
	"SELECT talk.place, peer.name, number"                                 \
	" FROM talk JOIN peer ON peer.place = talk.place AND no = talk.peer"

/* Is this term one of the entry? */
static void
check_term(sqlite3 *sql, const char *term, int64_t pos)
{
	const char *word = strchr(term, '_') + 1;
	sqlite3_stmt *st;

	CHECK(sqlite3_prepare_v2(sql,
		      "SELECT instr(' ' || words || ' ', ' ' || ?2 || ' ')"
		      " OR ('_' || no = ?2) FROM entry LEFT JOIN peer"
		      " ON peer.place = entry.place AND entry.peer = peer.name"
		      " WHERE pos = ?1",
		      -1, &st, NULL) == SQLITE_OK);
	sqlite3_bind_int64(st, 1, pos);
	sqlite3_bind_text(st, 2, word, -1, SQLITE_STATIC);
	CHECK(sqlite3_step(st) == SQLITE_ROW);
	TEST_CASE(term);
	CHECK(sqlite3_column_int(st, 0) != 0);
	/* the places of this test are a digit */
	CHECK_INT(term[0], '0' + (char)(pos >> SQLITE_POS_BITS));
	sqlite3_finalize(st);
}

/* What should be in "search": of those that are digested and have words. */
#define TERMS                                                                  \
	"SELECT coalesce(sum(length(words) - length(replace(words, ' ', ''))"  \
	" + 1 + (peer <> '')), 0) FROM log JOIN entry USING (place)"           \
	" WHERE words IS NOT NULL AND pos & 68719476735 <= digested"

static void
check_search(sqlite3 *sql)
{
	int64_t n = 0;
	sqlite3_stmt *st;

	CHECK(sqlite3_exec(sql,
		      "CREATE VIRTUAL TABLE temp.terms"
		      " USING fts5vocab (main, search, instance)",
		      NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_prepare_v2(sql, "SELECT term, doc FROM temp.terms", -1,
		      &st, NULL) == SQLITE_OK);
	for (; sqlite3_step(st) == SQLITE_ROW; n++)
		check_term(sql, (const char *)sqlite3_column_text(st, 0),
			sqlite3_column_int64(st, 1));
	sqlite3_finalize(st);
	CHECK_INT(n, number_of(sql, TERMS));
	CHECK(sqlite3_exec(sql,
		      "INSERT INTO search (search) VALUES ('integrity-check')",
		      NULL, NULL, NULL) == SQLITE_OK);
}

/* How far the longest is behind. */
static void
check_files(const char *path, int64_t behind)
{
	sqlite3 *sql;

	CHECK(sqlite3_open(path, &sql) == SQLITE_OK);
	CHECK_INT(number_of(sql,
			  "SELECT count(*) FROM (" SHOULD " EXCEPT " IS ")"),
		0);
	CHECK_INT(number_of(sql,
			  "SELECT count(*) FROM (" IS " EXCEPT " SHOULD ")"),
		0);
	CHECK_INT(number_of(sql, "SELECT count(*) FROM talk"),
		number_of(sql, "SELECT count(*) FROM (" SHOULD ")"));
	CHECK_INT(number_of(sql, "SELECT count(*) FROM peer"),
		number_of(sql,
			"SELECT count(*) FROM"
			" (SELECT DISTINCT place, peer FROM talk)"));
	CHECK(number_of(sql,
		      "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n"
		      " FROM log JOIN entry USING (place) WHERE numbered = 2"
		      " AND pos & 68719476735 > digested GROUP BY place)") <=
		behind);
	check_search(sql);
	sqlite3_close(sql);
}

/* --- both drivers ----------------------------------------------------------- */

/* Numbers of a log that is long, with gaps now and then. */
struct both {
	struct suite memory, sqlite;
	uint64_t rnd, last;
};

static struct str
id_draw(struct both *b, char out[STORE_ID_SIZE])
{
	return store_id_make(1 + draw(&b->rnd, (uint32_t)b->last + 3), STR("s"),
		out);
}

static void
append_many(struct both *b, struct store_tx *tx, struct store_place at,
	uint32_t n)
{
	char id[STORE_ID_SIZE], words[32];

	for (; n > 0; n--) {
		b->last += draw(&b->rnd, 50) == 0 ? 20 : 1;
		store_tx_append_at(tx, at,
			store_id_make(b->last, STR("s"), id),
			(int64_t)b->last * 10, peer_draw(&b->rnd), STR("v"));
		store_tx_index(tx, at, str_c(id), words_draw(&b->rnd, words));
	}
}

static void
op_draw(struct both *b, struct store_tx *tx)
{
	struct store_place at = draw(&b->rnd, 4) ? ARCHIVE : OTHER;
	struct store_trim trim = { .max_bytes = 0 };
	char id[STORE_ID_SIZE], words[32];

	switch (draw(&b->rnd, 15)) {
	case 0:
		trim.max_bytes = (uint64_t)draw(&b->rnd, 1500) *
				STORE_ENTRY_BYTES + 1;
		store_tx_trim(tx, at, &trim);
		break;
	case 1:
		/* now and then the last */
		trim.up_to = draw(&b->rnd, 3) != 0 ? id_draw(b, id) :
			store_id_make(b->last, STR("s"), id);
		store_tx_trim(tx, at, &trim);
		break;
	case 2:
		if (draw(&b->rnd, 6) == 0)
			store_tx_trim_to(tx, at, id_draw(b, id));
		break;
	case 9:
		store_tx_index(tx, at, id_draw(b, id), words_draw(&b->rnd, words));
		break;
	case 3:
		store_tx_replace_entry(tx, at, id_draw(b, id), STR("gone"));
		break;
	case 4:
		if (draw(&b->rnd, 8) == 0)
			store_tx_clear_owner(tx, at.host, at.owner);
		break;
	case 5:
		if (draw(&b->rnd, 8) == 0)
			b->last /= 2; /* and what is there already is refused */
		break;
	case 6:
		store_tx_trim_count(tx, at, draw(&b->rnd, 1200));
		break;
	case 7:
	case 8:
		for (int n = 0; n < 20; n++)
			store_tx_delete_entry(tx, at, id_draw(b, id));
		break;
	default:
		append_many(b, tx, at, draw(&b->rnd, 200));
		break;
	}
}

static void
step_write(struct both *b)
{
	struct both before = *b;
	enum err_code left = ERR_NONE, right = ERR_NONE;

	for (int i = 0; i < 2; i++) {
		struct store_tx *tx = store_tx_new();
		struct both now = before;

		for (uint32_t n = 1 + draw(&now.rnd, 3); n > 0; n--)
			op_draw(&now, tx);
		if (i == 0)
			left = suite_commit(&b->memory, tx);
		else
			right = suite_commit(&b->sqlite, tx);
		b->rnd = now.rnd;
		b->last = now.last;
	}
	CHECK_INT(left, right);
}

static void
step_read(struct both *b)
{
	static char left[200000], right[200000];
	struct store_place at = draw(&b->rnd, 4) ? ARCHIVE : OTHER;
	char ids[2][STORE_ID_SIZE], words[32];
	struct store_range range = {
		.max = draw(&b->rnd, 3) ? draw(&b->rnd, 400) : 5,
		.backwards = draw(&b->rnd, 2),
		.count = draw(&b->rnd, 2),
	};

	if (draw(&b->rnd, 3) != 0)
		range.with = peer_draw(&b->rnd);
	if (draw(&b->rnd, 2) == 0 && words_draw(&b->rnd, words).n != 0)
		range.words = str_c(words);
	if (draw(&b->rnd, 3) == 0)
		range.after_id = id_draw(b, ids[0]);
	if (draw(&b->rnd, 3) == 0)
		range.before_id = id_draw(b, ids[1]);
	if (draw(&b->rnd, 3) == 0)
		range.since_us = draw(&b->rnd, (uint32_t)b->last * 10 + 1);
	if (draw(&b->rnd, 3) == 0)
		range.until_us = draw(&b->rnd, (uint32_t)b->last * 10 + 1);
	CHECK_CSTR(suite_range(&b->memory, at, &range, left, sizeof(left)),
		suite_range(&b->sqlite, at, &range, right, sizeof(right)));
	CHECK_CSTR(suite_talks(&b->memory, at, range.max % 5, left, sizeof(left)),
		suite_talks(&b->sqlite, at, range.max % 5, right,
			sizeof(right)));
}

TEST(nobody_can_tell_what_is_digested)
{
	char label[64];

	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct both b = { .rnd = seed };

		suite_open(&b.memory, &memory_kind);
		suite_open(&b.sqlite, &sqlite_kind);
		for (int i = 0; i < 60; i++) {
			snprintf(label, sizeof(label), "seed %d, step %d",
				(int)seed, i);
			TEST_CASE(label);
			step_write(&b);
			for (int n = 0; n < 6; n++)
				step_read(&b);
			if (i % 10 == 9) {
				while (store_turn(b.sqlite.store))
					continue;
				suite_shut(&b.sqlite);
				check_files(b.sqlite.path, 256);
				suite_reopen(&b.sqlite);
			}
		}
		suite_close(&b.memory);
		suite_close(&b.sqlite);
	}
}

/* each: in a transaction. */
static void
fill_by(struct suite *su, uint64_t from, uint64_t to, uint32_t each)
{
	struct both b = { .rnd = from, .last = from - 1 };

	while (b.last < to) {
		struct store_tx *tx = store_tx_new();

		append_many(&b, tx, ARCHIVE, each);
		CHECK_INT(suite_commit(su, tx), ERR_NONE);
	}
}

static void
fill(struct suite *su, uint64_t from, uint64_t to)
{
	fill_by(su, from, to, 100);
}

/* With what comes, and not only when there is nothing else to do. */
TEST(the_index_follows_while_there_is_no_rest)
{
	struct suite su;

	suite_open(&su, &sqlite_kind);
	/* to close it is a rest */
	fill(&su, 1, 20000);
	check_files(su.path, 512);
	fill_by(&su, 30000, 40000, 2000);
	check_files(su.path, 512);
	suite_close(&su);
}

/* --- work ---------------------------------------------------------------------- */

/* Steps of SQLite's machine for a page with somebody. */
static int
page_steps(struct suite *su, const struct store_range *range, int *looks_out)
{
	struct store_db *db = su->store->writer.db;
	char out[2000];
	int steps = 0, misses, most;

	for (int i = 0; i < SQL_COUNT; i++)
		if (db->stmts[i] != NULL)
			sqlite3_stmt_status(db->stmts[i],
				SQLITE_STMTSTATUS_VM_STEP, 1);
	sqlite3_db_status(db->sql, SQLITE_DBSTATUS_CACHE_HIT, looks_out, &most, 1);
	sqlite3_db_status(db->sql, SQLITE_DBSTATUS_CACHE_MISS, &misses, &most, 1);
	CHECK(strstr(suite_range(su, ARCHIVE, range, out, sizeof(out)),
		      "more") != NULL);
	sqlite3_db_status(db->sql, SQLITE_DBSTATUS_CACHE_HIT, looks_out, &most, 0);
	sqlite3_db_status(db->sql, SQLITE_DBSTATUS_CACHE_MISS, &misses, &most, 0);
	*looks_out += misses;
	for (int i = 0; i < SQL_COUNT; i++)
		if (db->stmts[i] != NULL)
			steps += sqlite3_stmt_status(db->stmts[i],
				SQLITE_STMTSTATUS_VM_STEP, 0);
	return steps;
}

/* Some hundreds of entries that are looked at; all there are would be 1,000,000. */
#define TAIL 8000
/* Parts of the index of words, and levels of the trees, of which there are more. */
#define LOOKS 80

TEST(a_page_with_somebody_costs_the_same_in_any_log)
{
	static const struct store_range pages[] = {
		{ .max = 50, .with = { "paris", 5 } },
		{ .max = 50, .with = { "paris", 5 }, .since_us = 2000 },
		/* and what is not digested */
		{ .max = 50, .with = { "paris", 5 }, .backwards = true },
		{ .max = 50, .words = { "rose sweet", 10 } },
		{ .max = 50, .words = { "rose", 4 }, .with = { "paris", 5 } },
		{ .max = 50, .words = { "name", 4 }, .backwards = true },
	};
	int few[COUNT(pages)], few_looks[COUNT(pages)], looks;
	struct suite su;

	suite_open(&su, &sqlite_kind);
	fill(&su, 1, 1100);
	for (size_t i = 0; i < COUNT(pages); i++)
		few[i] = page_steps(&su, &pages[i], &few_looks[i]);
	fill_by(&su, 2000, 200000, 4000);
	for (size_t i = 0; i < COUNT(pages); i++) {
		CHECK(page_steps(&su, &pages[i], &looks) <=
			2 * few[i] + (pages[i].backwards ? TAIL : 0));
		CHECK(looks <= 2 * few_looks[i] + LOOKS);
	}
	suite_close(&su);
}

/* --- a database that has no index ------------------------------------------- */

/* What the step to the present schema has made, undone. */
static const char undo[] =
	"DELETE FROM talk; DELETE FROM peer;"
	"INSERT INTO search (search) VALUES ('delete-all');"
	"UPDATE log SET digested = 0, peers = 0;"
	"INSERT INTO task VALUES ('digest', 0);";

TEST(what_came_before_is_digested_while_the_server_runs)
{
	struct suite su;
	sqlite3 *sql;

	suite_open(&su, &sqlite_kind);
	fill(&su, 1, 5000);
	suite_shut(&su);
	CHECK(sqlite3_open(su.path, &sql) == SQLITE_OK);
	CHECK(sqlite3_exec(sql, undo, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(sql);
	suite_reopen(&su);
	/* in parts, of which a start goes on with the next */
	for (int i = 0; i < 3; i++) {
		CHECK(store_turn(su.store));
		suite_shut(&su);
		check_files(su.path, 5000);
		suite_reopen(&su);
	}
	while (store_turn(su.store))
		continue;
	suite_shut(&su);
	check_files(su.path, 0);
	CHECK(sqlite3_open(su.path, &sql) == SQLITE_OK);
	CHECK_INT(number_of(sql, "SELECT count(*) FROM task"), 0);
	CHECK(number_of(sql, "SELECT count(*) FROM talk") > 1000);
	sqlite3_close(sql);
	suite_reopen(&su);
	suite_close(&su);
}

/* --- a fault ------------------------------------------------------------------ */

/* All that follows is done, and then none of it is: the commit has failed. */
static void
tend_for_nothing(struct suite *su)
{
	const struct store_driver *d = su->store->driver;
	struct store_db *db = su->store->writer.db;
	struct err err = ERR_INIT;
	bool more;

	CHECK(d->begin(db, &err) && d->tend(db, 1 << 20, &more, &err));
	CHECK(!more);
	d->rollback(db);
}

/* Once the disk writes again; a transaction asks for it. */
static void
check_caught_up(struct suite *su)
{
	struct store_tx *tx = store_tx_new();

	store_tx_set(tx, PLACE("romeo", "map"), STR("key"), STR("v"));
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
	while (store_turn(su->store))
		continue;
	suite_shut(su);
	check_files(su->path, 0);
	suite_reopen(su);
}

TEST(a_commit_that_fails_leaves_what_is_due_due)
{
	struct suite su;

	suite_open(&su, &sqlite_kind);
	/* else the very commit would do it */
	su.store->tend_failed = true;
	fill(&su, 1, 1000);
	su.store->tend_failed = false;
	tend_for_nothing(&su);
	check_caught_up(&su);
	suite_close(&su);
}

TEST(a_commit_that_fails_does_not_end_the_walk)
{
	struct suite su;
	sqlite3 *sql;

	suite_open(&su, &sqlite_kind);
	fill(&su, 1, 2000);
	suite_shut(&su);
	CHECK(sqlite3_open(su.path, &sql) == SQLITE_OK);
	CHECK(sqlite3_exec(sql, undo, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(sql);
	suite_reopen(&su);
	tend_for_nothing(&su);
	check_caught_up(&su);
	suite_close(&su);
}

/* What cannot be digested stays behind, and everything else goes on. */
TEST(an_index_that_is_broken_stops_nothing)
{
	const struct store_range all = { .max = 1, .count = true };
	struct suite su;
	sqlite3 *sql;
	char out[64];

	suite_open(&su, &sqlite_kind);
	fill(&su, 1, 200);
	suite_shut(&su);
	CHECK(sqlite3_open(su.path, &sql) == SQLITE_OK);
	CHECK(sqlite3_exec(sql,
		      "DROP TABLE talk; CREATE TABLE talk (number INTEGER)",
		      NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(sql);
	suite_reopen(&su);
	fill(&su, 3000, 3400);
	CHECK(strstr(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
		      "more") != NULL);
	suite_close(&su);
}

TEST_MAIN
