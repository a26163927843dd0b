/*
 * s2s_connect.c - the way to a remote domain: where its servers are, which of them
 * takes a connection, and whom to try next.
 *
 *   start --> remotes: says where ----------------------.
 *         --> SRV --> targets, group by group --> addresses --> race --> stream
 *                            ^  none left: down      |            |        |
 *                            |                       v            v        | fails
 *                            '------------------ others of the group <-----+
 *                                                                          | is up
 *                                                                          v
 *                                                              link of the pair
 *
 * Where the way to a target is signed, its records of TLSA are asked for between
 * addresses and race.
 *
 * Owner shard of the pair.  The pair's own time is over all of it: it gives up.
 * Invariant: of a way without a link one thing is under way: a timer, a question, a
 * race, or a stream.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/memuse.h"
#include "net/conn.h"
#include "net/race.h"
#include "net/tls_dane.h"
#include "conf/conf.h"
#include "dns/dns.h"
#include "dns/dns_dane.h"
#include "dns/dns_records.h"
#include "dns/dns_targets.h"
#include "core/host.h"
#include "server/server_dns.h"
#include "stream/server/s2s_out_int.h"

/* For connecting to one group of targets while there is another. */
#define RACE_US (10 * US_PER_S)

/* What is needed until the way is up. */
struct s2s_search {
	struct s2s_way *way; /* NULL: given up, and freed with the answer */
	char *domain; /* that of the pair does not end in a NUL */
	struct timer begin;
	struct race *race;
	bool asked;  /* the DNS has yet to answer */
	bool found;  /* there is such a name, or nobody knows */
	bool of_pair; /* somebody was reached, or nobody has answered whom to reach:
		       * other pairs may fare better */
	bool skip_external;
	bool again;  /* the same address once more */
	struct targets targets;
	size_t at, n; /* those of the group that is tried */
	struct target_addresses addresses; /* of the group, that are left */
	size_t which; /* of them, the stream's */
	enum dns_trust trust;
	struct tls_dane *dane[TARGETS_MAX]; /* of the group; NULL: nothing */
	char why[S2S_WHY_SIZE];
};

static void search_group(struct s2s_search *s);

/* What is known of the certificates of a group. */
static void
search_drop_dane(struct s2s_search *s)
{
	for (size_t i = 0; i < COUNT(s->dane); i++) {
		tls_dane_unref(s->dane[i]);
		s->dane[i] = NULL;
	}
}

static void
search_free(struct s2s_search *s)
{
	search_drop_dane(s);
	free(s->domain);
	free(s);
}

static enum remote_failed
search_failed(const struct s2s_search *s)
{
	if (s->of_pair)
		return REMOTE_OF_PAIR;
	return s->found ? REMOTE_NO_ANSWER : REMOTE_NO_NAME;
}

/* There is nobody left to try. */
static void
search_fail(struct s2s_search *s)
{
	s2s_way_down(s->way, search_failed(s), s->why);
}

static void __attribute__((format(printf, 2, 3)))
search_blame(struct s2s_search *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
}

/* In words, as search_blame() has it. */
static void
search_step_failed(struct s2s_search *s, const char *step, const char *state)
{
	remote_step(s->way->pair, step, state, "%s", s->why);
}

/* False: the stream layer ends, and so does the way. */
static bool
search_may_go_on(struct s2s_search *s)
{
	if (!s->way->shard->streams_closed)
		return true;
	s->of_pair = true;
	search_blame(s, "this server stops");
	search_fail(s);
	return false;
}

/* --- one group of targets ------------------------------------------------------- */

static const struct target *
search_target(const struct s2s_search *s)
{
	return &s->targets.list[s->at + s->addresses.list[s->which].target];
}

