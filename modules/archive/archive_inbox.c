/*
 * archive_inbox.c - the conversations of an archive, each with its last message, and
 * how many were not read (XEP-0430).
 *
 * Owner shard of the account.  Nothing is stored for it, and nothing is done when a
 * message is archived.  What is read stands in the archive itself: a conversation is
 * walked back from its last entry, and what comes of the other side has not been read,
 * until
 *
 *    what the owner has said himself, on any device (§4: what follows is read, so are
 *        those before);
 *    a message that a marker names which he has sent (XEP-0333 §4.2), and which lies
 *        behind that message;
 *    UNREAD_MAX of them, or LOOK_MAX entries.
 *
 *   listed --> walked, one conversation after the other --> shown, those of the page
 *                                                              | (the client does not
 *                                                              v  keep up)
 *                                                           waiting
 *
 * All are walked for a page, since its end says how many in all are unread (§3.1); so
 * there are LISTED_MAX of them, those with the last messages.  A page is told by the id
 * of the last entry of a conversation: those that something comes to meanwhile go to
 * the front, and none of the others is shown twice, or left out.
 */
#include "config.h"

#include <stdio.h>

#include "archive_page.h"

#define LISTED_MAX 500
#define UNREAD_MAX 100
/* Entries of a conversation that are looked at; at once, so many, or as large. */
#define LOOK_MAX 256
#define LOOK_ENTRIES 32
#define LOOK_BYTES ((size_t)64 << 10)
/* Markers of which the message has not been met; of more, the last count. */
#define MARKS_MAX 16
#define PAGE_DEFAULT 50
#define SHOWN_AT_ONCE 16

struct talk {
	struct str with, last; /* last: the id of its last entry */
	struct str message;    /* the id of its last message; STR_NONE: none is near */
	uint32_t unread;
};

struct archive_inbox {
	LIST_ENTRY(archive_inbox) link;
	struct archive_session *of; /* NULL: the session has gone, and iq is
				     * answered */
	struct session *session;    /* while of is set */
	struct module_entry *entry;
	struct iq *iq; /* kept; all that lies here is in its arena */
	struct rsm rsm;
	bool messages, unread_only;
	bool reads;  /* the store is asked */
	bool waits;  /* for the client */
	bool passed; /* nobody waits for it */
	uint32_t max;
	struct talk *talks;
	size_t n;
	size_t at;       /* that is walked, or shown next */
	size_t begin, end; /* of the page */
	size_t n_asked;  /* from at on, of which the messages are read */
	size_t matches;  /* with the filter */
	struct elem *fin; /* of the answer */
	/* of the one that is walked */
	bool over; /* what is older has been read */
	uint32_t looked;
	struct str before; /* what is older has not been looked at */
	struct str marks[MARKS_MAX];
	size_t n_marks;
};

static void inbox_walk(struct module_ctx *m, struct archive_inbox *ib);
static void inbox_show(struct module_ctx *m, struct archive_inbox *ib);

/* --- its end ------------------------------------------------------------------------ */

static void
inbox_free(struct archive_inbox *ib)
{
	LIST_REMOVE(ib, link);
	free(ib);
}

static void
inbox_fail(struct archive_inbox *ib, enum stanza_cond cond)
{
	iq_error(ib->iq, cond, NULL);
	inbox_free(ib);
}

void
archive_inboxes_end(struct archive_session *as, enum stanza_cond cond)
{
	struct archive_inbox *ib;

	while ((ib = LIST_FIRST(&as->inboxes)) != NULL) {
		LIST_REMOVE(ib, link);
		iq_error(ib->iq, cond, NULL);
		ib->of = NULL;
		if (!ib->reads)
			free(ib);
	}
}

/* The module as it is in force now; NULL: ib has ended, for err, or because somebody
 * else has. */
