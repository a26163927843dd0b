/*
 * test_tls_names.c - certificates that are loaded, and those of clients.
 */
#include "config.h"

#include "net/tls.h"

#include <time.h>

#include <openssl/pem.h>

#include "test.h"
#include "tls_world.h"

/* --- loading -------------------------------------------------------------- */

/* What is to be loaded for a.example, from a file of its own. */
struct one_host {
	struct certs_dir dir;
	char path[128];
	struct tls_host_conf host;
	struct tls_conf conf;
};

static void
one_host_init(struct one_host *one)
{
	certs_dir_init(&one->dir);
	certs_dir_file(&one->dir, "host.pem", one->path);
	one->host = (struct tls_host_conf){ .host = "a.example",
		.certificate = one->path };
	one->conf = (struct tls_conf){ .hosts = &one->host, .n_hosts = 1 };
}

static void
on_warning(void *arg, bool refused, const char *text)
{
	struct buf *all = arg;

	buf_add_c(all, refused ? "refused: " : "");
	buf_add_c(all, text);
	buf_add_c(all, "\n");
}

static const struct {
	const char *name;
	struct cert_want want;
	const char *warning; /* NULL: none */
} warning_cases[] = {
	{ "fine", { .names = { { CERT_DNS, STR("a.example") } } }, NULL },
	{ "xmppAddr", { .names = { { CERT_XMPP, STR("a.example") } } }, NULL },
	{ "SRVName",
		{ .names = { { CERT_SRV, STR("_xmpp-client.a.example") } } },
		NULL },
	{ "not yet",
		{ .names = { { CERT_DNS, STR("a.example") } }, .from_days = 9 },
		"not valid yet" },
	{ "another host", { .names = { { CERT_DNS, STR("b.example") } } },
		"does not name it" },
	{ "only the CN", { .cn = "a.example" }, "does not name it" },
	{ "NUL", { .names = { { CERT_DNS, STR("a.example\0.evil") } } },
		"does not name it" },
	{ "SRVName of another service",
		{ .names = { { CERT_SRV, STR("_http.a.example") } } },
		"does not name it" },
};

TEST(a_certificate_that_clients_will_refuse_is_reported)
{
	struct one_host one;

	one_host_init(&one);
	for (size_t i = 0; i < COUNT(warning_cases); i++) {
		struct buf said = BUF_INIT;
		struct cert cert;
		struct tls_set *set;

		TEST_CASE(warning_cases[i].name);
		cert_make(&cert, &warning_cases[i].want, NULL);
		cert_write(&cert, one.path);
		cert_done(&cert);
		set = tls_set_new(&one.conf, on_warning, &said, NULL);
		CHECK(set != NULL);
		tls_set_unref(set);
		if (warning_cases[i].warning == NULL)
			CHECK_STR(buf_str(&said), "");
		else
			CHECK(strstr(buf_c(&said), warning_cases[i].warning) !=
				NULL);
		buf_done(&said);
	}
	certs_dir_done(&one.dir);
}

/* `tls: expiry_warning' alone says what is soon. */
TEST(an_end_is_reported_when_it_is_nearer_than_was_asked_for)
{
	static const struct { int days, warning; bool told; } cases[] = {
		{ 20, 21, true }, { 20, 19, false }, { 13, 1, false },
		{ 300, 365, true }, { 5, 0, false },
	};
	struct one_host one;

	one_host_init(&one);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cert_want want = {
			.names = { { CERT_DNS, STR("a.example") } },
			.to_days = cases[i].days };
		struct buf said = BUF_INIT;
		struct cert cert;

		cert_make(&cert, &want, NULL);
		cert_write(&cert, one.path);
		cert_done(&cert);
		one.conf.expiry_warning_us =
			cases[i].warning * INT64_C(86400) * US_PER_S;
		tls_set_unref(tls_set_new(&one.conf, on_warning, &said, NULL));
		CHECK((strstr(buf_c(&said), "expires in") != NULL) ==
			cases[i].told);
		buf_done(&said);
	}
	certs_dir_done(&one.dir);
}

static void
on_ends(void *arg, const char *host, const char *file, int64_t ends_s)
{
	double days = (double)(ends_s - (int64_t)time(NULL)) / 86400;

	CHECK(strstr(file, "host.pem") != NULL);
	buf_printf(arg, "%s %.0f;", host, days);
}

/* Days until the leaf and its issuer end. */
static const struct {
	int leaf, issuer;
	const char *ends;
} ends_cases[] = {
	{ 90, 900, "a.example 90;" },
	{ 90, 5, "a.example 5;" },
	{ -10, 900, "a.example -10;" },
	{ 36500, 36500, "a.example 36500;" },
};

