/*
 * c2s_auth.c - drives the SASL exchange of a stream (RFC 6120 §6): base64,
 * failures and what they cost.
 *
 *   <auth/> --> sasl --NEED_CREDENTIALS--> held, c2s_credentials.c --> sasl
 *   sasl --CHALLENGE--> <challenge/> --<response/>--> sasl
 *   sasl --SUCCESS--> <success/>, NEXT_RESTART
 *   sasl --FAILURE--> held for a while, c2s_auth_answer() --> <failure/>
 *
 * Owner shard.  What authenticates is never logged, and is wiped after use.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "xml/elem.h"
#include "net/conn.h"
#include "net/tls.h"
#include "core/host.h"
#include "module/module.h"

/* Who guesses waits: this long for the first answer, twice as long for each
 * further one, up to so many times. */
#define FAILURE_DELAY_US (100 * US_PER_MS)
#define FAILURE_DOUBLINGS 3

/* The longest base64 that can be a message. */
#define BASE64_MAX ((SASL_INPUT_MAX + 2) / 3 * 4)

/* --- what is offered ------------------------------------------------------ */

static bool
on_binding_wanted(void *arg, const char *type, struct buf *out)
{
	const struct c2s *c = arg;

	for (enum tls_binding b = TLS_EXPORTER; b <= TLS_UNIQUE; b++) {
		if (strcmp(tls_binding_name(b), type) == 0 &&
			tls_binding_data(c->x.conn, b, out))
			return true;
	}
	return strcmp(type, tls_binding_name(TLS_UNIQUE)) == 0 &&
		tls_binding_finished(c->x.conn, out);
}

static void
on_address_found(void *arg, struct str address)
{
	struct c2s_auth *auth = arg;

	*vec_push(&auth->addresses) =
		(struct str){ str_dup(address), address.n };
}

static void
auth_find_bindings(struct c2s_auth *auth, struct c2s *c)
{
	struct sasl_offer *o = &auth->offer;
	struct buf data = BUF_INIT;

	o->binding = on_binding_wanted;
	o->binding_arg = c;
	o->bindings = auth->bindings;
	o->bindings_announced = true;
	for (enum tls_binding b = TLS_EXPORTER;
		conn_ssl(c->x.conn) != NULL && b <= TLS_UNIQUE; b++) {
		if (tls_binding_exists(c->x.conn, b)) {
			auth->bindings[o->n_bindings++] = tls_binding_name(b);
			auth->binding_set |= (uint8_t)(1u << b);
		}
	}
	/* COMPAT: slixmpp 1.8 (Debian 12) asks for tls-unique on TLS 1.3 too,
	 * whatever is announced, and does not get in without it; drop when
	 * Debian 13 is the oldest in use. */
	if (tls_binding_finished(c->x.conn, &data))
		o->binding_quiet = tls_binding_name(TLS_UNIQUE);
	buf_done(&data);
}

static unsigned
mechanisms_enabled(const struct config_auth *conf)
{
	unsigned set = conf->anonymous ? SASL_BIT(SASL_ANONYMOUS) : 0;
	enum sasl_mech mech;

	for (size_t i = 0; i < conf->mechanisms.n; i++) {
		if (sasl_mech_parse(str_c(conf->mechanisms.items[i]), &mech))
			set |= SASL_BIT(mech);
	}
	return set;
}

/* As TLS writes it on the wire; XEP-0515. */
static const char *
tls_version_hex(const struct conn *conn)
{
	const char *version = tls_version(conn);

	if (version == NULL)
		return NULL;
	if (strcmp(version, "TLSv1.3") == 0)
		return "0304";
	return strcmp(version, "TLSv1.2") == 0 ? "0303" : NULL;
}

void
c2s_auth_init(struct c2s *c)
{
	const struct config_auth *conf = &c2s_host(c)->conf->auth;
	struct server *srv = c->x.shard->server;
	struct c2s_auth *auth = xcalloc(1, sizeof(*auth));

	c2s_auth_free(c->login->auth);
	c->login->auth = auth;
	auth->host = xstrdup(c->login->host);
	auth->offer = (struct sasl_offer){
		.host = str_c(auth->host),
		.enabled = mechanisms_enabled(conf),
		.tls = conn_is_secure(c->x.conn),
		.secret = { (const char *)srv->secret, sizeof(srv->secret) },
		.rand = c->x.shard->rand,
	};
	if (conn_ssl(c->x.conn) == NULL)
		return;
	auth->offer.tls_version = tls_version_hex(c->x.conn);
	auth_find_bindings(auth, c);
	tls_client_addresses(c->x.conn, on_address_found, auth);
	auth->offer.addresses = auth->addresses.p;
	auth->offer.n_addresses = auth->addresses.n;
}

