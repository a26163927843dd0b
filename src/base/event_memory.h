/*
 * event_memory.h - keeps what libevent never gives back apart from all else.
 *
 * Libevent keeps a few bytes for each descriptor that was ever open, until its
 * event base ends.  Allocated as connections come, they lie between the memory
 * of connections, and when those have gone they hold nearly every page of it:
 * of 140 MB that 8,000 sessions with TLS had left, 30 could not be given back.
 */
#ifndef BASE_EVENT_MEMORY_H
#define BASE_EVENT_MEMORY_H

#include <stddef.h>

/* Start-up, before threads and before libevent is used. */
void event_memory_init(void);

/* --- any thread: what libevent calls then; for tests -------------------------- */

void *event_memory_alloc(size_t n);
void *event_memory_resize(void *p, size_t n);
void event_memory_free(void *p);

#endif
