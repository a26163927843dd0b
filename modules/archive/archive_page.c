/*
 * archive_page.c - puts a page of an archive together, and sends it as its client
 * takes it (XEP-0313 §4.2, §4.3).
 *
 * Owner shard of the account.  A page is read in slices, each of which is written
 * when it has been read, as it lies in the store; the next one is asked for when the
 * client keeps up.  Most pages are one slice, and so one read.
 *
 *   queued --it is the first of its session--> check --> walk --> fetch --> answered
 *       check   are all ids there that the query names, and which of them are meant?
 *               Only where it names more than bounds of one range
 *       walk    from the end that the query names, until the page is full, and it is
 *               known whether more would follow (`complete')
 *       fetch   what was found, by ids: where a page goes out from its other end,
 *               and is more than the slice in hand
 *       each    --(the client does not keep up)--> waiting --(it does)--> each
 *               --(the session has gone)--> answered, for nobody
 *
 * Times, bounds, words and bare addresses are the store's to find; full ones are looked
 * for in what it finds, and no more than LOOK_MAX entries for one page.
 *
 * Nobody waits for a page that waits for its client: what the client sends meanwhile
 * goes on (iq_pass_on()).
 *
 * Invariant: a page is in the list of its session until that, or it, is over; and
 * only the first of a list is under way.
 */
#include "config.h"

#include "archive_page.h"

/* Of the store, at once, for a full address. */
#define SLICE_ENTRIES 256
/* So many entries are looked at for a full address. */
#define LOOK_MAX 100000u

static void page_go_on(struct module_ctx *m, struct archive_page *p);

/* --- its end ------------------------------------------------------------------------ */

static void
page_free(struct archive_page *p)
{
	TAILQ_REMOVE(&p->of->pages, p, link);
	free(p);
}

/* The first of those that are left is under way. */
static void
pages_look(struct module_ctx *m, struct archive_session *as)
{
	struct archive_page *p = TAILQ_FIRST(&as->pages);

	if (p != NULL && !p->reads && !p->waits)
		archive_page_next(m, p);
}

static void
page_leave(struct module_ctx *m, struct archive_page *p)
{
	struct archive_session *as = p->of;

	page_free(p);
	pages_look(m, as);
}

void
archive_page_fail(struct module_ctx *m, struct archive_page *p, enum stanza_cond cond,
	const char *text)
{
	iq_error(p->iq, cond, text);
	page_leave(m, p);
}

/* XEP-0313 §4.3.2: the ends are those of the set, whichever of them went out first. */
void
archive_page_answer(struct module_ctx *m, struct archive_page *p)
{
	struct arena *a = p->iq->st->arena;
	struct elem *fin = iq_payload(p->iq, NS_MAM, "fin");
	bool flipped = p->q->flipped;
	struct rsm_page page = {
		.first = flipped ? p->last : p->first,
		.last = flipped ? p->first : p->last,
		.count = -1, /* XEP-0059 §2.7: nobody counts them */
		.by_index = p->q->rsm.by_index,
	};

	if (!p->more)
		elem_set_attr(a, fin, "complete", STR("true"));
	rsm_add(a, fin, &page);
	iq_result(p->iq, fin);
	page_leave(m, p);
}

/* --- the client ----------------------------------------------------------------------- */

/* The first waits for the client, and so do those behind it, and nobody for them.
 * The number of such has a bound. */
static void
pages_pass(struct archive_session *as)
{
	struct archive_page *p, *next;

	for (p = TAILQ_FIRST(&as->pages); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->passed)
			continue;
		p->passed = iq_pass_on(p->iq);
		if (!p->passed)
			page_free(p);
	}
}

/* The next slice is asked for, now or later; p may end. */
void
archive_page_next(struct module_ctx *m, struct archive_page *p)
{
	struct archive_session *as = p->of;

	if (!session_is_full(p->session)) {
		page_go_on(m, p);
		return;
	}
	p->waits = true;
	pages_pass(as);
	pages_look(m, as);
}

/* Somebody wants to look inside. */
static void
result_show_read(struct session *s, struct wire *w)
{
	struct stanza *st = wire_stanza(w);

	stanza_set_to(st, session_jid(s));
	session_write_shared(s, st, &w, jid_str(session_jid(s)));
	stanza_free(st);
}

void
archive_page_show(struct archive_page *p, const struct store_entry *e,
	const struct stanza *like)
{
	struct session *s = p->session;
	struct wire *w = wire_result(session_shard(s)->xml, e->value,
		&(struct wire_shown){
			.from = jid_str(s->account->e.jid),
			.queryid = p->q->queryid,
			.id = e->key,
			.wall_us = e->wall_us,
		});

	p->last = arena_str(p->iq->st->arena, e->key);
	if (p->first.p == NULL)
		p->first = p->last;
	if (w != NULL) {
		if (!session_write_forwarded(s, like, w))
			result_show_read(s, w);
		wire_unref(w);
	} else if (log_limit_ok(&session_shard(s)->storage, LOG_STORE)) {
		log_error(LOG_STORE, session_who(s),
			"an archived message cannot be read, it is left out id=%.*s",
			STR_ARG(e->key));
	}
}

