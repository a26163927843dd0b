/*
 * server_federation.h - decides which domains of ours talk to other servers, and
 * reads whom they trust.
 */
#ifndef SERVER_SERVER_FEDERATION_H
#define SERVER_SERVER_FEDERATION_H

#include <stdbool.h>

struct config_federation;
struct err;
struct host;
struct snapshot;
struct tls_shown;

/* Said where hosts talk to other servers, and config_listens(c, "server") is false. */
#define FEDERATION_NO_PORT                                                     \
	"other servers cannot connect: `listen' has no port of kind server; add { kind: server, port: 5269 } and { kind: server, port: 5270, tls: direct }"

/* Why a host with these options, for which this certificate is shown, talks to
 * nobody; NULL: it does.  bare: it has none of its own, and could.  Any thread. */
const char *federation_obstacle(const struct config_federation *f, bool bare,
	const struct tls_shown *shown);

/* While a snapshot is made, behind its hosts and certificates.  What was read for
 * before (may be NULL), and has not changed, is used on. */
bool snapshot_federate(struct snapshot *snap, const struct snapshot *before,
	struct err *err);

/* Why host does not talk to other servers, in words; NULL: it does. */
const char *federation_hindrance(const struct snapshot *snap,
	const struct host *host);

/* A line for each domain of ours that says whether it talks to other servers, and
 * why not; of those that did the same in before (may be NULL), none.  And what is
 * amiss with ports and authorities. */
void federation_report(const struct snapshot *snap,
	const struct snapshot *before);

#endif
