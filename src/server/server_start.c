/*
 * server_start.c - makes the whole and takes it apart again, and puts a new
 * configuration in force.
 *
 * A reload builds a snapshot on shard 0 and visits every shard to swap it, so
 * that each shard changes between two of its turns.
 */
#include "config.h"

#include "core/server.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/worker.h"
#include "net/net.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "store/store.h"
#include "core/budget.h"
#include "core/cert_expiry.h"
#include "core/host.h"
#include "core/shard.h"
#include "account/account_int.h"
#include "command/command_int.h"
#include "module/module_int.h"

#define SHARDS_MAX 256
#define WORKERS_MAX 4
#define SETTLE_WAIT_US 1000

/* The secret lies in the store, so that salts of users that do not exist stay
 * the same after a restart. */
#define MAP_SERVER "server"
#define KEY_SECRET "secret"

/* --- start-up ------------------------------------------------------------------- */

static unsigned
cores_found(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)MIN(n, SHARDS_MAX) : 1;
}

unsigned
server_shards_wanted(const struct config *conf)
{
	int64_t n = conf->server.shards;

	return n == 0 ? cores_found() : (unsigned)MIN(n, SHARDS_MAX);
}

/* Threads for slow work. */
static unsigned
server_workers(const struct server *srv)
{
	return srv->threaded ? MIN(cores_found(), WORKERS_MAX) : 0;
}

static bool
server_open_store(struct server *srv, struct err *err)
{
	const struct config *conf = srv->newest->config;
	struct store_conf sc = {
		.driver = srv->store_in_memory ?
			"memory" :
			config_storage_drivers[conf->storage.driver],
		.path = conf->storage.path,
		.readers = (unsigned)conf->storage.readers,
		.inline_work = !srv->threaded,
		.may_be_new = srv->may_be_new,
	};

	srv->store = store_open(&sc, err);
	return srv->store != NULL;
}

static bool
server_make_shards(struct server *srv, unsigned n, struct err *err)
{
	srv->shards = xcalloc(n, sizeof(srv->shards[0]));
	for (unsigned i = 0; i < n; i++) {
		srv->shards[i] = shard_new(srv, i, err);
		if (srv->shards[i] == NULL)
			return false;
		srv->n_shards++;
	}
	return true;
}

void
server_free(struct server *srv)
{
	if (srv == NULL)
		return;
	worker_free(srv->worker);
	for (unsigned i = 0; i < srv->n_shards; i++)
		shard_free(srv->shards[i]);
	free(srv->shards);
	snapshot_unref(srv->newest);
	module_registry_free(srv->modules);
	command_registry_free(srv->commands);
	if (srv->store != NULL)
		store_close(srv->store);
	explicit_bzero(srv->secret, sizeof(srv->secret));
	free(srv->shares);
	free(srv);
}

/* One seed for all shards, kept nowhere.  A simulation has no TLS. */
static void
server_give_tickets(struct server *srv)
{
	uint8_t seed[NET_SEED_SIZE];

	if (!srv->threaded)
		return;
	rand_bytes(srv->rand, seed, sizeof(seed));
	for (unsigned i = 0; i < srv->n_shards; i++)
		shard_give_tickets(srv->shards[i], seed);
	explicit_bzero(seed, sizeof(seed));
}

/* --- the secret -------------------------------------------------------------------- */

struct secret_read {
	struct server *server;
	struct mailbox *mailbox; /* of shard 0: it outlives whoever posts to it */
	bool done;
	struct err err;
};

static struct store_place
secret_place(void)
{
	return (struct store_place){ STR("."), STR(""), STR(MAP_SERVER) };
}

static void
on_secret_read(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct secret_read *read = arg;
	struct server *srv = read->server;
	struct buf raw = BUF_INIT;

	read->done = true;
	if (err != NULL)
		read->err = *err;
	else if (answer->n == 1 &&
		base64_decode(&raw, answer->entries[0].value) &&
		raw.n == sizeof(srv->secret))
		memcpy(srv->secret, raw.p, raw.n);
	else
		rand_bytes(srv->rand, srv->secret, sizeof(srv->secret));
	buf_done(&raw);
}

static void
on_secret_written(void *arg, bool ok, const struct err *err)
{
	struct secret_read *read = arg;

	read->done = true;
	if (!ok)
		read->err = *err;
}

static void
secret_wait(struct secret_read *read)
{
	struct pollfd pfd = { .fd = read->mailbox->fd, .events = POLLIN };

	while (!read->done) {
		if (!read->server->threaded)
			store_turn(read->server->store);
		else
			poll(&pfd, 1, -1);
		mailbox_drain(read->mailbox, read->server->shards[0], 1);
	}
	read->done = false;
}

/* Reads the secret, or makes it; the one place that waits for the store, before
 * there are threads that could not. */
