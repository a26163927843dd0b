/*
 * bench_rooms.c - rooms (XEP-0045): --clients of them, --size in each, and what is said
 * there; or how long it takes to enter one.
 *
 * rooms: in each room the first --senders say --count messages, --window of each on their
 * way; a sender says the next one when he has got his own, or every --every ms.  What counts
 * are deliveries.
 * The id is "<sender>.<number>.<us>", so that each recipient checks the order, and how long
 * it took.
 *
 * enter: one more client enters the room of the others and leaves it, --count times.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "xmpp/ns.h"

struct rooms {
	unsigned n, size, senders; /* n: clients that are in rooms */
	unsigned made, in;
	struct order *orders; /* by recipient, then sender of his room */
	uint32_t limit;       /* of each sender */
	uint64_t arrived, all;
	struct hist latency;
	/* one who enters */
	struct client *guest;
	unsigned rounds, others, others_before;
	int64_t asked_us;
	struct hist entered;
};

static unsigned
room_of(const struct rooms *r, unsigned i)
{
	return i < r->n ? i / r->size : 0;
}

static void
room_send(struct client *c, const char *rest)
{
	const struct rooms *r = c->b->data;

	client_send(c, "<presence to='room%u@conference.%s/b%u'%s",
		room_of(r, c->index), c->b->conf->domain, c->index, rest);
}

static void
room_enter(struct client *c)
{
	room_send(c, "><x xmlns='" NS_MUC "'><history maxstanzas='0'/></x></presence>");
}

/* Its first client opens it; who does not know the fields is asked for a room as it makes
 * them. */
static void
room_open(struct client *c, bool fields)
{
	const struct bench_conf *conf = c->b->conf;

	client_send(c, "<iq type='set' id='%s' to='room%u@conference.%s'>"
		"<query xmlns='" NS_MUC_OWNER "'><x xmlns='jabber:x:data' "
		"type='submit'>", fields ? "open" : "plain",
		room_of(c->b->data, c->index), conf->domain);
	if (fields)
		client_send(c, "<field var='muc#roomconfig_enablearchiving'><value>%d"
			"</value></field><field var='muc#roomconfig_maxusers'>"
			"<value>%u</value></field>", conf->archive,
			MAX(conf->size + 10, 200));
	if (fields && conf->moderators)
		client_send_str(c, STR("<field "
			"var='muc#roomconfig_presencebroadcast'>"
			"<value>moderator</value></field>"));
	client_send_str(c, STR("</x></query></iq>"));
}

static bool
is_own(const struct client *c, const struct elem *e)
{
	struct str room, nick;
	char own[16];

	snprintf(own, sizeof(own), "b%u", c->index);
	return str_cut(elem_attr(e, "from"), '/', &room, &nick) &&
		str_is(nick, own);
}

/* --- what is said ---------------------------------------------------------------------- */

static void
rooms_say(struct client *c)
{
	struct bench *b = c->b;
	struct rooms *r = b->data;
	struct order *own = &r->orders[(size_t)c->index * r->senders +
		c->index % r->size];

	/* its own copy is in this order; those of others count the same */
	if (own->sent == r->limit)
		return;
	for (unsigned i = 0; i < r->size; i++)
		r->orders[(size_t)(room_of(r, c->index) * r->size + i) * r->senders +
			c->index % r->size].sent++;
	client_send(c, "<message type='groupchat' id='%u.%" PRIu32 ".%" PRId64
		"' to='room%u@conference.%s'><body>%s</body></message>", c->index,
		own->sent, clock_mono_us(&clock_system), room_of(r, c->index),
		b->conf->domain, b->body);
}

/* "<number>.<number>.<us>" */
static bool
read_id(const struct elem *e, long long *who, long long *n, long long *us)
{
	struct str first, rest, second, third;

	return str_cut(elem_attr(e, "id"), '.', &first, &rest) &&
		str_cut(rest, '.', &second, &third) &&
		str_to_int(first, 0, UINT32_MAX, who) &&
		str_to_int(second, 1, UINT32_MAX, n) &&
		str_to_int(third, 0, INT64_MAX, us);
}

