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
#include "core/entity.h"
#include "account/account.h"
#include "../peek.h"

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
	buf_done(&sc->c.in);
	vec_done(&sc->said);
	vec_done(&sc->arrivals);
}

void
user_connect(struct sim_client *sc, int priority)
{
	sc->leaving = sc->asked = sc->counted = false;
	sc->said.n = 0;
	memset(sc->sees, 0, sizeof(sc->sees));
	memset(sc->wished, 0, sizeof(sc->wished));
	sc->c.priority = priority;
	client_connect(&sc->c);
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
	client_send(&sc->c, "%s", text);
	free(text);
	sc->n_sent++;
}

void
user_said(struct sim_client *sc, unsigned to, unsigned serial)
{
	*vec_push(&sc->said) = (struct said){ to, serial, sc->n_sent };
}

void
user_ask(struct sim_client *sc)
{
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
	if (sc->said.n != 0 && !sc->leaving)
		sim_fail(sc->sim, "u%u/r%u waits for %u to be acknowledged",
			sc->user, sc->index, (unsigned)sc->said.n);
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
