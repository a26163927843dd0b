/*
 * s2s_in_dane.c - what signed records of the DNS say of the certificate of a server
 * that has come (RFC 7673, for who is connected to; the same records say whose it is
 * here): asked for while its stream is held, and remembered by the stream.
 *
 *   header, or a key --nothing to be judged, or that could be known--> goes on
 *                    --SRV --signed--> addresses, for CNAMEs --> TLSA --judged--> goes on
 *                        `--forged: refused; else nothing----------> goes on
 *
 * Owner shard of the stream; a question finds that again by its token.
 *
 * Whom an authority vouches for is looked up as well, under each policy: records that
 * are for another certificate, or forged, end it, as where we connect.  What cannot be
 * had says nothing here: nobody is kept out because name servers are silent, but he
 * waits for that once a stream.
 *
 * A stranger can name any domain.  So nothing is looked up for who has no certificate,
 * or for whom it would change nothing; for one stream, as often as it may have pairs;
 * and at a shard there is a bound for all of them, above which nothing is known: then
 * the authority counts, or dialback, which goes by the same records where it asks
 * back.  Those of one address wait behind each other, and those who are trusted leave
 * half of the room to others, who may come in by nothing else.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memuse.h"
#include "net/conn.h"
#include "net/tls_dane.h"
#include "conf/conf.h"
#include "dns/dns.h"
#include "dns/dns_dane.h"
#include "dns/dns_targets.h"
#include "core/host.h"
#include "server/server_dns.h"
#include "stream/server/s2s_known.h"

/* Of the questions that may be out, strangers have a part, each shard its share. */
#define QUESTIONS_PART 2
#define ASKS_MIN 2

struct dane_ask {
	struct shard *shard;
	uint64_t token; /* of the stream */
	uint64_t asker; /* see dns.h: the address that it has come from */
	char *local, *remote; /* prepared */
	struct s2s_dane_key *key; /* what waits for it; NULL: the header */
	struct targets targets;
	unsigned forged; /* bits, of targets: their addresses are */
};

/* --- what is known --------------------------------------------------------------- */

const struct s2s_dane *
s2s_in_dane(const struct s2s_in *c, struct str remote)
{
	for (size_t i = 0; i < c->danes.n; i++)
		if (str_is(remote, c->danes.p[i].remote))
			return &c->danes.p[i];
	return NULL;
}

static char *
text_keep(const char *text)
{
	char *kept = xstrdup(text);

	memuse_add_part(MEMUSE_STREAM, kept);
	return kept;
}

static void
text_drop(char *kept)
{
	memuse_remove_part(MEMUSE_STREAM, kept);
	free(kept);
}

/* d's texts are copied. */
static void
dane_keep(struct s2s_in *c, const struct s2s_dane *d)
{
	*vec_push(&c->danes) = (struct s2s_dane){
		.remote = text_keep(d->remote),
		.why = text_keep(d->why),
		.verdict = d->verdict,
		.named = d->named,
	};
	log_debug(LOG_AUTH, stream_who(&c->x),
		"records of the DNS judged domain=%s found=\"%s\"", d->remote,
		d->why);
}

void
s2s_in_dane_done(struct s2s_in *c)
{
	for (size_t i = 0; i < c->danes.n; i++) {
		text_drop(c->danes.p[i].remote);
		text_drop(c->danes.p[i].why);
	}
	vec_done(&c->danes);
}

/* --- answers --------------------------------------------------------------------- */

static void
key_free(struct s2s_dane_key *k)
{
	if (k == NULL)
		return;
	free(k->to);
	free(k->from);
	free(k->key);
	free(k);
}

static void
ask_free(struct dane_ask *ask)
{
	struct s2s_known *k = s2s_known(ask->shard);

	if (k != NULL)
		k->n_dane_asks--;
	free(ask->local);
	free(ask->remote);
	key_free(ask->key);
	free(ask);
}

/* NULL: it is gone. */
static struct s2s_in *
ask_stream(const struct dane_ask *ask)
{
	struct stream *x = stream_find(ask->shard, ask->token);

	return x != NULL ? s2s_in_of(x) : NULL;
}

