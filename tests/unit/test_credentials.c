/*
 * test_credentials.c - SCRAM verifiers: derivation, checks, text.
 *
 * The verifiers of "pencil" in the lines below come from a few lines of Python
 * (hashlib.pbkdf2_hmac, hmac) that follow RFC 5802 §3.
 */
#include "config.h"

#include "account/credentials.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/rand.h"
#include "base/text.h"
#include "xml/parser.h"
#include "test.h"

/* The salts of RFC 5802 §5 and RFC 7677 §3; 00 01 .. 0f for SHA-512. */
#define LINE_1                                                                 \
	"SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:"      \
	"D+CSWLOshSulAsxiupA+qs2/fTE="
#define LINE_256                                                               \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"                         \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"                        \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define LINE_512                                                               \
	"SCRAM-SHA-512$4096:AAECAwQFBgcICQoLDA0ODw==$DBrOiJLJVkZeM/lYBjyn8Hk/" \
	"LQ2RrM3V/Yg5Hd19QfaCFV/oaPeQAMJkwtvBdi4XgARejU3ucE9eDagBMHJ+Vw==:"    \
	"2vDce8mhwQs1RvSfuxS4bDFFONxrAOi/yeePIaiwig2xiC16lQeN+wHOzONm/18VM49J" \
	"Fg9XoAyQ7oHFPavA3g=="

static const char *const lines[SCRAM_HASHES] = { LINE_1, LINE_256, LINE_512 };

/* Answers 00 01 02 ... each time. */
static void
count_bytes(struct rand_source *r, void *out, size_t n)
{
	(void)r;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)i;
}

static struct rand_source counting = { .bytes = count_bytes };

/* RFC 2202 §3 and RFC 4231 §4.3, §4.7; what they do not have, a long key with
 * SHA-1 and keys of no bytes, is Python's. */
static const struct {
	enum scram_hash hash;
	const char *of_short, *of_long, *of_nothing;
} hmac_cases[] = {
	{ SCRAM_SHA_1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
		"90d0dace1c1bdc957339307803160335bde6df2b",
		"fbdb1d1b18aa6c08324b7d64b71fb76370690e1d" },
	{ SCRAM_SHA_256,
		"5bdcc146bf60754e6a042426089575c7"
		"5a003f089d2739839dec58b964ec3843",
		"60e431591ee0b67f0d8a26aacbf5b77f"
		"8e0bc6213728c5140546040f0ee37f54",
		"b613679a0814d9ec772f95d778c35fc5"
		"ff1697c493715653c6c712144292c5ad" },
	{ SCRAM_SHA_512,
		"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250"
		"5549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38"
		"bce737",
		"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f"
		"3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d"
		"786598",
		"b936cee86c9f87aa5d3c6f2e84cb5a4239a5fe50480a6ec66b70ab5b1f4ac"
		"6730c6c515421b327ec1d69402e53dfb49ad7381eb067b338fd7b0cb22247"
		"225d47" },
};

static void
check_hmac(enum scram_hash hash, struct str key, struct str data,
	const char *want)
{
	uint8_t mac[SCRAM_DIGEST_MAX];
	struct buf hex = BUF_INIT;

	scram_hmac(hash, key, data, mac);
	for (size_t i = 0; i < scram_digest_size(hash); i++)
		buf_printf(&hex, "%02x", mac[i]);
	CHECK_STR(buf_str(&hex), want);
	buf_done(&hex);
}

TEST(hmac_is_that_of_rfc_2104)
{
	char key[131];

	memset(key, 0xaa, sizeof(key));
	for (size_t i = 0; i < COUNT(hmac_cases); i++) {
		enum scram_hash hash = hmac_cases[i].hash;

		TEST_CASE(scram_hash_name(hash));
		check_hmac(hash, STR("Jefe"),
			STR("what do ya want for nothing?"),
			hmac_cases[i].of_short);
		check_hmac(hash, (struct str){ key, sizeof(key) },
			STR("Test Using Larger Than Block-Size Key - "
			    "Hash Key First"),
			hmac_cases[i].of_long);
		check_hmac(hash, STR_NONE, STR(""),
			hmac_cases[i].of_nothing);
	}
}

