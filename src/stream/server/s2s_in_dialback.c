/*
 * s2s_in_dialback.c - Server Dialback in a stream that another server has opened
 * (XEP-0220 §2.2): keys that it shows, and keys of ours that it asks about.
 *
 *   <db:result from='them' to='us'>key --refused--------------------> error
 *        `--remote_verify_ask()--> their domain says: right---------> valid
 *                                    |  wrong: invalid, or forbidden
 *                                    `  nothing: error
 *   <db:verify from='them' to='us' id='..'>key --made anew, is it that?--> answer
 *
 * They may ask by a stream of ours, too, if that goes both ways.
 *
 * Owner shard.  A pair that is refused costs that pair alone.  What only an answer
 * has, a type, is none to anything in this direction: it is not looked at (hostile
 * 38).  No certificate stands for the answer of the domain (hostile 40).
 */
#include "config.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/jid.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "core/host.h"
#include "remote/remote.h"
#include "stream/server/dialback.h"
#include "stream/server/s2s_in_int.h"

/* Those of all servers are much shorter (XEP-0185 §2: 64); many of them wait for one
 * stream. */
#define KEY_MAX 256

/* What is said to the peer, or has been. */
struct db {
	const char *name;      /* of the element */
	struct str to, from;   /* as the peer has it: we are `to' */
	struct str id;         /* of a stream, for <db:verify/>; or STR_NONE */
};

/* --- answers --------------------------------------------------------------- */

static void
db_attr(struct buf *out, const char *name, struct str value)
{
	if (value.p == NULL)
		return;
	buf_printf(out, " %s='", name);
	xml_escape(out, value, true);
	buf_add_c(out, "'");
}

/* Addresses are as they came, swapped.  Some know these elements by their prefix
 * alone (§2.4.1). */
static void
db_begin(struct buf *out, const struct db *d, const char *type)
{
	buf_printf(out, "<db:%s", d->name);
	db_attr(out, "from", d->to);
	db_attr(out, "to", d->from);
	db_attr(out, "id", d->id);
	buf_printf(out, " type='%s'", type);
}

static void
db_answer(struct stream *x, const struct db *d, const char *type)
{
	struct buf out = BUF_INIT;

	db_begin(&out, d, type);
	buf_add_c(&out, "/>");
	stream_write_bytes(x, buf_str(&out));
	buf_done(&out);
}

/* §2.5; text is for people. */
static void
db_error(struct stream *x, const struct db *d, enum stanza_cond cond,
	const char *text)
{
	struct buf out = BUF_INIT;

	db_begin(&out, d, "error");
	buf_printf(&out, "><error type='%s'><%s xmlns='" NS_STANZAS "'/>",
		stanza_cond_type(cond), stanza_cond_name(cond));
	buf_add_c(&out, "<text xmlns='" NS_STANZAS "'>");
	xml_escape(&out, str_c(text), false);
	buf_printf(&out, "</text></error></db:%s>", d->name);
	stream_write_bytes(x, buf_str(&out));
	buf_done(&out);
}

/* --- what both have ---------------------------------------------------------- */

/* False: it says nothing that could be answered. */
static bool
db_read(struct stream *x, struct element *el, const char *name, struct db *d,
	struct str *local, struct str *remote)
{
	struct str type = elem_attr(el->e, "type");

	*d = (struct db){ name, elem_attr(el->e, "to"),
		elem_attr(el->e, "from"), elem_attr(el->e, "id") };
	if (type.p != NULL) {
		log_debug(LOG_AUTH, stream_who(x),
			"dialback answer to nothing ignored type=\"%.*s\"",
			STR_ARG(type));
		return false;
	}
	if (d->to.p != NULL && d->from.p != NULL &&
		jid_prep_domain(local, el->arena, d->to, NULL) &&
		jid_prep_domain(remote, el->arena, d->from, NULL))
		return true;
	stream_end(x, STREAM_IMPROPER_ADDRESSING,
		"Dialback is from a domain to a domain");
	return false;
}

/* --- keys that it shows -------------------------------------------------------- */

static void
ask_leave(struct s2s_ask *ask)
{
	if (ask->stream == NULL)
		return;
	LIST_REMOVE(ask, in);
	ask->stream->n_asks--;
	ask->stream = NULL;
}

static void
ask_free(struct s2s_ask *ask)
{
	free(ask->local);
	free(ask->remote);
	free(ask->to);
	free(ask->from);
	free(ask);
}