/* What those that count and slow look at. */
struct stanza *
archive_page_like(const struct archive_page *p)
{
	return stanza_new(MESSAGE_NORMAL, p->session->account->e.jid,
		session_jid(p->session), STR_NONE);
}

/* --- what is meant -------------------------------------------------------------------- */

bool
archive_page_is_of_full(const struct archive_page *p, const struct store_entry *e)
{
	return p->full.p == NULL ||
		str_eq(stored_attr(e->value, "from"), p->full) ||
		str_eq(stored_attr(e->value, "to"), p->full);
}

/* --- what has been read ------------------------------------------------------------- */

struct store_place
archive_page_place(const struct archive_page *p)
{
	return account_place(p->session->account, ARCHIVE);
}

/* NULL: p has ended, or its session, or the module here. */
static struct module_ctx *
page_find(struct archive_page *p)
{
	const struct account *acc;
	struct host *host;
	struct module_ctx *m;

	p->reads = false;
	if (p->of == NULL) {
		free(p);
		return NULL;
	}
	acc = p->session->account;
	host = account_host(acc);
	m = host != NULL ? module_at_host(host, p->entry) : NULL;
	if (m == NULL || acc->removing) {
		archive_pages_end(p->of, COND_SERVICE_UNAVAILABLE);
		return NULL;
	}
	return m;
}

/* As page_find(), of one that err has not ended. */
struct module_ctx *
archive_page_read(struct archive_page *p, const struct err *err)
{
	struct module_ctx *m = page_find(p);

	if (m == NULL || err == NULL)
		return m;
	archive_page_fail(m, p, stanza_cond_of(err->code), NULL);
	return NULL;
}

/* --- walk ----------------------------------------------------------------------------- */

/* Does what is found go out in the order in which it is found? */
static bool
page_is_direct(const struct archive_page *p)
{
	return p->from_end == p->downwards;
}

/* In the order of the walk. */
static const struct store_entry *
entry_at(const struct archive_page *p, const struct store_answer *answer, size_t i)
{
	return &answer->entries[p->from_end ? answer->n - 1 - i : i];
}

/* Takes what belongs to the page, and shows it at once where it can; how many entries
 * of the answer that was.  What follows the page tells that there is more. */
static size_t
walk_take(struct archive_page *p, const struct store_answer *answer)
{
	struct arena *a = p->iq->st->arena;
	struct stanza *like = archive_page_like(p);
	size_t end = 0;

	for (size_t i = 0; i < answer->n && !p->more; i++) {
		const struct store_entry *e = entry_at(p, answer, i);

		if (!archive_page_is_of_full(p, e))
			continue;
		if (p->found == p->max) {
			p->more = true;
			continue;
		}
		p->found++;
		end = i + 1;
		if (page_is_direct(p))
			archive_page_show(p, e, like);
		else
			*vec_push_in(a, &p->ids) = arena_str(a, e->key);
	}
	stanza_free(like);
	p->looked += (uint32_t)answer->n;
	if (answer->n != 0)
		p->cursor = arena_str(a,
			entry_at(p, answer, answer->n - 1)->key);
	return end;
}

/* What was taken of the answer is the whole page. */
static void
walk_show_back(struct archive_page *p, const struct store_answer *answer, size_t n)
{
	struct stanza *like = archive_page_like(p);

	while (n-- > 0) {
		const struct store_entry *e = entry_at(p, answer, n);

		if (archive_page_is_of_full(p, e))
			archive_page_show(p, e, like);
	}
	stanza_free(like);
}

static size_t
answer_bytes(const struct store_answer *answer)
{
	size_t bytes = 0;

	for (size_t i = 0; i < answer->n; i++)
		bytes += answer->entries[i].value.n;
	return bytes;
}

/* Is nothing left to be found out?  That an answer is not complete says that there is
 * more, but where it has ended for its size. */
static bool
walk_is_over(struct archive_page *p, const struct store_answer *answer)
{
	if (p->more || answer->complete)
		return true;
	if (p->found < p->max || p->full.p != NULL)
		p->more = p->full.p != NULL && p->looked >= LOOK_MAX;
	else
		p->more = answer_bytes(answer) < SLICE_BYTES;
	return p->more;
}

/* What bounds the walk has gone since it began, and with it all that is older: it goes
 * on without.  False: so nothing is left of it. */
static bool
walk_loosen(struct archive_page *p)
{
	if (p->lower.p != NULL)
		p->lower = STR_NONE;
	else if (!p->from_end && p->cursor.p != NULL)
		p->cursor = STR_NONE;
	else
		return false;
	return true;
}

