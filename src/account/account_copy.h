/*
 * account_copy.h - copies of the messages of an account: those of its sessions
 * that want them (session.copied) see what the others send and get.
 *
 * Owner shard of the account.  What is copied, and how, a handler of
 * HOOK_ACCOUNT_COPY says; to whom, and when, is decided here:
 *
 *     session_send --------> router           account_deliver
 *         | sent                                   | delivered, or nobody is there
 *         v                                        v
 *     in its turn: to all but the sender      at once: to all that have not had it
 *
 * So each session has what it sees of its account in the order in which that
 * happened to the account.  Where no session wants copies this costs a look at
 * each, and where there is one session nothing.
 */
#ifndef ACCOUNT_ACCOUNT_COPY_H
#define ACCOUNT_ACCOUNT_COPY_H

#include <stdbool.h>

struct account;
struct session;
struct stanza;
struct wire;

/* A message (borrowed) that is being delivered, and who has had it. */
struct delivery {
	struct account *account;
	struct stanza *st;
	const struct session *named; /* whom it names; NULL: nobody is so called,
				      * or it goes to all that take messages */
	bool takers; /* it has gone to those that take messages */
	bool nobody; /* there was none: it is kept for who becomes available */
	bool again;  /* it comes back from a session that has ended */
	bool taken;  /* one of them has taken it, at once */
	struct wire *wire; /* reference: as it waits for others; or NULL */
};

/* --- for account_deliver.c and session.c ------------------------------------- */

/* Does s take what goes to the bare address?  What comes back from one that has
 * ended is not for those that sleep: with each that ends because too much waits,
 * all that it had would wait at the next. */
bool delivery_is_for(const struct delivery *d, const struct session *s);
/* Copies to those that want them and have not had it.  True: somebody has got
 * one. */
bool account_copy_delivered(struct delivery *d);
/* s is about to send st (borrowed): the copy, which is made before st is given
 * away and shown by account_copy_show() behind it; or NULL, also where it was shown
 * at once. */
struct stanza *account_copy_sent(struct session *s, struct stanza *st);
/* In its turn; copy is taken. */
void account_copy_show(struct account *acc, struct stanza *copy);

/* --- for account_line.c -------------------------------------------------------- */

/* Its turn has come; copy is borrowed. */
void account_copy_show_now(struct account *acc, struct stanza *copy);
/* copy (taken) waits in the line, whatever waits there. */
void account_line_copy(struct account *acc, struct stanza *copy);

#endif
