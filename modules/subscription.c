/*
 * subscription.c - asks for, grants, and ends presence subscriptions
 * (RFC 6121 §3, appendix A).
 *
 * Owner shard of the account.  Each stanza is one step of the state machine in
 * xmpp/subscription.h, and at most one change of the roster: in force at once,
 * and told to anybody only when it is durable, in order with all else that the
 * account sends (account/roster_change.h).
 *
 * A request that waits for an answer is kept as it came in the map "pending",
 * under the address of who asks; the roster, which is in memory, knows that
 * there is one.  So a second request costs no more than looking that up
 * (hostile 16), and the map is read only when a resource becomes available and
 * something is pending, one request after the other, as the client takes them.
 */
#include "config.h"

#include "module/module.h"

#define MAP_PENDING "pending"
/* What is kept of a request; one that is larger loses its extensions. */
#define PENDING_BYTES_MAX 8192

static bool
is_subscription(enum stanza_type type)
{
	return type == PRESENCE_SUBSCRIBE || type == PRESENCE_SUBSCRIBED ||
		type == PRESENCE_UNSUBSCRIBE || type == PRESENCE_UNSUBSCRIBED;
}

static const struct config_limits *
limits_of(const struct account *acc)
{
	return &acc->e.shard->snap->config->limits;
}

/* Does the disk take no writes?  Of temporary accounts nothing is stored. */
static bool
refuses_changes(const struct account *acc)
{
	return !acc->anonymous && shard_refuses_writes(acc->e.shard);
}

/* --- requests that wait ----------------------------------------------------------- */

static struct elem *
pending_bare(struct arena *a, const struct stanza *st)
{
	struct elem *e = elem_new(a, NS_CLIENT, "presence");

	elem_set_attr(a, e, "from", jid_str(st->from));
	elem_set_attr(a, e, "to", jid_str(st->to));
	elem_set_attr(a, e, "type", STR("subscribe"));
	return e;
}

static void
pending_keep(struct roster_change *ch, const struct account *acc,
	const struct stanza *st)
{
	struct buf out = BUF_INIT;

	stored_write(&out, st->root);
	if (out.n > PENDING_BYTES_MAX) {
		buf_consume(&out, out.n);
		stored_write(&out, pending_bare(st->arena, st));
	}
	store_tx_set(roster_change_tx(ch), account_place(acc, MAP_PENDING),
		jid_bare_str(st->from), buf_str(&out));
	buf_done(&out);
}

/* The stored request follows the state of the roster item. */
static void
pending_follow(struct roster_change *ch, const struct account *acc,
	const struct stanza *st, struct jid contact, uint8_t before,
	uint8_t after)
{
	uint8_t changed = (before ^ after) & SUB_PENDING_IN;

	if (changed == 0)
		return;
	if ((after & SUB_PENDING_IN) != 0)
		pending_keep(ch, acc, st);
	else
		store_tx_delete(roster_change_tx(ch),
			account_place(acc, MAP_PENDING), jid_str(contact));
}

/* A session is shown one after the other, in the order of addresses, as it takes
 * them; in its slot. */
struct pending {
	char *after;    /* the last that it was shown; NULL: all were */
	bool reads;     /* the next one is read */
	uint32_t round; /* it became available so many times */
};

struct pending_read {
	struct module_entry *entry;
	struct shard *shard;
	uint32_t session_id, round;
	struct jid full;
	struct str contact;
	struct arena *a; /* has all of this */
};

static void
session_done(struct session *s, void *state)
{
	struct pending *p = state;

	(void)s;
	free(p->after);
}

static void
session_save(const struct session *s, const void *state, struct arena *a,
	struct elem *into)
{
	const struct pending *p = state;

	(void)s;
	if (p->after != NULL)
		elem_set_attr(a, elem_add(a, into, NULL, "shown"), "jid",
			str_c(p->after));
}

static bool
session_restore(struct session *s, void *state, const struct elem *from)
{
	struct pending *p = state;
	const struct elem *shown = elem_child(from, NULL, "shown");

	(void)s;
	if (shown == NULL)
		return false;
	p->after = str_dup(elem_attr(shown, "jid"));
	return true;
}

