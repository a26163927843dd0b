/*
 * archive_page_int.h - between the files that put a page together.
 */
#ifndef ARCHIVE_ARCHIVE_PAGE_INT_H
#define ARCHIVE_ARCHIVE_PAGE_INT_H

#include "archive/archive_page.h"

/* --- archive_page.c ----------------------------------------------------------------- */

enum archive_outcome archive_page_fail(struct archive_page *p, enum stanza_cond cond,
	const char *why);
/* Is e meant, as far as the store does not say? */
bool archive_page_wants(const struct archive_page *p, const struct store_entry *e);
/* It goes out. */
void archive_page_show(struct archive_page *p, const struct store_entry *e);
/* What it counts in a page. */
size_t archive_entry_bytes(const struct store_entry *e);

/* --- archive_page_ids.c ------------------------------------------------------------- */

/* What the query names has to be there, all of it.  One bound below and one above the
 * store looks for: p walks then.  False: the query names one that cannot be. */
bool archive_page_set_bounds(struct archive_page *p);
enum archive_outcome archive_page_checked(struct archive_page *p,
	const struct store_answer *answer);
enum archive_outcome archive_page_fetched(struct archive_page *p,
	const struct store_answer *answer);
/* What was found goes out from its end. */
void archive_page_turn(struct archive_page *p);

#endif