static struct module_ctx *
inbox_read(struct archive_inbox *ib, const struct err *err)
{
	const struct account *acc;
	struct host *host;
	struct module_ctx *m;

	ib->reads = false;
	if (ib->of == NULL) {
		free(ib);
		return NULL;
	}
	acc = ib->session->account;
	host = account_host(acc);
	m = host != NULL ? module_at_host(host, ib->entry) : NULL;
	if (err == NULL && m != NULL && !acc->removing)
		return m;
	inbox_fail(ib, err != NULL ? stanza_cond_of(err->code) :
				     COND_SERVICE_UNAVAILABLE);
	return NULL;
}

static struct store_place
inbox_place(const struct archive_inbox *ib)
{
	return account_place(ib->session->account, ARCHIVE);
}

/* --- the page ----------------------------------------------------------------------- */

static bool
talk_matches(const struct archive_inbox *ib, const struct talk *t)
{
	return !ib->unread_only || t->unread > 0;
}

/* Newer than what the page begins behind, or older than where it ends (XEP-0059 §2.2,
 * §2.3). */
static bool
talk_is_outside(const struct archive_inbox *ib, const struct talk *t)
{
	uint64_t number = store_id_number(t->last);

	return (ib->rsm.after.p != NULL &&
		       number >= store_id_number(ib->rsm.after)) ||
		(ib->rsm.before.n != 0 &&
			number <= store_id_number(ib->rsm.before));
}

/* Leaves those of the page, at the front. */
static void
page_cut(struct archive_inbox *ib)
{
	size_t n = 0;

	for (size_t i = 0; i < ib->n; i++) {
		if (!talk_matches(ib, &ib->talks[i]))
			continue;
		ib->matches++;
		if (!talk_is_outside(ib, &ib->talks[i]))
			ib->talks[n++] = ib->talks[i];
	}
	ib->begin = ib->rsm.backwards && n > ib->max ? n - ib->max : 0;
	ib->end = MIN(n, ib->begin + ib->max);
	ib->at = ib->begin;
}

static void
number_set(struct arena *a, struct elem *e, const char *name, uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);

	elem_set_attr(a, e, name, (struct str){ text, (size_t)len });
}

/* As it stands with all of them, before the page is cut (§3.1). */
static struct elem *
fin_new(struct archive_inbox *ib)
{
	struct arena *a = ib->iq->st->arena;
	struct elem *fin = iq_payload(ib->iq, NS_INBOX, "fin");
	uint64_t some = 0, all = 0;

	for (size_t i = 0; i < ib->n; i++) {
		some += ib->talks[i].unread > 0;
		all += ib->talks[i].unread;
	}
	number_set(a, fin, "total", ib->n);
	number_set(a, fin, "unread", some);
	number_set(a, fin, "all-unread", all);
	return fin;
}

static void
inbox_answer(struct archive_inbox *ib)
{
	struct rsm_page page = { .count = (int64_t)ib->matches };

	if (ib->begin < ib->end) {
		page.first = ib->talks[ib->begin].last;
		page.last = ib->talks[ib->end - 1].last;
	}
	rsm_add(ib->iq->st->arena, ib->fin, &page);
	iq_result(ib->iq, ib->fin);
	inbox_free(ib);
}

/* As XEP-0313 §4.2 says, in the answer to this iq; e may have changed since. */
static void
result_add(const struct archive_inbox *ib, struct stanza *st,
	const struct store_entry *e)
{
	struct arena *a = st->arena;
	struct elem *message = stored_read(a, e->value);
	struct elem *result, *forwarded, *delay;
	char stamp[DATETIME_SIZE];

	if (message == NULL)
		return;
	result = elem_add(a, st->root, NS_MAM, "result");
	elem_set_attr(a, result, "queryid", ib->iq->st->id);
	elem_set_attr(a, result, "id", e->key);
	forwarded = elem_add(a, result, NS_FORWARD, "forwarded");
	delay = elem_add(a, forwarded, NS_DELAY, "delay");
	elem_set_attr(a, delay, "stamp", datetime_format(stamp, e->wall_us));
	elem_append(forwarded, message);
}

