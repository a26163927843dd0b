/*
 * bench_sync.c - how long who syncs a small file waits while large ones are written to
 * the same disk: a database does so for each message that is kept.
 *
 *	bench_sync FOLDER [SECONDS [WHICH]]
 *
 *	nobody		no file is written
 *	floor		one after the other, write(2), and fsync(2) when it is whole
 *	draft		the same by struct disk_draft
 *	drafts		four at once
 *
 * Each with a file that grows, as a log of SQLite does until it is as large as it may be,
 * and with one that is written over, as it is from then on.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hist.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "disk/disk.h"

#define LARGE ((size_t)256 << 20)
#define PIECE ((size_t)512 * 1024)
#define DRAFTS 4
/* Of the small one. */
#define LOG ((off_t)16 << 20)
#define COMMIT 8192
#define EVERY_US 2000

#define NEED(expr)                                                             \
	do {                                                                   \
		if (!(expr)) {                                                 \
			perror("bench_sync: " #expr);                          \
			exit(1);                                               \
		}                                                              \
	} while (0)

static const char *folder;
static char bytes[PIECE];
static int64_t seconds = 5;
static atomic_bool over;

static int
file_make(const char *name)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)unlink(path);
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static void
file_remove(const char *name)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	NEED(unlink(path) == 0);
}

/* --- who syncs ------------------------------------------------------------------ */

struct syncing {
	bool grows;
	struct hist waits; /* us */
};

static void
log_fill(int fd)
{
	for (off_t at = 0; at < LOG; at += (off_t)PIECE)
		NEED(pwrite(fd, bytes, PIECE, at) == (ssize_t)PIECE);
	NEED(fsync(fd) == 0);
}

static void *
sync_main(void *arg)
{
	struct syncing *s = arg;
	int fd = file_make("log");
	off_t at = 0;

	NEED(fd != -1);
	if (!s->grows)
		log_fill(fd);
	while (!atomic_load(&over)) {
		int64_t began_us = clock_mono_us(&clock_system);

		if (s->grows && at == 0)
			NEED(ftruncate(fd, 0) == 0);
		NEED(pwrite(fd, bytes, COMMIT, at) == COMMIT);
		NEED(fdatasync(fd) == 0);
		hist_add(&s->waits,
			(uint64_t)(clock_mono_us(&clock_system) - began_us));
		at = (at + COMMIT) % LOG;
		usleep(EVERY_US);
	}
	close(fd);
	file_remove("log");
	return NULL;
}

/* --- who writes ------------------------------------------------------------------ */

static bool
time_is_over(int64_t end_us)
{
	return clock_mono_us(&clock_system) >= end_us;
}

static size_t
write_nothing(int64_t end_us)
{
	while (!time_is_over(end_us))
		usleep(EVERY_US);
	return 0;
}

static size_t
write_floor(int64_t end_us)
{
	size_t all = 0;

	while (!time_is_over(end_us)) {
		int fd = file_make("large");

		NEED(fd != -1);
		for (size_t n = 0; n < LARGE && !time_is_over(end_us); n += PIECE) {
			NEED(write(fd, bytes, PIECE) == (ssize_t)PIECE);
			all += PIECE;
		}
		NEED(fsync(fd) == 0);
		close(fd);
		file_remove("large");
	}
	return all;
}

struct writing {
	struct disk_draft *draft; /* NULL: it is whole */
	bool rests, ends;
	char name[16];
};

static void
on_room(void *arg)
{
	((struct writing *)arg)->rests = false;
}

static void
on_failed(void *arg, const struct err *why)
{
	(void)arg;
	fprintf(stderr, "bench_sync: %s\n", why->text);
	exit(1);
}

static void
on_finished(void *arg)
{
	((struct writing *)arg)->draft = NULL;
}

static const struct disk_draft_events events = { on_room, on_failed, on_finished };

