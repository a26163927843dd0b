/*
 * archive_page.h - a page of an archive that is put together (XEP-0313 §4.2, §4.3): what
 * of the archive is to be read next, what of that goes out, and when it is over.
 *
 * Who asks reads the store, and a table of functions says to whom the page goes; nothing
 * here waits, or knows whose archive it is:
 *
 *	archive_page_begin --> archive_page_reads --the store--> archive_page_take
 *	                            ^                              |  |    show, show, ...
 *	                            '-- ARCHIVE_GOES_ON -----------'  '--> whole, or failed
 *
 * Owner shard of the archive.
 */
#ifndef ARCHIVE_ARCHIVE_PAGE_H
#define ARCHIVE_ARCHIVE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"
#include "xmpp/error.h"
#include "store/store.h"
#include "archive/archive_form.h"

struct arena;
struct elem;
struct xml_pool;

/* Of the store, at once. */
#define ARCHIVE_SLICE_BYTES ((size_t)128 * 1024)

/* To whom a page goes. */
struct archive_reader {
	/* Is e meant, beside what the store finds?  It is asked where the page sifts. */
	bool (*is_meant)(void *arg, const struct store_entry *e);
	/* It is the next one of the page. */
	void (*show)(void *arg, const struct store_entry *e);
};

/* Ids, in the arena of the page. */
struct archive_ids VEC(struct str);

enum archive_step { ARCHIVE_CHECK, ARCHIVE_WALK, ARCHIVE_FETCH };

struct archive_page {
	/* Set by who asks, before archive_page_begin(); all of it outlives the page. */
	struct arena *a;
	const struct archive_query *q;
	struct xml_pool *xml;
	const struct archive_reader *to;
	void *arg;          /* of those functions */
	struct str peer;    /* of entries; STR_NONE: any */
	bool sifts;         /* is_meant() is to be asked */
	uint32_t max;       /* entries */
	size_t max_bytes;   /* it ends with the entry that reaches this; 0: no bound */
	/* its own */
	enum archive_step step;
	bool from_end;  /* it is the last of what there is between the bounds */
	bool downwards; /* it goes out from the newest */
	bool more;      /* it is not all that there is */
	struct str lower, upper; /* bounds, not included; STR_NONE: none */
	uint32_t found;  /* of the page */
	size_t bytes;    /* the same, with STORE_ENTRY_BYTES for each */
	uint32_t looked; /* entries, where it sifts */
	struct str cursor; /* walk: up to here; STR_NONE: it begins */
	struct archive_ids ids; /* check: what is asked for; then: what is found */
	struct VEC(size_t) sizes; /* check: of those that are meant */
	size_t n_bounds;   /* of ids */
	size_t next;       /* of ids: to be read */
	size_t n_meant;    /* check: of ids, at the front, those that are meant */
	struct str first, last; /* as they went out; STR_NONE: nothing has */
	enum stanza_cond cond;  /* why it has failed, */
	const char *why;        /* and for people; or NULL */
};

enum archive_outcome { ARCHIVE_GOES_ON, ARCHIVE_IS_WHOLE, ARCHIVE_FAILS };

enum archive_outcome archive_page_begin(struct archive_page *p);

/* What is to be read, of one that goes on; borrowed until it is taken. */
struct archive_read {
	bool by_ids; /* these, of ARCHIVE_SLICE_BYTES; else the range */
	const struct str *ids;
	size_t n_ids;
	struct store_range range;
};

void archive_page_reads(const struct archive_page *p, struct archive_read *out);
/* What the store has answered. */
enum archive_outcome archive_page_take(struct archive_page *p,
	const struct store_answer *answer, const struct err *err);
/* What is said of one that is whole, as children of fin. */
void archive_page_fin(const struct archive_page *p, struct elem *fin);

#endif
