/*
 * sqlite_file.c - the file of a database: made for its owner alone, held
 * by one server at a time, missed when it is gone, also while it is open.
 *
 * Beside PATH lies PATH.lock, which the writer's handle keeps locked.  It never
 * goes away, because two could lock two files of one name; its text, the number
 * of the process, is written when the database is complete.  So a lock file
 * with a text and no database say that there was one.  The lock is not on the
 * database itself: whoever closes a descriptor of that lets go of SQLite's.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_int.h"

#define NUMBER_MAX 24
/* With its NUL, what a database begins with. */
#define SQLITE_MAGIC "SQLite format 3"

/* --- on the disk -------------------------------------------------------- */

/* A new name lasts when its folder is synced. */
static bool
folder_sync(const char *path, struct err *err)
{
	char *folder = xstrdup(path);
	char *slash = strrchr(folder, '/');
	bool ok;
	int fd;

	if (slash != NULL)
		slash[slash == folder ? 1 : 0] = '\0';
	fd = open(slash != NULL ? folder : ".",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd != -1 && fsync(fd) == 0;
	if (!ok)
		err_errno(err, "cannot sync the folder of %.120s", path);
	if (fd != -1)
		close(fd);
	free(folder);
	return ok;
}

/* SQLite would create it readable for all; verifiers of passwords are in it. */
bool
sqlite_file_create(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1) {
		if (errno == EEXIST)
			return err_set(
				err, ERR_CONFLICT, "%.120s exists", path);
		err_errno(err, "cannot create %.120s", path);
		return false;
	}
	close(fd);
	return folder_sync(path, err);
}

bool
sqlite_file_sync(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd != -1 && fsync(fd) == 0;

	if (!ok)
		err_errno(err, "cannot sync %.120s", path);
	if (fd != -1)
		close(fd);
	return ok && folder_sync(path, err);
}

/* --- the lock ----------------------------------------------------------- */

