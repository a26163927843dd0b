/*
 * jid.h - addresses (RFC 7622), always prepared: localpart by the PRECIS
 * profile UsernameCaseMapped, domainpart by IDNA2008, resourcepart by
 * OpaqueString.  Preparation happens once, at the edge; inside, comparing is
 * comparing bytes.
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_JID_H
#define XMPP_JID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;

#define JID_PART_MAX 1023 /* bytes, RFC 7622 §3.1 */
#define JID_MAX (3 * JID_PART_MAX + 2)

/* "local@domain/resource" in one run of bytes, borrowed from an arena or from
 * the object that owns it.  local and resource may be missing; zeroed memory is
 * no address at all. */
struct jid {
	const char *text;    /* not NUL-terminated */
	uint16_t local_len;  /* 0: no localpart */
	uint16_t bare_len;   /* of "local@domain"; 0: no address */
	uint16_t len;        /* of the whole */
};

static inline bool
jid_is_set(struct jid j)
{
	return j.bare_len != 0;
}

static inline struct str
jid_str(struct jid j)
{
	return (struct str){ j.text, j.len };
}

static inline struct str
jid_bare_str(struct jid j)
{
	return (struct str){ j.text, j.bare_len };
}

static inline struct str
jid_local(struct jid j)
{
	return (struct str){ j.local_len != 0 ? j.text : NULL, j.local_len };
}

static inline struct str
jid_domain(struct jid j)
{
	uint16_t at = j.local_len != 0 ? (uint16_t)(j.local_len + 1) : 0;

	return (struct str){ j.text + at, (size_t)(j.bare_len - at) };
}

static inline struct str
jid_resource(struct jid j)
{
	if (j.len == j.bare_len)
		return STR_NONE;
	return (struct str){ j.text + j.bare_len + 1,
		(size_t)(j.len - j.bare_len - 1) };
}

static inline bool
jid_is_bare(struct jid j)
{
	return j.len == j.bare_len;
}

/* The same bytes without the resource. */
static inline struct jid
jid_bare(struct jid j)
{
	j.len = j.bare_len;
	return j;
}

static inline bool
jid_eq(struct jid a, struct jid b)
{
	return a.len == b.len && a.bare_len == b.bare_len &&
		memcmp(a.text, b.text, a.len) == 0;
}

static inline bool
jid_eq_bare(struct jid a, struct jid b)
{
	return a.bare_len == b.bare_len &&
		memcmp(a.text, b.text, a.bare_len) == 0;
}

/*
 * Parses and prepares.  What is prepared already (all of ASCII that needs no
 * mapping) borrows from in, anything else lies in the arena of a.
 * False (ERR_INVALID) for an address that RFC 7622 does not allow.
 */
bool jid_parse(struct jid *out, struct arena *a, struct str in,
	struct err *err);

/* From parts that are prepared already; local and resource may be STR_NONE.
 * In the arena of a. */
struct jid jid_make(struct arena *a, struct str local, struct str domain,
	struct str resource);
/* A copy in the arena of a. */
struct jid jid_copy(struct arena *a, struct jid j);
/* A str that jid_str() once gave, known to be prepared: no checks. */
struct jid jid_trusted(struct str text);

/* One part alone; the result borrows from in or lies in the arena of a. */
bool jid_prep_local(struct str *out, struct arena *a, struct str in,
	struct err *err);
bool jid_prep_domain(struct str *out, struct arena *a, struct str in,
	struct err *err);
bool jid_prep_resource(struct str *out, struct arena *a, struct str in,
	struct err *err);

/* What the DNS has for a prepared domain: with A-labels for U-labels (RFC 5890
 * §2.3.2.1).  It borrows from domain, or lies in the arena of a. */
struct str jid_domain_ascii(struct arena *a, struct str domain);

#endif
