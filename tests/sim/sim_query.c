/*
 * sim_query.c - what users are shown of their archives, page by page: whatever they
 * ask for, all of it that is there, once and in its order, in pages of any size and
 * from both ends, also while more is said.
 *
 * Each page is held against what a look at each entry says (sim_model.c), at one of
 * the moments between the question and its answer.
 */
#include "config.h"

#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "store/store.h"
#include "sim_model.h"

#define PAGE_MAX 250    /* as the server has it */
#define PAGE_DEFAULT 50 /* where nobody says how many */
#define PAGES_MAX 12    /* of one query; what is behind them is asked for by others */
#define QUERIES 3       /* of each user */

struct ids {
	size_t n;
	char id[PAGE_MAX][STORE_ID_SIZE];
};

/* One user's, who asks by his first client. */
struct query {
	struct sim_client *sc;
	struct model model;
	struct asked asked;
	unsigned n;     /* of the query, of all */
	bool backwards; /* from the end */
	bool flipped;
	bool absent;    /* it names what is not there */
	char cursor[STORE_ID_SIZE];
	unsigned max; /* of the page */
	/* what came */
	struct ids page;
	bool answered, refused, complete;
	char first[STORE_ID_SIZE], last[STORE_ID_SIZE];
};

/* --- what comes ----------------------------------------------------------------------- */

static void
text_keep(char out[STORE_ID_SIZE], struct arena *a, const struct elem *parent,
	const char *name)
{
	const struct elem *e =
		parent != NULL ? elem_child(parent, NS_RSM, name) : NULL;

	out[0] = '\0';
	if (e != NULL)
		snprintf(out, STORE_ID_SIZE, "%.*s", STR_ARG(elem_text(a, e)));
}

static void
on_result(struct query *q, struct arena *a, const struct elem *result)
{
	struct str queryid = arena_printf(a, "f%u", q->n);

	if (q->answered || q->page.n == PAGE_MAX ||
		!str_eq(elem_attr(result, "queryid"), queryid))
		sim_fail(q->sc->sim, "u%u is shown what it has not asked for",
			q->sc->user);
	else
		snprintf(q->page.id[q->page.n++], STORE_ID_SIZE, "%.*s",
			STR_ARG(elem_attr(result, "id")));
}

static void
on_fin(struct query *q, struct arena *a, const struct elem *e)
{
	const struct elem *fin = elem_child(e, NS_MAM, "fin");
	const struct elem *set =
		fin != NULL ? elem_child(fin, NS_RSM, "set") : NULL;
	const struct elem *error = elem_child(e, NULL, "error");

	q->answered = true;
	q->refused = error != NULL &&
		elem_child(error, NULL, "item-not-found") != NULL;
	q->complete = fin != NULL && str_is(elem_attr(fin, "complete"), "true");
	text_keep(q->first, a, set, "first");
	text_keep(q->last, a, set, "last");
	if (fin == NULL && !q->refused)
		sim_fail(q->sc->sim, "u%u is refused a page", q->sc->user);
}

bool
sim_query_takes(struct sim_client *sc, struct arena *a, const struct elem *e)
{
	struct query *q = sc->sim->query;
	const struct elem *result = elem_child(e, NS_MAM, "result");

	if (q == NULL || q->sc != sc)
		return false;
	if (result != NULL)
		on_result(q, a, result);
	else if (str_is(elem_attr(e, "id"), "page"))
		on_fin(q, a, e);
	else
		return false;
	return true;
}

/* --- what is asked for ---------------------------------------------------------------- */

static uint64_t
draw(struct query *q, uint64_t below)
{
	return world_draw(q->sc->sim->w, below);
}

static const struct entry *
entry_draw(struct query *q)
{
	return &q->model.entries.p[draw(q, q->model.entries.n)];
}

static void
field_add(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "<field var='%s'><value>%s</value></field>", name,
		value);
}

static void
draw_with(struct query *q, struct buf *out)
{
	char *with = q->asked.with;
	unsigned user = (unsigned)draw(q, USERS), index;

	snprintf(with, MODEL_ADDRESS, "u%u@" WORLD_HOST, user);
	index = (unsigned)draw(q, 2 * CLIENTS);
	if (index < CLIENTS)
		snprintf(with, MODEL_ADDRESS, "u%u@" WORLD_HOST "/r%u", user,
			index);
	field_add(out, "with", with);
}

