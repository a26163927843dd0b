/*
 * server_reload.c - puts a new configuration in force.
 *
 * A reload builds a snapshot on shard 0 and visits every shard to swap it, so
 * that each shard changes between two of its turns.
 */
#include "config.h"

#include "server/server_reload.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/crash_text.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ring.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "core/entity.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/module_ctx.h"
#include "core/route.h"
#include "core/server.h"
#include "core/shard.h"
#include "module/attach.h"
#include "module/module_int.h"
#include "server/server_snapshot.h"

/* --- a snapshot -------------------------------------------------------------- */

struct publishing {
	struct server *server;
	struct snapshot *snap;
	void (*done)(void *arg);
	void *arg;
};

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
	struct publishing *p = arg;
	struct snapshot *before = sh->snap;

	ring_note(&ring_snapshot, NULL, p->snap->serial, 0, 0);
	publish_close(sh, p->snap);
	entity_drop_idle(sh);
	/* what does not exist may, by what is in force then */
	idle_done(&sh->idle);
	sh->snap = snapshot_ref(p->snap);
	publish_reload(sh, before);
	listen_follow(sh);
	snapshot_unref(before);
}

static void
publish_end(struct shard *from, void *arg)
{
	struct publishing *p = arg;

	(void)from;
	snapshot_unref(p->snap);
	module_prune(p->server);
	if (p->server->on_reloaded != NULL)
		p->server->on_reloaded(p->server);
	if (p->done != NULL)
		p->done(p->arg);
	free(p);
}

bool
server_publish(struct server *srv, struct config *conf,
	void (*done)(void *arg), void *arg, struct err *err)
{
	struct snapshot *snap = snapshot_new(srv, conf, err);
	struct publishing *p;

	ASSERT_ON(srv->shards[0]);
	if (snap == NULL)
		return false;
	listen_adopt(snap, srv->newest);
	snapshot_unref(srv->newest);
	srv->newest = snap;
	p = xmalloc(sizeof(*p));
	*p = (struct publishing){ srv, snapshot_ref(snap), done, arg };
	shard_visit_all(srv->shards[0], publish_visit, publish_end, p);
	return true;
}

/* --- the file ------------------------------------------------------------------ */

struct reloading {
	void (*done)(void *arg, bool ok, struct str text);
	void *arg;
	struct buf text; /* mistakes, or what was kept */
};

static void
reload_end(void *arg)
{
	struct reloading r = *(struct reloading *)arg;

	free(arg);
	log_info(LOG_CONFIG, LOG_NOBODY, "the configuration is in force");
	r.done(r.arg, true, buf_str(&r.text));
	buf_done(&r.text);
}

static void
reload_refused(struct shard *sh, void *arg)
{
	struct reloading *r = arg;

	(void)sh;
	r->done(r->arg, false, buf_str(&r->text));
	buf_done(&r->text);
	free(r);
}

static void
reload_refuse(struct reloading *r, struct shard *sh,
	const struct conf_errors *m, const struct err *err)
{
	struct buf *text = &r->text;

	text->n = 0;

	for (size_t i = 0; i < m->n_kept; i++) {
		buf_printf(text, "%s\n", m->texts[i]);
		log_error(LOG_CONFIG, LOG_NOBODY, "%s", m->texts[i]);
	}
	if (err->code != ERR_NONE) {
		buf_printf(text, "%s\n", err->text);
		log_error(LOG_CONFIG, LOG_NOBODY, "%s", err->text);
	}
	log_error(LOG_CONFIG, LOG_NOBODY,
		"not reloaded, the configuration before stays in force");
	shard_post(sh, reload_refused, r, 0);
}

struct config *
server_read_config(struct server *srv, struct conf_errors *m,
	struct buf *kept_io)
{
	struct config_modules modules;
	struct config *conf;

	module_config(srv->modules, &modules);
	conf = config_load(srv->config_path, &modules, m);
	if (conf != NULL)
		config_keep(conf, srv->newest->config, kept_io);
	return conf;
}

static void
reload_log(const struct config *conf, struct str kept)
{
	struct str line;

	for (int i = 0; i < LOG_AREAS; i++)
		log_set_level((enum log_area)i, conf->log.levels[i]);
	while (kept.n != 0) {
		str_cut(kept, '\n', &line, &kept);
		log_warn(LOG_CONFIG, LOG_NOBODY, "%.*s", STR_ARG(line));
	}
}

void
server_reload(struct server *srv,
	void (*done)(void *arg, bool ok, struct str text), void *arg)
{
	struct reloading *r = xmalloc(sizeof(*r));
	struct err err = ERR_INIT;
	struct conf_errors errors;
	struct module_switches *switches;
	struct config *conf = NULL;

	*r = (struct reloading){ done, arg, BUF_INIT };
	conf_errors_init(&errors);
	switches = module_switches_save(srv->modules, true);
	if (log_reopen(&err))
		conf = server_read_config(srv, &errors, &r->text);
	if (conf != NULL && server_publish(srv, conf, reload_end, r, &err)) {
		module_switches_free(switches);
		reload_log(srv->newest->config, buf_str(&r->text));
		listen_tell_shut(srv->newest, &r->text);
	} else {
		module_switches_restore(srv->modules, switches);
		module_prune(srv); /* what was opened for a look */
		reload_refuse(r, srv->shards[0], &errors, &err);
	}
	conf_errors_done(&errors);
}