static void
on_raced(void *arg, int fd, size_t which, const struct err *err)
{
	struct s2s_search *s = arg;
	struct s2s_way *w = s->way;
	const struct sockaddr_storage *address;

	/* of before the wait for it, as far as the shard knows */
	w->shard->now_us = clock_mono_us(w->shard->server->clock);
	s->race = NULL;
	if (fd == -1) {
		search_blame(s, "%s, port %u: %s", search_target(s)->name,
			search_target(s)->port, err->text);
		search_step_failed(s, "connection", "failed");
		s->at += s->n;
		search_group(s);
		return;
	}
	if (w->shard->streams_closed) {
		close(fd);
		(void)search_may_go_on(s);
		return;
	}
	s->which = which;
	s->of_pair = true;
	address = &s->addresses.list[which].address;
	s2s_out_open(w,
		conn_new_tcp(w->shard->net, fd,
			(const struct sockaddr *)address, sizeof(*address)),
		search_target(s)->direct);
}

static void
search_race(struct s2s_search *s)
{
	struct sockaddr_storage list[ADDRESSES_MAX];
	const struct config_s2s *conf = &s->way->shard->snap->config->s2s;
	bool more;

	for (size_t i = 0; i < s->addresses.n; i++)
		list[i] = s->addresses.list[i].address;
	s->which = 0;
	more = s->at + s->n < s->targets.n;
	s->race = race_start(s->way->shard->net, list, s->addresses.n,
		more ? MIN(RACE_US, conf->timeout_us) : conf->timeout_us,
		on_raced, s);
}

/* There is a name if somebody may know it. */
static bool
answer_is_none(const struct dns_question *q)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->parts[i].state != DNS_NONE)
			return false;
	return true;
}

/* Why there is no address in it, for remote_step(). */
static const char *
answer_state(const struct dns_question *q)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->parts[i].state == DNS_BOGUS)
			return "bogus";
	return answer_is_none(q) ? "none" : "failed";
}

/* q is taken. */
static void
search_ask(struct s2s_search *s, struct dns_question *q)
{
	q->asker = remote_pair_asker(s->way->pair);
	s->asked = true;
	server_dns_ask(s->way->shard, q);
}

/* That name servers are silent may be the fault of who asks for too much. */
static bool
answer_is_late(const struct dns_question *q)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->parts[i].state == DNS_WAITING)
			return true;
	return false;
}

/* The answer to what a search has asked: false when nobody wants it any more. */
static bool
search_answered(struct s2s_search *s, struct dns_question *q)
{
	s->asked = false;
	if (s->way != NULL) {
		s->of_pair = s->of_pair || answer_is_late(q);
		return true;
	}
	dns_question_free(q);
	search_free(s);
	return false;
}

/* q: the answer about the certificates of a group; NULL: nothing was asked. */
static void
search_take_dane(struct s2s_search *s, const struct dns_question *q)
{
	search_drop_dane(s);
	s2s_dane_take(s->way->pair, q, &s->targets.list[s->at], s->n,
		&s->addresses, s->trust, s->dane, s->why);
	if (s->addresses.n != 0) {
		search_race(s);
		return;
	}
	s->found = true;
	s->at += s->n;
	search_group(s);
}

static void
on_dane(void *arg, struct dns_question *q)
{
	struct s2s_search *s = arg;

	if (!search_answered(s, q))
		return;
	search_take_dane(s, q);
	dns_question_free(q);
}

static void
search_ask_dane(struct s2s_search *s)
{
	struct dns_question *q = dns_question_new(DANE_PARTS_MAX * s->n,
		on_dane, s);

	if (dane_ask(q, &s->targets.list[s->at], s->n, &s->addresses) == 0) {
		dns_question_free(q);
		search_take_dane(s, NULL);
		return;
	}
	search_ask(s, q);
}

static void
on_addresses(void *arg, struct dns_question *q)
{
	struct s2s_search *s = arg;
	const char *state;

	if (!search_answered(s, q))
		return;
	addresses_read(&s->addresses, q, 0, &s->targets.list[s->at], s->n);
	targets_expand(&s->targets.list[s->at], s->n, q, 0);
	state = answer_state(q);
	s->found = s->found || !answer_is_none(q);
	s->trust = q->trust;
	dns_question_free(q);
	if (s->addresses.n != 0) {
		s2s_step_addresses(s->way->pair, &s->targets.list[s->at],
			&s->addresses);
		search_ask_dane(s);
		return;
	}
	search_blame(s, "%s", s->addresses.why);
	search_step_failed(s, "address", state);
	s->at += s->n;
	search_group(s);
}

