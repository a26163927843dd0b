/*
 * bench_soak.c - clients that log in, chat with a few others, change presence,
 * leave, break off, and return, until the time is over; then all return and
 * every message is accounted for.
 *
 *   AWAY -> COMING -> HERE -> LEAVING (stream closed by us) -> AWAY
 *                     HERE -> AWAY    (TCP reset)
 *
 * What may be missing at the end, without stream management (XEP-0198): of the
 * messages from or to a connection that was reset, those that were on their way
 * at that moment; and those sent to its account until it is back, since nobody
 * but the server knows when it has noticed.  All others must arrive once, and
 * in order: live, or from storage when the recipient returns.  A stream that is
 * closed properly loses nothing.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define PARTNERS 8
#define CONTACTS 3 /* of them */
#define CROWDED 32 /* one client in so many has other contacts, up to the */
#define CROWD 1000 /* limit of a roster */

enum soak_phase { SOAK_AWAY, SOAK_COMING, SOAK_HERE, SOAK_LEAVING };

struct soak_client {
	enum soak_phase phase;
	bool broken; /* reset, and not back yet */
	bool known;  /* it has asked for its contacts */
	int64_t act_us;
	unsigned partners[PARTNERS];
	struct order orders[PARTNERS]; /* of what it sends them */
};

struct soak {
	struct soak_client *clients;
	bool ending;
	int64_t scanned_us;
	uint64_t arrived, logins, closes, resets, presences;
};

static struct soak_client *
soak_of(const struct client *c)
{
	struct soak *s = c->b->data;

	return &s->clients[c->index];
}

static void
soak_plan(struct client *c)
{
	unsigned pace_us = c->b->conf->pace * 1000 + 1;

	soak_of(c)->act_us = c->b->now_us + bench_random(c->b, 2 * pace_us);
}

/* --- what a client does ------------------------------------------------------ */

static void
soak_say(struct client *c, unsigned k)
{
	struct bench *b = c->b;
	struct soak *s = b->data;
	struct soak_client *me = soak_of(c);
	struct order *o = &me->orders[k];

	o->sent++;
	if (s->clients[me->partners[k]].broken)
		o->excused = o->sent;
	client_send(c, "<message type='chat' id='%u.%u.%" PRIu32
		"' to='b%u@%s'><body>%s</body></message>", c->index, k,
		o->sent, me->partners[k], b->conf->domain, b->body);
}

static void
soak_presence(struct client *c)
{
	static const char *const shows[] = { "away", "chat", "dnd", "xa" };
	struct bench *b = c->b;
	struct soak *s = b->data;

	s->presences++;
	if (bench_random(b, 4) == 0)
		client_send(c, "<presence to='b%u@%s'><status>you</status>"
			"</presence>", bench_random(b, b->conf->clients),
			b->conf->domain);
	else
		client_send(c, "<presence><show>%s</show></presence>",
			shows[bench_random(b, COUNT(shows))]);
}

/* Of what this client has sent, and what it is being sent, nobody knows how
 * far it has come. */
static void
soak_excuse(struct client *c)
{
	struct soak *s = c->b->data;

	for (unsigned k = 0; k < PARTNERS; k++) {
		struct order *o = &soak_of(c)->orders[k];

		if (o->newest < o->sent)
			o->excused = o->sent;
	}
	for (unsigned i = 0; i < c->b->conf->clients; i++) {
		struct soak_client *other = &s->clients[i];

		for (unsigned k = 0; k < PARTNERS; k++)
			if (other->partners[k] == c->index)
				other->orders[k].excused =
					other->orders[k].sent;
	}
}

static void
soak_act(struct client *c)
{
	struct bench *b = c->b;
	struct soak *s = b->data;
	unsigned dice = bench_random(b, 100);

	if (dice < 3) {
		s->closes++;
		soak_of(c)->phase = SOAK_LEAVING;
		client_close(c);
	} else if (dice < 6) {
		s->resets++;
		client_reset(c);
	} else if (dice < 20) {
		soak_presence(c);
	} else {
		unsigned k = bench_random(b, PARTNERS);

		for (unsigned n = bench_random(b, 4) + 1; n > 0; n--)
			soak_say(c, k);
	}
}

static void
soak_come(struct client *c)
{
	if (c->b->starting >= c->b->conf->window)
		return;
	soak_of(c)->phase = SOAK_COMING;
	client_start(c);
}

/* Lets those act whose time has come. */
static void
soak_scan(struct bench *b)
{
	struct soak *s = b->data;

	if (b->now_us - s->scanned_us < 5 * US_PER_MS)
		return;
	s->scanned_us = b->now_us;
	for (unsigned i = 0; i < b->conf->clients; i++) {
		struct client *c = &b->clients[i];
		struct soak_client *me = &s->clients[i];

		if (!s->ending && me->act_us > b->now_us)
			continue;
		if (me->phase == SOAK_AWAY)
			soak_come(c);
		else if (me->phase == SOAK_HERE && !s->ending)
			soak_act(c);
		soak_plan(c);
	}
}

/* --- what happens to it -------------------------------------------------------- */

/* What is read with the account each time that it comes back, together with
 * the messages that wait for it. */
static void
soak_crowd(struct client *c)
{
	unsigned n = bench_random(c->b, CROWD + 1);

	for (unsigned i = 0; i < n; i++)
		client_send(c, "<iq type='set' id='c'><query "
			"xmlns='jabber:iq:roster'><item jid='crowd%u@%s'/>"
			"</query></iq>", i, c->b->conf->domain);
}

