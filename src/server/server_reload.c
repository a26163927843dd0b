/*
 * server_reload.c - puts a new configuration in force.
 *
 *   asked --> made, by a worker --> taken --> visits every shard --> let go of,
 *                |                    |                              by a worker
 *                |                    | refused                          |
 *                '--- refused --------'---> tidied up <------------------'
 *                                              |
 *                                          told, and the next one
 *
 * One after the other.  Shard 0, but for what a worker does: that reads what
 * shard 0 does not change meanwhile (the registry of modules, the snapshot
 * before) and makes what nobody else sees.  So a change that is refused before it
 * is taken has done nothing; and what is done while it is taken is undone by
 * module_prune().  Each shard swaps the snapshot between two of its turns.
 */
#include "config.h"

#include "server/server_reload.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/crash_text.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/worker.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "core/component.h"
#include "core/cert_expiry.h"
#include "core/entity.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/module_ctx.h"
#include "core/route.h"
#include "core/server.h"
#include "core/shard.h"
#include "remote/remote.h"
#include "module/attach.h"
#include "module/module_int.h"
#include "server/server_disk.h"
#include "server/server_federation.h"
#include "server/server_snapshot.h"

enum change_kind {
	CHANGE_FILE,
	CHANGE_CONFIG,
	CHANGE_MODULE_ON,
	CHANGE_MODULE_OFF,
	CHANGE_MODULE_TRY, /* made, and never taken */
};

struct change {
	STAILQ_ENTRY(change) link;
	enum change_kind kind;
	struct server *server;
	struct config *conf; /* CHANGE_CONFIG: a reference, until it is made */
	char *name;          /* CHANGE_MODULE_*; owned */
	server_changed_fn done;
	void *arg;

	/* of whoever is at it */
	struct snapshot *before; /* a reference */
	struct module_look *look;
	struct snapshot *snap;   /* a reference; NULL: refused */
	struct err err;
	bool mistakes;   /* in the file */
	struct buf text; /* they, or what was kept */
};

struct server_changes {
	STAILQ_HEAD(, change) list; /* the first is under way */
	bool ending;                /* no other one will be */
};

/* --- made: any thread -------------------------------------------------------- */

static struct config *
change_read(struct change *c)
{
	struct config_modules modules;
	struct conf_errors errors;
	struct config *conf;

	conf_errors_init(&errors);
	module_config(c->look, &modules);
	conf = config_load(c->server->config_path, &modules, &errors);
	if (conf != NULL)
		config_keep(conf, c->before->config, &c->text);
	else
		err_set(&c->err, ERR_INVALID,
			"the configuration has mistakes%s",
			c->kind == CHANGE_MODULE_ON ? ", the module stays off" : "");
	c->mistakes = conf == NULL;
	for (size_t i = 0; i < errors.n_kept; i++)
		buf_printf(&c->text, "%s\n", errors.texts[i]);
	conf_errors_done(&errors);
	return conf;
}

/* Code that was not in memory may have other options than those that were read
 * last, so they are read again. */
static struct config *
change_module(struct change *c)
{
	bool on = c->kind != CHANGE_MODULE_OFF;
	bool try = c->kind == CHANGE_MODULE_TRY;
	const struct module_entry *known =
		module_find(c->server->modules, str_c(c->name));

	if (c->kind != CHANGE_MODULE_ON && known == NULL) {
		err_set(&c->err, ERR_MISSING, "no module \"%s\" is loaded",
			c->name);
		return NULL;
	}
	if (try)
		module_look_anew(c->look, known);
	if (!module_force(c->look, str_c(c->name), on, &c->err))
		return NULL;
	/* a simulation has no file */
	if ((known != NULL && !try) || c->server->config_path == NULL)
		return config_ref(c->before->config);
	return change_read(c);
}

static struct config *
change_config(struct change *c)
{
	struct config *conf = c->conf;

	c->conf = NULL;
	switch (c->kind) {
	case CHANGE_FILE:
		return change_read(c);
	case CHANGE_CONFIG:
		return conf;
	case CHANGE_MODULE_ON:
	case CHANGE_MODULE_OFF:
	case CHANGE_MODULE_TRY:
		break;
	}
	return change_module(c);
}

static void
change_make(void *arg)
{
	struct change *c = arg;
	struct config *conf = change_config(c);

	if (conf != NULL)
		c->snap = snapshot_new(c->server, c->before, conf, c->look,
			&c->err);
}

