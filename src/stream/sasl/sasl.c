/*
 * sasl.c - the frame around the mechanisms: which may be used, and in which
 * order calls may come.
 *
 * Called by the stream, on its shard.  States, and the calls that leave them:
 *
 *   NEW --sasl_start--> WANTS_RESPONSE or WANTS_CREDENTIALS or OVER
 *   WANTS_RESPONSE --sasl_step--> the same
 *   WANTS_CREDENTIALS --sasl_credentials--> the same
 *   OVER: every call fails
 *
 * Any other call at any time leads to OVER with malformed-request (hostile 31).
 */
#include "config.h"

#include "stream/sasl/sasl.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/rand.h"
#include "xmpp/jid.h"
#include "stream/sasl/sasl_int.h"

static const struct {
	const char *name;
	const struct sasl_method *method;
	enum scram_hash hash;
	bool plus;
} mechs[SASL_MECHS] = {
	[SASL_EXTERNAL] = { "EXTERNAL", &sasl_external_method, 0, false },
	[SASL_SCRAM_SHA_512_PLUS] = { "SCRAM-SHA-512-PLUS", &sasl_scram_method,
		SCRAM_SHA_512, true },
	[SASL_SCRAM_SHA_256_PLUS] = { "SCRAM-SHA-256-PLUS", &sasl_scram_method,
		SCRAM_SHA_256, true },
	[SASL_SCRAM_SHA_1_PLUS] = { "SCRAM-SHA-1-PLUS", &sasl_scram_method,
		SCRAM_SHA_1, true },
	[SASL_SCRAM_SHA_512] = { "SCRAM-SHA-512", &sasl_scram_method,
		SCRAM_SHA_512, false },
	[SASL_SCRAM_SHA_256] = { "SCRAM-SHA-256", &sasl_scram_method,
		SCRAM_SHA_256, false },
	[SASL_SCRAM_SHA_1] = { "SCRAM-SHA-1", &sasl_scram_method, SCRAM_SHA_1,
		false },
	[SASL_PLAIN] = { "PLAIN", &sasl_plain_method, 0, false },
	[SASL_ANONYMOUS] = { "ANONYMOUS", &sasl_anonymous_method, 0, false },
};

static const char *const cond_names[SASL_CONDS] = {
	[SASL_ABORTED] = "aborted",
	[SASL_ACCOUNT_DISABLED] = "account-disabled",
	[SASL_CREDENTIALS_EXPIRED] = "credentials-expired",
	[SASL_ENCRYPTION_REQUIRED] = "encryption-required",
	[SASL_INCORRECT_ENCODING] = "incorrect-encoding",
	[SASL_INVALID_AUTHZID] = "invalid-authzid",
	[SASL_INVALID_MECHANISM] = "invalid-mechanism",
	[SASL_MALFORMED_REQUEST] = "malformed-request",
	[SASL_MECHANISM_TOO_WEAK] = "mechanism-too-weak",
	[SASL_NOT_AUTHORIZED] = "not-authorized",
	[SASL_TEMPORARY_AUTH_FAILURE] = "temporary-auth-failure",
};

/* --- what may be used ---------------------------------------------------- */

bool
sasl_address_local(const struct sasl_offer *o, struct arena *a,
	struct str address, struct str *local_out)
{
	struct jid jid;

	if (!jid_parse(&jid, a, address, NULL) || !jid_is_bare(jid) ||
		jid.local_len == 0 || !str_eq(jid_domain(jid), o->host))
		return false;
	*local_out = jid_local(jid);
	return true;
}

static bool
has_address_here(const struct sasl_offer *o)
{
	struct arena *a = arena_new();
	bool found = false;
	struct str local;

	for (size_t i = 0; i < o->n_addresses && !found; i++)
		found = sasl_address_local(o, a, o->addresses[i], &local);
	arena_free(a);
	return found;
}

unsigned
sasl_mechanisms(const struct sasl_offer *o)
{
	unsigned set = o->enabled & (SASL_BIT(SASL_MECHS) - 1);

	if (!o->tls || o->n_bindings == 0)
		set &= ~SASL_PLUS;
	if (!o->tls)
		set &= ~SASL_BIT(SASL_PLAIN);
	if ((set & SASL_BIT(SASL_EXTERNAL)) != 0 &&
		(!o->tls || !has_address_here(o)))
		set &= ~SASL_BIT(SASL_EXTERNAL);
	return set;
}

const char *
sasl_mech_name(enum sasl_mech mech)
{
	return mechs[mech].name;
}

bool
sasl_mech_parse(struct str name, enum sasl_mech *out)
{
	for (unsigned i = 0; i < SASL_MECHS; i++) {
		if (str_is(name, mechs[i].name)) {
			*out = (enum sasl_mech)i;
			return true;
		}
	}
	return false;
}

const char *
sasl_cond_name(enum sasl_cond cond)
{
	return cond_names[cond];
}

/* --- what mechanisms share ----------------------------------------------- */

enum sasl_result
sasl_fail(struct sasl *s, enum sasl_cond cond, const char *reason)
{
	s->cond = cond;
	s->reason = reason;
	return SASL_FAILURE;
}

bool
sasl_set_account(struct sasl *s, struct str name)
{
	struct str local;

	if (name.n == 0 || name.n > JID_PART_MAX ||
		!jid_prep_local(&local, s->arena, name, NULL))
		return false;
	/* What needed no mapping still lies in the peer's message. */
	s->account = arena_str(s->arena, local);
	return true;
}

