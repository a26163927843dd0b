/*
 * receipt.c - receipts that are out, and how they come home.
 *
 * Holders let go on any shard; line, link and number are touched at home alone.
 * Invariant: a receipt is in the list of its line until it has come home, or the
 * line has ended.
 */
#include "config.h"

#include "core/receipt.h"

#include <assert.h>

#include "base/mailbox.h"
#include "base/mem.h"
#include "base/ref.h"

struct receipt_out {
	struct receipt head;
	struct ref ref;
	uint32_t number;
	size_t bytes; /* 0: it was not weighed */
	struct receipt_line *line; /* NULL: it has ended */
	TAILQ_ENTRY(receipt_out) link;
	struct shard *home;
	struct mail mail; /* brings it there */
};

static void
receipt_home(struct receipt_out *o)
{
	struct receipt_line *line = o->line;

	if (line != NULL) {
		TAILQ_REMOVE(&line->out, o, link);
		line->n_out--;
		line->bytes -= o->bytes;
		shard_at_end(line->home, &line->moved);
	}
	free(o);
}

static void
on_home(struct mail *m, void *owner)
{
	struct receipt_out *o = CONTAINER_OF(m, struct receipt_out, mail);

	assert(shard_arg(owner) == o->home);
	receipt_home(o);
}

/* Without a shard, its threads have ended: there is one thread, and all is its. */
static void
on_let_go(struct receipt *r)
{
	struct receipt_out *o = CONTAINER_OF(r, struct receipt_out, head);
	struct shard *here = shard_current();

	if (!ref_drop(&o->ref))
		return;
	if (here == NULL || here == o->home)
		receipt_home(o);
	else
		shard_put(here, o->home, &o->mail);
}

void
receipt_hold(struct receipt *r)
{
	ref_take(&CONTAINER_OF(r, struct receipt_out, head)->ref);
}

/* --- lines ------------------------------------------------------------------- */

void
receipt_line_begin(struct receipt_line *line, struct shard *home,
	uint32_t received, void (*moved)(struct turn_end *t))
{
	*line = (struct receipt_line){
		.home = home,
		.moved.fn = moved,
		.received = received,
	};
	TAILQ_INIT(&line->out);
}

void
receipt_line_end(struct receipt_line *line)
{
	struct receipt_out *o;

	ASSERT_ON(line->home);
	TAILQ_FOREACH (o, &line->out, link)
		o->line = NULL;
	TAILQ_INIT(&line->out);
	line->n_out = 0;
	line->bytes = 0;
	shard_not_at_end(&line->moved);
}

uint32_t
receipt_line_handled(const struct receipt_line *line)
{
	const struct receipt_out *o = TAILQ_FIRST(&line->out);

	return o != NULL ? o->number - 1 : line->received;
}

bool
receipt_is_of(const struct receipt_line *line, const struct stanza *st,
	uint32_t *number_out)
{
	const struct receipt_out *o;

	ASSERT_ON(line->home);
	if (st->receipt == NULL || st->receipt->let_go != on_let_go)
		return false;
	o = CONTAINER_OF(st->receipt, struct receipt_out, head);
	/* of another shard's, only home is never written */
	if (o->home != line->home || o->line != line)
		return false;
	*number_out = o->number;
	return true;
}

void
receipt_give(struct receipt_line *line, struct stanza *st)
{
	struct receipt_out *o = xmalloc(sizeof(*o));

	ASSERT_ON(line->home);
	assert(st->receipt == NULL);
	o->head.let_go = on_let_go;
	ref_init(&o->ref);
	o->number = line->received;
	o->bytes = 0;
	o->line = line;
	o->home = line->home;
	o->mail.run = on_home;
	o->mail.bytes = sizeof(*o);
	TAILQ_INSERT_TAIL(&line->out, o, link);
	line->n_out++;
	st->receipt = &o->head;
}

void
receipt_weigh(struct receipt_line *line, const struct stanza *st)
{
	struct receipt_out *o = TAILQ_LAST(&line->out, receipt_outs);

	ASSERT_ON(line->home);
	assert(o != NULL && &o->head == st->receipt && o->bytes == 0);
	o->bytes = stanza_bytes(st);
	line->bytes += o->bytes;
}
