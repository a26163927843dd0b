/*
 * test_sasl.c - which mechanisms are offered, the order of calls, and PLAIN,
 * EXTERNAL, ANONYMOUS.
 */
#include "config.h"

#include "stream/sasl/sasl.h"

#include "base/buf.h"
#include "base/rand.h"
#include "account/credentials.h"
#include "test.h"

static const char *const both[] = { "tls-exporter", "tls-server-end-point" };

static const struct str one_address[] = { { "Anna@Example.org", 16 } };
static const struct str addresses[] = {
	{ "anna@example.org", 16 },
	{ "bert@example.org", 16 },
	{ "anna@example.net", 16 },
	{ "example.org", 11 },
	{ "anna@example.org/home", 21 },
	{ "@", 1 },
};

/* TLS, no bindings, everything enabled. */
static struct sasl_offer
tls_offer(void)
{
	return (struct sasl_offer){
		.host = STR("example.org"),
		.enabled = SASL_DEFAULT,
		.tls = true,
		.iterations = 4096,
		.salt_bytes = SCRAM_SALT_BYTES,
		.secret = STR("0123456789abcdef0123456789abcdef"),
		.rand = &rand_system,
	};
}

/* The names of a set, in order, with a space between. */
static void
check_names(const struct sasl_offer *o, const char *want)
{
	struct buf out = BUF_INIT;

	for (unsigned i = 0; i < SASL_MECHS; i++) {
		if ((sasl_mechanisms(o) & SASL_BIT(i)) == 0)
			continue;
		if (out.n != 0)
			buf_add_c(&out, " ");
		buf_add_c(&out, sasl_mech_name((enum sasl_mech)i));
	}
	CHECK_STR(buf_str(&out), want);
	buf_done(&out);
}

TEST(mechanisms_are_offered_in_order_of_preference)
{
	struct sasl_offer o = tls_offer();

	check_names(&o, "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN");
	o.bindings = both;
	o.n_bindings = COUNT(both);
	o.addresses = addresses;
	o.n_addresses = COUNT(addresses);
	check_names(&o, "EXTERNAL SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS "
		"SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 "
		"PLAIN");
	o.enabled = ~0u;
	o.tls = false;
	check_names(&o,
		"SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 ANONYMOUS");
	o.enabled = SASL_BIT(SASL_ANONYMOUS);
	check_names(&o, "ANONYMOUS");
}

TEST(external_needs_an_address_of_an_account_here)
{
	struct sasl_offer o = tls_offer();

	o.enabled = SASL_BIT(SASL_EXTERNAL);
	check_names(&o, "");
	o.addresses = addresses + 2;
	o.n_addresses = COUNT(addresses) - 2;
	check_names(&o, "");
	o.addresses = one_address;
	o.n_addresses = 1;
	check_names(&o, "EXTERNAL");
	o.host = STR("example.com");
	check_names(&o, "");
}

TEST(names_of_mechanisms_and_conditions_are_those_of_the_standards)
{
	for (unsigned i = 0; i < SASL_MECHS; i++) {
		enum sasl_mech mech;

		CHECK(sasl_mech_parse(
			str_c(sasl_mech_name((enum sasl_mech)i)), &mech));
		CHECK_INT(mech, i);
	}
	CHECK_CSTR(sasl_cond_name(SASL_MALFORMED_REQUEST), "malformed-request");
	CHECK_CSTR(sasl_cond_name(SASL_TEMPORARY_AUTH_FAILURE),
		"temporary-auth-failure");
}

/* --- exchanges ----------------------------------------------------------- */

struct login {
	struct sasl *s;
	struct buf out;
};

static void
check_failure(struct login *l, enum sasl_result r, enum sasl_cond cond)
{
	CHECK_INT(r, SASL_FAILURE);
	CHECK_CSTR(sasl_cond_name(sasl_failure(l->s)), sasl_cond_name(cond));
	CHECK(sasl_reason(l->s) != NULL);
	CHECK_INT(l->out.n, 0);
	/* over is over */
	CHECK_INT(sasl_step(l->s, STR("\0user\0pencil"), &l->out),
		SASL_FAILURE);
	CHECK_INT(sasl_credentials(l->s, NULL, &l->out), SASL_FAILURE);
	CHECK_INT(sasl_start(l->s, STR("PLAIN"), STR_NONE, &l->out),
		SASL_FAILURE);
	CHECK_INT(l->out.n, 0);
}

static void
login_done(struct login *l)
{
	sasl_free(l->s);
	buf_done(&l->out);
}

static struct credentials
pencil(void)
{
	struct credentials c;

	CHECK(credentials_derive(&c, STR("pencil"), SCRAM_ALL, 4096,
		&rand_system, NULL));
	return c;
}

