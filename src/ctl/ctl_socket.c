/*
 * ctl_socket.c - the file of the control socket.
 *
 * Start-up and stop, on the main thread.  Names of users are looked up then, for
 * that could wait for the network, and a shard must not.
 */
#include "config.h"

#include "ctl/ctl_socket.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/server.h"
#include "ctl/ctl_int.h"

#define BACKLOG 128

static bool
socket_address(const char *path, struct sockaddr_un *out, struct err *err)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(out->sun_path))
		return err_set(err, ERR_LIMIT,
			"control socket %s: the name is longer than %zu bytes",
			path, sizeof(out->sun_path) - 1);
	memcpy(out->sun_path, path, strlen(path));
	return true;
}

/* Removes a socket that a server has left behind. */
static bool
socket_clear(const struct sockaddr_un *sa, struct err *err)
{
	const char *path = sa->sun_path;
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) == -1)
		return errno == ENOENT || err_errno(err, "control socket %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFLICT,
			"control socket %s: there is a file of another kind, move it away",
			path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_errno(err, "control socket");
	rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	close(fd);
	if (rc == 0 || errno != ECONNREFUSED)
		return err_set(err, ERR_CONFLICT,
			"control socket %s: another server answers there, stop it first",
			path);
	if (unlink(path) == -1)
		return err_errno(err, "control socket %s", path);
	return true;
}

/* --- users -------------------------------------------------------------- */

static void
users_add(struct ctl *ctl, const struct passwd *pw)
{
	if (pw != NULL && ctl_user_name(ctl, pw->pw_uid) == NULL)
		*vec_push(&ctl->users) = (struct ctl_user){ pw->pw_uid,
			xstrdup(pw->pw_name) };
}

const char *
ctl_user_name(const struct ctl *ctl, uid_t uid)
{
	for (uint32_t i = 0; i < ctl->users.n; i++) {
		if (ctl->users.p[i].uid == uid)
			return ctl->users.p[i].name;
	}
	return NULL;
}

/* --- the socket --------------------------------------------------------- */

static bool
socket_group(struct ctl *ctl, const char *name, struct err *err)
{
	const struct group *gr;

	if (name == NULL)
		return true;
	gr = getgrnam(name);
	if (gr == NULL)
		return err_set(err, ERR_MISSING,
			"control: there is no group \"%s\"", name);
	ctl->group = gr->gr_gid;
	ctl->has_group = true;
	for (char **member = gr->gr_mem; *member != NULL; member++)
		users_add(ctl, getpwnam(*member));
	return true;
}

/* The user that root will become gets the socket, so that it can be removed and
 * replaced. */
static bool
socket_protect(struct ctl *ctl, const struct config_server *conf,
	struct err *err)
{
	const struct passwd *pw = NULL;
	uid_t uid = (uid_t)-1;
	gid_t gid = ctl->has_group ? ctl->group : (gid_t)-1;
	struct stat st;

	users_add(ctl, getpwuid(0));
	users_add(ctl, getpwuid(geteuid()));
	if (geteuid() == 0 && conf->user != NULL)
		pw = getpwnam(conf->user);
	if (pw != NULL)
		uid = pw->pw_uid;
	users_add(ctl, pw);
	if (lchown(ctl->path, uid, gid) == -1 && errno == EPERM &&
		ctl->has_group)
		return err_set(err, ERR_REFUSED,
			"control: the server's user must be a member of group \"%s\" to give it the socket",
			conf->control_group);
	if (lchown(ctl->path, uid, gid) == -1 ||
		chmod(ctl->path, ctl->has_group ? 0660 : 0600) == -1 ||
		lstat(ctl->path, &st) == -1)
		return err_errno(err, "control socket %s", ctl->path);
	ctl->dev = st.st_dev;
	ctl->ino = st.st_ino;
	return true;
}

static bool
socket_listen(struct ctl *ctl, const struct sockaddr_un *sa, struct err *err)
{
	/* nobody gets in before the owner and the mode are right */
	mode_t before = umask(0177);
	int rc = bind(ctl->fd, (const struct sockaddr *)sa, sizeof(*sa));

	umask(before);
	if (rc == -1)
		return err_errno(err,
			"control socket %s (its folder must exist and be ours to write)",
			ctl->path);
	if (listen(ctl->fd, BACKLOG) == -1)
		return err_errno(err, "control socket %s", ctl->path);
	return true;
}

bool
ctl_socket_open(struct ctl *ctl, struct err *err)
{
	const struct config_server *conf = &ctl->server->newest->config->server;
	struct sockaddr_un sa;

	if (!socket_address(conf->control_socket, &sa, err) ||
		!socket_group(ctl, conf->control_group, err) ||
		!socket_clear(&sa, err))
		return false;
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0);
	if (ctl->fd == -1)
		return err_errno(err, "control socket");
	ctl->path = xstrdup(conf->control_socket);
	if (socket_listen(ctl, &sa, err) && socket_protect(ctl, conf, err))
		return true;
	ctl_socket_close(ctl);
	return false;
}

void
ctl_socket_close(struct ctl *ctl)
{
	struct stat st;

	close(ctl->fd);
	if (lstat(ctl->path, &st) == 0 && st.st_dev == ctl->dev &&
		st.st_ino == ctl->ino)
		unlink(ctl->path);
	free(ctl->path);
	for (uint32_t i = 0; i < ctl->users.n; i++)
		free(ctl->users.p[i].name);
	vec_done(&ctl->users);
}
