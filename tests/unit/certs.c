/*
 * certs.c - certificates for tests.
 *
 * What fails here is a mistake of the test: it aborts.
 */
#include "config.h"

#include "certs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define NEED(expr)                                                             \
	do {                                                                   \
		if (!(expr)) {                                                 \
			fprintf(stderr, "certs.c: failed: %s\n", #expr);       \
			abort();                                               \
		}                                                              \
	} while (0)

#define DAY_S (24L * 60 * 60)

static ASN1_STRING *
cert_string(int type, struct str value)
{
	ASN1_STRING *s = ASN1_STRING_type_new(type);

	NEED(s != NULL && ASN1_STRING_set(s, value.p, (int)value.n) == 1);
	return s;
}

static void
cert_other_name(GENERAL_NAME *name, const char *oid, int type, struct str value)
{
	ASN1_TYPE *any = ASN1_TYPE_new();

	NEED(any != NULL);
	ASN1_TYPE_set(any, type, cert_string(type, value));
	NEED(GENERAL_NAME_set0_othername(name, OBJ_txt2obj(oid, 1), any) == 1);
}

static void
cert_add_names(X509 *x509, const struct cert_name *names, int more)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
	char text[32];

	for (int i = 0; i < more; i++) {
		GENERAL_NAME *name = GENERAL_NAME_new();

		snprintf(text, sizeof(text), "%d.more.example", i);
		GENERAL_NAME_set0_value(name, GEN_DNS,
			cert_string(V_ASN1_IA5STRING, str_c(text)));
		NEED(sk_GENERAL_NAME_push(list, name) > 0);
	}

	for (; names->kind != 0; names++) {
		GENERAL_NAME *name = GENERAL_NAME_new();

		switch (names->kind) {
		case CERT_DNS:
			GENERAL_NAME_set0_value(name, GEN_DNS,
				cert_string(V_ASN1_IA5STRING, names->value));
			break;
		case CERT_XMPP:
			cert_other_name(name, "1.3.6.1.5.5.7.8.5",
				V_ASN1_UTF8STRING, names->value);
			break;
		case CERT_XMPP_IA5:
			cert_other_name(name, "1.3.6.1.5.5.7.8.5",
				V_ASN1_IA5STRING, names->value);
			break;
		case CERT_IP:
			GENERAL_NAME_set0_value(name, GEN_IPADD,
				cert_string(V_ASN1_OCTET_STRING, names->value));
			break;
		case CERT_SRV:
			cert_other_name(name, "1.3.6.1.5.5.7.8.7",
				V_ASN1_IA5STRING, names->value);
			break;
		}
		NEED(sk_GENERAL_NAME_push(list, name) > 0);
	}
	if (sk_GENERAL_NAME_num(list) > 0)
		NEED(X509_add1_ext_i2d(x509, NID_subject_alt_name, list, 0,
			     X509V3_ADD_DEFAULT) == 1);
	GENERAL_NAMES_free(list);
}

static void
cert_add_ca(X509 *x509)
{
	BASIC_CONSTRAINTS *bc = BASIC_CONSTRAINTS_new();

	NEED(bc != NULL);
	bc->ca = 0xff;
	NEED(X509_add1_ext_i2d(x509, NID_basic_constraints, bc, 1,
		     X509V3_ADD_DEFAULT) == 1);
	BASIC_CONSTRAINTS_free(bc);
}

