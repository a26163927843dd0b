/*
 * server_federation.h - decides which domains of ours talk to other servers, and
 * reads whom they trust.
 */
#ifndef SERVER_SERVER_FEDERATION_H
#define SERVER_SERVER_FEDERATION_H

#include <stdbool.h>

struct err;
struct host;
struct snapshot;

/* While a snapshot is made, behind its hosts and certificates.  What was read for
 * before (may be NULL), and has not changed, is used on. */
bool snapshot_federate(struct snapshot *snap, const struct snapshot *before,
	struct err *err);

/* Why host does not talk to other servers, in words; NULL: it does. */
const char *federation_hindrance(const struct snapshot *snap,
	const struct host *host);

/* A line for each domain of ours that says whether it talks to other servers, and
 * why not; of those that did the same in before (may be NULL), none. */
void federation_report(const struct snapshot *snap,
	const struct snapshot *before);

#endif
