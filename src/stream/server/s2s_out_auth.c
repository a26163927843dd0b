/*
 * s2s_out_auth.c - how we show another server who we are: SASL EXTERNAL (XEP-0178 §3),
 * or Server Dialback (XEP-0220 §2.1.1); who it has to be; and what we ask it about
 * keys that others have shown to us (§2.1.2).
 *
 *   features --its certificate does not do-------------> the end
 *            --keys that wait to be verified: asked
 *            --they take <bidi/>: asked for (XEP-0288)
 *            --EXTERNAL, and we have shown a certificate-> <auth/>  --success--> restart
 *            '--else----------------------------------.              | failure
 *                                                      v              v
 *                                                <db:result>key</db:result> --> up
 *
 * Owner shard of the pair.  What was not asked for is believed by nobody: answers
 * count by the domains and the id of a question that is open in this very stream
 * (XEP-0220 §3.1, hostile 38).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/jid.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "net/tls.h"
#include "net/tls_peer.h"
#include "conf/conf.h"
#include "core/element.h"
#include "core/host.h"
#include "core/place.h"
#include "stream/server/dialback.h"
#include "stream/server/s2s_out_int.h"

#define WHY_SIZE 640

/* --- what is asked ------------------------------------------------------------- */

/* §2.4.1: some know the prefix "db" alone.  id STR_NONE: it has none. */
static void
out_write_key(struct s2s_out *o, const char *name, struct str id, struct str key)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "<db:%s from='", name);
	xml_escape(&text, str_c(o->local), true);
	buf_add_c(&text, "' to='");
	xml_escape(&text, str_c(o->domain), true);
	if (id.p != NULL) {
		buf_add_c(&text, "' id='");
		xml_escape(&text, id, true);
	}
	buf_add_c(&text, "'>");
	xml_escape(&text, key, false);
	buf_printf(&text, "</db:%s>", name);
	stream_write_bytes(&o->x, buf_str(&text));
	buf_done(&text);
}

void
s2s_out_ask(struct s2s_out *o)
{
	struct s2s_way *w = o->way;
	struct way_ask *a;

	while ((a = TAILQ_FIRST(&w->asks)) != NULL) {
		TAILQ_REMOVE(&w->asks, a, in);
		TAILQ_INSERT_TAIL(&w->asked, a, in);
		out_write_key(o, "verify", a->verify->stream_id,
			a->verify->key);
	}
}

/* --- who it is ------------------------------------------------------------------- */

void
s2s_out_judge_peer(const struct s2s_out *o, struct tls_judgement *out)
{
	const struct shard *sh = o->x.shard;
	struct str local = str_c(o->local), domain = str_c(o->domain);

	tls_peer_judge_at(o->x.conn, snapshot_trust(sh->snap, local, domain),
		domain, o->dane, shard_wall_us(sh) / US_PER_S, out);
}

bool
s2s_out_judge(struct s2s_out *o)
{
	struct shard *sh = o->x.shard;
	int policy = federation_policy_of(sh->snap,
		shard_host(sh, str_c(o->local)), str_c(o->domain));
	bool believed;
	struct tls_judgement j;
	char why[WHY_SIZE];

	if (policy == POLICY_DIALBACK_WITH_TLS && o->step == OUT_UP)
		return true;
	s2s_out_judge_peer(o, &j);
	believed = federation_believes(policy, &j);
	if (o->step != OUT_UP) {
		s2s_step_certificate(o->way->pair, &j, believed);
		o->at_dane = j.dane == TLS_DANE_OTHER;
	}
	if (believed)
		return true;
	if (j.dane == TLS_DANE_OTHER)
		snprintf(why, sizeof(why), "%s", j.dane_why);
	else
		snprintf(why, sizeof(why),
			"their certificate is not trusted: %s", j.why);
	s2s_out_end(o, STREAM_POLICY_VIOLATION,
		"Your certificate is not trusted here", why);
	return false;
}

/* --- dialback ---------------------------------------------------------------------- */

static void
out_dial_back(struct s2s_out *o)
{
	const struct stream_server *s = o->x.shard->server->streams;
	char key[DIALBACK_KEY_SIZE];

	if (o->id == NULL) {
		s2s_out_end(o, STREAM_UNDEFINED_CONDITION,
			"A stream without an id cannot be used",
			"their stream has no id, without which there is no dialback");
		return;
	}
	o->step = OUT_DIALBACK;
	dialback_key(key,
		(struct str){ (const char *)s->secret, sizeof(s->secret) },
		str_c(o->domain), str_c(o->local), str_c(o->id));
	out_write_key(o, "result", STR_NONE, str_c(key));
}

