/*
 * mod_testelement.c - elements that are no stanzas, at each stage of a stream.
 * Built with the tests, never installed.
 *
 *   <say xmlns='urn:antiphon:test:element'/>    <said stage='STAGE' account='BARE'
 *                                                   secure='yes|no'/>
 *   <later .../>   the same, when every shard has had a turn; meanwhile nothing is
 *                  read
 *   <bye .../>     ends the stream, with the error conflict
 *   <wake resource='R' .../>   goes on with the session R, which sleeps when its
 *                  stream breaks; <said/> comes before what waits there
 *   <early .../>   as say, from strangers alone
 *   <pass .../>    is looked at, and left to others, of whom there are none
 */
#include "module/module.h"

#define NS_TEST "urn:antiphon:test:element"
#define ANY_STAGE (ELEMENT_STRANGER | ELEMENT_AUTHENTICATED | ELEMENT_BOUND)

struct wait {
	struct element_later later;
	struct module_entry *entry;
	unsigned left; /* shards */
};

static const char *
stage_name(enum element_stage stage)
{
	switch (stage) {
	case ELEMENT_STRANGER:
		return "stranger";
	case ELEMENT_AUTHENTICATED:
		return "authenticated";
	case ELEMENT_BOUND:
		return "bound";
	}
	return "none";
}

static void
say(struct element *el)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_TEST, "said");

	elem_set_attr(a, e, "stage", str_c(stage_name(el->stage)));
	elem_set_attr(a, e, "account",
		el->account.p != NULL ? el->account : STR(""));
	elem_set_attr(a, e, "secure", el->secure ? STR("yes") : STR("no"));
	element_write(el, e);
	arena_free(a);
}

static enum hook_result
on_say(struct module_ctx *m, struct element *el)
{
	(void)m;
	say(el);
	return HOOK_HANDLED;
}

/* From shard to shard, and from the last one home. */
static void
on_turn(struct shard *sh, void *arg)
{
	struct wait *w = arg;
	struct module_entry *entry = w->entry;
	struct element el;

	if (w->left != 0) {
		w->left--;
		place_post(sh->server, (struct place){
			.shard = (uint16_t)w->left }, on_turn, w, sizeof(*w));
		return;
	}
	if (sh != w->later.shard) {
		place_post(sh->server, place_of_shard(w->later.shard), on_turn,
			w, sizeof(*w));
		return;
	}
	if (element_find(&w->later, &el)) {
		say(&el);
		element_go_on(&el);
	}
	free(w);
	module_release(entry);
}

static enum hook_result
on_later(struct module_ctx *m, struct element *el)
{
	struct wait *w = xmalloc(sizeof(*w));

	*w = (struct wait){ element_keep(el), module_hold(m),
		el->shard->server->n_shards };
	place_post(el->shard->server, place_of_shard(el->shard), on_turn, w,
		sizeof(*w));
	return HOOK_HANDLED;
}

static enum hook_result
on_wake(struct module_ctx *m, struct element *el)
{
	struct account *acc = account_find(el->shard, el->account);
	struct session *s = acc == NULL ? NULL :
		session_find(acc, elem_attr(el->e, "resource"));

	(void)m;
	say(el);
	if (s == NULL || el->session_ops == NULL)
		element_end(el, STREAM_UNDEFINED_CONDITION, "No such session");
	else
		session_attach(s, el->session_ops, el->stream);
	return HOOK_HANDLED;
}

static enum hook_result
on_lost(struct module_ctx *m, void *arg)
{
	struct session_loss *loss = arg;

	(void)m;
	loss->sleep_us = 60 * US_PER_S;
	return HOOK_HANDLED;
}

static enum hook_result
on_bye(struct module_ctx *m, struct element *el)
{
	(void)m;
	element_end(el, STREAM_CONFLICT, "You asked for it");
	return HOOK_HANDLED;
}

static enum hook_result
on_pass(struct module_ctx *m, struct element *el)
{
	(void)m;
	(void)el;
	return HOOK_PASS;
}

static const struct element_handler element_rows[] = {
	{ ANY_STAGE, NS_TEST, "say", on_say },
	{ ANY_STAGE, NS_TEST, "later", on_later },
	{ ANY_STAGE, NS_TEST, "bye", on_bye },
	{ ELEMENT_AUTHENTICATED, NS_TEST, "wake", on_wake },
	{ ELEMENT_STRANGER, NS_TEST, "early", on_say },
	{ ANY_STAGE, NS_TEST, "pass", on_pass },
	{ .fn = NULL },
};

static const struct hook_handler element_hooks[] = {
	{ HOOK_SESSION_LOST, HOOK_DELIVER, on_lost },
	{ .fn = NULL },
};

MODULE(testelement) = {
	.api = MODULE_API,
	.name = "testelement",
	.summary = "answer elements that are no stanzas, for tests",
	.hooks = element_hooks,
	.elements = element_rows,
};
