/*
 * s2s_why.c - why there is a stream between a domain of ours and one of others, or
 * none: what is permitted, what the way there has met with, whether an answer comes
 * back, and what has come from there.
 *
 *	here: options, certificate, ports --not permitted------------------.
 *	out:  TELL_TRY ----> the pair's attempt, or its link --none--------+
 *	in:   a ping ------> has to come back by a stream of theirs        |
 *	      their streams at each shard, why some were not let in <------'
 *
 * Shard 0, but for what is asked of others.
 */
#include "config.h"

#include "stream/server/s2s_command.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "xml/elem.h"
#include "xmpp/datetime.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/tls.h"
#include "net/tls_peer.h"
#include "conf/conf.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/iq_ask.h"
#include "core/link.h"
#include "core/listen.h"
#include "core/place.h"
#include "remote/remote.h"
#include "server/server_federation.h"
#include "stream/server/s2s_in_int.h"
#include "stream/server/s2s_out_int.h"

/* For the sign of life: they may have to open a stream first. */
#define PING_US (15 * US_PER_S)

struct why {
	struct str domain, ours;
	int64_t pinged_us;
	const char *stopped;   /* why there was no attempt; NULL */
	const char *ping, *ping_found; /* its state; NULL: none was sent */
	size_t n_in;           /* streams of theirs */
	bool both;             /* they need none: ours goes both ways */
	unsigned n_shards;     /* that were looked at */
};

static struct why *
why_of(const struct command_call *call)
{
	return call->state;
}

static void
row(struct command_call *call, const char *direction, const char *step,
	const char *state, const char *found, const char *note)
{
	command_row(call);
	command_field(call, "direction", str_c(direction));
	command_field(call, "step", str_c(step));
	command_field(call, "state", str_c(state));
	command_field(call, "found", str_c(found));
	command_field(call, "note", str_c(note));
}

/* --- here ------------------------------------------------------------------------ */

static const char *const policy_notes[] = {
	[POLICY_REQUIRED_TRUSTED] =
		"they have to show a certificate that is trusted here (`federation: policy: required-trusted')",
	[POLICY_DANE_OR_TRUSTED] =
		"they have to show a certificate that is trusted here, or that signed records of the DNS are for (`federation: policy: dane-or-trusted')",
	[POLICY_DIALBACK_WITH_TLS] =
		"under TLS, by a certificate that is trusted here, or else by dialback (`federation: policy: dialback-with-tls')",
};

static bool
list_forbids(const struct config_federation *f, struct str domain)
{
	return config_list_has(&f->deny, domain);
}

/* False: that was all. */
static bool
policy_show(struct command_call *call, const struct snapshot *snap,
	const struct host *host)
{
	struct str domain = why_of(call)->domain;

	switch (federation_may(snap, host, domain)) {
	case FEDERATION_MAY:
		row(call, "here", "policy", "ok",
			arena_printf(call->arena, "%.*s and %.*s may talk",
				STR_ARG(host->domain), STR_ARG(domain))
				.p,
			policy_notes[federation_policy_of(snap, host, domain)]);
		return true;
	case FEDERATION_OFF_HERE:
		row(call, "here", "policy", "off",
			federation_hindrance(snap, host),
			"nothing goes out, and nobody is let in: with `federation: auto' a domain needs a certificate that others can believe; `federation: on' needs none");
		return false;
	case FEDERATION_FORBIDDEN:
		break;
	}
	row(call, "here", "policy", "forbidden",
		list_forbids(host->federation, domain) ?
			"it stands in `federation: deny'" :
			"`federation: allow' does not name it, or it is an address, and `s2s: ip_literals' is off",
		"nothing goes out, and nobody is let in: change that list, if this is not meant");
	return false;
}

static void
certificate_show(struct command_call *call, const struct snapshot *snap,
	const struct host *host)
{
	struct tls_shown shown;
	const char *found;

	tls_set_shown(snap->tls, host->domain, &shown);
	if (shown.host == NULL) {
		row(call, "here", "certificate", "none", "no certificate",
			"other servers cannot connect to us, and can know us by dialback alone: set `certificate' for this host");
		return;
	}
	found = arena_printf(call->arena, "that of %s, signed by %s", shown.host,
		shown.by_itself ? "itself" : shown.issuer)
			.p;
	if (shown.by_itself)
		row(call, "here", "certificate", "not trusted", found,
			"other servers know us by dialback, if they do that at all: get one of a public authority");
	else if (!shown.named)
		row(call, "here", "certificate", "other name", found,
			"it does not name this domain, so that other servers know us by dialback, if they do that at all: get one that does");
	else
		row(call, "here", "certificate", "ok", found,
			"whether other servers trust who has signed it, only they know");
}

