/*
 * sm_acks.c - who has got what: <r/> and <a/>, both ways (XEP-0198 §4).
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "sm.h"

/* --- what the client has sent (§4) --------------------------------------------- */

static struct elem *
sm_ack(struct arena *a, struct session *s, struct sm *sm)
{
	struct elem *e = sm_elem(a, "a");

	sm->told = session_handled(s);
	sm->owes = sm->told != session_received(s);
	sm->due = false;
	sm_set_number(a, e, "h", sm->told);
	return e;
}

/* What came in front of it, and goes nowhere else, is dealt with in this turn. */
enum hook_result
sm_on_r(struct module_ctx *m, struct element *el)
{
	struct sm *sm = el->session != NULL ? sm_of(m, el->session) : NULL;

	if (sm == NULL)
		return sm_failed(el, COND_UNEXPECTED_REQUEST, NULL);
	if (sm_is_dealt_with(el->session)) {
		element_write(el, sm_ack(el->arena, el->session, sm));
	} else {
		sm->due = true;
		session_look_at_counts(el->session);
	}
	return HOOK_HANDLED;
}

static void
sm_tell(struct session *s, struct sm *sm)
{
	struct arena *a = arena_new();

	session_write_element(s, sm_ack(a, s, sm));
	arena_free(a);
}

void
sm_tell_more(struct session *s, struct sm *sm)
{
	if (sm->due || (sm->owes && sm->told != session_handled(s)))
		sm_tell(s, sm);
}

/* What it knows now it need not send again if it does not come back in time. */
enum hook_result
sm_on_stopping(struct module_ctx *m, void *arg)
{
	struct session *s = arg;
	struct sm *sm = sm_of(m, s);

	if (sm == NULL || s->state == SESSION_ASLEEP)
		return HOOK_PASS;
	sm->unheard = sm->told != session_received(s);
	if (sm->told != session_handled(s))
		sm_tell(s, sm);
	return HOOK_PASS;
}

/* --- what it has been sent ------------------------------------------------------ */

/* §6 */
void
sm_end_too_high(struct element *el, uint32_t h, uint32_t sent)
{
	struct arena *a = arena_new();
	struct elem *e = sm_elem(a, "handled-count-too-high");

	sm_set_number(a, e, "h", h);
	sm_set_number(a, e, "send-count", sent);
	element_end_app(el, STREAM_UNDEFINED_CONDITION, e,
		arena_printf(a, "You acknowledged %u stanzas, but I only sent you "
			"%u so far", (unsigned)h, (unsigned)sent).p);
	arena_free(a);
}

/* As numbers go round, one that is not between both is nearer to either. */
bool
sm_is_too_high(const struct session *s, uint32_t h)
{
	return (int32_t)(h - session_sent(s)) > 0;
}

/* Who says nothing new, and has not all, may be slow: he is asked again after a
 * while, and not at once, which would go on for ever, nor is that an answer. */
static void
sm_answered(struct module_ctx *m, struct session *s, struct sm *sm, bool enough)
{
	const struct sm_conf *conf = m->conf;
	struct shard *sh = session_shard(s);

	if (enough) {
		sm->asked_us = 0;
		shard_timer_cancel(sh, &sm->timer);
		sm_look(m, s, sm);
	} else if (sm->asked_us != 0 && !sm->again) {
		sm->again = true;
		shard_timer(sh, &sm->timer, MIN(conf->ask_us, conf->answer_us),
			on_sm_timer);
	}
}

enum hook_result
sm_on_a(struct module_ctx *m, struct element *el)
{
	struct session *s = el->session;
	struct sm *sm = s != NULL ? sm_of(m, s) : NULL;
	uint32_t h, n;

	if (sm == NULL)
		return sm_failed(el, COND_UNEXPECTED_REQUEST, NULL);
	n = session_unacked(s);
	if (!sm_get_h(el->e, &h)) {
		element_end(el, STREAM_BAD_FORMAT, "An <a/> needs its \"h\"");
	} else if (session_acked(s, h)) {
		sm_answered(m, s, sm,
			session_unacked(s) == 0 || session_unacked(s) != n);
	} else if (sm_is_too_high(s, h)) {
		sm_end_too_high(el, h, session_sent(s));
	}
	/* else it has said more before */
	return HOOK_HANDLED;
}

