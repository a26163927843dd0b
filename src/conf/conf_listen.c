/*
 * conf_listen.c - the ports of a configuration: `listen`, and the kinds of ports
 * that there are.
 *
 * Called by conf.c while a configuration is built, when it is known which
 * modules are on.  Nothing that is kept points into a module.
 */
#include "config.h"

#include "conf/conf.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/vec.h"
#include "net/listener.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/option_int.h"
#include "conf/yaml.h"

#define LISTENERS_MAX 64
/* Of an entry that names none. */
#define KIND_CLIENTS "c2s"
#define KIND_COMPONENTS "component"
#define KIND_SERVERS "server"

struct names VEC(const char *);

/* --- kinds --------------------------------------------------------------- */

static const struct listen_kind *
kind_among(const struct listen_kind *kinds, const char *name)
{
	for (; kinds != NULL && kinds->name != NULL; kinds++)
		if (strcmp(kinds->name, name) == 0)
			return kinds;
	return NULL;
}

static const struct listen_kind *
kind_of_module(const struct config_modules *known, const char *module,
	const char *name)
{
	const struct option *options;
	size_t size;

	if (known->listeners == NULL ||
		!known->find(known->arg, module, &options, &size))
		return NULL;
	return kind_among(known->listeners(known->arg, module), name);
}

/* Of the house, or of a module that is on at a host. */
static const struct listen_kind *
kind_find(const struct config_whole *w, const char *name)
{
	const struct listen_kind *kind = kind_among(w->modules->kinds, name);

	for (size_t i = 0; kind == NULL && i < w->c.n_hosts; i++) {
		const struct config_host *h = &w->c.hosts[i];

		for (size_t k = 0; kind == NULL && k < h->n_modules; k++)
			kind = kind_of_module(w->modules, h->modules[k].name,
				name);
	}
	return kind;
}

static void
names_add(struct names *all, struct arena *a, const struct listen_kind *kinds)
{
	for (; kinds != NULL && kinds->name != NULL; kinds++) {
		size_t i = 0;

		while (i < all->n && strcmp(all->p[i], kinds->name) != 0)
			i++;
		if (i == all->n)
			*vec_push_in(a, all) = kinds->name;
	}
}

static void
names_add_modules(struct names *all, const struct config_whole *w)
{
	const struct config_modules *known = w->modules;
	const struct option *options;
	size_t size;

	for (size_t i = 0; known->listeners != NULL && i < w->c.n_hosts; i++) {
		const struct config_host *h = &w->c.hosts[i];

		for (size_t k = 0; k < h->n_modules; k++)
			if (known->find(known->arg, h->modules[k].name,
				&options, &size))
				names_add(all, w->arena,
					known->listeners(known->arg,
						h->modules[k].name));
	}
}

/* Is there a module that is on at no host, and would have it?  One of ours, or one
 * with the same name. */
static const char *
kind_module(const struct config_whole *w, const char *name)
{
	const struct config_modules *known = w->modules;

	for (size_t i = 0; i < known->n_names; i++)
		if (kind_of_module(known, known->names[i], name) != NULL)
			return known->names[i];
	return kind_of_module(known, name, name) != NULL ? name : NULL;
}

static void
kind_unknown(struct config_whole *w, const char *name,
	const struct yaml_node *node, struct conf_errors *m)
{
	const char *module = kind_module(w, name);
	struct names all = { .n = 0 };
	struct buf list = BUF_INIT;

	names_add(&all, w->arena, w->modules->kinds);
	names_add_modules(&all, w);
	for (size_t i = 0; i < all.n; i++)
		buf_printf(&list, "%s%s", i != 0 ? ", " : "", all.p[i]);
	if (module != NULL && w->c.n_hosts == 0)
		; /* that there is no host is told already */
	else if (module != NULL)
		conf_error_add(m, node, "listen: kind",
			"\"%s\" comes with the module %s, which is on at no host; add `modules: { %s: yes }`",
			name, module, module);
	else if (conf_error_nearest(name, all.p, all.n) != NULL)
		conf_error_unknown(m, node, "listen", "kind", name, all.p,
			all.n);
	else
		conf_error_add(m, node, "listen: kind",
			"unknown kind \"%.64s\", expected one of: %.*s", name,
			STR_ARG(buf_str(&list)));
	buf_done(&list);
}

