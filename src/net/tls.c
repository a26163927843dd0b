/*
 * tls.c - TLS contexts: one for each host, chosen by its name or by SNI; with them
 * we are servers, and clients of other servers.
 *
 * A tls_set is built by one thread and then only read, by all; its count of
 * references is the one thing that changes.  The callbacks of OpenSSL run on
 * the shard of the connection whose handshake they serve.
 */
#include "config.h"

#include "net/tls.h"

#include <stdatomic.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/net_int.h"

/* RFC 9325 §4.2: forward secrecy and AEAD, nothing else. */
#define CIPHERS                                                                \
	"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:"                 \
	"!aNULL:!PSK:!SRP"
/* RFC 8446 §9.1 requires the first.  Its SHA-256 is done by the processor
 * itself, unlike the SHA-384 of the library's own first choice: 14 us less of
 * 217 for a handshake. */
#define CIPHERSUITES                                                           \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"                       \
	"TLS_CHACHA20_POLY1305_SHA256"

struct tls_host {
	char *name;  /* as configured */
	char *ascii; /* as in SNI (RFC 6066 §3): A-labels */
	GENERAL_NAMES *names; /* in its certificate; may be NULL */
	char *file;  /* of the certificate and its chain */
	int64_t ends_s;
	SSL_CTX *ctx;
};

struct tls_set {
	atomic_uint refs;
	size_t n_hosts;
	struct tls_host *hosts;
	SSL_CTX *bare; /* of a client without a certificate */
	struct buf sources; /* see tls_files_describe(); empty: not known */
};

bool
tls_err(struct err *err, const char *what)
{
	unsigned long code = ERR_peek_error();
	const char *reason = ERR_reason_error_string(code);
	char text[80];

	/* a file that is not there, for one: the library has no words for it */
	if (reason == NULL && ERR_SYSTEM_ERROR(code))
		reason = strerror_r(ERR_GET_REASON(code), text, sizeof(text));
	ERR_clear_error();
	return err_set(err, ERR_TLS, "%s: %s", what,
		reason != NULL ? reason : "the TLS library gives no reason");
}

/* --- whose certificate ------------------------------------------------------ */

static const struct tls_host *
tls_set_find(const struct tls_set *set, const char *ascii)
{
	for (size_t i = 0; i < set->n_hosts; i++)
		if (strcasecmp(set->hosts[i].ascii, ascii) == 0)
			return &set->hosts[i];
	return NULL;
}

/* For other servers, of a domain that is no host: one that names it, or else that
 * of the nearest host above. */
static const struct tls_host *
tls_set_near(const struct tls_set *set, struct str domain, const char *ascii)
{
	const struct tls_host *h = NULL;

	for (size_t i = 0; i < set->n_hosts; i++)
		if (tls_names_match(set->hosts[i].names, domain, ascii,
			    TLS_SRV_SERVER))
			return &set->hosts[i];
	for (const char *dot = strchr(ascii, '.'); dot != NULL && h == NULL;
		dot = strchr(dot + 1, '.'))
		h = tls_set_find(set, dot + 1);
	return h;
}

/* domain is prepared. */
static const struct tls_host *
tls_set_host(const struct tls_set *set, struct str domain, bool near)
{
	const struct tls_host *h;
	char *ascii;

	for (size_t i = 0; i < set->n_hosts; i++)
		if (str_is(domain, set->hosts[i].name))
			return &set->hosts[i];
	if (!near)
		return NULL;
	ascii = tls_names_ascii(domain);
	h = tls_set_near(set, domain, ascii);
	free(ascii);
	return h;
}

/* --- callbacks of a handshake --------------------------------------------- */

/* A certificate that fails is no reason to end the handshake: it is just not
 * believed later.  OpenSSL remembers the error. */
