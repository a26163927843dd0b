/*
 * test_http_text.c - segments, queries, lists, dates, ranges, entity tags, and who has
 * forwarded a request.
 */
#include "config.h"

#include "http/http_text.h"

#include "base/buf.h"
#include "http/http_parse.h"

#include "test.h"

/* --- paths and queries -------------------------------------------------------- */

static const struct {
	const char *in, *out;
} segments[] = {
	{ "", "" },
	{ "abc", "abc" },
	{ "a%20b+c", "a b+c" },
	{ "%C3%A9%c3%a9", "\xc3\xa9\xc3\xa9" },
	{ "%252e%252f%2500", "%2e%2f%00" }, /* once */
	{ "...", "..." },
	{ ".a", ".a" },
	{ "a.", "a." },
	{ "%F0%9F%98%80.png", "\xf0\x9f\x98\x80.png" },
	{ "a%3bb;c", "a;b;c" },
	{ "%c2%a0", "\xc2\xa0" },
};

static const char *const no_segments[] = { ".", "..", "%2e", "%2E%2e", ".%2e",
	"%2e.", "a/b", "a%2fb", "a%2Fb", "%2f", "a\\b", "a%5cb", "%", "%4", "a%4",
	"%%41", "%4g", "%g4", "%u002e", "%00", "a%00", "%0a", "%0d", "%09", "%1f",
	"%7f", "a\n", "%c2%80", "%c2%9f", "%ff", "%c0%ae", "%c0%af", "%e0%80%ae",
	"%ed%a0%80", "%f4%90%80%80", "%c3", "\xc3" };

TEST(segments_are_decoded_once)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < COUNT(segments); i++) {
		TEST_CASE(segments[i].in);
		b.n = 0;
		buf_add_c(&b, "x/");
		CHECK(http_path_decode(str_c(segments[i].in), &b));
		CHECK_STR(((struct str){ b.p + 2, b.n - 2 }), segments[i].out);
	}
	buf_done(&b);
}

TEST(what_is_no_name_is_no_segment)
{
	struct buf b = BUF_INIT;

	buf_add_c(&b, "x");
	for (size_t i = 0; i < COUNT(no_segments); i++) {
		TEST_CASE(no_segments[i]);
		CHECK(!http_path_decode(str_c(no_segments[i]), &b));
		CHECK_STR(buf_str(&b), "x");
	}
	buf_done(&b);
}

TEST(each_name_comes_back_as_it_was_encoded)
{
	struct buf coded = BUF_INIT, again = BUF_INIT;
	char name[3] = { 'a', 0, 'b' };

	for (int c = ' '; c < 0x7f; c++) {
		struct str text = { name, sizeof(name) };

		if (c == '/' || c == '\\')
			continue;
		name[1] = (char)c;
		coded.n = again.n = 0;
		http_path_encode(text, &coded);
		CHECK(http_path_decode(buf_str(&coded), &again));
		CHECK(str_eq(buf_str(&again), text));
	}
	coded.n = 0;
	http_path_encode(STR("a-Z_0.9~ %/\xc3\xa9?"), &coded);
	CHECK_STR(buf_str(&coded), "a-Z_0.9~%20%25%2F%C3%A9%3F");
	buf_done(&coded);
	buf_done(&again);
}

TEST(queries_are_names_and_values)
{
	struct str query = STR("&a=1&b&&c=d=e&=f&"), name, value;
	struct buf b = BUF_INIT;

	CHECK(http_query_next(&query, &name, &value));
	CHECK_STR(name, "a");
	CHECK_STR(value, "1");
	CHECK(http_query_next(&query, &name, &value));
	CHECK_STR(name, "b");
	CHECK_STR(value, NULL);
	CHECK(http_query_next(&query, &name, &value));
	CHECK_STR(name, "c");
	CHECK_STR(value, "d=e");
	CHECK(http_query_next(&query, &name, &value));
	CHECK_STR(name, "");
	CHECK_STR(value, "f");
	CHECK(!http_query_next(&query, &name, &value));
	CHECK(!http_query_next(&query, &name, &value));
	CHECK(http_query_decode(STR("a+b%2Bc%0a/%5c.."), &b));
	CHECK_STR(buf_str(&b), "a b+c\n/\\..");
	CHECK(!http_query_decode(STR("%00"), &b));
	CHECK(!http_query_decode(STR("%ff"), &b));
	CHECK(!http_query_decode(STR("%1"), &b));
	CHECK_STR(buf_str(&b), "a b+c\n/\\..");
	buf_done(&b);
}

