/*
 * blocking.c - lets users block others (XEP-0191), and report them (XEP-0377).
 *
 * Owner shard of the account.  The map "blocking" has a key for each address,
 * <item xmlns='urn:xmpp:blocking'/>.  A change is in force at once, in both
 * directions; its result, its pushes and what presence says of it leave when it is
 * durable, in the order of the changes (account/account_line.h), and so does a list
 * that was asked for.  The next one begins then: each may mean a whole roster, whose
 * contacts are told and asked.
 *
 *	request --> read --> checked --> in force, and on its way to the disk
 *	                        |                      |
 *	                      refused        durable: contacts, pushes, result
 */
#include "config.h"

#include "blocking.h"

#define MAP_BLOCKING "blocking"
#define TOO_MANY_TEXT "That is more than an account may block"

struct blocking_conf {
	int64_t max;
	uint64_t max_bytes;
};

static const struct option blocking_options[] = {
	{ .name = "max", .type = OPT_INT, .dflt = "1000", .min = "1",
		.max = "10000", .off = offsetof(struct blocking_conf, max),
		.help = "how many addresses one account may block" },
	{ .name = "max_bytes", .type = OPT_SIZE, .dflt = "128KiB",
		.min = "4KiB", .max = "1MiB",
		.off = offsetof(struct blocking_conf, max_bytes),
		.help = "how many bytes these may have together, with 9 for "
			"each beside its text; the list is in memory with its "
			"account, and is sent whole" },
	{ .name = NULL },
};

/* In the slot of a session that has asked for the list: it is told of changes. */
struct blocking_session {
	bool asked;
};

/* --- hot state ------------------------------------------------------------------------ */

static enum hook_result
on_load(struct module_ctx *m, void *arg)
{
	const struct account_load *load = arg;
	struct blocking *b = NULL;
	struct arena *a = NULL;
	struct jid jid;

	for (size_t i = 0; i < load->n; i++) {
		const struct store_entry *e = &load->entries[i];

		if (!str_is(e->with, MAP_BLOCKING) || e->key.p == NULL)
			continue;
		if (b == NULL) {
			b = module_entity_state(m, &load->account->e);
			a = arena_new();
		}
		if (jid_parse(&jid, a, e->key, NULL))
			(void)block_list_add(&b->list, jid);
	}
	if (b != NULL) {
		account_set_blocked(load->account, &b->list);
		arena_free(a);
	}
	return HOOK_PASS;
}

static void
entity_done(struct entity *e, void *state)
{
	struct blocking *b = state;

	account_set_blocked(account_of(e), NULL);
	block_list_clear(&b->list);
}

static void
session_save(const struct session *s, const void *state, struct arena *a,
	struct elem *into)
{
	const struct blocking_session *bs = state;

	(void)s;
	if (bs->asked)
		elem_add(a, into, NULL, "asked");
}

static bool
session_restore(struct session *s, void *state, const struct elem *from)
{
	struct blocking_session *bs = state;

	(void)s;
	bs->asked = elem_child(from, NULL, "asked") != NULL;
	return bs->asked;
}

/* --- showing it (§3.2) ------------------------------------------------------------------ */

static struct elem *
list_elem(struct arena *a, const char *name, const struct block_list *list)
{
	struct elem *e = elem_new(a, NS_BLOCKING, name);

	for (uint32_t i = 0; i < list->rows.n; i++)
		elem_set_attr(a, elem_add(a, e, NS_BLOCKING, "item"), "jid",
			arena_str(a, jid_str(block_list_row(list, i))));
	return e;
}

struct blocking_get {
	struct iq *iq;
	struct elem *payload;
};

static void
on_get_turn(struct module_ctx *m, struct account *acc, const struct err *err,
	void *arg)
{
	const struct blocking_get *get = arg;

	(void)m;
	(void)acc;
	if (err != NULL)
		iq_error(get->iq, stanza_cond_of(err->code), NULL);
	else
		iq_result(get->iq, get->payload);
}

/* What is shown is durable, for it stands behind what has changed it. */
static enum hook_result
on_get(struct module_ctx *m, struct iq *iq)
{
	struct account *acc = iq_account(iq);
	struct session *s = iq_sender(iq);
	struct arena *a = iq->st->arena;
	struct blocking_get *get = arena_alloc(a, sizeof(*get));
	const struct block_list none = { .bytes = 0 };

	if (s != NULL) {
		struct blocking_session *bs = module_session_state(m, s);

		bs->asked = true;
	}
	*get = (struct blocking_get){ iq,
		list_elem(a, "blocklist",
			acc->blocked != NULL ? acc->blocked : &none) };
	iq_keep(iq);
	module_commit_in_turn(m, acc, NULL, on_get_turn, get);
	return HOOK_HANDLED;
}

