/*
 * client.c - a client of the simulation: logs in, and hands on what comes.
 *
 *   OFF --connect--> GREETING --features--> AUTH --success--> GREETING
 *       --features--> BIND --result--> ONLINE
 *                `--it resumes--> RESUME --resumed--> ONLINE
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/text.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "core/server.h"
#include "core/shard.h"
#include "stream/client/c2s.h"
#include "world.h"

#define NS_RESUME "urn:antiphon:test:resume"

static const struct xml_limits client_limits = {
	.stanza_bytes = 1u << 20,
	.depth = 64,
	.elements = 4096,
	.attrs = 64,
	.name_bytes = 1024,
};

void
client_init(struct client *c, struct world *w, const char *local,
	const char *resource)
{
	*c = (struct client){ .world = w };
	snprintf(c->local, sizeof(c->local), "%s", local);
	snprintf(c->resource, sizeof(c->resource), "%s", resource);
	c->domain = WORLD_HOST;
}

/* --- the wire ---------------------------------------------------------------------- */

static void
on_written(void *arg, const char *p, size_t n)
{
	struct client *c = arg;

	buf_add(&c->in, p, n);
}

static void
on_closed(void *arg)
{
	struct client *c = arg;

	c->conn = NULL;
	c->closed = true;
}

void
client_send(struct client *c, const char *fmt, ...)
{
	struct buf out = BUF_INIT;
	va_list ap;
	char *text;
	int n;

	if (c->conn == NULL)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n == -1)
		abort();
	buf_add(&out, text, (size_t)n);
	free(text);
	conn_mem_feed(c->conn, out.p, out.n);
	buf_done(&out);
}

/* --- logging in ---------------------------------------------------------------------- */

static void
client_greet(struct client *c)
{
	c->state = CLIENT_GREETING;
	client_send(c,
		"<stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM
		"' to='%s' version='1.0'>",
		c->domain);
}

static void
client_authenticate(struct client *c)
{
	struct buf raw = BUF_INIT, text = BUF_INIT;

	buf_add(&raw, "", 1);
	buf_add_c(&raw, c->local);
	buf_add(&raw, "", 1);
	buf_add_c(&raw, WORLD_PASSWORD);
	base64_encode(&text, raw.p, raw.n);
	c->state = CLIENT_AUTH;
	client_send(c, "<auth xmlns='" NS_SASL "' mechanism='PLAIN'>%.*s</auth>",
		STR_ARG(buf_str(&text)));
	buf_done(&raw);
	buf_done(&text);
}

