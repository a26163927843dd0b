/*
 * jid.c - addresses: splitting them, and preparing each part.
 *
 * Any thread.  ASCII that needs no mapping is recognised with one table and
 * costs no allocation: that is nearly every address of nearly every stanza.
 * Everything else is validated as UTF-8, of bounded length, before a Unicode
 * or IDNA function sees it.  Invariant: what was prepared once is left
 * unchanged when it is prepared again.
 */
#include "config.h"

#include "xmpp/jid.h"

#include <arpa/inet.h>
#include <idn2.h>

#include "base/arena.h"
#include "base/err.h"
#include "xmpp/ip_literal.h"
#include "xmpp/precis.h"

/* Preparation shortens a part to a third at most: three bytes of a fullwidth
 * letter become one. */
#define PART_INPUT_MAX (3 * JID_PART_MAX)
#define INPUT_MAX (3 * PART_INPUT_MAX + 2)
#define LABEL_MAX 63   /* RFC 1035 §2.3.4 */
#define DOMAIN_MAX 253 /* likewise, without the root's dot */

enum {
	IN_LOCAL = 1,
	IN_DOMAIN = 2,
	IN_RESOURCE = 4,
	IS_UPPER = 8,
	IS_WIDE = 16, /* not ASCII */
};

/* In which part an ASCII character may stand as it is: RFC 8264 §9.11, less
 * RFC 7622 §3.3.1 for the localpart; letters, digits, hyphen and dot for the
 * domainpart; RFC 8264 §9.11 and the space for the resourcepart. */
#define R IN_RESOURCE
#define LR (IN_LOCAL | IN_RESOURCE)
#define LDR (IN_LOCAL | IN_DOMAIN | IN_RESOURCE)
static const unsigned char kinds[256] = {
	[' '] = R,
	['!'] = LR,
	['"'] = R,
	['#' ... '%'] = LR,
	['&' ... '\''] = R,
	['(' ... ','] = LR,
	['-' ... '.'] = LDR,
	['/'] = R,
	['0' ... '9'] = LDR,
	[':'] = R,
	[';'] = LR,
	['<'] = R,
	['='] = LR,
	['>'] = R,
	['?'] = LR,
	['@'] = R,
	['A' ... 'Z'] = R | IS_UPPER,
	['[' ... '`'] = LR,
	['a' ... 'z'] = LDR,
	['{' ... '~'] = LR,
	[0x80 ... 0xff] = IS_WIDE,
};
#undef R
#undef LR
#undef LDR

/* Is every character of s of one of the kinds? */
static bool
is_all(struct str s, unsigned kind)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((kinds[(unsigned char)s.p[i]] & kind) == 0)
			return false;
	}
	return true;
}

static bool
is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

static struct str
ascii_lower(struct arena *a, struct str in)
{
	char *copy = arena_alloc(a, in.n + 1);

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		copy[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	copy[in.n] = '\0';
	return (struct str){ copy, in.n };
}

/* Before any library is asked: hostile 17. */
static bool
part_is_sane(struct str in, const char *part, struct err *err)
{
	if (in.n == 0)
		return err_set(err, ERR_INVALID, "%s is empty", part);
	if (in.n > PART_INPUT_MAX)
		return err_set(err, ERR_INVALID,
			"%s has more than %d bytes", part, JID_PART_MAX);
	if (!str_is_utf8(in))
		return err_set(err, ERR_INVALID, "%s is not UTF-8", part);
	return true;
}

static bool
part_fits(struct str out, const char *part, struct err *err)
{
	if (out.n == 0)
		return err_set(err, ERR_INVALID, "%s is empty", part);
	if (out.n > JID_PART_MAX)
		return err_set(err, ERR_INVALID,
			"%s has more than %d bytes", part, JID_PART_MAX);
	return true;
}

bool
jid_prep_local(struct str *out, struct arena *a, struct str in,
	struct err *err)
{
	struct str s = in;

	if (in.n - 1 < JID_PART_MAX && is_all(in, IN_LOCAL)) {
		*out = in;
		return true;
	}
	if (!part_is_sane(in, "localpart", err))
		return false;
	if (!is_ascii(in)) {
		if (!precis_username(&s, a, in, err))
			return err_prefix(err, "localpart");
	} else if (!is_all(in, IN_LOCAL)) {
		s = ascii_lower(a, in);
	}
	/* after mapping, so that a fullwidth "@" is found too */
	if (!is_all(s, IN_LOCAL | IS_WIDE))
		return err_set(err, ERR_INVALID,
			"localpart has a character that RFC 7622 excludes");
	if (!part_fits(s, "localpart", err))
		return false;
	*out = s;
	return true;
}

bool
jid_prep_resource(struct str *out, struct arena *a, struct str in,
	struct err *err)
{
	struct str s = in;

	if (in.n - 1 < JID_PART_MAX && is_all(in, IN_RESOURCE)) {
		*out = in;
		return true;
	}
	if (!part_is_sane(in, "resourcepart", err))
		return false;
	if (!is_all(in, IN_RESOURCE) && !precis_opaque(&s, a, in, err))
		return err_prefix(err, "resourcepart");
	if (!part_fits(s, "resourcepart", err))
		return false;
	*out = s;
	return true;
}

/* An NR-LDH label (RFC 5890 §2.3.2.2). */
static bool
label_is_plain(struct str label)
{
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' ||
		label.p[label.n - 1] == '-')
		return false;
	return label.n < 4 || label.p[2] != '-' || label.p[3] != '-';
}