/* --- reading a request -------------------------------------------------------------------- */

/* No list is longer, whichever of these are on it. */
static bool
has_many(const struct blocking_change *ch, const struct blocking_conf *conf)
{
	return ch->named.rows.n > conf->max;
}

/* §3.3, note 1: no resource of the own account; and without the server nothing would
 * work. */
static bool
is_own(const struct account *acc, struct jid jid)
{
	return jid_eq_bare(jid, acc->e.jid) ||
		(jid_local(jid).n == 0 &&
			str_eq(jid_domain(jid), account_domain(acc)));
}

static enum stanza_cond
item_read(struct blocking_change *ch, const struct account *acc,
	const struct elem *item, const char **why)
{
	struct str text = elem_attr(item, "jid");
	struct jid jid;

	if (text.p == NULL) {
		*why = "Each item needs a jid";
		return COND_BAD_REQUEST;
	}
	if (!jid_parse(&jid, ch->iq->st->arena, text, NULL))
		return COND_JID_MALFORMED;
	if (ch->on && is_own(acc, jid)) {
		*why = "Nobody blocks himself, or his own server";
		return COND_NOT_ALLOWED;
	}
	if (block_list_add(&ch->named, jid) && ch->on)
		blocking_report_read(ch, item, jid);
	return COND_NONE;
}

static enum stanza_cond
change_read(struct blocking_change *ch, const struct account *acc,
	const struct blocking_conf *conf, const char **why)
{
	enum stanza_cond cond = COND_NONE;

	elem_each_child(ch->iq->payload, item) {
		if (cond == COND_NONE && elem_is(item, NS_BLOCKING, "item"))
			cond = item_read(ch, acc, item, why);
		if (cond == COND_NONE && has_many(ch, conf)) {
			*why = TOO_MANY_TEXT;
			cond = COND_RESOURCE_CONSTRAINT;
		}
	}
	if (cond != COND_NONE || ch->named.rows.n != 0 || !ch->on)
		return cond;
	*why = "Whom?";
	return COND_BAD_REQUEST;
}

/* --- doing it ----------------------------------------------------------------------------- */

/* What is named and not there, or there; or all. */
static void
change_find(struct blocking_change *ch, const struct block_list *list)
{
	const struct block_list *from =
		!ch->on && ch->named.rows.n == 0 ? list : &ch->named;

	for (uint32_t i = 0; i < from->rows.n; i++) {
		struct jid jid = block_list_row(from, i);

		if (block_list_lists(list, jid) != ch->on)
			(void)block_list_add(&ch->changed, jid);
	}
}

static bool
has_room(const struct blocking_conf *conf, const struct block_list *list,
	const struct block_list *more)
{
	return (int64_t)list->rows.n + more->rows.n <= conf->max &&
		list->bytes + more->bytes <= conf->max_bytes;
}

static struct store_tx *
change_apply(const struct blocking_change *ch, struct account *acc,
	struct block_list *list)
{
	const struct str value = STR("<item xmlns='" NS_BLOCKING "'/>");
	struct store_place at = account_place(acc, MAP_BLOCKING);
	struct store_tx *tx = store_tx_new();

	for (uint32_t i = 0; i < ch->changed.rows.n; i++) {
		struct jid jid = block_list_row(&ch->changed, i);

		if (ch->on) {
			(void)block_list_add(list, jid);
			store_tx_set(tx, at, jid_str(jid), value);
		} else {
			(void)block_list_remove(list, jid);
			store_tx_delete(tx, at, jid_str(jid));
		}
	}
	account_set_blocked(acc, list);
	return tx;
}

/* §3.3, §3.4, §3.5: to those who have asked for the list, who has changed it among
 * them. */
static void
push(struct module_ctx *m, const struct blocking_change *ch,
	struct account *acc)
{
	struct jid nobody = { .text = NULL };
	struct wire *wire = NULL;
	struct session *s, *next;
	struct stanza *st;
	char id[RAND_ID_SIZE];

