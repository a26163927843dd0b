/*
 * test_http_reader.c - the second reader finds what is different in what it is shown.
 */
#include "config.h"

#include "http/http_reader.h"

#include "test.h"

#define HEAD                                                                   \
	"PUT /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nC:\r\n\r\n"

/* Of HEAD, by what was found in it. */
static struct http_reading
right(struct str head, const struct http_field fields[3])
{
	return (struct http_reading){ .head = head,
		.method = { head.p, 3 },
		.target = { head.p + 4, 2 },
		.fields = fields,
		.n_fields = 3,
		.minor = 1 };
}

static const struct http_field found[3] = { { 17, 4, 23, 1 }, { 26, 17, 45, 7 },
	{ 54, 1, 56, 0 } };

TEST(it_agrees_with_what_is_so)
{
	struct http_reader *r = http_reader_new();
	struct http_reading says = right(STR(HEAD), found);

	CHECK(http_reader_head(r, &says));
	CHECK(http_reader_agrees(r, -1, true));
	CHECK(!http_reader_agrees(r, 5, false));
	CHECK(!http_reader_agrees(r, -1, false));
	CHECK(http_reader_framing(r, STR("5\r\n")));
	CHECK(http_reader_body(r, STR("he")));
	CHECK(http_reader_body(r, STR("llo")));
	CHECK(http_reader_framing(r, STR("\r\n")));
	CHECK(http_reader_framing(r, STR("0\r\n")));
	CHECK(!http_reader_is_whole(r));
	CHECK(http_reader_framing(r, STR("\r\n")));
	CHECK(http_reader_is_whole(r));
	/* and once more, from the beginning */
	CHECK(http_reader_head(r, &says));
	CHECK(!http_reader_is_whole(r));
	http_reader_free(r);
}

TEST(it_finds_each_difference_of_a_head)
{
	struct http_reader *r = http_reader_new();
	struct str head = STR(HEAD);
	struct http_reading says;

	for (int i = 0; i < 9; i++) {
		struct http_field fields[3];

		test_case_number("difference", (unsigned)i);
		memcpy(fields, found, sizeof(fields));
		says = right(head, fields);
		if (i == 0)
			says.method = STR("POST");
		else if (i == 1)
			says.target.n = 1;
		else if (i == 2)
			says.minor = 0;
		else if (i == 3)
			says.n_fields = 2;
		else if (i == 4)
			fields[0].name_n = 3;
		else if (i == 5)
			fields[1].name++;
		else if (i == 6)
			fields[0].value_n = 0;
		else if (i == 7)
			fields[2].value_n = 1;
		else
			says.head.n -= 2; /* it is not whole */
		CHECK(!http_reader_head(r, &says));
	}
	http_reader_free(r);
}

TEST(it_tells_a_body_from_what_frames_it)
{
	struct http_reader *r = http_reader_new();
	struct http_reading says = right(STR(HEAD), found);

	CHECK(http_reader_head(r, &says));
	CHECK(!http_reader_body(r, STR("5\r\n")));
	CHECK(http_reader_head(r, &says));
	CHECK(!http_reader_framing(r, STR("1\r\nx")));
	CHECK(http_reader_head(r, &says));
	CHECK(http_reader_framing(r, STR("1\r\n")));
	CHECK(!http_reader_body(r, STR("xy")));
	http_reader_free(r);
}

TEST(it_knows_how_long_a_body_is)
{
	struct str head = STR("PUT /a HTTP/1.0\r\nContent-Length: 3\r\n\r\n");
	struct http_field field = { 17, 14, 33, 1 };
	struct http_reader *r = http_reader_new();
	struct http_reading says = { .head = head,
		.method = { head.p, 3 },
		.target = { head.p + 4, 2 },
		.fields = &field,
		.n_fields = 1 };

	CHECK(http_reader_head(r, &says));
	CHECK(http_reader_agrees(r, 3, false));
	CHECK(!http_reader_agrees(r, 2, false));
	CHECK(!http_reader_agrees(r, 0, false));
	CHECK(!http_reader_agrees(r, -1, true));
	CHECK(http_reader_body(r, STR("ab")));
	CHECK(!http_reader_is_whole(r));
	CHECK(http_reader_body(r, STR("c")));
	CHECK(http_reader_is_whole(r));
	http_reader_free(r);
}

TEST_MAIN
