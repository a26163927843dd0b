/*
 * rand.c - random bytes from OpenSSL, or reproducible ones from a seed.
 *
 * rand_system: any thread; a buffered or a seeded source belongs to one thread.
 */
#include "config.h"

#include "base/rand.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/mem.h"

static void
system_bytes(struct rand_source *r, void *out, size_t n)
{
	(void)r;
	assert(n <= INT_MAX);
	if (RAND_bytes(out, (int)n) == 1)
		return;
	/* going on would mean identifiers that can be guessed */
	fputs("antiphond: the system's random source failed\n", stderr);
	abort();
}

struct rand_source rand_system = { .bytes = system_bytes };

/* 6600 instructions spared for each identifier. */
static void
buffered_bytes(struct rand_source *source, void *out, size_t n)
{
	struct rand_buffered *r =
		CONTAINER_OF(source, struct rand_buffered, source);
	unsigned char *at;

	if (n > sizeof(r->bytes)) {
		rand_bytes(r->from, out, n);
		return;
	}
	if (r->left < n) {
		rand_bytes(r->from, r->bytes, sizeof(r->bytes));
		r->left = sizeof(r->bytes);
	}
	r->left -= n;
	at = r->bytes + r->left;
	memcpy(out, at, n);
	explicit_bzero(at, n);
}

void
rand_buffered_init(struct rand_buffered *r, struct rand_source *from)
{
	r->source.bytes = buffered_bytes;
	r->from = from;
	r->left = 0;
}

uint64_t
rand_below(struct rand_source *r, uint64_t below)
{
	uint64_t value, reject;

	assert(below > 0);
	/* 2^64 mod below: the values under it would be drawn too often */
	reject = -below % below;
	do {
		rand_bytes(r, &value, sizeof(value));
	} while (value < reject);
	return value % below;
}

struct str
rand_id(struct rand_source *r, char out[RAND_ID_SIZE])
{
	/* RFC 4648 §5 */
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char raw[16];
	unsigned bits = 0, n_bits = 0;
	size_t n = 0;

	rand_bytes(r, raw, sizeof(raw));
	for (size_t i = 0; i < sizeof(raw); i++) {
		bits = bits << 8 | raw[i];
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			out[n++] = letters[bits >> (n_bits - 6) & 63];
	}
	out[n++] = letters[bits << (6 - n_bits) & 63];
	out[n] = '\0';
	return (struct str){ out, n };
}

static uint64_t
rotate(uint64_t x, unsigned k)
{
	return x << k | x >> (64 - k);
}

/* xoshiro256** 1.0, by David Blackman and Sebastiano Vigna. */
static uint64_t
seeded_next(uint64_t s[4])
{
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

static void
seeded_bytes(struct rand_source *source, void *out, size_t n)
{
	struct rand_seeded *r =
		CONTAINER_OF(source, struct rand_seeded, source);
	unsigned char *at = out;

	while (n > 0) {
		uint64_t value = seeded_next(r->state);
		size_t part = MIN(n, sizeof(value));

		memcpy(at, &value, part);
		at += part;
		n -= part;
	}
}

void
rand_seeded_init(struct rand_seeded *r, uint64_t seed)
{
	r->source.bytes = seeded_bytes;
	/* splitmix64, which its authors recommend for filling the state */
	for (size_t i = 0; i < COUNT(r->state); i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		r->state[i] = z ^ z >> 31;
	}
}