void
s2s_in_forget_asks(struct s2s_in *c)
{
	while (!LIST_EMPTY(&c->asks))
		ask_leave(LIST_FIRST(&c->asks));
}

static bool
ask_is_out(const struct s2s_in *c, struct str local, struct str remote)
{
	const struct s2s_ask *ask;

	LIST_FOREACH (ask, &c->asks, in) {
		if (str_is(remote, ask->remote) && str_is(local, ask->local))
			return true;
	}
	return false;
}

/* §2.2.1: where there are no other pairs, that was all. */
static void
ask_was_wrong(struct s2s_in *c, const struct db *d, struct str local,
	struct str remote)
{
	bool last = c->pairs.n == 0 && c->n_asks == 0;

	s2s_in_refuse(c, local, remote,
		"the server of their domain says that their dialback key is not its own");
	c->told = true;
	if (last)
		db_answer(&c->x, d, "invalid");
	else
		db_error(&c->x, d, COND_FORBIDDEN,
			"Your domain says that the key is wrong");
	if (s2s_in_failed(c, remote) && last)
		stream_end(&c->x, STREAM_COND_NONE, NULL);
}

/* §2.5.  That there are too many at the moment is no failure of the peer's. */
static void
ask_went_wrong(struct s2s_in *c, const struct db *d, struct str local,
	struct str remote, const struct err *err)
{
	s2s_in_refuse(c, local, remote, "their dialback key was not judged: %s",
		err->text);
	c->told = true;
	db_error(&c->x, d,
		err->code == ERR_MISSING ? COND_REMOTE_SERVER_NOT_FOUND :
		err->code == ERR_LIMIT	 ? COND_RESOURCE_CONSTRAINT :
					   COND_REMOTE_SERVER_TIMEOUT,
		"Your domain could not be asked about the key");
	if (err->code != ERR_LIMIT)
		(void)s2s_in_failed(c, remote);
}

/* May remote come to local by a key at all? */
static enum stanza_cond
pair_refuses(const struct s2s_in *c, struct str local, struct str remote,
	const char **text_out)
{
	enum stanza_cond cond = s2s_refuses(c->x.shard, local, remote, text_out);

	if (cond != COND_NONE)
		return cond;
	return s2s_in_takes_dialback(c, local, remote, text_out) ?
		COND_NONE :
		COND_NOT_AUTHORIZED;
}

/* What was permitted when it was asked may not be any more. */
static void
ask_was_right(struct s2s_in *c, const struct db *d, struct str local,
	struct str remote)
{
	const char *text;
	enum stanza_cond cond = pair_refuses(c, local, remote, &text);

	if (cond != COND_NONE) {
		db_error(&c->x, d, cond, text);
		return;
	}
	s2s_in_add_pair(c, local, remote, S2S_DIALBACK);
	db_answer(&c->x, d, "valid");
	s2s_in_join(c, local, remote);
}

static void
on_asked(void *arg, bool ok, const struct err *err)
{
	struct s2s_ask *ask = arg;
	struct s2s_in *c = ask->stream;
	const struct db d = { "result", str_c(ask->to), str_c(ask->from),
		STR_NONE };

	ask_leave(ask);
	if (c != NULL && c->x.stage != STAGE_CLOSED) {
		if (ok)
			ask_was_right(c, &d, str_c(ask->local),
				str_c(ask->remote));
		else if (err->code == ERR_INVALID)
			ask_was_wrong(c, &d, str_c(ask->local),
				str_c(ask->remote));
		else
			ask_went_wrong(c, &d, str_c(ask->local),
				str_c(ask->remote), err);
		stream_arm(&c->x);
	}
	ask_free(ask);
}

static void
result_ask(struct s2s_in *c, const struct db *d, struct str local,
	struct str remote, struct str key)
{
	struct s2s_ask *ask = xmalloc(sizeof(*ask));

	*ask = (struct s2s_ask){
		.stream = c,
		.local = str_dup(local),
		.remote = str_dup(remote),
		.to = str_dup(d->to),
		.from = str_dup(d->from),
	};
	LIST_INSERT_HEAD(&c->asks, ask, in);
	c->n_asks++;
	remote_verify_ask(c->x.shard, local, remote,
		conn_peer_key(c->x.conn), str_c(c->id), key,
		c->bidi && str_is(remote, c->from), on_asked, ask);
}

