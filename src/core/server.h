/*
 * server.h - the whole, as each part of it sees it: shards, store, configuration,
 * modules.
 *
 * src/server makes it, and puts a new configuration in force.
 */
#ifndef CORE_SERVER_H
#define CORE_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/timer.h"
#include "store/store.h"

struct command_registry;
struct crash_last;
struct conn;
struct disk;
struct dns_check;
struct entity_class;
struct listen_arrival;
struct listen_kind;
struct module_registry;
struct remote_streams;
struct shard;
struct server_changes;
struct server_dns;
struct share;
struct snapshot;
struct store;
struct tally;
struct worker;

struct server {
	const struct clock *clock;
	struct clock_shifted *clock_shift; /* how a test moves clock; or NULL */
	struct rand_source *rand; /* seeded in a simulation; else the CSPRNG */
	struct store *store;
	struct worker *worker;    /* slow work, such as deriving keys */
	struct disk *disk;        /* files that users exchange */
	struct shard **shards;
	unsigned n_shards;
	bool threaded;            /* false: the caller turns the shards */
	bool store_in_memory;
	bool may_be_new;
	struct hash_key hash_key; /* of server_hash() */
	struct share *shares;     /* see budget.h */
	uint64_t memory_default;  /* bytes that may wait */
	char stop_mark[RAND_ID_SIZE]; /* of the last stop, and of this one, while
				       * something of it sleeps; else "".  Shard 0
				       * writes it while no other shard has a
				       * sleeper */
	bool was_killed;          /* it was not stopped in order once: nobody
				   * writes it after the start */
	int64_t killed_us;        /* then: when it was started after the last
				   * time; monotonic, perhaps below 0 */
	bool is_killed;           /* shard 0 only: nor is it now */
	unsigned n_sleeping;      /* shard 0 only: that have any */
	unsigned n_sleepers;      /* accounts that there were at the start */
	uint8_t secret[32];       /* for salts of users that do not exist */
	struct tally *connections; /* in all, and by address: see listen.h */
	const struct listen_kind *kinds; /* of ports, that the house has */
	unsigned n_sockets;       /* of each port: as many as shards */
	struct module_registry *modules;
	const char *module_dir;   /* where loadable ones lie */
	struct command_registry *commands; /* NULL: there is none */
	const char *config_path;
	struct crash_last *last_crash; /* what its report says; NULL: none */
	int64_t started_us;       /* monotonic */
	struct snapshot *newest;  /* shard 0 only: what the last reload made */
	struct server_changes *changes; /* shard 0 only: that are asked for */
	uint64_t snapshots;       /* shard 0 only: how many were in force */
	struct timer expiry;      /* shard 0 only: see cert_expiry.h */
	const struct entity_class *remote_class; /* of domains of others */
	const struct remote_streams *remote_streams; /* how to reach them, set
				   * at the start; NULL: nobody can */
	void *streams;            /* the stream layer's own, for all shards */
	/* Of a simulation, in place of names and the network: a connection in
	 * memory to domain, on sh; NULL: nobody is there. */
	struct conn *(*reach)(struct server *srv, struct shard *sh,
		const char *domain);
	struct server_dns *dns;   /* shard 0 only: see server_dns.h; or NULL */
	struct dns_check *dns_check; /* shard 0 only: the one under way; NULL */
	void *ctl;                /* the control socket's own */
	void (*request_stop)(struct server *srv); /* any thread: ends the daemon */
	/* Somebody has come to a port of several kinds; set by the stream layer. */
	void (*newcomer)(struct shard *sh, const struct listen_arrival *a);
	/* Shard 0: a new configuration is in force; set by the stream layer. */
	void (*on_reloaded)(struct server *srv);
};

/* --- any thread ---------------------------------------------------------- */

/* The map that the server itself keeps. */
static inline struct store_place
server_map(void)
{
	return (struct store_place){ STR("."), STR(""), STR("server") };
}

/* Beside it, which domains of ours have something in a log for which of others
 * (remote/remote_log.c). */
static inline struct store_place
server_logs_map(void)
{
	return (struct store_place){ STR("."), STR(""), STR("s2s_logs") };
}

/* Of a bare address: what finds its place (place.h), and its entry there. */
static inline uint64_t
server_hash(const struct server *srv, struct str bare)
{
	return hash_bytes(&srv->hash_key, bare.p, bare.n);
}

#endif
