/*
 * http_line.c - lines of requests: where they end, and what may stand in them
 * (RFC 9112 §2.2, §3, §5).
 *
 * Pure; called by http_parse.c.  Invariant: what a line is depends on its bytes
 * alone, never on how they were cut.
 */
#include "config.h"

#include "base/mem.h"
#include "http/http_int.h"

/* RFC 9110 §5.6.2. */
static bool
is_token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
		(c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* What ends a run of plain bytes: controls but for tabs. */
static bool
is_control(unsigned char c)
{
	return (c < ' ' && c != '\t') || c == 0x7f;
}

static size_t
plain_run(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && !is_control((unsigned char)p[i]))
		i++;
	return i;
}

static void
take(struct buf *b, struct str *in, size_t n)
{
	buf_add(b, in->p, n);
	*in = (struct str){ in->p + n, in->n - n };
}

enum http_lined
http_line_gather(struct buf *b, size_t line_at, size_t max, struct str *in)
{
	while (b->n - line_at < max) {
		size_t n = MIN(in->n, max - (b->n - line_at));

		if (n == 0)
			return HTTP_LINE_MORE;
		if (b->n > line_at && b->p[b->n - 1] == '\r') {
			if (in->p[0] != '\n')
				return HTTP_LINE_BAD;
			take(b, in, 1);
			return HTTP_LINE_WHOLE;
		}
		n = plain_run(in->p, n);
		if (n == 0 && in->p[0] != '\r')
			return HTTP_LINE_BAD;
		/* with the CR that ends the run, if it is one within the bound */
		if (n < in->n && in->p[n] == '\r' && b->n - line_at + n < max)
			n++;
		take(b, in, n);
	}
	return HTTP_LINE_LONG;
}

bool
http_is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_token_char((unsigned char)s.p[i]))
			return false;
	}
	return s.n != 0;
}

void
http_lower(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] += 'a' - 'A';
	}
}

bool
http_eq_lower(struct str a, struct str lower)
{
	if (a.n != lower.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		char c = a.p[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c != lower.p[i])
			return false;
	}
	return true;
}

/* OWS (RFC 9110 §5.6.3); CR and LF do not come here. */
bool
http_line_field(struct str line, struct http_field *field_out,
	struct http_bad *bad)
{
	struct str name, value;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return http_refuse(bad, 400, "a folded header");
	if (!str_cut(line, ':', &name, &value))
		return http_refuse(bad, 400, "a header without a colon");
	if (!http_is_token(name))
		return http_refuse(bad, 400, "a name that no header has");
	value = str_trim(value);
	*field_out = (struct http_field){
		.name_n = (uint32_t)name.n,
		.value = value.n == 0 ? (uint32_t)line.n :
					(uint32_t)(value.p - line.p),
		.value_n = (uint32_t)value.n,
	};
	return true;
}

/* "HTTP/1.1" or "HTTP/1.0" (RFC 9112 §2.3).  A higher minor version should be taken
 * for 1.1 (RFC 9110 §2.5), but there is none, and the other reader refuses it. */
static bool
read_version(struct str text, struct http_head *h, struct http_bad *bad)
{
	if (text.n != 8 || !str_starts(text, STR("HTTP/")) ||
		text.p[5] < '0' || text.p[5] > '9' || text.p[6] != '.' ||
		text.p[7] < '0' || text.p[7] > '9')
		return http_refuse(bad, 400, "not a version of HTTP");
	if (text.p[5] != '1' || text.p[7] > '1')
		return http_refuse(bad, 505, "neither HTTP/1.1 nor HTTP/1.0");
	h->minor = text.p[7] - '0';
	return true;
}

/* In the order of enum http_method. */
static const char *const methods[HTTP_METHODS] = { "GET", "HEAD", "POST", "PUT",
	"DELETE", "OPTIONS" };

static bool
read_method(struct http_head *h, struct http_bad *bad)
{
	for (size_t i = 0; i < HTTP_METHODS; i++) {
		if (str_is(h->method_text, methods[i])) {
			h->method = (enum http_method)i;
			return true;
		}
	}
	return http_refuse(bad, 501, "a method that we do not have");
}

bool
http_line_request(struct str line, size_t target_max, struct http_head *h,
	struct http_bad *bad)
{
	struct str rest, version;

	/* one space each (RFC 9112 §3); no other white space in between */
	if (!str_cut(line, ' ', &h->method_text, &rest) ||
		!http_is_token(h->method_text))
		return http_refuse(bad, 400, "not a request line");
	if (h->method_text.n > HTTP_METHOD_MAX)
		return http_refuse(bad, 501, "a method that is too long");
	if (!str_cut(rest, ' ', &h->target, &version) || h->target.n == 0)
		return http_refuse(bad, 400, "not a request line");
	if (!read_version(version, h, bad) || !read_method(h, bad))
		return false;
	return h->target.n <= target_max ||
		http_refuse(bad, 414, "the target is too long");
}

bool
http_line_request_long(struct str line, struct http_bad *bad)
{
	size_t n = 0;

	while (n < line.n && is_token_char((unsigned char)line.p[n]))
		n++;
	if (n > HTTP_METHOD_MAX)
		return http_refuse(bad, 501, "a method that is too long");
	if (n == 0 || (n < line.n && line.p[n] != ' '))
		return http_refuse(bad, 400, "not a request line");
	return http_refuse(bad, 414, "the target is too long");
}
