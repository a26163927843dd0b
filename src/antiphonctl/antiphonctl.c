/*
 * antiphonctl.c - asks a running server to do something, and shows what it
 * answers.
 *
 * Exit codes: 0 it worked, 1 the command failed, 2 it was called wrongly, 3 the
 * server cannot be reached.
 */
#include "config.h"

#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/ctl_json.h"
#include "antiphonctl/cli.h"

/* How long `stop` waits for the process to end. */
#define STOP_WAIT_MS 120000

static const char *
text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

static int
complain(const struct err *err, int rc)
{
	fputs("antiphonctl: ", stderr);
	cli_text_print(stderr, err->text);
	putc('\n', stderr);
	return rc;
}

/* --- answers ------------------------------------------------------------ */

static void
answer_json(json_t *o)
{
	struct buf out = BUF_INIT;

	json_incref(o);
	ctl_json_line(&out, o);
	fwrite(out.p, 1, out.n, stdout);
	buf_done(&out);
}

/* One line of the answer; CLI_OK and CLI_FAILED end it, -1 does not. */
static int
answer_take(struct cli *cli, json_t *o)
{
	json_t *row = json_object_get(o, "row");
	struct err err = ERR_INIT;

	if (json_is_true(json_object_get(o, "done")))
		return CLI_OK;
	if (json_is_string(json_object_get(o, "error"))) {
		err_set(&err, ERR_REFUSED, "%s", text_of(o, "error"));
		return complain(&err, CLI_FAILED);
	}
	if (row != NULL && cli->json) {
		answer_json(row);
	} else if (row != NULL) {
		json_array_append(cli->rows, row);
	} else if (cli->json) {
		answer_json(o);
	} else {
		cli_text_print(stdout, text_of(o, "text"));
		putc('\n', stdout);
	}
	return -1;
}

/* args is taken. */
static int
call_once(struct cli *cli, json_t *command, json_t *args, bool check)
{
	struct err err = ERR_INIT;
	int rc = -1;
	json_t *o;

	o = json_pack("{s:s, s:o}", "command", text_of(command, "name"), "args",
		args);
	if (check)
		json_object_set_new(o, "check", json_true());
	if (!cli_send(cli, o, &err))
		return complain(&err, CLI_NO_SERVER);
	while (rc == -1) {
		o = cli_receive(cli, &err);
		if (o == NULL)
			return complain(&err, CLI_NO_SERVER);
		rc = answer_take(cli, o);
		json_decref(o);
	}
	return rc;
}

/* A part that fails does not keep the others from being tried. */
static int
call_in_parts(struct cli *cli, json_t *command, json_t *args,
	const char *file_arg, struct str file)
{
	int rc = CLI_OK;

	do {
		struct str part = cli_chunk(file);
		json_t *copy = json_copy(args);
		int one;

		json_object_set_new(copy, file_arg,
			json_stringn(part.p, part.n));
		one = call_once(cli, command, copy, false);
		if (one == CLI_NO_SERVER)
			return one;
		rc = MAX(rc, one);
		file.p += part.n;
		file.n -= part.n;
	} while (file.n != 0);
	return rc;
}

/* The server has said that it will stop.  Without its process to wait for (it is
 * in another namespace), the end of the connection has to do. */
static int
wait_for_end(const struct cli *cli, int process)
{
	struct pollfd pfd = { .fd = process != -1 ? process : cli->fd,
		.events = POLLIN };
	struct err err = ERR_INIT;
	int n = poll(&pfd, 1, STOP_WAIT_MS);

	if (process != -1)
		close(process);
	if (n == 1)
		return CLI_OK;
	err_set(&err, ERR_BUSY, "the server has not ended yet");
	return complain(&err, CLI_FAILED);
}

/* Asks for what is missing; what was given is checked before. */
static int
call_prepare(struct cli *cli, json_t *command, json_t *args,
	const char *file_arg)
{
	struct err err = ERR_INIT;
	int rc = CLI_OK;

	if (!cli_args_will_ask(command, args, file_arg))
		return CLI_OK;
	if (json_is_true(json_object_get(command, "checks")))
		/* texts are wiped once they are sent */
		rc = call_once(cli, command, json_deep_copy(args), true);
	if (rc == CLI_OK && !cli_args_ask(command, args, file_arg, &err)) {
		err_prefix(&err, "%s", text_of(command, "name"));
		rc = complain(&err,
			err.code == ERR_REFUSED ? CLI_FAILED : CLI_USAGE);
	}
	return rc;
}

/* Returns the exit code. */
static int
call_whole(struct cli *cli, json_t *command, json_t *args,
	const char *file_arg, struct str file)
{
	int rc;

	cli->rows = json_array();
	if (file_arg != NULL)
		rc = call_in_parts(cli, command, args, file_arg, file);
	else
		rc = call_once(cli, command, json_incref(args), false);
	cli_table_print(stdout, cli->rows);
	json_decref(cli->rows);
	return rc;
}

static int
call(struct cli *cli, json_t *command, int argc, char **argv)
{
	bool stops = strcmp(text_of(command, "name"), "stop") == 0;
	struct buf file = BUF_INIT;
	struct err err = ERR_INIT;
	const char *file_arg = NULL;
	json_t *args;
	int process = -1, rc;

	args = cli_args_parse(cli, command, argc, argv, &file, &file_arg, &err);
	if (args == NULL) {
		err_prefix(&err, "%s", text_of(command, "name"));
		return complain(&err, CLI_USAGE);
	}
	if (stops)
		process = cli_server_process(cli);
	rc = call_prepare(cli, command, args, file_arg);
	if (rc == CLI_OK)
		rc = call_whole(cli, command, args, file_arg, buf_str(&file));
	if (stops && rc == CLI_OK)
		rc = wait_for_end(cli, process);
	json_decref(args);
	if (file.p != NULL)
		explicit_bzero(file.p, file.n);
	buf_done(&file);
	return rc;
}

