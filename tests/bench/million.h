/*
 * million.h - bench_million: a whole server in one thread, with up to a million
 * sessions over connections in memory.
 *
 * The clients are as small as can be, because they lie in the same process: a
 * pointer to the connection each, and some text while one logs in.  Everything
 * belongs to the one thread.
 */
#ifndef TESTS_BENCH_MILLION_H
#define TESTS_BENCH_MILLION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"
#include "account/credentials.h"

struct conn;
struct server;

#define MILLION_HOST "million.test"
#define MILLION_PASSWORD "million-password"
#define MILLION_MAX 1000000
/* Numbers of accounts have as many digits everywhere, so that what stands
 * behind them stands at the same place. */
#define MILLION_ADDRESS "u%07u@" MILLION_HOST
#define MILLION_DIGITS 7

struct million_conf {
	unsigned sessions; /* in the end */
	unsigned first;    /* how many at first */
	unsigned contacts; /* in each roster */
	unsigned shards;
	unsigned batch;    /* messages that one turn finds */
	unsigned messages; /* for one figure */
	unsigned rate;     /* messages a second, by the simulated clock */
	unsigned active;   /* percent of the sessions that chat, where not all do */
	const char *folder; /* of the database; NULL: one that is removed again */
	const char *module_dir;
};

struct million {
	const struct million_conf *conf;
	struct server *server;
	struct clock_manual clock;
	struct rand_seeded rand;    /* the server's */
	struct rand_seeded choices; /* who talks */
	struct credentials creds;   /* of all accounts: one salt */
	uint8_t client_key[SCRAM_DIGEST_MAX], stored_key[SCRAM_DIGEST_MAX];
	struct conn **conns; /* by number of the account */
	unsigned online;
	bool closing; /* all that comes now is goodbye */
	struct login *logins; /* LOGINS of them; account n uses n % LOGINS */
	uint64_t arrived; /* writes that hold a message */
	uint64_t strayed; /* what came to the wrong client, or not at all */
};

/* Ends the process. */
_Noreturn void million_die(const char *what, const char *why);

/* --- million_server.c ------------------------------------------------------ */

/* A server with its modules, and accounts with rosters in its store.  Contact
 * lists are mutual, among thousand neighbours. */
void million_open(struct million *m, const char *folder);
void million_close(struct million *m);
/* Turns shards and store until none has anything to do. */
void million_settle(struct million *m);
/* Lets time pass. */
void million_pass(struct million *m, int64_t us);

/* --- million_login.c ------------------------------------------------------- */

/* Logs in until n sessions are online, each with roster and presence. */
void million_login(struct million *m, unsigned n);
/* What the server wrote to client number belongs to its login. */
bool million_login_takes(struct million *m, unsigned number, const char *p,
	size_t n);
/* A connection for client number, from bench_million.c. */
struct conn *million_connect(struct million *m, unsigned number);

#endif
