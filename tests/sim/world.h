/*
 * world.h - a whole server in one thread, and clients that talk to it through
 * memory: scripted clock, seeded randomness, store in memory, and shards that
 * take their turns in an order drawn from the seed.  What fails once can be
 * replayed from its seed.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"

struct arena;
struct client;
struct conn;
struct elem;
struct server;
struct shard;
struct world;
struct xml_parser;
struct xml_pool;

#define WORLD_HOST "sim.example"
#define WORLD_PASSWORD "secret"

struct world {
	struct server *server;
	struct clock_manual clock;
	struct rand_seeded rand;  /* the server's */
	struct rand_seeded turns; /* the order of turns, and what users do */
	struct xml_pool *xml;     /* of the clients' parsers */
	unsigned n_shards;
	uint64_t n_turns;
	char *folder; /* of links to modules; NULL: none */
	char *module_dir, *more_conf;
	char *store; /* folder of the database; NULL: it lies in memory */
	const char *hosts; /* lines of YAML, the test's own; NULL: WORLD_HOST */
	bool slow_store;   /* it turns now and then only */
	/* Of each server that it starts: then it talks to others; or NULL. */
	struct conn *(*reach)(struct server *srv, struct shard *sh,
		const char *domain);
	/* While it stops: in place of world_settle(); or NULL. */
	void (*settle)(struct world *w);
	void *user; /* the test's own */
};

/* more_conf: lines of YAML for the configuration, or ""; module_dir is where
 * loadable modules lie, or several folders with ':' between them.  Ends the
 * process when it cannot be made. */
struct world *world_new(uint64_t seed, unsigned n_shards,
	const char *module_dir, const char *more_conf);
/* The same, with a database on disk, so that it can be started anew. */
struct world *world_new_lasting(uint64_t seed, unsigned n_shards,
	const char *module_dir, const char *more_conf);
/* With .hosts, .reach and .settle of `like', which has nothing else. */
struct world *world_new_like(uint64_t seed, unsigned n_shards,
	const char *module_dir, const char *more_conf, bool lasting,
	const struct world *like);
/* For many worlds: module_dirs as one folder, which is owned. */
char *world_modules(const char *module_dirs);
void world_modules_free(char *folder, const char *module_dirs);
/* Its configuration, with .hosts as they are now, is put in force. */
void world_reload(struct world *w);
/* Stops it in order, and starts it with so many shards. */
void world_restart(struct world *w, unsigned n_shards);
/* As by kill -9, of one that lasts: what is not on disk is lost, and clients, which
 * have broken off before, find another server. */
void world_kill(struct world *w, unsigned n_shards);
void world_free(struct world *w);

/* Makes an account with WORLD_PASSWORD, durable when it returns. */
void world_add_account(struct world *w, const char *local);
void world_add_account_at(struct world *w, const char *local,
	const char *domain);

/* One turn of a shard, or of the store, drawn by the seed. */
void world_turn(struct world *w);
/* Each of them at least once; true: there was something to do. */
bool world_round(struct world *w);
/* When the next timer is due, monotonic; INT64_MAX: never. */
int64_t world_next_us(const struct world *w);
/* Until nothing moves any more, without moving the clock. */
void world_settle(struct world *w);
/* Moves the clock to wherever the next timer is due, but not by more than us;
 * settles before and after. */
void world_sleep(struct world *w, int64_t us);

static inline uint64_t
world_draw(struct world *w, uint64_t below)
{
	return rand_below(&w->turns.source, below);
}

/* Reads anew every account that is loaded, which nobody notices: false, and out
 * says what was there before and after, when they differ. */
bool world_memory_is_disk(struct world *w, struct buf *out);

/* --- clients ----------------------------------------------------------------- */

enum client_state {
	CLIENT_OFF,
	CLIENT_GREETING,  /* has sent a stream header, before login */
	CLIENT_AUTH,
	CLIENT_BIND,
	CLIENT_RESUME,    /* has asked for its session, see client_resume() */
	CLIENT_ONLINE,    /* has a session, the roster, and sent presence */
	CLIENT_FAILED,
};

struct client {
	struct world *world;
	char local[32];
	char resource[32];
	const char *domain; /* WORLD_HOST unless the test says otherwise */
	enum client_state state;
	struct conn *conn;
	struct xml_parser *parser;
	struct buf in; /* what the server has written, and is not read yet */
	bool closed;   /* the server's side is gone */
	int priority;
	bool resumable; /* asks for it as soon as it is online (mod_testresume) */
	bool copies;    /* wants them, as soon as it is online (XEP-0280) */
	bool resumes;   /* its login is to find its session again */
	bool counts;    /* every stanza that comes: it may resume */
	uint32_t h;     /* how many have come */
	/* It has logged in, and is to bind a resource, in an iq with the id
	 * "bind", or to resume a session; NULL: it does so by itself. */
	void (*on_login)(struct client *c);
	/* Every stanza that comes once it is online, in its own arena, which the
	 * callee frees. */
	void (*on_stanza)(struct client *c, struct arena *a, struct elem *e);
	void *user;
};

void client_init(struct client *c, struct world *w, const char *local,
	const char *resource);
/* Opens a connection to a shard drawn by the seed, and starts to log in. */
void client_connect(struct client *c);
/* The same, to find its session again: ONLINE in the end, or FAILED. */
void client_resume(struct client *c);
/* Says how many stanzas have come; id is that of the request. */
void client_ack(struct client *c, const char *id);
/* Reads what has come; called by world_turn for clients that were connected. */
void client_read(struct client *c);
void client_send(struct client *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Says goodbye; what is on the way still comes. */
void client_leave(struct client *c);
/* The connection breaks; what is on the way is lost. */
void client_break(struct client *c);
void client_done(struct client *c);

#endif
