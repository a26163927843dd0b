/*
 * s2s_command.c - the commands about streams of other servers, and to them: list and
 * show; close is in s2s_close.c, and why in s2s_why.c.
 *
 * Shard 0, which asks those where streams are: what goes out is at the shard of the
 * domain, what comes in wherever it was accepted.  A shard tells of some at a time.
 */
#include "config.h"

#include "stream/server/s2s_command.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "xmpp/datetime.h"
#include "net/conn.h"
#include "net/tls.h"
#include "net/tls_peer.h"
#include "conf/conf.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/link.h"
#include "core/place.h"
#include "remote/remote.h"
#include "stream/server/s2s_known.h"
#include "stream/server/s2s_out_int.h"
#include "stream/server/s2s_sm.h"

/* Of a shard in one turn. */
#define SOME 100

/* --- fields ------------------------------------------------------------------- */

static void
time_show(struct command_call *call, const char *name, int64_t wall_us)
{
	char text[DATETIME_SIZE];

	command_field(call, name,
		wall_us != 0 ? datetime_format(text, wall_us) : STR(""));
}

static void
text_show(struct command_call *call, const char *name, const char *text)
{
	command_field(call, name, str_c(text != NULL ? text : ""));
}

static const char *const state_names[] = {
	[REMOTE_UP] = "up",
	[REMOTE_ENDS] = "closing",
	[REMOTE_COMES_UP] = "coming up",
	[REMOTE_IN_LINE] = "in line",
	[REMOTE_PAUSES] = "paused",
	[REMOTE_FAILED] = "failed",
};

/* Whose stream the link is, if they have opened it; NULL: they have not. */
static const struct s2s_in *
in_of(const struct remote_shown *shown)
{
	return shown->link != NULL && shown->link->ops == &s2s_in_link_stream ?
		s2s_in_of_link(shown->link) :
		NULL;
}

/* NULL: somebody else has made that link, or there is none. */
static const struct s2s_out *
out_of(const struct remote_shown *shown)
{
	const struct s2s_way *w;

	if (shown->link == NULL || shown->link->ops != &s2s_link_stream)
		return NULL;
	w = shown->link->stream;
	return w->stream;
}

/* What a row of either direction says. */
struct shown {
	struct str domain, ours;
	const char *direction, *state, *by;
	const struct conn *conn; /* or NULL */
	int64_t since_us;
	uint64_t sent, received;
	size_t waits, bytes;
};

static void
shown_show(struct command_call *call, const struct shown *s)
{
	command_row(call);
	command_field(call, "domain", s->domain);
	command_field(call, "ours", s->ours);
	text_show(call, "direction", s->direction);
	text_show(call, "state", s->state);
	text_show(call, "by", s->by);
	text_show(call, "tls", s->conn != NULL ? tls_version(s->conn) : NULL);
	time_show(call, "since", s->since_us);
	command_number(call, "sent", (int64_t)s->sent);
	command_number(call, "received", (int64_t)s->received);
	command_number(call, "waits", (int64_t)s->waits);
	command_number(call, "waits_bytes", (int64_t)s->bytes);
}

static const char *
proof_of(const struct s2s_in *c, const struct remote_shown *shown)
{
	const struct s2s_pair *pair =
		s2s_in_pair(c, shown->local, shown->domain);

	return pair != NULL ? s2s_proof_names[pair->proof] : NULL;
}

/* What goes out, and what comes back by the same stream. */
static struct shown
shown_of_out(const struct remote_shown *shown)
{
	const struct s2s_out *o = out_of(shown);
	const struct s2s_in *c = in_of(shown);
	const struct link *l = shown->link;

	return (struct shown){
		.domain = shown->domain,
		.ours = shown->local,
		.direction = c != NULL || (o != NULL && o->bidi) ? "both" :
								   "out",
		.state = state_names[shown->state],
		.by = c != NULL	  ? proof_of(c, shown) :
			o != NULL ? o->by :
				    NULL,
		.conn = c != NULL ? c->x.conn :
			o != NULL ? o->x.conn :
				    NULL,
		.since_us = shown->since_us,
		.sent = l != NULL ? l->sent : 0,
		.received = l != NULL ? l->received : 0,
		.waits = shown->n_waiting,
		.bytes = shown->bytes,
	};
}

