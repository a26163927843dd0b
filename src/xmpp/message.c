/*
 * message.c - which parts of a message say something, which messages an archive
 * holds, and which are shown to other devices.
 */
#include "config.h"

#include "xmpp/message.h"

#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"

/* What an element makes of the message that it stands in. */
enum worth {
	SAYS_NOTHING, /* it is about the message, or about this moment */
	MAY_SAY,      /* nobody knows: kept for who is away, in no archive */
	SAYS,         /* the owner looks for it years later */
	ENCRYPTED,    /* so does it, and no text beside it does */
};

/* And what it is to other devices (XEP-0280 §6.1). */
enum trait {
	TALK = 1 << 0,   /* in a normal message: they show it as a chat */
	SIGNAL = 1 << 1, /* of whatever type: what §6.1 names, calls (XEP-0353 §5),
			  * and what changes a message that they show */
	ROOM = 1 << 2,   /* it goes through one */
	INVITE = 1 << 3, /* into one, by whomever */
	NO_COPY = 1 << 4,
};

/*
 * All that is known; the rest may say something.  A message is as good as the best
 * of its elements.  Its type comes first, and what it asks itself (XEP-0334):
 * message_is_archived().
 */
static const struct element {
	const char *ns;
	const char *name; /* NULL: any other */
	enum worth worth;
	unsigned traits;
} elements[] = {
	{ NS_CLIENT, "body", SAYS, TALK },
	{ NS_CLIENT, "subject", SAYS, 0 },
	{ NS_CLIENT, "thread", SAYS_NOTHING, 0 },
	/* encrypted: OMEMO, OpenPGP, and what says that it is (XEP-0380) */
	{ "eu.siacs.conversations.axolotl", "encrypted", ENCRYPTED, TALK },
	{ "urn:xmpp:omemo:1", "encrypted", ENCRYPTED, TALK },
	{ "urn:xmpp:omemo:2", "encrypted", ENCRYPTED, TALK },
	{ "urn:xmpp:openpgp:0", "openpgp", ENCRYPTED, TALK },
	{ "jabber:x:encrypted", "x", ENCRYPTED, TALK },
	{ "urn:xmpp:eme:0", "encryption", ENCRYPTED, TALK },
	/* what has become of another message */
	{ NS_RECEIPTS, "received", SAYS, SIGNAL }, /* XEP-0184 */
	{ NS_RECEIPTS, "request", SAYS_NOTHING, SIGNAL },
	{ NS_MARKERS, "markable", SAYS_NOTHING, SIGNAL }, /* XEP-0333 */
	{ NS_MARKERS, NULL, SAYS, SIGNAL },
	{ NS_REACTIONS, "reactions", SAYS, SIGNAL }, /* XEP-0444 */
	{ NS_CORRECT, "replace", SAYS, SIGNAL },     /* XEP-0308 */
	{ NS_RETRACT, "retract", SAYS, SIGNAL },     /* XEP-0424 */
	{ NS_FASTEN, "apply-to", SAYS, SIGNAL },
	/* calls: who rang, who took it, when it ended (XEP-0353 §3) */
	{ NS_JINGLE_MESSAGE, NULL, SAYS, SIGNAL },
	{ NS_CALL_INVITES, NULL, SAYS, SIGNAL },
	/* files, and invitations to rooms (XEP-0045 §7.8, XEP-0249) */
	{ NS_OOB, "x", SAYS, TALK },
	{ NS_FILE_SHARING, "file-sharing", SAYS, TALK },
	{ NS_CONFERENCE, "x", SAYS, INVITE },
	{ NS_MUC_USER, "x", SAYS, ROOM }, /* with something inside: elem_worth() */
	/* of this moment, or about the message */
	{ NS_CHATSTATES, NULL, SAYS_NOTHING, SIGNAL },
	{ NS_HINTS, "no-copy", SAYS_NOTHING, NO_COPY },
	{ NS_HINTS, NULL, SAYS_NOTHING, 0 },
	{ NS_CARBONS, "private", SAYS_NOTHING, NO_COPY },
	{ NS_SID, NULL, SAYS_NOTHING, 0 },
	{ NS_MAM, "result", SAYS_NOTHING, 0 }, /* for who has asked (XEP-0313 §4.2) */
	{ NS_OCCUPANT_ID, "occupant-id", SAYS_NOTHING, 0 }, /* XEP-0421 */
	{ NS_REPLY, "reply", SAYS_NOTHING, 0 },   /* XEP-0461 */
	{ "urn:xmpp:fallback:0", "fallback", SAYS_NOTHING, 0 }, /* XEP-0428 */
	{ "http://jabber.org/protocol/nick", "nick", SAYS_NOTHING, 0 },
	{ NS_DELAY, NULL, SAYS_NOTHING, 0 },
	/* a part of a file: who gets it late has closed it, and another device makes
	 * nothing of it (XEP-0047) */
	{ NS_IBB, NULL, SAYS_NOTHING, NO_COPY },
};

/* NULL: nobody knows. */
static const struct element *
element_of(const struct elem *e)
{
	for (size_t i = 0; i < COUNT(elements); i++) {
		if (str_is(e->ns, elements[i].ns) &&
			(elements[i].name == NULL ||
				str_is(e->name, elements[i].name)))
			return &elements[i];
	}
	return NULL;
}

