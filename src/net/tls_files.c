/*
 * tls_files.c - certificates, keys and authorities: read from their files, and
 * judged as clients will judge them.
 *
 * Called by tls.c while a tls_set is built, on any thread.  Invariant: nothing
 * here ever waits for somebody at a terminal, which would stop a shard, and all
 * the others behind it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "net/net_int.h"

#define CHAIN_MAX 32

/* --- reading -------------------------------------------------------------- */

static bool
file_err(struct err *err, const char *what, const char *path)
{
	bool denied = access(path, R_OK) == -1 && errno == EACCES;

	tls_err(err, what);
	if (denied)
		err_set(err, ERR_SYSTEM,
			"%s: permission denied for uid %u, as whom the server runs",
			what, (unsigned)geteuid());
	return err_prefix(err, "%.150s", path);
}

int
tls_files_no_pass_phrase(char *out, int n, int writing, void *asked)
{
	(void)out;
	(void)n;
	(void)writing;
	if (asked != NULL)
		*(bool *)asked = true;
	return -1;
}

/* What the library says of keys is for programmers: "unsupported" of a file
 * without one, "no certificate assigned" of one of another kind. */
static bool
key_err(struct err *err, const char *certificate, const char *key, bool asked)
{
	int reason = ERR_GET_REASON(ERR_peek_error());

	file_err(err, "private key", key);
	if (asked)
		return err_set(err, ERR_REFUSED,
			"%.120s: private key: it is encrypted, and nobody is asked for a pass phrase; write it without one",
			key);
	if (reason == X509_R_KEY_VALUES_MISMATCH ||
		reason == SSL_R_NO_CERTIFICATE_ASSIGNED)
		return err_set(err, ERR_TLS,
			"%.120s: private key: it does not belong to the certificate in %.120s",
			key, certificate);
	if (reason == ERR_R_UNSUPPORTED)
		return err_set(err, ERR_TLS,
			"%.120s: private key: there is none in PEM in it", key);
	return false;
}

static bool
pair_load(SSL_CTX *ctx, const char *certificate, const char *key,
	const bool *asked, struct err *err)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
		return file_err(err, "certificate", certificate);
	return (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
		SSL_CTX_check_private_key(ctx) == 1) ||
		key_err(err, certificate, key, *asked);
}

bool
tls_files_load(SSL_CTX *ctx, const struct tls_host_conf *hc, struct err *err)
{
	bool asked = false, ok;

	SSL_CTX_set_default_passwd_cb(ctx, tls_files_no_pass_phrase);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
	ok = pair_load(ctx, hc->certificate,
		hc->key != NULL ? hc->key : hc->certificate, &asked, err);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	return ok;
}

/* SSL_load_client_CA_file() would read the file once more, and ask for a pass
 * phrase if there is something encrypted in it. */
static void
cas_announce(SSL_CTX *ctx)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

		if (ca != NULL)
			SSL_CTX_add_client_CA(ctx, ca);
	}
}

bool
tls_files_load_cas(SSL_CTX *ctx, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return err_errno(err, "tls: client_ca: %.150s", path);
	/* those of a folder are not named in the handshake: they may be
	 * hundreds */
	if (S_ISDIR(st.st_mode))
		return SSL_CTX_load_verify_dir(ctx, path) == 1 ||
			file_err(err, "tls: client_ca", path);
	if (SSL_CTX_load_verify_file(ctx, path) != 1)
		return file_err(err, "tls: client_ca", path);
	cas_announce(ctx);
	return true;
}

/* --- telling whether they have changed ------------------------------------ */

