/*
 * bench_login.c - what a client says until its resource is bound (RFC 6120
 * §5 to §7), and the way of everything after that to the mode.
 *
 * It must work with any server, so it looks at what is offered, and takes
 * nothing for granted that a specification leaves open.
 *
 * Called by the parser.  Nothing ends or starts anew in here: see client_feed.
 */
#include "config.h"

#include "bench.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xmpp/ns.h"

const struct xml_limits login_limits = {
	.stanza_bytes = 16 << 20,
	.depth = 1000,
	.elements = 1000000,
	.attrs = 1000,
	.name_bytes = 16 << 10,
};

void
login_open_stream(struct client *c)
{
	c->state = CLIENT_OPENING;
	c->parser = xml_parser_get(c->b->xml, &login_limits, &login_events, c);
	client_send(c, "<?xml version='1.0'?><stream:stream to='%s' "
		"version='1.0' xmlns='jabber:client' "
		"xmlns:stream='" NS_STREAM "'>", c->b->conf->domain);
}

void
login_broken(struct client *c, const char *why)
{
	bench_error(c->b, "b%u: %s", c->index, why);
	c->end = END_BROKEN;
}

/* --- authentication ------------------------------------------------------------ */

static bool
login_offers(struct arena *a, struct elem *mechanisms, const char *name)
{
	elem_each_child(mechanisms, m)
		if (elem_is(m, NS_SASL, "mechanism") &&
			str_is(str_trim(elem_text(a, m)), name))
			return true;
	return false;
}

/* The one that was asked for, or what every server has one of; NULL when it is
 * not offered. */
static const char *
login_choose(struct client *c, struct arena *a, struct elem *features)
{
	static const char *const usual[] = { "SCRAM-SHA-1", "PLAIN" };
	struct elem *offered = elem_child(features, NS_SASL, "mechanisms");
	const char *wanted = c->b->conf->mechanism;

	if (offered == NULL)
		return NULL;
	if (wanted != NULL)
		return login_offers(a, offered, wanted) ? wanted : NULL;
	for (size_t i = 0; i < COUNT(usual); i++)
		if (login_offers(a, offered, usual[i]))
			return usual[i];
	return NULL;
}

static void
login_auth(struct client *c, struct arena *a, struct elem *features)
{
	const char *mechanism = login_choose(c, a, features);
	struct buf text = BUF_INIT;

	if (mechanism == NULL) {
		login_broken(c, "no mechanism that suits is offered");
		return;
	}
	c->b->mechanism = mechanism;

	if (mechanism[0] == 'P')
		plain_first(c, &text);
	else
		scram_first(c, &text);
	c->state = CLIENT_AUTH;
	client_send(c, "<auth xmlns='" NS_SASL "' mechanism='%s'>%.*s</auth>",
		mechanism, STR_ARG(buf_str(&text)));
	buf_done(&text);
}

/* --- from features to features -------------------------------------------------- */

const char *
client_resource(const struct client *c, char out[RESOURCE_SIZE])
{
	unsigned device = c->index / c->b->conf->clients;

	snprintf(out, RESOURCE_SIZE, device != 0 ? "bench%u" : "bench", device);
	return out;
}

static void
login_bind(struct client *c)
{
	char resource[RESOURCE_SIZE];

	c->state = CLIENT_BIND;
	client_send(c, "<iq type='set' id='bind'><bind xmlns='" NS_BIND
		"'><resource>%s</resource></bind></iq>",
		client_resource(c, resource));
}

static void
login_resume(struct client *c)
{
	c->state = CLIENT_RESUMING;
	client_send(c, "<resume xmlns='" NS_SM "' previd='%s' h='%u'/>",
		c->session_id, (unsigned)c->h);
}

static void
login_begin(struct client *c, struct elem *features)
{
	struct elem *session = elem_child(features, NS_SESSION, "session");

	/* servers that know RFC 6121 say that it is optional, or nothing */
	c->wants_session = session != NULL &&
		elem_child(session, NS_SESSION, "optional") == NULL;
	if (c->session_id != NULL)
		login_resume(c);
	else
		login_bind(c);
}