static void
cert_add_purpose(X509 *x509, const char *purpose)
{
	X509_EXTENSION *ext =
		X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, purpose);

	NEED(ext != NULL && X509_add_ext(x509, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static EVP_PKEY *
cert_key(const struct cert_want *w)
{
	if (w->rsa_bits != 0)
		return EVP_RSA_gen((unsigned)w->rsa_bits);
	return w->ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") :
			    EVP_EC_gen("P-256");
}

void
cert_make(
	struct cert *cert, const struct cert_want *want, const struct cert *ca)
{
	static const struct cert_want anything;
	const struct cert_want *w = want != NULL ? want : &anything;
	const char *cn = w->cn != NULL ? w->cn : "nobody";
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	const EVP_MD *md =
		EVP_get_digestbyname(w->hash != NULL ? w->hash : "SHA256");

	cert->key = cert_key(w);
	cert->x509 = x;
	NEED(cert->key != NULL && x != NULL);
	NEED(X509_set_version(x, 2) == 1);
	ASN1_INTEGER_set_int64(X509_get_serialNumber(x), (int64_t)(uintptr_t)x);
	X509_gmtime_adj(X509_getm_notBefore(x), w->from_days * DAY_S - 60);
	X509_gmtime_adj(X509_getm_notAfter(x),
		(w->to_days != 0 ? w->to_days : 90) * DAY_S);
	NEED(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
		     (const unsigned char *)cn, -1, -1, 0) == 1);
	X509_set_issuer_name(
		x, ca != NULL ? X509_get_subject_name(ca->x509) : subject);
	X509_set_pubkey(x, cert->key);
	cert_add_names(x, w->names, w->more_names);
	if (w->purpose != NULL)
		cert_add_purpose(x, w->purpose);
	if (w->ca)
		cert_add_ca(x);
	NEED(X509_sign(x, ca != NULL ? ca->key : cert->key,
		     w->ed25519 && ca == NULL ? NULL : md) > 0);
}

void
cert_done(struct cert *cert)
{
	X509_free(cert->x509);
	EVP_PKEY_free(cert->key);
	cert->x509 = NULL;
	cert->key = NULL;
}

void
cert_write(const struct cert *cert, const char *path)
{
	FILE *f = fopen(path, "w");

	NEED(f != NULL);
	NEED(PEM_write_X509(f, cert->x509) == 1);
	NEED(PEM_write_PrivateKey(f, cert->key, NULL, NULL, 0, NULL, NULL) ==
		1);
	NEED(fclose(f) == 0);
}

void
cert_append(const struct cert *cert, const char *path)
{
	FILE *f = fopen(path, "a");

	NEED(f != NULL);
	NEED(PEM_write_X509(f, cert->x509) == 1);
	NEED(fclose(f) == 0);
}

void
cert_append_revoked(
	const struct cert *ca, const struct cert *revoked, const char *path)
{
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *one = X509_REVOKED_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, -60);
	FILE *f = fopen(path, "a");

	NEED(f != NULL && crl != NULL && one != NULL);
	NEED(X509_CRL_set_version(crl, 1) == 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x509));
	X509_CRL_set1_lastUpdate(crl, now);
	X509_gmtime_adj(now, DAY_S);
	X509_CRL_set1_nextUpdate(crl, now);
	X509_REVOKED_set_serialNumber(
		one, X509_get_serialNumber(revoked->x509));
	X509_REVOKED_set_revocationDate(one, now);
	NEED(X509_CRL_add0_revoked(crl, one) == 1);
	NEED(X509_CRL_sort(crl) == 1);
	NEED(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	NEED(PEM_write_X509_CRL(f, crl) == 1);
	NEED(fclose(f) == 0);
	ASN1_TIME_free(now);
	X509_CRL_free(crl);
}

void
certs_dir_init(struct certs_dir *dir)
{
	snprintf(dir->path, sizeof(dir->path), "/tmp/antiphon-certs-XXXXXX");
	NEED(mkdtemp(dir->path) != NULL);
}

void
certs_dir_file(const struct certs_dir *dir, const char *name, char *path_out)
{
	snprintf(path_out, 128, "%.60s/%.60s", dir->path, name);
}

void
certs_dir_done(struct certs_dir *dir)
{
	DIR *d = opendir(dir->path);
	struct dirent *e;
	char path[128];

	NEED(d != NULL);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		certs_dir_file(dir, e->d_name, path);
		unlink(path);
	}
	closedir(d);
	rmdir(dir->path);
}