/* e: its last message, or NULL. */
static void
talk_show(struct archive_inbox *ib, const struct talk *t,
	const struct store_entry *e)
{
	struct session *s = ib->session;
	struct stanza *st = stanza_new(MESSAGE_NORMAL, s->account->e.jid,
		session_jid(s), STR_NONE);
	struct elem *entry = elem_add(st->arena, st->root, NS_INBOX, "entry");

	number_set(st->arena, entry, "unread", t->unread);
	elem_set_attr(st->arena, entry, "jid", t->with);
	elem_set_attr(st->arena, entry, "id", t->last);
	if (e != NULL)
		result_add(ib, st, e);
	session_write(s, st);
	stanza_free(st);
}

/* It is the turn of the next one, when the client keeps up. */
static void
inbox_show_next(struct module_ctx *m, struct archive_inbox *ib)
{
	if (ib->at == ib->end) {
		inbox_answer(ib);
		return;
	}
	if (!session_is_full(ib->session)) {
		inbox_show(m, ib);
		return;
	}
	ib->waits = true;
	if (!ib->passed)
		ib->passed = iq_pass_on(ib->iq);
	if (!ib->passed)
		inbox_free(ib);
}

/* Those that stand before the ones of the answer have no message, or it has gone
 * meanwhile; when the answer is not complete, those behind it are still to come. */
static void
on_messages(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_inbox *ib = arg;
	struct module_ctx *m = inbox_read(ib, err);
	size_t n = 0;

	if (m == NULL)
		return;
	for (size_t end = ib->at + ib->n_asked; ib->at < end; ib->at++) {
		const struct talk *t = &ib->talks[ib->at];
		bool has = n < answer->n && t->message.p != NULL &&
			str_eq(answer->entries[n].key, t->message);

		if (!has && n == answer->n && !answer->complete)
			break;
		talk_show(ib, t, has ? &answer->entries[n] : NULL);
		n += has;
	}
	inbox_show_next(m, ib);
}

static void
inbox_show(struct module_ctx *m, struct archive_inbox *ib)
{
	struct str ids[SHOWN_AT_ONCE];
	size_t n = 0;

	ib->n_asked = MIN(ib->end - ib->at, SHOWN_AT_ONCE);
	for (size_t i = 0; ib->messages && i < ib->n_asked; i++)
		if (ib->talks[ib->at + i].message.p != NULL)
			ids[n++] = ib->talks[ib->at + i].message;
	ib->reads = true;
	module_get_entries(m, ib->iq->shard, inbox_place(ib), ids, n, SLICE_BYTES,
		on_messages, ib);
}

/* --- what is unread ------------------------------------------------------------------ */

/* An instant message: with a text, or something encrypted; not what takes one back or
 * reacts to one, whose text is for clients that do not know better. */
static bool
is_instant(const struct elem *e)
{
	return (elem_child(e, NS_CLIENT, "body") != NULL ||
		       message_is_encrypted(e)) &&
		elem_child(e, NS_RETRACT, "retract") == NULL &&
		elem_child(e, NS_REACTIONS, "reactions") == NULL;
}

/* §4: also what older clients send, who have seen it and say so. */
static void
mark_add(struct archive_inbox *ib, const struct elem *e)
{
	const struct elem *mark = elem_child(e, NS_MARKERS, "displayed");
	struct str id;

	if (mark == NULL)
		mark = elem_child(e, NS_MARKERS, "acknowledged");
	id = mark != NULL ? elem_attr(mark, "id") : STR_NONE;
	if (id.n != 0 && id.n <= STORE_KEY_MAX && ib->n_marks < MARKS_MAX)
		ib->marks[ib->n_marks++] = arena_str(ib->iq->st->arena, id);
}