static enum xml_verdict
login_features(struct client *c, struct arena *a, struct elem *e)
{
	bool tls = c->ssl == NULL && c->b->conf->tls == BENCH_STARTTLS;

	if (!elem_is(e, NS_STREAM, "features")) {
		login_broken(c, "no features");
	} else if (c->authenticated) {
		login_begin(c, e);
	} else if (tls && elem_child(e, NS_TLS, "starttls") == NULL) {
		login_broken(c, "STARTTLS is not offered");
	} else if (tls) {
		c->state = CLIENT_STARTTLS;
		client_send_str(c, STR("<starttls xmlns='" NS_TLS "'/>"));
	} else {
		login_auth(c, a, e);
	}
	return c->end == END_NONE ? XML_GO_ON : XML_STOP;
}

static enum xml_verdict
login_starttls(struct client *c, struct elem *e)
{
	if (!elem_is(e, NS_TLS, "proceed")) {
		login_broken(c, "STARTTLS was refused");
		return XML_STOP;
	}
	c->handshake = c->restart = true;
	return XML_STOP;
}

/* What the server gives as its reason, if it does. */
static void
login_refused(struct client *c, const char *what, struct elem *e)
{
	struct elem *why = elem_first_child(e);
	char text[128];

	snprintf(text, sizeof(text), "%s%s%.*s", what, why != NULL ? ": " : "",
		STR_ARG(why != NULL ? why->name : STR_NONE));
	login_broken(c, text);
}

static enum xml_verdict
login_sasl(struct client *c, struct arena *a, struct elem *e)
{
	struct buf text = BUF_INIT;

	if (elem_is(e, NS_SASL, "success")) {
		c->authenticated = c->restart = true;
		buf_done(&c->first_bare);
		return XML_STOP;
	}
	if (!elem_is(e, NS_SASL, "challenge") ||
		!scram_final(c, elem_text(a, e), &text)) {
		login_refused(c, "the login failed", e);
		return XML_STOP;
	}
	client_send(c, "<response xmlns='" NS_SASL "'>%.*s</response>",
		STR_ARG(buf_str(&text)));
	buf_done(&text);
	return XML_GO_ON;
}

/* --- binding ---------------------------------------------------------------------- */

/* Others send to "b<account>@<domain>/bench". */
static bool
login_is_bound(struct client *c, struct arena *a, struct elem *e)
{
	char wanted[RESOURCE_SIZE];
	struct elem *bind = elem_child(e, NS_BIND, "bind");
	struct elem *jid = bind != NULL ? elem_child(bind, NS_BIND, "jid") :
		NULL;
	struct str bare, resource;

	return str_is(elem_attr(e, "type"), "result") && jid != NULL &&
		str_cut(elem_text(a, jid), '/', &bare, &resource) &&
		str_is(resource, client_resource(c, wanted));
}

static enum xml_verdict
login_bound(struct client *c, struct arena *a, struct elem *e)
{
	if (c->state == CLIENT_BIND && !login_is_bound(c, a, e)) {
		login_broken(c, "binding failed");
		return XML_STOP;
	}
	if (c->wants_session) {
		c->wants_session = false;
		c->state = CLIENT_SESSION;
		client_send_str(c, STR("<iq type='set' id='session'><session "
			"xmlns='" NS_SESSION "'/></iq>"));
		return XML_GO_ON;
	}
	c->counts = false;
	if (c->b->conf->sm)
		client_send_str(c, STR("<enable xmlns='" NS_SM
			"' resume='true'/>"));
	if (c->b->bind_only) {
		enter_done(c);
	} else {
		enter_start(c);
	}
	return c->end == END_NONE ? XML_GO_ON : XML_STOP;
}

/* --- stream management --------------------------------------------------------------- */

#define ASK_EACH 5

void
login_ask(struct client *c, uint32_t sent)
{
	if (c->b->conf->sm && sent % ASK_EACH == 0)
		client_send_str(c, STR("<r xmlns='" NS_SM "'/>"));
}

void
login_acknowledge(struct client *c)
{
	if (c->counts)
		client_send(c, "<a xmlns='" NS_SM "' h='%u'/>", (unsigned)c->h);
}

