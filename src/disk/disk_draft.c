/*
 * disk_draft.c - a file that is being written.
 *
 *	shard: [ fill ] --full, and no job runs--> disk thread: [ out ] --> file
 *
 * One job at a time, so that order is kept: it writes out what is in out, while fill
 * takes more; when both are full, whoever writes rests.  Buffers begin small, for who
 * sends slowly needs no more, and double each time that one was full.
 *
 * Owner shard; what a job does with a draft says so.  Invariant: between disk_run() and
 * its answer (busy) out, temp, written, pushed, err and failed are the disk thread's.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "disk/disk.h"
#include "disk/disk_int.h"

/* Two of the least are there for every draft. */
#define PIECE_MIN ((size_t)32 * 1024)
/* To wake a thread, and to be woken, costs as much as to copy 100 KiB: with pieces of
 * 256 KiB a GiB takes a sixth more than recv() and write() in a loop, with these as
 * much as that (tests/bench/bench_disk). */
#define PIECE_MAX ((size_t)512 * 1024)

/* So much is written before it goes to the disk, and is there before more is.  Who syncs
 * something else, as the database does for messages, waits for whatever the disk has been
 * given, and where a file grows for all of the file system that is on its way: p99 was
 * 140 to 1,200 ms with 8 MiB that nobody waited for.  With half a mebibyte it is 17, and 6
 * where no file comes (tests/bench/bench_sync). */
#define PUSH ((uint64_t)512 * 1024)

struct piece {
	char *p; /* NULL: it has no memory */
	size_t n, cap;
};

struct disk_draft {
	uint32_t tag;
	struct disk_folder *dir; /* reference */
	struct mailbox *reply;
	const struct disk_draft_events *events;
	void *arg;
	struct piece fill, out;
	size_t cap;    /* of the next piece */
	size_t counted; /* bytes, at the disk */
	uint64_t size;
	struct disk_temp temp;
	struct disk_spare spare;
	uint64_t written, pushed; /* to the file; of that to the disk */
	struct err err;
	bool busy;    /* a job runs */
	bool resting; /* room() is due */
	bool ending;  /* disk_draft_finish() was called */
	bool last;    /* the job that runs gives it its name */
	bool failed;
	bool dropped; /* by its owner */
	bool sync;
	char name[DISK_NAME_MAX + 1];
};

static struct disk_draft *
draft_arg(void *arg)
{
	struct disk_draft *w = arg;

	TAG_CHECK(w, "drft");
	return w;
}

/* --- pieces --------------------------------------------------------------------- */

/* What it holds counts as much as what every draft may, at the least. */
static void
draft_count(struct disk_draft *w)
{
	size_t n = MAX(w->fill.cap + w->out.cap, 2 * PIECE_MIN);

	if (n > w->counted)
		disk_add_bytes(w->dir->disk, n - w->counted);
	else
		disk_drop_bytes(w->dir->disk, w->counted - n);
	w->counted = n;
}

static void
piece_free(struct piece *p)
{
	if (p->p != NULL)
		disk_free_buffer(p->p);
	*p = (struct piece){ .p = NULL };
}

/* Room for n bytes, at least. */
static void
piece_reserve(struct piece *p, size_t cap)
{
	char *old = p->p;

	if (p->cap >= cap)
		return;
	p->p = disk_new_buffer(cap);
	p->cap = cap;
	if (old == NULL)
		return;
	memcpy(p->p, old, p->n);
	disk_free_buffer(old);
}

/* It goes out full, and soon the next one will. */
static void
draft_grow(struct disk_draft *w)
{
	if (w->cap < PIECE_MAX && disk_has_spare_bytes(w->dir->disk))
		w->cap *= 2;
}

/* --- the job -------------------------------------------------------------------- */

/* Disk thread.  What could not be written is told to who asks first, and to nobody after:
 * fsync(2) would say nothing of it. */
