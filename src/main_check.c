/*
 * main_check.c - tries what a start does, as far as that leaves no trace: a
 * server with this configuration may be running.
 *
 * In the order of a start: first what needs privileges, then, as the user that
 * the configuration names, what the server does as that user.
 */
#include "config.h"

#include "main_check.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/privileges.h"
#include "base/vec.h"
#include "net/listener.h"
#include "net/tls.h"
#include "conf/conf.h"
#include "conf/option.h"
#include "store/driver.h"
#include "module/services.h"
#include "server/server_federation.h"

struct checking {
	const struct config *c;
	size_t n; /* mistakes */
	struct VEC(const char *) folders; /* that were looked at */
};

static void __attribute__((format(printf, 3, 4)))
check_fail(struct checking *k, const char *path, const char *fmt, ...)
{
	va_list ap;

	k->n++;
	fprintf(stderr, "%s: %s: ", k->c->path, path);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
}

/* --- files ---------------------------------------------------------------- */

/* A file that is made there, or written to when it exists. */
static void
check_place(struct checking *k, const char *option, const char *file)
{
	const char *slash = strrchr(file, '/');
	char *dir = slash == NULL || slash == file ?
		xstrdup(slash == NULL ? "." : "/") :
		str_dup((struct str){ file, (size_t)(slash - file) });

	if (access(dir, W_OK | X_OK) == -1) {
		/* made by the service manager for each start */
		if (errno == ENOENT && strcmp(dir, RUN_DIR "/antiphon") == 0)
			fprintf(stderr,
				"%s: %s: note: the folder %s has to be made before a start\n",
				k->c->path, option, dir);
		else
			check_fail(k, option, "the folder %s: %s (uid %u)", dir,
				strerror(errno), (unsigned)geteuid());
	} else if (access(file, W_OK) == -1 && errno != ENOENT) {
		check_fail(k, option, "%s: %s (uid %u)", file, strerror(errno),
			(unsigned)geteuid());
	}
	free(dir);
}

static void
on_storage_fail(void *arg, const char *option, const char *text)
{
	char path[80];

	snprintf(path, sizeof(path), "storage: %s", option);
	check_fail(arg, path, "%s", text);
}

static void
on_storage_place(void *arg, const char *option, const char *file)
{
	char path[80];

	snprintf(path, sizeof(path), "storage: %s", option);
	check_place(arg, path, file);
}

static void
check_storage(struct checking *k)
{
	const struct config_storage *s = &k->c->storage;
	const struct store_check check = { on_storage_fail, on_storage_place,
		k };
	const struct store_driver *driver = store_driver_find(
		config_storage_drivers[s->driver], NULL);

	if (driver != NULL && driver->check != NULL)
		driver->check(s->own, &check);
}

/* What there is of it: one that is to be made is as good as that above it. */
static void
check_folder(struct checking *k, const char *option, const char *folder)
{
	struct str path = str_c(folder);
	struct stat st;
	char *above;

	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (stat(folder, &st) == 0 && !S_ISDIR(st.st_mode)) {
		check_fail(k, option, "%s is no folder", folder);
		return;
	}
	above = str_dup(path);
	if (access(above, F_OK) == -1 && errno == ENOENT)
		check_place(k, option, above);
	else if (access(above, R_OK | W_OK | X_OK) == -1)
		check_fail(k, option, "the folder %s: %s (uid %u)", above,
			strerror(errno), (unsigned)geteuid());
	free(above);
}

/* Those that modules write to; one of several hosts is looked at once. */
static void
check_folder_of(struct checking *k, const struct config_module *mod,
	const struct option *o)
{
	const char *folder =
		*(const char *const *)((const char *)mod->conf + o->off);
	char option[80];

	if (folder == NULL)
		return;
	for (size_t i = 0; i < k->folders.n; i++)
		if (strcmp(k->folders.p[i], folder) == 0)
			return;
	*vec_push(&k->folders) = folder;
	snprintf(option, sizeof(option), "modules: %s: %s", mod->name, o->name);
	check_folder(k, option, folder);
}

static void
check_folders(struct checking *k)
{
	for (size_t i = 0; i < k->c->n_hosts; i++)
		for (size_t n = 0; n < k->c->hosts[i].n_modules; n++) {
			const struct config_module *mod =
				&k->c->hosts[i].modules[n];

			for (const struct option *o = mod->options;
				o != NULL && o->name != NULL; o++)
				if (o->folder)
					check_folder_of(k, mod, o);
		}
	vec_done(&k->folders);
}

/* --- certificates --------------------------------------------------------- */

static void
on_warning(void *arg, bool refused, const char *text)
{
	const struct checking *k = arg;

	(void)refused;
	fprintf(stderr, "%s: note: %s\n", k->c->path, text);
}

/* One by one, so that all mistakes are told. */
static void
check_certificates(struct checking *k)
{
	struct tls_host_conf *hosts = xcalloc(k->c->n_hosts + 1,
		sizeof(*hosts));
	struct tls_conf all;

	config_tls_conf(k->c, hosts, &all);
	for (size_t i = 0; i < all.n_hosts; i++) {
		struct tls_conf one = all;
		struct err err = ERR_INIT;
		struct tls_set *set;

		one.hosts = &hosts[i];
		one.n_hosts = 1;
		set = tls_set_new(&one, on_warning, k, &err);
		if (set == NULL)
			check_fail(k, "hosts", "%s", err.text);
		tls_set_unref(set);
	}
	free(hosts);
}

