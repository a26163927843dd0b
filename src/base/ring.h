/*
 * ring.h - the last that a thread has done, for the report of its crash.
 *
 * Each thread has one ring and writes to it; nobody reads it but the handler of a
 * crash, on that thread (base/crash.h).  An event is numbers alone: who notes one
 * makes a few stores.  No texts, so no bodies and no secrets either.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdint.h>

struct crash_text;
struct ring_event;

#define RING_EVENTS 64 /* a power of two */

/* A static table where events of a kind are noted. */
struct ring_kind {
	const char *name;
	/* In the handler, NULL: nothing; what ev tells, behind the name.  What it points to
	 * may be gone, or be another by now: crash_read(). */
	void (*describe)(struct crash_text *out, const struct ring_event *ev);
};

struct ring_event {
	const struct ring_kind *kind; /* NULL: none yet */
	const void *what;             /* of whom; not to be trusted */
	uint64_t id;                  /* a number of his */
	uint32_t type;
	uint32_t n;
};

struct ring {
	uint32_t n; /* noted, ever */
	struct ring_event events[RING_EVENTS];
};

extern _Thread_local struct ring ring_here;

/* Returns the event, for ring_next(). */
static inline struct ring_event *
ring_note(const struct ring_kind *kind, const void *what, uint64_t id,
	uint32_t type, uint32_t n)
{
	struct ring *r = &ring_here;
	struct ring_event *ev = &r->events[r->n++ % RING_EVENTS];

	*ev = (struct ring_event){ kind, what, id, type, n };
	return ev;
}

/* ev goes on with another one, unless it has made room for others meanwhile: what
 * happens to many at once is one event. */
static inline void
ring_next(struct ring_event *ev, const struct ring_kind *kind,
	const void *what, uint64_t id)
{
	if (ev->kind != kind)
		return;
	ev->what = what;
	ev->id = id;
}

/* Of a kind whose events have the address of a function as id, and n. */
void ring_describe_function(struct crash_text *out, const struct ring_event *ev);

#endif
