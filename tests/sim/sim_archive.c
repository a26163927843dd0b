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
#include "core/stored.h"

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
	/* what is left of them is that they were (XEP-0424 §4) */
	bool tombstone[USERS][MESSAGES_MAX], sent_tombstone[USERS][MESSAGES_MAX];
};

/* --- what is there --------------------------------------------------------------- */

/* What one says of itself: of a tombstone that is its id, "TO-SERIAL". */
struct entry_says {
	unsigned user, index, number, serial, to;
	bool tombstone;
};

static bool
entry_read(const struct archive *ar, const struct store_entry *entry,
	struct entry_says *out)
{
	const char *body = memmem(entry->value.p, entry->value.n, "<body>", 6);
	struct str from = stored_attr(entry->value, "from");
	char id[32];

	*out = (struct entry_says){ .tombstone = body == NULL };
	out->to = ar->user;
	if (body != NULL) {
		if (sscanf(body, "<body>%u %u %u %u", &out->user, &out->index,
			    &out->number, &out->serial) != 4)
			return false;
	} else {
		snprintf(id, sizeof(id), "%.*s",
			STR_ARG(stored_attr(entry->value, "id")));
		if (!user_parse(from, &out->user, &out->index) ||
			sscanf(id, "%*u-%u", &out->serial) != 1 ||
			out->serial >= MESSAGES_MAX)
			return false;
	}
	if (out->user == ar->user)
		out->to = (unsigned)(entry->with.p[1] - '0'); /* "u3@sim.example" */
	if (body == NULL)
		out->number =
			ar->sim->pairs[out->user][out->to].number[out->serial];
	return true;
}

static void
archive_entry(struct archive *ar, const struct store_entry *entry)
{
	struct entry_says says;
	bool again;
	int *last;

	if (!entry_read(ar, entry, &says)) {
		sim_fail(ar->sim, "u%u has archived something else", ar->user);
		return;
	}
	ar->n++;
	if (says.user == ar->user) {
		again = ar->sent[says.to][says.serial];
		ar->sent[says.to][says.serial] = true;
		ar->sent_tombstone[says.to][says.serial] = says.tombstone;
		last = &ar->last_sent[says.to][says.index];
	} else {
		again = ar->place[says.user][says.serial] != 0;
		ar->place[says.user][says.serial] = ar->n;
		ar->tombstone[says.user][says.serial] = says.tombstone;
		last = &ar->last[says.user][says.index];
	}
	if (again || (int)says.number <= *last)
		sim_fail(ar->sim, "%s of u%u has message %u of u%u/r%u with %.*s after %d",
			ar->log, ar->user, says.number, says.user, says.index,
			STR_ARG(entry->with), *last);
	*last = (int)says.number;
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

/* The server's own; the other one has all. */
static bool
is_archive(const struct archive *ar)
{
	return strcmp(ar->log, "archive") == 0;
}

/* Its oldest entries. */
static bool
archive_loses(const struct archive *ar)
{
	return ar->sim->small && is_archive(ar);
}

/* Has it what it is to have? */
static void
check_kept(const struct archive *ar, enum kept kept, bool has, bool told,
	unsigned from, unsigned serial)
{
	if (!is_archive(ar))
		kept = KEPT;
	if (!has && kept == KEPT && !told && !archive_loses(ar))
		sim_fail(ar->sim, "%s of u%u is without message %u of u%u, who was not told",
			ar->log, ar->user, serial, from);
	if (has && kept == KEPT_NOT)
		sim_fail(ar->sim, "%s of u%u has message %u of u%u, which is not wanted",
			ar->log, ar->user, serial, from);
}

/* What was taken back is a tombstone, where that is archived which takes it back, and
 * else nothing is; but where the store has failed. */
static void
check_tombstone(const struct archive *ar, const struct pair *p, unsigned serial,
	const bool has[MESSAGES_MAX], const bool is[MESSAGES_MAX])
{
	unsigned by = p->retracted[serial];

	if (!is_archive(ar))
		return;
	if (is[serial] && by == 0)
		sim_fail(ar->sim, "archive of u%u has a tombstone of message %u, which nobody has taken back",
			ar->user, serial);
	if (by != 0 && has[serial] && has[by] && !is[serial] &&
		!ar->sim->bad_disk && !ar->sim->busy_disk)
		sim_fail(ar->sim, "archive of u%u has message %u, which %u takes back",
			ar->user, serial, by);
}

static bool
may_lack(const struct archive *ar, const struct arrival *a)
{
	const struct pair *p = &ar->sim->pairs[a->from][ar->user];

	return archive_loses(ar) ||
		(is_archive(ar) && p->keeps[a->serial] != KEPT);
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

		if (place == 0 && may_lack(ar, a))
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
		bool has[MESSAGES_MAX];

		for (unsigned i = 0; i < p->sent; i++)
			has[i] = ar->place[v][i] != 0;
		for (unsigned i = 0; i < p->sent; i++) {
			check_kept(ar, p->keeps[i], has[i], p->told[i], v, i);
			check_tombstone(ar, p, i, has, ar->tombstone[v]);
		}
	}
}

static void
check_sent(const struct archive *ar)
{
	struct sim *s = ar->sim;

	for (unsigned v = 0; v < USERS; v++) {
		const struct pair *p = &s->pairs[ar->user][v];

		for (unsigned i = 0; i < p->sent; i++) {
			check_kept(ar, p->sender_keeps[i], ar->sent[v][i],
				p->told[i], ar->user, i);
			check_tombstone(ar, p, i, ar->sent[v],
				ar->sent_tombstone[v]);
		}
	}
}

static void
note_archived(struct archive *const ars[USERS])
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned v = 0; v < USERS; v++) {
			struct pair *p = &ars[0]->sim->pairs[u][v];

			for (unsigned i = 0; i < MESSAGES_MAX; i++)
				p->archived[i] = ars[v]->place[u][i] != 0 &&
					(ars[u]->sent[v][i] ||
						p->sender_keeps[i] != KEPT);
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
