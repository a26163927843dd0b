/*
 * precis.c - preparation of internationalised strings: the string classes of
 * RFC 8264, their contextual rules, and the profiles of RFC 8265 and RFC 8266.
 *
 * Any thread.  Works on code points, in memory of its own that is gone when
 * the call returns.  Invariant: every pass over a string is linear in its
 * length, whatever the string is.
 */
#include "config.h"

#include "xmpp/precis.h"

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"

#define ZWNJ 0x200c
#define ZWJ 0x200d
#define SPACE 0x20
/* RFC 8264 §7 warns that one pass may not be enough; what has not come to rest
 * after this many is refused, as RFC 8266 §2.1 has it for nicknames. */
#define PASSES_MAX 4

struct run {
	uint32_t *p; /* owned */
	size_t n;
};

/* The derived property of RFC 8264 §8. */
enum property {
	PVALID,    /* in both classes */
	FREE_PVAL, /* in the FreeformClass only */
	CONTEXTJ,
	CONTEXTO,
	DISALLOWED,
	UNASSIGNED,
};

/* What contextual rules ask of the string as a whole, found once. */
struct context {
	bool kana_or_han;
	bool arabic_digits;          /* U+0660 to U+0669 */
	bool extended_arabic_digits; /* U+06F0 to U+06F9 */
};

typedef bool profile_fn(struct run *r, struct err *err);

/* RFC 5892 §2.6; false when cp is none of them. */
static bool
is_exception(ucs4_t cp, enum property *out)
{
	switch (cp) {
	case 0x00df:
	case 0x03c2:
	case 0x06fd ... 0x06fe:
	case 0x0f0b:
	case 0x3007:
		*out = PVALID;
		return true;
	case 0x00b7:
	case 0x0375:
	case 0x05f3 ... 0x05f4:
	case 0x0660 ... 0x0669:
	case 0x06f0 ... 0x06f9:
	case 0x30fb:
		*out = CONTEXTO;
		return true;
	case 0x0640:
	case 0x07fa:
	case 0x302e ... 0x302f:
	case 0x3031 ... 0x3035:
	case 0x303b:
		*out = DISALLOWED;
		return true;
	default:
		return false;
	}
}

/* Hangul_Syllable_Type L, V or T, RFC 5892 §2.9. */
static bool
is_old_hangul_jamo(ucs4_t cp)
{
	return (cp >= 0x1100 && cp <= 0x11ff) ||
		(cp >= 0xa960 && cp <= 0xa97c) ||
		(cp >= 0xd7b0 && cp <= 0xd7c6) ||
		(cp >= 0xd7cb && cp <= 0xd7fb);
}

/* RFC 8264 §9.17 */
static bool
has_compat(ucs4_t cp)
{
	uint32_t buf[32]; /* the longest, U+FDFA, has 18 */
	size_t n = COUNT(buf);
	uint32_t *out = u32_normalize(UNINORM_NFKC, &cp, 1, buf, &n);
	bool changed = out == NULL || n != 1 || out[0] != cp;

	if (out != buf)
		free(out);
	return changed;
}

/* The last four steps of RFC 8264 §8. */
static enum property
property_of_category(ucs4_t cp)
{
	const uint32_t letter_digits = UC_CATEGORY_MASK_Ll |
		UC_CATEGORY_MASK_Lu | UC_CATEGORY_MASK_Lo |
		UC_CATEGORY_MASK_Nd | UC_CATEGORY_MASK_Lm |
		UC_CATEGORY_MASK_Mn | UC_CATEGORY_MASK_Mc;
	const uint32_t others = UC_CATEGORY_MASK_Lt | UC_CATEGORY_MASK_Nl |
		UC_CATEGORY_MASK_No | UC_CATEGORY_MASK_Me |
		UC_CATEGORY_MASK_Zs | UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_P;

	if (uc_is_general_category_withtable(cp, letter_digits))
		return PVALID;
	if (uc_is_general_category_withtable(cp, others))
		return FREE_PVAL;
	return DISALLOWED;
}

