/*
 * visitors.h - which visitors each of many hosts has met, and when: addresses
 * from which an account has logged in.
 *
 * Any thread.  The memory is fixed, and takes pages only as they are used.  A
 * host has a place for few visitors, which it may share with other hosts, and
 * where somebody new takes the place of whoever was not seen for longest: nobody
 * can make more than a few hosts forget whom they know, nor choose them.
 */
#ifndef BASE_VISITORS_H
#define BASE_VISITORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Visitors that one place keeps. */
#define VISITORS_PLACE 8

struct visitors;

/* Keeps up to n visits.  Owned by the caller; visitors_free copes with NULL. */
struct visitors *visitors_new(size_t n);
void visitors_free(struct visitors *a);

/* now_us is monotonic. */
void visitors_note(struct visitors *a, struct str host, struct str visitor,
	int64_t now_us);
/* Was visitor at host within max_age_us? */
bool visitors_has(struct visitors *a, struct str host, struct str visitor,
	int64_t max_age_us, int64_t now_us);

#endif