/* pair NULL: it has shown nothing yet. */
static struct shown
shown_of_in(const struct s2s_in *c, const struct s2s_pair *pair)
{
	return (struct shown){
		.domain = str_c(pair != NULL ? pair->remote : c->from),
		.ours = str_c(pair != NULL ? pair->local : c->local),
		.direction = "in",
		.state = c->x.stage == STAGE_CLOSED ? "closing" :
			pair != NULL		    ? "up" :
						      "coming up",
		.by = pair != NULL ? s2s_proof_names[pair->proof] : NULL,
		.conn = c->x.conn,
		.since_us = pair != NULL ? pair->since_us : 0,
		.received = pair != NULL ? pair->received : 0,
	};
}

/* What a stream says that it is, while it has shown nothing. */
static bool
in_is_nameless(const struct s2s_in *c)
{
	return c->pairs.n == 0 && (c->from == NULL || c->local == NULL);
}

/* --- list ---------------------------------------------------------------------- */

static void
list_out(void *arg, const struct remote_shown *shown)
{
	struct shown s = shown_of_out(shown);

	shown_show(command_call_arg(arg), &s);
}

static void
list_in_pair(struct command_call *call, const struct s2s_in *c,
	const struct s2s_pair *pair)
{
	struct shown s = shown_of_in(c, pair);

	shown_show(call, &s);
}

/* It is shown as what goes out. */
static bool
pair_is_link(const struct s2s_pair *pair)
{
	return pair->link != NULL && *pair->link != NULL;
}

static void
list_in_stream(struct command_call *call, const struct s2s_in *c)
{
	if (in_is_nameless(c))
		return;
	if (c->pairs.n == 0)
		list_in_pair(call, c, NULL);
	for (size_t i = 0; i < c->pairs.n; i++)
		if (!pair_is_link(&c->pairs.p[i]))
			list_in_pair(call, c, &c->pairs.p[i]);
}

/* By serial, as remotes_show(). */
static bool
list_in(struct command_call *call, struct shard *sh, uint64_t *at_io)
{
	const struct s2s_known *k = s2s_known(sh);
	const struct s2s_in *c;
	size_t most = SOME;

	if (k == NULL)
		return false;
	LIST_FOREACH (c, &k->streams, near) {
		if (*at_io != 0 && c->serial >= *at_io)
			continue;
		if (most-- == 0)
			return true;
		*at_io = c->serial;
		list_in_stream(call, c);
	}
	return false;
}

/* First all that goes out, then all that comes in: *at_io has the direction in its
 * lowest bit. */
static bool
list_some(struct command_call *call, struct shard *sh, uint64_t *at_io)
{
	uint64_t at = *at_io >> 1;
	bool in = (*at_io & 1) != 0;
	bool more = in ? list_in(call, sh, &at) :
			 remotes_show(sh, &at, SOME, list_out, call);

	*at_io = more ? at << 1 | in : 1;
	return more || !in;
}

static void
list_run(struct command_call *call)
{
	command_walk(call, 0, list_some);
}

/* --- show ---------------------------------------------------------------------- */

struct show {
	unsigned n_shards; /* that were looked at */
	bool any;          /* something is known */
};

/* A row for each thing that is known: with all in one, nobody would read it. */
static void
fact_show(struct command_call *call, const struct shown *s, const char *what,
	const char *text)
{
	struct show *show = call->state;

	if (text == NULL || *text == '\0')
		return;
	show->any = true;
	command_row(call);
	text_show(call, "direction", s->direction);
	command_field(call, "ours", s->ours);
	text_show(call, "what", what);
	text_show(call, "text", text);
}

static void
time_fact(struct command_call *call, const struct shown *s, const char *what,
	int64_t wall_us)
{
	char text[DATETIME_SIZE];

	if (wall_us != 0)
		fact_show(call, s, what, datetime_format(text, wall_us).p);
}

static void
certificate_fact(struct command_call *call, const struct shown *s,
	const struct tls_judgement *j)
{
	fact_show(call, s, "certificate",
		arena_printf(call->arena, "%s%s",
			j->worth == TLS_TRUSTED ? "" : "not trusted: ", j->why)
			.p);
}

/* j is what the certificate of the peer is worth. */
static void
conn_facts(struct command_call *call, const struct shown *s,
	const struct tls_judgement *j)
{
	fact_show(call, s, "address", conn_peer(s->conn));
	if (tls_version(s->conn) != NULL)
		fact_show(call, s, "TLS",
			arena_printf(call->arena, "%s %s", tls_version(s->conn),
				tls_cipher(s->conn))
				.p);
	if (conn_is_secure(s->conn))
		certificate_fact(call, s, j);
	fact_show(call, s, "DANE", j->dane_why);
	fact_show(call, s, "authenticated by", s->by);
}

