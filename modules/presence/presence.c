/*
 * presence.c - presence: broadcast to contacts and to the own resources, directed
 * presence, and when somebody was last there (RFC 6121 §4).
 *
 * Owner shard of the account.  What a session sends leaves in order with all
 * else of its account (account/account_line.h).  A session that ends says goodbye
 * through HOOK_SESSION_SEND like one that is polite, so there is one way out.
 *
 * Contacts of this server are told, and asked, by fan-outs, which reach only
 * accounts that are in memory: without a session nobody is there to listen, or
 * to be shown.
 */
#include "config.h"

#include "presence.h"

#define PRIORITY_MIN (-128)
#define PRIORITY_MAX 127

struct presence_conf {
	bool iq_from_strangers;
};

static const struct option presence_options[] = {
	{ .name = "iq_from_strangers", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct presence_conf, iq_from_strangers),
		.help = "deliver an iq to a resource also from one who does "
			"not see its presence; then whoever knows or guesses "
			"the name of a resource can ask whether it is there" },
	{ .name = NULL },
};

/* --- who gets what -------------------------------------------------------------------- */

/* st (borrowed) to the available resources of acc, the sender among them
 * (RFC 6121 §4.2.2, §4.4.2, §4.5.2), but for but (NULL: nobody). */
static void
tell_own_resources(struct account *acc, struct stanza *st,
	const struct session *but)
{
	struct wire *wire = NULL;
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (session_is_available(s) && s != but)
			session_write_shared(s, st, &wire,
				jid_str(acc->e.jid));
	}
	wire_unref(wire);
}

/* RFC 6121 §4.3.1.  From the full address, so that the answers of contacts of this
 * server reach this session alone: the others know already.  Whoever is asked
 * elsewhere is asked by the bare address (fanout.c). */
static void
probe_contacts(struct session *s)
{
	struct jid nobody = { .text = NULL };

	account_tell_contacts(s->account,
		stanza_new(PRESENCE_PROBE, session_jid(s), nobody, STR_NONE),
		SUB_TO);
}

/* What the other resources have sent, to the one that has just come. */
static void
show_own_resources(struct session *newcomer)
{
	struct session *s, *next;

	for (s = newcomer->account->sessions; s != NULL; s = next) {
		struct stanza *st;

		next = s->next;
		if (s == newcomer || !session_is_visible(s))
			continue;
		st = session_presence(s);
		stanza_set_to(st, session_jid(newcomer));
		session_write(newcomer, st);
		stanza_free(st);
	}
}

/* --- available (RFC 6121 §4.2, §4.4) ----------------------------------------------------- */

/* RFC 6121 §4.7.2.3: an xs:byte, whose sign may be a plus; false when it is
 * none. */
static bool
read_priority(struct stanza *st, int8_t *priority_out)
{
	const struct elem *e = stanza_child(st, NS_CLIENT, "priority");
	long long value;
	struct str text;

	*priority_out = 0;
	if (e == NULL)
		return true;
	text = str_trim(elem_text(st->arena, e));
	if (text.n > 1 && text.p[0] == '+' && text.p[1] != '-') {
		text.p++;
		text.n--;
	}
	if (!str_to_int(text, PRIORITY_MIN, PRIORITY_MAX, &value))
		return false;
	*priority_out = (int8_t)value;
	return true;
}

static void
refuse(struct session *s, struct stanza *st, enum stanza_cond cond,
	const char *text)
{
	if (!jid_is_set(st->to))
		stanza_set_to(st, s->account->e.jid);
	router_bounce(session_shard(s), st, cond, text);
}

/* Contacts come first: whoever makes the account wait because the session takes
 * messages now (HOOK_SESSION_MESSAGES) does not make them wait.  Of one who is
 * invisible nobody hears (XEP-0186 §3.1.1, 1), nor that somebody asks once more for
 * what he has asked for.  st is taken. */
static void
become_available(struct session *s, struct stanza *st)
{
	bool seen = !s->invisible;
	bool initial = !session_is_available(s);
	bool first = seen && !account_is_visible(s->account);
	int8_t priority;

	if (!read_priority(st, &priority)) {
		refuse(s, st, COND_BAD_REQUEST,
			"The priority is a number from -128 to 127");
		return;
	}
	if (seen)
		account_tell_contacts(s->account, stanza_copy(st), SUB_FROM);
	if (initial && (seen || s->probes))
		probe_contacts(s);
	if (first)
		account_subscribe_again(s->account);
	session_set_presence(s, st, priority);
	if (seen)
		tell_own_resources(s->account, st, NULL);
	if (initial)
		show_own_resources(s);
	stanza_free(st);
}

/* --- unavailable (RFC 6121 §4.5) ----------------------------------------------------------- */

/* When the last resource goes that others see, that is noted for probes (§4.3.2, 3) and for
 * XEP-0012.  Not waited for: nobody is told that it was, and while the disk takes
 * no writes it is not. */
