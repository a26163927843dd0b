/*
 * str.h - text by pointer and length, passed by value, not NUL-terminated.
 *
 * Any thread.  A str is always borrowed from whoever holds the bytes.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *p; /* NULL: absent, which is not the same as empty */
	size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })

/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).n, ((s).p != NULL ? (s).p : "")

static inline struct str
str_c(const char *c)
{
	return (struct str){ c, c != NULL ? strlen(c) : 0 };
}

/* By contents: absent and empty are equal. */
static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Inline, so that the length of a literal is known to the compiler. */
static inline bool
str_is(struct str a, const char *c)
{
	size_t n = strlen(c);

	return a.n == n && (n == 0 || memcmp(a.p, c, n) == 0);
}

static inline bool
str_starts(struct str a, struct str prefix)
{
	return a.n >= prefix.n &&
		(prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

/* Of a file: without the byte order mark that Windows puts in front of UTF-8, and
 * that is no part of the text (RFC 3629 §6). */
static inline struct str
str_unmarked(struct str text)
{
	if (!str_starts(text, STR("\xef\xbb\xbf")))
		return text;
	return (struct str){ text.p + 3, text.n - 3 };
}

/* Byte order, shorter first among equal prefixes; for sorting and bsearch. */
int str_cmp(struct str a, struct str b);

/*
 * Splits at the first sep.  False, and *head_out = in, when there is none.
 * Both results borrow from in.
 */
bool str_cut(struct str in, char sep, struct str *head_out, struct str *tail_out);

/* Without white space (RFC: SP HTAB CR LF) at either end. */
struct str str_trim(struct str in);

/* Decimal digits with an optional '-', nothing else, in [min, max]. */
bool str_to_int(struct str in, long long min, long long max, long long *out);

/* No byte above 127. */
bool str_is_ascii(struct str in);

/* Well-formed UTF-8 (RFC 3629) without NUL. */
bool str_is_utf8(struct str in);

/* A NUL-terminated copy, owned by the caller: free(). */
char *str_dup(struct str in);

#endif
