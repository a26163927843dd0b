/*
 * yaml.h - a configuration file as a generic tree, in which every node keeps
 * its file and line.
 *
 * Any thread.  Nothing has a type here: `no` is text until an option says that
 * it is a switch.  Anchors, aliases and tags are refused, so that a file cannot
 * unfold into more than it holds; size, depth and number of nodes are bounded.
 */
#ifndef CONF_YAML_H
#define CONF_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena;
struct conf_errors;

#define YAML_BYTES_MAX (4u << 20) /* of one file */
#define YAML_FILES_MAX 1000       /* read through `include` */
#define YAML_DEPTH_MAX 16         /* of nodes; of files in files */
#define YAML_NODES_MAX 200000     /* in all files together */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	bool quoted;            /* a scalar in quotes, or a block */
	const char *file;
	int line;               /* from 1; in a map: the line of the key */
	struct str key;         /* in a map; else STR_NONE */
	struct str text;        /* of a scalar; NUL-terminated, no NUL inside */
	size_t n;               /* children */
	struct yaml_node *first; /* child, in the order of the file */
	struct yaml_node *next;  /* sibling */
};

/*
 * One document from memory; file is the name for messages (copied).  `include`
 * is an ordinary key here.  In the arena of a.  NULL when there are mistakes;
 * an empty document is an empty map.
 */
struct yaml_node *yaml_parse(struct arena *a, const char *file, struct str text,
	struct conf_errors *m);

/*
 * The file at path, with the files that its top level includes: `include` is a
 * name, or a list of names, relative to the file it stands in; patterns such as
 * conf.d/\*.yml may match nothing.  Maps of the same name are merged, anything
 * else that is given twice is a mistake.  In the arena of a.  NULL when there
 * are mistakes.
 */
struct yaml_node *yaml_load(struct arena *a, const char *path,
	struct conf_errors *m);

/* The child of a map (NULL: of nothing); NULL if there is none. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* `key:` with nothing behind it, or ~. */
bool yaml_is_empty(const struct yaml_node *node);
/* "a list", "a map", or the text in quotes, shortened, in a buffer of n. */
const char *yaml_describe(const struct yaml_node *node, char *out, size_t n);

#endif
