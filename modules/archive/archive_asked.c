/*
 * archive_asked.c - pages of an archive that clients have asked for, and that go out as
 * they take them (XEP-0313 §4.2).
 *
 * Owner shard of the account.  What is in a page archive_page.h says; here it is read, in
 * slices, each of which is written to the session as it lies in the store; the next one is
 * asked for when the client keeps up.
 *
 *   queued --it is the first of its session--> slice, slice, ... --> answered
 *       each    --(the client does not keep up)--> waiting --(it does)--> each
 *               --(the session has gone)--> answered, for nobody
 *
 * Nobody waits for a page that waits for its client: what the client sends meanwhile
 * goes on (iq_pass_on()).
 *
 * Invariant: a page is in the list of its session until that, or it, is over; and
 * only the first of a list is under way.
 */
#include "config.h"

#include "archive.h"

struct archive_asked {
	TAILQ_ENTRY(archive_asked) link;
	struct archive_session *of; /* NULL: the session has gone, and iq is
				     * answered */
	struct session *session;    /* while of is set */
	struct module_entry *entry;
	struct iq *iq;              /* kept */
	struct stanza *like;        /* while something is shown: owned */
	bool reads;    /* the store is asked */
	bool waits;    /* for the client */
	bool passed;   /* nobody waits for it */
	struct str full; /* an address as it stands in entries; STR_NONE: none */
	struct archive_page page;
};

static void asked_next(struct module_ctx *m, struct archive_asked *p);
static void asked_read(struct module_ctx *m, struct archive_asked *p);

/* --- its end ------------------------------------------------------------------------ */

static void
asked_free(struct archive_asked *p)
{
	TAILQ_REMOVE(&p->of->pages, p, link);
	free(p);
}

/* The first of those that are left is under way. */
static void
list_look(struct module_ctx *m, struct archive_session *as)
{
	struct archive_asked *p = TAILQ_FIRST(&as->pages);

	if (p != NULL && !p->reads && !p->waits)
		asked_next(m, p);
}

static void
asked_leave(struct module_ctx *m, struct archive_asked *p)
{
	struct archive_session *as = p->of;

	asked_free(p);
	list_look(m, as);
}

static void
asked_go_on(struct module_ctx *m, struct archive_asked *p, enum archive_outcome is)
{
	struct elem *fin;

	switch (is) {
	case ARCHIVE_GOES_ON:
		asked_next(m, p);
		break;
	case ARCHIVE_IS_WHOLE:
		fin = iq_payload(p->iq, NS_MAM, "fin");
		archive_page_fin(&p->page, fin);
		iq_result(p->iq, fin);
		asked_leave(m, p);
		break;
	case ARCHIVE_FAILS:
		iq_error(p->iq, p->page.cond, p->page.why);
		asked_leave(m, p);
		break;
	}
}

/* --- the client ----------------------------------------------------------------------- */

/* The first waits for the client, and so do those behind it, and nobody for them.
 * The number of such has a bound. */
static void
list_pass(struct archive_session *as)
{
	struct archive_asked *p, *next;

	for (p = TAILQ_FIRST(&as->pages); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->passed)
			continue;
		p->passed = iq_pass_on(p->iq);
		if (!p->passed)
			asked_free(p);
	}
}

/* The next slice is asked for, now or later; p may end. */
static void
asked_next(struct module_ctx *m, struct archive_asked *p)
{
	struct archive_session *as = p->of;

	if (!session_is_full(p->session)) {
		asked_read(m, p);
		return;
	}
	p->waits = true;
	list_pass(as);
	list_look(m, as);
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

/* What those that count and slow look at. */
static const struct stanza *
like_of(struct archive_asked *p)
{
	if (p->like == NULL)
		p->like = stanza_new(MESSAGE_NORMAL, p->session->account->e.jid,
			session_jid(p->session), STR_NONE);
	return p->like;
}

static void
entry_show(void *arg, const struct store_entry *e)
{
	struct archive_asked *p = arg;
	struct session *s = p->session;
	struct wire *w = wire_result(session_shard(s)->xml, e->value,
		&(struct wire_shown){
			.from = jid_str(s->account->e.jid),
			.queryid = p->page.q->queryid,
			.id = e->key,
			.wall_us = e->wall_us,
		});

	if (w != NULL) {
		if (!session_write_forwarded(s, like_of(p), w))
			result_show_read(s, w);
		wire_unref(w);
	} else if (log_limit_ok(&session_shard(s)->storage, LOG_STORE)) {
		log_error(LOG_STORE, session_who(s),
			"an archived message cannot be read, it is left out id=%.*s",
			STR_ARG(e->key));
	}
}

/* Is an entry of the full address that is asked for? */
static bool
entry_is_of_full(void *arg, const struct store_entry *e)
{
	const struct archive_asked *p = arg;

	return str_eq(stored_attr(e->value, "from"), p->full) ||
		str_eq(stored_attr(e->value, "to"), p->full);
}

/* --- the store ------------------------------------------------------------------------ */

/* NULL: p has ended, or its session, or the module here. */
static struct module_ctx *
asked_find(struct archive_asked *p)
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

static void
on_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_asked *p = arg;
	struct module_ctx *m = asked_find(p);
	enum archive_outcome is;

	if (m == NULL)
		return;
	is = archive_page_take(&p->page, answer, err);
	stanza_free(p->like);
	p->like = NULL;
	asked_go_on(m, p, is);
}

