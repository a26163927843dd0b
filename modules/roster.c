/*
 * roster.c - lets clients read and change their roster (RFC 6121 §2), with
 * versions (XEP-0237).
 *
 * Owner shard of the account.  A set is in force at once; its result and its
 * pushes leave when it is durable, in the order of the changes, and so does the
 * roster that a get returns (account/account_line.h): no client ever sees a version
 * that a crash could undo.
 */
#include "config.h"

#include <stdio.h>

#include "module/module.h"

static const struct config_limits *
limits_of(const struct account *acc)
{
	return &acc->e.shard->snap->config->limits;
}

/* --- get (RFC 6121 §2.1.3, §2.6) ---------------------------------------------------- */

/* The whole roster, or NULL when the client has this version already. */
static struct elem *
roster_payload(const struct account *acc, struct iq *iq)
{
	struct arena *a = iq->st->arena;
	struct str known = elem_attr(iq->payload, "ver");
	struct str ver = arena_printf(a, "%llu",
		(unsigned long long)acc->roster.version);
	struct elem *query;

	if (known.p != NULL && str_eq(known, ver))
		return NULL;
	query = iq_payload(iq, NS_ROSTER, "query");
	/* §2.6.2: only to those who know what it is */
	if (known.p != NULL)
		elem_set_attr(a, query, "ver", ver);
	for (uint32_t i = 0; i < acc->roster.n; i++) {
		if (roster_at(&acc->roster, i)->listed)
			roster_item_elem(a, query, roster_at(&acc->roster, i));
	}
	return query;
}

struct roster_get {
	struct iq *iq;
	struct elem *payload;
};

static void on_get_turn(struct module_ctx *m, struct account *acc,
	const struct err *err, void *arg);

/* All that the answer shows is durable now; or it is not, and never will be: then
 * what there is has been read anew. */
static void
on_shown_durable(struct module_ctx *m, struct account *acc,
	const struct err *err, void *arg)
{
	struct roster_get get = *(struct roster_get *)arg;

	free(arg);
	if (acc != NULL && err == NULL)
		iq_result(get.iq, get.payload);
	else
		on_get_turn(m, acc, NULL, get.iq);
}

/* All that came before is durable now, but perhaps not what memory shows: a
 * contact may have changed something since.  Only then is there a copy that
 * waits. */
