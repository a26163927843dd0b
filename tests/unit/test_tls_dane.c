/*
 * test_tls_dane.c - for which certificates a record of TLSA is (RFC 6698, RFC 7671),
 * and which records are none at all.
 */
#include "config.h"

#include "net/tls_dane.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/net_int.h"
#include "certs.h"
#include "test.h"

#define AT "_5269._tcp.xmpp.a.example"
#define A_EXAMPLE .names = { { CERT_DNS, STR("a.example") } }

enum whose { LEAF, EXPIRED, SELF, CA, OTHER, N_CERTS };

/* The certificates that records are for, or that are shown. */
struct shelf {
	struct cert all[N_CERTS];
	X509_STORE *store; /* whom we trust: CA */
};

static void
shelf_init(struct shelf *s)
{
	static const struct cert_want good = { A_EXAMPLE };
	static const struct cert_want expired = { A_EXAMPLE, .from_days = -20,
		.to_days = -10 };
	static const struct cert_want ca = { .cn = "CA", .ca = true };

	*s = (struct shelf){ .store = X509_STORE_new() };
	cert_make(&s->all[CA], &ca, NULL);
	cert_make(&s->all[OTHER], &ca, NULL);
	cert_make(&s->all[LEAF], &good, &s->all[CA]);
	cert_make(&s->all[EXPIRED], &expired, &s->all[CA]);
	cert_make(&s->all[SELF], &good, NULL);
	CHECK(X509_STORE_add_cert(s->store, s->all[CA].x509) == 1);
}

static void
shelf_done(struct shelf *s)
{
	for (size_t i = 0; i < N_CERTS; i++)
		cert_done(&s->all[i]);
	X509_STORE_free(s->store);
}

/* What a record has of a certificate. */
static size_t
record_data(const struct shelf *s, enum whose whose, int selector, int match,
	unsigned char out[4096])
{
	X509 *x = s->all[whose].x509;
	unsigned char *der = NULL;
	int n = selector == 0 ? i2d_X509(x, &der) :
				i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	unsigned size = 0;

	CHECK(n > 0 && n <= 4096);
	if (match == 0) {
		memcpy(out, der, (size_t)n);
		size = (unsigned)n;
	} else {
		CHECK(EVP_Digest(der, (size_t)n, out, &size,
			      match == 1 ? EVP_sha256() : EVP_sha512(), NULL) ==
			1);
	}
	OPENSSL_free(der);
	return size;
}

static void
record_add(const struct shelf *s, struct tls_dane **d, int usage, int selector,
	int match, enum whose whose)
{
	unsigned char data[4096];
	size_t n = record_data(s, whose, selector, match, data);

	tls_dane_add(d, (uint8_t)usage, (uint8_t)selector, (uint8_t)match, data,
		n);
}

/* What somebody shows: with his authority, or alone. */
struct shown {
	enum whose whose;
	bool alone, unnamed, trusted;
};

static enum tls_dane_verdict
judge(const struct shelf *s, const struct tls_dane *d, struct shown shown,
	char why[400])
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct buf words = BUF_INIT;
	enum tls_dane_verdict verdict;
	struct tls_dane_peer peer = {
		.leaf = s->all[shown.whose].x509,
		.chain = chain,
		.store = shown.trusted ? s->store : NULL,
		.now_s = (int64_t)time(NULL),
		.named = !shown.unnamed,
	};

	sk_X509_push(chain, s->all[shown.whose].x509);
	if (!shown.alone)
		sk_X509_push(chain, s->all[CA].x509);
	verdict = tls_dane_judge(d, &peer, &words);
	snprintf(why, 400, "%s", buf_c(&words));
	buf_done(&words);
	sk_X509_free(chain);
	return verdict;
}

/* --- one record ---------------------------------------------------------------- */

