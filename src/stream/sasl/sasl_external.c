/*
 * sasl_external.c - EXTERNAL (RFC 4422 appendix A, XEP-0178 §2): who presented
 * a client certificate is one of the addresses in it.
 *
 * Called by sasl.c.  Only addresses at the stream's host count.
 */
#include "config.h"

#include "base/arena.h"
#include "stream/sasl/sasl_int.h"

/* No authorization identity: XEP-0178 §2 step 11, the one address there is. */
static enum sasl_result
take_only_address(struct sasl *s)
{
	const struct sasl_offer *o = s->offer;
	struct str account = STR_NONE, local;

	for (size_t i = 0; i < o->n_addresses; i++) {
		if (!sasl_address_local(o, s->arena, o->addresses[i], &local))
			continue;
		if (account.p != NULL && !str_eq(account, local))
			return sasl_fail(s, SASL_INVALID_AUTHZID,
				"certificate with several addresses");
		account = local;
	}
	/* Without any address EXTERNAL was not offered. */
	if (account.p == NULL)
		return sasl_fail(s, SASL_NOT_AUTHORIZED,
			"certificate without address");
	s->account = arena_str(s->arena, account);
	return SASL_NEED_CREDENTIALS;
}

static enum sasl_result
external_step(struct sasl *s, struct str in, struct buf *out)
{
	const struct sasl_offer *o = s->offer;
	struct str wanted, local;

	(void)out;
	if (in.n == 0)
		return take_only_address(s);
	if (!str_is_utf8(in) ||
		!sasl_address_local(o, s->arena, in, &wanted))
		return sasl_fail(s, SASL_INVALID_AUTHZID,
			"authorization identity is no account here");
	for (size_t i = 0; i < o->n_addresses; i++) {
		if (sasl_address_local(o, s->arena, o->addresses[i], &local) &&
			str_eq(wanted, local)) {
			s->account = arena_str(s->arena, wanted);
			return SASL_NEED_CREDENTIALS;
		}
	}
	return sasl_fail(s, SASL_INVALID_AUTHZID,
		"authorization identity is not in the certificate");
}

/* The account must exist; a password it needs not have. */
static enum sasl_result
external_credentials(struct sasl *s, const struct credentials *c,
	struct buf *out)
{
	(void)out;
	if (c == NULL)
		return sasl_fail(s, SASL_NOT_AUTHORIZED, "no such account");
	return SASL_SUCCESS;
}

const struct sasl_method sasl_external_method = {
	.step = external_step,
	.credentials = external_credentials,
};
