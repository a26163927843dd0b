/*
 * archive_prefs.c - whose messages an account wants to be archived (XEP-0441).
 *
 * Owner shard of the account.  The map "archive" has them as they are answered, under
 * KEY_PREFS; one who never said has none, and all is archived.  In memory they are in
 * force at once, and answered when they are durable.
 *
 * What is not archived is delivered as ever, and kept for who is away until he comes
 * (modules/offline/), whole.
 */
#include "config.h"

#include "archive.h"

/* Of both lists together. */
#define JIDS_MAX 1000

enum standard { STANDARD_ALWAYS, STANDARD_NEVER, STANDARD_ROSTER };

static const char *const standards[] = { "always", "never", "roster" };

struct archive_prefs {
	enum standard standard; /* for who is in neither list */
	struct address_set always, never;
	char *text; /* as it is stored */
};

/* --- what is wanted ------------------------------------------------------------------- */

/* XEP-0441 §2.3.1: a bare address stands for all of its full ones. */
static bool
is_listed(const struct address_set *set, const struct account *acc, struct jid who)
{
	const struct server *srv = acc->e.shard->server;

	return address_set_find(set, srv, who) != NULL ||
		address_set_find(set, srv, jid_bare(who)) != NULL;
}

static bool
is_in_roster(const struct account *acc, struct jid who)
{
	const struct roster_item *it =
		roster_find(&acc->roster, jid_bare_str(who));

	return (it != NULL && it->listed) || jid_eq_bare(who, acc->e.jid);
}

bool
archive_is_wanted(const struct archive_prefs *prefs, const struct account *acc,
	struct jid who)
{
	if (prefs == NULL)
		return true;
	if (is_listed(&prefs->never, acc, who))
		return false;
	return is_listed(&prefs->always, acc, who) ||
		prefs->standard == STANDARD_ALWAYS ||
		(prefs->standard == STANDARD_ROSTER && is_in_roster(acc, who));
}

/* --- reading them ---------------------------------------------------------------------- */

void
archive_prefs_free(struct archive_prefs *prefs)
{
	if (prefs == NULL)
		return;
	address_set_clear(&prefs->always);
	address_set_clear(&prefs->never);
	free(prefs->text);
	free(prefs);
}

/* Is there such a standard? */
static bool
standard_read(const struct elem *e, enum standard *out)
{
	struct str name = elem_attr(e, "default");

	for (size_t i = 0; i < COUNT(standards); i++) {
		if (str_is(name, standards[i])) {
			*out = (enum standard)i;
			return true;
		}
	}
	return false;
}

/* Why not, or NULL.  What is in but stays out: never is stronger.  What is not said
 * as it should be is no empty list, for that would clear what was set. */
static const char *
list_read(struct address_set *set, const struct address_set *but,
	const struct server *srv, const struct elem *list, size_t *n)
{
	struct arena *a = arena_new();
	const char *why = NULL;
	struct jid jid;

	if (str_trim(elem_text(a, list)).n != 0)
		why = "A list has text beside its addresses";
	elem_each_child(list, e) {
		if (why != NULL || !str_is(e->ns, NS_MAM))
			continue;
		if (!str_is(e->name, "jid"))
			why = "A list has something else than addresses";
		else if (++*n > JIDS_MAX)
			why = "Those are too many addresses";
		else if (!jid_parse(&jid, a, str_trim(elem_text(a, e)), NULL))
			why = "One of these is no address";
		else if (address_set_find(set, srv, jid) == NULL &&
			(but == NULL ||
				address_set_find(but, srv, jid) == NULL))
			address_set_add(set, srv, jid);
	}
	arena_free(a);
	return why;
}

static bool
is_there_twice(const struct elem *parent, const char *name)
{
	unsigned n = 0;

	elem_each_child(parent, e)
		n += elem_is(e, NS_MAM, name);
	return n > 1;
}

/* Owned; NULL, with why: e says nothing that could be kept to. */
static struct archive_prefs *
prefs_of(const struct server *srv, const struct elem *e, const char **why_out)
{
	struct archive_prefs *prefs = xcalloc(1, sizeof(*prefs));
	const struct elem *always = elem_child(e, NS_MAM, "always");
	const struct elem *never = elem_child(e, NS_MAM, "never");
	const char *why = NULL;
	size_t n = 0;

	if (!standard_read(e, &prefs->standard))
		why = "default is always, never or roster";
	else if (is_there_twice(e, "never") || is_there_twice(e, "always"))
		why = "There are two lists of one kind";
	if (why == NULL && never != NULL)
		why = list_read(&prefs->never, NULL, srv, never, &n);
	if (why == NULL && always != NULL)
		why = list_read(&prefs->always, &prefs->never, srv, always, &n);
	if (why == NULL)
		return prefs;
	*why_out = why;
	archive_prefs_free(prefs);
	return NULL;
}

void
archive_prefs_read(struct archive_prefs **prefs_io, const struct account *acc,
	struct str text)
{
	struct arena *a = arena_new();
	const struct elem *e = stored_read(a, text);
	const char *why;

