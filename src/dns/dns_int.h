/*
 * dns_int.h - what dns.c asks of dns_context.c.
 */
#ifndef DNS_DNS_INT_H
#define DNS_DNS_INT_H

#include <stdbool.h>

#include "dns/dns.h"

struct config_dns;
struct err;
struct ub_ctx;

/* The thread of the DNS. */

/* A context by that configuration; NULL with err.  *anchor_out is the name at which
 * trust begins, "" when signatures are not checked. */
struct ub_ctx *dns_context_new(const struct config_dns *conf, unsigned flags,
	char anchor_out[DNS_NAME_SIZE], struct err *err);

#endif
