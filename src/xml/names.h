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

#endif
