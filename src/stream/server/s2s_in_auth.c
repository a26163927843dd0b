/*
 * s2s_in_auth.c - how a stream of another server begins: its header, what is
 * offered, and SASL EXTERNAL (XEP-0178 §3), by which it is whom its certificate
 * names.
 *
 * Owner shard.  What is not offered is not taken (hostile 24), and EXTERNAL is where
 * the certificate is trusted, and for the domain of the header (hostile 22).
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/memuse.h"
#include "base/text.h"
#include "base/throttle.h"
#include "xml/elem.h"
#include "xmpp/jid.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/place.h"
#include "stream/sasl/sasl.h"
#include "stream/server/s2s_in_int.h"

#define ADDRESS_MAX 16
/* The longest base64 that can be a domain. */
#define BASE64_MAX ((JID_PART_MAX + 2) / 3 * 4)

/* --- the header ----------------------------------------------------------- */

/* RFC 6120 §4.7.2; what the first one has said holds (hostile 25). */
static void
header_check_to(struct stream_header *h, const struct s2s_in *c)
{
	struct str local = STR_NONE;
	const struct host *host = NULL;

	if (h->to.p != NULL && jid_prep_domain(&local, h->arena, h->to, NULL))
		host = shard_host(c->x.shard, local);
	if (host == NULL)
		stream_header_refuse(h, STREAM_HOST_UNKNOWN, h->to.p != NULL ?
			"This domain is not served here" :
			"Name the domain in the attribute \"to\"");
	else if (c->local != NULL && !str_is(local, c->local))
		stream_header_refuse(h, STREAM_POLICY_VIOLATION,
			"\"to\" is not what it was before");
	else if (!host->federates)
		stream_header_refuse(h, STREAM_POLICY_VIOLATION,
			"This domain has to do with no other servers");
	else
		h->host = local;
}

/* §4.7.1: may be missing, at first. */
static void
header_check_from(struct stream_header *h, const struct s2s_in *c)
{
	enum stanza_cond cond;
	struct str remote;
	const char *text;

	if (h->host.p == NULL || (h->from.p == NULL && c->from == NULL))
		return;
	if (h->from.p == NULL) {
		remote = str_c(c->from);
	} else if (!jid_prep_domain(&remote, h->arena, h->from, NULL)) {
		stream_header_refuse(h, STREAM_INVALID_FROM,
			"\"from\" is no domain");
		return;
	} else {
		h->peer = remote;
	}
	cond = s2s_refuses(c->x.shard, h->host, remote, &text);
	if (c->from != NULL && !str_is(remote, c->from))
		stream_header_refuse(h, STREAM_INVALID_FROM,
			"\"from\" is not what it was before");
	else if (cond != COND_NONE)
		stream_header_refuse(h, cond == COND_NOT_ACCEPTABLE ?
				STREAM_INVALID_FROM :
				STREAM_POLICY_VIOLATION,
			text);
}

static void
header_refused(struct s2s_in *c, struct stream_header *h)
{
	struct str remote;

	if (h->from.p == NULL || h->to.p == NULL ||
		!jid_prep_domain(&remote, h->arena, h->from, NULL))
		return;
	c->told = true;
	s2s_in_refuse(c, h->to, remote, "their header was refused: %s", h->text);
}

void
s2s_in_judge(struct stream *x, struct stream_header *h)
{
	header_check_to(h, s2s_in_of(x));
	header_check_from(h, s2s_in_of(x));
	if (h->cond != STREAM_COND_NONE)
		header_refused(s2s_in_of(x), h);
}

static void
s2s_in_pin(char **name, struct str said)
{
	if (*name != NULL || said.p == NULL)
		return;
	*name = str_dup(said);
	memuse_add_part(MEMUSE_STREAM, *name);
}

/* --- what its certificate is worth ------------------------------------------ */

static void
judgement_add(struct tls_judgement *j, const struct s2s_dane *d)
{
	if (d == NULL)
		return;
	if (d->named && j->worth == TLS_OTHER_NAME)
		j->worth = TLS_TRUSTED;
	j->dane = d->verdict;
	snprintf(j->dane_why, sizeof(j->dane_why), "%s", d->why);
}

