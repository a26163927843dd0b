/*
 * stream_recognise.c - whose a stream is, from its first bytes: the default namespace
 * of its header (RFC 6120 §4.8.2).
 *
 * Pure functions.  This reads no XML: it looks for one attribute in what the parser of
 * the stream will read again, and judge.  So it may be wrong about what that refuses,
 * and nothing comes of it but another reason.
 */
#include "config.h"

#include "stream/stream.h"

#include "base/mem.h"

#define BOM STR("\xef\xbb\xbf")
#define DECLARATION STR("<?")
#define DECLARATION_END STR("?>")

/* --- pieces of text; each is what is left of in ----------------------------------- */

static struct str
skip(struct str in, size_t n)
{
	return (struct str){ in.p + n, in.n - n };
}

static struct str
skip_blanks(struct str in)
{
	size_t n = 0;

	while (n < in.n && strchr(" \t\r\n", in.p[n]) != NULL &&
		in.p[n] != '\0')
		n++;
	return skip(in, n);
}

/* Behind the first text; false: it is not there. */
static bool
skip_to(struct str *in_io, struct str text)
{
	struct str in = *in_io;

	while (in.n >= text.n && !str_starts(in, text))
		in = skip(in, 1);
	if (in.n < text.n)
		return false;
	*in_io = skip(in, text.n);
	return true;
}

static struct str
skip_name(struct str in)
{
	size_t n = 0;

	while (n < in.n && strchr(" \t\r\n=/>'\"", in.p[n]) == NULL)
		n++;
	return skip(in, n);
}

/* --- the header --------------------------------------------------------------------- */

/* in: behind the name of the element, or an attribute.  False: it is no attribute with
 * a value; *more_out: or not yet. */
static bool
next_attribute(struct str *in_io, struct str *name_out, struct str *value_out,
	bool *more_out)
{
	struct str in = skip_blanks(*in_io), rest = skip_name(in);
	const char *end;

	*name_out = (struct str){ in.p, in.n - rest.n };
	*more_out = rest.n == 0;
	in = skip_blanks(rest);
	if (name_out->n == 0 || in.n == 0 || in.p[0] != '=') {
		*more_out = *more_out || in.n == 0;
		return false;
	}
	in = skip_blanks(skip(in, 1));
	*more_out = in.n == 0;
	if (in.n == 0 || (in.p[0] != '\'' && in.p[0] != '"'))
		return false;
	end = memchr(in.p + 1, in.p[0], in.n - 1);
	*more_out = end == NULL;
	if (end == NULL)
		return false;
	*value_out = (struct str){ in.p + 1, (size_t)(end - in.p) - 1 };
	*in_io = skip(in, value_out->n + 2);
	return true;
}

/* in: behind the first <, not yet known to have an end. */
static enum listen_verdict
judge_header(struct str ns, struct str in)
{
	struct str name, value;
	bool more;

	in = skip_name(in);
	while (next_attribute(&in, &name, &value, &more))
		if (str_is(name, "xmlns"))
			return str_eq(value, ns) ? LISTEN_MINE :
						   LISTEN_NOT_MINE;
	return more ? LISTEN_MORE : LISTEN_NOT_MINE;
}

enum listen_verdict
stream_recognise(struct str ns, struct str in)
{
	if (in.n < BOM.n && str_starts(BOM, in))
		return LISTEN_MORE;
	if (str_starts(in, BOM))
		in = skip(in, BOM.n);
	in = skip_blanks(in);
	if (in.n < DECLARATION.n)
		return in.n == 0 || in.p[0] == '<' ? LISTEN_MORE :
						     LISTEN_NOT_MINE;
	if (str_starts(in, DECLARATION)) {
		if (!skip_to(&in, DECLARATION_END))
			return LISTEN_MORE;
		in = skip_blanks(in);
	}
	if (in.n == 0)
		return LISTEN_MORE;
	return in.p[0] == '<' ? judge_header(ns, skip(in, 1)) : LISTEN_NOT_MINE;
}
