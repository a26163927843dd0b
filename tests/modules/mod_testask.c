/*
 * mod_testask.c - has the server ask whomever one likes, and tells what came of
 * it.  Built with the tests, never installed.
 *
 *   <iq type='get' to='HOST, or the own bare address' id='1'>
 *     <ask xmlns='urn:antiphon:test:ask' to='whom' ms='timeout'>
 *       <what is asked/>
 *     </ask>
 *   </iq>
 *
 * From the address that this is sent to.  The answer is another <ask/>, with
 * came='' and in it the payload that was answered, or with came='why not'.
 */
#include "module/module.h"

#define NS_ASK "urn:antiphon:test:ask"
#define MS_MAX 3600000

struct ask_state {
	unsigned open;
};

struct ask_wait {
	struct ask_state *state; /* stays as long as the module */
	struct iq *iq;           /* kept */
};

static const char *
came(const struct err *err)
{
	if (err == NULL)
		return "";
	switch (err->code) {
	case ERR_REFUSED:
		return err->text;
	case ERR_TIMEOUT:
		return "timeout";
	case ERR_LIMIT:
		return "limit";
	case ERR_CLOSED:
		return "closed";
	default:
		return "what is not documented";
	}
}

static void
on_answer(void *arg, const struct stanza *answer, const struct err *err)
{
	struct ask_wait *wait = arg;
	struct iq *iq = wait->iq;
	struct elem *ask = iq_payload(iq, NS_ASK, "ask");
	struct arena *a = iq->st->arena;
	const struct elem *payload =
		err == NULL ? stanza_payload(answer) : NULL;

	wait->state->open--;
	elem_set_attr(a, ask, "came", arena_str(a, str_c(came(err))));
	if (payload != NULL)
		elem_append(ask, elem_copy(a, payload));
	iq_result(iq, ask);
	free(wait);
}

static enum hook_result
on_ask(struct module_ctx *m, struct iq *iq)
{
	struct arena *a = iq->st->arena;
	const struct elem *what = elem_child(iq->payload, NULL, NULL);
	struct ask_wait *wait;
	struct stanza *st;
	long long ms;
	struct jid to;

	if (!jid_parse(&to, a, elem_attr(iq->payload, "to"), NULL) ||
		!str_to_int(elem_attr(iq->payload, "ms"), 1, MS_MAX, &ms) ||
		what == NULL) {
		iq_error(iq, COND_BAD_REQUEST, NULL);
		return HOOK_HANDLED;
	}
	st = stanza_new(IQ_GET, jid_bare(iq->st->to), to, STR_NONE);
	elem_append(st->root, elem_copy(st->arena, what));
	wait = xmalloc(sizeof(*wait));
	*wait = (struct ask_wait){ module_shard_state(m, iq->shard), iq };
	wait->state->open++;
	iq_keep(iq);
	receipt_let_go(iq->st);
	module_ask(m, iq->shard, st, ms * US_PER_MS, on_answer, wait);
	return HOOK_HANDLED;
}

static void
shard_done(struct shard *sh, void *state)
{
	(void)sh;
	/* nobody is asked, or waits, any more */
	assert(((struct ask_state *)state)->open == 0);
}

static const struct iq_handler ask_iqs[] = {
	{ IQ_GET, AT_HOST | AT_OWN_ACCOUNT, NS_ASK, "ask", on_ask },
	{ .fn = NULL },
};

MODULE(testask) = {
	.api = MODULE_API,
	.name = "testask",
	.summary = "ask whomever one likes, for tests",
	.iqs = ask_iqs,
	.shard_state = sizeof(struct ask_state),
	.shard_done = shard_done,
};
