/*
 * upload.h - between the files of the module upload.
 *
 *	shard of who asks            place of the user            any shard
 *
 *	<request/> ----------------> limits, what he has ---.
 *	<slot/> <------------------- id, token <------------'
 *	                             claim: reserved              PUT /upload/ID/NAME
 *	                             is it his, not used? <------ Authorization
 *	                             taken ---------------------> draft, streamed; noted
 *	                             record, what he has <------- whole, synced
 *	                             stored --------------------> 201
 *
 *	                             place of the host            GET: record --> file
 *	                             what is due, some at a time
 *	                             file, then record <--------- deleted
 *
 * Slots and the key of their tokens are in memory alone, at the place of their user: when
 * the server ends, or the module, they are over, and whoever has one asks for another.
 * So what is reserved is what may be used, and nothing is stored for who has nothing yet.
 *
 * Invariants.  What one user has is counted on one shard, and stored by the same
 * transaction as the record: so the two agree.  A file is there before its record,
 * and goes before it: so a crash leaves either a file that nobody is shown, or a record
 * without a file, which is asked about in vain until it is due.  That a file is about to
 * be there is noted before, until it has its record, so that the next start finds the
 * former (upload_noted.c); all else that lacks the other is for `antiphonctl
 * upload-check'.
 */
#ifndef MODULES_UPLOAD_UPLOAD_H
#define MODULES_UPLOAD_UPLOAD_H

#include <sys/queue.h>

#include "upload_limits.h"
#include "upload_record.h"
#include "upload_storage.h"
#include "upload_token.h"

#define UPLOAD_PREFIX "/upload"

struct upload_conf {
	const char *domain;
	const char *folder; /* NULL: beside the database */
	struct option_list allow;
	struct option_list purposes;
	uint64_t file_bytes, day_bytes;
	int64_t expire_after_us;
	/* 0: as above */
	uint64_t profile_file_bytes, profile_day_bytes;
	int64_t profile_expire_after_us;
	uint64_t ephemeral_file_bytes, ephemeral_day_bytes;
	int64_t ephemeral_expire_after_us;
	uint64_t permanent_file_bytes, permanent_day_bytes;
	int64_t permanent_expire_after_us;
	uint64_t user_bytes;
	int64_t user_files;
	int64_t user_slots;
	int64_t slot_timeout_us;
	uint64_t disk_free_bytes;
	int64_t disk_free_percent;
	bool sync;
	bool retract;
};

/* --- upload.c ------------------------------------------------------------------- */

/* What a host grants; a user's own is put over it. */
void upload_limits_of(const struct upload_conf *conf, struct upload_limits *out);
bool upload_offers(const struct upload_conf *conf, enum upload_purpose p);

/* Where files are kept, as one shard has it open; until the shard ends, for there are
 * no more of them than folders that were ever named. */
struct upload_place {
	LIST_ENTRY(upload_place) link;
	char *path;
	struct upload_storage *storage;
	int64_t free_at_us; /* monotonic: when these were asked for; 0: never */
	uint64_t free_bytes, all_bytes;
};

/* Of a shard. */
struct upload_shard {
	struct shard *shard;
	struct table users; /* struct upload_user, by bare address */
	LIST_HEAD(, upload_sweep) sweeps; /* of hosts whose place this is */
	struct table note_lines; /* struct note_line, by user: upload_retract.c */
	unsigned n_notes;
	LIST_HEAD(, upload_place) places;
};

/* The module at host now, for this turn; NULL: it is not in force there any more. */
struct module_ctx *upload_module(struct shard *sh, struct str host,
	const struct module_entry *entry);
struct upload_shard *upload_shard_of(struct module_ctx *m, struct shard *sh);
/* The same for a module that is held. */
struct upload_shard *upload_shard_at(struct module_entry *entry,
	struct shard *sh);
/* Where files of the host are kept; it is there until the shard ends.  NULL: nowhere,
 * and why is in err. */
struct upload_storage *upload_storage_of(struct module_ctx *m, struct shard *sh,
	struct err *err);
/* Is there room for so many bytes, beside what has to stay free?  fn(arg, why) on sh,
 * maybe at once: NULL: there is; ERR_DISK: there is not. */
void upload_room(struct module_ctx *m, struct shard *sh, uint64_t bytes,
	upload_done_fn fn, void *arg);