static void
on_walked(void *arg, const struct store_answer *answer, const struct err *err)
{
	static const struct store_answer nothing = { .complete = true };
	struct archive_page *p = arg;
	bool gone = err != NULL && err->code == ERR_MISSING && p->looked != 0;
	struct module_ctx *m = archive_page_read(p, gone ? NULL : err);
	uint32_t before;
	size_t taken;

	if (m == NULL)
		return;
	if (gone && walk_loosen(p)) {
		archive_page_next(m, p);
		return;
	}
	if (gone)
		answer = &nothing;
	before = p->found;
	taken = walk_take(p, answer);
	if (!walk_is_over(p, answer)) {
		archive_page_next(m, p);
	} else if (p->found == 0 && p->looked >= LOOK_MAX) {
		archive_page_fail(m, p, COND_RESOURCE_CONSTRAINT,
			"That is too rare to look for: say from when to when");
	} else if (page_is_direct(p) || p->found == 0) {
		archive_page_answer(m, p);
	} else if (before == 0) {
		walk_show_back(p, answer, taken);
		archive_page_answer(m, p);
	} else {
		archive_page_turn(p);
		p->step = PAGE_FETCH;
		archive_page_next(m, p);
	}
}

/* How many entries are asked for: no more than the page takes, and one that tells
 * whether it is all where it is full. */
static uint32_t
walk_max(const struct archive_page *p)
{
	if (p->full.p != NULL)
		return SLICE_ENTRIES;
	return MAX(p->max - p->found, 1);
}

static void
page_walk(struct module_ctx *m, struct archive_page *p)
{
	struct store_range range = {
		.with = p->peer,
		.words = p->q->words,
		.since_us = p->q->since_us,
		.until_us = p->q->until_us,
		.after_id = p->lower,
		.before_id = p->upper,
		.max = walk_max(p),
		.max_bytes = SLICE_BYTES,
		.backwards = p->from_end,
	};

	if (p->cursor.p != NULL && p->from_end)
		range.before_id = p->cursor;
	else if (p->cursor.p != NULL)
		range.after_id = p->cursor;
	module_range(m, p->iq->shard, archive_page_place(p), &range, on_walked, p);
}

static void
page_go_on(struct module_ctx *m, struct archive_page *p)
{
	p->reads = true;
	switch (p->step) {
	case PAGE_CHECK:
		archive_page_check(m, p);
		break;
	case PAGE_WALK:
		page_walk(m, p);
		break;
	case PAGE_FETCH:
		archive_page_fetch(m, p);
		break;
	}
}

/* --- its beginning ---------------------------------------------------------------------- */

/* XEP-0313 §4.1.1: the own bare address means what one sends to himself; but of a
 * full one, also of his own, all that came from there or went there. */
static void
page_set_with(struct archive_page *p)
{
	struct jid with = p->q->with;
	bool full = jid_is_set(with) && !jid_is_bare(with);

	if (full)
		p->full = stored_attr_text(p->iq->st->arena, jid_str(with));
	if (jid_is_set(with) &&
		!(full && jid_eq_bare(with, p->session->account->e.jid)))
		p->peer = jid_bare_str(with);
}

static struct archive_page *
page_new(struct module_ctx *m, struct session *s, struct iq *iq,
	const struct archive_query *q, uint32_t max)
{
	struct archive_page *p = xcalloc(1, sizeof(*p));

	p->session = s;
	p->of = module_session_state(m, s);
	if (p->of->pages.tqh_last == NULL)
		TAILQ_INIT(&p->of->pages);
	TAILQ_INSERT_TAIL(&p->of->pages, p, link);
	p->entry = m->entry;
	p->iq = iq;
	p->q = q;
	p->max = max;
	p->from_end = q->rsm.backwards != q->descending;
	p->downwards = q->descending != q->flipped;
	page_set_with(p);
	return p;
}

void
archive_page_begin(struct module_ctx *m, struct session *s, struct iq *iq,
	const struct archive_query *q, uint32_t max)
{
	struct archive_page *p = page_new(m, s, iq, q, max);
	struct archive_page *first = TAILQ_FIRST(&p->of->pages);

	iq_keep(iq);
	if (!archive_page_set_bounds(p))
		archive_page_fail(m, p, COND_ITEM_NOT_FOUND, NULL);
	else if (q->by_ids && p->ids.n == 0)
		archive_page_answer(m, p);
	else if (p == first)
		archive_page_next(m, p);
	else if (first->waits)
		pages_pass(p->of);
}

void
archive_pages_go_on(struct module_ctx *m, struct session *s)
{
	struct archive_session *as = module_session_state_if_made(m, s);
	struct archive_page *p = as != NULL ? TAILQ_FIRST(&as->pages) : NULL;

	if (p == NULL || !p->waits)
		return;
	p->waits = false;
	archive_page_next(m, p);
}

void
archive_pages_end(struct archive_session *as, enum stanza_cond cond)
{
	struct archive_page *p;

	while (as->pages.tqh_last != NULL &&
		(p = TAILQ_FIRST(&as->pages)) != NULL) {
		TAILQ_REMOVE(&as->pages, p, link);
		iq_error(p->iq, cond, NULL);
		p->of = NULL;
		if (!p->reads)
			free(p);
	}
}
