/*
 * federation_standin.h - who talks to whom: everybody to everybody, until hosts say
 * what they do.
 */
#ifndef CORE_FEDERATION_STANDIN_H
#define CORE_FEDERATION_STANDIN_H

#include "base/str.h"

struct host;
struct snapshot;

enum federation_verdict {
	FEDERATION_MAY,
	FEDERATION_OFF_HERE,
	FEDERATION_FORBIDDEN,
};

static inline enum federation_verdict
federation_may(const struct snapshot *snap, const struct host *local,
	struct str remote)
{
	(void)snap;
	(void)local;
	return str_is(remote, "forbidden.example") ? FEDERATION_FORBIDDEN :
						     FEDERATION_MAY;
}

#endif
