/*
 * conf_modules.c - which modules a host uses, in which order, and with which
 * options.
 *
 * Called by conf_hosts.c while a configuration is built.  Order: the bundled
 * modules that are on by default, then those that the file names, then those
 * that the host names.  Invariant: a host that says nothing of a module shares
 * the struct of its options with the others.
 */
#include "config.h"

#include "conf/conf.h"

#include "base/arena.h"
#include "base/mem.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

#define MODULES_MAX 256

/* The modules of one host, or of the whole file, while they are gathered. */
struct gathering {
	struct config_whole *w;
	struct conf_errors *m;
	const char *path; /* "modules", "hosts: example.org: modules" */
	struct config_module list[MODULES_MAX];
	size_t n;
};

static struct config_module *
gathering_find(struct gathering *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->list[i].name, name) == 0)
			return &g->list[i];
	return NULL;
}

static void
gathering_remove(struct gathering *g, struct config_module *mod)
{
	size_t i = (size_t)(mod - g->list);

	memmove(mod, mod + 1, (g->n - i - 1) * sizeof(*mod));
	g->n--;
}

static const char *
text_copy(struct arena *a, const char *text)
{
	return arena_str(a, str_c(text)).p;
}

/* A module may be unloaded while the configuration that names it is in force:
 * its table is copied with all texts. */
static const struct option *
options_copy(struct arena *a, const struct option *table)
{
	struct option *copy;
	size_t n = 0, choices;

	if (table == NULL)
		return NULL;
	while (table[n].name != NULL)
		n++;
	copy = arena_zalloc(a, (n + 1) * sizeof(*copy));
	for (size_t i = 0; i < n; i++) {
		const char **list;

		copy[i] = table[i];
		copy[i].name = text_copy(a, table[i].name);
		copy[i].dflt = text_copy(a, table[i].dflt);
		copy[i].min = text_copy(a, table[i].min);
		copy[i].max = text_copy(a, table[i].max);
		copy[i].most = text_copy(a, table[i].most);
		copy[i].help = text_copy(a, table[i].help);
		copy[i].example = text_copy(a, table[i].example);
		if (table[i].choices == NULL)
			continue;
		for (choices = 0; table[i].choices[choices] != NULL;)
			choices++;
		list = arena_zalloc(a, (choices + 1) * sizeof(*list));
		for (size_t k = 0; k < choices; k++)
			list[k] = text_copy(a, table[i].choices[k]);
		copy[i].choices = list;
	}
	return copy;
}

/* With its default options.  NULL: there is no such module, or no room. */
static struct config_module *
gathering_add(struct gathering *g, const char *name)
{
	const struct config_modules *known = g->w->modules;
	struct config_module mod = { .name = name };

	if (g->n == MODULES_MAX ||
		!known->find(known->arg, name, &mod.options, &mod.conf_size))
		return NULL;
	mod.options = options_copy(g->w->arena, mod.options);
	if (mod.options != NULL && mod.conf_size > 0) {
		mod.conf = arena_zalloc(g->w->arena, mod.conf_size);
		option_defaults(mod.options, mod.conf, g->w->arena);
	}
	g->list[g->n] = mod;
	return &g->list[g->n++];
}

/* yes, no, nothing or a map; false with a mistake for anything else. */
static bool
wants_module(struct gathering *g, const struct yaml_node *node, bool *out)
{
	char found[64];

	*out = true;
	if (node->kind == YAML_MAP || yaml_is_empty(node))
		return true;
	if (node->kind == YAML_SCALAR) {
		const char *words[] = { "no", "false", "off", "yes", "true",
			"on" };

		for (size_t i = 0; i < COUNT(words); i++) {
			*out = i >= 3;
			if (str_is(node->text, words[i]))
				return true;
		}
	}
	return conf_error_add(g->m, node, g->path,
		"%s: found %s, expected yes, no, or a map of options",
		node->key.p, yaml_describe(node, found, sizeof(found)));
}

/* Options of a host go into a copy: the others keep theirs. */
static void
options_apply(struct gathering *g, struct config_module *mod,
	const struct yaml_node *node)
{
	static const struct option none[] = { { .name = NULL } };
	void *copy;

	if (node->kind != YAML_MAP)
		return;
	if (mod->conf != NULL) {
		copy = arena_alloc(g->w->arena, mod->conf_size);
		memcpy(copy, mod->conf, mod->conf_size);
		mod->conf = copy;
	}
	option_overlay(mod->conf != NULL ? mod->options : none, node,
		yaml_get(g->w->general_modules, mod->name),
		arena_printf(g->w->arena, "%s: %s", g->path, mod->name).p,
		mod->conf, g->w->arena, g->m);
}