/* ask is answered, and freed: the stream goes on. */
static void
ask_end(struct dane_ask *ask, struct s2s_in *c, const struct s2s_dane *found)
{
	dane_keep(c, found);
	stream_unhold(&c->x);
	if (ask->key != NULL)
		s2s_in_take_key(c, ask->key, str_c(ask->local),
			str_c(ask->remote));
	else
		s2s_in_go_on(c);
	ask_free(ask);
	if (c->x.stage != STAGE_CLOSED)
		(void)stream_release(&c->x);
}

/* One target's records, and whether its address is forged: the best of all counts. */
static void
target_judge(const struct s2s_in *c, const struct dane_ask *ask,
	const struct dane *d, bool forged, struct s2s_dane *best,
	char why[TARGETS_WHY_SIZE])
{
	const struct shard *sh = c->x.shard;
	struct str local = str_c(ask->local), remote = str_c(ask->remote);
	struct tls_judgement j;

	tls_peer_judge_at(c->x.conn, snapshot_trust(sh->snap, local, remote),
		remote, d->records, shard_wall_us(sh) / US_PER_S, &j);
	if (d->state == DANE_BOGUS || forged) {
		j.dane = TLS_DANE_OTHER;
		snprintf(j.dane_why, sizeof(j.dane_why),
			"their %s forged, or a mistake%s%.300s",
			forged ? "address is" : "TLSA record is",
			forged ? "" : ": ", d->why);
	}
	if (j.dane == TLS_DANE_NONE && j.worth == TLS_TRUSTED)
		best->named = true;
	if (best->verdict == TLS_DANE_FITS || j.dane == TLS_DANE_NONE)
		return;
	best->verdict = j.dane;
	snprintf(why, TARGETS_WHY_SIZE, "%s", j.dane_why);
}

/* q may be NULL: there are no records. */
static void
ask_judge(struct dane_ask *ask, struct s2s_in *c, const struct dns_question *q)
{
	const struct targets *t = &ask->targets;
	struct dane all[TARGETS_MAX];
	char why[TARGETS_WHY_SIZE] = "";
	struct s2s_dane best = { .remote = ask->remote, .why = why };

	dane_read(all, q, t->list, t->n, NULL);
	for (size_t i = 0; i < t->n; i++) {
		target_judge(c, ask, &all[i], (ask->forged >> i & 1) != 0,
			&best, why);
		tls_dane_unref(all[i].records);
	}
	/* a name that counts is worth no less than a record */
	if (best.named && best.verdict == TLS_DANE_OTHER)
		best.verdict = TLS_DANE_NONE;
	ask_end(ask, c, &best);
}

static void
on_records(void *arg, struct dns_question *q)
{
	struct dane_ask *ask = arg;
	struct s2s_in *c = ask_stream(ask);

	if (c != NULL)
		ask_judge(ask, c, q);
	else
		ask_free(ask);
	dns_question_free(q);
}

/* Of which CNAMEs alone are of interest: nobody is connected to. */
static void
on_addresses(void *arg, struct dns_question *q)
{
	struct dane_ask *ask = arg;
	struct s2s_in *c = ask_stream(ask);
	struct targets *t = &ask->targets;

	targets_expand(t->list, t->n, q, 0);
	for (size_t i = 0; i < q->n; i++)
		if (q->parts[i].state == DNS_BOGUS)
			ask->forged |= 1u << (i / 2);
	dns_question_free(q);
	if (c == NULL) {
		ask_free(ask);
		return;
	}
	q = dns_question_new(DANE_PARTS_MAX * t->n, on_records, ask);
	q->asker = ask->asker;
	if (dane_ask(q, t->list, t->n, NULL) != 0) {
		server_dns_ask(ask->shard, q);
		return;
	}
	dns_question_free(q);
	ask_judge(ask, c, NULL);
}

/* Is there anything about them that could be signed? */
static bool
targets_matter(const struct targets *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->list[i].secure || t->list[i].itself)
			return true;
	return false;
}

/* Where signatures do not come, nobody is made to wait for them again. */
static void
ask_note_trust(const struct dane_ask *ask, enum dns_trust trust)
{
	struct s2s_known *k = s2s_known(ask->shard);

	if (k != NULL && (trust == DNS_TRUST_NO || trust == DNS_TRUST_OFF))
		k->unsigned_of = ask->shard->snap->serial;
}