/* An empty one marks what goes through a room (XEP-0045 §7.5), a chat state, too. */
static bool
is_mark_of_room(const struct elem *e)
{
	return elem_is(e, NS_MUC_USER, "x") && elem_first_child(e) == NULL;
}

static enum worth
elem_worth(const struct elem *e)
{
	const struct element *of = element_of(e);

	if (of == NULL)
		return MAY_SAY;
	return is_mark_of_room(e) ? SAYS_NOTHING : of->worth;
}

/* Is one of its elements worth as much? */
static bool
has_worth(const struct elem *message, enum worth least)
{
	elem_each_child(message, e) {
		if (elem_worth(e) >= least)
			return true;
	}
	return false;
}

bool
message_is_worth_keeping(const struct stanza *st)
{
	return stanza_has_hint(st, "store") || has_worth(st->root, MAY_SAY);
}

bool
message_may_wait(const struct stanza *st)
{
	return st->kind == STANZA_MESSAGE &&
		(st->type == MESSAGE_CHAT || st->type == MESSAGE_NORMAL) &&
		message_is_worth_keeping(st) && !stanza_has_hint(st, "no-store");
}

static bool
is_for_years(const struct stanza *st)
{
	if (stanza_has_hint(st, "no-store") ||
		stanza_has_hint(st, "no-permanent-store"))
		return false;
	if (stanza_has_hint(st, "store"))
		return true;
	return st->type != MESSAGE_HEADLINE && has_worth(st->root, SAYS);
}

bool
message_is_archived(const struct stanza *st)
{
	return st->kind == STANZA_MESSAGE && st->type != MESSAGE_ERROR &&
		st->type != MESSAGE_GROUPCHAT && is_for_years(st);
}

bool
message_is_archived_in_room(const struct stanza *st)
{
	return st->kind == STANZA_MESSAGE && st->type == MESSAGE_GROUPCHAT &&
		is_for_years(st);
}

/* --- for who does not look (XEP-0352 §3.2) --------------------------------------- */

/* What a copy shows, or st itself. */
static const struct elem *
message_shown(const struct stanza *st)
{
	return st->copy ? stanza_forwarded(st) : st->root;
}

bool
message_is_passing(const struct stanza *st)
{
	const struct elem *shown;
	bool state = false;

	if (st->kind != STANZA_MESSAGE || st->type == MESSAGE_ERROR)
		return false;
	shown = message_shown(st);
	if (elem_child(shown, NS_HINTS, "store") != NULL)
		return false;
	elem_each_child(shown, e) {
		if (elem_worth(e) >= MAY_SAY)
			return false;
		state |= str_is(e->ns, NS_CHATSTATES);
	}
	return state;
}

/* Of a room: somebody was thrown out, has another name, it has been made (XEP-0045
 * §15.6). */
static bool
has_status(const struct stanza *st)
{
	const struct elem *x = elem_child(st->root, NS_MUC_USER, "x");

	return x != NULL && elem_child(x, NS_MUC_USER, "status") != NULL;
}

bool
stanza_is_urgent(const struct stanza *st)
{
	const struct elem *shown;

	if (st->kind == STANZA_PRESENCE)
		return (st->type != PRESENCE_AVAILABLE &&
			       st->type != PRESENCE_UNAVAILABLE) ||
			has_status(st);
	if (st->type != MESSAGE_HEADLINE)
		return true;
	shown = message_shown(st);
	return elem_child(shown, NS_HINTS, "store") != NULL ||
		has_worth(shown, SAYS);
}

/* Text that says so itself (OTR, XEP-0364). */
static bool
is_otr(const struct elem *e)
{
	const struct elem *text = e->first;

	return elem_is(e, NS_CLIENT, "body") && text != NULL &&
		elem_is_text(text) && str_starts(text->text, STR("?OTR"));
}

bool
message_is_encrypted(const struct elem *message)
{
	elem_each_child(message, e) {
		if (elem_worth(e) == ENCRYPTED || is_otr(e))
			return true;
	}
	return false;
}

/* --- copies (XEP-0280 §6.1) ----------------------------------------------------- */

static unsigned
elem_traits(const struct elem *e)
{
	const struct element *of = element_of(e);
	unsigned traits = of != NULL ? of->traits : 0;

	if ((traits & ROOM) != 0 && elem_child(e, NS_MUC_USER, "invite") != NULL)
		traits |= INVITE;
	return traits;
}

/* Private messages in a room: those that come the room gives to each session that
 * is there; those that go nobody else sees. */
bool
message_is_copied(const struct stanza *st, bool sent)
{
	bool whole = !jid_is_bare(sent ? st->to : st->from);
	unsigned traits = 0;

	if (st->kind != STANZA_MESSAGE || st->type == MESSAGE_GROUPCHAT ||
		st->type == MESSAGE_ERROR)
		return false;
	elem_each_child(st->root, e)
		traits |= elem_traits(e);
	if ((traits & NO_COPY) != 0)
		return false;
	if ((traits & INVITE) != 0)
		return true;
	if ((traits & ROOM) != 0 && whole)
		return sent;
	return st->type == MESSAGE_CHAT || (traits & SIGNAL) != 0 ||
		(st->type == MESSAGE_NORMAL && (traits & TALK) != 0);
}