static bool
draft_push(struct disk_draft *w)
{
	uint64_t from = w->pushed;

	if (w->written - from < PUSH)
		return true;
	w->pushed = w->written;
	if (sync_file_range(w->temp.fd, (off_t)from, (off_t)(w->written - from),
		    SYNC_FILE_RANGE_WRITE_AND_WAIT) == 0 ||
		errno == ENOSYS || errno == EINVAL)
		return true; /* the last two: there is no such thing here */
	return disk_errno(&w->err, "write to a file in", w->dir->path);
}

/* Disk thread.  Looked at with each piece: however many are written at once, and
 * whoever else fills the disk meanwhile. */
static bool
draft_may_fill(struct disk_draft *w)
{
	uint64_t keep, free_bytes;
	struct statvfs vfs;

	if (w->spare.free_bytes == 0 && w->spare.free_percent == 0)
		return true;
	if (fstatvfs(w->temp.fd, &vfs) == -1)
		return disk_errno(&w->err, "ask for space in", w->dir->path);
	keep = MAX(w->spare.free_bytes,
		(uint64_t)vfs.f_blocks * vfs.f_frsize / 100 *
			w->spare.free_percent);
	free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return (free_bytes >= w->out.n && free_bytes - w->out.n >= keep) ||
		err_set(&w->err, ERR_DISK,
			"no more than has to stay free is left in %.100s",
			w->dir->path);
}