/* The targets that have the priority of the first that is left. */
static void
search_group(struct s2s_search *s)
{
	const struct targets *t = &s->targets;
	struct dns_question *q;

	if (!search_may_go_on(s))
		return;
	if (s->at == t->n) {
		search_fail(s);
		return;
	}
	for (s->n = 1; s->at + s->n < t->n &&
		t->list[s->at + s->n].priority == t->list[s->at].priority;)
		s->n++;
	q = dns_question_new(2 * s->n, on_addresses, s);
	q->soon_us = ADDRESSES_SOON_US;
	addresses_ask(q, &t->list[s->at], s->n);
	search_ask(s, q);
}

/* There is one target then. */
static void
search_in_memory(struct s2s_search *s, bool first)
{
	struct s2s_way *w = s->way;
	struct server *srv = w->shard->server;
	struct conn *conn =
		first ? srv->reach(srv, w->shard, s->domain) : NULL;

	s->found = true;
	if (conn != NULL) {
		s->of_pair = true;
		s2s_out_open(w, conn, false);
		return;
	}
	if (first) {
		search_blame(s, "nobody is there");
		search_step_failed(s, "connection", "failed");
	}
	search_fail(s);
}

void
s2s_search_next(struct s2s_search *s)
{
	bool again = s->again;

	s->again = false;
	if (s->targets.n == 0) {
		search_in_memory(s, again);
		return;
	}
	if (again)
		s->addresses.list[0] = s->addresses.list[s->which];
	else
		/* those of the target whose stream has failed */
		addresses_drop(&s->addresses,
			s->addresses.list[s->which].target);
	if (s->addresses.n != 0) {
		search_race(s);
		return;
	}
	s->at += s->n;
	search_group(s);
}

/* --- where to go ------------------------------------------------------------------ */

static void
on_targets(void *arg, struct dns_question *q)
{
	struct s2s_search *s = arg;
	char name[DNS_NAME_SIZE];

	if (!search_answered(s, q))
		return;
	(void)dns_name(s->domain, name);
	targets_read(&s->targets, q, 0, name, TARGET_SERVER,
		s->way->shard->rand);
	dns_question_free(q);
	s->found = s->targets.state == TARGETS_FAILED ||
		s->targets.state == TARGETS_BOGUS;
	if (s->targets.state != TARGETS_FOUND) {
		search_blame(s, "%s", s->targets.why);
		search_step_failed(s, "SRV",
			s->targets.state == TARGETS_NONE  ? "refused" :
			s->targets.state == TARGETS_BOGUS ? "bogus" :
							    "failed");
		s->targets.n = 0;
	} else {
		s2s_step_targets(s->way->pair, &s->targets);
	}
	search_group(s);
}

/* One target alone, which may be an address. */
static void
search_one(struct s2s_search *s, const char *at, uint16_t port, bool direct)
{
	struct target *t = &s->targets.list[0];

	*t = (struct target){ .port = port, .direct = direct };
	s->targets.n = s->n = 1;
	snprintf(t->name, sizeof(t->name), "%s", at);
	remote_step(s->way->pair, "SRV", "not asked", "%s:%u%s is set here", at,
		port, direct ? " direct TLS" : "");
	if (!dns_address_parse(&s->addresses.list[0].address, at, port)) {
		(void)dns_name(at, t->name);
		search_group(s);
		return;
	}
	s->addresses.n = 1;
	s->found = true;
	search_race(s);
}

