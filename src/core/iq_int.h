/*
 * iq_int.h - the table of iq handlers of a host, of host.c; and
 * requests that are done one by one, between iq.c and iq_alone.c.
 */
#ifndef CORE_IQ_INT_H
#define CORE_IQ_INT_H

#include <uthash.h>

#include "core/iq.h"

/* All handlers of one namespace and name, chained in the order of the modules. */
struct iq_entry {
	UT_hash_handle hh; /* key: namespace, a blank, name */
	struct iq_entry *next;
	const struct iq_handler *handler;
	struct module_ctx *ctx;
	char key[];
};

/* The chain for payload, or NULL. */
const struct iq_entry *host_iq_find(const struct host *host,
	const struct elem *payload);
/* While the snapshot is being made. */
void host_iq_add(struct host *host, struct module_ctx *ctx,
	const struct iq_handler *handler);

/* --- iq_alone.c ----------------------------------------------------------- */

/* False when another one of iq->entity is under way: its stanza is taken, and
 * dispatched again. */
bool iq_alone_begin(struct iq *iq);
/* It is answered, or nobody wants to. */
void iq_alone_end(struct iq *iq);
/* e leaves memory: what waits is dropped. */
void iq_alone_done(struct entity *e);
/* The same, but what waits is delivered again, to whom the address belongs then. */
void iq_alone_again(struct entity *e);

#endif