static void
on_get_turn(struct module_ctx *m, struct account *acc, const struct err *err,
	void *arg)
{
	struct iq *iq = arg;
	struct roster_get *get;

	(void)err;
	if (m == NULL || acc == NULL) {
		iq_error(iq, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	if (account_line_is_empty(acc)) {
		iq_result(iq, roster_payload(acc, iq));
		return;
	}
	get = xmalloc(sizeof(*get));
	*get = (struct roster_get){ iq, roster_payload(acc, iq) };
	module_commit_in_turn(m, acc, NULL, on_shown_durable, get);
}

static enum hook_result
on_roster_get(struct module_ctx *m, struct iq *iq)
{
	struct account *acc = iq_account(iq);
	struct session *s = iq_sender(iq);

	if (s != NULL)
		s->interested = true; /* §2.2 */
	if (account_line_is_empty(acc)) {
		iq_result(iq, roster_payload(acc, iq));
		return HOOK_HANDLED;
	}
	iq_keep(iq);
	module_commit_in_turn(m, acc, NULL, on_get_turn, iq);
	return HOOK_HANDLED;
}

/* --- set: reading it (RFC 6121 §2.3.3, §2.5.3) ----------------------------------------- */

struct roster_set {
	struct jid jid;
	struct str name;
	struct str *groups; /* in the arena of the iq */
	size_t n_groups;
	bool remove;
	bool has_state; /* it says how the two are subscribed to each other: */
	uint8_t state;
};

static enum stanza_cond
set_add_group(struct roster_set *set, struct str group, uint64_t max_bytes)
{
	if (group.n == 0 || group.n > max_bytes)
		return COND_NOT_ACCEPTABLE;
	for (size_t i = 0; i < set->n_groups; i++) {
		if (str_eq(set->groups[i], group))
			return COND_BAD_REQUEST;
	}
	set->groups[set->n_groups++] = group;
	return COND_NONE;
}

static enum stanza_cond
set_read_groups(struct roster_set *set, struct arena *a, const struct elem *item,
	const struct config_limits *limits)
{
	size_t max = (size_t)limits->roster_groups;
	enum stanza_cond cond;

	set->groups = arena_alloc(a, max * sizeof(set->groups[0]));
	elem_each_child(item, group) {
		if (!elem_is(group, NS_ROSTER, "group"))
			continue;
		if (set->n_groups == max)
			return COND_NOT_ACCEPTABLE;
		cond = set_add_group(set, elem_text(a, group),
			limits->roster_name_bytes);
		if (cond != COND_NONE)
			return cond;
	}
	return COND_NONE;
}

/* What both sides agree upon: a component speaks for its own addresses, and was
 * granted to speak for the user (XEP-0356 §4.3).  Of all others this is what they
 * have said themselves (§2.1.2.5). */
static void
set_read_state(struct roster_set *set, const struct iq *iq, struct str name)
{
	const struct host *from =
		shard_host(iq->shard, jid_domain(iq->st->from));

	if (name.p == NULL || from == NULL || from->component == NULL ||
		!component_has(iq->shard, from, jid_domain(set->jid)))
		return;
	for (uint8_t state = 0; state <= (SUB_TO | SUB_FROM); state++) {
		if (!str_is(name, subscription_name(state)))
			continue;
		set->has_state = true;
		set->state = state;
	}
}

static enum stanza_cond
set_read(struct roster_set *set, const struct account *acc, struct iq *iq)
{
	const struct config_limits *limits = limits_of(acc);
	struct elem *item = elem_first_child(iq->payload);
	struct str jid, subscription;

	if (item == NULL || elem_count(iq->payload) != 1 ||
		!elem_is(item, NS_ROSTER, "item"))
		return COND_BAD_REQUEST;
	jid = elem_attr(item, "jid");
	if (jid.p == NULL)
		return COND_BAD_REQUEST;
	if (!jid_parse(&set->jid, iq->st->arena, jid, NULL))
		return COND_JID_MALFORMED;
	if (!jid_is_bare(set->jid))
		return COND_BAD_REQUEST;
	subscription = elem_attr(item, "subscription");
	set->remove = subscription.p != NULL && str_is(subscription, "remove");
	if (set->remove)
		return COND_NONE;
	if (jid_eq(set->jid, acc->e.jid))
		return COND_NOT_ALLOWED; /* nobody is his own contact */
	set_read_state(set, iq, subscription);
	set->name = elem_attr(item, "name");
	if (set->name.n > limits->roster_name_bytes)
		return COND_NOT_ACCEPTABLE;
	return set_read_groups(set, iq->st->arena, item, limits);
}

/* --- set: doing it --------------------------------------------------------------------- */

static bool
roster_has_room(const struct account *acc, const struct roster_set *set)
{
	const struct roster_item *it =
		roster_find(&acc->roster, jid_str(set->jid));
	int64_t listed = 0, max = limits_of(acc)->roster_items;

	if (roster_is_full(&acc->roster) ||
		!roster_has_bytes(&acc->roster, set->jid, set->name,
			set->groups, set->n_groups,
			limits_of(acc)->roster_bytes))
		return false;
	/* they are counted only when it may be one too many: else who has many
	 * pays for all of them with each that he adds */
	if ((it != NULL && it->listed) || acc->roster.n < max)
		return true;
	for (uint32_t i = 0; i < acc->roster.n; i++)
		listed += roster_at(&acc->roster, i)->listed;
	return listed < max;
}

/* §2.5.2; a request that is under way is taken back too. */
static bool
set_remove(struct roster_change *ch, struct account *acc, struct jid jid)
{
	uint8_t state = roster_state(&acc->roster, jid_str(jid));

	if (!roster_change_remove(ch))
		return false;
	if ((state & (SUB_TO | SUB_PENDING_OUT)) != 0)
		roster_change_tell(ch, PRESENCE_UNSUBSCRIBE);
	if ((state & SUB_FROM) != 0) {
		roster_change_presence(ch, false);
		roster_change_tell(ch, PRESENCE_UNSUBSCRIBED);
	}
	return true;
}

static void
set_state(struct roster_change *ch, const struct account *acc,
	const struct roster_set *set)
{
	uint8_t before = roster_state(&acc->roster, jid_str(set->jid));
	uint8_t state = set->state | (before & SUB_APPROVED);

	roster_change_state(ch, state);
	if (((state ^ before) & SUB_FROM) != 0)
		roster_change_presence(ch, (state & SUB_FROM) != 0);
}

static enum stanza_cond
set_apply(struct iq *iq, const struct roster_set *set)
{
	struct account *acc = iq_account(iq);
	struct roster_change *ch;

	if (!set->remove && !roster_has_room(acc, set))
		return COND_RESOURCE_CONSTRAINT;
	ch = roster_change_new(acc, set->jid);
	if (!set->remove) {
		roster_set(&acc->roster, set->jid, set->name, set->groups,
			set->n_groups);
		roster_change_item(ch);
		if (set->has_state)
			set_state(ch, acc, set);
	} else if (!set_remove(ch, acc, set->jid)) {
		roster_change_commit(ch, NULL);
		return COND_ITEM_NOT_FOUND;
	}
	iq_keep(iq);
	roster_change_commit(ch, iq);
	return COND_NONE;
}

static enum hook_result
on_roster_set(struct module_ctx *m, struct iq *iq)
{
	struct account *acc = iq_account(iq);
	struct roster_set set = { .n_groups = 0 };
	enum stanza_cond cond;

	(void)m;
	/* what is written now would outlive the account */
	cond = acc->removing ? COND_NOT_ALLOWED : set_read(&set, acc, iq);
	if (cond == COND_NONE)
		cond = set_apply(iq, &set);
	if (cond != COND_NONE)
		iq_error(iq, cond,
			cond == COND_RESOURCE_CONSTRAINT ? "The roster is full" :
							   NULL);
	return HOOK_HANDLED;
}

/* --- what others may not do -------------------------------------------------------------- */

/* §2.1.5, §2.3.3 */
static enum hook_result
on_roster_set_by_others(struct module_ctx *m, struct iq *iq)
{
	(void)m;
	iq_error(iq, COND_FORBIDDEN, NULL);
	return HOOK_HANDLED;
}

/* Pushes come from the server alone; a client that does not check who sends them
 * must not see another's (RFC 6121 §2.1.6, hostile 46). */
static enum hook_result
on_receive(struct module_ctx *m, void *arg)
{
	const struct account_stanza *in = arg;

	(void)m;
	if (in->st->type != IQ_SET || jid_is_bare(in->st->to) ||
		stanza_child(in->st, NS_ROSTER, NULL) == NULL)
		return HOOK_PASS;
	router_bounce(in->account->e.shard, in->st, COND_FORBIDDEN, NULL);
	return HOOK_HANDLED;
}

/* §2.6.1, §3.4 */
static enum hook_result
on_features(struct module_ctx *m, void *arg)
{
	struct stream_features *f = arg;

	(void)m;
	if (f->authenticated) {
		elem_add(f->arena, f->features, NS_FEATURE_ROSTERVER, "ver");
		elem_add(f->arena, f->features, NS_FEATURE_PREAPPROVAL, "sub");
	}
	return HOOK_PASS;
}

static const struct hook_handler roster_hooks[] = {
	{ HOOK_STREAM_FEATURES, HOOK_CHANGE, on_features },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_GUARD, on_receive },
	{ .fn = NULL },
};

static const struct iq_handler roster_iqs[] = {
	{ IQ_GET, AT_OWN_ACCOUNT, NS_ROSTER, "query", on_roster_get },
	{ IQ_SET, AT_OWN_ACCOUNT | STORES, NS_ROSTER, "query", on_roster_set },
	{ IQ_SET, AT_OTHERS, NS_ROSTER, "query", on_roster_set_by_others },
	{ .fn = NULL },
};

MODULE(roster) = {
	.api = MODULE_API,
	.name = "roster",
	.summary = "contact lists, with versions",
	.specs = "RFC 6121 §2, XEP-0237 1.3",
	.features = (const char *const[]){ NS_ROSTER, NULL },
	.hooks = roster_hooks,
	.iqs = roster_iqs,
};
