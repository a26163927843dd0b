/*
 * room_photo.c - the pictures in a vCard.
 *
 * What a picture is, its own first bytes say, as clients have to go by these, and not by
 * <TYPE/> (XEP-0153 §5).
 */
#include "config.h"

#include "room_photo.h"

#define SHA_1_BYTES 20
#define SVG_WITHIN 1024

/* PNG, JPEG, GIF, WebP, and those in boxes (AVIF, HEIF). */
static const struct {
	size_t at;
	struct str magic;
} pictures[] = {
	{ 0, { "\x89PNG\r\n\x1a\n", 8 } },
	{ 0, { "\xff\xd8\xff", 3 } },
	{ 0, { "GIF87a", 6 } },
	{ 0, { "GIF89a", 6 } },
	{ 8, { "WEBP", 4 } },
	{ 4, { "ftyp", 4 } },
};

static bool
has_at(struct str data, size_t at, struct str what)
{
	return data.n >= at &&
		str_starts((struct str){ data.p + at, data.n - at }, what);
}

/* Text, that says so soon: behind a declaration, or comments. */
static bool
is_svg(struct str data)
{
	size_t i = 0;

	while (i < data.n && strchr(" \t\r\n\xef\xbb\xbf", data.p[i]) != NULL)
		i++;
	if (!has_at(data, i, STR("<")))
		return false;
	for (; i < MIN(data.n, SVG_WITHIN); i++) {
		if (has_at(data, i, STR("<svg")))
			return true;
	}
	return false;
}

static bool
is_picture(struct str data)
{
	for (size_t i = 0; i < COUNT(pictures); i++) {
		if (has_at(data, pictures[i].at, pictures[i].magic))
			return true;
	}
	return is_svg(data);
}

/* White space is to be ignored (XEP-0153 §4.6, 5). */
static bool
decode(struct buf *out, struct str text)
{
	struct buf tight = BUF_INIT;
	bool ok;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\0' || strchr(" \t\r\n", text.p[i]) == NULL)
			buf_add(&tight, &text.p[i], 1);
	}
	ok = base64_decode(out, buf_str(&tight));
	buf_done(&tight);
	return ok;
}

static const char *
add_hash(struct buf *out, struct str binval)
{
	uint8_t digest[SCRAM_DIGEST_MAX];
	struct buf data = BUF_INIT;
	const char *why = NULL;

	if (!decode(&data, binval)) {
		why = "A picture is no base64";
	} else if (!is_picture(buf_str(&data))) {
		why = "A picture is none that clients know";
	} else {
		if (out->n != 0)
			buf_add(out, " ", 1);
		scram_digest(SCRAM_SHA_1, buf_str(&data), digest);
		hex_encode(out, digest, SHA_1_BYTES);
	}
	buf_done(&data);
	return why;
}

bool
photo_hashes(struct buf *out, struct arena *a, const struct elem *card,
	const char **why_out)
{
	size_t n = 0;

	*why_out = NULL;
	elem_each_child(card, photo) {
		const struct elem *binval =
			elem_child(photo, NS_VCARD, "BINVAL");

		if (!elem_is(photo, NS_VCARD, "PHOTO") || binval == NULL)
			continue;
		*why_out = ++n > PHOTOS_MAX ? "There are too many pictures" :
					      add_hash(out, elem_text(a, binval));
		if (*why_out != NULL)
			return false;
	}
	return true;
}
