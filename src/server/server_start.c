/*
 * server_start.c - makes the whole, starts it, and takes it apart again.
 */
#include "config.h"

#include "server/server_start.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/worker.h"
#include "net/net.h"
#include "conf/conf.h"
#include "disk/disk.h"
#include "store/store.h"
#include "core/budget.h"
#include "core/cert_expiry.h"
#include "core/entity.h"
#include "core/host.h"
#include "core/lane.h"
#include "core/listen.h"
#include "core/question.h"
#include "core/server.h"
#include "core/shard.h"
#include "remote/remote.h"
#include "command/command_int.h"
#include "module/module_int.h"
#include "server/dns_check.h"
#include "server/server_disk.h"
#include "server/server_dns.h"
#include "server/server_federation.h"
#include "server/server_reload.h"
#include "server/server_sleep.h"
#include "server/server_snapshot.h"

#define SHARDS_MAX 256
#define WORKERS_MAX 4
#define SETTLE_WAIT_US 1000
/* So long broadcasts go on that were not finished. */
#define SETTLE_BROADCASTS_US (3 * US_PER_S)

/* The secret lies in the store, so that salts of users that do not exist stay
 * the same after a restart. */
#define KEY_SECRET "secret"
/* RUNS from the start until all of an orderly stop is done; then when it was started
 * after it was killed, by the calendar, in microseconds; not there: it never was. */
#define KEY_RUNS "runs"
#define RUNS "1"

/* --- start-up ------------------------------------------------------------------- */

static unsigned
cores_found(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)MIN(n, SHARDS_MAX) : 1;
}

static unsigned
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

/* The store's writer thread.  Two lines for all of it, however much is refused
 * meanwhile. */
static void
on_outage(void *arg, const struct store_outage *outage)
{
	(void)arg;
	if (outage->is_wanted && outage->now)
		log_info(LOG_STORE, LOG_NOBODY,
			"what has to be stored is refused until the database is smaller reason=\"%s\"",
			outage->why.text);
	else if (outage->is_wanted)
		log_info(LOG_STORE, LOG_NOBODY,
			"the database takes writes again after_s=%lld refused=%llu",
			(long long)(outage->for_us / US_PER_S),
			(unsigned long long)outage->refused);
	else if (outage->now)
		log_error(LOG_STORE, LOG_NOBODY,
			"the disk takes no writes, what has to be stored is refused until it does reason=\"%s\"",
			outage->why.text);
	else
		log_warn(LOG_STORE, LOG_NOBODY,
			"the disk takes writes again after_s=%lld refused=%llu",
			(long long)(outage->for_us / US_PER_S),
			(unsigned long long)outage->refused);
}

