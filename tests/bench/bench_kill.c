/*
 * bench_kill.c - changes that are acknowledged until the server dies, and,
 * when it is back, whether they are still there.
 *
 * The first half of the clients are recipients, away while the second half
 * sends: client half + i, over and over:
 *
 *   a message to b<i>; an iq to b<i>; its answer, which b<i>'s account gives
 *   after it has taken the message; a change of one roster item; its answer.
 *
 * The answer to a roster set comes when it is durable (RFC 6121 §2.1.5 says
 * done).  The store has one writer that commits in the order in which it was
 * asked, so the message, which the account had stored before, is durable then
 * too.  That is all a client can know of a message without XEP-0198.
 *
 * Before it begins, a run looks for what the last one (--state) has seen
 * acknowledged: an item has the value of its last acknowledged change or of a
 * later one; the recipient gets every acknowledged message, once and in order.
 * Messages are fetched for good when a roster set of the recipient, later than
 * their deletion, is answered.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xmpp/ns.h"

#define ITEMS 8

struct kill_item {
	uint32_t acked, sent;
};

struct kill_pair {
	uint32_t fetched; /* messages up to this one are settled */
	uint32_t acked, sent;
	uint32_t newest;  /* that has come in this run */
	uint32_t found;   /* of fetched + 1 to acked */
	bool marked;      /* `sent' is the mark */
	struct kill_item items[ITEMS];
};

struct kill {
	struct kill_pair *pairs;
	unsigned half;
	unsigned items_seen, fenced;
	uint64_t changes, messages; /* that were checked */
};

/* --- the state file ------------------------------------------------------------ */

static bool
kill_read_pair(FILE *f, struct kill_pair *p)
{
	if (fscanf(f, "%" SCNu32 " %" SCNu32 " %" SCNu32, &p->fetched,
		&p->acked, &p->sent) != 3)
		return false;
	for (unsigned k = 0; k < ITEMS; k++)
		if (fscanf(f, "%" SCNu32 " %" SCNu32, &p->items[k].acked,
			&p->items[k].sent) != 2)
			return false;
	p->newest = p->fetched;
	return true;
}

static bool
kill_read(struct bench *b, struct kill *s)
{
	FILE *f = fopen(b->conf->state, "re");
	bool ok = true;

	if (f == NULL)
		return true; /* the first run */
	for (unsigned i = 0; ok && i < s->half; i++)
		ok = kill_read_pair(f, &s->pairs[i]);
	fclose(f);
	if (!ok)
		bench_error(b, "%s is not what the last run has left",
			b->conf->state);
	return ok;
}

static bool
kill_write(struct bench *b, struct kill *s)
{
	FILE *f = fopen(b->conf->state, "we");

	if (f == NULL) {
		bench_error(b, "%s cannot be written", b->conf->state);
		return false;
	}
	for (unsigned i = 0; i < s->half; i++) {
		struct kill_pair *p = &s->pairs[i];

		fprintf(f, "%" PRIu32 " %" PRIu32 " %" PRIu32, p->fetched,
			p->acked, p->sent);
		for (unsigned k = 0; k < ITEMS; k++)
			fprintf(f, " %" PRIu32 " %" PRIu32,
				p->items[k].acked, p->items[k].sent);
		fputc('\n', f);
	}
	return fclose(f) == 0;
}

/* --- what the last run has left ------------------------------------------------ */

