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
dane_name(char out[TLS_DANE_AT_SIZE], const struct target *t, const char *base)
{
	snprintf(out, TLS_DANE_AT_SIZE, "_%u._tcp.%s", t->port, base);
}

/* The names at which its records may be, in the order of RFC 7671 §7; a longer one
 * cannot have any. */
static size_t
target_bases(const struct target *t, const char *out[DANE_PARTS_MAX])
{
	const char *const bases[DANE_PARTS_MAX] = { t->base, t->name };
	size_t n = 0;

	for (size_t i = 0; i < DANE_PARTS_MAX; i++)
		if (bases[i][0] != '\0' &&
			strlen(bases[i]) <= NAME_MAX_TEXT - PREFIX_MAX_TEXT)
			out[n++] = bases[i];
	return n;
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
		(a == NULL || target_has_signed_address(a, target));
}

size_t
dane_ask(struct dns_question *q, const struct target *t, size_t n,
	const struct target_addresses *a)
{
	size_t before = q->n;

	for (size_t i = 0; i < n; i++) {
		const char *bases[DANE_PARTS_MAX];
		size_t n_bases = target_is_asked(t, i, a) ?
			target_bases(&t[i], bases) :
			0;

		for (size_t k = 0; k < n_bases; k++) {
			char name[TLS_DANE_AT_SIZE];

			dane_name(name, &t[i], bases[k]);
			dns_question_add(q, name, DNS_TLSA);
		}
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

/* At one of its names.  A certificate may be for the target of SRV, too (RFC 7673
 * §4.1), and for another name only if there are records (RFC 7671 §7). */
static void
dane_read_at(struct dane *out, const struct dns_part *part, const struct target *t,
	const char *base)
{
	char name[TLS_DANE_AT_SIZE];

	*out = (struct dane){ .state = DANE_UNSIGNED };
	dane_name(name, t, base);
	out->records = tls_dane_new(name, base != t->name ? t->name : NULL);
	if (part != NULL)
		dane_read_part(out, part);
}

/* parts: of each of its names. */
static void
dane_read_target(struct dane *out, const struct dns_part *parts,
	const struct target *t, const char *const *bases, size_t n_bases)
{
	for (size_t i = 0; i < n_bases; i++) {
		dane_read_at(out, &parts[i], t, bases[i]);
		if ((out->state != DANE_NONE && out->state != DANE_UNSIGNED) ||
			i + 1 == n_bases)
			return;
		tls_dane_unref(out->records);
	}
	dane_read_at(out, NULL, t, t->name);
}

void
dane_read(struct dane *out, const struct dns_question *q, const struct target *t,
	size_t n, const struct target_addresses *a)
{
	size_t part = 0;

	for (size_t i = 0; i < n; i++) {
		const char *bases[DANE_PARTS_MAX];
		bool asked = target_is_asked(t, i, a);
		size_t n_bases = asked ? target_bases(&t[i], bases) : 0;

		out[i] = (struct dane){ .state = DANE_UNSIGNED };
		if (!asked && !t[i].secure)
			continue;
		assert(n_bases == 0 || (q != NULL && part + n_bases <= q->n));
		dane_read_target(&out[i], n_bases != 0 ? &q->parts[part] : NULL,
			&t[i], bases, n_bases);
		part += n_bases;
	}
}