static const struct {
	int usage, selector, match;
	enum whose of;
	struct shown shown;
	enum tls_dane_verdict verdict;
	const char *why;
} cases[] = {
	{ 3, 1, 1, LEAF, { .whose = LEAF }, TLS_DANE_FITS, "is the one that the TLSA record at " AT " is for" },
	{ 3, 0, 1, LEAF, { .whose = LEAF }, TLS_DANE_FITS, "" },
	{ 3, 1, 2, LEAF, { .whose = LEAF }, TLS_DANE_FITS, "" },
	{ 3, 0, 2, LEAF, { .whose = LEAF }, TLS_DANE_FITS, "" },
	{ 3, 1, 0, LEAF, { .whose = LEAF }, TLS_DANE_FITS, "" },
	{ 3, 0, 0, LEAF, { .whose = LEAF }, TLS_DANE_FITS, "" },
	/* RFC 7671 §5.1: neither names nor times, nor who has signed it */
	{ 3, 1, 1, EXPIRED, { EXPIRED, .unnamed = true }, TLS_DANE_FITS, "" },
	{ 3, 0, 1, SELF, { SELF, .alone = true, .unnamed = true }, TLS_DANE_FITS, "" },
	{ 3, 1, 1, SELF, { LEAF, .trusted = true }, TLS_DANE_OTHER,
		"their TLSA record at " AT " is for another certificate: this one would be 3 1 1 " },
	{ 3, 1, 1, CA, { .whose = LEAF }, TLS_DANE_OTHER, "another certificate" },
	{ 3, 0, 0, SELF, { .whose = LEAF }, TLS_DANE_OTHER, "another certificate" },
	/* §5.2: the authority is shown, or stands in full in the record */
	{ 2, 0, 1, CA, { .whose = LEAF }, TLS_DANE_FITS, "" },
	{ 2, 1, 1, CA, { .whose = LEAF }, TLS_DANE_FITS, "" },
	{ 2, 1, 2, CA, { .whose = LEAF }, TLS_DANE_FITS, "" },
	{ 2, 0, 0, CA, { LEAF, .alone = true }, TLS_DANE_FITS, "" },
	{ 2, 1, 0, CA, { LEAF, .alone = true }, TLS_DANE_FITS, "" },
	{ 2, 0, 1, CA, { LEAF, .alone = true }, TLS_DANE_OTHER, "another certificate" },
	{ 2, 0, 1, OTHER, { .whose = LEAF }, TLS_DANE_OTHER, "another certificate" },
	{ 2, 0, 1, OTHER, { LEAF, .trusted = true }, TLS_DANE_OTHER, "another certificate" },
	{ 2, 0, 1, CA, { LEAF, .unnamed = true }, TLS_DANE_OTHER,
		"neither for this domain nor for xmpp.a.example" },
	{ 2, 0, 1, CA, { .whose = EXPIRED }, TLS_DANE_OTHER, "has expired" },
	/* §5.3, §5.4: it has to be trusted, too */
	{ 1, 1, 1, LEAF, { LEAF, .trusted = true }, TLS_DANE_FITS, "" },
	{ 1, 1, 1, LEAF, { .whose = LEAF }, TLS_DANE_OTHER, "" },
	{ 1, 1, 1, SELF, { LEAF, .trusted = true }, TLS_DANE_OTHER, "" },
	{ 1, 1, 1, LEAF, { LEAF, .trusted = true, .unnamed = true }, TLS_DANE_OTHER, "" },
	{ 0, 0, 1, CA, { LEAF, .trusted = true }, TLS_DANE_FITS, "" },
	{ 0, 0, 1, CA, { LEAF, .alone = true, .trusted = true }, TLS_DANE_FITS, "" },
	{ 0, 0, 1, CA, { .whose = LEAF }, TLS_DANE_OTHER, "" },
	{ 0, 0, 1, OTHER, { LEAF, .trusted = true }, TLS_DANE_OTHER, "" },
};

