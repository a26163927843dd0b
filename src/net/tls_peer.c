/*
 * tls_peer.c - judges the certificate of another server, and says why in words
 * that an administrator can act on.
 *
 * Owner shard of the connection.  What the certificate says is text of a stranger:
 * it is cut, and shown in printable bytes.
 */
#include "config.h"

#include "net/tls_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/net_int.h"

/* Authorities between a server and the one that we trust, and beyond. */
#define DEPTH_MAX 8
/* RSA with 2048 bits, no SHA-1: of 112 bits of security, as OpenSSL counts. */
#define SECURITY_LEVEL 2
#define NAME_SHOWN 64

/* What the judgement of a chain has found. */
struct finding {
	X509 *leaf;
	int64_t now_s;
	int error;	/* X509_V_... */
	int depth;	/* of the certificate that is wrong: 0 is the leaf */
	X509 *culprit;	/* borrowed; may be NULL */
};

/* --- words ------------------------------------------------------------------------- */

/* "R11", or the organisation where there is no CN. */
static void
say_name(struct buf *out, const X509_NAME *name)
{
	static const int kinds[] = { NID_commonName, NID_organizationName };
	unsigned char *text = NULL;
	int n = -1;

	for (size_t i = 0; i < COUNT(kinds) && n <= 0; i++) {
		int at = X509_NAME_get_index_by_NID(name, kinds[i], -1);

		if (at >= 0)
			n = ASN1_STRING_to_UTF8(&text,
				X509_NAME_ENTRY_get_data(
					X509_NAME_get_entry(name, at)));
	}
	buf_printf(out, "\"%.*s\"", MIN(MAX(n, 0), NAME_SHOWN),
		n > 0 ? (const char *)text : "");
	OPENSSL_free(text);
}

static void
say_day(struct buf *out, const ASN1_TIME *t)
{
	char text[32] = "?";
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) == 1)
		strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	buf_add_c(out, text);
}

static void
say_names(struct buf *out, X509 *leaf, const GENERAL_NAMES *names)
{
	buf_add_c(out, "is for ");
	if (tls_names_list(names, out))
		return;
	buf_add_c(out, "no domain, as nothing counts but subjectAltName; its CN is ");
	say_name(out, X509_get_subject_name(leaf));
}

static void
say_time(struct buf *out, const struct finding *f)
{
	time_t now = (time_t)f->now_s;
	const ASN1_TIME *from = X509_get0_notBefore(f->leaf);
	const ASN1_TIME *to = X509_get0_notAfter(f->leaf);
	bool early = X509_cmp_time(from, &now) > 0;

	if (early)
		buf_add_c(out, ", not valid before ");
	else if (X509_cmp_time(to, &now) < 0)
		buf_add_c(out, ", has expired on ");
	else
		buf_add_c(out, ", valid until ");
	say_day(out, early ? from : to);
}

static void
say_culprit(struct buf *out, const struct finding *f)
{
	if (f->depth <= 0 || f->culprit == NULL)
		return;
	buf_add_c(out, " (the certificate of ");
	say_name(out, X509_get_subject_name(f->culprit));
	buf_add_c(out, ")");
}

static void
say_error(struct buf *out, const struct finding *f)
{
	switch (f->error) {
	case X509_V_OK:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		buf_add_c(out, ", and in the end by ");
		say_name(out, X509_get_issuer_name(
			f->culprit != NULL ? f->culprit : f->leaf));
		buf_add_c(out, ", whom we do not trust");
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		if (f->depth > 0 && f->culprit != NULL) {
			buf_add_c(out, ", and in the end by ");
			say_name(out, X509_get_issuer_name(f->culprit));
		}
		buf_add_c(out,
			", whom we do not know: is an intermediate certificate missing there, or an authority here?");
		return;
	default:
		buf_printf(out, ": %s", X509_verify_cert_error_string(f->error));
		say_culprit(out, f);
	}
}

static void
say_chain(struct buf *out, const struct finding *f)
{
	if ((X509_get_extension_flags(f->leaf) & EXFLAG_SS) != 0) {
		buf_add_c(out, ", signed by itself");
	} else {
		buf_add_c(out, ", signed by ");
		say_name(out, X509_get_issuer_name(f->leaf));
	}
	say_error(out, f);
}

