/*
 * test_upload_limits.c - how much a user may upload, and what his tokens are worth.
 */
#include "config.h"

#include "../../modules/upload/upload_token.h"

#include "test.h"

#define DAY_US (86400 * US_PER_S)
#define NOW (20000 * DAY_US + 5)

static struct upload_limits
limits_of(uint64_t file, uint64_t day, uint64_t total, uint64_t files)
{
	struct upload_limits l = { .total_bytes = total, .files = files };

	for (int p = 0; p < UPLOAD_PURPOSES; p++)
		l.of[p] = (struct upload_limit){ file, day, DAY_US };
	return l;
}

/* Numbers: a file, a day, all, files; had, had today, reserved, files. */
static const struct {
	const char *name;
	uint64_t file, day, total, files;
	uint64_t bytes, today, reserved, n_reserved, n;
	uint64_t asks;
	enum upload_verdict verdict;
	int64_t retry_us;
} fits[] = {
	{ "nothing yet", 100, 1000, 0, 9, 0, 0, 0, 0, 0, 100, UPLOAD_GRANTED, 0 },
	{ "a byte more", 100, 1000, 0, 9, 0, 0, 0, 0, 0, 101, UPLOAD_TOO_LARGE,
		0 },
	{ "more than a day", 100, 50, 0, 9, 0, 0, 0, 0, 0, 51, UPLOAD_TOO_LARGE,
		0 },
	{ "all of a day", 100, 50, 0, 9, 0, 0, 0, 0, 0, 50, UPLOAD_GRANTED, 0 },
	{ "more than all", 100, 50, 40, 9, 0, 0, 0, 0, 0, 41, UPLOAD_TOO_LARGE,
		0 },
	{ "no more today", 100, 150, 0, 9, 100, 100, 0, 0, 1, 51,
		UPLOAD_DAY_FULL, 20001 * DAY_US },
	{ "a slot in the way", 100, 150, 0, 9, 0, 0, 100, 1, 0, 51,
		UPLOAD_DAY_FULL, NOW + 7 },
	{ "both", 100, 150, 0, 9, 50, 50, 50, 1, 1, 51, UPLOAD_DAY_FULL,
		NOW + 7 },
	{ "as many as he may", 100, 1000, 0, 2, 5, 0, 0, 0, 2, 1, UPLOAD_FULL,
		0 },
	{ "with slots", 100, 1000, 0, 2, 5, 0, 5, 1, 1, 1, UPLOAD_FULL, NOW + 7 },
	{ "all of it", 100, 1000, 120, 9, 100, 0, 0, 0, 1, 20, UPLOAD_GRANTED,
		0 },
	{ "more than is left", 100, 1000, 120, 9, 100, 0, 0, 0, 1, 21,
		UPLOAD_FULL, 0 },
	{ "more than is left by slots", 100, 1000, 120, 9, 50, 0, 50, 1, 1, 21,
		UPLOAD_FULL, NOW + 7 },
	{ "large numbers", INT64_MAX, INT64_MAX, INT64_MAX, 9, 0, 0, 0, 0, 0,
		INT64_MAX, UPLOAD_GRANTED, 0 },
};

TEST(what_fits_is_granted_and_the_rest_told_when)
{
	for (size_t i = 0; i < COUNT(fits); i++) {
		struct upload_limits l = limits_of(fits[i].file, fits[i].day,
			fits[i].total, fits[i].files);
		struct upload_usage u = { .bytes = fits[i].bytes,
			.files = fits[i].n, .day = 20000 };
		struct upload_reserved r = { .files = fits[i].n_reserved,
			.first_us = NOW + 7 };
		int64_t retry_us = -1;

		TEST_CASE(fits[i].name);
		u.day_bytes[UPLOAD_MESSAGE] = fits[i].today;
		r.bytes[UPLOAD_MESSAGE] = fits[i].reserved;
		CHECK_INT(upload_fits(&l, &u, &r, UPLOAD_MESSAGE, fits[i].asks,
				  NOW, &retry_us),
			fits[i].verdict);
		CHECK_INT(retry_us, fits[i].retry_us);
	}
}

