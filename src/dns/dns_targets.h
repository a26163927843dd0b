/*
 * dns_targets.h - where a domain's servers are: what SRV records say, in the order
 * in which they are to be tried, and the addresses of those.
 *
 *	targets_ask()   --> targets_read():   who, on which port, with which TLS
 *	addresses_ask() --> addresses_read(): of one group of them, with the same
 *	                                      priority, each with its target
 *	                    targets_expand(): where CNAMEs have led
 *
 * RFC 2782, RFC 6120 §3.2, XEP-0368 and XEP-0495.  Any thread; pure functions on
 * questions of dns.h.
 */
#ifndef DNS_DNS_TARGETS_H
#define DNS_DNS_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "dns/dns.h"

struct rand_source;

/* What a zone may make us try; what is beyond is left out. */
#define TARGETS_MAX 12
#define TARGET_ADDRESSES_MAX 4 /* of one target */
#define ADDRESSES_MAX 16
/* From the first address on, others get that long. */
#define ADDRESSES_SOON_US (500 * INT64_C(1000))

/* A name, and what was said of it. */
#define TARGETS_WHY_SIZE (DNS_NAME_SIZE + DNS_WHY_SIZE + 88)

enum target_service { TARGET_CLIENT, TARGET_SERVER };

struct target {
	char name[DNS_NAME_SIZE];
	char base[DNS_NAME_SIZE]; /* where signed CNAMEs have led from there; "":
				   * nowhere, or it is not known yet */
	uint16_t port;
	uint16_t priority, weight;
	bool direct;  /* TLS from the first byte on: _xmpps */
	bool secure;  /* signed */
	bool itself;  /* the domain, which has no records */
};

enum targets_state {
	TARGETS_FOUND,
	TARGETS_NONE,   /* the domain says so itself, or does not exist */
	TARGETS_BOGUS,
	TARGETS_FAILED, /* it is not known; of one kind of TLS, if the other is
			 * signed (RFC 7673 §3.1) */
};

struct targets {
	enum targets_state state;
	bool srv;     /* the domain has such records; else this is the way for
		       * those without */
	size_t n;
	struct target list[TARGETS_MAX];
	char why[TARGETS_WHY_SIZE]; /* in words, with the name; FOUND: of one kind of
				     * TLS, which cannot be had; else "" */
};

/* Adds two parts to q: the records of both kinds of TLS.  name as dns_name() has
 * made it.  Returns the index of the first. */
size_t targets_ask(struct dns_question *q, const char *name,
	enum target_service service);
/* The name at which the records for a service and a kind of TLS are. */
void targets_name(char out[DNS_NAME_SIZE], const char *name,
	enum target_service service, bool direct);
/* The port where there are no records. */
uint16_t targets_port(enum target_service service, bool direct);
/* From the answer, whose two parts begin at index first. */
void targets_read(struct targets *out, const struct dns_question *q,
	size_t first, const char *name, enum target_service service,
	struct rand_source *r);

struct target_address {
	struct sockaddr_storage address; /* with the port */
	size_t target; /* index */
	bool secure;
};

struct target_addresses {
	size_t n;
	struct target_address list[ADDRESSES_MAX];
	char why[TARGETS_WHY_SIZE]; /* n == 0: in words */
};

/* Adds two parts for each of n targets to q. */
void addresses_ask(struct dns_question *q, const struct target *t, size_t n);
/* In the order to try: by target, IPv6 and IPv4 in turns (RFC 8305 §4). */
void addresses_read(struct target_addresses *out, const struct dns_question *q,
	size_t first, const struct target *t, size_t n);
/* From the same answer: the base of each of n targets from t. */
void targets_expand(struct target *t, size_t n, const struct dns_question *q,
	size_t first);
/* Those of that target are not to be tried (any more). */
void addresses_drop(struct target_addresses *a, size_t target);

#endif
