/*
 * account.h - the entity of a local user: roster, sessions, what modules keep
 * with it.
 *
 * Owner shard.  An address of one of our hosts that has no account behind it is
 * an account too, with exists = false, so that whoever asks cannot tell the
 * difference by time; but it leaves memory with its answer.
 */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "xmpp/error.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/question.h"
#include "account/account_hold.h"
#include "account/account_line.h"
#include "account/roster.h"

struct block_list;
struct config_component;
struct contacts;
struct elem;
struct err;
struct iq;
struct session;
struct snapshot;

/* Maps that the house itself keeps with an account. */
#define MAP_ACCOUNT "account" /* keys: KEY_CREDENTIALS, KEY_CREATED */
#define MAP_ROSTER "roster"
#define MAP_SESSIONS "sessions" /* that sleep while the server is down */
#define KEY_CREDENTIALS "credentials"
#define KEY_CREATED "created" /* XEP-0082 time */

struct account {
	struct entity e; /* first */
	struct session *sessions; /* in the order in which they were bound */
	struct roster roster;
	struct contacts *contacts; /* NULL: few, or not told of late */
	const struct block_list *blocked; /* NULL: nobody; see block_list.h */
	struct account_line line; /* what it does, in order */
	struct account_hold *hold; /* NULL: it is not held */
	uint64_t credentials_mark; /* of what is stored; 0: nothing is */
	uint16_t n_sessions;
	uint16_t n_ops;  /* changes by account_admin.c that are on their way */
	bool exists;
	bool anonymous;  /* exists only while its session does, nothing is kept */
	bool removing;
	bool traced : 1; /* its stanzas are written to the log */
	bool lost : 1;   /* a session, of which its client did not take leave */
	bool recalls : 1; /* what it has archived of late, see recent.h */
	bool backlog : 1; /* messages are kept for it; who comes next is given
			  * them, before what follows (account_stanza.behind) */
};

/* Argument of HOOK_ACCOUNT_LOAD. */
struct account_load {
	struct account *account;
	const struct store_entry *entries; /* entry.with: which map */
	size_t n;
};

/* Argument of HOOK_ACCOUNT_RECEIVE and HOOK_ACCOUNT_OFFLINE. */
struct account_stanza {
	struct account *account;
	struct stanza *st;
	struct line_tx with; /* see account_stanza_tx() */
	bool stamped; /* st says when it came (XEP-0203) */
	bool kept;    /* OFFLINE: a handler has added st to the transaction, and
		       * nobody need be told that it was not delivered */
	bool behind;  /* OFFLINE: somebody takes it, who has yet to get what is
		       * kept and comes first; it is delivered if it is not kept */
	bool early;   /* OFFLINE: nobody takes it, and the archive of the account
		       * has it by the transaction; or, where with.aside is set,
		       * it waits for its turn.  It is delivered if it is not
		       * kept: so this is called again, perhaps */
	bool known;   /* RECEIVE: it was sent again, and has come before: it is not
		       * delivered, but dealt with when the transaction is
		       * durable, which rests on what that was stored by */
};

/* Argument of HOOK_ACCOUNT_REMOVE. */
struct account_removal {
	struct account *account;
	struct store_tx *tx; /* by which all that it stored goes: add to it what is to
			      * be done behind that, and lies elsewhere */
	const struct store_entry *entries; /* of .account_removal_maps, all of them;
					    * entry.with is the name */
	size_t n_entries;
};

/* Argument of HOOK_ACCOUNT_COPY. */
struct account_copy {
	struct account *account;
	struct stanza *st;      /* a message with both addresses, borrowed */
	struct session *sender; /* who sends it; NULL: a component does, as the
				 * account, or it was delivered */
	bool sent;
	const char *ns;         /* with name: the element that forwards st to */
	const char *name;       /* other devices (XEP-0297); NULL: none does */
};

/* Argument of HOOK_ACCOUNT_BLOCK. */
struct account_block {
	struct account *account;
	const struct block_list *rows; /* who is blocked from now on, or not any more;
					* see block_list_matches() */
	bool on;
};

/* Argument of HOOK_ACCOUNT_REPORT (XEP-0377). */
struct account_report {
	struct account *account; /* whose owner reports */
	struct jid who;
	struct str reason;         /* urn:xmpp:reporting:spam, or :abuse */
	struct str text;           /* for people; STR_NONE: none */
	const struct elem *report; /* all of it: ids of messages, and what may be done
				    * with it (§5) */
	size_t n_ids;              /* of messages, that it has */
};

/* Argument of HOOK_ACCOUNT_KNOWS. */
struct account_knows {
	struct account *account;
	struct jid who; /* bare or full */
};

/* Argument of HOOK_ACCOUNT_ASKED. */
struct account_asked {
	const struct account *account;
	const struct stanza *st; /* a get or set */
	const struct config_component *component; /* who asks */
};

/* Argument of HOOK_ROSTER_PUSHED. */
struct roster_push {
	struct account *account;
	const struct stanza *st; /* the push, without addresses */
};

extern const struct entity_class account_class;

static inline struct account *
account_of(struct entity *e)
{
	assert(e->class == &account_class);
	return (struct account *)(void *)e;
}

