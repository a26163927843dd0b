/*
 * hash.h - keyed hash of bytes (SipHash-1-3): a peer who chooses the names
 * cannot choose the buckets.
 *
 * Any thread.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_bytes(const struct hash_key *key, const void *p, size_t n);

#endif