static void
kill_check_items(struct client *c, struct kill_pair *p, struct elem *query)
{
	struct kill *s = c->b->data;
	long long values[ITEMS] = { 0 };
	long long k, n;

	elem_each_child(query, item) {
		struct str jid = elem_attr(item, "jid");
		struct str name = elem_attr(item, "name");

		if (jid.n > 1 && jid.p[0] == 'k' &&
			str_to_int((struct str){ jid.p + 1, 1 }, 0, ITEMS - 1,
				&k) &&
			str_to_int(name, 0, UINT32_MAX, &n))
			values[k] = n;
	}
	for (unsigned i = 0; i < ITEMS; i++) {
		s->changes++;
		if (values[i] >= p->items[i].acked &&
			values[i] <= p->items[i].sent)
			continue;
		c->b->lost++;
		bench_error(c->b, "b%u: item %u has %lld; acknowledged was %"
			PRIu32 ", asked for %" PRIu32, c->index, i, values[i],
			p->items[i].acked, p->items[i].sent);
	}
}

/* The message behind all those of the last run. */
static void
kill_mark(struct client *c, struct kill_pair *p)
{
	struct kill *s = c->b->data;

	p->marked = true;
	client_send(c, "<message type='chat' id='k.%" PRIu32 "' to='b%u@%s'>"
		"<body>mark</body></message>", ++p->sent, c->index - s->half,
		c->b->conf->domain);
}

static void
kill_fetched(struct client *c, struct kill_pair *p)
{
	struct kill *s = c->b->data;
	uint32_t wanted = p->acked > p->fetched ? p->acked - p->fetched : 0;

	s->messages += wanted;
	if (p->found != wanted) {
		c->b->lost += wanted - p->found;
		bench_error(c->b, "b%u: %" PRIu32 " of %" PRIu32
			" acknowledged messages are there", c->index, p->found,
			wanted);
	}
	client_send_str(c, STR("<iq type='set' id='fence'><query "
		"xmlns='" NS_ROSTER "'><item jid='fence@fence.test'/>"
		"</query></iq>"));
}

static void
kill_message(struct client *c, struct kill_pair *p, struct elem *e)
{
	struct str head, number;
	long long n;

	if (str_is(elem_attr(e, "type"), "error") ||
		!str_cut(elem_attr(e, "id"), '.', &head, &number) ||
		!str_to_int(number, 1, UINT32_MAX, &n)) {
		bench_error(c->b, "b%u: an unexpected message", c->index);
		return;
	}
	if ((uint32_t)n <= p->newest) {
		bench_error(c->b, "b%u: message %lld after %" PRIu32
			"; fetched before: up to %" PRIu32 ", acknowledged: %"
			PRIu32, c->index, n, p->newest, p->fetched, p->acked);
		c->b->doubled++; /* or late, which is as bad */
	} else if ((uint32_t)n <= p->acked) {
		p->found++;
	}
	p->newest = MAX(p->newest, (uint32_t)n);
	if (p->marked && (uint32_t)n == p->sent)
		kill_fetched(c, p);
}

/* --- the load ------------------------------------------------------------------ */

static void
kill_send(struct client *c, struct kill_pair *p)
{
	struct kill *s = c->b->data;
	unsigned to = c->index - s->half;

	client_send(c, "<message type='chat' id='k.%" PRIu32 "' to='b%u@%s'>"
		"<body>%s</body></message><iq type='get' id='ping' "
		"to='b%u@%s'><ping xmlns='urn:xmpp:ping'/></iq>", ++p->sent,
		to, c->b->conf->domain, c->b->body, to, c->b->conf->domain);
}

static void
kill_set(struct client *c, struct kill_pair *p)
{
	unsigned k = p->sent % ITEMS;

	p->items[k].sent++;
	client_send(c, "<iq type='set' id='set'><query xmlns='" NS_ROSTER
		"'><item jid='k%u@kill.test' name='%" PRIu32
		"'/></query></iq>", k, p->items[k].sent);
}

static void
kill_acked(struct client *c, struct kill_pair *p, struct elem *e)
{
	unsigned k = p->sent % ITEMS;

	if (!str_is(elem_attr(e, "type"), "result")) {
		bench_error(c->b, "b%u: a roster set failed", c->index);
		return;
	}
	p->items[k].acked = p->items[k].sent;
	p->acked = p->sent;
	kill_send(c, p);
}

