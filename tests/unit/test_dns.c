/*
 * test_dns.c - questions, and the thread that has them answered.  A name server is
 * a socket of ours that says nothing; what real ones say, tests/e2e/test_dns.py
 * sees to.
 */
#include "config.h"

#include "dns/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "test.h"

struct desk {
	struct mailbox box;
	struct clock_shifted clock;
	int fd; /* the silent name server */
	unsigned port;
	struct dns *dns;
	size_t n_answers;
	struct dns_part last; /* without what its question held */
	enum dns_trust trust;
};

static void
silence_begin(struct desk *d)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t n = sizeof(in);

	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(d->fd != -1);
	CHECK(bind(d->fd, (struct sockaddr *)&in, sizeof(in)) == 0);
	CHECK(getsockname(d->fd, (struct sockaddr *)&in, &n) == 0);
	d->port = ntohs(in.sin_port);
}

static struct config *
conf_of(unsigned port, const char *more, const char *hosts_file)
{
	struct buf text = BUF_INIT;
	struct conf_errors errors;
	struct config *conf;

	buf_printf(&text,
		"hosts: { example.org: {} }\n"
		"dns: { servers: [ 127.0.0.1@%u ], %s, hosts_file: %s }\n",
		port, more, hosts_file);
	conf_errors_init(&errors);
	conf = config_parse("test", buf_str(&text), NULL, &errors);
	CHECK(conf != NULL);
	conf_errors_done(&errors);
	buf_done(&text);
	return conf;
}

static void
desk_init_hosts(struct desk *d, const char *options, const char *hosts_file,
	unsigned flags)
{
	struct err err = ERR_INIT;
	struct config *conf;

	memset(d, 0, sizeof(*d));
	CHECK(mailbox_init(&d->box, &err));
	clock_shifted_init(&d->clock);
	silence_begin(d);
	conf = conf_of(d->port, options, hosts_file);
	d->dns = dns_new(conf, &d->clock.clock, flags);
	config_unref(conf);
}

static void
desk_init(struct desk *d, const char *options)
{
	desk_init_hosts(d, options, "/nowhere", 0);
}

static void
desk_done(struct desk *d)
{
	dns_free(d->dns);
	mailbox_drain(&d->box, NULL, SIZE_MAX);
	mailbox_done(&d->box);
	close(d->fd);
}

static void
on_answer(void *arg, struct dns_question *q)
{
	struct desk *d = arg;

	d->n_answers++;
	d->last = q->parts[q->n - 1];
	d->trust = q->trust;
	dns_question_free(q);
}

static void
desk_ask(struct desk *d, const char *name)
{
	struct dns_question *q = dns_question_new(1, on_answer, d);
	size_t before = d->n_answers;

	dns_question_add(q, name, DNS_A);
	dns_ask(d->dns, &d->box, q);
	CHECK_INT(d->n_answers, before);
}

static void
desk_wait(struct desk *d, size_t n)
{
	struct pollfd pfd = { .fd = d->box.fd, .events = POLLIN };

	while (d->n_answers < n) {
		if (mailbox_drain(&d->box, NULL, 16) < 16 && d->n_answers < n)
			poll(&pfd, 1, -1);
	}
}

/* Until the silent server has been asked. */
static void
silence_wait(struct desk *d)
{
	char bytes[512];

	CHECK(recv(d->fd, bytes, sizeof(bytes), 0) > 0);
}