TEST(what_is_announced_is_granted)
{
	static const uint64_t some[] = { 1, 7, 100, UINT64_C(1) << 40 };
	struct upload_usage none = { .bytes = 0 };
	struct upload_reserved no_slots = { .files = 0 };
	int64_t retry_us;

	for (size_t f = 0; f < COUNT(some); f++)
		for (size_t d = 0; d < COUNT(some); d++)
			for (size_t t = 0; t <= COUNT(some); t++) {
				struct upload_limits l = limits_of(some[f],
					some[d], t == 0 ? 0 : some[t - 1], 1);
				uint64_t max =
					upload_max_bytes(&l, UPLOAD_PROFILE);

				CHECK(max != 0);
				CHECK_INT(upload_fits(&l, &none, &no_slots,
						  UPLOAD_PROFILE, max, NOW,
						  &retry_us),
					UPLOAD_GRANTED);
				CHECK_INT(upload_fits(&l, &none, &no_slots,
						  UPLOAD_PROFILE, max + 1, NOW,
						  &retry_us),
					UPLOAD_TOO_LARGE);
			}
}

TEST(a_day_ends_and_a_clock_that_goes_back_begins_none)
{
	struct upload_usage u = { .bytes = 0 };

	upload_usage_add(&u, UPLOAD_MESSAGE, 10, NOW);
	upload_usage_add(&u, UPLOAD_PROFILE, 5, NOW - 2 * DAY_US);
	CHECK_INT(u.day_bytes[UPLOAD_MESSAGE], 10);
	CHECK_INT(u.day_bytes[UPLOAD_PROFILE], 5);
	upload_usage_undo(&u, UPLOAD_PROFILE, 5, NOW);
	CHECK_INT(u.day_bytes[UPLOAD_PROFILE], 0);
	upload_usage_today(&u, NOW + DAY_US);
	CHECK_INT(u.day_bytes[UPLOAD_MESSAGE], 0);
	CHECK_INT(u.bytes, 10);
	CHECK_INT(u.files, 1);
	upload_usage_less(&u, 50);
	upload_usage_less(&u, 50);
	CHECK_INT(u.bytes, 0);
	CHECK_INT(u.files, 0);
}

TEST(what_is_written_is_read_again)
{
	struct upload_usage u = { 1, 2, 20000, { 3, 4, 5, 6 } }, v;
	struct upload_own own, other;
	struct buf text = BUF_INIT;

	upload_usage_write(&text, &u);
	CHECK(upload_usage_read(&v, buf_str(&text)));
	CHECK(memcmp(&u, &v, sizeof(u)) == 0);
	text.n = 0;
	upload_own_init(&own);
	own.file_bytes[UPLOAD_PROFILE] = 7;
	own.expire_us[UPLOAD_MESSAGE] = OPTION_NEVER;
	own.files = 0;
	upload_own_write(&text, &own);
	CHECK(upload_own_read(&other, buf_str(&text)));
	CHECK(memcmp(&own, &other, sizeof(own)) == 0);
	buf_done(&text);
}

TEST(what_was_edited_is_read_as_nothing)
{
	static const char *const bad[] = { "", "1", "x 2 3 4 5 6 7",
		"1 2 3 4 5 6 -7", "1 2 3 4 5 6 7 8",
		"1 2 3 4 5 6 99999999999999999999" };
	struct upload_usage u;
	struct upload_own own;

	for (size_t i = 0; i < COUNT(bad); i++) {
		TEST_CASE(bad[i]);
		CHECK(!upload_usage_read(&u, str_c(bad[i])));
		CHECK_INT(u.bytes, 0);
		CHECK(!upload_own_read(&own, str_c(bad[i])));
		CHECK_INT(own.files, -1);
	}
}

TEST(limits_of_his_own_stand_over_those_of_the_host)
{
	struct upload_limits l = limits_of(100, 1000, 5, 9);
	struct upload_own own;

	upload_own_init(&own);
	own.file_bytes[UPLOAD_PROFILE] = 7;
	own.total_bytes = 0;
	upload_own_apply(&own, &l);
	CHECK_INT(l.of[UPLOAD_PROFILE].file_bytes, 7);
	CHECK_INT(l.of[UPLOAD_MESSAGE].file_bytes, 100);
	CHECK_INT(l.total_bytes, 0);
	CHECK_INT(l.files, 9);
}

/* --- tokens ---------------------------------------------------------------------- */

#define ID "0123456789abcdef0123456789abcdef"

