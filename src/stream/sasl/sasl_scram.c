/*
 * sasl_scram.c - SCRAM-SHA-1, -256, -512, each with and without channel binding
 * (RFC 5802, RFC 7677), protected against downgrades (XEP-0474, XEP-0515).
 *
 * Called by sasl.c.  The messages, and who reads or writes them:
 *
 *   client-first  read_first()     gs2-header, n=, r=
 *   server-first  write_first()    r=, s=, i=, h=, t=
 *   client-final  read_final()     c=, r=, p=
 *   server-final  write_final()    v=
 *
 * Invariant: for an account that does not exist every step is the same as for
 * one that does, up to the answer to the proof (hostile 28).
 */
#include "config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/text.h"
#include "stream/sasl/sasl_int.h"

/* XEP-0474 §6.1 */
#define LIST_SEP "\x1e"
#define TYPES_SEP "\x1f"

/* --- syntax (RFC 5802 §7) ------------------------------------------------ */

/* Takes "X=value" with the letter x off the front of *rest, up to a comma or
 * the end. */
static bool
take_attr(struct str *rest, char x, struct str *value_out)
{
	struct str attr, tail;

	str_cut(*rest, ',', &attr, &tail);
	if (attr.n < 3 || attr.p[0] != x || attr.p[1] != '=')
		return false;
	*value_out = (struct str){ attr.p + 2, attr.n - 2 };
	*rest = tail;
	return true;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* extensions = attr-val *("," attr-val), all ignored; rest is absent or what
 * stands behind a comma. */
static bool
extensions_ok(struct str rest)
{
	while (rest.p != NULL) {
		struct str attr, tail;

		str_cut(rest, ',', &attr, &tail);
		if (attr.n < 3 || !is_letter(attr.p[0]) || attr.p[1] != '=')
			return false;
		/* A mandatory extension, of which we know none. */
		if (attr.p[0] == 'm')
			return false;
		rest = tail;
	}
	return true;
}

/* printable = %x21-2B / %x2D-7E */
static bool
nonce_ok(struct str nonce)
{
	for (size_t i = 0; i < nonce.n; i++) {
		char c = nonce.p[i];

		if (c < 0x21 || c > 0x7e || c == ',')
			return false;
	}
	return nonce.n != 0;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, any other "=" an error. */
static bool
name_unescape(struct buf *out, struct str in)
{
	for (size_t i = 0; i < in.n; i++) {
		struct str here = { in.p + i, in.n - i };

		if (in.p[i] != '=') {
			buf_add(out, in.p + i, 1);
		} else if (str_starts(here, STR("=2C"))) {
			buf_add_c(out, ",");
			i += 2;
		} else if (str_starts(here, STR("=3D"))) {
			buf_add_c(out, "=");
			i += 2;
		} else {
			return false;
		}
	}
	return true;
}

/* --- client-first-message ------------------------------------------------ */

static enum sasl_result
malformed(struct sasl *s)
{
	return sasl_fail(s, SASL_MALFORMED_REQUEST, "malformed SCRAM message");
}

static const char *
find_binding(const struct sasl_offer *o, struct str type)
{
	for (size_t i = 0; i < o->n_bindings; i++) {
		if (str_is(type, o->bindings[i]))
			return o->bindings[i];
	}
	return o->binding_quiet != NULL && str_is(type, o->binding_quiet)
		? o->binding_quiet
		: NULL;
}

/* gs2-cbind-flag, judged as RFC 5802 §6 says; SASL_CHALLENGE: go on. */
static enum sasl_result
read_flag(struct sasl *s, struct str flag)
{
	struct str type;

	if (str_starts(flag, STR("p=")) && flag.n > 2) {
		if (!s->scram.plus)
			return sasl_fail(s, SASL_MALFORMED_REQUEST,
				"channel binding without a -PLUS mechanism");
		type = (struct str){ flag.p + 2, flag.n - 2 };
		s->scram.binding = find_binding(s->offer, type);
		if (s->scram.binding == NULL)
			return sasl_fail(s, SASL_NOT_AUTHORIZED,
				"channel binding type not available");
		return SASL_CHALLENGE;
	}
	if (!str_is(flag, "n") && !str_is(flag, "y"))
		return malformed(s);
	if (s->scram.plus)
		return sasl_fail(s, SASL_MALFORMED_REQUEST,
			"-PLUS mechanism without channel binding");
	/* The client did not see what we offered: somebody took it out. */
	if (str_is(flag, "y") &&
		(sasl_mechanisms(s->offer) & SASL_PLUS) != 0)
		return sasl_fail(s, SASL_NOT_AUTHORIZED,
			"channel binding downgraded on the way");
	return SASL_CHALLENGE;
}

/* name and authzid as written by the client; SASL_CHALLENGE: go on. */
static enum sasl_result
read_names(struct sasl *s, struct str name, struct str authzid)
{
	enum sasl_result r = SASL_CHALLENGE;
	struct buf plain = BUF_INIT;

	if (!name_unescape(&plain, name)) {
		r = malformed(s);
		goto out;
	}
	if (!sasl_set_account(s, buf_str(&plain))) {
		r = sasl_fail(s, SASL_NOT_AUTHORIZED, "invalid user name");
		goto out;
	}
	plain.n = 0;
	if (authzid.p == NULL)
		goto out;
	if (!name_unescape(&plain, authzid))
		r = malformed(s);
	else if (!sasl_authzid_ok(s, buf_str(&plain)))
		r = sasl_fail(s, SASL_INVALID_AUTHZID,
			"authorization identity of another account");
out:
	buf_done(&plain);
	return r;
}

static enum sasl_result
read_first(struct sasl *s, struct str in)
{
	struct sasl_scram *sc = &s->scram;
	struct str flag, authz, bare, rest, name, nonce, authzid = STR_NONE;
	enum sasl_result r;

	if (!str_is_utf8(in) || !str_cut(in, ',', &flag, &rest) ||
		!str_cut(rest, ',', &authz, &bare))
		return malformed(s);
	if (authz.n != 0 && !take_attr(&authz, 'a', &authzid))
		return malformed(s);
	rest = bare;
	if (!take_attr(&rest, 'n', &name) || !take_attr(&rest, 'r', &nonce) ||
		!nonce_ok(nonce) || !extensions_ok(rest))
		return malformed(s);
	r = read_flag(s, flag);
	if (r == SASL_CHALLENGE)
		r = read_names(s, name, authzid);
	if (r != SASL_CHALLENGE)
		return r;
	buf_add(&sc->gs2, in.p, (size_t)(bare.p - in.p));
	buf_add_str(&sc->first, bare);
	buf_add_str(&sc->nonce, nonce);
	sc->has_first = true;
	return SASL_NEED_CREDENTIALS;
}

/* --- server-first-message ------------------------------------------------ */

static int
compare_names(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Sorted by octets, and joined. */
static void
add_list(struct buf *out, struct str *names, size_t n)
{
	if (n != 0)
		qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			buf_add_c(out, LIST_SEP);
		buf_add_str(out, names[i]);
	}
}

static void
add_mechanisms(struct buf *out, const struct sasl_offer *o)
{
	unsigned set = sasl_mechanisms(o);
	size_t n = o->advertised != NULL ? o->n_advertised : SASL_MECHS;
	struct str *names = xcalloc(n, sizeof(*names));

	if (o->advertised != NULL) {
		for (size_t i = 0; i < n; i++)
			names[i] = o->advertised[i];
	} else {
		n = 0;
		for (unsigned i = 0; i < SASL_MECHS; i++) {
			if ((set & SASL_BIT(i)) != 0)
				names[n++] = str_c(
					sasl_mech_name((enum sasl_mech)i));
		}
	}
	add_list(out, names, n);
	free(names);
}

/* XEP-0474 §6.1 */
static void
add_offer_hash(struct buf *out, const struct sasl *s)
{
	const struct sasl_offer *o = s->offer;
	struct buf text = BUF_INIT;
	uint8_t digest[SCRAM_DIGEST_MAX];

	add_mechanisms(&text, o);
	if (o->bindings_announced) {
		struct str *types = xcalloc(o->n_bindings, sizeof(*types));

		for (size_t i = 0; i < o->n_bindings; i++)
			types[i] = str_c(o->bindings[i]);
		buf_add_c(&text, TYPES_SEP);
		add_list(&text, types, o->n_bindings);
		free(types);
	}
	scram_digest(s->scram.hash, buf_str(&text), digest);
	base64_encode(out, digest, scram_digest_size(s->scram.hash));
	buf_done(&text);
}

static enum sasl_result
write_first(struct sasl *s, struct buf *out)
{
	struct sasl_scram *sc = &s->scram;
	struct buf *msg = &sc->server_first;
	char id[RAND_ID_SIZE];

	buf_add_str(&sc->nonce, rand_id(s->offer->rand, id));
	buf_add_c(msg, "r=");
	buf_add_str(msg, buf_str(&sc->nonce));
	buf_add_c(msg, ",s=");
	base64_encode(msg, sc->verifier.salt, sc->verifier.salt_len);
	buf_printf(msg, ",i=%u,h=", (unsigned)sc->verifier.iterations);
	add_offer_hash(msg, s);
	if (s->offer->tls && s->offer->tls_version != NULL)
		buf_printf(msg, ",t=%s", s->offer->tls_version);
	buf_add_str(out, buf_str(msg));
	return SASL_CHALLENGE;
}

static enum sasl_result
scram_credentials(struct sasl *s, const struct credentials *c, struct buf *out)
{
	struct sasl_scram *sc = &s->scram;

	/* Made in any case, so that both cases take their time. */
	sasl_fake_verifier(s->offer, sc->hash, s->account, &sc->verifier);
	sc->unknown = c == NULL ? "no such account" : NULL;
	if (c != NULL && c->verifiers[sc->hash].iterations == 0)
		sc->unknown = "account without verifier for this mechanism";
	if (sc->unknown == NULL)
		sc->verifier = c->verifiers[sc->hash];
	return write_first(s, out);
}

/* --- client-final-message ------------------------------------------------ */

/* c= must be the gs2 header, and the channel's data if it is bound. */
static bool
channel_ok(struct sasl *s, struct str found)
{
	const struct sasl_offer *o = s->offer;
	struct sasl_scram *sc = &s->scram;
	struct buf want = BUF_INIT;
	bool ok = true;

	buf_add_str(&want, buf_str(&sc->gs2));
	if (sc->plus) {
		size_t before = want.n;

		/* Data of no bytes would bind to nothing. */
		ok = o->binding != NULL &&
			o->binding(o->binding_arg, sc->binding, &want) &&
			want.n > before;
	}
	ok = ok && secret_eq(buf_str(&want), found);
	buf_done(&want);
	return ok;
}

/* Splits at the last ",p=", since the proof covers all that stands before. */
static bool
cut_proof(struct str in, struct str *before_out, struct str *proof_out)
{
	for (size_t i = in.n; i >= 3; i--) {
		if (memcmp(in.p + i - 3, ",p=", 3) == 0) {
			*before_out = (struct str){ in.p, i - 3 };
			*proof_out = (struct str){ in.p + i, in.n - i };
			return true;
		}
	}
	return false;
}

/* server-final-message, or failure.  without_proof is what the proof covers. */
static enum sasl_result
write_final(struct sasl *s, struct str without_proof, struct str proof,
	struct buf *out)
{
	struct sasl_scram *sc = &s->scram;
	struct buf auth = BUF_INIT;
	uint8_t signature[SCRAM_DIGEST_MAX];
	bool ok;

	buf_add_str(&auth, buf_str(&sc->first));
	buf_add_c(&auth, ",");
	buf_add_str(&auth, buf_str(&sc->server_first));
	buf_add_c(&auth, ",");
	buf_add_str(&auth, without_proof);
	ok = scram_proof_ok(sc->hash, &sc->verifier, buf_str(&auth), proof);
	scram_server_signature(sc->hash, &sc->verifier, buf_str(&auth),
		signature);
	buf_done(&auth);
	if (!ok || sc->unknown != NULL)
		return sasl_fail(s, SASL_NOT_AUTHORIZED,
			sc->unknown != NULL ? sc->unknown : "wrong password");
	buf_add_c(out, "v=");
	base64_encode(out, signature, scram_digest_size(sc->hash));
	return SASL_SUCCESS;
}

static enum sasl_result
read_final(struct sasl *s, struct str in, struct buf *out)
{
	struct str without_proof, proof64, rest, channel64, nonce;
	struct buf channel = BUF_INIT, proof = BUF_INIT;
	enum sasl_result r;

	if (!str_is_utf8(in) || !cut_proof(in, &without_proof, &proof64))
		return malformed(s);
	rest = without_proof;
	if (!take_attr(&rest, 'c', &channel64) ||
		!take_attr(&rest, 'r', &nonce) || !extensions_ok(rest) ||
		!base64_decode(&channel, channel64) ||
		!base64_decode(&proof, proof64) ||
		proof.n != scram_digest_size(s->scram.hash))
		r = malformed(s);
	else if (!secret_eq(nonce, buf_str(&s->scram.nonce)))
		r = sasl_fail(s, SASL_NOT_AUTHORIZED, "wrong nonce");
	else if (!channel_ok(s, buf_str(&channel)))
		r = sasl_fail(s, SASL_NOT_AUTHORIZED,
			"channel binding does not match");
	else
		r = write_final(s, without_proof, buf_str(&proof), out);
	buf_done(&channel);
	buf_done(&proof);
	return r;
}

static enum sasl_result
scram_step(struct sasl *s, struct str in, struct buf *out)
{
	return s->scram.has_first ? read_final(s, in, out) : read_first(s, in);
}

const struct sasl_method sasl_scram_method = {
	.step = scram_step,
	.credentials = scram_credentials,
};