/* --- put in force ------------------------------------------------------------- */

/* Of hosts that are not served any more, and of classes whose module goes: while
 * it is still there to say goodbye. */
static void
publish_close(struct shard *sh, const struct snapshot *next)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		if (route_class(next, e->jid) != e->class)
			entity_retire(e);
	}
}

/* What those keep that are in force no more at its host: what they have halted
 * goes on. */
static void
publish_forget(struct entity *e, const struct host *was, const struct host *is)
{
	for (size_t i = 0; was != NULL && i < was->n_modules; i++) {
		const struct module_entry *entry = was->modules[i].entry;

		if (is == NULL || module_at_host(is, entry) == NULL)
			entity_forget_module(e, entry);
	}
}

/* Entities that are in memory are what the modules before have seen; those that
 * are being read find out themselves. */
static void
publish_reload(struct shard *sh, const struct snapshot *before)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		struct str domain = jid_domain(e->jid);
		const struct host *was = snapshot_host(before, domain);
		const struct host *is = snapshot_host(sh->snap, domain);

		if (e->state != ENTITY_LOADED)
			continue;
		publish_forget(e, was, is);
		if (module_loads_more(is, was))
			entity_reload(e);
	}
}

static void
describe_snapshot(struct crash_text *out, const struct ring_event *ev)
{
	crash_put(out, "serial=");
	crash_put_number(out, (int64_t)ev->id);
}

static const struct ring_kind ring_snapshot = { "snapshot", describe_snapshot };

static void
publish_visit(struct shard *sh, void *arg)
{
	struct change *c = arg;
	struct snapshot *before = sh->snap;

	ring_note(&ring_snapshot, NULL, c->snap->serial, 0, 0);
	publish_close(sh, c->snap);
	entity_drop_idle(sh);
	/* what does not exist may, by what is in force then */
	idle_done(&sh->idle);
	sh->snap = snapshot_ref(c->snap);
	publish_reload(sh, before);
	if (sh->snap->has_components)
		components_reloaded(sh, before);
	remotes_reloaded(sh);
	listen_follow(sh);
	module_follow(sh);
	snapshot_unref(before);
}

/* --- the end of a change ------------------------------------------------------ */

static void changes_go_on(struct server *srv);

static void
change_free(struct change *c)
{
	config_unref(c->conf);
	free(c->name);
	buf_done(&c->text);
	free(c);
}

/* Who is told may ask for another one, which waits behind this one. */
static void
change_end(struct shard *sh, void *arg)
{
	struct change *c = arg;
	struct server *srv = sh->server;
	bool ok = c->err.code == ERR_NONE;

	if (ok && c->kind == CHANGE_FILE)
		log_info(LOG_CONFIG, LOG_NOBODY,
			"the configuration is in force");
	if (c->done != NULL)
		c->done(c->arg, ok ? NULL : &c->err, buf_str(&c->text));
	STAILQ_REMOVE_HEAD(&srv->changes->list, link);
	change_free(c);
	changes_go_on(srv);
}

static void
change_pass(struct shard *sh, void *arg)
{
	(void)sh;
	(void)arg;
}

/* Behind the visits that free the state of modules that nobody uses any more, and
 * close them. */
static void
change_tidy(void *arg)
{
	struct change *c = arg;
	struct server *srv = c->server;

	srv->modules->looked_at = false;
	module_prune(srv);
	shard_visit_all(srv->shards[0], change_pass, change_end, c);
}

/* Hundreds of certificates take a while to be freed, too; any thread. */
static void
change_let_go(void *arg)
{
	struct change *c = arg;

	snapshot_unref(c->snap);
	snapshot_unref(c->before);
	module_look_free(c->look);
}

static void
change_close(struct change *c)
{
	worker_run(c->server->worker, change_let_go,
		&c->server->shards[0]->mailbox, change_tidy, c);
}

static void
publish_end(struct shard *from, void *arg)
{
	struct change *c = arg;

	if (from->server->on_reloaded != NULL)
		from->server->on_reloaded(from->server);
	change_close(c);
}

/* --- taken -------------------------------------------------------------------- */

static void
change_log(const struct change *c)
{
	const struct config *conf = c->snap->config;
	struct str line, kept = buf_str(&c->text);

	for (int i = 0; i < LOG_AREAS; i++)
		log_set_level((enum log_area)i, conf->log.levels[i]);
	while (kept.n != 0) {
		str_cut(kept, '\n', &line, &kept);
		log_warn(LOG_CONFIG, LOG_NOBODY, "%.*s", STR_ARG(line));
	}
}

