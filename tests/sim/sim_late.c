/*
 * sim_late.c - a device that goes, by a broken link or with a goodbye, and comes again
 * while others speak: it finds its session, and with that all that came; or it has
 * another one, and asks for what is behind the last that it has seen.  It has all that
 * is in the archive then, each once.
 *
 *    comes --> is shown what others say, and copies of it, by ids --.
 *      ^                                                             |
 *      '-- pages behind the last id, while others speak <-- comes <- goes
 */
#include "config.h"

#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "sim_model.h"

#define NUMBERS 8192 /* of entries */
#define ROUNDS 3
#define SLEEP_S 20 /* so long its session waits for it */
#define PAGES_MAX 20 /* while others speak */

struct late {
	struct device d; /* first */
	struct sim *sim;
	unsigned user;
	bool has[NUMBERS];     /* by whichever way */
	bool seen[NUMBERS];    /* in this session, as it came */
	bool in_page[NUMBERS]; /* since it has come */
	char last[STORE_ID_SIZE];   /* of what it has seen */
	char cursor[STORE_ID_SIZE]; /* up to which it has all */
	bool answered, refused, complete;
};

/* --- what comes ------------------------------------------------------------------------ */

static void
late_has(struct late *l, struct str id, bool once[NUMBERS])
{
	uint64_t number = store_id_number(id);

	if (number == 0 || number >= NUMBERS) {
		sim_fail(l->sim, "u%u/late is shown an id of another kind",
			l->user);
		return;
	}
	if (once[number])
		sim_fail(l->sim, "u%u/late is shown message %llu twice",
			l->user, (unsigned long long)number);
	once[number] = l->has[number] = true;
	if (number > store_id_number(str_c(l->last)))
		snprintf(l->last, sizeof(l->last), "%.*s", STR_ARG(id));
}

/* Of its own archive, or none: what the user does not want there has no id. */
static struct str
id_of(const struct late *l, const struct elem *message)
{
	struct arena *a = arena_new();
	struct str bare =
		arena_printf(a, "%s@%s", l->d.c.local, l->d.c.domain);
	struct str id = STR_NONE;

	elem_each_child(message, e) {
		if (elem_is(e, NS_SID, "stanza-id") &&
			str_eq(elem_attr(e, "by"), bare))
			id = elem_attr(e, "id");
	}
	arena_free(a);
	return id;
}

static void
on_message(struct late *l, const struct elem *e)
{
	const struct elem *copy = elem_first_child(e);
	const struct elem *forwarded;
	struct str id;

	if (copy != NULL && str_is(copy->ns, NS_CARBONS)) {
		forwarded = elem_child(copy, NS_FORWARD, "forwarded");
		e = elem_child(forwarded, NS_CLIENT, "message");
	}
	id = id_of(l, e);
	if (id.p != NULL)
		late_has(l, id, l->seen);
}

static void
on_stanza(struct device *d, struct elem *e)
{
	struct late *l = CONTAINER_OF(d, struct late, d);
	const struct elem *result = elem_child(e, NS_MAM, "result");
	const struct elem *fin = elem_child(e, NS_MAM, "fin");

	if (result != NULL) {
		late_has(l, elem_attr(result, "id"), l->in_page);
		snprintf(l->cursor, sizeof(l->cursor), "%.*s",
			STR_ARG(elem_attr(result, "id")));
	} else if (str_is(elem_attr(e, "id"), "late")) {
		l->answered = true;
		l->refused = fin == NULL;
		l->complete = fin != NULL &&
			str_is(elem_attr(fin, "complete"), "true");
	} else if (str_is(e->name, "message") &&
		!str_is(elem_attr(e, "type"), "error")) {
		on_message(l, e);
	}
}

/* XEP-0313 §6.1: where it had all, it has all up to the last that it saw.  Else that
 * may be behind what it has yet to ask for. */
static void
on_new_life(struct device *d)
{
	struct late *l = CONTAINER_OF(d, struct late, d);

	memset(l->seen, 0, sizeof(l->seen));
	memset(l->in_page, 0, sizeof(l->in_page));
	if (l->complete)
		memcpy(l->cursor, l->last, sizeof(l->cursor));
	l->complete = false;
}

/* --- what it does ---------------------------------------------------------------------- */

static void
late_settle(struct late *l)
{
	bool any = true;

	for (int i = 0; any && i < 40; i++) {
		world_settle(l->sim->w);
		any = l->d.c.in.n != 0;
		client_read(&l->d.c);
		any |= sim_read_all(l->sim);
	}
}

static void
late_turns(struct late *l, unsigned n)
{
	while (n-- > 0) {
		world_turn(l->sim->w);
		client_read(&l->d.c);
	}
}

