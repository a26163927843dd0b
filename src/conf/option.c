/*
 * option.c - fills a struct from a table of options and a part of the
 * configuration file.
 *
 * Any thread; pure functions.  Invariant: after a fill every field that the
 * table names holds a value in its range, mistakes or not.
 */
#include "config.h"

#include "conf/option.h"

#include <assert.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "conf/conf_error.h"
#include "conf/option_int.h"
#include "conf/yaml.h"

#define NAMES_MAX 128 /* options of one table that are proposed */
#define ITEMS_MAX 1000 /* of a list that names no maximum */

/* One fill. */
struct filling {
	const struct option *table;
	const char *path;
	char *base;
	struct arena *arena;
	struct conf_errors *errors;
	const char *const *beside; /* names that others read; NULL ends; or NULL */
};

static void
value_store(const struct option *o, void *base, const union option_value *v)
{
	void *at = (char *)base + o->off;

	switch (o->type) {
	case OPT_SWITCH:
		*(bool *)at = v->on;
		break;
	case OPT_INT:
	case OPT_DURATION:
		*(int64_t *)at = v->n;
		break;
	case OPT_SIZE:
		*(uint64_t *)at = v->bytes;
		break;
	case OPT_TEXT:
	case OPT_PATH:
	case OPT_JID:
	case OPT_DOMAIN:
	case OPT_MACHINE:
	case OPT_NETWORK:
		*(const char **)at = v->text;
		break;
	case OPT_CHOICE:
		*(int *)at = v->choice;
		break;
	case OPT_LIST:
		break;
	}
}

/* Items are kept as text; numbers have no place in lists. */
static const char *
item_parse(const struct option *o, struct str text, const char *file,
	struct arena *a, struct err *err)
{
	union option_value v = { .n = 0 };

	assert(o->item == OPT_TEXT || o->item == OPT_PATH ||
		o->item == OPT_JID || o->item == OPT_DOMAIN ||
		o->item == OPT_MACHINE || o->item == OPT_NETWORK ||
		o->item == OPT_CHOICE);
	if (!option_parse(o, o->item, text, file, a, &v, err))
		return NULL;
	return o->item == OPT_CHOICE ? o->choices[v.choice] : v.text;
}

/* --- defaults ------------------------------------------------------------ */

static void
list_default(const struct option *o, void *base, struct arena *a)
{
	struct option_list *list = (void *)((char *)base + o->off);
	struct str rest = str_trim(str_c(o->dflt)), item;
	const char **items;
	size_t n = 1;

	*list = (struct option_list){ .n = 0 };
	if (rest.n == 0)
		return;
	for (size_t i = 0; i < rest.n; i++)
		n += rest.p[i] == ',';
	items = arena_zalloc(a, n * sizeof(*items));
	for (size_t i = 0; i < n; i++) {
		if (!str_cut(rest, ',', &item, &rest))
			rest = STR_NONE;
		item = arena_str(a, str_trim(item));
		items[i] = item_parse(o, item, NULL, a, NULL);
		assert(items[i] != NULL);
	}
	*list = (struct option_list){ items, n };
}

static void
option_default(const struct option *o, void *base, struct arena *a)
{
	union option_value v;
	bool ok = true;

	memset(&v, 0, sizeof(v));
	if (o->type == OPT_LIST) {
		list_default(o, base, a);
		return;
	}
	if (o->dflt != NULL)
		ok = option_parse(o, o->type, str_c(o->dflt), NULL, a, &v,
			NULL);
	assert(ok);
	(void)ok;
	value_store(o, base, &v);
}

void
option_defaults(const struct option *table, void *base, struct arena *a)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++)
		option_default(o, base, a);
}

/* --- from the file ------------------------------------------------------- */

/* "modules: ping: interval" */
static const char *
path_join(struct filling *f, const char *name)
{
	return arena_printf(f->arena, "%s%s%s", f->path,
		*f->path != '\0' ? ": " : "", name).p;
}

