/*
 * iq_int.h - the table of iq handlers of a host, between host.c and iq.c.
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

#endif