/* With a fraction, or without, which stands for all of that second. */
static void
draw_time(struct query *q, struct buf *out, const char *name, int64_t *us_out)
{
	int64_t us = entry_draw(q)->wall_us, fraction;
	time_t s = (time_t)(us / US_PER_S);
	char text[48];
	struct tm tm;
	size_t n;

	fraction = draw(q, 2) == 0 ? us % US_PER_S : 0;
	gmtime_r(&s, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	if (fraction != 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ".%06d",
			(int)fraction);
	snprintf(text + n, sizeof(text) - n, "Z");
	*us_out = us / US_PER_S * US_PER_S + fraction;
	if (us_out == &q->asked.until_us && fraction == 0)
		*us_out += US_PER_S - 1;
	field_add(out, name, text);
}

/* Of a message, or of one that is not there. */
static const char *
draw_id(struct query *q, const struct entry *e, char out[2 * STORE_ID_SIZE])
{
	bool absent = draw(q, 16) == 0;

	q->absent |= absent;
	snprintf(out, 2 * STORE_ID_SIZE, absent ? "%.*sx" : "%.*s",
		STORE_ID_SIZE - 2, e->id);
	return out;
}

static void
draw_bound(struct query *q, struct buf *out, const char *name, uint64_t *bound)
{
	char text[2 * STORE_ID_SIZE];
	const struct entry *e = entry_draw(q);

	*bound = e->number;
	field_add(out, name, draw_id(q, e, text));
}

/* In any order, and some twice. */
static void
draw_ids(struct query *q, struct buf *out)
{
	struct asked *asked = &q->asked;
	char text[2 * STORE_ID_SIZE];

	asked->by_ids = true;
	asked->n_ids = 1 + (unsigned)draw(q, MODEL_IDS);
	buf_add_c(out, "<field var='ids'>");
	for (unsigned i = 0; i < asked->n_ids; i++) {
		const struct entry *e = entry_draw(q);

		asked->ids[i] = (size_t)(e - q->model.entries.p);
		buf_printf(out, "<value>%s</value>", draw_id(q, e, text));
	}
	buf_add_c(out, "</field>");
}

static void
draw_words(struct query *q, struct buf *out)
{
	buf_printf(out, "<field var='{" NS_FULLTEXT "}fulltext'><value>");
	for (unsigned n = 1 + (unsigned)draw(q, 2); n > 0; n--) {
		unsigned k = (unsigned)draw(q, MODEL_WORDS);

		q->asked.words |= 1u << k;
		buf_printf(out, "%s ", model_asked(k));
	}
	buf_add_c(out, "</value></field>");
}

/* The form; each of its fields, or none, or several. */
static void
draw_form(struct query *q, struct buf *out)
{
	struct asked *asked = &q->asked;

	if (q->model.entries.n == 0 || draw(q, 6) == 0)
		return;
	buf_add_c(out, "<x xmlns='" NS_FORM "' type='submit'>");
	field_add(out, "FORM_TYPE", NS_MAM);
	if (draw(q, 3) == 0)
		draw_with(q, out);
	if (draw(q, 5) == 0)
		draw_time(q, out, "start", &asked->since_us);
	if (draw(q, 5) == 0)
		draw_time(q, out, "end", &asked->until_us);
	if (draw(q, 5) == 0)
		draw_bound(q, out, "after-id", &asked->after);
	if (draw(q, 5) == 0)
		draw_bound(q, out, "before-id", &asked->before);
	if (draw(q, 6) == 0)
		draw_ids(q, out);
	if (draw(q, 5) == 0)
		draw_words(q, out);
	buf_add_c(out, "</x>");
}

/* out: what stands in the query, but for its <set/>. */
static void
query_draw(struct query *q, struct buf *out)
{
	q->asked = (struct asked){ .with = "" };
	q->n++;
	q->absent = false;
	q->cursor[0] = '\0';
	q->backwards = draw(q, 2) == 0;
	q->flipped = draw(q, 4) == 0;
	q->asked.descends = draw(q, 4) == 0;
	model_look_anew(&q->model);
	draw_form(q, out);
	if (q->asked.descends)
		buf_add_c(out, "<order xmlns='" NS_ORDER_BY
			       "' by='creation' desc='true'/>");
	if (q->flipped)
		buf_add_c(out, "<flip-page/>");
}

/* --- a page --------------------------------------------------------------------------- */

static void
draw_max(struct query *q, struct buf *out)
{
	static const unsigned most[] = { 3, 10, 50, PAGE_MAX + 1 };
	unsigned said = (unsigned)draw(q, most[draw(q, COUNT(most))]);

	q->max = PAGE_DEFAULT;
	if (draw(q, 16) == 0)
		return;
	if (said == 0 && draw(q, 2) == 0)
		said = 2 * PAGE_MAX; /* more than there are in a page */
	q->max = MIN(said, PAGE_MAX);
	buf_printf(out, "<max>%u</max>", said);
}

static void
page_ask(struct query *q, const char *form)
{
	struct buf set = BUF_INIT;

	draw_max(q, &set);
	if (q->backwards)
		buf_printf(&set, "<before>%s</before>", q->cursor);
	else if (q->cursor[0] != '\0')
		buf_printf(&set, "<after>%s</after>", q->cursor);
	q->page.n = 0;
	q->answered = false;
	user_send(q->sc,
		"<iq type='set' id='page'><query xmlns='" NS_MAM
		"' queryid='f%u'>%s<set xmlns='" NS_RSM "'>%s</set></query></iq>",
		q->n, form, buf_c(&set));
	buf_done(&set);
}

static void
page_wait(struct query *q)
{
	for (int i = 0; i < 40 && !q->answered; i++) {
		world_settle(q->sc->sim->w);
		sim_read_all(q->sc->sim);
	}
	if (!q->answered)
		sim_fail(q->sc->sim, "u%u is shown no page", q->sc->user);
}

/* The set as it was when there were so many entries: places in the archive, in the
 * order that was asked for. */
static size_t
set_make(const struct query *q, size_t n, size_t *out)
{
	const struct asked *asked = &q->asked;
	uint64_t cursor = store_id_number(str_c(q->cursor));
	bool older = q->backwards != asked->descends;
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		size_t at = asked->descends ? n - 1 - i : i;
		uint64_t number = q->model.entries.p[at].number;

		if (model_has(&q->model, asked, at) &&
			(cursor == 0 || (older ? number < cursor :
						 number > cursor)))
			out[found++] = at;
	}
	return found;
}

