/*
 * bench_roster.c - groups of clients in which everybody has everybody else as
 * a contact: how they come about, and what a change of presence costs.
 *
 * A group is contacts + 1 accounts that follow each other.  A client changes
 * its presence again when all have seen the last one: all at once, or, with
 * --paced, as many as --window says, each the next one's turn when its own is
 * over.  In the order of turns, neighbours are of different groups, so that the
 * server finds as little as possible to gather.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xmpp/ns.h"

struct group_sender {
	uint32_t sent; /* changes of presence */
	unsigned seen; /* arrivals of the newest */
};

struct group_run {
	uint8_t *both;        /* clients x (contacts + 1): subscribed both ways */
	unsigned n_both;
	struct order *orders; /* sender x place of the recipient in the group */
	struct group_sender *senders;
	uint32_t limit;        /* changes of each */
	uint64_t arrived, all; /* in this phase */
	bool preparing;
};

static unsigned
group_size(const struct bench *b)
{
	return b->conf->contacts + 1;
}

/* The client behind an address, if it is one of c's group; else c->index. */
static unsigned
group_member(struct client *c, struct str jid)
{
	struct str local, rest;
	long long i;

	if (!str_cut(jid, '@', &local, &rest) || local.n < 2 ||
		!str_to_int((struct str){ local.p + 1, local.n - 1 }, 0,
			c->b->conf->clients - 1, &i) ||
		(unsigned)i / group_size(c->b) != c->index / group_size(c->b))
		return c->index;
	return (unsigned)i;
}

/* --- making contacts -------------------------------------------------------- */

static void
group_items(struct client *c, struct elem *query)
{
	struct group_run *g = c->b->data;
	unsigned size = group_size(c->b);

	elem_each_child(query, item) {
		unsigned i = group_member(c, elem_attr(item, "jid"));
		uint8_t *both = &g->both[c->index * size + i % size];

		if (i == c->index || *both ||
			!str_is(elem_attr(item, "subscription"), "both"))
			continue;
		*both = 1;
		g->n_both++;
		bench_progress(c->b);
	}
}

static void
group_ask(struct client *c)
{
	struct group_run *g = c->b->data;
	unsigned size = group_size(c->b);
	unsigned first = c->index / size * size;

	for (unsigned i = first; i < first + size; i++) {
		if (i == c->index || g->both[c->index * size + i % size])
			continue;
		contact_send(c, i, i - first);
		client_send(c, "<presence type='subscribe' to='b%u@%s'/>", i,
			c->b->conf->domain);
	}
}

static void
group_iq(struct client *c, struct elem *e)
{
	struct elem *query = elem_child(e, NS_ROSTER, "query");
	struct str type = elem_attr(e, "type");

	if (query != NULL)
		group_items(c, query);
	if (str_is(type, "set"))
		client_send(c, "<iq type='result' id='%.*s'/>",
			STR_ARG(elem_attr(e, "id")));
	else if (str_is(elem_attr(e, "id"), "roster"))
		group_ask(c);
}

static void
group_presence(struct client *c, struct elem *e)
{
	struct group_run *g = c->b->data;
	unsigned size = group_size(c->b);
	unsigned from = group_member(c, elem_attr(e, "from"));
	struct elem *status = elem_child(e, NS_CLIENT, "status");
	struct elem *text = status != NULL ? status->first : NULL;
	long long n;

	if (str_is(elem_attr(e, "type"), "subscribe")) {
		client_send(c, "<presence type='subscribed' to='%.*s'/>",
			STR_ARG(elem_attr(e, "from")));
		return;
	}
	if (g->preparing || from == c->index || text == NULL ||
		!str_to_int(text->text, 1, UINT32_MAX, &n))
		return;
	order_arrived(c->b, &g->orders[from * size + c->index % size],
		(uint32_t)n);
	g->arrived++;
	g->senders[from].seen++;
	bench_progress(c->b);
}

static void
group_ready(struct client *c)
{
	client_send_str(c, STR("<iq type='get' id='roster'><query "
		"xmlns='" NS_ROSTER "'/></iq><presence/>"));
}

static bool
group_is_made(struct bench *b)
{
	struct group_run *g = b->data;

	return g->n_both == b->conf->clients * b->conf->contacts;
}

/* --- presence ------------------------------------------------------------------ */