static struct credentials
from_line(const char *line)
{
	struct credentials c = { 0 };
	struct err err = ERR_INIT;

	CHECK(credentials_add_line(&c, str_c(line), &err));
	return c;
}

static void
check_line(const struct credentials *c, enum scram_hash hash, const char *want)
{
	struct buf out = BUF_INIT;

	credentials_format_line(&out, c, hash);
	CHECK_STR(buf_str(&out), want);
	buf_done(&out);
}

static const struct {
	const char *what;
	const char *line;
	enum scram_hash hash;
	const char *auth, *proof, *signature;
} exchanges[] = {
	{ "RFC 5802 §5", LINE_1, SCRAM_SHA_1,
		"n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
		"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
		"s=QSXCR+Q6sek8bf92,i=4096,"
		"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
		"v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		"rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
	{ "RFC 7677 §3", LINE_256, SCRAM_SHA_256,
		"n=user,r=rOprNGfwEbeRWgbNEkqO,"
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
	{ "XEP-0474 §6.3", LINE_1, SCRAM_SHA_1,
		"n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6,"
		"r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-"
		"93799c2bddf6,s=QSXCR+Q6sek8bf92,i=4096,"
		"h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,"
		"c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,"
		"r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-"
		"93799c2bddf6,x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3",
		"M/SIDjT+dfcxUh89jZEypRvFxB4=",
		"MQrMPvv7yv4x4Cq4W4Ih25EqS2c=" },
	{ "XEP-0515 §4.3", LINE_1, SCRAM_SHA_1,
		"n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6,"
		"r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-"
		"93799c2bddf6,s=QSXCR+Q6sek8bf92,i=4096,"
		"h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,t=0304,"
		"c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,"
		"r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-"
		"93799c2bddf6",
		"KHUfN8dSy1K95crT4D5y1ItLJfs=",
		"3w34ZIMVRkx2f2Ozb3/ecRPVdv4=" },
};

TEST(published_exchanges_are_accepted_and_answered_as_published)
{
	for (size_t i = 0; i < COUNT(exchanges); i++) {
		enum scram_hash hash = exchanges[i].hash;
		struct credentials c = from_line(exchanges[i].line);
		struct scram_verifier *v = &c.verifiers[hash];
		struct str auth = str_c(exchanges[i].auth);
		struct buf proof = BUF_INIT, text = BUF_INIT;
		uint8_t signature[SCRAM_DIGEST_MAX];

		TEST_CASE(exchanges[i].what);
		CHECK(base64_decode(&proof, str_c(exchanges[i].proof)));
		CHECK(scram_proof_ok(hash, v, auth, buf_str(&proof)));
		scram_server_signature(hash, v, auth, signature);
		base64_encode(&text, signature, scram_digest_size(hash));
		CHECK_STR(buf_str(&text), exchanges[i].signature);

		proof.p[3] ^= 1;
		CHECK(!scram_proof_ok(hash, v, auth, buf_str(&proof)));
		proof.p[3] ^= 1;
		proof.n--;
		CHECK(!scram_proof_ok(hash, v, auth, buf_str(&proof)));
		buf_done(&proof);
		buf_done(&text);
	}
}

TEST(a_password_fits_verifiers_made_elsewhere)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct credentials c = from_line(lines[i]);

		TEST_CASE(lines[i]);
		CHECK_INT(credentials_hashes(&c), SCRAM_BIT(i));
		CHECK(credentials_verify_password(&c, STR("pencil")));
		CHECK(!credentials_verify_password(&c, STR("Pencil")));
		CHECK(!credentials_verify_password(&c, STR("")));
		CHECK(!credentials_verify_password(&c, STR("pencil\0")));
		CHECK(!credentials_verify_password(&c, STR("\xff")));
	}
}

