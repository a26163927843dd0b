/*
 * entity_message.c - how what is told to an entity gets there, and how the
 * answer returns.
 *
 * Invariant: a message that has a question is answered exactly once, whatever
 * becomes of the entity.
 */
#include "config.h"

#include "core/entity_message.h"

#include <string.h>

#include "base/mem.h"
#include "core/entity.h"
#include "core/entity_ring.h"
#include "core/host.h"
#include "core/route.h"

/* --- there ------------------------------------------------------------------- */

static void
message_loaded(struct entity *e, void *arg)
{
	struct entity_message *m = arg;

	if (e != NULL)
		entity_note(&ring_told, e, m->kind);
	if (e == NULL)
		entity_refuse(m, ERR_STORAGE, "the account cannot be read");
	else if (e->class->told == NULL)
		entity_refuse(m, ERR_REFUSED, "this cannot be done with it");
	else
		e->class->told(e, m);
}

/* Is it worth that the entity is loaded for it? */
static bool
message_loads(const struct entity_message *m, const struct host *host)
{
	switch (m->kind) {
	case TELL_CREATE:
	case TELL_SET_CREDENTIALS:
	case TELL_REMOVE:
	case TELL_KICK:
	case TELL_TRACE:
	case TELL_VERIFY:
	case TELL_TRY:
	case TELL_WATCH:
	case TELL_IS_THERE:
		return true;
	case TELL_CREATED:
		return host->hooks[HOOK_ACCOUNT_CREATED].n != 0;
	case TELL_REST:
	case TELL_SHOW_PRESENCE:
	case TELL_PASSED_ON:
	case TELL_CAME:
	case TELL_DOMAIN_AWAY:
	case TELL_DOMAIN_BACK:
	case TELL_ACCOUNT_GONE:
	case TELL_STILL_WATCHES:
		return false;
	}
	return false;
}

static void
on_message(struct mail *mail, void *owner)
{
	struct entity_message *m =
		CONTAINER_OF(mail, struct entity_message, mail);
	struct shard *sh = shard_arg(owner);
	struct route r = route(sh, m->to);
	bool loads;
	struct entity *e;

	m->here = sh;
	if (m->kind == TELL_CREATED)
		entity_created(sh, jid_str(m->to));
	if (r.class == NULL || !jid_eq(r.key, m->to)) {
		entity_refuse(m, ERR_MISSING,
			"this domain is not served here");
		return;
	}
	loads = message_loads(m, r.host);
	if (loads)
		e = entity_get(sh, r.class, r.key, r.hash);
	else
		e = entity_find_by_hash(sh, jid_str(m->to), r.hash);
	if (e != NULL)
		entity_when_loaded(e, message_loaded, m);
	else if (!loads)
		entity_refuse(m, ERR_MISSING, "is not in memory");
	else
		entity_refuse(m, ERR_LIMIT,
			r.host != NULL ? "too many accounts are in memory" :
					 "too many domains are in memory");
}

/* --- the way there ----------------------------------------------------------- */

/* Copies what (STR_NONE: stays so) to *at_io, and a NUL behind it. */
static struct str
text_copy(struct str what, char **at_io)
{
	char *to = *at_io;

	if (what.p == NULL)
		return STR_NONE;
	memcpy(to, what.p, what.n);
	to[what.n] = '\0';
	*at_io = to + what.n + 1;
	return (struct str){ to, what.n };
}

static void
message_send(struct shard *sh, const struct entity_message *what,
	uint64_t question)
{
	struct str bare = jid_bare_str(what->to);
	size_t bytes = sizeof(*what) + bare.n + what->resource.n +
		what->text.n + 3;
	char *mem = xmalloc(bytes), *at = mem + sizeof(*what);
	struct entity_message *m = (struct entity_message *)(void *)mem;

	*m = *what;
	m->to = jid_bare(what->to);
	m->to.text = text_copy(bare, &at).p;
	m->resource = text_copy(what->resource, &at);
	m->text = text_copy(what->text, &at);
	m->from = place_of_shard(sh);
	m->question = question;
	m->here = NULL;
	m->bytes = bytes;
	m->mail.run = on_message;
	m->mail.bytes = (uint32_t)MIN(bytes, UINT32_MAX);
	/* even to its own shard: nobody is answered before he has asked */
	place_put(sh, server_place_of(sh->server, bare), &m->mail);
}

void
entity_tell(struct shard *sh, const struct entity_message *what)
{
	message_send(sh, what, 0);
}

/* --- the way back ------------------------------------------------------------ */

struct answer {
	struct mail mail;
	uint64_t question;
	struct err err; /* ERR_NONE: it worked */
};

static void
answer_give(struct shard *sh, uint64_t question, const struct err *err)
{
	question_close(sh, question, err->code != ERR_NONE ? err : NULL);
}

static void
on_answer(struct mail *mail, void *owner)
{
	struct answer *a = CONTAINER_OF(mail, struct answer, mail);

	answer_give(shard_arg(owner), a->question, &a->err);
	free(a);
}

static void
answer_send(struct shard *sh, struct place to, uint64_t question,
	const struct err *err)
{
	struct answer *a = xmalloc(sizeof(*a));

	a->mail.run = on_answer;
	a->mail.bytes = sizeof(*a);
	a->question = question;
	a->err = *err;
	place_put(sh, to, &a->mail);
}

void
entity_answer(struct entity_message *m, const struct err *why)
{
	struct err err = ERR_INIT;
	struct shard *sh = m->here;
	struct place to = m->from;
	uint64_t question = m->question;

	if (why != NULL)
		err = *why;
	mem_wipe_free(m, m->bytes);
	if (question == 0)
		return;
	if (place_is_here(sh, to))
		answer_give(sh, question, &err);
	else
		answer_send(sh, to, question, &err);
}

void
entity_refuse(struct entity_message *m, enum err_code code, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, code, "%.*s: %s", STR_ARG(jid_str(m->to)), text);
	entity_answer(m, &err);
}

/* --- asking ------------------------------------------------------------------ */

void
entity_ask(struct shard *sh, const struct entity_message *what, question_fn fn,
	void *arg)
{
	uint64_t question = question_open(sh, fn, arg);

	if (question != 0)
		message_send(sh, what, question);
	else
		question_refuse(sh, fn, arg);
}
