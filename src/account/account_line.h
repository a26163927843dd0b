/*
 * account_line.h - keeps the order of what an account does and of what happens
 * to it, while some of it waits to be durable.
 *
 * A change is in force in memory at once, so that the next handler sees it; what
 * it lets others see (answers, pushes, the stanza to the contact) happens when it
 * is durable.  Whatever else the account sends in that time, or is to be
 * delivered to its sessions, waits in line behind it: so order between two
 * entities is kept (RFC 6120 §10.1), though only some of it waits for the disk.
 * Commits do not wait for each other: only their effects do.
 *
 * When a commit has failed, those behind it fail with it, for each rests on what
 * memory held; the steps of all of them are told so, and the account is read anew
 * before any step is run (account_hold.h).  So memory is never ahead of the disk
 * but for changes that are on their way.
 *
 * What a session asks of bare addresses, its own account and others, waits in
 * lines of the session before (requests.h), so that a get shows what was set
 * before it, and nothing else:
 *
 *   session_receive                   passes                what waits
 *     |
 *     v
 *   lines of the session              messages, iqs to      gets behind sets,
 *     |  own account | others           full addresses (*)   sets behind gets,
 *     v                                                      too many of either
 *   hooks
 *     |
 *     v
 *   line of the account <-- arrivals  iqs of the account    all else, behind
 *     |                                to itself; probes,   commits and halts
 *     v                                subscriptions
 *   router, sessions, callbacks        that arrive; at a
 *                                      halt, iqs that we
 *                                      answer
 *
 *   (*) But not a set to the own account that is not answered yet, nor what
 *       waits for that.  Presence does not pass a get to it either.
 *
 * What waits counts with its real bytes; above a bound its stream rests.  A line
 * holds up its own session, or its own account, and nobody else.
 *
 * Owner shard.
 */
#ifndef ACCOUNT_ACCOUNT_LINE_H
#define ACCOUNT_ACCOUNT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "xmpp/jid.h"

struct account;
struct account_step;
struct err;
struct stanza;
struct store_tx;

STAILQ_HEAD(account_steps, account_step);

/* Zeroed memory is an empty line. */
struct account_line {
	struct account_steps steps;
	struct account_step *running; /* its effects are not in line again */
	struct line_chain *chain; /* of what is being stored; NULL: nothing is */
	struct recipients *last;  /* of the last fan-out in line; may be NULL */
	size_t bytes; /* of what waits; at inbox_bytes stanzas are refused, and
		       * the account's own streams rest */
	bool rests; /* until half of it is gone */
};

/* --- owner shard ------------------------------------------------------------ */

bool account_line_is_empty(const struct account *acc);

/* Sends st (taken), whose from and to are set, on behalf of acc: by the router,
 * in its turn.  An effect of a step goes to the router directly. */
void account_send(struct account *acc, struct stanza *st);
/* router_fanout, in its turn; to is copied.  Never refused, for what is lost of
 * presence nobody sends again: those who send it rest. */
void account_fanout(struct account *acc, struct stanza *st,
	const struct jid *to, size_t n);

/* err is NULL when it worked; acc is NULL when the account has left memory: then
 * only arg is ended. */
typedef void (*account_turn_fn)(struct account *acc, const struct err *err,
	void *arg);

/*
 * Commits tx (taken; NULL, or an anonymous account: there is nothing to store),
 * and calls fn when it is durable and all that acc did before has happened;
 * never before this call has returned.  When it cannot be stored, or something
 * before it could not, acc has been read anew by then: there is nothing to take
 * back.
 */
void account_turn(struct account *acc, struct store_tx *tx, account_turn_fn fn,
	void *arg);

/* Nothing more happens to acc, not even what waits in line already, until
 * account_go_on(), on the same shard, which is due exactly once.  It must not
 * wait for what a client of acc sends: when the line is long, none is read. */
struct account_step *account_halt(struct account *acc);
void account_go_on(struct account_step *halt);

/* --- for account_deliver.c and account.c ------------------------------------- */

/* True, and st is taken, when it has to wait before it is delivered. */
bool account_line_keeps(struct account *acc, struct stanza *st);
/* acc leaves memory: what waits is dropped. */
void account_line_done(struct account *acc);

#endif
