/*
 * disk.h - files, on threads of their own: nothing here makes its caller wait for a
 * disk.
 *
 *	shard --a call--> a disk thread: open, read, write, sync, unlink
 *	  ^                    |
 *	  `------mailbox-------'  the answer: once, and never before the call
 *	                          has returned
 *
 * Each call names the mailbox of its shard, and is answered there.  Between two calls
 * no order is kept, but for those of one draft.  What waits is bounded: ERR_BUSY.
 * Without threads (in a simulation) the work is done within the call, and answered
 * by mailbox all the same.  Threads begin with the first file.
 *
 * A folder is a handle: nothing that is named below it can be outside, or behind a
 * symbolic link (openat2(2), RESOLVE_BENEATH).  A name is a relative path of at most
 * DISK_NAME_MAX bytes and DISK_DEPTH_MAX parts, made by us, never by a stranger: parts
 * are not empty, do not begin with ".", and have no NUL.  Files are 0600, folders 0700.
 * A folder that is replaced while it is in use is not noticed.
 *
 * What went wrong, by code of struct err:
 *	ERR_MISSING   there is no such file
 *	ERR_CONFLICT  there is one already
 *	ERR_REFUSED   not permitted, a file system that is read-only, a symbolic link,
 *		      not a file, or no name
 *	ERR_DISK      the disk is full
 *	ERR_LIMIT     a quota of the system's, or its bound for the size of a file
 *	ERR_BUSY      too much waits, or too many files are open: later it may go
 *	ERR_SYSTEM    all else, as the disk's being broken
 */
#ifndef DISK_DISK_H
#define DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct disk;
struct disk_draft;
struct disk_file;
struct disk_folder;
struct disk_walk;
struct err;
struct mailbox;

#define DISK_NAME_MAX 255
#define DISK_DEPTH_MAX 4

/* --- start-up ---------------------------------------------------------------- */

/* How many files are open at once (drafts are files), a quarter of them for reading and
 * one for writing in any case; and what their buffers may hold, see
 * disk_draft_new(). */
struct disk_bounds {
	size_t files;
	size_t bytes;
};

/* n_threads 0: without.  SIGXFSZ is ignored in the process from here on. */
struct disk *disk_new(unsigned n_threads, const struct disk_bounds *bounds);
/* What was asked for is still done and posted; the mailboxes are there until this
 * returns.  Nobody asks for more: what is left is let go of, as by disk_file_close().
 * NULL is accepted. */
void disk_stop(struct disk *d);
/* All drafts, files and walks have been let go of.  NULL is accepted. */
void disk_free(struct disk *d);

/* --- any thread: bounds, and what there is -------------------------------------------------------- */

/* From now on; what is above them stays until it goes. */
void disk_bound(struct disk *d, const struct disk_bounds *bounds);
/* Calls that are not answered yet. */
size_t disk_waiting(const struct disk *d);
struct disk_stats {
	size_t waiting;
	size_t files; /* that are open */
	size_t bytes; /* in buffers */
};
struct disk_stats disk_stats(const struct disk *d);

/* --- any thread: folders ------------------------------------------------------- */

/* Only notes the path (copied).  It is opened with the first use, and made (0700, its
 * last part alone) if it is not there; links in the path are the administrator's.
 * d is borrowed until the last use; the last reference may go later than d. */
struct disk_folder *disk_folder_new(struct disk *d, const char *path);
/* The same, but never made: for reading, of a folder that others make. */
struct disk_folder *disk_folder_of_others(struct disk *d, const char *path);
struct disk_folder *disk_folder_ref(struct disk_folder *dir);
/* NULL is accepted.  What was asked is still done. */
void disk_folder_unref(struct disk_folder *dir);
/* As it was given, borrowed. */
const char *disk_folder_path(const struct disk_folder *dir);

/* --- owner shard of reply: single calls ---------------------------------------- */

/* The answer: why is NULL when it has worked, else borrowed. */
typedef void (*disk_done_fn)(void *arg, const struct err *why);

/*
 * All of these: false, with err: ERR_BUSY, or ERR_REFUSED for a bad name; then there
 * is no answer.  Else there is exactly one, on the thread of reply; nothing cancels
 * it, and arg lives until then.  name is copied.
 */

/* Opens dir, makes it if need be, sees whether files can be made there, and removes
 * what drafts of a process that was killed have left: a folder that cannot be had is
 * known before it is needed. */
bool disk_folder_prepare(struct disk_folder *dir, struct mailbox *reply,
	disk_done_fn done, void *arg, struct err *err);
/* Removes a file; ERR_MISSING in the answer if there is none.  done NULL: nobody waits,
 * and no code of a module has to be there for the answer. */
bool disk_remove(struct disk_folder *dir, struct str name, struct mailbox *reply,
	disk_done_fn done, void *arg, struct err *err);
/* What an ordinary user may still take (statvfs: f_bavail), and the whole. */
struct disk_space {
	uint64_t free_bytes;
	uint64_t all_bytes;
};
typedef void (*disk_space_fn)(void *arg, const struct disk_space *space,
	const struct err *why);
bool disk_space(struct disk_folder *dir, struct mailbox *reply, disk_space_fn done,
	void *arg, struct err *err);

/* --- owner shard: reading ------------------------------------------------------ */

