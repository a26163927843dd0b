/*
 * disk.c - the threads, and how much may wait for them; single calls.
 *
 * Owner shards, unless a function says otherwise.  Invariant: what is counted here
 * (files, bytes) is changed by atomic operations alone; all else of a call belongs to
 * its shard, or, between disk_run() and its answer, to one disk thread.
 */
#include "config.h"

#include "disk/disk.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/worker.h"
#include "disk/disk_int.h"

/* Calls that wait.  Each is small; those who write have a bound of their own. */
#define CALLS_MAX 4096
/* Of the files that may be open, one in so many is kept for the other use. */
#define KEPT 4

/* --- the whole ----------------------------------------------------------------- */

struct disk *
disk_new(unsigned n_threads, const struct disk_bounds *bounds)
{
	struct disk *d = xcalloc(1, sizeof(*d));

	/* whose file is too large for the system (RLIMIT_FSIZE) hears of it */
	signal(SIGXFSZ, SIG_IGN);
	disk_bound(d, bounds);
	d->worker = worker_new_at_need("disk", n_threads);
	rand_id(&rand_system, d->mark);
	return d;
}

void
disk_bound(struct disk *d, const struct disk_bounds *bounds)
{
	atomic_store(&d->files_max, bounds->files);
	atomic_store(&d->bytes_max, bounds->bytes);
}

void
disk_stop(struct disk *d)
{
	if (d == NULL)
		return;
	worker_free(d->worker);
	d->worker = NULL;
}

void
disk_free(struct disk *d)
{
	disk_stop(d);
	free(d);
}

size_t
disk_waiting(const struct disk *d)
{
	return d->worker != NULL ? worker_waiting(d->worker) : 0;
}

struct disk_stats
disk_stats(const struct disk *d)
{
	return (struct disk_stats){
		.waiting = disk_waiting(d),
		.files = atomic_load(&d->files),
		.bytes = atomic_load(&d->bytes),
	};
}

/* --- what may wait -------------------------------------------------------------- */

bool
disk_has_room(const struct disk *d, struct err *err)
{
	if (disk_waiting(d) < CALLS_MAX)
		return true;
	return err_set(err, ERR_BUSY, "too much waits for the disk");
}

void
disk_run(struct disk *d, void (*work)(void *arg), struct mailbox *reply,
	void (*done)(void *arg), void *arg)
{
	if (d->worker != NULL) {
		worker_run(d->worker, work, reply, done, arg);
		return;
	}
	work(arg);
	done(arg);
}

/* n more of what is counted, unless there are more than max then. */
static bool
count_up(atomic_size_t *count, size_t n, size_t max)
{
	if (atomic_fetch_add(count, n) + n <= max)
		return true;
	atomic_fetch_sub(count, n);
	return false;
}

bool
disk_take_file(struct disk *d, enum disk_use use, struct err *err)
{
	size_t max = atomic_load(&d->files_max), most = max - max / KEPT;

	if (!count_up(&d->files_of[use], 1, most))
		return err_set(err, ERR_BUSY, "%zu files are being %s", most,
			use == DISK_READS ? "read" : "written");
	if (count_up(&d->files, 1, max))
		return true;
	atomic_fetch_sub(&d->files_of[use], 1);
	return err_set(err, ERR_BUSY, "%zu files are open", max);
}

void
disk_drop_file(struct disk *d, enum disk_use use)
{
	atomic_fetch_sub(&d->files, 1);
	atomic_fetch_sub(&d->files_of[use], 1);
}

bool
disk_take_bytes(struct disk *d, size_t n)
{
	return count_up(&d->bytes, n, atomic_load(&d->bytes_max));
}

bool
disk_has_spare_bytes(const struct disk *d)
{
	return atomic_load(&d->bytes) < atomic_load(&d->bytes_max) / 2;
}

void
disk_add_bytes(struct disk *d, size_t n)
{
	atomic_fetch_add(&d->bytes, n);
}

void
disk_drop_bytes(struct disk *d, size_t n)
{
	atomic_fetch_sub(&d->bytes, n);
}

char *
disk_new_buffer(size_t n)
{
	char *p = xmalloc(n);

	memuse_add_part(MEMUSE_FILE, p);
	return p;
}

void
disk_free_buffer(char *p)
{
	memuse_remove_part(MEMUSE_FILE, p);
	free(p);
}

/* --- folders -------------------------------------------------------------------- */

