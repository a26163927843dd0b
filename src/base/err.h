/*
 * err.h - why something did not work, for whoever has to deal with it.
 *
 * Any thread; the caller keeps the struct on its stack.  Whoever knows the
 * reason fills it in; callers on the way up add what they know.  It is logged
 * once, where it is dealt with.  The text is for the log, never for a peer.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

enum err_code {
	ERR_NONE,
	ERR_SYSTEM,   /* a system call or a library failed */
	ERR_INVALID,  /* the input breaks its own rules */
	ERR_LIMIT,    /* a configured limit was reached */
	ERR_MISSING,  /* what was asked for does not exist */
	ERR_CONFLICT, /* it exists already */
	ERR_REFUSED,  /* not permitted */
	ERR_BUSY,     /* not now; trying again later makes sense */
	ERR_STORAGE,  /* the store could not do it */
	ERR_DISK,     /* the disk takes no writes at all; later it may */
	ERR_LOST,     /* the database is gone for now; inside of store/ only */
	ERR_TLS,      /* the TLS library refused */
	ERR_CLOSED,   /* the other side is gone */
	ERR_TIMEOUT,  /* the other side has not answered in time */
};

struct err {
	enum err_code code;
	char text[240];
};

#define ERR_INIT                                                               \
	{                                                                      \
		.code = ERR_NONE                                               \
	}

/* Both return false, so that `return err_set(...)` is one line.  err may be
 * NULL: nobody wants to know. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* ERR_SYSTEM, with ": " and the text of errno behind the message. */
bool err_errno(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Puts what the caller knows, and ": ", before the text. */
bool err_prefix(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
