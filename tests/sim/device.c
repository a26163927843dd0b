/*
 * device.c - a client with stream management.
 */
#include "config.h"

#include "device.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "core/server.h"

/* What the client says by itself behind the binding, see client.c. */
static const char *const own[] = {
	"<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>",
	"<presence/>",
};
#define OWN COUNT(own)

static void
device_keep(struct device *d, char *text, unsigned tag)
{
	*vec_push(&d->out) = (struct sent){ text, tag };
}

void
device_say(struct device *d, unsigned tag, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		abort();
	va_end(ap);
	client_send(&d->c, "%s", text);
	device_keep(d, text, tag);
}

/* --- what the server has ---------------------------------------------------------- */

static void
device_acked(struct device *d, const struct elem *e)
{
	long long h;
	size_t n;

	if (!str_to_int(elem_attr(e, "h"), 0, UINT32_MAX, &h))
		abort();
	n = (uint32_t)h - d->acked;
	if (n > d->out.n) {
		fprintf(stderr, "%s/%s: %lld of %u are acknowledged\n",
			d->c.local, d->c.resource, h,
			d->acked + (unsigned)d->out.n);
		abort();
	}
	for (size_t i = 0; i < n; i++) {
		if (d->out.p[i].tag != NO_TAG && d->on_acked != NULL)
			d->on_acked(d, d->out.p[i].tag);
		free(d->out.p[i].text);
	}
	d->out.n -= n;
	memmove(d->out.p, d->out.p + n, d->out.n * sizeof(d->out.p[0]));
	d->acked = (uint32_t)h;
}

static void
send_again(struct device *d)
{
	for (size_t i = 0; i < d->out.n; i++)
		client_send(&d->c, "%s", d->out.p[i].text);
}

/* What is behind those that the client has said by itself. */
static void
send_behind(struct device *d)
{
	for (size_t i = OWN; i < d->out.n; i++)
		client_send(&d->c, "%s", d->out.p[i].text);
}

/* What the client says by itself behind the binding is counted, too. */
static void
device_bind(struct device *d)
{
	struct sent *old = d->out.p;
	size_t n = d->out.n;

	memset(&d->out, 0, sizeof(d->out));
	for (size_t i = 0; i < OWN; i++)
		device_keep(d, strdup(own[i]), NO_TAG);
	for (size_t i = 0; i < n; i++) {
		if (old[i].tag != NO_TAG)
			device_keep(d, old[i].text, old[i].tag);
		else
			free(old[i].text);
	}
	free(old);
	d->on = d->resuming = false;
	d->id[0] = '\0';
	d->h = d->acked = 0;
	d->lives++;
	if (d->on_new_life != NULL)
		d->on_new_life(d);
	client_send(&d->c,
		"<iq type='set' id='bind'><bind xmlns='" NS_BIND
		"'><resource>%s</resource></bind></iq>"
		"<enable xmlns='" NS_SM "' resume='true'", d->c.resource);
	if (d->max_s != 0)
		client_send(&d->c, " max='%u'", d->max_s);
	client_send(&d->c, "/>");
}

static void
on_login(struct client *c)
{
	struct device *d = CONTAINER_OF(c, struct device, c);

	if (d->id[0] == '\0') {
		device_bind(d);
		return;
	}
	d->resuming = true;
	client_send(c, "<resume xmlns='" NS_SM "' previd='%s' h='%u'/>", d->id,
		(unsigned)d->h);
}

/* --- what comes ------------------------------------------------------------------- */

static void
on_sm(struct device *d, const struct elem *e)
{
	struct str id = elem_attr(e, "id");

	if (str_is(e->name, "enabled")) {
		d->on = true;
		snprintf(d->id, sizeof(d->id), "%.*s", STR_ARG(id));
		send_behind(d);
	} else if (str_is(e->name, "r")) {
		d->asked++;
		if (!d->mute)
			client_send(&d->c, "<a xmlns='" NS_SM "' h='%u'/>",
				(unsigned)d->h);
	} else if (str_is(e->name, "a")) {
		d->acks++;
		device_acked(d, e);
	} else if (str_is(e->name, "resumed")) {
		d->resumed++;
		d->resuming = false;
		d->c.state = CLIENT_ONLINE;
		device_acked(d, e);
		send_again(d);
	} else if (str_is(e->name, "failed")) {
		d->failed++;
		if (elem_attr(e, "h").p != NULL)
			device_acked(d, e);
		device_bind(d);
	}
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct device *d = CONTAINER_OF(c, struct device, c);

	if (str_is(e->ns, NS_SM)) {
		on_sm(d, e);
	} else {
		d->h += d->on;
		if (d->on_stanza != NULL)
			d->on_stanza(d, e);
	}
	arena_free(a);
}

/* --- life ------------------------------------------------------------------------- */

void
device_init(struct device *d, struct world *w, const char *local,
	const char *resource)
{
	memset(d, 0, sizeof(*d));
	client_init(&d->c, w, local, resource);
	d->c.on_stanza = on_stanza;
	d->c.on_login = on_login;
}

void
device_done(struct device *d)
{
	client_done(&d->c);
	for (size_t i = 0; i < d->out.n; i++)
		free(d->out.p[i].text);
	free(d->out.p);
}

void
device_come(struct device *d)
{
	client_connect(&d->c);
}

bool
device_is_on(const struct device *d)
{
	return d->c.conn != NULL && d->c.state == CLIENT_ONLINE && d->on &&
		!d->resuming;
}

void
device_settle(struct device *d)
{
	for (int i = 0; i < 12; i++) {
		world_settle(d->c.world);
		client_read(&d->c);
	}
}