static bool
server_find_secret(struct server *srv, struct err *err)
{
	struct secret_read read = {
		.server = srv,
		.mailbox = &srv->shards[0]->mailbox,
	};
	struct store_tx *tx = store_tx_new();
	struct buf text = BUF_INIT;

	store_get(srv->store, secret_place(), STR(KEY_SECRET), read.mailbox,
		on_secret_read, &read);
	secret_wait(&read);
	if (read.err.code == ERR_NONE) {
		base64_encode(&text, srv->secret, sizeof(srv->secret));
		store_tx_set(tx, secret_place(), STR(KEY_SECRET),
			buf_str(&text));
		buf_done(&text);
		store_commit(srv->store, tx, read.mailbox, on_secret_written,
			&read);
		secret_wait(&read);
	} else {
		store_tx_free(tx);
	}
	if (read.err.code != ERR_NONE)
		*err = read.err;
	return read.err.code == ERR_NONE;
}

/* --- the whole ------------------------------------------------------------------------ */

struct server *
server_new(struct config *conf, const struct server_env *env, struct err *err)
{
	struct server *srv = xcalloc(1, sizeof(*srv));

	srv->clock = env->clock;
	srv->clock_shift = env->clock_shift;
	srv->rand = env->rand;
	srv->threaded = env->threaded;
	srv->store_in_memory = env->store_in_memory;
	srv->may_be_new = env->may_be_new;
	srv->config_path = env->config_path;
	srv->modules = env->modules;
	srv->shares = budget_shares_new();
	srv->memory_default = budget_default();
	srv->started_us = clock_mono_us(srv->clock);
	rand_bytes(srv->rand, &srv->hash_key, sizeof(srv->hash_key));
	srv->newest = snapshot_new(srv, conf, err);
	if (srv->newest == NULL) {
		server_free(srv);
		return NULL;
	}
	return srv;
}

bool
server_open(struct server *srv, struct err *err)
{
	if (!server_open_store(srv, err))
		return false;
	srv->worker = worker_new(server_workers(srv), err);
	return srv->worker != NULL &&
		server_make_shards(srv,
			server_shards_wanted(srv->newest->config), err) &&
		server_find_secret(srv, err);
}

void
server_start(struct server *srv)
{
	server_give_tickets(srv);
	for (unsigned i = 0; srv->threaded && i < srv->n_shards; i++)
		shard_start(srv->shards[i]);
	shard_post(srv->shards[0], cert_expiry_watch, NULL, 0);
}

uint64_t
server_hash(const struct server *srv, struct str bare)
{
	return hash_bytes(&srv->hash_key, bare.p, bare.n);
}

/* After the loops have ended: what is in the mailboxes is settled, and what that
 * asks of the worker and the store, so that no write of the last turn is
 * lost. */
static void
server_settle(struct server *srv)
{
	bool busy = true;

	while (busy) {
		busy = !store_is_idle(srv->store) ||
			worker_waiting(srv->worker) != 0;
		if (busy && srv->threaded)
			usleep(SETTLE_WAIT_US);
		for (unsigned i = 0; i < srv->n_shards; i++)
			busy = shard_turn(srv->shards[i]) || busy;
		if (!srv->threaded)
			busy = store_turn(srv->store) || busy;
	}
}

void
server_stop(struct server *srv)
{
	for (unsigned i = 0; i < srv->n_shards; i++)
		shard_join(srv->shards[i]);
	server_settle(srv);
	server_free(srv);
}

/* --- a new configuration ---------------------------------------------------------------- */

struct publishing {
	struct server *server;
	struct snapshot *snap;
	void (*done)(void *arg);
	void *arg;
};

/* Of hosts that are not served any more: while their modules are still there to
 * say goodbye to the contacts at others. */
static void
publish_close(struct shard *sh, const struct snapshot *next)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		if (e->class == &account_class && e->state == ENTITY_LOADED &&
			snapshot_host(next, jid_domain(e->jid)) == NULL)
			account_close_sessions(account_of(e), STR_NONE,
				STREAM_HOST_GONE, NULL);
	}
}

/* Accounts that are in memory are what the modules before have seen; those that
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

		if (e->class != &account_class || e->state != ENTITY_LOADED)
			continue;
		module_slots_leave(account_of(e), was, is);
		if (host_loads_more(is, was))
			account_reload(account_of(e));
	}
}

static void
publish_visit(struct shard *sh, void *arg)
{
	struct publishing *p = arg;
	struct snapshot *before = sh->snap;

	publish_close(sh, p->snap);
	entity_drop_idle(sh);
	sh->snap = snapshot_ref(p->snap);
	publish_reload(sh, before);
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
	snapshot_unref(srv->newest);
	srv->newest = snap;
	p = xmalloc(sizeof(*p));
	*p = (struct publishing){ srv, snapshot_ref(snap), done, arg };
	shard_visit_all(srv->shards[0], publish_visit, publish_end, p);
	return true;
}

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
	struct conf_errors mistakes;
	struct module_switches *switches;
	struct config *conf = NULL;

	*r = (struct reloading){ done, arg, BUF_INIT };
	conf_errors_init(&mistakes);
	switches = module_switches_save(srv->modules, true);
	if (log_reopen(&err))
		conf = server_read_config(srv, &mistakes, &r->text);
	if (conf != NULL && server_publish(srv, conf, reload_end, r, &err)) {
		module_switches_free(switches);
		reload_log(srv->newest->config, buf_str(&r->text));
	} else {
		module_switches_restore(srv->modules, switches);
		module_prune(srv); /* what was opened for a look */
		reload_refuse(r, srv->shards[0], &mistakes, &err);
	}
	conf_errors_done(&mistakes);
}
