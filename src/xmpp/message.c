/*
 * message.c - which parts of a message say something.
 */
#include "config.h"

#include "xmpp/message.h"

#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"

/* Says something of the message, but is none. */
static bool
is_accessory(const struct elem *e)
{
	return str_is(e->ns, NS_CHATSTATES) || str_is(e->ns, NS_HINTS) ||
		str_is(e->ns, NS_SID) || str_is(e->ns, NS_DELAY) ||
		elem_is(e, NS_RECEIPTS, "request") ||
		elem_is(e, NS_CLIENT, "thread");
}

bool
message_is_worth_keeping(const struct stanza *st)
{
	if (stanza_has_hint(st, "store"))
		return true;
	elem_each_child(st->root, e) {
		if (!is_accessory(e))
			return true;
	}
	return false;
}
