/*
 * cli_local.c - commands that antiphonctl carries out itself, whether a server
 * runs or not.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/ctl_json.h"
#include "antiphonctl/cli.h"

/* --- check-config ------------------------------------------------------- */

/* Beside antiphonctl, as in a build tree, or in ../sbin, as installed. */
static bool
daemon_near(char *out, size_t n)
{
	static const char *const places[] = { "antiphond", "../sbin/antiphond" };
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len <= 0)
		return false;
	self[len] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	for (size_t i = 0; i < COUNT(places); i++) {
		if (snprintf(out, n, "%s/%s", self, places[i]) < (int)n &&
			access(out, X_OK) == 0)
			return true;
	}
	return false;
}

static const char *
text_arg(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

/* Becomes antiphond: its output and its exit code are the answer. */
static int
check_config(struct cli *cli, json_t *args)
{
	const char *file = text_arg(args, "file");
	char path[PATH_MAX];
	const char *argv[7] = { "antiphond", "--check-config" };
	struct err err = ERR_INIT;
	size_t n = 2;

	if (file != NULL)
		cli->config = file;
	if (!cli_ask_paths(cli, &err)) {
		fprintf(stderr, "antiphonctl: %s\n", err.text);
		return CLI_NO_SERVER;
	}
	if (cli->config != NULL) {
		argv[n++] = "--config";
		argv[n++] = cli->config;
	}
	if (cli->modules != NULL) {
		argv[n++] = "--module-dir";
		argv[n++] = cli->modules;
	}
	if (daemon_near(path, sizeof(path)))
		execv(path, (char *const *)(uintptr_t)argv);
	else
		execvp("antiphond", (char *const *)(uintptr_t)argv);
	fprintf(stderr, "antiphonctl: antiphond: %s\n", strerror(errno));
	return CLI_FAILED;
}

/* --- the table ---------------------------------------------------------- */

static const struct command_arg check_config_args[] = {
	{ "file", ARG_PATH, .optional = true,
		.help = "another file than the one in force" },
	{ .name = NULL },
};

static const struct command_arg cert_make_args[] = {
	{ "host", ARG_DOMAIN, .help = "the domain that it is for" },
	{ "dir", ARG_PATH, .optional = true, .option = true,
		.help = "where HOST.pem and HOST.key are written; else here" },
	{ "days", ARG_INT, .optional = true, .option = true,
		.help = "how long it is valid; else 365" },
	{ .name = NULL },
};

static const struct command_arg cert_show_args[] = {
	{ "file", ARG_PATH, .help = "certificates in PEM" },
	{ .name = NULL },
};

static const struct command_arg cert_check_args[] = {
	{ "host", ARG_DOMAIN, .optional = true,
		.help = "a host of the configuration; else all" },
	{ .name = NULL },
};

static const struct command table[] = {
	{ "cert check", "check the certificates of the configuration",
		"They are loaded as the server loads them. For each host: days left, names, the chain, and whether the key belongs to it. Fails when one of them cannot be used, or clients will refuse it. With --socket, the configuration is that of the server.",
		cert_check_args, .run = NULL },
	{ "cert make", "make a certificate that signs itself",
		"It is good for tests and for links between servers that know it; clients will ask their user. Existing files are kept. Made by root, the key can be read by the group of the server's user, whom the configuration names (`user'), else antiphon.",
		cert_make_args, .run = NULL },
	{ "cert show", "show what is in a certificate", NULL, cert_show_args,
		.run = NULL },
	{ "check-config", "say what is wrong with the configuration",
		"Says nothing, and succeeds, when it is right and a start with it would not fail: certificates, addresses, users, folders and the database are looked at too, best as root. With --socket, the configuration is that of the server; where a server answers, so is the folder of modules.",
		check_config_args, .run = NULL },
	{ .name = NULL },
};

static int (*const runs[])(struct cli *cli, json_t *args) = {
	cli_cert_check,
	cli_cert_make,
	cli_cert_show,
	check_config,
};

void
cli_local_describe(json_t *commands)
{
	for (const struct command *c = table; c->name != NULL; c++)
		json_array_append_new(commands, ctl_json_help(c, NULL));
}

static int
local_run(struct cli *cli, size_t which, json_t *command, int argc,
	char **argv)
{
	struct buf file = BUF_INIT;
	struct err err = ERR_INIT;
	const char *file_arg;
	json_t *args;
	int rc;

	if (cli_wants_help(cli, argc, argv)) {
		cli_help_command(stdout, command);
		return CLI_OK;
	}
	args = cli_args_parse(cli, command, argc, argv, &file, &file_arg, &err);
	if (args == NULL) {
		fprintf(stderr, "antiphonctl: %s: %s\n", table[which].name,
			err.text);
		return CLI_USAGE;
	}
	rc = runs[which](cli, args);
	json_decref(args);
	return rc;
}

bool
cli_local(struct cli *cli, int argc, char **argv, int *rc_out)
{
	json_t *command;
	int used;

	command = cli_command_find(cli, argc, argv, &used);
	if (command == NULL)
		return false;
	for (size_t i = 0; i < COUNT(runs); i++) {
		if (strcmp(text_arg(command, "name"), table[i].name) == 0)
			*rc_out = local_run(cli, i, command, argc - used,
				argv + used);
	}
	return true;
}
