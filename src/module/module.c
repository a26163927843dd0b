/*
 * module.c - the registry: modules are found, opened, started, and unloaded when
 * nothing of them is in use.
 *
 * Shard 0; one thread that has a look (module_look.c) reads.  A module's code
 * stays mapped while a snapshot names it or a callback of it is pending; then its
 * state leaves the slots of every object, and only after that it is closed.
 */
#include "config.h"

#include "module/module.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/conf.h"
#include "http/http_route.h"
#include "command/command_int.h"
#include "module/module_int.h"

#define NAME_MAX_BYTES 64
#define PATH_BYTES 4096
#define MODULE_PATH "%s/%smod_%.*s.so" /* folder, "./" or nothing, name */
#define BUILD_AGAIN "build it again against the headers in " MODULE_INCLUDE_DIR
/* How often it is looked whether what is off is out of use. */
#define PRUNE_AGAIN_US (100 * US_PER_MS)

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

void
module_entry_free(struct module_entry *entry)
{
#ifndef __SANITIZE_ADDRESS__
	/* a leak report could not name code that is gone */
	if (entry->object != NULL)
		dlclose(entry->object);
#endif
	free(entry);
}

static void
module_close(struct module_registry *r, size_t at)
{
	struct module_entry *entry = r->entries[at];

	r->entries[at] = NULL;
	if (entry->loaded) {
		command_forget_module(r->server, entry);
		if (entry->module->unload != NULL)
			entry->module->unload(r->server);
		log_debug(LOG_MODULE, LOG_NOBODY, "unloaded module=%s",
			entry->module->name);
	}
	module_entry_free(entry);
}

void
module_registry_free(struct module_registry *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < MODULES_MAX; i++) {
		if (r->entries[i] != NULL)
			module_close(r, i);
	}
	module_switches_free(r->switches);
	free(r->dir);
	free(r);
}

/* --- opening ----------------------------------------------------------------------- */

struct module_entry *
module_find(const struct module_registry *r, struct str name)
{
	for (size_t i = 0; i < MODULES_MAX; i++) {
		struct module_entry *e = r->entries[i];

		if (e != NULL && str_is(name, e->module->name))
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

static bool
kind_has_long_alpn(const struct listen_kind *k)
{
	for (size_t i = 0; i < LISTEN_ALPN_MAX && k->alpn[i] != NULL; i++)
		if (strlen(k->alpn[i]) > CONN_ALPN_MAX)
			return true;
	return false;
}

/* A stream of clients is the house's. */
static bool
module_check_listeners(const struct module *module, struct err *err)
{
	const struct listen_kind *k = module->listeners;

	for (; k != NULL && k->name != NULL; k++)
		if (k->events == NULL || k->events->data == NULL ||
			k->accept_raw != NULL ||
			(k->tls_modes & LISTEN_MAY(k->tls)) == 0)
			return err_set(err, ERR_INVALID,
				"module %s: its kind of ports \"%s\" has no events, no data, or a tls that it may not have",
				module->name, k->name);
		else if (kind_has_long_alpn(k))
			return err_set(err, ERR_INVALID,
				"module %s: a name for ALPN of its kind of ports \"%s\" is longer than %d bytes",
				module->name, k->name, CONN_ALPN_MAX);
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

static bool
module_check_routes(const struct module *module, struct err *err)
{
	const struct http_route *r = module->routes;

	for (; r != NULL && r->prefix != NULL; r++) {
		const char *why = http_route_mistake(r);

		if (why != NULL)
			return err_set(err, ERR_INVALID,
				"module %s: its route \"%s\" %s", module->name,
				r->prefix, why);
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
			module_check_listeners(module, err) &&
			module_check_routes(module, err) ?
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

/* Its file as it is now: 0, 0 where there is none. */
static void
module_stat(struct module_entry *entry, const char *path)
{
	struct stat st;
	bool is_there = stat(path, &st) == 0;

	entry->device = is_there ? st.st_dev : 0;
	entry->inode = is_there ? st.st_ino : 0;
}

bool
module_has_file(const char *dir, struct str name)
{
	struct module_entry file = { .object = NULL };
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), MODULE_PATH, dir, "", STR_ARG(name));
	module_stat(&file, path);
	return file.inode != 0;
}

bool
module_entry_is_current(const struct module_entry *entry, const char *dir)
{
	struct module_entry now = { .object = NULL };
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), MODULE_PATH, dir, "",
		STR_ARG(str_c(entry->module->name)));
	module_stat(&now, path);
	return entry->object == NULL ||
		(entry->device == now.device && entry->inode == now.inode);
}

/* dlopen() maps what the head of a file promises, and a file that is shorter, such as
 * one that is being copied, would end the process.  What stands last is the table of
 * sections.  True for what is no such file: dlopen() says so. */
static bool
module_is_whole(const char *path)
{
	ElfW(Ehdr) head = { .e_shnum = 0 };
	FILE *f = fopen(path, "re");
	struct stat st;
	bool whole = f == NULL || fread(&head, sizeof(head), 1, f) != 1 ||
		!str_starts((struct str){ (const char *)head.e_ident, EI_NIDENT },
			STR(ELFMAG)) ||
		fstat(fileno(f), &st) != 0 ||
		(uint64_t)st.st_size >= head.e_shoff +
				(uint64_t)head.e_shnum * head.e_shentsize;

	if (f != NULL)
		fclose(f);
	return whole;
}

/* dlopen() knows again by its path what is open, whatever lies there now. */
static bool
module_open_object(struct module_entry *entry, const char *dir, bool beside,
	struct str name, struct err *err)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), MODULE_PATH, dir, beside ? "./" : "",
		STR_ARG(name));
	module_stat(entry, path);
	if (!module_is_whole(path))
		return err_set(err, ERR_MISSING,
			"module %.*s: %s: the file has been cut short",
			STR_ARG(name), path);
	entry->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (entry->object == NULL)
		return module_set_error(name, dlerror(), err);
	entry->module = module_check(dlsym(entry->object, "antiphon_module"),
		name, err);
	if (entry->module == NULL)
		dlclose(entry->object);
	return entry->module != NULL;
}

