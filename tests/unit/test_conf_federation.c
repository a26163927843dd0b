/*
 * test_conf_federation.c - `federation', `s2s' and `remotes'.
 */
#include "config.h"

#include "conf/conf.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf_error.h"

#include "certs.h"
#include "test.h"

#define HOSTS "hosts: { example.org: {}, sub.example.org: {} }\n"

static struct config *
parse(const char *text, struct conf_errors *m)
{
	conf_errors_init(m);
	return config_parse("antiphond.yml", str_c(text), NULL, m);
}

static struct config *
parsed(const char *text)
{
	struct conf_errors m;
	struct config *c = parse(text, &m);

	CHECK_CSTR(m.n_kept > 0 ? m.texts[0] : NULL, NULL);
	CHECK(c != NULL);
	conf_errors_done(&m);
	return c;
}

static const struct config_federation *
of_host(const struct config *c, const char *domain)
{
	return &config_host(c, str_c(domain))->federation;
}

/* --- what is in force ------------------------------------------------------------ */

TEST(without_a_word_federation_is_automatic_and_open)
{
	struct config *c = parsed(HOSTS);
	const struct config_federation *f = of_host(c, "example.org");

	CHECK_INT(f->mode, FEDERATION_AUTO);
	CHECK_INT(f->policy, POLICY_DIALBACK_WITH_TLS);
	CHECK_INT(f->allow.n, 0);
	CHECK_INT(f->deny.n, 0);
	CHECK(f->authorities == NULL);
	CHECK_INT(c->s2s.timeout_us, 30 * US_PER_S);
	CHECK_INT(c->s2s.idle_us, 600 * US_PER_S);
	CHECK_INT(c->s2s.backoff_max_us, 300 * US_PER_S);
	CHECK_INT(c->s2s.keep_us, 3600 * US_PER_S);
	CHECK_INT(c->s2s.unreachable_us, 600 * US_PER_S);
	CHECK_INT(c->s2s.queue_bytes, 1 << 20);
	CHECK_INT(c->s2s.queue_stanzas, 1000);
	CHECK_INT(c->s2s.domains, 20000);
	CHECK(!c->s2s.ip_literals);
	CHECK(config_remote(c, STR("example.net")) == NULL);
	config_unref(c);
}

TEST(a_host_has_its_own_over_the_general_ones)
{
	struct config *c = parsed(
		"federation: { policy: required-trusted, allow: [ example.net ] }\n"
		"hosts:\n"
		"  a.example: { federation: { mode: on, allow: [ x.example ] } }\n"
		"  b.example: { federation: off }\n"
		"  c.example: { federation: { policy: dialback-with-tls } }\n");

	CHECK_INT(c->federation.mode, FEDERATION_AUTO);
	CHECK_INT(of_host(c, "a.example")->mode, FEDERATION_ON);
	CHECK_INT(of_host(c, "a.example")->policy, POLICY_REQUIRED_TRUSTED);
	CHECK_INT(of_host(c, "a.example")->allow.n, 1);
	CHECK_CSTR(of_host(c, "a.example")->allow.items[0], "x.example");
	CHECK_INT(of_host(c, "b.example")->mode, FEDERATION_OFF);
	CHECK_CSTR(of_host(c, "b.example")->allow.items[0], "example.net");
	CHECK_INT(of_host(c, "c.example")->mode, FEDERATION_AUTO);
	CHECK_INT(of_host(c, "c.example")->policy, POLICY_DIALBACK_WITH_TLS);
	config_unref(c);
}

TEST(the_short_form_is_for_all_too)
{
	struct config *c = parsed("federation: off\n" HOSTS);

	CHECK_INT(c->federation.mode, FEDERATION_OFF);
	CHECK_INT(of_host(c, "example.org")->mode, FEDERATION_OFF);
	config_unref(c);
}

TEST(domains_are_prepared_with_their_stars_and_sorted)
{
	struct config *c = parsed("federation:\n"
		"  allow: [ Example.NET, \"*.Example.NET\", \"xn--bcher-kva.example\" ]\n"
		"  deny: [ \"*.B\xc3\x9c" "CHER.example\" ]\n" HOSTS);
	const struct config_federation *f = of_host(c, "example.org");

	CHECK_INT(f->allow.n, 3);
	/* in order, to be found soon */
	CHECK_CSTR(f->allow.items[0], "*.example.net");
	CHECK_CSTR(f->allow.items[1], "b\xc3\xbc" "cher.example");
	CHECK_CSTR(f->allow.items[2], "example.net");
	CHECK_CSTR(f->deny.items[0], "*.b\xc3\xbc" "cher.example");
	config_unref(c);
}

