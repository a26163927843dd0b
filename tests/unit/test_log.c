/*
 * test_log.c - one line for one event.
 */
#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "test.h"

/* A log file in a folder of its own. */
struct place {
	char dir[64];
	char path[80];
	char moved[80];
	char text[1 << 17];
};

/* too large for a stack, and used by one test at a time */
static struct place place;

static void
place_open(void)
{
	struct err err = ERR_INIT;

	strcpy(place.dir, "/tmp/antiphon-log-XXXXXX");
	CHECK(mkdtemp(place.dir) != NULL);
	snprintf(place.path, sizeof(place.path), "%s/log", place.dir);
	snprintf(place.moved, sizeof(place.moved), "%s/log.1", place.dir);
	CHECK(log_open(LOG_TO_FILE, place.path, &err));
}

static const char *
place_read(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	CHECK(f != NULL);
	n = fread(place.text, 1, sizeof(place.text) - 1, f);
	fclose(f);
	place.text[n] = '\0';
	return place.text;
}

/* The last line that was written, without its time and its end. */
static const char *
last_line(void)
{
	const char *text = place_read(place.path);
	char *end = place.text + strlen(text);
	char *start;

	CHECK(end > text && end[-1] == '\n');
	end[-1] = '\0';
	start = strrchr(text, '\n');
	start = start != NULL ? start + 1 : place.text;
	start = strchr(start, ' ');
	CHECK(start != NULL);
	return start + 1;
}

static void
place_close(void)
{
	log_close();
	unlink(place.path);
	unlink(place.moved);
	rmdir(place.dir);
}

static size_t
count_lines(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void
describe_session(const void *obj, char *out, size_t n)
{
	snprintf(out, n, "s3 c2s 9f2c41 %s", (const char *)obj);
}

static struct log_who
who_is(const char *name)
{
	return (struct log_who){ describe_session, name };
}

TEST(log_line_is_time_level_area_who_and_text)
{
	const char *text;
	struct tm tm;
	int n = 0;

	place_open();
	log_info(LOG_SESSION, who_is("romeo@example.net/orchard"),
		"stream resumed h=%d", 118);
	text = place_read(place.path);
	CHECK_INT(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%*3dZ%n", &tm.tm_year,
			  &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
			  &tm.tm_sec, &n),
		6);
	CHECK_INT(n, strlen("2026-11-21T10:03:52.123Z"));
	CHECK_CSTR(last_line(),
		"info session s3 c2s 9f2c41 "
		"romeo@example.net/orchard: "
		"stream resumed h=118");
	log_warn(LOG_STORE, LOG_NOBODY, "disk slow ms=%d", 900);
	CHECK_CSTR(last_line(), "warn store: disk slow ms=900");
	place_close();
}

static const struct {
	const char *in, *out;
} escape_cases[] = {
	{ "a\nb", "a\\x0ab" },
	{ "a\r\tb", "a\\x0d\\x09b" },
	{ "\x1b[31m", "\\x1b[31m" },
	{ "\x7f", "\\x7f" },
	{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
	{ "\xc2\x9b"
	  "1m",
		"\\xc2\\x9b1m" },
	{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
	{ "\xe2\x80\xae", "\\xe2\\x80\\xae" },
	{ "\xe2\x81\xa6", "\\xe2\\x81\\xa6" },
	{ "\xe2\x80\xaf", "\xe2\x80\xaf" },
	{ "\xff\xc3", "\\xff\\xc3" },
};

TEST(log_escapes_what_could_forge_a_line)
{
	char want[128];

	place_open();
	for (size_t i = 0; i < COUNT(escape_cases); i++) {
		TEST_CASE(escape_cases[i].out);
		log_error(LOG_NET, LOG_NOBODY, "%s", escape_cases[i].in);
		snprintf(want, sizeof(want), "error net: %s",
			escape_cases[i].out);
		CHECK_CSTR(last_line(), want);
		log_error(LOG_NET, who_is(escape_cases[i].in), "x");
		snprintf(want, sizeof(want), "error net s3 c2s 9f2c41 %s: x",
			escape_cases[i].out);
		CHECK_CSTR(last_line(), want);
	}
	place_close();
}

TEST(log_escapes_what_could_end_a_value)
{
	static const char *const cases[][2] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "\"b\" is unknown", "\\\"b\\\" is unknown" },
		{ "x\" forged=\"y", "x\\\" forged=\\\"y" },
		{ "\\", "\\\\" },
		{ "a\\\"", "a\\\\\\\"" },
		{ "\n", "\\x0a" },
		/* written as if there were no quotes */
		{ "\x01", "\\x01" },
	};
	char want[128];

	place_open();
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i][0]);
		log_error(LOG_NET, LOG_NOBODY,
			"cannot a=\"%s\" n=%d b=\"%.*s\" c=%s", cases[i][0],
			7, (int)strlen(cases[i][0]), cases[i][0], "q\"q");
		snprintf(want, sizeof(want),
			"error net: cannot a=\"%s\" n=7 b=\"%s\" c=q\"q",
			cases[i][1], cases[i][1]);
		CHECK_CSTR(last_line(), want);
	}
	place_close();
}

