/*
 * test_federation.c - which of our domains talk to which of others, and whom they
 * trust.
 */
#include "config.h"

#include "core/host.h"

#include <stdio.h>

#include "base/err.h"
#include "net/tls_peer.h"
#include "conf/conf.h"
#include "core/server.h"

#include "c2s_world.h"
#include "test.h"

#define COMMON "storage: { driver: memory }\n"

/* The hosts a, b, c, d of the table below have certificates of these kinds. */
struct scene {
	struct world w;
	struct cert ca, quick;
	char ca_path[128];
	struct buf yaml;
};

static void
scene_cert(struct scene *s, const char *host, const struct cert *ca)
{
	const struct cert_want want = { .cn = host,
		.names = { { CERT_DNS, str_c(host) } } };
	struct cert cert;
	char path[128];

	certs_dir_file(&s->w.dir, host, path);
	cert_make(&cert, &want, ca);
	cert_write(&cert, path);
	cert_done(&cert);
}

static void
scene_init(struct scene *s)
{
	const struct cert_want ca = { .cn = "Some CA", .ca = true };
	const struct cert_want quick = { .cn = "Antiphon test authority",
		.ca = true };

	*s = (struct scene){ .yaml = BUF_INIT };
	world_init(&s->w, 1, "", "");
	cert_make(&s->ca, &ca, NULL);
	cert_make(&s->quick, &quick, NULL);
	certs_dir_file(&s->w.dir, "ca.pem", s->ca_path);
	cert_write(&s->ca, s->ca_path);
	scene_cert(s, "good.example", &s->ca);
	scene_cert(s, "itself.example", NULL);
	scene_cert(s, "quick.example", &s->quick);
}

static void
scene_done(struct scene *s)
{
	world_done(&s->w);
	cert_done(&s->ca);
	cert_done(&s->quick);
	buf_done(&s->yaml);
}

/* Puts text in force, in which @ is the folder of certificates. */
static void
scene_load(struct scene *s, const char *text)
{
	s->yaml.n = 0;
	buf_add_c(&s->yaml, COMMON);
	for (; *text != '\0'; text++) {
		if (*text == '@')
			buf_add_c(&s->yaml, s->w.dir.path);
		else
			buf_add(&s->yaml, text, 1);
	}
	world_reload(&s->w, buf_c(&s->yaml));
}

static const struct snapshot *
scene_snap(const struct scene *s)
{
	return s->w.server->newest;
}

static const struct host *
scene_host(const struct scene *s, const char *domain)
{
	const struct host *host = snapshot_host(scene_snap(s), str_c(domain));

	CHECK(host != NULL);
	return host;
}

static enum federation_verdict
may(const struct scene *s, const char *local, const char *remote)
{
	return federation_may(scene_snap(s), scene_host(s, local),
		str_c(remote));
}

/* --- who does ------------------------------------------------------------------- */

#define HOSTS(federation)                                                      \
	"hosts:\n"                                                             \
	"  good.example: { certificate: @/good.example" federation " }\n"      \
	"  itself.example: { certificate: @/itself.example" federation " }\n"  \
	"  quick.example: { certificate: @/quick.example" federation " }\n"    \
	"  bare.example: { auth: { tls_required: no }" federation " }\n"       \
	"  sub.good.example: { auth: { tls_required: no }" federation " }\n"   \
	"components:\n"                                                        \
	"  irc.good.example: { secret: s }\n"                                  \
	"  irc.itself.example: { secret: s }\n"                                \
	"  irc.elsewhere.test: { secret: s, subdomains: yes }\n"

static const char *const all[] = { "good.example", "itself.example",
	"quick.example", "bare.example", "irc.good.example",
	"irc.itself.example", "irc.elsewhere.test", "sub.good.example" };

static const struct {
	const char *text;
	const char *who; /* of them: y or n */
} mode_cases[] = {
	{ HOSTS(""), "ynnnynnn" },
	{ "federation: auto\n" HOSTS(""), "ynnnynnn" },
	{ "federation: off\n" HOSTS(""), "nnnnnnnn" },
	{ "federation: on\n" HOSTS(""), "yyyyyyyy" },
	{ "federation: off\n" HOSTS(", federation: on"), "yyyyyyny" },
	{ "federation: on\n" HOSTS(", federation: { mode: off }"), "nnnnnnyn" },
	{ "federation: off\n" HOSTS(", federation: auto"), "ynnnynnn" },
};

