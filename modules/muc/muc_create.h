/*
 * muc_create.h - who may make a room, what it may be called, and how it is then.
 */
#ifndef MUC_MUC_CREATE_H
#define MUC_MUC_CREATE_H

#include "muc.h"
#include "room_config.h"

struct room;

/* Why may user not make r, which is not there?  NULL: he may.  Owner shard of r.  A name
 * fits one of the patterns (names), in which a * stands for anything and all else for
 * itself; the letters of ASCII in any case, since those of addresses are small. */
const char *muc_refuses_new(const struct room *r, struct jid user);

/* What the service says of new rooms.  Any thread. */
void muc_defaults_apply(const struct muc_conf *conf, struct room_config *c);

#endif
