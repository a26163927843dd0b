/*
 * cli_cert_check.c - shows certificates, and checks those of the configuration:
 * what a server would only tell in its log, or its clients.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xmpp/jid.h"
#include "net/tls.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "ctl/ctl_json.h"
#include "antiphonctl/cli.h"

#define CHAIN_MAX 16
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

/* --- what is in them ---------------------------------------------------- */

static long
cert_days_left(const X509 *cert)
{
	int days = 0, seconds = 0;

	ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert));
	return seconds < 0 ? days - 1 : days;
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

struct finding {
	struct buf remark;
	bool refused;
};

static void
on_finding(void *arg, bool refused, const char *text)
{
	struct finding *f = arg;

	buf_printf(&f->remark, "%s%s", f->remark.n != 0 ? "; " : "", text);
	f->refused = f->refused || refused;
}

/* As the server does it. */
static void
host_load(const struct config *c, const struct config_host *h,
	struct finding *out)
{
	struct tls_host_conf *all = xcalloc(c->n_hosts + 1, sizeof(*all));
	struct tls_host_conf own = { h->domain, h->certificate, h->key };
	struct err err = ERR_INIT;
	struct tls_conf conf;
	struct tls_set *set;

	config_tls_conf(c, all, &conf);
	conf.hosts = &own;
	conf.n_hosts = 1;
	set = tls_set_new(&conf, on_finding, out, &err);
	if (set == NULL)
		on_finding(out, true, err.text);
	tls_set_unref(set);
	free(all);
}

static int
host_check(const struct config *c, const struct config_host *h, json_t *rows)
{
	json_t *row = json_pack("{s:s}", "host", h->domain);
	struct finding f = { .remark = BUF_INIT };
	struct chain chain = { .n = 0 };

	json_array_append_new(rows, row);
	if (h->certificate == NULL) {
		json_object_set_new(row, "remark",
			json_string("no certificate: nobody can log in"));
		return CLI_FAILED;
	}
	if (chain_read(&chain, h->certificate, NULL))
		json_object_set_new(row, "days_left",
			json_integer(cert_days_left(chain.certs[0])));
	chain_done(&chain);
	host_load(c, h, &f);
	json_object_set_new(row, "remark",
		f.remark.n != 0 ? ctl_json_text(buf_str(&f.remark)) :
				  json_string("good"));
	buf_done(&f.remark);
	return f.refused ? CLI_FAILED : CLI_OK;
}

/* host NULL: all of them. */
static int
hosts_check(const struct config *c, const char *host, json_t *rows)
{
	struct arena *a = arena_new();
	struct str wanted = STR_NONE;
	int rc = CLI_OK;

	if (host != NULL && !jid_prep_domain(&wanted, a, str_c(host), NULL))
		wanted = str_c(host);
	for (size_t i = 0; i < c->n_hosts; i++) {
		const struct config_host *h =
			config_host(c, str_c(c->host_order[i]));

		if ((host == NULL || str_is(wanted, h->domain)) &&
			host_check(c, h, rows) != CLI_OK)
			rc = CLI_FAILED;
	}
	if (host != NULL && json_array_size(rows) == 0) {
		fprintf(stderr, "antiphonctl: %s is no host of %s\n", host,
			c->path);
		rc = CLI_FAILED;
	}
	arena_free(a);
	return rc;
}

int
cli_cert_check(struct cli *cli, json_t *args)
{
	struct err err = ERR_INIT;
	json_t *rows = json_array();
	struct conf_errors errors;
	struct config *c;
	int rc = CLI_FAILED;

	if (!cli_ask_paths(cli, &err)) {
		fprintf(stderr, "antiphonctl: %s\n", err.text);
		json_decref(rows);
		return CLI_NO_SERVER;
	}
	conf_errors_init(&errors);
	c = config_load(cli->config != NULL ? cli->config : CONFIG_DEFAULT,
		NULL, &errors);
	for (size_t i = 0; i < errors.n_kept; i++)
		fprintf(stderr, "antiphonctl: %s\n", errors.texts[i]);
	if (c != NULL)
		rc = hosts_check(c, text_arg(args, "host"), rows);
	config_unref(c);
	rows_print(cli, rows, false);
	conf_errors_done(&errors);
	return rc;
}