TEST(with_auto_a_certificate_that_others_can_believe_decides)
{
	struct scene s;

	scene_init(&s);
	for (size_t i = 0; i < COUNT(mode_cases); i++) {
		TEST_CASE(mode_cases[i].text);
		scene_load(&s, mode_cases[i].text);
		for (size_t k = 0; k < COUNT(all); k++) {
			bool yes = mode_cases[i].who[k] == 'y';

			CHECK(scene_host(&s, all[k])->federates == yes);
			CHECK_INT(may(&s, all[k], "example.net"),
				yes ? FEDERATION_MAY : FEDERATION_OFF_HERE);
		}
	}
	/* a domain below that of a component is its own */
	CHECK(scene_host(&s, "x.irc.elsewhere.test") ==
		scene_host(&s, "irc.elsewhere.test"));
	scene_done(&s);
}

static const struct {
	const char *local;
	const char *who; /* of them: y or n */
} local_cases[] = {
	{ "[]", "yyyyyyyy" },
	{ "[ irc ]", "yyyynnyy" },
	{ "[ irc.good.example ]", "yyyynyyy" },
	{ "[ IRC.Itself.Example, irc.elsewhere.test ]", "yyyyynny" },
	{ "[ sub, good.example, good ]", "yyyyyyyy" },
	{ "[ irc, irc.elsewhere.test ]", "yyyynnny" },
	{ "[ ir, irc.good, good.irc, rc.good.example ]", "yyyyyyyy" },
};

/* A host says so of itself in another way. */
TEST(services_and_components_can_be_kept_local)
{
	struct scene s;

	scene_init(&s);
	for (size_t i = 0; i < COUNT(local_cases); i++) {
		struct buf text = BUF_INIT;

		TEST_CASE(local_cases[i].local);
		buf_printf(&text, "federation: { mode: on, local: %s }\n" HOSTS(""),
			local_cases[i].local);
		scene_load(&s, buf_c(&text));
		for (size_t k = 0; k < COUNT(all); k++)
			CHECK_INT(may(&s, all[k], "example.net"),
				local_cases[i].who[k] == 'y' ?
					FEDERATION_MAY :
					FEDERATION_OFF_HERE);
		buf_done(&text);
	}
	scene_load(&s, "federation: { mode: on }\n"
		HOSTS(", federation: { local: [ irc ], deny: [ x.test ] }"));
	CHECK_INT(may(&s, "irc.good.example", "y.test"), FEDERATION_OFF_HERE);
	CHECK_INT(may(&s, "irc.elsewhere.test", "x.test"), FEDERATION_MAY);
	CHECK_INT(may(&s, "good.example", "x.test"), FEDERATION_FORBIDDEN);
	scene_load(&s, "federation: { mode: on, deny: [ x.test ] }\n" HOSTS(""));
	CHECK_INT(may(&s, "irc.good.example", "x.test"), FEDERATION_FORBIDDEN);
	CHECK_INT(may(&s, "irc.elsewhere.test", "x.test"),
		FEDERATION_FORBIDDEN);
	scene_done(&s);
}

TEST(a_component_has_the_options_of_the_host_above)
{
	struct scene s;

	scene_init(&s);
	scene_load(&s,
		"federation: { policy: required-trusted, mode: on }\n"
		HOSTS(", federation: { policy: dialback-with-tls }"));
	CHECK_INT(scene_host(&s, "irc.good.example")->federation->policy,
		POLICY_DIALBACK_WITH_TLS);
	CHECK_INT(scene_host(&s, "irc.elsewhere.test")->federation->policy,
		POLICY_REQUIRED_TRUSTED);
	scene_done(&s);
}

/* --- with whom --------------------------------------------------------------------- */