/* --- entries ------------------------------------------------------------- */

static const struct yaml_node *
node_of(const struct yaml_node *entry, const char *name)
{
	const struct yaml_node *node = yaml_get(entry, name);

	return node != NULL ? node : entry;
}

static void
port_missing(const struct config_listen *l, const struct yaml_node *entry,
	struct conf_errors *m)
{
	const struct option *o = config_listen_options;
	char expected[160];

	while (strcmp(o->name, "port") != 0)
		o++;
	conf_error_add(m, entry, "listen",
		"the option \"port\" is missing: for kind %.64s and `tls: %s` there is none that everybody uses; expected %s",
		l->kind, config_listen_tls[l->tls],
		option_expected(o, o->type, expected, sizeof(expected)));
}

/* The modes that kind has, as the file says them. */
static void
modes_show(const struct listen_kind *kind, struct buf *out)
{
	for (unsigned i = 0; i < LISTEN_TLS_MODES; i++)
		if ((kind->tls_modes & LISTEN_MAY(i)) != 0)
			buf_printf(out, "%s%s", out->n != 0 ? ", " : "",
				config_listen_tls[i]);
}

static bool
entry_check_tls(const struct config_listen *l, const struct listen_kind *kind,
	const struct yaml_node *entry, struct conf_errors *m)
{
	struct buf modes = BUF_INIT;

	if ((kind->tls_modes & LISTEN_MAY(l->tls)) != 0)
		return true;
	modes_show(kind, &modes);
	conf_error_add(m, node_of(entry, "tls"), "listen: tls",
		"%s is nothing for ports of kind %s, expected one of: %.*s",
		config_listen_tls[l->tls], kind->name,
		STR_ARG(buf_str(&modes)));
	buf_done(&modes);
	return false;
}

/* Is there something by which its peers are told from those of others? */
static bool
entry_check_shared(const struct config_listen *l, const struct listen_kind *kind,
	const struct yaml_node *entry, struct conf_errors *m)
{
	const struct yaml_node *at = node_of(entry, "kind");

	if (l->kinds.n == 1)
		return true;
	if (kind->alone != NULL)
		return conf_error_add(m, at, "listen: kind",
			"ports of kind %s are not shared with others: %s; give them an entry of their own",
			kind->name, kind->alone);
	if (kind->recognise == NULL &&
		(kind->alpn[0] == NULL || l->tls != LISTEN_DIRECT))
		return conf_error_add(m, at, "listen: kind",
			"with `tls: %s` nothing tells who comes for kind %s from others; give them an entry of their own",
			config_listen_tls[l->tls], kind->name);
	return true;
}

static bool
entry_names_twice(const struct config_listen *l, size_t i,
	const struct yaml_node *entry, struct conf_errors *m)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(l->kinds.items[k], l->kinds.items[i]) == 0)
			return !conf_error_add(m, node_of(entry, "kind"),
				"listen: kind", "%s is named twice",
				l->kinds.items[i]);
	return false;
}

/* The kinds of l, into out; false: there are mistakes. */
static bool
entry_find_kinds(struct config_whole *w, const struct config_listen *l,
	const struct yaml_node *entry, const struct listen_kind **out,
	struct conf_errors *m)
{
	bool ok = true;

	for (size_t i = 0; i < l->kinds.n; i++) {
		out[i] = kind_find(w, l->kinds.items[i]);
		if (out[i] == NULL)
			kind_unknown(w, l->kinds.items[i],
				node_of(entry, "kind"), m);
		ok = ok && out[i] != NULL && !entry_names_twice(l, i, entry, m);
	}
	return ok;
}

/* What the file does not say of it, its kind says: of several the first, but that
 * one which is for this machine alone keeps the others there. */
static bool
entry_ask_kinds(struct config_whole *w, struct config_listen *l,
	const struct yaml_node *entry, struct conf_errors *m)
{
	const struct listen_kind *kinds[LISTEN_KINDS_MAX];
	bool ok = true;

	if (!entry_find_kinds(w, l, entry, kinds, m))
		return false;
	if (yaml_get(entry, "tls") == NULL)
		l->tls = (int)kinds[0]->tls;
	for (size_t i = l->kinds.n; i-- > 0;)
		if (kinds[i]->address != NULL &&
			yaml_get(entry, "address") == NULL)
			l->address = kinds[i]->address;
	for (size_t i = 0; i < l->kinds.n && ok; i++)
		ok = entry_check_tls(l, kinds[i], entry, m) &&
			entry_check_shared(l, kinds[i], entry, m);
	if (ok && yaml_get(entry, "port") == NULL)
		l->port = kinds[0]->ports[l->tls];
	return ok;
}