static void
group_announce(struct client *c)
{
	struct bench *b = c->b;
	struct group_run *g = b->data;
	unsigned size = group_size(b);
	struct group_sender *me = &g->senders[c->index];

	if (me->sent == g->limit)
		return;
	me->sent++;
	me->seen = 0;
	for (unsigned i = 0; i < size; i++)
		if (i != c->index % size)
			g->orders[c->index * size + i].sent++;
	client_send_str(c, STR("<presence"));
	if (b->conf->floor) /* which does not say who it was */
		client_send(c, " from='b%u@%s/bench'", c->index,
			b->conf->domain);
	client_send(c, "><show>%s</show><status>%" PRIu32
		"</status></presence>", me->sent % 2 ? "away" : "dnd",
		me->sent);
}

/* The client whose turn is the turn-th: the first of each group, then the
 * second of each, and so on. */
static struct client *
group_at(struct bench *b, unsigned turn)
{
	unsigned groups = b->conf->clients / group_size(b);

	return &b->clients[turn % groups * group_size(b) + turn / groups];
}

/* All contacts have seen what c has announced. */
static void
group_seen(struct client *c)
{
	struct bench *b = c->b;
	unsigned size = group_size(b), groups = b->conf->clients / size;
	unsigned turn = c->index % size * groups + c->index / size;

	if (!b->conf->paced) {
		group_announce(c);
		return;
	}
	turn += b->conf->window;
	if (turn >= b->conf->clients)
		turn %= b->conf->window;
	group_announce(group_at(b, turn));
}

static void
presence_stanza(struct client *c, struct elem *e)
{
	struct group_run *g = c->b->data;
	unsigned from = group_member(c, elem_attr(e, "from"));

	if (elem_is(e, NS_CLIENT, "iq")) {
		group_iq(c, e);
		return;
	}
	if (!elem_is(e, NS_CLIENT, "presence"))
		return;
	group_presence(c, e);
	if (g->preparing || from == c->index ||
		g->senders[from].seen < c->b->conf->contacts)
		return;
	group_seen(&c->b->clients[from]);
}

static bool
presence_is_over(struct bench *b)
{
	struct group_run *g = b->data;

	return g->arrived >= g->all;
}

static void
group_init(struct bench *b, struct group_run *g)
{
	size_t cells = (size_t)b->conf->clients * group_size(b);

	*g = (struct group_run){ .preparing = true };
	g->both = xcalloc(cells, 1);
	g->orders = xcalloc(cells, sizeof(*g->orders));
	g->senders = xcalloc(b->conf->clients, sizeof(*g->senders));
	b->data = g;
	b->bind_only = true;
	b->floor_kind = FLOOR_GROUPS;
	b->floor_group = group_size(b);
	if (!b->conf->floor)
		b->on_ready = group_ready;
	b->on_stanza = presence_stanza;
}

static void
group_done(struct bench *b, struct group_run *g)
{
	size_t cells = (size_t)b->conf->clients * group_size(b);

	for (size_t i = 0; i < cells; i++)
		order_end(b, &g->orders[i]);
	free(g->both);
	free(g->orders);
	free(g->senders);
}

/* Everybody is everybody's contact, and the server at rest. */
static bool
group_make(struct bench *b, struct group_run *g)
{
	if (b->conf->clients % group_size(b) != 0) {
		bench_error(b, "--clients must be a multiple of %u",
			group_size(b));
		return false;
	}
	if (!bench_login(b, 0, b->conf->clients))
		return false;
	if (!b->conf->floor && !bench_wait(b, group_is_made))
		return false;
	usage_settle(b);
	g->preparing = false;
	return true;
}

/* Everybody changes presence count times more. */
static bool
presence_phase(struct bench *b, struct group_run *g, unsigned count)
{
	unsigned n = b->conf->clients;

	g->limit += count;
	g->arrived = 0;
	g->all = (uint64_t)n * b->conf->contacts * count;
	if (b->conf->paced)
		n = MIN(n, b->conf->window);
	for (unsigned i = 0; i < n && b->conf->contacts > 0; i++)
		group_announce(group_at(b, i));
	return bench_wait(b, presence_is_over);
}

bool
mode_presence(struct bench *b)
{
	struct group_run g;
	struct usage start;
	bool ok;

	group_init(b, &g);
	ok = group_make(b, &g) &&
		presence_phase(b, &g, bench_warm(b, b->conf->count));
	usage_begin(b, &start);
	ok = ok && presence_phase(b, &g, b->conf->count);
	usage_result(b, &start, g.arrived);
	group_done(b, &g);
	return ok;
}

/* --- roster: how contacts come about -------------------------------------------- */

bool
mode_roster(struct bench *b)
{
	struct group_run g;
	struct usage start;
	bool ok;

	group_init(b, &g);
	usage_begin(b, &start);
	ok = group_make(b, &g);
	usage_result(b, &start, g.n_both);
	group_done(b, &g);
	return ok;
}
