/*
 * bench_chat.c - pairs of clients that chat: each has --window messages on
 * their way to the other, and sends the next when one has arrived; --one-way
 * has only one of each pair send.
 *
 * The id of a message is "<sender>.<number>"; its partner checks the order.
 * --devices has more of each client log in, which read: with --bare what their
 * client gets, and with --copies what it gets or sends.
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
	uint64_t read, all_read; /* the same, of devices */
	unsigned switched;       /* devices that want copies */
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

/* Of a device. */
static void
chat_read(struct chat *chat, struct elem *e)
{
	if (elem_is(e, NS_CLIENT, "message"))
		chat->read++;
	else if (str_is(elem_attr(e, "id"), "copies"))
		chat->switched++;
}

static void
chat_stanza(struct client *c, struct elem *e)
{
	struct bench *b = c->b;
	struct chat *chat = b->data;
	struct str from, number;
	long long sender, n;

	if (c->index >= b->conf->clients) {
		chat_read(chat, e);
		bench_progress(b);
		return;
	}
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

	return chat->arrived >= chat->all && chat->read >= chat->all_read;
}

/* How many devices read a message, of both. */
static unsigned
chat_readers(const struct bench_conf *conf)
{
	return conf->copies ? 2 * conf->devices :
		conf->bare  ? conf->devices :
			      0;
}

static bool
chat_is_switched(struct bench *b)
{
	struct chat *chat = b->data;

	return chat->switched >= b->n_clients - b->conf->clients;
}

static bool
chat_devices(struct bench *b)
{
	unsigned first = b->conf->clients;
	bool ok = bench_login(b, first, b->n_clients - first);

	b->on_stanza = chat_stanza;
	if (!ok || !b->conf->copies)
		return ok;
	for (unsigned i = first; i < b->n_clients; i++)
		client_send_str(&b->clients[i], STR("<iq type='set' id='copies'>"
			"<enable xmlns='" NS_CARBONS "'/></iq>"));
	return bench_wait(b, chat_is_switched);
}

/* Each sender gets count messages more to its partner. */
static bool
chat_phase(struct bench *b, struct chat *chat, uint32_t count)
{
	chat->limit += count;
	chat->arrived = 0;
	chat->all = (uint64_t)count * (chat->n / chat->step);
	chat->read = 0;
	chat->all_read = chat->all * chat_readers(b->conf);
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
	ok = bench_login(b, 0, chat.n) && chat_devices(b);
	ok = ok && chat_phase(b, &chat, bench_warm(b, b->conf->count));
	usage_begin(b, &start);
	ok = ok && chat_phase(b, &chat, b->conf->count);
	usage_result(b, &start, chat.arrived);
	if (chat.read != chat.all_read)
		bench_error(b, "devices have read %" PRIu64 " messages of %"
			PRIu64, chat.read, chat.all_read);
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
