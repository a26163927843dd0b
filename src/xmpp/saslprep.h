/*
 * saslprep.h - preparation of passwords for SASL (RFC 4013, a profile of RFC
 * 3454), which both sides of SCRAM and PLAIN apply (RFC 5802 §2.2, RFC 4616
 * §2).
 *
 * Any thread; a pure function.
 */
#ifndef XMPP_SASLPREP_H
#define XMPP_SASLPREP_H

#include <stdbool.h>

#include "base/str.h"

struct buf;
struct err;

#define SASLPREP_MAX 1023 /* bytes, before and after */

/*
 * Appends the prepared form of in, which is in itself for printable ASCII.
 * Code points unassigned in Unicode 3.2 are let through, as in a query.
 * False (ERR_INVALID), out unchanged, when in is empty or too long, before or
 * after, is not UTF-8, holds a prohibited character (RFC 4013 §2.3), or breaks
 * the rule for text from right to left (RFC 3454 §6).  The text of err does not
 * quote in.  Whatever copies were made on the way are wiped.
 */
bool saslprep(struct buf *out, struct str in, struct err *err);

#endif
