/*
 * sm.c - stream management (XEP-0198): both sides say how many stanzas they have
 * got, and a session whose connection broke goes on with another one.
 *
 *        <enable/>                its stream breaks
 *   OFF -----------> ON ------------------------------> asleep --> expired
 *                     ^                                    |
 *                     |  <resumed/>, when what came before |  <resume/>, at most
 *                     |  is dealt with                     |  one at a time
 *                     '-----------------WAIT <-------------'
 *
 * What the client has sent counts when it is durable, delivered or refused
 * (session_handled()): <r/> is answered with what is so at the end of the turn, which
 * is when answers are written; and when that was not all, an <a/> follows unasked.
 *
 * What it has been sent is kept until it says that it has it.  It is asked for that
 * behind so many stanzas, or some time after one; never when it has said so for all,
 * and never twice before it has answered: a phone is not woken for nothing.  Who is
 * silent then is cut off, and sleeps; who speaks, but is given no more before he has
 * answered (session_is_behind()), is asked again.  One that has all and says nothing for long
 * (limits: idle_before_ping) is asked, too, in place of a ping, which would wait in
 * its queue like any stanza, for a client that is gone.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "sm.h"

static const struct option sm_options[] = {
	{ .name = "sleep", .type = OPT_DURATION, .dflt = "10m", .min = "1s",
		.max = "1d", .off = offsetof(struct sm_conf, sleep_us),
		.help = "how long a session whose connection broke waits for "
			"its client to come back; a client can ask for less" },
	{ .name = "sleepers", .type = OPT_INT, .dflt = "10", .min = "1",
		.max = "1000", .off = offsetof(struct sm_conf, sleepers),
		.help = "sessions of one account that wait so at the same time; "
			"with one more, the one that waits longest ends" },
	{ .name = "unacked_stanzas", .type = OPT_INT, .dflt = "500",
		.min = "10", .max = "100000",
		.off = offsetof(struct sm_conf, unacked_stanzas),
		.help = "stanzas that a client need not have acknowledged; who "
			"is asked then and does not answer loses the session, "
			"and one that sleeps ends" },
	{ .name = "unacked_bytes", .type = OPT_SIZE, .dflt = "1MiB",
		.min = "64KiB", .max = "1GiB",
		.off = offsetof(struct sm_conf, unacked_bytes),
		.help = "the same in bytes" },
	{ .name = "ask_after_stanzas", .type = OPT_INT, .dflt = "10",
		.min = "1", .max = "1000",
		.off = offsetof(struct sm_conf, ask_stanzas),
		.help = "behind so many stanzas a client is asked whether it "
			"has them" },
	{ .name = "ask_after", .type = OPT_DURATION, .dflt = "3s",
		.min = "100ms", .max = "10m",
		.off = offsetof(struct sm_conf, ask_us),
		.help = "so long after a stanza, too" },
	{ .name = "answer_within", .type = OPT_DURATION, .dflt = "60s",
		.min = "1s", .max = "1h",
		.off = offsetof(struct sm_conf, answer_us),
		.help = "a client that has been asked and then sends nothing for "
			"so long is cut off; its session waits" },
	{ .name = "remember", .type = OPT_DURATION, .dflt = "1d", .min = "1m",
		.max = "30d", .off = offsetof(struct sm_conf, remember_us),
		.help = "how long a client that comes back too late is told how "
			"much of what it had sent has arrived, so that it sends "
			"the rest alone again; of the last 20 sessions of an "
			"account" },
	{ .name = NULL },
};

struct sm *
sm_of(struct module_ctx *m, struct session *s)
{
	struct sm *sm;

	if (!session_keeps_output(s))
		return NULL;
	sm = module_session_state(m, s);
	sm->entry = m->entry; /* it may have been restored */
	return sm->session != NULL ? sm : NULL;
}

/* --- elements ---------------------------------------------------------------- */

struct elem *
sm_elem(struct arena *a, const char *name)
{
	return elem_new(a, NS_SM, name);
}

void
sm_set_number(struct arena *a, struct elem *e, const char *name, uint32_t n)
{
	elem_set_attr(a, e, name, arena_printf(a, "%u", (unsigned)n));
}

bool
sm_get_h(const struct elem *e, uint32_t *h_out)
{
	long long h;

	if (!str_to_int(elem_attr(e, "h"), 0, UINT32_MAX, &h))
		return false;
	*h_out = (uint32_t)h;
	return true;
}

enum hook_result
sm_failed(struct element *el, enum stanza_cond cond, const uint32_t *h)
{
	struct arena *a = arena_new();
	struct elem *e = sm_elem(a, "failed");

	if (h != NULL)
		sm_set_number(a, e, "h", *h);
	elem_add(a, e, NS_STANZAS, stanza_cond_name(cond));
	element_write(el, e);
	arena_free(a);
	return HOOK_HANDLED;
}

