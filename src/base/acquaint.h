/*
 * acquaint.h - which visitors each of many hosts has met, and when: addresses
 * from which an account has logged in.
 *
 * Any thread.  The memory is fixed, and takes pages only as they are used.  A
 * host has a place for few visitors, which it may share with other hosts, and
 * where somebody new takes the place of whoever was not seen for longest: nobody
 * can make more than a few hosts forget whom they know, nor choose them.
 */
#ifndef BASE_ACQUAINT_H
#define BASE_ACQUAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Visitors that one place keeps. */
#define ACQUAINT_PLACE 8

struct acquaint;

/* Keeps up to n visits.  Owned by the caller; acquaint_free copes with NULL. */
struct acquaint *acquaint_new(size_t n);
void acquaint_free(struct acquaint *a);

/* now_us is monotonic. */
void acquaint_note(struct acquaint *a, struct str host, struct str visitor,
	int64_t now_us);
/* Was visitor at host within max_age_us? */
bool acquaint_has(struct acquaint *a, struct str host, struct str visitor,
	int64_t max_age_us, int64_t now_us);

#endif
