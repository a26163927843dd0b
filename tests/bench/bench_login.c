/*
 * bench_login.c - what a client says until its resource is bound (RFC 6120
 * §5 to §7), and the way of everything after that to the mode.
 *
 * Called by the parser.  Nothing ends or starts anew in here: see client_feed.
 */
#include "config.h"

#include "bench.h"

#include "base/arena.h"

#define NS_STREAMS "http://etherx.jabber.org/streams"
#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_BIND "urn:ietf:params:xml:ns:xmpp-bind"

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
		"xmlns:stream='" NS_STREAMS "'>", c->b->conf->domain);
}

static void
login_broken(struct client *c, const char *why)
{
	bench_error(c->b, "b%u: %s", c->index, why);
	c->end = END_BROKEN;
}

static void
login_auth(struct client *c)
{
	const char *mechanism = c->b->conf->mechanism;
	struct buf text = BUF_INIT;

	if (mechanism[0] == 'P')
		plain_first(c, &text);
	else
		scram_first(c, &text);
	c->state = CLIENT_AUTH;
	client_send(c, "<auth xmlns='" NS_SASL "' mechanism='%s'>%.*s</auth>",
		mechanism, STR_ARG(buf_str(&text)));
	buf_done(&text);
}

static enum xml_verdict
login_features(struct client *c, struct elem *e)
{
	if (!elem_is(e, NS_STREAMS, "features")) {
		login_broken(c, "no features");
	} else if (c->authenticated) {
		c->state = CLIENT_BIND;
		client_send(c, "<iq type='set' id='bind'><bind xmlns='" NS_BIND
			"'><resource>bench</resource></bind></iq>");
	} else if (c->ssl == NULL && c->b->conf->tls == BENCH_STARTTLS) {
		c->state = CLIENT_STARTTLS;
		client_send(c, "<starttls xmlns='" NS_TLS "'/>");
	} else {
		login_auth(c);
	}
	return XML_GO_ON;
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
		login_broken(c, "the login failed");
		return XML_STOP;
	}
	client_send(c, "<response xmlns='" NS_SASL "'>%.*s</response>",
		STR_ARG(buf_str(&text)));
	buf_done(&text);
	return XML_GO_ON;
}

static enum xml_verdict
login_bound(struct client *c, struct elem *e)
{
	struct bench *b = c->b;

	if (!str_is(elem_attr(e, "type"), "result")) {
		login_broken(c, "binding failed");
		return XML_STOP;
	}
	c->state = CLIENT_READY;
	b->starting--;
	b->ready++;
	bench_progress(b);
	if (b->on_ready != NULL)
		b->on_ready(c);
	return XML_GO_ON;
}

static enum xml_verdict
login_stanza(struct client *c, struct elem *e)
{
	if (elem_is(e, NS_STREAMS, "error")) {
		struct elem *why = elem_first_child(e);

		login_broken(c, why != NULL ? "a stream error" :
			"an empty stream error");
		if (why != NULL)
			bench_error(c->b, "b%u: %.*s", c->index,
				STR_ARG(why->name));
		return XML_STOP;
	}
	if (c->b->on_stanza != NULL)
		c->b->on_stanza(c, e);
	return c->end == END_NONE ? XML_GO_ON : XML_STOP;
}

static enum xml_verdict
login_step(struct client *c, struct arena *a, struct elem *e)
{
	switch (c->state) {
	case CLIENT_OPENING:
		return login_features(c, e);
	case CLIENT_STARTTLS:
		return login_starttls(c, e);
	case CLIENT_AUTH:
		return login_sasl(c, a, e);
	case CLIENT_BIND:
		return login_bound(c, e);
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
