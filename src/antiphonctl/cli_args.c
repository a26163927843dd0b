/*
 * cli_args.c - words of the command line become the arguments of a command.
 */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf_error.h"
#include "ctl/ctl_json.h"
#include "antiphonctl/cli.h"

#define FILE_MAX ((size_t)1 << 30)
#define READ_BYTES ((size_t)64 << 10)
/* Of a file that is sent in parts: small enough for answers to come soon. */
#define CHUNK_LINES 500
#define CHUNK_BYTES ((size_t)2 << 20)
/* The most words that a command's name has. */
#define NAME_WORDS 2

/* --- commands ----------------------------------------------------------- */

/* How many of the words name is made of stand in argv; 0: it is another. */
static int
name_match(const char *name, int argc, char **argv)
{
	int used = 0;

	for (;;) {
		size_t n = strcspn(name, " ");

		if (used == argc || strlen(argv[used]) != n ||
			memcmp(argv[used], name, n) != 0)
			return 0;
		used++;
		if (name[n] == '\0')
			return used;
		name += n + 1;
	}
}

json_t *
cli_command_find(const struct cli *cli, int argc, char **argv, int *used_out)
{
	json_t *command, *found = NULL;
	int best = 0;
	size_t i;

	json_array_foreach (cli->commands, i, command) {
		const char *name =
			json_string_value(json_object_get(command, "name"));
		int used = name != NULL ? name_match(name, argc, argv) : 0;

		if (used > best) {
			best = used;
			found = command;
		}
	}
	if (found != NULL)
		*used_out = best;
	return found;
}

const char *
cli_command_nearest(const struct cli *cli, int argc, char **argv,
	int *used_out)
{
	size_t n = json_array_size(cli->commands);
	const char **names = xcalloc(MAX(n, 1), sizeof(*names));
	const char *nearest = NULL;

	for (size_t i = 0; i < n; i++)
		names[i] = json_string_value(json_object_get(
			json_array_get(cli->commands, i), "name"));
	for (int used = MIN(argc, NAME_WORDS); used > 0 && nearest == NULL;
		used--) {
		struct buf typed = BUF_INIT;

		for (int i = 0; i < used; i++)
			buf_printf(&typed, "%s%s", i != 0 ? " " : "", argv[i]);
		nearest = conf_error_nearest(buf_c(&typed), names, n);
		*used_out = used;
		buf_done(&typed);
	}
	free(names);
	return nearest;
}

/* --- rows of an argument table ------------------------------------------ */

static const char *
arg_name(const json_t *arg)
{
	return json_string_value(json_object_get(arg, "name"));
}

static bool
arg_is(const json_t *arg, const char *what)
{
	return json_is_true(json_object_get(arg, what));
}

static enum command_arg_type
arg_type(const json_t *arg)
{
	const char *name = json_string_value(json_object_get(arg, "type"));
	enum command_arg_type type;

	return name != NULL && ctl_arg_parse(name, &type) ? type : ARG_TEXT;
}

static json_t *
arg_option(json_t *args, const char *name)
{
	json_t *arg;
	size_t i;

	json_array_foreach (args, i, arg) {
		if (arg_is(arg, "option") && strcmp(arg_name(arg), name) == 0)
			return arg;
	}
	return NULL;
}

/* The n-th that is given by position; secrets never are.  Words take all that are
 * left. */
static json_t *
arg_position(json_t *args, int n)
{
	json_t *arg;
	size_t i;

	json_array_foreach (args, i, arg) {
		if (!arg_is(arg, "option") && arg_type(arg) != ARG_SECRET &&
			(n-- == 0 || arg_type(arg) == ARG_WORDS))
			return arg;
	}
	return NULL;
}

/* --- values ------------------------------------------------------------- */

static bool
file_fill(int fd, struct buf *out, const char *path, struct err *err)
{
	ssize_t n = 1;

	while (n > 0 && out->n < FILE_MAX) {
		n = read(fd, buf_reserve(out, READ_BYTES), READ_BYTES);
		out->n += n > 0 ? (size_t)n : 0;
	}
	if (n == -1)
		return err_errno(err, "%s", path);
	if (n != 0)
		return err_set(err, ERR_LIMIT, "%s: the file is too large",
			path);
	if (!str_is_utf8(buf_str(out)))
		return err_set(err, ERR_INVALID,
			"%s: the file is not UTF-8 text", path);
	return true;
}