static void
rooms_heard(struct client *c, const struct elem *e)
{
	struct rooms *r = c->b->data;
	long long who, n, us;

	if (!read_id(e, &who, &n, &us) ||
		room_of(r, (unsigned)who) != room_of(r, c->index) ||
		str_is(elem_attr(e, "type"), "error")) {
		bench_error(c->b, "b%u: a message that nobody has sent", c->index);
		return;
	}
	order_arrived(c->b, &r->orders[(size_t)c->index * r->senders +
		(unsigned)who % r->size], (uint32_t)n);
	hist_add(&r->latency, clock_mono_us(&clock_system) - us);
	r->arrived++;
	bench_progress(c->b);
	if ((unsigned)who == c->index && c->b->conf->every == 0)
		rooms_say(c);
}

/* --- entering ---------------------------------------------------------------------------- */

static void
guest_enters(struct rooms *r)
{
	r->others_before = r->others;
	r->others = 0;
	r->asked_us = clock_mono_us(&clock_system);
	room_enter(r->guest);
}

static void
guest_stanza(struct rooms *r, struct client *c, const struct elem *e)
{
	if (str_is(elem_attr(e, "type"), "error")) {
		bench_error(c->b, "b%u cannot enter", c->index);
	} else if (elem_is(e, NS_CLIENT, "presence") && !is_own(c, e)) {
		r->others++;
	} else if (elem_is(e, NS_CLIENT, "presence") &&
		str_is(elem_attr(e, "type"), "unavailable")) {
		r->rounds++;
		if (r->rounds < c->b->conf->count)
			guest_enters(r);
	} else if (elem_is(e, NS_CLIENT, "message")) { /* the subject */
		hist_add(&r->entered,
			clock_mono_us(&clock_system) - r->asked_us);
		room_send(c, " type='unavailable'/>");
	}
	bench_progress(c->b);
}

/* --- all of it --------------------------------------------------------------------------- */

static void
opened(struct client *c, const struct elem *e)
{
	struct rooms *r = c->b->data;

	if (str_is(elem_attr(e, "type"), "result"))
		r->made++;
	else if (str_is(elem_attr(e, "id"), "open"))
		room_open(c, false);
	else
		bench_error(c->b, "a room cannot be opened");
	bench_progress(c->b);
}

static void
rooms_stanza(struct client *c, struct elem *e)
{
	struct rooms *r = c->b->data;
	bool first = c->index < r->n && c->index % r->size == 0;

	if (c == r->guest) {
		guest_stanza(r, c, e);
	} else if (elem_is(e, NS_CLIENT, "iq")) {
		opened(c, e);
	} else if (elem_is(e, NS_CLIENT, "presence")) {
		if (str_is(elem_attr(e, "type"), "error"))
			bench_error(c->b, "b%u cannot enter", c->index);
	} else if (elem_child(e, NS_CLIENT, "body") != NULL) {
		rooms_heard(c, e);
	} else if (elem_child(e, NS_CLIENT, "subject") != NULL) {
		if (first && r->made < r->n / r->size)
			room_open(c, true);
		r->in++;
		bench_progress(c->b);
	}
}

static bool
rooms_are_made(struct bench *b)
{
	const struct rooms *r = b->data;

	return r->made == r->n / r->size;
}

static bool
all_are_in(struct bench *b)
{
	const struct rooms *r = b->data;

	return r->in == r->n;
}

static bool
all_was_said(struct bench *b)
{
	const struct rooms *r = b->data;

	return r->arrived >= r->all;
}

/* Of one large room nobody but the last one reads what comes while it fills: that is the
 * square.  All that there was before has been sent when that one is in. */
