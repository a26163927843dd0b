/*
 * sasl_plain.c - PLAIN (RFC 4616): the password itself, checked against a SCRAM
 * verifier.
 *
 * Called by sasl.c.  The check costs one PBKDF2, the same for an account that
 * does not exist (hostile 28), and touches nothing but the session and what the
 * offer names, so that it may be done on another thread.
 */
#include "config.h"

#include "stream/sasl/sasl_int.h"

/* message = [authzid] NUL authcid NUL passwd (RFC 4616 §2) */
static enum sasl_result
plain_step(struct sasl *s, struct str in, struct buf *out)
{
	struct str authzid, authcid, password, rest;

	(void)out;
	if (!str_cut(in, '\0', &authzid, &rest) ||
		!str_cut(rest, '\0', &authcid, &password) ||
		authcid.n == 0 || password.n == 0 ||
		(authzid.n != 0 && !str_is_utf8(authzid)) ||
		!str_is_utf8(authcid) || !str_is_utf8(password))
		return sasl_fail(s, SASL_MALFORMED_REQUEST,
			"malformed PLAIN message");
	if (!sasl_set_account(s, authcid))
		return sasl_fail(s, SASL_NOT_AUTHORIZED, "invalid user name");
	if (authzid.n != 0 && !sasl_authzid_ok(s, authzid))
		return sasl_fail(s, SASL_INVALID_AUTHZID,
			"authorization identity of another account");
	buf_add_str(&s->password, password);
	return SASL_NEED_CREDENTIALS;
}

static enum sasl_result
plain_credentials(struct sasl *s, const struct credentials *c, struct buf *out)
{
	struct credentials fake = { 0 };
	bool known = c != NULL && credentials_hashes(c) != 0;
	bool right;

	(void)out;
	/* made in any case, so that both cases take their time */
	sasl_fake_verifier(s->offer, SCRAM_SHA_256, s->account,
		&fake.verifiers[SCRAM_SHA_256]);
	right = credentials_verify_password(known ? c : &fake,
		buf_str(&s->password));
	if (known && right)
		return SASL_SUCCESS;
	return sasl_fail(s, SASL_NOT_AUTHORIZED,
		known ? "wrong password" : "no such account");
}

const struct sasl_method sasl_plain_method = {
	.step = plain_step,
	.credentials = plain_credentials,
};
