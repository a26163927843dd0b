/*
 * tls_dane.h - what signed records of the DNS say of the certificate of another
 * server: TLSA (RFC 6698, RFC 7671), found by way of SRV (RFC 7673).
 *
 * Whoever has asked the DNS fills one in for each place where a server may be, and
 * alone knows that it was signed; what that makes of a certificate, tls_peer.h tells.
 * What a zone says has bounds here: what is beyond them is left out, so that a
 * certificate may be refused for it, and never believed.
 */
#ifndef NET_TLS_DANE_H
#define NET_TLS_DANE_H

#include <stddef.h>
#include <stdint.h>

#define TLS_DANE_RECORDS_MAX 24
#define TLS_DANE_BYTES_MAX 16384
/* "_65535._tcp.", and a name of the DNS. */
#define TLS_DANE_AT_SIZE (256 + 16)

/* Counted; what is shared does not change. */
struct tls_dane;

enum tls_dane_verdict {
	TLS_DANE_NONE,  /* no record can be used: as if there were none */
	TLS_DANE_FITS,
	TLS_DANE_OTHER, /* records for other certificates: it is to be refused */
};

/* --- any thread -------------------------------------------------------------- */

/* at: where the records are, in the form of RFC 6698 §3; the name behind port and
 * transport is one that a certificate may be for, too (RFC 7673 §4.1), and so is also
 * (NULL: none).  A reference, of the caller. */
struct tls_dane *tls_dane_new(const char *at, const char *also);
struct tls_dane *tls_dane_ref(struct tls_dane *d);
void tls_dane_unref(struct tls_dane *d); /* NULL: nothing is done */
/* One record, whatever is in it, copied; *d, which nobody else has, may be another
 * one then. */
void tls_dane_add(struct tls_dane **d, uint8_t usage, uint8_t selector,
	uint8_t match, const uint8_t *data, size_t n);
/* Those that were added, and not left out. */
size_t tls_dane_count(const struct tls_dane *d);
const char *tls_dane_at(const struct tls_dane *d);
/* The name in it, and the other one that counts, or "". */
const char *tls_dane_target(const struct tls_dane *d);
const char *tls_dane_also(const struct tls_dane *d);

#endif
