/*
 * fuzz_upload.c - any bytes as the name and type of a file, and as the header that
 * lets somebody upload it: what comes of them can stand in a path and in a header,
 * and no token is true that was not made with the key.
 */
#include "config.h"

#include "fuzz.h"

#include "../../modules/upload/upload_text.h"
#include "../../modules/upload/upload_token.h"

static bool
is_one_line(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

static void
check_name(struct str in)
{
	struct buf name = BUF_INIT, again = BUF_INIT, header = BUF_INIT;

	if (!str_is_utf8(in) || !upload_name_make(&name, in))
		return;
	FUZZ_CHECK(name.n <= UPLOAD_NAME_MAX && str_is_utf8(buf_str(&name)));
	FUZZ_CHECK(is_one_line(buf_str(&name)));
	FUZZ_CHECK(memchr(name.p, '/', name.n) == NULL);
	FUZZ_CHECK(!str_is(buf_str(&name), ".") && !str_is(buf_str(&name), ".."));
	FUZZ_CHECK(upload_name_make(&again, buf_str(&name)));
	FUZZ_CHECK(str_eq(buf_str(&name), buf_str(&again)));
	upload_disposition(&header, false, buf_str(&name));
	FUZZ_CHECK(is_one_line(buf_str(&header)) &&
		str_is_ascii(buf_str(&header)));
	buf_done(&name);
	buf_done(&again);
	buf_done(&header);
}

static void
check_token(struct str in)
{
	struct arena *a = arena_new();
	struct buf made = BUF_INIT;
	struct str mac, said;
	struct upload_token t;

	if (upload_token_read(&t, a, in, &mac, &said)) {
		FUZZ_CHECK(upload_id_ok(t.id) && t.bytes != 0);
		FUZZ_CHECK(!upload_token_is_true(mac, said, STR("a"),
			STR("another key")));
		upload_token_make(&made, &t, STR("a"), STR("key"));
		FUZZ_CHECK(upload_token_read(&t, a, buf_str(&made), &mac, &said));
		FUZZ_CHECK(upload_token_is_true(mac, said, STR("a"), STR("key")));
	}
	buf_done(&made);
	arena_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = { (const char *)data, n };

	check_name(in);
	if (upload_type_ok(in)) {
		FUZZ_CHECK(is_one_line(in) && upload_type_eq(in, in));
		FUZZ_CHECK(upload_serve_as(in).type != NULL);
	}
	check_token(in);
	return 0;
}
