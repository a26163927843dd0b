/*
 * log.h - one line for one event of one object.
 *
 * Any thread.  The sink (stderr, a file, syslog) is the one global of the
 * program.  A line is: time, level, area, who, fixed phrase, key=value ...
 * No message bodies, passwords or tokens at any level.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct err;

enum log_level {
	LEVEL_ERROR, /* somebody must act */
	LEVEL_WARN,  /* survived, but unexpected */
	LEVEL_INFO,  /* the life of streams and sessions */
	LEVEL_DEBUG, /* everything else */
};

enum log_area {
#define LOG_AREA(id, name, meaning) LOG_##id,
#include "base/log.def"
#undef LOG_AREA
	LOG_AREAS
};

/* Who an event happens to: asked to describe itself only if the line is
 * written.  describe() writes at most n bytes with a NUL, such as
 * "s3 c2s 9f2c41 romeo@example.net/orchard". */
struct log_who {
	void (*describe)(const void *obj, char *out, size_t n);
	const void *obj;
};

#define LOG_NOBODY ((struct log_who){ NULL, NULL })

/* Keeps what a peer can trigger at will from filling the disk: at most
 * LOG_BURST lines a minute, then one line with the count of what was left out.
 * Zeroed memory is a fresh limiter; any thread. */
#define LOG_BURST 20
struct log_limit {
	atomic_uint_fast64_t minute_and_count; /* minute << 32 | count */
};

/* The level of each area; read on every call, written by log_set_level. */
extern atomic_int log_levels[LOG_AREAS];

#define log_enabled(area, level)                                               \
	(atomic_load_explicit(&log_levels[area], memory_order_relaxed) >=      \
		(int)(level))

/* The arguments are not evaluated when the level is off. */
#define log_at(area, level, who, ...)                                          \
	do {                                                                   \
		if (log_enabled(area, level))                                  \
			log_write(area, level, who, __VA_ARGS__);              \
	} while (0)

#define log_error(area, who, ...) log_at(area, LEVEL_ERROR, who, __VA_ARGS__)
#define log_warn(area, who, ...) log_at(area, LEVEL_WARN, who, __VA_ARGS__)
#define log_info(area, who, ...) log_at(area, LEVEL_INFO, who, __VA_ARGS__)
#define log_debug(area, who, ...) log_at(area, LEVEL_DEBUG, who, __VA_ARGS__)

/* --- any thread ---------------------------------------------------------- */

/* Control characters and broken UTF-8 are written as \xNN, so that no peer can
 * forge a line.  A line is cut at 4 KiB.  errno is kept. */
void log_write(enum log_area area, enum log_level level, struct log_who who,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The same for a handler of signals, as an error about the server; text is ASCII
 * without control characters (borrowed, n bytes).  Where it cannot be written it
 * goes to standard error. */
void log_in_handler(const char *text, size_t n);

/* False when this line should be left out; see struct log_limit. */
bool log_limit_ok(struct log_limit *limit, enum log_area area);

void log_set_level(enum log_area area, enum log_level level);
/* By name; false for an unknown one. */
bool log_area_parse(struct str name, enum log_area *out);
bool log_level_parse(struct str name, enum log_level *out);
const char *log_area_name(enum log_area area);
const char *log_level_name(enum log_level level);

/* --- start-up, before threads; log_reopen: any thread -------------------- */

enum log_target { LOG_TO_STDERR, LOG_TO_FILE, LOG_TO_SYSLOG };

/* Opens the sink; before the first call lines go to stderr.  path is borrowed,
 * and used with LOG_TO_FILE only.  With syslog the time is left out; on a
 * stderr that systemd's journal reads, "<N>" with the priority replaces it. */
bool log_open(enum log_target target, const char *path, struct err *err);
/* The file is opened anew under its name, after logrotate moved the old one. */
bool log_reopen(struct err *err);
/* A log file belongs to uid and gid from now on, who will have to open it anew.
 * False when the system refuses. */
bool log_give(uid_t uid, gid_t gid, struct err *err);
void log_close(void);

#endif
