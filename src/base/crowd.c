/*
 * crowd.c - members in groups, and the groups in order of their size.
 *
 * A level holds the groups of one size; levels form a list from small to large,
 * so that a group which grows or shrinks by one finds its new level beside the
 * old one, and the largest group stands at the end.
 *
 * Invariant: there is no empty group, and no level without a group.
 */
#include "config.h"

#include "base/crowd.h"

#include <assert.h>
#include <pthread.h>

#include <uthash.h>

#include "base/mem.h"

struct crowd_level {
	TAILQ_ENTRY(crowd_level) link;
	TAILQ_HEAD(, crowd_group) groups;
	size_t size;
};

struct crowd_group {
	UT_hash_handle hh;
	TAILQ_ENTRY(crowd_group) link; /* of its level */
	struct crowd_level *level;     /* NULL: it is new */
	TAILQ_HEAD(, crowd_member) members; /* the oldest first */
	uint8_t name_n;
	char name[CROWD_NAME_MAX];
};

struct crowd {
	pthread_mutex_t lock;
	struct crowd_group *groups;
	TAILQ_HEAD(crowd_levels, crowd_level) levels;
	size_t count;
};

struct crowd *
crowd_new(void)
{
	struct crowd *c = xcalloc(1, sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	TAILQ_INIT(&c->levels);
	return c;
}

void
crowd_free(struct crowd *c)
{
	if (c == NULL)
		return;
	assert(c->count == 0);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* --- levels --------------------------------------------------------------- */

static struct crowd_level *
level_new(size_t size)
{
	struct crowd_level *level = xcalloc(1, sizeof(*level));

	level->size = size;
	TAILQ_INIT(&level->groups);
	return level;
}

/* The level one above from, which may be NULL: below all of them. */
static struct crowd_level *
level_above(struct crowd *c, struct crowd_level *from)
{
	struct crowd_level *next = from != NULL ? TAILQ_NEXT(from, link) :
						  TAILQ_FIRST(&c->levels);
	size_t size = from != NULL ? from->size + 1 : 1;

	if (next != NULL && next->size == size)
		return next;
	next = level_new(size);
	if (from != NULL)
		TAILQ_INSERT_AFTER(&c->levels, from, next, link);
	else
		TAILQ_INSERT_HEAD(&c->levels, next, link);
	return next;
}

/* The level one below from; NULL: that of the empty groups. */
static struct crowd_level *
level_below(struct crowd_level *from)
{
	struct crowd_level *before = TAILQ_PREV(from, crowd_levels, link);
	size_t size = from->size - 1;

	if (size == 0)
		return NULL;
	if (before != NULL && before->size == size)
		return before;
	before = level_new(size);
	TAILQ_INSERT_BEFORE(from, before, link);
	return before;
}

/* to NULL: the group is in none any more. */
static void
group_move(struct crowd *c, struct crowd_group *g, struct crowd_level *to)
{
	struct crowd_level *from = g->level;

	if (from != NULL)
		TAILQ_REMOVE(&from->groups, g, link);
	if (from != NULL && TAILQ_EMPTY(&from->groups)) {
		TAILQ_REMOVE(&c->levels, from, link);
		free(from);
	}
	g->level = to;
	if (to != NULL)
		TAILQ_INSERT_TAIL(&to->groups, g, link);
}

/* --- members -------------------------------------------------------------- */

static struct crowd_group *
group_get(struct crowd *c, struct str name)
{
	struct crowd_group *g;

	assert(name.n <= CROWD_NAME_MAX);
	HASH_FIND(hh, c->groups, name.p, (unsigned)name.n, g);
	if (g != NULL)
		return g;
	g = xcalloc(1, sizeof(*g));
	TAILQ_INIT(&g->members);
	g->name_n = (uint8_t)name.n;
	memcpy(g->name, name.p, name.n);
	HASH_ADD_KEYPTR(hh, c->groups, g->name, (unsigned)name.n, g);
	return g;
}

static void
member_remove(struct crowd *c, struct crowd_member *m)
{
	struct crowd_group *g = m->group;

	TAILQ_REMOVE(&g->members, m, link);
	m->group = NULL;
	c->count--;
	group_move(c, g, level_below(g->level));
	if (g->level == NULL) {
		HASH_DEL(c->groups, g);
		free(g);
	}
}

bool
crowd_enter(struct crowd *c, struct crowd_member *m, struct str group,
	size_t max, struct crowd_leaver *gone_out)
{
	struct str name = group.n != 0 ? group : STR("");
	struct crowd_group *g;
	bool full;

	assert(m->group == NULL);
	pthread_mutex_lock(&c->lock);
	full = c->count != 0 && c->count >= max;
	if (full) {
		g = TAILQ_FIRST(&TAILQ_LAST(&c->levels, crowd_levels)->groups);
		*gone_out = (struct crowd_leaver){
			TAILQ_FIRST(&g->members)->home,
			TAILQ_FIRST(&g->members)->token,
		};
		member_remove(c, TAILQ_FIRST(&g->members));
	}
	g = group_get(c, name);
	group_move(c, g, level_above(c, g->level));
	TAILQ_INSERT_TAIL(&g->members, m, link);
	m->group = g;
	c->count++;
	pthread_mutex_unlock(&c->lock);
	return full;
}

bool
crowd_move(struct crowd *c, struct crowd_member *m, uint32_t home,
	uint64_t token)
{
	bool is_in;

	pthread_mutex_lock(&c->lock);
	is_in = m->group != NULL;
	m->home = home;
	m->token = token;
	pthread_mutex_unlock(&c->lock);
	return is_in;
}

void
crowd_leave(struct crowd *c, struct crowd_member *m)
{
	pthread_mutex_lock(&c->lock);
	if (m->group != NULL)
		member_remove(c, m);
	pthread_mutex_unlock(&c->lock);
}