/* --- the command line --------------------------------------------------- */

enum action { RUN, COMPLETE, MDOC };

static void
say_and_exit(FILE *out, int rc)
{
	cli_usage(out);
	exit(rc);
}

/* Returns how many words it took, 0 at the command. */
static int
global_take(struct cli *cli, enum action *action, int argc, char **argv)
{
	const char *word = argv[0];

	if (word[0] != '-')
		return 0;
	if (strcmp(word, "--json") == 0) {
		cli->json = true;
	} else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		cli->help = true;
	} else if (strcmp(word, "--complete") == 0) {
		*action = COMPLETE;
	} else if (strcmp(word, "--list-mdoc") == 0) {
		*action = MDOC;
	} else if (strcmp(word, "--version") == 0 ||
		strcmp(word, "-V") == 0) {
		puts(PACKAGE_STRING);
		exit(CLI_OK);
	} else if (strcmp(word, "--config") == 0 && argc > 1) {
		cli->config = argv[1];
		return 2;
	} else if (strcmp(word, "--socket") == 0 && argc > 1) {
		cli->socket = argv[1];
		return 2;
	} else if (strncmp(word, "--config=", 9) == 0) {
		cli->config = word + 9;
	} else if (strncmp(word, "--socket=", 9) == 0) {
		cli->socket = word + 9;
	} else {
		fprintf(stderr, "antiphonctl: unexpected \"%s\"\n", word);
		say_and_exit(stderr, CLI_USAGE);
	}
	return 1;
}

static bool
reach_server(struct cli *cli, struct err *err)
{
	const char *env = getenv("ANTIPHON_SOCKET");

	if (cli->socket == NULL && cli->config == NULL && env != NULL)
		cli->socket = env;
	return (cli->socket != NULL || cli_find_socket(cli, err)) &&
		cli_connect(cli, err) && cli_fetch_commands(cli, err);
}

static int
without_command(struct cli *cli)
{
	struct err err = ERR_INIT;
	bool there;

	if (!cli->help)
		say_and_exit(stderr, CLI_USAGE);
	there = reach_server(cli, &err);
	cli_help_all(stdout, cli);
	if (!there)
		printf("\nThe commands of the server are not listed: %s\n",
			err.text);
	return CLI_OK;
}

static int
unknown_command(struct cli *cli, int argc, char **argv)
{
	struct err err = ERR_INIT;
	const char *nearest;
	int used;

	/* a word that only begins one is explained by what can follow */
	if ((argc == 1 || cli_wants_help(cli, argc, argv)) &&
		cli_help_group(cli_wants_help(cli, argc, argv) ? stdout :
								 stderr,
			cli, argv[0]))
		return cli_wants_help(cli, argc, argv) ? CLI_OK : CLI_USAGE;

	nearest = cli_command_nearest(cli, argc, argv, &used);
	if (nearest == NULL)
		err_set(&err, ERR_MISSING,
			"there is no command \"%s\", see antiphonctl --help",
			argv[0]);
	else
		err_set(&err, ERR_MISSING,
			"there is no command \"%s%s%s\"; did you mean \"%s\"?",
			argv[0], used > 1 ? " " : "", used > 1 ? argv[1] : "",
			nearest);
	return complain(&err, CLI_USAGE);
}

static int
with_command(struct cli *cli, int argc, char **argv)
{
	bool help = cli_wants_help(cli, argc, argv);
	struct err err = ERR_INIT;
	json_t *command;
	int used;
	int rc;

	if (cli_local(cli, argc, argv, &rc))
		return rc;
	/* groups of local commands need no server to be explained */
	if (help && cli_help_group(stdout, cli, argv[0]))
		return CLI_OK;
	if (!reach_server(cli, &err))
		return complain(&err,
			err.code == ERR_INVALID ? CLI_USAGE : CLI_NO_SERVER);
	command = cli_command_find(cli, argc, argv, &used);
	if (command == NULL)
		return unknown_command(cli, argc, argv);
	if (!help)
		return call(cli, command, argc - used, argv + used);
	cli_help_command(stdout, command);
	return CLI_OK;
}

static int
special(struct cli *cli, enum action action, int argc, char **argv)
{
	struct err err = ERR_INIT;

	/* completion offers what there is, and says nothing else */
	if (!reach_server(cli, &err) && action == MDOC)
		return complain(&err, CLI_NO_SERVER);
	if (action == COMPLETE)
		cli_complete(stdout, cli, argc, argv);
	else
		cli_help_mdoc(stdout, cli);
	return CLI_OK;
}

int
main(int argc, char **argv)
{
	struct cli cli = { .program = argv[0], .fd = -1 };
	enum action action = RUN;
	int at = 1, used = 1, rc;

	setlocale(LC_ALL, "");
	for (; at < argc && used != 0; at += used)
		used = global_take(&cli, &action, argc - at, argv + at);
	if (at < argc && strcmp(argv[at], "help") == 0) {
		cli.help = true;
		at++;
	}
	cli.commands = json_array();
	cli_local_describe(cli.commands);
	if (action != RUN)
		rc = special(&cli, action, argc - at, argv + at);
	else if (at == argc)
		rc = without_command(&cli);
	else
		rc = with_command(&cli, argc - at, argv + at);
	cli_close(&cli);
	free(cli.found);
	free(cli.named);
	free(cli.modules);
	json_decref(cli.commands);
	buf_done(&cli.in);
	if (fflush(stdout) != 0 && rc == CLI_OK)
		rc = CLI_FAILED;
	return rc;
}
