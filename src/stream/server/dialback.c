/*
 * dialback.c - keys of Server Dialback (XEP-0185 §2).
 *
 * Any thread; pure.
 */
#include "config.h"

#include "stream/server/dialback.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "account/credentials.h"

#define DIGEST_BYTES ((DIALBACK_KEY_SIZE - 1) / 2)

/* The hash of the secret is used in hex, as the example has it (§3). */
void
dialback_key(char out[DIALBACK_KEY_SIZE], struct str secret,
	struct str receiving, struct str originating, struct str stream_id)
{
	uint8_t digest[SCRAM_DIGEST_MAX];
	struct buf hashed = BUF_INIT, text = BUF_INIT, key = BUF_INIT;

	scram_digest(SCRAM_SHA_256, secret, digest);
	hex_encode(&hashed, digest, DIGEST_BYTES);
	buf_add_str(&text, receiving);
	buf_add_c(&text, " ");
	buf_add_str(&text, originating);
	buf_add_c(&text, " ");
	buf_add_str(&text, stream_id);
	scram_hmac(SCRAM_SHA_256, buf_str(&hashed), buf_str(&text), digest);
	hex_encode(&key, digest, DIGEST_BYTES);
	memcpy(out, buf_c(&key), DIALBACK_KEY_SIZE);
	mem_wipe_free(hashed.p, hashed.cap);
	mem_wipe_free(key.p, key.cap);
	buf_done(&text);
}

bool
dialback_key_ok(struct str key, struct str secret, struct str receiving,
	struct str originating, struct str stream_id)
{
	char want[DIALBACK_KEY_SIZE];
	bool ok;

	dialback_key(want, secret, receiving, originating, stream_id);
	ok = secret_eq(str_trim(key), str_c(want));
	explicit_bzero(want, sizeof(want));
	return ok;
}