/* Why it is not even asked about; COND_NONE: it is. */
static enum stanza_cond
result_refuses(const struct s2s_in *c, struct str local, struct str remote,
	const char **text_out)
{
	enum stanza_cond cond = pair_refuses(c, local, remote, text_out);

	if (cond != COND_NONE)
		return cond;
	*text_out = "Too many failures, try again later";
	if (s2s_in_throttled(c, remote))
		return COND_RESOURCE_CONSTRAINT;
	*text_out = "Too many domains in one stream, open another";
	return c->pairs.n + c->n_asks >= S2S_PAIRS_MAX ?
		COND_RESOURCE_CONSTRAINT :
		COND_NONE;
}

static void
result_refuse(struct s2s_in *c, const struct db *d, struct str local,
	struct str remote, enum stanza_cond cond, const char *text)
{
	c->told = true;
	if (cond != COND_NOT_AUTHORIZED) /* which has been told with its reason */
		s2s_in_refuse(c, local, remote, "their dialback was refused: %s",
			text);
	db_error(&c->x, d, cond, text);
}

static void
result_take(struct s2s_in *c, const struct db *d, struct str local,
	struct str remote, struct str key)
{
	const char *text;
	enum stanza_cond cond = result_refuses(c, local, remote, &text);

	if (cond == COND_NONE && key.n > KEY_MAX) {
		cond = COND_POLICY_VIOLATION;
		text = "A key is shorter";
	}
	if (cond != COND_NONE)
		result_refuse(c, d, local, remote, cond, text);
	else
		result_ask(c, d, local, remote, key);
}

void
s2s_in_take_key(struct s2s_in *c, const struct s2s_dane_key *k, struct str local,
	struct str remote)
{
	const struct db d = { "result", str_c(k->to), str_c(k->from), STR_NONE };

	if (s2s_in_judge_pairs(c))
		result_take(c, &d, local, remote, str_c(k->key));
}

/* True: what is signed about its certificate is to be known first. */
static bool
result_waits(struct s2s_in *c, const struct db *d, struct str local,
	struct str remote, struct str key)
{
	struct s2s_dane_key *k;
	struct tls_judgement j;
	const char *text;

	if (key.n > KEY_MAX || s2s_in_dane(c, remote) != NULL ||
		s2s_refuses(c->x.shard, local, remote, &text) != COND_NONE)
		return false;
	s2s_in_judge_peer(c, local, remote, &j);
	k = xmalloc(sizeof(*k));
	*k = (struct s2s_dane_key){ str_dup(d->to), str_dup(d->from),
		str_dup(key) };
	return s2s_in_dane_ask(c, local, remote, &j, k);
}

enum hook_result
s2s_in_on_result(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;
	struct str local, remote, key;
	struct db d;

	(void)m;
	if (!db_read(&c->x, el, "result", &d, &local, &remote))
		return HOOK_HANDLED;
	d.id = STR_NONE;
	if (!s2s_in_judge_pairs(c))
		return HOOK_HANDLED;
	if (s2s_in_pair(c, local, remote) != NULL) {
		db_answer(&c->x, &d, "valid");
		return HOOK_HANDLED;
	}
	if (ask_is_out(c, local, remote))
		return HOOK_HANDLED; /* one answer is for both */
	key = str_trim(elem_text(el->arena, el->e));
	if (!result_waits(c, &d, local, remote, key))
		result_take(c, &d, local, remote, key);
	return HOOK_HANDLED;
}

/* --- keys that it asks about ----------------------------------------------------- */

/* We may be the originating server for it: nothing is remembered of keys (XEP-0185
 * §2). */
void
s2s_verify(struct stream *x, struct element *el)
{
	const struct stream_server *s = x->shard->server->streams;
	struct str local, remote;
	struct db d;
	bool ok;

	if (!db_read(x, el, "verify", &d, &local, &remote))
		return;
	if (d.id.p == NULL) {
		stream_end(x, STREAM_BAD_FORMAT,
			"A key belongs to a stream: \"id\" is missing");
		return;
	}
	if (shard_host(x->shard, local) == NULL) {
		db_error(x, &d, COND_ITEM_NOT_FOUND,
			"This domain is not served here");
		return;
	}
	ok = dialback_key_ok(elem_text(el->arena, el->e),
		(struct str){ (const char *)s->secret, sizeof(s->secret) },
		remote, local, d.id);
	db_answer(x, &d, ok ? "valid" : "invalid");
}

enum hook_result
s2s_in_on_verify(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;

	(void)m;
	c->verifies = true;
	s2s_verify(&c->x, el);
	return HOOK_HANDLED;
}
