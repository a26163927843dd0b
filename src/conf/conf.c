/*
 * conf.c - builds a struct config from a file, section by section, and lets go
 * of it.
 *
 * Called at the start and by a reload, on any thread.  Invariant: a config that
 * is handed out has no mistakes, and never changes.
 */
#include "config.h"

#include "conf/conf.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

/* --- sections ------------------------------------------------------------ */

static bool
is_among(struct str name, const char *const *names, size_t n_names)
{
	for (size_t i = 0; i < n_names; i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

const struct yaml_node *
config_without(struct arena *a, const struct yaml_node *map,
	const char *const *names, size_t n_names)
{
	struct yaml_node *copy, **end;

	if (map == NULL || map->kind != YAML_MAP)
		return map;
	copy = arena_alloc(a, sizeof(*copy));
	*copy = *map;
	copy->first = NULL;
	copy->n = 0;
	end = &copy->first;
	for (const struct yaml_node *c = map->first; c != NULL; c = c->next) {
		if (is_among(c->key, names, n_names))
			continue;
		*end = arena_alloc(a, sizeof(**end));
		**end = *c;
		(*end)->next = NULL;
		end = &(*end)->next;
		copy->n++;
	}
	return copy;
}

static bool
section_apply(struct config_whole *w, const struct yaml_node *root,
	const char *name, const struct option *options, void *base,
	struct conf_errors *m)
{
	return option_apply(options, yaml_get(root, name), name, base, w->arena,
		m);
}

/* What stands at the top level itself; a name that is no section is measured
 * against all that could stand there. */
static void
server_apply(struct config_whole *w, const struct yaml_node *root,
	struct conf_errors *m)
{
	static const char *const sections[] = { "log", "control", "listen",
		"proxies", "http", "storage", "tls", "dns", "limits", "auth", "modules",
		"hosts", "components", "federation", "s2s", "remotes" };
	const char *known[COUNT(sections) + 8];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(sections); i++)
		known[n++] = sections[i];
	known[n++] = "include";
	for (const struct option *o = config_server_options; o->name != NULL;
		o++)
		known[n++] = o->name;
	for (const struct yaml_node *c = root->first; c != NULL; c = c->next)
		if (!is_among(c->key, known, n))
			conf_error_unknown(m, c, "", "option", c->key.p, known,
				n);
	for (const struct option *o = config_server_options; o->name != NULL;
		o++) {
		struct option one[] = { *o, { .name = NULL } };
		const struct yaml_node *c = yaml_get(root, o->name);
		struct yaml_node copy, map = { .kind = YAML_MAP };

		if (c != NULL) {
			copy = *c;
			copy.next = NULL;
			map.first = &copy;
		}
		option_apply(one, &map, "", &w->c.server, w->arena, m);
	}
	section_apply(w, root, "control", config_control_options, &w->c.server,
		m);
}

/* --- log ----------------------------------------------------------------- */

static void
log_level_apply(struct config_log *log, const struct yaml_node *node,
	struct conf_errors *m)
{
	const char *names[LOG_AREAS];
	enum log_level level;
	enum log_area area;

	for (int i = 0; i < LOG_AREAS; i++)
		names[i] = log_area_name((enum log_area)i);
	if (!log_area_parse(node->key, &area))
		conf_error_unknown(m, node, "log: levels", "area", node->key.p,
			names, LOG_AREAS);
	else if (node->kind != YAML_SCALAR ||
		!log_level_parse(node->text, &level))
		conf_error_add(m, node, "log: levels",
			"%s: expected one of: error, warn, info, debug",
			node->key.p);
	else
		log->levels[area] = level;
}

static void
log_apply(struct config_whole *w, const struct yaml_node *root,
	struct conf_errors *m)
{
	static const char *const own[] = { "levels", NULL };
	const struct yaml_node *node = yaml_get(root, "log");
	const struct yaml_node *levels = yaml_get(node, "levels");
	struct config_log *log = &w->c.log;

	option_apply_beside(config_log_options, own, node, "log", log, w->arena,
		m);
	for (int i = 0; i < LOG_AREAS; i++)
		log->levels[i] = (enum log_level)log->level;
	if (levels != NULL && levels->kind != YAML_MAP &&
		!yaml_is_empty(levels))
		conf_error_add(m, levels, "log: levels",
			"expected a map, such as { auth: debug }");
	else if (levels != NULL)
		for (const struct yaml_node *c = levels->first; c != NULL;
			c = c->next)
			log_level_apply(log, c, m);
	if (log->to == LOG_TO_FILE && log->file == NULL)
		conf_error_add(m, node, "log",
			"`to: file` needs the option \"file\", such as "
			"/var/log/antiphon.log");
}

/* --- what goes with what ------------------------------------------------- */

static void
limits_check(const struct config_limits *l, const struct yaml_node *root,
	struct conf_errors *m)
{
	const struct yaml_node *at = yaml_get(root, "limits");
	uint64_t memory = l->memory != 0 ? l->memory : UINT64_MAX;
	const struct {
		const char *low_name, *high_name;
		uint64_t low, high;
	} pairs[] = {
		{ "stanza_bytes_unauthenticated", "stanza_bytes",
			l->stanza_bytes_unauthenticated, l->stanza_bytes },
		{ "write_queue_bytes", "write_queue_max_bytes",
			l->write_queue_bytes, l->write_queue_max_bytes },
		{ "stanza_bytes", "inbox_bytes", l->stanza_bytes,
			l->inbox_bytes },
		{ "inbox_bytes", "mailbox_bytes", l->inbox_bytes,
			l->mailbox_bytes },
		/* as a tree, and as written: up to twelve times as long */
		{ "16 times stanza_bytes", "memory", 16 * l->stanza_bytes,
			memory },
		{ "4 times roster_bytes", "memory", 4 * l->roster_bytes,
			memory },
		{ "unauthenticated_connections", "connections",
			(uint64_t)l->unauthenticated_connections,
			(uint64_t)l->connections },
	};

	for (size_t i = 0; i < COUNT(pairs); i++)
		if (pairs[i].low > pairs[i].high)
			conf_error_add(m, at, "limits",
				"%s (%llu) is above %s (%llu)",
				pairs[i].low_name,
				(unsigned long long)pairs[i].low,
				pairs[i].high_name,
				(unsigned long long)pairs[i].high);
}

/* --- the whole ----------------------------------------------------------- */

static struct config_whole *
whole_new(const char *path, const struct config_modules *modules)
{
	struct config_whole *w = xcalloc(1, sizeof(*w));

	atomic_init(&w->refs, 1);
	w->arena = arena_new_lasting();
	w->modules = modules;
	w->c.path = arena_str(w->arena, str_c(path)).p;
	return w;
}

static void
whole_free(struct config_whole *w)
{
	arena_free(w->arena);
	free(w);
}

static void
whole_apply(struct config_whole *w, const struct yaml_node *root,
	struct conf_errors *m)
{
	struct config *c = &w->c;

	server_apply(w, root, m);
	log_apply(w, root, m);
	config_storage_apply(w, yaml_get(root, "storage"), m);
	section_apply(w, root, "tls", config_tls_options, &c->tls, m);
	section_apply(w, root, "dns", config_dns_options, &c->dns, m);
	config_proxies_apply(w, yaml_get(root, "proxies"), m);
	section_apply(w, root, "http", config_http_options, &c->http, m);
	section_apply(w, root, "limits", config_limits_options, &c->limits, m);
	section_apply(w, root, "auth", config_auth_options, &c->auth, m);
	section_apply(w, root, "s2s", config_s2s_options, &c->s2s, m);
	config_federation_apply(w, yaml_get(root, "federation"), "federation",
		false, &c->federation, m);
	config_remotes_apply(w, yaml_get(root, "remotes"), m);
	config_hosts_apply(w, root, m);
	config_components_apply(w, yaml_get(root, "components"), m);
	limits_check(&c->limits, root, m);
	config_listen_apply(w, root, m); /* of modules that hosts have */
}

/* root NULL: it could not be read. */
static struct config *
whole_finish(struct config_whole *w, const struct yaml_node *root,
	struct conf_errors *m)
{
	size_t before = m->n;

	if (root != NULL)
		whole_apply(w, root, m);
	if (root == NULL || m->n != before) {
		whole_free(w);
		return NULL;
	}
	w->modules = NULL;
	return &w->c;
}

struct config *
config_load(const char *path, const struct config_modules *modules,
	struct conf_errors *m)
{
	struct config_whole *w = whole_new(path, modules);

	return whole_finish(w, yaml_load(w->arena, path, m), m);
}

struct config *
config_parse(const char *file, struct str text,
	const struct config_modules *modules, struct conf_errors *m)
{
	struct config_whole *w = whole_new(file, modules);

	return whole_finish(w, yaml_parse(w->arena, file, text, m), m);
}

static struct config_whole *
whole_of(struct config *c)
{
	return CONTAINER_OF(c, struct config_whole, c);
}

struct config *
config_ref(struct config *c)
{
	atomic_fetch_add_explicit(&whole_of(c)->refs, 1, memory_order_relaxed);
	return c;
}

void
config_unref(struct config *c)
{
	if (c != NULL && atomic_fetch_sub_explicit(&whole_of(c)->refs, 1,
				 memory_order_acq_rel) == 1)
		whole_free(whole_of(c));
}