static bool
value_mistake(struct filling *f, const struct option *o,
	const struct yaml_node *at, const char *text)
{
	return conf_error_add(f->errors, at, path_join(f, o->name), "%s",
		text);
}

static bool
wrong_kind(struct filling *f, const struct option *o, enum option_type type,
	const struct yaml_node *at)
{
	char found[64], expected[160], text[240];

	snprintf(text, sizeof(text), "found %s, expected %s",
		yaml_describe(at, found, sizeof(found)),
		option_expected(o, type, expected, sizeof(expected)));
	return value_mistake(f, o, at, text);
}

static bool
list_fits(struct filling *f, const struct option *o,
	const struct yaml_node *node)
{
	long long min = 0, max = ITEMS_MAX;
	char text[80];

	if (o->min != NULL)
		str_to_int(str_c(o->min), 0, INT32_MAX, &min);
	if (o->max != NULL)
		str_to_int(str_c(o->max), 0, INT32_MAX, &max);
	if (node->n >= (size_t)min && node->n <= (size_t)max)
		return true;
	snprintf(text, sizeof(text), "the list has %zu items, the %s is %lld",
		node->n, node->n < (size_t)min ? "minimum" : "maximum",
		node->n < (size_t)min ? min : max);
	return value_mistake(f, o, node, text);
}

/* NULL: it is a mistake, which is told. */
static const char *
item_apply(struct filling *f, const struct option *o,
	const struct yaml_node *node)
{
	struct err err = ERR_INIT;
	const char *item;

	if (node->kind != YAML_SCALAR || yaml_is_empty(node)) {
		wrong_kind(f, o, o->item, node);
		return NULL;
	}
	item = item_parse(o, node->text, node->file, f->arena, &err);
	if (item == NULL)
		value_mistake(f, o, node, err.text);
	return item;
}

static bool
list_apply(struct filling *f, const struct option *o,
	const struct yaml_node *node)
{
	bool alone = o->alone && node->kind == YAML_SCALAR;
	const struct yaml_node *c = alone ? node : node->first;
	const char **items;
	size_t n = 0;
	bool ok = true;

	if (!alone && node->kind != YAML_LIST)
		return wrong_kind(f, o, OPT_LIST, node);
	if (!alone && !list_fits(f, o, node))
		return false;
	items = arena_zalloc(f->arena, (node->n + 1) * sizeof(*items));
	for (; c != NULL; c = alone ? NULL : c->next) {
		const char *item = item_apply(f, o, c);

		if (item != NULL)
			items[n++] = item;
		else
			ok = false;
	}
	if (ok)
		*(struct option_list *)(void *)(f->base + o->off) =
			(struct option_list){ items, n };
	return ok;
}

static bool
node_apply(struct filling *f, const struct option *o,
	const struct yaml_node *node)
{
	struct err err = ERR_INIT;
	union option_value v;

	if (o->type == OPT_LIST)
		return list_apply(f, o, node);
	if (node->kind != YAML_SCALAR || yaml_is_empty(node))
		return wrong_kind(f, o, o->type, node);
	if (!option_parse(o, o->type, node->text, node->file, f->arena, &v,
		&err))
		return value_mistake(f, o, node, err.text);
	value_store(o, f->base, &v);
	return true;
}

static const struct option *
option_find(const struct option *table, struct str name)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++)
		if (str_is(name, o->name))
			return o;
	return NULL;
}

static bool
is_beside(const struct filling *f, struct str name)
{
	for (const char *const *at = f->beside; at != NULL && *at != NULL; at++)
		if (str_is(name, *at))
			return true;
	return false;
}

static bool
unknown_option(struct filling *f, const struct yaml_node *at)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (const char *const *own = f->beside;
		own != NULL && *own != NULL && n < NAMES_MAX; own++)
		names[n++] = *own;

	for (const struct option *o = f->table;
		o != NULL && o->name != NULL && n < NAMES_MAX; o++)
		names[n++] = o->name;
	return conf_error_unknown(f->errors, at, f->path, "option", at->key.p,
		names, n);
}

