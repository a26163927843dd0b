/*
 * yaml_int.h - what yaml.c and yaml_include.c share.
 */
#ifndef CONF_YAML_INT_H
#define CONF_YAML_INT_H

#include <stddef.h>

#include "base/str.h"
#include "conf/yaml.h"

/* One configuration that is being read, from however many files. */
struct yaml_reading {
	struct arena *arena;
	struct conf_errors *errors;
	size_t n_nodes;
	size_t n_files;
};

/* A map, with keys given twice still in it.  NULL, with a mistake, when the
 * text cannot be read. */
struct yaml_node *yaml_read_text(struct yaml_reading *r, const char *file,
	struct str text);

#endif
