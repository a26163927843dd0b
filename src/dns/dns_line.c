/*
 * dns_line.c - whose question is next: askers in turns, and of each his oldest one,
 * unless too much of his is out already.
 *
 *   line_add --> in line --line_next--> out
 *                   |                    |
 *                   '------line_leave----'
 *
 * The thread of the DNS.  Invariant: an asker is in turns exactly while his first
 * question may go out; he is there as long as he has one, in line or out.
 */
#include "config.h"

#include "dns/dns_int.h"

#include <stdlib.h>

#include <uthash.h>

#include "base/mem.h"

struct line_asker {
	UT_hash_handle hh;
	uint64_t key; /* 0: nobody, who has no bound */
	size_t n_out; /* names */
	size_t n;     /* questions */
	struct line_items items; /* in line */
	TAILQ_ENTRY(line_asker) turn;
	bool in_turns;
};

void
line_init(struct line *l, size_t most)
{
	l->most = most;
	l->askers = NULL;
	TAILQ_INIT(&l->turns);
	TAILQ_INIT(&l->all);
}

static struct line_asker *
line_asker_get(struct line *l, uint64_t key)
{
	struct line_asker *who;

	HASH_FIND(hh, l->askers, &key, sizeof(key), who);
	if (who != NULL)
		return who;
	who = xcalloc(1, sizeof(*who));
	who->key = key;
	TAILQ_INIT(&who->items);
	HASH_ADD(hh, l->askers, key, sizeof(who->key), who);
	return who;
}

/* One question may always go out, however many names it has. */
static bool
asker_may(const struct line *l, const struct line_asker *who)
{
	const struct line_item *first = TAILQ_FIRST(&who->items);

	return first != NULL &&
		(who->key == 0 || who->n_out == 0 ||
			who->n_out + first->n <= l->most);
}

static void
asker_settle(struct line *l, struct line_asker *who)
{
	bool may = asker_may(l, who);

	if (may == who->in_turns)
		return;
	if (may)
		TAILQ_INSERT_TAIL(&l->turns, who, turn);
	else
		TAILQ_REMOVE(&l->turns, who, turn);
	who->in_turns = may;
}

void
line_add(struct line *l, struct line_item *i, uint64_t asker, size_t n)
{
	struct line_asker *who = line_asker_get(l, asker);

	*i = (struct line_item){ .asker = who, .n = n };
	who->n++;
	TAILQ_INSERT_TAIL(&who->items, i, behind);
	TAILQ_INSERT_TAIL(&l->all, i, later);
	asker_settle(l, who);
}

static void
item_leave_line(struct line *l, struct line_item *i)
{
	TAILQ_REMOVE(&i->asker->items, i, behind);
	TAILQ_REMOVE(&l->all, i, later);
}

struct line_item *
line_next(struct line *l, size_t room)
{
	struct line_asker *who = TAILQ_FIRST(&l->turns);
	struct line_item *i;

	if (who == NULL || TAILQ_FIRST(&who->items)->n > room)
		return NULL;
	i = TAILQ_FIRST(&who->items);
	item_leave_line(l, i);
	i->out = true;
	who->n_out += i->n;
	/* the others come first now */
	TAILQ_REMOVE(&l->turns, who, turn);
	who->in_turns = false;
	asker_settle(l, who);
	return i;
}

void
line_leave(struct line *l, struct line_item *i)
{
	struct line_asker *who = i->asker;

	if (who == NULL)
		return;
	if (i->out)
		who->n_out -= i->n;
	else
		item_leave_line(l, i);
	i->asker = NULL;
	asker_settle(l, who);
	if (--who->n != 0)
		return;
	HASH_DEL(l->askers, who);
	free(who);
}
