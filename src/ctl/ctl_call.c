/*
 * ctl_call.c - one command that a client of the control socket has called.
 *
 * Shard 0.  The call belongs to the command from command_run() until
 * command_done() or command_fail(); a client that goes away meanwhile is
 * forgotten by its call, which ends in its own time.
 */
#include "config.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/shard.h"
#include "ctl/ctl_int.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_socket.h"

struct ctl_call {
	struct command_call call; /* first */
	struct ctl_client *client; /* NULL: gone */
	json_t *row;               /* the one that is being filled */
	/* What goes on when the client has read; NULL: nothing, or it is posted. */
	void (*fn)(struct command_call *call);
};

/* The operating system has said who may connect. */
static const struct command_door control_door = {
	.name = "control",
	.is_local = true,
};

static struct ctl_call *
call_of(struct command_call *call)
{
	return (struct ctl_call *)(void *)call;
}

/* --- what the command answers ------------------------------------------- */

static void
call_flush(struct ctl_call *cc)
{
	json_t *row = cc->row;

	cc->row = NULL;
	if (row == NULL)
		return;
	if (cc->client != NULL)
		ctl_client_send(cc->client, json_pack("{s:o}", "row", row));
	else
		json_decref(row);
}

static void
on_call_row(struct command_call *call)
{
	call_flush(call_of(call));
	call_of(call)->row = json_object();
}

static void
on_call_field(struct command_call *call, const char *name, struct str text,
	bool is_number)
{
	if (call_of(call)->row == NULL)
		on_call_row(call);
	ctl_json_field(call_of(call)->row, name, text, is_number);
}

static void
on_call_text(struct command_call *call, struct str text)
{
	struct ctl_call *cc = call_of(call);

	call_flush(cc);
	if (cc->client != NULL)
		ctl_client_send(cc->client,
			json_pack("{s:o}", "text", ctl_json_text(text)));
}

struct going_on {
	struct command_call *call;
	void (*fn)(struct command_call *call);
};

static void
on_go_on(struct shard *sh, void *arg)
{
	struct going_on g = *(struct going_on *)arg;

	(void)sh;
	free(arg);
	g.fn(command_call_arg(g.call));
}

void
ctl_call_taken(struct ctl_call *cc)
{
	struct going_on *g;

	if (cc->fn == NULL)
		return;
	g = xmalloc(sizeof(*g));
	*g = (struct going_on){ &cc->call, cc->fn };
	cc->fn = NULL;
	shard_post(cc->call.shard, on_go_on, g, sizeof(*g));
}

static void
on_call_when_taken(struct command_call *call, void (*fn)(struct command_call *call))
{
	struct ctl_call *cc = call_of(call);

	call_flush(cc);
	cc->fn = fn;
	if (cc->client == NULL || cc->client->out.n == 0)
		ctl_call_taken(cc);
}

static void
on_call_finish(struct command_call *call, const struct err *err)
{
	struct ctl_call *cc = call_of(call);
	struct ctl_client *client = cc->client;

	call_flush(cc);
	arena_free(call->arena);
	free(cc);
	if (client == NULL)
		return;
	ctl_client_send(client, ctl_json_end(err));
	client->call = NULL;
	ctl_client_pump(client);
}

/* --- starting ----------------------------------------------------------- */

static struct command_caller
call_caller(const struct ctl_client *c)
{
	return (struct command_caller){
		.door = &control_door,
		.as = BY_OPERATOR,
		.uid = c->uid,
		.user = ctl_user_name(c->ctl, c->uid),
	};
}

static void
on_help(void *arg, const struct command *command)
{
	struct command_caller caller = call_caller(arg);

	ctl_client_send(arg,
		json_pack("{s:o}", "row", ctl_json_help(command, &caller)));
}

static struct ctl_call *
call_new(struct ctl_client *c, const struct command *command)
{
	struct ctl_call *cc = xcalloc(1, sizeof(*cc));
	const struct command_arg *arg = command->args;
	size_t n = 0;

	while (arg != NULL && arg[n].name != NULL)
		n++;
	cc->client = c;
	cc->call = (struct command_call){
		.server = c->ctl->server,
		.shard = c->ctl->server->shards[0],
		.command = command,
		.caller = call_caller(c),
		.arena = arena_new(),
		.row = on_call_row,
		.field = on_call_field,
		.text = on_call_text,
		.when_taken = on_call_when_taken,
		.finish = on_call_finish,
	};
	/* a call may outlive the control socket, which knows the names */
	cc->call.caller.user =
		arena_str(cc->call.arena, str_c(cc->call.caller.user)).p;
	cc->call.values = arena_zalloc(cc->call.arena,
		(n + 1) * sizeof(struct str));
	return cc;
}

static void
call_run(struct ctl_client *c, const struct command *command,
	const json_t *request)
{
	struct ctl_call *cc = call_new(c, command);
	json_t *args = json_object_get(request, "args");
	struct err err = ERR_INIT;
	bool ok;

	c->call = cc;
	cc->call.check_only = json_is_true(json_object_get(request, "check"));
	ok = ctl_json_values(args, command, cc->call.arena, cc->call.values,
		&err);
	if (ok)
		command_run(&cc->call);
	else
		command_fail(&cc->call, &err);
}

void
ctl_call_start(struct ctl_client *c, struct str line)
{
	struct err err = ERR_INIT;
	json_t *o = ctl_json_request(line, &err);
	struct command_caller caller = call_caller(c);
	const struct command *command;
	struct str name;

	if (o == NULL) {
		ctl_client_send(c, ctl_json_end(&err));
		return;
	}
	name = str_c(json_string_value(json_object_get(o, "command")));
	command = command_find(c->ctl->server, name);
	if (str_is(name, "help")) {
		command_each(c->ctl->server, &caller, on_help, c);
		ctl_client_send(c, ctl_json_end(NULL));
	} else if (command == NULL) {
		err_set(&err, ERR_MISSING, "there is no command \"%.*s\"",
			STR_ARG(name));
		ctl_client_send(c, ctl_json_end(&err));
	} else {
		call_run(c, command, o);
	}
	ctl_json_wipe(o);
	json_decref(o);
}

void
ctl_call_detach(struct ctl_call *call)
{
	call->client = NULL;
	call->call.unheard = true;
	ctl_call_taken(call);
}
