/*
 * mod_testresume.c - a toy stream management: what is written is kept until it is
 * acknowledged, and a session whose stream broke is resumed by another one.  Built
 * with the tests, never installed.
 *
 *   <iq type='set'><enable xmlns='urn:antiphon:test:resume'/>
 *       the result is the first stanza that counts
 *   <ack xmlns='urn:antiphon:test:resume' id='ID' h='NUMBER'/>
 *       the answer says how many are left: <acked id='ID' left='NUMBER'/>; or
 *       <failed/>
 *   <resume xmlns='urn:antiphon:test:resume' resource='OLD' h='NUMBER'/>
 *       instead of binding: the stream stands behind the session OLD from now on,
 *       after <resumed/>; or <failed/>
 *   <count xmlns='urn:antiphon:test:resume'/>
 *       what comes from now on has numbers; the answer says up to which all is dealt
 *       with: <counted h='NUMBER'/>
 *
 * Owner shard of the account.
 */
#include <stdio.h>

#include "module/module.h"

#define NS_RESUME "urn:antiphon:test:resume"

struct resume_conf {
	int64_t sleep_us;
};

static const struct option resume_options[] = {
	{ .name = "sleep", .type = OPT_DURATION, .dflt = "60s", .min = "1s",
		.max = "1d", .off = offsetof(struct resume_conf, sleep_us),
		.help = "how long a session waits for its client" },
	{ .name = NULL },
};

/* In the slot of a session. */
struct resumable {
	bool on;
};

static bool
read_h(const struct elem *e, uint32_t *h_out)
{
	long long h;

	if (!str_to_int(elem_attr(e, "h"), 0, UINT32_MAX, &h))
		return false;
	*h_out = (uint32_t)h;
	return true;
}

static void
enable(struct module_ctx *m, struct session *s, const struct stanza *st)
{
	struct resumable *r = module_session_state(m, s);
	struct stanza *result = stanza_result(st);

	r->on = true;
	session_keep_output(s, true);
	session_write(s, result);
	stanza_free(result);
}

static void
answer(struct element *el, const char *name)
{
	element_write(el, elem_new(el->arena, NS_RESUME, name));
}

static enum hook_result
on_ack(struct module_ctx *m, struct element *el)
{
	struct elem *acked = elem_new(el->arena, NS_RESUME, "acked");
	char left[24];
	uint32_t h;

	(void)m;
	if (!read_h(el->e, &h) || !session_acked(el->session, h)) {
		answer(el, "failed");
		return HOOK_HANDLED;
	}
	snprintf(left, sizeof(left), "%u", session_unacked(el->session));
	elem_set_attr(el->arena, acked, "id", elem_attr(el->e, "id"));
	elem_set_attr(el->arena, acked, "left", str_c(left));
	element_write(el, acked);
	return HOOK_HANDLED;
}

static enum hook_result
on_count(struct module_ctx *m, struct element *el)
{
	struct elem *counted = elem_new(el->arena, NS_RESUME, "counted");
	char h[24];

	(void)m;
	if (!el->session->counts)
		session_count_input(el->session, true);
	snprintf(h, sizeof(h), "%u", session_handled(el->session));
	elem_set_attr(el->arena, counted, "h", str_c(h));
	element_write(el, counted);
	return HOOK_HANDLED;
}

static struct session *
find_resumable(struct module_ctx *m, const struct element *el)
{
	struct account *acc = account_find(el->shard, el->account);
	struct session *s = acc != NULL ?
		session_find(acc, elem_attr(el->e, "resource")) :
		NULL;

	return s != NULL &&
			((struct resumable *)module_session_state(m, s))->on ?
		s :
		NULL;
}

static enum hook_result
on_resume(struct module_ctx *m, struct element *el)
{
	struct session *s = find_resumable(m, el);
	uint32_t h;

	if (s == NULL || !read_h(el->e, &h) || !session_acked(s, h)) {
		answer(el, "failed");
		return HOOK_HANDLED;
	}
	answer(el, "resumed");
	session_attach(s, el->session_ops, el->stream);
	return HOOK_HANDLED;
}

static enum hook_result
on_send(struct module_ctx *m, void *arg)
{
	struct session_stanza *out = arg;
	const struct elem *e = out->st->type == IQ_SET ?
		stanza_payload(out->st) :
		NULL;

	if (e == NULL || !elem_is(e, NS_RESUME, "enable"))
		return HOOK_PASS;
	enable(m, out->session, out->st);
	stanza_free(out->st);
	return HOOK_HANDLED;
}

static enum hook_result
on_lost(struct module_ctx *m, void *arg)
{
	struct session_loss *loss = arg;
	const struct resumable *r = module_session_state(m, loss->session);
	const struct resume_conf *conf = m->conf;

	if (!r->on)
		return HOOK_PASS;
	loss->sleep_us = conf->sleep_us;
	return HOOK_HANDLED;
}

static void
session_done(struct session *s, void *state)
{
	const struct resumable *r = state;

	if (r->on)
		session_keep_output(s, false);
}

static void
session_save(const struct session *s, const void *state, struct arena *a,
	struct elem *into)
{
	const struct resumable *r = state;

	(void)s;
	if (r->on)
		elem_add(a, into, NS_RESUME, "on");
}

static bool
session_restore(struct session *s, void *state, const struct elem *from)
{
	struct resumable *r = state;

	(void)s;
	r->on = elem_child(from, NS_RESUME, "on") != NULL;
	return r->on;
}

static const struct hook_handler resume_hooks[] = {
	{ HOOK_SESSION_SEND, HOOK_GUARD, on_send },
	{ HOOK_SESSION_LOST, HOOK_DELIVER, on_lost },
	{ .fn = NULL },
};

static const struct element_handler resume_elements[] = {
	{ ELEMENT_AUTHENTICATED, NS_RESUME, "resume", on_resume },
	{ ELEMENT_BOUND, NS_RESUME, "ack", on_ack },
	{ ELEMENT_BOUND, NS_RESUME, "count", on_count },
	{ .fn = NULL },
};

MODULE(testresume) = {
	.api = MODULE_API,
	.name = "testresume",
	.summary = "sessions that are resumed, for tests",
	.options = resume_options,
	.conf_size = sizeof(struct resume_conf),
	.hooks = resume_hooks,
	.elements = resume_elements,
	.session_state = sizeof(struct resumable),
	.session_done = session_done,
	.session_save = session_save,
	.session_restore = session_restore,
};