/* RFC 8264 §8, whose order must be kept. */
static enum property
property_of(ucs4_t cp)
{
	enum property exception;

	if (is_exception(cp, &exception))
		return exception;
	if (uc_is_general_category_withtable(cp, UC_CATEGORY_MASK_Cn) &&
		!uc_is_property_not_a_character(cp))
		return UNASSIGNED;
	if (cp >= 0x21 && cp <= 0x7e)
		return PVALID;
	if (cp == ZWNJ || cp == ZWJ)
		return CONTEXTJ;
	if (is_old_hangul_jamo(cp) ||
		uc_is_property_default_ignorable_code_point(cp) ||
		uc_is_property_not_a_character(cp) ||
		uc_is_general_category_withtable(cp, UC_CATEGORY_MASK_Cc))
		return DISALLOWED;
	if (has_compat(cp))
		return FREE_PVAL;
	return property_of_category(cp);
}

static bool
is_of_script(ucs4_t cp, const char *name)
{
	return uc_is_script(cp, uc_script_byname(name));
}

static struct context
context_of(const struct run *r)
{
	struct context ctx = { .kana_or_han = false };

	for (size_t i = 0; i < r->n; i++) {
		ucs4_t cp = r->p[i];

		if (cp >= 0x0660 && cp <= 0x0669)
			ctx.arabic_digits = true;
		else if (cp >= 0x06f0 && cp <= 0x06f9)
			ctx.extended_arabic_digits = true;
		else if (cp >= 0x2e80 && !ctx.kana_or_han)
			ctx.kana_or_han = is_of_script(cp, "Hiragana") ||
				is_of_script(cp, "Katakana") ||
				is_of_script(cp, "Han");
	}
	return ctx;
}

static bool
follows_virama(const struct run *r, size_t i)
{
	return i != 0 && uc_combining_class(r->p[i - 1]) == UC_CCC_VR;
}

/* The regular expression of RFC 5892 §A.1.  Looking ends at the next joiner,
 * which is not transparent, so that many of them stay linear. */
static bool
breaks_cursive(const struct run *r, size_t i)
{
	size_t before = i, after = i + 1;
	int type;

	while (before != 0 &&
		uc_joining_type(r->p[before - 1]) == UC_JOINING_TYPE_T)
		before--;
	while (after < r->n && uc_joining_type(r->p[after]) == UC_JOINING_TYPE_T)
		after++;
	if (before == 0 || after == r->n)
		return false;
	type = uc_joining_type(r->p[before - 1]);
	if (type != UC_JOINING_TYPE_L && type != UC_JOINING_TYPE_D)
		return false;
	type = uc_joining_type(r->p[after]);
	return type == UC_JOINING_TYPE_R || type == UC_JOINING_TYPE_D;
}

/* RFC 5892 §A.1 to §A.9. */
static bool
context_allows(const struct run *r, size_t i, const struct context *ctx)
{
	bool first = i == 0, last = i + 1 == r->n;

	switch (r->p[i]) {
	case ZWNJ:
		return follows_virama(r, i) || breaks_cursive(r, i);
	case ZWJ:
		return follows_virama(r, i);
	case 0x00b7: /* middle dot */
		return !first && !last && r->p[i - 1] == 'l' &&
			r->p[i + 1] == 'l';
	case 0x0375: /* Greek keraia */
		return !last && is_of_script(r->p[i + 1], "Greek");
	case 0x05f3: /* Hebrew geresh, gershayim */
	case 0x05f4:
		return !first && is_of_script(r->p[i - 1], "Hebrew");
	case 0x30fb: /* Katakana middle dot */
		return ctx->kana_or_han;
	case 0x0660 ... 0x0669:
		return !ctx->extended_arabic_digits;
	case 0x06f0 ... 0x06f9:
		return !ctx->arabic_digits;
	default:
		return false; /* no rule: not allowed, RFC 8264 §8 */
	}
}

/* The IdentifierClass (RFC 8264 §4.2) or, where freeform, the FreeformClass
 * (§4.3). */
