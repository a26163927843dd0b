/*
 * command_int.h - the registry of commands, for the server that owns it, and for
 * the loader of modules; and what the log says of a call.
 */
#ifndef COMMAND_COMMAND_INT_H
#define COMMAND_COMMAND_INT_H

#include <stdbool.h>

#include "base/str.h"

struct command;
struct command_arg;
struct command_call;
struct command_registry;
struct err;
struct module_entry;
struct server;

void command_registry_free(struct command_registry *r);

/* As command_register(), of a module: found while a snapshot names it. */
void command_register_module(struct server *srv, const struct command *table,
	struct module_entry *entry);
/* Its code leaves memory. */
void command_forget_module(struct server *srv,
	const struct module_entry *entry);

/* --- command_visit.c ----------------------------------------------------- */

/* A field, or (name NULL) that a row begins, is shown later. */
void command_keep(struct command_call *call, const char *name, struct str text,
	bool is_number);

/* --- command_caller.c ---------------------------------------------------- */

/* One line: who calls what, through which door, on whom. */
void command_log(const struct command_call *call);
void command_log_failure(const struct command_call *call,
	const struct err *err);
/* May its value be one? */
bool command_arg_is_secret(const struct command_arg *arg);

#endif
