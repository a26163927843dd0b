/*
 * test_tls_peer.c - two servers that meet under TLS, and what the certificate of
 * each is worth to the other.
 */
#include "config.h"

#include "net/tls_peer.h"

#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "test.h"
#include "net_peer.h"

/* --- a meeting ------------------------------------------------------------------ */

/* Both ends are ours: p.server was connected to, client has connected.  Both show
 * the same certificate. */
struct meeting {
	struct certs_dir dir;
	char path[128], ca_path[128];
	struct cert ca, leaf;
	struct tls_host_conf host;
	struct tls_conf conf;
	struct tls_set *set;
	struct tls_trust *trust;
	struct pair p;
	struct seen client;
	const char *local; /* the domain of the client */
};

static void
meeting_init(struct meeting *m)
{
	const struct cert_want ca = { .cn = "Test CA", .ca = true,
		.from_days = -90, .to_days = 900 };

	*m = (struct meeting){ .local = "a.example" };
	certs_dir_init(&m->dir);
	certs_dir_file(&m->dir, "host.pem", m->path);
	certs_dir_file(&m->dir, "ca.pem", m->ca_path);
	cert_make(&m->ca, &ca, NULL);
	cert_write(&m->ca, m->ca_path);
	m->host = (struct tls_host_conf){ "a.example", m->path, NULL };
	m->conf = (struct tls_conf){ .hosts = &m->host, .n_hosts = 1,
		.tickets = true };
}

static void
meeting_done(struct meeting *m)
{
	cert_done(&m->ca);
	cert_done(&m->leaf);
	tls_trust_unref(m->trust);
	certs_dir_done(&m->dir);
}

/* The certificate of both; ca NULL: it is signed by itself. */
static void
meeting_show(struct meeting *m, const struct cert_want *want,
	const struct cert *ca)
{
	cert_done(&m->leaf);
	cert_make(&m->leaf, want, ca);
	cert_write(&m->leaf, m->path);
}

static void
meeting_trust(struct meeting *m)
{
	struct err err = ERR_INIT;

	tls_trust_unref(m->trust);
	m->trust = tls_trust_new(m->ca_path, &err);
	CHECK_CSTR(err.text, "");
}

static void
meeting_connect(struct meeting *m)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	pair_init(&m->p);
	m->client = (struct seen){ .c = conn_new_tcp(m->p.net, m->p.fd,
		(struct sockaddr *)&sa, sizeof(sa)) };
	conn_set_owner(m->client.c, &seen_events, &m->client);
	m->p.fd = -1;
}

static void
meeting_begin(struct meeting *m, const char *host, const char *sni)
{
	struct err err = ERR_INIT;

	m->set = tls_set_new(&m->conf, NULL, NULL, &err);
	CHECK_CSTR(err.text, "");
	meeting_connect(m);
	CHECK(conn_start_tls(m->p.server.c, m->set, str_c(host),
		STR("xmpp-server"), true, &err));
	CHECK(conn_start_tls_client(m->client.c, m->set, str_c(m->local),
		str_c(sni), STR("xmpp-server"), &err));
}

static void
meeting_meet(struct meeting *m)
{
	meeting_begin(m, "a.example", "a.example");
	PAIR_UNTIL(&m->p, m->p.server.secured && m->client.secured);
	conn_write(m->client.c, "!", 1);
	conn_write(m->p.server.c, "?", 1);
	PAIR_UNTIL(&m->p, m->p.server.in.n == 1 && m->client.in.n == 1);
}

static void
meeting_part(struct meeting *m)
{
	if (m->client.c != NULL)
		conn_abort(m->client.c);
	pair_done(&m->p);
	buf_done(&m->client.in);
	tls_set_unref(m->set);
	m->set = NULL;
}

/* In both directions, for a domain. */
static void
meeting_judge(struct meeting *m, const char *domain, enum tls_worth worth,
	bool matches, const char *why)
{
	const struct conn *both[] = { m->client.c, m->p.server.c };

	for (size_t i = 0; i < COUNT(both); i++) {
		struct tls_judgement j;

		tls_peer_judge(both[i], m->trust, str_c(domain),
			(int64_t)time(NULL), &j);
		CHECK_INT(j.worth, worth);
		CHECK(j.matches == matches);
		if (strstr(j.why, why) == NULL)
			CHECK_CSTR(j.why, why);
	}
}