/* NULL: it has gone, or begun anew. */
static struct pending *
pending_of(const struct pending_read *r, struct session **s_out,
	struct module_ctx **m_out)
{
	struct account *acc = account_find(r->shard, jid_bare_str(r->full));
	struct host *host = acc != NULL ? account_host(acc) : NULL;
	struct pending *p;

	*s_out = acc != NULL ? session_find(acc, jid_resource(r->full)) : NULL;
	*m_out = host != NULL ? module_at_host(host, r->entry) : NULL;
	if (*s_out == NULL || (*s_out)->id != r->session_id || *m_out == NULL)
		return NULL;
	p = module_session_state(*m_out, *s_out);
	return p->reads && p->round == r->round ? p : NULL;
}

static struct stanza *
pending_parse(struct str value)
{
	struct arena *a = arena_new();
	struct elem *e = stored_read(a, value);
	enum stanza_cond cond;
	struct stanza *st =
		e != NULL ? stanza_from_elem(a, e, &cond) : NULL;

	if (st == NULL)
		arena_free(a);
	return st;
}

static void
pending_show(struct session *s, const struct store_entry *entry)
{
	struct stanza *st;

	if (!session_is_available(s) ||
		account_blocks(s->account, jid_trusted(entry->key)) ||
		(roster_state(&s->account->roster, entry->key) &
			SUB_PENDING_IN) == 0)
		return;
	st = pending_parse(entry->value);
	if (st == NULL) {
		if (log_limit_ok(&session_shard(s)->storage, LOG_ROSTER))
			log_error(LOG_ROSTER, session_who(s),
				"a stored request cannot be read contact=%.*s",
				STR_ARG(entry->key));
		return;
	}
	session_write(s, st);
	stanza_free(st);
}

static void
pending_go_to(struct pending *p, struct str after)
{
	free(p->after);
	p->after = after.p != NULL ? str_dup(after) : NULL;
}

static void on_pending(void *arg, const struct store_answer *answer,
	const struct err *err);

static void
pending_go_on(struct module_ctx *m, struct session *s, struct pending *p)
{
	const struct roster *roster = &s->account->roster;
	const struct roster_item *it;
	struct pending_read *r;
	struct arena *a;

	if (p->after == NULL || p->reads || session_is_full(s))
		return;
	it = roster_after(roster, str_c(p->after));
	while (it != NULL && (it->state & SUB_PENDING_IN) == 0)
		it = roster_after(roster, jid_str(roster_item_jid(it)));
	if (it == NULL || !session_is_available(s)) {
		pending_go_to(p, STR_NONE);
		return;
	}
	p->reads = true;
	a = arena_new();
	r = arena_alloc(a, sizeof(*r));
	*r = (struct pending_read){ m->entry, session_shard(s), s->id, p->round,
		jid_copy(a, session_jid(s)),
		jid_str(jid_copy(a, roster_item_jid(it))), a };
	module_get(m, r->shard, account_place(s->account, MAP_PENDING),
		r->contact, on_pending, r);
}

static void
on_pending(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct pending_read *r = arg;
	struct session *s;
	struct module_ctx *m;
	struct pending *p = pending_of(r, &s, &m);

	if (err != NULL && log_limit_ok(&r->shard->storage, LOG_ROSTER))
		log_error(LOG_ROSTER, LOG_NOBODY,
			"requests that wait cannot be read account=%.*s reason=\"%s\"",
			STR_ARG(jid_bare_str(r->full)), err->text);
	if (p != NULL) {
		p->reads = false;
		pending_go_to(p, err == NULL ? r->contact : STR_NONE);
		if (err == NULL && answer->n != 0)
			pending_show(s, answer->entries);
		pending_go_on(m, s, p);
	}
	arena_free(r->a);
}

static int64_t
pending_count(const struct account *acc)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < acc->roster.n; i++)
		n += (roster_at(&acc->roster, i)->state & SUB_PENDING_IN) != 0;
	return n;
}

