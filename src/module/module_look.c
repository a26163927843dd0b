/*
 * module_look.c - modules as a configuration that is being made sees them: those
 * in memory, and those that it opens for a look.
 *
 * Any thread, one at a time.  Invariant: what was opened for a look is seen by
 * nobody else, so that whoever refuses the configuration closes it without a
 * trace.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "module/module.h"
#include "module/module_int.h"

static const char *const bundled_names[] = {
#define BUNDLED(name, on) #name,
#include "module/modules.def"
#undef BUNDLED
};

static const char *const default_names[] = {
#define BUNDLED(name, on) (on) ? #name : NULL,
#include "module/modules.def"
#undef BUNDLED
};

/* --- switches ---------------------------------------------------------------------- */

static struct module_switches *
switches_copy(const struct module_switches *from)
{
	struct module_switches *to = xcalloc(1, sizeof(*to));

	for (size_t i = 0; i < MODULES_MAX; i++) {
		if (from->on[i] != NULL)
			to->on[i] = xstrdup(from->on[i]);
		if (from->off[i] != NULL)
			to->off[i] = xstrdup(from->off[i]);
	}
	return to;
}

void
module_switches_free(struct module_switches *sw)
{
	for (size_t i = 0; i < MODULES_MAX; i++) {
		free(sw->on[i]);
		free(sw->off[i]);
	}
	free(sw);
}

/* --- life -------------------------------------------------------------------------- */

struct module_look *
module_look_new(const struct module_registry *r, bool clear)
{
	struct module_look *look = xcalloc(1, sizeof(*look));

	look->registry = r;
	look->switches = clear ? xcalloc(1, sizeof(*look->switches)) :
				 switches_copy(r->switches);
	return look;
}

void
module_look_take(struct module_look *look, struct module_registry *r, bool all)
{
	size_t at = 0;

	for (size_t i = 0; i < look->n; i++) {
		struct module_entry *e = look->opened[i];

		if (!all && atomic_load(&e->refs) == 0) {
			module_entry_free(e);
			continue;
		}
		/* there is room: module_open() has looked */
		while (r->entries[at] != NULL)
			at++;
		r->entries[at] = e;
	}
	look->n = 0;
}

void
module_look_switch(struct module_look *look, struct module_registry *r)
{
	struct module_switches *before = r->switches;

	r->switches = look->switches;
	look->switches = before;
}

void
module_look_free(struct module_look *look)
{
	for (size_t i = 0; i < look->n; i++)
		module_entry_free(look->opened[i]);
	module_switches_free(look->switches);
	free(look);
}

/* --- opening ----------------------------------------------------------------------- */

static bool
look_is_full(const struct module_look *look)
{
	size_t n = look->n;

	for (size_t i = 0; i < MODULES_MAX; i++) {
		const struct module_entry *e = look->registry->entries[i];

		n += e != NULL && e != look->hidden;
	}
	return n >= MODULES_MAX;
}

static struct module_entry *
look_find(const struct module_look *look, struct str name)
{
	struct module_entry *e = module_find(look->registry, name);

	if (e == look->hidden)
		e = NULL;
	for (size_t i = 0; e == NULL && i < look->n; i++) {
		if (str_is(name, look->opened[i]->module->name))
			e = look->opened[i];
	}
	return e;
}

struct module_entry *
module_open(struct module_look *look, struct str name, struct err *err)
{
	struct module_entry *e = look_find(look, name);

	if (e != NULL)
		return e;
	if (look_is_full(look)) {
		err_set(err, ERR_LIMIT, "at most %d modules can be loaded",
			MODULES_MAX);
		return NULL;
	}
	e = module_entry_new(look->registry->dir, name,
		look->hidden != NULL && str_is(name, look->hidden->module->name),
		err);
	if (e != NULL)
		look->opened[look->n++] = e;
	return e;
}

void
module_look_anew(struct module_look *look, const struct module_entry *entry)
{
	if (!module_entry_is_current(entry, look->registry->dir))
		look->hidden = entry;
}

/* --- for the configuration ------------------------------------------------------------ */

static bool
config_find(void *arg, const char *name, const struct option **options_out,
	size_t *conf_size_out)
{
	struct module_look *look = arg;
	struct err err = ERR_INIT;
	struct module_entry *e = module_open(look, str_c(name), &err);

	if (e == NULL) {
		/* a folder may have been installed without it, and a name be wrong */
		if (module_has_file(look->registry->dir, str_c(name)))
			log_warn(LOG_MODULE, LOG_NOBODY, "%s", err.text);
		return false;
	}
	*options_out = e->module->options;
	*conf_size_out = e->module->conf_size;
	return true;
}

static const struct listen_kind *
config_listeners(void *arg, const char *name)
{
	const struct module_entry *e = look_find(arg, str_c(name));

	return e != NULL ? e->module->listeners : NULL;
}

void
module_config(struct module_look *look, struct config_modules *out)
{
	*out = (struct config_modules){
		.arg = look,
		.find = config_find,
		.defaults = default_names,
		.n_defaults = COUNT(default_names),
		.names = bundled_names,
		.n_names = COUNT(bundled_names),
		.kinds = look->registry->kinds,
		.listeners = config_listeners,
	};
}

/* --- switched by the administrator ------------------------------------------------------ */

static char **
forced_find(char **list, const char *name)
{
	for (size_t i = 0; i < MODULES_MAX; i++) {
		if (list[i] != NULL && strcmp(list[i], name) == 0)
			return &list[i];
	}
	return NULL;
}

static void
forced_remove(char **list, const char *name)
{
	char **at = forced_find(list, name);

	if (at != NULL) {
		free(*at);
		*at = NULL;
	}
}

bool
module_force(struct module_look *look, struct str name, bool on,
	struct err *err)
{
	struct module_entry *e = module_open(look, name, err);
	struct module_switches *sw = look->switches;
	char **list = on ? sw->on : sw->off;

	if (e == NULL)
		return false;
	forced_remove(on ? sw->off : sw->on, e->module->name);
	if (forced_find(list, e->module->name) != NULL)
		return true;
	for (size_t i = 0; i < MODULES_MAX; i++) {
		if (list[i] == NULL) {
			list[i] = xstrdup(e->module->name);
			return true;
		}
	}
	return err_set(err, ERR_LIMIT, "too many modules were switched by hand");
}

bool
module_is_forced(const struct module_look *look, const char *name, bool on)
{
	char *const *list = on ? look->switches->on : look->switches->off;

	for (size_t i = 0; i < MODULES_MAX; i++) {
		if (list[i] != NULL && strcmp(list[i], name) == 0)
			return true;
	}
	return false;
}
