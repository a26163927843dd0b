/*
 * iq_passed.c - how many requests that others answer may be under way: at a shard,
 * and of those by one who asks, so that nobody takes the places of all.
 *
 * Shard of the addressed entity.  Invariant: each of them counts from
 * iq_passed_begin() until it is answered; who asks for nothing is not known.
 */
#include "config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/host.h"
#include "core/iq_int.h"
#include "core/shard.h"

#define PASSED_MAX 1000
#define PASSED_BYTES ((size_t)16 << 20)
/* One who asks may have that part of it; a component asks for many users. */
#define PART_OF_ONE 10

struct iq_passer {
	uint64_t hash; /* of his bare address: nobody can choose it */
	struct iq_passed passed;
};

static bool
is_beyond(const struct iq_passed *p, unsigned part)
{
	return p->n >= PASSED_MAX / part || p->bytes > PASSED_BYTES / part;
}

static void
count(struct iq_passed *p, const struct iq *iq)
{
	p->n++;
	p->bytes += iq->passed_bytes;
}

static void
discount(struct iq_passed *p, const struct iq *iq)
{
	p->n--;
	p->bytes -= iq->passed_bytes;
}

/* Who asks; part_out: how much of all he may have. */
static uint64_t
passer_hash(const struct iq *iq, unsigned *part_out)
{
	const struct stanza *st = iq->st;
	bool behind = st->behind.p != NULL;
	const struct host *host = shard_host(iq->shard,
		behind ? st->behind : jid_domain(st->from));

	*part_out = host != NULL && host->component != NULL ? 1 : PART_OF_ONE;
	return server_hash(iq->shard->server,
		behind ? st->behind : jid_bare_str(st->from));
}

static struct iq_passer *
passer_add(struct shard *sh, uint64_t hash)
{
	struct iq_passer *p = xcalloc(1, sizeof(*p));

	p->hash = hash;
	table_add(&sh->passers, hash, p);
	return p;
}

const char *
iq_passed_begin(struct iq *iq)
{
	struct shard *sh = iq->shard;
	unsigned part;
	uint64_t hash = passer_hash(iq, &part);
	size_t at = table_start(&sh->passers, hash);
	struct iq_passer *p = table_next(&sh->passers, hash, &at);
	const char *why = NULL;

	assert(iq->passer == NULL);
	if (is_beyond(&sh->passed, 1))
		why = "Too many requests are under way";
	else if (p != NULL && is_beyond(&p->passed, part))
		why = "Too many of your requests are under way";
	if (why != NULL) {
		sh->stats.refused++;
		return why;
	}
	iq->passer = p != NULL ? p : passer_add(sh, hash);
	iq->passed_bytes = stanza_bytes(iq->st);
	count(&sh->passed, iq);
	count(&iq->passer->passed, iq);
	return NULL;
}

void
iq_passed_end(struct iq *iq)
{
	struct shard *sh = iq->shard;
	struct iq_passer *p = iq->passer;

	iq->passer = NULL;
	discount(&sh->passed, iq);
	discount(&p->passed, iq);
	if (p->passed.n != 0)
		return;
	table_remove(&sh->passers, p->hash, p);
	free(p);
	if (sh->passed.n == 0)
		table_done(&sh->passers);
}
