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

#include "archive_inbox.h"

#define LISTED_MAX 500
#define UNREAD_MAX 100
/* Entries of a conversation that are looked at; at once, so many, or as large. */
#define LOOK_MAX 256
#define LOOK_ENTRIES 32
#define LOOK_BYTES ((size_t)64 << 10)
#define PAGE_DEFAULT 50

static void inbox_walk(struct module_ctx *m, struct archive_inbox *ib);

/* --- its end ------------------------------------------------------------------------ */

/* Of the conversation that is walked. */
static void
walked_forget(struct archive_inbox *ib)
{
	arena_free(ib->walked);
	ib->walked = NULL;
	ib->over = false;
	ib->looked = 0;
	ib->before = STR_NONE;
	ib->n_marks = 0;
}

static void
inbox_drop(struct archive_inbox *ib)
{
	walked_forget(ib);
	free(ib);
}

void
inbox_free(struct archive_inbox *ib)
{
	LIST_REMOVE(ib, link);
	inbox_drop(ib);
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
			inbox_drop(ib);
	}
}

struct module_ctx *
inbox_read(struct archive_inbox *ib, const struct err *err)
{
	const struct account *acc;
	struct host *host;
	struct module_ctx *m;

	ib->reads = false;
	if (ib->of == NULL) {
		inbox_drop(ib);
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

struct store_place
inbox_place(const struct archive_inbox *ib)
{
	return account_place(ib->session->account, ARCHIVE);
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
		ib->marks[ib->n_marks++] = arena_str(ib->walked, id);
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

	if (ib->walked == NULL)
		ib->walked = arena_new();
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
		ib->before = arena_str(ib->walked, answer->entries[0].key);
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
		walked_forget(ib);
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
		inbox_show_page(m, ib);
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
	module_get_entries(m, ib->iq->shard, inbox_place(ib), ids, n, ARCHIVE_SLICE_BYTES,
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
