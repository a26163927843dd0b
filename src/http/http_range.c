/*
 * http_range.c - which part of what is asked for, and whether the asker has it:
 * ranges and entity tags.
 *
 * Any thread; pure functions.
 */
#include "config.h"

#include "http/http_int.h"
#include "http/http_text.h"

/* Digits, which may stand for more than there is; -1: none, or something else. */
static int64_t
read_position(struct str s)
{
	int64_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		n = n > INT64_MAX / 10 - 1 ? INT64_MAX / 10 :
					     n * 10 + (s.p[i] - '0');
	}
	return s.n != 0 ? n : -1;
}

/* RFC 9110 §14.1.2: "A-B", "A-", and "-N", the last N bytes. */
static enum http_ranged
read_bytes(struct str spec, int64_t size, int64_t *from_out, int64_t *n_out)
{
	struct str first, last;
	int64_t from, to;

	if (!str_cut(spec, '-', &first, &last))
		return HTTP_RANGE_ALL;
	from = read_position(first);
	to = read_position(last);
	if ((first.n != 0 && from < 0) || (last.n != 0 && to < 0) ||
		(first.n == 0 && last.n == 0) ||
		(first.n != 0 && last.n != 0 && to < from))
		return HTTP_RANGE_ALL; /* invalid: ignored (§14.2) */
	if (first.n == 0) {
		if (to == 0)
			return HTTP_RANGE_NONE;
		if (size == 0)
			return HTTP_RANGE_ALL; /* no Content-Range says that */
		from = to < size ? size - to : 0;
		to = size - 1;
	}
	if (from >= size)
		return HTTP_RANGE_NONE;
	if (last.n == 0 || to >= size)
		to = size - 1;
	*from_out = from;
	*n_out = to - from + 1;
	return HTTP_RANGE_PART;
}

enum http_ranged
http_range_read(struct str value, int64_t size, int64_t *from_out,
	int64_t *n_out)
{
	struct str unit, specs, one, more;

	*from_out = 0;
	*n_out = size;
	if (value.p == NULL || !str_cut(value, '=', &unit, &specs) ||
		!http_eq_lower(unit, STR("bytes")))
		return HTTP_RANGE_ALL;
	/* several could be made to overlap without end (§14.2) */
	if (!http_list_next(&specs, &one) || http_list_next(&specs, &more))
		return HTTP_RANGE_ALL;
	return read_bytes(one, size, from_out, n_out);
}

/* RFC 9110 §8.8.3: sets tag and weakness of what s is. */
static bool
read_tag(struct str s, struct str *opaque_out, bool *weak_out)
{
	*weak_out = str_starts(s, STR("W/"));
	if (*weak_out)
		s = (struct str){ s.p + 2, s.n - 2 };
	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return false;
	for (size_t i = 1; i + 1 < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c <= ' ' || c == 0x7f)
			return false;
	}
	*opaque_out = s;
	return true;
}

/* Takes one tag off *list.  Other than in other lists, no backslash quotes in it. */
static bool
take_tag(struct str *list, struct str *item_out)
{
	struct str item, s = str_trim(*list);
	size_t n = 0;

	while (s.n != 0 && s.p[0] == ',')
		s = str_trim((struct str){ s.p + 1, s.n - 1 });
	if (str_starts(s, STR("W/")))
		n = 2;
	if (n < s.n && s.p[n] == '"')
		n++;
	while (n < s.n && s.p[n] != '"')
		n++;
	if (n >= s.n)
		return false;
	item = (struct str){ s.p, n + 1 };
	s = str_trim((struct str){ s.p + n + 1, s.n - n - 1 });
	*item_out = item;
	*list = s;
	return s.n == 0 || s.p[0] == ',';
}

bool
http_etags_name(struct str list, struct str tag, bool strong)
{
	struct str ours, theirs, item;
	bool we_are_weak, is_weak;

	if (str_is(list, "*"))
		return true;
	if (!read_tag(tag, &ours, &we_are_weak) || (strong && we_are_weak))
		return false;
	while (take_tag(&list, &item) && read_tag(item, &theirs, &is_weak)) {
		if (str_eq(ours, theirs) && !(strong && is_weak))
			return true;
	}
	return false;
}
