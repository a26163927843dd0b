/*
 * account_batch.h - many accounts at once: lines of addresses and passwords, or
 * of verifiers that another server has kept.
 *
 *   anna@example.org secret word
 *   bert@example.org SCRAM-SHA-256$4096:c2FsdA==$stored:server SCRAM-SHA-1$...
 *
 * Empty lines and those that begin with '#' are left out.
 */
#ifndef ACCOUNT_ACCOUNT_BATCH_H
#define ACCOUNT_ACCOUNT_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "xmpp/jid.h"
#include "account/credentials.h"

struct account_batch;
struct arena;
struct shard;

/* Accounts in one transaction. */
#define ACCOUNT_BATCH_MAX 1000

struct batch_line {
	struct account_batch *batch;
	struct str text;    /* the address as it stands there */
	struct jid jid;     /* bare; not set when it is none */
	struct str password; /* STR_NONE: creds are there already */
	struct credentials creds;
	struct err err;     /* ERR_NONE: the account was, or can be, created */
	uint32_t iterations;
};

struct account_batch {
	struct batch_line *lines;
	size_t n;
	/* account_batch_create's own */
	struct shard *shard;
	size_t pending;
	size_t next; /* the line whose keys are derived next */
	void (*done)(void *arg);
	void *arg;
};

/* --- any thread: pure --------------------------------------------------- */

/*
 * Splits text into lines; both are borrowed as long as out.  A line with a
 * mistake gets its err, and is left out of what follows.  False (ERR_LIMIT) for
 * more than ACCOUNT_BATCH_MAX lines.
 */
bool account_batch_parse(struct account_batch *out, struct str text,
	struct arena *a, struct err *err);
/* Overwrites what is secret and frees the lines. */
void account_batch_done(struct account_batch *b);

/* --- any shard ---------------------------------------------------------- */

/*
 * Creates all accounts of b that have no err, in one transaction; when that
 * fails one by one, so that a conflict costs only itself.  Keys are derived on
 * the worker.  Calls done on sh when each line has its outcome in err.
 */
void account_batch_create(struct shard *sh, struct account_batch *b,
	void (*done)(void *arg), void *arg);

#endif
