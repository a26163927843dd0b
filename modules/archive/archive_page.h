/*
 * archive_page.h - a page that is put together, between the files that do so;
 * archive_page.c draws it.
 *
 * Owner shard of the account.
 */
#ifndef MODULES_ARCHIVE_ARCHIVE_PAGE_H
#define MODULES_ARCHIVE_ARCHIVE_PAGE_H

#include "archive.h"

/* Of the store, at once. */
#define SLICE_BYTES ((size_t)128 * 1024)

/* Ids, in the arena of the iq. */
struct ids VEC(struct str);

enum page_step { PAGE_CHECK, PAGE_WALK, PAGE_FETCH };

struct archive_page {
	TAILQ_ENTRY(archive_page) link;
	struct archive_session *of; /* NULL: the session has gone, and iq is
				     * answered */
	struct session *session;    /* while of is set */
	struct module_entry *entry;
	struct iq *iq;              /* kept */
	const struct archive_query *q;
	enum page_step step;
	bool reads;    /* the store is asked */
	bool waits;    /* for the client */
	bool passed;   /* nobody waits for it */
	bool from_end; /* it is the last of what there is between the bounds */
	bool downwards; /* it goes out from the newest */
	bool more;     /* it is not all that there is */
	struct str peer; /* of entries; STR_NONE: any */
	struct str full; /* an address as it stands in entries; STR_NONE: none */
	struct str lower, upper; /* bounds, not included; STR_NONE: none */
	uint32_t max;
	uint32_t found;  /* of the page */
	uint32_t looked; /* entries, for a full address */
	struct str cursor; /* walk: up to here; STR_NONE: it begins */
	struct ids ids;    /* check: what is asked for; then: what is found */
	size_t n_bounds;   /* of these */
	size_t next;       /* of these: to be read */
	size_t n_meant;    /* check: of these, at the front, those that are meant */
	struct str first, last; /* as they went out; STR_NONE: nothing has */
};

/* --- archive_page.c ----------------------------------------------------------------- */

/* The next step is done, when the client keeps up; p may end. */
void archive_page_next(struct module_ctx *m, struct archive_page *p);
/* p ends. */
void archive_page_answer(struct module_ctx *m, struct archive_page *p);
void archive_page_fail(struct module_ctx *m, struct archive_page *p,
	enum stanza_cond cond, const char *text);
/* For whoever has asked the store: the module as it is in force now; NULL: p has ended,
 * for err, or because somebody else has. */
struct module_ctx *archive_page_read(struct archive_page *p, const struct err *err);
struct store_place archive_page_place(const struct archive_page *p);
/* Is an entry of the full address, if one is asked for? */
bool archive_page_is_of_full(const struct archive_page *p,
	const struct store_entry *e);
/* Writes an entry to the client. */
void archive_page_show(struct archive_page *p, const struct store_entry *e,
	const struct stanza *like);
/* What those that count and slow look at, for archive_page_show(): owned. */
struct stanza *archive_page_like(const struct archive_page *p);

/* --- archive_ids.c ---------------------------------------------------------------------- */

/* What the query names has to be there, all of it.  One bound below and one above the
 * store looks for: p walks then.  False: the query names one that cannot be. */
bool archive_page_set_bounds(struct archive_page *p);
void archive_page_check(struct module_ctx *m, struct archive_page *p);
void archive_page_fetch(struct module_ctx *m, struct archive_page *p);
/* What was found goes out from its end. */
void archive_page_turn(struct archive_page *p);

#endif
