/*
 * dns_dane.h - what signed records say of the certificates of targets: TLSA, at the
 * port and name where SRV has led, or at the domain itself (RFC 7673 §3); and first at
 * the name to which signed CNAMEs lead from there (RFC 7671 §7).
 *
 *	targets --> addresses, expanded --> dane_ask() --> dane_read()
 *
 * Nothing is asked where the way to a target is not signed, and what is not signed
 * says nothing.  Any thread; pure functions on questions of dns.h.
 */
#ifndef DNS_DNS_DANE_H
#define DNS_DNS_DANE_H

#include <stddef.h>

#include "dns/dns_targets.h"

struct tls_dane;

enum dane_state {
	DANE_UNSIGNED, /* nothing is asked, or the answer is not signed */
	DANE_NONE,     /* it is sure that there is no record */
	DANE_FOUND,
	DANE_BOGUS,    /* nobody is to be connected to there (§3.4), */
	DANE_FAILED,   /* nor where it is not known */
};

/* Of one target. */
struct dane {
	enum dane_state state;
	struct tls_dane *records; /* of the caller, tls_dane_unref(): NULL: the
				   * name of the target says nothing; it may have
				   * none in it */
	char why[TARGETS_WHY_SIZE]; /* BOGUS, FAILED: in words, with the name */
};

/* How many parts there may be for each target. */
#define DANE_PARTS_MAX 2

/* Adds parts to q for each of n targets from t that is to be asked about: its way is
 * signed, and so are addresses of it.  Returns how many that were. */
size_t dane_ask(struct dns_question *q, const struct target *t, size_t n,
	const struct target_addresses *a);
/* From the answer, which may be NULL when nothing was asked; t, n and a as they were:
 * into each of n of out. */
void dane_read(struct dane *out, const struct dns_question *q,
	const struct target *t, size_t n, const struct target_addresses *a);

#endif