	archive_prefs_free(*prefs_io);
	*prefs_io = e != NULL ? prefs_of(acc->e.shard->server, e, &why) : NULL;
	if (*prefs_io != NULL)
		(*prefs_io)->text = str_dup(text);
	arena_free(a);
}

/* --- showing them ----------------------------------------------------------------------- */

/* In the order in which the client has named them. */
static void
list_add(struct arena *a, struct elem *parent, const char *name,
	const struct address_set *set, const struct server *srv,
	const struct elem *said)
{
	struct elem *list = elem_add(a, parent, NS_MAM, name);
	struct address_set added = { .all = { .n = 0 } };
	struct jid jid;

	if (said == NULL)
		return;
	elem_each_child(said, e) {
		if (!elem_is(e, NS_MAM, "jid") ||
			!jid_parse(&jid, a, str_trim(elem_text(a, e)), NULL) ||
			address_set_find(set, srv, jid) == NULL ||
			address_set_find(&added, srv, jid) != NULL)
			continue;
		address_set_add(&added, srv, jid);
		elem_add_with_text(a, list, NS_MAM, "jid", jid_str(jid));
	}
	address_set_clear(&added);
}

/* As they are, of what the client has said. */
static struct elem *
prefs_elem(struct iq *iq, const struct archive_prefs *prefs)
{
	struct elem *e = iq_payload(iq, NS_MAM, "prefs");
	const struct server *srv = iq->shard->server;
	struct arena *a = iq->st->arena;

	elem_set_attr(a, e, "default", str_c(standards[prefs->standard]));
	list_add(a, e, "always", &prefs->always, srv,
		elem_child(iq->payload, NS_MAM, "always"));
	list_add(a, e, "never", &prefs->never, srv,
		elem_child(iq->payload, NS_MAM, "never"));
	return e;
}

static struct elem *
prefs_payload(struct iq *iq, const struct archive_prefs *prefs)
{
	struct elem *e;

	if (prefs != NULL)
		return stored_read(iq->st->arena, str_c(prefs->text));
	e = iq_payload(iq, NS_MAM, "prefs");
	elem_set_attr(iq->st->arena, e, "default",
		str_c(standards[STANDARD_ALWAYS]));
	elem_add(iq->st->arena, e, NS_MAM, "always");
	elem_add(iq->st->arena, e, NS_MAM, "never");
	return e;
}

/* --- requests ----------------------------------------------------------------------------- */

/* Something is answered in its turn. */
struct prefs_answer {
	struct iq *iq;
	struct elem *payload;
};

static void
on_answer(struct module_ctx *m, struct account *acc, const struct err *err,
	void *arg)
{
	struct prefs_answer answer = *(struct prefs_answer *)arg;

	(void)m;
	(void)acc;
	free(arg);
	if (err != NULL)
		iq_error(answer.iq, stanza_cond_of(err->code), NULL);
	else
		iq_result(answer.iq, answer.payload);
}

/* tx may be NULL. */
static void
answer_in_turn(struct module_ctx *m, struct iq *iq, struct store_tx *tx,
	struct elem *payload)
{
	struct prefs_answer *answer = xmalloc(sizeof(*answer));
	struct account *acc = iq_account(iq);

	*answer = (struct prefs_answer){ iq, payload };
	iq_keep(iq);
	module_commit_in_turn(m, acc, tx, on_answer, answer);
}

/* What is shown is durable, for it stands behind what has changed it. */
enum hook_result
archive_on_prefs_get(struct module_ctx *m, struct iq *iq)
{
	const struct archive_state *state = module_entity_state(m, iq->entity);

	answer_in_turn(m, iq, NULL, prefs_payload(iq, state->prefs));
	return HOOK_HANDLED;
}

enum hook_result
archive_on_prefs_set(struct module_ctx *m, struct iq *iq)
{
	struct archive_state *state = module_entity_state(m, iq->entity);
	struct account *acc = iq_account(iq);
	struct archive_prefs *prefs;
	struct store_tx *tx;
	struct buf text = BUF_INIT;
	struct elem *payload;
	const char *why = NULL;

	if (!account_has_archive(acc)) {
		iq_error(iq, COND_NOT_ALLOWED,
			"Nothing is kept for temporary accounts");
		return HOOK_HANDLED;
	}
	prefs = prefs_of(iq->shard->server, iq->payload, &why);
	if (prefs == NULL) {
		iq_error(iq, COND_BAD_REQUEST, why);
		return HOOK_HANDLED;
	}
	payload = prefs_elem(iq, prefs);
	stored_write(&text, payload);
	prefs->text = str_dup(buf_str(&text));
	archive_prefs_free(state->prefs);
	state->prefs = prefs;
	tx = store_tx_new();
	store_tx_set(tx, account_place(acc, ARCHIVE), STR(KEY_PREFS),
		buf_str(&text));
	buf_done(&text);
	answer_in_turn(m, iq, tx, payload);
	return HOOK_HANDLED;
}
