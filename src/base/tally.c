/*
 * tally.c - counters by key, shared by all threads.
 *
 * Invariant: an entry is in its stripe's table exactly as long as its count is
 * above zero.
 */
#include "config.h"

#include "base/tally.h"

#include <assert.h>
#include <pthread.h>

#include <uthash.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"

#define STRIPES 64

struct tally_entry {
	UT_hash_handle hh;
	uint64_t count;
	char key[];
};

struct tally_stripe {
	pthread_mutex_t lock;
	struct tally_entry *entries;
} __attribute__((aligned(64)));

struct tally {
	struct hash_key hash_key;
	struct tally_stripe stripes[STRIPES];
};

struct tally *
tally_new(void)
{
	struct tally *t = aligned_alloc(64, sizeof(*t));

	if (t == NULL)
		abort();
	memset(t, 0, sizeof(*t));
	rand_bytes(&rand_system, &t->hash_key, sizeof(t->hash_key));
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&t->stripes[i].lock, NULL);
	return t;
}

void
tally_free(struct tally *t)
{
	struct tally_entry *e, *next;

	if (t == NULL)
		return;
	for (size_t i = 0; i < STRIPES; i++) {
		HASH_ITER (hh, t->stripes[i].entries, e, next) {
			HASH_DEL(t->stripes[i].entries, e);
			free(e);
		}
		pthread_mutex_destroy(&t->stripes[i].lock);
	}
	free(t);
}

/* The stripe of key, locked; *hash_out orders its table. */
static struct tally_stripe *
stripe_lock(struct tally *t, struct str key, unsigned *hash_out)
{
	uint64_t hash = hash_bytes(&t->hash_key, key.p, key.n);
	struct tally_stripe *s = &t->stripes[(hash >> 32) % STRIPES];

	assert(key.n != 0 && key.n <= TALLY_KEY_MAX);
	*hash_out = (unsigned)hash;
	pthread_mutex_lock(&s->lock);
	return s;
}

static struct tally_entry *
stripe_find(const struct tally_stripe *s, struct str key, unsigned hash)
{
	struct tally_entry *e;

	HASH_FIND_BYHASHVALUE(hh, s->entries, key.p, (unsigned)key.n, hash, e);
	return e;
}

static struct tally_entry *
stripe_make(struct tally_stripe *s, struct str key, unsigned hash)
{
	struct tally_entry *e = xcalloc(1, sizeof(*e) + key.n);

	memcpy(e->key, key.p, key.n);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, s->entries, e->key, (unsigned)key.n,
		hash, e);
	return e;
}

bool
tally_add(struct tally *t, struct str key, uint64_t max)
{
	unsigned hash;
	struct tally_stripe *s = stripe_lock(t, key, &hash);
	struct tally_entry *e = stripe_find(s, key, hash);
	bool ok = (e != NULL ? e->count : 0) < max;

	if (ok && e == NULL)
		e = stripe_make(s, key, hash);
	if (ok)
		e->count++;
	pthread_mutex_unlock(&s->lock);
	return ok;
}

void
tally_remove(struct tally *t, struct str key)
{
	unsigned hash;
	struct tally_stripe *s = stripe_lock(t, key, &hash);
	struct tally_entry *e = stripe_find(s, key, hash);

	assert(e != NULL);
	if (--e->count == 0) {
		HASH_DEL(s->entries, e);
		free(e);
	}
	pthread_mutex_unlock(&s->lock);
}

uint64_t
tally_count(struct tally *t, struct str key)
{
	unsigned hash;
	struct tally_stripe *s = stripe_lock(t, key, &hash);
	struct tally_entry *e = stripe_find(s, key, hash);
	uint64_t count = e != NULL ? e->count : 0;

	pthread_mutex_unlock(&s->lock);
	return count;
}
