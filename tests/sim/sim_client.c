/*
 * sim_client.c - a client of one of the users that are simulated.
 */
#include "config.h"

#include "sim_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "core/entity.h"
#include "account/account.h"
#include "../peek.h"

#define TAGS 65536 /* messages of one user to another */

/* --- coming and going -------------------------------------------------------------- */

void
user_init(struct sim_client *sc, struct sim *s, struct world *w, unsigned user,
	unsigned index, const char *domain)
{
	char local[8], resource[8];

	snprintf(local, sizeof(local), "u%u", user);
	snprintf(resource, sizeof(resource), "r%u", index);
	client_init(&sc->c, w, local, resource);
	sc->c.domain = domain;
	sc->sim = s;
	sc->user = user;
	sc->index = index;
	memset(sc->last, -1, sizeof(sc->last));
}

void
user_done(struct sim_client *sc)
{
	for (size_t i = 0; sc->managed && i < sc->d.out.n; i++)
		free(sc->d.out.p[i].text);
	if (sc->managed)
		vec_done(&sc->d.out);
	buf_done(&sc->c.in);
	vec_done(&sc->said);
	vec_done(&sc->arrivals);
}

static void
user_begins(struct sim_client *sc)
{
	memset(sc->sees, 0, sizeof(sc->sees));
	memset(sc->wished, 0, sizeof(sc->wished));
}

void
user_connect(struct sim_client *sc, int priority)
{
	sc->leaving = sc->asked = sc->counted = sc->invisible = false;
	sc->said.n = 0;
	sc->c.priority = priority;
	if (sc->managed) {
		device_come(&sc->d);
		return;
	}
	user_begins(sc);
	client_connect(&sc->c);
}

void
user_ends(struct sim_client *sc)
{
	if (!sc->managed)
		return;
	client_send(&sc->c, "<a xmlns='" NS_SM "' h='%u'/>", (unsigned)sc->d.h);
	sc->d.id[0] = '\0';
}

bool
user_is_counted(const struct sim_client *sc)
{
	return sc->managed ? device_is_on(&sc->d) : sc->counted;
}

/* --- stream management ------------------------------------------------------------- */

static struct sim_client *
client_of(struct device *d)
{
	return CONTAINER_OF(d, struct sim_client, d);
}

static struct said
said_of(unsigned tag)
{
	return (struct said){ .to = tag / TAGS, .serial = tag % TAGS };
}

static void
on_acked(struct device *d, unsigned tag)
{
	struct said said = said_of(tag);

	sim_acked(client_of(d)->sim, client_of(d)->user, &said);
}

static void
on_new_life(struct device *d)
{
	client_of(d)->begins(client_of(d));
	user_begins(client_of(d));
}

static void
on_managed(struct device *d, struct elem *e)
{
	client_of(d)->got(client_of(d), e);
}

void
user_manage(struct sim_client *sc)
{
	struct client c = sc->c;

	device_init(&sc->d, c.world, c.local, c.resource);
	sc->c.domain = c.domain;
	sc->d.on_stanza = on_managed;
	sc->d.on_acked = on_acked;
	sc->d.on_new_life = on_new_life;
	sc->managed = true;
}

bool
user_may_repeat(const struct sim_client *sc, unsigned to, unsigned serial)
{
	for (size_t i = 0; sc->managed && i < sc->d.out.n; i++)
		if (sc->d.out.p[i].tag == to * TAGS + serial)
			return true;
	return false;
}

/* --- what is sent, and acknowledged ------------------------------------------------ */

void
user_send(struct sim_client *sc, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		abort();
	va_end(ap);
	if (sc->managed)
		device_say(&sc->d, NO_TAG, "%s", text);
	else
		client_send(&sc->c, "%s", text);
	free(text);
	sc->n_sent++;
}

void
user_said(struct sim_client *sc, unsigned to, unsigned serial)
{
	if (sc->managed)
		sc->d.out.p[sc->d.out.n - 1].tag = to * TAGS + serial;
	else
		*vec_push(&sc->said) = (struct said){ to, serial, sc->n_sent };
}

void
user_ask(struct sim_client *sc)
{
	if (sc->managed) {
		if (device_is_on(&sc->d))
			client_send(&sc->c, "<r xmlns='" NS_SM "'/>");
		return;
	}
	client_send(&sc->c, "<count xmlns='urn:antiphon:test:resume'/>");
	if (!sc->asked)
		sc->n_sent = 0;
	sc->asked = true;
}

void
user_counted(struct sim_client *sc, const struct elem *e)
{
	long long h;
	size_t n = 0;

	sc->counted = true;
	if (!str_to_int(elem_attr(e, "h"), 0, sc->n_sent, &h)) {
		sim_fail(sc->sim, "u%u/r%u is counted wrongly", sc->user,
			sc->index);
		return;
	}
	while (n < sc->said.n && sc->said.p[n].number <= h)
		sim_acked(sc->sim, sc->user, &sc->said.p[n++]);
	if (n == 0)
		return;
	sc->said.n -= n;
	memmove(sc->said.p, sc->said.p + n, sc->said.n * sizeof(*sc->said.p));
}

void
user_check_acked(const struct sim_client *sc)
{
	size_t n = sc->managed ? sc->d.out.n : sc->said.n;

	if (n != 0 && !sc->leaving)
		sim_fail(sc->sim, "u%u/r%u waits for %u to be acknowledged",
			sc->user, sc->index, (unsigned)n);
}

/* --- who sees whom ----------------------------------------------------------------- */

bool
user_parse(struct str from, unsigned *user_out, unsigned *index_out)
{
	if (from.n < 4 || from.p[0] != 'u')
		return false;
	*user_out = (unsigned)(from.p[1] - '0');
	*index_out = memchr(from.p, '/', from.n) != NULL ?
		(unsigned)(from.p[from.n - 1] - '0') :
		CLIENTS;
	return *user_out < USERS && *index_out <= CLIENTS;
}

uint8_t
user_state(const struct sim_client *of, const struct sim_client *other)
{
	struct arena *a = arena_new();
	struct str bare = arena_printf(a, "%s@%s", of->c.local, of->c.domain);
	struct entity *e = entity_find(peek_owner(of->c.world->server, bare),
		bare);
	uint8_t state = 0;

	if (e == NULL || e->state != ENTITY_LOADED)
		sim_fail(of->sim, "%s is not loaded though it is online",
			of->c.local);
	else
		state = roster_state(&account_of(e)->roster,
			arena_printf(a, "%s@%s", other->c.local,
				other->c.domain));
	arena_free(a);
	return state;
}

void
user_check_sees(const struct sim_client *at, const struct sim_client *other,
	bool entitled, bool online)
{
	bool sees = at->sees[other->user][other->index];

	if (sees != (entitled && online))
		sim_fail(at->sim,
			"u%u/r%u %s u%u/r%u, who is %s, subscription %s",
			at->user, at->index, sees ? "sees" : "does not see",
			other->user, other->index,
			online ? "online" : "offline",
			entitled ? "to" : "none");
}
