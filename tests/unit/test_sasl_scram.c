/*
 * test_sasl_scram.c - SCRAM, the server's side, against a client of its own.
 */
#include "config.h"

#include "stream/sasl/sasl.h"

#include "base/buf.h"
#include "base/rand.h"
#include "base/text.h"
#include "account/credentials.h"
#include "sasl_client.h"
#include "test.h"

#define S(literal) { "" literal, sizeof(literal) - 1 }

/* Answers 00 01 02 ... each time. */
static void
count_bytes(struct rand_source *r, void *out, size_t n)
{
	(void)r;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)i;
}

static struct rand_source counting = { .bytes = count_bytes };

static const char *const types[] = { "tls-server-end-point", "tls-exporter",
	"tls-unique" };

enum binding_fault { GIVES, GIVES_NOTHING, REFUSES };

static bool
give_binding(void *arg, const char *type, struct buf *out)
{
	const enum binding_fault *fault = arg;

	if (fault != NULL && *fault != GIVES)
		return *fault == GIVES_NOTHING;
	buf_printf(out, "data of %s", type);
	return true;
}

static struct sasl_offer
plus_offer(void)
{
	return (struct sasl_offer){
		.host = STR("example.org"),
		.enabled = SASL_DEFAULT,
		.tls = true,
		.tls_version = "0304",
		.bindings = types,
		.n_bindings = COUNT(types),
		.binding = give_binding,
		.iterations = 4096,
		.salt_bytes = SCRAM_SALT_BYTES,
		.secret = STR("0123456789abcdef0123456789abcdef"),
		.rand = &rand_system,
	};
}

static struct sasl_offer
simple_offer(void)
{
	struct sasl_offer o = plus_offer();

	o.n_bindings = 0;
	return o;
}

static struct credentials
pencil(struct rand_source *rand)
{
	struct credentials c;

	CHECK(credentials_derive(&c, STR("pencil"), SCRAM_ALL, 4096, rand,
		NULL));
	return c;
}

struct login {
	struct sasl *s;
	struct buf out;    /* of the last call */
	struct buf first;  /* server-first-message */
	struct buf final;  /* client-final-message */
	struct buf verify; /* what the server should answer */
};

static void
login_done(struct login *l)
{
	sasl_free(l->s);
	buf_done(&l->out);
	buf_done(&l->first);
	buf_done(&l->final);
	buf_done(&l->verify);
}

static void
check_failure(struct login *l, enum sasl_result r, enum sasl_cond cond)
{
	CHECK_INT(r, SASL_FAILURE);
	CHECK_CSTR(sasl_cond_name(sasl_failure(l->s)), sasl_cond_name(cond));
	CHECK_INT(l->out.n, 0);
	CHECK_INT(sasl_step(l->s, buf_str(&l->final), &l->out), SASL_FAILURE);
	CHECK_INT(l->out.n, 0);
}

/* Up to the server-first-message, which is in l->first. */
static void
login_begin(struct login *l, const struct sasl_offer *o, const char *mech,
	const char *client_first, const struct credentials *c)
{
	l->s = sasl_new(o);
	CHECK_INT(sasl_start(l->s, str_c(mech), str_c(client_first), &l->out),
		SASL_NEED_CREDENTIALS);
	CHECK_INT(l->out.n, 0);
	CHECK_INT(sasl_credentials(l->s, c, &l->first), SASL_CHALLENGE);
}

static enum sasl_result
login_answer(struct login *l, enum scram_hash hash, const char *password,
	const char *bare, struct str channel)
{
	client_final(hash, password, bare, buf_str(&l->first), channel, "",
		&l->final, &l->verify);
	return sasl_step(l->s, buf_str(&l->final), &l->out);
}

/* --- the way it should go ------------------------------------------------ */

static const struct {
	const char *mech;
	enum scram_hash hash;
} scrams[] = {
	{ "SCRAM-SHA-1", SCRAM_SHA_1 },
	{ "SCRAM-SHA-256", SCRAM_SHA_256 },
	{ "SCRAM-SHA-512", SCRAM_SHA_512 },
};

#define BARE "n=user,r=fyko+d2lbbFgONRv9qkxdawL"

