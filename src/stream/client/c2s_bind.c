/*
 * c2s_bind.c - requests on a stream that is not bound yet: those of strangers,
 * which modules answer, and the binding of a resource (RFC 6120 §7).
 *
 * Owner shard; after authentication, that of the account.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "core/host.h"
#include "core/sleepers.h"
#include "module/module.h"

/* --- strangers ------------------------------------------------------------ */

/* reply is taken.  The stream in which it was asked may have ended: nothing is
 * written before the header of the next one. */
static void
on_stranger_reply(struct shard *sh, uint64_t token, struct stanza *reply)
{
	struct c2s *c = c2s_find(sh, token);

	if (c != NULL && c->x.stage == STAGE_OPEN && !c->x.authenticated)
		stream_write(&c->x, reply->root);
	stanza_free(reply);
	if (c != NULL)
		stream_answered(&c->x);
}

/* A module that answers HOOK_HANDLED has taken st. */
static bool
stranger_ask_modules(struct c2s *c, struct stanza *st)
{
	struct stream_iq arg = {
		.shard = c->x.shard,
		.host = c2s_host(c),
		.st = st,
		.secure = conn_is_secure(c->x.conn),
		.peer = conn_peer(c->x.conn),
		.peer_key = conn_peer_key(c->x.conn),
		.stream = c,
		.token = stream_token(&c->x),
		.reply = on_stranger_reply,
	};

	bool handled;

	stream_asks(&c->x);
	handled = hook_run(arg.host, HOOK_STREAM_IQ, &arg) == HOOK_HANDLED;
	if (!handled)
		stream_answered(&c->x);
	return handled;
}

void
c2s_stranger_iq(struct c2s *c, struct arena *a, struct elem *e)
{
	enum stanza_cond cond;
	struct stanza *st = stanza_from_elem(a, e, &cond);

	if (st != NULL && stranger_ask_modules(c, st))
		return;
	if (st != NULL)
		stanza_free(st);
	else
		arena_free(a);
	stream_end(&c->x, STREAM_NOT_AUTHORIZED, "Log in first");
}

/* --- binding -------------------------------------------------------------- */

static void
iq_refuse(struct c2s *c, const struct stanza *iq, enum stanza_cond cond,
	const char *text)
{
	struct stanza *error = stanza_error(iq, cond, str_c(text));

	if (error != NULL)
		c2s_write_stanza(c, error);
	stanza_free(error);
}

static void
bind_write_result(struct c2s *c, const struct stanza *iq)
{
	struct stanza *result = stanza_result(iq);
	struct elem *bind =
		elem_add(result->arena, result->root, NS_BIND, "bind");

	elem_add_with_text(result->arena, bind, NS_BIND, "jid",
		jid_str(session_jid(c->session)));
	c2s_write_stanza(c, result);
	stanza_free(result);
}

/* Whether acc is (still) c's to bind, or to have a session of. */
static bool
bind_may(const struct c2s *c, struct account *acc)
{
	if (!str_is(jid_str(acc->e.jid), c->login->account))
		return false;
	if (c->x.method != SASL_ANONYMOUS)
		return acc->exists && !acc->anonymous &&
			acc->credentials_mark == c->login->credentials;
	if (acc->exists && !acc->anonymous)
		return false; /* a name drawn by lot hits an account: never */
	acc->exists = true; /* XEP-0175: as long as the session */
	acc->anonymous = true;
	return true;
}

bool
c2s_may_take(struct c2s *c, struct account *acc)
{
	if (c->login == NULL || bind_may(c, acc))
		return true;
	stream_end(&c->x, STREAM_NOT_AUTHORIZED,
		"The password was changed, or the account removed");
	return false;
}

/* §7.6.1, §7.7.1: prepared, in a, or STR_NONE for us to choose; false when
 * there cannot be such a resource. */
static bool
bind_resource(struct arena *a, const struct stanza *iq, struct str *out)
{
	const struct elem *e =
		elem_child(stanza_payload(iq), NS_BIND, "resource");
	struct str text = e != NULL ? elem_text(a, e) : STR("");

	*out = STR_NONE;
	return text.n == 0 || jid_prep_resource(out, a, text, NULL);
}

static void
bind_try(struct c2s *c, struct account *acc, const struct stanza *iq)
{
	enum stanza_cond cond = COND_NONE;
	struct arena *a = arena_new();
	struct str resource;

	if (!bind_resource(a, iq, &resource)) {
		iq_refuse(c, iq, COND_BAD_REQUEST, "No such resource can be");
	} else {
		c->session = session_bind(acc, resource, &c2s_session_stream, c,
			&cond);
		if (c->session == NULL)
			iq_refuse(c, iq, cond, NULL);
	}
	if (c->session != NULL) {
		c2s_bound(c, c->session);
		bind_write_result(c, iq);
	}
	arena_free(a);
}

