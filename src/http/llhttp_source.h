/*
 * llhttp_source.h - the C source of llhttp, where there is no library of it: the file
 * LLHTTP_PART, and LLHTTP_PART_TOO.
 *
 * Each has a name of ours, for libantiphon.a has no folders.  Strict, unless a test
 * wants to see that this makes no difference.  It is theirs, so our warnings do not
 * count in it, and nobody outside of the program sees it.
 */
#pragma GCC system_header

/* what it includes is not to be hidden */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(hidden)

#ifndef LLHTTP_STRICT_MODE
#define LLHTTP_STRICT_MODE 1
#endif
#include LLHTTP_PART
#ifdef LLHTTP_PART_TOO
#include LLHTTP_PART_TOO
#endif

#pragma GCC visibility pop