static const struct {
	const char *options, *remote;
	bool may;
} may_cases[] = {
	{ "", "example.net", true },
	{ "", "192.0.2.1", false },
	{ "", "[2001:db8::1]", false },
	{ "", "192.0.2.example", true },
	{ "deny: [ example.net ]", "example.net", false },
	{ "deny: [ example.net ]", "a.example.net", true },
	{ "deny: [ \"*.example.net\" ]", "a.example.net", false },
	{ "deny: [ \"*.example.net\" ]", "b.a.example.net", false },
	{ "deny: [ \"*.example.net\" ]", "example.net", true },
	{ "deny: [ \"*.net\" ]", "example.net", false },
	/* hostile 41 */
	{ "deny: [ example.net, \"*.example.net\" ]", "evilexample.net", true },
	{ "allow: [ example.net, \"*.example.net\" ]", "evilexample.net", false },
	{ "allow: [ example.net ]", "example.net", true },
	{ "allow: [ example.net ]", "net", false },
	{ "allow: [ example.net ]", "example.ne", false },
	{ "allow: [ example.net ]", "a.example.net", false },
	{ "allow: [ \"*.example.net\" ]", "example.net", false },
	{ "allow: [ \"*.example.net\" ]", "b.a.example.net", true },
	{ "allow: [ a.test, z.test, \"*.m.test\" ]", "x.m.test", true },
	{ "allow: [ a.test, z.test, \"*.m.test\" ]", "z.test", true },
	{ "allow: [ a.test, z.test, \"*.m.test\" ]", "n.test", false },
	/* addresses, and what others might take for one */
	{ "", "192.0.2.1", false },
	{ "", "127.1", false },
	{ "", "example.0x7f", false },
	/* who is denied is so though he is allowed */
	{ "allow: [ \"*.example.net\" ], deny: [ a.example.net ]",
		"a.example.net", false },
	{ "allow: [ \"*.example.net\" ], deny: [ a.example.net ]",
		"b.example.net", true },
	{ "deny: [ B\xc3\x9c" "CHER.example ]", "b\xc3\xbc" "cher.example",
		false },
};

TEST(allow_and_deny_mean_whole_labels)
{
	struct scene s;

	scene_init(&s);
	for (size_t i = 0; i < COUNT(may_cases); i++) {
		struct buf text = BUF_INIT;

		TEST_CASE(may_cases[i].options);
		buf_printf(&text, "federation: { mode: on%s%s }\n" HOSTS(""),
			*may_cases[i].options != '\0' ? ", " : "",
			may_cases[i].options);
		scene_load(&s, buf_c(&text));
		CHECK_INT(may(&s, "good.example", may_cases[i].remote),
			may_cases[i].may ? FEDERATION_MAY :
					   FEDERATION_FORBIDDEN);
		buf_done(&text);
	}
	scene_load(&s, "s2s: { ip_literals: yes }\n" HOSTS(""));
	CHECK_INT(may(&s, "good.example", "192.0.2.1"), FEDERATION_MAY);
	CHECK_INT(may(&s, "good.example", "[2001:db8::1]"), FEDERATION_MAY);
	scene_done(&s);
}

TEST(a_thousand_domains_are_told_apart)
{
	struct buf text = BUF_INIT;
	char domain[40];
	struct scene s;

	scene_init(&s);
	buf_add_c(&text, "federation:\n  deny: [ ");
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "%s\"%sd%d.test\"", i == 0 ? "" : ", ",
			i % 2 == 0 ? "*." : "", (i * 7919) % 1000);
	buf_add_c(&text, " ]\n" HOSTS(""));
	scene_load(&s, buf_c(&text));
	for (int i = 0; i < 1000; i++) {
		bool below = i % 2 == 0; /* 7919 is odd */

		snprintf(domain, sizeof(domain), "x.d%d.test", i);
		CHECK_INT(may(&s, "good.example", domain),
			below ? FEDERATION_FORBIDDEN : FEDERATION_MAY);
		CHECK_INT(may(&s, "good.example", domain + 2),
			below ? FEDERATION_MAY : FEDERATION_FORBIDDEN);
	}
	CHECK_INT(may(&s, "good.example", "d1000.test"), FEDERATION_MAY);
	buf_done(&text);
	scene_done(&s);
}

/* --- how, and by whom ----------------------------------------------------------------- */

TEST(a_remote_has_a_policy_of_its_own_or_that_of_the_host)
{
	const struct host *host;
	struct scene s;

	scene_init(&s);
	scene_load(&s,
		"federation: { policy: required-trusted }\n"
		"remotes:\n"
		"  a.test: { policy: dialback-with-tls }\n"
		"  b.test: { address: 192.0.2.1 }\n"
		"  c.test: { policy: host }\n" HOSTS(""));
	host = scene_host(&s, "good.example");
	CHECK_INT(federation_policy_of(scene_snap(&s), host, STR("a.test")),
		POLICY_DIALBACK_WITH_TLS);
	CHECK_INT(federation_policy_of(scene_snap(&s), host, STR("b.test")),
		POLICY_REQUIRED_TRUSTED);
	CHECK_INT(federation_policy_of(scene_snap(&s), host, STR("c.test")),
		POLICY_REQUIRED_TRUSTED);
	CHECK_INT(federation_policy_of(scene_snap(&s), host, STR("d.test")),
		POLICY_REQUIRED_TRUSTED);
	scene_done(&s);
}

