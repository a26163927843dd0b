/*
 * dns_dane.c - asks for records of TLSA, and reads them.
 *
 * Invariant: what has not come signed, from the root on, is in no struct tls_dane.
 */
#include "config.h"

#include "dns/dns_dane.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "net/tls_dane.h"
#include "dns/dns_records.h"

#define NAME_MAX_TEXT 253
#define PREFIX_MAX_TEXT 12 /* "_65535._tcp." */

static void
dane_name(char out[TLS_DANE_AT_SIZE], const struct target *t)
{
	snprintf(out, TLS_DANE_AT_SIZE, "_%u._tcp.%s", t->port, t->name);
}

/* RFC 7673 §3.2 */
static bool
target_has_signed_address(const struct target_addresses *a, size_t target)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].target == target && a->list[i].secure)
			return true;
	return false;
}

/* Without SRV, what is signed is the name itself. */
static bool
target_is_asked(const struct target *t, size_t target,
	const struct target_addresses *a)
{
	return (t[target].secure || t[target].itself) &&
		/* a longer name cannot have any */
		strlen(t[target].name) <= NAME_MAX_TEXT - PREFIX_MAX_TEXT &&
		(a == NULL || target_has_signed_address(a, target));
}

size_t
dane_ask(struct dns_question *q, const struct target *t, size_t n,
	const struct target_addresses *a)
{
	size_t before = q->n;

	for (size_t i = 0; i < n; i++) {
		char name[TLS_DANE_AT_SIZE];

		if (!target_is_asked(t, i, a))
			continue;
		dane_name(name, &t[i]);
		dns_question_add(q, name, DNS_TLSA);
	}
	return q->n - before;
}

static void
dane_take(struct dane *out, const struct dns_part *part)
{
	for (size_t i = 0; part->data[i] != NULL; i++) {
		struct dns_tlsa r;

		if (dns_tlsa_read(part->data[i], (size_t)part->size[i], &r))
			tls_dane_add(&out->records, r.usage, r.selector,
				r.match, r.data, r.n);
	}
}

static void
dane_read_part(struct dane *out, const struct dns_part *part)
{
	switch (part->state) {
	case DNS_FOUND:
		if (!part->secure)
			return;
		out->state = DANE_FOUND;
		dane_take(out, part);
		return;
	case DNS_NONE:
		out->state = part->secure ? DANE_NONE : DANE_UNSIGNED;
		return;
	case DNS_BOGUS:
		out->state = DANE_BOGUS;
		break;
	case DNS_FAILED:
	case DNS_WAITING:
		out->state = DANE_FAILED;
		break;
	}
	snprintf(out->why, sizeof(out->why), "%s: %s", part->name, part->why);
}

void
dane_read(struct dane *out, const struct dns_question *q, const struct target *t,
	size_t n, const struct target_addresses *a)
{
	size_t part = 0;

	for (size_t i = 0; i < n; i++) {
		bool asked = target_is_asked(t, i, a);
		char name[TLS_DANE_AT_SIZE];

		out[i] = (struct dane){ .state = DANE_UNSIGNED };
		if (asked || t[i].secure) {
			dane_name(name, &t[i]);
			out[i].records = tls_dane_new(name);
		}
		if (!asked)
			continue;
		assert(q != NULL && part < q->n);
		dane_read_part(&out[i], &q->parts[part++]);
	}
}
