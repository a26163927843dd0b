/*
 * rsm.h - result set management (XEP-0059): which page of many results is asked
 * for, and which one it is that goes out.
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_RSM_H
#define XMPP_RSM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "xmpp/error.h"

struct arena;
struct elem;

/* What a <set/> asks for; zeroed, it asks for the first page. */
struct rsm {
	bool has_max;
	uint32_t max;      /* UINT32_MAX also for what is larger */
	struct str after;  /* behind this one; STR_NONE: from the first */
	struct str before; /* up to this one; STR_NONE: no bound */
	bool backwards;    /* the last of them: <before/> was there, empty or
			    * not (§2.3, §2.5) */
	bool by_index;     /* from that of this index on (§2.6): */
	uint32_t index;
};

/*
 * Reads the <set/> in parent, if there is one; texts are borrowed, or in the arena
 * of a.  COND_NONE; else why not, with a text for people: bad-request for a maximum
 * that is no number, feature-not-implemented for a page that is asked for by its
 * index, but the first (§2.6).  Both after and before may be there, and are both kept to.
 */
enum stanza_cond rsm_read(struct arena *a, const struct elem *parent,
	struct rsm *out, const char **text_out);

/* The same of what can be counted: any index is taken, if nothing is said beside it;
 * UINT32_MAX also for what is larger. */
enum stanza_cond rsm_read_counted(struct arena *a, const struct elem *parent,
	struct rsm *out, const char **text_out);

/* What went out. */
struct rsm_page {
	struct str first, last; /* STR_NONE: it is empty */
	int64_t count;          /* of all results; -1: it is not told (§2.7) */
	bool by_index;          /* the index of the first of them is told: */
	uint64_t index;
};

/* Adds a <set/> that says so to parent. */
void rsm_add(struct arena *a, struct elem *parent, const struct rsm_page *page);

#endif