TEST(remotes_are_found_by_their_prepared_domain)
{
	struct config *c = parsed(HOSTS "remotes:\n"
		"  Z.Example: { address: 192.0.2.7 }\n"
		"  a.example: { address: XMPP.a.example, tls: direct }\n"
		"  m.example: { policy: required-trusted }\n"
		"  six.example: { address: \"2001:db8::7\", port: 5299 }\n"
		"  same.example: { policy: host }\n");
	const struct config_remote *r = config_remote(c, STR("z.example"));

	CHECK_INT(c->n_remotes, 5);
	CHECK_CSTR(r->address, "192.0.2.7");
	CHECK_INT(r->port, 5269);
	CHECK_INT(r->tls, REMOTE_STARTTLS);
	CHECK_INT(r->policy, -1);
	r = config_remote(c, STR("a.example"));
	CHECK_CSTR(r->address, "xmpp.a.example");
	CHECK_INT(r->port, 5270);
	CHECK_INT(r->tls, REMOTE_DIRECT);
	r = config_remote(c, STR("m.example"));
	CHECK(r->address == NULL);
	CHECK_INT(r->policy, POLICY_REQUIRED_TRUSTED);
	CHECK_INT(config_remote(c, STR("six.example"))->port, 5299);
	CHECK_INT(config_remote(c, STR("same.example"))->policy, -1);
	CHECK(config_remote(c, STR("example")) == NULL);
	config_unref(c);
}

TEST(hundreds_of_remotes_are_all_found)
{
	struct buf text = BUF_INIT;
	struct config *c;
	char domain[32];

	buf_add_c(&text, HOSTS "remotes:\n");
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "  d%d.example: { port: %d, address: x.example }\n",
			(i * 7919) % 1000, (i * 7919) % 1000 + 1);
	c = parsed(buf_c(&text));
	for (int i = 0; i < 1000; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		CHECK_INT(config_remote(c, str_c(domain))->port, i + 1);
	}
	config_unref(c);
	buf_done(&text);
}

static const struct option *
options_of(const char *section)
{
	const struct config_section *s = config_sections;

	while (strcmp(s->name, section) != 0)
		s++;
	return s->options;
}

/* Of the options that have a range; where is what stands around each. */
static void
check_ends(const char *section, const char *where)
{
	for (const struct option *o = options_of(section); o->name != NULL; o++) {
		const char *ends[] = { o->min, o->max };

		for (size_t i = 0; i < COUNT(ends); i++) {
			struct buf text = BUF_INIT, line = BUF_INIT;
			struct buf shown = BUF_INIT;
			struct config *c;

			if (ends[i] == NULL || o->type == OPT_LIST)
				continue;
			buf_printf(&line, "%s: %s\n", o->name, ends[i]);
			buf_printf(&text, HOSTS "%s%s", where, buf_c(&line));
			TEST_CASE(buf_c(&line));
			c = parsed(buf_c(&text));
			config_show(c, &shown);
			/* a port of 0 is one of two others */
			CHECK(strstr(buf_c(&shown), buf_c(&line)) != NULL ||
				strcmp(buf_c(&line), "port: 0\n") == 0);
			config_unref(c);
			buf_done(&text);
			buf_done(&line);
			buf_done(&shown);
		}
	}
}

TEST(both_ends_of_each_range_are_taken)
{
	check_ends("s2s", "s2s:\n  ");
	check_ends("remotes", "remotes:\n  a.example:\n    address: b.example\n    ");
}

/* --- what is shown --------------------------------------------------------------- */

TEST(what_is_shown_reads_as_the_same)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct config *c = parsed("federation: { allow: [ a.example, \"*.b.example\" ] }\n"
		"hosts: { example.org: { federation: off } }\n"
		"s2s: { queue_stanzas: 7, idle_timeout: never, ip_literals: yes }\n"
		"remotes:\n"
		"  a.example: { address: \"[2001:db8::7]\", tls: direct }\n"
		"  b.example: { policy: dialback-with-tls }\n");
	struct config *again;

	config_show(c, &once);
	CHECK(strstr(buf_c(&once), "*.b.example") != NULL);
	CHECK(strstr(buf_c(&once), "mode: off") != NULL);
	again = parsed(buf_c(&once));
	CHECK_INT(config_remote(again, STR("b.example"))->policy,
		POLICY_DIALBACK_WITH_TLS);
	config_show(again, &twice);
	CHECK_STR(buf_str(&once), buf_c(&twice));
	config_unref(c);
	config_unref(again);
	buf_done(&once);
	buf_done(&twice);
}

/* --- mistakes ---------------------------------------------------------------------- */

