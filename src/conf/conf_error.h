/*
 * conf_error.h - collects what is wrong with a configuration, so that all of it
 * is reported at once: "FILE:LINE: path: to: option: what is wrong".
 *
 * Any thread; one owner.
 */
#ifndef CONF_CONF_ERROR_H
#define CONF_CONF_ERROR_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct yaml_node;

#define CONF_ERRORS_MAX 200 /* what goes beyond is only counted */

struct conf_errors {
	struct arena *arena;
	size_t n;      /* all of them */
	size_t n_kept; /* those in texts */
	const char *texts[CONF_ERRORS_MAX];
};

void conf_errors_init(struct conf_errors *m);
void conf_errors_done(struct conf_errors *m);

/* at (borrowed, may be NULL) is where it stands; path ("hosts: example.org",
 * may be empty) says in what.  Returns false, so that
 * `return conf_error_add(...)` is one line. */
bool conf_error_add(struct conf_errors *m, const struct yaml_node *at,
	const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same for a place that has no node.  line 0: the file as a whole. */
bool conf_error_add_at(struct conf_errors *m, const char *file, int line,
	const char *path, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * `unknown WHAT "found"; did you mean "NEAREST"?`: the nearest of names (NULL
 * entries are skipped) by edit distance is named only if it is near, or a part
 * of it is.  Else all of them are, if they are few; and without any, it is said that
 * there are none.
 */
bool conf_error_unknown(struct conf_errors *m, const struct yaml_node *at,
	const char *path, const char *what, const char *found,
	const char *const *names, size_t n_names);

/* --- any thread: pure ----------------------------------------------------- */

/* The one of names (NULL entries are skipped) that found may have been meant to
 * be; NULL when none is near. */
const char *conf_error_nearest(const char *found, const char *const *names,
	size_t n_names);

#endif
