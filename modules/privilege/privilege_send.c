/*
 * privilege_send.c - what a component sends as a user, or as the host: messages
 * (XEP-0356 §5) and requests (§6).
 *
 *   component --<privilege/>--> host --outgoing--> account --hooks--> whom it is for
 *
 *   component --<privileged_iq/>--> account --iq_ask()--> whom it is for
 *       ^                              |  <--------------------'
 *       `--<privilege/> <--------------'
 */
#include "config.h"

#include "privilege.h"

/* How long a request may take. */
#define ANSWER_US (30 * US_PER_S)

/* --- messages ------------------------------------------------------------------- */

/* The <message/> that st forwards; NULL: it does so in no way that we know.  Others
 * may stand beside it: a delay (XEP-0297 §3.1), or what a library adds to all that it
 * sends, such as an origin-id. */
static const struct elem *
forwarded_message(const struct stanza *st)
{
	const struct elem *e = stanza_child(st, NS_PRIVILEGE, "privilege");

	e = e != NULL ? elem_child(e, NS_FORWARD, "forwarded") : NULL;
	return e != NULL ? elem_child(e, NS_CLIENT, "message") : NULL;
}

/* Nothing but the message itself, where account_send_outgoing() looks for it. */
static void
wrap_anew(struct stanza *st, const struct elem *message)
{
	struct elem *root = st->root;
	struct arena *a = st->arena;
	struct elem *copy = elem_copy(a, message);
	struct elem *privilege = elem_new(a, NS_PRIVILEGE, "privilege");

	elem_append(elem_add(a, privilege, NS_FORWARD, "forwarded"), copy);
	root->first = root->last = NULL;
	elem_append(root, privilege);
}

/* in is taken, and st. */
static void
message_pass(struct module_ctx *m, struct shard *sh, struct stanza *st,
	struct stanza *in, const struct elem *message)
{
	struct jid from = in->from;
	bool whole = jid_is_set(from) && jid_is_bare(from) &&
		str_eq(jid_domain(from), m->host->domain);

	if (!whole || (jid_local(from).n == 0 && !jid_is_set(in->to))) {
		router_bounce(sh, st, COND_FORBIDDEN, whole ?
			"A message of the host needs a \"to\"" :
			"\"from\" has to be the host, or a bare address there");
	} else if (jid_local(from).n == 0) {
		router_send(sh, in);
		stanza_free(st);
		return;
	} else {
		wrap_anew(st, message);
		stanza_set_to(st, from);
		st->outgoing = true;
		router_send(sh, st);
	}
	stanza_free(in);
}

enum hook_result
privilege_on_message(struct module_ctx *m, void *arg)
{
	const struct host_message *got = arg;
	struct stanza *st = got->st;
	const struct config_component *c;
	const struct elem *message;
	enum stanza_cond cond;
	struct stanza *in;
	struct arena *a;

	if (st->type == MESSAGE_ERROR ||
		stanza_child(st, NS_PRIVILEGE, "privilege") == NULL)
		return HOOK_PASS;
	c = privilege_of(m, got->shard, st->from);
	if (c == NULL || c->message != MESSAGES_OUTGOING) {
		router_bounce(got->shard, st, COND_FORBIDDEN, NULL);
		return HOOK_HANDLED;
	}
	message = forwarded_message(st);
	if (message == NULL) {
		router_bounce(got->shard, st, COND_BAD_REQUEST,
			"Expected one <message/> of jabber:client in <forwarded/> in <privilege/>");
		return HOOK_HANDLED;
	}
	a = arena_new();
	in = stanza_from_elem(a, elem_copy(a, message), &cond);
	if (in != NULL) {
		message_pass(m, got->shard, st, in, message);
	} else {
		arena_free(a);
		router_bounce(got->shard, st, cond, NULL);
	}
	return HOOK_HANDLED;
}

/* --- requests --------------------------------------------------------------------- */

struct asked {
	struct iq *iq; /* kept */
	struct str id; /* as the component has chosen it */
	struct jid to; /* who was asked */
};

