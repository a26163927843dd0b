/*
 * bench_log.c - what a page of an archive costs, whatever its size.
 *
 * bench_log FOLDER MESSAGES OWNERS [drop|keep|read|remove]: MESSAGES go to OWNERS
 * logs, 250 to each in turn, of 300 bytes and ten words, each with one of 1000 addresses, few of which say
 * most.  One in four is with one address and one in four has one word, so that a page
 * is full in a small log, too.  Then pages of 50 of logs that are drawn are read, by
 * what a client may ask for; and the oldest messages of the first are trimmed, while
 * others are written.  With "drop" pages are read after a start, with the page cache
 * dropped (as root), a few of each kind; with "keep" nothing is trimmed, and "read" reads
 * pages of what such a run has left.  With "remove" no pages are read, and the owner of the
 * first log is removed, with all of it, while others write 500 messages a second; of what
 * is there already, if MESSAGES is 0.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "store/store.h"
#include "store/sqlite/sqlite.h"

#define PEERS 1000
#define WORDS 20000
#define EACH 250 /* messages in a transaction */
#define PAGES 400
#define PAGES_DROP 3 /* of each kind, with a start for each */
#define SAY_EACH_US (2 * US_PER_MS)
#define SAY_US (5 * US_PER_S)
#define SAY_MOST 20000 /* that wait; further ones come late, and are counted so */

struct bench {
	struct store_conf conf;
	struct store *store;
	struct mailbox mailbox;
	unsigned outstanding;
	unsigned long owners;
	size_t n; /* entries of the last page */
	bool more;
	uint64_t rnd;
};

static uint32_t
draw(struct bench *b, uint32_t n)
{
	b->rnd = b->rnd * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (uint32_t)(b->rnd >> 33) % n;
}

/* The first of n are drawn most often. */
static uint32_t
draw_low(struct bench *b, uint32_t n)
{
	return draw(b, 1 + draw(b, 1 + draw(b, n)));
}

static void
fail(const char *text)
{
	fprintf(stderr, "%s\n", text);
	exit(1);
}

static void
on_written(void *arg, bool ok, const struct err *err)
{
	struct bench *b = arg;

	if (!ok)
		fail(err->text);
	b->outstanding--;
}

static void
on_read(void *arg, const struct store_answer *a, const struct err *err)
{
	struct bench *b = arg;

	if (err != NULL)
		fail(err->text);
	b->n = a->n;
	b->outstanding--;
}

static void
on_trimmed(void *arg, bool more, const struct err *err)
{
	struct bench *b = arg;

	if (err != NULL)
		fail(err->text);
	b->more = more;
	b->outstanding--;
}

static void
wait_for(struct bench *b, unsigned outstanding)
{
	struct pollfd pfd = { .fd = b->mailbox.fd, .events = POLLIN };

	while (b->outstanding > outstanding) {
		poll(&pfd, 1, -1);
		mailbox_drain(&b->mailbox, NULL, SIZE_MAX);
	}
}

static struct store_place
place_of(unsigned long owner, char name[32])
{
	snprintf(name, 32, "user%lu", owner);
	return (struct store_place){ STR("example.org"), str_c(name),
		STR("archive") };
}

/* One in four with the first, one in twenty with the second. */
static void
peer_draw(struct bench *b, char with[32])
{
	uint32_t which = draw(b, 20);

	if (which < 6)
		snprintf(with, 32, "%s@example.org",
			which < 5 ? "often" : "seldom");
	else
		snprintf(with, 32, "peer%u@example.org", draw_low(b, PEERS));
}

/* The same of words; one in eight has two of them. */
static struct str
words_draw(struct bench *b, char words[240])
{
	uint32_t which = draw(b, 40);
	size_t n = (size_t)snprintf(words, 240, "%s%s",
		which < 10 ? "often " : which < 12 ? "seldom " : "",
		which < 5 ? "both " : "");

	for (int i = 0; i < 10; i++)
		n += (size_t)snprintf(words + n, 240 - n, "%sw%u",
			i != 0 ? " " : "", draw_low(b, WORDS));
	return (struct str){ words, n };
}

