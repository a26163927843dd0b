/*
 * proxy_protocol.c - headers of the PROXY protocol.
 *
 * Any thread; pure functions.  Nothing of a header is looked at beyond what tells
 * how long it is before all of it is there (§2.1, §2.2).
 */
#include "config.h"

#include "net/proxy_protocol.h"

#include "base/err.h"
#include "base/mem.h"

/* --- version 1: a line ------------------------------------------------------- */

#define LINE_BEGIN "PROXY "
/* With CR and LF (§2.1). */
#define LINE_MAX_BYTES 107

static enum proxy_got
bad(struct err *err, const char *why)
{
	err_set(err, ERR_INVALID, "%s", why);
	return PROXY_BAD;
}

/* No zero in front, which could be octal. */
static bool
port_read(struct str s, uint16_t *out)
{
	long long n;

	if (s.n == 0 || s.n > 5 || s.p[0] < '0' || s.p[0] > '9' ||
		(s.p[0] == '0' && s.n > 1) || !str_to_int(s, 0, UINT16_MAX, &n))
		return false;
	*out = (uint16_t)n;
	return true;
}

/* ip_read() would take an IPv4 address for the IPv6 one that stands for it. */
static bool
address_read(struct str s, bool is_ipv6, struct ip *out)
{
	bool has_colon = s.n != 0 && memchr(s.p, ':', s.n) != NULL;

	return has_colon == is_ipv6 && ip_read(s, out);
}

/* "TCP4 192.0.2.1 192.0.2.9 40000 5222" */
static bool
line_read(struct str line, struct proxy_header *out)
{
	struct str proto = line, word[3], last = STR_NONE;
	struct ip to;
	uint16_t port;
	bool is_ipv6;

	out->told = PROXY_SOMEBODY;
	if (!str_cut(line, ' ', &proto, &last))
		return str_is(line, "UNKNOWN");
	if (str_is(proto, "UNKNOWN"))
		return true; /* whatever follows */
	for (size_t i = 0; i < COUNT(word); i++)
		if (!str_cut(last, ' ', &word[i], &last))
			return false;
	is_ipv6 = str_is(proto, "TCP6");
	out->told = PROXY_ADDRESS;
	return (is_ipv6 || str_is(proto, "TCP4")) &&
		address_read(word[0], is_ipv6, &out->ip) &&
		address_read(word[1], is_ipv6, &to) &&
		port_read(word[2], &out->port) && port_read(last, &port);
}

static enum proxy_got
v1_read(struct str bytes, struct proxy_header *out, struct err *err)
{
	struct proxy_header h = { .n = 0 };
	size_t begin = strlen(LINE_BEGIN), i = begin;

	while (i < bytes.n && i < LINE_MAX_BYTES && bytes.p[i] >= ' ' &&
		bytes.p[i] <= '~')
		i++;
	if (i >= LINE_MAX_BYTES - 1)
		return bad(err, "the line of the PROXY protocol does not end");
	if (bytes.n < i + 1 || (bytes.p[i] == '\r' && bytes.n == i + 1))
		return PROXY_MORE;
	if (bytes.p[i] != '\r' || bytes.p[i + 1] != '\n')
		return bad(err,
			"the line of the PROXY protocol does not end with CR and LF");
	if (!line_read((struct str){ bytes.p + begin, i - begin }, &h))
		return bad(err, "that is no line of the PROXY protocol");
	h.n = i + 2;
	*out = h;
	return PROXY_DONE;
}