/* RFC 6121 §3.1.3, 4: to each resource that becomes available, until there is
 * an answer. */
static enum hook_result
on_available(struct module_ctx *m, void *arg)
{
	struct session *s = arg;
	struct pending *p;

	if (pending_count(s->account) == 0)
		return HOOK_PASS;
	p = module_session_state(m, s);
	p->round++;
	p->reads = false; /* what was is of a round before */
	pending_go_to(p, STR(""));
	pending_go_on(m, s, p);
	return HOOK_PASS;
}

/* All of them may be more than may wait for a client. */
static enum hook_result
on_drained(struct module_ctx *m, void *arg)
{
	struct session *s = arg;

	if (s->slots != NULL)
		pending_go_on(m, s, module_session_state(m, s));
	return HOOK_PASS;
}

/* --- from our user (RFC 6121 §A.2) ------------------------------------------------------ */

static bool
roster_has_room(const struct account *acc, struct jid contact)
{
	const struct roster_item *it =
		roster_find(&acc->roster, jid_str(contact));

	if (it != NULL && it->listed)
		return true;
	return (int64_t)acc->roster.n - pending_count(acc) <
			limits_of(acc)->roster_items &&
		roster_has_bytes(&acc->roster, contact, STR_NONE, NULL, 0,
			limits_of(acc)->roster_bytes);
}

/* Presence is sent while the contact is subscribed: after the approval, and
 * before the cancellation (§3.1.5, §3.2.2). */
static void
change_send_out(struct roster_change *ch, struct stanza *st, uint8_t before,
	uint8_t after)
{
	bool loses = (before & ~after & SUB_FROM) != 0;
	bool gains = (after & ~before & SUB_FROM) != 0;

	if (loses)
		roster_change_presence(ch, false);
	roster_change_send(ch, st);
	if (gains)
		roster_change_presence(ch, true);
}

/*
 * §A.2.1 routes a request also when there is a subscription, in case the contact
 * has lost track.  Between two accounts of this server it would only be answered
 * with what is known; or, when it meets a cancellation on its way, be taken for a
 * new request, which nobody has made.
 */
static bool
wants_routing(const struct account *acc, const struct stanza *st,
	const struct subscription_step *step)
{
	if (st->type == PRESENCE_SUBSCRIBE && (step->state & SUB_TO) != 0)
		return host_is_remote(shard_host(acc->e.shard, jid_domain(st->to)));
	return step->pass;
}

/* st is taken, and has the bare address of the account; errors are for the
 * session that sent it, in its arena. */
static void
send_step(struct account *acc, struct stanza *st,
	struct jid sender)
{
	struct jid contact = st->to;
	uint8_t before = roster_state(&acc->roster, jid_str(contact));
	struct subscription_step step = subscription_out(before, st->type);
	bool pass = wants_routing(acc, st, &step);
	struct roster_change *ch;

	if (step.state == before && !pass) {
		stanza_free(st);
		return;
	}
	if ((step.state & ~SUB_PENDING_IN) != 0 &&
		!roster_has_room(acc, contact)) {
		stanza_set_from(st, sender);
		router_bounce(acc->e.shard, st, COND_RESOURCE_CONSTRAINT,
			"The roster is full");
		return;
	}
	if (step.state != before && refuses_changes(acc)) {
		stanza_set_from(st, sender);
		router_bounce(acc->e.shard, st, COND_RESOURCE_CONSTRAINT,
			SHARD_REFUSES_TEXT);
		return;
	}
	ch = roster_change_new(acc, contact);
	roster_change_request(ch, st, sender, contact);
	pending_follow(ch, acc, st, contact, before, step.state);
	roster_change_state(ch, step.state);
	if (pass)
		change_send_out(ch, st, before, step.state);
	else
		stanza_free(st);
	roster_change_commit(ch, NULL);
}

/* Presence without an address that needs one; to is set so that it can be
 * answered. */
