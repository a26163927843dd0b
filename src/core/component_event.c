/*
 * component_event.c - tells modules of all hosts that components come and go, and
 * those what modules have to say to them.
 *
 * Owner shard of the component.
 */
#include "config.h"

#include "core/component.h"

#include "core/entity.h"
#include "core/host.h"
#include "core/link.h"

void
component_run_hooks(struct entity *e, enum hook_id hook, struct link *l,
	const struct snapshot *before)
{
	const struct host *own = component_host(e->shard, jid_str(e->jid));
	struct component_event event = {
		.component = e,
		.conf = own != NULL ? own->component : NULL,
		.link = l,
		.before = before,
	};

	for (const struct host *h = e->shard->snap->hosts; h != NULL;
		h = h->hh.next)
		hook_run(h, hook, &event);
}

void
component_tell(const struct entity *e, struct stanza *st)
{
	struct link *l, *next;

	for (l = LIST_FIRST(component_links(e)); l != NULL; l = next) {
		next = LIST_NEXT(l, in);
		link_send(l, stanza_copy(st));
	}
	stanza_free(st);
}

void
components_reloaded(struct shard *sh, const struct snapshot *before)
{
	struct table_walk walk = table_walk(&sh->items);
	struct entity *e;

	while ((e = table_step(&sh->items, &walk)) != NULL) {
		if (e->class != &component_class ||
			LIST_EMPTY(component_links(e)))
			continue;
		component_show_anew(e);
		component_run_hooks(e, HOOK_COMPONENT_RELOADED, NULL, before);
	}
}
