/*
 * test_tls.c - what a TLS server must and must not do, shown by a client made
 * of OpenSSL.
 */
#include "config.h"

#include "net/tls.h"

#include <openssl/err.h>

#include "test.h"
#include "tls_world.h"

#define ALPN_XMPP "\x0bxmpp-client"
#define ALPN_HTTP "\x08http/1.1"

/* --- handshakes ----------------------------------------------------------- */

static const struct {
	int version;
	const char *name;
} version_cases[] = {
	{ TLS1_2_VERSION, "TLSv1.2" },
	{ TLS1_3_VERSION, "TLSv1.3" },
};

TEST(tls_1_2_and_1_3_are_spoken)
{
	for (size_t i = 0; i < COUNT(version_cases); i++) {
		struct world w;

		TEST_CASE(version_cases[i].name);
		world_init(&w);
		set_version(w.client, version_cases[i].version);
		CHECK(tls_version(w.p.server.c) == NULL);
		CHECK(tls_cipher(w.p.server.c) == NULL);
		world_meet(&w, NULL);
		CHECK_CSTR(tls_version(w.p.server.c), version_cases[i].name);
		CHECK(strstr(tls_cipher(w.p.server.c), "GCM") != NULL ||
			strstr(tls_cipher(w.p.server.c), "CHACHA") != NULL);
		world_done(&w);
	}
}

