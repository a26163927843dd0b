/*
 * services.c - whether the services of modules are there.
 *
 * A service needs a port of one of its kinds, and whatever else its row says
 * (struct service).  Without, its host does not have it, and nobody would know why.
 */
#include "config.h"

#include "module/services.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"
#include "core/host.h"
#include "module/module.h"
#include "module/module_int.h"

static bool
has_port(const struct service *s, const struct config *c)
{
	for (size_t i = 0; s->kinds != NULL && s->kinds[i] != NULL; i++)
		if (config_listens(c, s->kinds[i]))
			return true;
	return s->kinds == NULL;
}

bool
service_is_there(const struct service *s, const struct config *c,
	const struct config_host *h, const struct tls_set *tls)
{
	return has_port(s, c) &&
		(s->hindrance == NULL || s->hindrance(c, h, tls) == NULL);
}

/* --- what is told ------------------------------------------------------------- */

struct review {
	const struct config *c;
	const struct tls_set *tls;
	void (*tell)(void *arg, const char *text);
	void *arg;
	struct buf told; /* all lines so far */
};

static void
review_tell(struct review *v, struct buf *line)
{
	struct buf whole = BUF_INIT; /* between two ends of lines */

	buf_printf(&whole, "\n%s\n", buf_c(line));
	if (v->told.n == 0 ||
		memmem(v->told.p, v->told.n, whole.p, whole.n) == NULL) {
		buf_add_str(&v->told, buf_str(&whole));
		v->tell(v->arg, buf_c(line));
	}
	buf_done(&whole);
	buf_done(line);
}

/* Its domain at h; absent: it is switched off. */
static struct str
service_domain(const struct service *s, const struct config_module *mod,
	const struct config_host *h, struct arena *a)
{
	const struct option *o = mod->options;
	struct str domain = STR_NONE;
	const char *text;

	while (strcmp(o->name, s->option) != 0)
		o++;
	memcpy(&text, (const char *)mod->conf + o->off, sizeof(text));
	(void)config_service_domain(&domain, a, str_c(h->domain), text, NULL);
	return domain;
}

/* --- those that others may talk to ------------------------------------------------ */

struct open_walk {
	const struct config *c;
	const struct tls_set *tls;
	void (*fn)(void *arg, const struct config_host *h, struct str domain);
	void *arg;
};

static void
each_open(const struct open_walk *w, const struct module *m,
	const struct config_module *mod, const struct config_host *h)
{
	const struct service *s = m->services;

	for (; s != NULL && s->option != NULL; s++) {
		struct arena *a = arena_new();
		struct str domain = service_domain(s, mod, h, a);

		if (domain.n != 0 && service_is_there(s, w->c, h, w->tls) &&
			(s->is_local == NULL || !s->is_local(mod->conf)))
			w->fn(w->arg, h, domain);
		arena_free(a);
	}
}

void
services_each_open(const struct config *c, const struct module_registry *r,
	const struct tls_set *tls,
	void (*fn)(void *arg, const struct config_host *h, struct str domain),
	void *arg)
{
	struct open_walk w = { c, tls, fn, arg };

	for (size_t i = 0; i < c->n_hosts; i++)
		for (size_t k = 0; k < c->hosts[i].n_modules; k++) {
			const struct config_module *mod =
				&c->hosts[i].modules[k];
			const struct module_entry *e =
				module_find(r, str_c(mod->name));

			if (e != NULL)
				each_open(&w, e->module, mod, &c->hosts[i]);
		}
}

/* --- and what is told of all ------------------------------------------------------ */

/* A port is no host's, so the domain is left out. */
static void
port_review(struct review *v, const struct service *s,
	const struct config_module *mod)
{
	struct buf line = BUF_INIT;

	buf_printf(&line,
		"nobody can use the module %s: `listen' has no port for it; add { kind: %s }, or switch it off by `modules: { %s: no }'",
		mod->name, s->kinds[0], mod->name);
	review_tell(v, &line);
}

static void
service_review(struct review *v, const struct service *s,
	const struct config_module *mod, const struct config_host *h)
{
	struct arena *a = arena_new();
	struct str domain = service_domain(s, mod, h, a);
	struct buf line = BUF_INIT;

	if (domain.n != 0 && !has_port(s, v->c)) {
		port_review(v, s, mod);
	} else if (domain.n != 0 && !service_is_there(s, v->c, h, v->tls)) {
		buf_printf(&line, "%.*s is not there: %s", STR_ARG(domain),
			s->hindrance(v->c, h, v->tls));
		review_tell(v, &line);
	}
	arena_free(a);
}

static void
module_review(struct review *v, const struct module *m,
	const struct config_module *mod, const struct config_host *h)
{
	const struct service *s = m->services;
	struct buf note = BUF_INIT, line = BUF_INIT;

	for (; s != NULL && s->option != NULL; s++)
		service_review(v, s, mod, h);
	if (m->note != NULL)
		m->note(mod->conf, &note);
	if (note.n != 0) {
		buf_printf(&line, "modules: %s: %s", mod->name, buf_c(&note));
		review_tell(v, &line);
	}
	buf_done(&note);
}

void
services_review(const struct config *c, const struct module_registry *r,
	const struct tls_set *tls, void (*tell)(void *arg, const char *text),
	void *arg)
{
	struct review v = { .c = c, .tls = tls, .tell = tell, .arg = arg };

	for (size_t i = 0; i < c->n_hosts; i++)
		for (size_t k = 0; k < c->hosts[i].n_modules; k++) {
			const struct config_module *mod =
				&c->hosts[i].modules[k];
			const struct module_entry *e =
				module_find(r, str_c(mod->name));

			if (e != NULL)
				module_review(&v, e->module, mod, &c->hosts[i]);
		}
	buf_done(&v.told);
}
