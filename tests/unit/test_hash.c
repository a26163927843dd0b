/*
 * test_hash.c - SipHash-1-3 against an independent implementation.
 */
#include "config.h"

#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/mem.h"
#include "test.h"

/* OpenSSL's SipHash with the numbers of rounds of the 1-3 variant. */
static uint64_t
reference(const unsigned char key[16], const unsigned char *in, size_t n)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	unsigned c_rounds = 1, d_rounds = 3;
	size_t size = 8, got = 0;
	unsigned char out[8];
	uint64_t value = 0;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c_rounds),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d_rounds),
		OSSL_PARAM_construct_end(),
	};

	CHECK(EVP_MAC_init(ctx, key, 16, params));
	CHECK(EVP_MAC_update(ctx, in, n));
	CHECK(EVP_MAC_final(ctx, out, &got, sizeof(out)));
	CHECK_INT(got, sizeof(out));
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	for (size_t i = 0; i < sizeof(out); i++)
		value |= (uint64_t)out[i] << (8 * i);
	return value;
}

/* Of exactly so many bytes, so that a sanitizer sees what is read beyond. */
TEST(hash_is_siphash_1_3_for_every_length)
{
	static const struct hash_key key = {
		.k0 = UINT64_C(0x0706050403020100),
		.k1 = UINT64_C(0x0f0e0d0c0b0a0908),
	};
	unsigned char key_bytes[16], *in;
	char label[32];

	for (size_t i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (unsigned char)i;
	for (size_t n = 0; n <= 300; n++) {
		in = xmalloc(n);
		for (size_t i = 0; i < n; i++)
			in[i] = (unsigned char)(i * 37);
		snprintf(label, sizeof(label), "%zu bytes", n);
		TEST_CASE(label);
		CHECK_INT(hash_bytes(&key, in, n), reference(key_bytes, in, n));
		free(in);
	}
}

TEST(hash_of_nothing_has_its_published_value)
{
	static const struct hash_key key = {
		.k0 = UINT64_C(0x0706050403020100),
		.k1 = UINT64_C(0x0f0e0d0c0b0a0908),
	};

	/* first vector of the 1-3 variant: dc c4 0f 05 58 01 ac ab */
	CHECK_INT(hash_bytes(&key, "", 0), 0xabac0158050fc4dc);
	CHECK_INT(hash_bytes(&key, NULL, 0), 0xabac0158050fc4dc);
}

TEST(hash_depends_on_the_key)
{
	struct hash_key a = { 1, 2 }, b = { 1, 3 }, c = { 2, 2 };

	CHECK(hash_bytes(&a, "romeo", 5) != hash_bytes(&b, "romeo", 5));
	CHECK(hash_bytes(&a, "romeo", 5) != hash_bytes(&c, "romeo", 5));
	CHECK(hash_bytes(&a, "romeo", 5) != hash_bytes(&a, "romeo", 4));
}

TEST_MAIN