static bool
map_apply(struct filling *f, const struct yaml_node *map)
{
	bool ok = true;
	char found[64];

	if (map == NULL || yaml_is_empty(map))
		return true;
	if (map->kind != YAML_MAP)
		return conf_error_add(f->errors, map, f->path,
			"found %s, expected a map of options",
			yaml_describe(map, found, sizeof(found)));
	for (const struct yaml_node *c = map->first; c != NULL; c = c->next) {
		const struct option *o = option_find(f->table, c->key);

		if (o == NULL && is_beside(f, c->key))
			continue;
		if (o == NULL)
			ok = unknown_option(f, c);
		else if (!node_apply(f, o, c))
			ok = false;
	}
	return ok;
}

/* Where it is set.  A default is put back first: what it has followed may be
 * another value now. */
static const struct yaml_node *
pair_node(struct filling *f, const struct option *o, const struct yaml_node *map,
	const struct yaml_node *general)
{
	const struct yaml_node *at = yaml_get(map, o->name);

	if (at == NULL)
		at = yaml_get(general, o->name);
	if (at == NULL)
		option_default(o, f->base, f->arena);
	return at;
}

static bool
pair_mistake(struct filling *f, const struct option *low,
	const struct option *high, const struct yaml_node *at)
{
	struct buf text = BUF_INIT;

	option_value(low, f->base, &text);
	buf_printf(&text, " must not be above %s, which is ", high->name);
	option_value(high, f->base, &text);
	value_mistake(f, low, at, buf_c(&text));
	buf_done(&text);
	return false;
}

static bool
pair_check(struct filling *f, const struct option *low,
	const struct yaml_node *map, const struct yaml_node *general)
{
	const struct option *high = option_find(f->table, str_c(low->most));
	const struct yaml_node *at, *at_high;
	uint64_t *n, *most;

	assert(low->type == OPT_SIZE && high != NULL && high->type == OPT_SIZE);
	n = (void *)(f->base + low->off);
	most = (void *)(f->base + high->off);
	at = pair_node(f, low, map, general);
	at_high = pair_node(f, high, map, general);
	if (*n <= *most)
		return true;
	if (at != NULL && at_high != NULL)
		return pair_mistake(f, low, high,
			yaml_get(map, low->name) != NULL ? at : at_high);
	if (at == NULL)
		*n = *most;
	else
		*most = *n;
	return true;
}

static bool
pairs_check(struct filling *f, const struct yaml_node *map,
	const struct yaml_node *general)
{
	bool ok = true;

	for (const struct option *o = f->table; o != NULL && o->name != NULL;
		o++)
		if (o->most != NULL && !pair_check(f, o, map, general))
			ok = false;
	return ok;
}

static bool
required_check(struct filling *f, const struct yaml_node *map)
{
	bool ok = true;
	char expected[160];

	for (const struct option *o = f->table; o != NULL && o->name != NULL;
		o++) {
		if (!o->required || yaml_get(map, o->name) != NULL)
			continue;
		ok = conf_error_add(f->errors, map, f->path,
			"the option \"%s\" is missing: %s; expected %s",
			o->name, o->help,
			option_expected(o, o->type, expected,
				sizeof(expected)));
	}
	return ok;
}

bool
option_overlay(const struct option *table, const struct yaml_node *map,
	const struct yaml_node *general, const char *path, void *base,
	struct arena *a, struct conf_errors *m)
{
	struct filling f = { table, path, base, a, m, NULL };

	return map_apply(&f, map) && pairs_check(&f, map, general);
}

bool
option_apply(const struct option *table, const struct yaml_node *map,
	const char *path, void *base, struct arena *a, struct conf_errors *m)
{
	return option_apply_beside(table, NULL, map, path, base, a, m);
}

bool
option_apply_beside(const struct option *table, const char *const *names,
	const struct yaml_node *map, const char *path, void *base, struct arena *a,
	struct conf_errors *m)
{
	struct filling f = { table, path, base, a, m, names };
	bool ok;

	option_defaults(table, base, a);
	ok = map_apply(&f, map) && pairs_check(&f, map, NULL);
	return required_check(&f, map) && ok;
}
