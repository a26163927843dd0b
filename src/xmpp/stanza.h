/*
 * stanza.h - one parsed message, presence or iq: an arena, an element tree, its
 * addresses already prepared.
 *
 * Owned by one shard at a time; sending it gives it away.  Nothing with a
 * longer life points into it.
 */
#ifndef XMPP_STANZA_H
#define XMPP_STANZA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"
#include "xmpp/ns.h"

struct arena;
struct elem;
struct err;
struct fanout;

enum stanza_kind { STANZA_MESSAGE, STANZA_PRESENCE, STANZA_IQ };

/* The type attribute; what a kind does not know is an error for presence and
 * iq, and MESSAGE_NORMAL for messages (RFC 6121 §5.2.2). */
enum stanza_type {
	MESSAGE_NORMAL,
	MESSAGE_CHAT,
	MESSAGE_GROUPCHAT,
	MESSAGE_HEADLINE,
	MESSAGE_ERROR,
	PRESENCE_AVAILABLE,
	PRESENCE_UNAVAILABLE,
	PRESENCE_SUBSCRIBE,
	PRESENCE_SUBSCRIBED,
	PRESENCE_UNSUBSCRIBE,
	PRESENCE_UNSUBSCRIBED,
	PRESENCE_PROBE,
	PRESENCE_ERROR,
	IQ_GET,
	IQ_SET,
	IQ_RESULT,
	IQ_ERROR,
};

/* Why presence says that a client has gone. */
enum stanza_gone {
	GONE_SAID,  /* it says so itself */
	GONE_ENDED, /* its session has ended: there is nobody to be told anything */
	GONE_LOST,  /* the same, and it has not said a word */
	GONE_STOP,  /* the server stops, and has nothing to wait for */
};

/* Somebody waits until a stanza is dealt with. */
struct receipt {
	/* It is gone, and with it who held this receipt. */
	void (*let_go)(struct receipt *r);
};

/*
 * The fields mirror attributes of root; change them through the functions
 * below, so that tree and fields cannot disagree.
 */
struct stanza {
	STAILQ_ENTRY(stanza) link; /* for whoever owns the stanza */
	struct arena *arena;
	struct elem *root; /* always in NS_CLIENT, whatever stream it came by */
	struct jid from;   /* not set until the stream or session stamps it */
	struct jid to;     /* not set: none was given */
	struct str id;     /* STR_NONE when absent */
	enum stanza_kind kind;
	enum stanza_type type;
	bool made_here : 1; /* by the server; no peer can pretend it */
	bool secure : 1;   /* our client sent it over TLS; nor this */
	bool copy : 1;     /* what wire_forward() has made, read again */
	bool again : 1;    /* a message that our client may have sent before, in a
			    * session that was lost; nor this */
	bool outgoing : 1; /* a message of a component, in which lies what it sends
			    * as the account it is for; nor this */
	bool passed_on : 1; /* a request that somebody else answers, or the answer:
			    * nobody waits for it in line */
	bool paced : 1;    /* its receipt is held until the connection of whom it
			    * is for takes it, see receipt.h */
	bool bounded : 1;  /* who sent it sends no more until some of his is dealt
			    * with, see core/entity_line.h; nor this */
	uint8_t gone : 2;  /* unavailable presence that is made here: enum
			    * stanza_gone; nor this */
	uint32_t session;  /* a request: which session of ours has sent it; what we
			    * answer: which one is to have it.  0: none, or nobody
			    * knows; nor this */
	struct str behind;   /* the component that asks this as a user, in the
			      * arena; STR_NONE: nobody; nor this */
	uint64_t to_hash;    /* the router's: where to is */
	struct fanout *many; /* the router's, in the arena: a stanza for
			      * several, which has no to */
	struct receipt *receipt; /* held; NULL: nobody waits (core/receipt.h) */
	int64_t away_us; /* the component's: since when it has waited for one who
			  * is away; 0: it has not.  A remote's: by the wall
			  * clock, and in the run before */
};

