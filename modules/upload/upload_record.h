/*
 * upload_record.h - what the store knows of a file.
 *
 * One entry of the log "upload" of its host for each: the id is that of the file, its
 * time that at which the file is to go, and `with' the address of its user.  So a file
 * is found by its id, those of a user by his address, and those that are due by the
 * time, each by an index, and nothing has to be known of the others.
 *
 * Any thread; pure functions.
 */
#ifndef MODULES_UPLOAD_UPLOAD_RECORD_H
#define MODULES_UPLOAD_UPLOAD_RECORD_H

#include "upload_limits.h"

#define UPLOAD_LOG "upload"      /* of the host: files */
#define UPLOAD_MAP "upload"      /* of an owner: see upload_user.c */
#define UPLOAD_SENT "upload_sent" /* of an owner: see upload_retract.c */
#define UPLOAD_REMOVED "upload_removed" /* a log of the host, without ids: accounts
					  * whose files have to go, as `with', and
					  * when they were removed */
/* The time of an entry that is never due; the year 9999. */
#define UPLOAD_NEVER_US INT64_C(253402300799000000)

struct upload_record {
	struct str id;
	struct str user;   /* bare */
	struct str series; /* of his usage: another one once his account was made anew */
	struct str name;
	struct str type;   /* empty: none was named */
	uint64_t bytes;
	enum upload_purpose purpose;
	int64_t at_us;     /* wall clock: it was uploaded */
	int64_t due_us;    /* the same: it goes; UPLOAD_NEVER_US */
};

struct store_place upload_log(struct str host);
/* Into the transaction, at the log of host. */
void upload_record_add(struct store_tx *tx, struct str host,
	const struct upload_record *r);
/* In the arena of a.  False: the entry is nothing that we have written. */
bool upload_record_read(struct upload_record *r, struct arena *a,
	const struct store_entry *e);

/* Whose maps are those of user at host: the localpart of an account there, or what no
 * localpart is (RFC 7622 §3.3), for one of elsewhere; in the arena of a. */
struct str upload_owner(struct arena *a, struct str host, struct str user);
/* Is it an account of host? */
bool upload_is_local(struct str host, struct str user);

#endif