static void
count_facts(struct command_call *call, const struct shown *s)
{
	fact_show(call, s, "stanzas",
		arena_printf(call->arena, "%llu sent, %llu received",
			(unsigned long long)s->sent,
			(unsigned long long)s->received)
			.p);
	if (s->waits != 0)
		fact_show(call, s, "waits",
			arena_printf(call->arena, "%zu stanzas, %zu bytes",
				s->waits, s->bytes)
				.p);
}

static void
out_counts_fact(struct command_call *call, const struct shown *s,
	const struct link *l)
{
	size_t bytes, n;

	if (l == NULL || l->kept == NULL)
		return;
	n = link_unacked(l, &bytes);
	fact_show(call, s, "counted",
		arena_printf(call->arena,
			"%u sent, %zu of them not acknowledged, %zu bytes",
			(unsigned)link_counted(l), n, bytes)
			.p);
}

static void
show_out(void *arg, const struct remote_shown *shown)
{
	struct command_call *call = command_call_arg(arg);
	const struct s2s_out *o = out_of(shown);
	struct shown s = shown_of_out(shown);
	struct tls_judgement j;

	fact_show(call, &s, "state", s.state);
	fact_show(call, &s, "waits for", shown->waits_for);
	time_fact(call, &s, "since", s.since_us);
	time_fact(call, &s, "next attempt", shown->next_us);
	if (in_of(shown) != NULL) {
		s2s_in_judge_peer(in_of(shown), s.ours, s.domain, &j);
		fact_show(call, &s, "opened by", "them");
		conn_facts(call, &s, &j);
	} else if (o != NULL) {
		s2s_out_judge_peer(o, &j);
		fact_show(call, &s, "opened by", "us");
		fact_show(call, &s, "target", o->target);
		conn_facts(call, &s, &j);
	}
	count_facts(call, &s);
	fact_show(call, &s, "kept", shown->kept);
	out_counts_fact(call, &s, shown->link);
}

static void
in_counts_fact(struct command_call *call, const struct shown *s,
	const struct s2s_sm_in *in)
{
	if (in != NULL)
		fact_show(call, s, "counted",
			arena_printf(call->arena,
				"%u received, %u of them dealt with",
				(unsigned)in->line.received,
				(unsigned)receipt_line_handled(&in->line))
				.p);
}

static void
show_in(struct command_call *call, const struct s2s_in *c,
	const struct s2s_pair *pair)
{
	struct shown s = shown_of_in(c, pair);
	struct tls_judgement j;

	if (pair != NULL && pair_is_link(pair))
		return;
	s2s_in_judge_peer(c, s.ours, s.domain, &j);
	fact_show(call, &s, "state", s.state);
	time_fact(call, &s, "since", s.since_us);
	conn_facts(call, &s, &j);
	count_facts(call, &s);
	in_counts_fact(call, &s, c->counts);
}

void
s2s_each_in(struct command_call *call, struct shard *sh, struct str domain,
	void (*show)(struct command_call *call, const struct s2s_in *c,
		const struct s2s_pair *pair))
{
	const struct s2s_known *k = s2s_known(sh);
	const struct s2s_in *c;

	if (k == NULL)
		return;
	LIST_FOREACH (c, &k->streams, near) {
		if (!in_is_nameless(c) && c->pairs.n == 0 &&
			str_is(domain, c->from))
			show(call, c, NULL);
		for (size_t i = 0; i < c->pairs.n; i++)
			if (str_is(domain, c->pairs.p[i].remote))
				show(call, c, &c->pairs.p[i]);
	}
}

void
s2s_each_failure(struct command_call *call, struct shard *sh, struct str domain,
	void (*show)(struct command_call *call, const struct s2s_failed *f))
{
	const struct s2s_known *k = s2s_known(sh);
	const struct remote_failure *out;
	size_t n;

	out = remote_failures(sh, domain, &n);
	for (size_t i = 0; i < n; i++)
		show(call,
			&(struct s2s_failed){ domain, str_c(out[i].local),
				"out", "", out[i].why, out[i].first_us,
				out[i].last_us, out[i].times });
	for (size_t i = 0; k != NULL && i < k->n_refusals; i++) {
		const struct s2s_refusal *r = &k->refusals[i];

		if (str_is(domain, r->remote))
			show(call,
				&(struct s2s_failed){ domain, str_c(r->local),
					"in", r->peer, r->why, r->first_us,
					r->last_us, r->times });
	}
}

