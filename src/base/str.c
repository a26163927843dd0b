/*
 * str.c - text by pointer and length.
 *
 * Any thread.
 */
#include "config.h"

#include "base/str.h"

#include <stdint.h>
#include <unistr.h>

#include "base/mem.h"

int
str_cmp(struct str a, struct str b)
{
	size_t n = MIN(a.n, b.n);
	int diff = n != 0 ? memcmp(a.p, b.p, n) : 0;

	if (diff != 0)
		return diff;
	return (a.n > b.n) - (a.n < b.n);
}

bool
str_cut(struct str in, char sep, struct str *head_out, struct str *tail_out)
{
	const char *at = in.n != 0 ? memchr(in.p, sep, in.n) : NULL;

	if (at == NULL) {
		*head_out = in;
		*tail_out = STR_NONE;
		return false;
	}
	*head_out = (struct str){ in.p, (size_t)(at - in.p) };
	*tail_out = (struct str){ at + 1, in.n - head_out->n - 1 };
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str
str_trim(struct str in)
{
	while (in.n != 0 && is_blank(in.p[0])) {
		in.p++;
		in.n--;
	}
	while (in.n != 0 && is_blank(in.p[in.n - 1]))
		in.n--;
	return in;
}

bool
str_to_int(struct str in, long long min, long long max, long long *out)
{
	bool negative = in.n != 0 && in.p[0] == '-';
	size_t i = negative ? 1 : 0;
	long long value = 0;

	if (i == in.n)
		return false;
	for (; i < in.n; i++) {
		int digit = in.p[i] - '0';

		if (digit < 0 || digit > 9 ||
			__builtin_mul_overflow(value, 10, &value) ||
			__builtin_sub_overflow(value, digit, &value))
			return false;
	}
	/* counted downwards, because LLONG_MIN has no positive counterpart */
	if (!negative && __builtin_mul_overflow(value, -1, &value))
		return false;
	if (value < min || value > max)
		return false;
	*out = value;
	return true;
}

/* Eight bytes at a time: every text of every stanza comes here. */
bool
str_is_ascii(struct str in)
{
	uint64_t word, all = 0;
	size_t i = 0;

	for (; i + sizeof(word) <= in.n; i += sizeof(word)) {
		memcpy(&word, in.p + i, sizeof(word));
		all |= word;
	}
	for (; i < in.n; i++)
		all |= (unsigned char)in.p[i];
	return (all & UINT64_C(0x8080808080808080)) == 0;
}

bool
str_is_utf8(struct str in)
{
	if (in.n == 0)
		return true;
	return memchr(in.p, '\0', in.n) == NULL &&
		u8_check((const uint8_t *)in.p, in.n) == NULL;
}

char *
str_dup(struct str in)
{
	char *copy = xmalloc(in.n + 1);

	if (in.n != 0)
		memcpy(copy, in.p, in.n);
	copy[in.n] = '\0';
	return copy;
}
