/*
 * ctl_json.c - requests and answers of the control socket as JSON.
 */
#include "config.h"

#include "ctl/ctl_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"

/* --- names -------------------------------------------------------------- */

static const char *const code_names[] = {
	[ERR_NONE] = "none",
	[ERR_SYSTEM] = "system",
	[ERR_INVALID] = "invalid",
	[ERR_LIMIT] = "limit",
	[ERR_MISSING] = "missing",
	[ERR_CONFLICT] = "conflict",
	[ERR_REFUSED] = "refused",
	[ERR_BUSY] = "busy",
	[ERR_STORAGE] = "storage",
	[ERR_DISK] = "disk",
	[ERR_LOST] = "lost",
	[ERR_TLS] = "tls",
	[ERR_CLOSED] = "closed",
	[ERR_TIMEOUT] = "timeout",
};

static const char *const arg_names[] = {
	[ARG_TEXT] = "text",
	[ARG_WORDS] = "words",
	[ARG_JID] = "jid",
	[ARG_DOMAIN] = "domain",
	[ARG_INT] = "int",
	[ARG_SWITCH] = "switch",
	[ARG_SECRET] = "secret",
	[ARG_PATH] = "path",
	[ARG_FILE] = "file",
	[ARG_CONFIRM] = "confirm",
};

static const char *
ctl_code_name(enum err_code code)
{
	return code_names[code];
}

static const char *
ctl_arg_name(enum command_arg_type type)
{
	return arg_names[type];
}

bool
ctl_arg_parse(const char *name, enum command_arg_type *out)
{
	for (size_t i = 0; i < COUNT(arg_names); i++) {
		if (strcmp(name, arg_names[i]) == 0) {
			*out = (enum command_arg_type)i;
			return true;
		}
	}
	return false;
}

/* --- requests ----------------------------------------------------------- */

json_t *
ctl_json_request(struct str line, struct err *err)
{
	json_error_t why;
	json_t *o = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &why);
	const json_t *args = json_object_get(o, "args");

	if (o == NULL) {
		err_set(err, ERR_INVALID, "not a JSON object: %s", why.text);
		return NULL;
	}
	if (json_is_string(json_object_get(o, "command")) &&
		(args == NULL || json_is_object(args)))
		return o;
	err_set(err, ERR_INVALID,
		"a request is {\"command\": NAME, \"args\": {NAME: VALUE, ...}}");
	ctl_json_wipe(o);
	json_decref(o);
	return NULL;
}

/* STR_NONE for a switch that is off, and for null. */
static bool
value_text(const json_t *value, struct arena *a, struct str *out)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		*out = arena_str(a,
			(struct str){ json_string_value(value),
				json_string_length(value) });
		return true;
	case JSON_INTEGER:
		*out = arena_printf(a, "%lld",
			(long long)json_integer_value(value));
		return true;
	case JSON_TRUE:
		*out = arena_str(a, STR("yes"));
		return true;
	case JSON_FALSE:
	case JSON_NULL:
		*out = STR_NONE;
		return true;
	case JSON_OBJECT:
	case JSON_ARRAY:
	case JSON_REAL:
		return false;
	}
	return false;
}

static bool
arg_index(const struct command *command, const char *name, size_t *out)
{
	const struct command_arg *arg = command->args;

	for (size_t i = 0; arg != NULL && arg[i].name != NULL; i++) {
		if (strcmp(arg[i].name, name) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

bool
ctl_json_values(json_t *args, const struct command *command, struct arena *a,
	struct str *values, struct err *err)
{
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach (args, name, value) {
		if (!arg_index(command, name, &i))
			return err_set(err, ERR_INVALID,
				"%s has no argument \"%s\"", command->name,
				name);
		if (!value_text(value, a, &values[i]))
			return err_set(err, ERR_INVALID,
				"%s: neither text, number nor switch", name);
	}
	return true;
}

void
ctl_json_wipe(json_t *o)
{
	const char *name;
	json_t *value;
	size_t i;

	if (json_is_string(o))
		/* the library keeps texts where they can be written to */
		explicit_bzero((void *)(uintptr_t)json_string_value(o),
			json_string_length(o));
	json_object_foreach (o, name, value)
		ctl_json_wipe(value);
	json_array_foreach (o, i, value)
		ctl_json_wipe(value);
}

/* --- answers ------------------------------------------------------------ */

json_t *
ctl_json_text(struct str text)
{
	json_t *o = json_stringn(text.p != NULL ? text.p : "", text.n);
	char *copy;

	if (o != NULL)
		return o;
	copy = str_dup(text);
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)copy[i] >= 0x80)
			copy[i] = '?';
	}
	o = json_stringn(copy, text.n);
	free(copy);
	return o;
}

void
ctl_json_field(json_t *row, const char *name, struct str text, bool is_number)
{
	long long number;

	if (is_number && str_to_int(text, INT64_MIN, INT64_MAX, &number))
		json_object_set_new(row, name, json_integer(number));
	else
		json_object_set_new(row, name, ctl_json_text(text));
}

static json_t *
arg_help(const struct command_arg *arg)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", arg->name, "type",
		ctl_arg_name(arg->type), "optional", arg->optional, "option",
		arg->option, "help", arg->help != NULL ? arg->help : "");
}

json_t *
ctl_json_help(const struct command *command,
	const struct command_caller *caller)
{
	const struct command_arg *arg = command->args;
	json_t *args = json_array();

	for (; arg != NULL && arg->name != NULL; arg++) {
		if (caller == NULL || command_may_give(command, caller, arg))
			json_array_append_new(args, arg_help(arg));
	}
	return json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", command->name,
		"summary", command->summary, "help",
		command->help != NULL ? command->help : "", "checks",
		command->check != NULL, "args", args);
}

json_t *
ctl_json_end(const struct err *err)
{
	if (err == NULL)
		return json_pack("{s:b}", "done", 1);
	return json_pack("{s:o, s:s}", "error", ctl_json_text(str_c(err->text)),
		"code", ctl_code_name(err->code));
}

static int
buf_take(const char *p, size_t n, void *out)
{
	buf_add(out, p, n);
	return 0;
}

void
ctl_json_line(struct buf *out, json_t *o)
{
	json_dump_callback(o, buf_take, out, JSON_COMPACT);
	buf_add(out, "\n", 1);
	json_decref(o);
}