static const char *
kinds_join(const struct option_list *kinds, struct arena *a)
{
	const char *all = kinds->items[0];

	for (size_t i = 1; i < kinds->n; i++)
		all = arena_printf(a, "%s,%s", all, kinds->items[i]).p;
	return all;
}

static void
entry_complete(struct config_whole *w, struct config_listen *l,
	const struct yaml_node *entry, struct conf_errors *m)
{
	l->kind = kinds_join(&l->kinds, w->arena);
	if (w->modules != NULL && w->modules->kinds != NULL &&
		!entry_ask_kinds(w, l, entry, m))
		return;
	if (yaml_get(entry, "port") == NULL && l->port == 0)
		port_missing(l, entry, m);
}

/* Could only one of them be opened? */
static bool
is_same_port(const struct config_listen *a, const struct config_listen *b)
{
	return a->port != 0 && a->port == b->port &&
		listener_collides(a->address, b->address);
}

/* Why two entries may be one, as more is said of them. */
static const char *
twice_hint(const struct config_listen *a, const struct config_listen *b)
{
	return strcmp(a->kind, b->kind) != 0 &&
			!config_listen_has(a, KIND_COMPONENTS) &&
			!config_listen_has(b, KIND_COMPONENTS) ?
		"; one entry can have several kinds, such as `kind: [ c2s, server ]`" :
		"";
}

/* all[i] is that of node, and the first that of other. */
static void
entry_check_twice(const struct config_listen *all, size_t i,
	const struct yaml_node *node, const struct yaml_node *other,
	struct conf_errors *m)
{
	for (size_t j = 0; j < i; j++, other = other->next)
		if (is_same_port(&all[i], &all[j]))
			conf_error_add(m, node, "listen",
				"port %lld of address %s is given already, for address %s in %s:%d%s",
				(long long)all[i].port, all[i].address,
				all[j].address, other->file, other->line,
				twice_hint(&all[i], &all[j]));
}

static bool
some_host_allows_plain(const struct config *c)
{
	for (size_t i = 0; i < c->n_hosts; i++)
		if (!c->hosts[i].auth.tls_required)
			return true;
	return false;
}

static void
entry_check_plain(const struct config *c, const struct config_listen *l,
	const struct yaml_node *listen, struct conf_errors *m)
{
	if (l->tls == LISTEN_PLAIN && config_listen_has(l, KIND_CLIENTS) &&
		!some_host_allows_plain(c))
		conf_error_add(m, listen, "listen",
			"port %lld: with `tls: none` nobody could log in, because no host has `auth: { tls_required: no }`",
			(long long)l->port);
}

/* Nobody could come. */
static void
entry_check_proxies(const struct config *c, const struct config_listen *l,
	const struct yaml_node *entry, struct conf_errors *m)
{
	if (l->proxy_protocol && c->proxies.trusted.n == 0)
		conf_error_add(m, node_of(entry, "proxy_protocol"), "listen",
			"port %lld: with `proxy_protocol: yes` nobody could connect, because `proxies: { trusted: }` names no proxy",
			(long long)l->port);
}

/* --- the whole ----------------------------------------------------------- */

#define ONE(name) { (const char *const[]){ name }, 1 }

/* Those for servers are opened while a host talks to others. */
static const struct config_listen listen_standard[] = {
	{ .kinds = ONE(KIND_CLIENTS), .kind = KIND_CLIENTS,
		.tls = LISTEN_STARTTLS, .address = "*", .port = 5222,
		.backlog = 1024 },
	{ .kinds = ONE(KIND_CLIENTS), .kind = KIND_CLIENTS,
		.tls = LISTEN_DIRECT, .address = "*", .port = 5223,
		.backlog = 1024 },
	{ .kinds = ONE(KIND_SERVERS), .kind = KIND_SERVERS,
		.tls = LISTEN_STARTTLS, .address = "*", .port = 5269,
		.backlog = 1024 },
	{ .kinds = ONE(KIND_SERVERS), .kind = KIND_SERVERS,
		.tls = LISTEN_DIRECT, .address = "*", .port = 5270,
		.backlog = 1024 },
};