struct disk_folder *
disk_folder_new(struct disk *d, const char *path)
{
	struct disk_folder *dir = xcalloc(1, sizeof(*dir));

	ref_init(&dir->ref);
	dir->disk = d;
	dir->path = xstrdup(path);
	atomic_init(&dir->fd, -1);
	return dir;
}

struct disk_folder *
disk_folder_of_others(struct disk *d, const char *path)
{
	struct disk_folder *dir = disk_folder_new(d, path);

	dir->is_of_others = true;
	return dir;
}

struct disk_folder *
disk_folder_ref(struct disk_folder *dir)
{
	ref_take(&dir->ref);
	return dir;
}

void
disk_folder_unref(struct disk_folder *dir)
{
	if (dir == NULL || !ref_drop(&dir->ref))
		return;
	if (atomic_load(&dir->fd) != -1)
		close(atomic_load(&dir->fd));
	free(dir->path);
	free(dir);
}

const char *
disk_folder_path(const struct disk_folder *dir)
{
	return dir->path;
}

/* --- single calls --------------------------------------------------------------- */

struct call {
	struct disk_folder *dir; /* reference */
	bool (*work)(struct call *c);
	union {
		disk_done_fn done;
		disk_space_fn space;
	} fn;
	void *arg;
	struct disk_space space;
	struct err err;
	bool ok;
	char name[DISK_NAME_MAX + 1];
};

static void
call_work(void *arg)
{
	struct call *c = arg;

	c->ok = c->work(c);
}

static const struct err *
call_why(const struct call *c)
{
	return c->ok ? NULL : &c->err;
}

static void
call_free(struct call *c)
{
	disk_folder_unref(c->dir);
	free(c);
}

static void
call_done(void *arg)
{
	struct call *c = arg;

	if (c->fn.done != NULL)
		c->fn.done(c->arg, call_why(c));
	call_free(c);
}

/* NULL with err. */
static struct call *
call_new(struct disk_folder *dir, bool (*work)(struct call *c), void *arg,
	struct err *err)
{
	struct call *c;

	if (!disk_has_room(dir->disk, err))
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->dir = disk_folder_ref(dir);
	c->work = work;
	c->arg = arg;
	return c;
}

static bool
prepare_work(struct call *c)
{
	struct disk_temp t;

	if (!disk_temp_sweep(c->dir, &c->err) ||
		!disk_temp_make(c->dir, &t, &c->err))
		return false;
	disk_temp_drop(c->dir, &t);
	return true;
}

bool
disk_folder_prepare(struct disk_folder *dir, struct mailbox *reply,
	disk_done_fn done, void *arg, struct err *err)
{
	struct call *c = call_new(dir, prepare_work, arg, err);

	if (c == NULL)
		return false;
	c->fn.done = done;
	disk_run(dir->disk, call_work, reply, call_done, c);
	return true;
}

static bool
remove_work(struct call *c)
{
	int at = disk_folder_fd(c->dir, &c->err);

	if (at == -1)
		return false;
	return disk_path_unlink(at, c->name) == 0 ||
		disk_errno_of(&c->err, "remove", c->name);
}

bool
disk_remove(struct disk_folder *dir, struct str name, struct mailbox *reply,
	disk_done_fn done, void *arg, struct err *err)
{
	struct call *c;

	if (!disk_name_check(name, err))
		return false;
	c = call_new(dir, remove_work, arg, err);
	if (c == NULL)
		return false;
	memcpy(c->name, name.p, name.n);
	c->fn.done = done;
	disk_run(dir->disk, call_work, reply, call_done, c);
	return true;
}

static bool
space_work(struct call *c)
{
	int at = disk_folder_fd(c->dir, &c->err);
	struct statvfs vfs;

	if (at == -1)
		return false;
	if (fstatvfs(at, &vfs) == -1)
		return disk_errno(&c->err, "ask for space in", c->dir->path);
	c->space.free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	c->space.all_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	return true;
}

static void
space_done(void *arg)
{
	struct call *c = arg;

	c->fn.space(c->arg, c->ok ? &c->space : NULL, call_why(c));
	call_free(c);
}

bool
disk_space(struct disk_folder *dir, struct mailbox *reply, disk_space_fn done,
	void *arg, struct err *err)
{
	struct call *c = call_new(dir, space_work, arg, err);

	if (c == NULL)
		return false;
	c->fn.space = done;
	disk_run(dir->disk, call_work, reply, space_done, c);
	return true;
}