void
c2s_auth_free(struct c2s_auth *auth)
{
	if (auth == NULL)
		return;
	sasl_free(auth->sasl);
	for (size_t i = 0; i < auth->addresses.n; i++)
		free((char *)(uintptr_t)auth->addresses.p[i].p);
	vec_done(&auth->addresses);
	free(auth->host);
	free(auth);
}

/* --- telling -------------------------------------------------------------- */

static void
auth_tell(struct c2s *c, struct str account, const char *mechanism, bool ok)
{
	struct auth_event event = {
		.shard = c->x.shard,
		.host = c2s_host(c),
		.account = account,
		.mechanism = mechanism,
		.peer = conn_peer(c->x.conn),
		.ok = ok,
	};

	hook_run(event.host, HOOK_AUTH_DONE, &event);
}

static void
auth_write(struct c2s *c, const char *name, const struct buf *raw)
{
	struct buf out = BUF_INIT;

	/* by hand: there is nothing in it to be escaped */
	buf_add_c(&out, "<");
	buf_add_c(&out, name);
	buf_add_c(&out, " xmlns='" NS_SASL "'>");
	base64_encode(&out, raw->p, raw->n);
	buf_add_c(&out, "</");
	buf_add_c(&out, name);
	buf_add_c(&out, ">");
	stream_write_bytes(&c->x, buf_str(&out));
	buf_done(&out);
}

/* --- failure -------------------------------------------------------------- */

/* Does it mean that somebody has guessed wrong? */
static bool
cond_is_a_guess(enum sasl_cond cond)
{
	switch (cond) {
	case SASL_ACCOUNT_DISABLED:
	case SASL_CREDENTIALS_EXPIRED:
	case SASL_INVALID_AUTHZID:
	case SASL_NOT_AUTHORIZED:
		return true;
	case SASL_ABORTED:
	case SASL_ENCRYPTION_REQUIRED:
	case SASL_INCORRECT_ENCODING:
	case SASL_INVALID_MECHANISM:
	case SASL_MALFORMED_REQUEST:
	case SASL_MECHANISM_TOO_WEAK:
	case SASL_TEMPORARY_AUTH_FAILURE:
	case SASL_CONDS:
		break;
	}
	return false;
}

static void
auth_write_failure(struct c2s *c, enum sasl_cond cond)
{
	struct buf out = BUF_INIT;

	buf_printf(&out, "<failure xmlns='" NS_SASL "'><%s/></failure>",
		sasl_cond_name(cond));
	stream_write_bytes(&c->x, buf_str(&out));
	buf_done(&out);
	/* RFC 6120 §6.4.5 */
	if (c->login->failures >=
		(uint64_t)c->x.shard->snap->config->limits.auth_attempts)
		stream_end(&c->x, STREAM_POLICY_VIOLATION, "Too many failed logins");
}

bool
c2s_auth_answer(struct c2s *c)
{
	c->login->answer_us = 0;
	auth_write_failure(c, (enum sasl_cond)c->login->answer);
	if (c->x.stage == STAGE_CLOSED)
		return true;
	return stream_release(&c->x);
}

static void
auth_note_guess(struct c2s *c, struct str local, const char *mechanism,
	const char *reason)
{
	struct c2s_shard *cs = c2s_shard(c->x.shard);
	struct arena *a = arena_new();
	struct str account = STR_NONE;

	if (local.n != 0)
		account = jid_str(jid_make(a, local, str_c(c->login->host),
				STR_NONE));
	c2s_throttle_failure(c, account);
	c->x.shard->stats.login_failures++;
	if (log_limit_ok(&cs->failed, LOG_AUTH))
		log_info(LOG_AUTH, stream_who(&c->x),
			"login failed account=%.*s mechanism=%s reason=\"%s\" failures=%u",
			STR_ARG(account), mechanism, reason,
			c->login->failures);
	auth_tell(c, local, mechanism, false);
	arena_free(a);
}

