/*
 * sqlite_text.c - the texts of all statements of the SQLite driver.
 *
 * Constant: values are bound, and no text is ever put together.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#define ENTRY                                                                  \
	"SELECT coalesce(id, name), time, peer, value, pos FROM entry "
#define SPAN "pos > ?1 AND pos <= ?2 "
/* The indexes hold the entries that have an id which says no number: those of a
 * log of the kind SQLITE_IDS all have. */
#define BY_ID "INDEXED BY entry_id WHERE place = ?1 AND id = ?2 "
#define BY_PEER                                                                \
	"INDEXED BY entry_peer WHERE place = ?4 AND peer = ?5 AND id IS NOT NULL "
#define BY_TIME "INDEXED BY entry_time WHERE place = ?4 AND id IS NOT NULL "
#define TIME "AND time >= ?6 AND time <= ?7 "
#define OLDER                                                                  \
	"INDEXED BY entry_time WHERE place = ?3 AND id IS NOT NULL AND time < ?4"
#define OLDER_SCAN "WHERE " SPAN "AND time < ?4"
#define SUMS                                                                   \
	"count(*), coalesce(sum(length(CAST(value AS BLOB))), 0) FROM entry "
/* The index on time gives the positions; only what is wanted of the values is
 * read. */
#define RANGE_TIME(order)                                                      \
	ENTRY "WHERE pos IN (SELECT pos FROM entry " BY_TIME TIME "AND " SPAN  \
	      "ORDER BY pos " order " LIMIT ?3) ORDER BY pos " order
#define RANGE_PEER(time, order)                                                \
	ENTRY BY_PEER time "AND " SPAN "ORDER BY pos " order " LIMIT ?3"
#define RANGE_ALL(order) ENTRY "WHERE " SPAN "ORDER BY pos " order " LIMIT ?3"
#define SCAN                                                                   \
	"AND (?8 OR peer = ?5) AND (?9 IS NULL OR has_words(words, ?9)) " TIME
#define RANGE_SCAN(order)                                                      \
	ENTRY "WHERE " SPAN SCAN "ORDER BY pos " order " LIMIT ?3"
/* Of a log from ?1 on, the numbers in (?2, ?3] that are with ?5. */
#define TALK "place = ?4 AND peer = ?5 AND number > ?2 AND number <= ?3"
#define TALK_RANGE(order)                                                      \
	"SELECT coalesce(id, name), time, entry.peer, value, pos"              \
	" FROM talk CROSS JOIN entry ON pos = ?1 + number"                     \
	" WHERE talk.place = ?4 AND talk.peer = ?5 AND number > ?2"            \
	" AND number <= ?3 ORDER BY number " order " LIMIT ?6"
/* Of a log in (?1, ?5], of which the index knows what is up to ?2, the position of the
 * last entry with each, the last ?3. */
#define TALKS                                                                  \
	"SELECT max(at) FROM"                                                  \
	" (SELECT name AS who, ?1 + (SELECT max(number) FROM talk"             \
	"   WHERE place = ?4 AND talk.peer = no) AS at"                        \
	"  FROM peer WHERE place = ?4"                                         \
	"  UNION ALL SELECT peer, pos FROM entry"                              \
	"   WHERE pos > ?2 AND pos <= ?5 AND peer <> '') AS lasts"             \
	" GROUP BY who ORDER BY 1 DESC LIMIT ?3"
/* Of a log, what has all terms of ?4 and lies in (?1, ?2]. */
#define SEARCH                                                                 \
	"search MATCH ?4 AND search.rowid > ?1 AND search.rowid <= ?2"
#define SEARCH_RANGE(order)                                                    \
	"SELECT coalesce(id, name), time, peer, value, pos"                    \
	" FROM search CROSS JOIN entry ON pos = search.rowid"                  \
	" WHERE " SEARCH " ORDER BY search.rowid " order " LIMIT ?3"
/* Logs in the order of their owners, with the first entry of each. */
#define LOG_OWNERS(after)                                                      \
	"SELECT owner, n, bytes, time FROM log CROSS JOIN entry ON pos ="      \
	" (SELECT min(pos) FROM entry WHERE pos > log.place << 36"             \
	"  AND pos < log.place + 1 << 36)"                                     \
	" WHERE host = ?1 " after " AND log.name = ?3 AND n > 0"               \
	" ORDER BY owner LIMIT ?4"

#define MAP_AT "host = ?1 AND owner = ?2 AND name = ?3"

