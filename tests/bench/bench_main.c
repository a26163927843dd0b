/*
 * bench_main.c - antiphon-bench: the command line, and the choice of a mode.
 */
#include "config.h"

#include "bench.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"

static const struct bench_mode modes[] = {
	{ "login", "all log in, then all log out at once", mode_login },
	{ "idle", "memory of a session that does nothing", mode_idle },
	{ "ping", "questions to the server", mode_ping },
	{ "chat", "messages in pairs", mode_chat },
	{ "presence", "changes of presence, in groups of contacts",
		mode_presence },
	{ "roster", "all become contacts, in groups", mode_roster },
	{ "offline", "messages for users who are away", mode_offline },
	{ "soak", "log in, chat, change presence, drop, return", mode_soak },
	{ "kill", "changes until the server dies; checks the last run's",
		mode_kill },
};

static const struct {
	const char *name, *arg, *help;
} options[] = {
	{ "address", "IP", "of the server (127.0.0.1)" },
	{ "port", "N", "of the server (5222)" },
	{ "tls", "HOW", "starttls (the default), direct or none" },
	{ "domain", "NAME", "of the accounts (bench.test)" },
	{ "password", "TEXT", "of all accounts (bench-password)" },
	{ "mechanism", "NAME", "PLAIN or SCRAM-SHA-1 (the default), -256, -512" },
	{ "clients", "N", "how many (100)" },
	{ "window", "N", "logins, messages or questions on their way (20)" },
	{ "count", "N", "messages, questions or rounds of each client (100)" },
	{ "contacts", "N", "of each client (10)" },
	{ "bytes", "N", "of a message's text (100)" },
	{ "seconds", "N", "how long (10)" },
	{ "patience", "N", "seconds without progress that end a run (30)" },
	{ "seed", "N", "of what is random (1)" },
	{ "pace", "MS", "between two actions of one client (1000)" },
	{ "pid", "N,...", "of the server, to read what it uses" },
	{ "state", "FILE", "what the mode kill has seen acknowledged" },
	{ "bare", NULL, "chat with bare addresses" },
	{ "table", NULL, "print a table instead of one line" },
	{ "verbose", NULL, "print every error" },
	{ "help", NULL, "print this" },
};

static void
usage(FILE *out)
{
	fputs("usage: antiphon-bench MODE [--OPTION VALUE]...\nmodes:\n", out);
	fputs("  accounts    print accounts for `antiphonctl adduser --batch'\n",
		out);
	for (size_t i = 0; i < COUNT(modes); i++)
		fprintf(out, "  %-10s  %s\n", modes[i].name, modes[i].help);
	fputs("options:\n", out);
	for (size_t i = 0; i < COUNT(options); i++)
		fprintf(out, "  --%-10s %-5s %s\n", options[i].name,
			options[i].arg != NULL ? options[i].arg : "",
			options[i].help);
}

static void
wrong(const char *what, const char *found)
{
	fprintf(stderr, "antiphon-bench: %s: %s\n", what, found);
	exit(2);
}

static unsigned
number(const char *option, const char *text)
{
	long long n;

	if (!str_to_int(str_c(text), 0, 100000000, &n))
		wrong(option, text);
	return (unsigned)n;
}

static void
set_number(struct bench_conf *conf, const char *name, const char *text)
{
	const struct {
		const char *name;
		unsigned *to;
	} numbers[] = {
		{ "port", &conf->port }, { "clients", &conf->clients },
		{ "window", &conf->window }, { "count", &conf->count },
		{ "contacts", &conf->contacts }, { "bytes", &conf->bytes },
		{ "seconds", &conf->seconds }, { "seed", &conf->seed },
		{ "patience", &conf->patience }, { "pace", &conf->pace },
	};

	for (size_t i = 0; i < COUNT(numbers); i++)
		if (strcmp(name, numbers[i].name) == 0)
			*numbers[i].to = number(name, text);
}

