/*
 * disk_walk.c - all files below a folder, a slice at a time.
 *
 * Owner shard; between disk_walk_next() and its answer all of a walk is the disk
 * thread's but `dropped'.  Folders that are open are a stack, the innermost last.
 */
#include "config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/tag.h"
#include "base/vec.h"
#include "disk/disk.h"
#include "disk/disk_int.h"

/* What is looked at for one slice, for each file that may be in it. */
#define LOOKS_A_FILE 4

struct level {
	DIR *list;
	size_t n_path; /* of the path, with its slash */
};

struct disk_walk {
	uint32_t tag;
	struct disk_folder *dir; /* reference */
	struct mailbox *reply;
	bool busy, dropped, ended;
	disk_walk_fn done;
	void *arg;
	/* the disk thread's while busy */
	struct level levels[DISK_DEPTH_MAX];
	size_t n_levels;
	bool begun;
	char path[DISK_NAME_MAX + 1];
	size_t max;
	struct VEC(struct disk_entry) entries;
	struct buf names; /* of the entries, one behind the other */
	struct err err;
	bool ok;
};

static struct disk_walk *
walk_arg(void *arg)
{
	struct disk_walk *k = arg;

	TAG_CHECK(k, "walk");
	return k;
}

/* --- disk thread ---------------------------------------------------------------- */

/* fd is taken; -1: with errno. */
static bool
walk_push(struct disk_walk *k, int fd, size_t n_path)
{
	DIR *list = fd != -1 ? fdopendir(fd) : NULL;

	if (list == NULL) {
		disk_errno(&k->err, "read folder", k->dir->path);
		if (fd != -1)
			close(fd);
		return false;
	}
	k->levels[k->n_levels++] = (struct level){ list, n_path };
	return true;
}

static void
walk_pop(struct disk_walk *k)
{
	closedir(k->levels[--k->n_levels].list);
}

static void
walk_add(struct disk_walk *k, struct str name, const struct stat *st)
{
	*vec_push(&k->entries) = (struct disk_entry){
		.name = { NULL, name.n },
		.size = (uint64_t)st->st_size,
		.mtime_us = (int64_t)st->st_mtim.tv_sec * US_PER_S +
			st->st_mtim.tv_nsec / 1000,
	};
	buf_add_str(&k->names, name);
}

/* One of what is in the innermost folder.  What has gone meanwhile, and what no name
 * can be of, is passed over. */
static bool
walk_look(struct disk_walk *k, const struct dirent *e)
{
	const struct level *level = &k->levels[k->n_levels - 1];
	size_t n = strlen(e->d_name), end = level->n_path + n;
	struct stat st;
	int fd;

	if (e->d_name[0] == '.' || end + 1 > DISK_NAME_MAX ||
		fstatat(dirfd(level->list), e->d_name, &st,
			AT_SYMLINK_NOFOLLOW) == -1)
		return true;
	memcpy(k->path + level->n_path, e->d_name, n);
	if (S_ISREG(st.st_mode))
		walk_add(k, (struct str){ k->path, end }, &st);
	if (!S_ISDIR(st.st_mode) || k->n_levels == DISK_DEPTH_MAX)
		return true;
	k->path[end] = '/';
	fd = openat(dirfd(level->list), e->d_name,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR))
		return true;
	return walk_push(k, fd, end + 1);
}

static bool
walk_slice(struct disk_walk *k)
{
	const struct dirent *e;
	int at;

	if (!k->begun) {
		k->begun = true;
		at = disk_folder_fd(k->dir, &k->err);
		if (at == -1 ||
			!walk_push(k,
				openat(at, ".",
					O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				0))
			return false;
	}
	for (size_t looks = k->max * LOOKS_A_FILE;
		looks > 0 && k->entries.n < k->max && k->n_levels > 0; looks--) {
		errno = 0;
		e = readdir(k->levels[k->n_levels - 1].list);
		if (e == NULL && errno != 0)
			return disk_errno(&k->err, "read folder", k->dir->path);
		if (e == NULL)
			walk_pop(k);
		else if (!walk_look(k, e))
			return false;
	}
	return true;
}

static void
walk_work(void *arg)
{
	struct disk_walk *k = walk_arg(arg);

	size_t at = 0;

	k->entries.n = 0;
	k->names.n = 0;
	k->ok = walk_slice(k);
	for (size_t i = 0; i < k->entries.n; i++) {
		struct str *name = &k->entries.p[i].name;

		name->p = k->names.p + at;
		at += name->n;
	}
}

static void
walk_close_work(void *arg)
{
	struct disk_walk *k = walk_arg(arg);

	while (k->n_levels > 0)
		walk_pop(k);
}

/* --- owner shard ---------------------------------------------------------------- */

struct disk_walk *
disk_walk_new(struct disk_folder *dir, struct mailbox *reply)
{
	struct disk_walk *k = xcalloc(1, sizeof(*k));

	TAG_SET(k, "walk");
	k->dir = disk_folder_ref(dir);
	k->reply = reply;
	return k;
}

static void
walk_free(void *arg)
{
	struct disk_walk *k = walk_arg(arg);

	disk_folder_unref(k->dir);
	buf_done(&k->names);
	vec_done(&k->entries);
	TAG_CLEAR(k);
	free(k);
}

static void
walk_let_go(struct disk_walk *k)
{
	if (k->n_levels == 0)
		walk_free(k);
	else
		disk_run(k->dir->disk, walk_close_work, k->reply, walk_free, k);
}

static void
walk_done(void *arg)
{
	struct disk_walk *k = walk_arg(arg);

	k->busy = false;
	if (k->dropped) {
		walk_let_go(k);
		return;
	}
	k->ended = !k->ok || k->n_levels == 0;
	k->done(k->arg, k->entries.p, k->entries.n, k->ended, k->ok ? NULL : &k->err);
}

bool
disk_walk_next(struct disk_walk *k, size_t max, disk_walk_fn done, void *arg,
	struct err *err)
{
	assert(!k->busy && !k->ended && !k->dropped);
	assert(max > 0 && max <= DISK_SLICE_MAX);
	if (!disk_has_room(k->dir->disk, err))
		return false;
	k->max = max;
	k->done = done;
	k->arg = arg;
	k->busy = true;
	disk_run(k->dir->disk, walk_work, k->reply, walk_done, k);
	return true;
}

void
disk_walk_free(struct disk_walk *k)
{
	if (k == NULL)
		return;
	k->dropped = true;
	if (!k->busy)
		walk_let_go(k);
}
