/*
 * proxy65_socks.c - reads SOCKS5 byte by byte, so that it does not matter how the
 * network has cut it.
 */
#include "config.h"

#include "proxy65_socks.h"

#include <string.h>

#define SOCKS_VERSION 5
#define NO_AUTHENTICATION 0
#define NO_ACCEPTABLE_METHOD 0xff
#define CONNECT 1
#define DOMAIN_NAME 3

/* A request: VER CMD RSV ATYP LEN NAME PORT */
#define NAME_AT 5
#define PORT_AT (NAME_AT + DIGEST_HEX)
#define REQUEST_BYTES (PORT_AT + 2)

void
proxy65_digest(struct str sid, struct jid from, struct jid to, uint8_t *out)
{
	struct buf text = BUF_INIT;
	uint8_t digest[SCRAM_DIGEST_MAX];

	buf_add(&text, sid.p, sid.n);
	buf_add(&text, from.text, from.len);
	buf_add(&text, to.text, to.len);
	scram_digest(SCRAM_SHA_1, buf_str(&text), digest);
	memcpy(out, digest, DIGEST_BYTES);
	buf_done(&text);
}

static void
socks_refuse(struct socks *s, enum socks_reply reply, struct buf *out)
{
	/* of one that was not read there is nothing to repeat: 0.0.0.0 */
	const char answer[] = { SOCKS_VERSION, (char)reply, 0, 1, 0, 0, 0, 0, 0, 0 };

	s->state = SOCKS_REFUSED;
	buf_add(out, answer, sizeof(answer));
}

/* RFC 1928 §3 */
static void
methods_end(struct socks *s, struct buf *out)
{
	const char answer[] = { SOCKS_VERSION,
		(char)(s->plain ? NO_AUTHENTICATION : NO_ACCEPTABLE_METHOD) };

	s->state = s->plain ? SOCKS_REQUEST : SOCKS_REFUSED;
	s->at = 0;
	buf_add(out, answer, sizeof(answer));
}

/* VER NMETHODS METHODS; whoever speaks something else gets no answer, for that
 * could mean anything to him. */
static void
methods_byte(struct socks *s, uint8_t byte, struct buf *out)
{
	if (s->at == 0 && byte != SOCKS_VERSION) {
		s->state = SOCKS_REFUSED;
	} else if (s->at == 1) {
		s->methods = byte;
		s->at++;
		if (byte == 0)
			methods_end(s, out);
	} else if (s->at == 0) {
		s->at++;
	} else {
		s->plain = s->plain || byte == NO_AUTHENTICATION;
		if (--s->methods == 0)
			methods_end(s, out);
	}
}

/* -1: it is none. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static void
name_byte(struct socks *s, uint8_t byte, struct buf *out)
{
	int digit = hex_digit((char)byte), at = s->at - NAME_AT;

	s->name[at] = (char)byte;
	if (digit == -1)
		socks_refuse(s, SOCKS_NOT_ALLOWED, out);
	else
		s->digest[at / 2] = (uint8_t)(s->digest[at / 2] << 4 | digit);
}

/* RFC 1928 §4.  The port is 0, and nothing depends on that (XEP-0065 §10.1). */
static void
request_byte(struct socks *s, uint8_t byte, struct buf *out)
{
	if ((s->at == 0 && byte != SOCKS_VERSION) || (s->at == 2 && byte != 0))
		socks_refuse(s, SOCKS_FAILURE, out);
	else if (s->at == 1 && byte != CONNECT)
		socks_refuse(s, SOCKS_NO_COMMAND, out);
	else if (s->at == 3 && byte != DOMAIN_NAME)
		socks_refuse(s, SOCKS_NO_ADDRESS_TYPE, out);
	else if (s->at == 4 && byte != DIGEST_HEX)
		socks_refuse(s, SOCKS_NOT_ALLOWED, out);
	else if (s->at >= PORT_AT)
		s->port[s->at - PORT_AT] = byte;
	else if (s->at >= NAME_AT)
		name_byte(s, byte, out);
	if (s->state == SOCKS_REQUEST && ++s->at == REQUEST_BYTES)
		s->state = SOCKS_DONE;
}

size_t
socks_feed(struct socks *s, const char *p, size_t n, struct buf *out)
{
	size_t i = 0;

	while (i < n && s->state < SOCKS_DONE) {
		if (s->state == SOCKS_METHODS)
			methods_byte(s, (uint8_t)p[i++], out);
		else
			request_byte(s, (uint8_t)p[i++], out);
	}
	return i;
}

void
socks_reply(const struct socks *s, enum socks_reply reply, struct buf *out)
{
	const char head[NAME_AT] = { SOCKS_VERSION, (char)reply, 0, DOMAIN_NAME,
		DIGEST_HEX };

	buf_add(out, head, sizeof(head));
	buf_add(out, s->name, sizeof(s->name));
	buf_add(out, s->port, sizeof(s->port));
}
