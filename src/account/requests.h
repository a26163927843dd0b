/*
 * requests.h - what a session asks of addresses of ours behind which there is no
 * client: its own account, hosts, services, other accounts.  We answer all of it
 * ourselves, so that it can be done in order (RFC 6120 §10.1), and so that no
 * more is under way than is good.
 *
 * Owner shard of the account.  The drawing is in account_line.h.
 */
#ifndef ACCOUNT_REQUESTS_H
#define ACCOUNT_REQUESTS_H

#include <stdbool.h>

#include "xmpp/jid.h"

struct account;
struct session;
struct stanza;

/* --- for session.c and account_deliver.c, owner shard -------------------------- */

/* True, and st is taken, when it has to wait before s may send it, also because the
 * account is held: session_send() follows. */
bool requests_keep(struct session *s, struct stanza *st);
/* s sends st (borrowed), whose to is set, now. */
void requests_sent(struct session *s, const struct stanza *st);
/* Is st, which has come for acc, our answer to one of its requests?  That
 * is never refused for what else waits: nobody would send it again, and how much
 * there is of it is bounded here. */
bool requests_is_answer(const struct account *acc, const struct stanza *st);
/* st (borrowed) has come for acc: perhaps an answer. */
void requests_answered(struct account *acc, const struct stanza *st);
/* What s has asked to is answered by somebody else, whom nobody waits for: the
 * answer has to say passed_on. */
void requests_let_go(struct session *s, struct jid to);
/* s may go on, soon: it sleeps from now on. */
void requests_look(struct session *s);
/* acc is not held any more: its sessions' lines go on, soon. */
void requests_go_on(struct account *acc);
/* s sleeps, or is about to, until the server is there again: what has yet to be sent
 * because its client was full is not dealt with, and comes again. */
void requests_stop(struct session *s);
/* The client has taken what it was sent: there may be more answers. */
void requests_drained(struct session *s);
/* The client is gone: what waits is sent, for it has come in order, but for what
 * nobody would see the answer of.  False: there is more, for the account is held. */
bool requests_flush(struct session *s);
/* s ends: all that waits is dropped. */
void requests_done(struct session *s);

#endif
