/*
 * remote_int.h - what the files of this folder share: all on the shard of a remote.
 */
#ifndef REMOTE_REMOTE_INT_H
#define REMOTE_REMOTE_INT_H

#include <stddef.h>
#include <sys/queue.h>

#include <uthash.h>

#include "base/err.h"
#include "base/log.h"
#include "base/table.h"
#include "base/timer.h"
#include "conf/conf.h"
#include "core/entity.h"
#include "core/receipt.h"
#include "core/shard.h"
#include "remote/remote.h"

/* The last ones are kept, as much as that of each. */
#define REMOTE_FAILURES 5
#define REMOTE_WHY_SIZE 768

struct remote_failures {
	size_t n;
	struct remote_failure all[REMOTE_FAILURES]; /* the newest first */
};

/* Whose stanzas began what is coming up at this shard. */
struct remote_asker {
	UT_hash_handle hh;
	uint64_t key;
	unsigned n;        /* pairs that come up for him */
	unsigned starting; /* of those, attempts that have just begun */
	TAILQ_HEAD(, remote_pair) line; /* of those, who wait for their turn */
};

/* Whose keys made pairs come up that are not used yet. */
struct remote_address {
	UT_hash_handle hh;
	uint64_t key;
	unsigned n;
};

/* Of one shard: there as long as one of them is in memory. */
struct remotes {
	LIST_HEAD(, remote) all; /* the newest first */
	uint64_t last_serial;
	TAILQ_HEAD(, remote) at_rest; /* those that nobody needs, by the time that
				       * this began */
	unsigned n;
	unsigned n_pairs;
	unsigned n_watchers;
	unsigned n_watch_asks; /* of those of all */
	unsigned strangers; /* pairs that come up for a key alone, or came, and are
			     * not used yet */
	struct remote_address *addresses; /* uthash: where those keys came from */
	unsigned guests; /* pairs that are here for an offer alone */
	struct remote_asker *askers; /* uthash, by key */
	struct log_limit told;
};

/* Who watches users of a domain (remote_watch.c). */
struct watcher;
TAILQ_HEAD(watchers, watcher);

struct remote_watch {
	struct table all;        /* of struct watcher */
	struct watchers sees;    /* those who know who is there, */
	struct watchers waits;   /* and those who wait to ask again */
	struct timer timer;
	int64_t unreached_us;    /* the first failure since it was reached; 0:
				  * none */
	int64_t quiet_us;        /* nobody asks again before, but as a trial */
	unsigned n_asks;         /* watchers that have yet to answer */
	bool reached;            /* at some time */
	bool lost;               /* those who saw are told */
};

/* After failures, one after the other; see remote_pause.c. */
struct remote_pause {
	unsigned failures;
	int64_t since_us; /* the last one */
	int64_t until_us; /* no attempt begins before */
	bool answers;     /* until then all is answered at once, */
	bool not_found;   /* as that there is no such domain, */
	bool not_believed; /* or that there is one, but not for us */
};

struct remote {
	struct entity e;
	LIST_ENTRY(remote) in;
	uint64_t serial; /* the later, the higher */
	TAILQ_ENTRY(remote) rest;
	bool rests;
	LIST_HEAD(, remote_pair) pairs;
	unsigned walks;     /* over them are under way: none is freed */
	unsigned n_busy;    /* of them: linked, coming up, or asked for a key */
	unsigned n_verifies;
	int64_t n_waiting;  /* stanzas, for any of them */
	size_t bytes;
	enum stream_cond closed; /* why nothing goes out any more; or none */
	int64_t linked_us;  /* when there was a link last; 0: none is known */
	int64_t failed_us;
	struct remote_pause pause; /* for failures that are those of all pairs */
	struct timer forget;
	struct remote_watch watch;
	struct remote_failures *failures; /* the last ones; or NULL */
};

/* What of a pair is in the store (remote_log.c), as long as there is anything. */
struct remote_log {
	struct remote_pair *pair;
	struct receipt_line line; /* its numbers are those of the entries */
	struct log_write *write;  /* under way; NULL: none */
	uint32_t trimmed;         /* the entries up to this number are gone */
	size_t due;    /* messages under way that are yet to be written */
	int64_t last_us;          /* of the last entry */
	bool there;    /* something is in the store, and the index says so */
	bool anew;     /* the last transaction has failed: all is written once more */
};

