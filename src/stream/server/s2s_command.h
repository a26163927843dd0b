/*
 * s2s_command.h - the commands about streams of other servers, and to them, as a
 * table.
 */
#ifndef STREAM_SERVER_S2S_COMMAND_H
#define STREAM_SERVER_S2S_COMMAND_H

#include "command/command.h"

/* Ends with a name of NULL. */
extern const struct command s2s_commands[];

#endif
