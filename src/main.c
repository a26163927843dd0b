/*
 * main.c - antiphond: start, signals, stop.
 *
 * The main thread waits for signals and does nothing else.  What needs
 * privileges comes first (ports, keys, the file limit); they are dropped for
 * good before the store is opened and before a byte is read from the network.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/event_memory.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/privileges.h"
#include "net/tls.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "core/listen.h"
#include "core/server.h"
#include "core/shard.h"
#include "http/http_port.h"
#include "module/module_int.h"
#include "server/server_commands.h"
#include "server/server_reload.h"
#include "server/server_sleep.h"
#include "server/server_start.h"
#include "stream/streams.h"
#include "stream/client/c2s.h"
#include "stream/client/c2s_command.h"
#include "stream/component/comp.h"
#include "stream/server/s2s_in.h"
#include "stream/server/s2s_command.h"
#include "stream/server/s2s_out.h"
#include "ctl/ctl.h"
#include "main_args.h"
#include "main_check.h"
#include "main_crash.h"
#include "main_mdoc.h"

#define STOP_TEXT "antiphond: cannot start: "

/* --- the configuration ---------------------------------------------------------- */

static struct config *
main_load(const struct main_args *args, struct module_registry *modules)
{
	struct module_look *look = module_look_new(modules, false);
	struct config_modules known;
	struct conf_errors errors;
	struct config *conf;

	conf_errors_init(&errors);
	module_config(look, &known);
	conf = config_load(args->config, &known, &errors);
	for (size_t i = 0; i < errors.n_kept; i++)
		fprintf(stderr, "%s\n", errors.texts[i]);
	if (errors.n > errors.n_kept)
		fprintf(stderr, "... and %zu more\n",
			errors.n - errors.n_kept);
	conf_errors_done(&errors);
	module_look_take(look, modules, true);
	module_look_free(look);
	return conf;
}

static void
main_show(const struct config *conf)
{
	struct buf out = BUF_INIT;

	config_show(conf, &out);
	fwrite(out.p, 1, out.n, stdout);
	buf_done(&out);
}

static bool
main_open_log(const struct config *conf, struct err *err)
{
	for (int i = 0; i < LOG_AREAS; i++)
		log_set_level((enum log_area)i, conf->log.levels[i]);
	return log_open((enum log_target)conf->log.to, conf->log.file, err);
}

/* --- going into the background ------------------------------------------------------- */

/*
 * The parent waits until the child has said that it is ready, so that whoever
 * started us can go on as soon as clients can log in.  Returns the descriptor to
 * say it through; the parent does not return.
 */
static int
main_detach(void)
{
	int fds[2];
	char byte;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	switch (fork()) {
	case -1:
		return -1;
	case 0:
		close(fds[0]);
		setsid();
		return fds[1];
	default:
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) == 1 ? 0 : 1);
	}
}

/* Lets go of the terminal, or of who reads what we say; a log that goes to
 * standard error still does. */
static void
main_let_go(bool keep_stderr)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd == -1)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	if (!keep_stderr)
		dup2(fd, STDERR_FILENO);
	close(fd);
}

static void
main_ready(int fd, bool keep_stderr)
{
	log_info(LOG_SERVER, LOG_NOBODY, "ready");
	notify_send("READY=1");
	if (fd == -1)
		return;
	main_let_go(keep_stderr);
	if (write(fd, "", 1) == -1)
		log_warn(LOG_SERVER, LOG_NOBODY, "who started us is gone");
	close(fd);
}

/* Opened while there are privileges, written when the database is ours: it may
 * be that of a server that runs. */
static bool
main_open_pid(const char *path, int *fd_out, struct err *err)
{
	*fd_out = -1;
	if (path == NULL)
		return true;
	*fd_out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return *fd_out != -1 || err_errno(err, "pid file %s", path);
}

static bool
main_write_pid(int fd, struct err *err)
{
	return fd == -1 ||
		(ftruncate(fd, 0) == 0 &&
			dprintf(fd, "%ld\n", (long)getpid()) > 0) ||
		err_errno(err, "pid file");
}