	st = stanza_new(IQ_SET, nobody, nobody, rand_id(acc->e.shard->rand, id));
	elem_append(st->root,
		list_elem(st->arena, ch->on ? "block" : "unblock", &ch->named));
	for (s = acc->sessions; s != NULL; s = next) {
		const struct blocking_session *bs =
			module_session_state_if_made(m, s);

		next = s->next;
		if (bs != NULL && bs->asked)
			session_write_shared(s, st, &wire,
				jid_str(session_jid(s)));
	}
	wire_unref(wire);
	stanza_free(st);
}

static void
change_end(struct blocking_change *ch, enum stanza_cond cond, const char *why)
{
	block_list_clear(&ch->named);
	block_list_clear(&ch->changed);
	if (cond != COND_NONE)
		iq_error(ch->iq, cond, why);
	else
		iq_result(ch->iq, NULL);
}

/* When it cannot be stored the account is read anew, and nobody was told. */
static void
on_change_turn(struct module_ctx *m, struct account *acc,
	const struct err *err, void *arg)
{
	struct blocking_change *ch = arg;

	if (err == NULL && m != NULL && acc != NULL) {
		blocking_tell(ch, acc);
		push(m, ch, acc);
		blocking_report_all(m, ch, acc);
	}
	change_end(ch, err != NULL ? stanza_cond_of(err->code) : COND_NONE,
		NULL);
}

static void
change_start(struct module_ctx *m, struct account *acc,
	struct blocking_change *ch)
{
	struct blocking *b = module_entity_state(m, &acc->e);
	struct store_tx *tx;

	change_find(ch, &b->list);
	if (ch->on && !has_room(m->conf, &b->list, &ch->changed)) {
		change_end(ch, COND_RESOURCE_CONSTRAINT,
			TOO_MANY_TEXT);
		return;
	}
	tx = change_apply(ch, acc, &b->list);
	blocking_find_whom(ch, acc);
	iq_keep(ch->iq);
	module_commit_in_turn(m, acc, tx, on_change_turn, ch);
}

static void
change(struct module_ctx *m, struct iq *iq, bool on)
{
	struct account *acc = iq_account(iq);
	struct blocking_change *ch = arena_zalloc(iq->st->arena, sizeof(*ch));
	const char *why = NULL;
	enum stanza_cond cond;

	ch->iq = iq;
	ch->on = on;
	if (acc->removing || acc->anonymous || !acc->exists) {
		change_end(ch, COND_NOT_ALLOWED,
			"Nothing is kept for temporary accounts");
		return;
	}
	cond = change_read(ch, acc, m->conf, &why);
	if (cond != COND_NONE)
		change_end(ch, cond, why);
	else
		change_start(m, acc, ch);
}

static enum hook_result
on_block(struct module_ctx *m, struct iq *iq)
{
	change(m, iq, true);
	return HOOK_HANDLED;
}

static enum hook_result
on_unblock(struct module_ctx *m, struct iq *iq)
{
	change(m, iq, false);
	return HOOK_HANDLED;
}

static const struct hook_handler blocking_hooks[] = {
	{ HOOK_ACCOUNT_LOAD, HOOK_KEEP, on_load },
	{ HOOK_SESSION_SEND, HOOK_GUARD, blocking_on_send },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_CHANGE, blocking_on_receive },
	{ .fn = NULL },
};

static const struct iq_handler blocking_iqs[] = {
	{ IQ_GET, AT_OWN_ACCOUNT, NS_BLOCKING, "blocklist", on_get },
	{ IQ_SET, AT_OWN_ACCOUNT | ONE_BY_ONE | STORES, NS_BLOCKING, "block",
		on_block },
	{ IQ_SET, AT_OWN_ACCOUNT | ONE_BY_ONE | STORES, NS_BLOCKING, "unblock",
		on_unblock },
	{ .fn = NULL },
};

MODULE(blocking) = {
	.api = MODULE_API,
	.name = "blocking",
	.summary = "let users block others, and report them",
	.specs = "XEP-0191 1.3, XEP-0377 0.4.1",
	.features = (const char *const[]){ NS_BLOCKING, NS_REPORTING, NULL },
	.account_maps = (const char *const[]){ MAP_BLOCKING, NULL },
	.options = blocking_options,
	.conf_size = sizeof(struct blocking_conf),
	.hooks = blocking_hooks,
	.iqs = blocking_iqs,
	.shard_state = sizeof(struct blocking_shard),
	.entity_state = sizeof(struct blocking),
	.entity_done = entity_done,
	.session_state = sizeof(struct blocking_session),
	.session_save = session_save,
	.session_restore = session_restore,
};