static void
say(struct bench *b, struct store_tx *tx, unsigned long owner,
	unsigned long number)
{
	char text[300], name[32], id[STORE_ID_SIZE], with[32], words[240];
	struct store_place at = place_of(owner, name);
	struct str is = store_id_make(
		number, STR("abcdefghijklmnopqrstuv"), id);

	memset(text, 'x', sizeof(text));
	peer_draw(b, with);
	store_tx_append_at(tx, at, is, (int64_t)number * US_PER_S, str_c(with),
		(struct str){ text, sizeof(text) });
	store_tx_index(tx, at, is, words_draw(b, words));
}

static int64_t
cpu_us(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * US_PER_S +
		ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;
}

static void
commits_show(struct bench *b, const char *what)
{
	struct store_stats st;

	store_stats(b->store, &st);
	printf("%s: a commit takes p50 %llu, p99 %llu, at most %llu us "
		"(%llu commits)\n", what,
		(unsigned long long)hist_quantile(&st.commit_us, 500),
		(unsigned long long)hist_quantile(&st.commit_us, 990),
		(unsigned long long)st.commit_us.max,
		(unsigned long long)st.commit_us.n);
	fflush(stdout);
}

/* From number first of each log on. */
static void
fill(struct bench *b, unsigned long first, unsigned long messages,
	unsigned long owners, const char *what)
{
	int64_t start_us = clock_mono_us(&clock_system), cpu = cpu_us();

	for (unsigned long i = 0; i < messages;) {
		struct store_tx *tx = store_tx_new();

		for (int n = 0; n < EACH && i < messages; n++, i++)
			say(b, tx, i / EACH % owners,
				first + i / EACH / owners * EACH + i % EACH);
		b->outstanding++;
		store_commit(b->store, tx, &b->mailbox, on_written, b);
		wait_for(b, 31);
	}
	wait_for(b, 0);
	printf("%s: %lu messages in %lu logs: %.1f us each, %.1f us of CPU\n", what,
		messages, owners,
		(double)(clock_mono_us(&clock_system) - start_us) /
			(double)messages,
		(double)(cpu_us() - cpu) / (double)messages);
	commits_show(b, what);
}

static void
bench_open(struct bench *b)
{
	struct err err = ERR_INIT;

	b->store = store_open(&b->conf, &err);
	if (b->store == NULL)
		fail(err.text);
}

static void
bench_close(struct bench *b)
{
	store_close(b->store);
	mailbox_drain(&b->mailbox, NULL, SIZE_MAX);
}

static void
caches_drop(struct bench *b)
{
	int fd;

	bench_close(b);
	sync();
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (fd == -1 || write(fd, "3", 1) != 1)
		fail("the page cache cannot be dropped");
	close(fd);
	bench_open(b);
}

struct page {
	const char *label;
	struct store_range range;
	bool anywhere; /* behind an entry that is drawn */
};

static const struct page pages[] = {
	{ "the last", { .max = 50, .backwards = true }, false },
	{ "anywhere", { .max = 50 }, true },
	{ "with one in 4, anywhere",
		{ .max = 50, .with = { "often@example.org", 17 } }, true },
	{ "with one in 4, the last",
		{ .max = 50, .with = { "often@example.org", 17 },
			.backwards = true }, false },
	{ "with one in 20, the last",
		{ .max = 50, .with = { "seldom@example.org", 18 },
			.backwards = true }, false },
	{ "a word of one in 4, anywhere",
		{ .max = 50, .words = { "often", 5 } }, true },
	{ "a word of one in 20, the last",
		{ .max = 50, .words = { "seldom", 6 }, .backwards = true },
		false },
	{ "two words, one in 8, anywhere",
		{ .max = 50, .words = { "often both", 10 } }, true },
	{ "word and address, the last",
		{ .max = 50, .words = { "often", 5 },
			.with = { "often@example.org", 17 },
			.backwards = true }, false },
	{ "a word of few", { .max = 50, .words = { "w900", 4 } }, false },
	{ "two words of few, the last",
		{ .max = 50, .words = { "w1 w2", 5 }, .backwards = true }, false },
	{ "metadata: the first", { .max = 1 }, false },
	{ "metadata: the last", { .max = 1, .backwards = true }, false },
};

