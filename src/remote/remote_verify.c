/*
 * remote_verify.c - keys that have come in the name of a domain of others, which is
 * asked whether they are its own (XEP-0220 §2.3).
 *
 *	any shard                     the shard of the remote
 *
 *	remote_verify_ask() --------> TELL_VERIFY: waits with the pair, until there
 *	                                 |         is an attempt or a link
 *	                              streams->verify()
 *	                                 |
 *	fn(arg, ok, err) <-----------  remote_verified(), or it takes too long
 *
 * Whom a stranger names is asked also while he is left alone: or two servers that
 * start at the same time would wait for each other.
 *
 * The shard of the remote, but for who asks.  Invariant: v->asked is answered once.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/entity_message.h"

/* Under way for one domain. */
#define VERIFIES_MAX 64

void
remote_verify_ask(struct shard *sh, struct str local, struct str remote,
	struct str address, struct str stream_id, struct str key, bool offers,
	question_fn fn, void *arg)
{
	struct buf both = BUF_INIT;

	buf_add_str(&both, stream_id);
	buf_add_c(&both, " ");
	buf_add_str(&both, key);
	entity_ask(sh,
		&(struct entity_message){
			.kind = TELL_VERIFY,
			.to = jid_trusted(remote),
			.resource = local,
			.text = buf_str(&both),
			.number = { (int64_t)server_hash(sh->server, address),
				offers },
		},
		fn, arg);
	buf_done(&both);
}

static struct remote_verify *
verify_new(struct remote_pair *p, struct entity_message *m)
{
	struct remote_verify *v = xcalloc(1, sizeof(*v) + m->text.n + 1);
	char *text = (char *)(v + 1);
	struct str both = { text, m->text.n };

	memcpy(text, m->text.p, m->text.n);
	v->pair = p;
	if (str_cut(both, ' ', &v->stream_id, &v->key))
		text[v->stream_id.n] = '\0';
	v->asked = m;
	v->address = (uint64_t)m->number[0];
	v->offers = m->number[1] != 0;
	v->until_us = pair_shard(p)->now_us +
		remote_conf(p->remote)->timeout_us;
	TAILQ_INSERT_TAIL(&p->verifies, v, in);
	p->remote->n_verifies++;
	return v;
}

static void
verify_answer(struct remote_verify *v, enum err_code code, const char *why)
{
	struct entity_message *m = v->asked;

	v->asked = NULL;
	if (m == NULL)
		return;
	if (code == ERR_NONE)
		entity_answer(m, NULL);
	else
		entity_refuse(m, code, why);
}

static void
verify_free(struct remote_verify *v)
{
	TAILQ_REMOVE(&v->pair->verifies, v, in);
	v->pair->remote->n_verifies--;
	free(v);
}

void
remote_verified(struct remote_verify *v, enum err_code code, const char *why)
{
	struct remote_pair *p = v->pair;

	ASSERT_ON(pair_shard(p));
	if (p->asks_again && v->asked != NULL) {
		v->given = false;
		return;
	}
	verify_answer(v, code,
		code == ERR_INVALID ? "the key is not its own" : why);
	verify_free(v);
	if (!p->asks_again)
		pair_go_on(p);
}

/* --- of a pair ----------------------------------------------------------------- */

bool
verify_waits(const struct remote_pair *p)
{
	const struct remote_verify *v = TAILQ_LAST(&p->verifies, verify_list);

	return v != NULL && !v->given;
}

bool
verify_all_offer(const struct remote_pair *p)
{
	const struct remote_verify *v;

	TAILQ_FOREACH (v, &p->verifies, in) {
		if (!v->offers)
			return false;
	}
	return true;
}

/* Never by a stream that has come from there: it might be the one that has brought
 * the key (XEP-0288 §2.2). */
static void *
verify_by(const struct remote_pair *p)
{
	if (p->attempt != NULL)
		return p->attempt;
	return p->link != NULL && p->offer == NULL && !p->ending ?
		p->link->stream :
		NULL;
}

void
verify_give(struct remote_pair *p)
{
	void *to = verify_by(p);
	struct remote_verify *v, *next;

	if (to == NULL)
		return;
	for (v = TAILQ_FIRST(&p->verifies); v != NULL; v = next) {
		next = TAILQ_NEXT(v, in);
		if (v->given)
			continue;
		v->given = true;
		pair_shard(p)->server->remote_streams->verify(to, v);
	}
}

int64_t
verify_due(const struct remote_pair *p)
{
	const struct remote_verify *v;

	/* those behind it were asked later */
	TAILQ_FOREACH (v, &p->verifies, in) {
		if (v->asked != NULL)
			return v->until_us;
	}
	return INT64_MAX;
}

/* A stream that has one still answers it, when it ends at the latest. */
static void
verify_end(struct remote_verify *v, enum err_code code, const char *why)
{
	verify_answer(v, code, why);
	if (!v->given)
		verify_free(v);
}

void
verify_expire(struct remote_pair *p)
{
	int64_t now_us = pair_shard(p)->now_us;
	struct remote_verify *v, *next;

	for (v = TAILQ_FIRST(&p->verifies); v != NULL; v = next) {
		next = TAILQ_NEXT(v, in);
		if (v->until_us > now_us)
			break;
		verify_end(v, ERR_TIMEOUT,
			"it could not be asked in time whether the key is its own");
	}
}

void
verify_refuse_all(struct remote_pair *p, const char *why)
{
	struct remote_verify *v, *next;

	for (v = TAILQ_FIRST(&p->verifies); v != NULL; v = next) {
		next = TAILQ_NEXT(v, in);
		verify_end(v, ERR_REFUSED, why);
	}
}

/* --- of a remote --------------------------------------------------------------- */

/* NULL: it may be asked. */
static const char *
verify_why_not(const struct remote *r, struct str local, uint64_t address,
	enum err_code *code_out)
{
	const struct remote_pair *p = pair_find(r, local);
	bool comes_up = p != NULL &&
		(p->link != NULL || p->attempt != NULL || p->asker != NULL);
	const char *why;

	*code_out = ERR_CLOSED;
	if (r->closed != STREAM_COND_NONE)
		return "the server stops";
	*code_out = ERR_REFUSED;
	if (remote_judge(r, local, &why) != COND_NONE)
		return why;
	*code_out = ERR_LIMIT;
	if (r->n_verifies >= VERIFIES_MAX ||
		(!comes_up && !strangers_have_room(r->e.shard, address)))
		return "too many are asked for their keys already";
	return NULL;
}

void
verify_told(struct remote *r, struct entity_message *m)
{
	enum err_code code;
	const char *why = verify_why_not(r, m->resource,
		(uint64_t)m->number[0], &code);
	struct remote_pair *p = why == NULL ? pair_get(r, m->resource) : NULL;

	if (why == NULL && p == NULL) {
		code = ERR_LIMIT;
		why = "the server talks to too many others already";
	}
	if (why != NULL) {
		entity_refuse(m, code, why);
		return;
	}
	verify_new(p, m);
	verify_give(p);
	pair_go_on(p);
}
