/*
 * llhttp_machine.c - of llhttp, where we have it as source: the machine that reads.
 */
#include "config.h"

#ifdef LLHTTP_SOURCE_LLHTTP
#define LLHTTP_PART LLHTTP_SOURCE_LLHTTP
#include "http/llhttp_source.h"
#else
/* a library has it; in C no file is empty */
extern const int llhttp_is_a_library;
#endif
