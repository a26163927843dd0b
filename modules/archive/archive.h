/*
 * archive.h - between the files of the module: what an account has sent and got.
 *
 * Owner shard of the account.
 */
#ifndef MODULES_ARCHIVE_ARCHIVE_H
#define MODULES_ARCHIVE_ARCHIVE_H

#include <sys/queue.h>

#include "module/module.h"

#define ARCHIVE LOG_ARCHIVE /* and the map */

#define KEY_STRANGERS "strangers"
#define KEY_PREFS "prefs"

struct archive_conf {
	int64_t keep_us;
	uint64_t max_bytes;
	uint64_t host_bytes; /* 0: no bound */
	uint64_t stranger_bytes;
	int64_t page_max;
	bool client_trim;
	bool search;
	bool inbox;
};

/* What strangers have added, and what is forgotten of it since then. */
struct strangers {
	uint64_t bytes;
	uint64_t charged; /* what the map says; never less */
	uint64_t added;   /* since it was read */
	int64_t wall_us;
};

/* In the slot of an account: of its last entry, and of those that are on their way
 * to the disk.  A clock that was set back does not turn the order of times. */
struct archive_state {
	struct strangers strangers;
	uint64_t last;
	int64_t last_us;
	uint64_t room; /* to fill before entries go; 0: it is not known */
	struct archive_prefs *prefs; /* owned; NULL: all is wanted */
};

struct archive_asked;
struct archive_inbox;
struct archive_prefs;

/* In the slot of a session: the pages that its client has asked for, of which the
 * first is under way. */
struct archive_session {
	TAILQ_HEAD(, archive_asked) pages;
	LIST_HEAD(, archive_inbox) inboxes;
	uint64_t read; /* the last number when it asked for what there is, before it
			* was available; 0: it did not */
};

struct retract;

/* In the slot of a shard. */
struct archive_shard {
	TAILQ_HEAD(, retract) retracts; /* see archive_retract.c */
	unsigned n_retracts;
	struct turn_end begin; /* with those that have come in this turn */
	struct archive_sweeps sweeps; /* of hosts whose place this is */
};

/* --- archive.c -------------------------------------------------------------------- */

bool account_has_archive(const struct account *acc);

/* --- archive_prefs.c ---------------------------------------------------------------- */

/* Does the owner want what who says, or what he says to who, to be archived?  prefs
 * may be NULL. */
bool archive_is_wanted(const struct archive_prefs *prefs, const struct account *acc,
	struct jid who);
/* In place of *prefs_io, what text, of the store, says. */
void archive_prefs_read(struct archive_prefs **prefs_io, const struct account *acc,
	struct str text);
/* Copes with NULL. */
void archive_prefs_free(struct archive_prefs *prefs);
enum hook_result archive_on_prefs_get(struct module_ctx *m, struct iq *iq);
enum hook_result archive_on_prefs_set(struct module_ctx *m, struct iq *iq);

/* --- archive_query.c: what the owner may ask ----------------------------------- */

enum hook_result archive_on_form(struct module_ctx *m, struct iq *iq);
enum hook_result archive_on_query(struct module_ctx *m, struct iq *iq);
/* XEP-0313 §8.1: of anybody else, whether there is such an account or not. */
enum hook_result archive_on_others(struct module_ctx *m, struct iq *iq);

/* Features that depend on the configuration. */
enum hook_result archive_on_disco(struct module_ctx *m, void *arg);

/* --- archive_metadata.c --------------------------------------------------------- */

enum hook_result archive_on_metadata(struct module_ctx *m, struct iq *iq);

/* --- archive_trim.c --------------------------------------------------------------- */

enum hook_result archive_on_trim(struct module_ctx *m, struct iq *iq);
enum hook_result archive_on_trim_by_others(struct module_ctx *m, struct iq *iq);

/* --- archive_asked.c -------------------------------------------------------------- */

/* Answers iq, which s has sent, with a page of at most max; q lies in its arena. */
void archive_pages_begin(struct module_ctx *m, struct session *s, struct iq *iq,
	const struct archive_query *q, uint32_t max);
/* The client takes something again. */
void archive_pages_go_on(struct module_ctx *m, struct session *s);
/* Those that are not answered yet are, with an error. */
void archive_pages_end(struct archive_session *as, enum stanza_cond cond);

/* --- archive_inbox.c -------------------------------------------------------------- */

enum hook_result archive_on_inbox(struct module_ctx *m, struct iq *iq);
enum hook_result archive_on_inbox_of_others(struct module_ctx *m, struct iq *iq);
/* As archive_pages_go_on(), archive_pages_end(). */
void archive_inboxes_go_on(struct module_ctx *m, struct session *s);
void archive_inboxes_end(struct archive_session *as, enum stanza_cond cond);

/* --- archive_retract.c ------------------------------------------------------------- */

/* st was added by this id, as one of the messages that acc exchanges with with; where
 * it retracts one of them, that becomes a tombstone, soon. */
void archive_retract(struct module_ctx *m, struct account *acc,
	const struct stanza *st, struct jid with, struct str id);
void archive_retracts_done(struct archive_shard *as);

/* --- archive_command.c ------------------------------------------------------------- */

extern const struct command archive_commands[];

#endif