/* One of ours that is not there is not a slip of the pen. */
static void
module_missing(struct gathering *g, const struct yaml_node *node)
{
	const struct config_modules *known = g->w->modules;

	for (size_t i = 0; i < known->n_names; i++) {
		if (str_is(node->key, known->names[i])) {
			conf_error_add(g->m, node, g->path,
				"module \"%s\" cannot be opened; is it in the folder of modules (antiphond --module-dir)?",
				known->names[i]);
			return;
		}
	}
	conf_error_unknown(g->m, node, g->path, "module", node->key.p,
		known->names, known->n_names);
}

static void
module_apply(struct gathering *g, const struct yaml_node *node)
{
	const struct config_modules *known = g->w->modules;
	const struct option *options;
	struct config_module *mod = gathering_find(g, node->key.p);
	size_t size;
	bool on;

	if (!known->find(known->arg, node->key.p, &options, &size)) {
		module_missing(g, node);
		return;
	}
	if (!wants_module(g, node, &on))
		return;
	if (!on && mod != NULL)
		gathering_remove(g, mod);
	if (!on)
		return;
	if (mod == NULL)
		mod = gathering_add(g, node->key.p);
	if (mod == NULL)
		conf_error_add(g->m, node, g->path, "more than %d modules",
			MODULES_MAX);
	else
		options_apply(g, mod, node);
}

static void
modules_apply(struct gathering *g, const struct yaml_node *node)
{
	if (node == NULL || yaml_is_empty(node))
		return;
	if (node->kind != YAML_MAP) {
		conf_error_add(g->m, node, g->path,
			"expected a map of modules, such as { ping: yes }");
		return;
	}
	for (const struct yaml_node *c = node->first; c != NULL; c = c->next)
		module_apply(g, c);
}

/* An option that a module cannot do without may stand in either place. */
static void
required_check(struct gathering *g, const struct config_module *mod,
	const struct yaml_node *host)
{
	const struct yaml_node *here = yaml_get(yaml_get(host, "modules"),
		mod->name);
	const struct yaml_node *general = yaml_get(g->w->general_modules,
		mod->name);

	for (const struct option *o = mod->options;
		o != NULL && o->name != NULL; o++)
		if (o->required && yaml_get(here, o->name) == NULL &&
			yaml_get(general, o->name) == NULL)
			conf_error_add(g->m, here != NULL ? here : host,
				g->path, "%s: the option \"%s\" is missing: %s",
				mod->name, o->name, o->help);
}

static const struct config_module *
gathering_keep(struct gathering *g)
{
	struct config_module *kept = arena_zalloc(g->w->arena,
		(g->n + 1) * sizeof(*kept));

	memcpy(kept, g->list, g->n * sizeof(*kept));
	return kept;
}

bool
config_modules_general(struct config_whole *w, const struct yaml_node *node,
	struct conf_errors *m)
{
	static const struct option defaults[] = {
		{ .name = "defaults", .type = OPT_SWITCH, .dflt = "yes",
			.help = "the bundled modules are on" },
		{ .name = NULL },
	};
	static const char *const own[] = { "defaults" };
	struct gathering g = { .w = w, .m = m, .path = "modules" };
	const struct yaml_node *at = yaml_get(node, "defaults");
	size_t before = m->n;
	bool on = true;

	if (w->modules == NULL)
		return true;
	if (at != NULL) {
		struct yaml_node only = *at, map = { .kind = YAML_MAP,
			.first = &only };

		only.next = NULL;
		option_apply(defaults, &map, "modules", &on, w->arena, m);
	}
	for (size_t i = 0; on && i < w->modules->n_defaults; i++)
		gathering_add(&g, w->modules->defaults[i]);
	w->general_modules = node;
	modules_apply(&g, config_without(w->arena, node, own, COUNT(own)));
	w->general = gathering_keep(&g);
	w->n_general = g.n;
	return m->n == before;
}

bool
config_modules_host(struct config_whole *w, struct config_host *h,
	const struct yaml_node *host, struct conf_errors *m)
{
	struct gathering g = { .w = w, .m = m, .n = w->n_general,
		.path = arena_printf(w->arena, "hosts: %s: modules",
			h->domain).p };
	size_t before = m->n;

	if (w->modules == NULL)
		return true;
	memcpy(g.list, w->general, w->n_general * sizeof(*g.list));
	modules_apply(&g, yaml_get(host, "modules"));
	for (size_t i = 0; i < g.n; i++)
		required_check(&g, &g.list[i], host);
	h->modules = gathering_keep(&g);
	h->n_modules = g.n;
	return m->n == before;
}