TEST(a_record_is_for_the_certificates_that_it_means)
{
	struct shelf s;

	shelf_init(&s);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tls_dane *d = tls_dane_new(AT, NULL);
		char label[64], why[400];

		snprintf(label, sizeof(label), "%zu: %d %d %d", i,
			cases[i].usage, cases[i].selector, cases[i].match);
		TEST_CASE(label);
		record_add(&s, &d, cases[i].usage, cases[i].selector,
			cases[i].match, cases[i].of);
		CHECK_INT(judge(&s, d, cases[i].shown, why), cases[i].verdict);
		if (strstr(why, cases[i].why) == NULL)
			CHECK_CSTR(why, cases[i].why);
		tls_dane_unref(d);
	}
	shelf_done(&s);
}

/* --- several ------------------------------------------------------------------- */

TEST(one_that_fits_is_enough)
{
	struct tls_dane *d = tls_dane_new(AT, NULL);
	struct shelf s;
	char why[400];

	shelf_init(&s);
	record_add(&s, &d, 3, 1, 1, SELF);
	record_add(&s, &d, 2, 0, 1, OTHER);
	CHECK_INT(judge(&s, d, (struct shown){ .whose = LEAF }, why), TLS_DANE_OTHER);
	record_add(&s, &d, 2, 1, 1, CA);
	CHECK_INT(judge(&s, d, (struct shown){ .whose = LEAF }, why), TLS_DANE_FITS);
	/* the one that is for it by itself needs no name, whatever others need */
	record_add(&s, &d, 3, 0, 1, LEAF);
	CHECK_INT(judge(&s, d, (struct shown){ LEAF, .unnamed = true }, why),
		TLS_DANE_FITS);
	tls_dane_unref(d);
	shelf_done(&s);
}

/* RFC 7671 §9 */
TEST(of_two_digests_the_stronger_counts)
{
	struct tls_dane *d = tls_dane_new(AT, NULL);
	struct shelf s;
	char why[400];

	shelf_init(&s);
	record_add(&s, &d, 3, 1, 1, LEAF);
	record_add(&s, &d, 3, 1, 2, SELF);
	CHECK_INT(judge(&s, d, (struct shown){ .whose = LEAF }, why), TLS_DANE_OTHER);
	CHECK_INT(judge(&s, d, (struct shown){ .whose = SELF }, why), TLS_DANE_FITS);
	/* that of another selector is another one */
	record_add(&s, &d, 3, 0, 1, LEAF);
	CHECK_INT(judge(&s, d, (struct shown){ .whose = LEAF }, why), TLS_DANE_FITS);
	tls_dane_unref(d);
	shelf_done(&s);
}

/* --- what cannot be used ------------------------------------------------------- */

/* RFC 6698 §4.1, RFC 7671: as if there were none. */
TEST(records_that_cannot_be_used_are_none)
{
	static const struct {
		int usage, selector, match;
		int cut; /* bytes that are missing at the end, or too many */
	} unusable[] = {
		{ 4, 1, 1, 0 }, { 255, 1, 1, 0 }, { 3, 2, 1, 0 },
		{ 3, 255, 1, 0 }, { 3, 1, 3, 0 }, { 3, 1, 255, 0 },
		{ 3, 1, 1, 1 }, { 3, 1, 1, 32 }, { 3, 1, 1, -1 },
		{ 3, 1, 2, 1 }, { 3, 1, 2, 32 }, { 3, 0, 0, 1 },
		{ 3, 0, 0, -1 }, { 3, 1, 0, 1 }, { 3, 1, 0, -1 },
		{ 2, 0, 0, 1 }, { 2, 1, 0, -1 }, { 0, 0, 1, 1 },
	};
	struct shelf s;

	shelf_init(&s);
	for (size_t i = 0; i < COUNT(unusable); i++) {
		int match = unusable[i].match;
		struct tls_dane *d = tls_dane_new(AT, NULL);
		unsigned char data[4096] = { 0 };
		size_t n = record_data(&s, LEAF, unusable[i].selector == 1,
			match > 2 ? 1 : match, data);
		char label[64], why[400];

		snprintf(label, sizeof(label), "%d %d %d, %d",
			unusable[i].usage, unusable[i].selector, match,
			unusable[i].cut);
		TEST_CASE(label);
		tls_dane_add(&d, (uint8_t)unusable[i].usage,
			(uint8_t)unusable[i].selector, (uint8_t)match, data,
			n - (size_t)unusable[i].cut);
		CHECK_INT(tls_dane_count(d), 1);
		CHECK_INT(judge(&s, d, (struct shown){ .whose = SELF }, why),
			TLS_DANE_NONE);
		CHECK_CSTR(why, "no TLSA record at " AT " can be used");
		/* nor do they make others worse, or better */
		record_add(&s, &d, 3, 1, 1, LEAF);
		CHECK_INT(judge(&s, d, (struct shown){ .whose = LEAF }, why),
			TLS_DANE_FITS);
		CHECK_INT(judge(&s, d, (struct shown){ .whose = SELF }, why),
			TLS_DANE_OTHER);
		tls_dane_unref(d);
	}
	shelf_done(&s);
}