struct module_entry *
module_entry_new(const char *dir, struct str name, bool beside,
	struct err *err)
{
	struct module_entry *entry;

	if (!module_name_ok(name)) {
		err_set(err, ERR_INVALID, "\"%.*s\" is not the name of a module",
			STR_ARG(name));
		return NULL;
	}
	entry = xcalloc(1, sizeof(*entry));
	entry->module = module_find_static(name);
	if (entry->module == NULL &&
		!module_open_object(entry, dir, beside, name, err)) {
		free(entry);
		return NULL;
	}
	module_slots_init(entry);
	return entry;
}

/* --- loading ----------------------------------------------------------------------- */

static bool
module_start(struct module_entry *entry, struct server *srv, struct err *err)
{
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

bool
module_start_used(struct module_registry *r, struct server *srv,
	struct err *err)
{
	r->server = srv;
	for (size_t i = 0; i < MODULES_MAX; i++) {
		struct module_entry *e = r->entries[i];

		if (e != NULL && !e->loaded && atomic_load(&e->refs) != 0 &&
			!module_start(e, srv, err))
			return false;
	}
	return true;
}

/* --- unloading ------------------------------------------------------------------------ */

struct pruning {
	struct server *server;
	size_t at; /* in the registry */
};

static bool
module_is_unused(const struct module_entry *e)
{
	return atomic_load(&e->refs) == 0 && atomic_load(&e->pending) == 0;
}

static void
on_prune_again(struct timer *t)
{
	module_prune(CONTAINER_OF(t, struct module_registry, again)->server);
}

static void
prune_later(struct server *srv)
{
	shard_timer(srv->shards[0], &srv->modules->again, PRUNE_AGAIN_US,
		on_prune_again);
}

static void
prune_visit(struct shard *sh, void *arg)
{
	struct pruning *p = arg;

	module_slots_drop(sh, p->server->modules->entries[p->at]);
}

/* Whoever has a look may have taken it up again meanwhile. */
static void
prune_end(struct shard *from, void *arg)
{
	struct pruning *p = arg;
	struct module_registry *r = p->server->modules;
	struct module_entry *e = r->entries[p->at];

	(void)from;
	e->leaving = false;
	if (!r->looked_at && module_is_unused(e))
		module_close(r, p->at);
	else
		prune_later(p->server);
	free(p);
}

static void
prune_begin(struct server *srv, size_t at)
{
	struct pruning *p = xmalloc(sizeof(*p));

	*p = (struct pruning){ srv, at };
	srv->modules->entries[at]->leaving = true;
	shard_visit_all(srv->shards[0], prune_visit, prune_end, p);
}

void
module_prune(struct server *srv)
{
	for (size_t i = 0; i < MODULES_MAX; i++) {
		const struct module_entry *e = srv->modules->entries[i];

		if (e == NULL || e->leaving || atomic_load(&e->refs) != 0)
			continue;
		if (!srv->modules->looked_at && module_is_unused(e))
			prune_begin(srv, i);
		else
			prune_later(srv);
	}
}
