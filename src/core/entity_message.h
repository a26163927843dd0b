/*
 * entity_message.h - what is asked of an entity, or told to it, from any place:
 * a kind, addresses, texts and numbers; no function, and no pointer.
 *
 *     here                                 the place of the address
 *
 *     entity_ask(message, fn, arg)
 *       |  fn, arg: an open question
 *       `--- message { from, question } --->  found, or loaded; not held
 *                                                 |
 *                                             class->told(e, message)
 *                                                 |  until it is durable
 *                                             entity_answer(message, err)
 *     the question is closed  <--- { question, err } ---'
 *     fn(arg, ok, err)
 *
 * Between two places order is kept: what is told to one entity from one place
 * reaches it in the order of telling.  Everything that is asked is answered, once,
 * and never before entity_ask() has returned.
 */
#ifndef CORE_ENTITY_MESSAGE_H
#define CORE_ENTITY_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/str.h"
#include "xmpp/jid.h"
#include "core/place.h"
#include "core/question.h"

struct shard;

/* What the receiver may answer stands behind; the core itself answers, for all
 * of them, ERR_MISSING (the domain is not served), ERR_REFUSED (not with this
 * class of entity), ERR_LIMIT (no room in memory), ERR_STORAGE (it cannot be
 * read). */
enum entity_message_kind {
	/* text: credentials.  ERR_CONFLICT, ERR_STORAGE, ERR_BUSY */
	TELL_CREATE,
	/* text: credentials; sessions are closed but for resource.  ERR_MISSING,
	 * ERR_STORAGE, ERR_BUSY */
	TELL_SET_CREDENTIALS,
	/* ERR_MISSING, ERR_STORAGE, ERR_BUSY */
	TELL_REMOVE,
	/* resource: of the session; STR_NONE: all.  text: why.  ERR_MISSING */
	TELL_KICK,
	/* number[0]: whether its stanzas are logged.  ERR_MISSING */
	TELL_TRACE,
	/* It was made in the store.  It is not loaded for this unless somebody
	 * attends to HOOK_ACCOUNT_CREATED.  Has no answer. */
	TELL_CREATED,
	/* resource: of the session that has to rest (STR_NONE: it is a component,
	 * with all its streams), number[0] microseconds
	 * longer, but not beyond number[1] from now, unless it does already; 0 and
	 * 0: no longer at all.
	 * It is not loaded for this.
	 * Has no answer. */
	TELL_REST,
	/* text: who is sent the presence of its sessions, as they have broadcast
	 * it.  It is not loaded for this.  Has no answer. */
	TELL_SHOW_PRESENCE,
	/* Its session at resource, with the id number[0], has asked the address
	 * text, for which somebody else answers (iq_pass_on()).  It is not loaded
	 * for this.  Has no answer. */
	TELL_PASSED_ON,
	/* To a domain of others: is the key (text: the id of the stream, a blank,
	 * the key) its own, for resource, a domain of ours?  number[0]: where it
	 * came from, as a number.  ERR_INVALID: it is
	 * not; all else: it could not be asked. */
	TELL_VERIFY,
	/* To a domain of others: a stream for resource, a domain of ours, is to come
	 * up now, if there is none.  ERR_CLOSED, ERR_TIMEOUT: it cannot; ERR_BUSY:
	 * somebody waits for that already; ERR_LIMIT, ERR_REFUSED. */
	TELL_TRY,
	/* To a domain of others: a stream from there has authenticated.  It is not
	 * loaded for this.  Has no answer. */
	TELL_CAME,
	/* To a domain of others: the account text has contacts there, and does not
	 * know which of them are here.  Has no answer. */
	TELL_WATCH,
	/* To an account: the domain text of others has not been reached for long;
	 * or is, again, so that contacts there can be asked.  It is not loaded for
	 * this.  ERR_MISSING: it has nobody there to ask for, or nobody is there
	 * who would be shown. */
	TELL_DOMAIN_AWAY,
	TELL_DOMAIN_BACK,
	/* To an entity of a module's class: the account text was removed.  It is not
	 * loaded for this.  Has no answer. */
	TELL_ACCOUNT_GONE,
	/* To an account: is its session at resource there, or may its client come back to
	 * it?  To an entity of a module's class: is the client text there,
	 * which believes that it is so as resource?
	 * ERR_MISSING: no. */
	TELL_IS_THERE,
	/* To an account: is it one that wants to be told those of text?  The same
	 * answer; nothing is done. */
	TELL_STILL_WATCHES,
};

struct entity_message {
	/* What it says, and what would travel to another node: */
	enum entity_message_kind kind;
	struct jid to;       /* bare */
	struct str resource; /* NUL-terminated like text; STR_NONE: none */
	struct str text;     /* may be secret: it is wiped */
	int64_t number[2];
	struct place from;   /* who asks: where, */
	uint64_t question;   /* and which of the open questions there; 0: he
			      * waits for no answer */
	/* What is of this process alone: */
	struct mail mail;
	struct shard *here;  /* once it has arrived */
	size_t bytes;        /* of it and of its texts, which lie behind it */
};

/* --- any shard: sh is the caller's ------------------------------------------ */

/* Sends a copy of what (borrowed; from, question and the rest are set here). */
void entity_tell(struct shard *sh, const struct entity_message *what);
/* The same, and fn(arg, ...) is called on sh with the answer; with ERR_LIMIT when
 * too many questions are open. */
void entity_ask(struct shard *sh, const struct entity_message *what,
	question_fn fn, void *arg);

/* --- for classes: the shard where it has arrived ---------------------------- */

/* m is taken, and is to be answered once: err (borrowed), or NULL: it worked.
 * Where the asker is here he is called at once. */
void entity_answer(struct entity_message *m, const struct err *err);
/* The same with an error: the address, and text. */
void entity_refuse(struct entity_message *m, enum err_code code,
	const char *text);

#endif