static bool
rooms_fill(struct bench *b, struct rooms *r, bool deaf)
{
	bool ok = true;

	b->on_stanza = rooms_stanza;
	for (unsigned i = 0; i < r->n; i += r->size)
		room_enter(&b->clients[i]);
	ok = bench_wait(b, rooms_are_made);
	for (unsigned i = 0; ok && i < r->n; i++) {
		b->clients[i].deaf = deaf && i + 1 != r->n;
		if (i % r->size == 0)
			continue;
		room_enter(&b->clients[i]);
		/* as they come, and not all at once */
		while (ok && !deaf && r->in + b->conf->window * 10 < i)
			bench_turn(b, 10);
		if (deaf && i % b->conf->window == 0)
			bench_turn(b, 0);
	}
	if (deaf) /* the first one has been counted */
		r->in += r->n - 2;
	return ok && bench_wait(b, all_are_in);
}

static void
all_say(struct bench *b)
{
	const struct rooms *r = b->data;

	for (unsigned i = 0; i < r->n; i++)
		if (i % r->size < r->senders)
			rooms_say(&b->clients[i]);
}

static bool
rooms_talk(struct bench *b, struct rooms *r, uint32_t count)
{
	bool ok;

	r->limit += count;
	r->arrived = 0;
	r->all = (uint64_t)count * r->n * r->senders;
	for (unsigned w = 0; w < b->conf->window; w++)
		all_say(b);
	b->on_timer = all_say;
	bench_tick(b, (int64_t)b->conf->every * US_PER_MS);
	ok = bench_wait(b, all_was_said);
	bench_tick(b, 0);
	return ok;
}

static void
rooms_init(struct bench *b, struct rooms *r, unsigned n)
{
	const struct bench_conf *conf = b->conf;

	*r = (struct rooms){ .size = MIN(MAX(conf->size, 1), n) };
	r->n = n - n % r->size;
	r->senders = conf->senders != 0 ? MIN(conf->senders, r->size) : r->size;
	r->orders = xcalloc((size_t)r->n * r->senders + 1, sizeof(*r->orders));
	b->data = r;
}

bool
mode_rooms(struct bench *b)
{
	struct rooms r;
	struct usage start;
	uint64_t before;
	bool ok;

	rooms_init(b, &r, b->conf->clients);
	ok = bench_login(b, 0, r.n);
	usage_settle(b);
	before = usage_bytes(b);
	ok = ok && rooms_fill(b, &r, false);
	usage_settle(b);
	result_add(b, "server_bytes_per_occupant", "%.0f",
		((double)usage_bytes(b) - (double)before) / r.n);
	ok = ok && rooms_talk(b, &r, bench_warm(b, b->conf->count));
	r.latency = (struct hist){ .n = 0 };
	usage_begin(b, &start);
	ok = ok && rooms_talk(b, &r, b->conf->count);
	usage_result(b, &start, r.arrived);
	hist_result(b, "latency", &r.latency);
	for (size_t i = 0; i < (size_t)r.n * r.senders; i++)
		order_end(b, &r.orders[i]);
	free(r.orders);
	return ok;
}

static bool
guest_is_done(struct bench *b)
{
	const struct rooms *r = b->data;

	return r->rounds >= b->conf->count;
}

bool
mode_enter(struct bench *b)
{
	struct rooms r;
	struct usage start;
	bool ok;

	if (b->conf->clients < 2 || b->conf->count == 0) {
		bench_error(b, "--clients must be 2 at least, --count 1");
		return false;
	}
	b->conf->size = b->conf->clients - 1;
	rooms_init(b, &r, b->conf->size);
	ok = bench_login(b, 0, b->conf->clients);
	ok = ok && rooms_fill(b, &r, true);
	r.guest = &b->clients[r.n];
	usage_begin(b, &start);
	guest_enters(&r);
	ok = ok && bench_wait(b, guest_is_done);
	/* of the others to him, of him to the others, and that he has gone */
	usage_result(b, &start, (uint64_t)3 * r.n * r.rounds);
	if (r.others != r.n || (r.rounds > 1 && r.others_before != r.n))
		bench_error(b, "%u of %u were told to who has entered", r.others,
			r.n);
	hist_result(b, "entered", &r.entered);
	free(r.orders);
	return ok;
}
