/*
 * module_ctx.c - keeps modules in memory, and finds them again at a host.
 */
#include "config.h"

#include "core/module_ctx.h"

#include "core/host.h"

void
module_entry_hold(struct module_entry *entry)
{
	atomic_fetch_add(&entry->pending, 1);
}

struct module_entry *
module_hold(struct module_ctx *m)
{
	module_entry_hold(m->entry);
	return m->entry;
}

/* Closing visits every shard before, this one among them, so that the caller has
 * returned by then. */
void
module_release(struct module_entry *entry)
{
	atomic_fetch_sub(&entry->pending, 1);
}

struct module_ctx *
module_at_host(const struct host *host, const struct module_entry *entry)
{
	for (size_t i = 0; i < host->n_modules; i++) {
		if (host->modules[i].entry == entry)
			return &host->modules[i];
	}
	return NULL;
}
