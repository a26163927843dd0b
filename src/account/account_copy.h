/*
 * account_copy.h - copies of the messages of an account: those of its sessions
 * that want them (session.copied) see what the others send and get.
 *
 * Owner shard of the account.  What is copied, and how, a handler of
 * HOOK_ACCOUNT_COPY says; to whom, and when, is decided here:
 *
 *     session_send --------> router           account_deliver
 *         | sent                                   | delivered, or nobody is there
 *         | the sender's archive has it            v
 *         v                                   at once: to all that have not had it
 *     in its turn: to all but the sender
 *
 * So each session has what it sees of its account in the order in which that
 * happened to the account, and a copy shows no id (XEP-0359) of an entry that is
 * not there.  An error follows what it is about.  Where no session wants copies this costs a look at
 * each, and where there is one session nothing.
 */
#ifndef ACCOUNT_ACCOUNT_COPY_H
#define ACCOUNT_ACCOUNT_COPY_H

#include <stdbool.h>

struct account;
struct account_step;
struct session;
struct session_stanza;
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
	struct wire *wire; /* reference: as it waits for others, or is copied; or
			    * NULL */
};

/* --- for account_deliver.c and session.c ------------------------------------- */

/* Does s take what goes to the bare address?  What comes back from one that has
 * ended is not for those that sleep: with each that ends because too much waits,
 * all that it had would wait at the next. */
bool delivery_is_for(const struct delivery *d, const struct session *s);
/* It is about to be delivered: where several will have it, itself or as a copy, it
 * is written once, for all. */
void account_copy_expect(struct delivery *d);
/* Copies to those that want them and have not had it.  True: somebody has got
 * one. */
bool account_copy_delivered(struct delivery *d);
/* What is about to be sent, before it is given away: the copy, to be given to the
 * line with it; or NULL, also where it was shown at once. */
struct account_step *account_copy_sent(const struct session_stanza *out);

/* --- for account_line.c -------------------------------------------------------- */

/* The turn of w has come, the copy of st, for all but who has sent it, or got it;
 * both are borrowed, and of st the type and the addresses are enough. */
void account_copy_show_now(struct account *acc, struct stanza *st,
	struct wire *w);

#endif
