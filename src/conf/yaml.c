/*
 * yaml.c - turns the events of libyaml into a tree whose nodes keep their
 * places.
 *
 * Called by yaml_include.c and conf.c.  Invariant: recursion is never deeper
 * than YAML_DEPTH_MAX, whatever the file holds.
 */
#include "config.h"

#include "conf/yaml.h"

#include <stdio.h>
#include <stdlib.h>

#include <yaml.h>

#include "base/arena.h"
#include "base/mem.h"
#include "conf/conf_error.h"
#include "conf/yaml_int.h"

struct builder {
	struct yaml_reading *r;
	const char *file;
	yaml_parser_t parser;
};

static struct yaml_node *node_build(struct builder *b, const yaml_event_t *ev,
	size_t depth);

/* libyaml's own words, and the cause that people meet most. */
static void
syntax_mistake(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem != NULL ? p->problem : "unreadable";
	size_t line = p->problem_mark.line != 0 ? p->problem_mark.line :
						  p->mark.line;
	const char *hint = "";

	if (strstr(problem, "cannot start any token") != NULL)
		hint = "; indent with blanks, not with tabs, and put text "
		       "that begins with a special character in quotes";
	conf_error_add_at(b->r->errors, b->file, (int)line + 1, "",
		"this is not YAML: %s%s%s%s", problem,
		p->context != NULL ? " " : "",
		p->context != NULL ? p->context : "", hint);
}

static bool
event_next(struct builder *b, yaml_event_t *ev)
{
	if (yaml_parser_parse(&b->parser, ev))
		return true;
	syntax_mistake(b);
	return false;
}

static bool
refuse(struct builder *b, const yaml_event_t *ev, const char *what)
{
	return conf_error_add_at(b->r->errors, b->file,
		(int)ev->start_mark.line + 1, "", "%s", what);
}

/* Anchors and tags would bring types and copies in through the back door. */
static bool
event_is_plain(struct builder *b, const yaml_event_t *ev)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		anchor = ev->data.scalar.anchor;
		tag = ev->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
		break;
	case YAML_ALIAS_EVENT:
		return refuse(b, ev, "aliases (*name) are not supported here; "
			"put text that begins with * in quotes");
	default:
		break;
	}
	if (anchor != NULL)
		return refuse(b, ev, "anchors (&name) are not supported here; "
			"put text that begins with & in quotes");
	if (tag != NULL)
		return refuse(b, ev, "tags (!name) are not supported here; "
			"put text that begins with ! in quotes");
	return true;
}

static struct yaml_node *
node_new(struct builder *b, const yaml_event_t *ev, enum yaml_kind kind)
{
	struct yaml_node *n = arena_zalloc(b->r->arena, sizeof(*n));

	n->kind = kind;
	n->file = b->file;
	n->line = (int)ev->start_mark.line + 1;
	return n;
}

static struct str
scalar_text(struct builder *b, const yaml_event_t *ev)
{
	return arena_str(b->r->arena,
		(struct str){ (const char *)ev->data.scalar.value,
			ev->data.scalar.length });
}

/* A NUL can only come from an escape: "\0". */
static struct yaml_node *
scalar_build(struct builder *b, const yaml_event_t *ev)
{
	struct yaml_node *n = node_new(b, ev, YAML_SCALAR);

	n->text = scalar_text(b, ev);
	n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (!str_is_utf8(n->text)) {
		refuse(b, ev, "text with a NUL or broken UTF-8 inside");
		return NULL;
	}
	return n;
}

static bool
list_fill(struct builder *b, struct yaml_node *list, size_t depth)
{
	struct yaml_node **end = &list->first;

	for (;;) {
		yaml_event_t ev;
		struct yaml_node *child;

		if (!event_next(b, &ev))
			return false;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return true;
		}
		child = node_build(b, &ev, depth + 1);
		yaml_event_delete(&ev);
		if (child == NULL)
			return false;
		*end = child;
		end = &child->next;
		list->n++;
	}
}

/* One key and its value, appended at *end. */
static struct yaml_node *
entry_build(struct builder *b, const yaml_event_t *key, size_t depth)
{
	struct yaml_node *value = NULL;
	struct yaml_node *name;
	yaml_event_t ev;

	if (key->type != YAML_SCALAR_EVENT) {
		if (event_is_plain(b, key))
			refuse(b, key, "a key has to be plain text; put text "
				"that begins with [ or { in quotes");
		return NULL;
	}
	name = node_build(b, key, depth + 1);
	if (name == NULL || !event_next(b, &ev))
		return NULL;
	value = node_build(b, &ev, depth + 1);
	yaml_event_delete(&ev);
	if (value != NULL) {
		value->key = name->text;
		value->line = name->line;
	}
	return value;
}

static bool
map_fill(struct builder *b, struct yaml_node *map, size_t depth)
{
	struct yaml_node **end = &map->first;

	for (;;) {
		yaml_event_t ev;
		struct yaml_node *child;

		if (!event_next(b, &ev))
			return false;
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			return true;
		}
		child = entry_build(b, &ev, depth);
		yaml_event_delete(&ev);
		if (child == NULL)
			return false;
		*end = child;
		end = &child->next;
		map->n++;
	}
}

