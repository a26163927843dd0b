/*
 * crash_trace.c - where a thread was, in words that addr2line(1) understands:
 * program or library, and the offset in it, wherever it was loaded.
 *
 * The handler, on the thread that crashed.  _dl_find_object() is the one way to
 * ask the loader that takes no lock (glibc 2.35).
 */
#include "config.h"

#include "base/crash_int.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/mem.h"

#define FRAMES_MAX 128
#define BUILDS_MAX 16

/* The loader has no name for the program itself. */
static char program[512] = "antiphond";

/* Where the thread was; false where we do not know how to find that. */
static bool
context_pc(const ucontext_t *c, void **out)
{
#if defined(__x86_64__)
	*out = (void *)c->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	*out = (void *)c->uc_mcontext.pc;
#else
	(void)c;
	(void)out;
	return false;
#endif
	return true;
}

/* Who has called a function that is not there; NULL: not known. */
static void *
context_caller(const struct crash_text *t, const ucontext_t *c)
{
	void *caller = NULL;

#if defined(__x86_64__)
	const void *top = (const void *)c->uc_mcontext.gregs[REG_RSP];

	if (!crash_read(t, &caller, top, sizeof(caller)))
		caller = NULL;
#elif defined(__aarch64__)
	(void)t;
	caller = (void *)c->uc_mcontext.regs[30];
#else
	(void)t;
	(void)c;
#endif
	return caller;
}

static bool
object_find(uintptr_t address, struct dl_find_object *out)
{
	return _dl_find_object((void *)address, out) == 0;
}

static const char *
object_name(const struct dl_find_object *object)
{
	const char *name = object->dlfo_link_map->l_name;

	return name[0] != '\0' ? name : program;
}

bool
crash_address_known(uintptr_t address)
{
	struct dl_find_object object;

	return object_find(address, &object);
}

void
crash_put_address(struct crash_text *t, uintptr_t address)
{
	struct dl_find_object object;
	const char *name;

	if (!object_find(address, &object)) {
		crash_put_hex(t, address);
		return;
	}
	name = object_name(&object);
	crash_put_bytes(t, name, strlen(name));
	crash_put(t, "+");
	crash_put_hex(t, address - object.dlfo_link_map->l_addr);
}

void
crash_trace_init(void)
{
	void *frames[2];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (n > 0)
		program[n] = '\0';
	(void)backtrace(frames, COUNT(frames));
}

/* --- the whole ------------------------------------------------------------ */

static void
put_frame(struct crash_text *t, uintptr_t address)
{
	crash_put(t, "  ");
	crash_put_address(t, address);
	crash_end_line(t);
}

/* Of the frames, the one of pc; n when it is not among them. */
static int
frame_of(void *const *frames, int n, const void *pc)
{
	int i = 0;

	while (i < n && frames[i] != pc)
		i++;
	return i;
}

/* One line for each program and library that has a frame. */
static void
put_builds(struct crash_text *t, void *const *frames, int n)
{
	const void *seen[BUILDS_MAX];
	struct dl_find_object object;
	char build[BUILD_ID_SIZE];
	size_t n_seen = 0, k;

	crash_put(t, "builds:");
	crash_end_line(t);
	for (int i = 0; i < n && n_seen < COUNT(seen); i++) {
		if (!object_find((uintptr_t)frames[i], &object))
			continue;
		for (k = 0; k < n_seen && seen[k] != object.dlfo_map_start; k++)
			;
		if (k < n_seen)
			continue;
		seen[n_seen++] = object.dlfo_map_start;
		build_id_of(object.dlfo_map_start, build);
		crash_put(t, "  ");
		crash_put_bytes(t, object_name(&object),
			strlen(object_name(&object)));
		crash_put(t, " ");
		crash_put(t, build);
		crash_end_line(t);
	}
}

void
crash_trace(struct crash_text *t, const void *context)
{
	const ucontext_t *c = context;
	void *frames[FRAMES_MAX], *pc;
	int n = backtrace(frames, FRAMES_MAX);
	int first = context_pc(c, &pc) ? frame_of(frames, n, pc) : 0;

	crash_put(t, "backtrace:");
	crash_end_line(t);
	if (first == n) { /* a function that is not there was called */
		frames[0] = pc;
		frames[1] = context_caller(t, c);
		first = 0;
		n = frames[1] != NULL ? 2 : 1;
	}
	/* of callers the call, not what follows it: that may be another
	 * function where the one that is called does not return */
	for (int i = first; i < n; i++)
		put_frame(t, (uintptr_t)frames[i] - (i != first));
	put_builds(t, frames + first, n - first);
}