STAILQ_HEAD(stanza_queue, stanza);

/* --- any thread: a stanza is touched by its owner only ------------------- */

/*
 * Makes a stanza of the element e, which lies in a.  a is taken when it works;
 * the result is owned by the caller.  NULL, with *cond_out, and a still the
 * caller's, when e is no stanza or breaks a rule: jid-malformed for an address,
 * bad-request for an iq without id or with an unknown type or without exactly
 * one child where one is due, or presence of unknown type (RFC 6120 §8.2.3,
 * §8.3, RFC 6121 §4.7.1).
 */
struct stanza *stanza_from_elem(struct arena *a, struct elem *e,
	enum stanza_cond *cond_out);
/* Is e a message, presence or iq in NS_CLIENT, NS_SERVER or NS_COMPONENT? */
bool elem_is_stanza(const struct elem *e);

/* A new stanza in an arena of its own, owned by the caller.  Either address may
 * be not set; id may be STR_NONE. */
struct stanza *stanza_new(enum stanza_type type, struct jid from, struct jid to,
	struct str id);
/* A deep copy, owned by the caller; nobody waits for it. */
struct stanza *stanza_copy(const struct stanza *st);
/* Copes with NULL.  Lets go of its receipt. */
void stanza_free(struct stanza *st);

void stanza_set_from(struct stanza *st, struct jid from);
void stanza_set_to(struct stanza *st, struct jid to);
void stanza_set_id(struct stanza *st, struct str id);

/* The first child element of the given name, or NULL; names may be NULL. */
struct elem *stanza_child(const struct stanza *st, const char *ns,
	const char *name);
/* The payload of an iq: its first child element, or NULL. */
struct elem *stanza_payload(const struct stanza *st);
enum stanza_kind stanza_type_kind(enum stanza_type type);

/*
 * Builds the error answer to st (borrowed): addresses swapped, id kept,
 * payload left out (RFC 6120 §8.3.1).  text is for people and may be STR_NONE.
 * Owned by the caller, in an arena of its own.  NULL when st must not be
 * answered, because it is an error itself or the result of an iq.
 */
struct stanza *stanza_error(const struct stanza *st, enum stanza_cond cond,
	struct str text);
/*
 * The same for an element (borrowed) that stanza_from_elem() refused; an
 * address that is malformed is left out.  NULL also when e is no stanza.
 */
struct stanza *stanza_error_of_elem(const struct elem *e, enum stanza_cond cond,
	struct str text);
/* The empty result of the iq-get or iq-set st (borrowed); owned by the
 * caller. */
struct stanza *stanza_result(const struct stanza *st);

/* What a copy (XEP-0297) forwards: its root, borrowed. */
struct elem *stanza_forwarded(const struct stanza *copy);
/* The same as a stanza of its own, owned by the caller. */
struct stanza *stanza_original(const struct stanza *copy);
/* st was written when it was a copy, and is one again; false: it is none. */
bool stanza_is_copy_again(struct stanza *st);

/* Bytes it holds in memory, for bounds on queues. */
size_t stanza_bytes(const struct stanza *st);

/* XEP-0203: adds <delay/> with the given address and time. */
void stanza_add_delay(struct stanza *st, struct str from, int64_t wall_us);

/*
 * XEP-0359: ids that somebody has given to st.  Is e, a child of root, the id that
 * who (bare) has given, or one that nobody can have given?
 */
bool stanza_is_id_by(const struct stanza *st, const struct elem *e,
	struct jid who);
/* Takes all such out: who alone says so (§3, hostile 47). */
void stanza_drop_ids_by(struct stanza *st, struct jid who);
void stanza_add_id(struct stanza *st, struct jid who, struct str id);
/* The id that stanza_add_id() has given it; STR_NONE: none. */
struct str stanza_id_by(const struct stanza *st, struct jid who);

/* XEP-0334 hints: is there such a child? name: "no-store", "no-copy", ... */
bool stanza_has_hint(const struct stanza *st, const char *name);

#endif