static bool
attr_is_domain(struct arena *a, const struct elem *e, const char *name,
	const char *domain)
{
	struct str said = elem_attr(e, name), prepared;

	return said.p != NULL && jid_prep_domain(&prepared, a, said, NULL) &&
		str_is(prepared, domain);
}

static bool
is_answer(const struct s2s_out *o, struct arena *a, const struct elem *e)
{
	return attr_is_domain(a, e, "from", o->domain) &&
		attr_is_domain(a, e, "to", o->local);
}

/* §2.5: what it means for whoever reads it here. */
static const struct {
	const char *name, *means;
} dialback_errors[] = {
	{ "item-not-found", "they do not serve this domain" },
	{ "remote-connection-failed",
		"they cannot connect to us: look at our DNS records and firewall" },
	{ "remote-server-not-found",
		"they do not find us: look at our DNS records" },
	{ "remote-server-timeout", "they have reached us, and got no answer" },
	{ "policy-violation", "their policy forbids it" },
	{ "not-authorized", "they want a certificate of ours that they trust" },
	{ "forbidden", "whom they asked says that the key is not ours: look where our DNS records lead" },
	{ "not-acceptable", "they could not find out who we are" },
	{ "resource-constraint", "they have no room for one more domain" },
};

/* Of an answer that is an error. */
static const char *
error_means(const struct elem *e)
{
	const struct elem *error = elem_child(e, NULL, "error");
	const struct elem *cond =
		error != NULL ? elem_first_child(error) : NULL;

	for (size_t i = 0; cond != NULL && i < COUNT(dialback_errors); i++)
		if (str_is(cond->name, dialback_errors[i].name))
			return dialback_errors[i].means;
	return "they do not say why";
}

/* Addresses are as they came, swapped. */
static void
out_refuse_result(struct s2s_out *o, struct element *el)
{
	struct str from = elem_attr(el->e, "from"), to = elem_attr(el->e, "to");
	struct buf text = BUF_INIT;

	buf_add_c(&text, "<db:result from='");
	xml_escape(&text, to.p != NULL ? to : STR(""), true);
	buf_add_c(&text, "' to='");
	xml_escape(&text, from.p != NULL ? from : STR(""), true);
	buf_add_c(&text,
		"' type='error'><error type='cancel'><not-allowed xmlns='" NS_STANZAS
		"'/><text xmlns='" NS_STANZAS
		"'>Open a stream for that</text></error></db:result>");
	stream_write_bytes(&o->x, buf_str(&text));
	buf_done(&text);
}

/* Without a type it is not an answer, but a request of theirs, which belongs to a
 * stream that they open; or, where stanzas come back, is refused by itself, for one
 * domain of theirs is all that such a stream brings (XEP-0220 §2.5). */
enum hook_result
s2s_out_on_result(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;
	struct str type = elem_attr(el->e, "type");
	char why[WHY_SIZE];

	(void)m;
	if (type.p == NULL && o->bidi && o->step == OUT_UP) {
		out_refuse_result(o, el);
		return HOOK_HANDLED;
	}
	if (type.p == NULL)
		return HOOK_PASS;
	if (o->step != OUT_DIALBACK || !is_answer(o, el->arena, el->e))
		return HOOK_HANDLED;
	if (str_is(type, "valid")) {
		stream_authenticated(&o->x);
		s2s_out_up(o, "dialback");
		return HOOK_HANDLED;
	}
	s2s_search_skip_external(o->way->search, false); /* they have said what they think */
	/* XEP-0220 §2.1.1: what waits is answered, and nobody else is tried */
	o->way->not_believed = str_is(type, "invalid");
	snprintf(why, sizeof(why), "they refuse our dialback key: %s",
		o->way->not_believed ?
			"whom they asked says that it is not ours" :
			error_means(el->e));
	s2s_out_end(o, STREAM_COND_NONE, NULL, why);
	return HOOK_HANDLED;
}

static struct way_ask *
out_asked(const struct s2s_out *o, struct str id)
{
	struct way_ask *a;

	TAILQ_FOREACH (a, &o->way->asked, in)
		if (str_eq(a->verify->stream_id, id))
			return a;
	return NULL;
}

/* Without a type it is about a key of ours: by a stream that is a link of theirs, too,
 * they may ask that, as it is not one that they were shown the key in (XEP-0288
 * §2.2). */
