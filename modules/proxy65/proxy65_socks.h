/*
 * proxy65_socks.h - the server's half of SOCKS5 (RFC 1928), as far as bytestreams
 * need it (XEP-0065 §5.3.2, §10.2): no authentication, CONNECT, and a name that is
 * the digest of a transfer.
 *
 *	METHODS --a list with 0--> 05 00 --> REQUEST --CONNECT to a digest--> DONE
 *	   `--anything else--> REFUSED <--anything else--'
 *
 * Pure functions.  What a peer can make us keep is the digest and nothing else.
 */
#ifndef MODULES_PROXY65_PROXY65_SOCKS_H
#define MODULES_PROXY65_PROXY65_SOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "module/module.h"

#define DIGEST_BYTES 20 /* SHA-1 */
#define DIGEST_HEX (2 * DIGEST_BYTES)

enum socks_state { SOCKS_METHODS, SOCKS_REQUEST, SOCKS_DONE, SOCKS_REFUSED };

/* RFC 1928 §6 */
enum socks_reply {
	SOCKS_OK = 0,
	SOCKS_FAILURE = 1,
	SOCKS_NOT_ALLOWED = 2,
	SOCKS_NO_COMMAND = 7,
	SOCKS_NO_ADDRESS_TYPE = 8,
};

/* Of a transfer, by which all ends know it: SHA1(sid + initiator + target), of
 * addresses that are prepared (XEP-0065 §6.3.2). */
void proxy65_digest(struct str sid, struct jid from, struct jid to,
	uint8_t *out);

/* Zeroed, it waits for the first byte. */
struct socks {
	uint8_t state;    /* enum socks_state */
	uint8_t methods;  /* that are still to come */
	bool plain;       /* none at all is among them */
	uint16_t at;      /* bytes of this message that have come */
	char name[DIGEST_HEX]; /* as the peer has written it */
	uint8_t port[2];
	uint8_t digest[DIGEST_BYTES]; /* DONE: what that says */
};

/*
 * Takes at most n bytes, and appends to out what is to be answered; how many were
 * taken: all, unless it is DONE or REFUSED.  DONE is answered by socks_reply(), when
 * it is known how; REFUSED has been, and the connection is to be closed.
 */
size_t socks_feed(struct socks *s, const char *p, size_t n, struct buf *out);
/* RFC 1928 §6, with the name and port of the request (XEP-0065 §6.3.2). */
void socks_reply(const struct socks *s, enum socks_reply reply, struct buf *out);

#endif
