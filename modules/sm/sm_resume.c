/*
 * sm_resume.c - sessions that may sleep, and wake behind another stream (XEP-0198
 * §3, §5).
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "sm.h"

/* --- enabling (§3) --------------------------------------------------------------- */

static bool
is_true(struct str text)
{
	return str_is(text, "true") || str_is(text, "1");
}

/* A guest never logs in again as the same one. */
static int64_t
sleep_wanted(const struct sm_conf *conf, const struct session *s,
	const struct elem *e)
{
	long long max;

	if (!is_true(elem_attr(e, "resume")) || s->account->anonymous)
		return 0;
	if (!str_to_int(elem_attr(e, "max"), 1, INT32_MAX, &max))
		return conf->sleep_us;
	return MIN(conf->sleep_us, max * US_PER_S);
}

static void
answer_enabled(struct element *el, const struct sm *sm)
{
	struct elem *e = sm_elem(el->arena, "enabled");

	if (sm->sleep_us != 0) {
		elem_set_attr(el->arena, e, "id", str_c(sm->id));
		elem_set_attr(el->arena, e, "resume", STR("true"));
		sm_set_number(el->arena, e, "max",
			(uint32_t)(sm->sleep_us / US_PER_S));
	}
	element_write(el, e);
}

enum hook_result
sm_on_enable(struct module_ctx *m, struct element *el)
{
	struct session *s = el->session;
	struct sm *sm;

	if (s == NULL || sm_of(m, s) != NULL)
		return sm_failed(el, COND_UNEXPECTED_REQUEST, NULL);
	sm = module_session_state(m, s);
	sm->session = s;
	sm->entry = m->entry;
	sm->told = 0;
	sm->sleep_us = sleep_wanted(m->conf, s, el->e);
	rand_id(el->shard->rand, sm->id);
	s->again = sm_comes_again(m, el);
	answer_enabled(el, sm);
	session_keep_output(s, true);
	session_count_input(s, true);
	return HOOK_HANDLED;
}

/* --- resuming (§5) ---------------------------------------------------------------- */

/* Of the own account alone. */
static struct session *
find_session(struct module_ctx *m, const struct element *el, struct str id)
{
	struct account *acc = account_find(el->shard, el->account);
	struct session *s = acc != NULL ? acc->sessions : NULL;

	for (; s != NULL; s = s->next) {
		const struct sm *sm = sm_of(m, s);

		if (sm != NULL && sm->sleep_us != 0 && !session_ends(s) &&
			str_eq(id, str_c(sm->id)))
			return s;
	}
	return NULL;
}

void
sm_refuse_resume(struct element *el, enum stanza_cond cond, const uint32_t *h)
{
	el->shard->stats.resume_refused++;
	element_lose(el);
	sm_failed(el, cond, h);
}

/* Whose counts do not fit ours cannot go on, and would come back for ever with h too
 * high; nor is there anybody else to wait for: s ends. */
static void
resume_miscounted(struct element *el, struct session *s, uint32_t h)
{
	uint32_t last;

	if (sm_is_too_high(s, h)) {
		el->shard->stats.resume_refused++;
		sm_end_too_high(el, h, session_sent(s));
	} else {
		sm_refuse_resume(el, COND_ITEM_NOT_FOUND,
			sm_last_count(s, &last));
	}
	session_end_soon(s);
}

/* All that came before is dealt with; s sleeps. */
static void
resume_now(struct module_ctx *m, struct element *el, struct session *s,
	uint32_t h)
{
	struct sm *sm = sm_of(m, s);
	struct arena *a;
	struct elem *e;

	if (!session_acked(s, h)) {
		resume_miscounted(el, s, h);
		return;
	}
	a = arena_new();
	e = sm_elem(a, "resumed");
	sm->told = session_handled(s);
	sm->owes = sm->due = false;
	sm->asked_us = 0;
	sm_set_number(a, e, "h", sm->told);
	elem_set_attr(a, e, "previd", str_c(sm->id));
	element_write(el, e);
	arena_free(a);
	if (!session_attach(s, el->session_ops, el->stream))
		return;
	el->shard->stats.resumed++;
	sm_look(m, s, sm);
}