static bool
server_open_store(struct server *srv, struct err *err)
{
	const struct config *conf = srv->newest->config;
	struct store_conf sc = {
		.driver = srv->store_in_memory ?
			"memory" :
			config_storage_drivers[conf->storage.driver],
		.options = conf->storage.own,
		.readers = (unsigned)conf->storage.readers,
		.inline_work = !srv->threaded,
		.may_be_new = srv->may_be_new,
		.on_outage = on_outage,
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
	disk_stop(srv->disk);
	for (unsigned i = 0; i < srv->n_shards; i++)
		shard_free(srv->shards[i]);
	free(srv->shards);
	disk_free(srv->disk);
	snapshot_unref(srv->newest);
	server_changes_free(srv->changes);
	module_registry_free(srv->modules);
	command_registry_free(srv->commands);
	listen_done(srv);
	if (srv->store != NULL)
		store_close(srv->store);
	explicit_bzero(srv->secret, sizeof(srv->secret));
	free(srv->shares);
	free(srv->last_crash);
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
on_runs_read(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct secret_read *read = arg;
	struct server *srv = read->server;
	long long wall_us;

	read->done = true;
	if (err != NULL)
		read->err = *err;
	else if (answer->n != 0) {
		srv->was_killed = true;
		srv->killed_us = srv->started_us;
		srv->is_killed = str_is(answer->entries[0].value, RUNS);
		if (!srv->is_killed &&
			str_to_int(answer->entries[0].value, 0, INT64_MAX,
				&wall_us))
			srv->killed_us -= MAX(
				clock_wall_us(srv->clock) - wall_us, 0);
	}
}

static void
on_secret_written(void *arg, bool ok, const struct err *err)
{
	struct secret_read *read = arg;

	read->done = true;
	if (!ok)
		read->err = *err;
}

void
server_await(struct server *srv, bool *done_io)
{
	struct mailbox *mailbox = &srv->shards[0]->mailbox;
	struct pollfd pfd = { .fd = mailbox->fd, .events = POLLIN };

	while (!*done_io) {
		if (!srv->threaded)
			store_turn(srv->store);
		/* nobody wakes it before it has found nothing */
		if (mailbox_drain(mailbox, srv->shards[0], 1) == 0 &&
			srv->threaded)
			poll(&pfd, 1, -1);
	}
	*done_io = false;
}

/* What is under way still is done before it.  A stop makes nobody forget that the
 * server was killed before. */
static void
server_ran(struct server *srv)
{
	struct store_tx *tx = store_tx_new();
	struct buf text = BUF_INIT;

	buf_printf(&text, "%lld",
		(long long)(clock_wall_us(srv->clock) -
			(clock_mono_us(srv->clock) - srv->killed_us)));
	if (srv->was_killed)
		store_tx_set(tx, server_map(), STR(KEY_RUNS), buf_str(&text));
	else
		store_tx_delete(tx, server_map(), STR(KEY_RUNS));
	buf_done(&text);
	store_tx_insist(tx);
	store_commit(srv->store, tx, NULL, NULL, NULL);
}

/* Reads the secret, or makes it; and how the last run has ended. */
static bool
server_find_secret(struct server *srv, struct err *err)
{
	struct secret_read read = {
		.server = srv,
		.mailbox = &srv->shards[0]->mailbox,
	};
	struct store_tx *tx = store_tx_new();
	struct buf text = BUF_INIT;

	store_get(srv->store, server_map(), STR(KEY_SECRET), read.mailbox,
		on_secret_read, &read);
	server_await(srv, &read.done);
	store_get(srv->store, server_map(), STR(KEY_RUNS), read.mailbox,
		on_runs_read, &read);
	server_await(srv, &read.done);
	if (read.err.code == ERR_NONE) {
		store_tx_set(tx, server_map(), STR(KEY_RUNS), STR(RUNS));
		base64_encode(&text, srv->secret, sizeof(srv->secret));
		store_tx_set(tx, server_map(), STR(KEY_SECRET),
			buf_str(&text));
		buf_done(&text);
		store_commit(srv->store, tx, read.mailbox, on_secret_written,
			&read);
		server_await(srv, &read.done);
	} else {
		store_tx_free(tx);
	}
	if (read.err.code != ERR_NONE)
		*err = read.err;
	return read.err.code == ERR_NONE;
}

/* --- the whole ------------------------------------------------------------------------ */

static bool
server_first_snapshot(struct server *srv, struct config *conf, struct err *err)
{
	struct module_look *look = module_look_new(srv->modules, false);
	bool ok;

	srv->newest = snapshot_new(srv, NULL, conf, look, err);
	ok = srv->newest != NULL && snapshot_take(srv->newest, look, err);
	module_look_free(look);
	if (ok) {
		cert_expiry_report(srv->newest);
		federation_report(srv->newest, NULL);
		snapshot_review(srv->newest);
	}
	return ok;
}

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
	srv->kinds = env->modules->kinds;
	srv->remote_class = &remote_class;
	srv->n_sockets = server_shards_wanted(conf);
	listen_init(srv);
	srv->module_dir = env->modules->dir;
	srv->shares = budget_shares_new();
	srv->memory_default = budget_default();
	srv->started_us = clock_mono_us(srv->clock);
	rand_bytes(srv->rand, &srv->hash_key, sizeof(srv->hash_key));
	srv->changes = server_changes_new();
	if (server_first_snapshot(srv, conf, err))
		return srv;
	server_free(srv);
	return NULL;
}

bool
server_open(struct server *srv, struct err *err)
{
	if (!server_open_store(srv, err))
		return false;
	srv->worker = worker_new(server_workers(srv), err);
	server_disk_open(srv);
	return srv->worker != NULL &&
		server_make_shards(srv, srv->n_sockets, err) &&
		server_find_secret(srv, err) &&
		server_find_sleepers(srv, err) && server_find_logs(srv, err);
}

void
server_start(struct server *srv)
{
	server_give_tickets(srv);
	for (unsigned i = 0; i < srv->n_shards; i++)
		module_follow(srv->shards[i]);
	for (unsigned i = 0; srv->threaded && i < srv->n_shards; i++)
		shard_start(srv->shards[i]);
	shard_post(srv->shards[0], cert_expiry_watch, NULL, 0);
	server_wake(srv);
}

/* After the loops have ended: what is in the mailboxes is settled, and what that
 * asks of the worker and the store, so that no write of the last turn is
 * lost.  What a flooded room has to tell could take minutes, and whoever stops us
 * would lose patience. */
static void
server_settle(struct server *srv)
{
	int64_t cut_us = clock_mono_us(srv->clock) + SETTLE_BROADCASTS_US;
	bool busy = true;

	while (busy) {
		busy = !store_is_idle(srv->store) ||
			worker_waiting(srv->worker) != 0 ||
			disk_waiting(srv->disk) != 0 ||
			srv->dns_check != NULL;
		if (busy && srv->threaded)
			usleep(SETTLE_WAIT_US);
		for (unsigned i = 0; i < srv->n_shards; i++) {
			if (clock_mono_us(srv->clock) > cut_us)
				lane_cut(srv->shards[i]);
			busy = shard_turn(srv->shards[i]) || busy;
		}
		if (!srv->threaded)
			busy = store_turn(srv->store) || busy;
	}
}

void
server_stop(struct server *srv)
{
	for (unsigned i = 0; i < srv->n_shards; i++)
		shard_join(srv->shards[i]);
	server_changes_end(srv->changes);
	dns_check_stop(srv);
	server_dns_stop(srv);
	server_settle(srv);
	for (unsigned i = 0; i < srv->n_shards; i++)
		entity_close_all(srv->shards[i]);
	server_settle(srv);
	/* who still waits for an entity is answered, wherever he is */
	for (unsigned i = 0; i < srv->n_shards; i++)
		entity_drop_all(srv->shards[i]);
	server_dns_free(srv);
	server_settle(srv);
	for (unsigned i = 0; i < srv->n_shards; i++)
		questions_end(srv->shards[i]);
	server_settle(srv);
	if (!srv->is_killed)
		server_ran(srv);
	server_free(srv);
}