static void
search_domain(struct s2s_search *s)
{
	const struct config *conf = s->way->shard->snap->config;
	struct sockaddr_storage address;
	struct dns_question *q;
	char name[DNS_NAME_SIZE];

	if (dns_name(s->domain, name)) {
		q = dns_question_new(2, on_targets, s);
		targets_ask(q, name, TARGET_SERVER);
		search_ask(s, q);
		return;
	}
	if (conf->s2s.ip_literals && dns_address_parse(&address, s->domain, 0)) {
		search_one(s, s->domain, targets_port(TARGET_SERVER, false),
			false);
		return;
	}
	search_blame(s,
		conf->s2s.ip_literals ?
			"%s cannot be a name in the DNS" :
			"%s cannot be a name in the DNS, and `s2s: ip_literals' is off",
		s->domain);
	search_step_failed(s, "SRV", "failed");
	search_fail(s);
}

static void
on_begin(struct timer *t)
{
	struct s2s_search *s = CONTAINER_OF(t, struct s2s_search, begin);
	const struct shard *sh = s->way->shard;
	const struct config_remote *conf =
		config_remote(sh->snap->config, str_c(s->domain));

	if (!search_may_go_on(s))
		return;
	if (sh->server->reach != NULL) {
		search_in_memory(s, true);
	} else if (conf != NULL && conf->address != NULL) {
		search_one(s, conf->address, (uint16_t)conf->port,
			conf->tls == REMOTE_DIRECT);
	} else {
		search_domain(s);
	}
}

struct s2s_search *
s2s_search_new(struct s2s_way *w)
{
	struct s2s_search *s = xcalloc(1, sizeof(*s));

	memuse_add_part(MEMUSE_STREAM, s);
	s->way = w;
	s->domain = str_dup(remote_pair_domain(w->pair));
	shard_timer(w->shard, &s->begin, 0, on_begin);
	return s;
}

void
s2s_search_drop(struct s2s_search *s)
{
	shard_timer_cancel(s->way->shard, &s->begin);
	if (s->race != NULL)
		race_cancel(s->race);
	memuse_remove_part(MEMUSE_STREAM, s);
	s->way = NULL;
	if (!s->asked)
		search_free(s);
}

const char *
s2s_search_why(const struct s2s_search *s)
{
	return s->why;
}

const char *
s2s_search_waits_for(struct s2s_search *s)
{
	if (s->race == NULL)
		return "the answers of name servers";
	search_blame(s, "a connection to %s", search_target(s)->name);
	return s->why;
}

enum remote_failed
s2s_search_late(const struct s2s_search *s)
{
	return s->race != NULL ? search_failed(s) : REMOTE_OF_PAIR;
}

/* --- for the stream --------------------------------------------------------------- */

bool
s2s_search_has_more(const struct s2s_search *s)
{
	if (s->at + s->n < s->targets.n)
		return true;
	for (size_t i = 0; i < s->addresses.n; i++)
		if (s->addresses.list[i].target !=
			s->addresses.list[s->which].target)
			return true;
	return false;
}

bool
s2s_search_skips_external(const struct s2s_search *s)
{
	return s->skip_external;
}

void
s2s_search_skip_external(struct s2s_search *s, bool again)
{
	s->skip_external = true;
	s->again = again;
}

void
s2s_search_blame(struct s2s_out *o, const char *fmt, ...)
{
	struct s2s_search *s = o->way != NULL ? o->way->search : NULL;
	size_t n;
	va_list ap;

	if (s == NULL || o->blamed)
		return;
	o->blamed = true;
	if (s->targets.n != 0)
		search_blame(s, "%s (%s): ", search_target(s)->name,
			conn_peer(o->x.conn));
	else
		search_blame(s, "%s: ", conn_peer(o->x.conn));
	n = strlen(s->why);
	va_start(ap, fmt);
	vsnprintf(s->why + n, sizeof(s->why) - n, fmt, ap);
	va_end(ap);
	remote_step(o->way->pair, s2s_out_step(o), "failed", "%s", s->why + n);
}

struct tls_dane *
s2s_search_dane(const struct s2s_search *s)
{
	return s->targets.n != 0 ?
		s->dane[s->addresses.list[s->which].target] :
		NULL;
}

const char *
s2s_search_target(const struct s2s_search *s)
{
	return s->targets.n != 0 ? search_target(s)->name : "";
}

