/*
 * buf.h - a growing run of bytes.
 *
 * One owner.  Zeroed memory is an empty buffer, which holds no memory.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <string.h>

#include "base/str.h"

struct buf {
	char *p;
	size_t n;   /* bytes in use */
	size_t cap; /* bytes allocated */
};

#define BUF_INIT                                                               \
	{                                                                      \
		.p = NULL                                                      \
	}

/* Frees what b holds; b is empty afterwards. */
void buf_done(struct buf *b);

/* Room for n more bytes behind b->n; the caller adds what it used to b->n. */
char *buf_reserve(struct buf *b, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Drops the first n bytes (n <= b->n). */
void buf_consume(struct buf *b, size_t n);
/* NUL-terminated, the NUL not counted; borrowed until b changes. */
const char *buf_c(struct buf *b);

static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	if (b->cap - b->n < n)
		buf_reserve(b, n);
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void
buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

static inline void
buf_add_c(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->p != NULL ? b->p : "", b->n };
}

#endif