/* f is owned by the answer, NULL when it has not worked. */
typedef void (*disk_opened_fn)(void *arg, struct disk_file *f, const struct err *why);
/* Opens a regular file. */
bool disk_open(struct disk_folder *dir, struct str name, struct mailbox *reply,
	disk_opened_fn done, void *arg, struct err *err);
/* When it was opened. */
uint64_t disk_file_size(const struct disk_file *f);
int64_t disk_file_mtime_us(const struct disk_file *f); /* since 1970 */
/* n <= DISK_READ_MAX bytes from a place on, fewer at the end of the file, none behind
 * it.  p is borrowed for the answer; NULL with why. */
#define DISK_READ_MAX ((size_t)256 * 1024)
typedef void (*disk_read_fn)(void *arg, const char *p, size_t n, const struct err *why);
/* ERR_BUSY as above.  One at a time for each file. */
bool disk_read(struct disk_file *f, uint64_t from, size_t n, disk_read_fn done,
	void *arg, struct err *err);
/* At any time; a read of it is not answered any more.  Not while it is being sent
 * (disk_send.h).  NULL is accepted. */
void disk_file_close(struct disk_file *f);

/* --- owner shard: writing ------------------------------------------------------ */

/*
 * A file that has no name yet, and nobody sees; what is left of it after a crash is
 * nothing, or is removed by the next disk_folder_prepare().
 *
 *   disk_draft_new() --disk_draft_write()...--> disk_draft_finish() --> finished()
 *          `--------------failed()----------------'    |
 *          `--------------disk_draft_discard()---------' nothing is left
 */
struct disk_draft_events {
	/* After disk_draft_write() or _put() returned false: more may be written. */
	void (*room)(void *arg);
	/* It could not be written (the disk is full, ...): the file is gone, what is
	 * written from here on is dropped, and there is no other answer; the draft
	 * stays until disk_draft_discard(). */
	void (*failed)(void *arg, const struct err *why);
	/* It stands under its name: the draft is freed behind this. */
	void (*finished)(void *arg);
};

/* Asks nothing of the disk yet: what cannot be made fails later.  NULL with err:
 * ERR_BUSY, as there are too many files, or too many bytes in buffers: a draft has from
 * 64 KiB to 1 MiB, more only while there are some to spare.  events is a static table.  The draft is owned until finished()
 * or disk_draft_discard(). */
struct disk_draft *disk_draft_new(struct disk_folder *dir, struct mailbox *reply,
	const struct disk_draft_events *events, void *arg, struct err *err);
/* Before anything is written: it fails with ERR_DISK, as on a full disk, where less than
 * that would be left free for an ordinary user; the larger one counts.  What is in
 * buffers, of it and of others, may come on top. */
struct disk_spare {
	uint64_t free_bytes;
	unsigned free_percent; /* of the disk */
};
void disk_draft_spare(struct disk_draft *w, const struct disk_spare *spare);
/* Appends a copy, of up to DISK_WRITE_MAX bytes.  False: enough waits; it was taken,
 * but no more may be written until room(). */
#define DISK_WRITE_MAX ((size_t)64 * 1024)
bool disk_draft_write(struct disk_draft *w, const char *p, size_t n);
/*
 * The same without the copy: where the next *n_out > 0 bytes may be put, such as by a
 * connection that reads (struct conn_events.place); borrowed until the next call for w
 * or the end of the caller's turn.  NULL while no more may be written, or when w has
 * failed.  Then says how many were put there: n > 0; false as above.
 */
char *disk_draft_place(struct disk_draft *w, size_t *n_out);
bool disk_draft_put(struct disk_draft *w, size_t n);
/* Bytes that were written, or put, so far. */
uint64_t disk_draft_size(const struct disk_draft *w);
/*
 * All has been written: gives it its name (copied), in folders that are made if need
 * be.  Never replaces anything: ERR_CONFLICT.  sync: it lasts, under its name, when
 * finished() is called; without, the system may lose it in a crash of its own.
 * Nothing may be called for w from here on but disk_draft_discard().  To sync a large
 * file can take seconds.
 */
void disk_draft_finish(struct disk_draft *w, struct str name, bool sync);
/* At any time; no event comes any more.  Whoever discards what is being finished may
 * find it under its name: he removes that then.  NULL is accepted. */
void disk_draft_discard(struct disk_draft *w);

/* --- owner shard: what there is ------------------------------------------------ */

struct disk_entry {
	struct str name; /* as disk_remove() takes it */
	uint64_t size;
	int64_t mtime_us; /* since 1970 */
};
/* n entries, borrowed; is_end: there are no more.  why: the walk has ended, too. */
typedef void (*disk_walk_fn)(void *arg, const struct disk_entry *entries, size_t n,
	bool is_end, const struct err *why);

/* All regular files below dir, in no order, a slice at a time: each is read when it is
 * asked for.  What comes or goes meanwhile is among them or not. */
struct disk_walk *disk_walk_new(struct disk_folder *dir, struct mailbox *reply);
/* Up to max (at most DISK_SLICE_MAX) entries.  One at a time.  ERR_BUSY as above; after
 * the end no more. */
#define DISK_SLICE_MAX 1024
bool disk_walk_next(struct disk_walk *k, size_t max, disk_walk_fn done, void *arg,
	struct err *err);
/* At any time; a slice is not answered any more.  NULL is accepted. */
void disk_walk_free(struct disk_walk *k);

#endif
