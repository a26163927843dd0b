/*
 * quiet_senders.c - contacts and strangers, and what they say.
 */
#include "config.h"

#include "sim_quiet.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"

/* --- words ------------------------------------------------------------------------ */

#define BODY "<body>b</body>"
#define EVENT "<event xmlns='http://jabber.org/protocol/pubsub#event'/>"
#define TYPING "<composing xmlns='" NS_CHATSTATES "'/>"
#define GONE "<error type='cancel'><gone xmlns='" NS_STANZAS "'/></error>"
#define CODE "<x xmlns='" NS_MUC_USER "'><status code='110'/></x>"
#define ITEM "<x xmlns='" NS_MUC_USER "'><item role='none'/></x>"
#define PING "<ping xmlns='urn:xmpp:ping'/>"

/* To all, to one phone, of which the other one may see a copy, or, by strangers, presence
 * to one phone; and by the desk to a contact, of which phones may see copies. */
enum to { ALL, CONTACTS_ALL, ONE, COPIED, STRANGERS_ONE, DESKS };

static const struct {
	enum kind kind;
	enum to to;
	const char *name, *type, *inside;
} words[] = {
	{ PRESENCE, CONTACTS_ALL, "presence", NULL, "<show>away</show>" },
	{ PRESENCE, CONTACTS_ALL, "presence", NULL, ITEM },
	{ PRESENCE, CONTACTS_ALL, "presence", NULL, "" },
	{ PRESENCE, CONTACTS_ALL, "presence", "unavailable", "" },
	{ URGENT, CONTACTS_ALL, "presence", NULL, CODE },
	{ PRESENCE, STRANGERS_ONE, "presence", NULL, "<show>dnd</show>" },
	{ PRESENCE, STRANGERS_ONE, "presence", NULL, "" },
	{ URGENT, STRANGERS_ONE, "presence", "error", GONE },
	{ STATE, ALL, "message", "chat", TYPING },
	{ STATE, COPIED, "message", "chat", TYPING "<thread>t</thread>" },
	{ HELD, ALL, "message", "headline", EVENT },
	{ HELD, ONE, "message", "headline", EVENT },
	{ URGENT, ALL, "message", "chat", BODY TYPING },
	{ URGENT, ALL, "message", "normal", EVENT },
	{ URGENT, ALL, "message", "headline", BODY },
	{ URGENT, COPIED, "message", "chat", BODY },
	{ URGENT, ONE, "message", "error", GONE },
	{ URGENT, ONE, "iq", "get", PING },
	{ STATE, DESKS, "message", "chat", TYPING },
	{ URGENT, DESKS, "message", "chat", BODY },
};

/* Who is no contact is asked nothing. */
static bool
may_say(unsigned sender, unsigned word)
{
	enum to to = words[word].to;

	if (sender == DESK)
		return to == DESKS;
	if (sender >= STRANGER)
		return to != CONTACTS_ALL && to != DESKS &&
			words[word].name[0] != 'i';
	return to != STRANGERS_ONE && to != DESKS;
}

/* What can wait is said more often than what cannot: else nothing waits for long. */
static unsigned
draw_word(struct scene *s, unsigned sender)
{
	unsigned w;

	do {
		w = scene_draw(s, COUNT(words));
	} while (!may_say(sender, w) ||
		(words[w].kind == URGENT && scene_draw(s, 4) != 0));
	return w;
}

/* For which phones it is, one of them being drawn. */
static unsigned
phones_of(const struct scene *s, enum to to, unsigned phone)
{
	bool one = to == ONE || to == STRANGERS_ONE ||
		(to == COPIED && !s->copies);

	return one ? 1u << phone : (1u << PHONES) - 1;
}

static const char *
address_of(enum to to, unsigned phone)
{
	static const char *const phones[PHONES] = { ROMEO "/phone0",
		ROMEO "/phone1" };

	return to == ALL ? ROMEO : to == DESKS ? "c0@" WORLD_HOST : phones[phone];
}

void
sender_says(struct scene *s, unsigned sender)
{
	struct sender *x = &s->senders[sender];
	unsigned w = draw_word(s, sender), phone = scene_draw(s, PHONES);
	enum to to = words[w].to;
	const char *type = words[w].type;
	bool leaves = type != NULL && strcmp(type, "unavailable") == 0;

	/* who has left comes again, and says what he is only then */
	if (x->n == SAID_MAX || (leaves && x->away) ||
		(sender == DESK && !s->copies))
		return;
	if (to == CONTACTS_ALL)
		x->away = leaves;
	x->said[x->n] = (struct said){ words[w].kind, phones_of(s, to, phone),
		to == ALL || to == CONTACTS_ALL, 0 };
	seeds_say("%u-%u is %s %s to %s", sender, x->n, words[w].name,
		type != NULL ? type : "",
		to == CONTACTS_ALL ? "contacts" : address_of(to, phone));
	client_send(&x->c, "<%s id='%u-%u'", words[w].name, sender, x->n);
	if (type != NULL)
		client_send(&x->c, " type='%s'", type);
	if (to != CONTACTS_ALL)
		client_send(&x->c, " to='%s'", address_of(to, phone));
	client_send(&x->c, ">%s</%s>", words[w].inside, words[w].name);
	x->asked += words[w].name[0] == 'i';
	x->n++;
	s->counts->said++;
}

void
sender_asks(struct scene *s, unsigned sender)
{
	struct sender *x = &s->senders[sender];

	if (x->request != 0 || x->n == SAID_MAX)
		return;
	x->said[x->n++] = (struct said){ URGENT, (1u << PHONES) - 1, true, 0 };
	x->request = x->n;
	client_send(&x->c, "<presence type='subscribe' to='" ROMEO "'/>");
}

/* --- life -------------------------------------------------------------------------- */

void
scene_answer(struct client *c, const struct elem *e)
{
	if (str_is(e->name, "iq") && str_is(elem_attr(e, "type"), "get"))
		client_send(c, "<iq type='result' id='%.*s'/>",
			STR_ARG(elem_attr(e, "id")));
}

static void
on_sender(struct client *c, struct arena *a, struct elem *e)
{
	struct sender *x = CONTAINER_OF(c, struct sender, c);
	struct str type = elem_attr(e, "type");

	if (str_is(type, "subscribe") && x != &x->scene->senders[DESK])
		client_send(c, "<presence type='subscribed' to='%.*s'/>",
			STR_ARG(elem_attr(e, "from")));
	if (str_is(e->name, "iq") &&
		(str_is(type, "result") || str_is(type, "error")))
		x->answered += elem_attr(e, "id").p[1] == '-';
	scene_answer(c, e);
	arena_free(a);
}

void
sender_open(struct scene *s, unsigned i)
{
	struct sender *x = &s->senders[i];
	char local[16], resource[16];

	snprintf(local, sizeof(local),
		i == DESK ? "romeo" : i < STRANGER ? "c%u" : "s%u",
		i < STRANGER ? i / 2 : i - STRANGER);
	snprintf(resource, sizeof(resource), "r%u", i % 2);
	if (i != DESK && (i >= STRANGER || i % 2 == 0))
		world_add_account(s->w, local);
	x->scene = s;
	client_init(&x->c, s->w, local, resource);
	x->c.on_stanza = on_sender;
	client_connect(&x->c);
}