struct remote_pair {
	LIST_ENTRY(remote_pair) in;
	TAILQ_ENTRY(remote_pair) line; /* of its asker, while in_line */
	struct remote *remote;
	struct link *link;
	LIST_HEAD(, remote_offer) offers; /* the newest first */
	struct remote_offer *offer; /* whose link it is; NULL: an attempt's */
	void *attempt;
	struct link_kept *kept; /* that the next stream may go on with, ahead of
				 * what waits; NULL: none */
	int64_t theirs_us;  /* that next one is theirs, for whom we wait so long;
			     * 0: it is ours, or there is nothing */
	struct stanza_queue waiting;
	size_t n_waiting, bytes;
	size_t n_last;      /* the first of those that wait: remote_last.c */
	struct buf steps;   /* see remote_steps() */
	size_t steps_kept;  /* of them, what no stream can tell */
	struct entity_message *tried; /* who waits for the end of an attempt; NULL */
	TAILQ_HEAD(verify_list, remote_verify) verifies; /* in the order of asking */
	struct timer due;
	uint64_t judged;    /* the snapshot by which it may */
	int64_t until_us;   /* coming up: then it is over; 0: nothing waits */
	struct remote_pause pause; /* for its own failures */
	int64_t started_us; /* the last attempt; 0: none is remembered */
	int64_t counts_us;  /* so long it counts as one that has just begun; 0: it
			     * does not */
	int64_t look_us;    /* when to look for receipts that are held; 0: no need */
	size_t n_came;      /* stanzas, since it was looked last */
	struct remote_log *log; /* NULL: none */
	int64_t since_us;   /* of the link */
	int64_t used_us;    /* it */
	uint64_t received;  /* by it, when that was looked at last */
	unsigned n_unacked; /* links one after the other that broke and had
			     * acknowledged nothing of what they were sent */
	bool ending;        /* its link was told to end, and is not to be used */
	enum stanza_cond end_cond; /* and what it had not been given goes back */
	const char *end_why;       /* with these; NULL: to the next link */
	bool for_keys;      /* its attempt is, and does not become a link */
	bool asks_again;    /* what its attempt was asked is for the next one */
	bool guest;         /* it is here for an offer alone */
	bool busy;
	bool in_line;
	bool stop_fails;    /* what is to be kept over the stop cannot be stored */
	struct remote_address *stranger; /* it came up for a key from there alone,
					  * and is not used yet; or NULL */
	struct remote_asker *asker; /* NULL: it does not come up */
	size_t n_local;
	char local[];
};

static inline struct str
pair_local(const struct remote_pair *p)
{
	return (struct str){ p->local, p->n_local };
}

static inline struct shard *
pair_shard(const struct remote_pair *p)
{
	return p->remote->e.shard;
}

/* Does anything wait for the next stream? */
static inline bool
pair_waits(const struct remote_pair *p)
{
	return !STAILQ_EMPTY(&p->waiting) || p->kept != NULL;
}

/* The server does, and what waits is kept for the next start. */
static inline bool
pair_stops(const struct remote_pair *p)
{
	return p->remote->closed == STREAM_SYSTEM_SHUTDOWN;
}

/* Who has said the first of it, borrowed; not set: nothing waits but that somebody goes on
 * with what a stream has brought back. */
static inline struct jid
pair_first_from(const struct remote_pair *p)
{
	const struct stanza *st = STAILQ_FIRST(&p->waiting);
	size_t bytes;

	if (p->kept != NULL && link_kept_size(p->kept, &bytes) != 0)
		return link_kept_from(p->kept);
	return st != NULL ? st->from : (struct jid){ .text = NULL };
}

static inline const struct config_s2s *
remote_conf(const struct remote *r)
{
	return &r->e.shard->snap->config->s2s;
}

/* --- remote.c ---------------------------------------------------------------- */

extern const char remote_stops_text[];

/* r, which is being loaded, is there from now on. */
void remote_begin(struct remote *r);