static void
send_refuse(struct account *acc, struct stanza *st, enum stanza_cond cond,
	const char *text)
{
	if (!jid_is_set(st->to))
		stanza_set_to(st, acc->e.jid);
	router_bounce(acc->e.shard, st, cond, text);
}

static enum hook_result
on_send(struct module_ctx *m, void *arg)
{
	struct session_stanza *out = arg;
	struct account *acc = out->account;
	struct stanza *st = out->st;
	struct jid sender = st->from;
	enum stanza_cond cond;
	const char *why;

	(void)m;
	if (!is_subscription(st->type))
		return HOOK_PASS;
	if (!jid_is_set(st->to) || jid_eq_bare(st->to, acc->e.jid)) {
		send_refuse(acc, st, COND_BAD_REQUEST,
			"A subscription needs the address of a contact");
		return HOOK_HANDLED;
	}
	if (acc->removing || !acc->exists) {
		send_refuse(acc, st, COND_NOT_ALLOWED, NULL);
		return HOOK_HANDLED;
	}
	/* an address that cannot be reached makes no contact (§3.1.2) */
	cond = router_forbids(acc->e.shard->snap, acc->e.jid, st->to, &why);
	if (cond != COND_NONE &&
		roster_state(&acc->roster, jid_bare_str(st->to)) == 0) {
		router_bounce(acc->e.shard, st, cond, why);
		return HOOK_HANDLED;
	}
	/* §3.1.2: from and to are bare addresses */
	stanza_set_to(st, jid_copy(st->arena, jid_bare(st->to)));
	stanza_set_from(st, acc->e.jid);
	send_step(acc, st, sender);
	return HOOK_HANDLED;
}

/* --- from a contact (RFC 6121 §A.3) ------------------------------------------------------- */

/*
 * To an unsubscribe, §A.3.2 has the server answer with unsubscribed, in case the
 * other one has lost track.  Between two accounts of this server nothing is lost,
 * and the answer could meet a new request that is under way already, and pass for
 * its denial.
 */
static bool
wants_reply(const struct account *acc, struct jid contact,
	const struct subscription_step *step)
{
	if (step->reply == PRESENCE_UNSUBSCRIBED)
		return host_is_remote(shard_host(acc->e.shard, jid_domain(contact)));
	return step->reply != PRESENCE_AVAILABLE;
}

/* st is taken. */
static void
receive_effects(struct roster_change *ch, struct stanza *st,
	const struct subscription_step *step, uint8_t before, bool reply)
{
	enum stanza_type type = st->type;

	if (step->pass)
		roster_change_deliver(ch, st,
			type == PRESENCE_SUBSCRIBE ? AUDIENCE_AVAILABLE :
						     AUDIENCE_INTERESTED);
	else
		stanza_free(st);
	if ((before & ~step->state & SUB_FROM) != 0)
		roster_change_presence(ch, false); /* §3.3.3 */
	if (reply)
		roster_change_tell(ch, step->reply);
	/* pre-approved; or they have lost track, and not probed (§3.1.3, 2) */
	if ((step->state & ~before & SUB_FROM) != 0 ||
		(reply && step->reply == PRESENCE_SUBSCRIBED))
		roster_change_presence(ch, true);
}

/* st is taken. */
static void
receive_step(struct account *acc, struct stanza *st)
{
	struct arena *a = arena_new();
	struct jid contact = jid_copy(a, st->from);
	uint8_t before = roster_state(&acc->roster, jid_str(contact));
	struct subscription_step step = subscription_in(before, st->type);
	bool asks = (step.state & ~before & SUB_PENDING_IN) != 0;
	bool reply = wants_reply(acc, contact, &step);
	struct roster_change *ch;

	if ((step.state == before && !step.pass && !reply) ||
		(asks && pending_count(acc) >=
				limits_of(acc)->pending_subscriptions)) {
		acc->e.shard->stats.refused += asks;
		stanza_free(st);
		arena_free(a);
		return;
	}
	ch = roster_change_new(acc, contact);
	roster_change_request(ch, st, contact, acc->e.jid);
	pending_follow(ch, acc, st, contact, before, step.state);
	roster_change_state(ch, step.state);
	receive_effects(ch, st, &step, before, reply);
	roster_change_commit(ch, NULL);
	arena_free(a);
}

