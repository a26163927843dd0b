/*
 * archive_inbox.h - the conversations of an archive that are put together, between the
 * files that do so; archive_inbox.c draws it.
 *
 * Owner shard of the account.
 */
#ifndef MODULES_ARCHIVE_ARCHIVE_INBOX_H
#define MODULES_ARCHIVE_ARCHIVE_INBOX_H

#include "archive.h"

/* Markers of which the message has not been met; of more, the last count. */
#define MARKS_MAX 16

struct talk {
	struct str with, last; /* last: the id of its last entry */
	struct str message;    /* the id of its last message; STR_NONE: none is near */
	uint32_t unread;
};

struct archive_inbox {
	LIST_ENTRY(archive_inbox) link;
	struct archive_session *of; /* NULL: the session has gone, and iq is
				     * answered */
	struct session *session;    /* while of is set */
	struct module_entry *entry;
	struct iq *iq; /* kept; all that lies here is in its arena, but for walked */
	struct rsm rsm;
	bool messages, unread_only;
	bool reads;  /* the store is asked */
	bool waits;  /* for the client */
	bool passed; /* nobody waits for it */
	uint32_t max;
	struct talk *talks;
	size_t n;
	size_t at;       /* that is walked, or shown next */
	size_t begin, end; /* of the page */
	size_t n_asked;  /* from at on, of which the messages are read */
	size_t matches;  /* with the filter */
	struct elem *fin; /* of the answer */
	/* Of the one that is walked, in an arena of its own: what so many of them say
	 * is not to be there at once.  NULL: nothing of it has been read. */
	struct arena *walked;
	bool over; /* what is older has been read */
	uint32_t looked;
	struct str before; /* what is older has not been looked at */
	struct str marks[MARKS_MAX];
	size_t n_marks;
};

/* --- archive_inbox.c ---------------------------------------------------------------- */

void inbox_free(struct archive_inbox *ib);
/* The module as it is in force now; NULL: ib has ended, for err, or because somebody
 * else has. */
struct module_ctx *inbox_read(struct archive_inbox *ib, const struct err *err);
struct store_place inbox_place(const struct archive_inbox *ib);

/* --- archive_inbox_page.c ------------------------------------------------------------ */

/* All have been walked: the page is shown, as its client takes it; ib may end. */
void inbox_show_page(struct module_ctx *m, struct archive_inbox *ib);

#endif
