/*
 * sim_lost.c - which messages go to a connection that has broken, and of which the
 * server has yet to hear: nobody without stream management can know of those.  How
 * long it does not hear has no bound, for it does not read from one who rests.
 */
#include "config.h"

#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/conn.h"

/* In the tag of one that is not forwarded by another; empty: it is not there. */
static struct str
attr_find(struct str tag, const char *name)
{
	const char *at = memmem(tag.p, tag.n, name, strlen(name)), *end;

	if (at == NULL)
		return STR("");
	at += strlen(name);
	end = memchr(at, '"', (size_t)(tag.p + tag.n - at));
	return (struct str){ at, end != NULL ? (size_t)(end - at) : 0 };
}

/* Its id is "TO-SERIAL". */
static void
message_is_lost(struct sim *s, struct str tag)
{
	unsigned from, index, to, serial;
	char id[32];

	snprintf(id, sizeof(id), "%.*s", STR_ARG(attr_find(tag, " id=\"")));
	if (attr_find(tag, " xmlns=\"").n == 0 &&
		user_parse(attr_find(tag, " from=\""), &from, &index) &&
		sscanf(id, "%u-%u", &to, &serial) == 2 && to < USERS &&
		serial < MESSAGES_MAX)
		s->pairs[from][to].lost[serial] = true;
}

static void
on_lost(void *arg, const char *p, size_t n)
{
	struct sim_client *sc = CONTAINER_OF((struct client *)arg,
		struct sim_client, c);
	const char *end = p + n, *to;

	while ((p = memmem(p, (size_t)(end - p), "<message", 8)) != NULL) {
		to = memchr(p, '>', (size_t)(end - p));
		if (to == NULL)
			to = end;
		message_is_lost(sc->sim, (struct str){ p, (size_t)(to - p) });
		p = to;
	}
}

void
sim_tell_lost(struct sim_client *sc)
{
	conn_mem_tell_lost(sc->c.conn, on_lost);
}
