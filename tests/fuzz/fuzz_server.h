/*
 * fuzz_server.h - a server for targets that feed a stream: two shards in one
 * thread, a store in memory, and one connection.
 */
#ifndef TESTS_FUZZ_SERVER_H
#define TESTS_FUZZ_SERVER_H

#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"

struct conn;
struct server;

struct fuzz {
	struct clock_manual clock;
	struct rand_seeded rand;
	struct server *server;
	struct conn *conn; /* NULL when closed */
	struct buf got;    /* what it was written */
};

/* f is zeroed.  Of a configuration without modules. */
void fuzz_start(struct fuzz *f, const char *conf_text);
/* A little later, nobody has anything to do any more. */
void fuzz_settle(struct fuzz *f);
/* Borrowed: until the server closes it, which sets f->conn to NULL. */
struct conn *fuzz_connect(struct fuzz *f);
/* In pieces, each of which is dealt with before the next one comes. */
void fuzz_feed(struct fuzz *f, const char *p, size_t n, size_t piece);
/* Checks that nothing is left. */
void fuzz_stop(struct fuzz *f);

#endif
