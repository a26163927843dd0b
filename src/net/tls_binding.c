/*
 * tls_binding.c - channel bindings, and what a TLS connection is.
 *
 * Owner shard of the connection.
 */
#include "config.h"

#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "net/conn.h"

#define EXPORTER_LABEL "EXPORTER-Channel-Binding"
#define EXPORTER_BYTES 32

const char *
tls_binding_name(enum tls_binding type)
{
	switch (type) {
	case TLS_EXPORTER:
		return "tls-exporter";
	case TLS_SERVER_END_POINT:
		return "tls-server-end-point";
	case TLS_UNIQUE:
		return "tls-unique";
	}
	return "";
}

/* Without the extended master secret a man in the middle can make two TLS 1.2
 * connections share theirs (RFC 7627 §1): no binding that depends on it. */
static bool
binding_is_unique(SSL *ssl)
{
	return SSL_version(ssl) >= TLS1_3_VERSION ||
		SSL_get_extms_support(ssl) == 1;
}

/* RFC 9266 §2: the context is a zero-length string, which before TLS 1.3 is not
 * the same as none (RFC 5705 §4). */
static bool
binding_exporter(SSL *ssl, struct buf *out)
{
	unsigned char *p;

	if (!binding_is_unique(ssl))
		return false;
	p = (unsigned char *)buf_reserve(out, EXPORTER_BYTES);
	if (SSL_export_keying_material(ssl, p, EXPORTER_BYTES, EXPORTER_LABEL,
		    sizeof(EXPORTER_LABEL) - 1, (const unsigned char *)"", 0,
		    1) != 1) {
		ERR_clear_error();
		return false;
	}
	out->n += EXPORTER_BYTES;
	return true;
}

/* RFC 5929 §4.1; NULL for Ed25519 and the like, where it is not defined. */
static const EVP_MD *
end_point_hash(X509 *cert)
{
	int hash = NID_undef;

	if (cert == NULL ||
		X509_get_signature_info(cert, &hash, NULL, NULL, NULL) != 1 ||
		hash == NID_undef) {
		ERR_clear_error();
		return NULL;
	}
	if (hash == NID_md5 || hash == NID_sha1 || hash == NID_md5_sha1)
		hash = NID_sha256;
	return EVP_get_digestbynid(hash);
}

static bool
binding_end_point(SSL *ssl, struct buf *out)
{
	X509 *cert = SSL_get_certificate(ssl);
	const EVP_MD *md = end_point_hash(cert);
	unsigned char *p;
	unsigned n = 0;

	if (md == NULL)
		return false;
	p = (unsigned char *)buf_reserve(out, EVP_MAX_MD_SIZE);
	if (X509_digest(cert, md, p, &n) != 1) {
		ERR_clear_error();
		return false;
	}
	out->n += n;
	return true;
}

/* RFC 5929 §3.1: the first Finished message of the handshake, which is the
 * client's in a full one and the server's in a resumed one (RFC 5246 §7.3). */
static bool
binding_finished(SSL *ssl, struct buf *out)
{
	char *p;
	size_t n;

	if (!binding_is_unique(ssl))
		return false;
	p = buf_reserve(out, EVP_MAX_MD_SIZE);
	if (SSL_session_reused(ssl))
		n = SSL_get_finished(ssl, p, EVP_MAX_MD_SIZE);
	else
		n = SSL_get_peer_finished(ssl, p, EVP_MAX_MD_SIZE);
	if (n == 0 || n > EVP_MAX_MD_SIZE)
		return false;
	out->n += n;
	return true;
}

bool
tls_binding_data(const struct conn *c, enum tls_binding type, struct buf *out)
{
	SSL *ssl = conn_ssl(c);

	if (ssl == NULL || !conn_is_secure(c))
		return false;
	switch (type) {
	case TLS_EXPORTER:
		return binding_exporter(ssl, out);
	case TLS_SERVER_END_POINT:
		return binding_end_point(ssl, out);
	case TLS_UNIQUE:
		return SSL_version(ssl) < TLS1_3_VERSION &&
			binding_finished(ssl, out);
	}
	return false;
}

bool
tls_binding_exists(const struct conn *c, enum tls_binding type)
{
	SSL *ssl = conn_ssl(c);

	if (ssl == NULL || !conn_is_secure(c))
		return false;
	switch (type) {
	case TLS_EXPORTER:
		return binding_is_unique(ssl);
	case TLS_SERVER_END_POINT:
		return end_point_hash(SSL_get_certificate(ssl)) != NULL;
	case TLS_UNIQUE:
		return SSL_version(ssl) < TLS1_3_VERSION &&
			binding_is_unique(ssl);
	}
	return false;
}

bool
tls_binding_finished(const struct conn *c, struct buf *out)
{
	SSL *ssl = conn_ssl(c);

	return ssl != NULL && conn_is_secure(c) &&
		SSL_version(ssl) >= TLS1_3_VERSION &&
		binding_finished(ssl, out);
}

bool
tls_has_own(const struct conn *c)
{
	return conn_ssl(c) != NULL ?
		SSL_get_certificate(conn_ssl(c)) != NULL :
		conn_is_secure(c);
}

const char *
tls_version(const struct conn *c)
{
	return conn_ssl(c) != NULL && conn_is_secure(c)
		? SSL_get_version(conn_ssl(c))
		: NULL;
}

const char *
tls_cipher(const struct conn *c)
{
	return conn_ssl(c) != NULL && conn_is_secure(c)
		? SSL_get_cipher_name(conn_ssl(c))
		: NULL;
}
