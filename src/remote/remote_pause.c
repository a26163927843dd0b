/*
 * remote_pause.c - who has failed is left alone for a while, which grows: a pair for
 * what is its own, and all pairs of a domain for what concerns that as a whole, so that
 * no two of ours find out for themselves.
 *
 *	name not found, no address answers --> the remote: no pair begins an attempt;
 *	                                       what waits for one is answered
 *	certificate, dialback, who breaks ---> the pair alone
 *
 * A link of any pair ends what the remote has, as does a stream that comes in from
 * there, or a reload, which end both.
 *
 * The shard of the remote.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"

/* The first pause after a failure; each further one is twice as long. */
#define PAUSE_US US_PER_S
/* Who was linked since is taken to be restarting. */
#define RESTART_US (3600 * US_PER_S)

static const char not_found_text[] = "cannot be found: there is no such server";
static const char not_believed_text[] =
	"has heard that this server is not the one of its domain";
static const char away_text[] = "cannot be reached at the moment";

static int64_t
longest_us(const struct remote *r)
{
	return remote_conf(r)->backoff_max_us;
}

/* Each is a little shorter than it might be, so that not all who were left at once
 * come back at once. */
static void
pause_grow(struct remote_pause *at, const struct remote *r)
{
	struct shard *sh = r->e.shard;
	int64_t most_us = longest_us(r), pause_us = PAUSE_US;

	for (unsigned i = 0; i < at->failures && pause_us < most_us; i++)
		pause_us *= 2;
	at->failures++;
	pause_us = MIN(pause_us, most_us);
	at->since_us = sh->now_us;
	at->until_us = sh->now_us + pause_us -
		(int64_t)rand_below(sh->rand, (uint64_t)pause_us / 4 + 1);
}

/* That was long ago. */
static bool
pause_is_stale(const struct remote_pause *at, const struct remote *r)
{
	return at->failures != 0 &&
		at->until_us + longest_us(r) <= r->e.shard->now_us;
}

void
pause_own(struct remote_pair *p)
{
	pause_grow(&p->pause, p->remote);
}

struct remote_pause *
pause_begin(struct remote_pair *p, enum remote_failed what)
{
	struct remote *r = p->remote;
	struct remote_pause *at = &r->pause;

	if (failed_is_of_pair(what)) {
		at = &p->pause;
	} else {
		if (pause_is_stale(at, r))
			*at = (struct remote_pause){ .failures = 0 };
		/* of others at the same time there is nothing new to learn */
		if (at->failures != 0 && p->started_us <= at->since_us)
			return at;
	}
	at->not_found = what == REMOTE_NO_NAME;
	at->not_believed = what == REMOTE_NOT_BELIEVED;
	pause_grow(at, r);
	return at;
}

int64_t
pause_until_us(const struct remote_pair *p)
{
	return MAX(p->pause.until_us, p->remote->pause.until_us);
}

bool
pause_is_remembered(const struct remote_pair *p)
{
	bool failed = p->pause.failures != 0 ||
		(p->remote->pause.failures != 0 && p->started_us != 0);

	return failed &&
		pause_forgotten_us(p) > pair_shard(p)->now_us;
}

int64_t
pause_forgotten_us(const struct remote_pair *p)
{
	return pause_until_us(p) + longest_us(p->remote);
}

const struct remote_pause *
pause_answers(const struct remote_pair *p)
{
	const struct remote_pause *const all[] = { &p->remote->pause, &p->pause };
	int64_t now_us = pair_shard(p)->now_us;

	/* it has a time of its own, and what comes behind that keeps its order */
	for (size_t i = 0; last_only(p) && i < COUNT(all); i++)
		if (all[i]->answers && now_us < all[i]->until_us)
			return all[i];
	return NULL;
}

void
pause_is_over(struct remote_pair *p)
{
	p->pause.answers = p->remote->pause.answers = false;
}

/* --- what waits meanwhile ----------------------------------------------------------- */

/* Who is left alone is not there, as far as anybody knows; or has said that it is we
 * who are wrong (XEP-0220 §2.1.1). */
static enum stanza_cond
away_cond(const struct remote_pause *at)
{
	return at->not_found	 ? COND_REMOTE_SERVER_NOT_FOUND :
		at->not_believed ? COND_INTERNAL_SERVER_ERROR :
				   COND_REMOTE_SERVER_TIMEOUT;
}

/* why: what is said of who cannot be reached. */
static const char *
away_why(const struct remote_pause *at, const char *why)
{
	return at->not_found	 ? not_found_text :
		at->not_believed ? not_believed_text :
				   why;
}

void
pause_refuse(struct remote *r, struct stanza *st, const struct remote_pause *at)
{
	remote_refuse(r, st, away_cond(at), away_why(at, away_text));
}

/* It has failed, and all is answered until the pause at, its own or that of all, is
 * over. */
void
pair_give_up(struct remote_pair *p, struct remote_pause *at, const char *why)
{
	at->answers = true;
	asker_leave(p);
	/* XEP-0220 §2.1.1: all that is queued is returned */
	if (at->not_believed)
		pair_refuse_waiting(p, away_cond(at), away_why(at, why));
	else
		pair_refuse_behind(p, away_cond(at), away_why(at, why));
	pair_go_on(p); /* there may be a key */
}

void
pair_wait_or_give_up(struct remote_pair *p, struct remote_pause *at)
{
	const struct remote *r = p->remote;
	bool restarts = r->linked_us != 0 &&
		pair_shard(p)->now_us - r->linked_us < RESTART_US;

	if (restarts && !at->not_believed && pair_waits(p) &&
		pause_until_us(p) < p->until_us) {
		asker_started(p);
		pair_go_on(p);
	} else {
		pair_give_up(p, at, away_text);
	}
}

/* --- of all pairs ------------------------------------------------------------------ */

void
pause_spread(struct remote *r)
{
	struct remote_pair *p;

	LIST_FOREACH (p, &r->pairs, in) {
		if (p->link == NULL && p->attempt == NULL && pair_waits(p) &&
			!theirs_awaited(p))
			pair_wait_or_give_up(p, &r->pause);
	}
}

void
pause_reached(struct remote_pair *p)
{
	struct remote *r = p->remote;
	struct remote_pair *other;

	p->pause.answers = false;
	if (r->pause.failures == 0)
		return;
	r->pause = (struct remote_pause){ .failures = 0 };
	pairs_walk(r);
	LIST_FOREACH (other, &r->pairs, in) {
		if (other != p)
			pair_go_on(other);
	}
	pairs_walked(r);
}