void
tls_files_identify(const struct stat *st, struct buf *out)
{
	buf_printf(out, " %llu %llu %lld %lld.%ld %lld.%ld\n",
		(unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
		(long long)st->st_size, (long long)st->st_mtim.tv_sec,
		st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec,
		st->st_ctim.tv_nsec);
}

static bool
file_describe(const char *path, struct buf *out)
{
	struct stat st;

	if (path == NULL)
		return true;
	if (stat(path, &st) == -1)
		return false;
	buf_add_c(out, path);
	tls_files_identify(&st, out);
	return true;
}

bool
tls_files_describe_rules(const struct tls_conf *conf, struct buf *out)
{
	buf_printf(out, "%s|%s|%s|%d\n",
		conf->min_version != NULL ? conf->min_version : "",
		conf->ciphers != NULL ? conf->ciphers : "",
		conf->ciphersuites != NULL ? conf->ciphersuites : "",
		conf->tickets);
	return file_describe(conf->client_ca, out);
}

bool
tls_files_describe(const struct tls_conf *conf, struct buf *out)
{
	if (!tls_files_describe_rules(conf, out))
		return false;
	for (size_t i = 0; i < conf->n_hosts; i++) {
		buf_printf(out, "%s\n", conf->hosts[i].host);
		if (!file_describe(conf->hosts[i].certificate, out) ||
			!file_describe(conf->hosts[i].key, out))
			return false;
	}
	return true;
}

/* --- judging -------------------------------------------------------------- */

struct judging {
	const struct tls_host_conf *hc;
	int64_t warning_s;
	tls_warn_fn warn;
	void *arg;
};

static void
judge_say(const struct judging *j, bool refused, const char *what)
{
	char text[700];

	snprintf(text, sizeof(text), "%s: the certificate for %s %s",
		j->hc->certificate, j->hc->host, what);
	j->warn(j->arg, refused, text);
}

static void
judge_time(const struct judging *j, const X509 *cert)
{
	int days = 0, seconds = 0;
	char text[64];

	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) ||
		days < 0 || seconds < 0) {
		judge_say(j, true, "has expired");
	} else if (days * INT64_C(86400) + seconds < j->warning_s) {
		snprintf(text, sizeof(text), "expires in %d days", days);
		judge_say(j, false, text);
	}
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		judge_say(j, true, "is not valid yet");
}

/* Does this machine know who signed cert? */
static bool
issuer_known(X509 *cert)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *issuer = NULL;
	bool found;

	found = store != NULL && ctx != NULL &&
		X509_STORE_set_default_paths(store) == 1 &&
		X509_STORE_CTX_init(ctx, store, cert, NULL) == 1 &&
		X509_STORE_CTX_get1_issuer(&issuer, ctx, cert) == 1;
	X509_free(issuer);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return found;
}

static void
judge_end(const struct judging *j, X509 *last, bool is_leaf)
{
	char issuer[160], text[400];

	/* one that names itself as its issuer is where a chain ends */
	if ((X509_get_extension_flags(last) & EXFLAG_SI) != 0 ||
		issuer_known(last))
		return;
	X509_NAME_oneline(
		X509_get_issuer_name(last), issuer, sizeof(issuer));
	snprintf(text, sizeof(text),
		"ends with one signed by \"%s\", which is neither in the file nor known to this machine: is an intermediate certificate missing?",
		issuer);
	/* an authority that signs hosts itself is a private one, or none */
	judge_say(j, is_leaf, text);
}

/* RFC 8446 §4.4.2: each certificate is followed by the one that signed it. */
static void
judge_chain(const struct judging *j, SSL_CTX *ctx, X509 *leaf)
{
	STACK_OF(X509) *chain = NULL;
	X509 *last = leaf;

	SSL_CTX_get0_chain_certs(ctx, &chain);
	for (int i = 0; i < sk_X509_num(chain) && i < CHAIN_MAX; i++) {
		X509 *next = sk_X509_value(chain, i);

		if (X509_check_issued(next, last) != X509_V_OK ||
			X509_verify(last, X509_get0_pubkey(next)) != 1) {
			ERR_clear_error();
			judge_say(j, true,
				"is in a chain out of order: each one is followed by the one that signed it");
			return;
		}
		last = next;
	}
	judge_end(j, last, last == leaf);
}

void
tls_files_judge(SSL_CTX *ctx, const struct tls_host_conf *hc, bool named,
	int64_t warning_us, tls_warn_fn warn, void *arg)
{
	const struct judging j = { hc, warning_us / US_PER_S, warn, arg };
	X509 *leaf = SSL_CTX_get0_certificate(ctx);

	judge_time(&j, leaf);
	if (!named)
		judge_say(&j, true, "does not name it in subjectAltName");
	judge_chain(&j, ctx, leaf);
}
