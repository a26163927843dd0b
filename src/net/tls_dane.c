/*
 * tls_dane.c - records of TLSA, and whether a certificate is one that they are for.
 *
 * Any thread.  OpenSSL knows how to compare (usages, digests, the stronger of two,
 * chains that end in a key), but for a client that connects, and then it ends
 * handshakes.  So a session that never connects holds the records, for as long as a
 * certificate that was shown somewhere is verified; whichever side has shown it.
 *
 * Usage 3 goes by itself, as no name and no time counts for it (RFC 7671 §5.1); the
 * others want a name that counts, too (§10.2).
 */
#include "config.h"

#include "net/tls_dane.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/ref.h"
#include "base/text.h"
#include "net/net_int.h"

#define HEAD 5 /* usage, selector, matching type, two bytes of length */

struct tls_dane {
	struct ref refs;
	size_t n_records, n, n_also;
	char at[TLS_DANE_AT_SIZE];
	uint8_t bytes[]; /* n_also of them: another name that counts, with its NUL;
			  * then n: of each record its head, then its data */
};

/* --- records --------------------------------------------------------------------- */

struct tls_dane *
tls_dane_new(const char *at, const char *also)
{
	size_t n_also = also != NULL ? strlen(also) + 1 : 0;
	struct tls_dane *d = xcalloc(1, sizeof(*d) + n_also);

	ref_init(&d->refs);
	d->n_also = n_also;
	if (n_also != 0)
		memcpy(d->bytes, also, n_also);
	snprintf(d->at, sizeof(d->at), "%s", at);
	return d;
}

struct tls_dane *
tls_dane_ref(struct tls_dane *d)
{
	ref_take(&d->refs);
	return d;
}

void
tls_dane_unref(struct tls_dane *d)
{
	if (d != NULL && ref_drop(&d->refs))
		free(d);
}

void
tls_dane_add(struct tls_dane **d, uint8_t usage, uint8_t selector, uint8_t match,
	const uint8_t *data, size_t n)
{
	size_t had = (*d)->n, before = (*d)->n_also + had;
	uint8_t *p;

	if ((*d)->n_records == TLS_DANE_RECORDS_MAX ||
		n > TLS_DANE_BYTES_MAX - HEAD ||
		had > TLS_DANE_BYTES_MAX - HEAD - n)
		return;
	*d = xrealloc(*d, sizeof(**d) + before + HEAD + n);
	p = (*d)->bytes + before;
	p[0] = usage;
	p[1] = selector;
	p[2] = match;
	p[3] = (uint8_t)(n >> 8);
	p[4] = (uint8_t)(n & 0xff);
	if (n != 0)
		memcpy(p + HEAD, data, n);
	(*d)->n = had + HEAD + n;
	(*d)->n_records++;
}

size_t
tls_dane_count(const struct tls_dane *d)
{
	return d->n_records;
}

const char *
tls_dane_at(const struct tls_dane *d)
{
	return d->at;
}

const char *
tls_dane_target(const struct tls_dane *d)
{
	const char *dot = strchr(d->at, '.');

	dot = dot != NULL ? strchr(dot + 1, '.') : NULL;
	return dot != NULL ? dot + 1 : "";
}

const char *
tls_dane_also(const struct tls_dane *d)
{
	return d->n_also != 0 ? (const char *)d->bytes : "";
}

/* --- comparing ------------------------------------------------------------------- */

/* What a certificate is compared with: the records of usage 3, or the others. */
struct holder {
	SSL *ssl;
	size_t n; /* that can be used */
};

/* What OpenSSL does not take cannot be used (RFC 6698 §4.1): numbers that it does
 * not know, digests of another length, data that is no certificate or key. */
static void
holder_add(struct holder *h, const struct tls_dane *d, bool ee)
{
	const uint8_t *p = d->bytes + d->n_also, *end = p + d->n;

	while (p < end) {
		size_t n = (size_t)p[3] << 8 | p[4];

		if ((p[0] == 3) == ee &&
			SSL_dane_tlsa_add(h->ssl, p[0], p[1], p[2], p + HEAD,
				n) > 0)
			h->n++;
		p += HEAD + n;
	}
}

/* ctx may be NULL: nothing can be used then. */
static void
holder_init(struct holder *h, SSL_CTX *ctx, const struct tls_dane *d, bool ee)
{
	*h = (struct holder){ .ssl = ctx != NULL ? SSL_new(ctx) : NULL };
	/* no name: ours are compared by other rules */
	if (h->ssl != NULL && SSL_dane_enable(h->ssl, NULL) > 0)
		holder_add(h, d, ee);
	ERR_clear_error();
}

/* To make one is most of what a comparison costs: a tenth of a millisecond. */
static SSL_CTX *
holders_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_dane_enable(ctx) > 0)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* X509_V_... */
static int
holder_verify(const struct holder *h, const struct tls_dane_peer *peer)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int error = X509_V_ERR_OUT_OF_MEM;

	if (ctx != NULL &&
		X509_STORE_CTX_init(ctx, peer->store, peer->leaf,
			peer->chain) == 1) {
		tls_peer_tune(ctx, peer->now_s);
		X509_STORE_CTX_set0_dane(ctx, SSL_get0_dane(h->ssl));
		error = X509_verify_cert(ctx) == 1 ?
			X509_V_OK :
			X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return error;
}

/* The record that would be for it. */
static void
say_own(struct buf *out, X509 *leaf)
{
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
	unsigned size = 0;

	if (n > 0 &&
		EVP_Digest(der, (size_t)n, digest, &size, EVP_sha256(), NULL) ==
			1) {
		buf_add_c(out, ": this one would be 3 1 1 ");
		hex_encode(out, digest, size);
	}
	OPENSSL_free(der);
}

static void
say_other(struct buf *out, const struct tls_dane *d,
	const struct tls_dane_peer *peer, int error)
{
	buf_printf(out, "their TLSA record at %s is for ", d->at);
	switch (error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
		buf_printf(out,
			"an authority, and their certificate neither for this domain nor for %s%s%s",
			tls_dane_target(d), d->n_also != 0 ? " or " : "",
			tls_dane_also(d));
		break;
	case X509_V_ERR_DANE_NO_MATCH:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		buf_add_c(out, "another certificate");
		say_own(out, peer->leaf);
		break;
	default:
		buf_printf(out, "a certificate that is good by itself, too: %s",
			X509_verify_cert_error_string(error));
	}
}

enum tls_dane_verdict
tls_dane_judge(const struct tls_dane *d, const struct tls_dane_peer *peer,
	struct buf *why)
{
	int error = X509_V_ERR_DANE_NO_MATCH;
	SSL_CTX *ctx = holders_new();
	size_t n = 0;

	for (int ee = 1; ee >= 0 && error != X509_V_OK; ee--) {
		struct holder h;

		holder_init(&h, ctx, d, ee != 0);
		n += h.n;
		if (h.n != 0)
			error = ee == 0 && !peer->named ?
				X509_V_ERR_HOSTNAME_MISMATCH :
				holder_verify(&h, peer);
		SSL_free(h.ssl);
	}
	SSL_CTX_free(ctx);
	if (n == 0) {
		buf_printf(why, "no TLSA record at %s can be used", d->at);
		return TLS_DANE_NONE;
	}
	if (error == X509_V_OK) {
		buf_printf(why, "is the one that the TLSA record at %s is for",
			d->at);
		return TLS_DANE_FITS;
	}
	say_other(why, d, peer, error);
	return TLS_DANE_OTHER;
}
