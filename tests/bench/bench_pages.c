/*
 * bench_pages.c - pages of archives (XEP-0313), which clients have filled.
 *
 * In pairs, one of each sends --count messages, --window on their way, so that as many
 * are in the archives of both.  Before and after, each walks through its own, from the
 * first page to the last, and has to find that many more.  What is measured is --pages pages of 50, of one
 * client after the other, one question at a time: the last page, and one that begins
 * behind an entry which is drawn, which is full as well.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"

#define PAGE 50
#define ID_SIZE 128

struct page_id {
	char text[ID_SIZE];
};

/* The last entries of its pages, from the first to the last. */
struct page_ends VEC(struct page_id);

struct pages {
	struct order *orders;   /* by sender */
	struct page_ends *ends; /* by client */
	unsigned *had;          /* by client: entries of its archive */
	uint64_t arrived, all;
	/* of the question that waits for its answer */
	struct client *asker; /* NULL: it has come */
	int64_t asked_us, took_us;
	unsigned found;
	bool complete;
	struct page_id last;
};

/* --- what comes -------------------------------------------------------------------- */

static void
fill_say(struct client *c)
{
	struct bench *b = c->b;
	struct pages *p = b->data;
	struct order *o = &p->orders[c->index];

	if (o->sent == b->conf->count)
		return;
	client_send(c, "<message type='chat' id='%u.%" PRIu32 "' to='b%u@%s/bench'>"
		"<body>%s</body></message>", c->index, ++o->sent, c->index ^ 1,
		b->conf->domain, b->body);
}

static void
fill_arrived(struct client *c, struct elem *e)
{
	struct bench *b = c->b;
	struct pages *p = b->data;
	struct str from, number;
	long long n;

	if (!str_cut(elem_attr(e, "id"), '.', &from, &number) ||
		!str_to_int(number, 1, UINT32_MAX, &n) ||
		str_is(elem_attr(e, "type"), "error")) {
		bench_error(b, "b%u: a message that nobody has sent", c->index);
		return;
	}
	order_arrived(b, &p->orders[c->index ^ 1], (uint32_t)n);
	p->arrived++;
	fill_say(&b->clients[c->index ^ 1]);
}

static void
id_copy(struct page_id *to, struct bench *b, const struct elem *last)
{
	struct arena *a = arena_new();
	struct str text = elem_text(a, last);

	if (text.n >= sizeof(to->text))
		bench_error(b, "an id of %zu bytes", text.n);
	else
		snprintf(to->text, sizeof(to->text), "%.*s", STR_ARG(text));
	arena_free(a);
}

static void
page_answered(struct client *c, struct elem *e)
{
	struct pages *p = c->b->data;
	struct elem *fin = elem_child(e, NS_MAM, "fin"), *set, *last;

	set = fin != NULL ? elem_child(fin, NS_RSM, "set") : NULL;
	last = set != NULL ? elem_child(set, NS_RSM, "last") : NULL;
	p->took_us = clock_mono_us(&clock_system) - p->asked_us;
	p->asker = NULL;
	p->complete = fin != NULL && str_is(elem_attr(fin, "complete"), "true");
	p->last.text[0] = '\0';
	if (last != NULL)
		id_copy(&p->last, c->b, last);
	if (!str_is(elem_attr(e, "type"), "result"))
		bench_error(c->b, "b%u: no page", c->index);
}

static void
pages_stanza(struct client *c, struct elem *e)
{
	struct pages *p = c->b->data;

	if (elem_is(e, NS_CLIENT, "iq") && c == p->asker &&
		str_is(elem_attr(e, "id"), "page"))
		page_answered(c, e);
	else if (!elem_is(e, NS_CLIENT, "message"))
		return;
	else if (elem_child(e, NS_MAM, "result") == NULL)
		fill_arrived(c, e);
	else if (c == p->asker)
		p->found++;
	else
		bench_error(c->b, "b%u: an entry too late", c->index);
	bench_progress(c->b);
}

/* --- before it is measured ----------------------------------------------------------- */

static bool
fill_is_over(struct bench *b)
{
	struct pages *p = b->data;

	return p->arrived >= p->all;
}

static bool
pages_fill(struct bench *b, struct pages *p)
{
	struct usage start;
	bool ok;

	p->all = (uint64_t)(b->conf->clients / 2) * b->conf->count;
	usage_begin(b, &start);
	for (unsigned w = 0; w < b->conf->window; w++)
		for (unsigned i = 0; i < b->conf->clients; i += 2)
			fill_say(&b->clients[i]);
	ok = bench_wait(b, fill_is_over);
	result_add(b, "phase", "fill");
	usage_result(b, &start, p->arrived);
	return ok;
}