static const struct {
	const char *text;
	const char *said; /* with the line */
} mistake_cases[] = {
	{ "federation: of\n",
		":1: federation: mode: found \"of\", expected one of: auto, on, off" },
	{ "federation: [ on ]\n", ":1: federation: found a list" },
	{ "federation: { moed: on }\n",
		"unknown option \"moed\"; did you mean \"mode\"?" },
	{ "federation: { policy: anything-goes }\n",
		"federation: policy: found \"anything-goes\"" },
	{ "federaton: on\n", "did you mean \"federation\"?" },
	{ "s2s: { time_out: 30s }\n", "did you mean \"timeout\"?" },
	{ "s2s: { timeout: 10ms }\n", "below the minimum, 1s" },
	{ "federation:\n  allow:\n    - example.net\n    - \"x..net\"\n",
		":4: federation: allow: \"x..net\" is not a domain" },
	{ "federation:\n  deny: [ \"*\" ]\n",
		":2: federation: deny: \"*\" is not a domain (a star stands for whole names" },
	{ "federation: { deny: [ \"*.\" ] }\n", "\"*.\" is not a domain" },
	{ "federation: { deny: [ \"*example.net\" ] }\n",
		"\"*example.net\" is not a domain" },
	{ "federation: { deny: [ \"a.*.net\" ] }\n",
		"\"a.*.net\" is not a domain" },
	{ "federation: { deny: [ \"*.*.net\" ] }\n",
		"\"*.*.net\" is not a domain" },
	{ "federation: { deny: [ romeo@example.net ] }\n",
		"\"romeo@example.net\" is not a domain" },
	{ "federation:\n  authorities: /nonexistent/ca.pem\n",
		":2: federation: authorities: /nonexistent/ca.pem: No such file" },
	{ "federation: { authorities: /dev/zero }\n",
		"neither a file nor a folder" },
	{ "federation: { authorities: /etc/passwd }\n",
		"there is no certificate in PEM in it" },
	{ "remotes: { x.example: { authorities: /nonexistent } }\n",
		"remotes: x.example: authorities: /nonexistent: No such file" },
	{ "remotes: [ x.example ]\n", "remotes: expected a map" },
	{ "remotes:\n  \"x..y\": {}\n", ":2: remotes: \"x..y\" is not a domain" },
	{ "remotes:\n  x.example: {}\n  X.Example: {}\n",
		":3: remotes: x.example is given twice; the other one is in antiphond.yml:2" },
	{ "remotes: { x.example: { address: \"a b\" } }\n",
		"remotes: x.example: address: \"a b\" is neither a name" },
	{ "remotes: { x.example: { address: \"[2001:db8::7\" } }\n",
		"is neither a name such as xmpp.example.net nor" },
	{ "remotes: { x.example: { address: \"\" } }\n", "is neither a name" },
	{ "remotes: { x.example: { port: 5299 } }\n",
		"are of no use without \"address\"" },
	{ "remotes: { x.example: { tls: direct } }\n",
		"are of no use without \"address\"" },
	{ "remotes: { x.example: { address: y, port: 65536 } }\n",
		"above the maximum, 65535" },
	{ "remotes: { x.example: { policy: trusted } }\n",
		"remotes: x.example: policy: found \"trusted\"" },
};

TEST(mistakes_are_told_with_their_place)
{
	for (size_t i = 0; i < COUNT(mistake_cases); i++) {
		struct buf text = BUF_INIT;
		struct conf_errors m;
		bool told = false;

		TEST_CASE(mistake_cases[i].text);
		buf_printf(&text, "%s" HOSTS, mistake_cases[i].text);
		CHECK(parse(buf_c(&text), &m) == NULL);
		for (size_t k = 0; k < m.n_kept; k++)
			told = told || strstr(m.texts[k],
				mistake_cases[i].said) != NULL;
		if (!told)
			CHECK_CSTR(m.texts[0], mistake_cases[i].said);
		CHECK_INT(m.n, 1);
		conf_errors_done(&m);
		buf_done(&text);
	}
}

TEST(mistakes_of_a_host_are_told_at_the_host)
{
	struct conf_errors m;

	CHECK(parse("hosts:\n  a.example:\n    federation:\n"
		    "      allow: [ \"-\", x..y ]\n", &m) == NULL);
	CHECK(strstr(m.texts[m.n_kept - 1],
		      "antiphond.yml:4: hosts: a.example: federation: allow: \"x..y\"") != NULL);
	conf_errors_done(&m);
}

TEST(authorities_that_can_be_read_are_taken)
{
	const struct cert_want want = { .cn = "CA", .ca = true };
	struct buf text = BUF_INIT;
	struct certs_dir dir;
	struct cert ca;
	struct config *c;
	char path[128];

	certs_dir_init(&dir);
	certs_dir_file(&dir, "ca.pem", path);
	cert_make(&ca, &want, NULL);
	cert_write(&ca, path);
	buf_printf(&text, "federation: { authorities: %s }\n"
		"remotes: { x.example: { authorities: %s } }\n" HOSTS,
		path, dir.path);
	c = parsed(buf_c(&text));
	CHECK_CSTR(of_host(c, "example.org")->authorities, path);
	CHECK_CSTR(config_remote(c, STR("x.example"))->authorities, dir.path);
	config_unref(c);
	buf_done(&text);
	cert_done(&ca);
	certs_dir_done(&dir);
}

TEST_MAIN
