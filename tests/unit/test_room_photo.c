/*
 * test_room_photo.c - which pictures a vCard may have, and what they hash to.
 */
#include "config.h"

#include "../../modules/muc/room_photo.h"

#include "test.h"

#define MORE "\0\0\0\0\0\0\0\0"

static const struct {
	const char *what;
	struct str data;
	bool ok;
} pictures[] = {
	{ "PNG", STR("\x89PNG\r\n\x1a\n" MORE), true },
	{ "JPEG", STR("\xff\xd8\xff\xe0" MORE), true },
	{ "GIF", STR("GIF89a" MORE), true },
	{ "an older GIF", STR("GIF87a" MORE), true },
	{ "WebP", STR("RIFF\x10\0\0\0WEBPVP8 "), true },
	{ "AVIF", STR("\0\0\0\x1c" "ftypavif" MORE), true },
	{ "SVG", STR("<svg xmlns='http://www.w3.org/2000/svg'/>"), true },
	{ "SVG behind a declaration",
		STR("\xef\xbb\xbf<?xml version='1.0'?>\n<!-- -->\n<svg/>"), true },
	{ "nothing", STR(""), false },
	{ "text", STR("svg"), false },
	{ "HTML", STR("<html><body/></html>"), false },
	{ "a program", STR("\x7f" "ELF" MORE), false },
	{ "half of what PNG begins with", STR("\x89PNG"), false },
};

static void
add_photo(struct arena *a, struct elem *card, struct str text)
{
	struct elem *photo = elem_add(a, card, NS_VCARD, "PHOTO");

	elem_add_with_text(a, photo, NS_VCARD, "TYPE", STR("image/png"));
	elem_add_with_text(a, photo, NS_VCARD, "BINVAL", text);
}

static bool
hashes_of(struct buf *out, const struct str *texts, size_t n)
{
	struct arena *a = arena_new();
	struct elem *card = elem_new(a, NS_VCARD, "vCard");
	const char *why;
	bool ok;

	for (size_t i = 0; i < n; i++)
		add_photo(a, card, texts[i]);
	ok = photo_hashes(out, a, card, &why);
	CHECK_INT(why != NULL, !ok);
	arena_free(a);
	return ok;
}

TEST(what_is_a_picture_its_first_bytes_say)
{
	for (size_t i = 0; i < COUNT(pictures); i++) {
		struct buf text = BUF_INIT, out = BUF_INIT;
		struct str one;

		base64_encode(&text, pictures[i].data.p, pictures[i].data.n);
		one = buf_str(&text);
		TEST_CASE(pictures[i].what);
		CHECK_INT(hashes_of(&out, &one, 1), pictures[i].ok);
		CHECK_INT(out.n, pictures[i].ok ? 40 : 0);
		buf_done(&out);
		buf_done(&text);
	}
}

/* Example 3 and 10 of XEP-0486, and white space in it (XEP-0153 §4.6, 5). */
TEST(its_hash_is_that_of_the_bytes)
{
	static const struct str texts[] = {
		STR("PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRo"
		    "PSIzMiIgaGVpZ2h0PSIzMiI+CiA8cmVjdCB4PSIwIiB5PSIwIiB3aWR0aD0i"
		    "MzIiIGhlaWdodD0iMzIiIGZpbGw9InJlZCIvPgo8L3N2Zz4K"),
		STR("\n PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRo\r\n"
		    "\tPSIzMiIgaGVpZ2h0PSIzMiI+CiA8cmVjdCB4PSIwIiB5PSIwIiB3aWR0aD0i\n"
		    "MzIiIGhlaWdodD0iMzIiIGZpbGw9InJlZCIvPgo8L3N2Zz4K "),
	};
	struct buf out = BUF_INIT;

	CHECK(hashes_of(&out, texts, 2));
	CHECK_STR(buf_str(&out),
		"a31c4bd04de69663cfd7f424a8453f4674da37ff "
		"a31c4bd04de69663cfd7f424a8453f4674da37ff");
	buf_done(&out);
}

TEST(what_is_no_base64_or_too_many_is_refused)
{
	static const struct str bad[] = { STR("R0lGODlh="), STR("R0lGODl!"),
		STR("%"), STR("R0lGODlhAA") };
	struct str many[PHOTOS_MAX + 1];
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK(!hashes_of(&out, &bad[i], 1));
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = STR("R0lGODlh");
	CHECK(hashes_of(&out, many, PHOTOS_MAX));
	CHECK_INT(out.n, PHOTOS_MAX * 41 - 1);
	CHECK(!hashes_of(&out, many, PHOTOS_MAX + 1));
	buf_done(&out);
}

TEST_MAIN