static void
note_last_seen(struct module_ctx *m, struct account *acc, struct stanza *st)
{
	struct arena *a = st->arena;
	const struct elem *status = stanza_child(st, NS_CLIENT, "status");
	struct elem *seen = elem_new(a, NS_SEEN, "seen");
	char now[DATETIME_SIZE];
	struct buf out = BUF_INIT;
	struct store_tx *tx;

	if (!acc->exists || acc->removing || acc->anonymous)
		return;
	elem_set_attr(a, seen, "at",
		datetime_format(now, shard_wall_us(acc->e.shard)));
	if (status != NULL)
		elem_add_text(a, seen, elem_text(a, status));
	stored_write(&out, seen);
	tx = store_tx_new();
	store_tx_set(tx, account_place(acc, MAP_LAST), STR(KEY_SEEN),
		buf_str(&out));
	store_tx_insist(tx); /* nobody would ask again */
	module_commit(m, acc->e.shard, tx, NULL, NULL);
	buf_done(&out);
}

/* To those who were told directly that it is here, but for contacts, whom the
 * broadcast reaches (§4.6.3). */
static void
tell_directed(struct module_ctx *m, struct session *s, const struct stanza *st,
	bool broadcast)
{
	struct account *acc = s->account;
	const struct address *a;
	struct table_walk walk;
	struct directed *d;

	if (s->slots == NULL)
		return;
	d = module_session_state(m, s);
	walk = table_walk(&d->to.all);
	while ((a = table_step(&d->to.all, &walk)) != NULL) {
		struct stanza *copy;

		if (broadcast && account_shows_presence_to(acc, a->jid))
			continue;
		copy = stanza_copy(st);
		stanza_set_to(copy, a->jid);
		account_send(acc, copy);
	}
	directed_clear(d);
}

/* Those who saw the presence of a resource of acc, which they do not any more, hear
 * of it by st (taken). */
static void
tell_gone(struct module_ctx *m, struct account *acc, struct stanza *st)
{
	if (!account_is_visible(acc))
		note_last_seen(m, acc, st);
	account_tell_contacts(acc, st, SUB_FROM);
}

/* Of one who is invisible those alone hear whom it has sent its presence since
 * (XEP-0186 §3.1.1, 9).  st is taken. */
static void
become_unavailable(struct module_ctx *m, struct session *s, struct stanza *st)
{
	struct account *acc = s->account;
	bool was_available = session_is_available(s);
	bool was_visible = session_is_visible(s);

	tell_directed(m, s, st, was_visible);
	if (was_visible)
		tell_own_resources(acc, st, NULL);
	if (was_available)
		session_set_presence(s, NULL, 0);
	if (was_visible)
		tell_gone(m, acc, st);
	else
		stanza_free(st);
}

/* To all others it is as if it had said goodbye (XEP-0186 §3.1), and those to whom it
 * sends its presence from now on are others.  What it was when nobody saw it before
 * is told to nobody, nor is when it was last seen: that would say that it has come. */
static void
hide(struct module_ctx *m, struct session *s)
{
	struct jid nobody = { .text = NULL };
	struct account *acc = s->account;
	bool was_visible = session_is_available(s);
	struct stanza *st = stanza_new(PRESENCE_UNAVAILABLE, session_jid(s),
		nobody, STR_NONE);

	tell_directed(m, s, st, was_visible);
	if (!was_visible) {
		stanza_free(st);
		return;
	}
	tell_own_resources(acc, st, s);
	tell_gone(m, acc, st);
}

/* Of those addresses of who (bare) to which s has sent its presence; others do not see
 * it. */
static void
hide_from(struct module_ctx *m, struct session *s, struct jid who)
{
	struct address *a;
	struct table_walk walk;
	struct directed *d;

	if (!presence_was_sent_to(m, s, who))
		return;
	d = module_session_state(m, s);
	walk = table_walk(&d->to.all);
	while ((a = table_step(&d->to.all, &walk)) != NULL) {
		if (!jid_eq_bare(a->jid, who))
			continue;
		account_send(s->account,
			stanza_new(PRESENCE_UNAVAILABLE, session_jid(s), a->jid,
				STR_NONE));
		address_set_remove(&d->to, a);
	}
}

static enum hook_result
on_hidden(struct module_ctx *m, void *arg)
{
	const struct session_hidden *hidden = arg;

	if (jid_is_set(hidden->from))
		hide_from(m, hidden->session, hidden->from);
	if (hidden->shown)
		hide(m, hidden->session);
	if (hidden->probe)
		probe_contacts(hidden->session);
	return HOOK_PASS;
}

/* They may have something to say to that. */
static enum hook_result
on_parting(struct module_ctx *m, void *arg)
{
	struct jid nobody = { .text = NULL };
	struct session *s = arg;
	struct stanza *st = stanza_new(PRESENCE_UNAVAILABLE, session_jid(s),
		nobody, STR_NONE);

	st->gone = GONE_STOP;
	tell_directed(m, s, st, session_is_visible(s));
	stanza_free(st);
	return HOOK_PASS;
}

