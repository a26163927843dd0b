/*
 * s2s_dane.c - what signed records of the DNS say of the servers of a remote domain,
 * on the way there (RFC 7673): who is not to be connected to, and by what the
 * certificates of the others are judged.
 *
 * Owner shard of the pair.
 */
#include "config.h"

#include <stdio.h>

#include "net/tls_dane.h"
#include "dns/dns_dane.h"
#include "stream/server/s2s_out_int.h"

/* True: nothing is signed for us, which is said once for all targets. */
static bool
dane_step_off(struct remote_pair *p, enum dns_trust trust)
{
	if (trust != DNS_TRUST_NO && trust != DNS_TRUST_OFF)
		return false;
	remote_step(p, "TLSA", "off", "%s",
		trust == DNS_TRUST_NO ?
			"the keys of the DNS do not come to this machine" :
			"signatures are not checked here");
	return true;
}

/* The step "TLSA" of one target. */
static void
dane_step(struct remote_pair *p, const struct target *t, const struct dane *d)
{
	switch (d->state) {
	case DANE_UNSIGNED:
		remote_step(p, "TLSA", "unsigned",
			"the way to %s is not signed", t->name);
		break;
	case DANE_NONE:
		remote_step(p, "TLSA", "none", "no record at %s",
			tls_dane_at(d->records));
		break;
	case DANE_FOUND:
		remote_step(p, "TLSA", "ok", "%zu at %s",
			tls_dane_count(d->records), tls_dane_at(d->records));
		break;
	case DANE_BOGUS:
		remote_step(p, "TLSA", "bogus", "%s", d->why);
		break;
	case DANE_FAILED:
		remote_step(p, "TLSA", "failed", "%s", d->why);
		break;
	}
}

/* Of those that are left, or that go with their answer. */
static bool
target_has_address(const struct target_addresses *a, size_t target)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].target == target)
			return true;
	return false;
}

void
s2s_dane_take(struct remote_pair *p, const struct dns_question *q,
	const struct target *t, size_t n, struct target_addresses *a,
	enum dns_trust trust, struct tls_dane **out, char why[S2S_WHY_SIZE])
{
	struct dane all[TARGETS_MAX];
	bool off = dane_step_off(p, trust);

	dane_read(all, q, t, n, a);
	for (size_t i = 0; i < n; i++) {
		const struct dane *d = &all[i];

		out[i] = d->records;
		if (!target_has_address(a, i))
			continue;
		if (!off || d->state != DANE_UNSIGNED)
			dane_step(p, &t[i], d);
		/* RFC 7673 §3.4 */
		if (d->state != DANE_BOGUS && d->state != DANE_FAILED)
			continue;
		snprintf(why, S2S_WHY_SIZE,
			"what is signed about their certificate is not known, and so nobody is connected to: %s",
			d->why);
		addresses_drop(a, i);
	}
}