TEST(derivation_makes_a_verifier_for_each_hash_asked_for)
{
	struct credentials c = { 0 };
	struct err err = ERR_INIT;

	CHECK(credentials_derive(&c, STR("pencil"), SCRAM_ALL, 4096, &counting,
		&err));
	CHECK_INT(credentials_hashes(&c), SCRAM_ALL);
	check_line(&c, SCRAM_SHA_512, LINE_512);
	CHECK(credentials_verify_password(&c, STR("pencil")));

	CHECK(credentials_derive(&c, STR("x"), SCRAM_BIT(SCRAM_SHA_1), 4096,
		&rand_system, &err));
	CHECK_INT(credentials_hashes(&c), SCRAM_BIT(SCRAM_SHA_1));
	CHECK(credentials_verify_password(&c, STR("x")));
	CHECK(!credentials_verify_password(&c, STR("pencil")));
}

TEST(derivation_prepares_the_password_as_a_login_does)
{
	struct credentials c = { 0 };

	CHECK(credentials_derive(&c, STR("caf\xc3\xa9"), SCRAM_ALL, 4096,
		&rand_system, NULL));
	CHECK(credentials_verify_password(&c, STR("cafe\xcc\x81")));
	CHECK(!credentials_verify_password(&c, STR("cafe")));
}

TEST(derivation_refuses_what_it_cannot_use_and_leaves_the_rest)
{
	struct credentials c = from_line(LINE_1);
	struct err err = ERR_INIT;

	CHECK(!credentials_derive(&c, STR(""), SCRAM_ALL, 4096, &counting,
		&err));
	CHECK_INT(err.code, ERR_INVALID);
	CHECK(!credentials_derive(&c, STR("a\nb"), SCRAM_ALL, 4096, &counting,
		&err));
	CHECK(!credentials_derive(&c, STR("a"), SCRAM_ALL, 4095, &counting,
		&err));
	CHECK(!credentials_derive(&c, STR("a"), SCRAM_ALL, 1000001, &counting,
		&err));
	check_line(&c, SCRAM_SHA_1, LINE_1);
}

TEST(nobody_fits_an_account_without_password)
{
	struct credentials c = { 0 };

	CHECK(!credentials_verify_password(&c, STR("")));
	CHECK(!credentials_verify_password(&c, STR("pencil")));
}

/* An import may hold the verifier of an empty password; what cannot be prepared
 * must not end up as one. */
TEST(what_is_no_password_does_not_fit_an_empty_one)
{
	struct credentials c = from_line(
		"SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$"
		"nJ7NIpEhGWYJgkXlH8+EU0un6/m20+gSgCnEi8kapIM=:"
		"s24L6krFXWqocZ+wwtUc/8hxenyJ5AnMUHAahlBS4uY=");

	CHECK(!credentials_verify_password(&c, STR("")));
	CHECK(!credentials_verify_password(&c, STR("\x01")));
}

TEST(lines_come_back_as_they_were)
{
	struct credentials c = { 0 };

	for (size_t i = 0; i < COUNT(lines); i++)
		CHECK(credentials_add_line(&c, str_c(lines[i]), NULL));
	for (size_t i = 0; i < COUNT(lines); i++)
		check_line(&c, (enum scram_hash)i, lines[i]);
	CHECK(!credentials_add_line(&c, STR(LINE_256), NULL));
}

#define KEY_1 "6dlGYMOdZcOPutkcNY8U2g7vK9Y="
static const char *const bad_lines[] = {
	"",
	"$",
	"$:$:",
	"SCRAM-SHA-1",
	"SCRAM-SHA-1$4096:QSXC$" KEY_1,
	"SCRAM-SHA-1$4096$QSXC$" KEY_1 ":" KEY_1,
	"SHA-1$4096:QSXC$" KEY_1 ":" KEY_1,
	"SCRAM-SHA-1-PLUS$4096:QSXC$" KEY_1 ":" KEY_1,
	"SCRAM-MD5$4096:QSXC$" KEY_1 ":" KEY_1,
	"SCRAM-SHA-1$4095:QSXC$" KEY_1 ":" KEY_1,
	"SCRAM-SHA-1$99999999999999999999:QSXC$" KEY_1 ":" KEY_1,
	"SCRAM-SHA-1$-4096:QSXC$" KEY_1 ":" KEY_1,
	"SCRAM-SHA-1$:QSXC$" KEY_1 ":" KEY_1,
	"SCRAM-SHA-1$4096:$" KEY_1 ":" KEY_1,
	"SCRAM-SHA-1$4096:Q$" KEY_1 ":" KEY_1,
	"SCRAM-SHA-1$4096:QSXC$QSXC:" KEY_1,
	"SCRAM-SHA-1$4096:QSXC$" KEY_1 ":QSXC",
	"SCRAM-SHA-1$4096:QSXC$" KEY_1 ":" KEY_1 "\n",
	"SCRAM-SHA-256$4096:QSXC$" KEY_1 ":" KEY_1,
};