/* Who is blocked has seen the last of it (XEP-0191 §3.3).  It is the turn of that; a
 * contact may have been told by now that s is gone, or may not, if s was invisible. */
static void
leave_blocked(struct module_ctx *m, struct session *s,
	const struct block_list *rows)
{
	struct directed *d = module_session_state(m, s);
	struct table_walk walk = table_walk(&d->to.all);
	struct address *a;

	while ((a = table_step(&d->to.all, &walk)) != NULL) {
		if (!block_list_matches(rows, a->jid) ||
			!account_blocks(s->account, a->jid))
			continue;
		router_send(session_shard(s),
			stanza_new(PRESENCE_UNAVAILABLE, session_jid(s), a->jid,
				STR_NONE));
		address_set_remove(&d->to, a);
	}
}

static enum hook_result
on_block(struct module_ctx *m, void *arg)
{
	const struct account_block *b = arg;

	for (struct session *s = b->account->sessions; s != NULL; s = s->next)
		if (b->on && s->slots != NULL)
			leave_blocked(m, s, b->rows);
	return HOOK_PASS;
}

/* --- what sessions send ----------------------------------------------------------------------- */

/* st is taken. */
static void
send_directed(struct module_ctx *m, struct session *s, struct stanza *st)
{
	struct shard *sh = session_shard(s);
	struct directed *d = module_session_state(m, s);

	if (st->type == PRESENCE_UNAVAILABLE) {
		directed_remove(d, s, st->to);
	} else if (!directed_add(d, s, st->to)) {
		sh->stats.refused++;
		refuse(s, st, COND_RESOURCE_CONSTRAINT,
			"Presence was sent to too many addresses");
		return;
	}
	account_send(s->account, st);
}

static enum hook_result
on_send(struct module_ctx *m, void *arg)
{
	struct session_stanza *out = arg;
	struct stanza *st = out->st;
	bool to = jid_is_set(st->to);

	if (st->type != PRESENCE_AVAILABLE && st->type != PRESENCE_UNAVAILABLE)
		return HOOK_PASS;
	if (to)
		send_directed(m, out->session, st);
	else if (st->type == PRESENCE_AVAILABLE)
		become_available(out->session, st);
	else
		become_unavailable(m, out->session, st);
	return HOOK_HANDLED;
}

/* Rooms, and who is in them. */
static enum hook_result
on_knows(struct module_ctx *m, void *arg)
{
	const struct account_knows *k = arg;

	for (struct session *s = k->account->sessions; s != NULL; s = s->next)
		if (presence_was_sent_to(m, s, k->who))
			return HOOK_HANDLED;
	return HOOK_PASS;
}

/* --- what arrives --------------------------------------------------------------------------------- */

/* RFC 6121 §8.5.3.1: an answer, or none, would tell a stranger that the resource
 * is there. */
static bool
iq_may_pass(struct module_ctx *m, struct account *acc, const struct stanza *st)
{
	const struct presence_conf *conf = m->conf;
	struct session *s;

	if ((st->type != IQ_GET && st->type != IQ_SET) ||
		conf->iq_from_strangers ||
		jid_is_bare(st->to) || jid_local(st->from).n == 0 ||
		account_shows_presence_to(acc, st->from))
		return true;
	s = session_find(acc, jid_resource(st->to));
	return s != NULL && presence_was_sent_to(m, s, st->from);
}

static enum hook_result
on_receive(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;

	if (in->st->type == PRESENCE_PROBE) {
		presence_on_probe(m, in->account, in->st);
		return HOOK_HANDLED;
	}
	directed_note(m, in->account, in->st);
	return HOOK_PASS;
}

static enum hook_result
on_receive_guard(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;

	if (iq_may_pass(m, in->account, in->st))
		return HOOK_PASS;
	router_bounce(in->account->e.shard, in->st, COND_SERVICE_UNAVAILABLE,
		NULL);
	return HOOK_HANDLED;
}

static const struct hook_handler presence_hooks[] = {
	{ HOOK_SESSION_SEND, HOOK_DELIVER, on_send },
	{ HOOK_SESSION_HIDDEN, HOOK_DELIVER, on_hidden },
	{ HOOK_SESSION_PARTING, HOOK_DELIVER, on_parting },
	{ HOOK_SESSION_ROOM_SAYS, HOOK_WATCH, presence_on_room_says },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_GUARD, on_receive_guard },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_DELIVER, on_receive },
	{ HOOK_ACCOUNT_BLOCK, HOOK_DELIVER, on_block },
	{ HOOK_ACCOUNT_KNOWS, HOOK_DELIVER, on_knows },
	{ .fn = NULL },
};

MODULE(presence) = {
	.api = MODULE_API,
	.name = "presence",
	.summary = "who is there, and who may know",
	.specs = "RFC 6121 §4, XEP-0319 1.0.2",
	.options = presence_options,
	.conf_size = sizeof(struct presence_conf),
	.hooks = presence_hooks,
	.session_state = sizeof(struct directed),
	.session_done = directed_done,
	.session_save = directed_save,
	.session_restore = directed_restore,
};