/* Domains in memory, of this shard. */
unsigned remotes_max(const struct shard *sh);
/* May what is local's (prepared) go to r?  Else *why_out is for its user. */
enum stanza_cond remote_judge(const struct remote *r, struct str local,
	const char **why_out);
/* st (taken) goes back with "DOMAIN why", or "why" where that begins with a capital
 * letter; presence that we have made is for nobody, and goes. */
void remote_refuse(struct remote *r, struct stanza *st, enum stanza_cond cond,
	const char *why);
/* One of its pairs has become busy, or is not any more: it rests, or does not. */
void remote_settle(struct remote *r);

/* --- remote_pair.c ------------------------------------------------------------- */

/* NULL: there is none. */
struct remote_pair *pair_find(const struct remote *r, struct str local);
/* The same, or a new one; NULL: there are too many. */
struct remote_pair *pair_get(struct remote *r, struct str local);
/* However many there are. */
struct remote_pair *pair_new(struct remote *r, struct str local);
/* st is taken. */
void pair_send(struct remote_pair *p, struct stanza *st);
/* Begins what is to be begun, and waits for what comes next; p may be freed where
 * nothing is left of it. */
void pair_go_on(struct remote_pair *p);
/* Something of it has changed: it is busy or is not, waits for something else, or is
 * freed. */
void pair_settle(struct remote_pair *p);
/* Nothing of its own keeps it waiting any more. */
void pair_forgive(struct remote_pair *p);
/* Its stream, if there is any, ends without an error; p may be freed. */
void pair_close(struct remote_pair *p);
/* What waits is answered with cond and why (kept), and its stream ends; p may be
 * freed. */
void pair_end(struct remote_pair *p, enum stanza_cond cond, const char *why,
	enum stream_cond stream_cond, const char *text);
/* Its attempt is given up, and what that was asked is for the next one. */
void pair_cancel(struct remote_pair *p);
/* There is more to do now than to ask for keys: an attempt for those alone gives way
 * to one that becomes a link. */
void pair_needs_link(struct remote_pair *p);
/* Those of r may end others of r while they are gone through, which are freed in the
 * end. */
void pairs_walk(struct remote *r);
void pairs_walked(struct remote *r);
/* As pair_end(), but for its link, until that ends by itself. */
void pair_stop(struct remote_pair *p, enum stanza_cond cond, const char *why);
/* Without a link, an attempt or anything that waits. */
void pair_free(struct remote_pair *p);

/* --- remote_pause.c ------------------------------------------------------------ */

/* p has failed: whose pause that begins, its own or that of its remote. */
struct remote_pause *pause_begin(struct remote_pair *p, enum remote_failed what);
/* Is it nothing that other pairs would meet, too? */
static inline bool
failed_is_of_pair(enum remote_failed what)
{
	return what == REMOTE_OF_PAIR || what == REMOTE_NOT_BELIEVED;
}
/* Its own is longer, after one more failure. */
void pause_own(struct remote_pair *p);
/* No attempt of p begins before. */
int64_t pause_until_us(const struct remote_pair *p);
/* The one for which all that is for p is answered at once; NULL: none. */
const struct remote_pause *pause_answers(const struct remote_pair *p);
/* Something waits for p again, and is not answered at once. */
void pause_is_over(struct remote_pair *p);
/* Has p failed, so that it is kept where it is not busy?  So long: */
bool pause_is_remembered(const struct remote_pair *p);
int64_t pause_forgotten_us(const struct remote_pair *p);
/* st (taken) is answered as at has it. */
void pause_refuse(struct remote *r, struct stanza *st, const struct remote_pause *at);
/* It has failed, and all is answered until at (its pause, or that of all) is over; what
 * waits now, with why, where nothing better is known. */
void pair_give_up(struct remote_pair *p, struct remote_pause *at, const char *why);
/* The same, but that what waits waits on where they are restarting. */
void pair_wait_or_give_up(struct remote_pair *p, struct remote_pause *at);
/* That of r has begun: what waits for any of its pairs is dealt with.  Within a walk
 * over them. */
void pause_spread(struct remote *r);
/* p has a link: that of its remote ends. */
void pause_reached(struct remote_pair *p);

/* --- remote_waiting.c ------------------------------------------------------------ */