static bool
is_of_class(const struct run *r, bool freeform, struct err *err)
{
	struct context ctx = context_of(r);

	for (size_t i = 0; i < r->n; i++) {
		bool ok = false;

		switch (property_of(r->p[i])) {
		case PVALID:
			ok = true;
			break;
		case FREE_PVAL:
			ok = freeform;
			break;
		case CONTEXTJ:
		case CONTEXTO:
			ok = context_allows(r, i, &ctx);
			break;
		case DISALLOWED:
		case UNASSIGNED:
			break;
		}
		if (!ok)
			return err_set(err, ERR_INVALID,
				"U+%04X is not allowed here",
				(unsigned)r->p[i]);
	}
	return true;
}

/* RFC 5893 §2, conditions 2 and 5. */
static bool
bidi_class_fits(int class, bool rtl)
{
	switch (class) {
	case UC_BIDI_EN:
	case UC_BIDI_ES:
	case UC_BIDI_CS:
	case UC_BIDI_ET:
	case UC_BIDI_ON:
	case UC_BIDI_BN:
	case UC_BIDI_NSM:
		return true;
	case UC_BIDI_R:
	case UC_BIDI_AL:
	case UC_BIDI_AN:
		return rtl;
	case UC_BIDI_L:
		return !rtl;
	default:
		return false;
	}
}

static bool
has_rtl(const struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		int class = uc_bidi_class(r->p[i]);

		if (class == UC_BIDI_R || class == UC_BIDI_AL ||
			class == UC_BIDI_AN)
			return true;
	}
	return false;
}

/* RFC 5893 §2, of a run that is not empty. */
static bool
bidi_rule_holds(const struct run *r)
{
	int first = uc_bidi_class(r->p[0]), class;
	bool rtl = first == UC_BIDI_R || first == UC_BIDI_AL;
	bool en = false, an = false;
	size_t end = r->n;

	if (!rtl && first != UC_BIDI_L) /* 1 */
		return false;
	for (size_t i = 0; i < r->n; i++) {
		class = uc_bidi_class(r->p[i]);
		en |= class == UC_BIDI_EN;
		an |= class == UC_BIDI_AN;
		if (!bidi_class_fits(class, rtl)) /* 2, 5 */
			return false;
	}
	while (end != 1 && uc_bidi_class(r->p[end - 1]) == UC_BIDI_NSM)
		end--;
	class = uc_bidi_class(r->p[end - 1]);
	if (!rtl) /* 6 */
		return class == UC_BIDI_L || class == UC_BIDI_EN;
	if (en && an) /* 4 */
		return false;
	return class == UC_BIDI_R || class == UC_BIDI_AL ||
		class == UC_BIDI_EN || class == UC_BIDI_AN; /* 3 */
}

/* Fullwidth and halfwidth characters are those which decompose as such. */
static void
map_width(struct run *r)
{
	ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
	int tag;

	for (size_t i = 0; i < r->n; i++) {
		if (r->p[i] >= 0x80 &&
			uc_decomposition(r->p[i], &tag, parts) == 1 &&
			(tag == UC_DECOMP_WIDE || tag == UC_DECOMP_NARROW))
			r->p[i] = parts[0];
	}
}

/* RFC 8265 §4.2.2, RFC 8266 §2.1: any space is the one of ASCII. */
static void
map_spaces(struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (uc_is_general_category_withtable(r->p[i],
			    UC_CATEGORY_MASK_Zs))
			r->p[i] = SPACE;
	}
}

/* Each character by itself: PRECIS knows no special treatment of the final
 * sigma (RFC 8265 §3.6), so that a prefix of a name maps as the name does.
 * U+0130 is the one whose lower case has two characters. */
static void
map_case(struct run *r)
{
	uint32_t *out = xmalloc(2 * r->n * sizeof(*out));
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		out[n++] = uc_tolower(r->p[i]);
		if (r->p[i] == 0x0130) {
			out[n - 1] = 'i';
			out[n++] = 0x0307;
		}
	}
	free(r->p);
	*r = (struct run){ out, n };
}

