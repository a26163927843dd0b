/*
 * ip_literal.c - which domains are addresses of IP.
 *
 * Any thread; pure functions.
 */
#include "config.h"

#include "xmpp/ip_literal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

size_t
ip_literal_read(struct str s, char out[IP_LITERAL_SIZE])
{
	char text[INET6_ADDRSTRLEN];
	bool brackets = s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']';

	if (brackets)
		s = (struct str){ s.p + 1, s.n - 2 };
	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET6, text, out) == 1)
		return sizeof(struct in6_addr);
	return !brackets && inet_pton(AF_INET, text, out) == 1 ?
		sizeof(struct in_addr) :
		0;
}

/* As inet_aton() reads a number: decimal and octal, or hexadecimal. */
static bool
is_number(struct str s)
{
	const char *digits = "0123456789";

	if (s.n > 1 && s.p[0] == '0' && (s.p[1] | 32) == 'x') {
		digits = "0123456789abcdefABCDEF";
		s = (struct str){ s.p + 2, s.n - 2 };
	}
	for (size_t i = 0; i < s.n; i++) {
		if (memchr(digits, s.p[i], strlen(digits)) == NULL)
			return false;
	}
	return true;
}

bool
ip_literal_is_like(struct str domain)
{
	struct str last;

	if (domain.n != 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	last = domain;
	for (size_t i = 0; i < domain.n; i++) {
		if (domain.p[i] == '.')
			last = (struct str){ domain.p + i + 1,
				domain.n - i - 1 };
	}
	return domain.n != 0 && (domain.p[0] == '[' || is_number(last));
}