static void
page_read(struct bench *b, const struct page *page, unsigned long numbers)
{
	struct store_range range = page->range;
	char name[32], id[STORE_ID_SIZE];

	if (page->anywhere)
		range.after_id = store_id_make(
			1 + draw(b, (uint32_t)numbers / 2 + 1),
			STR("abcdefghijklmnopqrstuv"), id);
	b->outstanding++;
	store_range(b->store,
		place_of(b->owners > 1 ? draw(b, (uint32_t)b->owners) : 0, name),
		&range, &b->mailbox, on_read, b);
	wait_for(b, 0);
}

static void
page_show(struct bench *b, const struct page *page, unsigned long numbers,
	bool drop)
{
	int n = drop ? PAGES_DROP : PAGES;
	struct hist took = { .n = 0 };
	int64_t start_us, cpu, cpu_all = 0;

	for (int i = 0; !drop && i < PAGES / 10; i++)
		page_read(b, page, numbers);
	for (int i = 0; i < n; i++) {
		if (drop)
			caches_drop(b);
		start_us = clock_mono_us(&clock_system);
		cpu = cpu_us();
		page_read(b, page, numbers);
		cpu_all += cpu_us() - cpu;
		hist_add(&took,
			(uint64_t)(clock_mono_us(&clock_system) - start_us));
	}
	printf("  %-30s p50 %6llu p99 %6llu us, %6.0f us of CPU, %2zu entries\n",
		page->label, (unsigned long long)hist_quantile(&took, 500),
		(unsigned long long)hist_quantile(&took, 990),
		(double)cpu_all / n, b->n);
}

/* After a start, so that nothing is put off which would be done meanwhile. */
static void
pages_show(struct bench *b, unsigned long numbers, bool drop)
{
	bench_close(b);
	bench_open(b);
	for (int cold = 0; cold <= drop; cold++) {
		puts(cold ? " cold" : " warm");
		for (size_t i = 0; i < COUNT(pages); i++)
			page_show(b, &pages[i], numbers, cold != 0);
	}
	fflush(stdout);
}

/* A tenth goes, while one after the other comes in another log. */
static void
trim_show(struct bench *b, unsigned long numbers, bool trims)
{
	const struct store_trim old = {
		.before_us = (int64_t)(numbers / 10) * US_PER_S };
	unsigned long slices = 0;
	char name[32];

	bench_close(b);
	bench_open(b);
	b->more = trims;
	for (unsigned long n = 1; n < 2000; n++) {
		struct store_tx *tx = store_tx_new();

		if (trims && b->more) {
			slices++;
			b->outstanding++;
			store_trim(b->store, place_of(0, name), &old,
				&b->mailbox, on_trimmed, b);
		}
		say(b, tx, 1000000 + trims, n);
		b->outstanding++;
		store_commit(b->store, tx, &b->mailbox, on_written, b);
		wait_for(b, 0);
	}
	printf("%lu slices: ", slices);
	commits_show(b, trims ? "while it is trimmed" : "without trimming");
}

/* --- removing ------------------------------------------------------------------- */

struct said {
	struct bench *b;
	struct hist *took;
	int64_t due_us;
};

static void
on_said(void *arg, bool ok, const struct err *err)
{
	struct said *said = arg;

	hist_add(said->took, (uint64_t)(clock_mono_us(&clock_system) - said->due_us));
	on_written(said->b, ok, err);
	free(said);
}

