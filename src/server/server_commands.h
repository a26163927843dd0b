/*
 * server_commands.h - the commands about the whole, as tables, and all those of
 * the house.
 */
#ifndef SERVER_SERVER_COMMANDS_H
#define SERVER_SERVER_COMMANDS_H

#include "command/command.h"

/* Each ends with a name of NULL. */
extern const struct command command_dns[];     /* command_dns.c */
extern const struct command command_modules[]; /* command_modules.c */
extern const struct command command_server[];  /* command_server.c */

/* Shard 0: the lines of text, one by one (command_server.c). */
void server_texts(struct command_call *call, struct str text);

/* Start-up: registers them, and those of commands.h. */
void commands_register(struct server *srv);

#endif
