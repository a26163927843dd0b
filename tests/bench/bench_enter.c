/*
 * bench_enter.c - what a client does when its resource is bound, before it
 * counts as logged in: it asks for its roster and says presence, as people's
 * clients do (RFC 6121 §2.2, §4.2), and waits for the roster and for its own
 * presence.
 *
 * Not every server sends a client its own presence.  The first client of a run
 * finds out: it asks the server two more questions, one behind the answer to
 * the other, which are answered after presence was dealt with.
 */
#include "config.h"

#include "xmpp/ns.h"
#include "bench.h"

#define FENCES 2

static void
enter_ask(struct client *c)
{
	client_send(c, "<iq type='get' id='fence' to='%s'>"
		"<ping xmlns='urn:xmpp:ping'/></iq>", c->b->conf->domain);
}

void
enter_start(struct client *c)
{
	c->state = CLIENT_ENTERING;
	c->got_roster = c->got_presence = false;
	client_send_str(c, STR("<iq type='get' id='enter'><query "
		"xmlns='" NS_ROSTER "'/></iq><presence/>"));
	c->fences = 0;
	if (c->b->echo == ECHO_UNKNOWN) {
		c->fences = FENCES;
		enter_ask(c);
	}
}

void
enter_done(struct client *c)
{
	struct bench *b = c->b;

	c->state = CLIENT_READY;
	b->starting--;
	b->ready++;
	bench_progress(b);
	if (b->on_ready != NULL)
		b->on_ready(c);
}

/* Its own address, with which the server has presence sent. */
static bool
enter_is_self(const struct client *c, struct str jid)
{
	char self[512], resource[RESOURCE_SIZE];

	snprintf(self, sizeof(self), "b%u@%s/%s", c->account,
		c->b->conf->domain, client_resource(c, resource));
	return str_is(jid, self);
}

static void
enter_check(struct client *c)
{
	if (c->got_roster && c->fences == 0 &&
		(c->got_presence || c->b->echo == ECHO_NO))
		enter_done(c);
}

static void
enter_fenced(struct client *c)
{
	if (c->fences == 0)
		return;
	c->fences--;
	if (c->fences > 0)
		enter_ask(c);
	else
		c->b->echo = c->got_presence ? ECHO_YES : ECHO_NO;
}

bool
enter_stanza(struct client *c, struct elem *e)
{
	struct str id = elem_attr(e, "id"), type = elem_attr(e, "type");

	if (elem_is(e, NS_CLIENT, "presence") && type.p == NULL &&
		enter_is_self(c, elem_attr(e, "from"))) {
		c->got_presence = true;
	} else if (!elem_is(e, NS_CLIENT, "iq") || str_is(type, "set") ||
		str_is(type, "get")) {
		return false;
	} else if (str_is(id, "fence")) {
		enter_fenced(c);
	} else if (str_is(id, "enter")) {
		if (!str_is(type, "result"))
			login_broken(c, "no roster");
		c->got_roster = true;
	} else {
		return false;
	}
	if (c->end == END_NONE)
		enter_check(c);
	return true;
}
