/*
 * throttle.c - events by key within a minute, in fixed memory.
 *
 * The table consists of sets of a few slots; a key belongs to one set, which
 * has its own lock.  Keys are known by their hash alone: the hash is keyed, so
 * nobody can choose to share another's slot.
 */
#include "config.h"

#include "base/throttle.h"

#include <pthread.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"

#define SLOTS 8 /* of one set */

struct throttle_slot {
	uint64_t hash;
	int64_t since_us;
	int64_t turn_us; /* the last that was given; it may be long ago */
	uint32_t count; /* 0: the slot is free */
};

struct throttle_set {
	pthread_mutex_t lock;
	struct throttle_slot slots[SLOTS];
};

struct throttle {
	struct hash_key hash_key;
	size_t n_sets;
	struct throttle_set sets[];
};

struct throttle *
throttle_new(size_t n_keys)
{
	size_t n_sets = (n_keys + SLOTS - 1) / SLOTS + 1;
	struct throttle *t =
		xcalloc(1, sizeof(*t) + n_sets * sizeof(t->sets[0]));

	t->n_sets = n_sets;
	rand_bytes(&rand_system, &t->hash_key, sizeof(t->hash_key));
	for (size_t i = 0; i < n_sets; i++)
		pthread_mutex_init(&t->sets[i].lock, NULL);
	return t;
}

void
throttle_free(struct throttle *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_sets; i++)
		pthread_mutex_destroy(&t->sets[i].lock);
	free(t);
}

/* The slot of hash, or else the one to be had most cheaply; what is over is
 * emptied on the way. */
static struct throttle_slot *
set_find(struct throttle_set *set, uint64_t hash, int64_t now_us)
{
	struct throttle_slot *best = &set->slots[0];

	for (size_t i = 0; i < SLOTS; i++) {
		struct throttle_slot *s = &set->slots[i];

		if (now_us - s->since_us >= THROTTLE_WINDOW_US)
			s->count = 0;
		if (s->count != 0 && s->hash == hash)
			return s;
		if (s->count < best->count)
			best = s;
	}
	return best;
}

uint32_t
throttle_add(struct throttle *t, struct str key, int64_t now_us)
{
	uint64_t hash = hash_bytes(&t->hash_key, key.p, key.n);
	struct throttle_set *set = &t->sets[hash % t->n_sets];
	struct throttle_slot *s;
	uint32_t count;

	pthread_mutex_lock(&set->lock);
	s = set_find(set, hash, now_us);
	if (s->count == 0 || s->hash != hash)
		*s = (struct throttle_slot){ hash, now_us, 0, 0 };
	if (s->count != UINT32_MAX)
		s->count++;
	count = s->count;
	pthread_mutex_unlock(&set->lock);
	return count;
}

uint32_t
throttle_count(struct throttle *t, struct str key, int64_t now_us)
{
	uint64_t hash = hash_bytes(&t->hash_key, key.p, key.n);
	struct throttle_set *set = &t->sets[hash % t->n_sets];
	const struct throttle_slot *s;
	uint32_t count;

	pthread_mutex_lock(&set->lock);
	s = set_find(set, hash, now_us);
	count = s->hash == hash ? s->count : 0;
	pthread_mutex_unlock(&set->lock);
	return count;
}

int64_t
throttle_turn(struct throttle *t, struct str key, int64_t gap_us,
	int64_t max_us, int64_t now_us)
{
	uint64_t hash = hash_bytes(&t->hash_key, key.p, key.n);
	struct throttle_set *set = &t->sets[hash % t->n_sets];
	struct throttle_slot *s;
	int64_t turn = now_us + gap_us;

	pthread_mutex_lock(&set->lock);
	s = set_find(set, hash, now_us);
	if (s->hash == hash && s->count != 0) {
		turn = MAX(turn, s->turn_us + gap_us);
		if (turn - now_us <= max_us)
			s->turn_us = turn;
	}
	pthread_mutex_unlock(&set->lock);
	return turn - now_us <= max_us ? turn - now_us : -1;
}
