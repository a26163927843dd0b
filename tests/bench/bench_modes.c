/*
 * bench_modes.c - the modes that need no partner: logging in and out, being
 * idle, asking the server.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "xmpp/ns.h"

/* --- login: N logins, then all streams close at once -------------------------- */

/* A part of them comes and goes, so that what is measured is not the first of
 * anything. */
static bool
login_warm(struct bench *b)
{
	unsigned n = bench_warm(b, b->conf->clients);

	return n == 0 || (bench_login(b, 0, n) && bench_logout(b));
}

bool
mode_login(struct bench *b)
{
	unsigned n = b->conf->clients;
	struct usage start;
	bool ok;

	if (!login_warm(b))
		return false;
	usage_begin(b, &start);
	if (!bench_login(b, 0, n))
		return false;
	usage_result(b, &start, n);
	usage_begin(b, &start);
	ok = bench_logout(b);
	result_add(b, "after", "logout");
	usage_result(b, &start, n);
	return ok;
}

/* --- idle: what a session costs that does nothing ------------------------------ */

bool
mode_idle(struct bench *b)
{
	unsigned n = b->conf->clients;
	struct usage start, end;
	uint64_t before, after;

	usage_settle(b);
	before = usage_bytes(b);
	if (!bench_login(b, 0, n))
		return false;
	usage_settle(b);
	/* what a login has left behind goes by and by */
	for (unsigned i = 0; i <= b->conf->seconds; i++) {
		usage_now(b, &start);
		do {
			bench_turn(b, 100);
			usage_now(b, &end);
		} while (end.wall_us - start.wall_us < 1000000);
	}
	usage_mark(b);
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
	uint64_t sent, answered, all;
};

static void
ping_ask(struct client *c)
{
	struct ping *p = c->b->data;

	if (p->sent == p->all)
		return;
	client_send(c, "<iq type='get' id='p%" PRIu64 "' to='%s'>"
		"<ping xmlns='urn:xmpp:ping'/></iq>", p->sent++,
		c->b->conf->domain);
}

static void
ping_stanza(struct client *c, struct elem *e)
{
	struct ping *p = c->b->data;

	if (!elem_is(e, NS_CLIENT, "iq") ||
		!str_starts(elem_attr(e, "id"), STR("p")))
		return;
	if (!str_is(elem_attr(e, "type"), "result") && !c->b->conf->floor)
		bench_error(c->b, "a ping was answered by an error");
	p->answered++;
	bench_progress(c->b);
	ping_ask(c);
}

static bool
ping_is_over(struct bench *b)
{
	struct ping *p = b->data;

	return p->answered == p->all;
}

static bool
ping_phase(struct bench *b, struct ping *p, unsigned count)
{
	*p = (struct ping){ .all = (uint64_t)b->conf->clients * count };
	for (unsigned w = 0; w < b->conf->window; w++)
		for (unsigned i = 0; i < b->conf->clients; i++)
			ping_ask(&b->clients[i]);
	return bench_wait(b, ping_is_over);
}

bool
mode_ping(struct bench *b)
{
	struct ping p = { 0 };
	struct usage start;
	bool ok;

	b->data = &p;
	b->on_stanza = ping_stanza;
	if (!bench_login(b, 0, b->conf->clients) ||
		!ping_phase(b, &p, bench_warm(b, b->conf->count)))
		return false;
	usage_begin(b, &start);
	ok = ping_phase(b, &p, b->conf->count);
	usage_result(b, &start, p.answered);
	b->lost = p.sent - p.answered;
	return ok;
}
