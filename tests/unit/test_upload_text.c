/*
 * test_upload_text.c - names and types of files, whatever strangers make of them.
 */
#include "config.h"

#include "../../modules/upload/upload_text.h"

#include "test.h"

static const struct {
	const char *in, *out; /* out NULL: refused */
} names[] = {
	{ "photo.jpg", "photo.jpg" },
	{ "tr\xc3\xa8s cool.jpg", "tr\xc3\xa8s cool.jpg" },
	{ "", NULL },
	{ ".", "_" },
	{ "..", "__" },
	{ "...", "..." },
	{ ".htaccess", ".htaccess" },
	{ "../../etc/passwd", ".._.._etc_passwd" },
	{ "C:\\autoexec.bat", "C:_autoexec.bat" },
	{ "a\r\nSet-Cookie: b", "a__Set-Cookie: b" },
	{ "\x7f", "_" },
	{ "a?b#c%2f", "a?b#c%2f" },
	/* controls of Unicode, which no path may hold either */
	{ "a\xc2\x80" "b\xc2\x9f", "a_b_" },
	{ "\xc2\xa0\xc2", "\xc2\xa0\xc2" },
	{ "a\xe2\x80\xa8" "b\xe2\x80\xa9", "a_b_" },
	/* what makes "gpj.exe" look like "exe.jpg" */
	{ "\xe2\x80\xae" "gpj.exe", "_gpj.exe" },
	{ "\xe2\x80\xaa\xe2\x81\xa6\xe2\x81\xa9", "___" },
	/* letters of right to left, and their marks, are none of these */
	{ "\xe2\x80\x8f\xd7\x90.txt", "\xe2\x80\x8f\xd7\x90.txt" },
	{ "\xe2\x80\xa6\xe2\x81\xa5", "\xe2\x80\xa6\xe2\x81\xa5" },
	{ "\xe2\x80", "\xe2\x80" },
};

TEST(names_become_segments_of_a_path)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		struct buf out = BUF_INIT;

		TEST_CASE(names[i].in);
		CHECK_INT(upload_name_make(&out, str_c(names[i].in)),
			names[i].out != NULL);
		if (names[i].out != NULL)
			CHECK_STR(buf_str(&out), names[i].out);
		buf_done(&out);
	}
}

TEST(names_that_are_too_long_keep_their_ending)
{
	struct buf in = BUF_INIT, out = BUF_INIT;

	for (int i = 0; i < 200; i++)
		buf_add_c(&in, "\xc3\xa8");
	buf_add_c(&in, ".tar.gz");
	CHECK(upload_name_make(&out, buf_str(&in)));
	CHECK(out.n <= UPLOAD_NAME_MAX && out.n >= UPLOAD_NAME_MAX - 1);
	CHECK(str_is_utf8(buf_str(&out)));
	CHECK(memcmp(out.p + out.n - 7, ".tar.gz", 7) == 0);
	buf_done(&in);
	buf_done(&out);
}

TEST(names_without_an_ending_are_cut)
{
	struct buf in = BUF_INIT, out = BUF_INIT;

	for (int i = 0; i < 300; i++)
		buf_add_c(&in, "x");
	CHECK(upload_name_make(&out, buf_str(&in)));
	CHECK_INT(out.n, UPLOAD_NAME_MAX);
	buf_done(&in);
	buf_done(&out);
}

static const struct {
	const char *type;
	bool ok;
	const char *as; /* how it is served */
	bool is_inline;
} types[] = {
	{ "image/jpeg", true, "image/jpeg", true },
	{ "IMAGE/JPEG", true, "image/jpeg", true },
	{ "image/png; q=\"<script>\"", true, "image/png", true },
	{ "text/plain", true, "text/plain; charset=utf-8", true },
	{ "text/plain;charset=utf-7", true, "text/plain; charset=utf-8", true },
	{ "application/pdf", true, "application/pdf", false },
	{ "text/html", true, "application/octet-stream", false },
	{ "image/svg+xml", true, "application/octet-stream", false },
	{ "application/xhtml+xml", true, "application/octet-stream", false },
	{ "text/xml", true, "application/octet-stream", false },
	{ "text/javascript", true, "application/octet-stream", false },
	{ "application/x-shockwave-flash", true, "application/octet-stream",
		false },
	{ "multipart/x-mixed-replace", true, "application/octet-stream",
		false },
	{ "", false, "application/octet-stream", false },
	{ "image", false, "application/octet-stream", false },
	{ "image/", false, "application/octet-stream", false },
	{ "/png", false, "application/octet-stream", false },
	{ "image/png\r\nX: y", false, "application/octet-stream", false },
	{ "image /png", false, "application/octet-stream", false },
	{ "image/png/x", false, "application/octet-stream", false },
	{ "image/\xc3\xa8", false, "application/octet-stream", false },
};

TEST(types_are_served_as_what_cannot_run)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		struct upload_served as = upload_serve_as(str_c(types[i].type));

		TEST_CASE(types[i].type);
		CHECK_INT(upload_type_ok(str_c(types[i].type)), types[i].ok);
		CHECK_CSTR(as.type, types[i].as);
		CHECK_INT(as.is_inline, types[i].is_inline);
	}
	CHECK_CSTR(upload_serve_as(STR_NONE).type, "application/octet-stream");
}

static const struct {
	const char *a, *b;
	bool same;
} pairs[] = {
	{ "image/png", "image/png", true },
	{ "image/png", "Image/PNG", true },
	{ "text/plain; charset=utf-8", "text/plain;charset=UTF-8", true },
	{ "text/plain; charset=utf-8", "text/plain", false },
	{ "text/plain", "text/plain; charset=utf-8", false },
	{ "image/png", "image/jpeg", false },
	{ "image/png", "", false },
	{ "", "", true },
};

TEST(types_are_compared_as_headers_are)
{
	for (size_t i = 0; i < COUNT(pairs); i++) {
		TEST_CASE(pairs[i].a);
		CHECK_INT(upload_type_eq(str_c(pairs[i].a), str_c(pairs[i].b)),
			pairs[i].same);
	}
}

static const struct {
	bool is_inline;
	const char *name, *out;
} dispositions[] = {
	{ true, "a.png", "inline; filename=\"a.png\"; filename*=UTF-8''a.png" },
	{ false, "tr\xc3\xa8s cool.jpg",
		"attachment; filename=\"tr_s cool.jpg\"; "
		"filename*=UTF-8''tr%C3%A8s%20cool.jpg" },
	{ false, "a\"; x=\"b",
		"attachment; filename=\"a_; x=_b\"; "
		"filename*=UTF-8''a%22%3B%20x%3D%22b" },
	{ false, "100%.txt",
		"attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt" },
	{ false, "it's*",
		"attachment; filename=\"it's*\"; filename*=UTF-8''it%27s%2A" },
};

TEST(names_stand_in_headers_and_nothing_behind_them)
{
	for (size_t i = 0; i < COUNT(dispositions); i++) {
		struct buf out = BUF_INIT;

		TEST_CASE(dispositions[i].name);
		upload_disposition(&out, dispositions[i].is_inline,
			str_c(dispositions[i].name));
		CHECK_STR(buf_str(&out), dispositions[i].out);
		buf_done(&out);
	}
}

TEST_MAIN