static void
ports_show(struct command_call *call, const struct snapshot *snap)
{
	const struct config *conf = snap->config;
	struct buf found = BUF_INIT;

	for (size_t i = 0; i < conf->n_listen; i++) {
		const struct config_listen *l = &conf->listen[i];

		if (config_listen_has(l, "server"))
			buf_printf(&found, "%s%s port %d%s%s",
				found.n != 0 ? ", " : "", l->address,
				snap->ports[i] != NULL ? snap->ports[i]->bound :
							 (int)l->port,
				l->tls == LISTEN_DIRECT ? " direct TLS" : "",
				l->kinds.n > 1 ? " shared" : "");
	}
	row(call, "here", "ports", found.n != 0 ? "ok" : "none",
		found.n != 0 ? buf_c(&found) : "no port for servers",
		found.n != 0 ?
			"the firewall has to let them in" :
			"other servers cannot connect to us: add an entry with `kind: server' to `listen'");
	buf_done(&found);
}

/* --- out ------------------------------------------------------------------------- */

/* What a step means, and what to change. */
static const struct {
	const char *step, *state, *note;
} notes[] = {
	{ "SRV", "ok", "where their servers are, in the order of trying" },
	{ "SRV", "none", "so the address of the domain itself is tried, as the rules say" },
	{ "SRV", "left out", "the others are tried; their zone is not signed, where this would have ended it" },
	{ "SRV", "not asked", "see `remotes' in antiphond.yml(5)" },
	{ "SRV", "refused", "only they can change that, in their zone: is the name spelled as they spell it?" },
	{ "SRV", "bogus", "somebody forges answers, or they have made a mistake with DNSSEC: they have to mend it" },
	{ "SRV", "failed", "the DNS was of no help: does the name server of this machine answer (see `dns' in antiphond.yml(5))?" },
	{ "address", "ok", "tried in this order, some of them at the same time" },
	{ "address", "none", "is the name spelled as they spell it? else only they can change that" },
	{ "address", "bogus", "somebody forges answers, or they have made a mistake with DNSSEC: they have to mend it" },
	{ "address", "failed", "the DNS was of no help: does the name server of this machine answer (see `dns' in antiphond.yml(5))?" },
	{ "TLSA", "ok", "the certificate has to be one that these records are for" },
	{ "TLSA", "none", "their zone is signed; with such a record they would need no authority" },
	{ "TLSA", "unsigned", "so there is no DANE: certificates are judged by authorities alone" },
	{ "TLSA", "off", "so there is no DANE here: see `dns: dnssec' in antiphond.yml(5), and check-dns" },
	{ "TLSA", "bogus", "somebody forges answers, or they have made a mistake with DNSSEC: they have to mend it" },
	{ "TLSA", "failed", "their name servers have to answer this question, too, for their zone is signed" },
	{ "connection", "ok", "somebody answers there" },
	{ "connection", "failed", "their server is down, or a firewall, theirs or ours, is in the way: try the same address and port from elsewhere" },
	{ "stream", "failed", "somebody is there, and it is no server that talks to us: what it has said is all that is known" },
	{ "TLS", "ok", "nothing goes out without it" },
	{ "TLS", "failed", "there is no TLS with them that both sides take, without which nothing goes out" },
	{ "certificate", "ok", "trusted, and for this domain" },
	{ "certificate", "not trusted", "the policy here lets dialback be enough; with `required-trusted' they would be refused" },
	{ "certificate", "failed", "they need a certificate for this domain of somebody whom we trust; or set `authorities', or `policy', for them in `remotes'" },
	{ "DANE", "ok", "signed records of the DNS are for this certificate, whoever has signed it" },
	{ "DANE", "unusable", "they count as if there were none: are they of a kind that nobody knows, or cut?" },
	{ "DANE", "failed", "they have to change the record when they change the certificate, or somebody is in between: nothing goes there under any policy" },
	{ "authentication", "ok", "they know that it is we" },
	{ "authentication", "refused", "does our certificate name our domain, and do they trust who has signed it?" },
	{ "authentication", "failed", "they do not believe who we are: see what they say, and what check-dns says of our domain" },
	{ "time", "failed", "it took longer than `s2s: timeout'" },
};

static const char *
note_of(struct str step, struct str state)
{
	for (size_t i = 0; i < COUNT(notes); i++)
		if (str_is(step, notes[i].step) && str_is(state, notes[i].state))
			return notes[i].note;
	return "";
}

