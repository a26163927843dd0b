/*
 * mod_testmove.c - moves a stream to another shard when an element asks for it.
 * Built with the tests, never installed.
 *
 *   <move xmlns='urn:antiphon:test:move' shard='N'/>   <moved went='yes|no'/>, and
 *                                                      then it is on shard N
 *   <later .../>   the same, but it is kept until the mail has come round
 *   <where .../>   <here shard='N'/>
 */
#include "module/module.h"

#define NS_TEST "urn:antiphon:test:move"
#define ANY_STAGE (ELEMENT_STRANGER | ELEMENT_AUTHENTICATED | ELEMENT_BOUND)

struct later {
	struct element_later stream;
	struct place to;
	struct module_entry *entry;
};

static struct place
wanted(const struct element *el)
{
	long long n;

	if (!str_to_int(elem_attr(el->e, "shard"), 0,
		    el->shard->server->n_shards - 1, &n))
		n = 0;
	return (struct place){ .shard = (uint16_t)n };
}

static void
move(struct element *el, struct place to)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_TEST, "moved");

	elem_set_attr(a, e, "went",
		element_move(el, to) ? STR("yes") : STR("no"));
	element_write(el, e);
	arena_free(a);
}

static enum hook_result
on_move(struct module_ctx *m, struct element *el)
{
	(void)m;
	move(el, wanted(el));
	return HOOK_HANDLED;
}

static void
on_turn(struct shard *sh, void *arg)
{
	struct later *later = arg;
	struct module_entry *entry = later->entry;
	struct element el;

	(void)sh;
	if (element_find(&later->stream, &el)) {
		move(&el, later->to);
		element_go_on(&el);
	}
	free(later);
	module_release(entry);
}

static enum hook_result
on_later(struct module_ctx *m, struct element *el)
{
	struct later *later = xmalloc(sizeof(*later));

	*later = (struct later){ element_keep(el), wanted(el), module_hold(m) };
	place_post(el->shard->server, place_of_shard(el->shard), on_turn, later,
		sizeof(*later));
	return HOOK_HANDLED;
}

static enum hook_result
on_where(struct module_ctx *m, struct element *el)
{
	struct elem *e = elem_new(el->arena, NS_TEST, "here");

	(void)m;
	elem_set_attr(el->arena, e, "shard",
		arena_printf(el->arena, "%u", el->shard->index));
	element_write(el, e);
	return HOOK_HANDLED;
}

static const struct element_handler move_rows[] = {
	{ ANY_STAGE, NS_TEST, "move", on_move },
	{ ANY_STAGE, NS_TEST, "later", on_later },
	{ ANY_STAGE, NS_TEST, "where", on_where },
	{ .fn = NULL },
};

MODULE(testmove) = {
	.api = MODULE_API,
	.name = "testmove",
	.summary = "move streams from shard to shard, for tests",
	.elements = move_rows,
};
