/*
 * crash_int.h - what the files of the crash report share.
 */
#ifndef BASE_CRASH_INT_H
#define BASE_CRASH_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crash_text.h"

/* --- crash_trace.c -------------------------------------------------------- */

/* Start-up: what a backtrace needs is loaded, so that nothing is in the handler. */
void crash_trace_init(void);
bool crash_address_known(uintptr_t address);
/* Where the thread was when the signal came (context: ucontext_t), its callers,
 * and which builds they belong to. */
void crash_trace(struct crash_text *t, const void *context);

#endif
