/*
 * link_run.c - what a link that counts has written to many, and has not been
 * acknowledged: the wire once, and to whom.
 *
 * Owner shard.  Invariant: the bytes of a run change only when that before it goes.
 */
#include "config.h"

#include "core/link_run.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "core/link.h"
#include "core/wire.h"

/* Of one: so much text at first, and so much at most, where it does not take more for
 * a single address.  Memory goes back by the run. */
#define TEXT_MIN 200
#define TEXT_MAX 4096

/* --- to whom ------------------------------------------------------------------- */

static void
run_add(struct link_run *r, struct str to)
{
	uint16_t n = (uint16_t)to.n;

	memcpy(r->text + r->used, &n, sizeof(n));
	memcpy(r->text + r->used + sizeof(n), to.p, n);
	r->used += (uint32_t)sizeof(n) + n;
	r->n++;
}

/* *at_io moves on behind it. */
static struct str
run_to(const struct link_run *r, uint32_t *at_io)
{
	uint16_t n;
	struct str to;

	memcpy(&n, r->text + *at_io, sizeof(n));
	to = (struct str){ r->text + *at_io + sizeof(n), n };
	*at_io += (uint32_t)sizeof(n) + n;
	return to;
}

struct jid
run_from(const struct link_run *r)
{
	return jid_trusted((struct str){ r->text, r->n_from });
}

/* --- adding, and dropping --------------------------------------------------------- */

static bool
run_takes(const struct link_run *r, const struct wire *w, struct str to,
	uint32_t number)
{
	return r->wire == w && r->number + r->n == number &&
		r->size - r->used >= sizeof(uint16_t) + to.n;
}

/* Behind last, which may be NULL: that of many is larger each time. */
static struct link_run *
run_new(const struct link_run *last, const struct stanza *st, struct wire *w,
	struct str to, uint32_t number)
{
	struct str from = jid_str(st->from);
	bool more = last != NULL && last->wire == w;
	size_t size = MAX(more ? MIN(last->size * 4, TEXT_MAX) : TEXT_MIN,
		from.n + sizeof(uint16_t) + to.n);
	struct link_run *r = xmalloc(sizeof(*r) + size);

	*r = (struct link_run){
		.wire = wire_ref(w),
		.share = arena_share(st->arena),
		.bytes = sizeof(*r) + size + (more ? 0 : wire_bytes(w)),
		.number = number,
		.type = st->type,
		.made_here = st->made_here,
		.n_from = (uint16_t)from.n,
		.at = (uint32_t)from.n,
		.used = (uint32_t)from.n,
		.size = (uint32_t)size,
	};
	memcpy(r->text, from.p, from.n);
	memuse_add_part(MEMUSE_QUEUE, r);
	share_count(r->share, (int64_t)(sizeof(*r) + r->size));
	wire_count(w, r->share);
	return r;
}

size_t
runs_add(struct link_runs *runs, const struct stanza *st, struct wire *w,
	struct str to, uint32_t number)
{
	struct link_run *r = TAILQ_LAST(runs, link_runs);
	size_t bytes = 0;

	if (r == NULL || !run_takes(r, w, to, number)) {
		r = run_new(r, st, w, to, number);
		TAILQ_INSERT_TAIL(runs, r, in);
		bytes = r->bytes;
	}
	run_add(r, to);
	return bytes;
}

/* The first one: the wire counts with the next that has it. */
static size_t
runs_free_first(struct link_runs *runs)
{
	struct link_run *r = TAILQ_FIRST(runs), *next = TAILQ_NEXT(r, in);
	size_t bytes = r->bytes;

	if (next != NULL && next->wire == r->wire) {
		next->bytes += wire_bytes(r->wire);
		bytes -= wire_bytes(r->wire);
	}
	TAILQ_REMOVE(runs, r, in);
	share_count(r->share, -(int64_t)(sizeof(*r) + r->size));
	wire_unref(r->wire);
	memuse_remove_part(MEMUSE_QUEUE, r);
	free(r);
	return bytes;
}

size_t
runs_drop(struct link_runs *runs, uint32_t n)
{
	struct link_run *r = TAILQ_FIRST(runs);

	if (n >= r->n)
		return runs_free_first(runs);
	for (uint32_t i = 0; i < n; i++)
		(void)run_to(r, &r->at);
	r->number += n;
	r->n -= n;
	return 0;
}

/* --- once more --------------------------------------------------------------------- */

static struct stanza *
run_stanza(const struct link_run *r, const struct stanza *like, struct str to)
{
	struct stanza *st = stanza_copy(like);

	st->made_here = r->made_here;
	stanza_set_to(st, jid_trusted(to));
	return st;
}

/* A stream that does not take it has an answer for the stanza. */
static void
run_write_as_stanza(const struct link_run *r, struct str to, struct link *l)
{
	struct stanza *like = wire_stanza(r->wire);
	struct stanza *st = run_stanza(r, like, to);

	(void)l->ops->write(l->stream, st);
	stanza_free(st);
	stanza_free(like);
}

void
run_write(const struct link_run *r, struct link *l)
{
	uint32_t at = r->at;

	for (uint32_t i = 0; i < r->n; i++) {
		struct str to = run_to(r, &at);

		if (l->ops->write_wire == NULL ||
			!l->ops->write_wire(l->stream, r->wire, to))
			run_write_as_stanza(r, to, l);
	}
}

void
run_stanzas(const struct link_run *r, struct stanza_queue *back)
{
	struct stanza *like = wire_stanza(r->wire);
	uint32_t at = r->at;

	for (uint32_t i = 0; i < r->n; i++) {
		struct stanza *st = run_stanza(r, like, run_to(r, &at));

		STAILQ_INSERT_TAIL(back, st, link);
	}
	stanza_free(like);
}
