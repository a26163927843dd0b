/*
 * sim_owner.c - what users do with their archives while they talk, connect and break
 * off: they say whose messages they want there (XEP-0441), have them deleted, ask for
 * pages, and take back what they have said (XEP-0424).
 *
 * What is to be in an archive is known beforehand, but where a roster decides, or the
 * disk.  Of a page that is asked for in the midst of all that, it is known that it is
 * in order, is answered, and how long it is at most; sim_query.c knows the rest.
 */
#include "config.h"

#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "core/entity.h"
#include "account/account.h"
#include "account/roster.h"
#include "../peek.h"

#define PAGE_MAX 20
#define TRIES 4

/* --- what is wanted ------------------------------------------------------------------- */

static const char *const standards[] = { [WANTS_ALL] = "always",
	[WANTS_NONE] = "never", [WANTS_ROSTER] = "roster" };

/* Only while nothing moves. */
static bool
is_in_roster(const struct sim *s, unsigned user, unsigned with)
{
	struct arena *a = arena_new();
	const struct roster_item *it;
	struct str bare = arena_printf(a, "u%u@" WORLD_HOST, user);
	struct str other = arena_printf(a, "u%u@" WORLD_HOST, with);
	struct entity *e = entity_find(peek_owner(s->w->server, bare), bare);

	it = e != NULL && e->state == ENTITY_LOADED ?
		roster_find(&account_of(e)->roster, other) :
		NULL;
	arena_free(a);
	return it != NULL && it->listed;
}

enum kept
sim_is_wanted(const struct sim *s, unsigned user, unsigned with, unsigned index)
{
	const struct wants *w = &s->wants[user];
	enum listed bare = w->list[with][CLIENTS];
	enum listed full = index < CLIENTS ? w->list[with][index] : LISTED_NOT;

	if (w->standard == WANTS_UNKNOWN)
		return KEPT_PERHAPS;
	if (bare == LISTED_NEVER || full == LISTED_NEVER)
		return KEPT_NOT;
	if (bare == LISTED_ALWAYS || full == LISTED_ALWAYS)
		return KEPT;
	if (w->standard == WANTS_ROSTER && s->quiet)
		return is_in_roster(s, user, with) ? KEPT : KEPT_NOT;
	if (w->standard == WANTS_ROSTER)
		return KEPT_PERHAPS;
	return w->standard == WANTS_ALL ? KEPT : KEPT_NOT;
}

static void
list_write(const struct wants *w, const char *name, enum listed of, struct buf *out)
{
	buf_printf(out, "<%s>", name);
	for (unsigned v = 0; v < USERS; v++) {
		for (unsigned i = 0; i <= CLIENTS; i++) {
			if (w->list[v][i] != of)
				continue;
			buf_printf(out, "<jid>u%u@" WORLD_HOST, v);
			if (i < CLIENTS)
				buf_printf(out, "/r%u", i);
			buf_add_c(out, "</jid>");
		}
	}
	buf_printf(out, "</%s>", name);
}

static void
wants_draw(struct sim *s, struct wants *w)
{
	/* most of it is kept, or there is little to see */
	static const enum standard often[] = { WANTS_ALL, WANTS_ALL, WANTS_NONE,
		WANTS_ROSTER };

	memset(w, 0, sizeof(*w));
	w->standard = often[world_draw(s->w, COUNT(often))];
	for (uint64_t n = world_draw(s->w, 5); n > 0; n--)
		w->list[world_draw(s->w, USERS)][world_draw(s->w, CLIENTS + 1)] =
			world_draw(s->w, 2) == 0 ? LISTED_ALWAYS : LISTED_NEVER;
}

/* All that is on its way arrives, also what waits for an account that could not be
 * read at once. */
static void
sim_rest(struct sim *s)
{
	sim_settle(s);
	world_sleep(s->w, 5 * US_PER_S);
	sim_settle(s);
}

bool
sim_owner_asks(struct sim *s, struct sim_client *sc, const char *payload)
{
	s->answer = ANSWER_NONE;
	user_send(sc, "<iq type='set' id='owner'>%s</iq>", payload);
	for (int i = 0; i < TRIES && s->answer == ANSWER_NONE; i++)
		sim_rest(s);
	return s->answer != ANSWER_NONE;
}

