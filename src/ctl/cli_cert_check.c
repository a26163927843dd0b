/*
 * cli_cert_check.c - shows certificates, and checks those of the configuration:
 * what a server would only tell in its log, or its clients.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <idn2.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/mem.h"
#include "core/mistake.h"
#include "core/yaml.h"
#include "ctl/cli.h"
#include "ctl/ctl_json.h"

#define CHAIN_MAX 16
#define DAYS_WARN 21
#define S_PER_DAY (24 * 60 * 60)

/* What a PEM file holds, leaf first. */
struct chain {
	X509 *certs[CHAIN_MAX];
	size_t n;
};

static const char *
text_arg(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

/* --- files -------------------------------------------------------------- */

static bool
chain_read(struct chain *out, const char *path, struct err *err)
{
	FILE *f = fopen(path, "re");
	X509 *cert;

	out->n = 0;
	if (f == NULL)
		return err_errno(err, "%s", path);
	while (out->n < CHAIN_MAX &&
		(cert = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
		out->certs[out->n++] = cert;
	ERR_clear_error();
	fclose(f);
	if (out->n == 0)
		return err_set(err, ERR_INVALID,
			"%s: there is no certificate in it", path);
	return true;
}

static void
chain_done(struct chain *chain)
{
	for (size_t i = 0; i < chain->n; i++)
		X509_free(chain->certs[i]);
	chain->n = 0;
}

static bool
key_belongs(const char *path, X509 *cert, struct err *err)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key;
	bool ok;

	if (f == NULL)
		return err_errno(err, "key %s", path);
	key = PEM_read_PrivateKey(f, NULL, NULL, (void *)(uintptr_t) "");
	fclose(f);
	if (key == NULL)
		ok = err_set(err, ERR_INVALID, "key %s: cannot be read", path);
	else if (X509_check_private_key(cert, key) != 1)
		ok = err_set(err, ERR_INVALID,
			"key %s: does not belong to the certificate", path);
	else
		ok = true;
	ERR_clear_error();
	EVP_PKEY_free(key);
	return ok;
}

/* --- what is in them ---------------------------------------------------- */

static long
cert_days_left(const X509 *cert)
{
	int days = 0, seconds = 0;

	ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert));
	return seconds < 0 ? days - 1 : days;
}

static bool
cert_has_begun(const X509 *cert)
{
	return X509_cmp_current_time(X509_get0_notBefore(cert)) < 0;
}

/* Names in subjectAltName, with blanks between. */
static void
cert_names(const X509 *cert, struct buf *out)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		if (out->n != 0)
			buf_add(out, " ", 1);
		buf_add(out, ASN1_STRING_get0_data(name->d.dNSName),
			(size_t)ASN1_STRING_length(name->d.dNSName));
	}
	GENERAL_NAMES_free(names);
}

static void
field_name(json_t *row, const char *field, const X509_NAME *name)
{
	char *text = X509_NAME_oneline(name, NULL, 0);

	json_object_set_new(row, field, ctl_json_text(str_c(text)));
	OPENSSL_free(text);
}

static void
field_time(json_t *row, const char *field, const ASN1_TIME *when)
{
	struct tm tm;
	char text[32] = "";

	if (ASN1_TIME_to_tm(when, &tm) == 1)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_set_new(row, field, json_string(text));
}

static void
field_fingerprint(json_t *row, const X509 *cert)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf text = BUF_INIT;
	unsigned n = 0;

	X509_digest(cert, EVP_sha256(), digest, &n);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&text, "%s%02X", i != 0 ? ":" : "", digest[i]);
	json_object_set_new(row, "sha256", json_stringn(text.p, text.n));
	buf_done(&text);
}

static json_t *
cert_row(const X509 *cert)
{
	struct buf names = BUF_INIT;
	json_t *row = json_object();

	cert_names(cert, &names);
	json_object_set_new(row, "names", ctl_json_text(buf_str(&names)));
	buf_done(&names);
	field_name(row, "subject", X509_get_subject_name(cert));
	field_name(row, "issuer", X509_get_issuer_name(cert));
	field_time(row, "from", X509_get0_notBefore(cert));
	field_time(row, "until", X509_get0_notAfter(cert));
	json_object_set_new(row, "days_left",
		json_integer(cert_days_left(cert)));
	field_fingerprint(row, cert);
	return row;
}

/* --- answers ------------------------------------------------------------ */

/* rows is taken. */
static void
rows_print(const struct cli *cli, json_t *rows, bool apart)
{
	struct buf out = BUF_INIT;
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		json_t *one = json_pack("[O]", row);

		if (cli->json)
			ctl_json_line(&out, json_incref(row));
		else if (apart)
			cli_table_print(stdout, one);
		json_decref(one);
	}
	if (cli->json)
		fwrite(out.p, 1, out.n, stdout);
	else if (!apart)
		cli_table_print(stdout, rows);
	buf_done(&out);
	json_decref(rows);
}

