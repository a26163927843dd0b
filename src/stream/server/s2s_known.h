/*
 * s2s_known.h - what a shard knows of other servers that have come: their streams,
 * and why some were not let in.
 *
 * Owner shard: of a stream, and of failures that to which the domain hashes.
 */
#ifndef STREAM_SERVER_S2S_KNOWN_H
#define STREAM_SERVER_S2S_KNOWN_H

#include "stream/server/s2s_in_int.h"

/* Of one shard, of one domain, and of one address. */
#define S2S_REFUSALS_MAX 64
#define S2S_REFUSALS_OF_DOMAIN 4
#define S2S_REFUSALS_OF_ADDRESS 8

/* One way in which a domain was not let in. */
struct s2s_refusal {
	int64_t first_us, last_us; /* of the wall clock */
	uint32_t times;
	bool told; /* the log says so, and none of its streams was let in since */
	uint8_t n_key;
	uint8_t key[16]; /* conn_peer_key() */
	char *local, *remote;
	char *peer; /* the last address it came from */
	char *why;  /* for an administrator */
};

struct s2s_known {
	LIST_HEAD(, s2s_in) streams; /* the newest first */
	uint64_t last_serial;
	size_t n_dane_asks;   /* under way */
	uint64_t unsigned_of; /* serial of the snapshot in which the DNS is known
			       * to have no signatures for us */
	/* s2s_in_resume.c's own: */
	TAILQ_HEAD(s2s_asleep, s2s_sm_in) asleep; /* longest first */
	size_t n_asleep, asleep_bytes;
	LIST_HEAD(, s2s_moved) moved;
	size_t n_refusals;
	struct s2s_refusal *refusals; /* the newest first; NULL: none yet */
};

/* NULL: nothing is known. */
struct s2s_known *s2s_known(struct shard *sh);

#endif