bool
sasl_authzid_ok(struct sasl *s, struct str authzid)
{
	struct str local;

	return authzid.n <= JID_MAX &&
		sasl_address_local(s->offer, s->arena, authzid, &local) &&
		str_eq(local, s->account);
}

void
sasl_fake_verifier(const struct sasl_offer *o, enum scram_hash hash,
	struct str account, struct scram_verifier *v)
{
	uint8_t mac[SCRAM_DIGEST_MAX];
	struct buf text = BUF_INIT;

	buf_printf(&text, "salt %s ", scram_hash_name(hash));
	buf_add_str(&text, account);
	buf_add_c(&text, "@");
	buf_add_str(&text, o->host);
	_Static_assert(SCRAM_SALT_MAX <= sizeof(mac), "the longest salt");
	scram_hmac(SCRAM_SHA_512, o->secret, buf_str(&text), mac);
	buf_done(&text);
	/* The keys are never shown.  They are nothing that a proof could fit,
	 * and who has no account is refused whatever he proves. */
	*v = (struct scram_verifier){
		.iterations = o->iterations,
		.salt_len = o->salt_bytes,
	};
	memcpy(v->salt, mac, o->salt_bytes);
	explicit_bzero(mac, sizeof(mac));
}

/* --- the session --------------------------------------------------------- */

struct sasl *
sasl_new(const struct sasl_offer *o)
{
	struct sasl *s = xcalloc(1, sizeof(*s));

	s->offer = o;
	s->mech = SASL_MECHS;
	s->arena = arena_new();
	s->account = STR_NONE;
	s->cond = SASL_NOT_AUTHORIZED;
	s->reason = "not finished";
	return s;
}

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_done(b);
}

/* Drops what is not needed once the exchange is over. */
static void
forget(struct sasl *s)
{
	wipe(&s->password);
	wipe(&s->scram.gs2);
	wipe(&s->scram.first);
	wipe(&s->scram.nonce);
	wipe(&s->scram.server_first);
	explicit_bzero(&s->scram.verifier, sizeof(s->scram.verifier));
}

void
sasl_free(struct sasl *s)
{
	if (s == NULL)
		return;
	forget(s);
	arena_free(s->arena);
	mem_wipe_free(s, sizeof(*s));
}

/* Goes to the state that r stands for. */
static enum sasl_result
enter(struct sasl *s, enum sasl_result r)
{
	switch (r) {
	case SASL_CHALLENGE:
		s->state = SASL_WANTS_RESPONSE;
		s->told = s->account.n != 0;
		break;
	case SASL_NEED_CREDENTIALS:
		s->state = SASL_WANTS_CREDENTIALS;
		break;
	case SASL_SUCCESS:
	case SASL_FAILURE:
		s->state = SASL_IS_OVER;
		forget(s);
		break;
	}
	return r;
}

static enum sasl_result
out_of_order(struct sasl *s)
{
	return enter(s, sasl_fail(s, SASL_MALFORMED_REQUEST,
		"message out of order"));
}

static enum sasl_result
read_message(struct sasl *s, struct str in, struct buf *out)
{
	if (in.n > SASL_INPUT_MAX)
		return enter(s, sasl_fail(s, SASL_MALFORMED_REQUEST,
			"message too long"));
	if (in.p == NULL)
		in = STR("");
	return enter(s, s->method->step(s, in, out));
}

enum sasl_result
sasl_start(struct sasl *s, struct str mechanism, struct str initial,
	struct buf *out)
{
	enum sasl_mech mech;

	if (s->state != SASL_IS_NEW)
		return out_of_order(s);
	/* Known is not enough: it must be offered here (hostile 24). */
	if (!sasl_mech_parse(mechanism, &mech) ||
		(sasl_mechanisms(s->offer) & SASL_BIT(mech)) == 0)
		return enter(s, sasl_fail(s, SASL_INVALID_MECHANISM,
			"mechanism not offered"));
	s->mech = mech;
	s->method = mechs[mech].method;
	s->scram.hash = mechs[mech].hash;
	s->scram.plus = mechs[mech].plus;
	/* RFC 6120 §6.4.3: without an initial response, an empty challenge
	 * asks for it. */
	if (initial.p == NULL)
		return enter(s, SASL_CHALLENGE);
	return read_message(s, initial, out);
}

enum sasl_result
sasl_step(struct sasl *s, struct str response, struct buf *out)
{
	if (s->state != SASL_WANTS_RESPONSE)
		return out_of_order(s);
	return read_message(s, response, out);
}

enum sasl_result
sasl_credentials(struct sasl *s, const struct credentials *c, struct buf *out)
{
	if (s->state != SASL_WANTS_CREDENTIALS)
		return out_of_order(s);
	return enter(s, s->method->credentials(s, c, out));
}

struct str
sasl_account(const struct sasl *s)
{
	return s->account;
}

bool
sasl_has_told(const struct sasl *s)
{
	return s->told;
}

enum sasl_mech
sasl_mech(const struct sasl *s)
{
	return s->mech;
}

enum sasl_cond
sasl_failure(const struct sasl *s)
{
	return s->cond;
}

const char *
sasl_reason(const struct sasl *s)
{
	return s->reason;
}
