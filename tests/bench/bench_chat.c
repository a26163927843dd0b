/*
 * bench_chat.c - pairs of clients that chat: each has --window messages on
 * their way to the other, and sends the next when one has arrived; --one-way
 * has only one of each pair send.
 *
 * The id of a message is "<sender>.<number>"; its partner checks the order.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "xmpp/ns.h"

struct chat {
	struct order *orders;   /* by sender */
	unsigned n, step;       /* senders are 0, step, 2 * step... below n */
	uint32_t limit;         /* of each sender */
	uint64_t arrived, all;  /* in this phase */
};

static void
chat_say(struct client *c)
{
	struct bench *b = c->b;
	struct chat *chat = b->data;
	struct order *o = &chat->orders[c->index];

	if (o->sent == chat->limit)
		return;
	o->sent++;
	client_send(c, "<message type='chat' id='%u.%" PRIu32 "' to='b%u@%s%s'>"
		"<body>%s</body></message>", c->index, o->sent, c->index ^ 1,
		b->conf->domain, b->conf->bare ? "" : "/bench", b->body);
	login_ask(c, o->sent);
}

static void
chat_stanza(struct client *c, struct elem *e)
{
	struct bench *b = c->b;
	struct chat *chat = b->data;
	struct str from, number;
	long long sender, n;

	if (!elem_is(e, NS_CLIENT, "message"))
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

/* Each sender gets count messages more to its partner. */
static bool
chat_phase(struct bench *b, struct chat *chat, uint32_t count)
{
	chat->limit += count;
	chat->arrived = 0;
	chat->all = (uint64_t)count * (chat->n / chat->step);
	for (unsigned w = 0; w < b->conf->window; w++)
		for (unsigned i = 0; i < chat->n; i += chat->step)
			chat_say(&b->clients[i]);
	return bench_wait(b, chat_is_over);
}

bool
mode_chat(struct bench *b)
{
	struct chat chat = { .n = b->conf->clients & ~1u,
		.step = b->conf->one_way ? 2 : 1 };
	struct usage start;
	bool ok;

	b->data = &chat;
	b->floor_kind = FLOOR_PAIRS;
	chat.orders = xcalloc(chat.n + 1, sizeof(*chat.orders));
	ok = bench_login(b, 0, chat.n);
	b->on_stanza = chat_stanza;
	ok = ok && chat_phase(b, &chat, bench_warm(b, b->conf->count));
	usage_begin(b, &start);
	ok = ok && chat_phase(b, &chat, b->conf->count);
	usage_result(b, &start, chat.arrived);
	/* else they come again in the next run */
	for (unsigned i = 0; ok && b->conf->sm && i < chat.n; i++)
		login_acknowledge(&b->clients[i]);
	if (b->conf->sm)
		bench_logout(b);
	for (unsigned i = 0; i < chat.n; i++)
		order_end(b, &chat.orders[i]);
	free(chat.orders);
	return ok;
}