/* ?1, ?2, ?3 are host, owner, name, but for entries. */
/* clang-format off */
const char *const sqlite_texts[SQL_COUNT] = {
	[SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[SQL_BEGIN_READ] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVEPOINT] = "SAVEPOINT tx",
	[SQL_RELEASE] = "RELEASE tx",
	[SQL_REVERT] = "ROLLBACK TO tx",
	[SQL_BACKUP] = "VACUUM INTO ?1",
	[SQL_DATA_VERSION] = "PRAGMA data_version",
	[SQL_FREE_PAGES] = "PRAGMA freelist_count",
	[SQL_PAGES] = "PRAGMA page_count",
	[SQL_GIVE_BACK] = "PRAGMA incremental_vacuum(64)",

	[SQL_MAP_GET] = "SELECT value FROM map WHERE " MAP_AT " AND key = ?4",
	[SQL_MAP_LIST] = "SELECT key, value FROM map WHERE " MAP_AT
			 " ORDER BY key",
	[SQL_MAP_WALK] = "SELECT key, value, name FROM map WHERE host = ?1"
			 " AND owner = ?2 AND name >= ?3 ORDER BY name, key",
	[SQL_MAP_PAGE] = "SELECT key, value FROM map WHERE " MAP_AT
			 " AND key > ?4 AND key < ?5"
			 " ORDER BY key LIMIT ?6 OFFSET ?7",
	[SQL_MAP_PAGE_BACK] = "SELECT key, value FROM map WHERE " MAP_AT
			      " AND key > ?4 AND key < ?5"
			      " ORDER BY key DESC LIMIT ?6 OFFSET ?7",
	[SQL_MAP_COUNT] = "SELECT count(*) FROM map WHERE " MAP_AT,
	[SQL_MAP_ANY] = "SELECT 1 FROM map WHERE " MAP_AT " LIMIT 1",
	[SQL_MAP_CHANGE] = "UPDATE map SET value = ?5 WHERE " MAP_AT
			   " AND key = ?4",
	[SQL_MAP_CREATE] = "INSERT INTO map (host, owner, name, key, value)"
			   " VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_MAP_DEL] = "DELETE FROM map WHERE " MAP_AT " AND key = ?4",
	[SQL_MAP_CLEAR] = "DELETE FROM map WHERE " MAP_AT,
	[SQL_MAP_CLEAR_OWNER] = "DELETE FROM map WHERE host = ?1"
				" AND owner = ?2",
	[SQL_HOLDER_ADD] = "INSERT OR IGNORE INTO holder (host, owner, name)"
			   " VALUES (?1, ?2, ?3)",
	[SQL_HOLDER_DEL] = "DELETE FROM holder WHERE " MAP_AT,
	[SQL_HOLDER_LIST] = "SELECT owner FROM holder WHERE host = ?1"
			    " AND name = ?3 AND owner > ?2"
			    " ORDER BY owner LIMIT ?4",
	[SQL_HOLDER_LIST_ALL] = "SELECT owner FROM holder WHERE host = ?1"
				" AND name = ?3 ORDER BY owner LIMIT ?4",
	[SQL_OWNER_MAPS] = "WITH RECURSIVE maps (name) AS ("
			   " SELECT min(name) FROM map"
			   "  WHERE host = ?1 AND owner = ?2"
			   " UNION ALL"
			   " SELECT (SELECT min(name) FROM map"
			   "  WHERE host = ?1 AND owner = ?2"
			   "  AND name > maps.name)"
			   "  FROM maps WHERE maps.name IS NOT NULL"
			   ") SELECT name FROM maps WHERE name IS NOT NULL",

	[SQL_LOG_FIND] = "SELECT place, n, bytes, numbered, digested, peers"
			 " FROM log"
			 " WHERE " MAP_AT,
	[SQL_LOG_NEW] = "INSERT INTO log (host, owner, name)"
			" VALUES (?1, ?2, ?3)",
	[SQL_LOG_SET] = "UPDATE log SET n = ?2, bytes = ?3, numbered = ?4,"
			" digested = ?5, peers = ?6 WHERE place = ?1",
	[SQL_LOG_DEL] = "DELETE FROM log WHERE place = ?1",
	[SQL_LOG_MARK] = "UPDATE log SET host = '', owner = '',"
			 " name = CAST(place AS TEXT) WHERE place = ?1",
	[SQL_LOG_MARKED] = "SELECT place, n, bytes, digested FROM log"
			   " WHERE host = '' LIMIT 1",
	[SQL_LOG_OWNED] = "SELECT place, n, bytes, digested FROM log"
			  " WHERE host = ?1 AND owner = ?2 LIMIT 1",
	[SQL_LOG_SIZES] = "SELECT log.name, n, bytes, pos & 68719476735, time"
			  " FROM log LEFT JOIN entry ON pos ="
			  " (SELECT max(pos) FROM entry WHERE"
			  "  pos > log.place << 36"
			  "  AND pos < log.place + 1 << 36)"
			  " WHERE host = ?1 AND owner = ?2 AND n > 0",
	[SQL_LOG_OWNERS] = LOG_OWNERS("AND owner > ?2"),
	[SQL_LOG_OWNERS_ALL] = LOG_OWNERS(""),
	[SQL_LOG_LAST] = "SELECT max(pos) FROM entry WHERE " SPAN,
	[SQL_ENTRY_ADD] = "INSERT INTO entry"
			  " (pos, place, id, time, peer, value, name, words)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[SQL_ENTRY_CHANGE] = "UPDATE entry SET value = ?2 WHERE pos = ?1",
	[SQL_ENTRY_POS] = "SELECT pos FROM entry " BY_ID,
	[SQL_ENTRY_AT] = "SELECT pos FROM entry WHERE pos = ?1",
	[SQL_ENTRY_NAMED] = "SELECT pos FROM entry WHERE pos = ?1"
			    " AND name = ?2",
	[SQL_ENTRY_TIME] = "SELECT time FROM entry WHERE pos = ?1",
	[SQL_ENTRY_NEXT] = "SELECT pos, time FROM entry WHERE " SPAN
			   "ORDER BY pos LIMIT 1",
	[SQL_ENTRY_NTH] = "SELECT pos FROM entry WHERE " SPAN
			  "ORDER BY pos LIMIT 1 OFFSET ?3",
	[SQL_ENTRY_GROW] = "SELECT length(CAST(a.value AS BLOB))"
			   " - length(CAST(b.value AS BLOB))"
			   " FROM entry AS a, entry AS b"
			   " WHERE a.pos = ?1 AND b.pos = ?2",
	[SQL_ENTRY_TAKE] = "UPDATE entry SET value ="
			   " (SELECT value FROM entry WHERE pos = ?1)"
			   " WHERE pos = ?2",
	[SQL_SPAN_SIZES] = "SELECT pos, length(CAST(value AS BLOB)), time"
			   " FROM entry WHERE " SPAN "ORDER BY pos",
	[SQL_SPAN_NAMES] = "SELECT pos, CASE WHEN length(value) <= 3071"
			   " THEN value END FROM entry WHERE " SPAN
			   "ORDER BY pos",
	[SQL_SPAN_SUM] = "SELECT " SUMS "WHERE " SPAN,
	[SQL_SPAN_DEL] = "DELETE FROM entry WHERE " SPAN,
	[SQL_SPAN_PEERS] = "SELECT pos, peer, words FROM entry WHERE " SPAN
			   "ORDER BY pos LIMIT ?3",
	[SQL_AGE_SUM] = "SELECT " SUMS OLDER,
	[SQL_AGE_DEL] = "DELETE FROM entry " OLDER,
	[SQL_AGE_SUM_SCAN] = "SELECT " SUMS OLDER_SCAN,
	[SQL_AGE_DEL_SCAN] = "DELETE FROM entry " OLDER_SCAN,

	[SQL_RANGE] = RANGE_ALL("ASC"),
	[SQL_RANGE + 1] = RANGE_PEER("", "ASC"),
	[SQL_RANGE + 2] = RANGE_TIME("ASC"),
	[SQL_RANGE + 3] = RANGE_PEER(TIME, "ASC"),
	[SQL_RANGE + 4] = RANGE_ALL("DESC"),
	[SQL_RANGE + 5] = RANGE_PEER("", "DESC"),
	[SQL_RANGE + 6] = RANGE_TIME("DESC"),
	[SQL_RANGE + 7] = RANGE_PEER(TIME, "DESC"),
	[SQL_RANGE_SCAN] = RANGE_SCAN("ASC"),
	[SQL_RANGE_SCAN_DESC] = RANGE_SCAN("DESC"),
	/* Nothing is sorted: a position is the last column of each index.  Two, since
	 * of (time, pos) > (?6, ?1) SQLite looks up the time alone. */
	[SQL_RANGE_MOMENT] = ENTRY BY_TIME "AND time = ?6 AND pos > ?1"
			     " ORDER BY pos LIMIT ?3",
	[SQL_RANGE_BY_TIME] = ENTRY BY_TIME TIME "ORDER BY time, pos LIMIT ?3",
	[SQL_TOTAL] = "SELECT count(*) FROM entry " BY_TIME,
	[SQL_TOTAL + 1] = "SELECT count(*) FROM entry " BY_PEER,
	[SQL_TOTAL + 2] = "SELECT count(*) FROM entry " BY_TIME TIME,
	[SQL_TOTAL + 3] = "SELECT count(*) FROM entry " BY_PEER TIME,
	[SQL_TOTAL_SCAN] = "SELECT count(*) FROM entry WHERE " SPAN SCAN,

	[SQL_PEER_FIND] = "SELECT no FROM peer WHERE place = ?1 AND name = ?2",
	[SQL_PEER_ADD] = "INSERT INTO peer (place, name, no)"
			 " VALUES (?1, ?2, ?3)",
	[SQL_PEER_DEL] = "DELETE FROM peer WHERE place = ?1 AND name = ?2",
	[SQL_PEER_CLEAR] = "DELETE FROM peer WHERE place = ?1",
	[SQL_TALK_ADD] = "INSERT OR IGNORE INTO talk (place, peer, number)"
			 " VALUES (?1, ?2, ?3)",
	[SQL_TALK_DEL] = "DELETE FROM talk WHERE place = ?1 AND peer = ?2"
			 " AND number = ?3",
	[SQL_TALK_ANY] = "SELECT 1 FROM talk WHERE place = ?1 AND peer = ?2"
			 " LIMIT 1",
	[SQL_TALK_CLEAR] = "DELETE FROM talk WHERE place = ?1",
	[SQL_TALK_SLICE] = "DELETE FROM talk WHERE (place, peer, number) IN"
			   " (SELECT place, peer, number FROM talk"
			   "  WHERE place = ?1 LIMIT ?2)",
	[SQL_PEER_SLICE] = "DELETE FROM peer WHERE (place, name) IN"
			   " (SELECT place, name FROM peer"
			   "  WHERE place = ?1 LIMIT ?2)",
	[SQL_TALK_RANGE] = TALK_RANGE("ASC"),
	[SQL_TALK_RANGE_DESC] = TALK_RANGE("DESC"),
	[SQL_TALK_TOTAL] = "SELECT count(*) FROM talk WHERE " TALK,
	[SQL_TALKS] = "SELECT coalesce(id, name), time, peer, NULL, pos"
		      " FROM entry WHERE pos IN (" TALKS ")"
		      " AND pos > ?1 AND pos <= ?5 ORDER BY pos DESC",
	[SQL_TALKS_LATE] =
		"SELECT coalesce(id, name), time, peer, NULL, pos"
		" FROM entry WHERE pos IN (SELECT max(pos) FROM"
		"  (SELECT peer, pos FROM entry WHERE " SPAN
		"   ORDER BY pos DESC LIMIT ?4) AS lasts WHERE peer <> ''"
		"  GROUP BY peer ORDER BY 1 DESC LIMIT ?3) ORDER BY pos DESC",
	[SQL_PEER_NTH] = "SELECT 1 FROM peer WHERE place = ?1"
			 " LIMIT 1 OFFSET ?2",
	[SQL_SEARCH_ADD] = "INSERT INTO search (rowid, words) VALUES (?1, ?2)",
	[SQL_SEARCH_DEL] = "INSERT INTO search (search, rowid, words)"
			   " VALUES ('delete', ?1, ?2)",
	[SQL_SEARCH_MERGE] = "INSERT INTO search (search, rank)"
			     " VALUES ('merge', ?1)",
	[SQL_SEARCH_RANGE] = SEARCH_RANGE("ASC"),
	[SQL_SEARCH_RANGE_DESC] = SEARCH_RANGE("DESC"),
	[SQL_SEARCH_TOTAL] = "SELECT count(*) FROM search WHERE " SEARCH,
	[SQL_ENTRY_WORDS] = "SELECT peer, words FROM entry WHERE pos = ?1",
	[SQL_ENTRY_INDEX] = "UPDATE entry SET words = ?2 WHERE pos = ?1",
	[SQL_SPAN_WORDS] = "SELECT pos, peer, words FROM entry WHERE " SPAN
			   "AND words IS NOT NULL ORDER BY pos",
	[SQL_LOG_NAMES] = "SELECT host, owner, name FROM log WHERE place = ?1"
			  " AND host <> ''",
	[SQL_LOG_AFTER] = "SELECT place, numbered FROM log WHERE place > ?1"
			  " AND host <> '' ORDER BY place LIMIT 1",
	[SQL_TASK_GET] = "SELECT at FROM task WHERE name = 'digest'",
	[SQL_TASK_SET] = "UPDATE task SET at = ?1 WHERE name = 'digest'",
	[SQL_TASK_DEL] = "DELETE FROM task WHERE name = 'digest'",
};
/* clang-format on */