/* Finds its stream again, or finds it gone. */
struct binding {
	struct shard *shard;
	uint64_t token;
};

static void
on_account_loaded(struct entity *e, void *arg)
{
	struct binding binding = *(struct binding *)arg;
	struct c2s *c = c2s_find(binding.shard, binding.token);
	struct stanza *iq;

	free(arg);
	if (c == NULL)
		return;
	iq = c->login->bind;
	c->login->bind = NULL;
	if (e == NULL)
		iq_refuse(c, iq, COND_INTERNAL_SERVER_ERROR,
			"The account cannot be read");
	else if (c2s_may_take(c, account_of(e)))
		bind_try(c, account_of(e), iq);
	stanza_free(iq);
	if (c->x.stage != STAGE_CLOSED)
		(void)stream_release(&c->x);
}

/* At the shard of the account; iq is taken. */
static void
bind_begin(struct c2s *c, struct stanza *iq)
{
	struct jid jid = jid_trusted(str_c(c->login->account));
	struct binding *binding;
	struct entity *e;

	e = account_get(c->x.shard, jid, NULL);
	if (e == NULL) {
		iq_refuse(c, iq, COND_RESOURCE_CONSTRAINT,
			"The server has too many accounts in memory");
		stanza_free(iq);
		return;
	}
	binding = xmalloc(sizeof(*binding));
	*binding = (struct binding){ c->x.shard, stream_token(&c->x) };
	c->login->bind = iq;
	stream_hold(&c->x);
	entity_when_loaded(e, on_account_loaded, binding);
}

/* --- sessions of the last stop --------------------------------------------- */

static void
on_account_woken(struct entity *e, void *arg)
{
	struct binding binding = *(struct binding *)arg;
	struct c2s *c = c2s_find(binding.shard, binding.token);

	(void)e; /* who asks for something of it will see */
	free(arg);
	if (c != NULL)
		(void)stream_release(&c->x);
}

void
c2s_wait_for_sessions(struct c2s *c)
{
	struct jid jid = jid_trusted(str_c(c->login->account));
	struct shard *sh = c->x.shard;
	struct binding *binding;
	struct entity *e;

	if (sleepers_find(sh, jid_str(jid),
		    server_hash(sh->server, jid_str(jid))) == NULL)
		return;
	e = account_get(sh, jid, NULL);
	if (e == NULL)
		return;
	binding = xmalloc(sizeof(*binding));
	*binding = (struct binding){ sh, stream_token(&c->x) };
	stream_hold(&c->x);
	entity_when_loaded(e, on_account_woken, binding);
}

/* --- binding, where the account is ------------------------------------------ */

/* iq is taken. */
static void
bind_ask(struct c2s *c, struct stanza *iq)
{
	struct place home = server_place_of(c->x.shard->server,
		str_c(c->login->account));

	if (c2s_host(c) == NULL) {
		stanza_free(iq);
		stream_end(&c->x, STREAM_HOST_GONE, NULL);
	} else if (place_is_here(c->x.shard, home)) {
		bind_begin(c, iq);
	} else {
		/* something has moved it away since it logged in */
		c->login->bind = iq;
		(void)stream_move(&c->x, home);
	}
}

void
c2s_bind_moved(struct c2s *c)
{
	struct stanza *iq = c->login->bind;

	c->login->bind = NULL;
	if (iq != NULL)
		bind_ask(c, iq);
}

void
c2s_unbound_element(struct c2s *c, struct arena *a, struct elem *e)
{
	enum stanza_cond cond;
	struct stanza *st;

	st = stanza_from_elem(a, e, &cond);
	if (st == NULL) {
		c2s_refuse_elem(c, e, cond);
		arena_free(a);
	} else if (st->type == IQ_SET && stanza_child(st, NS_BIND, "bind")) {
		bind_ask(c, st);
	} else {
		/* §7.1 */
		stanza_free(st);
		stream_end(&c->x, STREAM_NOT_AUTHORIZED, "Bind a resource first");
	}
}

/* --- with a session ------------------------------------------------------- */

bool
c2s_bound_iq(struct c2s *c, struct stanza *st)
{
	struct jid self = session_jid(c->session);
	struct stanza *result;

	if (st->type != IQ_SET || (jid_is_set(st->to) &&
		!str_eq(jid_str(st->to), jid_domain(self))))
		return false;
	if (stanza_child(st, NS_BIND, "bind") != NULL) {
		/* one stream, one resource: §7.1 of RFC 6120 knows no more */
		iq_refuse(c, st, COND_NOT_ALLOWED,
			"A resource is bound already");
	} else if (stanza_child(st, NS_SESSION, "session") != NULL) {
		result = stanza_result(st); /* RFC 3921 §3 */
		c2s_write_stanza(c, result);
		stanza_free(result);
	} else {
		return false;
	}
	stanza_free(st);
	return true;
}