struct str
s2s_failure_text(struct arena *a, const struct s2s_failed *f)
{
	char first[DATETIME_SIZE], last[DATETIME_SIZE];
	bool once = f->times == 1;

	datetime_format(first, f->first_us);
	datetime_format(last, f->last_us);
	return arena_printf(a, "%s%s%s%s%s: %s", last,
		once ? "" :
		       arena_printf(a, ", the last of %u since ", f->times).p,
		once ? "" : first, *f->peer != '\0' ? ", from " : "", f->peer,
		f->why);
}

static void
show_failure(struct command_call *call, const struct s2s_failed *f)
{
	struct shown s = { .direction = f->direction, .ours = f->ours };

	fact_show(call, &s, "failure", s2s_failure_text(call->arena, f).p);
}

static bool
show_some(struct command_call *call, struct shard *sh, uint64_t *at_io)
{
	struct str domain = command_value(call, "domain");
	struct show *show = call->state;

	(void)at_io;
	remote_show(sh, domain, show_out, call);
	s2s_each_in(call, sh, domain, show_in);
	s2s_each_failure(call, sh, domain, show_failure);
	if (++show->n_shards == sh->server->n_shards && !show->any)
		fact_show(call, &(struct shown){ .ours = STR("") }, "state",
			"nothing is known of it: no stream, and no failure of late");
	return false;
}

static void
show_run(struct command_call *call)
{
	call->state = arena_zalloc(call->arena, sizeof(struct show));
	command_walk(call, 0, show_some);
}

static bool
is_of_others(struct command_call *call, struct err *err)
{
	struct str domain = command_value(call, "domain");

	return snapshot_host(call->server->newest, domain) == NULL ||
		err_set(err, ERR_INVALID,
			"%.*s is a domain of ours: name one of another server",
			STR_ARG(domain));
}

/* --- the table ------------------------------------------------------------------- */

static const struct command_arg domain_args[] = {
	{ "domain", ARG_DOMAIN, .help = "a domain of another server" },
	{ .name = NULL },
};

static const struct command_arg why_args[] = {
	{ "domain", ARG_DOMAIN, .help = "a domain of another server" },
	{ "ours", ARG_DOMAIN, .optional = true,
		.help = "from which domain of ours; without it: from the first that talks to other servers" },
	{ .name = NULL },
};

const struct command s2s_commands[] = {
	{ "s2s close", "close the streams to another server, and from it",
		"What waits for it goes by the next stream. Where stanzas are counted (XEP-0198), a stream ends when those that went by it are acknowledged, or after some seconds. Nothing keeps it from coming back: see federation: deny in antiphond.yml(5).",
		domain_args, s2s_close_run, is_of_others, BY_OPERATOR },
	{ "s2s list", "list the streams to other servers, and from them",
		"One row for each domain of theirs, domain of ours and direction, "
		"which is out, in, or both where one stream goes both ways: "
		"state is up, coming up, closing, in line behind others that the "
		"same user has asked for, paused until the next attempt, or failed: "
		"then all that is for it is answered at once until then. It shows "
		"how it was authenticated, since when it is so, the stanzas that "
		"were sent and received, and those that wait.",
		.run = list_run, .may = BY_OPERATOR },
	{ "s2s show", "show what is known of another server",
		"Beside what list shows: addresses, what its certificate is worth, "
		"what a stream that comes up waits for, how much of what was counted (XEP-0198) is "
		"dealt with, or acknowledged, which messages from before the start wait, and until when, "
		"when the next attempt is, and in which ways the last ones have failed: when, how often, and why. What is long ago is forgotten.",
		domain_args, show_run, is_of_others, BY_OPERATOR },
	{ "s2s why", "explain why there is a stream to another server, or none",
		"It goes the way that stanzas go, now, or shows what a stream that "
		"stands has met with, and then asks the other server for a sign of "
		"life, which has to come by a stream of theirs. One row for each step: "
		"state is ok or says what is wrong, found what there was, note what it "
		"means and what to change. Where nothing answers it may take a minute.",
		why_args, s2s_why_run, is_of_others, BY_OPERATOR },
	{ .name = NULL },
};