static void
token_write(struct buf *out, const char *type, const char *key)
{
	struct upload_token t = { .id = STR(ID),
		.user = STR("romeo@example.org"), .type = str_c(type),
		.bytes = 12, .purpose = UPLOAD_EPHEMERAL, .slot_us = NOW,
		.until_us = NOW + 1 };

	upload_token_make(out, &t, STR("a b.jpg"), str_c(key));
}

TEST(a_token_says_what_was_granted)
{
	struct arena *a = arena_new();
	struct buf header = BUF_INIT;
	struct str mac, said;
	struct upload_token t;

	token_write(&header, "image/jpeg; x=\"y z\"", "key");
	CHECK(upload_token_read(&t, a, buf_str(&header), &mac, &said));
	CHECK_STR(t.id, ID);
	CHECK_STR(t.user, "romeo@example.org");
	CHECK_STR(t.type, "image/jpeg; x=\"y z\"");
	CHECK_INT(t.bytes, 12);
	CHECK_INT(t.purpose, UPLOAD_EPHEMERAL);
	CHECK_INT(t.slot_us, NOW);
	CHECK_INT(t.until_us, NOW + 1);
	CHECK(upload_token_is_true(mac, said, STR("a b.jpg"), STR("key")));
	CHECK(!upload_token_is_true(mac, said, STR("a b.png"), STR("key")));
	CHECK(!upload_token_is_true(mac, said, STR("a b.jpg"), STR("kez")));
	buf_done(&header);
	arena_free(a);
}

/* Whatever bit of it is another: it is not read, or not true. */
TEST(a_token_that_was_changed_is_worth_nothing)
{
	struct buf header = BUF_INIT;

	token_write(&header, "", "key");
	for (size_t i = 0; i < header.n * 8; i++) {
		struct arena *a = arena_new();
		struct str mac, said;
		struct upload_token t;

		header.p[i / 8] ^= (char)(1 << i % 8);
		if (i / 8 >= strlen("Bearer ") &&
			upload_token_read(&t, a, buf_str(&header), &mac, &said))
			CHECK(!upload_token_is_true(mac, said, STR("a b.jpg"),
				STR("key")));
		header.p[i / 8] ^= (char)(1 << i % 8);
		arena_free(a);
	}
	buf_done(&header);
}

TEST(what_is_no_token_is_not_read)
{
	static const char *const bad[] = { "", "Bearer", "Bearer ",
		"Basic cm9tZW86eA==", "Bearer !!!!", "Bearer AAAA",
		"Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAxIDAgMCAw" };
	struct arena *a = arena_new();
	struct str mac, said;
	struct upload_token t;

	for (size_t i = 0; i < COUNT(bad); i++) {
		TEST_CASE(bad[i]);
		CHECK(!upload_token_read(&t, a, str_c(bad[i]), &mac, &said));
	}
	CHECK(!upload_token_read(&t, a, STR_NONE, &mac, &said));
	CHECK(!upload_id_ok(STR("0123456789ABCDEF0123456789abcdef")));
	CHECK(!upload_id_ok(STR("0123456789abcdef0123456789abcde")));
	CHECK(!upload_id_ok(STR("../3456789abcdef0123456789abcdef")));
	arena_free(a);
}

/* It is looked up before anything is known to be true. */
TEST(a_token_names_somebody_who_could_be)
{
	static const struct {
		size_t n;
		char last;
		bool ok;
	} cases[] = { { 1, 'a', true }, { 2047, 'a', true },
		{ 2048, 'a', false }, { 9000, 'a', false }, { 5, '\0', false } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct buf text = BUF_INIT, header = BUF_INIT;
		struct upload_token t;
		struct str mac, said;

		buf_add_c(&text, "0123456789abcdef0123456789abcdef" /* a MAC */
				 "1 " ID " 12 message 1 0 ");
		for (size_t k = 1; k < cases[i].n; k++)
			buf_add_c(&text, "a");
		buf_add(&text, &cases[i].last, 1);
		buf_add_c(&text, "\n");
		buf_add_c(&header, "Bearer ");
		base64_encode(&header, text.p, text.n);
		CHECK_INT(upload_token_read(&t, a, buf_str(&header), &mac,
				  &said),
			cases[i].ok);
		buf_done(&text);
		buf_done(&header);
		arena_free(a);
	}
}

TEST_MAIN
