/*
 * mod_testecho.c - a service whose addresses send messages back, and count them:
 * an entity class and a service domain in one module.  Built with the tests,
 * never installed.
 *
 * echo.HOST is the domain.  There is somebody behind each address that begins with
 * "e", and nobody behind any other.  How many messages an address has had is
 * read with it, map "echo", key "count", and asked for and set by
 *
 *   <count xmlns='urn:antiphon:test:echo' n='0'/>
 */
#include "module/module.h"

#define NS_ECHO "urn:antiphon:test:echo"
#define MAP_ECHO "echo"
#define KEY_COUNT "count"

struct echo_conf {
	const char *domain;
	bool local;
};

static const struct option echo_options[] = {
	{ .name = "domain", .type = OPT_DOMAIN, .service = true, .dflt = "echo",
		.off = offsetof(struct echo_conf, domain),
		.help = "where the addresses are that send back" },
	{ .name = "local", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct echo_conf, local),
		.help = "other servers have nothing to ask of it" },
	{ .name = NULL },
};

/* In a slot, as other modules could have some there, too. */
struct echo_state {
	unsigned count;
};

struct echo {
	struct entity e;   /* first */
	unsigned storing;  /* until that is done, nobody may read it anew */
	bool exists;
};

static const struct echo *
echo_of(const struct entity *e)
{
	return (const struct echo *)(const void *)e;
}

/* 0: that is no number. */
static unsigned
count_parse(struct str text)
{
	unsigned n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return 0;
		n = 10 * n + (unsigned)(text.p[i] - '0');
	}
	return n;
}

/* --- loading ---------------------------------------------------------------- */

static void
echo_take(struct entity *e, const struct store_answer *answer)
{
	struct echo_state *state = module_entity_state(module_of_entity(e), e);

	if (answer->n != 0)
		state->count = count_parse(answer->entries[0].value);
	((struct echo *)(void *)e)->exists = jid_local(e->jid).p[0] == 'e';
}

/* --- counting --------------------------------------------------------------- */

/* What waits for the store. */
struct echo_ask {
	struct entity_ref who;
	struct iq *iq; /* to answer; or NULL */
};

/* Memory is never ahead of the disk: it is read anew when it is needed. */
static void
on_stored(void *arg, bool ok, const struct err *err)
{
	struct echo_ask *ask = arg;
	struct entity *e = entity_ref_end(&ask->who);

	if (e != NULL)
		((struct echo *)(void *)e)->storing--;
	if (!ok && e != NULL)
		entity_drop(e);
	else if (e != NULL)
		entity_check_idle(e);
	if (ask->iq != NULL && ok)
		iq_result(ask->iq, NULL);
	else if (ask->iq != NULL)
		iq_error(ask->iq, stanza_cond_of(err->code), NULL);
	free(ask);
}

static void
echo_count(struct module_ctx *m, struct entity *e, unsigned count, struct iq *iq)
{
	struct echo_state *state = module_entity_state(m, e);
	struct store_tx *tx = store_tx_new();
	struct echo_ask *ask = xmalloc(sizeof(*ask));
	struct buf text = BUF_INIT;

	state->count = count;
	buf_printf(&text, "%u", count);
	store_tx_set(tx, entity_place(e, MAP_ECHO), STR(KEY_COUNT), buf_str(&text));
	buf_done(&text);
	entity_ref(&ask->who, e);
	ask->iq = iq;
	((struct echo *)(void *)e)->storing++;
	module_commit(m, e->shard, tx, on_stored, ask);
}

static void
echo_receive(struct entity *e, struct stanza *st)
{
	struct module_ctx *m = module_of_entity(e);
	struct echo_state *state;
	struct stanza *back;

	if (st->kind != STANZA_MESSAGE || st->type == MESSAGE_ERROR ||
		!echo_of(e)->exists) {
		entity_receive_default(e, st);
		return;
	}
	state = module_entity_state(m, e);
	echo_count(m, e, state->count + 1, NULL);
	back = stanza_copy(st);
	stanza_set_from(back, st->to);
	stanza_set_to(back, st->from);
	stanza_free(st);
	router_send(e->shard, back);
}

static bool
echo_is_idle(const struct entity *e)
{
	return echo_of(e)->storing == 0;
}

static bool
echo_is_absent(const struct entity *e)
{
	return !echo_of(e)->exists;
}

static const struct entity_class echo_class = {
	.name = "echo",
	.size = sizeof(struct echo),
	.maps = (const char *const[]){ MAP_ECHO, NULL },
	.take = echo_take,
	.receive = echo_receive,
	.is_idle = echo_is_idle,
	.is_absent = echo_is_absent,
};

/* --- requests --------------------------------------------------------------- */

static enum hook_result
on_count_get(struct module_ctx *m, struct iq *iq)
{
	const struct echo_state *state = module_entity_state(m, iq->entity);
	struct elem *count = iq_payload(iq, NS_ECHO, "count");

	elem_set_attr(iq->st->arena, count, "n",
		arena_printf(iq->st->arena, "%u", state->count));
	iq_result(iq, count);
	return HOOK_HANDLED;
}

static enum hook_result
on_count_set(struct module_ctx *m, struct iq *iq)
{
	struct entity *e = iq->entity;

	iq_keep(iq);
	echo_count(m, e, count_parse(elem_attr(iq->payload, "n")), iq);
	return HOOK_HANDLED;
}

static const struct iq_handler echo_iqs[] = {
	{ IQ_GET, AT_SERVICE_ADDRESS, NS_ECHO, "count", on_count_get },
	{ IQ_SET, AT_SERVICE_ADDRESS | ONE_BY_ONE, NS_ECHO, "count",
		on_count_set },
	{ .fn = NULL },
};

static bool
echo_is_local(const void *conf)
{
	return ((const struct echo_conf *)conf)->local;
}

static const struct service echo_services[] = {
	{ .option = "domain", .category = "component", .type = "generic",
		.name = "Echo", .is_local = echo_is_local,
		.address_category = "automation", .address_type = "echo",
		.features = (const char *const[]){ NS_ECHO, NULL },
		.address_class = &echo_class },
	{ .option = NULL },
};

MODULE(testecho) = {
	.api = MODULE_API,
	.name = "testecho",
	.summary = "send messages back, for tests",
	.options = echo_options,
	.conf_size = sizeof(struct echo_conf),
	.iqs = echo_iqs,
	.services = echo_services,
	.entity_state = sizeof(struct echo_state),
};