/* Names in a certificate may have any bytes. */
static void
words_take(char *out, size_t size, struct buf *words)
{
	snprintf(out, size, "%s", buf_c(words));
	buf_done(words);
	for (char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
}

/* --- judging ------------------------------------------------------------------------ */

void
tls_peer_tune(X509_STORE_CTX *ctx, int64_t now_s)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

	X509_STORE_CTX_set_default(ctx, "ssl_server");
	X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
	X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
}

/* Of an authority that revokes, what is in its list is untrusted, too. */
static void
chain_verify(struct finding *f, const struct tls_trust *trust,
	STACK_OF(X509) *chain)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	f->error = X509_V_ERR_OUT_OF_MEM;
	if (ctx == NULL || X509_STORE_CTX_init(ctx, tls_trust_store(trust),
				   f->leaf, chain) != 1)
		goto out;
	tls_peer_tune(ctx, f->now_s);
	if (X509_verify_cert(ctx) == 1) {
		f->error = X509_V_OK;
	} else {
		f->error = X509_STORE_CTX_get_error(ctx);
		f->depth = X509_STORE_CTX_get_error_depth(ctx);
		/* it lives on in chain, or in trust */
		f->culprit = X509_STORE_CTX_get_current_cert(ctx);
	}
out:
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
}

/* A name of the DNS; "": none. */
static bool
names_match_host(const GENERAL_NAMES *names, const char *host)
{
	return *host != '\0' &&
		tls_names_match(names, str_c(host), host, TLS_SRV_SERVER);
}

static bool
names_match(const GENERAL_NAMES *names, struct str domain, const char *ascii,
	const struct tls_dane *d)
{
	return tls_names_match(names, domain, ascii, TLS_SRV_SERVER) ||
		(d != NULL && (names_match_host(names, tls_dane_target(d)) ||
			names_match_host(names, tls_dane_also(d))));
}

static bool
leaf_names(X509 *leaf, struct str domain, const struct tls_dane *d,
	struct buf *words)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(
		leaf, NID_subject_alt_name, NULL, NULL);
	char *ascii = tls_names_ascii(domain);
	bool matches = names_match(names, domain, ascii, d);

	say_names(words, leaf, names);
	if (!matches)
		buf_printf(words, ", not for %.*s", 2 * NAME_SHOWN, ascii);
	free(ascii);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return matches;
}

static void
peer_judge_dane(struct tls_judgement *out, const struct tls_dane *d,
	const struct finding *f, STACK_OF(X509) *chain,
	const struct tls_trust *trust)
{
	struct buf words = BUF_INIT;

	if (d == NULL || tls_dane_count(d) == 0)
		return;
	out->dane = tls_dane_judge(d,
		&(struct tls_dane_peer){ f->leaf, chain, tls_trust_store(trust),
			f->now_s, out->matches },
		&words);
	words_take(out->dane_why, sizeof(out->dane_why), &words);
}

void
tls_peer_judge_at(const struct conn *c, const struct tls_trust *trust,
	struct str domain, const struct tls_dane *d, int64_t now_s,
	struct tls_judgement *out)
{
	const SSL *ssl = conn_ssl(c);
	struct finding f = { .now_s = now_s };
	struct buf words = BUF_INIT;
	STACK_OF(X509) *chain;

	*out = (struct tls_judgement){ .worth = TLS_NO_CERTIFICATE };
	if (ssl != NULL && conn_is_secure(c))
		f.leaf = SSL_get0_peer_certificate(ssl);
	if (f.leaf == NULL) {
		snprintf(out->why, sizeof(out->why), "none was shown");
		return;
	}
	chain = SSL_get_peer_cert_chain(ssl);
	out->matches = leaf_names(f.leaf, domain, d, &words);
	say_time(&words, &f);
	chain_verify(&f, trust, chain);
	say_chain(&words, &f);
	words_take(out->why, sizeof(out->why), &words);
	out->worth = f.error != X509_V_OK ? TLS_UNTRUSTED :
		!out->matches	      ? TLS_OTHER_NAME :
					TLS_TRUSTED;
	peer_judge_dane(out, d, &f, chain, trust);
}

void
tls_peer_judge(const struct conn *c, const struct tls_trust *trust,
	struct str domain, int64_t now_s, struct tls_judgement *out)
{
	tls_peer_judge_at(c, trust, domain, NULL, now_s, out);
}
