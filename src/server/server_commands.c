/*
 * server_commands.c - registers the house's own commands.
 */
#include "config.h"

#include "server/server_commands.h"

#include "command/commands.h"

void
commands_register(struct server *srv)
{
	command_register(srv, command_accounts);
	command_register(srv, command_components);
	command_register(srv, command_dns);
	command_register(srv, command_modules);
	command_register(srv, command_server);
	command_register(srv, command_sessions);
	command_register(srv, command_stats);
}
