/*
 * newcomer.h - somebody at a port of several kinds, until it is known for which of
 * them he has come.
 *
 *	accepted --direct TLS--> handshake --a protocol by ALPN---.
 *	   |                        | he offered none             |
 *	   v                        v                             v
 *	the first bytes: by whose they are, or of the kind -> listen_give(), and they
 *	that is named first                                   are told again
 *	   |
 *	   |
 *	   |--the time of strangers, and he has begun a stream--> the kind that is named
 *	   |                                                      first, which says so
 *	   `--that time, a crowd of them, a reload, the stop--> closed
 *
 * Owner shard, always the one that has accepted him.  He is a stranger as any: he
 * counts in limits: connections, connections_per_address and, whatever kinds the port
 * has, unauthenticated_connections, and what he counts in goes with him.  He has the
 * least of the times that those kinds give to strangers, and of his bytes
 * NEWCOMER_BYTES are looked at; those count in the rates of the kind that gets them.
 * Here he is told nothing, for nobody knows in which protocol.
 */
#ifndef STREAM_NEWCOMER_H
#define STREAM_NEWCOMER_H

struct listen_arrival;
struct shard;

/* What is looked at to find out: a header of a stream has some hundred. */
#define NEWCOMER_BYTES 4096

/* For struct server. */
void newcomer_new(struct shard *sh, const struct listen_arrival *a);

#endif