/* --- names ------------------------------------------------------------------------- */

static const struct {
	const char *domain;
	bool matches;
	struct cert_want want;
	const char *why;
} name_cases[] = {
	{ "a.example", true, { .names = { { CERT_DNS, STR("a.example") } } },
		"is for a.example, valid until 2" },
	{ "a.example", true, { .names = { { CERT_DNS, STR("A.Example") } } },
		"is for A.Example" },
	{ "a.example", false, { .names = { { CERT_DNS, STR("b.example") } } },
		"is for b.example, not for a.example, valid" },
	{ "a.example", false, { .cn = "a.example" },
		"is for no domain, as nothing counts but subjectAltName; its CN is \"a.example\", not for" },
	{ "a.example", false,
		{ .cn = "a.example", .names = { { CERT_DNS, STR("b.example") } } },
		"is for b.example" },
	/* hostile 41 */
	{ "a.example", false,
		{ .names = { { CERT_DNS, STR("evila.example") } } }, "not for" },
	{ "evila.example", false,
		{ .names = { { CERT_DNS, STR("a.example") } } }, "not for" },
	{ "a.example", false, { .names = { { CERT_DNS, STR("example") } } },
		"not for" },
	/* hostile 23 */
	{ "a.example", false,
		{ .names = { { CERT_DNS, STR("a.example\0.evil.example") } } },
		"not for" },
	{ "a.example", false, { .names = { { CERT_DNS, STR("a.example\0") } } },
		"not for" },
	{ "a.example", false, { .names = { { CERT_DNS, STR("a.example.") } } },
		"not for" },
	{ "a.example", false, { .names = { { CERT_DNS, STR("") } } }, "not for" },
	/* RFC 6125 §6.4.3 */
	{ "x.a.example", true, { .names = { { CERT_DNS, STR("*.a.example") } } },
		"is for *.a.example" },
	{ "a.example", false, { .names = { { CERT_DNS, STR("*.a.example") } } },
		"not for" },
	{ "y.x.a.example", false,
		{ .names = { { CERT_DNS, STR("*.a.example") } } }, "not for" },
	{ "xa.example", false,
		{ .names = { { CERT_DNS, STR("x*.example") } } }, "not for" },
	{ "xa.b.example", false,
		{ .names = { { CERT_DNS, STR("x*.b.example") } } }, "not for" },
	{ "xa.b.example", false,
		{ .names = { { CERT_DNS, STR("*a.b.example") } } }, "not for" },
	{ "x.a.example", false,
		{ .names = { { CERT_DNS, STR("x.*.example") } } }, "not for" },
	{ "x.y.example", false,
		{ .names = { { CERT_DNS, STR("*.*.example") } } }, "not for" },
	{ "a.example", false, { .names = { { CERT_DNS, STR("*.example") } } },
		"not for" },
	{ "a.example", false, { .names = { { CERT_DNS, STR("*") } } }, "not for" },
	{ "a.example", false, { .names = { { CERT_DNS, STR("*.") } } },
		"not for" },
	/* RFC 4985, RFC 6120 §13.7.1.2.1 */
	{ "a.example", true,
		{ .names = { { CERT_SRV, STR("_xmpp-server.a.example") } } },
		"is for _xmpp-server.a.example" },
	{ "a.example", true,
		{ .names = { { CERT_SRV, STR("_XMPP-Server.A.example") } } },
		"is for" },
	{ "a.example", false,
		{ .names = { { CERT_SRV, STR("_xmpp-client.a.example") } } },
		"not for" },
	{ "a.example", false,
		{ .names = { { CERT_SRV, STR("_http.a.example") } } }, "not for" },
	{ "a.example", false,
		{ .names = { { CERT_SRV, STR("_xmpp-server.b.example") } } },
		"not for" },
	{ "a.example", false,
		{ .names = { { CERT_SRV, STR("_xmpp-server.") } } }, "not for" },
	{ "x.a.example", false,
		{ .names = { { CERT_SRV, STR("_xmpp-server.*.a.example") } } },
		"not for" },
	{ "a.example", true, { .names = { { CERT_XMPP, STR("a.example") } } },
		"is for a.example" },
	{ "a.example", false,
		{ .names = { { CERT_XMPP, STR("romeo@a.example") } } }, "not for" },
	{ "a.example", false,
		{ .names = { { CERT_XMPP, STR("a.example\0.evil") } } },
		"is for no domain" },
	{ "a.example", false,
		{ .names = { { CERT_XMPP_IA5, STR("a.example") } } }, "not for" },
	/* IDN */
	{ "b\xc3\xbc" "cher.example", true,
		{ .names = { { CERT_DNS, STR("xn--bcher-kva.example") } } },
		"is for xn--bcher-kva.example" },
	{ "x.b\xc3\xbc" "cher.example", true,
		{ .names = { { CERT_DNS, STR("*.xn--bcher-kva.example") } } },
		"is for" },
	{ "b\xc3\xbc" "cher.example", true,
		{ .names = { { CERT_XMPP, STR("b\xc3\xbc" "cher.example") } } },
		"is for b??cher.example" },
	{ "b\xc3\xbc" "cher.example", false,
		{ .names = { { CERT_DNS, STR("b\xc3\xbc" "cher.example") } } },
		"not for xn--bcher-kva.example" },
	/* addresses */
	{ "192.0.2.1", true,
		{ .names = { { CERT_IP, STR("\xc0\x00\x02\x01") } } }, "" },
	{ "192.0.2.2", false,
		{ .names = { { CERT_IP, STR("\xc0\x00\x02\x01") } } }, "not for" },
	{ "192.0.2.1", false, { .names = { { CERT_DNS, STR("192.0.2.1") } } },
		"not for" },
	{ "192.0.2.1", false, { .names = { { CERT_DNS, STR("*.0.2.1") } } },
		"not for" },
	{ "[2001:db8::1]", true,
		{ .names = { { CERT_IP,
			STR("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01") } } },
		"" },
	/* many */
	{ "a.example", true,
		{ .more_names = 900, .names = { { CERT_DNS, STR("a.example") } } },
		"is for 0.more.example, 1.more.example, 2.more.example and 898 others, valid" },
	{ "b.example", false,
		{ .more_names = 900, .names = { { CERT_DNS, STR("a.example") } } },
		"and 898 others, not for b.example" },
	/* what breaks lines of a log */
	{ "a.example", false,
		{ .names = { { CERT_DNS, STR("b\n\x1b[31m.example") } } },
		"is for b??[31m.example" },
};

