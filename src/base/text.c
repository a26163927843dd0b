/*
 * text.c - base64 (RFC 4648), hex, and comparison of secrets.
 *
 * Any thread.
 */
#include "config.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/buf.h"

/* RFC 4648 §4 */
static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* n is 1 to 3 bytes; the letters of the missing ones become padding. */
static void
encode_group(char out[4], const unsigned char *in, size_t n)
{
	uint32_t bits = (uint32_t)in[0] << 16;

	if (n > 1)
		bits |= (uint32_t)in[1] << 8;
	if (n > 2)
		bits |= in[2];
	out[0] = base64_letters[bits >> 18];
	out[1] = base64_letters[bits >> 12 & 63];
	out[2] = n > 1 ? base64_letters[bits >> 6 & 63] : '=';
	out[3] = n > 2 ? base64_letters[bits & 63] : '=';
}

void
base64_encode(struct buf *out, const void *p, size_t n)
{
	const unsigned char *in = p;
	char *to = buf_reserve(out, (n + 2) / 3 * 4);

	out->n += (n + 2) / 3 * 4;
	for (size_t i = 0; i < n; i += 3) {
		encode_group(to, in + i, n - i);
		to += 4;
	}
}

/* -1 for what is not a letter of the alphabet. */
static int
letter_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* in has n_letters letters, the rest of its 4 is padding.  False for a letter
 * outside of the alphabet, and for unused bits that are not zero. */
static bool
decode_group(unsigned char out[3], const char *in, size_t n_letters)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < n_letters ? letter_value(in[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
	}
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8);
	out[2] = (unsigned char)bits;
	return (n_letters > 3 || out[2] == 0) && (n_letters > 2 || out[1] == 0);
}

static size_t
padding_of(struct str in)
{
	if (in.n == 0 || in.p[in.n - 1] != '=')
		return 0;
	return in.p[in.n - 2] == '=' ? 2 : 1;
}

bool
base64_decode(struct buf *out, struct str in)
{
	size_t padding, n;
	unsigned char *to;

	if (in.n % 4 != 0)
		return false;
	padding = padding_of(in);
	n = in.n / 4 * 3;
	to = (unsigned char *)buf_reserve(out, n);
	for (size_t i = 0; i < in.n; i += 4) {
		size_t n_letters = i + 4 < in.n ? 4 : 4 - padding;

		if (!decode_group(to, in.p + i, n_letters))
			return false;
		to += 3;
	}
	out->n += n - padding;
	return true;
}

void
hex_encode(struct buf *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = p;
	char *to = buf_reserve(out, 2 * n);

	for (size_t i = 0; i < n; i++) {
		*to++ = digits[in[i] >> 4];
		*to++ = digits[in[i] & 15];
	}
	out->n += 2 * n;
}

bool
secret_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
