/*
 * tls_trust.c - the authorities by which certificates of other servers are judged:
 * read whole, once.
 *
 * OpenSSL's own look-up in a folder reads files while a handshake is under way,
 * which stops a shard.  Invariant: nothing is read after tls_trust_new(), and
 * nothing in a trust changes; the store in it has a lock of its own.
 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/ref.h"
#include "net/net_int.h"
#include "net/tls_peer.h"

struct tls_trust {
	struct ref refs;
	char *path; /* NULL: the system's */
	X509_STORE *store;
	size_t count;
	bool revokes;	    /* there is a list of revoked ones */
	struct buf sources; /* each file, with what changes when it does */
};

/* --- which files ------------------------------------------------------------- */

/* False with err ends it. */
typedef bool (*file_fn)(struct tls_trust *t, const char *path, bool must,
	struct err *err);

/* As OpenSSL names what it looks for: "5ad8a5d6.0", "5ad8a5d6.r0". */
static bool
is_hashed(const char *name)
{
	for (int i = 0; i < 8; i++)
		if (!isxdigit((unsigned char)name[i]))
			return false;
	return name[8] == '.' && (isdigit((unsigned char)name[9]) ||
		(name[9] == 'r' && isdigit((unsigned char)name[10])));
}

static int
is_of_folder(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static bool
folder_each(struct tls_trust *t, const char *path, bool system, file_fn fn,
	struct err *err)
{
	struct dirent **names = NULL;
	struct stat st;
	int n = scandir(path, &names, is_of_folder, alphasort);
	bool ok = true;
	char file[4096];

	if (n == -1)
		return system || err_errno(err, "%.150s", path);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (ok && (!system || is_hashed(names[i]->d_name)) &&
			stat(file, &st) == 0 && S_ISREG(st.st_mode))
			ok = fn(t, file, !system, err);
		free(names[i]);
	}
	free(names);
	return ok;
}

/* What is not there is none. */
static bool
system_each(struct tls_trust *t, file_fn fn, struct err *err)
{
	const char *file = getenv(X509_get_default_cert_file_env());
	const char *folders = getenv(X509_get_default_cert_dir_env());
	struct str folder, rest;
	bool more = true, ok;

	ok = fn(t, file != NULL ? file : X509_get_default_cert_file(), false,
		err);
	rest = str_c(folders != NULL ? folders : X509_get_default_cert_dir());
	while (ok && more) {
		char *path;

		more = str_cut(rest, ':', &folder, &rest);
		path = str_dup(folder);
		ok = folder_each(t, path, true, fn, err);
		free(path);
	}
	return ok;
}

static bool
trust_each(struct tls_trust *t, file_fn fn, struct err *err)
{
	struct stat st;

	if (t->path == NULL)
		return system_each(t, fn, err);
	if (stat(t->path, &st) == -1)
		return err_errno(err, "%.150s", t->path);
	if (S_ISDIR(st.st_mode))
		return folder_each(t, t->path, false, fn, err);
	if (!S_ISREG(st.st_mode)) /* it might have no end */
		return err_set(err, ERR_INVALID,
			"%.150s: it is neither a file nor a folder", t->path);
	return fn(t, t->path, true, err);
}

/* --- reading ------------------------------------------------------------------- */

/* Notes a file; false when it was noted before: a folder has some under several
 * names. */
static bool
file_is_new(struct tls_trust *t, const char *path)
{
	struct buf id = BUF_INIT;
	struct stat st;
	bool new;

	if (stat(path, &st) == 0)
		tls_files_identify(&st, &id);
	new = strstr(buf_c(&t->sources), buf_c(&id)) == NULL;
	if (new)
		buf_add_str(&t->sources, buf_str(&id));
	buf_done(&id);
	return new;
}

static bool
file_note(struct tls_trust *t, const char *path, bool must, struct err *err)
{
	(void)must;
	(void)err;
	(void)file_is_new(t, path);
	return true;
}

static void
trust_add(struct tls_trust *t, const X509_INFO *info)
{
	if (info->x509 != NULL)
		X509_STORE_add_cert(t->store, info->x509);
	if (info->crl != NULL && X509_STORE_add_crl(t->store, info->crl) == 1)
		t->revokes = true;
}

/* What is no PEM has no certificates. */
static bool
file_read(struct tls_trust *t, const char *path, bool must, struct err *err)
{
	STACK_OF(X509_INFO) *all = NULL;
	BIO *bio;
	bool ok;

	if (!file_is_new(t, path) && !must)
		return true;
	ERR_clear_error();
	bio = BIO_new_file(path, "r");
	if (bio != NULL)
		all = PEM_X509_INFO_read_bio(
			bio, NULL, tls_files_no_pass_phrase, NULL);
	ok = all != NULL || !must;
	if (!ok)
		tls_err(err, path);
	for (int i = 0; i < sk_X509_INFO_num(all); i++)
		trust_add(t, sk_X509_INFO_value(all, i));
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	BIO_free(bio);
	ERR_clear_error();
	return ok;
}

static void
trust_count(struct tls_trust *t)
{
	const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(t->store);

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++)
		t->count += X509_OBJECT_get_type(sk_X509_OBJECT_value(all,
				    i)) == X509_LU_X509;
}

/* Who has no list of what he has revoked has revoked nothing. */
static int
on_verified(int ok, X509_STORE_CTX *ctx)
{
	return ok ||
		X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNABLE_TO_GET_CRL;
}

static void
trust_tune(struct tls_trust *t)
{
	/* whoever the administrator names is trusted, by himself */
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;

	if (t->revokes) {
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
		X509_STORE_set_verify_cb(t->store, on_verified);
	}
	X509_STORE_set_flags(t->store, flags);
}

static struct tls_trust *
trust_alloc(const char *path)
{
	struct tls_trust *t = xcalloc(1, sizeof(*t));

	ref_init(&t->refs);
	t->path = path != NULL ? xstrdup(path) : NULL;
	return t;
}

struct tls_trust *
tls_trust_new(const char *path, struct err *err)
{
	struct tls_trust *t = trust_alloc(path);
	bool ok;

	t->store = X509_STORE_new();
	ok = t->store != NULL ? trust_each(t, file_read, err) :
				tls_err(err, "authorities");
	if (ok) {
		trust_count(t);
		trust_tune(t);
		ok = t->count != 0 || path == NULL ||
			err_set(err, ERR_INVALID,
				"%.150s: there is no certificate in PEM in it",
				path);
	}
	if (ok)
		return t;
	tls_trust_unref(t);
	return NULL;
}

/* --- asking ---------------------------------------------------------------------- */

bool
tls_trust_is_current(const struct tls_trust *trust)
{
	struct tls_trust *now = trust_alloc(trust->path);
	bool same;

	same = trust_each(now, file_note, NULL) &&
		str_eq(buf_str(&now->sources), buf_str(&trust->sources));
	tls_trust_unref(now);
	return same;
}

struct tls_trust *
tls_trust_ref(struct tls_trust *trust)
{
	ref_take(&trust->refs);
	return trust;
}

void
tls_trust_unref(struct tls_trust *trust)
{
	if (trust == NULL || !ref_drop(&trust->refs))
		return;
	X509_STORE_free(trust->store);
	buf_done(&trust->sources);
	free(trust->path);
	free(trust);
}

const char *
tls_trust_path(const struct tls_trust *trust)
{
	return trust->path;
}

size_t
tls_trust_count(const struct tls_trust *trust)
{
	return trust->count;
}

struct x509_store_st *
tls_trust_store(const struct tls_trust *trust)
{
	return trust != NULL ? trust->store : NULL;
}
