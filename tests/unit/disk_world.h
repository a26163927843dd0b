/*
 * disk_world.h - a disk with a folder of its own, for tests of what files are asked.
 */
#ifndef TESTS_UNIT_DISK_WORLD_H
#define TESTS_UNIT_DISK_WORLD_H

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mailbox.h"
#include "disk/disk.h"
#include "test.h"

struct disk_world {
	char path[64]; /* of the folder */
	struct disk *disk;
	struct disk_folder *dir;
	struct mailbox box;
};

static inline void
disk_world_init_with(struct disk_world *w, unsigned n_threads,
	const struct disk_bounds *bounds)
{
	struct err err = ERR_INIT;

	snprintf(w->path, sizeof(w->path), "/tmp/antiphon-disk-XXXXXX");
	CHECK(mkdtemp(w->path) != NULL);
	CHECK(mailbox_init(&w->box, &err));
	w->disk = disk_new(n_threads, bounds);
	w->dir = disk_folder_new(w->disk, w->path);
}

static inline void
disk_world_init(struct disk_world *w, unsigned n_threads)
{
	disk_world_init_with(w, n_threads, &(struct disk_bounds){ 64, 16 << 20 });
}

static inline void
disk_world_done(struct disk_world *w)
{
	char command[128];
	struct disk_stats stats;

	while (disk_waiting(w->disk) != 0 || mailbox_depth(&w->box).mails != 0)
		mailbox_drain(&w->box, NULL, 64);
	stats = disk_stats(w->disk);
	CHECK_INT(stats.files, 0);
	CHECK_INT(stats.bytes, 0);
	disk_stop(w->disk);
	disk_folder_unref(w->dir);
	disk_free(w->disk);
	mailbox_done(&w->box);
	snprintf(command, sizeof(command), "rm -rf %s", w->path);
	CHECK_INT(system(command), 0);
}

/* What the disk has answered; waits for some. */
static inline void
disk_world_turn(struct disk_world *w)
{
	struct pollfd pfd = { .fd = w->box.fd, .events = POLLIN };

	if (mailbox_drain(&w->box, NULL, 64) == 0)
		poll(&pfd, 1, 1000);
}

#define DISK_UNTIL(w, expr)                                                    \
	do {                                                                   \
		for (int i_ = 0; i_ < 1000000 && !(expr); i_++)                \
			disk_world_turn(w);                                    \
		CHECK(expr);                                                   \
	} while (0)

/* A file below the folder, put there behind the back of the disk. */
static inline void
disk_world_put(struct disk_world *w, const char *name, const char *p, size_t n)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd != -1);
	for (ssize_t done; n > 0; p += done, n -= (size_t)done) {
		done = write(fd, p, n);
		CHECK(done > 0);
	}
	close(fd);
}

/* n bytes that are nowhere the same; owned by the caller. */
static inline char *
disk_bytes(size_t n)
{
	char *p = xmalloc(n + 4);

	for (uint32_t i = 0; i * 4 < n; i++) {
		uint32_t word = i * 2654435761u;

		memcpy(p + i * 4, &word, 4);
	}
	return p;
}

/* What a call has been answered. */
struct disk_heard {
	int n; /* how often */
	bool ok;
	struct err why;
	struct disk_file *file;
	struct disk_space space;
};

static inline void
disk_heard_note(struct disk_heard *h, const struct err *why)
{
	h->n++;
	h->ok = why == NULL;
	if (why != NULL)
		h->why = *why;
}

static inline void
disk_on_done(void *arg, const struct err *why)
{
	disk_heard_note(arg, why);
}

static inline void
disk_on_opened(void *arg, struct disk_file *f, const struct err *why)
{
	struct disk_heard *h = arg;

	CHECK((f == NULL) == (why != NULL));
	h->file = f;
	disk_heard_note(h, why);
}

/* NULL with h.why. */
static inline struct disk_file *
disk_world_open(struct disk_world *w, const char *name, struct disk_heard *h)
{
	struct err err = ERR_INIT;

	*h = (struct disk_heard){ .n = 0 };
	CHECK(disk_open(w->dir, str_c(name), &w->box, disk_on_opened, h, &err));
	CHECK_INT(h->n, 0);
	DISK_UNTIL(w, h->n == 1);
	return h->file;
}

#endif