static void
login_keep(struct client *c, struct str id)
{
	free(c->session_id);
	c->session_id = id.n > 0 ? str_dup(id) : NULL;
}

/* The session goes on, or there has to be another one. */
static enum xml_verdict
login_resumed(struct client *c, struct elem *e)
{
	if (elem_is(e, NS_SM, "resumed")) {
		c->b->resumed++;
		enter_done(c);
	} else if (elem_is(e, NS_SM, "failed")) {
		login_keep(c, STR_NONE);
		login_bind(c);
	} else {
		login_broken(c, "neither resumed nor failed");
	}
	return c->end == END_NONE ? XML_GO_ON : XML_STOP;
}

/* True: it was no stanza. */
static bool
login_counted(struct client *c, struct elem *e)
{
	if (!str_is(e->ns, NS_SM)) {
		c->h += c->counts;
		return false;
	}
	if (str_is(e->name, "enabled")) {
		c->counts = true;
		c->h = 0;
		if (c->b->keep_sessions)
			login_keep(c, elem_attr(e, "id"));
	} else if (str_is(e->name, "r")) {
		login_acknowledge(c);
	} else if (str_is(e->name, "failed")) {
		login_broken(c, "stream management was refused");
	}
	return true;
}

/* --- what comes then ---------------------------------------------------------------- */

/* A server may want to know whether we live (XEP-0199). */
static bool
login_pong(struct client *c, struct elem *e)
{
	if (!elem_is(e, NS_CLIENT, "iq") || c->b->conf->floor ||
		!str_is(elem_attr(e, "type"), "get") ||
		elem_child(e, NS_PING, "ping") == NULL)
		return false;
	client_send(c, "<iq type='result' id='%.*s'",
		STR_ARG(elem_attr(e, "id")));
	if (elem_attr(e, "from").n > 0)
		client_send(c, " to='%.*s'", STR_ARG(elem_attr(e, "from")));
	client_send_str(c, STR("/>"));
	return true;
}

static enum xml_verdict
login_stanza(struct client *c, struct elem *e)
{
	if (c->b->conf->sm && login_counted(c, e))
		return c->end == END_NONE ? XML_GO_ON : XML_STOP;
	if (elem_is(e, NS_STREAM, "error")) {
		login_refused(c, "a stream error", e);
		return XML_STOP;
	}
	if (c->state == CLIENT_ENTERING && enter_stanza(c, e))
		return c->end == END_NONE ? XML_GO_ON : XML_STOP;
	if (!login_pong(c, e) && c->b->on_stanza != NULL)
		c->b->on_stanza(c, e);
	return c->end == END_NONE ? XML_GO_ON : XML_STOP;
}

static enum xml_verdict
login_step(struct client *c, struct arena *a, struct elem *e)
{
	switch (c->state) {
	case CLIENT_OPENING:
		return login_features(c, a, e);
	case CLIENT_STARTTLS:
		return login_starttls(c, e);
	case CLIENT_AUTH:
		return login_sasl(c, a, e);
	case CLIENT_RESUMING:
		return login_resumed(c, e);
	case CLIENT_BIND:
	case CLIENT_SESSION:
		return login_bound(c, a, e);
	case CLIENT_ENTERING:
	case CLIENT_READY:
	case CLIENT_CLOSING:
		return login_stanza(c, e);
	case CLIENT_OFF:
	case CLIENT_CONNECTING:
		break;
	}
	return XML_STOP;
}

static enum xml_verdict
on_element(void *arg, struct arena *a, struct elem *e)
{
	enum xml_verdict verdict = login_step(arg, a, e);

	arena_free(a);
	return verdict;
}

static enum xml_verdict
on_opened(void *arg, const struct elem *root, struct str content_ns)
{
	(void)arg;
	(void)root;
	(void)content_ns;
	return XML_GO_ON;
}

static enum xml_verdict
on_closed(void *arg)
{
	struct client *c = arg;

	c->end = c->state == CLIENT_CLOSING ? END_CLEAN : END_BROKEN;
	return XML_STOP;
}

const struct xml_events login_events = { on_opened, on_element, on_closed };