static void
change_log_refused(const struct change *c)
{
	struct str line, text = buf_str(&c->text);

	while (text.n != 0) {
		str_cut(text, '\n', &line, &text);
		log_error(LOG_CONFIG, LOG_NOBODY, "%.*s", STR_ARG(line));
	}
	log_error(LOG_CONFIG, LOG_NOBODY,
		"not reloaded, the configuration before stays in force");
}

static void
change_refuse(struct change *c)
{
	if (!c->mistakes)
		c->text.n = 0; /* what would have been kept */
	if (c->kind == CHANGE_FILE) {
		if (!c->mistakes)
			buf_printf(&c->text, "%s\n", c->err.text);
		change_log_refused(c);
	}
	change_close(c);
}

/* The log is the last that can fail, and cannot be undone. */
static bool
change_take(struct change *c)
{
	return c->snap != NULL && snapshot_take(c->snap, c->look, &c->err) &&
		(c->kind != CHANGE_FILE || log_reopen(&c->err));
}

static void
on_made(void *arg)
{
	struct change *c = arg;
	struct server *srv = c->server;

	if (c->kind == CHANGE_MODULE_TRY || !change_take(c)) {
		change_refuse(c);
		return;
	}
	module_look_switch(c->look, srv->modules);
	cert_expiry_report(c->snap);
	federation_report(c->snap, c->before);
	if (c->kind == CHANGE_FILE) {
		snapshot_review(c->snap);
		change_log(c);
	}
	listen_adopt(c->snap, srv->newest,
		c->kind == CHANGE_FILE ? &c->text : NULL);
	snapshot_unref(srv->newest);
	srv->newest = snapshot_ref(c->snap);
	server_disk_follow(srv);
	shard_visit_all(srv->shards[0], publish_visit, publish_end, c);
}

/* --- asked for ---------------------------------------------------------------- */

static void
changes_go_on(struct server *srv)
{
	struct change *c = STAILQ_FIRST(&srv->changes->list);

	if (c == NULL)
		return;
	if (srv->changes->ending) {
		err_set(&c->err, ERR_CLOSED, "the server stops");
		shard_post(srv->shards[0], change_end, c, 0);
		return;
	}
	srv->modules->looked_at = true;
	c->before = snapshot_ref(srv->newest);
	c->look = module_look_new(srv->modules,
		c->kind == CHANGE_FILE);
	worker_run(srv->worker, change_make, &srv->shards[0]->mailbox, on_made,
		c);
}

/* conf and name are taken. */
static void
change_ask(struct server *srv, enum change_kind kind, struct config *conf,
	char *name, server_changed_fn done, void *arg)
{
	struct change *c = xcalloc(1, sizeof(*c));
	bool first = STAILQ_EMPTY(&srv->changes->list);

	ASSERT_ON(srv->shards[0]);
	c->kind = kind;
	c->server = srv;
	c->conf = conf;
	c->name = name;
	c->done = done;
	c->arg = arg;
	STAILQ_INSERT_TAIL(&srv->changes->list, c, link);
	if (first)
		changes_go_on(srv);
}

void
server_reload(struct server *srv, server_changed_fn done, void *arg)
{
	change_ask(srv, CHANGE_FILE, NULL, NULL, done, arg);
}

void
server_publish(struct server *srv, struct config *conf, server_changed_fn done,
	void *arg)
{
	change_ask(srv, CHANGE_CONFIG, conf, NULL, done, arg);
}

void
server_switch_module(struct server *srv, struct str name, bool on,
	server_changed_fn done, void *arg)
{
	change_ask(srv, on ? CHANGE_MODULE_ON : CHANGE_MODULE_OFF, NULL,
		str_dup(name), done, arg);
}

void
server_try_module(struct server *srv, struct str name, server_changed_fn done,
	void *arg)
{
	change_ask(srv, CHANGE_MODULE_TRY, NULL, str_dup(name), done, arg);
}

/* --- with the server ---------------------------------------------------------- */

struct server_changes *
server_changes_new(void)
{
	struct server_changes *all = xcalloc(1, sizeof(*all));

	STAILQ_INIT(&all->list);
	return all;
}

void
server_changes_end(struct server_changes *all)
{
	all->ending = true;
}

void
server_changes_free(struct server_changes *all)
{
	free(all);
}
