/*
 * datetime.h - date and time profiles (XEP-0082).
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_DATETIME_H
#define XMPP_DATETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Room for "2026-11-21T09:45:00.123456Z" and a NUL. */
#define DATETIME_SIZE 28

/* UTC, in whole seconds; wall_us since 1970. */
struct str datetime_format(char out[DATETIME_SIZE], int64_t wall_us);
/* Accepts fractions and zone offsets; years 1970 to 2100 only (hostile 70). */
bool datetime_parse(struct str in, int64_t *wall_us_out);
/* One from which, or up to which, something is asked for: any year of four digits, for
 * some take the first or the last for no bound.  What is outside is moved inside. */
bool datetime_parse_bound(struct str in, int64_t *wall_us_out);

#endif