/* False: it waits for the disk. */
static bool
writing_step(struct writing *w, struct disk_folder *dir, struct mailbox *box,
	size_t *all)
{
	struct err err = ERR_INIT;

	if (w->rests || w->ends)
		return false;
	if (w->draft == NULL)
		w->draft = disk_draft_new(dir, box, &events, w, &err);
	NEED(w->draft != NULL);
	if (disk_draft_size(w->draft) < LARGE) {
		w->rests = !disk_draft_write(w->draft, bytes, DISK_WRITE_MAX);
		*all += DISK_WRITE_MAX;
		return true;
	}
	w->ends = true;
	disk_draft_finish(w->draft, str_c(w->name), true);
	return true;
}

static size_t
write_drafts(int64_t end_us, unsigned n)
{
	struct err err = ERR_INIT;
	struct disk *d = disk_new(DRAFTS, &(struct disk_bounds){ 64, 64 << 20 });
	struct disk_folder *dir = disk_folder_new(d, folder);
	struct writing all[DRAFTS] = { { .draft = NULL } };
	struct mailbox box;
	size_t sum = 0;

	NEED(mailbox_init(&box, &err));
	for (unsigned i = 0; i < n; i++)
		snprintf(all[i].name, sizeof(all[i].name), "large%u", i);
	while (!time_is_over(end_us)) {
		bool moved = mailbox_drain(&box, NULL, 64) != 0;

		for (unsigned i = 0; i < n; i++) {
			struct writing *w = &all[i];

			if (w->ends && w->draft == NULL) {
				file_remove(w->name);
				w->ends = false;
			}
			moved = writing_step(w, dir, &box, &sum) || moved;
		}
		if (!moved)
			poll(&(struct pollfd){ .fd = box.fd, .events = POLLIN }, 1,
				10);
	}
	for (unsigned i = 0; i < n; i++)
		disk_draft_discard(all[i].draft);
	while (disk_waiting(d) != 0 || mailbox_depth(&box).mails != 0)
		mailbox_drain(&box, NULL, 64);
	for (unsigned i = 0; i < n; i++)
		if (all[i].ends)
			file_remove(all[i].name);
	disk_stop(d);
	disk_folder_unref(dir);
	disk_free(d);
	mailbox_done(&box);
	return sum;
}

static size_t
write_draft(int64_t end_us)
{
	return write_drafts(end_us, 1);
}

static size_t
write_all_drafts(int64_t end_us)
{
	return write_drafts(end_us, DRAFTS);
}

/* --- both ------------------------------------------------------------------------- */

static void
measure(const char *name, size_t (*write_for)(int64_t end_us), bool grows)
{
	struct syncing s = { .grows = grows };
	pthread_t thread;
	size_t n;

	atomic_store(&over, false);
	NEED(pthread_create(&thread, NULL, sync_main, &s) == 0);
	n = write_for(clock_mono_us(&clock_system) + seconds * US_PER_S);
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	printf("%-8s %-12s %6.2f ms p50 %8.2f p99 %8.2f at most, %5.0f MiB a second\n",
		name, grows ? "grows" : "written over",
		(double)hist_quantile(&s.waits, 500) / 1000,
		(double)hist_quantile(&s.waits, 990) / 1000,
		(double)s.waits.max / 1000, (double)(n >> 20) / (double)seconds);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		size_t (*write_for)(int64_t end_us);
	} all[] = {
		{ "nobody", write_nothing },
		{ "floor", write_floor },
		{ "draft", write_draft },
		{ "drafts", write_all_drafts },
	};

	if (argc < 2) {
		fprintf(stderr, "usage: bench_sync FOLDER [SECONDS [WHICH]]\n");
		return 1;
	}
	folder = argv[1];
	if (argc > 2)
		seconds = MAX(atoi(argv[2]), 1);
	for (size_t i = 0; i < COUNT(all); i++) {
		if (argc > 3 && strcmp(argv[3], all[i].name) != 0)
			continue;
		measure(all[i].name, all[i].write_for, true);
		measure(all[i].name, all[i].write_for, false);
	}
	return 0;
}
