/*
 * c2s_command.h - the commands about streams of clients.
 */
#ifndef STREAM_CLIENT_C2S_COMMAND_H
#define STREAM_CLIENT_C2S_COMMAND_H

#include "command/command.h"

/* Ends with a name of NULL. */
extern const struct command c2s_commands[];

#endif