static const struct {
	struct str name;
} not_offered[] = {
	{ { "", 0 } },
	{ { NULL, 0 } },
	{ { "EXTERNAL", 8 } },
	{ { "ANONYMOUS", 9 } },
	{ { "SCRAM-SHA-1-PLUS", 16 } },
	{ { "SCRAM-SHA-256-PLUS", 18 } },
	{ { "SCRAM-SHA-512-PLUS", 18 } },
	{ { "plain", 5 } },
	{ { "PLAIN\0", 6 } },
	{ { "CRAM-MD5", 8 } },
	{ { "SCRAM-SHA-256 ", 14 } },
};

TEST(mechanisms_that_are_not_offered_are_refused) /* hostile 24 */
{
	struct sasl_offer o = tls_offer();

	for (size_t i = 0; i < COUNT(not_offered); i++) {
		struct login l = { .s = sasl_new(&o) };

		TEST_CASE(not_offered[i].name.p);
		check_failure(&l, sasl_start(l.s, not_offered[i].name,
			STR("\0user\0pencil"), &l.out),
			SASL_INVALID_MECHANISM);
		login_done(&l);
	}
}

TEST(plain_is_refused_without_tls)
{
	struct sasl_offer o = tls_offer();
	struct login l = { .s = sasl_new(&o) };

	o.tls = false;
	check_failure(&l, sasl_start(l.s, STR("PLAIN"), STR("\0user\0pencil"),
		&l.out), SASL_INVALID_MECHANISM);
	login_done(&l);
}

TEST(calls_out_of_order_are_failures) /* hostile 31 */
{
	struct sasl_offer o = tls_offer();
	struct login l = { .s = sasl_new(&o) };
	struct credentials c = pencil();

	check_failure(&l, sasl_step(l.s, STR("x"), &l.out),
		SASL_MALFORMED_REQUEST);
	login_done(&l);

	l = (struct login){ .s = sasl_new(&o) };
	check_failure(&l, sasl_credentials(l.s, &c, &l.out),
		SASL_MALFORMED_REQUEST);
	login_done(&l);

	l = (struct login){ .s = sasl_new(&o) };
	CHECK_INT(sasl_start(l.s, STR("PLAIN"), STR_NONE, &l.out),
		SASL_CHALLENGE);
	check_failure(&l, sasl_start(l.s, STR("PLAIN"), STR_NONE, &l.out),
		SASL_MALFORMED_REQUEST);
	login_done(&l);

	l = (struct login){ .s = sasl_new(&o) };
	CHECK_INT(sasl_start(l.s, STR("PLAIN"), STR("\0user\0pencil"), &l.out),
		SASL_NEED_CREDENTIALS);
	check_failure(&l, sasl_step(l.s, STR("x"), &l.out),
		SASL_MALFORMED_REQUEST);
	login_done(&l);

	l = (struct login){ .s = sasl_new(&o) };
	CHECK_INT(sasl_start(l.s, STR("PLAIN"), STR("\0user\0pencil"), &l.out),
		SASL_NEED_CREDENTIALS);
	CHECK_INT(sasl_credentials(l.s, &c, &l.out), SASL_SUCCESS);
	CHECK_INT(sasl_credentials(l.s, &c, &l.out), SASL_FAILURE);
	login_done(&l);
	sasl_free(NULL);
}

TEST(messages_above_the_limit_are_malformed)
{
	static const char *const names[] = { "PLAIN", "SCRAM-SHA-1",
		"ANONYMOUS" };
	struct sasl_offer o = tls_offer();
	char big[SASL_INPUT_MAX + 1];

	o.enabled = ~0u;
	memset(big, 'a', sizeof(big));
	for (size_t i = 0; i < COUNT(names); i++) {
		struct login l = { .s = sasl_new(&o) };

		TEST_CASE(names[i]);
		check_failure(&l, sasl_start(l.s, str_c(names[i]),
			(struct str){ big, sizeof(big) }, &l.out),
			SASL_MALFORMED_REQUEST);
		login_done(&l);
	}
}

/* --- PLAIN --------------------------------------------------------------- */

#define S(literal) { "" literal, sizeof(literal) - 1 }

