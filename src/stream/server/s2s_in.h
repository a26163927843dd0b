/*
 * s2s_in.h - streams that other servers open to us.
 *
 * A stream stays on the shard that accepted it, or goes to that of its domain, if it
 * is to take what goes there (XEP-0288).
 */
#ifndef STREAM_SERVER_S2S_IN_H
#define STREAM_SERVER_S2S_IN_H

#include "conf/listen_kind.h"

/* The kind of ports that they come from. */
extern const struct listen_kind s2s_in_kinds[];

#endif
