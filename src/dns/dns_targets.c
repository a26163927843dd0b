/*
 * dns_targets.c - from the answers of the DNS to a list of what to try.
 *
 * Invariant: what a zone says is in no place longer than the bounds of the header.
 */
#include "config.h"

#include "dns/dns_targets.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "dns/dns_records.h"

static const struct {
	const char *srv;
	uint16_t port;
} services[][2] = {
	[TARGET_CLIENT] = { { "_xmpp-client._tcp", 5222 },
		{ "_xmpps-client._tcp", 5223 } },
	[TARGET_SERVER] = { { "_xmpp-server._tcp", 5269 },
		{ "_xmpps-server._tcp", 5270 } },
};

void
targets_name(char out[DNS_NAME_SIZE], const char *name,
	enum target_service service, bool direct)
{
	/* a name that becomes too long is one that cannot be asked for */
	if (snprintf(out, DNS_NAME_SIZE, "%s.%s", services[service][direct].srv,
		    name) >= DNS_NAME_SIZE)
		out[0] = '\0';
}

uint16_t
targets_port(enum target_service service, bool direct)
{
	return services[service][direct].port;
}

size_t
targets_ask(struct dns_question *q, const char *name,
	enum target_service service)
{
	size_t first = q->n;
	char srv[DNS_NAME_SIZE];

	for (int direct = 1; direct >= 0; direct--) {
		targets_name(srv, name, service, direct != 0);
		dns_question_add(q, srv, DNS_SRV);
	}
	return first;
}

/* --- SRV records ------------------------------------------------------------------ */

/* What one kind of TLS has: how many records, and whether one says that there is
 * no such service. */
struct kind {
	const struct dns_part *part;
	size_t n;
	bool none;
};

static void
kind_read(struct kind *k, struct targets *out, const struct dns_part *part,
	bool direct)
{
	*k = (struct kind){ .part = part };
	for (size_t i = 0; part->state == DNS_FOUND && part->data[i] != NULL;
		i++) {
		struct target *t = &out->list[out->n];
		struct dns_srv srv;

		if (!dns_srv_read(part->data[i], (size_t)part->size[i], &srv))
			continue;
		if (srv.target[0] == '\0') {
			k->none = true;
			continue;
		}
		if (out->n == TARGETS_MAX || srv.port == 0)
			continue;
		*t = (struct target){ .port = srv.port,
			.priority = srv.priority, .weight = srv.weight,
			.direct = direct, .secure = part->secure };
		memcpy(t->name, srv.target, sizeof(t->name));
		out->n++;
		k->n++;
	}
}

static void
target_swap(struct target *a, struct target *b)
{
	struct target t = *a;

	*a = *b;
	*b = t;
}

/* RFC 2782, "Usage rules": each of those that are left with a probability by its
 * weight; those with 0 have a small one. */
static size_t
target_draw(const struct target *t, size_t n, struct rand_source *r)
{
	uint64_t sum = 0, drawn;
	size_t i;

	for (i = 0; i < n; i++)
		sum += t[i].weight;
	drawn = rand_below(r, sum + 1);
	for (i = 0; i + 1 < n && drawn > t[i].weight; i++)
		drawn -= t[i].weight;
	return i;
}

/* How many targets from index at on have its priority. */
static size_t
targets_group(const struct targets *t, size_t at)
{
	size_t n = 0;

	while (at + n < t->n && t->list[at + n].priority == t->list[at].priority)
		n++;
	return n;
}

static void
targets_sort(struct targets *out, struct rand_source *r)
{
	/* by priority, and those without weight first among equals */
	for (size_t i = 1; i < out->n; i++) {
		for (size_t j = i; j > 0; j--) {
			struct target *a = &out->list[j - 1], *b = a + 1;

			if (a->priority < b->priority ||
				(a->priority == b->priority &&
					(a->weight == 0 || b->weight != 0)))
				break;
			target_swap(a, b);
		}
	}
	for (size_t at = 0; at < out->n; at++) {
		size_t n = targets_group(out, at);
		size_t drawn = at + target_draw(&out->list[at], n, r);

		/* the others keep their order */
		for (; drawn > at; drawn--)
			target_swap(&out->list[drawn], &out->list[drawn - 1]);
	}
}

static void
targets_fail(struct targets *out, enum targets_state state,
	const struct dns_part *part)
{
	out->state = state;
	out->n = 0;
	snprintf(out->why, sizeof(out->why), "%s: %s", part->name, part->why);
}

/* A name that cannot stand in the DNS was asked of nobody, and has no records. */
static bool
kind_is_unknown(const struct kind *k)
{
	return (k->part->state == DNS_FAILED || k->part->state == DNS_WAITING) &&
		k->part->name[0] != '\0';
}

/* RFC 7673 §3.1: where the zone is signed, a kind that cannot be had may be hidden by
 * somebody.  Where it is not, nobody needs to hide it, and the other kind will do: some
 * name servers fail for names that they have never heard of. */
static bool
targets_miss_one(struct targets *out, const struct kind *unknown,
	const struct kind *other)
{
	bool ends = other->part->secure;

	if (ends)
		targets_fail(out, TARGETS_FAILED, unknown->part);
	snprintf(out->why, sizeof(out->why), "%s: %s%s", unknown->part->name,
		unknown->part->why,
		ends ? ", and as their zone is signed, nobody is connected to without that" :
		       "");
	return ends;
}

/* RFC 6120 §3.2.2. */
static void
targets_fall_back(struct targets *out, const char *name,
	enum target_service service)
{
	struct target *t = &out->list[out->n++];

