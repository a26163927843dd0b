/*
 * cli_cert.c - makes certificates that sign themselves.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <idn2.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xmpp/jid.h"
#include "conf/conf_error.h"
#include "conf/yaml.h"
#include "antiphonctl/cli.h"

#define DAYS_DEFAULT 365
#define DAYS_MAX 36500
#define SERIAL_BYTES 16 /* CA/Browser Forum: 64 random bits at least */
#define S_PER_DAY (24 * 60 * 60L)
#define USER_DEFAULT "antiphon" /* where the service file names it */
#define NOBODY ((gid_t)-1)

static const char *
text_arg(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

static int
complain(const struct err *err)
{
	fprintf(stderr, "antiphonctl: %s\n", err->text);
	return CLI_FAILED;
}

/* --- make --------------------------------------------------------------- */

static bool
cert_extend(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

/* A random number, positive and not zero (RFC 5280 §4.1.2.2). */
static bool
cert_number(X509 *cert)
{
	unsigned char raw[SERIAL_BYTES];
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return false;
	raw[0] = (raw[0] & 0x7f) | 0x40;
	n = BN_bin2bn(raw, sizeof(raw), NULL);
	ok = n != NULL &&
		BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
	BN_free(n);
	return ok;
}

/* domain in ASCII, as it stands in certificates (RFC 6120 §13.7.1.2). */
static bool
cert_fill(X509 *cert, EVP_PKEY *key, const char *domain, long days)
{
	X509_NAME *name = X509_get_subject_name(cert);
	char san[300];

	snprintf(san, sizeof(san), "DNS:%s", domain);
	/* the common name is at most 64 bytes, and nobody looks at it */
	return X509_set_version(cert, X509_VERSION_3) == 1 &&
		cert_number(cert) &&
		X509_gmtime_adj(X509_getm_notBefore(cert), -60) != NULL &&
		X509_gmtime_adj(X509_getm_notAfter(cert), days * S_PER_DAY) !=
		NULL &&
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
			(const unsigned char *)"Antiphon", -1, -1, 0) == 1 &&
		X509_set_issuer_name(cert, name) == 1 &&
		X509_set_pubkey(cert, key) == 1 &&
		cert_extend(cert, NID_basic_constraints, "critical,CA:FALSE") &&
		cert_extend(cert, NID_key_usage, "critical,digitalSignature") &&
		cert_extend(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
		cert_extend(cert, NID_subject_key_identifier, "hash") &&
		cert_extend(cert, NID_subject_alt_name, san) &&
		X509_sign(cert, key, EVP_sha256()) != 0;
}

/* --- whom the key is for ------------------------------------------------- */

static gid_t
group_named(const char *group, const char *user)
{
	const struct group *gr = group != NULL ? getgrnam(group) : NULL;
	const struct passwd *pw = user != NULL ? getpwnam(user) : NULL;

	if (gr != NULL)
		return gr->gr_gid;
	return pw != NULL ? pw->pw_gid : NOBODY;
}

static const char *
yaml_text(const struct yaml_node *root, const char *name)
{
	const struct yaml_node *node = yaml_get(root, name);

	return node != NULL && node->kind == YAML_SCALAR ? node->text.p : NULL;
}

/*
 * The server reads keys as root when it starts, but as its own user when it
 * reloads.  NOBODY when root does not ask, or nothing tells who that user is.
 */
static gid_t
server_group(const struct cli *cli)
{
	const char *config =
		cli->config != NULL ? cli->config : CONFIG_DEFAULT;
	struct arena *a = arena_new();
	struct conf_errors errors;
	const struct yaml_node *root;
	gid_t group = NOBODY;

	conf_errors_init(&errors);
	if (geteuid() == 0) {
		root = yaml_load(a, config, &errors);
		group = group_named(
			yaml_text(root, "group"), yaml_text(root, "user"));
		if (group == NOBODY)
			group = group_named(NULL, USER_DEFAULT);
	}
	conf_errors_done(&errors);
	arena_free(a);
	return group;
}

static bool
key_give(FILE *f, gid_t group)
{
	return group == NOBODY ||
		(fchown(fileno(f), (uid_t)-1, group) == 0 &&
			fchmod(fileno(f), 0640) == 0);
}

/* --- files ---------------------------------------------------------------- */

/* A new file; what is there stays. */
static FILE *
file_new(const char *path, mode_t mode, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd != -1)
		return fdopen(fd, "w");
	if (errno == EEXIST)
		err_set(err, ERR_CONFLICT,
			"%s exists and is kept; move it away, or name another --dir",
			path);
	else
		err_errno(err, "cannot create %s", path);
	return NULL;
}

static bool
cert_write(const char *base, X509 *cert, EVP_PKEY *key, gid_t group,
	struct err *err)
{
	struct buf path = BUF_INIT;
	FILE *f;
	bool ok;

	buf_printf(&path, "%s.key", base);
	f = file_new(buf_c(&path), 0600, err);
	ok = f != NULL;
	if (ok) {
		ok = key_give(f, group) &&
			PEM_write_PrivateKey(
				f, key, NULL, NULL, 0, NULL, NULL);
		ok = fclose(f) == 0 && ok;
	}
	buf_done(&path);
	buf_printf(&path, "%s.pem", base);
	f = ok ? file_new(buf_c(&path), 0644, err) : NULL;
	ok = f != NULL;
	if (ok) {
		ok = PEM_write_X509(f, cert);
		ok = fclose(f) == 0 && ok;
	}
	buf_done(&path);
	if (!ok && err->code == ERR_NONE)
		err_set(err, ERR_SYSTEM, "%s: cannot be written", base);
	return ok;
}

/* The domain as DNS has it, in the arena of a. */
static bool
domain_ascii(struct arena *a, const char *domain, const char **out,
	struct err *err)
{
	struct str prepared;
	char *ascii = NULL;
	int rc;

	if (!jid_prep_domain(&prepared, a, str_c(domain), err))
		return false;
	rc = idn2_to_ascii_8z(arena_str(a, prepared).p, &ascii,
		IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return err_set(err, ERR_INVALID, "%s: %s", domain,
			idn2_strerror(rc));
	*out = arena_str(a, str_c(ascii)).p;
	idn2_free(ascii);
	/* commas and colons would say more than a name in an extension */
	if (strspn(*out, "abcdefghijklmnopqrstuvwxyz0123456789-._") !=
		strlen(*out))
		return err_set(err, ERR_INVALID, "%s is not the name of a host",
			domain);
	return true;
}

static bool
cert_make(const char *domain, const char *base, long days, gid_t group,
	struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	bool ok;

	if (key == NULL || cert == NULL || !cert_fill(cert, key, domain, days))
		ok = err_set(err, ERR_TLS, "the certificate cannot be made");
	else
		ok = cert_write(base, cert, key, group, err);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok;
}

int
cli_cert_make(struct cli *cli, json_t *args)
{
	const char *dir = text_arg(args, "dir");
	const char *days_text = text_arg(args, "days");
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	long long days = DAYS_DEFAULT;
	const char *domain = NULL, *base;
	gid_t group = server_group(cli);
	bool ok = true;

	if (days_text != NULL &&
		!str_to_int(str_c(days_text), 1, DAYS_MAX, &days))
		ok = err_set(&err, ERR_INVALID, "days: from 1 to %d", DAYS_MAX);
	ok = ok && domain_ascii(a, text_arg(args, "host"), &domain, &err);
	if (ok) {
		base = arena_printf(a, "%s%s%s", dir != NULL ? dir : "",
			dir != NULL ? "/" : "", domain).p;
		ok = cert_make(domain, base, (long)days, group, &err);
	}
	if (ok)
		printf("certificate: %s.pem\nkey: %s.key\n", base, base);
	if (ok && geteuid() == 0 && group == NOBODY)
		fprintf(stderr,
			"antiphonctl: only root can read %s.key, and a reload reads it as the server's user, whom no configuration names\n",
			base);
	arena_free(a);
	return ok ? CLI_OK : complain(&err);
}
