/*
 * bench_open.c - an open loop: pairs of clients send at a fixed rate, whether
 * the server keeps up or not.
 *
 * Message k of all is due k / rate seconds after the start, and carries that
 * moment: "<sender>.<number>.<us>".  Latency counts from there, not from when
 * it was in fact sent, so that whatever holds the generator up, be it a server
 * that does not read, counts for every message that had to wait (no coordinated
 * omission).  How late the generator itself was is told beside it.
 *
 * Of a run, the first part (--warm) is not measured.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "xmpp/ns.h"

/* Between two looks at what is due; no more often than messages are. */
#define STEP_US 100

struct open_run {
	struct order *orders; /* by sender */
	unsigned senders, step;
	int64_t start_us, measure_us; /* measure_us: that of `from' */
	uint64_t sent, all, from;     /* from: the first that is measured */
	uint64_t arrived, measured;
	struct usage start;
	struct hist latency, late;
};

static int64_t
open_due_us(const struct bench *b, const struct open_run *o, uint64_t k)
{
	return o->start_us + (int64_t)(k * US_PER_S / b->conf->rate);
}

static void
open_send(struct bench *b, struct open_run *o)
{
	unsigned i = (unsigned)(o->sent % o->senders) * o->step;
	int64_t due_us = open_due_us(b, o, o->sent);
	struct client *c = &b->clients[i];

	if (o->sent == o->from)
		usage_now(b, &o->start);
	if (o->sent >= o->from)
		hist_add(&o->late, b->now_us - due_us);
	o->sent++;
	client_send(c, "<message type='chat' id='%u.%" PRIu32 ".%" PRId64
		"' to='b%u@%s/bench'><body>%s</body></message>", i,
		++o->orders[i].sent, due_us, b->conf->first + (i ^ 1),
		b->conf->domain, b->body);
}

static void
open_timer(struct bench *b)
{
	struct open_run *o = b->data;

	while (o->sent < o->all && open_due_us(b, o, o->sent) <= b->now_us)
		open_send(b, o);
}

static void
open_stanza(struct client *c, struct elem *e)
{
	struct bench *b = c->b;
	struct open_run *o = b->data;
	struct str from, rest, number, due;
	long long sender, n, due_us;

	if (!elem_is(e, NS_CLIENT, "message"))
		return;
	if (!str_cut(elem_attr(e, "id"), '.', &from, &rest) ||
		!str_cut(rest, '.', &number, &due) ||
		!str_to_int(from, 0, b->conf->clients - 1, &sender) ||
		!str_to_int(number, 1, UINT32_MAX, &n) ||
		!str_to_int(due, 0, INT64_MAX, &due_us) ||
		sender != (c->index ^ 1) ||
		str_is(elem_attr(e, "type"), "error")) {
		bench_error(b, "b%u: a message that nobody has sent", c->index);
		return;
	}
	order_arrived(b, &o->orders[sender], (uint32_t)n);
	o->arrived++;
	bench_progress(b);
	if (due_us < o->measure_us)
		return;
	o->measured++;
	/* a turn may bring hundreds: when it began is not precise enough */
	hist_add(&o->latency, clock_mono_us(&clock_system) - due_us);
}

static bool
open_is_over(struct bench *b)
{
	struct open_run *o = b->data;

	return o->arrived >= o->all;
}

static void
open_init(struct bench *b, struct open_run *o)
{
	const struct bench_conf *conf = b->conf;
	unsigned n = conf->clients & ~1u;

	o->step = conf->one_way ? 2 : 1;
	o->senders = n / o->step;
	o->all = (uint64_t)conf->rate * conf->seconds;
	o->from = o->all * conf->warm / 100;
	o->all += o->from;
	o->orders = xcalloc(n, sizeof(*o->orders));
	b->data = o;
	b->floor_kind = FLOOR_PAIRS;
}

static bool
open_load(struct bench *b, struct open_run *o)
{
	bool ok;

	b->on_stanza = open_stanza;
	b->on_timer = open_timer;
	o->start_us = clock_mono_us(&clock_system);
	o->measure_us = open_due_us(b, o, o->from);
	bench_tick(b, MAX(US_PER_S / b->conf->rate, STEP_US));
	ok = bench_wait(b, open_is_over);
	bench_tick(b, 0);
	return ok;
}

bool
mode_open(struct bench *b)
{
	struct open_run *o;
	unsigned n = b->conf->clients & ~1u;
	bool ok;

	if (n == 0 || b->conf->rate == 0 || b->conf->seconds == 0) {
		bench_error(b, "--clients must be 2 at least, --rate and "
			"--seconds 1");
		return false;
	}
	o = xcalloc(1, sizeof(*o));
	open_init(b, o);
	ok = bench_login(b, 0, n);
	usage_begin(b, &o->start);
	ok = ok && open_load(b, o);
	usage_result(b, &o->start, o->measured);
	result_add(b, "rate", "%u", b->conf->rate);
	hist_result(b, "latency", &o->latency);
	result_add(b, "generator_late_p99_ms", "%.3f",
		(double)hist_at(&o->late, 9900) / 1000);
	for (unsigned i = 0; i < n; i++)
		order_end(b, &o->orders[i]);
	free(o->orders);
	free(o);
	return ok;
}