static const char *
text_of(struct command_call *call, struct str s)
{
	return arena_printf(call->arena, "%.*s", STR_ARG(s)).p;
}

/* The lines of struct remote_shown. */
static void
steps_show(struct command_call *call, struct str left)
{
	struct str line, step, state, found;

	while (left.n != 0 && str_cut(left, '\n', &line, &left)) {
		if (!str_cut(line, '\t', &step, &line) ||
			!str_cut(line, '\t', &state, &found))
			continue;
		row(call, "out", text_of(call, step), text_of(call, state),
			text_of(call, found), note_of(step, state));
	}
}

/* A stream of ours by which they may answer (XEP-0288). */
static bool
goes_both_ways(const struct link *l)
{
	const struct s2s_way *w = l->stream;

	return l->ops == &s2s_link_stream && w->stream != NULL &&
		w->stream->bidi;
}

static void
show_out(void *arg, const struct remote_shown *shown)
{
	struct command_call *call = command_call_arg(arg);
	char since[DATETIME_SIZE];
	struct buf steps = BUF_INIT;

	if (!str_eq(shown->local, why_of(call)->ours))
		return;
	remote_steps(shown, &steps);
	steps_show(call, buf_str(&steps));
	buf_done(&steps);
	if (shown->link == NULL)
		return;
	why_of(call)->both = goes_both_ways(shown->link);
	datetime_format(since, shown->link->since_us);
	row(call, "out", "stream", "up",
		arena_printf(call->arena,
			"since %s%s; stanzas: %llu sent, %zu wait", since,
			shown->link->ops == &s2s_in_link_stream ?
				", opened by them" :
				"",
			(unsigned long long)shown->link->sent, shown->n_waiting)
			.p,
		shown->link->ops == &s2s_in_link_stream ?
			"what is for them goes this way, too: see the rows of what comes in for how they have shown who they are" :
			"what is for them goes this way");
}

/* --- in -------------------------------------------------------------------------- */

static void
show_in(struct command_call *call, const struct s2s_in *c,
	const struct s2s_pair *pair)
{
	struct why *w = why_of(call);
	struct str ours = str_c(pair != NULL ? pair->local : c->local);
	const char *tls = tls_version(c->x.conn);
	struct tls_judgement j;

	w->n_in++;
	s2s_in_judge_peer(c, ours, w->domain, &j);
	row(call, "in", "stream",
		pair != NULL ? "up" : "coming up",
		arena_printf(call->arena,
			"to %.*s from %s, %s, by %s; their certificate %s%s%s",
			STR_ARG(ours), conn_peer(c->x.conn),
			tls != NULL ? tls : "no TLS",
			pair != NULL ? s2s_proof_names[pair->proof] : "nothing yet",
			conn_is_secure(c->x.conn) ? j.why : "is yet to come",
			j.dane_why[0] != '\0' ? "; " : "", j.dane_why)
			.p,
		pair != NULL ? "what comes from them comes this way" :
			       "they have yet to show who they are");
}

/* What is in such a text says whose turn it is. */
static const struct {
	const char *part, *note;
} failure_notes[] = {
	{ "header was refused", "they want what is not there, or what is not permitted here" },
	{ "was not judged", "we have to reach them, too: see the rows of what goes out" },
	{ "is not its own", "somebody else has come in their name, or their servers do not share one secret" },
	{ "TLSA record", "they have to change the record when they change the certificate, or somebody else has come in their name" },
	{ "certificate", "they need a certificate for this domain of somebody whom we trust; or set `authorities', or `policy', for them in `remotes'" },
	{ "TLS", "it ended on their side: do they take our certificate, and its TLS versions?" },
};

static void
show_failure(struct command_call *call, const struct s2s_failed *f)
{
	const char *note = "they gave up before they had shown who they are";

	if (strcmp(f->direction, "in") != 0)
		return;
	for (size_t i = 0; i < COUNT(failure_notes); i++) {
		if (strstr(f->why, failure_notes[i].part) != NULL) {
			note = failure_notes[i].note;
			break;
		}
	}
	row(call, "in", "refused", "failed",
		arena_printf(call->arena, "to %.*s, %s", STR_ARG(f->ours),
			s2s_failure_text(call->arena, f).p)
			.p,
		note);
}

static void
ping_show(struct command_call *call)
{
	const struct why *w = why_of(call);

	if (w->ping == NULL)
		return;
	row(call, "in", "answer", w->ping, w->ping_found,
		strcmp(w->ping, "ok") == 0 ?
			"both directions work" :
			"they got the question, and could not answer: they do not find or reach us (see check-dns of our domain), or are refused (see below)");
}

