/*
 * sqlite_room.c - how much room it takes to write a database anew, and whether there is
 * as much.
 *
 * Called by sqlite_compact.c, on the writer's thread.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

/* What the log has beside each page, and room for what is new; of what is copied, and
 * in any case. */
#define MARGIN_PART 64
#define MARGIN_MIN (1 << 20)
/* A second, for the estimate: what is copied with VACUUM, what is given back in slices. */
#define COPIES_BYTES (16 << 20)
#define GIVES_BYTES (8 << 20)

static bool
is_usable(const char *folder)
{
	struct stat st;

	return folder != NULL && stat(folder, &st) == 0 &&
		S_ISDIR(st.st_mode) && access(folder, W_OK | X_OK) == 0;
}

/* As SQLite chooses it (unixTempFileDir()), which it does not tell. */
static const char *
temporary_folder(void)
{
	const char *const folders[] = { getenv("SQLITE_TMPDIR"),
		getenv("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp" };

	for (size_t i = 0; i < COUNT(folders); i++)
		if (is_usable(folders[i]))
			return folders[i];
	return ".";
}

/* Owned by the caller. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	return str_dup((struct str){ path, (size_t)MAX(slash - path, 1) });
}

static bool
disk_find(const char *folder, struct store_disk *out, dev_t *dev_out,
	struct err *err)
{
	struct statvfs vfs;
	struct stat st;

	if (stat(folder, &st) != 0 || statvfs(folder, &vfs) != 0)
		return err_errno(err, "cannot look how much room there is in %.120s",
			folder);
	snprintf(out->folder, sizeof(out->folder), "%s", folder);
	out->has_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	*dev_out = st.st_dev;
	return true;
}

bool
sqlite_room_disks(const char *path, struct store_room *room, struct err *err)
{
	char *folder = folder_of(path);
	dev_t own, temporary;
	bool ok = disk_find(folder, &room->own, &own, err) &&
		disk_find(temporary_folder(), &room->temporary, &temporary, err);

	free(folder);
	room->one_disk = ok && own == temporary;
	return ok;
}

/* What is missing, of one disk. */
static bool
disk_check(const struct store_disk *disk, uint64_t needs_bytes, struct err *err)
{
	return disk->has_bytes >= needs_bytes ||
		err_set(err, ERR_REFUSED,
			"%.120s needs %llu bytes of room, and has %llu; make "
			"room for %llu more",
			disk->folder, (unsigned long long)needs_bytes,
			(unsigned long long)disk->has_bytes,
			(unsigned long long)(needs_bytes - disk->has_bytes));
}

void
sqlite_room_judge(struct store_room *room)
{
	uint64_t live = room->file_bytes - room->free_bytes;
	uint64_t copy = live + live / MARGIN_PART + MARGIN_MIN;

	room->missing = (struct err)ERR_INIT;
	if (room->in_slices) {
		room->about_s = room->free_bytes / GIVES_BYTES + 1;
		return;
	}
	room->about_s = live / COPIES_BYTES + 1;
	room->own.needs_bytes = copy * (room->one_disk ? 2 : 1);
	room->temporary.needs_bytes = room->one_disk ? 0 : copy;
	if (disk_check(&room->own, room->own.needs_bytes, &room->missing))
		disk_check(&room->temporary, room->temporary.needs_bytes,
			&room->missing);
}
