/*
 * budget.h - a bound on what waits in the whole process: limits: memory.
 *
 * Each account has a share, found by its hash, in which counts what its sessions
 * have sent, what was made of it, their presence, what the store answered, and
 * what its clients do not read; an address has one for what it asks by HTTP.
 * Above three quarters of the budget, streams of those rest who hold more than
 * others do, and what they ask by HTTP is refused; above the whole, all their
 * requests are; and when that has not helped for a second, the sessions, or the
 * connections, of the one with the most are closed.  Nobody else notices.
 */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct server;
struct shard;
struct share;

enum budget_level {
	BUDGET_FINE,
	BUDGET_TIGHT, /* above three quarters */
	BUDGET_OVER,
};

/* What a shard has seen last. */
struct budget {
	int64_t looked_us;
	int64_t over_since_us; /* 0: it is not */
	int64_t waiting;       /* bytes in the whole process */
	int64_t fair;          /* who has more is slowed */
	enum budget_level level;
};

/* --- start-up, before threads ----------------------------------------------- */

struct share *budget_shares_new(void);
/* Half of what the machine, or our control group, has. */
uint64_t budget_default(void);

/* --- any thread ------------------------------------------------------------- */

/* Of the account with this server_hash(); one in 16384 has the same. */
struct share *budget_share(const struct server *srv, uint64_t hash);
/* What waits now, in bytes. */
int64_t budget_waiting(void);
uint64_t budget_max(const struct shard *sh);

/* --- owner shard ------------------------------------------------------------ */

/* Once a turn. */
void budget_look(struct shard *sh);
/* What the account has to expect: BUDGET_TIGHT, it rests; BUDGET_OVER, its
 * requests are refused. */
enum budget_level budget_judge(const struct shard *sh, uint64_t hash);

#endif
