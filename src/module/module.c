/*
 * module.c - the registry: modules are found, opened, started, and unloaded when
 * nothing of them is in use.
 *
 * Shard 0.  A module's code stays mapped while a snapshot names it or a callback
 * of it is pending; then its state leaves the slots of every object, and only
 * after that it is closed.
 */
#include "config.h"

#include "module/module.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>

#include "conf/conf.h"
#include "command/command_int.h"
#include "module/module_int.h"

#define NAME_MAX_BYTES 64
#define BUILD_AGAIN "build it again against the headers in " MODULE_INCLUDE_DIR
/* How often it is looked whether what is off is out of use. */
#define PRUNE_AGAIN_US (100 * US_PER_MS)

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

#ifdef STATIC_MODULES
#define BUNDLED(name, on) extern const struct module antiphon_module_##name;
#include "module/modules.def"
#undef BUNDLED

static const struct module *const static_modules[] = {
#define BUNDLED(name, on) &antiphon_module_##name,
#include "module/modules.def"
#undef BUNDLED
};
#endif

struct module_registry *
module_registry_new(const char *dir, const struct listen_kind *kinds)
{
	struct module_registry *r = xcalloc(1, sizeof(*r));

	r->kinds = kinds;
	r->dir = xstrdup(dir);
	r->switches = xcalloc(1, sizeof(*r->switches));
	return r;
}

static void
module_close(struct module_registry *r, struct module_entry *entry)
{
	if (entry->loaded) {
		command_forget_module(r->server, entry);
		if (entry->module->unload != NULL)
			entry->module->unload(r->server);
		log_debug(LOG_MODULE, LOG_NOBODY, "unloaded module=%s",
			entry->module->name);
	}
	entry->module = NULL;
	entry->loaded = false;
#ifndef __SANITIZE_ADDRESS__
	/* a leak report could not name code that is gone */
	if (entry->object != NULL)
		dlclose(entry->object);
#endif
	entry->object = NULL;
}

void
module_registry_free(struct module_registry *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < MODULES_MAX; i++) {
		if (r->entries[i].module != NULL)
			module_close(r, &r->entries[i]);
	}
	module_switches_free(r->switches);
	free(r->dir);
	free(r);
}

/* --- opening ----------------------------------------------------------------------- */

static struct module_entry *
module_find(struct module_registry *r, struct str name)
{
	for (size_t i = 0; i < MODULES_MAX; i++) {
		struct module_entry *e = &r->entries[i];

		if (e->module != NULL && str_is(name, e->module->name))
			return e;
	}
	return NULL;
}

static const struct module *
module_find_static(struct str name)
{
#ifdef STATIC_MODULES
	for (size_t i = 0; i < COUNT(static_modules); i++) {
		if (str_is(name, static_modules[i]->name))
			return static_modules[i];
	}
#endif
	(void)name;
	return NULL;
}

/* A name becomes part of a path: letters, digits, '_' and '-' only. */
static bool
module_name_ok(struct str name)
{
	if (name.n == 0 || name.n > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
			c != '_' && c != '-')
			return false;
	}
	return true;
}

/* A stream of clients is the house's. */
static bool
module_check_listeners(const struct module *module, struct err *err)
{
	const struct listen_kind *k = module->listeners;

	for (; k != NULL && k->name != NULL; k++)
		if (k->accept == NULL || k->events == NULL ||
			k->accept_raw != NULL ||
			(k->tls_modes & LISTEN_MAY(k->tls)) == 0)
			return err_set(err, ERR_INVALID,
				"module %s: its kind of ports \"%s\" has no accept, no events, or a tls that it may not have",
				module->name, k->name);
	return true;
}

/* Each says by its name which option has its domain. */
static bool
module_check_services(const struct module *module, struct err *err)
{
	const struct service *s = module->services;

	for (; s != NULL && s->option != NULL; s++) {
		const struct option *o = module->options;

		while (o != NULL && o->name != NULL &&
			(o->type != OPT_DOMAIN || !o->service ||
				strcmp(o->name, s->option) != 0))
			o++;
		if (o == NULL || o->name == NULL)
			return err_set(err, ERR_INVALID,
				"module %s: a service names the option \"%s\", which is none of a service",
				module->name, s->option);
	}
	return true;
}

static const struct module *
module_check(const struct module *module, struct str name, struct err *err)
{
	if (module == NULL) {
		err_set(err, ERR_INVALID,
			"module %.*s: the file defines no module", STR_ARG(name));
		return NULL;
	}
	if (module->api != MODULE_API) {
		err_set(err, ERR_INVALID,
			"module %.*s was built for another antiphond (its headers are %016" PRIx64
			", ours %016" PRIx64 "): " BUILD_AGAIN,
			STR_ARG(name), module->api, MODULE_API);
		return NULL;
	}
	if (!str_is(name, module->name)) {
		err_set(err, ERR_INVALID,
			"module %.*s: the file holds a module called %s",
			STR_ARG(name), module->name);
		return NULL;
	}
	return module_check_services(module, err) &&
			module_check_listeners(module, err) ?
		module :
		NULL;
}

/* One that calls what we do not have cannot be asked for what it was built
 * against. */
static bool
module_set_error(struct str name, const char *why, struct err *err)
{
	if (strstr(why, "undefined symbol") == NULL)
		return err_set(err, ERR_MISSING, "module %.*s: %s",
			STR_ARG(name), why);
	return err_set(err, ERR_INVALID,
		"module %.*s was built for another antiphond: " BUILD_AGAIN
		": %s",
		STR_ARG(name), why);
}

static const struct module *
module_open_object(const char *dir, struct str name, void **object_out,
	struct err *err)
{
	char path[4096];
	const struct module *module;
	void *object;

