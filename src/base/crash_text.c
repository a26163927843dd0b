/*
 * crash_text.c - lines of the report of a crash.
 *
 * The handler, on the thread that crashed: no allocation, no lock, no stdio.
 */
#include "config.h"

#include "base/crash_text.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define DAY_S 86400

static const char digits[] = "0123456789abcdef";

static void
put_char(struct crash_text *t, char c)
{
	/* room for the end of the line */
	if (t->n < sizeof(t->line) - 1)
		t->line[t->n++] = c;
}

void
crash_put(struct crash_text *t, const char *text)
{
	while (*text != '\0')
		put_char(t, *text++);
}

void
crash_put_bytes(struct crash_text *t, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			put_char(t, (char)c);
			continue;
		}
		crash_put(t, "\\x");
		put_char(t, digits[c >> 4]);
		put_char(t, digits[c & 15]);
	}
}

/* At least so many digits. */
static void
put_based(struct crash_text *t, uint64_t number, unsigned base, unsigned least)
{
	char text[20];
	size_t n = 0;

	do {
		text[n++] = digits[number % base];
		number /= base;
	} while (number != 0 || n < least);
	while (n > 0)
		put_char(t, text[--n]);
}

void
crash_put_number(struct crash_text *t, int64_t number)
{
	if (number < 0)
		put_char(t, '-');
	put_based(t, number < 0 ? -(uint64_t)number : (uint64_t)number, 10, 1);
}

void
crash_put_hex(struct crash_text *t, uint64_t number)
{
	crash_put(t, "0x");
	put_based(t, number, 16, 1);
}

void
crash_put_time(struct crash_text *t, int64_t wall_s, bool marks)
{
	struct clock_date date = clock_date_of_day(wall_s / DAY_S);
	unsigned in_day = (unsigned)(wall_s % DAY_S);
	const char *dash = marks ? "-" : "", *colon = marks ? ":" : "";

	put_based(t, (unsigned)date.year, 10, 4);
	crash_put(t, dash);
	put_based(t, (unsigned)date.month, 10, 2);
	crash_put(t, dash);
	put_based(t, (unsigned)date.day, 10, 2);
	put_char(t, 'T');
	put_based(t, in_day / 3600, 10, 2);
	crash_put(t, colon);
	put_based(t, in_day / 60 % 60, 10, 2);
	crash_put(t, colon);
	put_based(t, in_day % 60, 10, 2);
	put_char(t, 'Z');
}

static void
report_write(struct crash_text *t)
{
	size_t at = 0;

	while (t->fd != -1 && t->why == 0 && at < t->n) {
		ssize_t done = write(t->fd, t->line + at, t->n - at);

		if (done > 0)
			at += (size_t)done;
		else if (errno != EINTR)
			t->why = errno;
	}
}

void
crash_end_line(struct crash_text *t)
{
	log_in_handler(t->line, t->n);
	t->line[t->n++] = '\n';
	report_write(t);
	t->n = 0;
}

/* The kernel says whether there is something, where we would crash.  Sanitizers
 * look at what write() is given, but not at plain system calls. */
bool
crash_read(const struct crash_text *t, void *to, const void *from, size_t n)
{
	char rest[256];

	if (syscall(SYS_write, t->probe[1], from, n) == (long)n)
		return syscall(SYS_read, t->probe[0], to, n) == (long)n;
	/* the end of it is not there: what is must not stay in the pipe */
	while (syscall(SYS_read, t->probe[0], rest, sizeof(rest)) > 0)
		;
	return false;
}
