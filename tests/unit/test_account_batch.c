/*
 * test_account_batch.c - lines of accounts.
 */
#include "config.h"

#include "account/account_batch.h"

#include "base/arena.h"
#include "base/buf.h"
#include "test.h"

/* StoredKey and ServerKey of RFC 7677 §3. */
#define VERIFIER                                                               \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const struct {
	const char *line, *jid, *password; /* password NULL: verifiers */
	bool ok;
} lines[] = {
	{ "anna@example.org secret", "anna@example.org", "secret", true },
	{ "Anna@EXAMPLE.org secret", "anna@example.org", "secret", true },
	{ "anna@example.org two words ", "anna@example.org", "two words ",
		true },
	{ "anna@example.org secret\r", "anna@example.org", "secret", true },
	{ "\xef\xbb\xbf" "anna@example.org secret", "anna@example.org", "secret",
		true },
	{ "anna@example.org " VERIFIER, "anna@example.org", NULL, true },
	{ "anna@example.org  x", "anna@example.org", " x", true },
	{ "anna@example.org", NULL, NULL, false },
	{ "anna@example.org ", NULL, NULL, false },
	{ "example.org secret", NULL, NULL, false },
	{ "anna@example.org/desk secret", NULL, NULL, false },
	{ "an na@example.org secret", NULL, NULL, false },
	{ "@ secret", NULL, NULL, false },
	{ "anna@example.org SCRAM-SHA-256$", NULL, NULL, false },
	{ "anna@example.org " VERIFIER " " VERIFIER, NULL, NULL, false },
	{ "anna@example.org " VERIFIER " word", NULL, NULL, false },
	{ "\xff@example.org secret", NULL, NULL, false },
};

static void
check_line(size_t i)
{
	struct arena *a = arena_new();
	struct account_batch b;
	struct err err = ERR_INIT;

	CHECK(account_batch_parse(&b, str_c(lines[i].line), a, &err));
	CHECK(b.n == 1);
	CHECK((b.lines[0].err.code == ERR_NONE) == lines[i].ok);
	if (lines[i].ok) {
		CHECK_STR(jid_str(b.lines[0].jid), lines[i].jid);
		CHECK((b.lines[0].password.p == NULL) ==
			(lines[i].password == NULL));
		CHECK((credentials_hashes(&b.lines[0].creds) != 0) ==
			(lines[i].password == NULL));
	}
	if (lines[i].password != NULL)
		CHECK_STR(b.lines[0].password, lines[i].password);
	account_batch_done(&b);
	arena_free(a);
}

TEST(a_line_is_an_address_and_a_password_or_verifiers)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		TEST_CASE(lines[i].line);
		check_line(i);
	}
}

TEST(empty_lines_and_comments_are_left_out)
{
	struct arena *a = arena_new();
	struct account_batch b;
	struct err err = ERR_INIT;

	CHECK(account_batch_parse(&b,
		STR("\n# all of them\na@b.example x\r\n\r\nbad\nc@b.example y"),
		a, &err));
	CHECK(b.n == 3);
	CHECK_STR(b.lines[0].text, "a@b.example");
	CHECK(b.lines[1].err.code == ERR_INVALID);
	CHECK_STR(b.lines[2].text, "c@b.example");
	account_batch_done(&b);
	CHECK(account_batch_parse(&b, STR(""), a, &err));
	CHECK(b.n == 0);
	account_batch_done(&b);
	arena_free(a);
}

TEST(more_lines_than_one_transaction_holds_are_refused)
{
	struct arena *a = arena_new();
	struct buf text = BUF_INIT;
	struct account_batch b;
	struct err err = ERR_INIT;

	for (int i = 0; i < ACCOUNT_BATCH_MAX; i++)
		buf_printf(&text, "u%d@b.example x\n", i);
	CHECK(account_batch_parse(&b, buf_str(&text), a, &err));
	CHECK(b.n == ACCOUNT_BATCH_MAX);
	account_batch_done(&b);
	buf_add_c(&text, "one@b.example x\n");
	CHECK(!account_batch_parse(&b, buf_str(&text), a, &err));
	CHECK(err.code == ERR_LIMIT);
	buf_done(&text);
	arena_free(a);
}

TEST_MAIN
