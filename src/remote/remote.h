/*
 * remote.h - a domain of another server: the entity that all its addresses are,
 * with a link for each of our domains that has something for it.
 *
 *	romeo@example.org --route()--> remote of example.net
 *	                                  | pairs: by the domain that sends
 *	                 .----------------+----------------.
 *	            example.org                     rooms.example.org
 *	                 | link                            | none: waits, while
 *	              stream                               | a stream is opened
 *
 * Of a pair:
 *
 *	             stanza                  remote_up()
 *	   at rest ---------> coming up ------------------> linked
 *	      ^ ^                | ^ |                        |
 *	      | |     not in time, | remote_down(): after a   | remote_leave()
 *	      | |     or nothing | | pause, where we were     |
 *	      | |     is left    | | linked a while ago       |
 *	      | |     to try     v '-------------.            |
 *	      | '---------- down: what waited    '------------+ something waits
 *	      |             is answered, and for              |
 *	      |             a time all that comes             | nothing does
 *	      '-----------------------------------------------'
 *
 * A stream that has come from there may be the link, too: it is offered for a pair
 * (remote_offer.c draws it).
 *
 * What a stream was not given yet when it broke goes to the next one, in order.
 * Each stanza is given to a stream once, or answered once; but messages that a
 * stream which counts (XEP-0198) was given, and did not acknowledge, are given to
 * the next one again, ahead of all else, and may so come twice; where that goes on
 * with the one that broke (XEP-0198 §5), all is, and nothing comes twice.
 *
 * One limit of time holds from the first stanza that waits until there is a link.
 * Who failed is left alone for a while, which grows: by the pair that has failed, or,
 * where the whole domain is at fault, by all (remote_pause.c draws it); a stream that
 * comes in from there, or a reload, ends that.
 *
 * How many domains there may be has a bound, above which those leave that nobody
 * needs; so has what waits for one of them; and one sender starts a few attempts a
 * second, so that those that he waits for are nobody else's trouble.
 */
#ifndef REMOTE_REMOTE_H
#define REMOTE_REMOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/link.h"
#include "core/question.h"

struct entity_class;
struct entity_message;
struct remote_pair;
struct remote_verify;
struct shard;

extern const struct entity_class remote_class;

/* What has failed, and so for whom. */
enum remote_failed {
	REMOTE_NO_NAME,   /* all pairs: there is no such name, or no service there */
	REMOTE_NO_ANSWER, /* all pairs: the DNS leads nowhere, or nobody answers there */
	REMOTE_OF_PAIR,   /* this one: somebody is there, or nobody knows */
	REMOTE_NOT_BELIEVED, /* this one: they say that we are not who we say, for
			      * whoever speaks for our domain says so */
};

/* What opens streams.  All on the shard of the remote. */
struct remote_streams {
	/* Begins an attempt, never NULL: it ends in remote_up() or in
	 * remote_down(), never before this has returned, unless it is cancelled. */
	void *(*start)(struct remote_pair *p);
	/* Neither of them follows; what it was given to verify is answered. */
	void (*cancel)(void *attempt);
	/* v (taken) goes out as soon as the attempt's stream is under TLS and has
	 * its features, or at once on the stream of the link; remote_verified()
	 * follows, once, also when that ends. */
	void (*verify)(void *attempt_or_stream, struct remote_verify *v);
	/* It has told the peer who we are, who may use it from then on. */
	bool (*has_shown)(void *attempt);
	/* What the attempt waits for, for an administrator, valid until the end of
	 * the turn: "the TLS handshake with 192.0.2.1". */
	const char *(*waits_for)(void *attempt);
	/* What that would be a failure of, if it never came. */
	enum remote_failed (*late)(void *attempt);
	/* Notes anew, by remote_step(), what the attempt that has become stream has
	 * noted since remote_steps_begin(). */
	void (*tell)(void *stream, struct remote_pair *p);
};