static void
auth_refuse(struct c2s *c, enum sasl_cond cond)
{
	c->login->failures++;
	auth_write_failure(c, cond);
}

/*
 * The client's idea of the channel is not ours, and no password was guessed: a
 * client that goes through the mechanisms from the top may meet this for each
 * of them, and neither waits for its next try nor loses it.
 */
static void
auth_mismatch(struct c2s *c, enum sasl_cond cond)
{
	c->login->mismatches++;
	if (c->login->mismatches > SASL_MECHS)
		auth_refuse(c, cond);
	else
		auth_write_failure(c, cond);
}

/* A guess that was wrong; the answer waits. */
static void
auth_fail_guess(struct c2s *c, const struct sasl *s, enum sasl_cond cond,
	const char *reason)
{
	struct c2s_login *l = c->login;
	unsigned doublings = MIN(l->failures, FAILURE_DOUBLINGS);

	l->failures++;
	auth_note_guess(c, sasl_account(s), sasl_mech_name(sasl_mech(s)),
		reason);
	l->answer = (uint8_t)cond;
	l->answer_us = c->x.shard->now_us + (FAILURE_DELAY_US << doublings);
	stream_hold(&c->x);
}

/* The exchange is over, and what sasl says of it is gone after this. */
static void
auth_fail(struct c2s *c)
{
	struct sasl *s = c->login->auth->sasl;
	enum sasl_cond cond = sasl_failure(s);

	c->login->auth->sasl = NULL;
	if (!cond_is_a_guess(cond) && !sasl_has_told(s)) {
		log_debug(LOG_AUTH, stream_who(&c->x),
			"login refused condition=%s reason=\"%s\"",
			sasl_cond_name(cond), sasl_reason(s));
		auth_refuse(c, cond);
	} else if (sasl_account(s).n == 0) {
		auth_mismatch(c, cond);
	} else {
		auth_fail_guess(c, s, cond, sasl_reason(s));
	}
	sasl_free(s);
}

/* The client leaves its exchange, if there is one.  What it was told has told it
 * something, even if it has not shown a password: that counts as a guess. */
static void
auth_leave(struct c2s *c, enum sasl_cond cond)
{
	struct sasl *s = c->login->auth->sasl;

	c->login->auth->sasl = NULL;
	if (s != NULL && sasl_has_told(s))
		auth_fail_guess(c, s, cond, "exchange left unfinished");
	else
		auth_refuse(c, cond);
	sasl_free(s);
}

void
c2s_auth_leave(struct c2s *c)
{
	struct c2s_auth *auth = c->login != NULL ? c->login->auth : NULL;

	if (auth != NULL && auth->sasl != NULL && sasl_has_told(auth->sasl) &&
		c2s_host(c) != NULL)
		auth_note_guess(c, sasl_account(auth->sasl),
			sasl_mech_name(sasl_mech(auth->sasl)),
			"exchange left unfinished");
}

void
c2s_auth_give_up(struct c2s *c)
{
	sasl_free(c->login->auth->sasl);
	c->login->auth->sasl = NULL;
	auth_refuse(c, SASL_TEMPORARY_AUTH_FAILURE);
}

/* --- success -------------------------------------------------------------- */

static void
auth_succeed(struct c2s *c, const struct buf *out)
{
	struct c2s_login *l = c->login;
	struct sasl *s = l->auth->sasl;
	struct str local = sasl_account(s);
	struct arena *a = arena_new();
	const char *mechanism = sasl_mech_name(sasl_mech(s));
	const char *tls = tls_version(c->x.conn);
	const char *cipher = tls_cipher(c->x.conn);

	l->account = str_dup(
		jid_str(jid_make(a, local, str_c(l->host), STR_NONE)));
	c->x.method = (uint8_t)sasl_mech(s);
	c->x.authenticated = true;
	stream_restart(&c->x,
		server_place_of(c->x.shard->server, str_c(l->account)));
	c->x.shard->stats.logins++;
	stream_count_known(&c->x);
	if (sasl_mech(s) != SASL_ANONYMOUS)
		c2s_throttle_success(c, str_c(l->account));
	log_info(LOG_AUTH, stream_who(&c->x), "logged in mechanism=%s tls=%s cipher=%s",
		mechanism, tls != NULL ? tls : "none",
		cipher != NULL ? cipher : "none");
	auth_write(c, "success", out);
	auth_tell(c, local, mechanism, true);
	arena_free(a);
	c2s_auth_free(l->auth);
	l->auth = NULL;
}