static bool
map_form(struct run *r, uninorm_t form, struct err *err)
{
	size_t n = 0;
	uint32_t *out = u32_normalize(form, r->p, r->n, NULL, &n);

	if (out == NULL)
		return err_errno(err, "normalising");
	free(r->p);
	*r = (struct run){ out, n };
	return true;
}

/* RFC 8265 §3.3.2, §3.3.3 */
static bool
username_once(struct run *r, struct err *err)
{
	map_width(r);
	if (!is_of_class(r, false, err))
		return false;
	map_case(r);
	if (!map_form(r, UNINORM_NFC, err))
		return false;
	if (has_rtl(r) && !bidi_rule_holds(r))
		return err_set(err, ERR_INVALID,
			"mixes writing directions (RFC 5893 bidi rule)");
	return true;
}

/* RFC 8265 §4.2.1, §4.2.2 */
static bool
opaque_once(struct run *r, struct err *err)
{
	if (!is_of_class(r, true, err))
		return false;
	map_spaces(r);
	return map_form(r, UNINORM_NFC, err);
}

/* RFC 8266 §2.1, 2b and 2c: no space at either end, and one between words. */
static void
squeeze_spaces(struct run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (r->p[i] != SPACE || (n != 0 && r->p[n - 1] != SPACE))
			r->p[n++] = r->p[i];
	}
	r->n = n != 0 && r->p[n - 1] == SPACE ? n - 1 : n;
}

/* RFC 8266 §2.4 */
static bool
nickname_once(struct run *r, struct err *err)
{
	if (!is_of_class(r, true, err))
		return false;
	map_spaces(r);
	squeeze_spaces(r);
	if (r->n == 0)
		return err_set(err, ERR_INVALID, "is nothing but space");
	map_case(r);
	return map_form(r, UNINORM_NFKC, err);
}

static struct run
run_of_utf8(struct str in)
{
	struct run r = { .p = xmalloc(in.n * sizeof(*r.p)) };
	size_t i = 0;

	while (i < in.n) {
		ucs4_t cp;
		int n = u8_mbtouc(&cp, (const uint8_t *)in.p + i, in.n - i);

		r.p[r.n++] = cp;
		i += (size_t)n;
	}
	return r;
}

static struct str
utf8_of_run(struct arena *a, const struct run *r)
{
	size_t cap = 4 * r->n + 1, n = 0;
	char *p = arena_alloc(a, cap);

	for (size_t i = 0; i < r->n; i++)
		n += (size_t)u8_uctomb((uint8_t *)p + n, r->p[i],
			(ptrdiff_t)(cap - n));
	p[n] = '\0';
	return (struct str){ p, n };
}

/* Applies the profile until it changes nothing any more. */
static bool
enforce(struct str *out, struct arena *a, struct str in, profile_fn *once,
	struct err *err)
{
	struct run now, before;
	bool ok = true, same = false;

	if (in.n == 0)
		return err_set(err, ERR_INVALID, "is empty");
	now = run_of_utf8(in);
	for (int i = 0; ok && !same && i < PASSES_MAX; i++) {
		before.n = now.n;
		before.p = xmalloc(now.n * sizeof(*now.p));
		memcpy(before.p, now.p, now.n * sizeof(*now.p));
		ok = once(&now, err);
		same = ok && now.n == before.n &&
			memcmp(now.p, before.p, now.n * sizeof(*now.p)) == 0;
		free(before.p);
	}
	if (ok && !same)
		ok = err_set(err, ERR_INVALID, "has no stable form");
	if (ok)
		*out = utf8_of_run(a, &now);
	free(now.p);
	return ok;
}

bool
precis_username(struct str *out, struct arena *a, struct str in,
	struct err *err)
{
	return enforce(out, a, in, username_once, err);
}

bool
precis_opaque(struct str *out, struct arena *a, struct str in,
	struct err *err)
{
	return enforce(out, a, in, opaque_once, err);
}

bool
precis_nickname_key(struct str *out, struct arena *a, struct str in,
	struct err *err)
{
	return enforce(out, a, in, nickname_once, err);
}