TEST(names_are_what_can_stand_in_the_dns)
{
	static const struct {
		const char *domain, *name; /* NULL: it has none */
	} rows[] = {
		{ "example.org", "example.org" },
		{ "b\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
		{ "localhost", "localhost" },
		{ "_a-b.example", "_a-b.example" },
		{ "127.0.0.1", NULL },
		{ "[::1]", NULL },
		{ "a..b", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[DNS_NAME_SIZE];
		bool ok = dns_name(rows[i].domain, name);

		CHECK(ok == (rows[i].name != NULL));
		if (ok)
			CHECK_STR(str_c(name), rows[i].name);
	}
}

TEST(nothing_starts_before_it_is_asked)
{
	struct desk d;

	desk_init(&d, "dnssec: off");
	desk_done(&d);
}

TEST(the_library_itself_knows_localhost)
{
	struct desk d;

	desk_init(&d, "dnssec: off");
	desk_ask(&d, "localhost");
	desk_wait(&d, 1);
	CHECK_INT(d.last.state, DNS_FOUND);
	CHECK_INT(d.trust, DNS_TRUST_OFF);
	desk_done(&d);
}

TEST(the_hosts_file_goes_first_but_for_what_others_see)
{
	char path[] = "/tmp/antiphon-hosts-XXXXXX";
	int fd = mkstemp(path);
	struct desk d;

	CHECK(fd != -1);
	CHECK(write(fd, "192.0.2.7 far.example\n", 22) == 22);
	close(fd);
	desk_init_hosts(&d, "dnssec: off", path, 0);
	desk_ask(&d, "far.example");
	desk_wait(&d, 1);
	CHECK_INT(d.last.state, DNS_FOUND);
	desk_done(&d);
	desk_init_hosts(&d, "dnssec: off", path, DNS_AS_OTHERS);
	desk_ask(&d, "far.example");
	silence_wait(&d);
	CHECK_INT(d.n_answers, 0);
	desk_done(&d);
	unlink(path);
}

TEST(a_name_that_cannot_be_is_asked_of_nobody)
{
	static const char *const names[] = { "a b.example", "..", "a\\.b", "" };
	struct desk d;

	desk_init(&d, "dnssec: off");
	for (size_t i = 0; i < COUNT(names); i++) {
		desk_ask(&d, names[i]);
		desk_wait(&d, i + 1);
		CHECK_INT(d.last.state, DNS_FAILED);
		CHECK(strstr(d.last.why, "no name") != NULL);
	}
	desk_done(&d);
}

TEST(a_silent_server_is_given_up_in_time)
{
	struct desk d;

	desk_init(&d, "dnssec: off, timeout: 1m");
	desk_ask(&d, "a.example");
	silence_wait(&d);
	clock_shifted_advance(&d.clock, 60 * US_PER_S);
	/* the thread looks at the clock when it is woken */
	desk_ask(&d, "localhost");
	desk_wait(&d, 2);
	CHECK_INT(d.n_answers, 2);
	desk_done(&d);
}

TEST(the_time_of_a_question_ends_by_itself)
{
	struct desk d;

	desk_init(&d, "dnssec: off, timeout: 1s");
	desk_ask(&d, "a.example");
	desk_wait(&d, 1);
	CHECK_INT(d.last.state, DNS_WAITING);
	CHECK(strstr(d.last.why, "silent") != NULL);
	desk_done(&d);
}

/* By an asker; 0: nobody. */
static void
desk_ask_many(struct desk *d, uint64_t asker, const char *prefix, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct dns_question *q = dns_question_new(1, on_answer, d);
		char name[64];

		snprintf(name, sizeof(name), "%s%zu.example", prefix, i);
		q->asker = asker;
		dns_question_add(q, name, DNS_A);
		dns_ask(d->dns, &d->box, q);
	}
}

/* Until it has been asked for so many names whose first label begins so; the library
 * asks again, too. */
static void
silence_hears(struct desk *d, const char *prefix, size_t n)
{
	char seen[32][64];
	size_t n_seen = 0;

	while (n_seen < n) {
		char bytes[512];
		ssize_t got = recv(d->fd, bytes, sizeof(bytes), 0);
		char *name = bytes + 13; /* of the first label */
		size_t i;

		CHECK(got > 13);
		bytes[got - 1] = '\0';
		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		for (i = 0; i < n_seen; i++)
			if (strcmp(seen[i], name) == 0)
				break;
		if (i == n_seen) {
			CHECK(n_seen < COUNT(seen));
			snprintf(seen[n_seen++], sizeof(seen[0]), "%.63s",
				name);
		}
	}
}

/* Those that are in line as well. */
TEST(all_is_answered_when_it_stops)
{
	struct desk d;

	desk_init(&d, "dnssec: off, timeout: 1m, questions: 8");
	desk_ask_many(&d, 7, "a", 100);
	dns_stop(d.dns);
	desk_wait(&d, 100);
	CHECK(strstr(d.last.why, "stops") != NULL);
	/* and from then on */
	desk_ask(&d, "b.example");
	desk_wait(&d, 101);
	CHECK(strstr(d.last.why, "stops") != NULL);
	desk_done(&d);
}

TEST(silent_names_of_one_asker_are_waited_for_by_him_alone)
{
	struct desk d;

	desk_init(&d, "dnssec: off, timeout: 1m, questions: 8");
	desk_ask_many(&d, 7, "a", 100);
	silence_wait(&d);
	for (size_t i = 0; i < 20; i++) {
		desk_ask(&d, "localhost");
		desk_wait(&d, i + 1);
		CHECK_INT(d.last.state, DNS_FOUND);
	}
	dns_stop(d.dns);
	desk_wait(&d, 120);
	desk_done(&d);
}

/* Each has one, and there are more of them than there is room for. */
TEST(silent_names_take_no_room_for_long)
{
	struct desk d;

	desk_init(&d, "dnssec: off, timeout: 1m, questions: 8");
	for (uint64_t i = 0; i < 24; i++) {
		char prefix[8];

		snprintf(prefix, sizeof(prefix), "a%u-", (unsigned)i);
		desk_ask_many(&d, 1 + i, prefix, 1);
	}
	desk_ask(&d, "localhost");
	desk_wait(&d, 1);
	CHECK_INT(d.last.state, DNS_FOUND);
	silence_hears(&d, "a", 24);
	CHECK_INT(d.n_answers, 1);
	dns_stop(d.dns);
	desk_wait(&d, 25);
	desk_done(&d);
}

TEST(who_waits_in_line_for_too_long_is_told)
{
	struct desk d;

	desk_init(&d, "dnssec: off, timeout: 1m, questions: 8");
	desk_ask_many(&d, 7, "a", 3); /* two of them go out */
	desk_ask(&d, "localhost");    /* all before it have been taken */
	desk_wait(&d, 1);
	clock_shifted_advance(&d.clock, 30 * US_PER_S);
	desk_ask(&d, "localhost"); /* wakes the thread */
	desk_wait(&d, 3);
	CHECK_INT(d.n_answers, 3);
	dns_stop(d.dns);
	desk_wait(&d, 5);
	desk_done(&d);
}

/* Nor does what is slow: the library begins anew, and that is answered. */
TEST(what_nobody_waits_for_does_not_gather)
{
	struct desk d;

	desk_init(&d, "dnssec: off, timeout: 1m, questions: 8");
	for (size_t round = 0; round < 20; round++) {
		char prefix[16];

		snprintf(prefix, sizeof(prefix), "a%zu-", round);
		desk_ask_many(&d, 0, prefix, 8);
		silence_hears(&d, prefix, 8);
		clock_shifted_advance(&d.clock, 2 * US_PER_S);
		desk_ask(&d, "localhost");
		while (d.last.state != DNS_FOUND)
			desk_wait(&d, d.n_answers + 1);
		d.last.state = DNS_WAITING;
	}
	/* 40 may be in the library, of 160 */
	CHECK(d.n_answers >= 20 + 160 - 40);
	dns_stop(d.dns);
	desk_wait(&d, 180);
	desk_done(&d);
}

TEST(what_cannot_be_read_is_the_answer)
{
	struct desk d;

	desk_init(&d, "dnssec: required, trust_anchor: /nowhere/root.key");
	desk_ask(&d, "a.example");
	desk_wait(&d, 1);
	CHECK_INT(d.last.state, DNS_FAILED);
	CHECK(strstr(d.last.why, "/nowhere/root.key") != NULL);
	desk_done(&d);
}

TEST_MAIN
