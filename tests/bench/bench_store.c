/*
 * bench_store.c - durable writes: how many a second, and what one costs.
 *
 * bench_store FOLDER [SECONDS]: for each number of writes that are kept
 * outstanding, one key of 200 bytes each, of 1000 owners in turn.
 */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "store/store.h"
#include "store/sqlite/sqlite.h"

struct bench {
	struct store *store;
	struct mailbox mailbox;
	unsigned outstanding;
	unsigned long n;
};

static void
on_written(void *arg, bool ok, const struct err *err)
{
	struct bench *b = arg;

	if (!ok) {
		fprintf(stderr, "%s\n", err->text);
		exit(1);
	}
	b->outstanding--;
}

static void
write_one(struct bench *b)
{
	static const char value[200] = "<item jid='juliet@example.org'/>";
	struct store_tx *tx = store_tx_new();
	char owner[16], key[16];

	snprintf(owner, sizeof(owner), "user%lu", b->n % 1000);
	snprintf(key, sizeof(key), "key%lu", b->n / 1000 % 20);
	store_tx_set(tx,
		(struct store_place){
			STR("example.org"), str_c(owner), STR("roster") },
		str_c(key), str_c(value));
	b->n++;
	b->outstanding++;
	store_commit(b->store, tx, &b->mailbox, on_written, b);
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
round_run(struct bench *b, unsigned outstanding, int64_t length_us)
{
	struct pollfd pfd = { .fd = b->mailbox.fd, .events = POLLIN };
	int64_t start_us = clock_mono_us(&clock_system), cpu = cpu_us(), took;
	struct store_stats before, st;

	store_stats(b->store, &before);
	do {
		while (b->outstanding < outstanding)
			write_one(b);
		poll(&pfd, 1, -1);
		mailbox_drain(&b->mailbox, NULL, SIZE_MAX);
		took = clock_mono_us(&clock_system) - start_us;
	} while (took < length_us);
	store_stats(b->store, &st);
	st.writes -= before.writes;
	printf("%4u outstanding: %8.0f durable writes/s, %6.1f us of CPU each, "
	       "%5.1f in one commit\n",
		outstanding, (double)st.writes * 1e6 / (double)took,
		(double)(cpu_us() - cpu) / (double)MAX(st.writes, 1),
		(double)st.writes / (double)(st.batches.n - before.batches.n));
}

int
main(int argc, char **argv)
{
	static const unsigned outstanding[] = { 1, 10, 100, 1000 };
	struct sqlite_conf file;
	struct store_conf conf = { .driver = "sqlite", .options = &file,
		.readers = 1, .may_be_new = true };
	struct bench b = { .n = 0 };
	struct err err = ERR_INIT;
	char path[4096];

	if (argc < 2) {
		fprintf(stderr, "usage: bench_store FOLDER [SECONDS]\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/bench_store.db", argv[1]);
	file.path = path;
	b.store = store_open(&conf, &err);
	if (b.store == NULL || !mailbox_init(&b.mailbox, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (size_t i = 0; i < COUNT(outstanding); i++)
		round_run(&b, outstanding[i],
			(argc > 2 ? atoi(argv[2]) : 3) * US_PER_S);
	store_close(b.store);
	mailbox_drain(&b.mailbox, NULL, SIZE_MAX);
	unlink(path);
	snprintf(path, sizeof(path), "%s/bench_store.db.lock", argv[1]);
	unlink(path);
	return 0;
}
