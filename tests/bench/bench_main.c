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
	{ "login", "all log in, then all log out at once", mode_login, true },
	{ "idle", "memory of a session that does nothing (--seconds)",
		mode_idle, true },
	{ "ping", "questions to the server, --window on their way for each",
		mode_ping, true },
	{ "chat", "messages in pairs, --window on their way from each",
		mode_chat, true },
	{ "open", "messages in pairs, at a fixed --rate for --seconds",
		mode_open, true },
	{ "presence", "changes of presence, in groups of --contacts + 1",
		mode_presence, true },
	{ "return", "all log in, lose their connections, and come back at once",
		mode_return, true },
	{ "roster", "all become contacts, in groups of --contacts + 1",
		mode_roster, false },
	{ "contacts", "each writes --contacts into its roster", mode_contacts,
		false },
	{ "offline", "messages for users who are away, then for them to fetch",
		mode_offline, false },
	{ "pages", "fill archives, and read --pages pages of 50 of each kind",
		mode_pages, false },
	{ "rooms", "messages in rooms of --size, of --senders in each", mode_rooms,
		false },
	{ "enter", "one enters the room of all others, --count times", mode_enter,
		false },
	{ "soak", "log in, chat, change presence, drop, return", mode_soak,
		false },
	{ "kill", "changes until the server dies; checks the last run's",
		mode_kill, false },
};

/* --- options ------------------------------------------------------------------- */

typedef void option_set(struct bench_conf *conf, const char *name,
	const char *text);

static option_set set_flag, set_mechanism, set_number, set_pids, set_text,
	set_tls;

/* Where set_number, set_text and set_flag put what they find. */
#define AT(field) offsetof(struct bench_conf, field)

static const struct option_def {
	const char *name, *arg, *help;
	option_set *set; /* NULL: --help */
	size_t at;
} options[] = {
	{ "address", "IP", "of the server (127.0.0.1)", set_text,
		AT(address) },
	{ "port", "N", "of the server (5222)", set_number, AT(port) },
	{ "tls", "HOW", "starttls (the default), direct or none", set_tls, 0 },
	{ "pid", "N,...", "of the server, to read what it uses", set_pids, 0 },
	{ "floor", NULL, "the server is antiphon-floor; TLS is direct or none",
		set_flag, AT(floor) },
	{ "domain", "NAME", "of the accounts (bench.test)", set_text,
		AT(domain) },
	{ "password", "TEXT", "of all accounts (bench-password)", set_text,
		AT(password) },
	{ "mechanism", "NAME",
		"PLAIN or SCRAM-SHA-1, -256, -512 (SCRAM-SHA-1, else PLAIN)",
		set_mechanism, 0 },
	{ "clients", "N", "how many (100)", set_number, AT(clients) },
	{ "first", "N", "account of the first of those that chat openly (0)",
		set_number, AT(first) },
	{ "devices", "N", "further ones of each client that chats (0)",
		set_number, AT(devices) },
	{ "copies", NULL, "are shown to them (XEP-0280)", set_flag,
		AT(copies) },
	{ "window", "N", "logins, messages, questions or changes on their way "
		"(20)", set_number, AT(window) },
	{ "count", "N", "messages, questions or changes of each client (100)",
		set_number, AT(count) },
	{ "rate", "N", "messages a second, of all together (1000)",
		set_number, AT(rate) },
	{ "seconds", "N", "how long (10)", set_number, AT(seconds) },
	{ "warm", "PERCENT", "of that goes before the measure (10)",
		set_number, AT(warm) },
	{ "contacts", "N", "of each client (10)", set_number, AT(contacts) },
	{ "size", "N", "of each room (20)", set_number, AT(size) },
	{ "senders", "N", "in each room (0: all)", set_number, AT(senders) },
	{ "every", "MS", "from one message of theirs to the next (0: at once)",
		set_number, AT(every) },
	{ "archive", NULL, "rooms have one", set_flag, AT(archive) },
	{ "moderators", NULL, "theirs is the only presence in rooms", set_flag,
		AT(moderators) },
	{ "pages", "N", "of archives, of each kind (200)", set_number,
		AT(pages) },
	{ "bytes", "N", "of a message's text (100)", set_number, AT(bytes) },
	{ "bare", NULL, "chat with bare addresses", set_flag, AT(bare) },
	{ "one-way", NULL, "of a pair that chats, only one sends", set_flag,
		AT(one_way) },
	{ "sm", NULL, "stream management (XEP-0198), both ways", set_flag,
		AT(sm) },
	{ "paced", NULL, "only --window clients change presence at a time",
		set_flag, AT(paced) },
	{ "pace", "MS", "between two actions of one client that soaks (1000)",
		set_number, AT(pace) },
	{ "seed", "N", "of what is random (1)", set_number, AT(seed) },
	{ "patience", "N", "seconds without progress that end a run (30)",
		set_number, AT(patience) },
	{ "command", "TEXT", "restarts the server, before its clients return; "
		"prints its --pid", set_text, AT(command) },
	{ "resume", NULL, "TLS sessions, where the server lets clients",
		set_flag, AT(resume) },
	{ "mark", "COMMAND", "run before and after what is measured",
		set_text, AT(mark) },
	{ "state", "FILE", "what the mode kill has seen acknowledged",
		set_text, AT(state) },
	{ "table", NULL, "print a table instead of one line", set_flag,
		AT(table) },
	{ "verbose", NULL, "print every error", set_flag, AT(verbose) },
	{ "help", NULL, "print this", NULL, 0 },
};