static void
on_targets(void *arg, struct dns_question *q)
{
	struct dane_ask *ask = arg;
	struct s2s_in *c = ask_stream(ask);
	struct targets *t = &ask->targets;
	struct s2s_dane found = { .remote = ask->remote, .why = t->why };
	char name[DNS_NAME_SIZE];

	(void)dns_name(ask->remote, name);
	targets_read(t, q, 0, name, TARGET_SERVER, ask->shard->rand);
	ask_note_trust(ask, q->trust);
	dns_question_free(q);
	if (c == NULL) {
		ask_free(ask);
		return;
	}
	if (t->state == TARGETS_FOUND && targets_matter(t)) {
		q = dns_question_new(2 * t->n, on_addresses, ask);
		q->asker = ask->asker;
		q->soon_us = ADDRESSES_SOON_US;
		addresses_ask(q, t->list, t->n);
		server_dns_ask(ask->shard, q);
		return;
	}
	if (t->state == TARGETS_BOGUS)
		found.verdict = TLS_DANE_OTHER;
	ask_end(ask, c, &found);
}

/* --- questions ------------------------------------------------------------------- */

static size_t
asks_max(const struct shard *sh, enum tls_worth worth)
{
	size_t n = (size_t)sh->snap->config->dns.questions /
		(QUESTIONS_PART * 2 * sh->server->n_shards);

	n = MAX(n, ASKS_MIN);
	return worth == TLS_TRUSTED ? n / 2 : n;
}

/* Would it change anything? */
static bool
dane_matters(const struct s2s_in *c, struct str local, struct str remote,
	const struct tls_judgement *j)
{
	const struct snapshot *snap = c->x.shard->snap;

	switch (j->worth) {
	case TLS_NO_CERTIFICATE:
		return false;
	case TLS_TRUSTED:    /* it may not be theirs, whoever has signed it */
	case TLS_OTHER_NAME: /* it may be that of their server */
		return true;
	case TLS_UNTRUSTED:
		break;
	}
	return federation_policy_of(snap, snapshot_host(snap, local), remote) !=
		POLICY_REQUIRED_TRUSTED;
}

static bool
dane_can_be_asked(const struct s2s_in *c, struct str remote,
	enum tls_worth worth, char name[DNS_NAME_SIZE])
{
	struct shard *sh = c->x.shard;
	const struct s2s_known *k = s2s_known(sh);
	const struct config *conf = sh->snap->config;
	const struct config_remote *known = config_remote(conf, remote);
	char domain[JID_PART_MAX + 1];

	snprintf(domain, sizeof(domain), "%.*s", STR_ARG(remote));
	return sh->server->reach == NULL && !sh->streams_closed &&
		conf->dns.dnssec != DNSSEC_OFF &&
		k->unsigned_of != sh->snap->serial &&
		/* else what is set here says where they are, not the DNS */
		(known == NULL || known->address == NULL) &&
		c->danes.n < S2S_PAIRS_MAX &&
		k->n_dane_asks < asks_max(sh, worth) &&
		!s2s_in_throttled(c, remote) && dns_name(domain, name);
}

bool
s2s_in_dane_ask(struct s2s_in *c, struct str local, struct str remote,
	const struct tls_judgement *j, struct s2s_dane_key *key)
{
	struct shard *sh = c->x.shard;
	char name[DNS_NAME_SIZE];
	struct dns_question *q;
	struct dane_ask *ask;

	if (s2s_in_dane(c, remote) != NULL ||
		!dane_matters(c, local, remote, j) ||
		!dane_can_be_asked(c, remote, j->worth, name)) {
		key_free(key);
		return false;
	}
	stream_hold(&c->x); /* one that is bound has no token before */
	ask = xcalloc(1, sizeof(*ask));
	ask->shard = sh;
	ask->token = stream_token(&c->x);
	ask->asker = server_hash(sh->server, conn_peer_key(c->x.conn));
	ask->local = str_dup(local);
	ask->remote = str_dup(remote);
	ask->key = key;
	s2s_known(sh)->n_dane_asks++;
	q = dns_question_new(2, on_targets, ask);
	q->asker = ask->asker;
	targets_ask(q, name, TARGET_SERVER);
	server_dns_ask(sh, q);
	return true;
}
