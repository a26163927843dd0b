/*
 * c2s_world.h - a whole server in one thread, and clients whose bytes never
 * leave the process; for tests of streams.
 */
#ifndef TESTS_UNIT_C2S_WORLD_H
#define TESTS_UNIT_C2S_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"
#include "conf/listen_kind.h"
#include "core/shard.h"
#include "certs.h"

#define HEADER                                                                 \
	"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "           \
	"xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "       \
	"to='example.org'>"
/* A header with namespaces of choice. */
#define HEAD(ns, sns, rest)                                                    \
	"<?xml version='1.0'?><stream:stream xmlns='" ns "' xmlns:stream='" sns \
	"' " rest ">"
#define C "jabber:client"
#define S "http://etherx.jabber.org/streams"
#define TO "to='example.org' version='1.0'"
#define TLS "xmlns='urn:ietf:params:xml:ns:xmpp-tls'"
#define SASL(name, text)                                                       \
	"<" name " xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" text "</" name ">"
#define AUTH(mechanism, text)                                                  \
	"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" mechanism \
	"'>" text "</auth>"
/* \0romeo\0secret-one, and with a wrong password */
#define AUTH_ROMEO AUTH("PLAIN", "AHJvbWVvAHNlY3JldC1vbmU=")
#define AUTH_WRONG AUTH("PLAIN", "AHJvbWVvAHdyb25n")
#define BIND(resource)                                                         \
	"<iq type='set' id='bind1'><bind "                                     \
	"xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" resource         \
	"</resource></bind></iq>"

struct world {
	struct listen_kind kinds[5];
	struct clock_manual clock;
	struct rand_seeded rand;
	struct server *server;
	struct certs_dir dir;
};

/* The other side of a stream. */
struct peer {
	struct world *world;
	struct conn *conn; /* NULL when closed */
	struct buf got;    /* what came since it was last looked at */
	bool closed;
};

/* more is YAML of top-level sections, or ""; host is that of the options of
 * example.org.  Accounts: romeo, juliet (secret-one). */
void world_init(struct world *w, unsigned n_shards, const char *more,
	const char *host);
/* The same with threads, the real clock and listeners, whose ports go to ports;
 * one account, romeo.  The caller closes and stops it. */
void world_init_threaded(struct world *w, unsigned n_shards, const char *more,
	uint16_t *ports);
/* Closes all streams, and stops. */
void world_done(struct world *w);
/* Puts a configuration (YAML) in force. */
void world_reload(struct world *w, const char *yaml);
/* The same, but the shards have yet to turn. */
void world_publish(struct world *w, const char *yaml);
/* Until nothing is left to do. */
void world_settle(struct world *w);
/* Moves the clock, in steps. */
void world_advance(struct world *w, int64_t us);
void world_add_account(struct world *w, const char *name);
/* The same with a verifier of each hash, as if made with other settings. */
void world_add_account_as(struct world *w, const char *name,
	uint32_t iterations, uint32_t salt_bytes);
/* The shard that owns name@example.org. */
struct shard *world_owner(struct world *w, const char *name);

void peer_open(struct peer *p, struct world *w, unsigned shard, bool secure);
/* As if a port of this kind had accepted it. */
void peer_open_at(struct peer *p, struct world *w, unsigned shard,
	const struct listen_kind *kind);
/* Over TLS, from an IPv4 or IPv6 address. */
void peer_open_from(struct peer *p, struct world *w, unsigned shard,
	const char *address);
/* Of kind http, or else over TLS, https or web; address may be NULL. */
void peer_open_web(struct peer *p, struct world *w, unsigned shard,
	const char *kind, const char *address);
void peer_done(struct peer *p);
/* Sends text; what came back is in got, instead of what was there. */
void peer_say(struct peer *p, const char *text);
void peer_say_n(struct peer *p, const char *text, size_t n);
bool peer_has(struct peer *p, const char *text);
/* Logs in and binds; resource as in BIND. */
void peer_login(struct peer *p, const char *auth, const char *bind);

/* Every one of the texts, in this order; ends with NULL. */
#define CHECK_GOT(p, ...)                                                      \
	peer_check(p, __FILE__, __LINE__,                                      \
		(const char *const[]){ __VA_ARGS__, NULL })
void peer_check(struct peer *p, const char *file, int line,
	const char *const *texts);

#endif