/* --- signals ------------------------------------------------------------------------------ */

/* What SIGHUP has asked for: one reload is under way, and one more behind it is
 * for all that ask meanwhile.  Touched on shard 0 alone. */
struct main_reloads {
	struct server *server;
	bool running, again;
};

static void
on_reloaded(void *arg, const struct err *err, struct str text)
{
	struct main_reloads *r = arg;

	(void)err; /* told in the log */
	(void)text;
	r->running = r->again;
	r->again = false;
	if (r->running)
		server_reload(r->server, on_reloaded, r);
	else
		notify_send("READY=1");
}

static void
reload_on_shard(struct shard *sh, void *arg)
{
	struct main_reloads *r = arg;

	(void)sh;
	r->again = r->running;
	if (!r->running)
		server_reload(r->server, on_reloaded, r);
	r->running = true;
}

static void
main_reload(struct main_reloads *r)
{
	struct timespec now;
	char state[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * US_PER_S + now.tv_nsec / 1000);
	notify_send(state);
	shard_post(r->server->shards[0], reload_on_shard, r, 0);
}

static void
main_request_stop(struct server *srv)
{
	(void)srv;
	kill(getpid(), SIGTERM);
}

/* The signals that the main thread takes by sigwait; no other thread gets them. */
static void
main_block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void
on_streams_closed(void *arg)
{
	(void)arg;
	kill(getpid(), SIGUSR2); /* wakes main_wait */
}

static void
on_sessions_asleep(void *arg)
{
	streams_close_all(arg, STREAM_SYSTEM_SHUTDOWN, on_streams_closed, NULL);
}

static void
on_streams_rest(struct shard *first, void *arg)
{
	(void)arg;
	server_sleep(first->server, on_sessions_asleep, first->server);
}

static void
stop_on_shard(struct shard *sh, void *arg)
{
	(void)arg;
	server_changes_end(sh->server->changes);
	streams_rest_all(sh->server, STREAM_SYSTEM_SHUTDOWN, on_streams_rest, NULL);
}

static void
main_wait(struct server *srv, struct main_reloads *reloads, const sigset_t *set)
{
	bool stopping = false;
	int sig;

	while (sigwait(set, &sig) == 0) {
		if (sig == SIGUSR2 && stopping)
			return;
		if (sig == SIGHUP && !stopping)
			main_reload(reloads);
		if ((sig != SIGTERM && sig != SIGINT) || stopping)
			continue;
		stopping = true;
		log_info(LOG_SERVER, LOG_NOBODY, "stopping");
		notify_send("STOPPING=1");
		shard_post(srv->shards[0], stop_on_shard, NULL, 0);
	}
}

/* --- what a reload will need -------------------------------------------------------------- */

/* What root could read to start with, its user may not. */
static void
main_check_readable(const char *path)
{
	if (path != NULL && access(path, R_OK) == -1)
		log_warn(LOG_SERVER, LOG_NOBODY,
			"reloads will fail: the server's user cannot read it file=%s reason=\"%s\"",
			path, strerror(errno));
}

static void
main_check_files(const struct server *srv)
{
	const struct config *conf = srv->newest->config;

	main_check_readable(srv->config_path);
	for (size_t i = 0; i < conf->n_hosts; i++) {
		main_check_readable(conf->hosts[i].certificate);
		main_check_readable(conf->hosts[i].key);
		main_check_readable(conf->hosts[i].federation.authorities);
	}
	for (size_t i = 0; i < conf->n_remotes; i++)
		main_check_readable(conf->remotes[i].authorities);
}

/* --- the whole --------------------------------------------------------------------------- */