/* "-" is standard input. */
static bool
file_read(const char *path, struct buf *out, struct err *err)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) :
					  open(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd == -1)
		return err_errno(err, "%s", path);
	ok = file_fill(fd, out, path, err);
	close(fd);
	return ok;
}

static char *
path_absolute(const char *path)
{
	char *here = path[0] != '/' ? getcwd(NULL, 0) : NULL;
	struct buf out = BUF_INIT;

	if (here != NULL)
		buf_printf(&out, "%s/", here);
	buf_add(&out, path, strlen(path) + 1);
	free(here);
	return out.p;
}

struct parsing {
	struct cli *cli;
	json_t *out;
	struct buf *file;
	const char *file_arg;
	struct err *err;
};

static void
word_add(struct parsing *p, const json_t *arg, const char *text)
{
	const char *before =
		json_string_value(json_object_get(p->out, arg_name(arg)));
	struct buf words = BUF_INIT;

	if (before != NULL)
		buf_printf(&words, "%s ", before);
	buf_add_c(&words, text);
	json_object_set_new(p->out, arg_name(arg), json_string(buf_c(&words)));
	buf_done(&words);
}

static bool
value_set(struct parsing *p, const json_t *arg, const char *text)
{
	char *path;

	switch (arg_type(arg)) {
	case ARG_FILE:
		if (p->file_arg != NULL)
			return err_set(p->err, ERR_INVALID,
				"only one file can be given");
		p->file_arg = arg_name(arg);
		return file_read(text, p->file, p->err);
	case ARG_PATH:
		path = path_absolute(text);
		json_object_set_new(p->out, arg_name(arg),
			ctl_json_text(str_c(path)));
		free(path);
		return true;
	case ARG_SWITCH:
	case ARG_CONFIRM:
		json_object_set_new(p->out, arg_name(arg), json_true());
		return true;
	case ARG_TEXT:
	case ARG_WORDS:
	case ARG_JID:
	case ARG_DOMAIN:
	case ARG_INT:
	case ARG_SECRET:
		if (!str_is_utf8(str_c(text)))
			return err_set(p->err, ERR_INVALID, "%s: not UTF-8",
				arg_name(arg));
		if (arg_type(arg) == ARG_WORDS)
			word_add(p, arg, text);
		else
			json_object_set_new(
				p->out, arg_name(arg), json_string(text));
		return true;
	}
	return true;
}

/* argv[0] is "--name" or "--name=value"; returns how many words it takes, 0 with
 * err. */
static int
option_take(struct parsing *p, json_t *args, int argc, char **argv)
{
	struct str name = str_c(argv[0] + 2), value = STR_NONE;
	bool inlined = str_cut(name, '=', &name, &value);
	char *copy = str_dup(name);
	json_t *arg = arg_option(args, copy);
	bool is_switch = arg != NULL &&
		(arg_type(arg) == ARG_SWITCH || arg_type(arg) == ARG_CONFIRM);
	int used = 0;

	if (arg == NULL)
		err_set(p->err, ERR_INVALID, "there is no option --%s", copy);
	else if (arg_type(arg) == ARG_SECRET)
		err_set(p->err, ERR_INVALID,
			"--%s is asked for, or read from standard input", copy);
	else if (is_switch && inlined)
		err_set(p->err, ERR_INVALID, "--%s takes no value", copy);
	else if (!is_switch && !inlined && argc < 2)
		err_set(p->err, ERR_INVALID, "--%s needs a value", copy);
	else if (value_set(p, arg, inlined ? value.p : argv[1]))
		used = is_switch || inlined ? 1 : 2;
	free(copy);
	return used;
}

/* It is antiphonctl's own, unless the command has one of that name. */
static bool
json_take(struct parsing *p, json_t *args, const char *word)
{
	if (strcmp(word, "--json") != 0 || arg_option(args, "json") != NULL)
		return false;
	p->cli->json = true;
	return true;
}

