/*
 * test_tls_trust.c - authorities, from a file, a folder, or as the system has them.
 */
#include "config.h"

#include "net/tls_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "test.h"
#include "certs.h"

struct folder {
	struct certs_dir dir;
	char a[128], b[128], other[128], empty[128];
};

static void
file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	fputs(text, f);
	CHECK_INT(fclose(f), 0);
}

static void
authority_write(const char *path, const char *cn)
{
	const struct cert_want want = { .cn = cn, .ca = true };
	struct cert cert;

	cert_make(&cert, &want, NULL);
	cert_write(&cert, path);
	cert_done(&cert);
}

static void
folder_init(struct folder *f)
{
	certs_dir_init(&f->dir);
	certs_dir_file(&f->dir, "a.pem", f->a);
	certs_dir_file(&f->dir, "b.crt", f->b);
	certs_dir_file(&f->dir, "readme", f->other);
	authority_write(f->a, "A");
	authority_write(f->b, "B");
	file_write(f->other, "who can be trusted\n");
}

static struct tls_trust *
trust_get(const char *path, size_t count)
{
	struct err err = ERR_INIT;
	struct tls_trust *t = tls_trust_new(path, &err);

	CHECK_CSTR(err.text, "");
	CHECK(t != NULL);
	CHECK_INT(tls_trust_count(t), count);
	return t;
}

static void
trust_fails(const char *path, const char *why)
{
	struct err err = ERR_INIT;

	CHECK(tls_trust_new(path, &err) == NULL);
	CHECK(strstr(err.text, path) != NULL);
	CHECK(strstr(err.text, why) != NULL);
}

TEST(a_file_may_have_several_and_a_folder_all_its_files)
{
	struct folder f;
	struct tls_trust *t;
	struct cert more;

	folder_init(&f);
	t = trust_get(f.a, 1);
	CHECK_CSTR(tls_trust_path(t), f.a);
	tls_trust_unref(tls_trust_ref(t));
	tls_trust_unref(t);
	cert_make(&more, NULL, NULL);
	cert_append(&more, f.a);
	cert_append(&more, f.a); /* twice is once */
	cert_done(&more);
	tls_trust_unref(trust_get(f.a, 2));
	tls_trust_unref(trust_get(f.dir.path, 3));
	certs_dir_done(&f.dir);
}

TEST(what_cannot_be_read_is_told)
{
	struct folder f;

	folder_init(&f);
	trust_fails("/nonexistent/ca.pem", "No such file");
	trust_fails(f.other, "no certificate in PEM");
	file_write(f.other, "-----BEGIN CERTIFICATE-----\nAAAA\n"
			    "-----END CERTIFICATE-----\n");
	trust_fails(f.other, "");
	trust_fails(f.dir.path, "readme");
	certs_dir_done(&f.dir);
	certs_dir_init(&f.dir);
	trust_fails(f.dir.path, "no certificate in PEM");
	certs_dir_done(&f.dir);
}

TEST(a_change_of_any_file_is_seen)
{
	char link[128];
	struct folder f;
	struct tls_trust *t;

	folder_init(&f);
	t = trust_get(f.dir.path, 2);
	CHECK(tls_trust_is_current(t));
	authority_write(f.a, "A once more");
	CHECK(!tls_trust_is_current(t));
	tls_trust_unref(t);
	t = trust_get(f.dir.path, 2);
	unlink(f.b);
	CHECK(!tls_trust_is_current(t));
	tls_trust_unref(t);
	t = trust_get(f.dir.path, 1);
	certs_dir_file(&f.dir, "link", link);
	CHECK_INT(symlink("a.pem", link), 0); /* the same, once more */
	CHECK(tls_trust_is_current(t));
	tls_trust_unref(t);
	t = trust_get(f.a, 1);
	unlink(f.a);
	CHECK(!tls_trust_is_current(t));
	tls_trust_unref(t);
	certs_dir_done(&f.dir);
}

/* As OpenSSL does it: a file, and folders in which names are hashes. */
TEST(the_system_has_what_openssl_finds_there)
{
	char hashed[128], folders[300];
	struct folder f, g;
	struct tls_trust *t;

	folder_init(&f);
	folder_init(&g);
	setenv("SSL_CERT_FILE", f.a, 1);
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	t = trust_get(NULL, 1);
	CHECK(tls_trust_path(t) == NULL);
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	CHECK(!tls_trust_is_current(t));
	tls_trust_unref(t);
	tls_trust_unref(trust_get(NULL, 0)); /* none, and no error */
	snprintf(folders, sizeof(folders), "%s:%s", f.dir.path, g.dir.path);
	setenv("SSL_CERT_DIR", folders, 1);
	tls_trust_unref(trust_get(NULL, 0));
	certs_dir_file(&g.dir, "0123abcd.0", hashed);
	CHECK_INT(rename(g.b, hashed), 0);
	tls_trust_unref(trust_get(NULL, 1));
	certs_dir_done(&f.dir);
	certs_dir_done(&g.dir);
}

TEST_MAIN
