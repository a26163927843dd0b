/*
 * listen.h - the ports that are open: who binds them, which shard accepts, what
 * happens to a connection before its kind sees it, and how all of it ends.
 *
 *	                 bound: listen_open(), or listen_adopt() by a reload
 *	                                v
 *	shard 0 .. n: a socket of each port ---- paused while its kind is not there
 *	        | accept
 *	        |---- a port behind a proxy: it says for whom (listen_proxy.c)
 *	        |---- a port of several kinds: to the server's newcomer(), until it
 *	        |     is known which one it is for, and listen_give()
 *	        |---- accept_raw: at once, all else is the kind's (streams)
 *	        v
 *	counted in (limits), TLS if it is direct, the first byte: else it is closed
 *	        v
 *	accept(), and from there on events of the kind
 *	        v
 *	counted out: closed by the kind, its peer, or when the module leaves
 *
 * What a snapshot says of ports is in force: a socket is found by its address and
 * port, and what it is for in the snapshot of the turn.  So the same socket may
 * become another kind's.
 */
#ifndef CORE_LISTEN_H
#define CORE_LISTEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "conf/listen_kind.h"

struct buf;
struct conn;
struct conn_protocol;
struct err;
struct guest;
struct module_ctx;
struct place;
struct server;
struct shard;
struct share;
struct snapshot;
struct stanza;

/* The sockets of one entry of `listen', one for each shard; or why there are
 * none.  Immutable, but that each shard takes its own. */
struct listen_port {
	atomic_uint refs;
	char *address;
	uint16_t port;  /* as in the file */
	uint16_t bound; /* what the system has chosen for 0 */
	char *why;      /* NULL: it is open */
	unsigned n;
	int fds[];      /* by shard; -1: taken */
};

/* Who has connected at a port, as its kind has it; the core's, and freed behind
 * closed() and behind the last answer that it waits for. */
struct listen_peer {
	struct conn *conn; /* NULL: it is gone */
	struct shard *shard;
	struct guest *guest; /* the core's, */
	unsigned asks;       /* as well; that are not answered */
};

typedef void (*listen_ask_fn)(struct listen_peer *p, const struct stanza *answer,
	const struct err *err);

/* A kind of port that a snapshot has. */
struct listen_row {
	const struct listen_kind *kind;
	struct module_ctx *m; /* that brings it, at the first host; NULL: the
			       * house does */
};

/* --- start-up, before threads ----------------------------------------------- */

/* Makes what is counted; freed with the server. */
void listen_init(struct server *srv);
void listen_done(struct server *srv);
/* Binds every port of the configuration: before privileges are dropped.  False
 * with err, and nothing is bound. */
bool listen_open(struct server *srv, struct err *err);

/* --- while a snapshot is made ----------------------------------------------- */

/* False with err: there is such a kind already. */
bool listen_add_kinds(struct snapshot *snap, const struct listen_kind *kinds,
	struct module_ctx *m, struct err *err);
/* Shard 0: next takes over from the one before what both have, and binds what is
 * new.  What that does not permit is logged, appended to out (may be NULL) as a
 * line, and waits for the next start; where the port was open at another address,
 * it stays there. */
void listen_adopt(struct snapshot *next, const struct snapshot *before,
	struct buf *out);
void listen_forget(struct snapshot *snap);

/* --- any thread ------------------------------------------------------------- */

/* Shards accept from now on; the main thread, after server_start(). */
void listen_start(struct server *srv);
/* Connections that are counted in. */
uint64_t listen_count(const struct server *srv);
struct listen_port *listen_port_ref(struct listen_port *p);
void listen_port_unref(struct listen_port *p); /* NULL is accepted */
/* NULL: snap has no such kind. */
const struct listen_row *listen_row(const struct snapshot *snap,
	const char *kind);

/* --- ports of several kinds: listen_shared.c, any thread --------------------- */

/* The kind of at, open in snap, that has the protocol which was agreed on; NULL: none
 * has. */
const struct listen_row *listen_by_alpn(const struct snapshot *snap,
	const struct config_listen *at, struct str alpn);
/* The same with what a peer has sent, or else the first of the file that is open;
 * last: no more is looked at.  NULL with *more_out: it tells nothing yet. */
const struct listen_row *listen_by_bytes(const struct snapshot *snap,
	const struct config_listen *at, struct str first, bool last,
	bool *more_out);
/* Fills out, which has CONN_PROTOCOLS_MAX, with those that may be agreed on. */
size_t listen_protocols(const struct snapshot *snap,
	const struct config_listen *at, struct conn_protocol *out);
/* How long a peer may take to show what he is: the least that a kind of at gives to
 * strangers. */
int64_t listen_patience(const struct snapshot *snap,
	const struct config_listen *at);
/* Why the kind called so is closed, at any port; NULL: it is not. */
const char *listen_hindrance(const struct snapshot *snap, const char *kind);

/* --- owner shard ------------------------------------------------------------ */

/* The module that brings kind, at the first host that has it; for this turn.
 * NULL: it is not in force any more. */
struct module_ctx *listen_module(const struct shard *sh, const char *kind);

/* What p is for in the snapshot of this turn; NULL: for nothing any more. */
const struct config_listen *listen_entry(const struct shard *sh,
	const struct listen_port *p);
/* Who has come is of the kind row from now on. */
void listen_give(struct shard *sh, const struct listen_row *row,
	const struct listen_arrival *a);

/* iq_ask() for a peer: fn is called unless the peer is gone by then, and m stays
 * loaded. */
void listen_ask(struct listen_peer *p, struct module_ctx *m, struct stanza *st,
	int64_t timeout_us, listen_ask_fn fn);

/*
 * p (with no ask open) goes on at another place, or at this one again: from here on
 * nobody knows it, until arrived(p) is called there in another turn, or, where p is
 * not wanted any more or has broken, closed() alone.  What it sends meanwhile waits.
 * False: its connection has ended already, and nothing has happened.
 */
bool listen_move(struct listen_peer *p, struct place to,
	void (*arrived)(struct listen_peer *p));

/* A connection of accept_raw, or one in memory; c NULL: one that we have made, which
 * counts for no address.  NULL, and it counts; else which limit is reached. */
const char *listen_count_in(struct shard *sh, const struct conn *c);
void listen_count_out(struct shard *sh, const struct conn *c);

/* What is not a connection counts as one of the address with that key (as
 * conn_peer_key(); may be empty).  False: it has too many. */
bool listen_count_for(struct shard *sh, struct str key);
void listen_count_off(struct shard *sh, struct str key);

/* Memory is short: closes the connections of modules whose share this is. */
void listen_cut(struct shard *sh, const struct share *share);

/* Another snapshot is in force: opens, shuts and pauses what it has otherwise,
 * and closes the connections of modules that have left. */
void listen_follow(struct shard *sh);
/* Stops accepting for good, and closes what modules have accepted. */
void listen_stop(struct shard *sh);
/* The shard ends. */
void listen_shard_free(struct shard *sh);

#endif
