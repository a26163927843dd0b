/*
 * stream_talk.c - what a stream says to rooms, and to whoever else has a line: it rests
 * while too much of that waits (core/entity_line.h).
 *
 * For streams that bring what many say and do not count it: of components, and of
 * servers.  Owner shard.  Invariant: it is there from the first such stanza on.
 */
#include "config.h"

#include "stream/stream.h"

#include "base/mem.h"
#include "base/memuse.h"
#include "core/entity_line.h"
#include "core/receipt.h"

struct stream_talk {
	struct stream *x;
	struct receipt_line line;
};

static void
talk_look(struct stream_talk *t)
{
	if (entity_line_is_heavy(&t->line, LINE_PART_OF_MANY))
		stream_rest(t->x, REST_TALK);
	else if ((t->x->rest & REST_TALK) != 0 &&
		entity_line_is_light(&t->line, LINE_PART_OF_MANY))
		stream_go_on(t->x, REST_TALK);
}

static void
on_moved(struct turn_end *end)
{
	struct stream_talk *t = CONTAINER_OF(end, struct stream_talk, line.moved);

	if (t->x->stage != STAGE_CLOSED)
		talk_look(t);
}

static struct stream_talk *
talk_new(struct stream *x)
{
	struct stream_talk *t = xcalloc(1, sizeof(*t));

	memuse_add_part(MEMUSE_STREAM, t);
	t->x = x;
	receipt_line_begin(&t->line, x->shard, 0, on_moved);
	return t;
}

void
stream_talk(struct stream *x, struct stream_talk **talk_io, struct stanza *st)
{
	if (!entity_line_is_for(x->shard, st))
		return;
	if (*talk_io == NULL)
		*talk_io = talk_new(x);
	entity_line_weigh(&(*talk_io)->line, st);
	talk_look(*talk_io);
}

void
stream_talk_free(struct stream_talk *t)
{
	if (t == NULL)
		return;
	receipt_line_end(&t->line);
	memuse_remove_part(MEMUSE_STREAM, t);
	free(t);
}
