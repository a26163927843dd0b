/*
 * yaml_include.c - reads the files of a configuration, follows `include`, and
 * merges what they hold into one tree.
 *
 * Called at the start and by a reload, on a thread that may wait for the disk.
 * Invariant: a file that is still being read is not opened again.
 */
#include "config.h"

#include "conf/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf_error.h"
#include "conf/yaml_int.h"

/* A file that is being read, and the one that includes it. */
struct open_file {
	dev_t dev;
	ino_t ino;
	size_t depth;
	const struct open_file *parent;
};

/* Where an included file was asked for; file NULL: by the administrator. */
struct place {
	const char *file;
	int line;
};

static struct yaml_node *file_read(struct yaml_reading *r, const char *path,
	struct place at, const struct open_file *parent);

/* --- keys that are given twice ------------------------------------------- */

struct entry {
	struct yaml_node *node;
	size_t index;
};

static int
entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = str_cmp(x->node->key, y->node->key);

	if (c != 0)
		return c;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Children of from go behind those of into. */
static void
children_append(struct yaml_node *into, const struct yaml_node *from)
{
	struct yaml_node **end = &into->first;

	while (*end != NULL)
		end = &(*end)->next;
	*end = from->first;
	into->n += from->n;
}

/* Takes the later of two entries with the same key out: index SIZE_MAX marks
 * it.  Maps from different files are merged. */
static void
entry_join(struct yaml_reading *r, const struct entry *first,
	struct entry *later)
{
	if (first->node->kind == YAML_MAP && later->node->kind == YAML_MAP &&
		first->node->file != later->node->file)
		children_append(first->node, later->node);
	else
		conf_error_add(r->errors, later->node, "",
			"\"%.64s\" is given twice; the first one is in %s:%d",
			later->node->key.p, first->node->file,
			first->node->line);
	later->index = SIZE_MAX;
}

static int
entry_cmp_index(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/* Links the first n entries, in their order, as the children of map. */
static void
children_relink(struct yaml_node *map, const struct entry *entries, size_t n)
{
	struct yaml_node **end = &map->first;

	map->n = 0;
	for (size_t i = 0; i < n && entries[i].index != SIZE_MAX; i++) {
		*end = entries[i].node;
		end = &entries[i].node->next;
		map->n++;
	}
	*end = NULL;
}

/* Leaves each key of map once. */
static void
map_settle(struct yaml_reading *r, struct yaml_node *map)
{
	struct entry *entries = xcalloc(map->n + 1, sizeof(*entries));
	struct yaml_node *c = map->first;
	size_t n = 0, first = 0;

	for (; c != NULL; c = c->next, n++)
		entries[n] = (struct entry){ c, n };
	qsort(entries, n, sizeof(*entries), entry_cmp);
	for (size_t i = 1; i < n; i++) {
		if (str_eq(entries[first].node->key, entries[i].node->key))
			entry_join(r, &entries[first], &entries[i]);
		else
			first = i;
	}
	qsort(entries, n, sizeof(*entries), entry_cmp_index);
	children_relink(map, entries, n);
	free(entries);
}

static void
tree_settle(struct yaml_reading *r, struct yaml_node *node)
{
	if (node->kind == YAML_MAP)
		map_settle(r, node);
	for (struct yaml_node *c = node->first; c != NULL; c = c->next)
		tree_settle(r, c);
}

/* --- files --------------------------------------------------------------- */

static bool
file_refuse(struct yaml_reading *r, struct place at, const char *path,
	const char *why)
{
	if (at.file == NULL)
		return conf_error_add_at(r->errors, path, 0, "", "%s", why);
	return conf_error_add_at(r->errors, at.file, at.line, "include",
		"%.200s: %s", path, why);
}

/* The whole file into out.  A device or a pipe could keep us for ever. */
static bool
file_slurp(struct yaml_reading *r, const char *path, struct place at,
	struct open_file *self, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n = -1;
	char why[64];

	if (fd == -1 && errno == EACCES) {
		/* root, who asked for a reload, could read it */
		snprintf(why, sizeof(why), "permission denied for uid %u",
			(unsigned)geteuid());
		return file_refuse(r, at, path, why);
	}
	if (fd == -1)
		return file_refuse(r, at, path, strerror(errno));
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		return file_refuse(r, at, path, "this is not a regular file");
	}
	self->dev = st.st_dev;
	self->ino = st.st_ino;
	while (out->n <= YAML_BYTES_MAX) {
		n = read(fd, buf_reserve(out, 65536), 65536);
		if (n <= 0)
			break;
		out->n += (size_t)n;
	}
	close(fd);
	return n >= 0 || file_refuse(r, at, path, strerror(errno));
}