/* Disk thread. */
static bool
draft_write_out(struct disk_draft *w)
{
	size_t at = 0;
	ssize_t n;

	if (w->temp.fd == -1 && !disk_temp_make(w->dir, &w->temp, &w->err))
		return false;
	if (w->out.n != 0 && !draft_may_fill(w))
		return false;
	while (at < w->out.n) {
		n = write(w->temp.fd, w->out.p + at, w->out.n - at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return disk_errno(&w->err, "write to a file in",
				w->dir->path);
		at += (size_t)n;
	}
	w->written += at;
	return draft_push(w);
}

/* Disk thread. */
static void
draft_work(void *arg)
{
	struct disk_draft *w = draft_arg(arg);

	w->failed = !draft_write_out(w) ||
		(w->last &&
			!disk_temp_keep(w->dir, &w->temp, w->name, w->sync,
				&w->err));
	if (w->failed)
		disk_temp_drop(w->dir, &w->temp);
}

/* Disk thread. */
static void
drop_work(void *arg)
{
	struct disk_draft *w = draft_arg(arg);

	disk_temp_drop(w->dir, &w->temp);
}

static void
draft_free(void *arg)
{
	struct disk_draft *w = draft_arg(arg);

	piece_free(&w->fill);
	piece_free(&w->out);
	disk_drop_bytes(w->dir->disk, w->counted);
	disk_drop_file(w->dir->disk, DISK_WRITES);
	disk_folder_unref(w->dir);
	TAG_CLEAR(w);
	memuse_remove_part(MEMUSE_FILE, w);
	free(w);
}

/* A file that has no descriptor any more has nothing left on the disk. */
static void
draft_let_go(struct disk_draft *w)
{
	if (w->temp.fd == -1)
		draft_free(w);
	else
		disk_run(w->dir->disk, drop_work, w->reply, draft_free, w);
}

static void draft_done(void *arg);

/* fill goes out. */
static void
draft_run(struct disk_draft *w)
{
	struct piece spare = w->out;

	assert(!w->busy && !w->failed);
	w->out = w->fill;
	w->fill = spare;
	w->fill.n = 0;
	w->last = w->ending;
	if (w->fill.cap < w->cap || w->last)
		piece_free(&w->fill); /* a larger one, when there is need */
	draft_count(w);
	w->busy = true;
	disk_run(w->dir->disk, draft_work, w->reply, draft_done, w);
}

static bool
piece_is_full(const struct piece *p)
{
	return p->cap != 0 && p->n >= p->cap;
}

static void
draft_done(void *arg)
{
	struct disk_draft *w = draft_arg(arg);

	w->busy = false;
	w->out.n = 0;
	if (w->dropped) {
		draft_let_go(w);
		return;
	}
	if (w->failed) {
		piece_free(&w->fill);
		piece_free(&w->out);
		draft_count(w);
		w->resting = false;
		w->events->failed(w->arg, &w->err);
		return;
	}
	if (w->last) {
		w->events->finished(w->arg);
		draft_free(w);
		return;
	}
	if (w->ending || piece_is_full(&w->fill))
		draft_run(w);
	if (w->resting) {
		w->resting = false;
		w->events->room(w->arg);
	}
}

/* --- the owner ------------------------------------------------------------------ */

struct disk_draft *
disk_draft_new(struct disk_folder *dir, struct mailbox *reply,
	const struct disk_draft_events *events, void *arg, struct err *err)
{
	struct disk *d = dir->disk;
	struct disk_draft *w;

	if (!disk_has_room(d, err) || !disk_take_file(d, DISK_WRITES, err))
		return NULL;
	if (!disk_take_bytes(d, 2 * PIECE_MIN)) {
		disk_drop_file(d, DISK_WRITES);
		err_set(err, ERR_BUSY, "too many files are being written");
		return NULL;
	}
	w = xcalloc(1, sizeof(*w));
	TAG_SET(w, "drft");
	memuse_add_part(MEMUSE_FILE, w);
	w->dir = disk_folder_ref(dir);
	w->reply = reply;
	w->events = events;
	w->arg = arg;
	w->cap = PIECE_MIN;
	w->counted = 2 * PIECE_MIN;
	w->temp.fd = -1;
	return w;
}

void
disk_draft_spare(struct disk_draft *w, const struct disk_spare *spare)
{
	assert(!w->busy && w->size == 0);
	w->spare = *spare;
}

/* What is in fill has become more. */
static bool
draft_wrote(struct disk_draft *w)
{
	if (!piece_is_full(&w->fill))
		return true;
	if (!w->busy) {
		draft_grow(w);
		draft_run(w);
		return true;
	}
	w->resting = true;
	return false;
}

bool
disk_draft_write(struct disk_draft *w, const char *p, size_t n)
{
	assert(!w->ending && !w->resting && n <= DISK_WRITE_MAX);
	w->size += n;
	if ((!w->busy && w->failed) || n == 0)
		return true;
	piece_reserve(&w->fill, MAX(w->cap, w->fill.n + n));
	draft_count(w);
	memcpy(w->fill.p + w->fill.n, p, n);
	w->fill.n += n;
	return draft_wrote(w);
}

char *
disk_draft_place(struct disk_draft *w, size_t *n_out)
{
	assert(!w->ending);
	if (w->resting || (!w->busy && w->failed))
		return NULL;
	piece_reserve(&w->fill, w->cap);
	draft_count(w);
	*n_out = w->fill.cap - w->fill.n;
	return w->fill.p + w->fill.n;
}

bool
disk_draft_put(struct disk_draft *w, size_t n)
{
	assert(n > 0 && n <= w->fill.cap - w->fill.n);
	w->size += n;
	w->fill.n += n;
	return draft_wrote(w);
}

uint64_t
disk_draft_size(const struct disk_draft *w)
{
	return w->size;
}

void
disk_draft_finish(struct disk_draft *w, struct str name, bool sync)
{
	assert(!w->ending && name.n <= DISK_NAME_MAX);
	w->ending = true;
	w->resting = false;
	w->sync = sync;
	memcpy(w->name, name.p, name.n);
	if (!w->busy && !w->failed)
		draft_run(w);
}

void
disk_draft_discard(struct disk_draft *w)
{
	if (w == NULL)
		return;
	assert(!w->dropped);
	w->dropped = true;
	if (!w->busy)
		draft_let_go(w);
}