TEST(each_hash_logs_in_and_proves_the_server)
{
	struct sasl_offer o = simple_offer();
	struct credentials c = pencil(&rand_system);

	for (size_t i = 0; i < COUNT(scrams); i++) {
		struct login l = { 0 };

		TEST_CASE(scrams[i].mech);
		login_begin(&l, &o, scrams[i].mech, "n,," BARE, &c);
		CHECK_INT(login_answer(&l, scrams[i].hash, "pencil", BARE,
			STR("n,,")), SASL_SUCCESS);
		CHECK_STR(buf_str(&l.out), buf_c(&l.verify));
		CHECK_STR(sasl_account(l.s), "user");
		login_done(&l);
	}
}

/*
 * The whole exchange with fixed random bytes.  There is no published vector for
 * SHA-512: this one was computed with Python's hashlib and hmac.
 */
TEST(a_whole_exchange_with_sha_512_is_as_computed_elsewhere)
{
	struct sasl_offer o = simple_offer();
	struct credentials c = pencil(&counting);
	struct login l = { 0 };

	o.rand = &counting;
	login_begin(&l, &o, "SCRAM-SHA-512", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		&c);
	CHECK_STR(buf_str(&l.first),
		"r=rOprNGfwEbeRWgbNEkqOAAECAwQFBgcICQoLDA0ODw,"
		"s=AAECAwQFBgcICQoLDA0ODw==,i=4096,"
		"h=WJUJKM+uACMGshtbCamwQeIUEmFD3Y1WFmj2cwittZ6LWKWGsqdWk6nMV/Y"
		"rYqrwvZCdnG8xeF7J8FNnqGB0Ww==,t=0304");
	CHECK_INT(sasl_step(l.s,
		STR("c=biws,r=rOprNGfwEbeRWgbNEkqOAAECAwQFBgcICQoLDA0ODw,"
		"p=mlZ0W7+ijRa/xgnCOL2f/E3T/Q6cSosJImMJt6c8RMikaB9k7BqjpZnA0sN"
		"YqB8ffIZzBnwpcOZk9d/dxI5HPA=="), &l.out), SASL_SUCCESS);
	CHECK_STR(buf_str(&l.out),
		"v=JHcfIc0EXh7RXdF+FfRXPOV0SjDSubEwAGIK4BE9XUJ03RONe8h5/Oogd1r"
		"L3f58xUOtbpYWmWBSAsxXKD0fJw==");
	login_done(&l);
}

TEST(each_binding_type_binds_the_exchange_to_the_channel)
{
	struct sasl_offer o = plus_offer();
	struct credentials c = pencil(&rand_system);

	for (size_t i = 0; i < COUNT(types); i++) {
		for (size_t j = 0; j < COUNT(scrams); j++) {
			struct buf text = BUF_INIT, mech = BUF_INIT;
			struct buf channel = BUF_INIT;
			struct login l = { 0 };

			TEST_CASE(types[i]);
			buf_printf(&mech, "%s-PLUS", scrams[j].mech);
			buf_printf(&text, "p=%s,," BARE, types[i]);
			buf_printf(&channel, "p=%s,,data of %s", types[i],
				types[i]);
			login_begin(&l, &o, buf_c(&mech), buf_c(&text), &c);
			CHECK_INT(login_answer(&l, scrams[j].hash, "pencil",
				BARE, buf_str(&channel)), SASL_SUCCESS);
			CHECK_STR(buf_str(&l.out), buf_c(&l.verify));
			login_done(&l);
			buf_done(&text);
			buf_done(&mech);
			buf_done(&channel);
		}
	}
}

TEST(the_client_may_start_without_initial_response)
{
	struct sasl_offer o = simple_offer();
	struct credentials c = pencil(&rand_system);
	struct login l = { .s = sasl_new(&o) };

	CHECK_INT(sasl_start(l.s, STR("SCRAM-SHA-1"), STR_NONE, &l.out),
		SASL_CHALLENGE);
	CHECK_INT(l.out.n, 0);
	CHECK_INT(sasl_step(l.s, STR("n,," BARE), &l.out),
		SASL_NEED_CREDENTIALS);
	CHECK_INT(sasl_credentials(l.s, &c, &l.first), SASL_CHALLENGE);
	CHECK_INT(login_answer(&l, SCRAM_SHA_1, "pencil", BARE, STR("n,,")),
		SASL_SUCCESS);
	login_done(&l);
}

