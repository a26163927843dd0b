/*
 * s2s_close.c - the command that closes the streams to another server, and from it.
 *
 * Shard 0, which asks those where streams are, and the remote of the domain.
 */
#include "config.h"

#include "base/arena.h"
#include "base/err.h"
#include "core/entity_message.h"
#include "stream/server/s2s_command.h"
#include "stream/server/s2s_in_int.h"

static void
close_in(struct command_call *call, const struct s2s_in *c,
	const struct s2s_pair *pair)
{
	(void)pair;
	*(bool *)call->state = true;
	/* one of ours that goes by it closes it, when it is ready for that */
	if (!s2s_in_link_ends(c))
		stream_end(&((struct s2s_in *)(uintptr_t)c)->x,
			STREAM_COND_NONE, NULL);
}

static void
close_visit(struct shard *sh, void *arg)
{
	struct command_call *call = command_call_arg(arg);

	s2s_each_in(call, sh, command_value(call, "domain"), close_in);
}

static void
on_closed(struct shard *first, void *arg)
{
	struct command_call *call = command_call_arg(arg);
	struct err err = ERR_INIT;

	(void)first;
	if (*(bool *)call->state) {
		command_done(call);
		return;
	}
	err_set(&err, ERR_MISSING, "there is no stream to %.*s, or from it",
		STR_ARG(command_value(call, "domain")));
	command_fail(call, &err);
}

/* Those to it are its own to close. */
static void
on_kicked(void *arg, bool ok, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);

	(void)err;
	*(bool *)call->state = ok;
	shard_visit_all(call->shard, close_visit, on_closed, call);
}

void
s2s_close_run(struct command_call *call)
{
	call->state = arena_zalloc(call->arena, sizeof(bool));
	entity_ask(call->shard,
		&(struct entity_message){ .kind = TELL_KICK,
			.to = jid_trusted(command_value(call, "domain")) },
		on_kicked, call);
}
