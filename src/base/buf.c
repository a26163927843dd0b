/*
 * buf.c - a growing run of bytes.
 */
#include "config.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define SMALLEST 256

void
buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf)BUF_INIT;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	if (b->p == NULL || b->cap - b->n < n) {
		b->cap = MAX(MAX(b->cap * 2, b->n + n), SMALLEST);
		b->p = xrealloc(b->p, b->cap);
	}
	return b->p + b->n;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	vsnprintf(buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
	va_end(again);
	b->n += (size_t)n;
}

void
buf_consume(struct buf *b, size_t n)
{
	b->n -= n;
	if (b->n != 0 && n != 0)
		memmove(b->p, b->p + n, b->n);
}

const char *
buf_c(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->p;
}
