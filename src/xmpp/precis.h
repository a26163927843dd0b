/*
 * precis.h - preparation of internationalised strings (RFC 8264) by the two
 * profiles of RFC 8265 that XMPP needs, and by that of RFC 8266 for nicknames.
 *
 * Any thread; pure functions.  in is well-formed UTF-8, of a length that the
 * caller has bounded.  The result lies in the arena of a, and preparing it
 * again gives the same bytes.  False (ERR_INVALID) when the profile does not
 * allow it.
 */
#ifndef XMPP_PRECIS_H
#define XMPP_PRECIS_H

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct err;

/* UsernameCaseMapped, RFC 8265 §3.3. */
bool precis_username(struct str *out, struct arena *a, struct str in,
	struct err *err);
/* OpaqueString, RFC 8265 §4.2: resources, and passwords. */
bool precis_opaque(struct str *out, struct arena *a, struct str in,
	struct err *err);

/* What two nicknames are compared by, RFC 8266 §2.4: they are the same to people when
 * this is.  For comparing only: shown is what was given. */
bool precis_nickname_key(struct str *out, struct arena *a, struct str in,
	struct err *err);

#endif
