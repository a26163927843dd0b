/*
 * hash.c - SipHash-1-3: one round for each word, three at the end.
 *
 * Any thread.  The 2-4 variant is meant for signatures; for hash tables whose
 * values are never shown to a peer its authors consider 1-3 sufficient.
 */
#include "config.h"

#include "base/hash.h"

#include <endian.h>
#include <string.h>

static uint64_t
rotate(uint64_t x, unsigned k)
{
	return x << k | x >> (64 - k);
}

/* Always inline, so that v is in registers, and not written to memory and read
 * again by each. */
static inline __attribute__((always_inline)) void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static inline __attribute__((always_inline)) void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

static uint64_t
word_at(const unsigned char *in)
{
	uint64_t word;

	memcpy(&word, in, sizeof(word));
	return le64toh(word);
}

/* The last of n bytes: left of them at in, less than a word. */
static uint64_t
tail_at(const unsigned char *in, size_t left, size_t n)
{
	uint64_t tail = 0;

	if (left != 0 && n >= sizeof(tail))
		return word_at(in + left - sizeof(tail)) >>
			(8 * (sizeof(tail) - left));
	for (; left > 0; left--)
		tail = tail << 8 | in[left - 1];
	return tail;
}

uint64_t
hash_bytes(const struct hash_key *key, const void *p, size_t n)
{
	const unsigned char *in = p;
	uint64_t v[4] = {
		key->k0 ^ UINT64_C(0x736f6d6570736575),
		key->k1 ^ UINT64_C(0x646f72616e646f6d),
		key->k0 ^ UINT64_C(0x6c7967656e657261),
		key->k1 ^ UINT64_C(0x7465646279746573),
	};
	size_t left;

	for (left = n; left >= sizeof(v[0]); left -= sizeof(v[0])) {
		sip_word(v, word_at(in));
		in += sizeof(v[0]);
	}
	sip_word(v, (uint64_t)n << 56 | tail_at(in, left, n));
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
