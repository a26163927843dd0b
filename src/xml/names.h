/*
 * names.h - the names that the protocol knows (names.def).
 *
 * Any thread.
 */
#ifndef XML_NAMES_H
#define XML_NAMES_H

#include <stdbool.h>

#include "base/str.h"

/* True, with the one static copy of s, if it is known; the empty name is. */
bool names_find(struct str s, struct str *known_out);
/* Of s; 0: it is not known, or empty.  Good for as long as the process runs. */
unsigned names_number(struct str s);
/* The static copy of the name with this number. */
struct str names_at(unsigned number);

#endif