static const struct tls_trust *
trust(const struct scene *s, const char *local, const char *remote)
{
	return snapshot_trust(scene_snap(s), str_c(local), str_c(remote));
}

TEST(authorities_are_shared_by_all_that_name_them)
{
	const struct tls_trust *system, *ca;
	struct scene s;

	scene_init(&s);
	scene_load(&s,
		"remotes:\n"
		"  a.test: { authorities: @/ca.pem }\n"
		"  b.test: { authorities: @/itself.example }\n"
		"hosts:\n"
		"  good.example: { certificate: @/good.example }\n"
		"  quick.example: { certificate: @/quick.example,\n"
		"    federation: { mode: on, authorities: @/ca.pem } }\n");
	CHECK_INT(scene_snap(&s)->trusts.n, 3);
	system = trust(&s, "good.example", "x.test");
	ca = trust(&s, "quick.example", "x.test");
	CHECK(system != NULL && tls_trust_path(system) == NULL);
	CHECK_CSTR(tls_trust_path(ca), s.ca_path);
	CHECK(trust(&s, "good.example", "a.test") == ca);
	CHECK(trust(&s, "quick.example", "a.test") == ca);
	CHECK(trust(&s, "good.example", "b.test") !=
		ca && trust(&s, "good.example", "b.test") != system);
	scene_done(&s);
}

TEST(a_reload_reads_anew_what_has_changed)
{
	const char *text = "federation: { mode: on, authorities: @/ca.pem }\n"
		HOSTS("");
	const struct tls_trust *first;
	struct scene s;

	scene_init(&s);
	scene_load(&s, text);
	first = trust(&s, "good.example", "x.test");
	scene_load(&s, text);
	CHECK(trust(&s, "good.example", "x.test") == first);
	cert_append(&s.quick, s.ca_path);
	CHECK_INT(tls_trust_count(first), 1);
	scene_load(&s, text);
	CHECK_INT(tls_trust_count(trust(&s, "good.example", "x.test")), 2);
	scene_done(&s);
}

TEST(nothing_is_read_where_nobody_federates)
{
	struct scene s;

	scene_init(&s);
	scene_load(&s, "federation: off\n"
		"remotes: { a.test: { authorities: @/ca.pem } }\n" HOSTS(""));
	CHECK_INT(scene_snap(&s)->trusts.n, 0);
	CHECK(trust(&s, "good.example", "a.test") == NULL);
	scene_done(&s);
}

/* RFC 6698 §4.1: records for another certificate go before all else. */
TEST(a_certificate_is_believed_as_the_policy_has_it)
{
	static const struct {
		enum tls_worth worth;
		enum tls_dane_verdict dane;
		bool required, dane_or_trusted, dialback;
	} rows[] = {
		{ TLS_TRUSTED, TLS_DANE_NONE, true, true, true },
		{ TLS_TRUSTED, TLS_DANE_FITS, true, true, true },
		{ TLS_TRUSTED, TLS_DANE_OTHER, false, false, false },
		{ TLS_UNTRUSTED, TLS_DANE_NONE, false, false, true },
		{ TLS_UNTRUSTED, TLS_DANE_FITS, false, true, true },
		{ TLS_UNTRUSTED, TLS_DANE_OTHER, false, false, false },
		{ TLS_OTHER_NAME, TLS_DANE_NONE, false, false, true },
		{ TLS_OTHER_NAME, TLS_DANE_FITS, false, true, true },
		{ TLS_OTHER_NAME, TLS_DANE_OTHER, false, false, false },
		{ TLS_NO_CERTIFICATE, TLS_DANE_NONE, false, false, true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct tls_judgement j = { .worth = rows[i].worth,
			.dane = rows[i].dane };

		CHECK(federation_believes(POLICY_REQUIRED_TRUSTED, &j) ==
			rows[i].required);
		CHECK(federation_believes(POLICY_DANE_OR_TRUSTED, &j) ==
			rows[i].dane_or_trusted);
		CHECK(federation_believes(POLICY_DIALBACK_WITH_TLS, &j) ==
			rows[i].dialback);
	}
}

TEST_MAIN