	*t = (struct target){ .port = targets_port(service, false),
		.itself = true };
	snprintf(t->name, sizeof(t->name), "%s", name);
	out->state = TARGETS_FOUND;
}

void
targets_read(struct targets *out, const struct dns_question *q, size_t first,
	const char *name, enum target_service service, struct rand_source *r)
{
	struct kind kinds[2];

	*out = (struct targets){ .state = TARGETS_FOUND };
	for (size_t i = 0; i < 2; i++)
		kind_read(&kinds[i], out, &q->parts[first + i], i == 0);
	out->srv = kinds[0].n + kinds[1].n != 0 || kinds[0].none ||
		kinds[1].none;
	/* what is forged says nothing, and what it hides is not known */
	for (size_t i = 0; i < 2; i++) {
		if (kinds[i].part->state == DNS_BOGUS) {
			targets_fail(out, TARGETS_BOGUS, kinds[i].part);
			return;
		}
	}
	for (size_t i = 0; out->n != 0 && i < 2; i++)
		if (kind_is_unknown(&kinds[i]) &&
			targets_miss_one(out, &kinds[i], &kinds[1 - i]))
			return;
	if (out->n != 0) {
		targets_sort(out, r);
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		if (kinds[i].part->state == DNS_FAILED ||
			kinds[i].part->state == DNS_WAITING) {
			targets_fail(out, TARGETS_FAILED, kinds[i].part);
			return;
		}
	}
	if (!out->srv && (kinds[0].part->state == DNS_NONE &&
				 kinds[1].part->state == DNS_NONE)) {
		targets_fall_back(out, name, service);
		return;
	}
	out->state = TARGETS_NONE;
	snprintf(out->why, sizeof(out->why),
		out->srv ? "%s says in the DNS that it has no such service" :
			   "%s has SRV records, and none that can be used",
		name);
}

/* --- addresses --------------------------------------------------------------------- */

void
addresses_ask(struct dns_question *q, const struct target *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		dns_question_add(q, t[i].name, DNS_AAAA);
		dns_question_add(q, t[i].name, DNS_A);
	}
}

static bool
address_is_listed(const struct target_addresses *out,
	const struct sockaddr_storage *address)
{
	for (size_t i = 0; i < out->n; i++)
		if (memcmp(&out->list[i].address, address, sizeof(*address)) ==
			0)
			return true;
	return false;
}

static void
address_add(struct target_addresses *out, const struct dns_part *part,
	size_t record, const struct target *t, size_t target)
{
	struct target_address *a = &out->list[out->n];
	struct sockaddr_storage address;

	if (out->n == ADDRESSES_MAX ||
		!dns_address_read(part->type, part->data[record],
			(size_t)part->size[record], t->port, &address) ||
		address_is_listed(out, &address))
		return;
	*a = (struct target_address){ address, target, part->secure };
	out->n++;
}

static size_t
part_count(const struct dns_part *part)
{
	size_t n = 0;

	while (part->state == DNS_FOUND && part->data[n] != NULL &&
		n < TARGET_ADDRESSES_MAX)
		n++;
	return n;
}

/* v6 and v4 in turns, v6 first.  Where one is forged, nobody is to be connected to
 * (RFC 7673 §3.2). */
static void
addresses_of_target(struct target_addresses *out, const struct dns_part *v6,
	const struct target *t, size_t target)
{
	const struct dns_part *v4 = v6 + 1;
	size_t n6 = part_count(v6), n4 = part_count(v4);
	size_t before = out->n;

	if (v6->state == DNS_BOGUS || v4->state == DNS_BOGUS)
		return;
	for (size_t i = 0; (i < n6 || i < n4) &&
		out->n - before < TARGET_ADDRESSES_MAX;
		i++) {
		if (i < n6)
			address_add(out, v6, i, t, target);
		if (i < n4)
			address_add(out, v4, i, t, target);
	}
}

/* The worst of what was found out about any of them. */
static void
addresses_why(struct target_addresses *out, const struct dns_part *parts,
	size_t n, const struct target *t)
{
	snprintf(out->why, sizeof(out->why), "%s has no address",
		n != 0 ? t->name : "nobody");
	for (size_t i = 0; i < n; i++) {
		if (parts[i].state != DNS_NONE && parts[i].why[0] != '\0') {
			snprintf(out->why, sizeof(out->why), "%s: %s",
				parts[i].name, parts[i].why);
			return;
		}
	}
}

void
addresses_read(struct target_addresses *out, const struct dns_question *q,
	size_t first, const struct target *t, size_t n)
{
	assert(first + 2 * n <= q->n);
	*out = (struct target_addresses){ .n = 0 };
	for (size_t i = 0; i < n; i++)
		addresses_of_target(out, &q->parts[first + 2 * i], &t[i], i);
	if (out->n == 0)
		addresses_why(out, &q->parts[first], 2 * n, t);
}

/* RFC 7671 §7: an answer is signed only if all of its way is. */
void
targets_expand(struct target *t, size_t n, const struct dns_question *q,
	size_t first)
{
	for (size_t i = 0; i < 2 * n; i++) {
		const struct dns_part *part = &q->parts[first + i];

		if (part->state == DNS_FOUND && part->secure &&
			part->canon != NULL)
			snprintf(t[i / 2].base, sizeof(t->base), "%s",
				part->canon);
	}
}

void
addresses_drop(struct target_addresses *a, size_t target)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].target != target)
			a->list[n++] = a->list[i];
	a->n = n;
}
