/*
 * link_kept.h - of a link that counts: what it has written, until its peer has
 * acknowledged it.  Between link.c and link_kept.c.
 *
 * Owner shard.
 */
#ifndef CORE_LINK_KEPT_H
#define CORE_LINK_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timer.h"
#include "core/link.h"
#include "core/link_run.h"

struct link_kept {
	struct shard *shard;
	struct link *link;           /* NULL: it has left */
	struct stanza_queue stanzas; /* written, in order */
	struct link_runs runs;       /* and among them, by their numbers */
	uint32_t n;                  /* of both */
	uint32_t acked;              /* the number before that of the first */
	size_t bytes;
	uint32_t unasked;     /* written since it was asked */
	bool asked;           /* and has not answered */
	bool gained;          /* something was acknowledged to this link */
	char *id;             /* by which a next stream can go on; NULL: none can */
	void *back;           /* has counted what came back by it; or NULL */
	void (*drop_back)(void *back);
	bool untold;          /* of that, perhaps, its peer */
	uint64_t taken;       /* bytes, when judge_us was set */
	int64_t ask_us;       /* when to ask; 0: not yet */
	int64_t judge_us;     /* when it has to have said more; 0: it has all */
	struct timer timer;   /* the first of these */
};

/* st (taken) was written. */
void kept_add(struct link_kept *k, struct stanza *st);
/* The same of w, the wire of st (borrowed), to one of many. */
void kept_add_shared(struct link_kept *k, const struct stanza *st,
	struct wire *w, struct str to);
/* No more is to be written, until more is acknowledged. */
bool kept_is_full(const struct link_kept *k);
/* Its link ends, and writes no more: the peer is asked about all. */
void kept_finish(struct link_kept *k);
/* Its link has left. */
void kept_detach(struct link_kept *k);

/* --- link.c -------------------------------------------------------------------- */

/* The link ends soon. */
void link_cut(struct link *l, const char *why);
/* More may be written: what waits is. */
void link_go_on(struct link *l);

/* --- link_end.c ---------------------------------------------------------------- */

/* It may have acknowledged all. */
void link_end_look(struct link *l);
/* It leaves. */
void link_end_free(struct link *l);

#endif