static int64_t
number_ask(sqlite3 *sql, const char *text, int64_t value)
{
	sqlite3_stmt *st;
	int64_t n = -1;

	if (sqlite3_prepare_v2(sql, text, -1, &st, NULL) != SQLITE_OK)
		fail(sqlite3_errmsg(sql));
	sqlite3_bind_int64(st, 1, value);
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* One each two milliseconds, whether or not the last one is there, until the log is not
 * there any more (or without one for some seconds). */
static void
say_until_gone(struct bench *b, sqlite3 *sql, int64_t place, struct hist *took)
{
	struct pollfd pfd = { .fd = b->mailbox.fd, .events = POLLIN };
	int64_t start_us = clock_mono_us(&clock_system), due_us = start_us;

	for (unsigned long n = 1;; n++) {
		struct said *said = xmalloc(sizeof(*said));
		struct store_tx *tx = store_tx_new();

		*said = (struct said){ b, took, due_us };
		say(b, tx, place == -1 ? 1000000 : 1000001, n);
		wait_for(b, SAY_MOST);
		b->outstanding++;
		store_commit(b->store, tx, &b->mailbox, on_said, said);
		due_us += SAY_EACH_US;
		for (int64_t now_us; (now_us = clock_mono_us(&clock_system)) < due_us;) {
			poll(&pfd, 1, (int)((due_us - now_us) / US_PER_MS));
			mailbox_drain(&b->mailbox, NULL, SIZE_MAX);
		}
		if (due_us - start_us > SAY_US && (place == -1 || (n % 100 == 0 &&
			number_ask(sql, "SELECT place FROM log WHERE place = ?1",
				place) == -1)))
			break;
	}
	wait_for(b, 0);
	printf("%.1f s: ", (double)(clock_mono_us(&clock_system) - start_us) / US_PER_S);
}

static void
took_show(const struct hist *took, const char *what)
{
	printf("%s, from when a message is due until it is there: p50 %llu, p99 %llu, "
		"at most %llu us (%llu messages)\n", what,
		(unsigned long long)hist_quantile(took, 500),
		(unsigned long long)hist_quantile(took, 990),
		(unsigned long long)took->max, (unsigned long long)took->n);
	fflush(stdout);
}

static void
remove_show(struct bench *b, const char *path)
{
	struct hist before = { .n = 0 }, took = { .n = 0 };
	struct store_tx *tx = store_tx_new();
	sqlite3 *sql;
	int64_t place;

	bench_close(b);
	bench_open(b);
	if (sqlite3_open_v2(path, &sql, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		fail("the database cannot be read");
	place = number_ask(sql, "SELECT place FROM log WHERE owner = 'user0'", 0);
	say_until_gone(b, sql, -1, &before);
	took_show(&before, "without removing");
	bench_close(b);
	bench_open(b);
	b->outstanding++;
	store_tx_clear_owner(tx, STR("example.org"), STR("user0"));
	store_commit(b->store, tx, &b->mailbox, on_written, b);
	say_until_gone(b, sql, place, &took);
	took_show(&took, "while it is removed");
	commits_show(b, "while it is removed");
	sqlite3_close(sql);
}

int
main(int argc, char **argv)
{
	struct sqlite_conf file;
	struct bench b = { .rnd = 1 };
	struct err err = ERR_INIT;
	unsigned long messages, owners;
	char path[4096];
	bool drop, keeps, reads, removes;

	if (argc < 4) {
		fprintf(stderr,
			"usage: bench_log FOLDER MESSAGES OWNERS "
			"[drop|keep|read|remove]\n");
		return 2;
	}
	messages = strtoul(argv[2], NULL, 10);
	owners = MAX(strtoul(argv[3], NULL, 10), 1);
	b.owners = owners;
	drop = argc > 4 && strcmp(argv[4], "drop") == 0;
	keeps = argc > 4 && strcmp(argv[4], "keep") == 0;
	reads = argc > 4 && strcmp(argv[4], "read") == 0;
	removes = argc > 4 && strcmp(argv[4], "remove") == 0;
	snprintf(path, sizeof(path), "%s/bench_log.db", argv[1]);
	file.path = path;
	b.conf = (struct store_conf){ .driver = "sqlite", .options = &file,
		.readers = 1, .may_be_new = true };
	if (!mailbox_init(&b.mailbox, &err))
		fail(err.text);
	bench_open(&b);
	if (reads) {
		pages_show(&b, messages / owners, false);
		bench_close(&b);
		return 0;
	}
	if (removes) {
		if (messages != 0)
			fill(&b, 1, messages, owners, "all");
		remove_show(&b, path);
		bench_close(&b);
		return 0;
	}
	fill(&b, 1, 1000 * owners, owners, "the first 1000 of each");
	pages_show(&b, 1000, drop);
	if (messages > 1000 * owners) {
		fill(&b, 1001, messages - 1000 * owners, owners, "the others");
		pages_show(&b, messages / owners, drop);
	}
	if (!keeps) {
		trim_show(&b, messages / owners, false);
		trim_show(&b, messages / owners, true);
	}
	bench_close(&b);
	return 0;
}
