/*
 * link_end.c - the end of a link that counts, which waits for what its peer has yet to
 * acknowledge (XEP-0198 §4): or nobody would know what has come, and it would be sent
 * again, or answered.
 *
 *   link_end() --nothing is kept---------------------------> ops->end()
 *       | the peer is asked                                   ^   ^
 *       '--> takes nothing more --all is acknowledged---------'   |
 *                               --too late------------------------'
 *
 * Owner shard.
 */
#include "config.h"

#include "core/link.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/entity.h"
#include "core/link_kept.h"

/* For the answer, which is due at once (§4). */
#define END_US (5 * US_PER_S)

struct link_end {
	struct link *link;
	struct timer timer;
	enum stream_cond cond;
	char *text; /* or NULL */
};

static bool
link_owes(const struct link *l)
{
	return l->kept != NULL && l->kept->n != 0;
}

/* l may be gone behind that. */
static void
on_end_due(struct timer *t)
{
	struct link_end *e = CONTAINER_OF(t, struct link_end, timer);
	struct link *l = e->link;
	char *text = e->text;

	e->text = NULL;
	l->ops->end(l->stream, e->cond, text);
	free(text);
}

void
link_end(struct link *l, enum stream_cond cond, const char *text)
{
	struct link_end *e;

	ASSERT_OWNER(l->entity);
	if (l->end != NULL)
		return;
	if (!link_owes(l)) {
		l->ops->end(l->stream, cond, text);
		return;
	}
	e = xcalloc(1, sizeof(*e));
	e->link = l;
	e->cond = cond;
	e->text = text != NULL ? xstrdup(text) : NULL;
	l->end = e;
	l->gone = l->full = true;
	shard_timer(l->entity->shard, &e->timer, END_US, on_end_due);
	kept_finish(l->kept);
}

/* In the next turn: who calls still needs l. */
void
link_end_look(struct link *l)
{
	if (l->end != NULL && !link_owes(l))
		shard_timer(l->entity->shard, &l->end->timer, 0, on_end_due);
}

void
link_end_free(struct link *l)
{
	struct link_end *e = l->end;

	if (e == NULL)
		return;
	shard_timer_cancel(l->entity->shard, &e->timer);
	free(e->text);
	free(e);
	l->end = NULL;
}
