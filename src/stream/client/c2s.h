/*
 * c2s.h - streams of clients (RFC 6120 §4 to §7): from the accepted connection
 * to the bound session, and back to nothing.
 *
 * A stream lives on the shard that accepted it until it has authenticated, and
 * then on the shard of its account.
 */
#ifndef STREAM_CLIENT_C2S_H
#define STREAM_CLIENT_C2S_H

#include <stdbool.h>

#include "conf/listen_kind.h"

struct conn;
struct shard;

/* The kinds of ports that streams of clients come from. */
extern const struct listen_kind c2s_kinds[];

/* --- owner shard ---------------------------------------------------------- */

/* Starts a stream on c (taken), an in-memory connection, as if a listener had
 * accepted it; secure: as if with direct TLS. */
void c2s_accept_mem(struct shard *sh, struct conn *c, bool secure);

#endif
