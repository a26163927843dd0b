/*
 * http_text.c - segments of paths, queries and lists.
 *
 * Any thread; pure functions.
 */
#include "config.h"

#include "http/http_text.h"

#include "base/buf.h"
#include "http/http_int.h"

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 §2.1; what '+' stands for differs. */
static bool
decode(struct str in, char plus, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i] == '+' ? plus : in.p[i];

		if (c == '%') {
			int high = i + 2 < in.n ? digit_value(in.p[i + 1]) : -1;
			int low = i + 2 < in.n ? digit_value(in.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		buf_add(out, &c, 1);
	}
	return true;
}

/* Controls of ASCII, and those of Unicode behind U+007F. */
static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < s.n &&
			(unsigned char)s.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static bool
is_name(struct str s)
{
	return !str_is(s, ".") && !str_is(s, "..") && str_is_utf8(s) &&
		!has_control(s) &&
		(s.n == 0 ||
			(memchr(s.p, '/', s.n) == NULL &&
				memchr(s.p, '\\', s.n) == NULL));
}

bool
http_path_decode(struct str segment, struct buf *out)
{
	size_t before = out->n;

	if (decode(segment, '+', out) &&
		is_name((struct str){
			out->n != 0 ? out->p + before : "", out->n - before }))
		return true;
	out->n = before;
	return false;
}

void
http_path_encode(struct str text, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		char coded[3] = { '%', digits[c >> 4], digits[c & 15] };

		/* RFC 3986 §2.3 */
		if ((c >= '0' && c <= '9') ||
			((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' ||
			c == '.' || c == '_' || c == '~')
			buf_add(out, &text.p[i], 1);
		else
			buf_add(out, coded, sizeof(coded));
	}
}

bool
http_query_next(struct str *query, struct str *name_out, struct str *value_out)
{
	struct str item;

	do {
		if (query->n == 0)
			return false;
		if (!str_cut(*query, '&', &item, query))
			*query = STR_NONE;
	} while (item.n == 0);
	if (!str_cut(item, '=', name_out, value_out))
		*value_out = STR_NONE;
	return true;
}

bool
http_query_decode(struct str text, struct buf *out)
{
	size_t before = out->n;

	if (decode(text, ' ', out) &&
		str_is_utf8((struct str){
			out->n != 0 ? out->p + before : "", out->n - before }))
		return true;
	out->n = before;
	return false;
}

/* How much of list is its first item, as far as the comma. */
static size_t
item_end(struct str list)
{
	bool quoted = false;

	for (size_t i = 0; i < list.n; i++) {
		if (quoted && list.p[i] == '\\')
			i++;
		else if (list.p[i] == '"')
			quoted = !quoted;
		else if (list.p[i] == ',' && !quoted)
			return i;
	}
	return list.n;
}

bool
http_list_next(struct str *list, struct str *item_out)
{
	while (list->n != 0) {
		size_t n = item_end(*list);
		struct str item = str_trim((struct str){ list->p, n });

		n += n < list->n; /* the comma */
		*list = (struct str){ list->p + n, list->n - n };
		if (item.n != 0) {
			*item_out = item;
			return true;
		}
	}
	return false;
}

bool
http_list_has(struct str list, const char *token)
{
	struct str item;

	while (http_list_next(&list, &item)) {
		if (http_eq_lower(item, str_c(token)))
			return true;
	}
	return false;
}
