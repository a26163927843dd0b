/*
 * listen_kind.h - what is said of ports: an entry of `listen', and the kinds of
 * ports that an entry may name.
 *
 * Rows are written by the layer, or the module, that deals with who connects
 * there; the configuration checks entries against them, and core/listen.h calls
 * them.
 */
#ifndef CONF_LISTEN_KIND_H
#define CONF_LISTEN_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "conf/option.h"

struct conn;
struct conn_events;
struct listen_peer;
struct listen_port;
struct module_ctx;
struct shard;
struct snapshot;

enum listen_tls {
	LISTEN_STARTTLS, /* when the peer asks for it, which the kind does */
	LISTEN_DIRECT,   /* with the first byte */
	LISTEN_PLAIN,    /* `none` */
};
#define LISTEN_TLS_MODES 3
/* "starttls", "direct", "none", NULL. */
extern const char *const config_listen_tls[];

/* One port may have several kinds. */
#define LISTEN_KINDS_MAX 4

struct config_listen {
	struct option_list kinds; /* each the name of a struct listen_kind */
	const char *kind; /* the same for the log: "c2s", "c2s,server" */
	int tls;          /* enum listen_tls */
	const char *address; /* as in net/listener.h */
	int64_t port;
	int64_t backlog;
	bool proxy_protocol; /* proxies say from whom a connection is */
	bool unasked; /* nobody has named it: its kind is standard */
};

/* Who has come to a port, for its kind. */
struct listen_arrival {
	struct conn *conn;              /* taken */
	const struct config_listen *at; /* borrowed, as port */
	struct listen_port *port;
	int64_t since_us; /* when; monotonic */
	bool counted;     /* in the limits, already */
};

/* Are the first bytes of somebody such as come to a kind? */
enum listen_verdict {
	LISTEN_NOT_MINE,
	LISTEN_MORE, /* of them are needed */
	LISTEN_MINE,
};

/* Names of one kind, for TLS. */
#define LISTEN_ALPN_MAX 2

/*
 * A kind of port: who connects there, what the file may say of it, and who deals
 * with them.  Rows of the house, and of modules; a table ends with
 * { .name = NULL }.  core/listen.h says what happens to a connection before it
 * comes to its kind.
 */
struct listen_kind {
	const char *name;     /* as it stands in the file */
	const char *summary;  /* who connects there, one phrase */
	unsigned tls_modes;   /* LISTEN_MAY() of each that makes sense; or-ed */
	enum listen_tls tls;  /* when the file says nothing */
	/* By that: when the file names none; 0: it has to. */
	uint16_t ports[LISTEN_TLS_MODES];
	bool standard; /* opened at that port where the file has no `listen'; of
			* a module, while it is on */
	const char *address;  /* when the file names none; NULL: "*" */
	/* With LISTEN_DIRECT: the protocols to agree on if a peer offers any (RFC
	 * 7301), of 31 bytes at most; NULL: it is not asked for, alone at a
	 * port. */
	const char *alpn[LISTEN_ALPN_MAX];
	bool forwards; /* what proxies that are trusted send says itself from whom it
			* is: their connections count for no address */
	bool of_servers; /* under those the peer is another server */
	/* Where a port has several kinds, and no ALPN has said which: what a peer
	 * has sent so far.  Whom nobody takes comes to the kind that is named
	 * first.  NULL: shares no port, unless its alpn tells. */
	enum listen_verdict (*recognise)(struct str first);
	const char *alone; /* why it shares none at all, a phrase; or NULL */
	int64_t first_byte_us; /* until the first byte; 0: LISTEN_FIRST_BYTE_US */
	int64_t quiet_us; /* from then on, until the next; 0: as long as he likes.
			   * Who says nothing for so long is closed */
	/* Why nobody is to come by such a port, which then stays shut; NULL: it is
	 * opened for this kind.  While a snapshot is made, and whenever somebody
	 * comes to a port of several.  NULL: always opened. */
	const char *(*hindrance)(const struct snapshot *snap);

	/* What is kept of a peer: a struct that begins with struct listen_peer,
	 * zeroed behind that; events get it as arg.  0: that alone. */
	size_t size;
	/* The first byte of a peer is there: m is the module that brings the row,
	 * at the first host that has it, until the turn ends; at is borrowed.
	 * False: it is closed, unseen.  NULL: all are accepted. */
	bool (*accept)(struct module_ctx *m, struct listen_peer *p,
		const struct config_listen *at);
	const struct conn_events *events; /* closed may be NULL */
	/* Another snapshot is in force, at the shard of p.  NULL: it does not
	 * matter. */
	void (*follow)(struct listen_peer *p);
	/* The server stops.  True: p ends by itself, soon; false, or NULL: it is
	 * closed now. */
	bool (*leave)(struct listen_peer *p);

	/* For streams, in place of both: a connection as it comes from the
	 * network, or, where a port has several kinds, from those who have waited
	 * for what it would be: counted, and with TLS.  That, limits and time are
	 * the kind's own. */
	void (*accept_raw)(struct shard *sh, const struct listen_arrival *a);
};

#define LISTEN_MAY(mode) (1u << (mode))
/* How long a stranger may say nothing; TLS has to be agreed on in that time. */
#define LISTEN_FIRST_BYTE_US (30 * US_PER_S)

#endif
