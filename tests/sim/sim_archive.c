/*
 * sim_archive.c - what is in the archives of users: all that has arrived, and
 * nothing in another order.
 */
#include "config.h"

#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"

/* Of one user. */
struct archive {
	struct sim *sim;
	unsigned user;
	int n;
	int place[USERS][MESSAGES_MAX]; /* from 1 on; 0: it is not there */
	int last[USERS][CLIENTS];       /* number, as in sim_message() */
};

static void
archive_entry(struct archive *ar, const struct store_entry *entry)
{
	const char *body = memmem(entry->value.p, entry->value.n, "<body>", 6);
	unsigned user, index, number, serial;

	if (body == NULL || sscanf(body, "<body>%u %u %u %u", &user, &index,
				    &number, &serial) != 4) {
		sim_fail(ar->sim, "u%u has archived something else", ar->user);
		return;
	}
	if (ar->place[user][serial] != 0 ||
		(int)number <= ar->last[user][index])
		sim_fail(ar->sim, "u%u has archived message %u of u%u/r%u after %d",
			ar->user, number, user, index, ar->last[user][index]);
	ar->last[user][index] = (int)number;
	ar->place[user][serial] = ++ar->n;
}

static void
on_archive(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive *ar = arg;

	if (err != NULL)
		sim_fail(ar->sim, "the archive cannot be read: %s", err->text);
	for (size_t i = 0; err == NULL && i < answer->n; i++)
		archive_entry(ar, &answer->entries[i]);
}

static void
check_arrivals(struct sim *s, const struct archive *ar,
	const struct sim_client *sc)
{
	int last = 0;

	for (size_t i = 0; i < sc->arrivals.n; i++) {
		const struct arrival *a = &sc->arrivals.p[i];
		int place = ar->place[a->from][a->serial];

		if (place <= last)
			sim_fail(s, "u%u/r%u got message %u of u%u, which is %d in the archive, behind %d",
				sc->user, sc->index, a->serial, a->from, place,
				last);
		last = place;
	}
}

void
sim_check_archive(struct sim *s, unsigned u)
{
	struct archive *ar = xcalloc(1, sizeof(*ar));
	struct store_range all = { .max = USERS * MESSAGES_MAX };
	char local[8];

	ar->sim = s;
	ar->user = u;
	memset(ar->last, -1, sizeof(ar->last));
	snprintf(local, sizeof(local), "u%u", u);
	store_range(s->w->server->store,
		(struct store_place){ STR(WORLD_HOST), str_c(local),
			STR("testarchive_got") },
		&all, &s->w->server->shards[0]->mailbox, on_archive, ar);
	world_settle(s->w);
	for (unsigned i = 0; i < CLIENTS; i++)
		check_arrivals(s, ar, &s->clients[u][i]);
	for (unsigned v = 0; v < USERS; v++) {
		const struct pair *p = &s->pairs[v][u];

		for (unsigned i = 0; i < p->sent; i++) {
			if (ar->place[v][i] == 0 && !p->excused[i])
				sim_fail(s, "u%u has not archived message %u of u%u, who was not told",
					u, i, v);
		}
	}
	free(ar);
}