static bool
is_over(const struct sm_conf *conf, const struct session *s)
{
	struct session_backlog b = session_backlog(s);

	return b.stanzas >= conf->unacked_stanzas ||
		b.bytes >= conf->unacked_bytes;
}

static void
sm_ask(const struct sm_conf *conf, struct session *s, struct sm *sm)
{
	struct shard *sh = session_shard(s);
	struct arena *a = arena_new();

	session_write_element(s, sm_elem(a, "r"));
	arena_free(a);
	if (sm->asked_us == 0)
		sm->asked_us = sh->now_us;
	sm->again = false;
	sm->taken = session_taken(s);
	shard_timer(sh, &sm->timer, conf->answer_us, on_sm_timer);
}

void
sm_look(struct module_ctx *m, struct session *s, struct sm *sm)
{
	const struct sm_conf *conf = m->conf;
	uint32_t n = session_unacked(s);

	if (s->state == SESSION_ASLEEP && is_over(conf, s))
		session_end_soon(s);
	if (s->state != SESSION_ATTACHED || sm->asked_us != 0 || n == 0)
		return;
	/* nobody writes more before it has said that it has some */
	if (n >= conf->ask_stanzas || is_over(conf, s) || session_is_behind(s))
		sm_ask(conf, s, sm);
	else if (!timer_is_set(&sm->timer))
		shard_timer(session_shard(s), &sm->timer, conf->ask_us,
			on_sm_timer);
}

/* Who has been asked already, and is silent, is not asked again. */
enum hook_result
sm_on_silent(struct module_ctx *m, void *arg)
{
	struct session *s = arg;
	struct sm *sm = sm_of(m, s);

	if (sm == NULL)
		return HOOK_PASS;
	if (sm->asked_us == 0)
		sm_ask(m->conf, s, sm);
	return HOOK_HANDLED;
}

/* Who has yet to read the question, and goes on reading, cannot answer it; how fast
 * he has to be is said elsewhere (limits: write_bytes_per_second). */
static bool
still_reads(const struct session *s, struct sm *sm)
{
	uint64_t before = sm->taken;

	sm->taken = session_taken(s);
	return session_queued(s) != 0 && sm->taken != before;
}

/* It was asked, and has said nothing new. */
static void
sm_judge(const struct sm_conf *conf, struct session *s, struct sm *sm)
{
	struct shard *sh = session_shard(s);
	int64_t since_us = MAX(sm->asked_us, session_heard_us(s));

	if (still_reads(s, sm)) {
		shard_timer(sh, &sm->timer, conf->answer_us, on_sm_timer);
	} else if (is_over(conf, s) &&
		sh->now_us - sm->asked_us >= conf->answer_us) {
		sh->stats.refused++;
		session_close(s, STREAM_POLICY_VIOLATION,
			"Too much of what you were sent is not acknowledged");
	} else if (sm->again) {
		sm_ask(conf, s, sm);
	} else if (sh->now_us - since_us >= conf->answer_us) {
		session_cut(s, "does not acknowledge what it is sent");
	} else if (session_is_behind(s) &&
		sh->now_us - sm->asked_us >= conf->answer_us) {
		sm_ask(conf, s, sm); /* it is awake, and would wait for ever */
	} else {
		shard_timer(sh, &sm->timer,
			since_us + conf->answer_us - sh->now_us, on_sm_timer);
	}
}

void
on_sm_timer(struct timer *t)
{
	struct sm *sm = CONTAINER_OF(t, struct sm, timer);
	struct session *s = sm->session;
	const struct host *host = account_host(s->account);
	struct module_ctx *m =
		host != NULL ? module_at_host(host, sm->entry) : NULL;

	if (m == NULL)
		return;
	if (s->state == SESSION_ASLEEP)
		sm_resume_waiting(m, s, sm);
	else if (sm->asked_us != 0)
		sm_judge(m->conf, s, sm);
	else if (session_unacked(s) != 0)
		sm_ask(m->conf, s, sm);
}

void
sm_fall_asleep(struct session *s, struct sm *sm)
{
	shard_timer_cancel(session_shard(s), &sm->timer);
	sm->asked_us = 0;
	sm->owes = sm->due = sm->ends = false;
	sm->slept_us = session_shard(s)->now_us;
}