enum hook_result
s2s_out_on_verify(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;
	struct str type = elem_attr(el->e, "type");
	struct way_ask *a = out_asked(o, elem_attr(el->e, "id"));
	enum err_code code = str_is(type, "valid") ? ERR_NONE :
		str_is(type, "invalid")		   ? ERR_INVALID :
						     ERR_MISSING;

	(void)m;
	if (type.p == NULL && o->bidi && o->step == OUT_UP) {
		s2s_verify(&o->x, el);
		return HOOK_HANDLED;
	}
	if (type.p == NULL)
		return HOOK_PASS;
	/* XEP-0220 §2.5: whatever error it is, nobody knows about the key */
	if (a != NULL && is_answer(o, el->arena, el->e))
		s2s_way_answer(&o->way->asked, a, code,
			code == ERR_MISSING ? error_means(el->e) : NULL);
	return HOOK_HANDLED;
}

/* --- SASL ------------------------------------------------------------------------- */

static bool
offers_external(struct arena *a, const struct elem *features)
{
	const struct elem *e = elem_child(features, NS_SASL, "mechanisms");

	if (e == NULL)
		return false;
	elem_each_child(e, mechanism)
		if (elem_is(mechanism, NS_SASL, "mechanism") &&
			str_is(str_trim(elem_text(a, mechanism)), "EXTERNAL"))
			return true;
	return false;
}

/* XEP-0178 §3: who we are stands in the header, too; some look here alone. */
static void
out_auth(struct s2s_out *o, struct arena *a)
{
	struct elem *auth = elem_new(a, NS_SASL, "auth");
	struct buf name = BUF_INIT;

	o->step = OUT_SASL;
	o->ready = false; /* they may read what follows in a new stream */
	base64_encode(&name, o->local, strlen(o->local));
	elem_set_attr(a, auth, "mechanism", STR("EXTERNAL"));
	elem_add_text(a, auth, buf_str(&name));
	buf_done(&name);
	stream_write(&o->x, auth);
}

enum hook_result
s2s_out_on_success(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->step != OUT_SASL)
		return HOOK_PASS;
	/* nobody answers behind it what was asked before */
	s2s_way_ask_again(o->way);
	stream_authenticated(&o->x);
	stream_restart(&o->x, place_of_shard(o->x.shard));
	return HOOK_HANDLED;
}

/* Where they end the stream with it, it begins once more without SASL. */
enum hook_result
s2s_out_on_failure(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->step != OUT_SASL)
		return HOOK_PASS;
	s2s_search_skip_external(o->way->search, true);
	o->refused = true;
	s2s_step_refused(o->way->pair);
	o->ready = true;
	s2s_out_ask(o);
	out_dial_back(o);
	return HOOK_HANDLED;
}

enum hook_result
s2s_out_on_challenge(struct module_ctx *m, struct element *el)
{
	struct s2s_out *o = el->stream;

	(void)m;
	if (o->step != OUT_SASL)
		return HOOK_PASS;
	stream_write(&o->x, elem_new(el->arena, NS_SASL, "abort"));
	return HOOK_HANDLED;
}

/* --- both ways (XEP-0288) ----------------------------------------------------------- */

/* §2.2: before we show who we are, and once; with what holds here, which no features of
 * ours say (XEP-0478 §3.2). */
static void
out_ask_bidi(struct s2s_out *o, struct arena *a, const struct elem *features)
{
	struct elem *e;

	if (elem_child(features, NS_FEATURE_BIDI, "bidi") == NULL)
		return;
	o->bidi = true;
	e = elem_new(a, NS_BIDI, "bidi");
	s2s_add_limits(o->x.shard, a, e);
	stream_write(&o->x, e);
}

/* --- the whole ---------------------------------------------------------------------- */

void
s2s_out_authenticate(struct s2s_out *o, struct arena *a,
	const struct elem *features)
{
	if (!o->x.authenticated) {
		s2s_step_tls(o, o->way->pair);
		o->step = OUT_JUDGED;
		if (!s2s_out_judge(o))
			return;
	}
	o->ready = true;
	s2s_out_ask(o);
	if (o->x.stage == STAGE_CLOSED)
		return; /* it does not read that */
	if (remote_is_for_keys(o->way->pair)) {
		o->step = OUT_KEYS;
		return;
	}
	if (!o->x.authenticated)
		out_ask_bidi(o, a, features);
	if (o->x.authenticated)
		s2s_out_up(o, "EXTERNAL");
	else if (offers_external(a, features) &&
		tls_has_own(o->x.conn) && !s2s_search_skips_external(o->way->search))
		out_auth(o, a);
	else
		out_dial_back(o);
}