TEST(certificates_end_with_the_first_of_the_chain)
{
	struct one_host one;

	one_host_init(&one);
	for (size_t i = 0; i < COUNT(ends_cases); i++) {
		struct cert_want issuer = { .cn = "CA", .ca = true,
			.from_days = -20, .to_days = ends_cases[i].issuer };
		struct cert_want leaf = {
			.names = { { CERT_DNS, STR("a.example") } },
			.from_days = -20, .to_days = ends_cases[i].leaf };
		struct buf said = BUF_INIT;
		struct cert ca, cert;
		struct tls_set *set;

		TEST_CASE(ends_cases[i].ends);
		cert_make(&ca, &issuer, NULL);
		cert_make(&cert, &leaf, &ca);
		cert_write(&cert, one.path);
		cert_append(&ca, one.path);
		set = tls_set_new(&one.conf, NULL, NULL, NULL);
		CHECK(set != NULL);
		tls_set_expiry(set, on_ends, &said);
		CHECK_STR(buf_str(&said), ends_cases[i].ends);
		tls_set_unref(set);
		buf_done(&said);
		cert_done(&cert);
		cert_done(&ca);
	}
	certs_dir_done(&one.dir);
}

TEST(what_cannot_be_loaded_is_named)
{
	struct world w;
	struct err err = ERR_INIT;

	world_init(&w);
	w.hosts[1].key = w.paths[0];
	CHECK(tls_set_new(&w.conf, NULL, NULL, &err) == NULL);
	CHECK(strstr(err.text, "b.example") != NULL);
	CHECK(strstr(err.text, "does not belong to the certificate") != NULL);
	w.hosts[1].key = "/nonexistent/key.pem";
	CHECK(tls_set_new(&w.conf, NULL, NULL, &err) == NULL);
	CHECK(strstr(err.text, "/nonexistent/key.pem") != NULL);
	w.hosts[1].key = NULL;
	w.conf.min_version = "1.1";
	CHECK(tls_set_new(&w.conf, NULL, NULL, &err) == NULL);
	CHECK_INT(err.code, ERR_INVALID);
	w.conf.min_version = NULL;
	w.conf.ciphers = "NO-SUCH-CIPHER";
	CHECK(tls_set_new(&w.conf, NULL, NULL, &err) == NULL);
	w.conf.ciphers = NULL;
	w.conf.client_ca = "/nonexistent/ca.pem";
	CHECK(tls_set_new(&w.conf, NULL, NULL, &err) == NULL);
	CHECK(strstr(err.text, "/nonexistent/ca.pem") != NULL);
	world_done(&w);
}

/* As openssl(1) writes it when it is asked for a pass phrase. */
static void
key_write_encrypted(const struct cert *cert, const char *path)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	CHECK_INT(PEM_write_PrivateKey(f, cert->key, EVP_aes_256_cbc(),
			  (const unsigned char *)"words", 5, NULL, NULL),
		1);
	CHECK_INT(fclose(f), 0);
}

/* Wherever there is a terminal, the library would ask there, and wait. */
TEST(an_encrypted_key_is_refused_by_its_name)
{
	struct world w;
	struct err err = ERR_INIT;
	char path[128];

	world_init(&w);
	certs_dir_file(&w.dir, "b.key", path);
	key_write_encrypted(&w.b, path);
	w.hosts[1].key = path;
	CHECK(tls_set_new(&w.conf, NULL, NULL, &err) == NULL);
	CHECK_INT(err.code, ERR_REFUSED);
	CHECK(strstr(err.text, path) != NULL);
	CHECK(strstr(err.text, "is encrypted") != NULL);
	world_done(&w);
}

TEST(a_chain_that_leads_nowhere_is_reported)
{
	const struct cert_want want = { .cn = "leaf",
		.names = { { CERT_DNS, STR("a.example") } } };
	const struct cert_want ca_want = { .cn = "CA", .ca = true };
	struct cert ca, stranger, leaf;
	const struct {
		const struct cert *more;
		const char *warning;
	} cases[] = {
		{ &ca, NULL },
		{ NULL, "refused: " },
		{ NULL, "is an intermediate certificate missing?" },
		{ &stranger, "out of order" },
	};
	struct one_host one;

	one_host_init(&one);
	cert_make(&ca, &ca_want, NULL);
	cert_make(&stranger, &ca_want, NULL);
	cert_make(&leaf, &want, &ca);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf said = BUF_INIT;

		cert_write(&leaf, one.path);
		if (cases[i].more != NULL)
			cert_append(cases[i].more, one.path);
		tls_set_unref(tls_set_new(&one.conf, on_warning, &said, NULL));
		if (cases[i].warning == NULL)
			CHECK_STR(buf_str(&said), "");
		else
			CHECK(strstr(buf_c(&said), cases[i].warning) != NULL);
		buf_done(&said);
	}
	cert_done(&ca);
	cert_done(&stranger);
	cert_done(&leaf);
	certs_dir_done(&one.dir);
}

