/*
 * mod_testclock.c - moves the server's clock, so that timers are tested without
 * sleeping.  Built with the tests, never installed.
 */
#include "module/module.h"

static void
on_shard(struct shard *sh, void *arg)
{
	(void)sh;
	(void)arg;
}

static void
on_timers_run(struct shard *from, void *arg)
{
	(void)from;
	command_done(arg);
}

/* Every shard was woken; the turn in which it was has ended when it can be
 * visited again. */
static void
on_everywhere(struct shard *from, void *arg)
{
	shard_visit_all(from, on_shard, on_timers_run, arg);
}

static void
run_clock(struct command_call *call)
{
	struct err err = ERR_INIT;
	int64_t us;

	if (!str_is(command_value(call, "action"), "advance") ||
		!duration_parse(command_value(call, "duration"), &us)) {
		err_set(&err, ERR_INVALID, "say: clock advance DURATION");
		command_fail(call, &err);
		return;
	}
	clock_shifted_advance(call->server->clock_shift, us);
	shard_visit_all(call->shard, on_shard, on_everywhere, call);
}

static const struct command_arg clock_args[] = {
	{ "action", ARG_TEXT, .help = "advance" },
	{ "duration", ARG_TEXT, .help = "how far, such as 30s" },
	{ .name = NULL },
};

static const struct command clock_commands[] = {
	{ "clock", "move the clock of the server forwards", NULL, clock_args,
		.run = run_clock, .may = BY_OPERATOR },
	{ .name = NULL },
};

MODULE(testclock) = {
	.api = MODULE_API,
	.name = "testclock",
	.summary = "move the clock, for tests",
	.commands = clock_commands,
};
