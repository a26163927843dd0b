/*
 * message.c - which parts of a message say something, and which messages an
 * archive holds.
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
};

/*
 * All that is known; the rest may say something.  A message is as good as the best
 * of its elements.  Its type comes first, and what it asks itself (XEP-0334):
 * message_is_archived().
 */
static const struct {
	const char *ns;
	const char *name; /* NULL: any */
	enum worth worth;
} elements[] = {
	{ NS_CLIENT, "body", SAYS },
	{ NS_CLIENT, "subject", SAYS },
	{ NS_CLIENT, "thread", SAYS_NOTHING },
	/* encrypted: OMEMO, OpenPGP, and what says that it is (XEP-0380) */
	{ "eu.siacs.conversations.axolotl", "encrypted", SAYS },
	{ "urn:xmpp:omemo:1", "encrypted", SAYS },
	{ "urn:xmpp:omemo:2", "encrypted", SAYS },
	{ "urn:xmpp:openpgp:0", "openpgp", SAYS },
	{ "jabber:x:encrypted", "x", SAYS },
	{ "urn:xmpp:eme:0", "encryption", SAYS },
	/* what has become of another message */
	{ NS_RECEIPTS, "received", SAYS },          /* XEP-0184 */
	{ NS_RECEIPTS, "request", SAYS_NOTHING },
	{ NS_MARKERS, "markable", SAYS_NOTHING }, /* XEP-0333 */
	{ NS_MARKERS, NULL, SAYS },
	{ "urn:xmpp:reactions:0", "reactions", SAYS },      /* XEP-0444 */
	{ "urn:xmpp:message-correct:0", "replace", SAYS },  /* XEP-0308 */
	{ NS_RETRACT, "retract", SAYS },  /* XEP-0424 */
	{ "urn:xmpp:fasten:0", "apply-to", SAYS },
	/* calls: who rang, who took it, when it ended (XEP-0353 §3) */
	{ NS_JINGLE_MESSAGE, NULL, SAYS },
	{ "urn:xmpp:call-invites:0", NULL, SAYS },
	/* files, and invitations to rooms (XEP-0045 §7.8, XEP-0249) */
	{ NS_OOB, "x", SAYS },
	{ NS_FILE_SHARING, "file-sharing", SAYS },
	{ NS_CONFERENCE, "x", SAYS },
	{ NS_MUC_USER, "x", SAYS },
	/* of this moment, or about the message */
	{ NS_CHATSTATES, NULL, SAYS_NOTHING },
	{ NS_HINTS, NULL, SAYS_NOTHING },
	{ NS_SID, NULL, SAYS_NOTHING },
	{ NS_DELAY, NULL, SAYS_NOTHING },
	{ NS_IBB, NULL, SAYS_NOTHING }, /* who gets it late has closed it */
};

static enum worth
elem_worth(const struct elem *e)
{
	for (size_t i = 0; i < COUNT(elements); i++) {
		if (str_is(e->ns, elements[i].ns) &&
			(elements[i].name == NULL ||
				str_is(e->name, elements[i].name)))
			return elements[i].worth;
	}
	return MAY_SAY;
}

/* Is one of its elements worth as much? */
static bool
has_worth(const struct stanza *st, enum worth least)
{
	elem_each_child(st->root, e) {
		if (elem_worth(e) >= least)
			return true;
	}
	return false;
}

bool
message_is_worth_keeping(const struct stanza *st)
{
	return stanza_has_hint(st, "store") || has_worth(st, MAY_SAY);
}

bool
message_is_archived(const struct stanza *st)
{
	if (st->kind != STANZA_MESSAGE || st->type == MESSAGE_ERROR ||
		st->type == MESSAGE_GROUPCHAT)
		return false;
	if (stanza_has_hint(st, "no-store") ||
		stanza_has_hint(st, "no-permanent-store"))
		return false;
	if (stanza_has_hint(st, "store"))
		return true;
	return st->type != MESSAGE_HEADLINE && has_worth(st, SAYS);
}