/* Maps that are open already, and too long a chain of them. */
static bool
file_is_new(struct yaml_reading *r, const char *path, struct place at,
	const struct open_file *self)
{
	const struct open_file *f;

	for (f = self->parent; f != NULL; f = f->parent)
		if (f->dev == self->dev && f->ino == self->ino)
			return file_refuse(r, at, path,
				"this file includes itself in the end");
	if (self->depth > YAML_DEPTH_MAX || ++r->n_files > YAML_FILES_MAX)
		return file_refuse(r, at, path, "too many included files");
	return true;
}

/* name, relative to the folder of the file that names it. */
static const char *
path_beside(struct arena *a, const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');

	if (name[0] == '/' || slash == NULL)
		return name;
	return arena_printf(a, "%.*s%s", (int)(slash - file + 1), file, name).p;
}

static bool
include_one(struct yaml_reading *r, struct yaml_node *root, const char *path,
	struct place at, const struct open_file *self)
{
	struct yaml_node *more = file_read(r, path, at, self);

	if (more != NULL)
		children_append(root, more);
	return more != NULL;
}

/* One name or pattern behind `include`. */
static void
include_name(struct yaml_reading *r, struct yaml_node *root,
	const struct yaml_node *name, int line, const struct open_file *self)
{
	struct place at = { name->file, line };
	const char *path;
	glob_t found = { 0 };
	int rc;

	if (name->kind != YAML_SCALAR || name->text.n == 0) {
		conf_error_add(r->errors, name, "include",
			"found %s, expected the name of a file, such as "
			"hosts.yml or conf.d/*.yml",
			name->kind == YAML_SCALAR ? "nothing" : "no text");
		return;
	}
	path = path_beside(r->arena, name->file, name->text.p);
	if (strpbrk(path, "*?[") == NULL) {
		include_one(r, root, path, at, self);
		return;
	}
	rc = glob(path, 0, NULL, &found);
	if (rc != 0 && rc != GLOB_NOMATCH)
		file_refuse(r, at, path, "the folder cannot be read");
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		include_one(r, root, found.gl_pathv[i], at, self);
	globfree(&found);
}

static void
include_all(struct yaml_reading *r, struct yaml_node *root,
	const struct yaml_node *include, const struct open_file *self)
{
	const struct yaml_node *c;

	if (include->kind == YAML_LIST)
		for (c = include->first; c != NULL; c = c->next)
			include_name(r, root, c, c->line, self);
	else
		include_name(r, root, include, include->line, self);
}

/* Takes every `include` out of root first: what comes in has been followed. */
static void
includes_follow(struct yaml_reading *r, struct yaml_node *root,
	const struct open_file *self)
{
	struct yaml_node **at = &root->first;
	struct yaml_node *includes = NULL, *c;

	while ((c = *at) != NULL) {
		if (!str_is(c->key, "include")) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		root->n--;
		c->next = includes;
		includes = c;
	}
	if (includes != NULL && includes->next != NULL)
		conf_error_add(r->errors, includes, "",
			"\"include\" is given twice; use a list: "
			"[ a.yml, b.yml ]");
	else if (includes != NULL)
		include_all(r, root, includes, self);
}

static struct yaml_node *
file_read(struct yaml_reading *r, const char *path, struct place at,
	const struct open_file *parent)
{
	struct open_file self = { .parent = parent,
		.depth = parent != NULL ? parent->depth + 1 : 0 };
	struct buf text = BUF_INIT;
	struct yaml_node *root = NULL;

	if (file_slurp(r, path, at, &self, &text) &&
		file_is_new(r, path, at, &self))
		root = yaml_read_text(r, path, buf_str(&text));
	buf_done(&text);
	if (root != NULL)
		includes_follow(r, root, &self);
	return root;
}

struct yaml_node *
yaml_load(struct arena *a, const char *path, struct conf_errors *m)
{
	struct yaml_reading r = { .arena = a, .errors = m };
	size_t before = m->n;
	struct yaml_node *root = file_read(&r, path, (struct place){ NULL, 0 },
		NULL);

	if (root != NULL)
		tree_settle(&r, root);
	return m->n == before ? root : NULL;
}

struct yaml_node *
yaml_parse(struct arena *a, const char *file, struct str text,
	struct conf_errors *m)
{
	struct yaml_reading r = { .arena = a, .errors = m };
	size_t before = m->n;
	struct yaml_node *root = yaml_read_text(&r, file, text);

	if (root != NULL)
		tree_settle(&r, root);
	return m->n == before ? root : NULL;
}
