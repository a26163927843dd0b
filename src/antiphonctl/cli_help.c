/*
 * cli_help.c - what antiphonctl says about itself and about commands.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "antiphonctl/cli.h"

#define LINE_WIDTH 78

static const char usage[] =
	"usage: antiphonctl [--config FILE | --socket PATH] [--json] COMMAND ...\n"
	"       antiphonctl help [COMMAND]\n"
	"       antiphonctl -h | --help | -V | --version\n"
	"\n"
	"  --config FILE  the configuration that names the socket\n"
	"                 (" SYSCONF_DIR "/antiphon/antiphond.yml)\n"
	"  --socket PATH  the socket itself; also in ANTIPHON_SOCKET\n"
	"  --json         one JSON object a line\n";

void
cli_usage(FILE *out)
{
	fputs(usage, out);
}

static const char *
text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

static bool
is(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}

/* Words, in lines that fit. */
static void
paragraph_print(FILE *out, const char *text, size_t indent)
{
	size_t at = indent;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (at != indent && at + 1 + n > LINE_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
		}
		at += (size_t)fprintf(out, "%s%.*s", at != indent ? " " : "",
			(int)n, text);
		text += n;
		text += strspn(text, " ");
	}
	putc('\n', out);
}

/* --- for people --------------------------------------------------------- */

static void
command_line(FILE *out, const json_t *command)
{
	fprintf(out, "  %-16s ", text_of(command, "name"));
	paragraph_print(out, text_of(command, "summary"), 19);
}

void
cli_help_all(FILE *out, const struct cli *cli)
{
	json_t *command;
	size_t i;

	cli_usage(out);
	fputs("\ncommands:\n", out);
	json_array_foreach (cli->commands, i, command)
		command_line(out, command);
}

static bool
is_switch(const json_t *arg)
{
	return strcmp(text_of(arg, "type"), "switch") == 0 ||
		strcmp(text_of(arg, "type"), "confirm") == 0;
}

static bool
is_words(const json_t *arg)
{
	return strcmp(text_of(arg, "type"), "words") == 0;
}

/* It may be left out: somebody is asked then. */
static bool
is_optional(const json_t *arg)
{
	return is(arg, "optional") ||
		strcmp(text_of(arg, "type"), "confirm") == 0;
}

static void
upper_print(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		putc(toupper((unsigned char)*text), out);
}

static void
synopsis_arg(FILE *out, const json_t *arg)
{
	const char *name = text_of(arg, "name");

	if (strcmp(text_of(arg, "type"), "secret") == 0)
		return;
	fputs(is_optional(arg) ? " [" : " ", out);
	if (is(arg, "option"))
		fprintf(out, "--%s", name);
	if (is(arg, "option") && !is_switch(arg))
		putc(' ', out);
	if (!is_switch(arg))
		upper_print(out, is(arg, "option") ? text_of(arg, "type") : name);
	if (is_words(arg))
		fputs(" ...", out);
	if (is_optional(arg))
		putc(']', out);
}

void
cli_help_command(FILE *out, json_t *command)
{
	json_t *args = json_object_get(command, "args");
	const json_t *arg;
	size_t i;

	fprintf(out, "usage: antiphonctl %s", text_of(command, "name"));
	json_array_foreach (args, i, arg)
		synopsis_arg(out, arg);
	fprintf(out, "\n\n%s\n", text_of(command, "summary"));
	if (*text_of(command, "help") != '\0')
		paragraph_print(out, text_of(command, "help"), 0);
	if (json_array_size(args) != 0)
		putc('\n', out);
	json_array_foreach (args, i, arg) {
		bool secret = strcmp(text_of(arg, "type"), "secret") == 0;
		struct buf help = BUF_INIT;

		fprintf(out, "  %s%-*s ", is(arg, "option") ? "--" : "",
			is(arg, "option") ? 10 : 12, text_of(arg, "name"));
		buf_printf(&help, "%s%s", text_of(arg, "help"),
			secret ? " (asked for, or one line of standard input)" :
				 "");
		paragraph_print(out, buf_c(&help), 15);
		buf_done(&help);
	}
}