TEST(names_count_where_the_rules_say_so_and_nowhere_else)
{
	struct meeting m;

	meeting_init(&m);
	meeting_trust(&m);
	for (size_t i = 0; i < COUNT(name_cases); i++) {
		bool matches = name_cases[i].matches;

		TEST_CASE(name_cases[i].domain);
		test_case_number("name", (unsigned)i);
		meeting_show(&m, &name_cases[i].want, &m.ca);
		meeting_meet(&m);
		meeting_judge(&m, name_cases[i].domain,
			matches ? TLS_TRUSTED : TLS_OTHER_NAME, matches,
			name_cases[i].why);
		meeting_part(&m);
		/* the same of a stranger: the name is another matter */
		meeting_show(&m, &name_cases[i].want, NULL);
		meeting_meet(&m);
		meeting_judge(&m, name_cases[i].domain, TLS_UNTRUSTED, matches,
			"signed by itself");
		meeting_part(&m);
	}
	meeting_done(&m);
}

/* --- chains ------------------------------------------------------------------------ */

#define A_EXAMPLE .names = { { CERT_DNS, STR("a.example") } }

static const struct {
	const char *name;
	struct cert_want want;
	bool self;
	enum tls_worth worth;
	const char *why;
} leaf_cases[] = {
	{ "good", { A_EXAMPLE }, false, TLS_TRUSTED, "signed by \"Test CA\"" },
	/* public authorities issue no other any more */
	{ "server purpose alone", { A_EXAMPLE, .purpose = "serverAuth" }, false,
		TLS_TRUSTED, "signed by" },
	{ "both purposes", { A_EXAMPLE, .purpose = "serverAuth,clientAuth" },
		false, TLS_TRUSTED, "signed by" },
	{ "client purpose alone", { A_EXAMPLE, .purpose = "clientAuth" }, false,
		TLS_UNTRUSTED, "purpose" },
	{ "e-mail", { A_EXAMPLE, .purpose = "emailProtection" }, false,
		TLS_UNTRUSTED, "purpose" },
	{ "expired", { A_EXAMPLE, .from_days = -30, .to_days = -1 }, false,
		TLS_UNTRUSTED, "has expired on 2" },
	{ "not yet", { A_EXAMPLE, .from_days = 3 }, false, TLS_UNTRUSTED,
		"not valid before 2" },
	{ "self-signed", { A_EXAMPLE }, true, TLS_UNTRUSTED,
		", signed by itself" },
	{ "weak key", { A_EXAMPLE, .rsa_bits = 1024 }, false, TLS_UNTRUSTED,
		"key too weak" },
	{ "RSA", { A_EXAMPLE, .rsa_bits = 2048 }, false, TLS_TRUSTED, "" },
	{ "Ed25519", { A_EXAMPLE, .ed25519 = true }, false, TLS_TRUSTED, "" },
	{ "SHA-1", { A_EXAMPLE, .hash = "SHA1" }, false, TLS_UNTRUSTED,
		"digest algorithm too weak" },
};

