/*
 * sim_query.c - what users are shown of their archives, page by page: all that is
 * there, once and in its order, in pages of any size and from both ends, also while
 * more is said.
 */
#include "config.h"

#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"

#define IDS_MAX (4 * USERS * MESSAGES_MAX)
#define PAGE_MAX 50
#define ID "%.*s"

struct ids {
	size_t n;
	char id[IDS_MAX][STORE_ID_SIZE];
};

/* One user's, who asks by his first client. */
struct query {
	struct sim_client *sc;
	struct ids stored, page, seen;
	bool answered, complete;
};

static void
ids_add(struct ids *ids, struct str id)
{
	if (ids->n < IDS_MAX && id.n < STORE_ID_SIZE)
		snprintf(ids->id[ids->n++], STORE_ID_SIZE, ID, STR_ARG(id));
}

static void
on_stored(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct query *q = arg;

	if (err != NULL)
		sim_fail(q->sc->sim, "the archive cannot be read: %s", err->text);
	for (size_t i = 0; err == NULL && i < answer->n; i++)
		ids_add(&q->stored, answer->entries[i].key);
}

static void
stored_look(struct query *q)
{
	struct store_range all = { .max = IDS_MAX };
	struct world *w = q->sc->sim->w;

	q->stored.n = 0;
	store_range(w->server->store,
		(struct store_place){ STR(WORLD_HOST), str_c(q->sc->c.local),
			STR("archive") },
		&all, &w->server->shards[0]->mailbox, on_stored, q);
	world_settle(w);
}

/* What the client is shown, and the end of the page; all else it has seen before. */
static void
on_shown(struct client *c, struct arena *a, struct elem *e)
{
	struct sim_client *sc = CONTAINER_OF(c, struct sim_client, c);
	struct query *q = sc->sim->query;
	const struct elem *result = elem_child(e, NS_MAM, "result");
	const struct elem *fin = elem_child(e, NS_MAM, "fin");

	if (result != NULL)
		ids_add(&q->page, elem_attr(result, "id"));
	if (str_is(elem_attr(e, "id"), "page")) {
		q->answered = true;
		q->complete = fin != NULL &&
			str_is(elem_attr(fin, "complete"), "true");
		if (fin == NULL)
			sim_fail(sc->sim, "u%u is refused a page", sc->user);
	}
	arena_free(a);
}

static void
page_ask(struct query *q, unsigned max, bool backwards)
{
	const struct ids *seen = &q->seen;
	const char *way = backwards ? "before" : "after";
	const char *from = seen->n == 0 ? "" :
		seen->id[backwards ? 0 : seen->n - 1];

	q->page.n = 0;
	q->answered = false;
	user_send(q->sc, "<iq type='set' id='page'><query xmlns='" NS_MAM "'>"
			 "<set xmlns='" NS_RSM "'><max>%u</max><%s>%s</%s></set>"
			 "</query></iq>", max, way, from, way);
	for (int i = 0; i < 40 && !q->answered; i++) {
		world_settle(q->sc->sim->w);
		client_read(&q->sc->c);
	}
	if (!q->answered)
		sim_fail(q->sc->sim, "u%u is shown no page", q->sc->user);
}

static void
page_join(struct query *q, bool backwards)
{
	struct ids *seen = &q->seen, *page = &q->page;

	if (seen->n + page->n > IDS_MAX)
		page->n = IDS_MAX - seen->n;
	if (backwards)
		memmove(seen->id[page->n], seen->id[0],
			seen->n * sizeof(seen->id[0]));
	memcpy(seen->id[backwards ? 0 : seen->n], page->id[0],
		page->n * sizeof(page->id[0]));
	seen->n += page->n;
}

/* All pages, one after the other; what is said meanwhile is behind the first of those
 * that go backwards. */
static void
check_pages(struct query *q, bool backwards)
{
	struct sim *s = q->sc->sim;
	size_t due;

	stored_look(q);
	due = q->stored.n;
	q->seen.n = 0;
	q->complete = false;
	while (!s->failed && !q->complete) {
		page_ask(q, 1 + world_draw(s->w, PAGE_MAX), backwards);
		page_join(q, backwards);
		if (!s->small && world_draw(s->w, 4) == 0)
			user_send(q->sc, "<message to='nobody@" WORLD_HOST
					 "'><body>meanwhile</body></message>");
	}
	stored_look(q);
	if (!backwards)
		due = q->seen.n;
	if (s->failed)
		return;
	if (q->seen.n != due || due > q->stored.n ||
		memcmp(q->seen.id, q->stored.id, due * sizeof(q->seen.id[0])) != 0)
		sim_fail(s, "u%u is shown %zu of %zu messages by pages %s, or others",
			q->sc->user, q->seen.n, q->stored.n,
			backwards ? "backwards" : "forwards");
}

void
sim_check_queries(struct sim *s)
{
	struct query *q = s->archive ? xcalloc(1, sizeof(*q)) : NULL;

	for (unsigned u = 0; q != NULL && u < USERS && !s->failed; u++) {
		q->sc = &s->clients[u][0];
		if (q->sc->c.state != CLIENT_ONLINE)
			continue;
		s->query = q;
		q->sc->c.on_stanza = on_shown;
		check_pages(q, false);
		check_pages(q, true);
	}
	free(q);
}