/* --- client certificates -------------------------------------------------- */

/* hostile 23 */
static const struct {
	const char *name;
	struct cert_want want;
	bool stranger; /* signed by a CA that we do not know */
	bool verified;
	const char *addresses;
} client_cases[] = {
	{ "one address", { .names = { { CERT_XMPP, STR("romeo@a.example") } } },
		false, true, "romeo@a.example;" },
	{ "two addresses",
		{ .names = { { CERT_XMPP, STR("romeo@a.example") },
			  { CERT_DNS, STR("a.example") },
			  { CERT_XMPP, STR("juliet@a.example") } } },
		false, true, "romeo@a.example;juliet@a.example;" },
	{ "only the CN", { .cn = "romeo@a.example" }, false, true, "" },
	{ "CN with another RDN inside",
		{ .cn = "x,CN=admin@a.example",
			.names = { { CERT_XMPP, STR("romeo@a.example") } } },
		false, true, "romeo@a.example;" },
	{ "comma",
		{ .names = { { CERT_XMPP, STR("a@a.example,b@a.example") } } },
		false, true, "a@a.example,b@a.example;" },
	{ "NUL",
		{ .names = { { CERT_XMPP, STR("admin@a.example\0.evil") },
			  { CERT_XMPP, STR("romeo@a.example") } } },
		false, true, "romeo@a.example;" },
	{ "bad UTF-8", { .names = { { CERT_XMPP, STR("rom\xff@a.example") } } },
		false, true, "" },
	{ "wrong string type",
		{ .names = { { CERT_XMPP_IA5, STR("romeo@a.example") } } },
		false, true, "" },
	{ "empty", { .names = { { CERT_XMPP, STR("") } } }, false, true, "" },
	{ "unknown CA", { .names = { { CERT_XMPP, STR("romeo@a.example") } } },
		true, false, "" },
	{ "expired",
		{ .names = { { CERT_XMPP, STR("romeo@a.example") } },
			.from_days = -9,
			.to_days = -1 },
		false, false, "" },
};

static void
on_address(void *arg, struct str addr)
{
	buf_add_str(arg, addr);
	buf_add_c(arg, ";");
}

static void
world_ask_client(struct world *w)
{
	struct cert_want want = { .cn = "Test CA", .ca = true };

	tls_set_unref(w->set);
	cert_make(&w->ca, &want, NULL);
	certs_dir_file(&w->dir, "ca.pem", w->paths[2]);
	cert_write(&w->ca, w->paths[2]);
	w->conf.client_ca = w->paths[2];
	world_load(w);
}

static void
check_addresses(struct world *w, bool verified, const char *want)
{
	struct buf got = BUF_INIT;

	CHECK(tls_client_addresses(w->p.server.c, on_address, &got) ==
		verified);
	CHECK_STR(buf_str(&got), want);
	buf_done(&got);
}

TEST(addresses_come_from_verified_alternative_names_only)
{
	struct cert_want evil = { .cn = "Other CA", .ca = true };

	for (size_t i = 0; i < COUNT(client_cases); i++) {
		struct world w;
		struct cert other, cert;

		TEST_CASE(client_cases[i].name);
		world_init(&w);
		world_ask_client(&w);
		cert_make(&other, &evil, NULL);
		cert_make(&cert, &client_cases[i].want,
			client_cases[i].stranger ? &other : &w.ca);
		SSL_CTX_use_certificate(w.client, cert.x509);
		SSL_CTX_use_PrivateKey(w.client, cert.key);
		world_meet(&w, NULL);
		check_addresses(&w, client_cases[i].verified,
			client_cases[i].addresses);
		/* a resumed session carries the same certificate */
		world_again(&w);
		w.resume = true;
		world_meet(&w, NULL);
		CHECK(SSL_session_reused(w.p.ssl));
		check_addresses(&w, client_cases[i].verified,
			client_cases[i].addresses);
		cert_done(&cert);
		cert_done(&other);
		world_done(&w);
	}
}

TEST(a_client_without_certificate_has_no_addresses)
{
	struct world w;

	world_init(&w);
	check_addresses(&w, false, "");
	world_meet(&w, NULL);
	check_addresses(&w, false, "");
	world_again(&w);
	world_ask_client(&w);
	world_meet(&w, NULL);
	check_addresses(&w, false, "");
	world_done(&w);
}

TEST_MAIN
