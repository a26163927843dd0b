/*
 * command_int.h - the registry of commands, for the server that owns it, and for
 * the loader of modules.
 */
#ifndef COMMAND_COMMAND_INT_H
#define COMMAND_COMMAND_INT_H

struct command;
struct command_registry;
struct module_entry;
struct server;

void command_registry_free(struct command_registry *r);

/* As command_register(), of a module: found while a snapshot names it. */
void command_register_module(struct server *srv, const struct command *table,
	struct module_entry *entry);
/* Its code leaves memory. */
void command_forget_module(struct server *srv,
	const struct module_entry *entry);

#endif