/* The server stops: it waits for what is under way, so that what is long does not go
 * on. */
bool upload_stops(const struct shard *sh);
#define STORAGE (&upload_files)

/* --- upload_user.c: at the place of a user ----------------------------------------- */

enum claim_state {
	CLAIM_FREE,  /* a slot that waits for its PUT */
	CLAIM_TAKEN, /* a PUT is under way */
	CLAIM_USED,  /* there is a file; it is remembered until nobody can come again */
};

/* A slot. */
struct upload_claim {
	LIST_ENTRY(upload_claim) link;
	enum claim_state state;
	char id[UPLOAD_ID_BYTES + 1];
	enum upload_purpose purpose;
	uint64_t bytes;
	int64_t slot_us; /* wall clock */
};

/* A file that is being deleted. */
struct upload_going {
	LIST_ENTRY(upload_going) link;
	char id[UPLOAD_ID_BYTES + 1];
};

struct upload_job;
STAILQ_HEAD(upload_jobs, upload_job);

struct upload_user {
	struct upload_shard *here;
	char *host, *bare;
	char *owner;       /* upload_owner() */
	uint64_t hash;     /* server_hash() of bare */
	bool loading, loaded;
	bool gone;         /* the account was removed: nobody finds it any more */
	bool stored;       /* series is */
	unsigned busy;     /* answers that are to come */
	struct upload_jobs waiting;
	char series[RAND_ID_SIZE];
	char key[2 * RAND_ID_SIZE]; /* of his tokens; another one each time */
	struct upload_usage usage;
	struct upload_own own;
	LIST_HEAD(, upload_claim) claims;
	LIST_HEAD(, upload_going) going;
	struct timer timer; /* the first of them ends */
};

/* Something that is done at the place of a user, once he is loaded, and answered at
 * home.  The first member of whatever is asked; always answered. */
struct upload_job {
	STAILQ_ENTRY(upload_job) link;
	struct module_entry *entry; /* held */
	struct place home;
	char *host, *bare; /* owned */
	/* There; m is the module at the host.  Ends in upload_job_end(), now or
	 * later; u is busy until then. */
	void (*run)(struct module_ctx *m, struct upload_user *u,
		struct upload_job *job);
	/* At home; frees what it has, but not job itself, nor what stands above. */
	void (*done)(struct shard *sh, struct upload_job *job);
	struct upload_user *user; /* while it runs */
	struct err err; /* ERR_NONE: it was run */
};

/* job is owned, of malloc, freed behind done(). */
void upload_ask(struct module_ctx *m, struct shard *sh, struct upload_job *job,
	struct str host, struct str bare);
void upload_job_end(struct upload_job *job);

/* In memory, and loaded; NULL. */
struct upload_user *upload_user_find(struct module_ctx *m, struct shard *sh,
	struct str host, struct str bare);
/* All that he may. */
void upload_user_limits(struct module_ctx *m, const struct upload_user *u,
	struct upload_limits *out);
void upload_user_reserved(const struct upload_user *u,
	struct upload_reserved *out);
struct upload_claim *upload_claim_find(const struct upload_user *u,
	struct str id);
struct upload_claim *upload_claim_add(struct upload_user *u, struct str id,
	enum upload_purpose purpose, uint64_t bytes, int64_t slot_us);
/* Its slot was not granted, or is over. */
void upload_claim_remove(struct upload_claim *c);
unsigned upload_user_slots(const struct upload_user *u);
/* What he has, into a transaction that is refused where there is no such account,
 * any more. */
void upload_user_write(struct upload_user *u, struct store_tx *tx);
/* His account has gone, and is forgotten here, whether he has been read or not. */
void upload_user_forget(struct upload_shard *us, struct str host, struct str bare);
/* A PUT has ended without a file: its slot is free again, until its time is over.
 * Whether the module is in force at host still or not; entry is held by the caller. */
void upload_claim_release(struct module_entry *entry, struct shard *sh,
	struct str host, struct str bare, struct str id);
void upload_users_done(struct upload_shard *us);

/* --- upload_slot.c ------------------------------------------------------------------- */

enum hook_result upload_on_request(struct module_ctx *m, struct iq *iq);
/* Appends the address of a file, which begins with https://.  False, and nothing is
 * appended: there is none, since no port is open for it. */