static bool
words_take(struct parsing *p, json_t *args, int argc, char **argv)
{
	bool options = true;
	int position = 0, used;
	const json_t *arg;

	for (int i = 0; i < argc; i += used) {
		used = 1;
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		if (options && json_take(p, args, argv[i]))
			continue;
		if (options && strncmp(argv[i], "--", 2) == 0) {
			used = option_take(p, args, argc - i, argv + i);
			if (used == 0)
				return false;
			continue;
		}
		arg = arg_position(args, position++);
		if (arg == NULL)
			return err_set(p->err, ERR_INVALID, "unexpected \"%s\"",
				argv[i]);
		if (!value_set(p, arg, argv[i]))
			return false;
	}
	return true;
}

/* What is required and was not given. */
static bool
rest_check(const struct parsing *p, json_t *args)
{
	json_t *arg;
	size_t i;

	json_array_foreach (args, i, arg) {
		const char *name = arg_name(arg);
		bool given = json_object_get(p->out, name) != NULL ||
			(p->file_arg != NULL && strcmp(p->file_arg, name) == 0);

		if (!given && !arg_is(arg, "optional") &&
			arg_type(arg) != ARG_SECRET &&
			arg_type(arg) != ARG_CONFIRM)
			return err_set(p->err, ERR_INVALID, "%s is missing",
				name);
	}
	return true;
}

json_t *
cli_args_parse(struct cli *cli, json_t *command, int argc, char **argv,
	struct buf *file, const char **file_arg_out, struct err *err)
{
	json_t *args = json_object_get(command, "args");
	struct parsing p = {
		.cli = cli,
		.out = json_object(),
		.file = file,
		.err = err,
	};

	if (!words_take(&p, args, argc, argv) || !rest_check(&p, args)) {
		json_decref(p.out);
		return NULL;
	}
	*file_arg_out = p.file_arg;
	return p.out;
}

/* --- asking ------------------------------------------------------------- */

/* A secret that is optional is for when no file is given. */
static bool
arg_will_ask(const json_t *arg, json_t *out, const char *file_arg)
{
	if (json_object_get(out, arg_name(arg)) != NULL)
		return false;
	return arg_type(arg) == ARG_CONFIRM ||
		(arg_type(arg) == ARG_SECRET &&
			!(arg_is(arg, "optional") && file_arg != NULL));
}

static bool
secret_take(const json_t *arg, json_t *out, struct err *err)
{
	struct buf secret = BUF_INIT;
	bool ok = cli_secret_read(arg_name(arg), &secret, err);

	if (ok)
		json_object_set_new(out, arg_name(arg),
			json_stringn(secret.p, secret.n));
	if (secret.p != NULL)
		explicit_bzero(secret.p, secret.n);
	buf_done(&secret);
	return ok;
}

static bool
confirm_take(const json_t *command, const json_t *arg, json_t *out,
	struct err *err)
{
	if (!cli_confirm(json_string_value(json_object_get(command, "summary")),
		    arg_name(arg), err))
		return false;
	json_object_set_new(out, arg_name(arg), json_true());
	return true;
}

bool
cli_args_will_ask(json_t *command, json_t *out, const char *file_arg)
{
	json_t *arg;
	size_t i;

	json_array_foreach (json_object_get(command, "args"), i, arg) {
		if (arg_will_ask(arg, out, file_arg))
			return true;
	}
	return false;
}

bool
cli_args_ask(json_t *command, json_t *out, const char *file_arg,
	struct err *err)
{
	json_t *arg;
	size_t i;

	json_array_foreach (json_object_get(command, "args"), i, arg) {
		if (!arg_will_ask(arg, out, file_arg))
			continue;
		if (arg_type(arg) == ARG_SECRET ?
				!secret_take(arg, out, err) :
				!confirm_take(command, arg, out, err))
			return false;
	}
	return true;
}

struct str
cli_chunk(struct str text)
{
	size_t lines = 0, end = 0, i;

	for (i = 0; i < text.n; i++) {
		if (lines == CHUNK_LINES || (end != 0 && i >= CHUNK_BYTES))
			return (struct str){ text.p, end };
		if (text.p[i] == '\n') {
			lines++;
			end = i + 1;
		}
	}
	return text;
}
