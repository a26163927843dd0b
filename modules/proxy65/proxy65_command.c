/*
 * proxy65_command.c - what is transferred now, for administrators.
 */
#include "config.h"

#include "proxy65.h"

#define ROWS_A_TURN 256

static void
list_transfer(struct command_call *call, const struct transfer *t)
{
	command_row(call);
	command_field(call, "user", str_c(transfer_user(t)));
	command_field(call, "target", str_c(t->target));
	command_field(call, "host", str_c(t->host));
	command_number(call, "bytes", (int64_t)t->moved);
	command_number(call, "seconds",
		(t->shard->now_us - t->began_us) / US_PER_S);
	command_number(call, "shard", t->shard->index);
}

/* Those behind the one of which *at_io is the number; 0: all. */
static bool
list_some(struct command_call *call, struct shard *sh, uint64_t *at_io)
{
	struct module_ctx *m = listen_module(sh, PROXY65_KIND);
	struct str host = command_value(call, "domain");
	const struct proxy65_shard *ps;
	const struct transfer *t;
	unsigned n = 0;

	if (m == NULL || m->entry != call->entry)
		return false;
	ps = module_shard_state(m, sh);
	LIST_FOREACH (t, &ps->all, link) {
		if ((*at_io != 0 && t->serial >= *at_io) ||
			(host.p != NULL && !str_is(host, t->host)))
			continue;
		list_transfer(call, t);
		*at_io = t->serial;
		if (++n == ROWS_A_TURN)
			return true;
	}
	return false;
}

static void
list_run(struct command_call *call)
{
	command_walk(call, 0, list_some);
}

static const struct command_arg list_args[] = {
	{ "domain", ARG_DOMAIN, .optional = true,
		.help = "the host whose proxy it is" },
	{ .name = NULL },
};

const struct command proxy65_commands[] = {
	{ "transfers", "list what clients transfer through proxies", NULL,
		list_args, list_run, NULL, BY_OPERATOR | BY_HOST_ADMIN },
	{ .name = NULL },
};
