/*
 * bench_chat.c - pairs of clients that chat: each has a number of messages on
 * their way to the other, and sends the next when one has arrived.
 *
 * The id of a message is "<sender>.<number>"; its partner checks the order.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

struct chat {
	struct order *orders; /* by sender */
	uint64_t arrived, all;
};

static void
chat_say(struct client *c)
{
	struct bench *b = c->b;
	struct chat *chat = b->data;
	struct order *o = &chat->orders[c->index];

	if (o->sent == b->conf->count)
		return;
	o->sent++;
	client_send(c, "<message type='chat' id='%u.%" PRIu32 "' to='b%u@%s%s'>"
		"<body>%s</body></message>", c->index, o->sent, c->index ^ 1,
		b->conf->domain, b->conf->bare ? "" : "/bench", b->body);
}

static void
chat_stanza(struct client *c, struct elem *e)
{
	struct bench *b = c->b;
	struct chat *chat = b->data;
	struct str from, number;
	long long sender, n;

	if (!elem_is(e, "jabber:client", "message"))
		return;
	if (!str_cut(elem_attr(e, "id"), '.', &from, &number) ||
		!str_to_int(from, 0, b->conf->clients - 1, &sender) ||
		!str_to_int(number, 1, UINT32_MAX, &n) ||
		sender != (c->index ^ 1) ||
		str_is(elem_attr(e, "type"), "error")) {
		bench_error(b, "b%u: a message that nobody has sent", c->index);
		return;
	}
	order_arrived(b, &chat->orders[sender], (uint32_t)n);
	chat->arrived++;
	bench_progress(b);
	chat_say(&b->clients[sender]);
}

static bool
chat_is_over(struct bench *b)
{
	struct chat *chat = b->data;

	return chat->arrived >= chat->all;
}

static void
chat_ready(struct client *c)
{
	client_send_str(c, STR("<presence/>"));
}

bool
mode_chat(struct bench *b)
{
	struct chat chat = { 0 };
	struct usage start;
	unsigned n = b->conf->clients & ~1u;
	bool ok;

	b->data = &chat;
	chat.all = (uint64_t)n * b->conf->count;
	chat.orders = xcalloc(n + 1, sizeof(*chat.orders));
	if (b->conf->bare)
		b->on_ready = chat_ready;
	ok = bench_login(b, 0, n);
	usage_settle(b);
	b->on_stanza = chat_stanza;
	usage_now(b, &start);
	for (unsigned w = 0; ok && w < b->conf->window; w++)
		for (unsigned i = 0; i < n; i++)
			chat_say(&b->clients[i]);
	ok = ok && bench_wait(b, chat_is_over);
	usage_result(b, &start, chat.arrived);
	for (unsigned i = 0; i < n; i++)
		order_end(b, &chat.orders[i]);
	free(chat.orders);
	return ok;
}
