/*
 * archive_form.h - what a query of an archive asks for (XEP-0313 §4.1, §4.3,
 * XEP-0413, XEP-0431).
 *
 * Any thread; pure functions.
 */
#ifndef ARCHIVE_ARCHIVE_FORM_H
#define ARCHIVE_ARCHIVE_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"
#include "xmpp/rsm.h"

struct arena;
struct elem;

/* As many messages may be asked for by their ids. */
#define ARCHIVE_IDS_MAX 250
/* Bytes: it is written with each result. */
#define ARCHIVE_QUERYID_MAX 256

/* Zeroed, it asks for all. */
struct archive_query {
	struct str queryid; /* STR_NONE: none */
	struct jid with;    /* not set: anybody */
	struct str words;   /* as in struct store_range */
	int64_t since_us, until_us; /* as in struct store_range */
	struct str after_id, before_id; /* STR_NONE: no bound */
	bool by_ids;
	struct str *ids; /* in the arena */
	size_t n_ids;
	struct rsm rsm;
	bool descending; /* the newest come first, in the set and in its pages */
	bool flipped;    /* the page goes out from its end (§4.3.4) */
};

/* Reads <query/>, which may ask for words if search; texts are borrowed, or in the
 * arena of a.  COND_NONE; else why not, with a text for people that names the field. */
enum stanza_cond archive_query_read(struct arena *a, const struct elem *query,
	bool search, struct archive_query *out, const char **text_out);

/* Adds the form that says what may be asked (§4.1.5). */
void archive_form_add(struct arena *a, struct elem *parent, bool search);

/* Adds to <metadata/> from when on, or until when, the archive goes: name is "start" or
 * "end" (§5). */
void archive_end_add(struct arena *a, struct elem *metadata, const char *name,
	struct str id, int64_t wall_us);

#endif