/*
 * While the disk takes no writes, what would change the roster goes back as an
 * error: a request that is shown but not remembered could not be answered
 * (§3.1.3 has it kept), and who asks may ask again.  One that is remembered
 * already, or is for an account that does not exist, is refused like all others,
 * or else one could see which those are.
 */
static bool
receive_is_refused(const struct account *acc, const struct stanza *st)
{
	uint8_t before = roster_state(&acc->roster, jid_str(st->from));
	struct subscription_step step = subscription_in(before, st->type);
	bool changes = st->type == PRESENCE_SUBSCRIBE ?
		(before & SUB_FROM) == 0 :
		step.state != before;

	return changes && refuses_changes(acc);
}

/* Of an account that does not exist nobody learns
 * more than of one that does not answer (RFC 6121 §8.5.1). */
static enum hook_result
on_receive(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;
	struct account *acc = in->account;
	struct stanza *st = in->st;

	(void)m;
	if (!is_subscription(st->type))
		return HOOK_PASS;
	if (acc->removing || jid_eq_bare(st->from, acc->e.jid)) {
		stanza_free(st);
		return HOOK_HANDLED;
	}
	stanza_set_to(st, acc->e.jid); /* §3.1.3 */
	stanza_set_from(st, jid_copy(st->arena, jid_bare(st->from)));
	if (receive_is_refused(acc, st))
		router_bounce(acc->e.shard, st, COND_RESOURCE_CONSTRAINT,
			SHARD_REFUSES_TEXT);
	else if (acc->exists)
		receive_step(acc, st);
	else
		stanza_free(st);
	return HOOK_HANDLED;
}

/* --- the end of an account (XEP-0077 §3.2) --------------------------------------------------- */

static void
tell(struct account *acc, struct jid contact, enum stanza_type type)
{
	account_send(acc, stanza_new(type, acc->e.jid, contact, STR_NONE));
}

static void
tell_contact(struct account *acc, const struct roster_item *it)
{
	struct jid contact = roster_item_jid(it);

	if ((it->state & (SUB_TO | SUB_PENDING_OUT)) != 0)
		tell(acc, contact, PRESENCE_UNSUBSCRIBE);
	if ((it->state & SUB_FROM) != 0 && !account_blocks(acc, contact)) {
		for (struct session *s = acc->sessions; s != NULL; s = s->next)
			if (session_is_visible(s))
				account_send(acc,
					stanza_new(PRESENCE_UNAVAILABLE,
						session_jid(s), contact,
						STR_NONE));
	}
	if ((it->state & (SUB_FROM | SUB_PENDING_IN)) != 0)
		tell(acc, contact, PRESENCE_UNSUBSCRIBED);
}

static enum hook_result
on_removing(struct module_ctx *m, void *arg)
{
	struct account *acc = arg;

	(void)m;
	for (uint32_t i = 0; i < acc->roster.n; i++)
		tell_contact(acc, roster_at(&acc->roster, i));
	return HOOK_PASS;
}

static const struct hook_handler subscription_hooks[] = {
	{ HOOK_SESSION_SEND, HOOK_DELIVER, on_send },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_DELIVER, on_receive },
	{ HOOK_SESSION_AVAILABLE, HOOK_DELIVER, on_available },
	{ HOOK_SESSION_DRAINED, HOOK_DELIVER, on_drained },
	{ HOOK_ACCOUNT_REMOVING, HOOK_DELIVER, on_removing },
	{ .fn = NULL },
};

MODULE(subscription) = {
	.api = MODULE_API,
	.name = "subscription",
	.summary = "presence subscriptions between users",
	.specs = "RFC 6121 §3",
	.hooks = subscription_hooks,
	.session_state = sizeof(struct pending),
	.session_done = session_done,
	.session_save = session_save,
	.session_restore = session_restore,
};