/* Everything up to the moment when clients may come. */
static bool
main_start(struct server *srv, struct err *err)
{
	const struct config_server *conf = &srv->newest->config->server;
	bool ok;
	int fd;

	commands_register(srv);
	command_register(srv, c2s_commands);
	command_register(srv, s2s_commands);
	if (!listen_open(srv, err) || !ctl_open(srv, err) ||
		!main_open_pid(conf->pid_file, &fd, err))
		return false;
	ok = privileges_drop(conf->user, conf->group, err);
	if (ok)
		main_crash_keep(srv);
	ok = ok && server_open(srv, err) && main_write_pid(fd, err);
	if (fd != -1)
		close(fd);
	return ok;
}

/* The last that is said, in the log and to whoever has started us. */
static int
main_give_up(struct server *srv, bool to_stderr, const struct err *err)
{
	if (srv != NULL)
		ctl_stop(srv);
	server_free(srv);
	log_error(LOG_SERVER, LOG_NOBODY, "cannot start: %s", err->text);
	if (!to_stderr)
		fprintf(stderr, STOP_TEXT "%s\n", err->text);
	return 1;
}

static int
main_serve(const struct main_args *args, struct config *conf,
	struct module_registry *modules)
{
	struct clock_shifted clock;
	struct server_env env = {
		.clock = &clock.clock,
		.clock_shift = &clock,
		.rand = &rand_system,
		.config_path = args->config,
		.modules = modules,
		.threaded = true,
		.may_be_new = args->may_be_new,
	};
	int ready_fd = args->daemon ? main_detach() : -1;
	bool keep_stderr = conf->log.to == LOG_TO_STDERR;
	struct err err = ERR_INIT;
	struct main_reloads reloads = { .running = false };
	struct server *srv;
	char *pid_file = NULL;
	sigset_t signals;

	clock_shifted_init(&clock);
	if (conf->server.pid_file != NULL)
		pid_file = xstrdup(conf->server.pid_file);
	main_block_signals(&signals);
	privileges_raise_files();
	mem_init();
	event_memory_init();
	srv = server_new(conf, &env, &err);
	if (srv == NULL || !main_start(srv, &err)) {
		free(pid_file);
		return main_give_up(srv, keep_stderr, &err);
	}
	srv->request_stop = main_request_stop;
	reloads.server = srv;
	main_check_files(srv);
	srv->remote_streams = &s2s_streams;
	server_start(srv);
	streams_start(srv);
	listen_start(srv);
	ctl_start(srv);
	main_ready(ready_fd, keep_stderr);
	main_wait(srv, &reloads, &signals);
	ctl_stop(srv);
	server_stop(srv);
	if (pid_file != NULL)
		unlink(pid_file);
	free(pid_file);
	log_info(LOG_SERVER, LOG_NOBODY, "stopped");
	return 0;
}

int
main(int argc, char **argv)
{
	struct listen_kind kinds[] = { c2s_kinds[0], comp_kinds[0],
		s2s_in_kinds[0], http_kinds[0], http_kinds[1], http_kinds[2],
		{ .name = NULL } };
	struct main_args args;
	struct module_registry *modules;
	struct config *conf;
	struct err err = ERR_INIT;
	int rc;

	crash_init();
	(void)tls_count_memory();
	main_args_parse(&args, argc, argv);
	modules = module_registry_new(args.module_dir, kinds);
	if (args.show_mdoc) {
		main_mdoc(modules);
		module_registry_free(modules);
		return 0;
	}
	conf = main_load(&args, modules);
	if (conf == NULL || args.check_config || args.show_config) {
		if (conf != NULL && args.show_config)
			main_show(conf);
		if (conf == NULL && !args.check_config && !args.show_config)
			fprintf(stderr,
				STOP_TEXT "the configuration has mistakes\n");
		rc = conf != NULL && (!args.check_config || main_check(conf, modules)) ?
			0 :
			1;
		if (conf != NULL)
			config_unref(conf);
		module_registry_free(modules);
		return rc;
	}
	if (!main_open_log(conf, &err)) {
		fprintf(stderr, STOP_TEXT "%s\n", err.text);
		config_unref(conf);
		module_registry_free(modules);
		return 1;
	}
	rc = main_serve(&args, conf, modules);
	log_close();
	return rc;
}