TEST(optional_extensions_are_ignored)
{
	struct sasl_offer o = simple_offer();
	struct credentials c = pencil(&rand_system);
	struct login l = { 0 };

	login_begin(&l, &o, "SCRAM-SHA-1", "n,,n=user,r=abc,x=1,Y=a=b", &c);
	client_final(SCRAM_SHA_1, "pencil", "n=user,r=abc,x=1,Y=a=b",
		buf_str(&l.first), STR("n,,"), ",z=1,p=x", &l.final,
		&l.verify);
	CHECK_INT(sasl_step(l.s, buf_str(&l.final), &l.out), SASL_SUCCESS);
	CHECK_STR(buf_str(&l.out), buf_c(&l.verify));
	login_done(&l);
}

static const struct {
	const char *what, *header, *name, *account;
} name_cases[] = {
	{ "capitals", "n,,", "USER", "user" },
	{ "comma", "n,,", "a=2Cb", "a,b" },
	{ "equals sign", "n,,", "a=3Db", "a=b" },
	{ "escapes only", "n,,", "=2C=3D=2C", ",=," },
	{ "own bare JID", "n,a=user@example.org,", "user", "user" },
	{ "own bare JID, mapped", "n,a=USER@Example.org,", "User", "user" },
	{ "own bare JID, escaped", "n,a=a=3Db@example.org,", "a=3Db", "a=b" },
	{ "client could bind, no -PLUS offered", "y,,", "user", "user" },
};

TEST(names_are_unescaped_and_prepared_but_hashed_as_received)
{
	struct sasl_offer o = simple_offer();
	struct credentials c = pencil(&rand_system);

	for (size_t i = 0; i < COUNT(name_cases); i++) {
		struct buf text = BUF_INIT;
		struct login l = { 0 };
		const char *bare;

		TEST_CASE(name_cases[i].what);
		buf_printf(&text, "%sn=%s,r=abc", name_cases[i].header,
			name_cases[i].name);
		bare = buf_c(&text) + strlen(name_cases[i].header);
		login_begin(&l, &o, "SCRAM-SHA-256", buf_c(&text), &c);
		CHECK_STR(sasl_account(l.s), name_cases[i].account);
		CHECK_INT(login_answer(&l, SCRAM_SHA_256, "pencil", bare,
			str_c(name_cases[i].header)), SASL_SUCCESS);
		login_done(&l);
		buf_done(&text);
	}
}

/* --- downgrades (XEP-0474, XEP-0515) ------------------------------------- */

static void
check_hash(const struct sasl_offer *o, const char *mech, const char *first,
	enum scram_hash hash, struct str text, const char *tls_version)
{
	struct login l = { 0 };
	uint8_t digest[SCRAM_DIGEST_MAX];
	struct buf want = BUF_INIT;

	login_begin(&l, o, mech, first, NULL);
	EVP_Digest(text.p, text.n, digest, NULL, client_md(hash), NULL);
	base64_encode(&want, digest, (size_t)EVP_MD_get_size(client_md(hash)));
	CHECK_STR(client_attr(buf_str(&l.first), 'h'), buf_c(&want));
	CHECK_STR(client_attr(buf_str(&l.first), 't'), tls_version);
	buf_done(&want);
	login_done(&l);
}

TEST(server_first_message_names_the_offer_as_xep_0474_shows)
{
	struct sasl_offer o = plus_offer();
	struct login l = { 0 };

	o.enabled = SASL_BIT(SASL_SCRAM_SHA_1) |
		SASL_BIT(SASL_SCRAM_SHA_1_PLUS);
	o.n_bindings = 2;
	o.bindings_announced = true;
	login_begin(&l, &o, "SCRAM-SHA-1-PLUS", "p=tls-exporter,," BARE, NULL);
	CHECK_STR(client_attr(buf_str(&l.first), 'h'),
		"G6k/rBLDqgOhRRaCuuatSDFkJ08=");
	login_done(&l);
}