TEST(a_line_of_another_form_is_refused)
{
	for (size_t i = 0; i < COUNT(bad_lines); i++) {
		struct credentials c = { 0 };
		struct err err = ERR_INIT;

		TEST_CASE(bad_lines[i]);
		CHECK(!credentials_add_line(&c, str_c(bad_lines[i]), &err));
		CHECK_INT(err.code, ERR_INVALID);
		CHECK_INT(credentials_hashes(&c), 0);
	}
}

TEST(stored_text_comes_back_as_it_was)
{
	struct xml_pool *pool = xml_pool_new();
	struct credentials c = { 0 }, back = { 0 };
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	credentials_format(&text, &c);
	CHECK_STR(buf_str(&text),
		"<credentials xmlns='urn:antiphon:credentials:1'>"
		"</credentials>");
	CHECK(credentials_parse(&back, pool, buf_str(&text), &err));
	CHECK_INT(credentials_hashes(&back), 0);

	text.n = 0;
	for (size_t i = 0; i < COUNT(lines); i++)
		CHECK(credentials_add_line(&c, str_c(lines[i]), NULL));
	credentials_format(&text, &c);
	CHECK(credentials_parse(&back, pool, buf_str(&text), &err));
	for (size_t i = 0; i < COUNT(lines); i++)
		check_line(&back, (enum scram_hash)i, lines[i]);
	buf_done(&text);
	xml_pool_free(pool);
}

#define OPEN "<credentials xmlns='urn:antiphon:credentials:1'>"
#define CLOSE "</credentials>"
#define KEYS " stored-key='" KEY_1 "' server-key='" KEY_1 "'/>"
static const char *const bad_texts[] = {
	"",
	"SCRAM",
	OPEN,
	"<credentials/>",
	"<other xmlns='urn:antiphon:credentials:1'/>",
	OPEN "<scram hash='SHA-1'/>" CLOSE,
	OPEN "<scram hash='SHA-1' iterations='1' salt='QSXC'" KEYS CLOSE,
	OPEN "<scram hash='SHA-1' iterations='4096' salt=''" KEYS CLOSE,
	OPEN "<scram hash='SHA-1' iterations='4096'" KEYS CLOSE,
	OPEN "<scram hash='SHA-256' iterations='4096' salt='QSXC'" KEYS CLOSE,
	OPEN "<scram hash='SHA-1' iterations='4096' salt='QSXC'" KEYS
	     "<scram hash='SHA-1' iterations='4096' salt='QSXC'" KEYS CLOSE,
};

TEST(stored_text_of_another_form_is_refused)
{
	struct xml_pool *pool = xml_pool_new();

	for (size_t i = 0; i < COUNT(bad_texts); i++) {
		struct credentials c = from_line(LINE_1);
		struct err err = ERR_INIT;

		TEST_CASE(bad_texts[i]);
		CHECK(!credentials_parse(&c, pool, str_c(bad_texts[i]), &err));
		CHECK(err.code != ERR_NONE);
		check_line(&c, SCRAM_SHA_1, LINE_1);
	}
	xml_pool_free(pool);
}

TEST(hashes_of_a_later_version_are_skipped)
{
	struct xml_pool *pool = xml_pool_new();
	struct credentials c = { 0 };

	CHECK(credentials_parse(&c, pool, STR(OPEN "<scram hash='SHA3-512'/>"
		"<scram hash='SHA-1' iterations='4096' salt='QSXC'" KEYS CLOSE),
		NULL));
	CHECK_INT(credentials_hashes(&c), SCRAM_BIT(SCRAM_SHA_1));
	xml_pool_free(pool);
}

TEST_MAIN