/* A key (XEP-0220 §2.1.1) that has come in the name of the remote of its pair. */
struct remote_verify {
	struct remote_pair *pair;
	struct str stream_id, key; /* NUL-terminated */
	/* remote_verify.c's own */
	TAILQ_ENTRY(remote_verify) in;
	struct entity_message *asked; /* NULL: nobody waits any more */
	int64_t until_us;
	uint64_t address; /* where it came from, as a number */
	bool given; /* to a stream */
	bool offers; /* whoever showed it: to take stanzas, once it is right */
};

/* A stream that has come from the domain of a pair, and takes what goes there, too.
 * It is its owner's, from remote_offer() to remote_withdraw(). */
struct remote_offer {
	const struct link_stream *ops;
	void *stream;
	/* It is o->link of its pair from now on, which begins full: link_drained()
	 * follows, maybe at once. */
	void (*linked)(struct remote_offer *o);
	/* When a stanza has come or gone by its stream last: of several pairs that
	 * it is for, none is idle before all are. */
	const int64_t *used_us;
	/* remote_offer.c's own */
	LIST_ENTRY(remote_offer) in;
	struct remote_pair *pair; /* NULL: it is not made */
	struct link *link;        /* NULL: another is used */
};

/* --- for streams: the shard of the pair --------------------------------------- */

/* Valid as long as an attempt, a link, an offer or a verify of it is there. */
struct str remote_pair_local(const struct remote_pair *p);
struct str remote_pair_domain(const struct remote_pair *p);
struct shard *remote_pair_shard(const struct remote_pair *p);
/* For whom it comes up, as a number: see struct dns_question. */
uint64_t remote_pair_asker(const struct remote_pair *p);

/* Nothing but keys goes out by the attempt of p, which comes to no remote_up(). */
bool remote_is_for_keys(const struct remote_pair *p);
/* The attempt of p has become stream, which is authenticated; link_drained()
 * follows. */
struct link *remote_up(struct remote_pair *p, const struct link_stream *ops,
	void *stream);
/* It has failed, and nothing is left to try; why (borrowed) is for an administrator. */
void remote_down(struct remote_pair *p, enum remote_failed what, const char *why);
/* No other stream has gone on with what l has from one that broke (link_resumes()), nor
 * will l: messages wait in it, ahead of all else, and the rest is answered. */
void remote_not_resumed(struct link *l);
/* The stream of l has ended; l is freed. */
void remote_leave(struct link *l);
/* v is freed.  ERR_NONE: the key is theirs; ERR_INVALID: it is not.  Else they could
 * not be asked, and why (borrowed) says more: ERR_MISSING, there is nobody who would
 * know; ERR_TIMEOUT, ERR_CLOSED. */
void remote_verified(struct remote_verify *v, enum err_code code,
	const char *why);

/* --- for streams that others have opened: the shard of their domain ------------- */

/* o (borrowed until remote_withdraw(); ops, stream, linked and used_us are set) takes
 * what goes from local, a domain of ours, to remote (both prepared), which its peer
 * has shown to be.  False: there is no room, or that is forbidden. */
bool remote_offer(struct shard *sh, struct str local, struct str remote,
	struct remote_offer *o);
/* The peer of its stream goes on with none that broke: what one has left for that pair
 * (link_resumable()) waits for it no longer, and o may be the link now. */
void remote_offer_begins(struct remote_offer *o);
/* Another stream of theirs, whatever has become of it, goes on with the one that had that
 * id, the link of that pair (both prepared) until it broke, and by which n of its stanzas
 * that were not acknowledged have come: the others wait, and each goes out once. */
void remote_resumed(struct shard *sh, struct str local, struct str remote,
	const char *id, uint32_t n);
/* Its stream has ended, or is not for that pair any more.  o->link, if it was one, is
 * freed, and what waits in it goes to the next one. */
void remote_withdraw(struct remote_offer *o);

/* --- any shard: sh is the caller's --------------------------------------------- */