/* Where the disk is bad, what was said before may still wait for it. */
static void
nothing_is_known(struct sim *s, unsigned user)
{
	for (unsigned v = 0; v < USERS; v++) {
		memset(s->pairs[user][v].sender_keeps, KEPT_PERHAPS,
			sizeof(s->pairs[user][v].sender_keeps));
		memset(s->pairs[v][user].keeps, KEPT_PERHAPS,
			sizeof(s->pairs[v][user].keeps));
	}
}

void
sim_set_wants(struct sim *s, struct sim_client *sc)
{
	struct buf text = BUF_INIT;
	struct wants w;

	sim_rest(s);
	if (sc->c.conn == NULL || sc->c.state != CLIENT_ONLINE || sc->leaving)
		return;
	wants_draw(s, &w);
	if (s->bad_disk)
		nothing_is_known(s, sc->user);
	buf_printf(&text, "<prefs xmlns='" NS_MAM "' default='%s'>",
		standards[w.standard]);
	list_write(&w, "always", LISTED_ALWAYS, &text);
	list_write(&w, "never", LISTED_NEVER, &text);
	buf_add_c(&text, "</prefs>");
	if (!sim_owner_asks(s, sc, buf_c(&text))) {
		if (!s->bad_disk)
			sim_fail(s, "u%u is not told whether it is wanted",
				sc->user);
		s->wants[sc->user].standard = WANTS_UNKNOWN;
	} else if (s->answer == ANSWER_RESULT) {
		s->wants[sc->user] = w;
	} else if (s->bad_disk) {
		s->wants[sc->user].standard = WANTS_UNKNOWN;
	}
	buf_done(&text);
}

void
sim_want_anew(struct sim *s)
{
	s->quiet = true;
	for (unsigned u = 0; u < USERS; u++)
		if (world_draw(s->w, 3) == 0)
			sim_set_wants(s, &s->clients[u][0]);
	for (unsigned u = 0; u < USERS; u++) {
		struct sim_client *sc = &s->clients[u][0];

		if (sc->c.state == CLIENT_ONLINE)
			sim_say_to(s, sc, (u + 1) % USERS);
		if (sc->c.state == CLIENT_ONLINE && u != 0)
			sim_say_to(s, sc, u - 1);
	}
	sim_settle(s);
}

/* --- what is deleted ------------------------------------------------------------------ */

/* All, or up to what was shown last. */
static void
do_trim(struct sim *s, struct sim_client *sc)
{
	const char *id = s->shown[sc->user];

	if (id[0] == '\0' || world_draw(s->w, 4) == 0)
		user_send(sc, "<iq type='set' id='trim'><trim xmlns='" NS_MAM_TRIM
			      "'/></iq>");
	else
		user_send(sc,
			"<iq type='set' id='trim'><trim xmlns='" NS_MAM_TRIM
			"'><id>%s</id></trim></iq>", id);
}

/* --- pages ---------------------------------------------------------------------------- */

static void
do_ask(struct sim *s, struct sim_client *sc)
{
	struct asking *asking = &s->asking[sc->user][sc->index];
	const char *id = s->shown[sc->user];
	bool back = world_draw(s->w, 2) == 0;

	if (asking->is)
		return;
	*asking = (struct asking){
		.is = true,
		.no = ++s->n_asked,
		.max = (unsigned)world_draw(s->w, PAGE_MAX),
		.flipped = world_draw(s->w, 4) == 0,
	};
	user_send(sc,
		"<iq type='set' id='asks%u'><query xmlns='" NS_MAM
		"' queryid='%u'>%s<set xmlns='" NS_RSM "'><max>%u</max>"
		"<%s>%s</%s></set></query></iq>",
		asking->no, asking->no, asking->flipped ? "<flip-page/>" : "",
		asking->max,
		back ? "before" : "after", id[0] == '\0' && !back ? "x" : id,
		back ? "before" : "after");
}

/* Not by a session before, which had the same address. */
static bool
is_asked(const struct sim_client *sc, const struct asking *asking, struct str no)
{
	long long n;
	bool is = asking->is && str_to_int(no, 0, UINT32_MAX, &n) &&
		n == asking->no;

	if (!is)
		sim_fail(sc->sim, "u%u/r%u is answered what it has not asked",
			sc->user, sc->index);
	return is;
}