void
s2s_in_judge_peer(const struct s2s_in *c, struct str local, struct str remote,
	struct tls_judgement *out)
{
	const struct shard *sh = c->x.shard;

	tls_peer_judge(c->x.conn, snapshot_trust(sh->snap, local, remote),
		remote, shard_wall_us(sh) / US_PER_S, out);
	judgement_add(out, s2s_in_dane(c, remote));
	log_debug(LOG_AUTH, stream_who(&c->x),
		"certificate judged domain=%.*s found=\"%s\"", STR_ARG(remote),
		out->why);
}

bool
s2s_in_takes_certificate(const struct s2s_in *c, struct str local,
	struct str remote)
{
	struct tls_judgement j;

	s2s_in_judge_peer(c, local, remote, &j);
	if (j.worth == TLS_TRUSTED)
		return true;
	s2s_in_refuse(c, local, remote,
		"their certificate is not trusted any more: %s", j.why);
	return false;
}

bool
s2s_in_takes_dialback(const struct s2s_in *c, struct str local,
	struct str remote, const char **text_out)
{
	const struct shard *sh = c->x.shard;
	int policy = federation_policy_of(sh->snap,
		snapshot_host(sh->snap, local), remote);
	struct tls_judgement j;

	if (policy == POLICY_DIALBACK_WITH_TLS && s2s_in_dane(c, remote) == NULL)
		return true;
	s2s_in_judge_peer(c, local, remote, &j);
	if (federation_believes(policy, &j))
		return true;
	if (j.dane == TLS_DANE_OTHER) {
		*text_out =
			"Your certificate is not the one that your signed records are for";
		s2s_in_refuse(c, local, remote, "%s", j.dane_why);
		return false;
	}
	switch (j.worth) {
	case TLS_TRUSTED: /* under each policy */
		return true;
	case TLS_NO_CERTIFICATE:
		*text_out = "A certificate is required here, and there is none";
		break;
	case TLS_UNTRUSTED:
		*text_out = "Your certificate is not trusted here";
		break;
	case TLS_OTHER_NAME:
		*text_out = "Your certificate is not for this domain";
		break;
	}
	s2s_in_refuse(c, local, remote,
		"their certificate is not trusted, as the policy wants it: %s",
		j.why);
	return false;
}

/* --- what is offered -------------------------------------------------------- */

/* Its certificate shows that it is from, as the policy of local has it: by an
 * authority, or by signed records. */
static bool
s2s_in_is_external(const struct s2s_in *c, struct tls_judgement *j)
{
	const struct snapshot *snap = c->x.shard->snap;
	struct str local = str_c(c->local), from = str_c(c->from);

	s2s_in_judge_peer(c, local, from, j);
	if (j->dane == TLS_DANE_OTHER)
		return false;
	return j->worth == TLS_TRUSTED ||
		(j->dane == TLS_DANE_FITS &&
			federation_policy_of(snap, snapshot_host(snap, local),
				from) != POLICY_REQUIRED_TRUSTED);
}

/* By which of them, where it has shown that by SASL. */
static enum s2s_proof
s2s_in_proof(const struct s2s_in *c)
{
	const struct s2s_dane *d = s2s_in_dane(c, str_c(c->from));

	return d != NULL && d->verdict == TLS_DANE_FITS ? S2S_DANE :
							  S2S_EXTERNAL;
}

