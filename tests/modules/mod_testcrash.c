/*
 * mod_testcrash.c - crashes the server, in one way and another, on one thread and
 * another.  Built with the tests, never installed.
 *
 *   antiphonctl crash HOW WHERE
 *   <iq type='set'><crash xmlns='urn:antiphon:test:crash' how='...'/>
 */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "module/module.h"

#define NS_CRASH "urn:antiphon:test:crash"

/* So that each function has a frame: none is put into its caller, and none ends
 * with a jump to what it calls. */
#define APART __attribute__((noinline))
#define STAY() __asm__ volatile("")

static void *volatile nothing;

static APART void
crash_assertion(void)
{
	assert(nothing != NULL);
}

static APART void
crash_null(void)
{
	*(volatile int *)nothing = 1;
}

static APART void
crash_call(void)
{
	void (*volatile fn)(void) = NULL;

	fn();
	STAY();
}

/* Each call needs what the one before has left on its stack. */
static APART int
crash_overflow(volatile char *above)
{
	volatile char here[512];

	here[0] = (char)(above[0] + 1);
	if (nothing == NULL)
		here[1] = (char)crash_overflow(here);
	return here[0] + here[1];
}

static APART void
crash_free(void)
{
	void (*volatile give_back)(void *) = free;
	void *p = xmalloc(40);

	give_back(p);
	give_back(p);
	STAY();
}

/* The disk takes nothing more. */
static APART void
crash_full(void)
{
	struct rlimit none = { 0, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &none);
	assert(nothing != NULL);
}

/* No file can be opened any more. */
static APART void
crash_files(void)
{
	struct rlimit few = { 256, 256 };

	setrlimit(RLIMIT_NOFILE, &few);
	while (dup(STDERR_FILENO) != -1)
		;
	assert(nothing != NULL);
}

/* As in base/ring.h, which is not installed. */
struct ring_event;
struct crash_text;

struct ring_kind {
	const char *name;
	void (*describe)(struct crash_text *out, const struct ring_event *ev);
};

extern _Thread_local struct ring {
	uint32_t n;
	struct {
		const struct ring_kind *kind;
		uint64_t numbers[3];
	} events[64];
} ring_here;

static void
describe_by_crashing(struct crash_text *out, const struct ring_event *ev)
{
	(void)out;
	(void)ev;
	crash_null();
}

/* The handler crashes in its turn. */
static APART void
crash_twice(void)
{
	static const struct ring_kind kind = { "twice", describe_by_crashing };

	ring_here.events[ring_here.n++ % 64].kind = &kind;
	assert(nothing != NULL);
}

static APART void
crash(const char *how)
{
	volatile char top[2] = { 0, 0 };

	if (strcmp(how, "assertion") == 0)
		crash_assertion();
	else if (strcmp(how, "null") == 0)
		crash_null();
	else if (strcmp(how, "call") == 0)
		crash_call();
	else if (strcmp(how, "overflow") == 0)
		top[1] = (char)crash_overflow(top);
	else if (strcmp(how, "free") == 0)
		crash_free();
	else if (strcmp(how, "full") == 0)
		crash_full();
	else if (strcmp(how, "files") == 0)
		crash_files();
	else if (strcmp(how, "twice") == 0)
		crash_twice();
	STAY();
}

/* --- where ---------------------------------------------------------------- */

static void
crash_on_shard(struct shard *sh, void *arg)
{
	(void)sh;
	crash(arg);
}

static void
crash_on_worker(void *arg)
{
	crash(arg);
}

static void
on_worked(void *arg)
{
	(void)arg;
}

/* Called where a handle of the database is opened: `backup' does. */
static const char *crash_of_store;
int sqlite3_auto_extension(void (*fn)(void));

static void
crash_on_store(void)
{
	crash(crash_of_store);
}

static void
crash_timer(struct timer *t)
{
	(void)t;
	crash_null();
}

static void
run_crash(struct command_call *call)
{
	struct server *srv = call->server;
	char *how = str_dup(command_value(call, "how"));
	struct str where = command_value(call, "where");

	crash_of_store = how;
	if (str_is(where, "worker"))
		worker_run(srv->worker, crash_on_worker,
			&call->shard->mailbox, on_worked, how);
	else if (str_is(where, "store"))
		(void)sqlite3_auto_extension(crash_on_store);
	else if (str_is(where, "timer"))
		shard_timer(call->shard, xcalloc(1, sizeof(struct timer)), 0,
			crash_timer);
	else if (str_is(where, "shards"))
		for (unsigned i = 0; i < srv->n_shards; i++)
			shard_post(srv->shards[i], crash_on_shard, how, 0);
	else
		shard_post(srv->shards[srv->n_shards - 1], crash_on_shard, how,
			0);
	command_done(call);
}

static enum hook_result
on_crash(struct module_ctx *m, struct iq *iq)
{
	struct str how = elem_attr(iq->payload, "how");
	char *text = str_dup(how);

	(void)m;
	crash(text);
	free(text);
	iq_result(iq, NULL);
	return HOOK_HANDLED;
}

static const struct command_arg crash_args[] = {
	{ "how", ARG_TEXT, .help = "assertion, null, call, overflow, free, full, files or twice" },
	{ "where", ARG_TEXT, .help = "shard, shards, worker, store or timer" },
	{ .name = NULL },
};

static const struct command crash_commands[] = {
	{ "crash", "end the server by a fault of its own", NULL, crash_args,
		.run = run_crash, .may = BY_OPERATOR },
	{ .name = NULL },
};

static const struct iq_handler crash_iqs[] = {
	{ IQ_SET, AT_OWN_ACCOUNT, NS_CRASH, "crash", on_crash },
	{ .fn = NULL },
};

MODULE(testcrash) = {
	.api = MODULE_API,
	.name = "testcrash",
	.summary = "crash, for tests",
	.commands = crash_commands,
	.iqs = crash_iqs,
};
