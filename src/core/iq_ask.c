/*
 * iq_ask.c - what the server has asked by iq, and who may answer.
 *
 * Invariant: an iq_ask lives as long as its question is open.
 */
#include "config.h"

#include "core/iq_ask.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/tag.h"
#include "base/text.h"
#include "xml/elem.h"
#include "xmpp/stanza.h"
#include "core/place.h"
#include "core/question.h"
#include "core/router.h"
#include "core/shard.h"

/* An id: a secret, then place and number of the question in hex. */
#define SECRET_LEN (RAND_ID_SIZE - 1)
#define PLACE_LEN 8
#define NUMBER_LEN 16
#define ID_LEN (SECRET_LEN + PLACE_LEN + NUMBER_LEN)

struct iq_ask {
	uint32_t tag;
	struct shard *shard;
	struct timer timer;
	uint64_t question;
	iq_ask_fn fn;
	void *arg;
	struct stanza *answer; /* that has come; NULL: none */
	struct jid to;         /* who may answer */
	char secret[RAND_ID_SIZE];
	char text[];
};

/* --- ids --------------------------------------------------------------------- */

static void
ask_set_id(const struct iq_ask *ask, struct stanza *st)
{
	char id[ID_LEN + 1];

	snprintf(id, sizeof(id), "%s%0*" PRIx32 "%0*" PRIx64, ask->secret,
		PLACE_LEN, place_number(place_of_shard(ask->shard)), NUMBER_LEN,
		ask->question);
	stanza_set_id(st, str_c(id));
}

/* Lower case, as they are written. */
static bool
hex_parse(struct str text, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c >= '0' && c <= '9')
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*out = n;
	return true;
}

/* Which question st would answer, by its id. */
static bool
id_parse(const struct stanza *st, struct place *place_out, uint64_t *number_out)
{
	const char *at;
	uint64_t place;

	if (st->id.n != ID_LEN)
		return false;
	at = st->id.p + SECRET_LEN;
	if (!hex_parse((struct str){ at, PLACE_LEN }, &place) ||
		!hex_parse((struct str){ at + PLACE_LEN, NUMBER_LEN },
			number_out))
		return false;
	*place_out = place_of_number((uint32_t)place);
	return true;
}

/* --- the end of a question ------------------------------------------------------ */

/* The condition by which it was refused (RFC 6120 §8.3.3), as a text. */
static void
ask_refused(const struct iq_ask *ask, struct err *err)
{
	const struct elem *error = stanza_child(ask->answer, NS_CLIENT, "error");
	const struct elem *cond =
		error != NULL ? elem_child(error, NS_STANZAS, NULL) : NULL;

	err_set(err, ERR_REFUSED, "%.*s: %.*s", STR_ARG(jid_str(ask->to)),
		STR_ARG(cond != NULL ? cond->name : STR("an error")));
}

static void
on_closed(void *arg, bool ok, const struct err *why)
{
	struct iq_ask *ask = arg;
	struct err err = ERR_INIT;

	TAG_CHECK(ask, "iask");
	if (ask->question != 0)
		ask->shard->iq_asks--;
	shard_timer_cancel(ask->shard, &ask->timer);
	if (!ok)
		err = *why;
	else if (ask->answer->type == IQ_ERROR)
		ask_refused(ask, &err);
	ask->fn(ask->arg, ask->answer, err.code != ERR_NONE ? &err : NULL);
	stanza_free(ask->answer);
	TAG_CLEAR(ask);
	free(ask);
}

static void
on_timeout(struct timer *t)
{
	struct iq_ask *ask = CONTAINER_OF(t, struct iq_ask, timer);
	struct err err = ERR_INIT;

	err_set(&err, ERR_TIMEOUT, "%.*s: no answer", STR_ARG(jid_str(ask->to)));
	question_close(ask->shard, ask->question, &err);
}

bool
iq_ask_place(const struct shard *sh, const struct stanza *st, struct place *out)
{
	uint64_t number;

	/* what others have asked us by such an id goes to them */
	return jid_is_bare(st->to) && id_parse(st, out, &number) &&
		out->node == 0 && out->shard < sh->server->n_shards &&
		snapshot_host(sh->snap, jid_domain(st->to)) != NULL;
}

void
iq_ask_answered(struct shard *sh, struct stanza *st)
{
	struct iq_ask *ask = NULL;
	struct place place;
	uint64_t number;

	if (id_parse(st, &place, &number))
		ask = question_arg(sh, number, on_closed);
	if (ask == NULL || !jid_eq(st->from, ask->to) ||
		!secret_eq((struct str){ st->id.p, SECRET_LEN },
			(struct str){ ask->secret, SECRET_LEN })) {
		stanza_free(st);
		return;
	}
	ask->answer = st;
	question_close(sh, number, NULL);
}

/* --- asking ------------------------------------------------------------------ */

static struct iq_ask *
ask_new(struct shard *sh, struct jid to, iq_ask_fn fn, void *arg)
{
	struct iq_ask *ask = xcalloc(1, sizeof(*ask) + to.len);

	TAG_SET(ask, "iask");
	ask->shard = sh;
	ask->fn = fn;
	ask->arg = arg;
	ask->to = to;
	ask->to.text = memcpy(ask->text, to.text, to.len);
	rand_id(sh->rand, ask->secret);
	return ask;
}

void
iq_ask(struct shard *sh, struct stanza *st, int64_t timeout_us, iq_ask_fn fn,
	void *arg)
{
	struct iq_ask *ask = ask_new(sh, st->to, fn, arg);

	ASSERT_ON(sh);
	assert(st->type == IQ_GET || st->type == IQ_SET);
	assert(jid_is_bare(st->from) && jid_is_set(st->to));
	if (sh->iq_asks < IQ_ASKS_MAX)
		ask->question = question_open(sh, on_closed, ask);
	if (ask->question == 0) {
		stanza_free(st);
		question_refuse(sh, on_closed, ask);
		return;
	}
	sh->iq_asks++;
	shard_timer(sh, &ask->timer, timeout_us, on_timeout);
	ask_set_id(ask, st);
	router_send(sh, st);
}
