/*
 * muc_command.h - what the files of the commands about rooms share.  Shard 0.
 */
#ifndef MUC_MUC_COMMAND_H
#define MUC_MUC_COMMAND_H

#include "muc.h"

extern const struct command muc_commands[];

/* The module at the service of the domain; NULL: there is none, and the call has
 * failed. */
struct module_ctx *muc_call_module(struct command_call *call, struct str domain);
/* "room" of the call. */
struct jid muc_call_room(const struct command_call *call);
/* Is that the address of a room of ours?  False with err. */
bool muc_room_check(struct command_call *call, struct err *err);

/* What rooms show and rooms set call a field of the form.  Borrows from var. */
struct str muc_field_name(struct str var);

/* muc_command_list.c */
void muc_list_run(struct command_call *call);
void muc_unused_run(struct command_call *call);
bool muc_list_check(struct command_call *call, struct err *err);
bool muc_unused_check(struct command_call *call, struct err *err);

/* muc_command_set.c */
void muc_create_run(struct command_call *call);
void muc_set_run(struct command_call *call);
void muc_affiliate_run(struct command_call *call);
void muc_kick_run(struct command_call *call);
void muc_destroy_run(struct command_call *call);
bool muc_create_check(struct command_call *call, struct err *err);
bool muc_set_check(struct command_call *call, struct err *err);
bool muc_affiliate_check(struct command_call *call, struct err *err);
bool muc_destroy_check(struct command_call *call, struct err *err);

#endif