TEST(server_first_message_covers_just_what_was_advertised)
{
	static const struct str list[] = { S("SCRAM-SHA-1"), S("HT-X"),
		S("PLAIN") };
	struct sasl_offer o = plus_offer();

	o.n_bindings = 1;
	check_hash(&o, "SCRAM-SHA-256", "n,," BARE, SCRAM_SHA_256,
		STR("PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1eSCRAM-SHA-256"
		"\x1eSCRAM-SHA-256-PLUS\x1eSCRAM-SHA-512\x1e"
		"SCRAM-SHA-512-PLUS"), "0304");
	o.bindings_announced = true;
	o.advertised = list;
	o.n_advertised = COUNT(list);
	o.tls_version = "0303";
	check_hash(&o, "SCRAM-SHA-1", "n,," BARE, SCRAM_SHA_1,
		STR("HT-X\x1ePLAIN\x1eSCRAM-SHA-1\x1f" "tls-server-end-point"),
		"0303");
	o.n_bindings = 0;
	check_hash(&o, "SCRAM-SHA-1", "n,," BARE, SCRAM_SHA_1,
		STR("HT-X\x1ePLAIN\x1eSCRAM-SHA-1\x1f"), "0303");
	o.tls = false;
	check_hash(&o, "SCRAM-SHA-1", "n,," BARE, SCRAM_SHA_1,
		STR("HT-X\x1ePLAIN\x1eSCRAM-SHA-1\x1f"), NULL);
}

TEST(a_client_that_did_not_see_plus_is_refused)
{
	struct sasl_offer o = plus_offer();
	struct login l = { .s = sasl_new(&o) };

	check_failure(&l, sasl_start(l.s, STR("SCRAM-SHA-1"), STR("y,," BARE),
		&l.out), SASL_NOT_AUTHORIZED);
	login_done(&l);
}

/* --- refusals ------------------------------------------------------------ */

static const struct {
	const char *what;
	struct str message;
	enum sasl_cond cond;
} bad_first[] = {
	{ "empty", S(""), SASL_MALFORMED_REQUEST },
	{ "one comma", S("n,"), SASL_MALFORMED_REQUEST },
	{ "no flag", S(",,n=user,r=abc"), SASL_MALFORMED_REQUEST },
	{ "unknown flag", S("x,,n=user,r=abc"), SASL_MALFORMED_REQUEST },
	{ "long flag", S("nn,,n=user,r=abc"), SASL_MALFORMED_REQUEST },
	{ "empty binding", S("p=,,n=user,r=abc"), SASL_MALFORMED_REQUEST },
	{ "binding without -PLUS", S("p=tls-exporter,,n=user,r=abc"),
		SASL_MALFORMED_REQUEST },
	{ "header only", S("n,,"), SASL_MALFORMED_REQUEST },
	{ "no name", S("n,,r=abc"), SASL_MALFORMED_REQUEST },
	{ "empty name", S("n,,n=,r=abc"), SASL_MALFORMED_REQUEST },
	{ "no nonce", S("n,,n=user"), SASL_MALFORMED_REQUEST },
	{ "empty nonce", S("n,,n=user,r="), SASL_MALFORMED_REQUEST },
	{ "nonce with a space", S("n,,n=user,r=a b"), SASL_MALFORMED_REQUEST },
	{ "nonce beyond ASCII", S("n,,n=user,r=\xc3\xa9"),
		SASL_MALFORMED_REQUEST },
	{ "wrong order", S("n,,r=abc,n=user"), SASL_MALFORMED_REQUEST },
	{ "mandatory extension", S("n,,m=x,n=user,r=abc"),
		SASL_MALFORMED_REQUEST },
	{ "mandatory extension behind", S("n,,n=user,r=abc,m=x"),
		SASL_MALFORMED_REQUEST },
	{ "empty extension", S("n,,n=user,r=abc,"), SASL_MALFORMED_REQUEST },
	{ "extension without value", S("n,,n=user,r=abc,x="),
		SASL_MALFORMED_REQUEST },
	{ "extension without letter", S("n,,n=user,r=abc,1=x"),
		SASL_MALFORMED_REQUEST },
	{ "open escape", S("n,,n=us=,r=abc"), SASL_MALFORMED_REQUEST },
	{ "short escape", S("n,,n=us=2,r=abc"), SASL_MALFORMED_REQUEST },
	{ "unknown escape", S("n,,n=us=2c,r=abc"), SASL_MALFORMED_REQUEST },
	{ "NUL", S("n,,n=us\0er,r=abc"), SASL_MALFORMED_REQUEST },
	{ "not UTF-8", S("n,,n=us\xff,r=abc"), SASL_MALFORMED_REQUEST },
	{ "authzid of another letter", S("n,b=user@example.org,n=user,r=abc"),
		SASL_MALFORMED_REQUEST },
	{ "empty authzid", S("n,a=,n=user,r=abc"), SASL_MALFORMED_REQUEST },
	{ "authzid with open escape", S("n,a=us=,n=user,r=abc"),
		SASL_MALFORMED_REQUEST },
	{ "hostile 26", S("n,a=root@example.org,n=user,r=abc"),
		SASL_INVALID_AUTHZID },
	{ "authzid elsewhere", S("n,a=user@example.net,n=user,r=abc"),
		SASL_INVALID_AUTHZID },
	{ "authzid with resource", S("n,a=user@example.org/x,n=user,r=abc"),
		SASL_INVALID_AUTHZID },
	{ "authzid without host", S("n,a=user,n=user,r=abc"),
		SASL_INVALID_AUTHZID },
	{ "name that is no localpart", S("n,,n=us@er,r=abc"),
		SASL_NOT_AUTHORIZED },
};

