/*
 * upload_token.c - the right to upload one file.
 *
 *	"Bearer " base64( HMAC-SHA-256(key, said LF name)  said )
 *	said: "1 ID BYTES PURPOSE SLOT UNTIL USER LF TYPE"
 *
 * Pure.  Invariant: nothing of it is believed before upload_token_is_true().
 */
#include "config.h"

#include "upload_token.h"

#include <strings.h>

#define SCHEME "Bearer "
#define FORMAT "1"
#define MAC_BYTES 32
/* A bare address (RFC 7622 §3.1). */
#define USER_MAX (2 * JID_PART_MAX + 1)

bool
upload_id_ok(struct str id)
{
	for (size_t i = 0; i < id.n; i++)
		if (!(id.p[i] >= '0' && id.p[i] <= '9') &&
			!(id.p[i] >= 'a' && id.p[i] <= 'f'))
			return false;
	return id.n == UPLOAD_ID_BYTES;
}

static void
mac_make(uint8_t *out, struct str said, struct str name, struct str key)
{
	struct buf text = BUF_INIT;

	buf_add_str(&text, said);
	buf_add_c(&text, "\n");
	buf_add_str(&text, name);
	scram_hmac(SCRAM_SHA_256, key, buf_str(&text), out);
	buf_done(&text);
}

void
upload_token_make(struct buf *out, const struct upload_token *t, struct str name,
	struct str key)
{
	struct buf whole = BUF_INIT;
	uint8_t mac[SCRAM_DIGEST_MAX];
	struct str said;

	buf_reserve(&whole, MAC_BYTES);
	whole.n = MAC_BYTES;
	buf_printf(&whole, FORMAT " %.*s %llu %s %lld %lld %.*s\n%.*s",
		STR_ARG(t->id), (unsigned long long)t->bytes,
		upload_purpose_name(t->purpose), (long long)t->slot_us,
		(long long)t->until_us, STR_ARG(t->user), STR_ARG(t->type));
	said = (struct str){ whole.p + MAC_BYTES, whole.n - MAC_BYTES };
	mac_make(mac, said, name, key);
	memcpy(whole.p, mac, MAC_BYTES);
	buf_add_c(out, SCHEME);
	base64_encode(out, whole.p, whole.n);
	buf_done(&whole);
}

/* It is looked up before the token is known to be true: no more than an address may
 * be, and in one piece where it ends with a NUL. */
static bool
user_ok(struct str user)
{
	return user.n != 0 && user.n <= USER_MAX &&
		memchr(user.p, '\0', user.n) == NULL;
}

static bool
said_read(struct upload_token *t, struct str said)
{
	struct str version, bytes, purpose, slot, until, rest;
	long long n_bytes, slot_us, until_us;

	if (!str_cut(said, '\n', &rest, &t->type) ||
		!str_cut(rest, ' ', &version, &rest) ||
		!str_cut(rest, ' ', &t->id, &rest) ||
		!str_cut(rest, ' ', &bytes, &rest) ||
		!str_cut(rest, ' ', &purpose, &rest) ||
		!str_cut(rest, ' ', &slot, &rest) ||
		!str_cut(rest, ' ', &until, &t->user) ||
		!str_to_int(bytes, 1, INT64_MAX, &n_bytes) ||
		!str_to_int(slot, 1, INT64_MAX, &slot_us) ||
		!str_to_int(until, 0, INT64_MAX, &until_us) ||
		!upload_purpose_parse(purpose, &t->purpose))
		return false;
	t->bytes = (uint64_t)n_bytes;
	t->slot_us = slot_us;
	t->until_us = until_us;
	return str_is(version, FORMAT) && upload_id_ok(t->id) &&
		user_ok(t->user) && str_is_utf8(said);
}

bool
upload_token_read(struct upload_token *t, struct arena *a, struct str header,
	struct str *mac_out, struct str *said_out)
{
	struct buf whole = BUF_INIT;
	struct str scheme = STR(SCHEME), all;
	bool ok;

	if (header.n < scheme.n || strncasecmp(header.p, SCHEME, scheme.n) != 0)
		return false;
	header.p += scheme.n;
	header.n -= scheme.n;
	ok = base64_decode(&whole, str_trim(header)) && whole.n > MAC_BYTES;
	if (ok) {
		all = arena_str(a, buf_str(&whole));
		*mac_out = (struct str){ all.p, MAC_BYTES };
		*said_out = (struct str){ all.p + MAC_BYTES, all.n - MAC_BYTES };
		ok = said_read(t, *said_out);
	}
	buf_done(&whole);
	return ok;
}

bool
upload_token_is_true(struct str mac, struct str said, struct str name,
	struct str key)
{
	uint8_t right[SCRAM_DIGEST_MAX];

	mac_make(right, said, name, key);
	return secret_eq(mac, (struct str){ (const char *)right, MAC_BYTES });
}