/* id: of the entry, by which a client may name it as well. */
static bool
is_marked(const struct archive_inbox *ib, const struct elem *e, struct str id)
{
	struct str own = elem_attr(e, "id");

	for (size_t i = 0; i < ib->n_marks; i++)
		if (str_eq(ib->marks[i], id) ||
			(own.p != NULL && str_eq(ib->marks[i], own)))
			return true;
	return false;
}

static bool
is_own(const struct archive_inbox *ib, struct arena *a, const struct elem *e)
{
	struct err err = ERR_INIT;
	struct jid from;

	return jid_parse(&from, a, elem_attr(e, "from"), &err) &&
		jid_eq_bare(from, ib->session->account->e.jid);
}

/* True: all that is older has been read, or is not looked at. */
static bool
entry_look(struct archive_inbox *ib, struct talk *t, struct arena *a,
	const struct elem *e, struct str id)
{
	bool own = is_own(ib, a, e), instant = is_instant(e);

	if (own)
		mark_add(ib, e);
	if (!own && is_marked(ib, e, id))
		ib->over = true;
	if (instant && t->message.p == NULL)
		t->message = arena_str(ib->iq->st->arena, id);
	if (instant && own)
		ib->over = true;
	if (instant && !ib->over)
		t->unread++;
	return (ib->over || t->unread == UNREAD_MAX) && t->message.p != NULL;
}

/* What cannot be read is passed over. */
static bool
entries_look(struct archive_inbox *ib, struct talk *t,
	const struct store_answer *answer)
{
	bool end = false;

	for (size_t i = answer->n; i-- > 0 && !end;) {
		const struct store_entry *e = &answer->entries[i];
		struct arena *a = NULL;
		const struct elem *message = stored_read_own(
			session_shard(ib->session)->xml, e->value, &a);

		if (message == NULL)
			continue;
		end = entry_look(ib, t, a, message, e->key);
		arena_free(a);
	}
	ib->looked += (uint32_t)answer->n;
	if (answer->n != 0)
		ib->before = arena_str(ib->iq->st->arena, answer->entries[0].key);
	return end || answer->complete || ib->looked >= LOOK_MAX;
}

/* An entry that has gone meanwhile had none before it: the oldest go first.  Where it
 * was deleted alone, what was counted stands. */
static void
on_walked(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_inbox *ib = arg;
	bool gone = err != NULL && err->code == ERR_MISSING;
	struct module_ctx *m = inbox_read(ib, gone ? NULL : err);

	if (m == NULL)
		return;
	if (gone || entries_look(ib, &ib->talks[ib->at], answer)) {
		ib->at++;
		ib->looked = 0;
		ib->n_marks = 0;
		ib->over = false;
		ib->before = STR_NONE;
	}
	inbox_walk(m, ib);
}

static void
inbox_walk(struct module_ctx *m, struct archive_inbox *ib)
{
	struct store_range range = { .max = LOOK_ENTRIES,
		.max_bytes = LOOK_BYTES,
		.backwards = true,
		.before_id = ib->before };

	if (ib->at == ib->n) {
		ib->fin = fin_new(ib);
		page_cut(ib);
		inbox_show_next(m, ib);
		return;
	}
	range.with = ib->talks[ib->at].with;
	ib->reads = true;
	module_range(m, ib->iq->shard, inbox_place(ib), &range, on_walked, ib);
}

/* --- its beginning -------------------------------------------------------------------- */

static void
on_listed(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_inbox *ib = arg;
	struct module_ctx *m = inbox_read(ib, err);
	struct arena *a;

	if (m == NULL)
		return;
	a = ib->iq->st->arena;
	ib->talks = arena_zalloc(a, MAX(answer->n, 1) * sizeof(*ib->talks));
	ib->n = answer->n;
	for (size_t i = 0; i < answer->n; i++) {
		ib->talks[i].with = arena_str(a, answer->entries[i].with);
		ib->talks[i].last = arena_str(a, answer->entries[i].key);
	}
	inbox_walk(m, ib);
}