static void
client_come_online(struct client *c)
{
	c->state = CLIENT_ONLINE;
	if (c->resumable)
		client_send(c, "<iq type='set' id='enable'>"
			"<enable xmlns='" NS_RESUME "'/></iq>");
	if (c->copies)
		client_send(c, "<iq type='set' id='copies'>"
			"<enable xmlns='" NS_CARBONS "'/></iq>");
	client_send(c,
		"<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
	client_send(c, "<presence><priority>%d</priority></presence>",
		c->priority);
}

static void
client_ask_to_resume(struct client *c)
{
	c->state = CLIENT_RESUME;
	client_send(c, "<resume xmlns='" NS_RESUME "' resource='%s' h='%u'/>",
		c->resource, (unsigned)c->h);
}

static void
client_features(struct client *c, const struct elem *features)
{
	if (elem_child(features, NS_SASL, "mechanisms") != NULL) {
		client_authenticate(c);
		return;
	}
	if (c->on_login != NULL) {
		c->state = CLIENT_BIND;
		c->on_login(c);
		return;
	}
	if (c->resumes) {
		client_ask_to_resume(c);
		return;
	}
	c->state = CLIENT_BIND;
	client_send(c,
		"<iq type='set' id='bind'><bind xmlns='" NS_BIND
		"'><resource>%s</resource></bind></iq>",
		c->resource);
}

void
client_ack(struct client *c, const char *id)
{
	client_send(c, "<ack xmlns='" NS_RESUME "' id='%s' h='%u'/>", id,
		(unsigned)c->h);
}

static bool
is_answer(const struct elem *e, const char *id)
{
	return str_is(e->name, "iq") && str_is(elem_attr(e, "id"), id);
}

/* XEP-0198 §4: the answer that switches it on is the first here. */
static void
client_count(struct client *c, const struct elem *e)
{
	if (c->state != CLIENT_ONLINE || !str_is(e->ns, NS_CLIENT))
		return;
	if (is_answer(e, "enable"))
		c->counts = true;
	c->h += c->counts;
}

/* True when e belonged to the login. */
static bool
client_negotiate(struct client *c, const struct elem *e)
{
	if (elem_is(e, NS_STREAM, "features")) {
		client_features(c, e);
		return true;
	}
	if (elem_is(e, NS_SASL, "success")) {
		/* a new stream: a new parser, outside of this callback */
		c->state = CLIENT_OFF;
		return true;
	}
	if (elem_is(e, NS_SASL, "failure") ||
		elem_is(e, NS_STREAM, "error")) {
		c->state = CLIENT_FAILED;
		return true;
	}
	if (c->state == CLIENT_BIND && str_eq(elem_attr(e, "id"), STR("bind"))) {
		if (str_eq(elem_attr(e, "type"), STR("result")))
			client_come_online(c);
		else
			c->state = CLIENT_FAILED;
		return true;
	}
	if (c->state == CLIENT_RESUME && str_is(e->ns, NS_RESUME)) {
		c->state = str_is(e->name, "resumed") ? CLIENT_ONLINE :
							 CLIENT_FAILED;
		return true;
	}
	return false;
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
on_element(void *arg, struct arena *a, struct elem *e)
{
	struct client *c = arg;

	client_count(c, e);
	if (client_negotiate(c, e) || c->on_stanza == NULL)
		arena_free(a);
	else
		c->on_stanza(c, a, e);
	return c->state == CLIENT_OFF ? XML_STOP : XML_GO_ON;
}

static enum xml_verdict
on_end(void *arg)
{
	(void)arg;
	return XML_STOP;
}

static const struct xml_events client_events = { on_opened, on_element, on_end };

static void
client_new_parser(struct client *c)
{
	xml_parser_put(c->world->xml, c->parser);
	c->parser = xml_parser_get(c->world->xml, &client_limits,
		&client_events, c);
}

void
client_read(struct client *c)
{
	size_t used;

	while (c->in.n != 0 && c->parser != NULL) {
		struct buf in = c->in;
		enum xml_fault fault;

		c->in = (struct buf)BUF_INIT;
		fault = xml_parser_feed(c->parser, in.p, in.n, &used);
		buf_consume(&in, fault == XML_FAULT_NONE ? used : in.n);
		buf_add(&in, c->in.p, c->in.n);
		buf_done(&c->in);
		c->in = in;
		if (fault != XML_FAULT_NONE)
			c->state = CLIENT_FAILED;
		if (c->state != CLIENT_OFF)
			break;
		client_new_parser(c);
		client_greet(c);
	}
}

/* --- coming and going ------------------------------------------------------------------- */

static void
client_open(struct client *c)
{
	struct world *w = c->world;
	struct shard *sh = w->server->shards[world_draw(w, w->n_shards)];
	struct conn_mem_sink sink = { on_written, on_closed, c };

	c->closed = false;
	c->in.n = 0;
	c->conn = conn_new_mem(sh->net, &sink);
	c2s_accept_mem(sh, c->conn, true);
	client_new_parser(c);
	client_greet(c);
}

void
client_connect(struct client *c)
{
	c->resumes = c->counts = false;
	c->h = 0;
	client_open(c);
}

void
client_resume(struct client *c)
{
	c->resumes = true;
	client_open(c);
}

void
client_leave(struct client *c)
{
	client_send(c, "</stream:stream>");
}

void
client_break(struct client *c)
{
	if (c->conn == NULL)
		return;
	conn_mem_hangup(c->conn); /* closed() is not called after that */
	on_closed(c);
}

void
client_done(struct client *c)
{
	client_break(c);
	xml_parser_put(c->world->xml, c->parser);
	c->parser = NULL;
	buf_done(&c->in);
	c->state = CLIENT_OFF;
}