/* Where there are components, and no port for them is named: what they say goes
 * in the clear, so it is this machine's alone. */
static const struct config_listen listen_components = {
	.kinds = ONE(KIND_COMPONENTS), .kind = KIND_COMPONENTS,
	.tls = LISTEN_PLAIN, .address = "127.0.0.1", .port = 5347,
	.backlog = 1024,
};

static void
entry_standard(struct config_listen *l, const struct listen_kind *kind,
	struct arena *a)
{
	const char **name = arena_alloc(a, sizeof(*name));

	*name = arena_str(a, str_c(kind->name)).p;
	*l = (struct config_listen){
		.kinds = { name, 1 },
		.kind = *name,
		.tls = (int)kind->tls,
		.address = "*",
		.port = kind->ports[kind->tls],
		.backlog = 1024,
		.unasked = true,
	};
	if (kind->address != NULL)
		l->address = arena_str(a, str_c(kind->address)).p;
}

/* What is open where the file does not say it; how many there are. */
static size_t
listen_default(struct config_whole *w, struct config_listen *all)
{
	size_t n = COUNT(listen_standard);
	struct names names = { .n = 0 };

	memcpy(all, listen_standard, sizeof(listen_standard));
	if (w->modules != NULL) {
		names_add(&names, w->arena, w->modules->kinds);
		names_add_modules(&names, w);
	}
	for (size_t i = 0; i < names.n && n < LISTENERS_MAX; i++) {
		const struct listen_kind *kind = kind_find(w, names.p[i]);

		if (kind->standard)
			entry_standard(&all[n++], kind, w->arena);
	}
	return n;
}

static size_t
listen_read(struct config_whole *w, const struct yaml_node *node,
	struct config_listen *all, struct conf_errors *m)
{
	size_t i = 0;

	for (const struct yaml_node *c = node->first; c != NULL; c = c->next) {
		option_apply(config_listen_options, c, "listen", &all[i],
			w->arena, m);
		entry_complete(w, &all[i], c, m);
		entry_check_twice(all, i, c, node->first, m);
		entry_check_plain(&w->c, &all[i], node, m);
		entry_check_proxies(&w->c, &all[i], c, m);
		i++;
	}
	return i;
}

/* Nobody has written that port down. */
static void
components_check_twice(const struct config_listen *l,
	const struct yaml_node *node, struct conf_errors *m)
{
	for (; node != NULL; node = node->next, l++)
		if (is_same_port(l, &listen_components))
			conf_error_add(m, node, "listen",
				"port %lld of address %s is that of components, which is %s:%lld unless an entry of kind %s names another one",
				(long long)l->port, l->address,
				listen_components.address,
				(long long)listen_components.port,
				KIND_COMPONENTS);
}

bool
config_listen_has(const struct config_listen *l, const char *kind)
{
	for (size_t i = 0; i < l->kinds.n; i++)
		if (strcmp(l->kinds.items[i], kind) == 0)
			return true;
	return false;
}

bool
config_listens(const struct config *c, const char *kind)
{
	for (size_t i = 0; i < c->n_listen; i++)
		if (config_listen_has(&c->listen[i], kind))
			return true;
	return false;
}

void
config_listen_apply(struct config_whole *w, const struct yaml_node *root,
	struct conf_errors *m)
{
	const struct yaml_node *node = yaml_get(root, "listen");
	struct config_listen *all;
	size_t n;

	if (node != NULL && (node->kind != YAML_LIST || node->n == 0 ||
				    node->n > LISTENERS_MAX)) {
		conf_error_add(m, node, "listen",
			"expected a list of 1 to %d ports, such as "
			"[ { kind: c2s, port: 5222 } ]", LISTENERS_MAX);
		return;
	}
	all = arena_zalloc(w->arena, (LISTENERS_MAX + 1) * sizeof(*all));
	n = node != NULL ? listen_read(w, node, all, m) : listen_default(w, all);
	w->c.listen = all;
	w->c.n_listen = n;
	if (w->c.n_components != 0 && !config_listens(&w->c, KIND_COMPONENTS)) {
		if (node != NULL)
			components_check_twice(all, node->first, m);
		all[w->c.n_listen++] = listen_components;
	}
}