/* --- lists ---------------------------------------------------------------------- */

TEST(lists_have_items)
{
	struct str list = STR(" ,a, \"b,\\\",c\" ;d ,,\te f\t,"), item;

	CHECK(http_list_next(&list, &item));
	CHECK_STR(item, "a");
	CHECK(http_list_next(&list, &item));
	CHECK_STR(item, "\"b,\\\",c\" ;d");
	CHECK(http_list_next(&list, &item));
	CHECK_STR(item, "e f");
	CHECK(!http_list_next(&list, &item));
	CHECK(http_list_has(STR("a, Keep-Alive"), "keep-alive"));
	CHECK(!http_list_has(STR("a, keep-alives"), "keep-alive"));
	CHECK(!http_list_has(STR_NONE, "keep-alive"));
	list = STR("\"open, a\\");
	CHECK(http_list_next(&list, &item));
	CHECK(!http_list_next(&list, &item));
}

/* --- dates ---------------------------------------------------------------------- */

#define NOW_S 1795254300 /* 2026 */

static const struct {
	const char *text;
	int64_t s;
} dates[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
	{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
	{ "Wed, 31 Dec 1969 23:59:59 GMT", -1 },
	{ "Tue, 29 Feb 2000 12:00:00 GMT", 951825600 },
	{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
	{ "Mon, 01 Jan 0001 00:00:00 GMT", -62135596800 },
	{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
	{ "Saturday, 21-Nov-26 09:45:00 GMT", NOW_S },
	{ "Friday, 31-Dec-76 23:59:59 GMT", 3376684799 },
	{ "Saturday, 01-Jan-77 00:00:00 GMT", 220924800 },
	{ "Sun Nov  6 08:49:37 1994", 784111777 },
	{ "Sun Nov 06 08:49:37 1994", 784111777 },
	{ "Wed Nov 16 08:49:37 1994", 784975777 },
};

static const char *const no_dates[] = { "", "Sun", "Sun, 06 Nov 1994",
	"Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
	"Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT",
	"sun, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
	"Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
	"Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
	"Tue, 29 Feb 2001 12:00:00 GMT", "Sun, 30 Feb 2000 12:00:60 GMT",
	"Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
	"Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
	"Sun, 06 Nov -994 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
	"Sunday, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
	"Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 1994 GMT", "Foo, 06 Nov 1994 08:49:37 GMT",
	"1994-11-06T08:49:37Z", "784111777", "Sun, \xd9\xa0\xd9\xa6 Nov 1994 08:49:37 GMT" };

TEST(dates_of_three_forms_are_read)
{
	int64_t s = 7;

	for (size_t i = 0; i < COUNT(dates); i++) {
		TEST_CASE(dates[i].text);
		CHECK(http_date_read(str_c(dates[i].text), NOW_S, &s));
		CHECK_INT(s, dates[i].s);
	}
	s = 7;
	for (size_t i = 0; i < COUNT(no_dates); i++) {
		TEST_CASE(no_dates[i]);
		CHECK(!http_date_read(str_c(no_dates[i]), NOW_S, &s));
		CHECK_INT(s, 7);
	}
}

TEST(one_form_of_dates_is_written)
{
	char out[HTTP_DATE_SIZE];

	for (size_t i = 0; i < 6; i++) {
		http_date_write(dates[i].s, out);
		CHECK_STR(str_c(out), dates[i].text);
	}
	http_date_write(INT64_MAX, out);
	CHECK_STR(str_c(out), "Fri, 31 Dec 9999 23:59:59 GMT");
	http_date_write(INT64_MIN, out);
	CHECK_STR(str_c(out), "Mon, 01 Jan 0001 00:00:00 GMT");
}

/* --- ranges --------------------------------------------------------------------- */

static const struct {
	const char *value;
	int64_t size;
	enum http_ranged ranged;
	int64_t from, n;
} ranges[] = {
	{ NULL, 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=0-0", 10, HTTP_RANGE_PART, 0, 1 },
	{ "bytes=0-", 10, HTTP_RANGE_PART, 0, 10 },
	{ "Bytes=2-4", 10, HTTP_RANGE_PART, 2, 3 },
	{ "bytes= 2-4 ", 10, HTTP_RANGE_PART, 2, 3 },
	{ "bytes=2-99", 10, HTTP_RANGE_PART, 2, 8 },
	{ "bytes=9-9", 10, HTTP_RANGE_PART, 9, 1 },
	{ "bytes=9-99999999999999999999999", 10, HTTP_RANGE_PART, 9, 1 },
	{ "bytes=-3", 10, HTTP_RANGE_PART, 7, 3 },
	{ "bytes=-99", 10, HTTP_RANGE_PART, 0, 10 },
	{ "bytes=-99999999999999999999999", 10, HTTP_RANGE_PART, 0, 10 },
	{ "bytes=10-", 10, HTTP_RANGE_NONE, 0, 10 },
	{ "bytes=10-20", 10, HTTP_RANGE_NONE, 0, 10 },
	{ "bytes=99999999999999999999999-", 10, HTTP_RANGE_NONE, 0, 10 },
	{ "bytes=-0", 10, HTTP_RANGE_NONE, 0, 10 },
	{ "bytes=0-", 0, HTTP_RANGE_NONE, 0, 0 },
	{ "bytes=-1", 0, HTTP_RANGE_ALL, 0, 0 },
	{ "bytes=-0", 0, HTTP_RANGE_NONE, 0, 0 },
	{ "bytes=0-1,3-4", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=0-,0-,0-", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=20-,30-", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=,2-4,", 10, HTTP_RANGE_PART, 2, 3 },
	{ "bytes=4-2", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=-", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=a-b", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=1-2-3", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=+1-2", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=1 -2", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=--1", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes 0-1", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=1", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "lines=1-2", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "", 10, HTTP_RANGE_ALL, 0, 10 },
	{ "bytes=5-", INT64_MAX, HTTP_RANGE_PART, 5, INT64_MAX - 5 },
	{ "bytes=-5", INT64_MAX, HTTP_RANGE_PART, INT64_MAX - 5, 5 },
};

TEST(one_range_is_a_part)
{
	for (size_t i = 0; i < COUNT(ranges); i++) {
		int64_t from = -1, n = -1;

		TEST_CASE(ranges[i].value);
		CHECK_INT(http_range_read(str_c(ranges[i].value),
				  ranges[i].size, &from, &n),
			ranges[i].ranged);
		CHECK_INT(from, ranges[i].from);
		CHECK_INT(n, ranges[i].n);
	}
}

/* --- entity tags ------------------------------------------------------------------ */

static const struct {
	const char *list, *tag;
	bool weakly, strongly;
} tags[] = {
	{ "\"a\"", "\"a\"", true, true },
	{ "W/\"a\"", "\"a\"", true, false },
	{ "\"a\"", "W/\"a\"", true, false },
	{ "W/\"a\"", "W/\"a\"", true, false },
	{ "*", "\"a\"", true, true },
	{ "\"b\", W/\"c\" ,\"a\"", "\"a\"", true, true },
	{ ", \"b\",, \"a\",", "\"a\"", true, true },
	{ "\"b,a\"", "\"a\"", false, false },
	{ "\"b,a\"", "\"b,a\"", true, true },
	{ "\"b\\\", \"a\"", "\"a\"", true, true }, /* no escapes */
	{ "\"\"", "\"\"", true, true },
	{ "\"A\"", "\"a\"", false, false },
	{ "a", "\"a\"", false, false },
	{ "w/\"a\"", "\"a\"", false, false },
	{ "b, \"a\"", "\"a\"", false, false },
	{ "\"b\" \"a\"", "\"a\"", false, false },
	{ "\"b\", *", "\"a\"", false, false },
	{ "\"a", "\"a\"", false, false },
	{ "", "\"a\"", false, false },
	{ "\"a\"", "a", false, false },
	{ "\"a b\", \"a\"", "\"a\"", false, false },
};

TEST(lists_name_entity_tags)
{
	for (size_t i = 0; i < COUNT(tags); i++) {
		struct str list = str_c(tags[i].list), tag = str_c(tags[i].tag);

		TEST_CASE(tags[i].list);
		CHECK_INT(http_etags_name(list, tag, false), tags[i].weakly);
		CHECK_INT(http_etags_name(list, tag, true), tags[i].strongly);
	}
	CHECK(!http_etags_name(STR_NONE, STR("\"a\""), false));
}

/* --- who has sent it ----------------------------------------------------------------- */

/* 10.* and ::1 are proxies of ours. */
static bool
trusts(void *arg, struct str address)
{
	(*(unsigned *)arg)++;
	return str_starts(address, STR("10.")) || str_is(address, "::1");
}

static const struct {
	const char *first, *second, *client;
} forwarded[] = {
	{ NULL, NULL, NULL },
	{ "192.0.2.1", NULL, "192.0.2.1" },
	{ "198.51.100.1, 192.0.2.1", NULL, "192.0.2.1" },
	{ "198.51.100.1", "192.0.2.1", "192.0.2.1" },
	{ "198.51.100.1, 192.0.2.1, 10.0.0.2", NULL, "192.0.2.1" },
	{ "198.51.100.1, 192.0.2.1", "10.0.0.2 ,::1", "192.0.2.1" },
	{ "10.0.0.9,10.0.0.2", NULL, "10.0.0.9" },
	{ "2001:db8::1", NULL, "2001:db8::1" },
	{ "[2001:db8::1]:4711", NULL, "2001:db8::1" },
	{ "[2001:db8::1]", NULL, "2001:db8::1" },
	{ "192.0.2.1:4711", NULL, "192.0.2.1" },
	{ "198.51.100.1, unknown", NULL, NULL },
	{ "198.51.100.1, unknown, 10.0.0.2", NULL, "10.0.0.2" },
	{ "198.51.100.1,, 10.0.0.2", NULL, "10.0.0.2" },
	{ "198.51.100.1", "", NULL },
	{ "198.51.100.1", "10.0.0.2,", NULL },
	{ "192.0.2.1:http", NULL, NULL },
	{ "192.0.2.1:", NULL, NULL },
	{ "192.0.2.1:70000", NULL, NULL },
	{ "[192.0.2.1]", NULL, NULL },
	{ "[::1", NULL, NULL },
	{ "[::1]x", NULL, NULL },
	{ "example.org", NULL, NULL },
	{ "127.1", NULL, NULL },
	{ "::ffff:10.0.0.1", NULL, "::ffff:10.0.0.1" },
};

TEST(the_word_of_proxies_counts_as_far_as_they_are_trusted)
{
	for (size_t i = 0; i < COUNT(forwarded); i++) {
		struct http_header headers[] = {
			{ STR("host"), STR("10.0.0.1") },
			{ STR("x-forwarded-for"), str_c(forwarded[i].first) },
			{ STR("a"), STR("10.0.0.1") },
			{ STR("x-forwarded-for"), str_c(forwarded[i].second) },
		};
		struct http_head head = { .headers = headers,
			.n_headers = forwarded[i].second != NULL ? 4 :
				forwarded[i].first != NULL	 ? 3 :
								   1 };
		unsigned asked = 0;

		TEST_CASE(forwarded[i].first);
		CHECK_STR(http_forwarded_for(&head, trusts, &asked),
			forwarded[i].client);
		CHECK(asked <= 4);
	}
}

TEST_MAIN
