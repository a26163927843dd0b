/*
 * entity_ring.c - tells of the last events of entities.
 *
 * The handler of a crash, on the shard that crashed: nothing is followed but by
 * crash_read().
 */
#include "config.h"

#include "core/entity_ring.h"

#include "base/crash_text.h"
#include "base/mem.h"
#include "core/entity_message.h"

#define ADDRESS_MAX 2048 /* RFC 7622 §3.1: 1023 bytes, an at sign, and 1023 */

static const char *const stanza_types[] = {
	[MESSAGE_NORMAL] = "message",
	[MESSAGE_CHAT] = "message type=chat",
	[MESSAGE_GROUPCHAT] = "message type=groupchat",
	[MESSAGE_HEADLINE] = "message type=headline",
	[MESSAGE_ERROR] = "message type=error",
	[PRESENCE_AVAILABLE] = "presence",
	[PRESENCE_UNAVAILABLE] = "presence type=unavailable",
	[PRESENCE_SUBSCRIBE] = "presence type=subscribe",
	[PRESENCE_SUBSCRIBED] = "presence type=subscribed",
	[PRESENCE_UNSUBSCRIBE] = "presence type=unsubscribe",
	[PRESENCE_UNSUBSCRIBED] = "presence type=unsubscribed",
	[PRESENCE_PROBE] = "presence type=probe",
	[PRESENCE_ERROR] = "presence type=error",
	[IQ_GET] = "iq type=get",
	[IQ_SET] = "iq type=set",
	[IQ_RESULT] = "iq type=result",
	[IQ_ERROR] = "iq type=error",
};

static const char *const message_kinds[] = {
	[TELL_CREATE] = "create",
	[TELL_SET_CREDENTIALS] = "set credentials",
	[TELL_REMOVE] = "remove",
	[TELL_KICK] = "kick",
	[TELL_TRACE] = "trace",
	[TELL_CREATED] = "created",
	[TELL_REST] = "rest",
	[TELL_SHOW_PRESENCE] = "show presence",
	[TELL_PASSED_ON] = "passed on",
	[TELL_VERIFY] = "verify",
	[TELL_CAME] = "came",
	[TELL_WATCH] = "watch",
	[TELL_DOMAIN_AWAY] = "domain away",
	[TELL_DOMAIN_BACK] = "domain back",
	[TELL_ACCOUNT_GONE] = "account gone",
	[TELL_STILL_WATCHES] = "still watches",
};

/* Is there an entity still, and the same one? */
static bool
entity_read(const struct crash_text *t, const struct ring_event *ev,
	struct entity *e_out, char text[ADDRESS_MAX])
{
	return crash_read(t, e_out, ev->what, sizeof(*e_out)) &&
		e_out->hash == ev->id && e_out->jid.bare_len <= ADDRESS_MAX &&
		crash_read(t, text, e_out->jid.text, e_out->jid.bare_len);
}

static void
describe_entity(struct crash_text *t, const struct ring_event *ev)
{
	struct entity e;
	char text[ADDRESS_MAX];

	if (entity_read(t, ev, &e, text)) {
		crash_put_bytes(t, text, e.jid.bare_len);
	} else {
		crash_put(t, "one that is gone, ");
		crash_put_hex(t, ev->id);
	}
}

static void
describe_stanza(struct crash_text *t, const struct ring_event *ev)
{
	describe_entity(t, ev);
	crash_put(t, " ");
	crash_put(t, ev->type < COUNT(stanza_types) ? stanza_types[ev->type] :
						      "?");
}

static void
describe_message(struct crash_text *t, const struct ring_event *ev)
{
	describe_entity(t, ev);
	crash_put(t, " ");
	crash_put(t, ev->type < COUNT(message_kinds) ?
			message_kinds[ev->type] :
			"?");
}

static void
describe_turn(struct crash_text *t, const struct ring_event *ev)
{
	describe_entity(t, ev);
	crash_put(t, " step=");
	crash_put_number(t, ev->type);
}

const struct ring_kind ring_sent = { "sent by", describe_stanza };
const struct ring_kind ring_delivered = { "delivered to", describe_stanza };
const struct ring_kind ring_fanout = { "fanned out to", describe_stanza };
const struct ring_kind ring_told = { "told to", describe_message };
const struct ring_kind ring_loaded = { "loaded", describe_entity };
const struct ring_kind ring_turn = { "turn of", describe_turn };
const struct ring_kind ring_due = { "timer of", describe_entity };
