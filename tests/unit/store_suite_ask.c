/*
 * store_suite_ask.c - how the tests of the store open it, ask it and wait.
 */
#include "config.h"

#include "store_suite.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/sqlite/sqlite.h"
#include "test.h"

bool
suite_try_open(struct suite *su, struct err *err)
{
	struct sqlite_conf file = { su->path };
	struct store_conf conf = {
		.driver = su->kind->driver,
		.options = &file,
		.readers = su->kind->inline_work ? 0 : 2,
		.inline_work = su->kind->inline_work,
		.may_be_new = su->may_be_new,
		.on_outage = su->on_outage,
		.on_outage_arg = su,
	};

	*err = (struct err)ERR_INIT;
	su->store = store_open(&conf, err);
	if (su->store != NULL && su->kind->one_by_one)
		store_set_whole(su->store, false);
	return su->store != NULL;
}

static void
store_up(struct suite *su)
{
	struct err err;

	if (!suite_try_open(su, &err))
		test_fail(__FILE__, __LINE__, "store_open: %s", err.text);
}

void
suite_open(struct suite *su, const struct suite_kind *kind)
{
	struct err err = ERR_INIT;

	TEST_CASE(kind->label);
	memset(su, 0, sizeof(*su));
	su->kind = kind;
	snprintf(su->folder, sizeof(su->folder), "/tmp/store-test-XXXXXX");
	CHECK(mkdtemp(su->folder) != NULL);
	snprintf(su->path, sizeof(su->path), "%s/store.db", su->folder);
	CHECK(mailbox_init(&su->mailbox, &err));
	store_up(su);
}

void
suite_reopen(struct suite *su)
{
	store_close(su->store);
	mailbox_drain(&su->mailbox, NULL, SIZE_MAX);
	store_up(su);
}