static bool
page_is_there(struct bench *b)
{
	struct pages *p = b->data;

	return p->asker == NULL;
}

/* where: what is said of the page beside its size (XEP-0059). */
static bool
page_ask(struct client *c, const char *where)
{
	struct pages *p = c->b->data;

	p->asker = c;
	p->found = 0;
	p->asked_us = clock_mono_us(&clock_system);
	client_send(c, "<iq type='set' id='page'><query xmlns='" NS_MAM
		"'><set xmlns='" NS_RSM "'><max>%d</max>%s</set></query></iq>",
		PAGE, where);
	return bench_wait(c->b, page_is_there);
}

static bool
page_ask_after(struct client *c, const struct page_id *id)
{
	char where[ID_SIZE + sizeof("<after></after>")];

	snprintf(where, sizeof(where), "<after>%s</after>", id->text);
	return page_ask(c, where);
}

/* How many entries there are from the first page to the last; false: nobody said. */
static bool
archive_walk(struct client *c, unsigned *n_out)
{
	struct pages *p = c->b->data;
	struct page_ends *ends = &p->ends[c->index];
	bool ok = page_ask(c, "");

	*n_out = ends->n = 0;
	while (ok && p->found != 0) {
		*n_out += p->found;
		*vec_push(ends) = p->last;
		if (p->complete)
			break;
		ok = page_ask_after(c, &p->last);
	}
	return ok;
}

/* Of all clients; false: one of them has not what was said meanwhile. */
static bool
archives_walk(struct bench *b, unsigned more)
{
	struct pages *p = b->data;
	unsigned n;

	for (unsigned i = 0; i < b->conf->clients; i++) {
		if (!archive_walk(&b->clients[i], &n))
			return false;
		if (more != 0 && n != p->had[i] + more) {
			bench_error(b, "b%u: of %u messages %u are in the archive",
				i, more, n - p->had[i]);
			return false;
		}
		p->had[i] = n;
	}
	return true;
}

/* --- what is measured ------------------------------------------------------------------ */

static bool
page_last(struct client *c)
{
	return page_ask(c, "<before/>");
}

static bool
page_anywhere(struct client *c)
{
	struct pages *p = c->b->data;
	struct page_ends *ends = &p->ends[c->index];
	unsigned full = p->had[c->index] / PAGE;

	/* those behind which there are as many as a page has */
	return page_ask_after(c, &ends->p[bench_random(c->b, full - 1)]);
}

/* n pages, whose times are added to took. */
static bool
pages_ask(struct bench *b, bool (*ask)(struct client *c), unsigned n,
	struct hist *took)
{
	struct pages *p = b->data;

	for (unsigned i = 0; i < n; i++) {
		if (!ask(&b->clients[i % b->conf->clients]))
			return false;
		if (p->found != PAGE)
			bench_error(b, "a page of %u", p->found);
		hist_add(took, p->took_us);
	}
	return true;
}

static bool
pages_measure(struct bench *b, bool (*ask)(struct client *c), const char *phase)
{
	struct hist warm = { 0 }, took = { 0 };
	unsigned n = b->conf->pages;
	struct usage start;
	bool ok = pages_ask(b, ask, bench_warm(b, n), &warm);

	usage_begin(b, &start);
	ok = ok && pages_ask(b, ask, n, &took);
	result_add(b, "phase", "%s", phase);
	usage_result(b, &start, took.n);
	hist_result(b, "latency", &took);
	return ok;
}

/* --- the run ------------------------------------------------------------------------------ */

static bool
pages_run(struct bench *b, struct pages *p)
{
	unsigned n = b->conf->clients;
	bool ok = bench_login(b, 0, n) && archives_walk(b, 0) && pages_fill(b, p);

	for (unsigned i = 0; i < n; i++)
		order_end(b, &p->orders[i]);
	return ok && archives_walk(b, b->conf->count) &&
		pages_measure(b, page_last, "last") &&
		pages_measure(b, page_anywhere, "anywhere");
}

bool
mode_pages(struct bench *b)
{
	unsigned n = b->conf->clients;
	struct pages p = { 0 };
	bool ok;

	if (n % 2 != 0 || b->conf->count < 2 * PAGE) {
		bench_error(b, "--clients must be even, --count %d at least",
			2 * PAGE);
		return false;
	}
	p.orders = xcalloc(n, sizeof(*p.orders));
	p.ends = xcalloc(n, sizeof(*p.ends));
	p.had = xcalloc(n, sizeof(*p.had));
	b->data = &p;
	b->on_stanza = pages_stanza;
	ok = pages_run(b, &p);
	for (unsigned i = 0; i < n; i++)
		vec_done(&p.ends[i]);
	free(p.had);
	free(p.ends);
	free(p.orders);
	return ok;
}
