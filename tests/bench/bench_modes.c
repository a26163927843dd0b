/*
 * bench_modes.c - the modes that need no partner: logging in and out, being
 * idle, asking the server.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

/* --- login: N logins, then all streams close at once -------------------------- */

bool
mode_login(struct bench *b)
{
	unsigned n = b->conf->clients;
	struct usage start;
	bool ok;

	usage_settle(b);
	usage_now(b, &start);
	if (!bench_login(b, 0, n))
		return false;
	usage_result(b, &start, n);
	usage_settle(b);
	usage_now(b, &start);
	ok = bench_logout(b);
	result_add(b, "after", "logout");
	usage_result(b, &start, n);
	return ok;
}

/* --- idle: what a session costs that does nothing ------------------------------ */

static void
idle_ready(struct client *c)
{
	client_send_str(c, STR("<presence/>"));
}

bool
mode_idle(struct bench *b)
{
	unsigned n = b->conf->clients;
	struct usage start, end;
	uint64_t before, after;

	b->on_ready = idle_ready;
	usage_settle(b);
	before = usage_bytes(b);
	if (!bench_login(b, 0, n))
		return false;
	usage_settle(b);
	/* parsers rest after limits: parser_rest; buffers go with them */
	for (unsigned i = 0; i <= b->conf->seconds; i++) {
		usage_now(b, &start);
		do {
			bench_turn(b, 100);
			usage_now(b, &end);
		} while (end.wall_us - start.wall_us < 1000000);
	}
	after = usage_bytes(b);
	result_add(b, "n", "%u", b->ready);
	result_add(b, "server_bytes_before", "%" PRIu64, before);
	result_add(b, "server_bytes_after", "%" PRIu64, after);
	result_add(b, "server_bytes_per_session", "%.0f",
		((double)after - (double)before) / n);
	result_add(b, "server_cpu_us_in_last_second", "%" PRId64,
		end.cpu_us - start.cpu_us);
	return b->ready == n;
}

/* --- ping: questions to the server --------------------------------------------- */

struct ping {
	uint64_t sent, answered;
};

static void
ping_ask(struct client *c)
{
	struct ping *p = c->b->data;
	uint64_t all = (uint64_t)c->b->conf->clients * c->b->conf->count;

	if (p->sent == all)
		return;
	client_send(c, "<iq type='get' id='p%" PRIu64 "' to='%s'>"
		"<ping xmlns='urn:xmpp:ping'/></iq>", p->sent++,
		c->b->conf->domain);
}

static void
ping_stanza(struct client *c, struct elem *e)
{
	struct ping *p = c->b->data;

	if (!elem_is(e, "jabber:client", "iq"))
		return;
	if (!str_is(elem_attr(e, "type"), "result"))
		bench_error(c->b, "a ping was answered by an error");
	p->answered++;
	bench_progress(c->b);
	ping_ask(c);
}

static bool
ping_is_over(struct bench *b)
{
	struct ping *p = b->data;

	return p->answered == (uint64_t)b->conf->clients * b->conf->count;
}

bool
mode_ping(struct bench *b)
{
	struct ping p = { 0, 0 };
	struct usage start;
	bool ok;

	b->data = &p;
	if (!bench_login(b, 0, b->conf->clients))
		return false;
	usage_settle(b);
	b->on_stanza = ping_stanza;
	usage_now(b, &start);
	for (unsigned w = 0; w < b->conf->window; w++)
		for (unsigned i = 0; i < b->conf->clients; i++)
			ping_ask(&b->clients[i]);
	ok = bench_wait(b, ping_is_over);
	usage_result(b, &start, p.answered);
	b->lost = p.sent - p.answered;
	return ok;
}