/* NULL: e (may be NULL) is no account, or not loaded. */
static inline struct account *
account_if(struct entity *e)
{
	return e != NULL && e->class == &account_class &&
			e->state == ENTITY_LOADED ?
		account_of(e) :
		NULL;
}

/* --- owner shard ------------------------------------------------------------ */

/* In memory, and loaded; or NULL. */
struct account *account_find(struct shard *sh, struct str bare);
/* In memory, as entity_get() has it.  NULL with err (may be NULL): ERR_MISSING
 * when the address cannot be of an account, ERR_LIMIT when there are too many in
 * memory. */
struct entity *account_get(struct shard *sh, struct jid bare, struct err *err);

struct str account_local(const struct account *acc);
struct str account_domain(const struct account *acc);
/* The map or log of acc called name; borrows from both. */
struct store_place account_place(const struct account *acc, const char *name);
/* Valid for this turn; NULL when a reload has removed the host. */
struct host *account_host(const struct account *acc);

/*
 * The transaction that belongs to what a handler is called with, made when it is
 * first asked for.  Handlers of HOOK_KEEP add their operations, and answer
 * HOOK_PASS; when all have been called, it is committed once.  At RECEIVE, the
 * stanza is delivered when that is durable, in order with all else that happens
 * to the account; at OFFLINE it is kept by it.  When it cannot be stored, nobody
 * gets the stanza, its sender is told, and the account is read anew.  What was
 * added is stored as well when a later handler takes the stanza.
 *
 * NULL: there is no room for more.  Then change nothing, and answer HOOK_PASS:
 * the stanza is refused with resource-constraint.
 */
struct store_tx *account_stanza_tx(struct account_stanza *in);

/* Is who (bare or full) entitled to the presence of acc: subscription from or
 * both, and not blocked; or the account itself? */
bool account_shows_presence_to(const struct account *acc, struct jid who);
/* Asks those once more who have not answered a request for their presence, and who
 * are not on this server: either may have been lost (RFC 6121 §3.1.2). */
void account_subscribe_again(struct account *acc);
/* Does st say, in our name, when it came (XEP-0203)? */
bool account_stamped(const struct account *acc, const struct stanza *st);
/* Has the owner never asked for who?  The host and he himself are none. */
bool account_is_stranger(const struct account *acc, struct jid who);

/*
 * Tells two texts of credentials apart.  A client logs in before its account is
 * asked for a session, and perhaps on another shard: what it has shown then
 * still has to be what is asked for (hostile 33).  Never 0; any thread.
 */
uint64_t account_credentials_mark(const struct server *srv, struct str text);

/* --- for handlers of requests (iq.h), owner shard ---------------------------- */

/* The account that iq is for, while it is in memory; NULL at a host. */
struct account *iq_account(const struct iq *iq);
/* The session that sent iq to its account, or to the host of its account; NULL for
 * anyone else, and when it has ended, whoever has its address since.  Before iq_keep()
 * only. */
struct session *iq_sender(const struct iq *iq);
/* iq_keep() of one that somebody else answers: he may take his time, so what its
 * sender sends meanwhile does not wait for that, nor does his receipt.  False: it was
 * answered with resource-constraint, for too many are under way, or too many of his. */
bool iq_pass_on(struct iq *iq);

/* --- any shard: the answer comes back to from, after the call has returned ---- */

/* Each is asked of the account, wherever it lives, and takes its turn there
 * (core/entity_message.h, which names the errors that are common to all). */
typedef question_fn account_done_fn;

/* Creates an account; ERR_CONFLICT if there is one.  creds_text is copied.  Done
 * when it is durable. */
void account_create(struct shard *from, struct jid bare, struct str creds_text,
	account_done_fn done, void *arg);
/* Replaces its credentials, and closes all its sessions but the one with the
 * resource keep (STR_NONE: none is kept) with not-authorized (hostile 33);
 * ERR_MISSING. */
void account_set_credentials(struct shard *from, struct jid bare,
	struct str creds_text, struct str keep, account_done_fn done, void *arg);
/* Removes it with all that it stored: contacts are told (XEP-0077 §3.2),
 * sessions are closed with not-authorized; ERR_MISSING. */
void account_remove(struct shard *from, struct jid bare, account_done_fn done,
	void *arg);
/* Closes its sessions with policy-violation and text; resource STR_NONE: all.
 * ERR_MISSING when there is none. */
void account_kick(struct shard *from, struct jid bare, struct str resource,
	const char *text, account_done_fn done, void *arg);

/* Its stanzas are shown in the log, or not any more; ERR_MISSING. */
void account_trace(struct shard *from, struct jid bare, bool on,
	account_done_fn done, void *arg);

/* The stored credentials; text is STR_NONE when there is no such account.
 * Borrowed. */
typedef void (*account_credentials_fn)(void *arg, struct str text,
	const struct err *err);
void account_credentials(struct shard *from, struct jid bare,
	account_credentials_fn fn, void *arg);

/* --- any thread ---------------------------------------------------------- */

/* The host of domain (prepared), when its addresses are accounts; NULL when they
 * are not, or it is none of ours. */
struct host *account_host_of(const struct snapshot *snap, struct str domain);

/* --- for snapshots ------------------------------------------------------------ */

/* The addresses of host are accounts. */
void account_serve(struct host *host);

#endif
