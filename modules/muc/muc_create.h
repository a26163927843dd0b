/*
 * muc_create.h - who may make a room, what it may be called, and how it is then.
 *
 * Any thread; pure functions, but muc_may_create().
 */
#ifndef MUC_MUC_CREATE_H
#define MUC_MUC_CREATE_H

#include "muc.h"
#include "room_config.h"

struct room;

/* May user make r, which is not there?  Owner shard of r. */
enum stanza_cond muc_may_create(const struct room *r, struct jid user);

/* Is name as one of the patterns says?  A * stands for anything, all else for itself; the
 * letters of ASCII in any case, since those of addresses are small. */
bool muc_name_fits(const struct option_list *patterns, struct str name);

/* What the service says of new rooms. */
void muc_defaults_apply(const struct muc_conf *conf, struct room_config *c);

#endif
