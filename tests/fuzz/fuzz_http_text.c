/*
 * fuzz_http_text.c - any bytes as the texts of http_text.h: what is read keeps its
 * promises, and what is written is read as the same.
 */
#include "config.h"

#include "fuzz.h"

#include <string.h>

#include "base/buf.h"
#include "http/http_parse.h"
#include "http/http_text.h"

static void
check_path(struct str in)
{
	struct buf name = BUF_INIT, coded = BUF_INIT, again = BUF_INIT;

	if (http_path_decode(in, &name)) {
		FUZZ_CHECK(name.n <= in.n && str_is_utf8(buf_str(&name)));
		FUZZ_CHECK(name.n == 0 ||
			(memchr(name.p, '/', name.n) == NULL &&
				memchr(name.p, '\0', name.n) == NULL));
		FUZZ_CHECK(!str_is(buf_str(&name), ".") &&
			!str_is(buf_str(&name), ".."));
		http_path_encode(buf_str(&name), &coded);
		FUZZ_CHECK(http_path_decode(buf_str(&coded), &again));
		FUZZ_CHECK(str_eq(buf_str(&name), buf_str(&again)));
	}
	buf_done(&name);
	buf_done(&coded);
	buf_done(&again);
}

static void
check_query(struct str in)
{
	struct str name, value;
	struct buf out = BUF_INIT;
	size_t n = 0;

	while (http_query_next(&in, &name, &value)) {
		if (http_query_decode(name, &out))
			FUZZ_CHECK(str_is_utf8(buf_str(&out)));
		n++;
		out.n = 0;
	}
	FUZZ_CHECK(in.n == 0);
	buf_done(&out);
}

static void
check_lists(struct str in)
{
	struct str list = in, item;

	while (http_list_next(&list, &item))
		FUZZ_CHECK(item.n != 0 && item.p >= in.p &&
			item.p + item.n <= in.p + in.n);
	FUZZ_CHECK(list.n == 0);
	if (http_etags_name(in, STR("\"a\""), true))
		FUZZ_CHECK(http_etags_name(in, STR("\"a\""), false));
}

static void
check_date(struct str in)
{
	char text[HTTP_DATE_SIZE];
	int64_t s, again;

	if (!http_date_read(in, 1795254300, &s))
		return;
	http_date_write(s, text);
	FUZZ_CHECK(strlen(text) == HTTP_DATE_SIZE - 1);
	/* but for the leap second behind the last year */
	if (s > 253402300799)
		return;
	FUZZ_CHECK(http_date_read(str_c(text), 0, &again) && again == s);
}

static void
check_range(struct str in, int64_t size)
{
	int64_t from, n;
	enum http_ranged ranged = http_range_read(in, size, &from, &n);

	if (ranged == HTTP_RANGE_PART)
		FUZZ_CHECK(from >= 0 && n > 0 && n <= size && from <= size - n);
	else
		FUZZ_CHECK(from == 0 && n == size);
}

static bool
trusts(void *arg, struct str address)
{
	(*(size_t *)arg)++;
	FUZZ_CHECK(address.n > 1 && address.n < 46);
	return address.p[0] != '1';
}

static void
check_forwarded(struct str in)
{
	struct http_header header = { STR("x-forwarded-for"), in };
	struct http_head head = { .headers = &header, .n_headers = 1 };
	size_t asked = 0;
	struct str client = http_forwarded_for(&head, trusts, &asked);

	FUZZ_CHECK((client.p != NULL) == (asked != 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = { (const char *)data, n };

	check_path(in);
	check_query(in);
	check_lists(in);
	check_date(in);
	check_range(in, 0);
	check_range(in, 1000);
	check_range(in, INT64_MAX);
	check_forwarded(in);
	return 0;
}