/* Nothing but NR-LDH labels, within the limits of the DNS? */
static bool
domain_is_plain(struct str s)
{
	struct str label, rest = s;
	bool more;

	if (s.n > DOMAIN_MAX)
		return false;
	do {
		more = str_cut(rest, '.', &label, &rest);
		if (!is_all(label, IN_DOMAIN) || !label_is_plain(label))
			return false;
	} while (more);
	return true;
}

/* What libidn2 made of a domain: it checks what IDNA2008 asks at lookup, which
 * leaves out the contextual rules of RFC 5892 §A.3 to §A.9.  A U-label obeys
 * them (RFC 5890 §2.3.2.1), and PRECIS has them. */
static bool
labels_are_prepared(struct str s, struct arena *a)
{
	struct str label, same, rest = s;
	bool more;

	do {
		more = str_cut(rest, '.', &label, &rest);
		if (is_all(label, IN_DOMAIN)) {
			if (!label_is_plain(label))
				return false;
		} else if (!is_all(label, IN_DOMAIN | IS_WIDE) ||
			!precis_username(&same, a, label, NULL) ||
			!str_eq(same, label)) {
			return false;
		}
	} while (more);
	return true;
}

/* The final dot of the root is no part of the address (RFC 7622 §3.2). */
static struct str
without_root(struct str s)
{
	if (s.n != 0 && s.p[s.n - 1] == '.')
		s.n--;
	return s;
}

/* "[" IPv6 "]", in the one spelling of RFC 5952. */
static bool
prep_ipv6(struct str *out, struct arena *a, struct str in, struct err *err)
{
	char text[INET6_ADDRSTRLEN], addr[IP_LITERAL_SIZE];

	if (ip_literal_read(in, addr) == 0)
		return err_set(err, ERR_INVALID,
			"domainpart is no IPv6 literal");
	inet_ntop(AF_INET6, addr, text, sizeof(text));
	*out = arena_printf(a, "[%s]", text);
	return true;
}

/*
 * IDNA2008 after the mapping of UTS #46 (RFC 5895 leaves the choice of one to
 * us), then A-labels to U-labels (RFC 7622 §3.2).  The way through the
 * A-labels and back makes one spelling of all that mean the same domain.
 *
 * libidn2 2.3 does not refuse what the STD3 rules exclude, but drops it: "a@b"
 * and a fullwidth "@" would vanish.  So the first way is gone without these
 * rules, what is left of ASCII is checked here, and on the second way that
 * which was dropped shows as a difference.
 */
static bool
prep_idna(struct str *out, struct arena *a, struct str in, struct err *err)
{
	const int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
	const int strict = flags | IDN2_USE_STD3_ASCII_RULES;
	char *ascii = NULL, *wide = NULL, *again = NULL;
	bool ok = false;
	struct str s;
	int rc;

	in = arena_str(a, in);
	rc = idn2_to_ascii_8z(in.p, &ascii, flags);
	if (rc == IDN2_OK)
		rc = idn2_to_unicode_8z8z(ascii, &wide, 0);
	if (rc == IDN2_OK)
		rc = idn2_to_ascii_8z(wide, &again, strict);
	if (rc != IDN2_OK) {
		err_set(err, ERR_INVALID, "domainpart: %s", idn2_strerror(rc));
		goto out;
	}
	s = str_c(wide);
	if (strcmp(ascii, again) != 0 || strlen(ascii) > DOMAIN_MAX ||
		!labels_are_prepared(s, a)) {
		err_set(err, ERR_INVALID,
			"domainpart has a label that IDNA2008 excludes");
		goto out;
	}
	*out = arena_str(a, s);
	ok = true;
out:
	idn2_free(ascii);
	idn2_free(wide);
	idn2_free(again);
	return ok;
}

