/*
 * cli.h - antiphonctl: the commands of a running server, on the command line.
 *
 * One thread.  What a command is called and what it takes comes from the server
 * (ctl_json.h), so antiphonctl knows nothing of its own but how to ask.
 */
#ifndef ANTIPHONCTL_CLI_H
#define ANTIPHONCTL_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "command/command.h"

#define CONFIG_DEFAULT SYSCONF_DIR "/antiphon/antiphond.yml"

/* Exit codes. */
enum { CLI_OK, CLI_FAILED, CLI_USAGE, CLI_NO_SERVER };

struct cli {
	const char *program; /* argv[0] */
	const char *config;  /* --config; NULL: the default file */
	const char *socket;  /* NULL: as the configuration says */
	char *found;         /* what it says; owned */
	char *named;         /* config, as the server said; owned */
	char *modules;       /* the server's folder of them; NULL: not known */
	bool json;
	bool help;
	int fd;              /* of the connection; -1: none */
	struct buf in;       /* what was received and not yet used */
	json_t *commands;    /* the answer to "help": an array of rows */
	json_t *rows;        /* of the call that runs, for the table */
};

/* --- cli_client.c: the connection --------------------------------------- */

/* Finds out cli->socket.  False for a --config that cannot be read. */
bool cli_find_socket(struct cli *cli, struct err *err);
/* For commands that need no server.  With a socket, and no configuration, its
 * server says which one it has; its folder of modules is wanted in any case.
 * False when a socket was given and nobody answers. */
bool cli_ask_paths(struct cli *cli, struct err *err);
bool cli_connect(struct cli *cli, struct err *err);
void cli_close(struct cli *cli);
/* Sends o (taken). */
bool cli_send(struct cli *cli, json_t *o, struct err *err);
/* The next answer, owned by the caller; NULL with err when the server is
 * gone. */
json_t *cli_receive(struct cli *cli, struct err *err);
/* Fills cli->commands. */
bool cli_fetch_commands(struct cli *cli, struct err *err);
/* A descriptor that tells when the server's process has ended; -1: unknown. */
int cli_server_process(const struct cli *cli);

/* --- cli_args.c: what was typed ----------------------------------------- */

/* The command that the first words name, "modules list" before "modules"; NULL
 * when there is none.  used_out: how many words that were. */
json_t *cli_command_find(const struct cli *cli, int argc, char **argv,
	int *used_out);
/* The name of the command that the first words may have been meant to be, with
 * *used_out words; NULL when none is near.  Borrowed from cli->commands. */
const char *cli_command_nearest(const struct cli *cli, int argc, char **argv,
	int *used_out);
/*
 * Turns words into the "args" object of a request; files are read.  The text of
 * one is left out and appended to file, the name of its argument is in
 * *file_arg_out (NULL: none).  --json may stand among the words too, and is
 * noted in cli.  NULL with err.
 */
json_t *cli_args_parse(struct cli *cli, json_t *command, int argc, char **argv,
	struct buf *file, const char **file_arg_out, struct err *err);
/* What is still to be asked for before command can run: secrets, and whether it
 * is meant.  Adds to args.  file_arg as above. */
bool cli_args_ask(json_t *command, json_t *args, const char *file_arg,
	struct err *err);
bool cli_args_will_ask(json_t *command, json_t *args, const char *file_arg);
/* The first part of text that fits one request, cut behind the end of a
 * line. */
struct str cli_chunk(struct str text);

/* --- cli_secret.c ------------------------------------------------------- */

/* From the terminal, twice and unseen, or one line of standard input.  Appends
 * to out. */
bool cli_secret_read(const char *what, struct buf *out, struct err *err);

/* Whether question is answered by yes, at a terminal; else err says which
 * option (--name) would do. */
bool cli_confirm(const char *question, const char *option, struct err *err);

/* --- cli_table.c -------------------------------------------------------- */

/* rows: an array of objects, whose values are texts and numbers. */
void cli_table_print(FILE *out, json_t *rows);
/* Without control characters, for a terminal. */
void cli_text_print(FILE *out, const char *text);

/* --- cli_help.c --------------------------------------------------------- */

void cli_usage(FILE *out);
void cli_help_all(FILE *out, const struct cli *cli);
void cli_help_command(FILE *out, json_t *command);
/* The commands whose first word is group; false when there is none. */
bool cli_help_group(FILE *out, const struct cli *cli, const char *group);
/* Is help asked for, before the command or as its last word? */
bool cli_wants_help(const struct cli *cli, int argc, char **argv);
/* The commands as list items of the manual. */
void cli_help_mdoc(FILE *out, const struct cli *cli);
/* For the shell: words that can follow argv, one a line. */
void cli_complete(FILE *out, const struct cli *cli, int argc, char **argv);

/* --- cli_local.c: what needs no server ---------------------------------- */

/* True when the first words name such a command; *rc_out is its exit code. */
bool cli_local(struct cli *cli, int argc, char **argv, int *rc_out);
/* The rows of cli->commands for them are added. */
void cli_local_describe(json_t *commands);

/* --- cli_cert.c, cli_cert_check.c --------------------------------------- */

int cli_cert_make(struct cli *cli, json_t *args);
int cli_cert_show(struct cli *cli, json_t *args);
int cli_cert_check(struct cli *cli, json_t *args);

#endif
