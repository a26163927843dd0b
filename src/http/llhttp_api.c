/*
 * llhttp_api.c - of llhttp, where we have it as source: what is called, and what its
 * machine calls.
 */
#include "config.h"

#ifdef LLHTTP_SOURCE_API
#define LLHTTP_PART LLHTTP_SOURCE_API
#define LLHTTP_PART_TOO LLHTTP_SOURCE_HTTP
#include "http/llhttp_source.h"
#else
/* a library has it; in C no file is empty */
extern const int llhttp_is_a_library;
#endif