static void
on_result(struct sim_client *sc, const struct elem *result)
{
	struct sim *s = sc->sim;
	struct asking *asking = &s->asking[sc->user][sc->index];
	struct str id = elem_attr(result, "id");
	uint64_t number = store_id_number(id);

	if (!is_asked(sc, asking, elem_attr(result, "queryid")))
		return;
	if (++asking->n > asking->max)
		sim_fail(s, "u%u/r%u is shown more than it asks for", sc->user,
			sc->index);
	if (asking->last != 0 && (number > asking->last) == asking->flipped)
		sim_fail(s, "u%u/r%u is shown a page in another order",
			sc->user, sc->index);
	asking->last = number;
	snprintf(s->shown[sc->user], STORE_ID_SIZE, "%.*s", STR_ARG(id));
}

/* What it names may have gone. */
static void
on_page(struct sim_client *sc, const struct elem *e)
{
	struct sim *s = sc->sim;
	struct asking *asking = &s->asking[sc->user][sc->index];
	const struct elem *error = elem_child(e, NULL, "error");
	struct str id = elem_attr(e, "id"), no = { id.p + 4, id.n - 4 };

	if (!is_asked(sc, asking, no))
		return;
	if (error != NULL && !s->bad_disk && !s->busy_disk &&
		elem_child(error, NULL, "item-not-found") == NULL)
		sim_fail(s, "u%u/r%u is refused a page", sc->user, sc->index);
	if (error != NULL && asking->n != 0 && !s->bad_disk && !s->busy_disk)
		sim_fail(s, "u%u/r%u is refused a page that it is shown",
			sc->user, sc->index);
	asking->is = false;
}

bool
sim_owner_takes(struct sim_client *sc, const struct elem *e)
{
	const struct elem *result = elem_child(e, NS_MAM, "result");
	struct str id = elem_attr(e, "id");

	if (result != NULL)
		on_result(sc, result);
	else if (str_starts(id, STR("asks")))
		on_page(sc, e);
	else if (str_is(id, "owner"))
		sc->sim->answer = str_is(elem_attr(e, "type"), "result") ?
			ANSWER_RESULT :
			ANSWER_ERROR;
	else
		return str_is(id, "trim");
	return true;
}

void
sim_owner_begins(struct sim_client *sc)
{
	sc->sim->asking[sc->user][sc->index].is = false;
}

void
sim_check_owners(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < CLIENTS; i++)
			if (s->asking[u][i].is &&
				s->clients[u][i].c.state == CLIENT_ONLINE &&
				!s->clients[u][i].leaving)
				sim_fail(s, "u%u/r%u waits for a page", u, i);
}

/* --- what is taken back --------------------------------------------------------------- */

/* Something that the same client has said, but what takes back something itself; or,
 * which it must not, what was said to it. */
static void
do_retract(struct sim *s, struct sim_client *sc, unsigned to)
{
	struct pair *p = &s->pairs[sc->user][to], *back = &s->pairs[to][sc->user];
	unsigned serial;
	char of[64];

	if (p->sent == 0 || p->sent == MESSAGES_MAX)
		return;
	serial = (unsigned)world_draw(s->w, p->sent);
	if (back->sent != 0 && world_draw(s->w, 4) == 0) {
		snprintf(of, sizeof(of), "%u-%u", sc->user,
			(unsigned)world_draw(s->w, back->sent));
	} else if (p->by[serial] == sc->index && !p->retracts[serial] &&
		p->retracted[serial] == 0) {
		snprintf(of, sizeof(of), "%u-%u", to, serial);
		p->retracted[serial] = p->sent;
	} else {
		return;
	}
	sim_say_with(s, sc, to, of);
}

void
sim_owner_acts(struct sim *s, struct sim_client *sc, unsigned to)
{
	switch (world_draw(s->w, 8)) {
	case 0:
		if (s->small)
			do_trim(s, sc);
		break;
	case 1:
		if (world_draw(s->w, 2) == 0)
			sim_set_wants(s, sc);
		break;
	case 2:
	case 3:
	case 4:
		do_retract(s, sc, to);
		break;
	default:
		do_ask(s, sc);
	}
}
