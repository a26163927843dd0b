/*
 * rand.h - random bytes, behind an interface that a test can seed.
 *
 * rand_system is OpenSSL's CSPRNG and may be used on any thread; a buffered
 * source, and a seeded one, belong to one thread.  Every identifier that a peer must not guess
 * comes from here, with 128 bits or more.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct rand_source {
	void (*bytes)(struct rand_source *r, void *out, size_t n);
};

extern struct rand_source rand_system;

static inline void
rand_bytes(struct rand_source *r, void *out, size_t n)
{
	r->bytes(r, out, n);
}

/* Uniform in [0, below); below > 0. */
uint64_t rand_below(struct rand_source *r, uint64_t below);

/* Room for 128 bits as text, with the NUL: 22 letters of [A-Za-z0-9_-]. */
#define RAND_ID_SIZE 23
struct str rand_id(struct rand_source *r, char out[RAND_ID_SIZE]);

/* Takes bytes from another source (borrowed) many at a time: a call of OpenSSL's
 * costs as much for one byte as for some hundred.  No byte is kept once it was
 * given out. */
#define RAND_BUFFERED 512

struct rand_buffered {
	struct rand_source source;
	struct rand_source *from;
	size_t left;
	unsigned char bytes[RAND_BUFFERED];
};

void rand_buffered_init(struct rand_buffered *r, struct rand_source *from);

/* Reproducible, for tests and simulations only: not for secrets. */
struct rand_seeded {
	struct rand_source source;
	uint64_t state[4];
};

void rand_seeded_init(struct rand_seeded *r, uint64_t seed);

#endif
