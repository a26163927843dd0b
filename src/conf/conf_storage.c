/*
 * conf_storage.c - `storage': which driver, the options of all drivers, and
 * those of this one.
 *
 * Called while a configuration is built.  Invariant: own holds what the options
 * of the driver fill, and no option of another driver was in the file.
 */
#include "config.h"

#include "conf/storage.h"

#include "base/arena.h"
#include "base/mem.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

#define NAMES_MAX 64

const char *const config_storage_drivers[] = {
#define DRIVER(name) #name,
#include "conf/drivers.def"
#undef DRIVER
	NULL
};

const struct config_driver *const config_drivers[] = {
#define DRIVER(name) &storage_##name,
#include "conf/drivers.def"
#undef DRIVER
	NULL
};

static bool
table_has(const struct option *table, struct str name)
{
	for (; table != NULL && table->name != NULL; table++)
		if (str_is(name, table->name))
			return true;
	return false;
}

/* What of map is in the table; map itself when it is no map. */
static const struct yaml_node *
map_only(struct arena *a, const struct yaml_node *map,
	const struct option *table)
{
	const char **others;
	size_t n = 0;

	if (map == NULL || map->kind != YAML_MAP)
		return map;
	others = arena_alloc(a, (map->n + 1) * sizeof(*others));
	for (const struct yaml_node *c = map->first; c != NULL; c = c->next)
		if (!table_has(table, c->key))
			others[n++] = c->key.p;
	return config_without(a, map, others, n);
}

/* The driver whose option this is; NULL: nobody's. */
static const struct config_driver *
option_driver(struct str name)
{
	for (size_t i = 0; config_drivers[i] != NULL; i++)
		if (table_has(config_drivers[i]->options, name))
			return config_drivers[i];
	return NULL;
}

static size_t
names_add(const struct option *table, const char **names, size_t n)
{
	for (; table != NULL && table->name != NULL && n < NAMES_MAX; table++)
		names[n++] = table->name;
	return n;
}

static void
names_check(const struct yaml_node *map, const struct config_driver *driver,
	struct conf_errors *m)
{
	const char *names[NAMES_MAX];
	size_t n = names_add(config_storage_options, names, 0);

	n = names_add(driver->options, names, n);
	for (const struct yaml_node *c = map->first; c != NULL; c = c->next) {
		const struct config_driver *other = option_driver(c->key);

		if (table_has(config_storage_options, c->key) ||
			table_has(driver->options, c->key))
			continue;
		if (other != NULL)
			conf_error_add(m, c, "storage",
				"\"%s\" is an option of the driver %s, and the "
				"driver is %s; leave it out, or write "
				"`driver: %s`",
				c->key.p, other->name, driver->name,
				other->name);
		else
			conf_error_unknown(m, c, "storage", "option", c->key.p,
				names, n);
	}
}

void
config_storage_apply(struct config_whole *w, const struct yaml_node *node,
	struct conf_errors *m)
{
	struct config_storage *s = &w->c.storage;
	struct arena *a = w->arena;
	const struct config_driver *driver;
	bool ok = option_apply(config_storage_options,
		map_only(a, node, config_storage_options), "storage", s, a, m);

	driver = config_drivers[s->driver];
	s->own = arena_zalloc(a, driver->conf_size + 1);
	option_defaults(driver->options, s->own, a);
	/* what belongs to a driver that there is not, nobody knows */
	if (!ok)
		return;
	if (node != NULL && node->kind == YAML_MAP)
		names_check(node, driver, m);
	option_apply(driver->options, map_only(a, node, driver->options),
		"storage", s->own, a, m);
}