/* --- hooks -------------------------------------------------------------------------- */

static enum hook_result
on_features(struct module_ctx *m, void *arg)
{
	struct stream_features *f = arg;

	(void)m;
	if (f->authenticated)
		elem_add(f->arena, f->features, NS_SM, "sm");
	return HOOK_PASS;
}

static enum hook_result
on_counted(struct module_ctx *m, void *arg)
{
	struct session *s = arg;
	struct sm *sm = sm_of(m, s);

	if (sm == NULL)
		return HOOK_PASS;
	sm_tell_more(s, sm);
	sm_look(m, s, sm);
	/* not from within a hook of a session that it may end */
	if (sm->wait != NULL && sm_is_dealt_with(s))
		shard_timer(session_shard(s), &sm->timer, 0, on_sm_timer);
	return HOOK_PASS;
}

/* --- state --------------------------------------------------------------------------- */

/* When the module goes, sessions end, so that what was not acknowledged finds
 * another place. */
static void
session_done(struct session *s, void *state)
{
	struct sm *sm = state;
	bool on;

	shard_timer_cancel(session_shard(s), &sm->timer);
	/* one that ends has nothing left to keep */
	on = sm->session != NULL && session_keeps_output(s);
	if (on && s->state == SESSION_ASLEEP)
		session_end_soon(s);
	else if (on)
		session_cut(s, "stream management is switched off");
	sm_refuse_waiting(sm, NULL);
}

static void
session_save(const struct session *s, const void *state, struct arena *a,
	struct elem *into)
{
	const struct sm *sm = state;
	struct elem *e;

	(void)s;
	if (sm->session == NULL || sm->sleep_us == 0)
		return;
	e = elem_add(a, into, NS_SM, "sm");
	elem_set_attr(a, e, "id", str_c(sm->id));
	sm_set_number(a, e, "max", (uint32_t)(sm->sleep_us / US_PER_S));
}

static bool
session_restore(struct session *s, void *state, const struct elem *from)
{
	const struct elem *e = elem_child(from, NS_SM, "sm");
	struct str id = e != NULL ? elem_attr(e, "id") : STR_NONE;
	struct sm *sm = state;
	long long max;

	if (id.n != sizeof(sm->id) - 1 ||
		!str_to_int(elem_attr(e, "max"), 1, INT32_MAX, &max))
		return false;
	memcpy(sm->id, id.p, id.n);
	sm->session = s;
	sm->sleep_us = max * US_PER_S;
	sm->slept_us = session_shard(s)->now_us;
	return true;
}

/* --- tables --------------------------------------------------------------------------- */

#define ANY_STAGE (ELEMENT_STRANGER | ELEMENT_AUTHENTICATED | ELEMENT_BOUND)

static const struct hook_handler sm_hooks[] = {
	{ HOOK_ACCOUNT_LOAD, HOOK_KEEP, sm_on_load },
	{ HOOK_STREAM_FEATURES, HOOK_DELIVER, on_features },
	{ HOOK_SESSION_COUNTED, HOOK_DELIVER, on_counted },
	{ HOOK_SESSION_SILENT, HOOK_DELIVER, sm_on_silent },
	{ HOOK_SESSION_LOST, HOOK_DELIVER, sm_on_lost },
	{ HOOK_SESSION_STOPPING, HOOK_DELIVER, sm_on_stopping },
	{ HOOK_SESSION_CLOSED, HOOK_DELIVER, sm_on_closed },
	{ .fn = NULL },
};

static const struct element_handler sm_elements[] = {
	{ ANY_STAGE, NS_SM, "enable", sm_on_enable },
	{ ANY_STAGE, NS_SM, "resume", sm_on_resume },
	{ ANY_STAGE, NS_SM, "r", sm_on_r },
	{ ANY_STAGE, NS_SM, "a", sm_on_a },
	{ .fn = NULL },
};

MODULE(sm) = {
	.api = MODULE_API,
	.name = "sm",
	.summary = "acknowledge stanzas, and resume streams that broke",
	.specs = "XEP-0198 1.6.3",
	.options = sm_options,
	.conf_size = sizeof(struct sm_conf),
	.hooks = sm_hooks,
	.elements = sm_elements,
	.account_maps = (const char *const[]){ LOG_ENDED, NULL },
	.entity_state = sizeof(struct sm_account),
	.session_state = sizeof(struct sm),
	.session_done = session_done,
	.session_save = session_save,
	.session_restore = session_restore,
};
