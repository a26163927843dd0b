/*
 * upload_limits.h - how much a user may upload, how much he has, and whether one
 * more file fits.
 *
 * Any thread; pure functions.
 */
#ifndef MODULES_UPLOAD_UPLOAD_LIMITS_H
#define MODULES_UPLOAD_UPLOAD_LIMITS_H

#include "module/module.h"

/* What a file is for (XEP-0363 §5). */
enum upload_purpose {
	UPLOAD_MESSAGE,
	UPLOAD_PROFILE,
	UPLOAD_EPHEMERAL,
	UPLOAD_PERMANENT,
	UPLOAD_PURPOSES
};

const char *upload_purpose_name(enum upload_purpose p);
bool upload_purpose_parse(struct str name, enum upload_purpose *out);

/* Of one purpose. */
struct upload_limit {
	uint64_t file_bytes;
	uint64_t day_bytes;
	int64_t expire_us; /* OPTION_NEVER: never */
};

/* All that one user may. */
struct upload_limits {
	struct upload_limit of[UPLOAD_PURPOSES];
	uint64_t total_bytes; /* 0: any amount */
	uint64_t files;
};

/* Values of the same for one user, where they are not those of the host: -1. */
struct upload_own {
	int64_t file_bytes[UPLOAD_PURPOSES];
	int64_t day_bytes[UPLOAD_PURPOSES];
	int64_t expire_us[UPLOAD_PURPOSES];
	int64_t total_bytes;
	int64_t files;
};

/* None is his own. */
void upload_own_init(struct upload_own *own);
void upload_own_write(struct buf *out, const struct upload_own *own);
/* False, with none of his own: it was not written so. */
bool upload_own_read(struct upload_own *own, struct str text);
/* Puts them over what limits holds. */
void upload_own_apply(const struct upload_own *own, struct upload_limits *limits);

/* What a user has, and has uploaded on a day (UTC, days since 1970). */
struct upload_usage {
	uint64_t bytes;
	uint64_t files;
	int64_t day;
	uint64_t day_bytes[UPLOAD_PURPOSES];
};

void upload_usage_write(struct buf *out, const struct upload_usage *u);
/* False, and zeroed: it was not written so. */
bool upload_usage_read(struct upload_usage *u, struct str text);
void upload_usage_add(struct upload_usage *u, enum upload_purpose p,
	uint64_t bytes, int64_t wall_us);
/* It was taken back: on the same day it counts for that no more. */
void upload_usage_undo(struct upload_usage *u, enum upload_purpose p,
	uint64_t bytes, int64_t wall_us);
/* What he has uploaded on another day is not of today. */
void upload_usage_today(struct upload_usage *u, int64_t wall_us);
/* A file has gone: what was uploaded that day was. */
void upload_usage_less(struct upload_usage *u, uint64_t bytes);
/* It has not. */
void upload_usage_more(struct upload_usage *u, uint64_t bytes);

/* Slots that were given away and not used yet. */
struct upload_reserved {
	uint64_t bytes[UPLOAD_PURPOSES];
	uint64_t files;
	int64_t first_us; /* when the first of them ends, wall clock */
};

/* The largest file that limits grant to one who has nothing yet: what is announced
 * (XEP-0363 §3), and always granted. */
uint64_t upload_max_bytes(const struct upload_limits *limits,
	enum upload_purpose p);

enum upload_verdict {
	UPLOAD_GRANTED,
	UPLOAD_TOO_LARGE, /* for ever */
	UPLOAD_DAY_FULL,  /* until *retry_us_out */
	UPLOAD_FULL,      /* until something is deleted */
};

/* May he have a slot for so many bytes?  retry_us_out: 0 where no time is known. */
enum upload_verdict upload_fits(const struct upload_limits *limits,
	const struct upload_usage *u, const struct upload_reserved *r,
	enum upload_purpose p, uint64_t bytes, int64_t wall_us,
	int64_t *retry_us_out);

#endif