/* --- events ---------------------------------------------------------------------- */

static void
kill_iq(struct client *c, struct kill_pair *p, struct elem *e)
{
	struct kill *s = c->b->data;
	struct str type = elem_attr(e, "type"), id = elem_attr(e, "id");
	struct elem *query = elem_child(e, NS_ROSTER, "query");

	if (str_is(type, "set")) {
		client_send(c, "<iq type='result' id='%.*s'/>", STR_ARG(id));
	} else if (str_is(id, "ping")) {
		kill_set(c, p); /* result or error: the account has spoken */
	} else if (str_is(id, "set")) {
		kill_acked(c, p, e);
	} else if (str_is(id, "roster") && query != NULL) {
		kill_check_items(c, p, query);
		s->items_seen++;
		kill_mark(c, p);
	} else if (str_is(id, "fence")) {
		p->fetched = p->acked = p->sent;
		s->fenced++;
		client_close(c);
	}
}

static void
kill_stanza(struct client *c, struct elem *e)
{
	struct kill *s = c->b->data;
	struct kill_pair *p = &s->pairs[c->index % s->half];

	bench_progress(c->b);
	if (elem_is(e, "jabber:client", "iq"))
		kill_iq(c, p, e);
	else if (elem_is(e, "jabber:client", "message"))
		kill_message(c, p, e);
}

static void
kill_ready(struct client *c)
{
	struct kill *s = c->b->data;

	if (c->index < s->half)
		client_send_str(c, STR("<presence/>"));
	else
		client_send_str(c, STR("<iq type='get' id='roster'><query "
			"xmlns='" NS_ROSTER "'/></iq>"));
}

static bool
kill_is_checked(struct bench *b)
{
	struct kill *s = b->data;

	return s->items_seen == s->half && s->fenced == s->half;
}

static bool
kill_recipients_left(struct bench *b)
{
	struct kill *s = b->data;

	for (unsigned i = 0; i < s->half; i++)
		if (b->clients[i].state != CLIENT_OFF)
			return false;
	return true;
}

static bool
kill_all_died(struct bench *b)
{
	return b->ready == 0;
}

static bool
kill_check(struct bench *b, struct kill *s)
{
	return bench_login(b, 0, s->half) &&
		bench_login(b, s->half, s->half) &&
		bench_wait(b, kill_is_checked) &&
		bench_wait(b, kill_recipients_left);
}

/* Until the server is killed, by whoever reads "loading". */
static bool
kill_load(struct bench *b, struct kill *s)
{
	bool ok;
	uint64_t errors = b->errors;

	for (unsigned i = 0; i < s->half; i++)
		kill_send(&b->clients[s->half + i], &s->pairs[i]);
	puts("loading");
	fflush(stdout);
	ok = bench_wait(b, kill_all_died);
	b->errors = errors; /* the connections that broke */
	return ok;
}

bool
mode_kill(struct bench *b)
{
	struct kill s = { .half = b->conf->clients / 2 };
	uint64_t acked = 0;
	bool ok;

	if (b->conf->state == NULL || s.half == 0) {
		bench_error(b, "--state is missing, or --clients below 2");
		return false;
	}
	s.pairs = xcalloc(s.half, sizeof(*s.pairs));
	b->data = &s;
	b->bind_only = true;
	b->on_ready = kill_ready;
	b->on_stanza = kill_stanza;
	ok = kill_read(b, &s) && kill_check(b, &s) && kill_load(b, &s) &&
		kill_write(b, &s);
	for (unsigned i = 0; i < s.half; i++)
		acked += s.pairs[i].acked - s.pairs[i].fetched;
	result_add(b, "items_checked", "%" PRIu64, s.changes);
	result_add(b, "messages_checked", "%" PRIu64, s.messages);
	result_add(b, "acknowledged", "%" PRIu64, acked);
	free(s.pairs);
	return ok;
}
