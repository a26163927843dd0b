/*
 * cli_client.c - the connection to the server.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "conf/conf_error.h"
#include "conf/yaml.h"
#include "ctl/ctl_json.h"
#include "antiphonctl/cli.h"

#define SOCKET_DEFAULT RUN_DIR "/antiphon/control"
#define READ_BYTES ((size_t)64 << 10)

/* --- where -------------------------------------------------------------- */

/* As the server reads it: relative to the file it stands in. */
static char *
socket_of(const struct yaml_node *node)
{
	const char *slash = strrchr(node->file, '/');
	struct buf path = BUF_INIT;

	if (node->text.p[0] != '/' && slash != NULL)
		buf_add(&path, node->file, (size_t)(slash - node->file) + 1);
	buf_add_str(&path, node->text);
	buf_add(&path, "", 1);
	return path.p;
}

/* The file may be for the server's eyes only, and the default socket is right
 * then more often than not. */
bool
cli_find_socket(struct cli *cli, struct err *err)
{
	const char *config =
		cli->config != NULL ? cli->config : CONFIG_DEFAULT;
	struct arena *a = arena_new();
	struct conf_errors errors;
	const struct yaml_node *root, *node;
	bool ok = true;

	conf_errors_init(&errors);
	root = yaml_load(a, config, &errors);
	node = yaml_get(root, "control");
	if (node != NULL && node->kind == YAML_MAP)
		node = yaml_get(node, "socket");
	else
		node = NULL;
	if (node != NULL && node->kind == YAML_SCALAR && node->text.n != 0)
		cli->found = socket_of(node);
	else
		cli->found = xstrdup(SOCKET_DEFAULT);
	cli->socket = cli->found;
	if (root == NULL && cli->config != NULL)
		ok = err_set(err, ERR_INVALID, "%s",
			errors.n != 0 ? errors.texts[0] : config);
	conf_errors_done(&errors);
	arena_free(a);
	return ok;
}

/* --- talking ------------------------------------------------------------ */

bool
cli_connect(struct cli *cli, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(cli->socket) >= sizeof(sa.sun_path))
		return err_set(err, ERR_LIMIT, "%s: the name is too long",
			cli->socket);
	memcpy(sa.sun_path, cli->socket, strlen(cli->socket));
	cli->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (cli->fd == -1)
		return err_errno(err, "socket");
	if (connect(cli->fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return true;
	if (errno == ENOENT || errno == ECONNREFUSED)
		err_set(err, ERR_CLOSED,
			"the server is not running (nobody answers at %s)",
			cli->socket);
	else
		err_errno(err, "the server cannot be reached at %s%s",
			cli->socket,
			errno == EACCES ?
				" (root, its user and the control group may)" :
				"");
	cli_close(cli);
	return false;
}

void
cli_close(struct cli *cli)
{
	if (cli->fd != -1)
		close(cli->fd);
	cli->fd = -1;
}

bool
cli_send(struct cli *cli, json_t *o, struct err *err)
{
	struct buf out = BUF_INIT;
	size_t at = 0;
	bool ok = true;

	json_incref(o);
	ctl_json_line(&out, o);
	ctl_json_wipe(o);
	json_decref(o);
	while (ok && at < out.n) {
		ssize_t n = send(cli->fd, out.p + at, out.n - at, MSG_NOSIGNAL);

		if (n != -1)
			at += (size_t)n;
		else if (errno != EINTR)
			ok = err_errno(err, "the server is gone");
	}
	explicit_bzero(out.p, out.n);
	buf_done(&out);
	return ok;
}

json_t *
cli_receive(struct cli *cli, struct err *err)
{
	char *end = NULL;
	size_t scanned = 0;
	json_error_t why;
	json_t *o;

	while (end == NULL) {
		ssize_t n;

		if (cli->in.n > scanned)
			end = memchr(cli->in.p + scanned, '\n',
				cli->in.n - scanned);
		scanned = cli->in.n;
		if (end != NULL)
			break;
		n = recv(cli->fd, buf_reserve(&cli->in, READ_BYTES), READ_BYTES,
			0);
		if (n == 0 || (n == -1 && errno != EINTR)) {
			err_set(err, ERR_CLOSED,
				"the server has closed the connection");
			return NULL;
		}
		cli->in.n += n > 0 ? (size_t)n : 0;
	}
	o = json_loadb(cli->in.p, (size_t)(end - cli->in.p), 0, &why);
	buf_consume(&cli->in, (size_t)(end - cli->in.p) + 1);
	if (o == NULL)
		err_set(err, ERR_INVALID, "not an answer: %s", why.text);
	return o;
}

/* Sorted by name, like those that are there already. */
static void
commands_insert(json_t *commands, json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	const json_t *other;
	size_t i;

	json_array_foreach (commands, i, other) {
		if (name != NULL &&
			strcmp(name,
				json_string_value(
					json_object_get(other, "name"))) < 0)
			break;
	}
	if (name != NULL)
		json_array_insert(commands, i, row);
}

bool
cli_fetch_commands(struct cli *cli, struct err *err)
{
	json_t *o = NULL;
	bool ok;

	ok = cli_send(cli, json_pack("{s:s}", "command", "help"), err);
	while (ok) {
		o = cli_receive(cli, err);
		if (json_object_get(o, "row") == NULL)
			break;
		commands_insert(cli->commands, json_object_get(o, "row"));
		json_decref(o);
	}
	ok = ok && json_is_true(json_object_get(o, "done"));
	if (!ok && json_is_string(json_object_get(o, "error")))
		err_set(err, ERR_REFUSED, "%s",
			json_string_value(json_object_get(o, "error")));
	json_decref(o);
	return ok;
}

int
cli_server_process(const struct cli *cli)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(cli->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == -1)
		return -1;
	return (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

/* --- asking for paths --------------------------------------------------- */

static char *
path_get(const json_t *row, const char *name)
{
	const char *path = json_string_value(json_object_get(row, name));

	return path != NULL ? xstrdup(path) : NULL;
}

static bool
paths_receive(struct cli *cli, bool wants_config, struct err *err)
{
	json_t *o = cli_receive(cli, err);
	const json_t *row = json_object_get(o, "row");
	bool ok = o != NULL;

	if (ok && json_is_string(json_object_get(o, "error")))
		ok = err_set(err, ERR_REFUSED, "%s",
			json_string_value(json_object_get(o, "error")));
	if (ok) {
		cli->modules = path_get(row, "modules");
		if (wants_config)
			cli->config = cli->named = path_get(row, "config");
	}
	json_decref(o);
	return ok;
}

bool
cli_ask_paths(struct cli *cli, struct err *err)
{
	const char *env = getenv("ANTIPHON_SOCKET");
	struct err unasked = ERR_INIT;
	bool given, ok;

	if (cli->socket == NULL && cli->config == NULL)
		cli->socket = env;
	given = cli->socket != NULL;
	ok = (given || cli_find_socket(cli, &unasked)) &&
		cli_connect(cli, given ? err : &unasked) &&
		cli_send(cli, json_pack("{s:s}", "command", "status"),
			given ? err : &unasked) &&
		paths_receive(cli, given && cli->config == NULL,
			given ? err : &unasked);
	cli_close(cli);
	return ok || !given;
}
