/*
 * http_target.c - which resource a request is for: the forms of targets (RFC 9112
 * §3.2), and hosts (RFC 9110 §4.2, §7.2).
 *
 * Pure; called by http_head.c.
 */
#include "config.h"

#include "base/mem.h"
#include "xmpp/ip_literal.h"
#include "http/http_int.h"
#include "http/http_text.h"

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* pchar, '/' and '?' (RFC 3986 §3.3, §3.4); what follows a '%', http_text.c sees. */
static bool
is_path_or_query(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) &&
			memchr("/-._~!$&'()*+,;=:@%?", s.p[i], 20) == NULL)
			return false;
	}
	return true;
}

/* Can each segment of path, and the query, be decoded? */
static bool
can_be_decoded(struct str path, struct str query)
{
	struct buf scratch = BUF_INIT;
	struct str segment;
	bool ok = true, more = true;

	while (ok && more) {
		more = str_cut(path, '/', &segment, &path);
		if (segment.n != 0 &&
			(segment.p[0] == '.' ||
				memchr(segment.p, '%', segment.n) != NULL))
			ok = http_path_decode(segment, &scratch);
		scratch.n = 0;
	}
	if (ok && query.n != 0 && memchr(query.p, '%', query.n) != NULL)
		ok = http_query_decode(query, &scratch);
	buf_done(&scratch);
	return ok;
}

/* Takes scheme and authority off an absolute form. */
static bool
take_authority(struct str *target, struct str *authority_out)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < COUNT(schemes); i++) {
		size_t n = strlen(schemes[i]);
		struct str rest;

		if (target->n < n ||
			!http_eq_lower((struct str){ target->p, n },
				str_c(schemes[i])))
			continue;
		rest = (struct str){ target->p + n, target->n - n };
		for (n = 0; n < rest.n; n++) {
			if (rest.p[n] == '/' || rest.p[n] == '?')
				break;
		}
		*authority_out = (struct str){ rest.p, n };
		*target = (struct str){ rest.p + n, rest.n - n };
		return true;
	}
	return false;
}

bool
http_target_read(struct http_head *h, struct str *authority_out,
	struct http_bad *bad)
{
	struct str target = h->target;
	bool absolute;

	*authority_out = h->query = STR_NONE;
	h->path = STR("*");
	if (str_is(target, "*"))
		return h->method == HTTP_METHOD_OPTIONS ||
			http_refuse(bad, 400, "a target for OPTIONS alone");
	absolute = take_authority(&target, authority_out);
	/* RFC 9112 §3.2.4 */
	if (absolute && target.n == 0 && h->method == HTTP_METHOD_OPTIONS)
		return true;
	if (!absolute && target.p[0] != '/')
		return http_refuse(bad, 400, "not a target");
	if (!is_path_or_query(target))
		return http_refuse(bad, 400, "what no target holds");
	if (!str_cut(target, '?', &h->path, &h->query))
		h->query = STR_NONE;
	if (h->path.n == 0)
		h->path = STR("/"); /* RFC 9110 §4.2.3 */
	if (!can_be_decoded(h->path, h->query))
		return http_refuse(bad, 400, "a path that is no path");
	return true;
}

/* Takes the host off an authority, brackets and all; what is left is empty or begins
 * with a colon. */
static struct str
take_host(struct str *authority)
{
	struct str host = *authority;
	const char *end;

	if (host.n != 0 && host.p[0] == '[')
		end = memchr(host.p, ']', host.n);
	else
		end = memchr(host.p, ':', host.n);
	if (end != NULL)
		host.n = (size_t)(end - host.p) + (*end == ']');
	*authority = (struct str){ host.p + host.n, authority->n - host.n };
	return host;
}

/* RFC 3986 §3.2.3: a port may be empty. */
static bool
is_port(struct str s)
{
	long long port;

	if (s.n == 0)
		return true;
	s = (struct str){ s.p + 1, s.n - 1 };
	return s.n == 0 ||
		(s.p[0] != '-' && s.n <= 5 && str_to_int(s, 0, 65535, &port));
}

/* Labels that are not empty, of what names in the DNS are made of.  RFC 3986 §3.2.2
 * would take more, but no name that we serve has it. */
static bool
is_name(struct str s)
{
	char last = '.';

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!is_alnum(c) && c != '-' && c != '_' &&
			(c != '.' || last == '.'))
			return false;
		last = c;
	}
	return last != '.';
}

bool
http_host_read(struct str authority, char *room, struct str *host_out)
{
	struct str rest = authority, host = take_host(&rest);
	char address[IP_LITERAL_SIZE];

	if (!is_port(rest) || (rest.n != 0 && rest.p[0] != ':'))
		return false;
	if (host.n != 0 && host.p[0] == '[') {
		if (ip_literal_read(host, address) == 0)
			return false;
	} else {
		if (host.n != 0 && host.p[host.n - 1] == '.')
			host.n--;
		if (!is_name(host))
			return false;
	}
	if (host.n > HTTP_HOST_MAX)
		return false;
	memcpy(room, host.p, host.n);
	http_lower(room, host.n);
	*host_out = (struct str){ room, host.n };
	return true;
}