bool
cli_help_group(FILE *out, const struct cli *cli, const char *group)
{
	size_t n = strlen(group), i;
	const json_t *command;
	bool any = false;

	json_array_foreach (cli->commands, i, command) {
		const char *name = text_of(command, "name");

		if (strncmp(name, group, n) != 0 || name[n] != ' ')
			continue;
		if (!any)
			fprintf(out,
				"usage: antiphonctl %s COMMAND ...\n\ncommands:\n",
				group);
		any = true;
		command_line(out, command);
	}
	return any;
}

bool
cli_wants_help(const struct cli *cli, int argc, char **argv)
{
	const char *last = argc > 0 ? argv[argc - 1] : "";

	return cli->help || strcmp(last, "--help") == 0 ||
		strcmp(last, "-h") == 0;
}

/* --- for the manual ----------------------------------------------------- */

static void
mdoc_arg(FILE *out, const json_t *arg)
{
	const char *name = text_of(arg, "name");
	const char *type = text_of(arg, "type");
	bool option = is(arg, "option");

	if (strcmp(type, "secret") == 0)
		return;
	if (is_optional(arg))
		fputs(" Oo", out);
	if (option)
		fprintf(out, " Fl -%s", name);
	if (!is_switch(arg))
		fprintf(out, " Ar %s", option ? type : name);
	if (is_words(arg))
		fputs(" ...", out);
	if (is_optional(arg))
		fputs(" Oc", out);
}

/* A sentence a line. */
static void
mdoc_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else
			putc(*text, out);
		if (*text == '.' && text[1] == ' ') {
			putc('\n', out);
			text++;
		}
	}
	putc('\n', out);
}

void
cli_help_mdoc(FILE *out, const struct cli *cli)
{
	json_t *command, *args;
	const json_t *arg;
	size_t i, n;

	json_array_foreach (cli->commands, i, command) {
		const char *summary = text_of(command, "summary");

		fprintf(out, ".It Ic %s", text_of(command, "name"));
		args = json_object_get(command, "args");
		json_array_foreach (args, n, arg)
			mdoc_arg(out, arg);
		fprintf(out, "\n%c%s.\n", toupper((unsigned char)*summary),
			*summary != '\0' ? summary + 1 : "");
		if (*text_of(command, "help") != '\0')
			mdoc_text(out, text_of(command, "help"));
	}
}

/* --- for the shell ------------------------------------------------------ */

static void
complete_options(FILE *out, json_t *command, const char *word)
{
	json_t *args = json_object_get(command, "args");
	const json_t *arg;
	size_t i;

	json_array_foreach (args, i, arg) {
		const char *name = text_of(arg, "name");

		if (is(arg, "option") &&
			strncmp(name, word + 2, strlen(word + 2)) == 0)
			fprintf(out, "--%s\n", name);
	}
}

/* The words before the last are typed; the last is the one to complete. */
static void
complete_command(FILE *out, const struct cli *cli, const char *typed)
{
	const char *space = strrchr(typed, ' ');
	size_t skip = space != NULL ? (size_t)(space - typed) + 1 : 0;
	const json_t *command;
	char last[80] = "";
	size_t i;

	json_array_foreach (cli->commands, i, command) {
		const char *name = text_of(command, "name");
		char word[80];

		if (strncmp(name, typed, strlen(typed)) != 0)
			continue;
		snprintf(word, sizeof(word), "%.*s",
			(int)strcspn(name + skip, " "), name + skip);
		if (strcmp(word, last) != 0)
			fprintf(out, "%s\n", word);
		snprintf(last, sizeof(last), "%s", word);
	}
}

void
cli_complete(FILE *out, const struct cli *cli, int argc, char **argv)
{
	const char *word = argc > 0 ? argv[argc - 1] : "";
	struct buf typed = BUF_INIT;
	json_t *command;
	int used;

	command = cli_command_find(cli, argc, argv, &used);
	if (command != NULL && strncmp(word, "--", 2) == 0) {
		complete_options(out, command, word);
		return;
	}
	for (int i = 0; i < argc; i++)
		buf_printf(&typed, "%s%s", i != 0 ? " " : "", argv[i]);
	complete_command(out, cli, buf_c(&typed));
	buf_done(&typed);
}