/* st (taken) is the last that waits for the next link, whatever there is room for. */
void pair_add_waiting(struct remote_pair *p, struct stanza *st);
/* The first of them. */
struct stanza *pair_take_waiting(struct remote_pair *p);
/* All of them, and what it has kept, are answered. */
void pair_refuse_waiting(struct remote_pair *p, enum stanza_cond cond,
	const char *why);
/* The same, but for those of the run before, which stay. */
void pair_refuse_behind(struct remote_pair *p, enum stanza_cond cond,
	const char *why);

/* --- remote_link.c ------------------------------------------------------------- */

/* Its link is told to end; further stanzas wait for the next one.  The last that is done
 * with p: where its stream ends at once, p may be gone. */
void pair_end_link(struct remote_pair *p, enum stream_cond cond, const char *text);
/* l has come, and is its link. */
void pair_linked(struct remote_pair *p, struct link *l);
/* Its link is used no more from then on. */
int64_t pair_idle_us(const struct remote_pair *p);
/* Nothing has come or gone by it for that long. */
bool pair_link_is_idle(struct remote_pair *p);
/* Whose link l is. */
struct remote_pair *pair_of(const struct link *l);

/* --- remote_unacked.c ------------------------------------------------------------ */

/* The link of p, whose stream has ended: what was not acknowledged, then what it was not
 * given yet stand before what has come since it began to end.  False: it has taken
 * nothing. */
bool pair_take_back(struct remote_pair *p);
/* Says which stanzas of p go out again, where nobody knows whether they have come. */
typedef bool (*unacked_fn)(enum stanza_type type);
unacked_fn unacked_sent_again(const struct remote_pair *p);
/* No stream goes on with what p has kept. */
void unacked_lose(struct remote_pair *p);

/* --- remote_resumed.c ------------------------------------------------------------ */

/* k (taken) is of a stream of theirs, which they may go on with. */
void theirs_keep(struct remote_pair *p, struct link_kept *k);
/* That is waited for: no attempt of ours begins for what waits. */
bool theirs_awaited(const struct remote_pair *p);

/* --- remote_log.c ---------------------------------------------------------------- */

/* One more is, or was for a moment; receipt: it had one. */
void log_came(struct remote_pair *p, bool receipt);
/* It is time to look. */
void log_look(struct remote_pair *p);
/* Of p, which has none: empty.  It goes when it is empty again. */
struct remote_log *log_new(struct remote_pair *p);
/* Its line begins behind that number; receipts that are out come back to nobody. */
void log_begin_line(struct remote_log *log, uint32_t received);
/* What is due is written, and what is handled deleted, unless a transaction is under
 * way, which goes on with that. */
void log_go_on(struct remote_log *log);
/* Is st one that it is for?  Whoever is told of an error is not told when that is lost;
 * and what must not be stored is lost with us (XEP-0334 §4.2). */
bool log_is_for(const struct stanza *st);
/* Is st, a message of p under way, in it? */
bool log_has(const struct remote_pair *p, const struct stanza *st);
/* All messages of p go into it, and those of other kinds let go of their receipts. */
void log_write_all(struct remote_pair *p);
/* What is in it stays there, and p has none. */
void log_done(struct remote_pair *p);
#define LOG_NAME "s2s:"
/* What a log is called, and its key in the index; in out. */
struct str log_name(struct buf *out, struct str remote);
struct str log_index_key(struct buf *out, struct str local, struct str remote);

/* --- remote_wake.c --------------------------------------------------------------- */

/* False: there is nothing in the store for r, which is being loaded; else
 * remote_begin() and entity_loaded() follow, or entity_failed(). */
bool remote_wakes(struct remote *r);

/* --- remote_last.c --------------------------------------------------------------- */

/* When its time is over; INT64_MAX: none waits here. */
int64_t last_until_us(const struct remote_pair *p);
/* Those whose time is over are answered. */
void last_expire(struct remote_pair *p);
/* What an administrator sees of them; "" for none. */
void last_show(const struct remote_pair *p, char *out, size_t size);
/* Does nothing else wait? */
bool last_only(const struct remote_pair *p);
/* st is given to a stream. */
void last_stamp(struct remote_pair *p, struct stanza *st);