/* XEP-0059 §2.2: what the page begins or ends at has to be there. */
static void
on_checked(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_inbox *ib = arg;
	struct module_ctx *m = inbox_read(ib, err);
	size_t want;

	if (m == NULL)
		return;
	want = (size_t)(ib->rsm.after.p != NULL) + (ib->rsm.before.n != 0);
	if (answer->n < want) {
		inbox_fail(ib, COND_ITEM_NOT_FOUND);
		return;
	}
	ib->reads = true;
	module_talks(m, ib->iq->shard, inbox_place(ib), LISTED_MAX, on_listed, ib);
}

static void
inbox_begin(struct module_ctx *m, struct archive_inbox *ib)
{
	struct str ids[2];
	size_t n = 0;

	if (ib->rsm.after.p != NULL)
		ids[n++] = ib->rsm.after;
	if (ib->rsm.before.n != 0)
		ids[n++] = ib->rsm.before;
	ib->reads = true;
	module_get_entries(m, ib->iq->shard, inbox_place(ib), ids, n, SLICE_BYTES,
		on_checked, ib);
}

/* False: it is none. */
static bool
bool_read(struct str text, bool dflt, bool *out)
{
	*out = dflt;
	if (text.p == NULL)
		return true;
	*out = str_is(text, "true") || str_is(text, "1");
	return *out || str_is(text, "false") || str_is(text, "0");
}

static enum stanza_cond
inbox_read_query(struct archive_inbox *ib, const char **text_out)
{
	const struct elem *e = ib->iq->payload;

	if (!bool_read(elem_attr(e, "messages"), true, &ib->messages) ||
		!bool_read(elem_attr(e, "unread-only"), false, &ib->unread_only)) {
		*text_out = "messages and unread-only are true or false";
		return COND_BAD_REQUEST;
	}
	return rsm_read(ib->iq->st->arena, e, &ib->rsm, text_out);
}

enum hook_result
archive_on_inbox(struct module_ctx *m, struct iq *iq)
{
	const struct archive_conf *conf = m->conf;
	struct session *s = iq_sender(iq);
	struct archive_inbox *ib;
	const char *text = NULL;
	enum stanza_cond cond;

	if (!conf->inbox)
		return HOOK_PASS;
	ib = xcalloc(1, sizeof(*ib));
	ib->iq = iq;
	cond = inbox_read_query(ib, &text);
	if (cond == COND_NONE && s == NULL) {
		/* a component that asks as the owner takes no pages */
		cond = COND_NOT_ALLOWED;
		text = "Only a session of the owner is shown what is archived";
	}
	if (cond != COND_NONE) {
		iq_error(iq, cond, text);
		free(ib);
		return HOOK_HANDLED;
	}
	ib->session = s;
	ib->of = module_session_state(m, s);
	LIST_INSERT_HEAD(&ib->of->inboxes, ib, link);
	ib->entry = m->entry;
	ib->max = MIN((uint32_t)conf->page_max,
		ib->rsm.has_max ? ib->rsm.max : PAGE_DEFAULT);
	iq_keep(iq);
	inbox_begin(m, ib);
	return HOOK_HANDLED;
}

enum hook_result
archive_on_inbox_of_others(struct module_ctx *m, struct iq *iq)
{
	const struct archive_conf *conf = m->conf;

	return conf->inbox ? archive_on_others(m, iq) : HOOK_PASS;
}

void
archive_inboxes_go_on(struct module_ctx *m, struct session *s)
{
	struct archive_session *as = module_session_state_if_made(m, s);
	struct archive_inbox *ib, *next;

	for (ib = as != NULL ? LIST_FIRST(&as->inboxes) : NULL; ib != NULL;
		ib = next) {
		next = LIST_NEXT(ib, link);
		if (!ib->waits)
			continue;
		ib->waits = false;
		inbox_show_next(m, ib);
	}
}