static void
s2s_in_offer(struct s2s_in *c)
{
	struct arena *a = arena_new();
	struct elem *features = elem_new(a, NS_STREAM, "features"), *e;

	if (!conn_is_secure(c->x.conn)) {
		e = elem_add(a, features, NS_TLS, "starttls");
		elem_add(a, e, NS_TLS, "required");
	} else {
		if (c->external) {
			e = elem_add(a, features, NS_SASL, "mechanisms");
			elem_add_with_text(a, e, NS_SASL, "mechanism",
				STR("EXTERNAL"));
		}
		/* XEP-0220 §2.4.2 */
		e = elem_add(a, features, NS_FEATURE_DIALBACK, "dialback");
		elem_add(a, e, NS_FEATURE_DIALBACK, "errors");
		/* XEP-0288 §2.1 */
		if (s2s_in_offers_bidi(c))
			elem_add(a, features, NS_FEATURE_BIDI, "bidi");
		/* XEP-0198 §2: for whom a key lets in there are no later ones */
		elem_add(a, features, NS_SM, "sm");
		/* XEP-0478 §3.1: also where no stanza may come yet, as nothing
		 * more is said when a key lets them in */
		s2s_add_limits(c->x.shard, a, features);
	}
	stream_write(&c->x, features);
	arena_free(a);
}

/* False: the DNS is asked about its certificate first. */
static bool
s2s_in_judge_header(struct s2s_in *c)
{
	struct tls_judgement j;

	c->external = false;
	if (c->from == NULL || c->x.authenticated || !conn_is_secure(c->x.conn))
		return true;
	c->external = s2s_in_is_external(c, &j);
	return !s2s_in_dane_ask(c, str_c(c->local), str_c(c->from), &j, NULL);
}

void
s2s_in_go_on(struct s2s_in *c)
{
	struct tls_judgement j;

	/* a reload may have taken it since, of which the stream has yet to hear */
	if (shard_host(c->x.shard, str_c(c->local)) == NULL) {
		stream_end(&c->x, STREAM_HOST_GONE, NULL);
		return;
	}
	c->external = s2s_in_is_external(c, &j);
	s2s_in_offer(c);
}

void
s2s_in_opened(struct stream *x, const struct stream_header *h)
{
	struct s2s_in *c = s2s_in_of(x);

	s2s_in_pin(&c->local, h->host);
	s2s_in_pin(&c->from, h->peer);
	memcpy(c->id, h->id, sizeof(c->id));
	if (!conn_is_secure(x->conn) && x->shard->snap->tls == NULL &&
		conn_kind(x->conn) != CONN_MEM) {
		stream_end(x, STREAM_POLICY_VIOLATION,
			"TLS is required, and not to be had here");
		return;
	}
	if (!s2s_in_judge_header(c))
		return;
	s2s_in_offer(c);
	if (!x->authenticated)
		return;
	s2s_in_add_pair(c, str_c(c->local), str_c(c->from), s2s_in_proof(c));
	s2s_in_join(c, str_c(c->local), str_c(c->from));
}

/* --- failures --------------------------------------------------------------- */

struct failure_key {
	char text[2 + ADDRESS_MAX + JID_PART_MAX];
};

/* Of an address and a domain; remote STR(""): of the address alone. */
static struct str
failure_key(struct failure_key *k, const struct s2s_in *c, struct str remote)
{
	struct str address = conn_peer_key(c->x.conn);

	assert(address.n <= ADDRESS_MAX && remote.n <= JID_PART_MAX);
	k->text[0] = 's';
	k->text[1] = (char)address.n;
	if (address.n != 0)
		memcpy(k->text + 2, address.p, address.n);
	memcpy(k->text + 2 + address.n, remote.p, remote.n);
	return (struct str){ k->text, 2 + address.n + remote.n };
}

bool
s2s_in_throttled(const struct s2s_in *c, struct str remote)
{
	const struct stream_server *s = c->x.shard->server->streams;
	const struct config_limits *l = &c->x.shard->snap->config->limits;
	int64_t now = c->x.shard->now_us;
	struct failure_key k;

	return throttle_count(s->failures, failure_key(&k, c, remote), now) >=
		l->auth_failures_per_account ||
		throttle_count(s->failures, failure_key(&k, c, STR("")), now) >=
		l->auth_failures_per_address;
}

bool
s2s_in_failed(struct s2s_in *c, struct str remote)
{
	struct stream *x = &c->x;
	const struct stream_server *s = x->shard->server->streams;
	struct failure_key k;

	x->shard->stats.login_failures++;
	if (remote.n != 0)
		throttle_add(s->failures, failure_key(&k, c, remote),
			x->shard->now_us);
	throttle_add(s->failures, failure_key(&k, c, STR("")),
		x->shard->now_us);
	if (x->authenticated)
		return true;
	c->failures++;
	if (c->failures < x->shard->snap->config->limits.auth_attempts)
		return true;
	/* RFC 6120 §6.4.5 */
	stream_end(x, STREAM_POLICY_VIOLATION, "Too many failures");
	return false;
}

