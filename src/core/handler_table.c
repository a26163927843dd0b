/*
 * handler_table.c - a hash table of chains.
 */
#include "config.h"

#include "core/handler_table.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "xml/elem.h"

#define KEY_MAX 1024

static size_t
handler_key(char *out, struct str ns, struct str name)
{
	if (ns.n + 1 + name.n > KEY_MAX)
		return 0;
	memcpy(out, ns.p, ns.n);
	out[ns.n] = ' ';
	memcpy(out + ns.n + 1, name.p, name.n);
	return ns.n + 1 + name.n;
}

const struct handler_entry *
handler_table_find(const struct handler_entry *table, const struct elem *e)
{
	const struct handler_entry *entry = NULL;
	char key[KEY_MAX];
	size_t n = handler_key(key, e->ns, e->name);

	if (n != 0)
		HASH_FIND(hh, table, key, (unsigned)n, entry);
	return entry;
}

void
handler_table_add(struct handler_entry **table, const char *ns,
	const char *name, struct module_ctx *ctx, const void *row)
{
	char key[KEY_MAX];
	size_t n = handler_key(key, str_c(ns), str_c(name));
	struct handler_entry *entry = xcalloc(1, sizeof(*entry) + n);
	struct handler_entry *first;

	entry->row = row;
	entry->ctx = ctx;
	memcpy(entry->key, key, n);
	HASH_FIND(hh, *table, key, (unsigned)n, first);
	if (first == NULL) {
		HASH_ADD_KEYPTR(hh, *table, entry->key, (unsigned)n, entry);
		return;
	}
	while (first->next != NULL)
		first = first->next;
	first->next = entry;
}

void
handler_table_free(struct handler_entry **table)
{
	struct handler_entry *entry, *next;

	HASH_ITER (hh, *table, entry, next) {
		struct handler_entry *chained = entry->next;

		HASH_DEL(*table, entry);
		free(entry);
		while (chained != NULL) {
			entry = chained->next;
			free(chained);
			chained = entry;
		}
	}
}