bool
jid_prep_domain(struct str *out, struct arena *a, struct str in,
	struct err *err)
{
	struct str s = without_root(in);

	if (s.n != 0 && s.p[0] == '[')
		return prep_ipv6(out, a, s, err);
	if (domain_is_plain(s)) {
		*out = s;
		return true;
	}
	if (!part_is_sane(s, "domainpart", err))
		return false;
	if (is_all(s, IN_DOMAIN | IS_UPPER)) {
		s = ascii_lower(a, s);
		if (domain_is_plain(s)) {
			*out = s;
			return true;
		}
	}
	return prep_idna(out, a, s, err) && part_fits(*out, "domainpart", err);
}

struct str
jid_domain_ascii(struct arena *a, struct str domain)
{
	char *ascii = NULL;

	if (str_is_ascii(domain) ||
		idn2_to_ascii_8z(arena_str(a, domain).p, &ascii,
			IDN2_NONTRANSITIONAL) != IDN2_OK)
		return domain;
	domain = arena_str(a, str_c(ascii));
	idn2_free(ascii);
	return domain;
}

static struct jid
jid_of_parts(const char *text, struct str local, struct str domain,
	struct str resource)
{
	size_t bare = local.n + (local.n != 0) + domain.n;

	return (struct jid){
		.text = text,
		.local_len = (uint16_t)local.n,
		.bare_len = (uint16_t)bare,
		.len = (uint16_t)(bare + (resource.n != 0) + resource.n),
	};
}

struct jid
jid_make(struct arena *a, struct str local, struct str domain,
	struct str resource)
{
	struct jid j = jid_of_parts(NULL, local, domain, resource);
	char *p = arena_alloc(a, (size_t)j.len + 1);

	j.text = p;
	if (local.n != 0) {
		memcpy(p, local.p, local.n);
		p += local.n;
		*p++ = '@';
	}
	memcpy(p, domain.p, domain.n);
	p += domain.n;
	if (resource.n != 0) {
		*p++ = '/';
		memcpy(p, resource.p, resource.n);
		p += resource.n;
	}
	*p = '\0';
	return j;
}

struct jid
jid_copy(struct arena *a, struct jid j)
{
	j.text = arena_str(a, jid_str(j)).p;
	return j;
}

/* RFC 7622 §3.1: the first "/" ends the bare address, and in it the first "@"
 * the localpart; neither is looked for after mapping. */
static void
split(struct str in, struct str *local, struct str *domain,
	struct str *resource)
{
	struct str bare;

	str_cut(in, '/', &bare, resource);
	if (!str_cut(bare, '@', local, domain)) {
		*domain = bare;
		*local = STR_NONE;
	}
}

struct jid
jid_trusted(struct str text)
{
	struct str local, domain, resource;

	split(text, &local, &domain, &resource);
	return jid_of_parts(text.p, local, domain, resource);
}

bool
jid_parse(struct jid *out, struct arena *a, struct str in, struct err *err)
{
	struct str local, domain, resource;
	struct str l, d, r;

	if (in.n == 0)
		return err_set(err, ERR_INVALID, "the address is empty");
	if (in.n > INPUT_MAX)
		return err_set(err, ERR_INVALID,
			"the address has more than %d bytes", JID_MAX);
	split(in, &local, &domain, &resource);
	l = local;
	r = resource;
	if ((local.p != NULL && !jid_prep_local(&l, a, local, err)) ||
		!jid_prep_domain(&d, a, domain, err) ||
		(resource.p != NULL && !jid_prep_resource(&r, a, resource, err)))
		return false;
	if (l.p == local.p && d.p == domain.p && d.n == domain.n &&
		r.p == resource.p)
		*out = jid_of_parts(in.p, l, d, r);
	else
		*out = jid_make(a, l, d, r);
	return true;
}
