/*
 * sasl_client.h - the client's side of SCRAM, for tests, written against the
 * library alone so that it shares no mistake with the server's side.
 */
#ifndef TESTS_UNIT_SASL_CLIENT_H
#define TESTS_UNIT_SASL_CLIENT_H

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buf.h"
#include "base/text.h"
#include "account/credentials.h"
#include "test.h"

static inline const EVP_MD *
client_md(enum scram_hash hash)
{
	return hash == SCRAM_SHA_1 ? EVP_sha1() :
		hash == SCRAM_SHA_256 ? EVP_sha256() : EVP_sha512();
}

static inline void
client_hmac(const EVP_MD *md, const void *key, struct str data, uint8_t *out)
{
	HMAC(md, key, EVP_MD_get_size(md), (const unsigned char *)data.p,
		data.n, out, NULL);
}

/* The attribute x= of a message; STR_NONE when it is not there. */
static inline struct str
client_attr(struct str message, char x)
{
	struct str attr;

	while (message.p != NULL) {
		str_cut(message, ',', &attr, &message);
		if (attr.n >= 2 && attr.p[0] == x && attr.p[1] == '=')
			return (struct str){ attr.p + 2, attr.n - 2 };
	}
	return STR_NONE;
}

/*
 * Answers server_first with a whole client-final-message in out, and gives the
 * "v=" that has to come back in verify.  extra is put before the proof, where
 * it may also lengthen the nonce.
 */
static inline void
client_final(enum scram_hash hash, const char *password, const char *first_bare,
	struct str server_first, struct str channel, const char *extra,
	struct buf *out, struct buf *verify)
{
	const EVP_MD *md = client_md(hash);
	uint8_t salted[64], key[64], stored[64], signature[64];
	struct buf salt = BUF_INIT, auth = BUF_INIT;
	struct str salt64 = client_attr(server_first, 's');
	struct str count = client_attr(server_first, 'i');
	struct str nonce = client_attr(server_first, 'r');
	size_t n = (size_t)EVP_MD_get_size(md);
	long long iterations;

	CHECK(str_to_int(count, 1, 1000000, &iterations));
	CHECK(base64_decode(&salt, salt64));
	PKCS5_PBKDF2_HMAC(password, (int)strlen(password),
		(unsigned char *)salt.p, (int)salt.n, (int)iterations, md,
		(int)n, salted);
	client_hmac(md, salted, STR("Client Key"), key);
	EVP_Digest(key, n, stored, NULL, md, NULL);

	buf_add_c(out, "c=");
	base64_encode(out, channel.p, channel.n);
	buf_printf(out, ",r=%.*s%s", STR_ARG(nonce), extra);
	buf_printf(&auth, "%s,%.*s,%.*s", first_bare, STR_ARG(server_first),
		STR_ARG(buf_str(out)));
	client_hmac(md, stored, buf_str(&auth), signature);
	for (size_t i = 0; i < n; i++)
		key[i] ^= signature[i];
	buf_add_c(out, ",p=");
	base64_encode(out, key, n);

	client_hmac(md, salted, STR("Server Key"), key);
	client_hmac(md, key, buf_str(&auth), signature);
	buf_add_c(verify, "v=");
	base64_encode(verify, signature, n);
	buf_done(&salt);
	buf_done(&auth);
}

#endif