/* The processes of the server, with commas between them. */
static void
set_pids(struct bench_conf *conf, const char *text)
{
	char *end;
	long pid;

	conf->n_pids = 0;
	do {
		pid = strtol(text, &end, 10);
		if (end == text || pid < 1 || conf->n_pids == PIDS_MAX)
			wrong("pid", text);
		conf->pids[conf->n_pids++] = (pid_t)pid;
		text = end + 1;
	} while (*end == ',');
	if (*end != '\0')
		wrong("pid", end);
}

static void
set_tls(struct bench_conf *conf, const char *text)
{
	static const char *const names[] = { "starttls", "direct", "none" };

	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			conf->tls = (enum bench_tls)i;
			return;
		}
	}
	wrong("tls", text);
}

static void
set_mechanism(struct bench_conf *conf, const char *text)
{
	conf->mechanism = text;
	if (strcmp(text, "PLAIN") == 0)
		return;
	if (strncmp(text, "SCRAM-", 6) != 0 ||
		!scram_hash_parse(str_c(text + 6), &conf->hash))
		wrong("mechanism", text);
}

static void
set_option(struct bench_conf *conf, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **to;
	} texts[] = {
		{ "address", &conf->address }, { "domain", &conf->domain },
		{ "password", &conf->password }, { "state", &conf->state },
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		if (strcmp(name, texts[i].name) == 0)
			*texts[i].to = value;
	if (strcmp(name, "tls") == 0)
		set_tls(conf, value);
	else if (strcmp(name, "mechanism") == 0)
		set_mechanism(conf, value);
	else if (strcmp(name, "pid") == 0)
		set_pids(conf, value);
	else if (strcmp(name, "bare") == 0)
		conf->bare = true;
	else if (strcmp(name, "table") == 0)
		conf->table = true;
	else if (strcmp(name, "verbose") == 0)
		conf->verbose = true;
	else
		set_number(conf, name, value);
}

static void
parse(struct bench_conf *conf, int argc, char **argv)
{
	struct option longs[COUNT(options) + 1] = { 0 };
	int i, got;

	for (size_t n = 0; n < COUNT(options); n++) {
		longs[n].name = options[n].name;
		longs[n].has_arg = options[n].arg != NULL ? required_argument :
			no_argument;
	}
	while ((got = getopt_long(argc, argv, "", longs, &i)) != -1) {
		if (got != 0) {
			usage(stderr);
			exit(2);
		}
		if (strcmp(longs[i].name, "help") == 0) {
			usage(stdout);
			exit(0);
		}
		set_option(conf, longs[i].name, optarg);
	}
	if (optind != argc - 1) {
		usage(stderr);
		exit(2);
	}
}

static void
raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
run(const struct bench_mode *mode, const struct bench_conf *conf)
{
	struct bench b;
	bool ok;

	bench_init(&b, conf);
	ok = mode->run(&b);
	result_print(&b, mode->name);
	ok = ok && b.lost == 0 && b.doubled == 0 && b.reordered == 0 &&
		b.errors == 0;
	bench_done(&b);
	return ok ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct bench_conf conf = {
		.address = "127.0.0.1", .port = 5222, .domain = "bench.test",
		.password = "bench-password", .mechanism = "SCRAM-SHA-1",
		.clients = 100, .window = 20, .count = 100, .contacts = 10,
		.bytes = 100, .seconds = 10, .patience = 30, .seed = 1,
		.pace = 1000,
	};

	parse(&conf, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	raise_files();
	if (conf.bytes > 4000 || conf.clients == 0)
		wrong("out of range", "--bytes is at most 4000, --clients at least 1");
	if (strcmp(argv[optind], "accounts") == 0)
		return accounts_print(&conf);
	for (size_t i = 0; i < COUNT(modes); i++)
		if (strcmp(argv[optind], modes[i].name) == 0)
			return run(&modes[i], &conf);
	usage(stderr);
	return 2;
}
