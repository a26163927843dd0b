/*
 * tls_names.c - the names in a certificate: those of a server, and the XMPP
 * addresses of a client.
 *
 * Any thread.  Only subjectAltName counts, never the CN (hostile 23).  Names
 * are what their length says: one with a NUL inside is no name.
 */
#include "config.h"

#include "net/tls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include <idn2.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/mem.h"
#include "xmpp/ip_literal.h"
#include "net/conn.h"
#include "net/net_int.h"

/* id-on-xmppAddr, RFC 6120 §13.7.1.4; id-on-dnsSRV, RFC 4985 §2. */
#define OID_XMPP_ADDR "1.3.6.1.5.5.7.8.5"
#define OID_DNS_SRV "1.3.6.1.5.5.7.8.7"
/* Addresses of one certificate that are looked at. */
#define MAX_ADDRESSES 32
/* What is shown of them. */
#define NAMES_SHOWN 3
#define NAME_SHOWN 64

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

/* The text of a dNSName; NUL and what is no ASCII are in none. */
static struct str
name_dns(const GENERAL_NAME *name)
{
	struct str v;

	if (name->type != GEN_DNS)
		return STR_NONE;
	v.p = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
	v.n = (size_t)ASN1_STRING_length(name->d.dNSName);
	return v.n > 0 && str_is_utf8(v) && str_is_ascii(v) ? v : STR_NONE;
}

static bool
is_same(struct str a, struct str b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

/* RFC 6125 §6.4.3, RFC 9525 §6.3: a wildcard is the whole of the left-most label,
 * and stands for one.  Two labels stand behind it at least, as in OpenSSL. */
static bool
name_is_dns_of(struct str dns, struct str ascii)
{
	struct str label, rest;

	if (dns.p == NULL || memchr(ascii.p, '*', ascii.n) != NULL)
		return false;
	if (!str_starts(dns, STR("*.")))
		return is_same(dns, ascii);
	dns = (struct str){ dns.p + 2, dns.n - 2 };
	return memchr(dns.p, '.', dns.n) != NULL &&
		str_cut(ascii, '.', &label, &rest) && label.n != 0 &&
		is_same(dns, rest);
}

static bool
name_is_srv_of(struct str srv, struct str ascii, unsigned services)
{
	static const struct {
		unsigned service;
		struct str prefix;
	} all[] = {
		{ TLS_SRV_CLIENT, STR("_xmpp-client.") },
		{ TLS_SRV_SERVER, STR("_xmpp-server.") },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		size_t n = all[i].prefix.n;

		if ((services & all[i].service) != 0 && srv.n > n &&
			is_same((struct str){ srv.p, n }, all[i].prefix) &&
			is_same((struct str){ srv.p + n, srv.n - n }, ascii))
			return true;
	}
	return false;
}

static bool
name_is_address(const GENERAL_NAME *name, struct str address)
{
	return name->type == GEN_IPADD &&
		str_eq(address,
			(struct str){ (const char *)ASN1_STRING_get0_data(
					      name->d.iPAddress),
				(size_t)ASN1_STRING_length(
					name->d.iPAddress) });
}

char *
tls_names_ascii(struct str domain)
{
	char *text = str_dup(domain), *ascii = NULL;

	if (idn2_to_ascii_8z(text, &ascii, IDN2_NONTRANSITIONAL) == IDN2_OK) {
		free(text);
		text = xstrdup(ascii);
		idn2_free(ascii);
	}
	return text;
}

bool
tls_names_match(const GENERAL_NAMES *names, struct str domain,
	const char *ascii, unsigned services)
{
	char address[IP_LITERAL_SIZE];
	size_t n = ip_literal_read(domain, address);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		/* an address is no name of the DNS (RFC 9525 §6.2) */
		if (n != 0)
			found = name_is_address(name,
				(struct str){ address, n });
		else
			found = name_is_dns_of(name_dns(name), str_c(ascii)) ||
				name_is_srv_of(name_other(name, OID_DNS_SRV,
					V_ASN1_IA5STRING), str_c(ascii),
					services);
		found = found || str_eq(domain, name_other(name, OID_XMPP_ADDR,
			V_ASN1_UTF8STRING));
	}
	return found;
}

static struct str
name_text(const GENERAL_NAME *name)
{
	struct str all[] = {
		name_dns(name),
		name_other(name, OID_DNS_SRV, V_ASN1_IA5STRING),
		name_other(name, OID_XMPP_ADDR, V_ASN1_UTF8STRING),
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].p != NULL)
			return all[i];
	return STR_NONE;
}

bool
tls_names_list(const GENERAL_NAMES *names, struct buf *out)
{
	int n = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		struct str name = name_text(sk_GENERAL_NAME_value(names, i));

		if (name.p != NULL && n++ < NAMES_SHOWN)
			buf_printf(out, "%s%.*s", n > 1 ? ", " : "",
				(int)MIN(name.n, NAME_SHOWN), name.p);
	}
	if (n > NAMES_SHOWN)
		buf_printf(out, " and %d others", n - NAMES_SHOWN);
	return n > 0;
}

/* --- what we have shown -------------------------------------------------------- */

static bool
cert_is_for(const X509 *cert, struct str domain, const char *ascii)
{
	GENERAL_NAMES *names = cert == NULL ?
		NULL :
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = tls_names_match(names, domain, ascii, 0);

	GENERAL_NAMES_free(names);
	return found;
}

bool
tls_is_for(const struct conn *c, struct str domain)
{
	SSL *ssl = conn_ssl(c);
	const char *asked;
	char *ascii;
	bool found;

	if (ssl == NULL)
		return conn_is_secure(c);
	asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	ascii = tls_names_ascii(domain);
	found = (asked != NULL && strcasecmp(asked, ascii) == 0) ||
		cert_is_for(SSL_get_certificate(ssl), domain, ascii);
	free(ascii);
	return found;
}

/* --- clients ------------------------------------------------------------------ */

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