TEST(a_chain_is_worth_what_it_is_worth_to_servers)
{
	struct meeting m;

	meeting_init(&m);
	meeting_trust(&m);
	/* what our own library would not even show */
	m.conf.ciphers = "DEFAULT:@SECLEVEL=0";
	for (size_t i = 0; i < COUNT(leaf_cases); i++) {
		TEST_CASE(leaf_cases[i].name);
		meeting_show(&m, &leaf_cases[i].want,
			leaf_cases[i].self ? NULL : &m.ca);
		meeting_meet(&m);
		meeting_judge(&m, "a.example", leaf_cases[i].worth, true,
			leaf_cases[i].why);
		meeting_part(&m);
	}
	meeting_done(&m);
}

/* n authorities, each signed by the one before; the first by the root. */
static void
make_chain(struct cert *all, size_t n, const struct cert *root)
{
	for (size_t i = 0; i < n; i++) {
		char name[32];
		const struct cert_want want = { .cn = name, .ca = true };

		snprintf(name, sizeof(name), "CA %zu", i + 1);
		cert_make(&all[i], &want, i == 0 ? root : &all[i - 1]);
	}
}

/* Shows the leaf, and behind it the last n of the authorities. */
static void
show_chain(struct meeting *m, const struct cert *all, size_t of, size_t n)
{
	static const struct cert_want want = { A_EXAMPLE };

	meeting_show(m, &want, of == 0 ? &m->ca : &all[of - 1]);
	for (size_t i = 0; i < n; i++)
		cert_append(&all[of - 1 - i], m->path);
}

static const struct {
	const char *name;
	size_t of, n; /* authorities below the root, and shown */
	enum tls_worth worth;
	const char *why;
} chain_cases[] = {
	{ "none between", 0, 0, TLS_TRUSTED, "signed by \"Test CA\"" },
	{ "one between", 1, 1, TLS_TRUSTED, "signed by \"CA 1\"" },
	{ "it is missing", 1, 0, TLS_UNTRUSTED,
		"signed by \"CA 1\", whom we do not know: is an intermediate" },
	{ "two between", 2, 2, TLS_TRUSTED, "signed by \"CA 2\"" },
	{ "the upper one is missing", 2, 1, TLS_UNTRUSTED,
		"signed by \"CA 2\", and in the end by \"CA 1\", whom we do not know" },
	{ "as many as may be", 8, 8, TLS_TRUSTED, "signed by \"CA 8\"" },
	{ "one more", 9, 9, TLS_UNTRUSTED, "chain too long" },
	{ "thirty", 30, 30, TLS_UNTRUSTED, "chain too long" },
};

