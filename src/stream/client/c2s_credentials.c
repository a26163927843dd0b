/*
 * c2s_credentials.c - finds what the store knows of who logs in, and lets sasl
 * judge: on the shard, or on the worker where it takes a PBKDF2 (PLAIN).
 *
 *   c2s_credentials_find() --slowed--> timer --> c2s_credentials_due()
 *   c2s_credentials_find(), _due() --> store --> on_credentials()
 *   on_credentials() --SCRAM--> c2s_auth_go_on()
 *   on_credentials() --PLAIN--> worker, check_work() --> check_done()
 *
 * Owner shard, but for check_work().  The stream is held all the while, so it
 * stays on its shard, but it may end: each answer finds it again by its token.
 * Invariant: what check_work() uses belongs to the check, and goes back to the
 * stream, or with the check.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/worker.h"
#include "core/server.h"
#include "account/account.h"
#include "account/credentials.h"

/* At 2 to 6 ms each, who comes last waits some seconds. */
#define WAITING_MAX 1000

struct lookup {
	struct shard *shard;
	uint64_t token;
};

struct check {
	struct lookup from;
	struct c2s_auth *auth; /* its stream's, until the answer */
	struct credentials creds;
	bool known; /* there is such an account */
	struct buf out;
	enum sasl_result result;
};

/* Whom c wants to be, as its failures are counted. */
static struct str
account_of_login(struct c2s *c, struct arena *a)
{
	return jid_str(jid_make(a, sasl_account(c->login->auth->sasl),
		str_c(c->login->host), STR_NONE));
}

bool
c2s_credentials_throttled(struct c2s *c)
{
	struct arena *a = arena_new();
	bool throttled = c2s_throttled(c, account_of_login(c, a));

	arena_free(a);
	return throttled;
}

/* An answer has been dealt with: c goes on, unless something else holds it. */
static void
credentials_end(struct c2s *c)
{
	if (c->x.stage == STAGE_CLOSED)
		return;
	if ((c->x.rest & REST_HOLD) != 0)
		stream_arm(&c->x);
	else
		(void)stream_release(&c->x);
}

/* --- on the worker -------------------------------------------------------- */

static void
check_free(struct check *check)
{
	c2s_auth_free(check->auth);
	buf_done(&check->out);
	mem_wipe_free(check, sizeof(*check));
}

/* Any thread. */
static void
check_work(void *arg)
{
	struct check *check = arg;

	check->result = sasl_credentials(check->auth->sasl,
		check->known ? &check->creds : NULL, &check->out);
}

static void
check_done(void *arg)
{
	struct check *check = arg;
	struct c2s *c = c2s_find(check->from.shard, check->from.token);

	if (c == NULL) {
		check_free(check);
		return;
	}
	c->login->auth = check->auth;
	check->auth = NULL;
	stream_unhold(&c->x); /* until something else holds it */
	/* of those who wait together, no more get an answer than if they had
	 * come one after the other */
	if (c2s_credentials_throttled(c))
		c2s_auth_give_up(c);
	else
		c2s_auth_go_on(c, check->result, &check->out);
	check_free(check);
	credentials_end(c);
}

static void
check_start(struct c2s *c, const struct credentials *known)
{
	struct worker *worker = c->x.shard->server->worker;
	struct check *check;

	if (worker_waiting(worker) >= WAITING_MAX) {
		c->x.shard->stats.refused++;
		c2s_auth_give_up(c);
		return;
	}
	check = xcalloc(1, sizeof(*check));
	check->from = (struct lookup){ c->x.shard, stream_token(&c->x) };
	check->auth = c->login->auth;
	c->login->auth = NULL;
	check->known = known != NULL;
	if (known != NULL)
		check->creds = *known;
	stream_hold(&c->x);
	worker_run(worker, check_work, &c->x.shard->mailbox, check_done, check);
}

/* --- from the store ------------------------------------------------------- */

static void
credentials_judge(struct c2s *c, const struct credentials *known)
{
	struct sasl *s = c->login->auth->sasl;
	struct buf out = BUF_INIT;

	if (sasl_mech(s) == SASL_PLAIN) {
		check_start(c, known);
		return;
	}
	c2s_auth_go_on(c, sasl_credentials(s, known, &out), &out);
	buf_done(&out);
}

