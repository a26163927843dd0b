/*
 * entity_visit.c - all entities of a class, wherever they are.
 *
 * Each on its own shard, one shard after the other, so that what the visitor
 * writes to needs no lock.  Those that strangers may ask for, items of a service,
 * are in a table of their own, so that accounts are not looked through for them.
 */
#include "config.h"

#include "base/mem.h"
#include "core/entity.h"

struct visit {
	const struct entity_class *class; /* compared, for its code may go */
	bool are_items;
	struct str domain;
	void (*each)(struct entity *e, void *arg);
	void (*done)(struct shard *from, void *arg);
	void *arg;
};

static void
visit_shard(struct shard *sh, void *arg)
{
	const struct visit *v = arg;
	const struct table *t = v->are_items ? &sh->items : &sh->entities;
	struct table_walk walk = table_walk(t);
	struct entity *e;

	while ((e = table_step(t, &walk)) != NULL) {
		if (e->class == v->class && e->state == ENTITY_LOADED &&
			(v->domain.p == NULL ||
				str_eq(jid_domain(e->jid), v->domain)))
			v->each(e, v->arg);
	}
}

static void
visit_end(struct shard *from, void *arg)
{
	struct visit v = *(struct visit *)arg;

	free(arg);
	v.done(from, v.arg);
}

void
entity_visit_all(struct shard *from, const struct entity_class *class,
	struct str domain, void (*each)(struct entity *e, void *arg),
	void (*done)(struct shard *from, void *arg), void *arg)
{
	struct visit *v = xmalloc(sizeof(*v));

	*v = (struct visit){ class, class->is_item != NULL, domain, each, done,
		arg };
	shard_visit_all(from, visit_shard, visit_end, v);
}
