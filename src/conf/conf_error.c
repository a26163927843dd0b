/*
 * conf_error.c - collects what is wrong with a configuration, and guesses what
 * an unknown name was meant to be.
 *
 * Any thread; one owner.  Invariant: a text is one line of printable bytes.
 */
#include "config.h"

#include "conf/conf_error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/yaml.h"

#define TEXT_MAX 512 /* bytes of one message */
#define NAME_MAX_COMPARED 64
#define NAMES_LISTED 320 /* bytes */
#define PART_MIN 3	 /* letters; of shorter ones, each is near to each */

void
conf_errors_init(struct conf_errors *m)
{
	*m = (struct conf_errors){ .arena = arena_new() };
}

void
conf_errors_done(struct conf_errors *m)
{
	arena_free(m->arena);
	*m = (struct conf_errors){ .arena = NULL };
}

/* What a file holds comes back in messages: no control characters there. */
static void
text_clean(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static bool __attribute__((format(printf, 5, 0)))
conf_error_vadd(struct conf_errors *m, const char *file, int line,
	const char *path, const char *fmt, va_list ap)
{
	char text[TEXT_MAX];
	char place[24] = "";

	m->n++;
	if (m->n_kept == CONF_ERRORS_MAX)
		return false;
	vsnprintf(text, sizeof(text), fmt, ap);
	text_clean(text);
	if (line > 0)
		snprintf(place, sizeof(place), ":%d", line);
	m->texts[m->n_kept++] = arena_printf(m->arena, "%s%s%s%s%s%s",
		file != NULL ? file : "", file != NULL ? place : "",
		file != NULL ? ": " : "", path,
		*path != '\0' ? ": " : "", text).p;
	return false;
}

bool
conf_error_add(struct conf_errors *m, const struct yaml_node *at,
	const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_error_vadd(m, at != NULL ? at->file : NULL,
		at != NULL ? at->line : 0, path, fmt, ap);
	va_end(ap);
	return false;
}

bool
conf_error_add_at(struct conf_errors *m, const char *file, int line,
	const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_error_vadd(m, file, line, path, fmt, ap);
	va_end(ap);
	return false;
}

static bool
is_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Edit distance in which exchanging two neighbours counts as one edit, and small for
 * capital as none. */
static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_COMPARED + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;
	size_t na = strlen(a), nb = strlen(b);

	if (na > NAME_MAX_COMPARED || nb > NAME_MAX_COMPARED)
		return NAME_MAX_COMPARED;
	for (size_t j = 0; j <= nb; j++)
		above[j] = before[j] = j;
	for (size_t i = 1; i <= na; i++) {
		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			row[j] = MIN(above[j], row[j - 1]) + 1;
			row[j] = MIN(row[j],
				above[j - 1] + !is_same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) &&
				is_same(a[i - 2], b[j - 1]))
				row[j] = MIN(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[nb];
}

const char *
conf_error_nearest(const char *found, const char *const *names, size_t n_names)
{
	const char *nearest = NULL;
	size_t best = MAX(strlen(found) / 3, 1) + 1; /* farther is no typo */

	for (size_t i = 0; i < n_names; i++) {
		size_t d = names[i] != NULL ? distance(found, names[i]) : best;

		if (d < best) {
			best = d;
			nearest = names[i];
		}
	}
	return nearest;
}

/* Is found near to what stands before or behind one of its "_"? */
static bool
is_part(const char *found, const char *name)
{
	for (const char *at = strchr(name, '_'); at != NULL; at = strchr(at, '_')) {
		char head[NAME_MAX_COMPARED];
		const char *const parts[] = { head, ++at };

		snprintf(head, sizeof(head), "%.*s", (int)(at - 1 - name), name);
		for (size_t i = 0; i < COUNT(parts); i++)
			if (strlen(parts[i]) >= PART_MIN &&
				conf_error_nearest(found, &parts[i], 1) != NULL)
				return true;
	}
	return false;
}

/* Of "idle_timeout", "idle" may be all that is remembered.  The shortest such name. */
static const char *
nearest_by_part(const char *found, const char *const *names, size_t n_names)
{
	const char *best = NULL;

	for (size_t i = 0; i < n_names; i++)
		if (names[i] != NULL && is_part(found, names[i]) &&
			(best == NULL || strlen(names[i]) < strlen(best)))
			best = names[i];
	return best;
}

/* All of them, where they are few. */
static bool
names_list(char out[NAMES_LISTED], const char *const *names, size_t n_names)
{
	size_t n = 0;

	for (size_t i = 0; i < n_names; i++) {
		if (names[i] == NULL)
			continue;
		n += (size_t)snprintf(out + n, NAMES_LISTED - n, "%s%s",
			n != 0 ? ", " : "", names[i]);
		if (n >= NAMES_LISTED)
			return false;
	}
	return n != 0;
}

bool
conf_error_unknown(struct conf_errors *m, const struct yaml_node *at,
	const char *path, const char *what, const char *found,
	const char *const *names, size_t n_names)
{
	const char *nearest = conf_error_nearest(found, names, n_names);
	char all[NAMES_LISTED];

	if (nearest == NULL)
		nearest = nearest_by_part(found, names, n_names);
	if (nearest == NULL && names_list(all, names, n_names))
		return conf_error_add(m, at, path,
			"unknown %s \"%.64s\", expected one of: %s", what,
			found, all);
	if (nearest == NULL)
		return conf_error_add(m, at, path, "unknown %s \"%.64s\"%s",
			what, found,
			n_names == 0 ? "; there is none here" :
				       "; antiphond.yml(5) has those that there are");
	return conf_error_add(m, at, path,
		"unknown %s \"%.64s\"; did you mean \"%s\"?", what, found,
		nearest);
}
