/*
 * sm_ended.c - what is known of sessions that have ended: up to which number what
 * their clients had sent was handled, so that who comes back too late need not send
 * that again (XEP-0198 §5).
 *
 *    the session ends --> log "sm_ended": id, when, count
 *                                  |  asked for when there is no such session
 *    <resume previd='id'/> --------+--> <failed h='count'/>
 *
 * Of an account the last ENDED_MAX; what is too old is taken out by the next one, and
 * not told.  Nothing is known of one whose client has said goodbye when it had heard
 * of all, and will not ask; nor of one that still had an error for its client: what
 * that is about counts as handled, and nobody would hear that it was refused.
 *
 * Owner shard of the account; who asks may be on another.
 */
#include "config.h"

#include "sm.h"

#define ENDED_MAX 20

/* --- written ------------------------------------------------------------------ */

const uint32_t *
sm_last_count(const struct session *s, uint32_t *h)
{
	*h = session_handled(s);
	return session_owes_error(s) ? NULL : h;
}

static bool
account_stores(const struct account *acc)
{
	return acc->exists && !acc->anonymous && !acc->removing &&
		!shard_refuses_writes(acc->e.shard);
}

/* Nobody waits for it: without it a client sends more again than it has to. */
static void
ended_write(struct module_ctx *m, const struct session *s, struct str id,
	uint32_t h)
{
	const struct sm_conf *conf = m->conf;
	const struct account *acc = s->account;
	struct shard *sh = acc->e.shard;
	struct store_place at = account_place(acc, LOG_ENDED);
	int64_t now_us = shard_wall_us(sh);
	struct store_tx *tx = store_tx_new();
	struct arena *a = arena_new();

	store_tx_append(tx, at, id, now_us, STR(""),
		arena_printf(a, "%u", (unsigned)h));
	store_tx_trim_count(tx, at, ENDED_MAX);
	store_tx_trim_age(tx, at, now_us - conf->remember_us);
	module_commit(m, sh, tx, NULL, NULL);
	arena_free(a);
}

/* --- sessions that were lost ---------------------------------------------------- */

static struct sm_account *
account_of_session(struct module_ctx *m, const struct session *s)
{
	return module_entity_state(m, &s->account->e);
}

static bool
has_lost_one(struct module_ctx *m, const struct session *s)
{
	return s->account->lost && session_shard(s)->now_us -
			account_of_session(m, s)->lost_us < RECENT_US;
}

/* They sleep, or seem to be there and are not: who begins anew may have left one of
 * them; and what he had sent there may come behind what he sends here.  False: there
 * is none. */
static bool
mark_others(struct module_ctx *m, const struct session *s)
{
	bool any = false;

	for (struct session *o = s->account->sessions; o != NULL; o = o->next) {
		if (o == s || sm_of(m, o) == NULL)
			continue;
		o->again = true;
		any = true;
	}
	return any;
}

/* Who has lost a session sends again what he does not know to have arrived; and
 * does not say which that is. */
bool
sm_comes_again(struct module_ctx *m, const struct element *el)
{
	const struct server *srv = el->shard->server;

	return mark_others(m, el->session) || el->lost ||
		has_lost_one(m, el->session) ||
		(srv->was_killed &&
			el->shard->now_us - srv->killed_us < RECENT_US);
}

/* It may have left memory since, or the server was started again. */
enum hook_result
sm_on_load(struct module_ctx *m, void *arg)
{
	const struct account_load *load = arg;
	struct shard *sh = load->account->e.shard;
	int64_t now_us = shard_wall_us(sh);

	for (size_t i = 0; i < load->n; i++) {
		const struct store_entry *e = &load->entries[i];
		struct sm_account *sma = module_entity_state(m, &load->account->e);

		if (!str_is(e->with, LOG_ENDED) || e->key.p != NULL ||
			e->last == 0 || now_us - e->wall_us >= RECENT_US)
			continue;
		load->account->lost = true;
		sma->lost_us = sh->now_us - MAX(now_us - e->wall_us, 0);
	}
	return HOOK_PASS;
}

enum hook_result
sm_on_closed(struct module_ctx *m, void *arg)
{
	struct session *s = arg;
	struct sm *sm = sm_of(m, s);
	const uint32_t *last;
	uint32_t h;
	bool lost;

	if (sm == NULL)
		return HOOK_PASS;
	/* who says goodbye before he has heard of all may well say it again */
	lost = !s->left || sm->unheard;
	if (lost) {
		s->account->lost = true;
		account_of_session(m, s)->lost_us = session_shard(s)->now_us;
	}
	last = sm_last_count(s, &h);
	if (last != NULL && lost && sm->sleep_us != 0 &&
		account_stores(s->account))
		ended_write(m, s, str_c(sm->id), h);
	sm_refuse_waiting(sm, s->left ? NULL : last);
	return HOOK_PASS;
}

/* --- asked for ------------------------------------------------------------------ */

/* A stream that is held until it is known. */
struct ended_read {
	struct element_later later;
	int64_t since_us;
};

static void
on_ended(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct ended_read read = *(struct ended_read *)arg;
	const struct store_entry *e =
		err == NULL && answer->n != 0 ? answer->entries : NULL;
	struct element el;
	long long h;
	uint32_t last;
	bool known = e != NULL && e->wall_us >= read.since_us &&
		str_to_int(e->value, 0, UINT32_MAX, &h);

	free(arg);
	if (!element_find(&read.later, &el))
		return;
	last = known ? (uint32_t)h : 0;
	sm_refuse_resume(&el, COND_ITEM_NOT_FOUND, known ? &last : NULL);
	element_go_on(&el);
}

/* Only ids that can be ours are looked for, and of their own account. */
void
sm_refuse_ended(struct module_ctx *m, struct element *el, struct str id)
{
	const struct sm_conf *conf = m->conf;
	struct store_place at = { .name = STR(LOG_ENDED) };
	struct ended_read *read;

	if (id.n != RAND_ID_SIZE - 1 ||
		!str_cut(el->account, '@', &at.owner, &at.host)) {
		sm_refuse_resume(el, COND_ITEM_NOT_FOUND, NULL);
		return;
	}
	read = xmalloc(sizeof(*read));
	*read = (struct ended_read){ element_keep(el),
		shard_wall_us(el->shard) - conf->remember_us };
	module_get_entries(m, el->shard, at, &id, 1, 0, on_ended, read);
}
