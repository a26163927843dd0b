/*
 * bench_contacts.c - every client writes contacts into its roster: what
 * tests/bench/memory.sh measures a roster item with.
 *
 * Client i gets the clients behind it, each with a name of its own and in one
 * of few groups, as rosters have it: the account b7 is "Number 7" to all.
 */
#include "config.h"

#include "bench.h"

#include <stdlib.h>

#include "base/mem.h"

struct contacts_run {
	unsigned *set; /* by client: those that the server has acknowledged */
	uint64_t n;
};

void
contact_send(struct client *c, unsigned i, unsigned n)
{
	static const char *const groups[] = { "Friends", "Family", "Work",
		"Neighbours" };

	client_send(c, "<iq type='set' id='set'>"
		"<query xmlns='jabber:iq:roster'><item jid='b%u@%s' "
		"name='Number %u'><group>%s</group></item></query></iq>",
		i, c->b->conf->domain, i, groups[n % COUNT(groups)]);
}

static void
contacts_set(struct client *c)
{
	const struct contacts_run *run = c->b->data;
	unsigned n = run->set[c->index];
	unsigned i = (c->index + n + 1) % c->b->conf->clients;

	if (n != c->b->conf->contacts)
		contact_send(c, i, n);
}

static void
contacts_stanza(struct client *c, struct elem *e)
{
	struct contacts_run *run = c->b->data;

	if (!str_is(elem_attr(e, "id"), "set"))
		return;
	if (!str_is(elem_attr(e, "type"), "result")) {
		bench_error(c->b, "a contact was refused");
		return;
	}
	run->set[c->index]++;
	run->n++;
	bench_progress(c->b);
	contacts_set(c);
}

static bool
contacts_are_set(struct bench *b)
{
	const struct contacts_run *run = b->data;

	return run->n == (uint64_t)b->conf->clients * b->conf->contacts;
}

bool
mode_contacts(struct bench *b)
{
	struct contacts_run run = { .n = 0 };
	struct usage start;
	bool ok;

	run.set = xcalloc(b->conf->clients, sizeof(*run.set));
	b->data = &run;
	b->bind_only = true;
	b->on_ready = contacts_set;
	b->on_stanza = contacts_stanza;
	usage_begin(b, &start);
	ok = bench_login(b, 0, b->conf->clients) &&
		bench_wait(b, contacts_are_set);
	usage_result(b, &start, run.n);
	free(run.set);
	return ok;
}