static void
usage(FILE *out)
{
	fputs("usage: antiphon-bench MODE [--OPTION VALUE]...\nmodes:\n", out);
	fputs("  accounts   print accounts for `antiphonctl adduser --batch'\n",
		out);
	for (size_t i = 0; i < COUNT(modes); i++)
		fprintf(out, "  %-9s  %s\n", modes[i].name, modes[i].help);
	fputs("options:\n", out);
	for (size_t i = 0; i < COUNT(options); i++)
		fprintf(out, "  --%-9s %-7s  %s\n", options[i].name,
			options[i].arg != NULL ? options[i].arg : "",
			options[i].help);
	fputs("clients are b0, b1, ... of the domain; with --floor, all modes\n"
	      "but roster, offline, pages, rooms, enter, soak and kill\n", out);
}

static void
wrong(const char *what, const char *found)
{
	fprintf(stderr, "antiphon-bench: %s: %s\n", what, found);
	exit(2);
}

static void *
field(struct bench_conf *conf, const char *name)
{
	for (size_t i = 0; i < COUNT(options); i++)
		if (strcmp(name, options[i].name) == 0)
			return (char *)conf + options[i].at;
	abort();
}

static void
set_number(struct bench_conf *conf, const char *name, const char *text)
{
	unsigned *to = field(conf, name);
	long long n;

	if (!str_to_int(str_c(text), 0, 100000000, &n))
		wrong(name, text);
	*to = (unsigned)n;
}

static void
set_text(struct bench_conf *conf, const char *name, const char *text)
{
	const char **to = field(conf, name);

	*to = text;
}

static void
set_flag(struct bench_conf *conf, const char *name, const char *text)
{
	bool *to = field(conf, name);

	(void)text;
	*to = true;
}

static void
set_pids(struct bench_conf *conf, const char *name, const char *text)
{
	if (!pids_parse(conf, text))
		wrong(name, text);
}

static void
set_tls(struct bench_conf *conf, const char *name, const char *text)
{
	static const char *const names[] = { "starttls", "direct", "none" };

	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			conf->tls = (enum bench_tls)i;
			return;
		}
	}
	wrong(name, text);
}

static void
set_mechanism(struct bench_conf *conf, const char *name, const char *text)
{
	conf->mechanism = text;
	if (strcmp(text, "PLAIN") == 0)
		return;
	if (strncmp(text, "SCRAM-", 6) != 0 ||
		!scram_hash_parse(str_c(text + 6), &conf->hash))
		wrong(name, text);
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
		if (options[i].set == NULL) {
			usage(stdout);
			exit(0);
		}
		options[i].set(conf, options[i].name, optarg);
	}
	if (optind != argc - 1) {
		usage(stderr);
		exit(2);
	}
	if (conf->floor && conf->tls == BENCH_STARTTLS)
		conf->tls = BENCH_DIRECT;
	if (conf->bytes > 4000 || conf->clients == 0 || conf->window == 0)
		wrong("out of range", "--bytes is at most 4000, --clients and "
			"--window at least 1");
}

/* --- the run ----------------------------------------------------------------------- */

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
run(const struct bench_mode *mode, struct bench_conf *conf)
{
	struct bench b;
	bool ok;

	if (conf->floor && !mode->floor)
		wrong("the floor cannot do", mode->name);
	bench_init(&b, conf);
	/* what the run before this one has left to do is not for us */
	usage_settle(&b);
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
		.password = "bench-password", .hash = SCRAM_SHA_1,
		.clients = 100, .window = 20, .count = 100, .contacts = 10, .pages = 200,
		.size = 20,
		.bytes = 100, .seconds = 10, .patience = 30, .seed = 1,
		.pace = 1000, .rate = 1000, .warm = 10,
	};

	parse(&conf, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	raise_files();
	if (strcmp(argv[optind], "accounts") == 0)
		return accounts_print(&conf);
	for (size_t i = 0; i < COUNT(modes); i++)
		if (strcmp(argv[optind], modes[i].name) == 0)
			return run(&modes[i], &conf);
	usage(stderr);
	return 2;
}