	snprintf(path, sizeof(path), "%s/mod_%.*s.so", dir, STR_ARG(name));
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (object == NULL) {
		module_set_error(name, dlerror(), err);
		return NULL;
	}
	module = module_check(dlsym(object, "antiphon_module"), name, err);
	if (module == NULL)
		dlclose(object);
	else
		*object_out = object;
	return module;
}

struct module_entry *
module_open(struct module_registry *r, struct str name, struct err *err)
{
	struct module_entry *entry = module_find(r, name);
	const struct module *module;
	void *object = NULL;

	if (entry != NULL)
		return entry;
	if (!module_name_ok(name)) {
		err_set(err, ERR_INVALID, "\"%.*s\" is not the name of a module",
			STR_ARG(name));
		return NULL;
	}
	module = module_find_static(name);
	if (module == NULL)
		module = module_open_object(r->dir, name, &object, err);
	if (module == NULL)
		return NULL;
	for (size_t i = 0; i < MODULES_MAX; i++) {
		entry = &r->entries[i];
		if (entry->module == NULL) {
			entry->module = module;
			entry->object = object;
			module_slots_init(entry);
			return entry;
		}
	}
	err_set(err, ERR_LIMIT, "at most %d modules can be loaded", MODULES_MAX);
	if (object != NULL)
		dlclose(object);
	return NULL;
}

bool
module_start(struct module_registry *r, struct module_entry *entry,
	struct server *srv, struct err *err)
{
	r->server = srv;
	if (entry->loaded)
		return true;
	if (entry->module->load != NULL && !entry->module->load(srv, err))
		return err_prefix(err, "module %s", entry->module->name);
	if (entry->module->commands != NULL)
		command_register_module(srv, entry->module->commands, entry);
	entry->loaded = true;
	log_debug(LOG_MODULE, LOG_NOBODY, "loaded module=%s specs=\"%s\"",
		entry->module->name,
		entry->module->specs != NULL ? entry->module->specs : "");
	return true;
}

/* --- unloading ------------------------------------------------------------------------ */

struct pruning {
	struct server *server;
	struct module_entry *entry;
};

static bool
module_is_unused(const struct module_entry *e)
{
	return e->module != NULL && atomic_load(&e->refs) == 0 &&
		atomic_load(&e->pending) == 0;
}

static void
prune_visit(struct shard *sh, void *arg)
{
	struct pruning *p = arg;

	module_slots_drop(sh, p->entry);
}

static void
prune_end(struct shard *from, void *arg)
{
	struct pruning *p = arg;

	(void)from;
	/* a reload may have taken it up again meanwhile */
	if (module_is_unused(p->entry))
		module_close(p->server->modules, p->entry);
	free(p);
}

static void
on_prune_again(struct timer *t)
{
	module_prune(CONTAINER_OF(t, struct module_registry, again)->server);
}

void
module_prune(struct server *srv)
{
	for (size_t i = 0; i < MODULES_MAX; i++) {
		struct module_entry *e = &srv->modules->entries[i];
		struct pruning *p;

		if (!module_is_unused(e)) {
			if (e->module != NULL && atomic_load(&e->refs) == 0)
				shard_timer(srv->shards[0],
					&srv->modules->again, PRUNE_AGAIN_US,
					on_prune_again);
			continue;
		}
		p = xmalloc(sizeof(*p));
		*p = (struct pruning){ srv, e };
		shard_visit_all(srv->shards[0], prune_visit, prune_end, p);
	}
}

/* --- for the configuration ------------------------------------------------------------ */

static bool
config_find(void *arg, const char *name, const struct option **options_out,
	size_t *conf_size_out)
{
	struct err err = ERR_INIT;
	struct module_entry *e = module_open(arg, str_c(name), &err);

	if (e == NULL) {
		log_debug(LOG_MODULE, LOG_NOBODY, "%s", err.text);
		return false;
	}
	*options_out = e->module->options;
	*conf_size_out = e->module->conf_size;
	return true;
}

static const struct listen_kind *
config_listeners(void *arg, const char *name)
{
	const struct module_entry *e = module_find(arg, str_c(name));

	return e != NULL ? e->module->listeners : NULL;
}

void
module_config(struct module_registry *r, struct config_modules *out)
{
	*out = (struct config_modules){
		.arg = r,
		.find = config_find,
		.defaults = default_names,
		.n_defaults = COUNT(default_names),
		.names = bundled_names,
		.n_names = COUNT(bundled_names),
		.kinds = r->kinds,
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
module_force(struct module_registry *r, struct str name, bool on,
	struct err *err)
{
	struct module_entry *e = module_open(r, name, err);
	char **list = on ? r->switches->on : r->switches->off;

	if (e == NULL)
		return false;
	forced_remove(on ? r->switches->off : r->switches->on,
		e->module->name);
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
module_is_forced(const struct module_registry *r, const char *name, bool on)
{
	char *const *list = on ? r->switches->on : r->switches->off;

	for (size_t i = 0; i < MODULES_MAX; i++) {
		if (list[i] != NULL && strcmp(list[i], name) == 0)
			return true;
	}
	return false;
}

struct module_switches *
module_switches_save(struct module_registry *r, bool clear)
{
	struct module_switches *saved = r->switches;
	struct module_switches *next = xcalloc(1, sizeof(*next));

	for (size_t i = 0; !clear && i < MODULES_MAX; i++) {
		if (saved->on[i] != NULL)
			next->on[i] = xstrdup(saved->on[i]);
		if (saved->off[i] != NULL)
			next->off[i] = xstrdup(saved->off[i]);
	}
	r->switches = next;
	return saved;
}

void
module_switches_restore(struct module_registry *r,
	struct module_switches *saved)
{
	module_switches_free(r->switches);
	r->switches = saved;
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