static void
soak_ready(struct client *c)
{
	struct soak_client *me = soak_of(c);
	struct soak *s = c->b->data;

	s->logins++;
	me->phase = SOAK_HERE;
	me->broken = false;
	client_send_str(c, STR("<iq type='get' id='r'><query "
		"xmlns='jabber:iq:roster'/></iq><presence/>"));
	for (unsigned k = 0; k < CONTACTS && !me->known; k++)
		client_send(c, "<presence type='subscribe' to='b%u@%s'/>",
			me->partners[k], c->b->conf->domain);
	if (!me->known && c->index % CROWDED == 0)
		soak_crowd(c);
	me->known = true;
	soak_plan(c);
}

static void
soak_lost(struct client *c, enum client_end how)
{
	struct soak_client *me = soak_of(c);

	me->phase = SOAK_AWAY;
	if (how != END_CLEAN) {
		me->broken = true;
		soak_excuse(c);
	}
	soak_plan(c);
}

static void
soak_message(struct client *c, struct elem *e)
{
	struct bench *b = c->b;
	struct soak *s = b->data;
	struct str from, rest, place, number;
	long long i, k, n;

	if (str_is(elem_attr(e, "type"), "error") ||
		!str_cut(elem_attr(e, "id"), '.', &from, &rest) ||
		!str_cut(rest, '.', &place, &number) ||
		!str_to_int(from, 0, b->conf->clients - 1, &i) ||
		!str_to_int(place, 0, PARTNERS - 1, &k) ||
		!str_to_int(number, 1, UINT32_MAX, &n) ||
		s->clients[i].partners[k] != c->index) {
		bench_error(b, "b%u: an unexpected message type=%.*s id=%.*s",
			c->index, STR_ARG(elem_attr(e, "type")),
			STR_ARG(elem_attr(e, "id")));
		return;
	}
	s->arrived++;
	order_arrived(b, &s->clients[i].orders[k], (uint32_t)n);
}

static void
soak_stanza(struct client *c, struct elem *e)
{
	struct str type = elem_attr(e, "type");

	bench_progress(c->b);
	if (elem_is(e, "jabber:client", "message"))
		soak_message(c, e);
	else if (elem_is(e, "jabber:client", "presence") &&
		str_is(type, "subscribe"))
		client_send(c, "<presence type='subscribed' to='%.*s'/>",
			STR_ARG(elem_attr(e, "from")));
	else if (elem_is(e, "jabber:client", "iq") &&
		(str_is(type, "set") || str_is(type, "get")))
		client_send(c, "<iq type='result' id='%.*s'/>",
			STR_ARG(elem_attr(e, "id")));
}

/* --- beginning and end ------------------------------------------------------------ */

static void
soak_init(struct bench *b, struct soak *s)
{
	unsigned n = b->conf->clients;

	*s = (struct soak){ .clients = xcalloc(n, sizeof(*s->clients)) };
	for (unsigned i = 0; i < n; i++) {
		unsigned *partners = s->clients[i].partners;

		/* different ones, none of them itself; some know each other */
		for (unsigned k = 0; k < PARTNERS; k++)
			partners[k] = (i + 1 + k * (n - 1) / PARTNERS +
				bench_random(b, (n - 1) / PARTNERS)) % n;
	}
	b->data = s;
	b->bind_only = true;
	b->on_ready = soak_ready;
	b->on_lost = soak_lost;
	b->on_stanza = soak_stanza;
}

static bool
soak_all_are_here(struct bench *b)
{
	soak_scan(b);
	return b->ready == b->conf->clients;
}

static bool
soak_all_has_come(struct bench *b)
{
	struct soak *s = b->data;

	for (unsigned i = 0; i < b->conf->clients; i++)
		for (unsigned k = 0; k < PARTNERS; k++)
			if (s->clients[i].orders[k].newest !=
				s->clients[i].orders[k].sent)
				return false;
	return true;
}

/* All return, and send one last message each, behind all the others. */
static bool
soak_end(struct bench *b, struct soak *s)
{
	s->ending = true;
	if (!bench_wait(b, soak_all_are_here))
		return false;
	for (unsigned i = 0; i < b->conf->clients; i++)
		for (unsigned k = 0; k < PARTNERS; k++)
			soak_say(&b->clients[i], k);
	return bench_wait(b, soak_all_has_come);
}

static void
soak_results(struct bench *b, struct soak *s)
{
	uint64_t sent = 0, forgiven = 0;

	for (unsigned i = 0; i < b->conf->clients; i++) {
		for (unsigned k = 0; k < PARTNERS; k++) {
			struct order *o = &s->clients[i].orders[k];

			order_end(b, o);
			sent += o->sent;
			forgiven += o->forgiven;
		}
	}
	result_add(b, "logins", "%" PRIu64, s->logins);
	result_add(b, "closed", "%" PRIu64, s->closes);
	result_add(b, "reset", "%" PRIu64, s->resets);
	result_add(b, "presences", "%" PRIu64, s->presences);
	result_add(b, "sent", "%" PRIu64, sent);
	result_add(b, "arrived", "%" PRIu64, s->arrived);
	result_add(b, "missing_after_reset", "%" PRIu64, forgiven);
}

bool
mode_soak(struct bench *b)
{
	struct soak s;
	struct usage start;
	int64_t end_us;
	bool ok;

	if (b->conf->clients < 2 * PARTNERS) {
		bench_error(b, "--clients must be %d at least", 2 * PARTNERS);
		return false;
	}
	soak_init(b, &s);
	usage_begin(b, &start);
	ok = bench_login(b, 0, b->conf->clients);
	end_us = b->now_us + b->conf->seconds * US_PER_S;
	while (ok && b->now_us < end_us) {
		bench_turn(b, 5);
		soak_scan(b);
	}
	ok = ok && soak_end(b, &s);
	usage_result(b, &start, s.arrived);
	soak_results(b, &s);
	free(s.clients);
	return ok;
}
