/*
 * offline.h - between the files of the module: what waits for an account.
 *
 * Owner shard of the account.
 */
#ifndef MODULES_OFFLINE_OFFLINE_H
#define MODULES_OFFLINE_OFFLINE_H

#include "module/module.h"

#define MAP_SHARES "offline_shares"

/* What a message takes beside its text: two rows, their index, and the sender's
 * address twice. */
#define ENTRY_BYTES 256

struct flood;

/* What a session was given, and has not acknowledged. */
struct given {
	int64_t number;
	uint32_t session;
	uint64_t bytes;
	char *sender;
};

/* An entry that is over, but that a read which is under way may still show. */
struct gone {
	int64_t number;
	const void *deletion; /* which one, for comparing */
	enum { GONE_ASKED, GONE_DELETED, GONE_STUCK } state;
};

/* Of those who count: an entry stays until it is acknowledged. */
struct flight {
	struct VEC(struct given) given;
	struct VEC(struct gone) gone;
};

struct int64_list VEC(int64_t);

/* In the slot of an account. */
struct backlog {
	uint64_t n : 24;
	uint64_t bytes : 40;
	struct flood *flood; /* NULL: none is going on */
	struct quotas *senders; /* by bare address; apart: no contacts */
	/* Up to this entry they were delivered and could not be deleted, and
	 * do not count any more; 0: all could. */
	long long given;
	/* Up to this entry all were given to sessions, and it is still there; 0:
	 * look from the start. */
	int64_t read;
	struct flight *flight; /* NULL: nothing is */
};

/* One less is kept; of an entry of which nothing is known, sender is empty. */
static inline void
backlog_less(struct backlog *b, struct str sender, uint64_t bytes)
{
	b->n -= b->n != 0;
	b->bytes -= MIN(b->bytes, bytes);
	if (sender.n != 0)
		quotas_less(&b->senders, sender, bytes + ENTRY_BYTES);
}

/* Whatever was counted. */
static inline void
backlog_is_empty(struct backlog *b)
{
	b->n = 0;
	b->bytes = 0;
	quotas_free(&b->senders);
}

/* --- offline.c ---------------------------------------------------------------- */

/* What sender has now. */
void offline_share_write(struct store_tx *tx, struct account *acc,
	const struct backlog *b, struct str sender);

/* --- offline_whom.c ------------------------------------------------------------ */

/* Who has sent an entry; empty in those of an earlier version. */
struct str offline_sender(const struct store_entry *entry);
/* Behind the sender: for whom an entry is that has to stand behind others, the one
 * session that takes messages now. */
void offline_whom_write(const struct account *acc, struct buf *with);
/* That one, while it lives and takes messages; or NULL: it is for whoever comes. */
struct session *offline_whom(const struct account *acc,
	const struct store_entry *entry);

/* --- offline_flight.c ---------------------------------------------------------- */

/* Is there something that no session was given?  The account is told. */
bool offline_look(struct account *acc, const struct backlog *b);
/* How many entries its sessions have not acknowledged. */
size_t offline_in_flight(const struct account *acc);
/* A session, which keeps its output, was given it; or it is over at once. */
void offline_give(struct backlog *b, uint32_t session,
	const struct store_entry *entry, int64_t number);
/* Entries are over, n of them, and are deleted. */
void offline_over(struct module_ctx *m, struct account *acc,
	const int64_t *numbers, size_t n);
/* Numbers not to be given again, sorted; the caller frees it. */
struct int64_list offline_not_again(const struct account *acc,
	const struct backlog *b);
bool int64_list_has(const struct int64_list *l, int64_t number);
/* Are entries being deleted?  A number may be given anew then. */
bool offline_is_deleting(const struct backlog *b);
/* No read is under way. */
void offline_forget_gone(struct backlog *b);
bool offline_has_stuck(const struct backlog *b);
/* acc, unless it is NULL since it has left memory, gets again what it has got. */
void offline_log_undeleted(const struct account *acc, const struct err *err);
void offline_session_ends(struct backlog *b, const struct session *s);
void offline_flight_free(struct backlog *b);

/* --- offline_write.c ----------------------------------------------------------- */

/* What becomes of an entry. */
enum written {
	WRITTEN,     /* and over, or there is nothing to write */
	GIVEN,       /* it stays until it is acknowledged */
	NOT_WRITTEN, /* nobody has looked for it yet */
};

/* Does it name a message in the archive, and is not the message itself? */
bool offline_is_archived(const struct store_entry *entry);
/* entry, as the archive has it, and the next one is looked for from there on;
 * NULL: it is not there. */
const struct store_entry *offline_find_archived(const struct store_entry *entry,
	const struct store_answer *found, size_t *next_io);
/* Has the client of s (may be NULL) got it in the archive already? */
bool offline_was_read(struct session *s, const struct store_entry *entry);
/* found: in the archive, of which it is the next. */
enum written offline_write(struct session *s, const struct store_entry *entry,
	int64_t number, const struct store_answer *found, size_t *next_io);

/* --- offline_flood.c ---------------------------------------------------------- */

/* Unless there is nothing, or nobody who can take it now. */
void offline_flood_begin(struct module_ctx *m, struct account *acc);
/* A session has room again, or is none to wait for any more; or there is another
 * one, which must not be held up. */
void offline_flood_go_on(struct module_ctx *m, struct account *acc);
/* One more is kept behind what somebody has yet to get. */
void offline_flood_more(struct module_ctx *m, struct account *acc);
/* What a read that is under way shows is not in order any more. */
void offline_flood_again(struct backlog *b);
/* The last deletion is done; is one reading? */
void offline_flood_deleted(struct module_ctx *m, struct account *acc);
bool offline_flood_is_reading(const struct backlog *b);
/* A session has fallen asleep: nobody waits for it. */
void offline_flood_asleep(struct module_ctx *m, struct account *acc);
/* The account forgets b. */
void offline_flood_forget(struct backlog *b);

#endif
