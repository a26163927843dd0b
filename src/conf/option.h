/*
 * option.h - options as tables next to the code that uses them: parser, check,
 * the dump of what is in force, and the manual's entry come from one table.
 *
 * Any thread; pure functions.  A table ends with { .name = NULL }.  It fills a
 * struct of the caller, whose texts and lists lie in an arena.
 *
 *	static const struct option ping_options[] = {
 *		{ .name = "interval", .type = OPT_DURATION, .dflt = "60s",
 *			.min = "5s", .max = "1h",
 *			.off = offsetof(struct ping_conf, interval_us),
 *			.help = "silence after which a session is asked" },
 *		{ .name = NULL },
 *	};
 *
 * struct option has the name of the one in <getopt.h>: a file cannot include
 * both.
 */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct buf;
struct conf_errors;
struct yaml_node;

/* Beside each: the C type at .off, and what stands in the file. */
enum option_type {
	OPT_SWITCH,   /* bool: yes, no, true, false, on, off */
	OPT_INT,      /* int64_t: 12 */
	OPT_SIZE,     /* uint64_t bytes: 4096, 256KiB, 1MiB, 2GiB */
	OPT_DURATION, /* int64_t us: 500ms, 30s, 5m, 2h, 7d, never */
	OPT_TEXT,     /* const char * */
	OPT_PATH,     /* const char *: relative to the file it stands in */
	OPT_JID,      /* const char *: a prepared address */
	OPT_DOMAIN,   /* const char *: a prepared domain */
	OPT_MACHINE,  /* const char *: one that the DNS could have, or an address
		       * of IP, without brackets, as RFC 5952 spells it */
	OPT_NETWORK,  /* const char *: addresses of IP, as in net/ip_network.h */
	OPT_CHOICE,   /* int: index into .choices */
	OPT_LIST,     /* struct option_list of .item; "a, b" as .dflt */
};

/* "never": later than anything, and a time of the clock can be added to it. */
#define OPTION_NEVER (INT64_MAX / 4)

struct option_list {
	const char *const *items;
	size_t n;
};

struct option {
	const char *name;
	enum option_type type;
	enum option_type item; /* OPT_LIST: TEXT, PATH, JID, DOMAIN, MACHINE,
				* NETWORK or CHOICE */
	bool alone;            /* the same: one item may stand as it is */
	const char *dflt;      /* as in the file; NULL: NULL, none, zero */
	const char *min;       /* INT, SIZE, DURATION; LIST: number of items */
	const char *max;       /* the same; TEXT: bytes (default 4096) */
	const char *most;      /* SIZE: the one of the table, of the same range
				* or a higher one, that it must not be above; if
				* only one of them is set, the other follows */
	const char *const *choices; /* NULL-terminated */
	size_t off;
	bool required; /* it has to stand in the file */
	bool folder;   /* PATH: in which the server makes files; it is made, where
			* the one above it is there */
	bool secret;   /* its value is never shown */
	bool service;  /* DOMAIN: that of a service of the module, see conf.h;
			* may be empty */
	const char *help;    /* what it does, one phrase, no full stop */
	const char *example; /* a value that would do */
};

/* Fills base with what the table says when the file says nothing.  The table's
 * own defaults must be valid: an invalid one fails an assertion. */
void option_defaults(const struct option *table, void *base, struct arena *a);

/*
 * Defaults, then what map says.  map is a map, empty, or NULL (nothing stands
 * in the file).  path ("modules: ping") is for messages.  False when there were
 * mistakes; base is complete even then.
 */
bool option_apply(const struct option *table, const struct yaml_node *map,
	const char *path, void *base, struct arena *a, struct conf_errors *m);

/* The same, where names (NULL ends) stand in map, too, which others read. */
bool option_apply_beside(const struct option *table, const char *const *names,
	const struct yaml_node *map, const char *path, void *base, struct arena *a,
	struct conf_errors *m);

/* Only what map says, over what base holds already: for options of one host that
 * override general ones.  general is where those stand; it may be NULL when the
 * table has no .most.  Nothing is required. */
bool option_overlay(const struct option *table, const struct yaml_node *map,
	const struct yaml_node *general, const char *path, void *base,
	struct arena *a, struct conf_errors *m);

/* Appends what base holds as lines of YAML, indented by indent blanks; reading
 * them again gives the same.  Secrets are shown as a comment. */
void option_show(const struct option *table, const void *base, struct buf *out,
	int indent);

/* Appends the list items of the manual, mdoc(7): .It Ic name Ar value, ... */
void option_mdoc(const struct option *table, struct buf *out);

/* One value as it would stand in the file: "30s", "256KiB", "yes"; lists as
 * [ a, b ].  Appends to out. */
void option_value(const struct option *o, const void *base, struct buf *out);

/* Text as a YAML scalar, quoted if it has to be.  Appends to out. */
void option_quote(struct buf *out, struct str text);

/* Is text one of them, to the letter? */
bool option_list_has(const struct option_list *list, struct str text);

/* --- single values ------------------------------------------------------- */

/* "30s"; false for anything that is not a duration. */
bool duration_parse(struct str text, int64_t *us_out);
/* "256KiB"; false for anything that is not a size. */
bool size_parse(struct str text, uint64_t *bytes_out);
/* The shortest exact form. */
void duration_show(struct buf *out, int64_t us);
void size_show(struct buf *out, uint64_t bytes);

#endif