TEST(a_first_message_of_another_form_is_refused)
{
	struct sasl_offer o = simple_offer();

	for (size_t i = 0; i < COUNT(bad_first); i++) {
		struct login l = { .s = sasl_new(&o) };

		TEST_CASE(bad_first[i].what);
		check_failure(&l, sasl_start(l.s, STR("SCRAM-SHA-1"),
			bad_first[i].message, &l.out), bad_first[i].cond);
		login_done(&l);
	}
}

static const struct {
	const char *what;
	struct str message;
	enum sasl_cond cond;
} bad_plus_first[] = {
	{ "no binding", S("n,," BARE), SASL_MALFORMED_REQUEST },
	{ "client could", S("y,," BARE), SASL_MALFORMED_REQUEST },
	{ "type not available", S("p=tls-none,," BARE), SASL_NOT_AUTHORIZED },
	{ "prefix of a type", S("p=tls,," BARE), SASL_NOT_AUTHORIZED },
};

TEST(a_first_message_with_another_binding_is_refused)
{
	struct sasl_offer o = plus_offer();

	for (size_t i = 0; i < COUNT(bad_plus_first); i++) {
		struct login l = { .s = sasl_new(&o) };

		TEST_CASE(bad_plus_first[i].what);
		check_failure(&l, sasl_start(l.s, STR("SCRAM-SHA-1-PLUS"),
			bad_plus_first[i].message, &l.out),
			bad_plus_first[i].cond);
		login_done(&l);
	}
}

