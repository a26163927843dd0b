/*
 * http_chunk.c - what frames a body that comes in chunks (RFC 9112 §7.1), and what
 * may be said beside it.
 *
 * Pure; called by http_parse.c.
 */
#include "config.h"

#include "base/mem.h"
#include "http/http_int.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes off *s what a token has. */
static struct str
take_token(struct str *s)
{
	struct str token = { s->p, 0 };

	while (token.n < s->n &&
		http_is_token((struct str){ s->p + token.n, 1 }))
		token.n++;
	*s = (struct str){ s->p + token.n, s->n - token.n };
	return token;
}

static bool
take_char(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = (struct str){ s->p + 1, s->n - 1 };
	return true;
}

/* RFC 9110 §5.6.4; the first quote has been taken. */
static bool
take_quoted(struct str *s)
{
	while (s->n != 0) {
		if (take_char(s, '"'))
			return true;
		if (take_char(s, '\\') && s->n == 0)
			return false;
		*s = (struct str){ s->p + 1, s->n - 1 };
	}
	return false;
}

/* RFC 9112 §7.1.1, without the white space that it calls bad. */
static bool
are_extensions(struct str s)
{
	while (s.n != 0) {
		if (!take_char(&s, ';') || take_token(&s).n == 0)
			return false;
		if (!take_char(&s, '='))
			continue;
		if (take_char(&s, '"') ? !take_quoted(&s) :
					 take_token(&s).n == 0)
			return false;
	}
	return true;
}

bool
http_chunk_line(struct http_chunks *c, struct str line, struct str *size_out,
	struct http_bad *bad)
{
	uint64_t size = 0;
	size_t n = 0;

	for (int digit; n < line.n && (digit = hex_value(line.p[n])) >= 0; n++) {
		if (size > INT64_MAX >> 4)
			return http_refuse(bad, 413, "a chunk without bounds");
		size = size << 4 | (unsigned)digit;
	}
	if (n == 0)
		return http_refuse(bad, 400, "not the size of a chunk");
	if (!are_extensions((struct str){ line.p + n, line.n - n }))
		return http_refuse(bad, 400, "not an extension of a chunk");
	c->extension_bytes += line.n - n;
	if (c->extension_bytes > HTTP_EXTENSIONS_MAX)
		return http_refuse(bad, 413, "too many extensions of chunks");
	c->left = (int64_t)size;
	*size_out = (struct str){ line.p, n };
	return true;
}

bool
http_chunk_trailer(struct http_chunks *c, struct str line,
	const struct http_bounds *bounds, struct http_bad *bad)
{
	/* RFC 9110 §6.5.1: what says how a message is framed or routed */
	static const char *const never[] = { "content-length", "host",
		"transfer-encoding" };
	struct http_field field;

	if (!http_line_field(line, &field, bad))
		return false;
	if (++c->n_trailers > bounds->headers)
		return http_refuse(bad, 431, "too many trailers");
	for (size_t i = 0; i < COUNT(never); i++) {
		if (http_eq_lower((struct str){ line.p, field.name_n },
			    str_c(never[i])))
			return http_refuse(bad, 400, "not a trailer");
	}
	return true;
}