TEST(log_cuts_a_value_of_quotes_as_any_other)
{
	char text[6000];

	place_open();
	memset(text, '"', sizeof(text) - 1);
	for (size_t n = 1990; n < sizeof(text); n++) {
		text[n] = '\0';
		log_error(LOG_NET, LOG_NOBODY, "a=\"%s\"", text);
		text[n] = '"';
		CHECK(strlen(place_read(place.path)) <= 4096);
		CHECK(n < 2100 ||
			strstr(place.text, "\\\"...\n") != NULL ||
			strstr(place.text, "\"...\n") != NULL);
		CHECK(truncate(place.path, 0) == 0);
	}
	place_close();
}

TEST(log_cuts_a_line_that_is_too_long_and_says_so)
{
	char in[10001];
	const char *line;

	memset(in, '\x01', sizeof(in) - 1);
	in[sizeof(in) - 1] = '\0';
	place_open();
	log_info(LOG_NET, LOG_NOBODY, "%s", in);
	CHECK_INT(count_lines(place_read(place.path)), 1);
	CHECK(strlen(place.text) <= 4096);
	line = last_line();
	CHECK_CSTR(line + strlen(line) - 7, "\\x01...");
	memset(in, 'x', sizeof(in) - 1);
	log_info(LOG_NET, LOG_NOBODY, "%s", in);
	line = last_line();
	CHECK_CSTR(line + strlen(line) - 4, "x...");
	place_close();
}

static int
count_call(int *calls)
{
	return ++*calls;
}

TEST(log_evaluates_nothing_below_the_level_of_the_area)
{
	int calls = 0;

	place_open();
	log_debug(LOG_AUTH, LOG_NOBODY, "n=%d", count_call(&calls));
	CHECK_INT(calls, 0);
	CHECK_CSTR(place_read(place.path), "");
	log_set_level(LOG_AUTH, LEVEL_DEBUG);
	log_debug(LOG_AUTH, LOG_NOBODY, "n=%d", count_call(&calls));
	CHECK_CSTR(last_line(), "debug auth: n=1");
	CHECK(!log_enabled(LOG_NET, LEVEL_DEBUG));
	log_set_level(LOG_AUTH, LEVEL_ERROR);
	log_warn(LOG_AUTH, LOG_NOBODY, "n=%d", count_call(&calls));
	CHECK_INT(calls, 1);
	log_set_level(LOG_AUTH, LEVEL_INFO);
	place_close();
}

TEST(log_keeps_errno)
{
	place_open();
	errno = ENOTTY;
	log_info(LOG_NET, LOG_NOBODY, "x");
	CHECK_INT(errno, ENOTTY);
	place_close();
}

TEST(log_names_and_levels_are_known_both_ways)
{
	enum log_area area;
	enum log_level level;

	for (int i = 0; i < LOG_AREAS; i++) {
		const char *name = log_area_name((enum log_area)i);

		TEST_CASE(name);
		CHECK(log_area_parse(str_c(name), &area));
		CHECK_INT(area, i);
	}
	for (int i = LEVEL_ERROR; i <= LEVEL_DEBUG; i++) {
		const char *name = log_level_name((enum log_level)i);

		TEST_CASE(name);
		CHECK(log_level_parse(str_c(name), &level));
		CHECK_INT(level, i);
	}
	TEST_CASE(NULL);
	CHECK(!log_area_parse(STR("nets"), &area));
	CHECK(!log_level_parse(STR("INFO"), &level));
	CHECK(!log_level_parse(STR(""), &level));
}

static uint64_t
minute_now(void)
{
	return (uint64_t)(clock_mono_us(&clock_system) / (60 * US_PER_S));
}

/* Asks n times; again when a minute began meanwhile. */
static unsigned
limit_ask(struct log_limit *limit, unsigned n)
{
	unsigned ok;
	uint64_t minute;

	do {
		minute = minute_now();
		atomic_store(&limit->minute_and_count, 0);
		ok = 0;
		for (unsigned i = 0; i < n; i++)
			ok += log_limit_ok(limit, LOG_NET);
	} while (minute_now() != minute);
	return ok;
}

