/*
 * ctl_json.h - the protocol of the control socket: one JSON object a line.
 *
 *   > {"command": "sessions", "args": {"jid": "anna@example.org"}}
 *   < {"row": {"jid": "anna@example.org/desk", "priority": 5}}
 *   < {"text": "..."}
 *   < {"done": true}          or {"error": "...", "code": "missing"}
 *
 * With "check": true a command that "checks" is not run: the answer says whether
 * it could be, with secrets still to come.
 *
 * {"command": "help"} is answered with a row for each command that who asks may
 * call, as ctl_json_help makes it.  Any thread; pure functions.
 */
#ifndef CTL_CTL_JSON_H
#define CTL_CTL_JSON_H

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"
#include "command/command.h"

struct arena;
struct buf;

/* --- values ------------------------------------------------------------- */

/* False for an unknown name. */
bool ctl_arg_parse(const char *name, enum command_arg_type *out);

/* --- requests ----------------------------------------------------------- */

/* The request in line, with a "command" that is a string, and "args" that are
 * an object or left out.  A reference, owned by the caller; NULL with err. */
json_t *ctl_json_request(struct str line, struct err *err);
/* Fills in values, one for each row of command->args, in the arena of a.  False
 * for an argument that command does not have, and for a value that is neither a
 * text, a number nor a switch. */
bool ctl_json_values(json_t *args, const struct command *command,
	struct arena *a, struct str *values, struct err *err);
/* Overwrites every text in o. */
void ctl_json_wipe(json_t *o);

/* --- answers ------------------------------------------------------------ */

/* Bytes that are not UTF-8 become '?'. */
json_t *ctl_json_text(struct str text);
void ctl_json_field(json_t *row, const char *name, struct str text,
	bool is_number);
/* {"name": ..., "summary": ..., "help": ..., "checks": ..., "args": [ ... ]}
 * with those arguments that caller may give; NULL: with all. */
json_t *ctl_json_help(const struct command *command,
	const struct command_caller *caller);
/* {"done": true}, or the error. */
json_t *ctl_json_end(const struct err *err);
/* Appends o (taken) and the end of the line. */
void ctl_json_line(struct buf *out, json_t *o);

#endif
