/*
 * disk_temp.c - files that are being written, and what becomes of them.
 *
 *   O_TMPFILE  --linkat(2)------> name     nothing is left after a crash
 *   .tmp/MARK-N --renameat2(2)--> name     where the file system cannot do that; the
 *                                          next start removes what has another MARK
 *
 * Disk threads.  Invariant: what has a name has all of its bytes; nothing is ever
 * replaced.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "disk/disk_int.h"

/* --- making --------------------------------------------------------------------- */

/* -1 with errno. */
static int
temp_folder(int at)
{
	int fd = openat(at, DISK_TEMP_FOLDER,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd != -1 || errno != ENOENT)
		return fd;
	if (mkdirat(at, DISK_TEMP_FOLDER, 0700) == -1 && errno != EEXIST)
		return -1;
	return openat(at, DISK_TEMP_FOLDER,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool
disk_temp_make_named(struct disk_folder *dir, struct disk_temp *t,
	struct err *err)
{
	int at = disk_folder_fd(dir, err), folder;

	if (at == -1)
		return false;
	folder = temp_folder(at);
	if (folder == -1)
		return disk_errno(err, "open " DISK_TEMP_FOLDER " in", dir->path);
	snprintf(t->name, sizeof(t->name), "%s-%" PRIu64, dir->disk->mark,
		atomic_fetch_add(&dir->disk->n_made, 1));
	t->fd = openat(folder, t->name,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (t->fd == -1) {
		disk_errno(err, "make a file in", dir->path);
		t->name[0] = '\0';
	}
	close(folder);
	return t->fd != -1;
}

bool
disk_temp_make(struct disk_folder *dir, struct disk_temp *t, struct err *err)
{
	int at = disk_folder_fd(dir, err);

	t->name[0] = '\0';
	t->fd = -1;
	if (at == -1)
		return false;
	t->fd = openat(at, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (t->fd != -1)
		return true;
	/* what kernels say whose file systems cannot do that (open(2)) */
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT ||
		errno == EINVAL)
		return disk_temp_make_named(dir, t, err);
	return disk_errno(err, "make a file in", dir->path);
}

/* --- the end ---------------------------------------------------------------------- */

/* Without a descriptor, for there may be none left; nothing else has its name, wherever
 * somebody has let a link lead. */
static void
temp_unlink(int at, struct disk_temp *t)
{
	char path[sizeof(DISK_TEMP_FOLDER "/") + sizeof(t->name)];

	if (t->name[0] == '\0')
		return;
	snprintf(path, sizeof(path), DISK_TEMP_FOLDER "/%s", t->name);
	(void)unlinkat(at, path, 0);
	t->name[0] = '\0';
}

void
disk_temp_drop(struct disk_folder *dir, struct disk_temp *t)
{
	if (t->fd == -1)
		return;
	temp_unlink(atomic_load(&dir->fd), t);
	close(t->fd);
	t->fd = -1;
}

/* To a name, if there is none; -1 with errno. */
static int
temp_name(int at, const struct disk_temp *t, int parent, const char *last)
{
	int folder, done;
	char path[40];

	if (t->name[0] == '\0') {
		/* AT_EMPTY_PATH would need a capability */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
		return linkat(AT_FDCWD, path, parent, last, AT_SYMLINK_FOLLOW);
	}
	folder = temp_folder(at);
	if (folder == -1)
		return -1;
	done = renameat2(folder, t->name, parent, last, RENAME_NOREPLACE);
	if (done == -1 && (errno == EINVAL || errno == ENOSYS)) {
		done = linkat(folder, t->name, parent, last, 0);
		if (done == 0)
			(void)unlinkat(folder, t->name, 0);
	}
	close(folder);
	return done;
}

static bool
temp_name_and_sync(int at, struct disk_temp *t, const char *name, bool sync)
{
	const char *last;
	int parent, done, saved;

	if (sync && fsync(t->fd) == -1)
		return false;
	parent = disk_path_parent(at, name, &last, true, sync);
	if (parent == -1)
		return false;
	done = temp_name(at, t, parent, last);
	if (done == 0) {
		t->name[0] = '\0'; /* it is not temporary any more */
		if (sync && fsync(parent) == -1) {
			saved = errno;
			(void)unlinkat(parent, last, 0);
			errno = saved;
			done = -1;
		}
	}
	saved = errno;
	close(parent);
	errno = saved;
	return done == 0;
}

bool
disk_temp_keep(struct disk_folder *dir, struct disk_temp *t, const char *name,
	bool sync, struct err *err)
{
	int at = disk_folder_fd(dir, err), fd = t->fd;

	if (at == -1 || !temp_name_and_sync(at, t, name, sync)) {
		if (at != -1)
			disk_errno_of(err, "keep", name);
		disk_temp_drop(dir, t);
		return false;
	}
	t->fd = -1;
	/* what some file systems could not write shows now */
	if (close(fd) == 0 || errno == EINTR)
		return true;
	disk_errno_of(err, "close", name);
	(void)disk_path_unlink(at, name);
	return false;
}

/* --- those of others ---------------------------------------------------------------- */

bool
disk_temp_sweep(struct disk_folder *dir, struct err *err)
{
	int at = disk_folder_fd(dir, err), fd;
	size_t n = strlen(dir->disk->mark);
	const struct dirent *e;
	DIR *list;

	if (at == -1)
		return false;
	fd = openat(at, DISK_TEMP_FOLDER,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return true;
	list = fd != -1 ? fdopendir(fd) : NULL;
	if (list == NULL) {
		disk_errno(err, "read " DISK_TEMP_FOLDER " in", dir->path);
		if (fd != -1)
			close(fd);
		return false;
	}
	while ((e = readdir(list)) != NULL) {
		if (e->d_name[0] != '.' && strncmp(e->d_name, dir->disk->mark, n))
			(void)unlinkat(fd, e->d_name, 0);
	}
	closedir(list);
	return true;
}
