/*
 * disk_int.h - what the files of disk/ share.
 */
#ifndef DISK_DISK_INT_H
#define DISK_DISK_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "base/ref.h"
#include "base/str.h"
#include "disk/disk.h"

struct worker;

/* What a file is open for. */
enum disk_use { DISK_READS, DISK_WRITES, DISK_USES };

struct disk {
	struct worker *worker; /* NULL: stopped */
	atomic_size_t files_max, bytes_max;
	char mark[RAND_ID_SIZE]; /* that temporary files of this process begin with */
	_Atomic uint64_t n_made; /* of them */
	atomic_size_t files;	 /* that are open, */
	atomic_size_t files_of[DISK_USES]; /* and for what */
	atomic_size_t bytes;	 /* in buffers */
};

struct disk_folder {
	struct ref ref;
	struct disk *disk;
	char *path;
	bool is_of_others; /* not made */
	atomic_int fd; /* -1: not opened yet */
};

struct disk_file {
	uint32_t tag;
	struct disk *disk;
	struct mailbox *reply;
	int fd;
	uint64_t size;
	int64_t mtime_us;
	unsigned n_users; /* that read or send it now */
	bool closed;	  /* by its owner */
};

/* --- disk.c: owner shards ----------------------------------------------------- */

/* False with err when too much waits. */
bool disk_has_room(const struct disk *d, struct err *err);
/* worker_run(), which never refuses; when d has stopped, both are called here. */
void disk_run(struct disk *d, void (*work)(void *arg), struct mailbox *reply,
	void (*done)(void *arg), void *arg);
/* One more file is open, and one less.  False with err: there are too many, or too
 * many for this; a quarter of them is for the other, so that who fetches files does
 * not keep out who writes one, nor the reverse. */
bool disk_take_file(struct disk *d, enum disk_use use, struct err *err);
void disk_drop_file(struct disk *d, enum disk_use use);

/* --- disk.c: any thread --------------------------------------------------------- */

/* n bytes more, unless there are too many then; false. */
bool disk_take_bytes(struct disk *d, size_t n);
/* Is there more than new drafts need?  Half is theirs. */
bool disk_has_spare_bytes(const struct disk *d);
/* They are there in any case. */
void disk_add_bytes(struct disk *d, size_t n);
void disk_drop_bytes(struct disk *d, size_t n);
/* A buffer that counts in the memory of the process; free with disk_free_buffer(). */
char *disk_new_buffer(size_t n);
void disk_free_buffer(char *p);

/* --- disk_path.c: disk threads -------------------------------------------------- */

/* Is that a name as disk.h says?  False with err.  Any thread. */
bool disk_name_check(struct str name, struct err *err);
/* errno after what was done to name, by code.  False. */
bool disk_errno(struct err *err, const char *what, const char *name);
/* Who knows the name of a file may have the right to fetch it, and errors are logged: they
 * have the beginning of its last part alone.  name itself, if it is short, or in mem. */
#define DISK_NAME_SHOWN (DISK_NAME_MAX + sizeof("..."))
const char *disk_name_shown(const char *name, char *mem);
/* disk_errno() with that. */
bool disk_errno_of(struct err *err, const char *what, const char *name);
/* Of dir, opened and made if need be; -1 with err. */
int disk_folder_fd(struct disk_folder *dir, struct err *err);
/* openat2(2) beneath at, by no link; and what does so where that is missing.  -1 with
 * errno. */
int disk_path_open(int at, const char *name, int flags);
int disk_path_walk(int at, const char *name, int flags);
/* The folder of name below at, and where in it its last part begins.  make: makes what
 * is missing, to last if sync.  -1 with errno. */
int disk_path_parent(int at, const char *name, const char **last_out, bool make,
	bool sync);
/* -1 with errno. */
int disk_path_unlink(int at, const char *name);

/* --- disk_temp.c: disk threads --------------------------------------------------- */

/* Files without a name of their own: at best, without any. */
#define DISK_TEMP_FOLDER ".tmp"
struct disk_temp {
	int fd;	       /* -1: none */
	char name[64]; /* "": it has none */
};

/* Made in dir; false with err. */
bool disk_temp_make(struct disk_folder *dir, struct disk_temp *t, struct err *err);
/* The same, with a name that others could see. */
bool disk_temp_make_named(struct disk_folder *dir, struct disk_temp *t,
	struct err *err);
/* Gets a name and is closed; false with err, and it is gone. */
bool disk_temp_keep(struct disk_folder *dir, struct disk_temp *t, const char *name,
	bool sync, struct err *err);
/* Nothing is left of it. */
void disk_temp_drop(struct disk_folder *dir, struct disk_temp *t);
/* Removes those of processes before. */
bool disk_temp_sweep(struct disk_folder *dir, struct err *err);

/* --- disk_file.c: owner shard ----------------------------------------------------- */

/* Somebody uses f, which is not closed meanwhile. */
void disk_file_use(struct disk_file *f);
void disk_file_unuse(struct disk_file *f);

#endif
