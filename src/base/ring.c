/*
 * ring.c - the ring of each thread.
 */
#include "config.h"

#include "base/ring.h"

#include "base/crash_text.h"

_Thread_local struct ring ring_here;

void
ring_describe_function(struct crash_text *out, const struct ring_event *ev)
{
	crash_put_address(out, (uintptr_t)ev->id);
	if (ev->n == 0)
		return;
	crash_put(out, " n=");
	crash_put_number(out, ev->n);
}