/* The stream that was held goes on; false: it has gone. */
static bool
wait_end(struct sm *sm, struct element *el_out, uint32_t *h_out)
{
	struct sm_wait wait = *sm->wait;

	free(sm->wait);
	sm->wait = NULL;
	*h_out = wait.h;
	return element_find(&wait.later, el_out);
}

/* What the stream has read already may end s. */
void
sm_resume_waiting(struct module_ctx *m, struct session *s, struct sm *sm)
{
	struct element el;
	uint32_t h;

	if (sm->wait == NULL || !sm_is_dealt_with(s) || !wait_end(sm, &el, &h))
		return;
	resume_now(m, &el, s, h);
	element_go_on(&el);
}

/* Another one has come. */
static void
wait_replaced(struct sm *sm)
{
	struct element el;
	uint32_t h;

	if (sm->wait == NULL || !wait_end(sm, &el, &h))
		return;
	element_end(&el, STREAM_CONFLICT, "Resumed by a new connection");
	element_go_on(&el);
}

enum hook_result
sm_on_resume(struct module_ctx *m, struct element *el)
{
	struct session *s;
	struct sm *sm;
	uint32_t h;

	if (el->session_ops == NULL)
		return sm_failed(el, COND_UNEXPECTED_REQUEST, NULL);
	if (!sm_get_h(el->e, &h)) {
		sm_refuse_resume(el, COND_BAD_REQUEST, NULL);
		return HOOK_HANDLED;
	}
	s = find_session(m, el, elem_attr(el->e, "previd"));
	if (s == NULL) {
		sm_refuse_ended(m, el, elem_attr(el->e, "previd"));
		return HOOK_HANDLED;
	}
	sm = sm_of(m, s);
	wait_replaced(sm);
	if (s->state == SESSION_ATTACHED) {
		sm_fall_asleep(s, sm);
		session_put_to_sleep(s, m, STREAM_CONFLICT,
			"Resumed by a new connection", sm->sleep_us);
	}
	if (sm_is_dealt_with(s)) {
		resume_now(m, el, s, h);
		return HOOK_HANDLED;
	}
	sm->wait = xmalloc(sizeof(*sm->wait));
	*sm->wait = (struct sm_wait){ element_keep(el), h };
	return HOOK_HANDLED;
}

void
sm_refuse_waiting(struct sm *sm, const uint32_t *h)
{
	struct element el;
	uint32_t theirs;

	if (sm->wait == NULL || !wait_end(sm, &el, &theirs))
		return;
	sm_refuse_resume(&el, COND_ITEM_NOT_FOUND, h);
	element_go_on(&el);
}

/* --- falling asleep ----------------------------------------------------------- */

/* Room for s among those that sleep; several may fall asleep in one turn. */
static void
end_oldest(struct module_ctx *m, const struct session *s)
{
	const struct sm_conf *conf = m->conf;
	struct session *oldest = NULL;
	struct sm *first = NULL;
	int64_t n = 1;

	for (struct session *o = s->account->sessions; o != NULL; o = o->next) {
		struct sm *sm = o != s ? sm_of(m, o) : NULL;

		if (sm == NULL || o->state != SESSION_ASLEEP || sm->ends)
			continue;
		n++;
		if (first == NULL || sm->slept_us < first->slept_us) {
			first = sm;
			oldest = o;
		}
	}
	if (n <= conf->sleepers)
		return;
	first->ends = true;
	session_end_soon(oldest);
}

enum hook_result
sm_on_lost(struct module_ctx *m, void *arg)
{
	struct session_loss *loss = arg;
	struct sm *sm = sm_of(m, loss->session);

	if (sm == NULL || sm->sleep_us == 0)
		return HOOK_PASS;
	if (loss->asks)
		return HOOK_HANDLED;
	end_oldest(m, loss->session);
	sm_fall_asleep(loss->session, sm);
	loss->sleep_us = sm->sleep_us;
	return HOOK_HANDLED;
}