/* Others speak to it, with it, and beside it; some of that is still on its way. */
static void
others_speak(struct late *l)
{
	struct sim *s = l->sim;

	for (uint64_t n = world_draw(s->w, 4); n > 0; n--) {
		unsigned other = (unsigned)world_draw(s->w, USERS);
		struct sim_client *sc = &s->clients[other][0];

		if (other == l->user)
			sim_say_to(s, sc, (other + 1) % USERS);
		else
			sim_say_to(s, sc, l->user);
	}
	late_turns(l, (unsigned)world_draw(s->w, 20));
}

/* What is behind the cursor; or the last there is, to know where that begins. */
static void
page_ask(struct late *l, bool last)
{
	struct buf set = BUF_INIT;

	if (last)
		buf_add_c(&set, "<max>1</max><before/>");
	else
		buf_printf(&set, "<max>%u</max>",
			1 + (unsigned)world_draw(l->sim->w, 16));
	if (!last && l->cursor[0] != '\0')
		buf_printf(&set, "<after>%s</after>", l->cursor);
	l->answered = false;
	device_say(&l->d, NO_TAG,
		"<iq type='set' id='late'><query xmlns='" NS_MAM
		"'><set xmlns='" NS_RSM "'>%s</set></query></iq>",
		buf_c(&set));
	buf_done(&set);
}

static void
late_comes(struct late *l)
{
	unsigned lives = l->d.lives;

	device_come(&l->d);
	for (int i = 0; i < 4; i++) {
		late_turns(l, 40);
		others_speak(l);
	}
	late_settle(l);
	if (!device_is_on(&l->d))
		sim_fail(l->sim, "u%u/late cannot come", l->user);
	else if (l->d.lives != lives)
		device_say(&l->d, NO_TAG, "<iq type='set' id='copies'><enable "
			"xmlns='" NS_CARBONS "'/></iq>");
}

/* Perhaps for longer than its session lives. */
static void
late_is_away(struct late *l)
{
	struct sim *s = l->sim;

	others_speak(l);
	for (uint64_t n = world_draw(s->w, 2) * 3; n > 0; n--) {
		sim_settle(s);
		world_sleep(s->w, 2 * SLEEP_S * US_PER_S);
	}
	others_speak(l);
}

static void
late_goes(struct late *l)
{
	uint64_t how = world_draw(l->sim->w, 4);

	if (how == 0) { /* with a goodbye */
		client_send(&l->d.c, "<a xmlns='" NS_SM "' h='%u'/>",
			(unsigned)l->d.h);
		client_leave(&l->d.c);
		late_settle(l);
	}
	client_break(&l->d.c);
	if (how <= 1) /* or it does not know of its session any more */
		l->d.id[0] = '\0';
	late_is_away(l);
	late_comes(l);
}

/* While others speak, and the link breaks again. */
static void
catch_up(struct late *l)
{
	struct sim *s = l->sim;
	unsigned lives;

	for (unsigned i = 0; !l->complete && !s->failed; i++) {
		lives = l->d.lives;
		if (i < PAGES_MAX)
			others_speak(l);
		page_ask(l, false);
		if (i < PAGES_MAX && world_draw(s->w, 8) == 0) {
			others_speak(l);
			late_goes(l);
		}
		late_settle(l);
		if (l->d.lives != lives)
			continue;
		if (!l->answered)
			sim_fail(s, "u%u/late is shown no page", l->user);
		/* in a small one it may have gone */
		if (l->refused && l->cursor[0] != '\0' && s->small)
			l->cursor[0] = '\0';
		else if (l->refused)
			sim_fail(s, "u%u/late is refused what is behind %s",
				l->user, l->cursor);
	}
}

/* --- what it has ------------------------------------------------------------------------ */

static void
late_check(struct late *l, uint64_t begin)
{
	struct sim *s = l->sim;
	struct model m = { .sim = s, .user = l->user };

	model_look(&m);
	for (size_t i = 0; i < m.entries.n && !s->failed; i++) {
		uint64_t number = m.entries.p[i].number;

		if (number > begin && number < NUMBERS && !l->has[number])
			sim_fail(s, "u%u/late has not seen message %llu", l->user,
				(unsigned long long)number);
	}
	model_done(&m);
}

static void
late_run(struct late *l)
{
	struct sim *s = l->sim;
	uint64_t begin;

	late_comes(l);
	page_ask(l, true);
	late_settle(l);
	begin = store_id_number(str_c(l->cursor));
	for (unsigned i = 0; i < ROUNDS && !s->failed; i++) {
		l->complete |= i == 0;
		others_speak(l);
		late_goes(l);
		catch_up(l);
	}
	late_settle(l);
	if (!s->failed)
		late_check(l, begin);
}

void
sim_check_late(struct sim *s)
{
	struct late *l;

	if (!s->archive)
		return;
	l = xcalloc(1, sizeof(*l));
	l->sim = s;
	l->user = (unsigned)world_draw(s->w, USERS);
	device_init(&l->d, s->w, s->clients[l->user][0].c.local, "late");
	l->d.max_s = SLEEP_S;
	l->d.on_stanza = on_stanza;
	l->d.on_new_life = on_new_life;
	late_run(l);
	device_done(&l->d);
	free(l);
}