static const struct {
	const char *what;
	struct str message;
	const char *account; /* NULL: refused at once, with cond */
	enum sasl_cond cond;
	bool right;
} plain_cases[] = {
	{ "as usual", S("\0user\0pencil"), "user", 0, true },
	{ "name in capitals", S("\0USER\0pencil"), "user", 0, true },
	{ "own bare JID as authzid", S("user@example.org\0user\0pencil"),
		"user", 0, true },
	{ "own bare JID in capitals", S("User@EXAMPLE.org\0user\0pencil"),
		"user", 0, true },
	{ "wrong password", S("\0user\0Pencil"), "user", 0, false },
	{ "password not UTF-8 after preparation", S("\0user\0pen\x01"), "user",
		0, false },
	{ "hostile 26: authzid of another", S("root@example.org\0user\0pencil"),
		NULL, SASL_INVALID_AUTHZID, false },
	{ "authzid at another host", S("user@example.net\0user\0pencil"), NULL,
		SASL_INVALID_AUTHZID, false },
	{ "authzid with resource", S("user@example.org/x\0user\0pencil"), NULL,
		SASL_INVALID_AUTHZID, false },
	{ "authzid is the host", S("example.org\0user\0pencil"), NULL,
		SASL_INVALID_AUTHZID, false },
	{ "authzid without host", S("user\0user\0pencil"), NULL,
		SASL_INVALID_AUTHZID, false },
	{ "empty", S(""), NULL, SASL_MALFORMED_REQUEST, false },
	{ "no NUL", S("user"), NULL, SASL_MALFORMED_REQUEST, false },
	{ "one NUL", S("user\0pencil"), NULL, SASL_MALFORMED_REQUEST, false },
	{ "three NULs", S("\0user\0pencil\0"), NULL, SASL_MALFORMED_REQUEST,
		false },
	{ "NUL inside the password", S("\0user\0pen\0cil"), NULL,
		SASL_MALFORMED_REQUEST, false },
	{ "no name", S("\0\0pencil"), NULL, SASL_MALFORMED_REQUEST, false },
	{ "no password", S("\0user\0"), NULL, SASL_MALFORMED_REQUEST, false },
	{ "only NULs", S("\0\0"), NULL, SASL_MALFORMED_REQUEST, false },
	{ "name not UTF-8", S("\0us\xff\0pencil"), NULL,
		SASL_MALFORMED_REQUEST, false },
	{ "password not UTF-8", S("\0user\0pen\xff"), NULL,
		SASL_MALFORMED_REQUEST, false },
	{ "authzid not UTF-8", S("\xff\0user\0pencil"), NULL,
		SASL_MALFORMED_REQUEST, false },
	{ "name with an at sign", S("\0user@example.org\0pencil"), NULL,
		SASL_NOT_AUTHORIZED, false },
};

TEST(plain_accepts_the_right_password_only)
{
	struct sasl_offer o = tls_offer();
	struct credentials c = pencil();

	for (size_t i = 0; i < COUNT(plain_cases); i++) {
		struct login l = { .s = sasl_new(&o) };
		enum sasl_result r;

		TEST_CASE(plain_cases[i].what);
		r = sasl_start(l.s, STR("PLAIN"), plain_cases[i].message,
			&l.out);
		if (plain_cases[i].account == NULL) {
			check_failure(&l, r, plain_cases[i].cond);
			login_done(&l);
			continue;
		}
		CHECK_INT(r, SASL_NEED_CREDENTIALS);
		CHECK_STR(sasl_account(l.s), plain_cases[i].account);
		CHECK_INT(sasl_mech(l.s), SASL_PLAIN);
		r = sasl_credentials(l.s, &c, &l.out);
		if (plain_cases[i].right)
			CHECK_INT(r, SASL_SUCCESS);
		else
			check_failure(&l, r, SASL_NOT_AUTHORIZED);
		CHECK_INT(l.out.n, 0);
		login_done(&l);
	}
}

TEST(plain_does_not_tell_an_unknown_account_from_a_wrong_password)
{
	struct sasl_offer o = tls_offer();
	struct credentials none = { 0 };
	const struct credentials *const stored[] = { NULL, &none };

	for (size_t i = 0; i < COUNT(stored); i++) {
		struct login l = { .s = sasl_new(&o) };

		CHECK_INT(sasl_start(l.s, STR("PLAIN"), STR_NONE, &l.out),
			SASL_CHALLENGE);
		CHECK_INT(l.out.n, 0);
		CHECK_INT(sasl_step(l.s, STR("\0user\0pencil"), &l.out),
			SASL_NEED_CREDENTIALS);
		check_failure(&l, sasl_credentials(l.s, stored[i], &l.out),
			SASL_NOT_AUTHORIZED);
		login_done(&l);
	}
}

/* --- EXTERNAL ------------------------------------------------------------ */