TEST(log_limit_lets_a_burst_pass_and_then_counts_what_it_left_out)
{
	static struct log_limit limit;

	place_open();
	CHECK_INT(limit_ask(&limit, LOG_BURST), LOG_BURST);
	CHECK_INT(limit_ask(&limit, LOG_BURST + 5), LOG_BURST);
	CHECK_CSTR(place_read(place.path), "");
	/* as if all that had been a minute ago */
	atomic_fetch_sub(&limit.minute_and_count, UINT64_C(1) << 32);
	CHECK(log_limit_ok(&limit, LOG_NET));
	CHECK_CSTR(last_line(), "warn net: similar lines left out count=5");
	CHECK(log_limit_ok(&limit, LOG_NET));
	CHECK_INT(count_lines(place_read(place.path)), 1);
	place_close();
}

TEST(log_reopen_writes_to_a_new_file_under_the_name)
{
	struct err err = ERR_INIT;

	place_open();
	log_info(LOG_NET, LOG_NOBODY, "before");
	CHECK_INT(rename(place.path, place.moved), 0);
	log_info(LOG_NET, LOG_NOBODY, "between");
	CHECK(log_reopen(&err));
	log_info(LOG_NET, LOG_NOBODY, "after");
	CHECK_CSTR(last_line(), "info net: after");
	CHECK_INT(count_lines(place_read(place.path)), 1);
	CHECK_INT(count_lines(place_read(place.moved)), 2);
	place_close();
}

TEST(log_reopen_that_fails_keeps_the_old_file)
{
	struct err err = ERR_INIT;

	place_open();
	CHECK_INT(rename(place.path, place.moved), 0);
	CHECK_INT(mkdir(place.path, 0700), 0);
	CHECK(!log_reopen(&err));
	CHECK_INT(err.code, ERR_SYSTEM);
	CHECK(strstr(err.text, place.path) != NULL);
	log_info(LOG_NET, LOG_NOBODY, "still here");
	CHECK_INT(count_lines(place_read(place.moved)), 1);
	CHECK_INT(rmdir(place.path), 0);
	place_close();
}

TEST(log_open_of_a_file_that_cannot_be_names_it)
{
	struct err err = ERR_INIT;

	CHECK(!log_open(LOG_TO_FILE, "/nonexistent/antiphon.log", &err));
	CHECK_CSTR(err.text,
		"open log file /nonexistent/antiphon.log: "
		"No such file or directory");
}

/* Calls log_open() and writes one line with stderr in a file. */
static void
write_to_stderr(const char *path, bool journal)
{
	int saved = dup(STDERR_FILENO);
	FILE *f = fopen(path, "w");
	char env[64];
	struct stat st;

	CHECK(f != NULL);
	CHECK_INT(fstat(fileno(f), &st), 0);
	snprintf(env, sizeof(env), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + (journal ? 0 : 1));
	setenv("JOURNAL_STREAM", env, 1);
	dup2(fileno(f), STDERR_FILENO);
	fclose(f);
	log_open(LOG_TO_STDERR, NULL, NULL);
	log_error(LOG_TLS, LOG_NOBODY, "certificate expired");
	dup2(saved, STDERR_FILENO);
	close(saved);
	unsetenv("JOURNAL_STREAM");
	log_close();
}

TEST(log_on_a_stderr_of_the_journal_starts_with_the_priority)
{
	place_open();
	write_to_stderr(place.moved, true);
	CHECK_CSTR(
		place_read(place.moved), "<3>error tls: certificate expired\n");
	write_to_stderr(place.moved, false);
	CHECK(strstr(place_read(place.moved),
		      "Z error tls: certificate expired\n") != NULL);
	place_close();
}

#define WRITERS 4
#define LINES 200

static void *
writer_main(void *arg)
{
	char text[101];

	memset(text, *(const char *)arg, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < LINES; i++)
		log_info(LOG_ROUTER, LOG_NOBODY, "%s", text);
	return NULL;
}

/* Each line of text carries one letter, a hundred times. */
static void
check_whole_lines(char *text)
{
	char *rest = text;
	const char *line;

	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		const char *letters = strstr(line, "info router: ");

		CHECK(letters != NULL);
		letters += strlen("info router: ");
		CHECK_INT(strlen(letters), 100);
		for (size_t i = 1; i < 100; i++)
			CHECK_INT(letters[i], letters[0]);
	}
}

TEST(log_lines_of_several_threads_stay_whole_while_the_file_is_reopened)
{
	char letters[WRITERS] = { 'a', 'b', 'c', 'd' };
	pthread_t threads[WRITERS];
	struct err err = ERR_INIT;
	size_t n;

	place_open();
	for (size_t i = 0; i < WRITERS; i++)
		CHECK_INT(pthread_create(
				  &threads[i], NULL, writer_main, &letters[i]),
			0);
	CHECK_INT(rename(place.path, place.moved), 0);
	CHECK(log_reopen(&err));
	for (size_t i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	n = count_lines(place_read(place.path));
	check_whole_lines(place.text);
	n += count_lines(place_read(place.moved));
	check_whole_lines(place.text);
	CHECK_INT(n, WRITERS * LINES);
	place_close();
}

TEST_MAIN