/* %s: the nonce of both sides */
#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
static const struct {
	const char *what, *format;
	enum sasl_cond cond;
} bad_final[] = {
	{ "empty", "%.0s", SASL_MALFORMED_REQUEST },
	{ "the first message again", "n,," BARE "%.0s",
		SASL_MALFORMED_REQUEST },
	{ "no proof", "c=biws,r=%s", SASL_MALFORMED_REQUEST },
	{ "only a proof", "%.0s,p=" ZEROS, SASL_MALFORMED_REQUEST },
	{ "proof first", "p=" ZEROS ",c=biws,r=%s", SASL_MALFORMED_REQUEST },
	{ "empty proof", "c=biws,r=%s,p=", SASL_MALFORMED_REQUEST },
	{ "proof too short", "c=biws,r=%s,p=AAAA", SASL_MALFORMED_REQUEST },
	{ "proof too long", "c=biws,r=%s,p=" ZEROS "AAAA",
		SASL_MALFORMED_REQUEST },
	{ "proof not base64", "c=biws,r=%s,p=!AAAAAAAAAAAAAAAAAAAAAAAAAA=",
		SASL_MALFORMED_REQUEST },
	{ "attribute behind the proof", "c=biws,r=%s,p=" ZEROS ",x=1",
		SASL_MALFORMED_REQUEST },
	{ "no channel", "r=%s,p=" ZEROS, SASL_MALFORMED_REQUEST },
	{ "channel not base64", "c=biw,r=%s,p=" ZEROS, SASL_MALFORMED_REQUEST },
	{ "mandatory extension", "c=biws,r=%s,m=1,p=" ZEROS,
		SASL_MALFORMED_REQUEST },
	{ "no nonce", "c=biws%.0s,p=" ZEROS, SASL_MALFORMED_REQUEST },
	{ "not UTF-8", "c=biws,r=%s,x=\xff,p=" ZEROS, SASL_MALFORMED_REQUEST },
	{ "the client's nonce alone", "c=biws%.0s,r=fyko+d2lbbFgONRv9qkxdawL,p="
		ZEROS, SASL_NOT_AUTHORIZED },
	{ "longer nonce", "c=biws,r=%sx,p=" ZEROS, SASL_NOT_AUTHORIZED },
	{ "another header", "c=eSws,r=%s,p=" ZEROS, SASL_NOT_AUTHORIZED },
	{ "wrong proof", "c=biws,r=%s,p=" ZEROS, SASL_NOT_AUTHORIZED },
};

TEST(a_final_message_of_another_form_is_refused)
{
	struct sasl_offer o = simple_offer();
	struct credentials c = pencil(&rand_system);

	for (size_t i = 0; i < COUNT(bad_final); i++) {
		struct login l = { 0 };
		struct str nonce;
		char text[300], copy[200];

		TEST_CASE(bad_final[i].what);
		login_begin(&l, &o, "SCRAM-SHA-1", "n,," BARE, &c);
		nonce = client_attr(buf_str(&l.first), 'r');
		snprintf(copy, sizeof(copy), "%.*s", STR_ARG(nonce));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), bad_final[i].format, copy);
#pragma GCC diagnostic pop
		check_failure(&l, sasl_step(l.s, str_c(text), &l.out),
			bad_final[i].cond);
		login_done(&l);
	}
}

TEST(a_wrong_password_is_not_authorized)
{
	struct sasl_offer o = simple_offer();
	struct credentials c = pencil(&rand_system);

	for (size_t i = 0; i < COUNT(scrams); i++) {
		struct login l = { 0 };

		TEST_CASE(scrams[i].mech);
		login_begin(&l, &o, scrams[i].mech, "n,," BARE, &c);
		CHECK_INT(login_answer(&l, scrams[i].hash, "Pencil", BARE,
			STR("n,,")), SASL_FAILURE);
		CHECK_CSTR(sasl_reason(l.s), "wrong password");
		CHECK_INT(sasl_failure(l.s), SASL_NOT_AUTHORIZED);
		CHECK_INT(l.out.n, 0);
		login_done(&l);
	}
}

TEST(another_channel_is_not_authorized)
{
	struct sasl_offer o = plus_offer();
	struct credentials c = pencil(&rand_system);
	enum binding_fault fault = GIVES;
	static const struct {
		struct str channel;
		enum binding_fault fault;
		enum sasl_cond cond;
	} cases[] = {
		{ S("p=tls-exporter,,data of tls-unique"), GIVES,
			SASL_NOT_AUTHORIZED },
		{ S("p=tls-unique,,data of tls-exporter"), GIVES,
			SASL_NOT_AUTHORIZED },
		{ S("p=tls-exporter,,"), GIVES, SASL_NOT_AUTHORIZED },
		/* no data must not mean: matches no data */
		{ S("p=tls-exporter,,"), GIVES_NOTHING, SASL_NOT_AUTHORIZED },
		{ S("p=tls-exporter,,"), REFUSES, SASL_NOT_AUTHORIZED },
		{ S("n,,"), GIVES, SASL_NOT_AUTHORIZED },
		{ S(""), GIVES, SASL_MALFORMED_REQUEST },
	};

	o.binding_arg = &fault;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct login l = { 0 };

		TEST_CASE(cases[i].channel.p);
		fault = cases[i].fault;
		login_begin(&l, &o, "SCRAM-SHA-256-PLUS",
			"p=tls-exporter,," BARE, &c);
		check_failure(&l, login_answer(&l, SCRAM_SHA_256, "pencil",
			BARE, cases[i].channel), cases[i].cond);
		login_done(&l);
	}
}