static const struct {
	const char *what;
	size_t n_addresses; /* 1: one_address, else addresses */
	struct str authzid;
	const char *account; /* NULL: invalid-authzid */
} external_cases[] = {
	{ "one address", 1, S(""), "anna" },
	{ "one address, named", 1, S("anna@example.org"), "anna" },
	{ "one address, another named", 1, S("bert@example.org"), NULL },
	{ "several addresses", COUNT(addresses), S(""), NULL },
	{ "several, the first", COUNT(addresses), S("anna@example.org"),
		"anna" },
	{ "several, the second", COUNT(addresses), S("BERT@example.org"),
		"bert" },
	{ "several, none of them", COUNT(addresses), S("carl@example.org"),
		NULL },
	{ "in the certificate, not here", COUNT(addresses),
		S("anna@example.net"), NULL },
	{ "with resource", COUNT(addresses), S("anna@example.org/home"), NULL },
	{ "the host itself", COUNT(addresses), S("example.org"), NULL },
	{ "not UTF-8", COUNT(addresses), S("anna\xff@example.org"), NULL },
	{ "with NUL", COUNT(addresses), S("anna@example.org\0"), NULL },
};

TEST(external_takes_an_address_of_the_certificate)
{
	struct sasl_offer o = tls_offer();
	struct credentials none = { 0 };

	for (size_t i = 0; i < COUNT(external_cases); i++) {
		struct login l = { .s = sasl_new(&o) };
		enum sasl_result r;

		TEST_CASE(external_cases[i].what);
		o.n_addresses = external_cases[i].n_addresses;
		o.addresses = o.n_addresses == 1 ? one_address : addresses;
		r = sasl_start(l.s, STR("EXTERNAL"), external_cases[i].authzid,
			&l.out);
		if (external_cases[i].account == NULL) {
			check_failure(&l, r, SASL_INVALID_AUTHZID);
		} else {
			CHECK_INT(r, SASL_NEED_CREDENTIALS);
			CHECK_STR(sasl_account(l.s), external_cases[i].account);
			CHECK_INT(sasl_credentials(l.s, &none, &l.out),
				SASL_SUCCESS);
		}
		login_done(&l);
	}
}

TEST(external_needs_the_account_to_exist)
{
	struct sasl_offer o = tls_offer();
	struct login l = { .s = sasl_new(&o) };

	o.addresses = one_address;
	o.n_addresses = 1;
	CHECK_INT(sasl_start(l.s, STR("EXTERNAL"), STR_NONE, &l.out),
		SASL_CHALLENGE);
	CHECK_INT(sasl_step(l.s, STR_NONE, &l.out), SASL_NEED_CREDENTIALS);
	check_failure(&l, sasl_credentials(l.s, NULL, &l.out),
		SASL_NOT_AUTHORIZED);
	login_done(&l);
}

/* --- ANONYMOUS ----------------------------------------------------------- */

TEST(anonymous_gives_a_new_name_to_each_guest)
{
	struct sasl_offer o = tls_offer();
	struct login a = { .s = sasl_new(&o) }, b = { .s = sasl_new(&o) };

	o.enabled = SASL_BIT(SASL_ANONYMOUS);
	CHECK_INT(sasl_start(a.s, STR("ANONYMOUS"), STR(""), &a.out),
		SASL_SUCCESS);
	CHECK_INT(sasl_start(b.s, STR("ANONYMOUS"), STR("trace"), &b.out),
		SASL_SUCCESS);
	CHECK_INT(sasl_account(a.s).n, 32);
	CHECK_INT(sasl_account(b.s).n, 32);
	CHECK(!str_eq(sasl_account(a.s), sasl_account(b.s)));
	login_done(&a);
	login_done(&b);
}

TEST(anonymous_bounds_the_trace)
{
	struct sasl_offer o = tls_offer();
	struct login l = { .s = sasl_new(&o) };
	char trace[256 * 2];

	o.enabled = SASL_BIT(SASL_ANONYMOUS);
	for (size_t i = 0; i < sizeof(trace); i += 2)
		memcpy(trace + i, "\xc3\xa9", 2);
	CHECK_INT(sasl_start(l.s, STR("ANONYMOUS"),
		(struct str){ trace, 255 * 2 }, &l.out), SASL_SUCCESS);
	login_done(&l);
	l = (struct login){ .s = sasl_new(&o) };
	check_failure(&l, sasl_start(l.s, STR("ANONYMOUS"),
		(struct str){ trace, 256 * 2 }, &l.out),
		SASL_MALFORMED_REQUEST);
	login_done(&l);
	l = (struct login){ .s = sasl_new(&o) };
	check_failure(&l, sasl_start(l.s, STR("ANONYMOUS"), STR("\xff"),
		&l.out), SASL_MALFORMED_REQUEST);
	login_done(&l);
}

TEST_MAIN
