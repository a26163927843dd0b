/*
 * bench_offline.c - messages for users who are away, and what they find when
 * they come.
 *
 * The first half of the clients stays away and gets conf->count messages each,
 * all from its partner in the second half, which sends conf->window of them,
 * asks its partner's account for a sign of life, and goes on with its answer.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

struct offline {
	struct order *orders; /* by recipient */
	unsigned half;
	unsigned full;        /* recipients for whom all has been sent */
	uint64_t arrived, all;
};

static void
offline_send(struct client *c)
{
	struct bench *b = c->b;
	struct offline *off = b->data;
	unsigned to = c->index - off->half;
	struct order *o = &off->orders[to];

	if (o->sent == b->conf->count) {
		off->full++;
		return;
	}
	for (unsigned w = 0; w < b->conf->window; w++) {
		if (o->sent == b->conf->count)
			break;
		client_send(c, "<message type='chat' id='o.%" PRIu32
			"' to='b%u@%s'><body>%s</body></message>", ++o->sent,
			to, b->conf->domain, b->body);
	}
	client_send(c, "<iq type='get' id='fence' to='b%u@%s'>"
		"<ping xmlns='urn:xmpp:ping'/></iq>", to, b->conf->domain);
}

static void
offline_stanza(struct client *c, struct elem *e)
{
	struct bench *b = c->b;
	struct offline *off = b->data;
	struct str head, number;
	long long n;

	if (elem_is(e, "jabber:client", "iq")) {
		/* result or error: the account has seen what came before */
		bench_progress(b);
		if (c->index >= off->half)
			offline_send(c);
		return;
	}
	if (!elem_is(e, "jabber:client", "message"))
		return;
	if (c->index >= off->half || str_is(elem_attr(e, "type"), "error") ||
		!str_cut(elem_attr(e, "id"), '.', &head, &number) ||
		!str_to_int(number, 1, UINT32_MAX, &n)) {
		bench_error(b, "b%u: an unexpected message of type %.*s",
			c->index, STR_ARG(elem_attr(e, "type")));
		return;
	}
	order_arrived(b, &off->orders[c->index], (uint32_t)n);
	off->arrived++;
	bench_progress(b);
}

static bool
offline_is_stored(struct bench *b)
{
	struct offline *off = b->data;

	return off->full == off->half;
}

static bool
offline_is_fetched(struct bench *b)
{
	struct offline *off = b->data;

	return off->arrived >= off->all;
}

static bool
offline_store(struct bench *b, struct offline *off)
{
	struct usage start;
	bool ok = bench_login(b, off->half, off->half);

	usage_begin(b, &start);
	for (unsigned i = 0; ok && i < off->half; i++)
		offline_send(&b->clients[off->half + i]);
	ok = ok && bench_wait(b, offline_is_stored);
	usage_settle(b);
	if (!ok)
		return false;
	result_add(b, "phase", "store");
	usage_result(b, &start, off->all);
	return true;
}

/* Those who were away come, and find what is theirs. */
static bool
offline_fetch(struct bench *b, struct offline *off)
{
	struct usage start;
	bool ok;

	usage_begin(b, &start);
	ok = bench_login(b, 0, off->half) && bench_wait(b, offline_is_fetched);
	result_add(b, "phase", "fetch");
	usage_result(b, &start, off->arrived);
	return ok;
}

bool
mode_offline(struct bench *b)
{
	struct offline off = { .half = b->conf->clients / 2 };
	bool ok;

	off.all = (uint64_t)off.half * b->conf->count;
	off.orders = xcalloc(off.half + 1, sizeof(*off.orders));
	b->data = &off;
	b->on_stanza = offline_stanza;
	ok = offline_store(b, &off) && offline_fetch(b, &off);
	for (unsigned i = 0; i < off.half; i++)
		order_end(b, &off.orders[i]);
	free(off.orders);
	return ok;
}
