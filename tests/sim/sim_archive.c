/*
 * sim_archive.c - what is in the archives of users: all that has arrived, and
 * nothing in another order; all that was sent, on both sides, unless the sender was
 * told.
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

/* Of one user, in one log. */
struct archive {
	struct sim *sim;
	const char *log;
	unsigned user;
	int n;
	int place[USERS][MESSAGES_MAX]; /* of what came; from 1 on; 0: it is not
					 * there */
	int last[USERS][CLIENTS];       /* number, as in sim_message() */
	bool sent[USERS][MESSAGES_MAX]; /* to whom */
	int last_sent[USERS][CLIENTS];
};

/* --- what is there --------------------------------------------------------------- */

static void
archive_entry(struct archive *ar, const struct store_entry *entry)
{
	const char *body = memmem(entry->value.p, entry->value.n, "<body>", 6);
	unsigned user, index, number, serial, to;
	bool again;
	int *last;

	if (body == NULL || sscanf(body, "<body>%u %u %u %u", &user, &index,
				    &number, &serial) != 4) {
		sim_fail(ar->sim, "u%u has archived something else", ar->user);
		return;
	}
	ar->n++;
	if (user == ar->user) {
		to = (unsigned)(entry->with.p[1] - '0'); /* "u3@sim.example" */
		again = ar->sent[to][serial];
		ar->sent[to][serial] = true;
		last = &ar->last_sent[to][index];
	} else {
		again = ar->place[user][serial] != 0;
		ar->place[user][serial] = ar->n;
		last = &ar->last[user][index];
	}
	if (again || (int)number <= *last)
		sim_fail(ar->sim, "%s of u%u has message %u of u%u/r%u with %.*s after %d",
			ar->log, ar->user, number, user, index,
			STR_ARG(entry->with), *last);
	*last = (int)number;
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

/* Owned. */
static struct archive *
archive_read(struct sim *s, unsigned u, const char *log)
{
	struct archive *ar = xcalloc(1, sizeof(*ar));
	struct store_range all = { .max = 2 * USERS * MESSAGES_MAX };
	char local[8];

	ar->sim = s;
	ar->log = log;
	ar->user = u;
	memset(ar->last, -1, sizeof(ar->last));
	memset(ar->last_sent, -1, sizeof(ar->last_sent));
	snprintf(local, sizeof(local), "u%u", u);
	store_range(s->w->server->store,
		(struct store_place){ STR(WORLD_HOST), str_c(local),
			str_c(log) },
		&all, &s->w->server->shards[0]->mailbox, on_archive, ar);
	world_settle(s->w);
	return ar;
}

/* --- what has to be there -------------------------------------------------------- */

/* Its oldest entries. */
static bool
archive_loses(const struct archive *ar)
{
	return ar->sim->small && strcmp(ar->log, "archive") == 0;
}

/* What the disk does not take, or give, cannot wait for its turn: what others have
 * sent may overtake it then. */
static void
check_arrivals(const struct archive *ar, const struct sim_client *sc)
{
	int last[USERS] = { 0 };

	for (size_t i = 0; i < sc->arrivals.n; i++) {
		const struct arrival *a = &sc->arrivals.p[i];
		int place = ar->place[a->from][a->serial];
		int *before = &last[ar->sim->bad_disk ? a->from : 0];

		if (place == 0 && archive_loses(ar))
			continue;
		if (place <= *before)
			sim_fail(ar->sim,
				"u%u/r%u got message %u of u%u, which is %d in %s, behind %d",
				sc->user, sc->index, a->serial, a->from, place,
				ar->log, *before);
		*before = place;
	}
}

static void
check_got(const struct archive *ar)
{
	struct sim *s = ar->sim;

	for (unsigned i = 0; i < CLIENTS; i++)
		check_arrivals(ar, &s->clients[ar->user][i]);
	for (unsigned v = 0; v < USERS; v++) {
		const struct pair *p = &s->pairs[v][ar->user];

		for (unsigned i = 0; i < p->sent; i++) {
			if (ar->place[v][i] == 0 && !p->told[i] &&
				!archive_loses(ar))
				sim_fail(s, "%s of u%u is without message %u of u%u, who was not told",
					ar->log, ar->user, i, v);
		}
	}
}

static void
check_sent(const struct archive *ar)
{
	struct sim *s = ar->sim;

	for (unsigned v = 0; v < USERS; v++) {
		struct pair *p = &s->pairs[ar->user][v];

		for (unsigned i = 0; i < p->sent; i++) {
			if (!ar->sent[v][i] && !p->told[i] &&
				!archive_loses(ar))
				sim_fail(s, "%s of u%u is without message %u to u%u",
					ar->log, ar->user, i, v);
		}
	}
}

static void
note_archived(struct archive *const ars[USERS])
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned v = 0; v < USERS; v++) {
			for (unsigned i = 0; i < MESSAGES_MAX; i++)
				ars[0]->sim->pairs[u][v].archived[i] =
					ars[u]->sent[v][i] &&
					ars[v]->place[u][i] != 0;
		}
	}
}

static void
check_archive(struct sim *s, const char *log, bool of_both_sides)
{
	struct archive *ars[USERS];

	for (unsigned u = 0; u < USERS; u++) {
		ars[u] = archive_read(s, u, log);
		check_got(ars[u]);
		if (of_both_sides)
			check_sent(ars[u]);
	}
	if (of_both_sides)
		note_archived(ars);
	for (unsigned u = 0; u < USERS; u++)
		free(ars[u]);
}

void
sim_check_archives(struct sim *s)
{
	if (s->archives)
		check_archive(s, "testarchive_got", false);
	if (s->archive)
		check_archive(s, "archive", true);
}