static bool
node_fits(struct builder *b, const yaml_event_t *ev, size_t depth)
{
	if (depth > YAML_DEPTH_MAX)
		return refuse(b, ev, "lists and maps are nested too deeply");
	if (++b->r->n_nodes > YAML_NODES_MAX)
		return refuse(b, ev, "the configuration has too many entries");
	return true;
}

/* NULL, with a mistake, when reading cannot go on. */
static struct yaml_node *
node_build(struct builder *b, const yaml_event_t *ev, size_t depth)
{
	struct yaml_node *n;

	if (!event_is_plain(b, ev) || !node_fits(b, ev, depth))
		return NULL;
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return scalar_build(b, ev);
	case YAML_SEQUENCE_START_EVENT:
		n = node_new(b, ev, YAML_LIST);
		return list_fill(b, n, depth) ? n : NULL;
	case YAML_MAPPING_START_EVENT:
		n = node_new(b, ev, YAML_MAP);
		return map_fill(b, n, depth) ? n : NULL;
	default:
		refuse(b, ev, "this is not expected here");
		return NULL;
	}
}

/* Skips to the first event of the content; false at the end of the file too,
 * with *empty_out set. */
static bool
document_start(struct builder *b, yaml_event_t *ev, bool *empty_out)
{
	for (;;) {
		if (!event_next(b, ev))
			return false;
		if (ev->type == YAML_STREAM_END_EVENT) {
			yaml_event_delete(ev);
			*empty_out = true;
			return false;
		}
		if (ev->type != YAML_STREAM_START_EVENT &&
			ev->type != YAML_DOCUMENT_START_EVENT)
			return true;
		yaml_event_delete(ev);
	}
}

/* Nothing but the end may follow the first document. */
static bool
document_end(struct builder *b)
{
	for (;;) {
		yaml_event_t ev;
		yaml_event_type_t type;
		int line;

		if (!event_next(b, &ev))
			return false;
		type = ev.type;
		line = (int)ev.start_mark.line + 1;
		yaml_event_delete(&ev);
		if (type == YAML_STREAM_END_EVENT)
			return true;
		if (type != YAML_DOCUMENT_END_EVENT)
			return conf_error_add_at(b->r->errors, b->file,
				line, "",
				"a second document begins; put everything into "
				"one");
	}
}

static struct yaml_node *
document_build(struct builder *b)
{
	bool empty = false;
	struct yaml_node *root = NULL;
	yaml_event_t ev;

	if (document_start(b, &ev, &empty)) {
		root = node_build(b, &ev, 0);
		yaml_event_delete(&ev);
	}
	if (root != NULL && !document_end(b))
		return NULL;
	if (empty || (root != NULL && yaml_is_empty(root))) {
		root = arena_zalloc(b->r->arena, sizeof(*root));
		*root = (struct yaml_node){ .kind = YAML_MAP, .file = b->file,
			.line = 1 };
	}
	if (root != NULL && root->kind != YAML_MAP) {
		conf_error_add(b->r->errors, root, "",
			"the file has to be a map, such as `hosts:`");
		return NULL;
	}
	return root;
}

struct yaml_node *
yaml_read_text(struct yaml_reading *r, const char *file, struct str text)
{
	struct builder b = { .r = r,
		.file = arena_str(r->arena, str_c(file)).p };
	struct yaml_node *root;

	text = str_unmarked(text);
	if (text.n > YAML_BYTES_MAX) {
		conf_error_add_at(r->errors, b.file, 0, "",
			"the file is larger than 4 MiB");
		return NULL;
	}
	if (!str_is_utf8(text)) {
		conf_error_add_at(r->errors, b.file, 0, "",
			"the file is not UTF-8 text");
		return NULL;
	}
	if (!yaml_parser_initialize(&b.parser))
		abort(); /* out of memory, as in xmalloc */
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text.p,
		text.n);
	root = document_build(&b);
	yaml_parser_delete(&b.parser);
	return root;
}

const struct yaml_node *
yaml_get(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *c;

	if (map == NULL || map->kind != YAML_MAP)
		return NULL;
	for (c = map->first; c != NULL; c = c->next)
		if (str_is(c->key, key))
			return c;
	return NULL;
}

bool
yaml_is_empty(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && !node->quoted &&
		(node->text.n == 0 || str_is(node->text, "~"));
}

const char *
yaml_describe(const struct yaml_node *node, char *out, size_t n)
{
	switch (node->kind) {
	case YAML_LIST:
		snprintf(out, n, "a list");
		break;
	case YAML_MAP:
		snprintf(out, n, "a map");
		break;
	case YAML_SCALAR:
		if (yaml_is_empty(node))
			snprintf(out, n, "nothing");
		else
			snprintf(out, n, "\"%.40s\"%s", node->text.p,
				node->text.n > 40 ? "..." : "");
		break;
	}
	return out;
}