/* --- the exchange --------------------------------------------------------- */

void
c2s_auth_go_on(struct c2s *c, enum sasl_result result, const struct buf *out)
{
	switch (result) {
	case SASL_CHALLENGE:
		auth_write(c, "challenge", out);
		break;
	case SASL_NEED_CREDENTIALS:
		c2s_credentials_find(c);
		break;
	case SASL_SUCCESS:
		auth_succeed(c, out);
		break;
	case SASL_FAILURE:
		auth_fail(c);
		break;
	}
}

/* --- elements ------------------------------------------------------------- */

/* RFC 6120 §6.4.2: no text is no data, "=" is data of zero length.  False when
 * it is not base64. */
static bool
auth_decode(const struct elem *e, struct buf *raw, struct str *data_out)
{
	struct arena *a = arena_new();
	struct str text = elem_text(a, e);
	bool ok = true;

	if (text.n == 0)
		*data_out = STR_NONE;
	else if (str_is(text, "="))
		*data_out = STR("");
	else if (text.n <= BASE64_MAX && base64_decode(raw, text))
		*data_out = buf_str(raw);
	else
		ok = false;
	arena_free(a);
	return ok;
}

static void
auth_take(struct c2s *c, const struct elem *e, bool first)
{
	struct c2s_auth *auth = c->login->auth;
	struct buf raw = BUF_INIT, out = BUF_INIT;
	enum sasl_result result;
	struct str data;

	if (!auth_decode(e, &raw, &data)) {
		auth_leave(c, SASL_INCORRECT_ENCODING);
	} else if (!first && sasl_has_told(auth->sasl) &&
		c2s_credentials_throttled(c)) {
		/* of those who ask together, no more are judged than if they
		 * had come one after the other */
		c2s_auth_give_up(c);
	} else {
		result = first ?
			sasl_start(auth->sasl, elem_attr(e, "mechanism"), data,
				&out) :
			sasl_step(auth->sasl, data, &out);
		c2s_auth_go_on(c, result, &out);
	}
	if (raw.p != NULL)
		explicit_bzero(raw.p, raw.n);
	buf_done(&raw);
	buf_done(&out);
}

static void
auth_begin(struct c2s *c, const struct elem *e)
{
	struct c2s_auth *auth = c->login->auth;

	if (auth->sasl != NULL) { /* hostile 31 */
		auth_leave(c, SASL_MALFORMED_REQUEST);
	} else {
		c->login->credentials = 0;
		auth->sasl = sasl_new(&auth->offer);
		auth_take(c, e, true);
	}
}

enum hook_result
c2s_on_auth(struct module_ctx *m, struct element *el)
{
	struct c2s *c = el->stream;

	(void)m;
	/* what was not offered is not to be had (hostile 10) */
	if (c->login->auth == NULL)
		auth_refuse(c, SASL_ENCRYPTION_REQUIRED);
	else
		auth_begin(c, el->e);
	return HOOK_HANDLED;
}

enum hook_result
c2s_on_response(struct module_ctx *m, struct element *el)
{
	struct c2s *c = el->stream;

	(void)m;
	if (c->login->auth == NULL)
		auth_refuse(c, SASL_ENCRYPTION_REQUIRED);
	else if (c->login->auth->sasl == NULL)
		auth_refuse(c, SASL_MALFORMED_REQUEST);
	else
		auth_take(c, el->e, false);
	return HOOK_HANDLED;
}

/* §6.5.1: acknowledged, whatever there was to abort. */
enum hook_result
c2s_on_abort(struct module_ctx *m, struct element *el)
{
	struct c2s *c = el->stream;

	(void)m;
	if (c->login->auth == NULL)
		auth_refuse(c, SASL_ABORTED);
	else
		auth_leave(c, SASL_ABORTED);
	return HOOK_HANDLED;
}