/* As text; "" when it is not known. */
static void
lock_holder(int fd, char out[NUMBER_MAX])
{
	ssize_t n = pread(fd, out, NUMBER_MAX - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	out[strspn(out, "0123456789")] = '\0';
}

/* Owned by the caller. */
static char *
lock_name(const char *path)
{
	size_t room = strlen(path) + sizeof(".lock");
	char *name = xmalloc(room);

	snprintf(name, room, "%s.lock", path);
	return name;
}

static bool
lock_take(const char *path, int *fd_out, struct err *err)
{
	char holder[NUMBER_MAX];
	char *name = lock_name(path);
	int fd;

	fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		err_errno(err, "cannot create %.120s", name);
	free(name);
	if (fd == -1) {
		err->code = ERR_STORAGE;
		return false;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*fd_out = fd;
		return true;
	}
	lock_holder(fd, holder);
	close(fd);
	return err_set(err, ERR_REFUSED,
		"%.120s is in use by another antiphond%s%s%s; stop that one, or "
		"name another file for the storage",
		path, holder[0] != '\0' ? " (process " : "", holder,
		holder[0] != '\0' ? ")" : "");
}

static bool
lock_is_marked(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size > 0;
}

bool
sqlite_file_mark(const char *path, int lock, struct err *err)
{
	char text[NUMBER_MAX];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (pwrite(lock, text, (size_t)n, 0) == n && ftruncate(lock, n) == 0)
		return true;
	err_errno(err, "cannot write %.120s.lock", path);
	return false;
}

/* --- whether it is still there ------------------------------------------ */

/* SQLITE_FCNTL_HAS_MOVED asks the same of the database, but not of its WAL, and
 * only on the thread of the handle. */
static bool
file_find(const char *path, const char *end, struct sqlite_file *out)
{
	char name[PATH_MAX];
	struct stat st;

	if ((size_t)snprintf(name, sizeof(name), "%s%s", path, end) >=
			sizeof(name) ||
		stat(name, &st) == -1)
		return false;
	*out = (struct sqlite_file){ st.st_dev, st.st_ino };
	return true;
}

bool
sqlite_file_note(struct store_db *db, struct err *err)
{
	return (file_find(db->path, "", &db->file) &&
		       file_find(db->path, "-wal", &db->wal)) ||
		err_errno(err, "cannot find %.120s again", db->path);
}

static bool
file_is(const char *path, const char *end, const struct sqlite_file *was,
	struct err *err)
{
	struct sqlite_file is;
	bool there = file_find(path, end, &is);

	if (there && is.dev == was->dev && is.ino == was->ino)
		return true;
	return err_set(err, ERR_DISK,
		"%.120s%s was %s while the server has it open, nothing can be "
		"stored; put it back, or stop the server and restore a "
		"backup",
		path, end, there ? "replaced" : "deleted");
}

bool
sqlite_file_is_there(const struct store_db *writer, struct err *err)
{
	return file_is(writer->path, "", &writer->file, err) &&
		file_is(writer->path, "-wal", &writer->wal, err);
}

/* --- opening ------------------------------------------------------------ */

bool
sqlite_file_missed(const char *path, struct err *err)
{
	return err_set(err, ERR_REFUSED,
		"%.120s: there was a database, and now it is %s; restore a "
		"backup, or start antiphond with --new to begin without any "
		"account",
		path, access(path, F_OK) == 0 ? "empty" : "gone");
}

bool
sqlite_file_ready(const char *path, bool may_be_new, int *lock_out,
	bool *made_out, struct err *err)
{
	struct err why = ERR_INIT;

	if (path == NULL || path[0] == '\0' || path[0] == ':')
		return err_set(err, ERR_INVALID,
			"the storage needs the path of a database file");
	if (!lock_take(path, lock_out, &why))
		goto failed;
	*made_out = access(path, F_OK) != 0;
	if (!*made_out)
		return true;
	if (lock_is_marked(*lock_out) && !may_be_new)
		return sqlite_file_missed(path, err);
	if (sqlite_file_create(path, &why))
		return true;
failed:
	if (why.code == ERR_REFUSED) {
		*err = why;
		return false;
	}
	return err_set(err, ERR_STORAGE,
		"%.160s; create the folder and give it to the user the server "
		"runs as",
		why.text);
}

/* --- trying a configuration ------------------------------------------------ */

/* The lock is not touched: somebody may have it. */
static bool
database_was(const char *path)
{
	char *name = lock_name(path);
	struct stat st;
	bool was = stat(name, &st) == 0 && st.st_size > 0;

	free(name);
	return was;
}

/* How much of head there is; -1: it cannot be read, which is told already. */
static ssize_t
head_read(const char *path, char head[sizeof(SQLITE_MAGIC)])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = 0;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	n = read(fd, head, sizeof(SQLITE_MAGIC));
	close(fd);
	return n;
}

static void
library_check(const struct store_check *check)
{
	struct err err = ERR_INIT;
	sqlite3 *sql = NULL;

	if (sqlite3_open(":memory:", &sql) == SQLITE_OK &&
		!sqlite_search_check(sql, &err))
		check->fail(check->arg, "driver", err.text);
	sqlite3_close(sql);
}

void
sqlite_file_check(const void *options, const struct store_check *check)
{
	const struct sqlite_conf *conf = options;
	char head[sizeof(SQLITE_MAGIC)];
	struct err err = ERR_INIT;
	ssize_t n;

	library_check(check);
	check->place(check->arg, "path", conf->path);
	n = head_read(conf->path, head);
	if (n == 0 && database_was(conf->path))
		sqlite_file_missed(conf->path, &err);
	else if (n > 0 &&
		!str_eq((struct str){ head, (size_t)n },
			(struct str){ SQLITE_MAGIC, sizeof(SQLITE_MAGIC) }))
		err_set(&err, ERR_INVALID, "%.120s is no database", conf->path);
	if (err.code != ERR_NONE)
		check->fail(check->arg, "path", err.text);
}