/* The proof is right for what was sent: only the nonce gives it away. */
TEST(a_right_proof_over_another_nonce_is_not_authorized)
{
	struct sasl_offer o = simple_offer();
	struct credentials c = pencil(&rand_system);
	struct login l = { 0 };

	login_begin(&l, &o, "SCRAM-SHA-1", "n,," BARE, &c);
	client_final(SCRAM_SHA_1, "pencil", BARE, buf_str(&l.first),
		STR("n,,"), "x", &l.final, &l.verify);
	check_failure(&l, sasl_step(l.s, buf_str(&l.final), &l.out),
		SASL_NOT_AUTHORIZED);
	login_done(&l);
}

/* --- accounts that do not exist (hostile 28) ----------------------------- */

static void
fake_salt(const struct sasl_offer *o, const char *mech, const char *first,
	enum scram_hash hash, struct buf *salt)
{
	struct login l = { 0 };

	login_begin(&l, o, mech, first, NULL);
	buf_add_str(salt, client_attr(buf_str(&l.first), 's'));
	CHECK_STR(client_attr(buf_str(&l.first), 'i'), "4096");
	check_failure(&l, login_answer(&l, hash, "pencil", BARE, STR("n,,")),
		SASL_NOT_AUTHORIZED);
	login_done(&l);
}

TEST(an_unknown_account_looks_like_one_with_another_password)
{
	struct sasl_offer o = simple_offer();
	struct buf a = BUF_INIT, b = BUF_INIT, c = BUF_INIT, d = BUF_INIT;
	struct buf e = BUF_INIT;

	fake_salt(&o, "SCRAM-SHA-1", "n,," BARE, SCRAM_SHA_1, &a);
	fake_salt(&o, "SCRAM-SHA-1", "n,," BARE, SCRAM_SHA_1, &b);
	fake_salt(&o, "SCRAM-SHA-256", "n,," BARE, SCRAM_SHA_256, &c);
	fake_salt(&o, "SCRAM-SHA-1", "n,,n=use,r=abc", SCRAM_SHA_1, &d);
	o.secret = STR("another secret, as long as the first");
	fake_salt(&o, "SCRAM-SHA-1", "n,," BARE, SCRAM_SHA_1, &e);
	CHECK_INT(a.n, 24); /* base64 of SCRAM_SALT_BYTES */
	CHECK(str_eq(buf_str(&a), buf_str(&b)));
	CHECK(!str_eq(buf_str(&a), buf_str(&c)));
	CHECK(!str_eq(buf_str(&a), buf_str(&d)));
	CHECK(!str_eq(buf_str(&a), buf_str(&e)));
	buf_done(&a);
	buf_done(&b);
	buf_done(&c);
	buf_done(&d);
	buf_done(&e);
}

TEST(an_account_without_this_hash_looks_like_an_unknown_one)
{
	struct sasl_offer o = simple_offer();
	struct credentials c = { 0 };
	struct buf salt = BUF_INIT;
	struct login l = { 0 };

	CHECK(credentials_derive(&c, STR("pencil"), SCRAM_BIT(SCRAM_SHA_256),
		4096, &rand_system, NULL));
	fake_salt(&o, "SCRAM-SHA-1", "n,," BARE, SCRAM_SHA_1, &salt);
	login_begin(&l, &o, "SCRAM-SHA-1", "n,," BARE, &c);
	CHECK_STR(client_attr(buf_str(&l.first), 's'), buf_c(&salt));
	check_failure(&l, login_answer(&l, SCRAM_SHA_1, "pencil", BARE,
		STR("n,,")), SASL_NOT_AUTHORIZED);
	login_done(&l);
	buf_done(&salt);
}

TEST_MAIN
