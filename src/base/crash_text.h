/*
 * crash_text.h - how the report of a crash is written (base/crash.h): by calls
 * that a handler of signals may make.
 *
 * The handler, on the thread that crashed.
 */
#ifndef BASE_CRASH_TEXT_H
#define BASE_CRASH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line in the making; what does not fit is cut. */
struct crash_text {
	int fd;       /* of the report; -1: there is none */
	int why;      /* errno of what could not be written to it, or 0 */
	int probe[2]; /* a pipe, see crash_read() */
	size_t n;
	char line[1024];
};

/* A text of our own. */
void crash_put(struct crash_text *t, const char *text);
/* n bytes that others have chosen: what is not printable ASCII, quotes and
 * backslashes are written \xNN. */
void crash_put_bytes(struct crash_text *t, const char *p, size_t n);
void crash_put_number(struct crash_text *t, int64_t number);
void crash_put_hex(struct crash_text *t, uint64_t number);
/* 2026-11-27T18:30:00Z; without the marks, as it stands in names of files. */
void crash_put_time(struct crash_text *t, int64_t wall_s, bool marks);
/* Where it lies in the program or a library, PATH+0xOFFSET, as addr2line(1) wants
 * it; a plain number when it lies in none. */
void crash_put_address(struct crash_text *t, uintptr_t address);
/* Writes the line to the log and to the report, and begins the next one. */
void crash_end_line(struct crash_text *t);

/* Copies n bytes (at most 4096) from where there may be nothing: false then. */
bool crash_read(const struct crash_text *t, void *to, const void *from,
	size_t n);

#endif
