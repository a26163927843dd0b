/*
 * listen_kind.h - what is said of ports: an entry of `listen', and the kinds of
 * ports that an entry may name.
 *
 * Rows are written by the layer that deals with who connects there; the
 * configuration checks entries against them, and core/listen.h calls them.
 */
#ifndef CONF_LISTEN_KIND_H
#define CONF_LISTEN_KIND_H

#include <stdint.h>

struct conn;
struct shard;

enum listen_tls {
	LISTEN_STARTTLS, /* when the peer asks for it, which the kind does */
	LISTEN_DIRECT,   /* with the first byte */
	LISTEN_PLAIN,    /* `none` */
};
#define LISTEN_TLS_MODES 3
/* "starttls", "direct", "none", NULL. */
extern const char *const config_listen_tls[];

struct config_listen {
	const char *kind; /* name of a struct listen_kind */
	int tls;          /* enum listen_tls */
	const char *address; /* as in net/listener.h */
	int64_t port;
	int64_t backlog;
};

/*
 * A kind of port: who connects there, what the file may say of it, and who deals
 * with them.  A table ends with { .name = NULL }.
 */
struct listen_kind {
	const char *name;     /* as it stands in the file */
	const char *summary;  /* who connects there, one phrase */
	unsigned tls_modes;   /* LISTEN_MAY() of each that makes sense; or-ed */
	enum listen_tls tls;  /* when the file says nothing */
	/* By that: when the file names none; 0: it has to. */
	uint16_t ports[LISTEN_TLS_MODES];

	/* Owner shard: a connection (taken) as it comes from the network.  TLS,
	 * limits and time are the kind's own. */
	void (*accept_raw)(struct shard *sh, struct conn *c,
		const struct config_listen *at);
};

#define LISTEN_MAY(mode) (1u << (mode))
#endif
