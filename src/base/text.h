/*
 * text.h - base64 (RFC 4648), hex, and comparison of secrets.
 *
 * Any thread.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct buf;

/* Appends to out. */
void base64_encode(struct buf *out, const void *p, size_t n);
/* Strict: alphabet of RFC 4648 §4, padding required, no white space, unused
 * bits zero.  False, out unchanged, for anything else. */
bool base64_decode(struct buf *out, struct str in);
void hex_encode(struct buf *out, const void *p, size_t n);

/* In a time that depends on the length only. */
bool secret_eq(struct str a, struct str b);

#endif
