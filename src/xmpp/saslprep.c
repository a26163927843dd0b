/*
 * saslprep.c - preparation of passwords for SASL (RFC 4013).
 *
 * Any thread.  Invariant: no copy of a password stays behind in memory that was
 * given back.
 */
#include "config.h"

#include "xmpp/saslprep.h"

#include <stdint.h>

#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

struct range {
	uint32_t first, last;
};

/* RFC 3454 table B.1 */
static const struct range mapped_to_nothing[] = {
	{ 0xad, 0xad }, { 0x34f, 0x34f }, { 0x1806, 0x1806 },
	{ 0x180b, 0x180d }, { 0x200b, 0x200d }, { 0x2060, 0x2060 },
	{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
};

/* RFC 3454 table C.1.2, without U+200B, which B.1 has as well */
static const struct range spaces[] = {
	{ 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200a },
	{ 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 },
};

/* RFC 3454 tables C.2.1 to C.9; the non-characters at the end of each plane
 * are tested apart, and what the mapping removes is not repeated. */
static const struct range prohibited[] = {
	{ 0x0, 0x1f }, { 0x7f, 0x9f }, { 0x340, 0x341 }, { 0x6dd, 0x6dd },
	{ 0x70f, 0x70f }, { 0x180e, 0x180e }, { 0x200e, 0x200f },
	{ 0x2028, 0x202e }, { 0x2061, 0x2063 }, { 0x206a, 0x206f },
	{ 0x2ff0, 0x2ffb }, { 0xd800, 0xf8ff }, { 0xfdd0, 0xfdef },
	{ 0xfff9, 0xfffd }, { 0x1d173, 0x1d17a }, { 0xe0001, 0xe0001 },
	{ 0xe0020, 0xe007f }, { 0xf0000, 0x10ffff },
};

static bool
ranges_have(const struct range *r, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n && r[i].first <= c; i++) {
		if (c <= r[i].last)
			return true;
	}
	return false;
}

static bool
is_printable_ascii(struct str in)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] < 0x20 || in.p[i] > 0x7e)
			return false;
	}
	return true;
}

/* RFC 4013 §2.1.  to has room for SASLPREP_MAX. */
static size_t
map(uint32_t *to, struct str in)
{
	const uint8_t *p = (const uint8_t *)in.p;
	size_t n = 0;

	for (size_t at = 0; at < in.n;) {
		ucs4_t c;

		at += (size_t)u8_mbtouc(&c, p + at, in.n - at);
		if (ranges_have(mapped_to_nothing, COUNT(mapped_to_nothing), c))
			continue;
		to[n++] = ranges_have(spaces, COUNT(spaces), c) ? ' ' : c;
	}
	return n;
}

static bool
is_prohibited(const uint32_t *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((s[i] & 0xfffe) == 0xfffe ||
			ranges_have(prohibited, COUNT(prohibited), s[i]))
			return true;
	}
	return false;
}

static bool
is_right_to_left(uint32_t c)
{
	int bidi = uc_bidi_category(c);

	return bidi == UC_BIDI_R || bidi == UC_BIDI_AL;
}

/* RFC 3454 §6: with a character from right to left in it, the text begins and
 * ends with one, and has none from left to right. */
static bool
bidi_ok(const uint32_t *s, size_t n)
{
	bool rtl = false, ltr = false;

	for (size_t i = 0; i < n; i++) {
		rtl = rtl || is_right_to_left(s[i]);
		ltr = ltr || uc_bidi_category(s[i]) == UC_BIDI_L;
	}
	return !rtl || (!ltr && is_right_to_left(s[0]) &&
		is_right_to_left(s[n - 1]));
}

static bool
append(struct buf *out, const uint32_t *s, size_t n, struct err *err)
{
	size_t start = out->n;

	buf_reserve(out, SASLPREP_MAX);
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[6];
		int len = u8_uctomb(bytes, s[i], sizeof(bytes));

		if (len < 0 || out->n - start + (size_t)len > SASLPREP_MAX) {
			explicit_bzero(out->p + start, out->n - start);
			out->n = start;
			return err_set(err, ERR_INVALID,
				"the prepared text is over %d bytes",
				SASLPREP_MAX);
		}
		buf_add(out, bytes, (size_t)len);
	}
	return true;
}

/* in is well-formed UTF-8, and at most SASLPREP_MAX bytes. */
static bool
prepare(struct buf *out, struct str in, struct err *err)
{
	bool ok = false;
	uint32_t mapped[SASLPREP_MAX];
	size_t n_mapped = map(mapped, in), n = 0;
	uint32_t *s = u32_normalize(UNINORM_NFKC, mapped, n_mapped, NULL, &n);

	explicit_bzero(mapped, sizeof(mapped));
	if (s == NULL)
		return err_errno(err, "normalise");
	if (n == 0)
		err_set(err, ERR_INVALID, "nothing is left when prepared");
	else if (is_prohibited(s, n))
		err_set(err, ERR_INVALID, "a character is not allowed");
	else if (!bidi_ok(s, n))
		err_set(err, ERR_INVALID,
			"text from right to left is mixed with other text");
	else
		ok = append(out, s, n, err);
	mem_wipe_free(s, n * sizeof(*s));
	return ok;
}

bool
saslprep(struct buf *out, struct str in, struct err *err)
{
	if (in.n == 0)
		return err_set(err, ERR_INVALID, "it is empty");
	if (in.n > SASLPREP_MAX)
		return err_set(err, ERR_INVALID, "it is over %d bytes",
			SASLPREP_MAX);
	if (is_printable_ascii(in)) {
		buf_add_str(out, in);
		return true;
	}
	if (!str_is_utf8(in))
		return err_set(err, ERR_INVALID, "it is not UTF-8");
	return prepare(out, in, err);
}