/* key has come from somebody at an address, as conn_peer_key() has it, who says that he
 * is remote (prepared), for local, a domain of ours, on the stream with that id, which
 * has no blank: fn(arg, ok, err)
 * on sh; err->code is ERR_INVALID when it is not theirs, any other when they could
 * not be asked.  offers: if it is theirs, that stream is offered for the pair, so that
 * no other is needed for it. */
void remote_verify_ask(struct shard *sh, struct str local, struct str remote,
	struct str address, struct str stream_id, struct str key, bool offers,
	question_fn fn, void *arg);
/* A stream from that domain (prepared) has authenticated. */
void remote_came(struct shard *sh, struct str remote);

/* --- start-up, before threads ----------------------------------------------------- */

/* There is something in the log of local for remote, a bare address of sh: that is
 * loaded when the sleepers of sh are (core/sleepers.h, as is done); or dropped, where it
 * is nobody's that is talked to. */
void remote_sleeps(struct shard *sh, struct str local, struct jid remote,
	void (*done)(struct shard *sh));

/* --- for who stops the server, each shard ---------------------------------------- */

/* Messages are stored for the next start, and all else that waits is answered, while
 * there is somebody to be told; links stay, for what sessions say last, until
 * entity_close_all(). */
void remotes_stop(struct shard *sh);

/* --- for administrators: the shard of the domain --------------------------------- */

/* What the attempt of p has come to: step and state (static, a word or two), found in
 * words (formatted; bounded, and made printable).  Kept until the next attempt. */
void remote_step(struct remote_pair *p, const char *step, const char *state,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* What is noted from here on, the stream can tell again: it is kept until that is up,
 * and no longer. */
void remote_steps_begin(struct remote_pair *p);

enum remote_state {
	REMOTE_UP,
	REMOTE_ENDS,      /* its stream does */
	REMOTE_COMES_UP,
	REMOTE_IN_LINE,   /* there are many that its sender has asked for */
	REMOTE_PAUSES,    /* stanzas wait for the next attempt */
	REMOTE_FAILED,    /* until next_us all is answered at once */
};

/* One pair as it stands: valid until the end of the turn. */
struct remote_shown {
	struct str domain, local;
	enum remote_state state;
	const struct link *link; /* NULL: none */
	int64_t since_us;        /* of the wall clock: the link, or the attempt */
	int64_t next_us;         /* of the wall clock: no attempt before; 0: now */
	size_t n_waiting, bytes; /* for it, or in it */
	char kept[160];          /* how much of that is of the run before, since
				  * when, and until when; "": nothing */
	const char *waits_for;   /* the attempt, in words; or NULL */
	struct remote_pair *pair;
};

typedef void (*remote_show_fn)(void *arg, const struct remote_shown *shown);

/* What the last attempt has come to is appended to out: lines of step, state and found,
 * with tabs between them. */
void remote_steps(const struct remote_shown *shown, struct buf *out);
/* Those of one domain (prepared). */
void remote_show(struct shard *sh, struct str domain, remote_show_fn fn, void *arg);
/* Those of domains from *at_io on, which is 0 at first: most domains, then true:
 * there are more. */
bool remotes_show(struct shard *sh, uint64_t *at_io, size_t most,
	remote_show_fn fn, void *arg);

/* One way in which a domain could not be reached. */
struct remote_failure {
	int64_t first_us, last_us; /* of the wall clock */
	uint32_t times;
	bool told;   /* the log says so, and there was no link since */
	char *local; /* whose it was */
	char *why;   /* for an administrator */
};

/* The last ones of domain, the newest first; *n_out may be 0. */
const struct remote_failure *remote_failures(struct shard *sh, struct str domain,
	size_t *n_out);

/* --- for who publishes snapshots, each shard ------------------------------------ */

/* What is forbidden now ends, and who was left alone is tried again. */
void remotes_reloaded(struct shard *sh);

#endif
