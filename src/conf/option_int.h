/*
 * option_int.h - single values, for the files that work on whole tables.
 */
#ifndef CONF_OPTION_INT_H
#define CONF_OPTION_INT_H

#include "conf/option.h"

struct err;

union option_value {
	bool on;        /* SWITCH */
	int64_t n;      /* INT, DURATION */
	uint64_t bytes; /* SIZE */
	const char *text; /* TEXT, PATH, JID, DOMAIN, MACHINE, NETWORK */
	int choice;     /* CHOICE */
};

/*
 * Reads text as a value of type, which is that of o or of its items, and checks
 * it against what o allows.  file is where it stands (for OPT_PATH), or NULL.
 * Texts are copied to the arena of a.  err says what was found and what would
 * do.
 */
bool option_parse(const struct option *o, enum option_type type,
	struct str text, const char *file, struct arena *a,
	union option_value *out, struct err *err);

/* "a duration such as 30s, 5m or never"; in a buffer of n. */
const char *option_expected(const struct option *o, enum option_type type,
	char *out, size_t n);

#endif