TEST(what_is_beyond_the_bounds_is_left_out)
{
	static const uint8_t zeros[65535];
	struct tls_dane *d = tls_dane_new(AT, NULL);
	struct shelf s;
	char why[400];

	shelf_init(&s);
	CHECK_INT(judge(&s, d, (struct shown){ .whose = LEAF }, why), TLS_DANE_NONE);
	tls_dane_add(&d, 3, 0, 0, NULL, 0);
	CHECK_INT(tls_dane_count(d), 1);
	/* the bytes of all */
	tls_dane_add(&d, 3, 0, 0, zeros, sizeof(zeros));
	tls_dane_add(&d, 3, 0, 0, zeros, TLS_DANE_BYTES_MAX - 5 - 5 + 1);
	CHECK_INT(tls_dane_count(d), 1);
	tls_dane_add(&d, 3, 0, 0, zeros, TLS_DANE_BYTES_MAX - 5 - 5);
	CHECK_INT(tls_dane_count(d), 2);
	tls_dane_add(&d, 3, 0, 0, NULL, 0);
	CHECK_INT(tls_dane_count(d), 2);
	CHECK_INT(judge(&s, d, (struct shown){ .whose = LEAF }, why), TLS_DANE_NONE);
	tls_dane_unref(d);
	/* the number of them */
	d = tls_dane_new(AT, NULL);
	for (int i = 0; i < TLS_DANE_RECORDS_MAX; i++)
		record_add(&s, &d, 3, 1, 1, SELF);
	record_add(&s, &d, 3, 1, 1, LEAF);
	CHECK_INT(tls_dane_count(d), TLS_DANE_RECORDS_MAX);
	CHECK_INT(judge(&s, d, (struct shown){ .whose = LEAF }, why), TLS_DANE_OTHER);
	CHECK_INT(judge(&s, d, (struct shown){ .whose = SELF }, why), TLS_DANE_FITS);
	tls_dane_unref(d);
	shelf_done(&s);
}

TEST(the_name_of_the_server_stands_behind_port_and_transport)
{
	struct tls_dane *d = tls_dane_new(AT, NULL);

	CHECK_CSTR(tls_dane_at(d), AT);
	CHECK_CSTR(tls_dane_target(d), "xmpp.a.example");
	tls_dane_unref(d);
	d = tls_dane_new("nothing", NULL);
	CHECK_CSTR(tls_dane_target(d), "");
	CHECK_CSTR(tls_dane_also(d), "");
	tls_dane_unref(d);
	d = tls_dane_new(AT, "alias.a.example");
	tls_dane_add(&d, 3, 1, 1, (const uint8_t *)"1234", 4);
	CHECK_CSTR(tls_dane_target(d), "xmpp.a.example");
	CHECK_CSTR(tls_dane_also(d), "alias.a.example");
	CHECK_INT(tls_dane_count(d), 1);
	tls_dane_unref(d);
}

TEST_MAIN
