/*
 * certs.h - certificates for tests, made on the spot: no file in the tree that
 * could expire.
 */
#ifndef TESTS_UNIT_CERTS_H
#define TESTS_UNIT_CERTS_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/str.h"

/* One subjectAltName. */
struct cert_name {
	enum { CERT_DNS = 1, CERT_XMPP, CERT_XMPP_IA5, CERT_SRV, CERT_IP } kind;
	struct str value;
};

struct cert_want {
	const char *cn;
	struct cert_name names[6];
	int from_days;	  /* relative to now */
	int to_days;	  /* 0: 90 */
	const char *hash; /* of the signature; NULL: SHA256 */
	bool ed25519;
	int rsa_bits;	  /* 0: no RSA */
	bool ca;
	const char *purpose; /* "serverAuth", ...; NULL: any */
	int more_names;	  /* dNSNames 0.more.example, 1.more.example, ... */
};

struct cert {
	X509 *x509;
	EVP_PKEY *key;
};

/* Signed by ca, or by itself when ca is NULL. */
void cert_make(
	struct cert *cert, const struct cert_want *want, const struct cert *ca);
void cert_done(struct cert *cert);
/* Writes certificate and key, PEM, one file. */
void cert_write(const struct cert *cert, const char *path);
/* A list of what ca has revoked: that one. */
void cert_append_revoked(const struct cert *ca, const struct cert *revoked,
	const char *path);
/* Behind what is there: the certificate alone. */
void cert_append(const struct cert *cert, const char *path);

/* A temporary folder, gone with what is in it after certs_dir_done(). */
struct certs_dir {
	char path[64];
};
void certs_dir_init(struct certs_dir *dir);
void certs_dir_done(struct certs_dir *dir);
/* path_out has room for 128 bytes. */
void certs_dir_file(
	const struct certs_dir *dir, const char *name, char *path_out);

#endif