/* Is this the page, if the archive had so many entries? */
static bool
page_is_of(const struct query *q, size_t n_entries, size_t *set)
{
	size_t n = set_make(q, n_entries, set), shown = MIN(n, q->max);
	size_t begin = q->backwards ? n - shown : 0;
	const struct entry *entries = q->model.entries.p;

	if (q->page.n != shown || q->complete != (n == shown))
		return false;
	for (size_t i = 0; i < shown; i++) {
		size_t at = q->flipped ? shown - 1 - i : i;

		if (strcmp(q->page.id[i], entries[set[begin + at]].id) != 0)
			return false;
	}
	if (shown == 0)
		return q->first[0] == '\0' && q->last[0] == '\0';
	return strcmp(q->first, entries[set[begin]].id) == 0 &&
		strcmp(q->last, entries[set[begin + shown - 1]].id) == 0;
}

/* n: how many entries there were before it was asked for. */
static void
page_check(struct query *q, size_t n, const char *form)
{
	struct sim *s = q->sc->sim;
	size_t *set;
	bool is = false;

	if (s->failed)
		return;
	if (q->absent || q->refused) {
		if (!q->absent || !q->refused || q->page.n != 0)
			sim_fail(s, "u%u is refused wrongly, or not, or late: %s",
				q->sc->user, form);
		return;
	}
	model_look(&q->model);
	set = xcalloc(q->model.entries.n + 1, sizeof(*set));
	for (; n <= q->model.entries.n && !is; n++)
		is = page_is_of(q, n, set);
	free(set);
	if (!is)
		sim_fail(s, "u%u is shown another page of %zu, at most %u, %s %s%s: %s",
			q->sc->user, q->page.n, q->max,
			q->backwards ? "before" : "after", q->cursor,
			q->complete ? ", as all" : "", form);
}

/* Some say something, and some of it is on its way when the page is asked for.  From
 * a small archive something would go for it. */