TEST(what_stands_between_has_to_be_shown)
{
	struct meeting m;

	meeting_init(&m);
	meeting_trust(&m);
	for (size_t i = 0; i < COUNT(chain_cases); i++) {
		struct cert all[30] = { { NULL, NULL } };
		size_t of = chain_cases[i].of;

		TEST_CASE(chain_cases[i].name);
		make_chain(all, of, &m.ca);
		show_chain(&m, all, of, chain_cases[i].n);
		meeting_meet(&m);
		meeting_judge(&m, "a.example", chain_cases[i].worth, true,
			chain_cases[i].why);
		meeting_part(&m);
		for (size_t k = 0; k < of; k++)
			cert_done(&all[k]);
	}
	meeting_done(&m);
}

TEST(an_authority_that_we_do_not_trust_is_named)
{
	static const struct cert_want want = { A_EXAMPLE };
	static const struct cert_want other = { .cn = "Other CA", .ca = true };
	static const struct cert_want plain = { .cn = "No CA" };
	struct cert ca, no_ca;
	struct meeting m;

	meeting_init(&m);
	meeting_trust(&m);
	cert_make(&ca, &other, NULL);
	cert_make(&no_ca, &plain, &m.ca);
	meeting_show(&m, &want, &ca);
	cert_append(&ca, m.path);
	meeting_meet(&m);
	meeting_judge(&m, "a.example", TLS_UNTRUSTED, true,
		"signed by \"Other CA\", and in the end by \"Other CA\", whom we do not trust");
	meeting_part(&m);
	/* of one who may sign nothing */
	meeting_show(&m, &want, &no_ca);
	cert_append(&no_ca, m.path);
	meeting_meet(&m);
	meeting_judge(&m, "a.example", TLS_UNTRUSTED, true,
		"signed by \"No CA\"");
	meeting_part(&m);
	cert_done(&ca);
	cert_done(&no_ca);
	meeting_done(&m);
}

TEST(an_authority_between_that_has_expired_is_named)
{
	static const struct cert_want want = { A_EXAMPLE };
	static const struct cert_want old = { .cn = "Old CA", .ca = true,
		.from_days = -50, .to_days = -1 };
	struct cert ca;
	struct meeting m;

	meeting_init(&m);
	meeting_trust(&m);
	cert_make(&ca, &old, &m.ca);
	meeting_show(&m, &want, &ca);
	cert_append(&ca, m.path);
	meeting_meet(&m);
	meeting_judge(&m, "a.example", TLS_UNTRUSTED, true,
		"expired (the certificate of \"Old CA\")");
	meeting_part(&m);
	cert_done(&ca);
	meeting_done(&m);
}

TEST(what_is_among_the_authorities_is_trusted_by_itself)
{
	static const struct cert_want want = { A_EXAMPLE };
	struct meeting m;

	for (int signed_by_itself = 0; signed_by_itself < 2; signed_by_itself++) {
		meeting_init(&m);
		meeting_show(&m, &want, signed_by_itself ? NULL : &m.ca);
		cert_write(&m.leaf, m.ca_path);
		meeting_trust(&m);
		meeting_meet(&m);
		meeting_judge(&m, "a.example", TLS_TRUSTED, true, "is for");
		meeting_judge(&m, "b.example", TLS_OTHER_NAME, false, "is for");
		meeting_part(&m);
		meeting_done(&m);
	}
}

