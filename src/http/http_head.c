/*
 * http_head.c - what the headers of a request mean: for which host it is, how long
 * its body is, and what becomes of the connection.
 *
 * Pure; called by http_parse.c.  Invariant: where there are two ways to tell the end
 * of a request, it is refused (RFC 9112 §6.3).
 */
#include "config.h"

#include "http/http_int.h"
#include "http/http_text.h"

struct str
http_head_find(const struct http_head *head, const char *name)
{
	const struct http_header *h = http_head_next(head, name, NULL);

	return h != NULL ? h->value : STR_NONE;
}

const struct http_header *
http_head_next(const struct http_head *head, const char *name,
	const struct http_header *prev)
{
	size_t i = prev != NULL ? (size_t)(prev - head->headers) + 1 : 0;

	for (; i < head->n_headers; i++) {
		if (str_is(head->headers[i].name, name))
			return &head->headers[i];
	}
	return NULL;
}

/* False: there is more than one.  Absent: there is none. */
static bool
find_single(const struct http_head *h, const char *name, struct str *value_out)
{
	const struct http_header *first = http_head_next(h, name, NULL);

	*value_out = first != NULL ? first->value : STR_NONE;
	return first == NULL || http_head_next(h, name, first) == NULL;
}

/* Is token in any header of that name, all of which make one list? */
static bool
has_token(const struct http_head *h, const char *name, const char *token)
{
	const struct http_header *each = NULL;

	while ((each = http_head_next(h, name, each)) != NULL) {
		if (http_list_has(each->value, token))
			return true;
	}
	return false;
}

/* RFC 9112 §3.2: with HTTP/1.1 there is one, whatever the target says; what the
 * target says counts for more (§3.2.2). */
static bool
read_host(struct http_head *h, struct str authority, char *room,
	struct http_bad *bad)
{
	struct str value;

	h->host = STR_NONE;
	if (!find_single(h, "host", &value))
		return http_refuse(bad, 400, "more than one Host");
	if (value.p == NULL && h->minor > 0)
		return http_refuse(bad, 400, "no Host");
	if (value.p != NULL && !http_host_read(value, room, &h->host))
		return http_refuse(bad, 400, "not a Host");
	if (authority.p != NULL && !http_host_read(authority, room, &h->host))
		return http_refuse(bad, 400, "not a host in the target");
	return true;
}

/* RFC 9110 §8.6: digits, and nothing else. */
static bool
read_length(struct http_head *h, struct str value, struct http_bad *bad)
{
	int64_t n = 0;

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return http_refuse(bad, 400, "not a Content-Length");
	}
	if (value.n == 0)
		return http_refuse(bad, 400, "not a Content-Length");
	for (size_t i = 0; i < value.n; i++) {
		int digit = value.p[i] - '0';

		if (n > (INT64_MAX - digit) / 10)
			return http_refuse(bad, 413, "a body without bounds");
		n = n * 10 + digit;
	}
	h->content_length = n;
	return true;
}

/* RFC 9112 §6.1, §6.3: `chunked' alone; codings before it are well-formed, but none
 * of ours. */
static bool
read_codings(struct http_head *h, struct str value, struct http_bad *bad)
{
	struct str item = STR_NONE, rest = value;
	size_t n = 0, n_chunked = 0;
	bool last_is_chunked = false;

	while (http_list_next(&rest, &item)) {
		last_is_chunked = http_eq_lower(item, STR("chunked"));
		n_chunked += last_is_chunked;
		n++;
	}
	if (h->minor == 0)
		return http_refuse(bad, 400, "a coding in HTTP/1.0");
	if (!last_is_chunked || n_chunked > 1)
		return http_refuse(bad, 400, "a body without an end");
	if (n > 1)
		return http_refuse(bad, 501, "a coding that we do not have");
	if (value.n != sizeof("chunked") - 1)
		return http_refuse(bad, 400, "not a Transfer-Encoding");
	h->chunked = true;
	return true;
}

static bool
read_framing(struct http_head *h, struct http_bad *bad)
{
	struct str length, codings;

	h->content_length = -1;
	h->chunked = false;
	if (!find_single(h, "content-length", &length))
		return http_refuse(bad, 400, "more than one Content-Length");
	if (!find_single(h, "transfer-encoding", &codings))
		return http_refuse(bad, 400, "more than one Transfer-Encoding");
	if (length.p != NULL && codings.p != NULL)
		return http_refuse(bad, 400, "two lengths of one body");
	if (length.p != NULL && !read_length(h, length, bad))
		return false;
	return codings.p == NULL || read_codings(h, codings, bad);
}

static bool
has_body(const struct http_head *h)
{
	return h->chunked || h->content_length > 0;
}

/* RFC 9110 §8.4.1: we decode nothing, so that nothing grows while it is decoded. */
static bool
check_content_coding(const struct http_head *h, struct http_bad *bad)
{
	const struct http_header *each = NULL;

	if (!has_body(h))
		return true;
	while ((each = http_head_next(h, "content-encoding", each)) != NULL) {
		if (!http_eq_lower(each->value, STR("identity")))
			return http_refuse(bad, 415, "an encoded body");
	}
	return true;
}

/* RFC 9110 §10.1.1. */
static bool
read_expect(struct http_head *h, struct http_bad *bad)
{
	const struct http_header *each = NULL;

	h->expect_continue = false;
	while ((each = http_head_next(h, "expect", each)) != NULL) {
		if (!http_eq_lower(each->value, STR("100-continue")))
			return http_refuse(bad, 417, "an expectation that we do not have");
		h->expect_continue = h->minor > 0 && has_body(h);
	}
	return true;
}

/* RFC 9112 §9.3; RFC 9110 §7.8: nothing is upgraded from HTTP/1.0. */
static void
read_connection(struct http_head *h)
{
	bool closes = has_token(h, "connection", "close");

	h->keep_alive = !closes &&
		(h->minor > 0 || has_token(h, "connection", "keep-alive"));
	h->upgrade = STR_NONE;
	if (h->minor > 0 && has_token(h, "connection", "upgrade"))
		h->upgrade = http_head_find(h, "upgrade");
}

bool
http_head_read(struct http_head *h, char *host_room, struct http_bad *bad)
{
	struct str authority;

	if (!http_target_read(h, &authority, bad) ||
		!read_host(h, authority, host_room, bad) ||
		!read_framing(h, bad) || !check_content_coding(h, bad) ||
		!read_expect(h, bad))
		return false;
	read_connection(h);
	return true;
}
