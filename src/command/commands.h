/*
 * commands.h - the house's own commands, as tables, each in the file of what it
 * is about.
 */
#ifndef COMMAND_COMMANDS_H
#define COMMAND_COMMANDS_H

#include "command/command.h"

/* Each ends with a name of NULL. */
extern const struct command command_accounts[]; /* command_accounts.c */
extern const struct command command_components[]; /* command_components.c */
extern const struct command command_sessions[]; /* command_sessions.c */
extern const struct command command_stats[];    /* command_stats.c */

#endif