static void
asked_read(struct module_ctx *m, struct archive_asked *p)
{
	struct store_place at = account_place(p->session->account, ARCHIVE);
	struct archive_read read;

	p->reads = true;
	archive_page_reads(&p->page, &read);
	if (read.by_ids)
		module_get_entries(m, p->iq->shard, at, read.ids, read.n_ids,
			ARCHIVE_SLICE_BYTES, on_read, p);
	else
		module_range(m, p->iq->shard, at, &read.range, on_read, p);
}

/* --- its beginning ---------------------------------------------------------------------- */

static const struct archive_reader client_reader = {
	.is_meant = entry_is_of_full,
	.show = entry_show,
};

/* XEP-0313 §4.1.1: the own bare address means what one sends to himself; but of a
 * full one, also of his own, all that came from there or went there. */
static void
asked_set_with(struct archive_asked *p)
{
	struct jid with = p->page.q->with;
	bool full = jid_is_set(with) && !jid_is_bare(with);

	p->page.sifts = full;
	if (full)
		p->full = stored_attr_text(p->iq->st->arena, jid_str(with));
	if (jid_is_set(with) &&
		!(full && jid_eq_bare(with, p->session->account->e.jid)))
		p->page.peer = jid_bare_str(with);
}

static struct archive_asked *
asked_new(struct module_ctx *m, struct session *s, struct iq *iq,
	const struct archive_query *q, uint32_t max)
{
	struct archive_asked *p = xcalloc(1, sizeof(*p));

	p->session = s;
	p->of = module_session_state(m, s);
	if (p->of->pages.tqh_last == NULL)
		TAILQ_INIT(&p->of->pages);
	TAILQ_INSERT_TAIL(&p->of->pages, p, link);
	p->entry = m->entry;
	p->iq = iq;
	p->page.a = iq->st->arena;
	p->page.q = q;
	p->page.xml = iq->shard->xml;
	p->page.to = &client_reader;
	p->page.arg = p;
	p->page.max = max;
	asked_set_with(p);
	return p;
}

void
archive_pages_begin(struct module_ctx *m, struct session *s, struct iq *iq,
	const struct archive_query *q, uint32_t max)
{
	struct archive_asked *p = asked_new(m, s, iq, q, max);
	struct archive_asked *first = TAILQ_FIRST(&p->of->pages);
	enum archive_outcome is = archive_page_begin(&p->page);

	iq_keep(iq);
	if (is != ARCHIVE_GOES_ON || p == first)
		asked_go_on(m, p, is);
	else if (first->waits)
		list_pass(p->of);
}

void
archive_pages_go_on(struct module_ctx *m, struct session *s)
{
	struct archive_session *as = module_session_state_if_made(m, s);
	struct archive_asked *p = as != NULL ? TAILQ_FIRST(&as->pages) : NULL;

	if (p == NULL || !p->waits)
		return;
	p->waits = false;
	asked_next(m, p);
}

void
archive_pages_end(struct archive_session *as, enum stanza_cond cond)
{
	struct archive_asked *p;

	while (as->pages.tqh_last != NULL &&
		(p = TAILQ_FIRST(&as->pages)) != NULL) {
		TAILQ_REMOVE(&as->pages, p, link);
		iq_error(p->iq, cond, NULL);
		p->of = NULL;
		if (!p->reads)
			free(p);
	}
}
