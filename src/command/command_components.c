/*
 * command_components.c - the commands about components: list, show, kick.
 *
 * Shard 0, which asks those where components are.
 */
#include "config.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "xmpp/datetime.h"
#include "conf/conf.h"
#include "core/component.h"
#include "core/entity.h"
#include "core/entity_message.h"
#include "core/link.h"
#include "core/server.h"
#include "core/shard.h"
#include "command/commands.h"

static const struct config_component *
component_find(const struct config *conf, struct str domain)
{
	for (size_t i = 0; i < conf->n_components; i++)
		if (str_is(domain, conf->components[i].domain))
			return &conf->components[i];
	return NULL;
}

static bool
component_check(struct command_call *call, struct err *err)
{
	struct str domain = command_value(call, "domain");

	return component_find(call->server->newest->config, domain) != NULL ||
		err_set(err, ERR_MISSING,
			"%.*s is no component, see components: in antiphond.yml",
			STR_ARG(domain));
}

/* --- list ----------------------------------------------------------------- */

/* What was found of each that the configuration has. */
struct component_list {
	struct command_call *call;
	struct config *conf; /* a reference */
	struct component_state {
		int64_t links, waits, bytes;
	} states[];
};

static void
list_component(struct entity *e, void *arg)
{
	struct component_list *list = arg;
	const struct config_component *c =
		component_find(list->conf, jid_str(e->jid));
	struct component_state *state;
	const struct link *l;

	if (c == NULL)
		return;
	state = &list->states[c - list->conf->components];
	component_waiting(e, &state->waits, &state->bytes);
	LIST_FOREACH (l, component_links(e), in)
		state->links++;
}

static void
on_listed(struct shard *from, void *arg)
{
	struct component_list *list = arg;
	struct command_call *call = command_call_arg(list->call);

	(void)from;
	for (size_t i = 0; i < list->conf->n_components; i++) {
		const struct component_state *state = &list->states[i];

		command_row(call);
		command_field(call, "domain",
			str_c(list->conf->components[i].domain));
		command_number(call, "connections", state->links);
		command_number(call, "waits", state->waits);
		command_number(call, "waits_bytes", state->bytes);
	}
	config_unref(list->conf);
	free(list);
	command_done(call);
}

static void
list_run(struct command_call *call)
{
	struct config *conf = call->server->newest->config;
	struct component_list *list = xcalloc(1, sizeof(*list) +
			conf->n_components * sizeof(list->states[0]));

	list->call = call;
	list->conf = config_ref(conf);
	entity_visit_all(call->shard, &component_class, STR_NONE,
		list_component, on_listed, list);
}

/* --- show ----------------------------------------------------------------- */

static void
show_links(struct command_call *call, const struct entity *e)
{
	char since[DATETIME_SIZE];
	const struct link *l;

	LIST_FOREACH (l, component_links(e), in) {
		command_row(call);
		command_field(call, "peer",
			str_c(l->ops->describe(l->stream, "peer")));
		command_field(call, "since",
			datetime_format(since, l->since_us));
		command_number(call, "received", (int64_t)l->received);
		command_number(call, "sent", (int64_t)l->sent);
		command_number(call, "waits", l->n_waiting);
		command_number(call, "waits_bytes", (int64_t)l->bytes);
		command_number(call, "shard", e->shard->index);
	}
}

/* e may be NULL: it was not there since the start, and nothing waits. */
static void
show_away(struct command_call *call, const struct shard *sh,
	const struct entity *e)
{
	int64_t since_us = 0, waits = 0, bytes = 0;
	char since[DATETIME_SIZE];

	if (e != NULL) {
		since_us = component_away_us(e);
		component_waiting(e, &waits, &bytes);
	}
	command_row(call);
	command_field(call, "peer", STR("away"));
	command_field(call, "since",
		since_us != 0 ? datetime_format(since, since_us) : STR(""));
	command_number(call, "received", 0);
	command_number(call, "sent", 0);
	command_number(call, "waits", waits);
	command_number(call, "waits_bytes", bytes);
	command_number(call, "shard", sh->index);
}

/* Also where no entity is in memory. */
static bool
show_some(struct command_call *call, struct shard *sh, uint64_t *at_io)
{
	struct str domain = command_value(call, "domain");
	struct entity *e;

	(void)at_io;
	if (server_place_of(sh->server, domain).shard != sh->index)
		return false;
	e = entity_find(sh, domain);
	if (e != NULL && (e->class != &component_class ||
		    e->state != ENTITY_LOADED))
		e = NULL;
	if (e != NULL && !LIST_EMPTY(component_links(e)))
		show_links(call, e);
	else
		show_away(call, sh, e);
	return false;
}

static void
show_run(struct command_call *call)
{
	command_walk(call, 0, show_some);
}

/* --- kick ----------------------------------------------------------------- */

static void
kick_run(struct command_call *call)
{
	entity_ask(call->shard,
		&(struct entity_message){ .kind = TELL_KICK,
			.to = jid_trusted(command_value(call, "domain")) },
		command_answered, call);
}

/* --- the table ------------------------------------------------------------ */

static const struct command_arg domain_args[] = {
	{ "domain", ARG_DOMAIN, .help = "the domain of the component" },
	{ .name = NULL },
};

const struct command command_components[] = {
	{ "components kick", "close the connections of a component",
		"They end with <policy-violation/>; nothing keeps it from coming back.",
		domain_args, kick_run, component_check, BY_OPERATOR },
	{ "components list", "list the components of the configuration",
		"It shows how many connections each has, and what waits for it.",
		NULL, .run = list_run, .may = BY_OPERATOR },
	{ "components show", "list the connections of a component",
		"It shows the stanzas that each has sent and received, as the server sees them, and those that wait because it is slow. Of one that is away it shows since when, if it was there since the server has started, and what waits for it.",
		domain_args, show_run, component_check, BY_OPERATOR },
	{ .name = NULL },
};