/* hostile 22 */
TEST(what_its_authority_has_revoked_is_worth_nothing)
{
	static const struct cert_want want = { A_EXAMPLE };
	static const struct cert_want other = { .cn = "CA 2", .ca = true };
	struct cert good, ca;
	struct meeting m;

	meeting_init(&m);
	meeting_show(&m, &want, &m.ca);
	cert_make(&good, &want, &m.ca);
	cert_make(&ca, &other, NULL);
	cert_append(&ca, m.ca_path);
	cert_append_revoked(&m.ca, &m.leaf, m.ca_path);
	meeting_trust(&m);
	meeting_meet(&m);
	meeting_judge(&m, "a.example", TLS_UNTRUSTED, true,
		"certificate revoked");
	meeting_part(&m);
	cert_write(&good, m.path);
	meeting_meet(&m);
	meeting_judge(&m, "a.example", TLS_TRUSTED, true, "signed by");
	meeting_part(&m);
	/* of one who has no list */
	meeting_show(&m, &want, &ca);
	meeting_meet(&m);
	meeting_judge(&m, "a.example", TLS_TRUSTED, true, "signed by");
	meeting_part(&m);
	cert_done(&good);
	cert_done(&ca);
	meeting_done(&m);
}

TEST(the_time_is_that_of_the_question)
{
	static const struct cert_want want = { A_EXAMPLE, .from_days = 10,
		.to_days = 20 };
	static const struct { int days; enum tls_worth worth; } cases[] = {
		{ 9, TLS_UNTRUSTED }, { 11, TLS_TRUSTED }, { 19, TLS_TRUSTED },
		{ 21, TLS_UNTRUSTED },
	};
	struct tls_judgement j;
	struct meeting m;

	meeting_init(&m);
	meeting_trust(&m);
	meeting_show(&m, &want, &m.ca);
	meeting_meet(&m);
	for (size_t i = 0; i < COUNT(cases); i++) {
		tls_peer_judge(m.client.c, m.trust, STR("a.example"),
			(int64_t)time(NULL) + cases[i].days * INT64_C(86400),
			&j);
		CHECK_INT(j.worth, cases[i].worth);
	}
	meeting_part(&m);
	meeting_done(&m);
}

/* RFC 7673 §4.1: where the way there was signed, the name of the server counts, too. */
TEST(a_name_that_signed_records_have_led_to_counts)
{
	static const struct cert_want want = {
		.names = { { CERT_DNS, STR("xmpp.host.example") } } };
	static const struct {
		const char *at, *also;
		enum tls_worth worth;
	} cases[] = {
		{ "_5269._tcp.xmpp.host.example", NULL, TLS_TRUSTED },
		{ "_5269._tcp.xmpp.host.example", "a.example", TLS_TRUSTED },
		{ "_5269._tcp.alias.example", "xmpp.host.example", TLS_TRUSTED },
		{ "_5269._tcp.alias.example", "host.example", TLS_OTHER_NAME },
		{ "_5269._tcp.host.example", NULL, TLS_OTHER_NAME },
		{ "_5269._tcp.", NULL, TLS_OTHER_NAME },
		{ NULL, NULL, TLS_OTHER_NAME },
	};
	struct tls_judgement j;
	struct meeting m;

	meeting_init(&m);
	meeting_trust(&m);
	meeting_show(&m, &want, &m.ca);
	meeting_meet(&m);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tls_dane *d = cases[i].at != NULL ?
			tls_dane_new(cases[i].at, cases[i].also) :
			NULL;

		tls_peer_judge_at(m.client.c, m.trust, STR("a.example"), d,
			(int64_t)time(NULL), &j);
		CHECK_INT(j.worth, cases[i].worth);
		CHECK_INT(j.dane, TLS_DANE_NONE);
		CHECK_CSTR(j.dane_why, "");
		tls_dane_unref(d);
	}
	meeting_part(&m);
	meeting_done(&m);
}