void
suite_close(struct suite *su)
{
	static const char *const ends[] = { "", "-wal", "-shm", ".copy",
		".lock" };
	char path[128];

	store_close(su->store);
	mailbox_drain(&su->mailbox, NULL, SIZE_MAX);
	mailbox_done(&su->mailbox);
	for (size_t i = 0; i < COUNT(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", su->path, ends[i]);
		unlink(path);
	}
	CHECK(rmdir(su->folder) == 0);
}

void
suite_shut(struct suite *su)
{
	store_close(su->store);
	su->store = NULL;
}

int
suite_child_wait(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void
suite_wait(struct suite *su)
{
	struct pollfd pfd = { .fd = su->mailbox.fd, .events = POLLIN };

	while (su->waiting != 0) {
		bool any = su->kind->inline_work ? store_turn(su->store)
						 : poll(&pfd, 1, 60000) == 1;

		any |= mailbox_drain(&su->mailbox, NULL, SIZE_MAX) != 0;
		CHECK(any);
	}
}

void
suite_result_init(struct suite *su, struct suite_result *r)
{
	*r = (struct suite_result){ .suite = su };
	su->waiting++;
}

void
suite_result_done(struct suite_result *r)
{
	free(r->text);
	r->text = NULL;
}

static void
result_came(struct suite_result *r, const struct err *err)
{
	CHECK(!r->came);
	r->came = true;
	r->code = err != NULL ? err->code : ERR_NONE;
	if (err != NULL)
		snprintf(r->err, sizeof(r->err), "%s", err->text);
	r->suite->waiting--;
}

void
suite_on_done(void *arg, bool ok, const struct err *err)
{
	CHECK(ok == (err == NULL));
	result_came(arg, err);
}

void
suite_on_read(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;
	size_t size;
	FILE *out = open_memstream(&r->text, &size);

	for (size_t i = 0; i < a->n; i++) {
		const struct store_entry *e = &a->entries[i];

		fprintf(out, "%s%.*s", i != 0 ? " " : "", STR_ARG(e->key));
		if (r->with_values)
			fprintf(out, "=%.*s", STR_ARG(e->value));
	}
	fclose(out);
	r->n = a->n;
	r->total = a->total;
	r->complete = a->complete;
	result_came(r, err);
}

enum err_code
suite_commit(struct suite *su, struct store_tx *tx)
{
	struct suite_result r;

	suite_result_init(su, &r);
	store_commit(su->store, tx, &su->mailbox, suite_on_done, &r);
	suite_wait(su);
	return r.code;
}

enum err_code
suite_set(struct suite *su, struct store_place at, const char *key,
	const char *value)
{
	struct store_tx *tx = store_tx_new();

	store_tx_set(tx, at, str_c(key), str_c(value));
	return suite_commit(su, tx);
}

static const char *
result_text(struct suite *su, struct suite_result *r, char *out, size_t room)
{
	suite_wait(su);
	if (r->code != ERR_NONE)
		snprintf(out, room, "error %d", (int)r->code);
	else
		snprintf(out, room, "%s", r->text);
	suite_result_done(r);
	return out;
}

void
suite_fill(struct suite *su, struct store_place at)
{
	struct store_tx *tx = store_tx_new();
	char key[16];

	for (int i = 0; i < 400; i++) {
		snprintf(key, sizeof(key), "key-%04d", i);
		store_tx_set(tx, at, str_c(key), STR("<item>value</item>"));
		store_tx_append(tx, at, str_c(key), i + 1, STR("juliet"),
			STR("<message>hello</message>"));
	}
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

const char *
suite_get(struct suite *su, struct store_place at, const char *key, char *out,
	size_t room)
{
	struct suite_result r;

	suite_result_init(su, &r);
	r.with_values = true;
	store_get(su->store, at, str_c(key), &su->mailbox, suite_on_read, &r);
	return result_text(su, &r, out, room);
}

const char *
suite_list(struct suite *su, struct store_place at, char *out, size_t room)
{
	struct suite_result r;

	suite_result_init(su, &r);
	r.with_values = true;
	store_list(su->store, at, &su->mailbox, suite_on_read, &r);
	return result_text(su, &r, out, room);
}

/* "ids | total", and " more" when it is not complete. */
const char *
suite_range(struct suite *su, struct store_place at,
	const struct store_range *range, char *out, size_t room)
{
	struct suite_result r;
	size_t n;

	suite_result_init(su, &r);
	store_range(su->store, at, range, &su->mailbox, suite_on_read, &r);
	result_text(su, &r, out, room);
	n = strlen(out);
	if (r.code == ERR_NONE && range->count)
		n += (size_t)snprintf(out + n, room - n, " | %d", (int)r.total);
	if (r.code == ERR_NONE && !r.complete)
		snprintf(out + n, room - n, " more");
	return out;
}

const char *
suite_talks(struct suite *su, struct store_place at, uint32_t max, char *out,
	size_t room)
{
	struct suite_result r;

	suite_result_init(su, &r);
	store_talks(su->store, at, max, &su->mailbox, suite_on_read, &r);
	result_text(su, &r, out, room);
	if (r.code == ERR_NONE && !r.complete)
		snprintf(out + strlen(out), room - strlen(out), " more");
	return out;
}

#define IDS_MAX 1200

const char *
suite_entries(struct suite *su, struct store_place at, const char *ids,
	size_t max_bytes, char *out, size_t room)
{
	struct str names[IDS_MAX], rest = str_c(ids);
	struct suite_result r;
	size_t n = 0;

	while (rest.n != 0) {
		assert_true(n < COUNT(names));
		if (!str_cut(rest, ' ', &names[n++], &rest))
			rest = STR("");
	}
	suite_result_init(su, &r);
	store_get_entries(su->store, at, names, n, max_bytes, &su->mailbox,
		suite_on_read, &r);
	/* they are copied */
	memset(names, 0, sizeof(names));
	result_text(su, &r, out, room);
	if (r.code == ERR_NONE && !r.complete)
		strncat(out, " more", room - strlen(out) - 1);
	return out;
}

/* --- a file of SQLite ------------------------------------------------------------- */

void
suite_sql_run(const char *path, const char *text)
{
	sqlite3 *sql;

	CHECK(sqlite3_open(path, &sql) == SQLITE_OK);
	CHECK(sqlite3_exec(sql, text, NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_close(sql) == SQLITE_OK);
}

int64_t
suite_sql_number(const char *path, const char *text)
{
	sqlite3_stmt *st;
	sqlite3 *sql;
	int64_t n;

	CHECK(sqlite3_open(path, &sql) == SQLITE_OK);
	CHECK(sqlite3_prepare_v2(sql, text, -1, &st, NULL) == SQLITE_OK);
	CHECK(sqlite3_step(st) == SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return n;
}
