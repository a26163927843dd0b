/*
 * link_run.h - of a link that counts: what it has written of one wire to several, one
 * after the other, until its peer has acknowledged it.  For link_kept.c.
 *
 *   wire <--- run: numbers 17 to 21, left of 12 to 21 --- to, to, to, to, to
 *
 * Owner shard.
 */
#ifndef CORE_LINK_RUN_H
#define CORE_LINK_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"
#include "xmpp/stanza.h"

struct link;
struct share;
struct wire;

struct link_run {
	TAILQ_ENTRY(link_run) in;
	struct wire *wire;     /* reference */
	struct share *share;   /* in which it counts; may be NULL */
	size_t bytes;          /* it holds: with the wire, if no run before it in the
				* queue has the same */
	uint32_t number;       /* of the first that is left */
	uint32_t n;            /* are left */
	enum stanza_type type; /* of each */
	bool made_here;
	uint16_t n_from;
	uint32_t at;           /* where the first that is left begins, in bytes of text */
	uint32_t used, size;
	char text[];           /* who has said it, and each to behind its length */
};

TAILQ_HEAD(link_runs, link_run);

/* st (borrowed), of which w is the wire, has been written to `to' with this number.
 * Returns the bytes by which the runs are more. */
size_t runs_add(struct link_runs *runs, const struct stanza *st, struct wire *w,
	struct str to, uint32_t number);
/* The first n (at least) of the first run are acknowledged; returns the bytes by
 * which they are less. */
size_t runs_drop(struct link_runs *runs, uint32_t n);
struct jid run_from(const struct link_run *r);
/* All that is left is written once more. */
void run_write(const struct link_run *r, struct link *l);
/* The same is appended to back as stanzas. */
void run_stanzas(const struct link_run *r, struct stanza_queue *back);

#endif
