/*
 * err.c - why something did not work.
 *
 * Any thread.
 */
#include "config.h"

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return false;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return false;
}

bool
err_errno(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	char reason[80];
	char what[sizeof(err->text)];
	va_list ap;

	if (err == NULL)
		return false;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(err, ERR_SYSTEM, "%.150s: %s", what,
		strerror_r(saved, reason, sizeof(reason)));
}

/* Appends as much of s as there is room for behind the first n bytes. */
static void
err_append(struct err *err, size_t n, const char *s)
{
	size_t len = strnlen(s, sizeof(err->text) - n - 1);

	memcpy(err->text + n, s, len);
	err->text[n + len] = '\0';
}

bool
err_prefix(struct err *err, const char *fmt, ...)
{
	char rest[sizeof(err->text)];
	va_list ap;

	if (err == NULL)
		return false;
	memcpy(rest, err->text, sizeof(rest));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	err_append(err, strlen(err->text), ": ");
	err_append(err, strlen(err->text), rest);
	return false;
}