/* The first is the shard of the domain. */
static bool
show_some(struct command_call *call, struct shard *sh, uint64_t *at_io)
{
	struct why *w = why_of(call);

	(void)at_io;
	if (w->n_shards++ == 0) {
		remote_show(sh, w->domain, show_out, call);
		if (w->stopped != NULL)
			row(call, "out", "attempt", "failed", w->stopped, "");
		ping_show(call);
		s2s_each_failure(call, sh, w->domain, show_failure);
	}
	s2s_each_in(call, sh, w->domain, show_in);
	if (w->n_shards != sh->server->n_shards || w->n_in != 0)
		return false;
	if (w->both)
		row(call, "in", "stream", "ours",
			"what is from them comes by ours, which goes both ways",
			"they need none of their own");
	else
		row(call, "in", "stream", "none", "none of theirs is there",
			"they open one when they have something to say");
	return false;
}

static void
show_all(struct command_call *call)
{
	struct place home =
		server_place_of(call->server, why_of(call)->domain);

	command_walk(call, home.shard, show_some);
}

/* --- the way ---------------------------------------------------------------------- */

/* An error of theirs is an answer. */
static bool
is_of_the_way(const struct stanza *st)
{
	const struct elem *e = stanza_child(st, NS_CLIENT, "error");

	return e != NULL &&
		(elem_child(e, NS_STANZAS, "remote-server-timeout") != NULL ||
			elem_child(e, NS_STANZAS, "remote-server-not-found") !=
				NULL);
}

static void
on_pinged(void *arg, const struct stanza *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct why *w = why_of(call);
	int64_t ms = (call->shard->now_us - w->pinged_us) / 1000;

	w->ping = answer != NULL && !is_of_the_way(answer) ? "ok" : "failed";
	w->ping_found = arena_printf(call->arena, "a ping, after %lld ms: %s",
		(long long)ms, err != NULL ? err->text : "answered")
				.p;
	show_all(call);
}

static void
ping_send(struct command_call *call)
{
	struct why *w = why_of(call);
	struct stanza *st = stanza_new(IQ_GET, jid_trusted(w->ours),
		jid_trusted(w->domain), STR_NONE);

	elem_add(st->arena, st->root, NS_PING, "ping");
	w->pinged_us = call->shard->now_us;
	iq_ask(call->shard, st, PING_US, on_pinged, call);
}

static void
on_tried(void *arg, bool ok, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct why *w = why_of(call);
	const struct host *host = shard_host(call->shard, w->ours);

	/* the steps say the rest */
	if (!ok && err->code != ERR_CLOSED && err->code != ERR_TIMEOUT)
		w->stopped = arena_str(call->arena, str_c(err->text)).p;
	/* a component would have to answer for us */
	if (ok && host != NULL && host->component == NULL)
		ping_send(call);
	else
		show_all(call);
}

/* The domain that was named, or the first that talks to others. */
static const struct host *
why_host(const struct command_call *call)
{
	const struct snapshot *snap = call->server->newest;
	const struct config *conf = snap->config;
	struct str ours = command_value(call, "ours");
	const struct host *host = NULL;

	if (ours.p != NULL)
		return snapshot_host(snap, ours);
	for (size_t i = 0; i < conf->n_hosts; i++) {
		host = snapshot_host(snap, str_c(conf->hosts[i].domain));
		if (host != NULL && host->federates)
			return host;
	}
	return conf->n_hosts != 0 ?
		snapshot_host(snap, str_c(conf->hosts[0].domain)) :
		NULL;
}

void
s2s_why_run(struct command_call *call)
{
	const struct snapshot *snap = call->server->newest;
	const struct host *host = why_host(call);
	struct why *w = arena_zalloc(call->arena, sizeof(*w));
	struct err err = ERR_INIT;

	if (host == NULL) {
		err_set(&err, ERR_MISSING, "%.*s is no domain of ours",
			STR_ARG(command_value(call, "ours")));
		command_fail(call, &err);
		return;
	}
	call->state = w;
	w->domain = command_value(call, "domain");
	w->ours = command_value(call, "ours");
	if (w->ours.p == NULL)
		w->ours = arena_str(call->arena, host->domain);
	if (!policy_show(call, snap, host)) {
		show_all(call);
		return;
	}
	certificate_show(call, snap, host);
	ports_show(call, snap);
	entity_ask(call->shard,
		&(struct entity_message){ .kind = TELL_TRY,
			.to = jid_trusted(w->domain), .resource = w->ours },
		on_tried, call);
}