bool upload_url_write(struct buf *out, struct shard *sh, const struct host *host,
	struct str id, struct str name);

/* --- upload_own.c ---------------------------------------------------------------------- */

enum hook_result upload_on_files(struct module_ctx *m, struct iq *iq);
enum hook_result upload_on_delete(struct module_ctx *m, struct iq *iq);

/* --- upload_put.c, upload_get.c -------------------------------------------------------- */

enum put_state {
	PUT_ASKS,     /* whether it may */
	PUT_READS,    /* its body, into a draft */
	PUT_FINISHES, /* the draft; from here on it goes on without its client */
	PUT_RECORDS,
	PUT_OVER,     /* nobody holds it for this */
};

/* State of a request that is a PUT; held until it is over. */
struct upload_put {
	struct http_request *r; /* NULL: it is none, or was refused at once */
	struct arena *arena;    /* in which are the texts of these */
	enum put_state state;
	struct module_entry *entry; /* held by the request */
	struct upload_storage *storage; /* of the draft */
	struct upload_token token;
	struct str mac, said;   /* of that */
	struct str name;
	struct str type;        /* as it is served */
	struct upload_draft *draft;
	struct buf rest;        /* what the draft had no room for */
	bool full;              /* until it has some */
	bool whole;             /* all of the body has come */
	bool sync;
	bool noting;            /* that it will be finished: until that has ended */
	struct err why;         /* the draft has failed */
};

void upload_put(struct module_ctx *m, struct http_request *r);
void upload_put_body(struct module_ctx *m, struct http_request *r,
	struct str part);
char *upload_put_place(struct module_ctx *m, struct http_request *r,
	size_t *n_out);
void upload_put_placed(struct module_ctx *m, struct http_request *r, size_t n);
void upload_put_whole(struct module_ctx *m, struct http_request *r);
void upload_put_gone(struct http_request *r);
void upload_put_done(struct http_request *r);
void upload_get(struct module_ctx *m, struct http_request *r);
/* "/ID/NAME": both borrow from what is given, NAME is decoded into name. */
bool upload_path_read(struct str rest, struct str *id_out, struct buf *name);

/* --- upload_delete.c --------------------------------------------------------------------- */

/* The file goes, then its record; fn(arg, why) on sh.  record is copied. */
void upload_delete(struct module_ctx *m, struct shard *sh, struct str host,
	const struct upload_record *record, upload_done_fn fn, void *arg);

/* Is that one being deleted, and its record with what is noted of it? */
bool upload_is_going(const struct upload_user *u, struct str id);

/* --- upload_sweep.c ------------------------------------------------------------------------- */

void upload_follow(struct module_ctx *m, struct shard *sh);
/* There may be something to do at host: a file that will be due, an account that has
 * gone. */
void upload_sweep_soon(struct module_ctx *m, struct shard *sh, struct str host);
void upload_sweeps_done(struct upload_shard *us);
/* Accounts that have gone, in order. */
struct store_place upload_removed_log(struct str host);

/* --- upload_noted.c --------------------------------------------------------------------------- */

/* Removes what a process that was killed had finished and not recorded: files that were
 * noted before that time, wall clock, and of which nobody knows. */
void upload_noted_look(struct module_ctx *m, struct shard *sh, int64_t before_us);
/* A file that has no record goes, and then its note; whether the module is in force
 * still or not.  entry is held by the caller. */
void upload_take_back(struct module_entry *entry, struct upload_storage *s,
	struct str host, struct str id);

/* --- upload_retract.c, upload_command.c ------------------------------------------------------ */

enum hook_result upload_on_send(struct module_ctx *m, void *arg);
/* Where messages are noted that have carried the file id of u; in the arena of a. */
struct store_place upload_sent_place(const struct upload_user *u,
	struct arena *a, struct str id);
void upload_notes_done(struct upload_shard *us);
/* They are no more, with the file; answer is all of that map. */
void upload_sent_forget(struct store_tx *tx, struct store_place of_file,
	const struct store_answer *answer);
extern const struct command upload_commands[];

/* --- upload_check.c: a command --------------------------------------------------------------- */

extern const struct command_arg upload_check_args[];
void upload_check_run(struct command_call *call);

#endif
