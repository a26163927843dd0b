/*
 * http_forwarded.c - for whom a proxy asks: X-Forwarded-For.
 *
 * Any thread; pure functions.  Invariant: what an untrusted peer has written is never
 * believed further left than by one address, which is what the trusted proxy has seen
 * him come from.
 */
#include "config.h"

#include "xmpp/ip_literal.h"
#include "http/http_parse.h"
#include "http/http_text.h"

/* Takes the last item off *list, trimmed. */
static bool
take_last(struct str *list, struct str *item_out)
{
	size_t n = list->n;

	if (list->p == NULL)
		return false;
	while (n != 0 && list->p[n - 1] != ',')
		n--;
	*item_out = str_trim((struct str){ list->p + n, list->n - n });
	*list = n == 0 ? STR_NONE : (struct str){ list->p, n - 1 };
	return true;
}

/* "192.0.2.1", "2001:db8::1", also in brackets, and with a port where these tell it
 * from the address. */
static bool
read_address(struct str s, struct str *address_out)
{
	char bytes[IP_LITERAL_SIZE];
	const char *end = NULL;
	struct str host, port;
	long long n;

	if (s.n != 0 && s.p[0] == '[')
		end = memchr(s.p, ']', s.n);
	else if (s.n != 0 && str_cut(s, ':', &host, &port) &&
		memchr(port.p, ':', port.n) == NULL)
		end = port.p - 2;
	if (end != NULL) {
		host = (struct str){ s.p, (size_t)(end - s.p) + 1 };
		port = (struct str){ end + 1, s.n - host.n };
		if (port.n != 0 &&
			(port.p[0] != ':' || port.n == 1 ||
				!str_to_int((struct str){ port.p + 1,
						    port.n - 1 },
					0, 65535, &n)))
			return false;
		s = host;
	}
	if (ip_literal_read(s, bytes) == 0)
		return false;
	if (s.p[0] == '[')
		s = (struct str){ s.p + 1, s.n - 2 };
	*address_out = s;
	return true;
}

/* Goes on to the left.  False: this is where it ends. */
static bool
walk(struct str list, http_trusts *trusts, void *arg, struct str *client_io)
{
	struct str item, address;

	while (take_last(&list, &item)) {
		if (!read_address(item, &address))
			return false;
		*client_io = address;
		if (!trusts(arg, address))
			return false;
	}
	return true;
}

struct str
http_forwarded_for(const struct http_head *head, http_trusts *trusts, void *arg)
{
	struct str client = STR_NONE;

	/* the last header is the nearest */
	for (size_t i = head->n_headers; i > 0; i--) {
		const struct http_header *h = &head->headers[i - 1];

		if (str_is(h->name, "x-forwarded-for") &&
			!walk(h->value, trusts, arg, &client))
			break;
	}
	return client;
}