/* How this account would look if it did not exist; found out in any case, so
 * that both take the same. */
static void
credentials_disguise(struct c2s *c, bool known, const struct credentials *creds)
{
	struct c2s_auth *auth = c->login->auth;
	struct str host = str_c(c->login->host);
	struct c2s_look look;

	for (unsigned i = 0; i < SCRAM_HASHES; i++) {
		const struct scram_verifier *v = &creds->verifiers[i];

		if (known && v->iterations != 0)
			c2s_looks_meet(c->x.shard, host,
				(struct c2s_look){ v->iterations,
					v->salt_len });
	}
	look = c2s_look_of(c->x.shard, host, sasl_account(auth->sasl),
		(uint32_t)c2s_host(c)->conf->auth.scram_iterations);
	auth->offer.iterations = look.iterations;
	auth->offer.salt_bytes = look.salt_bytes;
}

/* text is STR_NONE when there is no such account.  What is done is the same:
 * who asks must not be able to tell by the time (hostile 28). */
static void
lookup_end(struct c2s *c, struct str text, const struct err *err)
{
	struct c2s_shard *cs = c2s_shard(c->x.shard);
	struct credentials creds = { 0 };
	struct err bad = ERR_INIT;
	bool known = text.p != NULL;
	uint64_t mark;

	stream_unhold(&c->x); /* until something else holds it */
	if (!known)
		text = c2s_unknown_text(cs);
	mark = account_credentials_mark(c->x.shard->server, text);
	c->login->credentials = known ? mark : 0;
	if (err == NULL &&
		!credentials_parse(&creds, c->x.shard->xml, text, &bad))
		err = &bad;
	if (err == NULL && c2s_host(c) != NULL) {
		credentials_disguise(c, known, &creds);
		credentials_judge(c, known ? &creds : NULL);
	} else {
		if (err != NULL && log_limit_ok(&cs->broken, LOG_AUTH))
			log_error(LOG_AUTH, stream_who(&c->x),
				"credentials cannot be read, login refused account=%.*s@%s reason=\"%s\"",
				STR_ARG(sasl_account(c->login->auth->sasl)),
				c->login->host, err->text);
		c2s_auth_give_up(c);
	}
	credentials_wipe(&creds);
}

static void
on_credentials(void *arg, struct str text, const struct err *err)
{
	struct lookup lookup = *(struct lookup *)arg;
	struct c2s *c = c2s_find(lookup.shard, lookup.token);

	free(arg);
	if (c == NULL)
		return;
	lookup_end(c, text, err);
	credentials_end(c);
}

static void
credentials_read(struct c2s *c)
{
	struct lookup *lookup = xmalloc(sizeof(*lookup));
	struct arena *a = arena_new();

	*lookup = (struct lookup){ c->x.shard, stream_token(&c->x) };
	account_credentials(c->x.shard,
		jid_make(a, sasl_account(c->login->auth->sasl),
			str_c(c->login->host), STR_NONE),
		on_credentials, lookup);
	arena_free(a);
}

static void
on_looks_loaded(struct shard *sh, uint64_t token)
{
	struct c2s *c = c2s_find(sh, token);

	if (c != NULL)
		credentials_read(c);
}

static void
credentials_look_up(struct c2s *c)
{
	stream_hold(&c->x);
	if (c2s_looks_loaded(c->x.shard, str_c(c->login->host), on_looks_loaded,
		    stream_token(&c->x)))
		credentials_read(c);
}

void
c2s_credentials_find(struct c2s *c)
{
	struct arena *a = arena_new();
	struct str account = account_of_login(c, a);
	int64_t wait = c2s_throttle_wait(c, account);

	if (wait > 0 && log_limit_ok(&c2s_shard(c->x.shard)->failed, LOG_AUTH))
		log_info(LOG_AUTH, stream_who(&c->x),
			"login slowed account=%.*s wait=%lldms",
			STR_ARG(account), (long long)(wait / US_PER_MS));
	arena_free(a);
	if (wait < 0) {
		c2s_auth_give_up(c);
	} else if (wait > 0) {
		c->login->slowed_us = c->x.shard->now_us + wait;
		stream_hold(&c->x);
	} else {
		credentials_look_up(c);
	}
}

void
c2s_credentials_due(struct c2s *c)
{
	c->login->slowed_us = 0;
	credentials_look_up(c);
}
