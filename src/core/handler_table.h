/*
 * handler_table.h - handlers of a host that are found by (namespace, name): those
 * of requests (iq.h), and of elements of a stream (element.h).
 *
 * Made with the snapshot, and read by any thread as long as that lives.
 */
#ifndef CORE_HANDLER_TABLE_H
#define CORE_HANDLER_TABLE_H

#include <uthash.h>

struct elem;
struct module_ctx;

struct handler_entry {
	UT_hash_handle hh; /* key: namespace, a blank, name */
	struct handler_entry *next; /* with the same, in the order of the
				     * modules */
	const void *row; /* of the module's table */
	struct module_ctx *ctx;
	char key[];
};

/* --- while the snapshot is being made ---------------------------------------- */

/* A table is NULL at first. */
void handler_table_add(struct handler_entry **table, const char *ns,
	const char *name, struct module_ctx *ctx, const void *row);
void handler_table_free(struct handler_entry **table);

/* --- any thread -------------------------------------------------------------- */

/* The chain for e, or NULL. */
const struct handler_entry *handler_table_find(
	const struct handler_entry *table, const struct elem *e);

#endif
