/*
 * cert_expiry.h - tells in the log, once a day, which certificates end soon.
 *
 * Who renews by hand forgets, and who has a program do it does not see that it
 * has failed: nothing goes wrong before the last day, and then nobody gets in.
 */
#ifndef CORE_CERT_EXPIRY_H
#define CORE_CERT_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct shard;
struct snapshot;

/* --- any thread ---------------------------------------------------------- */

/* A line for each host of snap whose certificates end within the time that
 * `tls: expiry_warning' says, or have ended. */
void cert_expiry_report(const struct snapshot *snap);
/* The host whose certificates end first, and whole days until then, negative
 * when that is past.  False when no host has any. */
bool cert_expiry_first(const struct snapshot *snap, struct str *host_out,
	int64_t *days_out);

/* --- shard 0 --------------------------------------------------------------- */

/* For shard_post: from now on a report of what is in force each day. */
void cert_expiry_watch(struct shard *sh, void *arg);

#endif
