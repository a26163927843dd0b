/*
 * upload_storage.h - where the bytes of files are: a table of functions, so that it
 * can be another place than files of this machine (upload_files.c).
 *
 * A file is known by its host and its id.  It is written once, as a draft that nobody
 * sees until it is whole, and never changed.
 *
 * Owner shard, of whoever has opened it; answers come there, never before the call has
 * returned, and exactly once where the call has answered true.  Errors are those of
 * disk/disk.h.
 */
#ifndef MODULES_UPLOAD_UPLOAD_STORAGE_H
#define MODULES_UPLOAD_UPLOAD_STORAGE_H

#include "upload_token.h"

struct upload_storage;
struct upload_draft;
struct upload_walk;

typedef void (*upload_done_fn)(void *arg, const struct err *why);
/* Is there one?  bytes: how large it is. */
typedef void (*upload_look_fn)(void *arg, bool found, uint64_t bytes,
	const struct err *why);
/* What may be written still, and what there is in all. */
typedef void (*upload_space_fn)(void *arg, uint64_t free_bytes,
	uint64_t all_bytes, const struct err *why);
/* n ids, borrowed; is_end: there are no more.  why: it ends here, too. */
struct upload_found {
	char id[UPLOAD_ID_BYTES + 1];
	uint64_t bytes;
	int64_t at_us; /* wall clock */
};
typedef void (*upload_walk_fn)(void *arg, const struct upload_found *found,
	size_t n, bool is_end, const struct err *why);

/* As struct disk_draft_events. */
struct upload_draft_events {
	void (*room)(void *arg);
	void (*failed)(void *arg, const struct err *why);
	void (*finished)(void *arg);
};

struct upload_storage_class {
	const char *name;
	/* At a place that the configuration names. */
	struct upload_storage *(*open)(struct shard *sh, const char *place);
	void (*close)(struct upload_storage *s);
	/* Sees whether files can be made there, and removes what a process that was
	 * killed had not finished. */
	bool (*prepare)(struct upload_storage *s, upload_done_fn done, void *arg,
		struct err *err);

	/* NULL with err.  spare: what has to stay free, as disk_draft_spare() has it. */
	struct upload_draft *(*draft)(struct upload_storage *s,
		const struct disk_spare *spare,
		const struct upload_draft_events *events, void *arg,
		struct err *err);
	/* Up to UPLOAD_WRITE_MAX bytes, copied.  False: taken, and no more until
	 * room(). */
	bool (*write)(struct upload_draft *d, const char *p, size_t n);
	/* The same without a copy, as disk_draft_place() and disk_draft_put(). */
	char *(*place)(struct upload_draft *d, size_t *n_out);
	bool (*put)(struct upload_draft *d, size_t n);
	/* finished() or failed() follows; sync: it lasts then. */
	void (*finish)(struct upload_draft *d, struct str host, struct str id,
		bool sync);
	/* At any time; copes with NULL.  Nothing is left, but where it was about to
	 * be finished. */
	void (*discard)(struct upload_draft *d);

	/* Notes that a file is about to be finished, until unnote(): the note outlives
	 * a process that is killed, so that the next one finds what nobody knows of.
	 * Whoever waits for it goes on when it has failed. */
	bool (*note)(struct upload_storage *s, struct str host, struct str id,
		upload_done_fn done, void *arg, struct err *err);
	/* Nobody waits for that, and nothing of the module is called behind it: it may
	 * have left memory. */
	void (*unnote)(struct upload_storage *s, struct str host, struct str id);

	/* Answers r, which is held until then: with the file, and fields; or 404. */
	void (*serve)(struct upload_storage *s, struct http_request *r,
		struct str host, struct str id, const struct http_field *fields);
	/* No error if there is none. */
	bool (*remove)(struct upload_storage *s, struct str host, struct str id,
		upload_done_fn done, void *arg, struct err *err);
	bool (*look)(struct upload_storage *s, struct str host, struct str id,
		upload_look_fn fn, void *arg, struct err *err);
	bool (*space)(struct upload_storage *s, upload_space_fn fn, void *arg,
		struct err *err);

	/* All files of host, in no order, some at a time. */
	struct upload_walk *(*walk)(struct upload_storage *s, struct str host);
	/* All notes, in the same way. */
	struct upload_walk *(*walk_notes)(struct upload_storage *s,
		struct str host);
	bool (*next)(struct upload_walk *w, upload_walk_fn fn, void *arg,
		struct err *err);
	void (*end)(struct upload_walk *w);
};

#define UPLOAD_WRITE_MAX DISK_WRITE_MAX

extern const struct upload_storage_class upload_files;

#endif
