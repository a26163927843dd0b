/*
 * upload_text.c - names and types of files.
 *
 * Pure.  Invariant: what comes out of here can stand in a header, and in a path, as
 * it is.
 */
#include "config.h"

#include "upload_text.h"

#include <string.h>
#include <strings.h>

/* What is kept of the end of a name that is too long. */
#define ENDING_MAX 32

/* --- names ------------------------------------------------------------------------ */

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* No more than n bytes from the start, and no part of a letter (RFC 3629 §3). */
static size_t
letters_within(struct str s, size_t n)
{
	if (s.n <= n)
		return s.n;
	while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* ".tar.gz": from the first dot of the last ENDING_MAX bytes on. */
static struct str
ending_of(struct str name)
{
	size_t from = name.n > ENDING_MAX ? name.n - ENDING_MAX : 0;
	const char *dot = memchr(name.p + from, '.', name.n - from);

	if (dot == NULL)
		return STR("");
	return (struct str){ dot, name.n - (size_t)(dot - name.p) };
}

/* How many bytes s begins with that stand in no name: a slash, a control (U+0000 to
 * U+001F, U+007F to U+009F), the end of a line (U+2028, U+2029), or what shows letters
 * in another order than they have (U+202A to U+202E, U+2066 to U+2069), as to make
 * "gpj.exe" look like "exe.jpg". */
static size_t
unwanted(struct str s)
{
	unsigned char c[3] = { 0 };

	memcpy(c, s.p, MIN(s.n, sizeof(c)));
	if (c[0] == '/' || c[0] == '\\' || is_control(c[0]))
		return 1;
	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
		return 2;
	if (c[0] == 0xe2 &&
		((c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) ||
			(c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)))
		return 3;
	return 0;
}

/* How long it is then. */
static size_t
name_clean(char *p, size_t n)
{
	size_t out = 0, skip;

	for (size_t i = 0; i < n; i += MAX(skip, 1)) {
		skip = unwanted((struct str){ p + i, n - i });
		p[out++] = skip != 0 ? '_' : p[i];
	}
	if ((out == 1 && p[0] == '.') ||
		(out == 2 && p[0] == '.' && p[1] == '.'))
		memset(p, '_', out);
	return out;
}

bool
upload_name_make(struct buf *out, struct str name)
{
	size_t at = out->n;
	struct str ending;

	if (name.n == 0)
		return false;
	if (name.n <= UPLOAD_NAME_MAX) {
		buf_add_str(out, name);
	} else {
		ending = ending_of(name);
		buf_add(out, name.p,
			letters_within(name, UPLOAD_NAME_MAX - ending.n));
		buf_add_str(out, ending);
	}
	out->n = at + name_clean(out->p + at, out->n - at);
	return true;
}

/* --- types -------------------------------------------------------------------------- */

/* RFC 9110 §5.6.2 */
static bool
is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') ||
		(c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_token_char(s.p[i]))
			return false;
	return s.n != 0;
}

/* Of what is behind the first ';' no more is asked than that it is one line. */
static bool
is_line(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
			return false;
	return true;
}

/* Without parameters. */
static struct str
essence_of(struct str type)
{
	struct str essence, rest;

	str_cut(type, ';', &essence, &rest);
	return str_trim(essence);
}

bool
upload_type_ok(struct str type)
{
	struct str main, sub;

	return type.n <= UPLOAD_TYPE_MAX && is_line(type) &&
		str_cut(essence_of(type), '/', &main, &sub) && is_token(main) &&
		is_token(sub);
}

static bool
eq_in_any_case(struct str a, struct str b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

bool
upload_type_eq(struct str a, struct str b)
{
	struct str a_part, b_part;
	bool a_more = true, b_more = true;

	while (a_more && b_more) {
		a_more = str_cut(a, ';', &a_part, &a);
		b_more = str_cut(b, ';', &b_part, &b);
		if (!eq_in_any_case(str_trim(a_part), str_trim(b_part)))
			return false;
	}
	return a_more == b_more;
}

/*
 * What browsers show without running anything of it: pictures but for SVG, sound,
 * films, plain text; the rest of the list is saved.  Whatever else comes is saved
 * as bytes.
 */
static const struct upload_served served_types[] = {
	{ "application/gzip", false },
	{ "application/ogg", false },
	{ "application/pdf", false },
	{ "application/zip", false },
	{ "audio/3gpp", true },
	{ "audio/aac", true },
	{ "audio/amr", true },
	{ "audio/flac", true },
	{ "audio/m4a", true },
	{ "audio/mp4", true },
	{ "audio/mpeg", true },
	{ "audio/ogg", true },
	{ "audio/opus", true },
	{ "audio/wav", true },
	{ "audio/webm", true },
	{ "audio/x-m4a", true },
	{ "audio/x-wav", true },
	{ "image/apng", true },
	{ "image/avif", true },
	{ "image/bmp", true },
	{ "image/gif", true },
	{ "image/heic", true },
	{ "image/heif", true },
	{ "image/jpeg", true },
	{ "image/jxl", true },
	{ "image/png", true },
	{ "image/tiff", true },
	{ "image/webp", true },
	{ "text/plain", true },
	{ "video/3gpp", true },
	{ "video/mp4", true },
	{ "video/mpeg", true },
	{ "video/ogg", true },
	{ "video/quicktime", true },
	{ "video/webm", true },
	{ "video/x-matroska", true },
};

#define TEXT_AS "text/plain; charset=utf-8"

struct upload_served
upload_serve_as(struct str type)
{
	static const struct upload_served bytes = { "application/octet-stream",
		false };
	struct str essence = essence_of(type);

	for (size_t i = 0; i < COUNT(served_types); i++) {
		if (!eq_in_any_case(essence, str_c(served_types[i].type)))
			continue;
		/* the rest is left to nobody's guess */
		if (str_is(str_c(served_types[i].type), "text/plain"))
			return (struct upload_served){ TEXT_AS, true };
		return served_types[i];
	}
	return bytes;
}

/* --- Content-Disposition --------------------------------------------------------------- */

/* For those who do not know filename*: letters that need no quoting (RFC 6266
 * §D). */
static void
plain_name_add(struct buf *out, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if ((c & 0xc0) == 0x80)
			continue; /* goes with the letter before */
		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '%')
			c = '_';
		buf_add(out, &c, 1);
	}
}

/* RFC 8187 §3.2.1: attr-char stays as it is. */
static void
encoded_name_add(struct buf *out, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (is_token_char(c) && strchr("*'%", c) == NULL)
			buf_add(out, &c, 1);
		else
			buf_printf(out, "%%%02X", (unsigned char)c);
	}
}

void
upload_disposition(struct buf *out, bool is_inline, struct str name)
{
	buf_add_c(out, is_inline ? "inline; filename=\"" :
				   "attachment; filename=\"");
	plain_name_add(out, name);
	buf_add_c(out, "\"; filename*=UTF-8''");
	encoded_name_add(out, name);
}