/* hostile 21 */
static const struct {
	const char *name;
	int version;
	const char *ciphers;
} refused_cases[] = {
	{ "TLS 1.0", TLS1_VERSION, "ALL:@SECLEVEL=0" },
	{ "TLS 1.1", TLS1_1_VERSION, "ALL:@SECLEVEL=0" },
	{ "CBC", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0" },
	{ "CBC with SHA-1", TLS1_2_VERSION,
		"ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0" },
	{ "no forward secrecy", TLS1_2_VERSION,
		"AES128-GCM-SHA256:@SECLEVEL=0" },
	{ "no authentication", TLS1_2_VERSION, "aNULL:@SECLEVEL=0" },
};

TEST(old_versions_and_weak_suites_are_refused)
{
	for (size_t i = 0; i < COUNT(refused_cases); i++) {
		struct world w;

		TEST_CASE(refused_cases[i].name);
		world_init(&w);
		CHECK_INT(SSL_CTX_set_cipher_list(
				  w.client, refused_cases[i].ciphers),
			1);
		set_version(w.client, refused_cases[i].version);
		world_fail(&w);
		world_done(&w);
	}
}

TEST(min_version_1_3_refuses_1_2)
{
	struct world w;

	world_init(&w);
	tls_set_unref(w.set);
	w.conf.min_version = "1.3";
	world_load(&w);
	set_version(w.client, TLS1_2_VERSION);
	world_fail(&w);
	world_done(&w);
}

TEST(tls_1_3_gives_tickets_only_where_they_are_wanted)
{
	struct world w;

	world_init(&w);
	set_version(w.client, TLS1_3_VERSION);
	world_meet(&w, NULL);
	CHECK(w.ticket != NULL);
	world_again(&w);
	SSL_SESSION_free(w.ticket);
	w.ticket = NULL;
	tls_set_unref(w.set);
	w.conf.tickets = false;
	world_load(&w);
	world_meet(&w, NULL);
	CHECK(w.ticket == NULL);
	world_done(&w);
}

TEST(sni_chooses_the_certificate)
{
	struct world w;

	world_init(&w);
	world_meet(&w, "b.example");
	CHECK(client_saw(&w, &w.b));
	world_again(&w);
	world_meet(&w, "B.Example");
	CHECK(client_saw(&w, &w.b));
	world_again(&w);
	world_meet(&w, NULL);
	CHECK(client_saw(&w, &w.a));
	world_again(&w);
	world_meet(&w, "sub.b.example");
	CHECK(client_saw(&w, &w.a));
	world_done(&w);
}

TEST(a_host_that_was_named_before_is_not_changed_by_sni)
{
	static const char *const names[] = { NULL, "a.example", "b.example",
		"c.example" };
	struct world w;

	world_init(&w);
	for (size_t i = 0; i < COUNT(names); i++) {
		TEST_CASE(names[i] != NULL ? names[i] : "none");
		w.host = "a.example";
		world_meet(&w, names[i]);
		CHECK(client_saw(&w, &w.a));
		world_again(&w);
		w.host = "b.example";
		world_meet(&w, names[i]);
		CHECK(client_saw(&w, &w.b));
		world_again(&w);
	}
	world_done(&w);
}

TEST(sni_finds_an_international_name_by_its_a_label)
{
	struct world w;

	world_init(&w);
	tls_set_unref(w.set);
	w.hosts[1].host = "b\xc3\xbc"
			  "cher.example";
	world_load(&w);
	world_meet(&w, "xn--bcher-kva.example");
	CHECK(client_saw(&w, &w.b));
	world_done(&w);
}

TEST(alpn_is_required_from_who_offers_any)
{
	struct world w;
	const unsigned char *got;
	unsigned n;

	world_init(&w);
	SSL_CTX_set_alpn_protos(
		w.client, (const unsigned char *)ALPN_HTTP ALPN_XMPP, 21);
	world_meet(&w, NULL);
	SSL_get0_alpn_selected(w.p.ssl, &got, &n);
	CHECK_STR(((struct str){ (const char *)got, n }), "xmpp-client");
	world_again(&w);
	SSL_CTX_set_alpn_protos(w.client, (const unsigned char *)ALPN_HTTP, 9);
	ERR_clear_error();
	world_fail(&w);
	CHECK_CSTR(
		w.p.server.why.text, "TLS handshake: no application protocol");
	world_done(&w);
}

TEST(what_is_not_tls_ends_the_handshake)
{
	struct world w;
	struct err err = ERR_INIT;

	world_init(&w);
	CHECK(conn_start_tls(
		w.p.server.c, w.set, STR("a.example"), STR_NONE, false, &err));
	pair_say(&w.p, "<?xml version='1.0'?>", 21);
	PAIR_UNTIL(&w.p, w.p.server.closed);
	CHECK_INT(w.p.server.why.code, ERR_TLS);
	CHECK_INT(w.p.server.in.n, 0);
	world_done(&w);
}

TEST(a_host_without_certificate_is_an_error)
{
	struct world w;
	struct err err = ERR_INIT;

	world_init(&w);
	CHECK(!conn_start_tls(
		w.p.server.c, w.set, STR("c.example"), STR_NONE, false, &err));
	CHECK_INT(err.code, ERR_MISSING);
	CHECK(strstr(err.text, "c.example") != NULL);
	CHECK(!conn_is_secure(w.p.server.c));
	CHECK(conn_ssl(w.p.server.c) == NULL);
	world_done(&w);
}

/* --- bindings ------------------------------------------------------------- */

static void
client_binding(SSL *ssl, enum tls_binding type, struct buf *out)
{
	unsigned char *p = (unsigned char *)buf_reserve(out, 64);
	unsigned n = 0;

	switch (type) {
	case TLS_EXPORTER:
		CHECK_INT(SSL_export_keying_material(ssl, p, 32,
				  "EXPORTER-Channel-Binding", 24,
				  (const unsigned char *)"", 0, 1),
			1);
		n = 32;
		break;
	case TLS_SERVER_END_POINT:
		X509_digest(
			SSL_get0_peer_certificate(ssl), EVP_sha256(), p, &n);
		break;
	case TLS_UNIQUE: /* the client's own Finished, unless resumed */
		n = (unsigned)(SSL_session_reused(ssl)
				? SSL_get_peer_finished(ssl, p, 64)
				: SSL_get_finished(ssl, p, 64));
		break;
	}
	out->n += n;
}

static void
check_binding(const struct world *w, enum tls_binding type)
{
	struct buf ours = BUF_INIT, theirs = BUF_INIT;
	bool has =
		type != TLS_UNIQUE || SSL_version(w->p.ssl) == TLS1_2_VERSION;

	TEST_CASE(tls_binding_name(type));
	CHECK(tls_binding_exists(w->p.server.c, type) == has);
	CHECK(tls_binding_data(w->p.server.c, type, &ours) == has);
	if (has) {
		client_binding(w->p.ssl, type, &theirs);
		CHECK(ours.n > 0);
		CHECK(str_eq(buf_str(&ours), buf_str(&theirs)));
	} else {
		CHECK_INT(ours.n, 0);
		CHECK(tls_binding_finished(w->p.server.c, &ours));
		client_binding(w->p.ssl, type, &theirs);
		CHECK(ours.n > 0);
		CHECK(str_eq(buf_str(&ours), buf_str(&theirs)));
	}
	buf_done(&ours);
	buf_done(&theirs);
}

static void
check_bindings(const struct world *w)
{
	check_binding(w, TLS_EXPORTER);
	check_binding(w, TLS_SERVER_END_POINT);
	check_binding(w, TLS_UNIQUE);
}

TEST(bindings_are_the_same_on_both_sides)
{
	for (size_t i = 0; i < COUNT(version_cases); i++) {
		struct world w;

		world_init(&w);
		set_version(w.client, version_cases[i].version);
		world_meet(&w, NULL);
		CHECK(!SSL_session_reused(w.p.ssl));
		check_bindings(&w);
		CHECK(w.ticket != NULL);
		world_again(&w);
		w.resume = true;
		world_meet(&w, NULL);
		CHECK(SSL_session_reused(w.p.ssl));
		check_bindings(&w);
		world_done(&w);
	}
}

TEST(binding_names_are_the_registered_ones)
{
	CHECK_CSTR(tls_binding_name(TLS_EXPORTER), "tls-exporter");
	CHECK_CSTR(tls_binding_name(TLS_UNIQUE), "tls-unique");
	CHECK_CSTR(
		tls_binding_name(TLS_SERVER_END_POINT), "tls-server-end-point");
}

TEST(without_extended_master_secret_only_the_end_point_binds)
{
	struct buf out = BUF_INIT;
	struct world w;

	world_init(&w);
	set_version(w.client, TLS1_2_VERSION);
	SSL_CTX_set_options(w.client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	CHECK(!tls_binding_data(w.p.server.c, TLS_SERVER_END_POINT, &out));
	CHECK(!tls_binding_exists(w.p.server.c, TLS_SERVER_END_POINT));
	world_meet(&w, NULL);
	CHECK(!tls_binding_exists(w.p.server.c, TLS_EXPORTER));
	CHECK(!tls_binding_exists(w.p.server.c, TLS_UNIQUE));
	CHECK(!tls_binding_data(w.p.server.c, TLS_EXPORTER, &out));
	CHECK(!tls_binding_data(w.p.server.c, TLS_UNIQUE, &out));
	CHECK(tls_binding_data(w.p.server.c, TLS_SERVER_END_POINT, &out));
	buf_done(&out);
	world_done(&w);
}

static const struct {
	const char *hash;
	bool ed25519;
	size_t n; /* 0: not defined */
} end_point_cases[] = {
	{ "SHA256", false, 32 },
	{ "SHA384", false, 48 },
	{ "SHA512", false, 64 },
	{ NULL, true, 0 },
};

TEST(the_end_point_is_hashed_as_the_certificate_was)
{
	for (size_t i = 0; i < COUNT(end_point_cases); i++) {
		struct buf out = BUF_INIT;
		struct world w;

		TEST_CASE(end_point_cases[i].hash);
		world_init(&w);
		tls_set_unref(w.set);
		cert_done(&w.a);
		cert_make(&w.a,
			&(struct cert_want){
				.hash = end_point_cases[i].hash,
				.ed25519 = end_point_cases[i].ed25519,
			},
			NULL);
		cert_write(&w.a, w.paths[0]);
		world_load(&w);
		world_meet(&w, NULL);
		CHECK(tls_binding_data(w.p.server.c, TLS_SERVER_END_POINT,
			      &out) == (end_point_cases[i].n != 0));
		CHECK(tls_binding_exists(w.p.server.c, TLS_SERVER_END_POINT) ==
			(end_point_cases[i].n != 0));
		CHECK_INT(out.n, end_point_cases[i].n);
		buf_done(&out);
		world_done(&w);
	}
}

/* --- hostile 20 ----------------------------------------------------------- */

TEST(renegotiation_is_refused)
{
	struct world w;

	world_init(&w);
	set_version(w.client, TLS1_2_VERSION);
	world_meet(&w, NULL);
	CHECK_INT(SSL_renegotiate(w.p.ssl), 1);
	SSL_do_handshake(w.p.ssl);
	PAIR_UNTIL(&w.p, w.p.client_broken);
	CHECK_INT(w.p.server.secured, 1);
	world_done(&w);
}

TEST(a_key_update_is_answered)
{
	struct world w;

	world_init(&w);
	set_version(w.client, TLS1_3_VERSION);
	world_meet(&w, NULL);
	CHECK_INT(SSL_key_update(w.p.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	pair_say(&w.p, "after", 5);
	PAIR_UNTIL(&w.p, w.p.server.in.n == 5);
	conn_write(w.p.server.c, "?", 1);
	PAIR_UNTIL(&w.p, w.p.in.n == 2);
	world_done(&w);
}

TEST(a_flood_of_key_updates_ends_the_connection)
{
	struct world w;
	int i;

	world_init(&w);
	set_version(w.client, TLS1_3_VERSION);
	world_meet(&w, NULL);
	for (i = 0; i < 1000 && !w.p.server.closed; i++) {
		if (!w.p.client_broken && !w.p.client_eof &&
			SSL_key_update(w.p.ssl, SSL_KEY_UPDATE_NOT_REQUESTED))
			SSL_do_handshake(w.p.ssl);
		pair_turn(&w.p);
	}
	PAIR_UNTIL(&w.p, w.p.server.closed);
	CHECK_INT(w.p.server.why.code, ERR_LIMIT);
	CHECK(strstr(w.p.server.why.text, "key updates") != NULL);
	world_done(&w);
}

/* --- reload --------------------------------------------------------------- */

TEST(a_reload_changes_new_connections_and_leaves_old_ones_alone)
{
	struct world w;
	struct cert old;
	struct pair fresh;

	world_init(&w);
	world_meet(&w, NULL);
	old = w.a;
	w.a = (struct cert){ .x509 = NULL };
	tls_set_unref(w.set);
	world_cert(&w, &w.a, "a.example", "a.pem", w.paths[0]);
	world_load(&w);
	pair_init(&fresh);
	pair_tls(&fresh, w.set, w.client, "a.example", NULL);
	PAIR_UNTIL(&fresh,
		fresh.server.secured && SSL_is_init_finished(fresh.ssl));
	CHECK_INT(X509_cmp(SSL_get0_peer_certificate(fresh.ssl), w.a.x509), 0);
	CHECK(client_saw(&w, &old));
	pair_say(&w.p, "alive", 5);
	PAIR_UNTIL(&w.p, w.p.server.in.n == 5);
	check_binding(&w, TLS_SERVER_END_POINT);
	pair_done(&fresh);
	cert_done(&old);
	world_done(&w);
}

TEST(a_handshake_that_began_before_a_reload_ends_well)
{
	struct world w;

	world_init(&w);
	pair_tls(&w.p, w.set, w.client, "", "b.example");
	tls_set_unref(w.set);
	w.set = NULL;
	PAIR_UNTIL(&w.p, w.p.server.secured && SSL_is_init_finished(w.p.ssl));
	CHECK(client_saw(&w, &w.b));
	world_done(&w);
}

TEST_MAIN