static void
meanwhile(struct query *q)
{
	struct sim *s = q->sc->sim;
	unsigned others = (unsigned)draw(q, USERS);

	if (s->small || draw(q, 3) != 0)
		return;
	if (draw(q, 4) == 0) /* not each message is of a whole second */
		world_sleep(s->w, (int64_t)draw(q, US_PER_S));
	sim_say_to(s, &s->clients[others][0], q->sc->user);
	sim_say_to(s, q->sc, others);
	for (uint64_t n = draw(q, 8); n > 0; n--)
		world_turn(s->w);
}

/* All of a query's pages, one behind the other. */
static void
query_run(struct query *q)
{
	struct sim *s = q->sc->sim;
	struct buf form = BUF_INIT;

	query_draw(q, &form);
	q->complete = false;
	for (unsigned i = 0; i < PAGES_MAX && !q->complete && !s->failed; i++) {
		size_t n = q->model.entries.n;

		meanwhile(q);
		page_ask(q, buf_c(&form));
		page_wait(q);
		page_check(q, n, buf_c(&form));
		if (q->refused)
			break;
		if (q->page.n != 0)
			memcpy(q->cursor, q->backwards ? q->first : q->last,
				sizeof(q->cursor));
	}
	buf_done(&form);
}

/* --- what is deleted ------------------------------------------------------------------- */

/* Of a page that was asked for ahead of that: some of what there was, in its order. */
static void
check_what_goes(const struct query *q)
{
	const struct model *m = &q->model;
	size_t at = 0, n = q->page.n;
	bool turned = q->flipped;

	for (size_t i = 0; i < n && at <= m->entries.n; i++, at++) {
		const char *id = q->page.id[turned ? n - 1 - i : i];

		while (at < m->entries.n &&
			strcmp(m->entries.p[at].id, id) != 0)
			at++;
	}
	if (at > m->entries.n || q->refused || !q->answered)
		sim_fail(q->sc->sim, "u%u is shown no page of what goes",
			q->sc->user);
}

/* All up to one of the messages goes, or simply all, and no other. */
static void
check_trim(struct query *q)
{
	struct sim *s = q->sc->sim;
	struct model left = { .sim = s, .user = q->sc->user };
	struct model *m = &q->model;
	char trim[2 * STORE_ID_SIZE + 64] = "<trim xmlns='" NS_MAM_TRIM "'/>";
	struct buf none = BUF_INIT;
	size_t n;

	query_draw(q, &none);
	buf_done(&none);
	n = m->entries.n;
	if (n != 0 && draw(q, 4) != 0) {
		n = 1 + (size_t)draw(q, n);
		snprintf(trim, sizeof(trim),
			"<trim xmlns='" NS_MAM_TRIM "'><id>%s</id></trim>",
			m->entries.p[n - 1].id);
	}
	q->asked = (struct asked){ .with = "" };
	page_ask(q, q->flipped ? "<flip-page/>" : "");
	if (!sim_owner_asks(s, q->sc, trim) || s->answer != ANSWER_RESULT)
		sim_fail(s, "u%u cannot have it deleted", q->sc->user);
	check_what_goes(q);
	model_look(&left);
	for (size_t i = 0; i < left.entries.n && !s->failed; i++)
		if (n + i >= m->entries.n ||
			strcmp(left.entries.p[i].id,
				m->entries.p[n + i].id) != 0)
			sim_fail(s, "u%u has something else left", q->sc->user);
	if (left.entries.n != m->entries.n - n)
		sim_fail(s, "u%u has %u of %u left, of which %zu go",
			q->sc->user, (unsigned)left.entries.n,
			(unsigned)m->entries.n, n);
	model_done(&left);
}

void
sim_check_queries(struct sim *s)
{
	struct query *q = s->archive ? xcalloc(1, sizeof(*q)) : NULL;

	s->query = q;
	for (unsigned u = 0; q != NULL && u < USERS && !s->failed; u++) {
		q->sc = &s->clients[u][0];
		q->model.sim = s;
		q->model.user = u;
		for (unsigned i = 0; i < QUERIES && !s->failed &&
			q->sc->c.state == CLIENT_ONLINE; i++) {
			if (i + 1 == QUERIES && draw(q, 3) == 0)
				check_trim(q);
			query_run(q);
		}
	}
	if (q != NULL)
		model_done(&q->model);
	free(q);
	s->query = NULL;
}