/* --- version 2 ---------------------------------------------------------------- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define HEAD_BYTES 16

enum { COMMAND_LOCAL, COMMAND_PROXY };
enum { FAMILY_UNSPEC, FAMILY_IPV4, FAMILY_IPV6, FAMILY_UNIX };
enum { TRANSPORT_UNSPEC, TRANSPORT_STREAM, TRANSPORT_DGRAM };
enum { TYPE_CRC32C = 0x03, TYPE_SSL = 0x20 };
#define CLIENT_SSL 0x01
#define CRC_BYTES 4

static unsigned
byte_at(struct str s, size_t i)
{
	return (unsigned char)s.p[i];
}

static unsigned
two_at(struct str s, size_t i)
{
	return byte_at(s, i) << 8 | byte_at(s, i + 1);
}

/* CRC32c (RFC 4960, Appendix B) of s, in which the four bytes at are zero. */
static uint32_t
crc32c(struct str s, size_t at)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < s.n; i++) {
		if (i < at || i >= at + CRC_BYTES)
			crc ^= byte_at(s, i);
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static bool
crc_fits(struct str header, size_t at)
{
	uint32_t told = (uint32_t)two_at(header, at) << 16 |
		two_at(header, at + 2);

	return told == crc32c(header, at);
}

/* What stands behind the addresses (§2.2), each with its length; what is not known
 * is passed over.  False: it is broken. */
static bool
extras_read(struct str header, size_t at, struct proxy_header *out)
{
	size_t crc_at = 0;

	while (at < header.n) {
		unsigned type = byte_at(header, at);
		size_t n, value = at + 3;

		if (header.n < value)
			return false;
		n = two_at(header, at + 1);
		if (n > header.n - value)
			return false;
		if (type == TYPE_CRC32C) {
			if (n != CRC_BYTES || crc_at != 0)
				return false;
			crc_at = value;
		} else if (type == TYPE_SSL) {
			if (n < 5)
				return false;
			out->plain = (byte_at(header, value) & CLIENT_SSL) == 0;
		}
		at = value + n;
	}
	return crc_at == 0 || crc_fits(header, crc_at);
}

/* Of one behalf of whom it connects. */
static bool
v2_addresses(struct str header, struct proxy_header *out)
{
	static const size_t sizes[] = { [FAMILY_UNSPEC] = 0,
		[FAMILY_IPV4] = 12, [FAMILY_IPV6] = 36, [FAMILY_UNIX] = 216 };
	unsigned family = byte_at(header, 13) >> 4;
	unsigned transport = byte_at(header, 13) & 0xf;
	size_t n = family == FAMILY_IPV4 ? 4 : 16;

	out->told = PROXY_SOMEBODY;
	if (family == FAMILY_UNSPEC || transport == TRANSPORT_UNSPEC)
		return true; /* what follows is of a form that nobody knows */
	if (header.n - HEAD_BYTES < sizes[family])
		return false;
	if (family != FAMILY_UNIX) {
		out->told = PROXY_ADDRESS;
		out->ip = ip_of(header.p + HEAD_BYTES, n);
		out->port = (uint16_t)two_at(header, HEAD_BYTES + 2 * n);
	}
	return extras_read(header, HEAD_BYTES + sizes[family], out);
}

static enum proxy_got
v2_read(struct str bytes, struct proxy_header *out, struct err *err)
{
	struct proxy_header h = { .told = PROXY_ITSELF };
	unsigned command = bytes.n > 12 ? byte_at(bytes, 12) & 0xf : 0;

	if (bytes.n > 12 && (byte_at(bytes, 12) >> 4 != 2 ||
				    command > COMMAND_PROXY))
		return bad(err,
			"that version, or command, of the PROXY protocol is not known");
	if (bytes.n > 13 && (byte_at(bytes, 13) >> 4 > FAMILY_UNIX ||
				    (byte_at(bytes, 13) & 0xf) >
					    TRANSPORT_DGRAM))
		return bad(err,
			"that kind of addresses of the PROXY protocol is not known");
	if (bytes.n < HEAD_BYTES)
		return PROXY_MORE;
	h.n = HEAD_BYTES + two_at(bytes, 14);
	if (h.n > PROXY_HEADER_MAX)
		return bad(err, "the header of the PROXY protocol is too long");
	if (bytes.n < h.n)
		return PROXY_MORE;
	if (command == COMMAND_PROXY &&
		!v2_addresses((struct str){ bytes.p, h.n }, &h))
		return bad(err,
			"the header of the PROXY protocol is broken, or its checksum wrong");
	*out = h;
	return PROXY_DONE;
}

/* --- either -------------------------------------------------------------------- */

/* As far as both go. */
static bool
begins(struct str bytes, struct str with)
{
	bytes.n = with.n = MIN(bytes.n, with.n);
	return str_eq(bytes, with);
}

enum proxy_got
proxy_header_read(struct str bytes, struct proxy_header *out, struct err *err)
{
	static const struct str line = { LINE_BEGIN, sizeof(LINE_BEGIN) - 1 };
	static const struct str signature = { SIGNATURE, sizeof(SIGNATURE) - 1 };

	if (bytes.n == 0)
		return PROXY_MORE;
	if (begins(bytes, line))
		return bytes.n < line.n ? PROXY_MORE : v1_read(bytes, out, err);
	if (begins(bytes, signature))
		return v2_read(bytes, out, err);
	return bad(err, "that is not the PROXY protocol");
}