/* --- remote_stop.c --------------------------------------------------------------- */

/* The server stops: as pair_refuse_waiting(), and what waits in its link; but messages
 * are kept for the next start. */
void pair_stop_refuse(struct remote_pair *p, enum stanza_cond cond, const char *why);
/* Its link has left, or a transaction has ended. */
void pair_stop_go_on(struct remote_pair *p);
/* That has failed, and those it was for have their receipts back. */
void pair_stop_failed(struct remote_pair *p);

/* --- remote_offer.c -------------------------------------------------------------- */

/* The link of p becomes the one that is offered, if there is one and p may have it. */
bool offer_take(struct remote_pair *p);
/* The same, when no attempt has come to go on with what p has kept. */
bool offer_take_at_last(struct remote_pair *p);
/* We use it. */
void guest_leave(struct remote_pair *p);

/* --- remote_asker.c -------------------------------------------------------------- */

/* May p come up for what `from' has said?  That it does already is as good. */
bool asker_lets(const struct remote_pair *p, struct jid from);
/* p comes up for that; or, where it is not set, for a key, or for nobody, if something
 * waits. */
void asker_take(struct remote_pair *p, struct jid from);
/* An attempt begins.  False: p waits for its turn, then pair_go_on() follows. */
bool asker_starts(struct remote_pair *p);
/* It does not count any more as one that has just begun; those go on who wait for
 * that. */
void asker_started(struct remote_pair *p);
/* May a key from that address make a pair come up? */
bool strangers_have_room(const struct shard *sh, uint64_t address);
/* p does not come up any more. */
void asker_leave(struct remote_pair *p);

/* --- remote_watch.c ---------------------------------------------------------------- */

void watch_init(struct remote *r);
/* Does it want to know of st? */
bool watch_asks(const struct stanza *st);
/* st goes there.  Who asks for presence wants to hear what becomes of it. */
void watch_pass(struct remote *r, const struct stanza *st);
/* It has not got there. */
void watch_missed(struct remote *r, const struct stanza *st);
/* TELL_WATCH; m is taken. */
void watch_told(struct remote *r, struct entity_message *m);
/* There is a link, or a stream has come from there. */
void watch_reached(struct remote *r);
/* It could not be reached. */
void watch_unreached(struct remote *r);
/* It is nobody's that we talk to: all are told, and forgotten. */
void watch_gone(struct remote *r);
/* All are forgotten. */
void watch_done(struct remote *r);

/* --- remote_verify.c -------------------------------------------------------------- */

/* m is taken. */
void verify_told(struct remote *r, struct entity_message *m);
/* Those of p that no stream has yet go to its attempt or link. */
void verify_give(struct remote_pair *p);
bool verify_waits(const struct remote_pair *p);
/* Does each come by a stream that is offered, once its key is right? */
bool verify_all_offer(const struct remote_pair *p);
/* Those whose time is over are answered. */
void verify_expire(struct remote_pair *p);
/* When the next one is; INT64_MAX: there is none. */
int64_t verify_due(const struct remote_pair *p);
/* All are answered. */
void verify_refuse_all(struct remote_pair *p, const char *why);

/* --- remote_show.c --------------------------------------------------------------- */

/* An attempt begins: nothing is noted. */
void steps_forget(struct remote_pair *p);
/* It has become a link, which tells the rest. */
void steps_shrink(struct remote_pair *p);

/* In memory; NULL: it is not. */
struct remote *remote_find(struct shard *sh, struct str domain);

/* m (taken) is answered when there is a link of that pair, or an attempt, which
 * begins now, has failed. */
void try_told(struct remote *r, struct entity_message *m);
/* Who waits for that is answered: err_code ERR_NONE, or why (borrowed). */
void try_answer(struct remote_pair *p, enum err_code code, const char *why);

/* --- remote_failure.c ------------------------------------------------------------- */

/* why, for an administrator, is kept, and told once; what concerns all pairs, for all
 * of them. */
void failure_note(struct remote_pair *p, enum remote_failed what, const char *why);
/* A link has come up. */
void failure_over(struct remote_pair *p);
void failures_free(struct remote *r);

#endif