/* Whichever side has shown it, and whatever else it is worth. */
TEST(a_certificate_is_judged_by_signed_records_as_well)
{
	static const struct cert_want want = {
		.names = { { CERT_DNS, STR("b.example") } } };
	static const uint8_t digest[32] = { 1 };
	struct tls_dane *d = tls_dane_new("_5269._tcp.xmpp.a.example", NULL);
	const struct conn *both[2];
	unsigned char *der = NULL;
	struct tls_judgement j;
	struct meeting m;
	int n;

	meeting_init(&m);
	meeting_show(&m, &want, NULL);
	meeting_meet(&m);
	both[0] = m.client.c;
	both[1] = m.p.server.c;
	tls_dane_add(&d, 3, 1, 1, digest, sizeof(digest));
	n = i2d_X509(m.leaf.x509, &der);
	for (int fits = 0; fits < 2; fits++) {
		for (size_t i = 0; i < COUNT(both); i++) {
			tls_peer_judge_at(both[i], NULL, STR("a.example"), d,
				(int64_t)time(NULL), &j);
			CHECK_INT(j.worth, TLS_UNTRUSTED);
			CHECK_INT(j.dane, fits ? TLS_DANE_FITS : TLS_DANE_OTHER);
			CHECK(strstr(j.dane_why, "_5269._tcp.xmpp.a.example"));
		}
		tls_dane_add(&d, 3, 0, 0, der, (size_t)n);
	}
	OPENSSL_free(der);
	tls_dane_unref(d);
	meeting_part(&m);
	meeting_done(&m);
}

/* --- handshakes --------------------------------------------------------------------- */

TEST(nobody_is_trusted_where_there_are_no_authorities)
{
	static const struct cert_want want = { A_EXAMPLE };
	struct meeting m;

	meeting_init(&m);
	meeting_show(&m, &want, &m.ca);
	meeting_meet(&m);
	meeting_judge(&m, "a.example", TLS_UNTRUSTED, true, "whom we do not know");
	meeting_part(&m);
	meeting_done(&m);
}

TEST(who_has_no_certificate_shows_none_and_is_let_in)
{
	static const struct cert_want want = { A_EXAMPLE };
	struct tls_judgement j;
	struct meeting m;

	meeting_init(&m);
	meeting_trust(&m);
	meeting_show(&m, &want, &m.ca);
	m.local = "elsewhere.test";
	meeting_connect(&m);
	tls_peer_judge(m.client.c, m.trust, STR("a.example"), 0, &j);
	CHECK_INT(j.worth, TLS_NO_CERTIFICATE);
	meeting_part(&m);
	meeting_meet(&m);
	tls_peer_judge(m.p.server.c, m.trust, STR("elsewhere.test"),
		(int64_t)time(NULL), &j);
	CHECK_INT(j.worth, TLS_NO_CERTIFICATE);
	CHECK(!j.matches);
	CHECK_CSTR(j.why, "none was shown");
	tls_peer_judge(m.client.c, m.trust, STR("a.example"),
		(int64_t)time(NULL), &j);
	CHECK_INT(j.worth, TLS_TRUSTED);
	meeting_part(&m);
	meeting_done(&m);
}

/* The certificate that each side has shown. */
static void
saw(const struct conn *c, const char *name)
{
	struct tls_judgement j;

	tls_peer_judge(c, NULL, str_c(name), (int64_t)time(NULL), &j);
	if (!j.matches)
		CHECK_CSTR(j.why, name);
}

/* Which of two hosts speaks for a domain. */
static const struct {
	const char *domain;
	const char *shows; /* what the certificate names */
} near_cases[] = {
	{ "a.example", "a.example" },
	{ "b.example", "b.example" },
	{ "irc.elsewhere.test", "irc.elsewhere.test" }, /* b names it */
	{ "x.services.test", "x.services.test" },	  /* a has a wildcard */
	{ "conference.b.example", "b.example" },	  /* the host above */
	{ "x.conference.b.example", "b.example" },
};

