/*
 * fuzz_sasl.c - any sequence of calls with any messages, for each mechanism.
 *
 * Input: one byte that chooses what is offered, then records of one byte for
 * the call, two for the length (little endian), and the message.
 */
#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "account/credentials.h"
#include "stream/sasl/sasl.h"
#include "fuzz.h"

static const char *const types[] = { "tls-exporter", "tls-server-end-point" };
static const struct str addresses[] = {
	{ "anna@example.org", 16 },
	{ "bert@example.org", 16 },
};

static bool
give_binding(void *arg, const char *type, struct buf *out)
{
	(void)arg;
	buf_add_c(out, type);
	return true;
}

/* The same each time, so that a seed can hold a whole exchange. */
static void
count_bytes(struct rand_source *r, void *out, size_t n)
{
	(void)r;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)i;
}

static struct rand_source counting = { .bytes = count_bytes };

static struct sasl_offer
offer(uint8_t choice)
{
	return (struct sasl_offer){
		.host = STR("example.org"),
		.enabled = ~0u,
		.tls = (choice & 1) == 0,
		.tls_version = "0304",
		.bindings = types,
		.n_bindings = choice >> 1 & 1 ? COUNT(types) : 0,
		.bindings_announced = (choice & 4) != 0,
		.binding = give_binding,
		.addresses = addresses,
		.n_addresses = choice >> 3 & 3 ? COUNT(addresses) : 1,
		.iterations = SCRAM_ITERATIONS_MIN,
		.salt_bytes = SCRAM_SALT_BYTES,
		.secret = STR("0123456789abcdef0123456789abcdef"),
		.rand = &counting,
	};
}

/* One record; what it takes of data is returned. */
static size_t
call(struct sasl *s, const uint8_t *data, size_t n, struct buf *out)
{
	static const struct credentials none;
	size_t size = MIN(data[1] | (size_t)data[2] << 8, n - 3);
	struct str in = { (const char *)data + 3, size };
	enum sasl_result r;
	size_t before = out->n;

	if (data[0] < SASL_MECHS)
		r = sasl_start(s, str_c(sasl_mech_name(data[0])), in, out);
	else if (data[0] == SASL_MECHS)
		r = sasl_start(s, in, STR_NONE, out);
	else if (data[0] & 1)
		r = sasl_step(s, in, out);
	else
		r = sasl_credentials(s, data[0] & 2 ? &none : NULL, out);
	/* Nobody knows a password here: only a certificate, or no name at all,
	 * leads in. */
	FUZZ_CHECK(r != SASL_SUCCESS || sasl_mech(s) == SASL_EXTERNAL ||
		sasl_mech(s) == SASL_ANONYMOUS);
	FUZZ_CHECK(r != SASL_FAILURE || out->n == before);
	FUZZ_CHECK(r != SASL_NEED_CREDENTIALS || sasl_account(s).n != 0);
	return 3 + size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sasl_offer o;
	struct sasl *s;
	struct buf out = BUF_INIT;

	if (n == 0)
		return 0;
	o = offer(data[0]);
	s = sasl_new(&o);
	for (size_t at = 1; at + 3 <= n;)
		at += call(s, data + at, n - at, &out);
	sasl_free(s);
	buf_done(&out);
	return 0;
}