/* §6.3: what came, as it came; where nothing did, as if it had. */
static struct elem *
answer_elem(const struct asked *asked, const struct stanza *answer)
{
	struct arena *a = asked->iq->st->arena;
	struct stanza *late = NULL;
	struct elem *root;

	if (answer == NULL) {
		struct stanza *st = stanza_new(asked->iq->st->type,
			asked->iq->st->to, asked->to, asked->id);

		late = stanza_error(st, COND_REMOTE_SERVER_TIMEOUT, STR_NONE);
		stanza_free(st);
	}
	root = elem_copy(a, late != NULL ? late->root : answer->root);
	elem_set_attr(a, root, "id", asked->id);
	stanza_free(late);
	return root;
}

static void
on_answer(void *arg, const struct stanza *answer, const struct err *err)
{
	struct asked *asked = arg;
	struct iq *iq = asked->iq;
	struct arena *a = iq->st->arena;
	struct elem *payload = iq_payload(iq, NS_PRIVILEGE, "privilege");

	if (answer == NULL && err->code == ERR_LIMIT) {
		iq_error(iq, COND_RESOURCE_CONSTRAINT, NULL);
		return;
	}
	elem_append(elem_add(a, payload, NS_FORWARD, "forwarded"),
		answer_elem(asked, answer));
	iq_result(iq, payload);
}

/* What it is to send, made by what it has sent; NULL: it may not (§6.3). */
static struct stanza *
inner_request(struct iq *iq, const struct config_component *c)
{
	const struct elem *e = elem_first_child(iq->payload);
	int type = iq->st->type == IQ_GET ? ACCESS_GET : ACCESS_SET;
	enum stanza_cond cond;
	struct stanza *st;
	struct arena *a;

	if (e == NULL || elem_count(iq->payload) != 1 ||
		!elem_is(e, NS_CLIENT, "iq"))
		return NULL;
	a = arena_new();
	st = stanza_from_elem(a, elem_copy(a, e), &cond);
	if (st == NULL) {
		arena_free(a);
		return NULL;
	}
	if (st->type == iq->st->type &&
		(!jid_is_set(st->from) || jid_eq(st->from, iq->st->to)) &&
		config_component_asks(c, type, stanza_payload(st)->ns)) {
		st->behind = arena_str(a, str_c(c->domain));
		return st;
	}
	stanza_free(st);
	return NULL;
}

/* As if its owner had sent it (XEP-0191 §3.3). */
static void
request_turn_away(struct asked *asked, struct stanza *st)
{
	struct stanza *answer = block_error(st);

	on_answer(asked, answer, NULL);
	stanza_free(answer);
	stanza_free(st);
}

static void
request_send(struct module_ctx *m, struct iq *iq, struct stanza *st)
{
	struct arena *a = iq->st->arena;
	struct asked *asked = arena_alloc(a, sizeof(*asked));
	struct shard *sh = iq->shard;

	stanza_set_from(st, iq->st->to);
	if (!jid_is_set(st->to))
		stanza_set_to(st, iq->st->to);
	*asked = (struct asked){
		.iq = iq,
		.id = arena_str(a, st->id),
		.to = jid_copy(a, st->to),
	};
	if (account_blocks(iq_account(iq), asked->to))
		request_turn_away(asked, st);
	else
		module_ask(m, sh, st, ANSWER_US, on_answer, asked);
}

enum hook_result
privilege_on_iq(struct module_ctx *m, struct iq *iq)
{
	const struct config_component *c =
		privilege_of(m, iq->shard, iq->st->from);
	struct account *acc = iq_account(iq);
	struct stanza *st;

	if (c == NULL)
		return privilege_on_iq_elsewhere(m, iq);
	st = acc != NULL && acc->exists ? inner_request(iq, c) : NULL;
	if (st == NULL)
		iq_error(iq, COND_FORBIDDEN, NULL);
	else if (iq_pass_on(iq))
		request_send(m, iq, st);
	else
		stanza_free(st);
	return HOOK_HANDLED;
}

enum hook_result
privilege_on_iq_elsewhere(struct module_ctx *m, struct iq *iq)
{
	(void)m;
	iq_error(iq, COND_FORBIDDEN, NULL);
	return HOOK_HANDLED;
}

bool
privilege_refuses(struct module_ctx *m, struct account_stanza *in)
{
	struct stanza *st = in->st;

	(void)m;
	if (jid_is_bare(st->to) ||
		(st->type != IQ_GET && st->type != IQ_SET) ||
		stanza_child(st, NS_PRIVILEGE, "privileged_iq") == NULL)
		return false;
	router_bounce(in->account->e.shard, st, COND_FORBIDDEN, NULL);
	return true;
}
