/*
 * in_memory.c - a whole server in one thread: its beginning and its end.
 */
#include "config.h"

#include "in_memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "core/server.h"
#include "core/shard.h"
#include "module/module_int.h"
#include "server/server_sleep.h"
#include "server/server_start.h"
#include "stream/streams.h"
#include "stream/client/c2s.h"

void
in_memory_die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(2);
}

struct server *
in_memory_start(
	struct server_env *env, const char *module_dir, struct buf *yaml)
{
	struct module_look *look;
	struct config_modules known;
	struct conf_errors mistakes;
	struct config *conf;
	struct server *srv;
	struct err err = ERR_INIT;

	for (int i = 0; i < LOG_AREAS; i++)
		log_set_level((enum log_area)i, LEVEL_ERROR);
	env->modules = module_registry_new(module_dir, NULL);
	conf_errors_init(&mistakes);
	look = module_look_new(env->modules, false);
	module_config(look, &known);
	conf = config_parse("test.yml", buf_str(yaml), &known, &mistakes);
	if (conf == NULL)
		in_memory_die("configuration", mistakes.texts[0]);
	conf_errors_done(&mistakes);
	module_look_take(look, env->modules, true);
	module_look_free(look);
	buf_done(yaml);
	srv = server_new(conf, env, &err);
	if (srv == NULL || !server_open(srv, &err))
		in_memory_die("server", err.text);
	server_start(srv);
	streams_start(srv);
	return srv;
}

static void
on_all_closed(void *arg)
{
	*(bool *)arg = true;
}

void
in_memory_stop(struct server *srv, struct clock_manual *clock,
	void (*settle)(void *arg), void *arg)
{
	bool closed = false;

	streams_close_all(srv, STREAM_SYSTEM_SHUTDOWN, on_all_closed, &closed);
	for (int i = 0; i < 1000 && !closed; i++) {
		settle(arg);
		clock_manual_advance(clock, US_PER_S);
	}
	if (!closed)
		in_memory_die("shutdown", "streams do not end");
	server_stop(srv);
}

struct asleep {
	bool done;
};

static void
on_asleep(void *arg)
{
	((struct asleep *)arg)->done = true;
}

static void
on_rest(struct shard *first, void *arg)
{
	server_sleep(first->server, on_asleep, arg);
}

void
in_memory_stop_asleep(struct server *srv, struct clock_manual *clock,
	void (*settle)(void *arg), void *arg)
{
	struct asleep asleep = { false };

	streams_rest_all(srv, STREAM_SYSTEM_SHUTDOWN, on_rest, &asleep);
	for (int i = 0; i < 100000 && !asleep.done; i++) {
		settle(arg);
		clock_manual_advance(clock, US_PER_MS);
	}
	if (!asleep.done)
		in_memory_die("shutdown", "sessions do not sleep");
	in_memory_stop(srv, clock, settle, arg);
}
