/*
 * sasl_anonymous.c - ANONYMOUS (RFC 4505, XEP-0175): a guest under a random
 * name.
 *
 * Called by sasl.c.
 */
#include "config.h"

#include "base/arena.h"
#include "base/rand.h"
#include "base/text.h"
#include "stream/sasl/sasl_int.h"

#define NAME_BYTES 16   /* 128 bits: nobody meets the name again */
#define TRACE_MAX 1020  /* 255 characters (RFC 4505 §2), of 4 bytes each */

static size_t
count_characters(struct str utf8)
{
	size_t n = 0;

	for (size_t i = 0; i < utf8.n; i++)
		n += ((unsigned char)utf8.p[i] & 0xc0) != 0x80;
	return n;
}

/* Trace data serves no purpose here: it is checked, and forgotten (XEP-0175
 * §3). */
static enum sasl_result
anonymous_step(struct sasl *s, struct str in, struct buf *out)
{
	uint8_t raw[NAME_BYTES];
	struct buf name = BUF_INIT;

	(void)out;
	if (in.n > TRACE_MAX || (in.n != 0 && !str_is_utf8(in)) ||
		count_characters(in) > 255)
		return sasl_fail(s, SASL_MALFORMED_REQUEST,
			"malformed ANONYMOUS message");
	rand_bytes(s->offer->rand, raw, sizeof(raw));
	/* Hex, since a localpart has no capital letters. */
	hex_encode(&name, raw, sizeof(raw));
	s->account = arena_str(s->arena, buf_str(&name));
	buf_done(&name);
	return SASL_SUCCESS;
}

const struct sasl_method sasl_anonymous_method = {
	.step = anonymous_step,
};
