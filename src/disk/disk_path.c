/*
 * disk_path.c - names below a folder: nothing that is reached by one is outside of it,
 * or behind a symbolic link.
 *
 * Disk threads.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/err.h"
#include "base/mem.h"
#include "disk/disk_int.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* Of a name, in errors: an administrator finds it by that in its folder. */
#define NAME_SHOWN 8

/* --- names ------------------------------------------------------------------- */

bool
disk_name_check(struct str name, struct err *err)
{
	struct str left = name, part;
	bool ok = name.n > 0 && name.n <= DISK_NAME_MAX &&
		memchr(name.p, '\0', name.n) == NULL;
	int depth = 0;

	for (bool more = true; ok && more;) {
		more = str_cut(left, '/', &part, &left);
		ok = part.n > 0 && part.p[0] != '.' && ++depth <= DISK_DEPTH_MAX;
	}
	return ok || err_set(err, ERR_REFUSED, "not a name for a file");
}

static enum err_code
code_of(int number)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR:
		return ERR_MISSING;
	case EEXIST:
		return ERR_CONFLICT;
	case EACCES:
	case EPERM:
	case EROFS:
	case ELOOP:
	case EXDEV:
	case EISDIR:
	case ENXIO:
		return ERR_REFUSED;
	case ENOSPC:
		return ERR_DISK;
	case EDQUOT:
	case EFBIG:
		return ERR_LIMIT;
	case EMFILE:
	case ENFILE:
		return ERR_BUSY;
	default:
		return ERR_SYSTEM;
	}
}

bool
disk_errno(struct err *err, const char *what, const char *name)
{
	int saved = errno;

	err_errno(err, "%s %.100s", what, name);
	err->code = code_of(saved);
	return false;
}

const char *
disk_name_shown(const char *name, char *mem)
{
	const char *slash = strrchr(name, '/');
	int n = slash != NULL ? (int)(slash - name) + 1 : 0;

	if (strlen(name + n) <= NAME_SHOWN)
		return name;
	snprintf(mem, DISK_NAME_SHOWN, "%.*s...", n + NAME_SHOWN, name);
	return mem;
}

bool
disk_errno_of(struct err *err, const char *what, const char *name)
{
	int saved = errno;
	char mem[DISK_NAME_SHOWN];

	name = disk_name_shown(name, mem);
	errno = saved;
	return disk_errno(err, what, name);
}

/* --- opening ------------------------------------------------------------------ */

/* As openat2() would, part by part. */
int
disk_path_walk(int at, const char *name, int flags)
{
	struct str left = str_c(name), part;
	char text[DISK_NAME_MAX + 1];
	int from = at, to = -1, saved;
	bool more = true;

	while (more) {
		more = str_cut(left, '/', &part, &left);
		snprintf(text, sizeof(text), "%.*s", STR_ARG(part));
		to = openat(from, text,
			O_NOFOLLOW | O_CLOEXEC | (more ? FOLDER_FLAGS : flags));
		saved = errno;
		if (from != at)
			close(from);
		errno = saved;
		if (to == -1)
			return -1;
		from = to;
	}
	return to;
}

int
disk_path_open(int at, const char *name, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	/* EAGAIN: something was renamed meanwhile (openat2(2)) */
	do
		fd = syscall(SYS_openat2, at, name, &how, sizeof(how));
	while (fd == -1 && (errno == EINTR || errno == EAGAIN));
	if (fd == -1 && (errno == ENOSYS || errno == EPERM))
		return disk_path_walk(at, name, flags);
	return (int)fd;
}

/* The folder part of at, made if it is not there. */
static int
folder_make(int at, const char *part, bool sync)
{
	if (mkdirat(at, part, 0700) == -1 && errno != EEXIST)
		return -1;
	if (sync && fsync(at) == -1)
		return -1;
	return openat(at, part, FOLDER_FLAGS | O_NOFOLLOW);
}

static int
folders_make(int at, struct str names, bool sync)
{
	char text[DISK_NAME_MAX + 1];
	int from = at, to = -1, saved;
	struct str part;
	bool more = true;

	while (more) {
		more = str_cut(names, '/', &part, &names);
		snprintf(text, sizeof(text), "%.*s", STR_ARG(part));
		to = openat(from, text, FOLDER_FLAGS | O_NOFOLLOW);
		if (to == -1 && errno == ENOENT)
			to = folder_make(from, text, sync);
		saved = errno;
		if (from != at)
			close(from);
		errno = saved;
		if (to == -1)
			return -1;
		from = to;
	}
	return to;
}

int
disk_path_parent(int at, const char *name, const char **last_out, bool make,
	bool sync)
{
	const char *slash = strrchr(name, '/');
	char text[DISK_NAME_MAX + 1];
	int fd;

	*last_out = slash != NULL ? slash + 1 : name;
	if (slash == NULL)
		return openat(at, ".", FOLDER_FLAGS);
	snprintf(text, sizeof(text), "%.*s", (int)(slash - name), name);
	fd = disk_path_open(at, text, FOLDER_FLAGS);
	if (fd == -1 && errno == ENOENT && make)
		fd = folders_make(at, str_c(text), sync);
	return fd;
}

int
disk_path_unlink(int at, const char *name)
{
	const char *last;
	int parent = disk_path_parent(at, name, &last, false, false);
	int done, saved;

	if (parent == -1)
		return -1;
	done = unlinkat(parent, last, 0);
	saved = errno;
	close(parent);
	errno = saved;
	return done;
}

/* --- folders ------------------------------------------------------------------- */

int
disk_folder_fd(struct disk_folder *dir, struct err *err)
{
	int fd = atomic_load(&dir->fd), none = -1;

	if (fd != -1)
		return fd;
	fd = open(dir->path, FOLDER_FLAGS);
	if (fd == -1 && errno == ENOENT && !dir->is_of_others &&
		(mkdir(dir->path, 0700) == 0 || errno == EEXIST))
		fd = open(dir->path, FOLDER_FLAGS);
	if (fd == -1) {
		disk_errno(err, "open folder", dir->path);
		return -1;
	}
	if (atomic_compare_exchange_strong(&dir->fd, &none, fd))
		return fd;
	close(fd); /* another thread was first */
	return none;
}
