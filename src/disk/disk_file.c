/*
 * disk_file.c - files that are read.
 *
 *	disk_open() --> opened() --> disk_read(), disk_send() ... --> disk_file_close()
 *
 * Owner shard.  Invariant: the descriptor is closed by a disk thread, when its owner
 * has closed it and nobody uses it any more.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "disk/disk.h"
#include "disk/disk_int.h"

static struct disk_file *
file_arg(void *arg)
{
	struct disk_file *f = arg;

	TAG_CHECK(f, "file");
	return f;
}

/* --- closing -------------------------------------------------------------------- */

/* Disk thread: to close what has no name any more takes as long as to remove it. */
static void
close_work(void *arg)
{
	struct disk_file *f = file_arg(arg);

	if (f->fd != -1)
		close(f->fd);
}

static void
close_done(void *arg)
{
	struct disk_file *f = file_arg(arg);

	disk_drop_file(f->disk, DISK_READS);
	TAG_CLEAR(f);
	memuse_remove_part(MEMUSE_FILE, f);
	free(f);
}

void
disk_file_use(struct disk_file *f)
{
	f->n_users++;
}

void
disk_file_unuse(struct disk_file *f)
{
	assert(f->n_users > 0);
	f->n_users--;
	if (f->n_users == 0 && f->closed)
		disk_run(f->disk, close_work, f->reply, close_done, f);
}

void
disk_file_close(struct disk_file *f)
{
	if (f == NULL)
		return;
	assert(!f->closed);
	f->closed = true;
	disk_file_use(f);
	disk_file_unuse(f);
}

/* --- opening -------------------------------------------------------------------- */

struct opening {
	struct disk_folder *dir; /* reference */
	struct disk_file *file;
	disk_opened_fn done;
	void *arg;
	struct err err;
	bool ok;
	char name[DISK_NAME_MAX + 1];
};

/* Disk thread.  Without O_NONBLOCK, a pipe that somebody has put there would wait for
 * a writer. */
static bool
opening_open(struct opening *o)
{
	struct disk_file *f = o->file;
	int at = disk_folder_fd(o->dir, &o->err);
	char shown[DISK_NAME_SHOWN];
	struct stat st;

	if (at == -1)
		return false;
	f->fd = disk_path_open(at, o->name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (f->fd == -1 || fstat(f->fd, &st) == -1)
		return disk_errno_of(&o->err, "open", o->name);
	if (!S_ISREG(st.st_mode))
		return err_set(&o->err, ERR_REFUSED, "%.100s: not a file",
			disk_name_shown(o->name, shown));
	(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	f->size = (uint64_t)st.st_size;
	f->mtime_us = (int64_t)st.st_mtim.tv_sec * US_PER_S +
		st.st_mtim.tv_nsec / 1000;
	return true;
}

static void
opening_work(void *arg)
{
	struct opening *o = arg;

	o->ok = opening_open(o);
	if (!o->ok && o->file->fd != -1) {
		close(o->file->fd);
		o->file->fd = -1;
	}
}

static void
opening_done(void *arg)
{
	struct opening *o = arg;

	if (o->ok) {
		o->done(o->arg, o->file, NULL);
	} else {
		close_done(o->file);
		o->done(o->arg, NULL, &o->err);
	}
	disk_folder_unref(o->dir);
	free(o);
}

bool
disk_open(struct disk_folder *dir, struct str name, struct mailbox *reply,
	disk_opened_fn done, void *arg, struct err *err)
{
	struct opening *o;

	if (!disk_name_check(name, err) || !disk_has_room(dir->disk, err) ||
		!disk_take_file(dir->disk, DISK_READS, err))
		return false;
	o = xcalloc(1, sizeof(*o));
	o->dir = disk_folder_ref(dir);
	o->file = xcalloc(1, sizeof(*o->file));
	TAG_SET(o->file, "file");
	memuse_add_part(MEMUSE_FILE, o->file);
	o->file->disk = dir->disk;
	o->file->reply = reply;
	o->file->fd = -1;
	o->done = done;
	o->arg = arg;
	memcpy(o->name, name.p, name.n);
	disk_run(dir->disk, opening_work, reply, opening_done, o);
	return true;
}

uint64_t
disk_file_size(const struct disk_file *f)
{
	return f->size;
}

int64_t
disk_file_mtime_us(const struct disk_file *f)
{
	return f->mtime_us;
}

/* --- reading -------------------------------------------------------------------- */

struct reading {
	struct disk_file *file;
	uint64_t from;
	size_t n, got;
	char *p;
	disk_read_fn done;
	void *arg;
	struct err err;
	bool ok;
};

/* Disk thread. */
static void
reading_work(void *arg)
{
	struct reading *r = arg;
	ssize_t n = 1;

	r->p = disk_new_buffer(r->n);
	while (r->got < r->n && n > 0) {
		do
			n = pread(r->file->fd, r->p + r->got, r->n - r->got,
				(off_t)(r->from + r->got));
		while (n == -1 && errno == EINTR);
		r->got += (size_t)MAX(n, 0);
	}
	r->ok = n >= 0;
	if (!r->ok)
		disk_errno(&r->err, "read", "a file");
}

static void
reading_done(void *arg)
{
	struct reading *r = arg;
	bool is_wanted = !r->file->closed;

	disk_file_unuse(r->file);
	if (is_wanted)
		r->done(r->arg, r->ok ? r->p : NULL, r->ok ? r->got : 0,
			r->ok ? NULL : &r->err);
	disk_free_buffer(r->p);
	free(r);
}

bool
disk_read(struct disk_file *f, uint64_t from, size_t n, disk_read_fn done,
	void *arg, struct err *err)
{
	struct reading *r;

	assert(n > 0 && n <= DISK_READ_MAX && !f->closed);
	if (!disk_has_room(f->disk, err))
		return false;
	r = xcalloc(1, sizeof(*r));
	r->file = f;
	r->from = from;
	r->n = n;
	r->done = done;
	r->arg = arg;
	disk_file_use(f);
	disk_run(f->disk, reading_work, f->reply, reading_done, r);
	return true;
}