/* --- SASL EXTERNAL ----------------------------------------------------------- */

static void
sasl_tell(struct s2s_in *c, enum sasl_cond cond)
{
	struct tls_judgement j;

	c->told = true;
	s2s_in_judge_peer(c, str_c(c->local), str_c(c->from), &j);
	s2s_in_refuse(c, str_c(c->local), str_c(c->from),
		"SASL EXTERNAL refused (%s): their certificate %s",
		sasl_cond_name(cond), j.why);
}

static void
sasl_refuse(struct s2s_in *c, enum sasl_cond cond)
{
	struct buf out = BUF_INIT;

	c->asked = false;
	if (c->from != NULL)
		sasl_tell(c, cond);
	buf_printf(&out, "<failure xmlns='" NS_SASL "'><%s/></failure>",
		sasl_cond_name(cond));
	stream_write_bytes(&c->x, buf_str(&out));
	buf_done(&out);
	(void)s2s_in_failed(c, str_c(c->from != NULL ? c->from : ""));
}

static void
sasl_succeed(struct s2s_in *c)
{
	c->asked = false;
	c->external = false;
	s2s_in_forget_asks(c); /* keys of the stream that ends here */
	stream_authenticated(&c->x);
	stream_write_bytes(&c->x, STR("<success xmlns='" NS_SASL "'/>"));
	stream_restart(&c->x, place_of_shard(c->x.shard));
}

/* What it wants to be is what its header says that it is. */
static bool
authzid_fits(const struct s2s_in *c, struct arena *a, struct str authzid)
{
	struct str domain;

	return authzid.n == 0 ||
		(str_is_utf8(authzid) &&
			jid_prep_domain(&domain, a, authzid, NULL) &&
			str_is(domain, c->from));
}

/* RFC 6120 §6.4.2: no text is no data, "=" is data of zero length. */
static void
sasl_take(struct s2s_in *c, struct arena *a, const struct elem *e)
{
	struct str text = elem_text(a, e);
	struct buf raw = BUF_INIT;

	if (str_is(text, "="))
		text = STR("");
	if (text.n > BASE64_MAX || !base64_decode(&raw, text))
		sasl_refuse(c, SASL_INCORRECT_ENCODING);
	else if (!authzid_fits(c, a, buf_str(&raw)))
		sasl_refuse(c, SASL_INVALID_AUTHZID);
	else
		sasl_succeed(c);
	buf_done(&raw);
}

enum hook_result
s2s_in_on_auth(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;

	(void)m;
	if (c->asked) /* hostile 31 */
		sasl_refuse(c, SASL_MALFORMED_REQUEST);
	else if (!c->external ||
		!str_is(elem_attr(el->e, "mechanism"), "EXTERNAL"))
		sasl_refuse(c, SASL_INVALID_MECHANISM);
	else if (s2s_in_throttled(c, str_c(c->from)))
		sasl_refuse(c, SASL_TEMPORARY_AUTH_FAILURE);
	else if (elem_text(el->arena, el->e).n != 0)
		sasl_take(c, el->arena, el->e);
	else {
		/* §6.4.3 */
		c->asked = true;
		stream_write_bytes(&c->x,
			STR("<challenge xmlns='" NS_SASL "'/>"));
	}
	return HOOK_HANDLED;
}

enum hook_result
s2s_in_on_response(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;

	(void)m;
	if (c->asked)
		sasl_take(c, el->arena, el->e);
	else
		sasl_refuse(c, SASL_MALFORMED_REQUEST);
	return HOOK_HANDLED;
}

enum hook_result
s2s_in_on_abort(struct module_ctx *m, struct element *el)
{
	(void)m;
	sasl_refuse(el->stream, SASL_ABORTED);
	return HOOK_HANDLED;
}