int
cli_cert_show(struct cli *cli, json_t *args)
{
	struct err err = ERR_INIT;
	struct chain chain;
	json_t *rows = json_array();

	if (!chain_read(&chain, text_arg(args, "file"), &err)) {
		fprintf(stderr, "antiphonctl: %s\n", err.text);
		json_decref(rows);
		return CLI_FAILED;
	}
	for (size_t i = 0; i < chain.n; i++)
		json_array_append_new(rows, cert_row(chain.certs[i]));
	rows_print(cli, rows, true);
	chain_done(&chain);
	return CLI_OK;
}

/* --- check -------------------------------------------------------------- */

static bool
chain_in_order(const struct chain *chain)
{
	for (size_t i = 0; i + 1 < chain->n; i++) {
		if (X509_check_issued(chain->certs[i + 1], chain->certs[i]) !=
			X509_V_OK)
			return false;
	}
	return true;
}

/* The remark goes to err; CLI_FAILED for what keeps clients from logging in. */
static int
chain_judge(const struct chain *chain, const char *host, const char *key,
	struct err *err)
{
	X509 *leaf = chain->certs[0];
	long days = cert_days_left(leaf);

	if (!key_belongs(key, leaf, err))
		return CLI_FAILED;
	if (days < 0)
		err_set(err, ERR_TLS, "it has expired");
	else if (!cert_has_begun(leaf))
		err_set(err, ERR_TLS, "it is not valid yet");
	else if (X509_check_host(leaf, host, strlen(host),
			 X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
		err_set(err, ERR_TLS, "it is not for this host");
	else if (!chain_in_order(chain))
		err_set(err, ERR_TLS,
			"the chain is out of order: each certificate is followed by the one that signed it");
	if (err->code != ERR_NONE)
		return CLI_FAILED;
	if (days < DAYS_WARN)
		err_set(err, ERR_NONE, "it expires soon");
	return CLI_OK;
}

/* A path as the server reads it: relative to the file it stands in. */
static const char *
path_of(struct arena *a, const struct yaml_node *node)
{
	const char *slash = strrchr(node->file, '/');

	if (node->text.p[0] == '/' || slash == NULL)
		return node->text.p;
	return arena_printf(a, "%.*s%s", (int)(slash - node->file) + 1,
		node->file, node->text.p).p;
}

/* As it stands in certificates; domain itself when it cannot be. */
static const char *
domain_ascii(struct arena *a, const char *domain)
{
	char *ascii = NULL;
	const char *out = domain;

	if (idn2_to_ascii_8z(domain, &ascii, IDN2_NONTRANSITIONAL) == IDN2_OK)
		out = arena_str(a, str_c(ascii)).p;
	idn2_free(ascii);
	return out;
}

static int
host_check(struct arena *a, const struct yaml_node *host, json_t *rows)
{
	const struct yaml_node *cert = NULL, *key = NULL;
	const char *domain = arena_str(a, host->key).p;
	json_t *row = json_pack("{s:s}", "host", domain);
	struct err err = ERR_INIT;
	struct chain chain = { .n = 0 };
	int rc = CLI_OK;

	if (host->kind == YAML_MAP) {
		cert = yaml_get(host, "certificate");
		key = yaml_get(host, "key");
	}
	json_array_append_new(rows, row);
	if (cert == NULL || cert->kind != YAML_SCALAR) {
		json_object_set_new(row, "remark",
			json_string("no certificate: nobody can log in"));
		return CLI_FAILED;
	}
	if (!chain_read(&chain, path_of(a, cert), &err))
		rc = CLI_FAILED;
	else
		rc = chain_judge(&chain, domain_ascii(a, domain),
			path_of(a, key != NULL && key->kind == YAML_SCALAR ?
					key :
					cert),
			&err);
	if (chain.n != 0)
		json_object_set_new(row, "days_left",
			json_integer(cert_days_left(chain.certs[0])));
	json_object_set_new(row, "remark",
		ctl_json_text(err.text[0] != '\0' ? str_c(err.text) :
						    STR("good")));
	chain_done(&chain);
	return rc;
}

int
cli_cert_check(struct cli *cli, json_t *args)
{
	const char *config = cli->config != NULL ? cli->config : CONFIG_DEFAULT;
	const char *wanted = text_arg(args, "host");
	struct arena *a = arena_new();
	json_t *rows = json_array();
	struct mistakes mistakes;
	const struct yaml_node *hosts, *host = NULL;
	int rc = CLI_OK;

	mistakes_init(&mistakes);
	hosts = yaml_get(yaml_load(a, config, &mistakes), "hosts");
	if (mistakes.n != 0) {
		fprintf(stderr, "antiphonctl: %s\n", mistakes.texts[0]);
		rc = CLI_FAILED;
	}
	if (hosts != NULL && hosts->kind == YAML_MAP)
		host = hosts->first;
	for (const struct yaml_node *h = host; h != NULL; h = h->next) {
		if ((wanted == NULL || str_is(h->key, wanted)) &&
			host_check(a, h, rows) != CLI_OK)
			rc = CLI_FAILED;
	}
	if (rc == CLI_OK && json_array_size(rows) == 0) {
		fprintf(stderr, "antiphonctl: %s: there is no such host\n",
			config);
		rc = CLI_FAILED;
	}
	rows_print(cli, rows, false);
	mistakes_done(&mistakes);
	arena_free(a);
	return rc;
}