static int
on_tls_verify(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

/* Before its handshake: the peer is another server. */
static void
tls_session_of_server(SSL *ssl)
{
	SSL_set_verify(ssl, SSL_VERIFY_PEER, on_tls_verify);
	/* any will do, not that of client_ca alone */
	SSL_set_client_CA_list(ssl, sk_X509_NAME_new_null());
	/* the chain is not part of a ticket */
	tls_tickets_refuse(ssl);
}

/* hello is of a peer who may choose, and offers name. */
static bool
hello_choose(struct conn_hello *hello, SSL *ssl, struct str name)
{
	const struct conn_choice *choice = hello->choice;

	for (size_t i = 0; i < choice->n; i++) {
		if (!str_is(name, choice->all[i].alpn))
			continue;
		memcpy(hello->alpn, choice->all[i].alpn, sizeof(hello->alpn));
		hello->server = hello->near = choice->all[i].of_servers;
		if (hello->server)
			tls_session_of_server(ssl);
		return true;
	}
	return false;
}

/* Before SNI, tickets and certificates: what is asked for depends on the protocol.
 * A list is told in bytes and holds names with a byte in front (RFC 7301 §3.1); one
 * that is broken, or has none of ours, fails in on_tls_alpn(). */
static int
on_tls_hello(SSL *ssl, int *alert, void *arg)
{
	const struct conn *c = SSL_get_app_data(ssl);
	const unsigned char *in;
	size_t n;

	(void)alert;
	(void)arg;
	if (c->hello == NULL || c->hello->choice == NULL ||
		SSL_client_hello_get0_ext(ssl,
			TLSEXT_TYPE_application_layer_protocol_negotiation, &in,
			&n) != 1)
		return SSL_CLIENT_HELLO_SUCCESS;
	for (size_t i = 2; i < n && i + 1 + in[i] <= n; i += 1u + in[i])
		if (hello_choose(c->hello, ssl,
			    (struct str){ (const char *)in + i + 1, in[i] }))
			break;
	return SSL_CLIENT_HELLO_SUCCESS;
}

static int
on_tls_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct conn *c = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_host *h;

	(void)alert;
	(void)arg;
	if (name == NULL || c->hello == NULL || c->hello->named)
		return SSL_TLSEXT_ERR_NOACK;
	h = tls_set_find(c->hello->set, name);
	if (h == NULL && c->hello->near)
		h = tls_set_near(c->hello->set, str_c(name), name);
	if (h == NULL) /* goes on with the default host */
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_SSL_CTX(ssl, h->ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301 §3.2: whoever offers protocols, and not ours, talks to the wrong
 * server (or is made to: cross-protocol attacks). */
static int
on_tls_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *in, unsigned in_n, void *arg)
{
	const struct conn *c = SSL_get_app_data(ssl);
	size_t want_n;

	(void)arg;
	if (c->hello == NULL || c->hello->alpn[0] == '\0')
		return SSL_TLSEXT_ERR_NOACK;
	want_n = strlen(c->hello->alpn);
	for (unsigned i = 0; i + 1 + want_n <= in_n; i += 1u + in[i]) {
		if (in[i] == want_n &&
			memcmp(in + i + 1, c->hello->alpn, want_n) == 0) {
			*out = in + i + 1;
			*out_n = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* That of another server is judged when it is known who that is, with its chain and
 * other authorities than these; until then it is worth nothing. */
static int
on_tls_chain(X509_STORE_CTX *store, void *arg)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(
		store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct conn *c = SSL_get_app_data(ssl);

	(void)arg;
	if (c->hello == NULL || !c->hello->server)
		return X509_verify_cert(store);
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 1;
}

/* Counts what costs work and carries no data: messages that come after the
 * handshake, and alerts that we answer them with (a refused renegotiation). */
static void
on_tls_message(int sent, int version, int type, const void *p, size_t n,
	SSL *ssl, void *arg)
{
	struct conn *c = SSL_get_app_data(ssl);

	(void)version;
	(void)p;
	(void)n;
	(void)arg;
	if (c == NULL || c->tls < CONN_TLS_ON || c->tls == CONN_TLS_OVER)
		return;
	if ((type == SSL3_RT_HANDSHAKE && !sent) || type == SSL3_RT_ALERT)
		conn_tls_noise(c);
}

/* --- sessions ------------------------------------------------------------- */

static SSL *
tls_session_of(SSL_CTX *ctx, struct conn *c, struct err *err)
{
	SSL *ssl;

	ERR_clear_error();
	ssl = SSL_new(ctx);
	if (ssl == NULL)
		tls_err(err, "new TLS session");
	else
		SSL_set_app_data(ssl, c);
	return ssl;
}

struct ssl_st *
tls_session_new(const struct tls_set *set, struct str host, bool from_server,
	struct conn *c, struct err *err)
{
	const struct tls_host *h = host.n == 0 && set->n_hosts != 0 ?
		&set->hosts[0] :
		tls_set_host(set, host, from_server);
	SSL *ssl;

	if (h == NULL) {
		err_set(err, ERR_MISSING,
			"no certificate is configured for %.*s", STR_ARG(host));
		return NULL;
	}
	ssl = tls_session_of(h->ctx, c, err);
	if (ssl == NULL)
		return NULL;
	SSL_set_accept_state(ssl);
	if (from_server)
		tls_session_of_server(ssl);
	else
		tls_tickets_begin(ssl, c);
	return ssl;
}

/* n bytes, and what a list of protocols needs in front (RFC 7301 §3.1). */
static bool
tls_offer(SSL *ssl, struct str alpn)
{
	unsigned char list[256];

	if (alpn.n == 0)
		return true;
	if (alpn.n >= sizeof(list))
		return false;
	list[0] = (unsigned char)alpn.n;
	memcpy(list + 1, alpn.p, alpn.n);
	return SSL_set_alpn_protos(ssl, list, (unsigned)alpn.n + 1) == 0;
}

struct ssl_st *
tls_session_new_client(const struct tls_set *set, struct str local,
	struct str sni, struct str alpn, struct conn *c, struct err *err)
{
	const struct tls_host *h = tls_set_host(set, local, true);
	SSL *ssl = tls_session_of(h != NULL ? h->ctx : set->bare, c, err);
	char *name = str_dup(sni);
	bool ok;

	if (ssl == NULL) {
		free(name);
		return NULL;
	}
	SSL_set_connect_state(ssl);
	tls_tickets_refuse(ssl);
	ok = (sni.n == 0 || SSL_set_tlsext_host_name(ssl, name) == 1) &&
		tls_offer(ssl, alpn);
	free(name);
	if (ok)
		return ssl;
	tls_err(err, "name and protocol for TLS");
	SSL_free(ssl);
	return NULL;
}

/* --- building ------------------------------------------------------------- */

/* Everything that is the same for all hosts and needs no file. */
static bool
tls_ctx_tune(SSL_CTX *ctx, const struct tls_conf *conf, struct err *err)
{
	int min = TLS1_2_VERSION;

	if (conf->min_version != NULL && strcmp(conf->min_version, "1.3") == 0)
		min = TLS1_3_VERSION;
	else if (conf->min_version != NULL &&
		strcmp(conf->min_version, "1.2") != 0)
		return err_set(err, ERR_INVALID,
			"TLS version %s is not supported, use 1.2 or 1.3",
			conf->min_version);
	SSL_CTX_set_min_proto_version(ctx, min);
	if (SSL_CTX_set_cipher_list(
		    ctx, conf->ciphers != NULL ? conf->ciphers : CIPHERS) != 1)
		return tls_err(err, "tls: ciphers (for TLS 1.2)");
	if (SSL_CTX_set_ciphersuites(ctx, conf->ciphersuites != NULL ?
			conf->ciphersuites :
			CIPHERSUITES) != 1)
		return tls_err(err, "tls: ciphersuites (for TLS 1.3)");
	SSL_CTX_set_options(ctx,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			SSL_OP_CIPHER_SERVER_PREFERENCE |
			SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx,
		SSL_MODE_ENABLE_PARTIAL_WRITE |
			SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_dh_auto(ctx, 1);
	/* nothing is kept here for a session that ended */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* A handshake takes 242 us with a ticket, and 217 us without; one that
	 * resumes, and gets the next ticket, 208 us. */
	SSL_CTX_set_num_tickets(ctx, conf->tickets ? 1 : 0);
	SSL_CTX_set_client_hello_cb(ctx, on_tls_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_tls_server_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_tls_alpn, NULL);
	SSL_CTX_set_msg_callback(ctx, on_tls_message);
	SSL_CTX_set_cert_verify_callback(ctx, on_tls_chain, NULL);
	return true;
}

/* 0 for what is no time at all: ended long ago. */
static int64_t
tls_cert_ends(const X509 *cert)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1 ?
		(int64_t)timegm(&tm) :
		0;
}

/* Clients refuse a leaf whose issuer has ended as well. */
static int64_t
tls_ctx_ends(SSL_CTX *ctx)
{
	STACK_OF(X509) *chain = NULL;
	int64_t first = tls_cert_ends(SSL_CTX_get0_certificate(ctx));

	SSL_CTX_get0_chain_certs(ctx, &chain);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t ends = tls_cert_ends(sk_X509_value(chain, i));

		first = MIN(first, ends);
	}
	return first;
}

/* All hosts have the same keys, and after a reload they still do: a session is
 * resumed only at its host, and under the rules it was made under, above all with
 * the authorities that its client was known by. */
static bool
tls_ctx_bind_tickets(SSL_CTX *ctx, const struct tls_conf *conf,
	const char *host, struct err *err)
{
	struct buf rules = BUF_INIT;
	bool ok;

	if (tls_files_describe_rules(conf, &rules)) {
		buf_add_str(&rules, str_c(host));
		ok = tls_tickets_attach(ctx, buf_str(&rules), err);
	} else {
		ok = err_errno(err, "tls: client_ca: %.150s", conf->client_ca);
	}
	buf_done(&rules);
	return ok;
}

static bool
tls_host_init(struct tls_host *h, const struct tls_conf *conf,
	const struct tls_host_conf *hc, struct err *err)
{
	h->name = xstrdup(hc->host);
	h->ascii = tls_names_ascii(str_c(hc->host));
	ERR_clear_error();
	h->file = xstrdup(hc->certificate);
	h->ctx = SSL_CTX_new(TLS_method()); /* a server, and a client of others */
	if (h->ctx == NULL)
		return tls_err(err, "new TLS context");
	if (!tls_ctx_tune(h->ctx, conf, err) ||
		!tls_ctx_bind_tickets(h->ctx, conf, hc->host, err) ||
		!tls_files_load(h->ctx, hc, err))
		return false;
	h->ends_s = tls_ctx_ends(h->ctx);
	h->names = X509_get_ext_d2i(SSL_CTX_get0_certificate(h->ctx),
		NID_subject_alt_name, NULL, NULL);
	if (conf->client_ca == NULL)
		return true;
	SSL_CTX_set_verify(h->ctx, SSL_VERIFY_PEER, on_tls_verify);
	return tls_files_load_cas(h->ctx, conf->client_ca, err);
}

struct tls_set *
tls_set_new(const struct tls_conf *conf, tls_warn_fn warn, void *arg,
	struct err *err)
{
	struct tls_set *set = xcalloc(1, sizeof(*set));

	atomic_init(&set->refs, 1);
	/* before they are read: a change meanwhile is seen the next time */
	if (!tls_files_describe(conf, &set->sources))
		buf_done(&set->sources);
	set->hosts = xcalloc(conf->n_hosts + 1, sizeof(*set->hosts));
	set->bare = SSL_CTX_new(TLS_client_method());
	if (set->bare == NULL || !tls_ctx_tune(set->bare, conf, err)) {
		tls_set_unref(set);
		return NULL;
	}
	for (size_t i = 0; i < conf->n_hosts; i++) {
		struct tls_host *h = &set->hosts[set->n_hosts++];

		if (!tls_host_init(h, conf, &conf->hosts[i], err)) {
			err_prefix(err, "TLS for %s", conf->hosts[i].host);
			tls_set_unref(set);
			return NULL;
		}
		if (warn != NULL)
			tls_files_judge(h->ctx, &conf->hosts[i],
				tls_names_match(h->names, str_c(h->name),
					h->ascii,
					TLS_SRV_CLIENT | TLS_SRV_SERVER),
				conf->expiry_warning_us, warn, arg);
	}
	return set;
}

bool
tls_set_is_current(const struct tls_set *set, const struct tls_conf *conf)
{
	struct buf now = BUF_INIT;
	bool same;

	same = tls_files_describe(conf, &now) &&
		str_eq(buf_str(&now), buf_str(&set->sources));
	buf_done(&now);
	return same;
}

struct tls_set *
tls_set_ref(struct tls_set *set)
{
	atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	return set;
}

void
tls_set_unref(struct tls_set *set)
{
	if (set == NULL ||
		atomic_fetch_sub_explicit(
			&set->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < set->n_hosts; i++) {
		free(set->hosts[i].name);
		free(set->hosts[i].ascii);
		GENERAL_NAMES_free(set->hosts[i].names);
		free(set->hosts[i].file);
		SSL_CTX_free(set->hosts[i].ctx);
	}
	free(set->hosts);
	SSL_CTX_free(set->bare);
	buf_done(&set->sources);
	free(set);
}

void
tls_set_expiry(const struct tls_set *set,
	void (*found)(void *arg, const char *host, const char *certificate,
		int64_t ends_s),
	void *arg)
{
	for (size_t i = 0; i < set->n_hosts; i++)
		found(arg, set->hosts[i].name, set->hosts[i].file,
			set->hosts[i].ends_s);
}

void
tls_set_shown(const struct tls_set *set, struct str domain,
	struct tls_shown *out)
{
	const struct tls_host *h =
		set != NULL ? tls_set_host(set, domain, true) : NULL;
	char *ascii;
	X509 *cert;

	*out = (struct tls_shown){ .host = NULL };
	if (h == NULL)
		return;
	ascii = tls_names_ascii(domain);
	cert = SSL_CTX_get0_certificate(h->ctx);
	out->host = h->name;
	out->named = tls_names_match(h->names, domain, ascii, TLS_SRV_SERVER);
	out->by_itself = (X509_get_extension_flags(cert) & EXFLAG_SS) != 0;
	X509_NAME_get_text_by_NID(X509_get_issuer_name(cert), NID_commonName,
		out->issuer, sizeof(out->issuer));
	free(ascii);
}

static bool
tls_cert_digests(X509 *cert, uint8_t whole_out[TLS_DIGEST_SIZE],
	uint8_t key_out[TLS_DIGEST_SIZE])
{
	unsigned char *key = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &key);
	bool ok;

	ok = n > 0 && X509_digest(cert, EVP_sha256(), whole_out, NULL) == 1 &&
		EVP_Digest(key, (size_t)n, key_out, NULL, EVP_sha256(), NULL) ==
			1;
	OPENSSL_free(key);
	return ok;
}

bool
tls_set_digests(const struct tls_set *set, const char *host,
	uint8_t whole_out[TLS_DIGEST_SIZE], uint8_t key_out[TLS_DIGEST_SIZE])
{
	for (size_t i = 0; i < set->n_hosts; i++) {
		X509 *cert = SSL_CTX_get0_certificate(set->hosts[i].ctx);

		if (strcmp(set->hosts[i].name, host) == 0 && cert != NULL)
			return tls_cert_digests(cert, whole_out, key_out);
	}
	return false;
}