TEST(a_domain_of_ours_has_the_certificate_that_is_nearest)
{
	static const struct cert_want a = { .names = {
		{ CERT_DNS, STR("a.example") },
		{ CERT_DNS, STR("*.services.test") } } };
	static const struct cert_want b = { .names = {
		{ CERT_DNS, STR("b.example") },
		{ CERT_DNS, STR("irc.elsewhere.test") } } };
	struct tls_host_conf hosts[2];
	char path[128];
	struct meeting m;

	meeting_init(&m);
	meeting_show(&m, &a, &m.ca);
	certs_dir_file(&m.dir, "b.pem", path);
	hosts[0] = m.host;
	hosts[1] = (struct tls_host_conf){ "b.example", path, NULL };
	m.conf.hosts = hosts;
	m.conf.n_hosts = 2;
	cert_done(&m.leaf);
	cert_make(&m.leaf, &b, &m.ca);
	cert_write(&m.leaf, path);
	for (size_t i = 0; i < COUNT(near_cases); i++) {
		const char *domain = near_cases[i].domain;

		/* by header, then by SNI alone; as a client, and as a server */
		TEST_CASE(domain);
		m.local = domain;
		for (int named = 0; named < 2; named++) {
			meeting_begin(&m, named ? domain : "", domain);
			PAIR_UNTIL(&m.p, m.p.server.secured && m.client.secured);
			saw(m.client.c, near_cases[i].shows);
			saw(m.p.server.c, near_cases[i].shows);
			meeting_part(&m);
		}
	}
	meeting_done(&m);
}

/* A ticket has no chain: what an intermediate has signed would not be trusted. */
TEST(servers_resume_nothing)
{
	static const struct cert_want want = { A_EXAMPLE };
	const unsigned char seed[NET_SEED_SIZE] = { 1 };
	struct meeting m;

	meeting_init(&m);
	meeting_show(&m, &want, &m.ca);
	meeting_begin(&m, "a.example", "a.example");
	net_give_tickets(m.p.net, seed, &clock_system, 0);
	PAIR_UNTIL(&m.p, m.p.server.secured && m.client.secured);
	CHECK_INT(SSL_get_num_tickets(conn_ssl(m.p.server.c)), 0);
	CHECK(!SSL_SESSION_is_resumable(SSL_get0_session(
		conn_ssl(m.client.c))));
	meeting_part(&m);
	meeting_done(&m);
}

TEST(what_was_queued_leaves_in_the_clear_before_the_first_word)
{
	static const struct cert_want want = { A_EXAMPLE };
	struct err err = ERR_INIT;
	struct meeting m;

	meeting_init(&m);
	meeting_show(&m, &want, &m.ca);
	m.set = tls_set_new(&m.conf, NULL, NULL, &err);
	meeting_connect(&m);
	conn_write(m.client.c, "<starttls/>", 11);
	CHECK(conn_start_tls_client(m.client.c, m.set, STR("a.example"),
		STR("a.example"), STR(""), &err));
	conn_write(m.client.c, "secret", 6);
	PAIR_UNTIL(&m.p, m.p.server.in.n >= 12);
	CHECK(strncmp(buf_c(&m.p.server.in), "<starttls/>\x16\x03", 13) == 0);
	meeting_part(&m);
	meeting_done(&m);
}

TEST(a_client_that_is_answered_with_something_else_says_so)
{
	static const struct cert_want want = { A_EXAMPLE };
	struct err err = ERR_INIT;
	struct meeting m;

	meeting_init(&m);
	meeting_show(&m, &want, &m.ca);
	m.set = tls_set_new(&m.conf, NULL, NULL, &err);
	meeting_connect(&m);
	CHECK(conn_start_tls_client(m.client.c, m.set, STR("a.example"),
		STR("a.example"), STR("xmpp-server"), &err));
	conn_write(m.p.server.c, "HTTP/1.0 400\r\n\r\n", 16);
	PAIR_UNTIL(&m.p, m.client.closed);
	CHECK(m.client.broken);
	CHECK_CSTR(m.client.why.text, "TLS handshake: wrong version number");
	meeting_part(&m);
	meeting_done(&m);
}

TEST(where_no_host_has_a_certificate_no_client_begins)
{
	struct err err = ERR_INIT;
	struct meeting m;

	meeting_init(&m);
	meeting_connect(&m);
	CHECK(!conn_start_tls_client(m.client.c, NULL, STR("a.example"),
		STR("a.example"), STR(""), &err));
	CHECK_INT(err.code, ERR_MISSING);
	meeting_part(&m);
	meeting_done(&m);
}

TEST_MAIN
