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
 * What handlers store of a stanza is in the transaction of the hook (tx below),
 * which is committed once, when all of them have been called:
 *
 *     the client                                          from others
 *         |                                                    |
 *   lines of the    all waits while the account is      hold   |
 *   session         held: read anew, or removed                |
 *         |         gets behind sets, sets behind gets,        |
 *         |         too many of either (1)                     |
 *         v                                                    v
 *   HOOK_SESSION_SEND                            HOOK_ACCOUNT_RECEIVE
 *         |  `--tx--> aside, copies wait for that  |  `--tx--> it waits; nobody
 *         |           `before': it waits, too      |      there: kept by it, too
 *         v                                        v
 *   +---------------------- line of the account -------------------+
 *   | all waits behind commits and halts, but for iqs of the       |
 *   | account to itself; probes and subscriptions that arrive; and |
 *   | at a halt, iqs that we answer ourselves                      |
 *   +--------------------------------------------------------------+
 *         |                        |                   |
 *         v                        v                   v
 *       router                 callbacks            sessions, or
 *                                                   HOOK_ACCOUNT_OFFLINE
 *                                                     `--tx--> aside
 *
 *   (1) messages, and iqs to full addresses, pass; but not a set to the own
 *       account that is not answered yet, nor what waits for that.  Presence
 *       does not pass a get to it either.  See requests.h.
 *
 * What is stored aside holds up nothing, and is in order with all other commits.
 *
 * When a commit has failed, those behind it fail with it, for each rests on what
 * memory held; the steps of all of them are told so, stanzas are refused, and the
 * account is read anew before any step is run (account_hold.h).  So memory is
 * never ahead of the disk but for changes that are on their way.
 *
 * What waits counts with its real bytes; above a bound its stream rests.  Those of
 * others who send what has to be stored rest before that, for a time.  A line
 * holds up its own session, or its own account, and nobody else.  No callback
 * runs before the call that asked for it has returned.
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
LIST_HEAD(account_asides, account_step);

/* Zeroed memory is an empty line. */
struct account_line {
	struct account_steps steps;
	struct account_step *running; /* its effects are not in line again */
	struct account_asides asides; /* are stored, and nothing waits for it */
	struct line_chain *chain; /* of what is being stored; NULL: nothing is */
	struct recipients *last;  /* of the last fan-out in line; may be NULL */
	size_t bytes; /* of what waits; at inbox_bytes stanzas are refused (at
		       * twice that, presence of contacts, of which the last
		       * counts), and the account's own streams rest */
	size_t stored_bytes; /* of what is being stored, and waits with it: at the
			      * same bound the streams rest, too, and while the
			      * store is behind, what would be stored aside is
			      * refused */
	bool rests : 1; /* until half of it is gone */
	uint32_t messages : 31; /* wait to be delivered, and are not kept */
	uint32_t n_steps; /* that were made, so far */
};

/* What handlers of a hook want to be stored with its stanza. */
struct line_tx {
	struct store_tx *tx; /* NULL: nothing, so far */
	bool aside;          /* the stanza does not wait for it */
	bool refused;        /* there is no room for more: nor is the stanza taken */
};

/* --- owner shard ------------------------------------------------------------ */

bool account_line_is_empty(const struct account *acc);

/* Sends st (taken), whose from and to are set, on behalf of acc: by the router,
 * in its turn.  An effect of a step goes to the router directly. */
void account_send(struct account *acc, struct stanza *st);
/* The same to those contacts with whom it has this state (SUB_FROM or SUB_TO) now;
 * st has no to.  Never refused, for what is lost of presence nobody sends again:
 * those who send it rest. */
void account_tell_contacts(struct account *acc, struct stanza *st,
	uint8_t state);

/* err is NULL when it worked; acc is NULL when the account has left memory: then
 * only arg is ended. */
typedef void (*account_turn_fn)(struct account *acc, const struct err *err,
	void *arg);

/*
 * Commits tx (taken; NULL, or an anonymous account: there is nothing to store),
 * and calls fn when it is durable and all that acc did before has happened;
 * never before this call has returned.  When it cannot be stored, or something
 * before it could not, acc has been read anew by then: there is nothing to take
 * back.  bytes: what waits with arg, beside tx; above inbox_bytes of both, on
 * their way to the disk, the account's own streams rest.
 */
void account_turn(struct account *acc, struct store_tx *tx, size_t bytes,
	account_turn_fn fn, void *arg);

/* Nothing more happens to acc, not even what waits in line already, until
 * account_go_on(), on the same shard, which is due exactly once.  It must not
 * wait for what a client of acc sends: when the line is long, none is read. */
struct account_step *account_halt(struct account *acc);
void account_go_on(struct account_step *halt);

/* --- for account_deliver.c, session.c and account.c -------------------------- */

/* True, and st is taken, when it has to wait before it is delivered, or was refused; an
 * error about a message overtakes where there is no room for it. */
bool account_line_keeps(struct account *acc, struct stanza *st);
/* st (taken) finds no room. */
void account_line_refuse(struct account *acc, struct stanza *st);
/* The transaction of a handler that was called with st; NULL: there is no room,
 * and with says so. */
struct store_tx *account_line_tx(struct account *acc, const struct stanza *st,
	struct line_tx *with);
/* account_send() of what is stored beside it: account_line_tx() has found room. */
void account_send_taken(struct account *acc, struct stanza *st);
/* All are taken.  st is sent, or delivered, in its turn, when tx is durable; it
 * is refused when that fails.  So is copy (NULL: none), which then nobody sees.
 * kept: by tx, for who comes; of st others see copies, and nothing else. */
void account_line_send(struct account *acc, struct stanza *st,
	struct store_tx *tx, struct account_step *copy);
void account_line_deliver(struct account *acc, struct stanza *st,
	struct store_tx *tx, bool kept);
/* Nobody takes messages any more: those in line that are wanted are kept now, which
 * their turns wait for, too, and not behind what comes.  Are they all? */
bool account_line_keep(struct account *acc,
	bool (*wanted)(const struct account *acc, const struct stanza *st));
/* Stores tx (taken; NULL: nothing), and nothing waits for it but copy (taken; NULL:
 * none), which nobody sees when it fails; st (taken, NULL: none) is refused then,
 * and else is done with. */
void account_line_aside(struct account *acc, struct stanza *st,
	struct store_tx *tx, struct account_step *copy);
/* Its contacts are not the same any more. */
void account_line_forget_contacts(struct account *acc);
/* acc leaves memory: what waits is dropped. */
void account_line_done(struct account *acc);

#endif
