/*
 * fuzz_mention.c - any bytes as what is said in a room: a nickname, in a line, and a message
 * to all.  Whoever says that nickname, and nothing else, has named who has it.
 */
#include "config.h"

#include "fuzz.h"

#include "base/arena.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xmpp/mention.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"

#define ROOM "hall@rooms.example.org"

static const struct xml_limits limits = {
	.stanza_bytes = 1 << 18,
	.depth = 64,
	.elements = 1024,
	.attrs = 256,
	.name_bytes = 1024,
};

static void
check_nick(struct jid occupant, struct jid user)
{
	struct jid none = { .text = NULL };
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT,
		jid_trusted(STR(ROOM "/other")), none, STR_NONE);

	elem_add_with_text(st->arena, st->root, NS_CLIENT, "body",
		jid_resource(occupant));
	FUZZ_CHECK(message_names(st, occupant, user));
	stanza_free(st);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct jid user = jid_trusted(STR("romeo@example.org/orchard"));
	struct str rest = { (const char *)data, n }, line, nick;
	enum stanza_cond cond;
	struct arena *a = arena_new();
	struct jid occupant;
	struct stanza *st;
	struct elem *e;

	str_cut(rest, '\n', &line, &rest);
	if (!str_is_utf8(line) || !jid_prep_resource(&nick, a, line, NULL)) {
		arena_free(a);
		return 0;
	}
	occupant = jid_make(a, STR("hall"), STR("rooms.example.org"), nick);
	check_nick(occupant, user);
	e = xml_parse(a, rest, &limits, NULL);
	st = e != NULL ? stanza_from_elem(a, e, &cond) : NULL;
	if (st != NULL && st->kind == STANZA_MESSAGE && jid_is_set(st->from)) {
		FUZZ_CHECK(message_names(st, st->from, user) ||
			jid_is_bare(st->from));
		message_names(st, occupant, user);
	}
	if (st != NULL)
		stanza_free(st); /* with a */
	else
		arena_free(a);
	return 0;
}
