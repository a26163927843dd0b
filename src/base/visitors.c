/*
 * visitors.c - who has met whom, in fixed memory.
 *
 * The table consists of places, which hosts share by their hash; what is kept
 * there is a hash of host and visitor, and a time.  The hash is keyed, so that
 * nobody can choose with whom he shares a place.
 */
#include "config.h"

#include "base/visitors.h"

#include <pthread.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"

#define STRIPES 64

struct visitors_visit {
	uint64_t hash;
	int64_t at_us; /* 0: the slot is free */
};

struct visitors_place {
	struct visitors_visit visits[VISITORS_PLACE];
};

struct visitors {
	struct hash_key hash_key;
	size_t n_places;
	pthread_mutex_t locks[STRIPES]; /* of every so manieth place */
	struct visitors_place places[];
};

struct visitors *
visitors_new(size_t n)
{
	size_t n_places = n / VISITORS_PLACE + 1;
	struct visitors *a =
		xcalloc(1, sizeof(*a) + n_places * sizeof(a->places[0]));

	a->n_places = n_places;
	rand_bytes(&rand_system, &a->hash_key, sizeof(a->hash_key));
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&a->locks[i], NULL);
	return a;
}

void
visitors_free(struct visitors *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_destroy(&a->locks[i]);
	free(a);
}

static size_t
place_of(const struct visitors *a, struct str host)
{
	return (size_t)(hash_bytes(&a->hash_key, host.p, host.n) %
		a->n_places);
}

/* Of both: the hash of one is part of the key for the other. */
static uint64_t
visit_hash(const struct visitors *a, struct str host, struct str visitor)
{
	struct hash_key key = a->hash_key;

	key.k1 ^= hash_bytes(&a->hash_key, host.p, host.n);
	return hash_bytes(&key, visitor.p, visitor.n);
}

/* The slot of hash, or else that of the visit which is longest ago. */
static struct visitors_visit *
place_find(struct visitors_place *place, uint64_t hash)
{
	struct visitors_visit *oldest = &place->visits[0];

	for (size_t i = 0; i < VISITORS_PLACE; i++) {
		struct visitors_visit *v = &place->visits[i];

		if (v->at_us != 0 && v->hash == hash)
			return v;
		if (v->at_us < oldest->at_us)
			oldest = v;
	}
	return oldest;
}

void
visitors_note(struct visitors *a, struct str host, struct str visitor,
	int64_t now_us)
{
	uint64_t hash = visit_hash(a, host, visitor);
	size_t at = place_of(a, host);

	pthread_mutex_lock(&a->locks[at % STRIPES]);
	*place_find(&a->places[at], hash) =
		(struct visitors_visit){ hash, MAX(now_us, 1) };
	pthread_mutex_unlock(&a->locks[at % STRIPES]);
}

bool
visitors_has(struct visitors *a, struct str host, struct str visitor,
	int64_t max_age_us, int64_t now_us)
{
	uint64_t hash = visit_hash(a, host, visitor);
	size_t at = place_of(a, host);
	struct visitors_visit found;

	pthread_mutex_lock(&a->locks[at % STRIPES]);
	found = *place_find(&a->places[at], hash);
	pthread_mutex_unlock(&a->locks[at % STRIPES]);
	return found.at_us != 0 && found.hash == hash &&
		now_us - found.at_us <= max_age_us;
}