/* --- other servers ---------------------------------------------------------- */

/* What is decided by a certificate, which the file does not show. */
static bool
check_host_federates(const struct checking *k, const struct config_host *h,
	const struct tls_set *set)
{
	struct tls_shown shown;
	const char *why;

	tls_set_shown(set, str_c(h->domain), &shown);
	why = federation_obstacle(&h->federation, h->certificate == NULL,
		&shown);
	if (why != NULL && h->federation.mode == FEDERATION_AUTO)
		fprintf(stderr,
			"%s: note: %s does not talk to other servers: %s\n",
			k->c->path, h->domain, why);
	return why == NULL;
}

static void
check_federation(const struct checking *k, const struct tls_set *set)
{
	bool some = false;

	for (size_t i = 0; i < k->c->n_hosts; i++)
		some |= check_host_federates(k, &k->c->hosts[i], set);
	if (some && !config_listens(k->c, "server"))
		fprintf(stderr, "%s: note: %s\n", k->c->path,
			FEDERATION_NO_PORT);
}

/* What one of its services needs, so that users of other servers come to it. */
struct naming {
	const struct checking *k;
	const struct tls_set *set;
};

static void
on_open_service(void *arg, const struct config_host *h, struct str domain)
{
	const struct naming *n = arg;
	struct tls_shown of_host, shown;

	tls_set_shown(n->set, str_c(h->domain), &of_host);
	tls_set_shown(n->set, domain, &shown);
	if (shown.host != NULL && !shown.named &&
		federation_obstacle(&h->federation, h->certificate == NULL,
			&of_host) == NULL)
		fprintf(stderr,
			"%s: note: other servers may refuse %.*s: the certificate of %s has not that name; get one that has both\n",
			n->k->c->path, STR_ARG(domain), shown.host);
}

static void
on_review(void *arg, const char *text)
{
	const struct checking *k = arg;

	fprintf(stderr, "%s: note: %s\n", k->c->path, text);
}

/* What the certificates, which are there, have a say in. */
static void
check_meaning(struct checking *k, const struct module_registry *modules)
{
	struct tls_host_conf *hosts = xcalloc(k->c->n_hosts + 1,
		sizeof(*hosts));
	struct err err = ERR_INIT;
	struct tls_conf conf;
	struct tls_set *set;

	config_tls_conf(k->c, hosts, &conf);
	set = conf.n_hosts != 0 ? tls_set_new(&conf, NULL, NULL, &err) : NULL;
	check_federation(k, set);
	services_each_open(k->c, modules, set, on_open_service,
		&(struct naming){ k, set });
	services_review(k->c, modules, set, on_review, k);
	tls_set_unref(set);
	free(hosts);
}

/* --- what a start asks of the system -------------------------------------- */

/* Any port that is free: this is about the address, for a server may be
 * running. */
static void
check_addresses(struct checking *k)
{
	for (size_t i = 0; i < k->c->n_listen; i++) {
		const struct config_listen *l = &k->c->listen[i];
		struct err err = ERR_INIT;
		uint16_t port;
		int fd;

		if (listener_bind(l->address, 0, 1, &fd, 1, &port, &err))
			close(fd);
		else if (err.code == ERR_INVALID)
			check_fail(k, "listen", "%s", err.text);
		else /* err speaks of port 0 */
			check_fail(k, "listen", "address %s, port %lld: %s",
				l->address, (long long)l->port, strerror(errno));
	}
}

static void
check_names(struct checking *k)
{
	const struct config_server *s = &k->c->server;

	if (s->user != NULL && getpwnam(s->user) == NULL)
		check_fail(k, "user", "there is no user \"%s\"", s->user);
	if (s->group != NULL && getgrnam(s->group) == NULL)
		check_fail(k, "group", "there is no group \"%s\"", s->group);
	if (s->control_group != NULL && getgrnam(s->control_group) == NULL)
		check_fail(k, "control: group", "there is no group \"%s\"",
			s->control_group);
}

bool
main_check(const struct config *c, const struct module_registry *modules)
{
	const struct config_server *s = &c->server;
	struct checking k = { .c = c };
	struct err err = ERR_INIT;

	check_certificates(&k);
	if (k.n == 0)
		check_meaning(&k, modules);
	check_addresses(&k);
	check_names(&k);
	if (strlen(s->control_socket) >=
		sizeof(((struct sockaddr_un *)NULL)->sun_path))
		check_fail(&k, "control: socket", "the name is too long");
	check_place(&k, "control: socket", s->control_socket);
	if (s->pid_file != NULL)
		check_place(&k, "pid_file", s->pid_file);
	if (c->log.to == LOG_TO_FILE)
		check_place(&k, "log: file", c->log.file);
	if (k.n == 0 && !privileges_drop(s->user, s->group, &err))
		check_fail(&k, "user", "%s", err.text);
	if (k.n == 0 || geteuid() != 0) {
		check_storage(&k);
		check_folders(&k);
	}
	return k.n == 0;
}
