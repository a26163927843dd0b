/*
 * command_int.h - the registry of commands, for the server that owns it.
 */
#ifndef COMMAND_COMMAND_INT_H
#define COMMAND_COMMAND_INT_H

struct command_registry;

void command_registry_free(struct command_registry *r);

#endif
