/*
 * remote_asker.c - who asks for domains that there is no link to yet: how many, and
 * how many a second.
 *
 *	his first stanza for a domain --> an attempt: counts as just begun for a
 *	                                  second, or until it ends
 *	    AT_ONCE of his have just begun --> waits in his line, in order
 *	    too many of his come up        --> refused
 *
 * So whoever writes to thousands of domains that do not answer is slow to reach one
 * that does, and nobody else is.  Whoever writes meanwhile to a domain that waits in
 * another's line begins it on his own account.
 *
 * A pair that comes up for the key of a stranger alone is nobody's; of those there are
 * so many in all, and fewer for one address.
 *
 * The shard of the remotes: each has its own count.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "core/host.h"

/* Attempts of one sender that have just begun, */
#define AT_ONCE 32
/* and so long that is so. */
#define JUST_BEGUN_US US_PER_S
/* Of all domains that may be in memory, one sender has at most such a part come
 * up. */
#define PART 16
/* Strangers have at most such a part of them come up, */
#define STRANGERS_PART 4
/* and those of one address at most such a part of that: a key goes on counting for a
 * while, and nobody's address is to keep others' keys from being asked about. */
#define ADDRESS_PART 8

/* All addresses of a component are one sender. */
static uint64_t
key_of(const struct remote_pair *p, struct jid from)
{
	struct shard *sh = pair_shard(p);
	const struct host *host = shard_host(sh, jid_domain(from));

	return host != NULL && host->component == NULL ?
		server_hash(sh->server, jid_bare_str(from)) :
		server_hash(sh->server, pair_local(p));
}

static struct remote_asker *
asker_find(const struct remote_pair *p, uint64_t key)
{
	struct remote_asker *who;

	HASH_FIND(hh, pair_shard(p)->remotes->askers, &key, sizeof(key), who);
	return who;
}

static struct remote_asker *
asker_get(struct remote_pair *p, uint64_t key)
{
	struct remotes *all = pair_shard(p)->remotes;
	struct remote_asker *who = asker_find(p, key);

	if (who != NULL)
		return who;
	who = xcalloc(1, sizeof(*who));
	who->key = key;
	TAILQ_INIT(&who->line);
	HASH_ADD(hh, all->askers, key, sizeof(who->key), who);
	return who;
}

static bool
asker_has_room(const struct remote_pair *p, const struct remote_asker *who)
{
	return who == NULL ||
		who->n < MAX(AT_ONCE, remotes_max(pair_shard(p)) / PART);
}

bool
asker_lets(const struct remote_pair *p, struct jid from)
{
	return p->asker != NULL ||
		asker_has_room(p, asker_find(p, key_of(p, from)));
}

static void
line_leave(struct remote_pair *p)
{
	if (!p->in_line)
		return;
	TAILQ_REMOVE(&p->asker->line, p, line);
	p->in_line = false;
}

static void
asker_set(struct remote_pair *p, struct remote_asker *who)
{
	p->asker = who;
	who->n++;
}

/* Does who wait where somebody else need not? */
static void
asker_relieve(struct remote_pair *p, uint64_t key)
{
	struct remote_asker *other = asker_find(p, key);

	if (!p->in_line || key == p->asker->key || !asker_has_room(p, other) ||
		(other != NULL && other->starting >= AT_ONCE))
		return;
	asker_leave(p);
	asker_set(p, asker_get(p, key));
}

uint64_t
remote_pair_asker(const struct remote_pair *p)
{
	return p->asker != NULL	 ? p->asker->key :
		p->stranger != NULL ? p->stranger->key :
				      0;
}

/* --- strangers ------------------------------------------------------------------ */

static struct remote_address *
address_find(const struct shard *sh, uint64_t key)
{
	struct remote_address *a;

	HASH_FIND(hh, sh->remotes->addresses, &key, sizeof(key), a);
	return a;
}

bool
strangers_have_room(const struct shard *sh, uint64_t address)
{
	unsigned most = remotes_max(sh) / STRANGERS_PART;
	const struct remote_address *a = address_find(sh, address);

	return sh->remotes->strangers < most &&
		(a == NULL || a->n < MAX(most / ADDRESS_PART, 1));
}

/* For the last key that has come for p, or for an administrator. */
static void
stranger_enter(struct remote_pair *p)
{
	const struct remote_verify *v = TAILQ_LAST(&p->verifies, verify_list);
	uint64_t key = v != NULL ? v->address : 0;
	struct remotes *all = pair_shard(p)->remotes;
	struct remote_address *a = address_find(pair_shard(p), key);

	if (p->stranger != NULL || p->asker != NULL)
		return;
	if (a == NULL) {
		a = xcalloc(1, sizeof(*a));
		a->key = key;
		HASH_ADD(hh, all->addresses, key, sizeof(a->key), a);
	}
	a->n++;
	all->strangers++;
	p->stranger = a;
}

static void
stranger_leave(struct remote_pair *p)
{
	struct remotes *all = pair_shard(p)->remotes;
	struct remote_address *a = p->stranger;

	p->stranger = NULL;
	if (a == NULL)
		return;
	all->strangers--;
	if (--a->n != 0)
		return;
	HASH_DEL(all->addresses, a);
	free(a);
}

/* --- those who come up ------------------------------------------------------------ */

void
asker_take(struct remote_pair *p, struct jid from)
{
	uint64_t key = jid_is_set(from) ? key_of(p, from) : 0;

	if (!jid_is_set(from) && !pair_waits(p)) {
		stranger_enter(p);
		return;
	}
	stranger_leave(p);
	if (p->asker != NULL)
		asker_relieve(p, key);
	else
		asker_set(p, asker_get(p, key));
}

bool
asker_starts(struct remote_pair *p)
{
	struct remote_asker *who = p->asker;

	if (who == NULL)
		return true;
	line_leave(p);
	/* a key is a stranger's, and he does not wait for who sends to him */
	if (who->starting >= AT_ONCE && !verify_waits(p) && p->tried == NULL) {
		TAILQ_INSERT_TAIL(&who->line, p, line);
		p->in_line = true;
		return false;
	}
	who->starting++;
	p->counts_us = pair_shard(p)->now_us + JUST_BEGUN_US;
	return true;
}

void
asker_started(struct remote_pair *p)
{
	struct remote_asker *who = p->asker;
	struct remote_pair *next;

	if (p->counts_us == 0)
		return;
	p->counts_us = 0;
	who->starting--;
	while (who->starting < AT_ONCE &&
		(next = TAILQ_FIRST(&who->line)) != NULL) {
		line_leave(next);
		pair_go_on(next);
	}
}

/* p is one of his until the end, so that he does not go meanwhile. */
void
asker_leave(struct remote_pair *p)
{
	struct remotes *all = pair_shard(p)->remotes;
	struct remote_asker *who = p->asker;

	stranger_leave(p);
	if (who == NULL)
		return;
	line_leave(p);
	asker_started(p);
	p->asker = NULL;
	if (--who->n != 0)
		return;
	HASH_DEL(all->askers, who);
	free(who);
}
