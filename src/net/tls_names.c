/*
 * tls_names.c - the names in a certificate: those of a host, and the XMPP
 * addresses of a client.
 *
 * Any thread.  Only subjectAltName counts, never the CN (hostile 23).  Names
 * are what their length says: one with a NUL inside is no name.
 */
#include "config.h"

#include "net/tls.h"

#include <stdio.h>
#include <strings.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/conn.h"
#include "net/net_int.h"

/* id-on-xmppAddr, RFC 6120 §13.7.1.4; id-on-dnsSRV, RFC 4985 §2. */
#define OID_XMPP_ADDR "1.3.6.1.5.5.7.8.5"
#define OID_DNS_SRV "1.3.6.1.5.5.7.8.7"
/* Addresses of one certificate that are looked at. */
#define MAX_ADDRESSES 32

/* The text of an otherName, if it is of this kind and type; else STR_NONE. */
static struct str
name_other(const GENERAL_NAME *name, const char *oid, int type)
{
	char text[64];
	const ASN1_STRING *s;
	struct str v;

	if (name->type != GEN_OTHERNAME ||
		name->d.otherName->value->type != type)
		return STR_NONE;
	OBJ_obj2txt(text, sizeof(text), name->d.otherName->type_id, 1);
	if (strcmp(text, oid) != 0)
		return STR_NONE;
	s = name->d.otherName->value->value.asn1_string;
	v.p = (const char *)ASN1_STRING_get0_data(s);
	v.n = (size_t)ASN1_STRING_length(s);
	return v.n > 0 && str_is_utf8(v) ? v : STR_NONE;
}

static bool
name_is_srv_of(struct str srv, const char *ascii)
{
	static const struct str services[] = {
		STR("_xmpp-client."),
		STR("_xmpp-server."),
	};

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		size_t n = services[i].n;

		if (str_starts(srv, services[i]) &&
			srv.n - n == strlen(ascii) &&
			strncasecmp(srv.p + n, ascii, srv.n - n) == 0)
			return true;
	}
	return false;
}

bool
tls_names_host(X509 *cert, const char *host, const char *ascii)
{
	GENERAL_NAMES *names;
	bool found = false;

	if (X509_check_host(cert, ascii, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
		    NULL) == 1 ||
		X509_check_ip_asc(cert, host, 0) == 1)
		return true;
	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		struct str addr =
			name_other(name, OID_XMPP_ADDR, V_ASN1_UTF8STRING);
		struct str srv =
			name_other(name, OID_DNS_SRV, V_ASN1_IA5STRING);

		found = (addr.p != NULL && str_is(addr, host)) ||
			(srv.p != NULL && name_is_srv_of(srv, ascii));
	}
	GENERAL_NAMES_free(names);
	return found;
}

bool
tls_client_addresses(const struct conn *c,
	void (*found)(void *arg, struct str xmpp_addr), void *arg)
{
	const SSL *ssl = conn_ssl(c);
	X509 *cert;
	GENERAL_NAMES *names;
	int n = 0;

	if (ssl == NULL || !conn_is_secure(c) ||
		(SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0)
		return false;
	cert = SSL_get0_peer_certificate(ssl);
	if (cert == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
		return false;
	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		struct str addr = name_other(sk_GENERAL_NAME_value(names, i),
			OID_XMPP_ADDR, V_ASN1_UTF8STRING);

		if (addr.p != NULL && n++ < MAX_ADDRESSES)
			found(arg, addr);
	}
	GENERAL_NAMES_free(names);
	return true;
}
