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
 * What a stream was not given yet when it broke goes to the next one, in order.
 * Each stanza is given to a stream once, or answered once.
 *
 * One limit of time holds from the first stanza that waits until there is a link.
 * Who failed is left alone for a while, which grows; a stream that comes in from
 * there, or a reload, ends that.
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

#include "base/str.h"
#include "core/link.h"
#include "core/question.h"

struct entity_class;
struct entity_message;
struct remote_pair;
struct remote_verify;
struct shard;

extern const struct entity_class remote_class;

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
	/* What the attempt waits for, for an administrator, valid until the end of
	 * the turn: "the TLS handshake with 192.0.2.1".  May be NULL. */
	const char *(*waits_for)(void *attempt);
};

/* A key (XEP-0220 §2.1.1) that has come in the name of the remote of its pair. */
struct remote_verify {
	struct remote_pair *pair;
	struct str stream_id, key; /* NUL-terminated */
	/* remote_verify.c's own */
	TAILQ_ENTRY(remote_verify) in;
	struct entity_message *asked; /* NULL: nobody waits any more */
	int64_t until_us;
	bool given; /* to a stream */
};

/* --- for streams: the shard of the pair --------------------------------------- */

/* Valid as long as an attempt, a link or a verify of it is there. */
struct str remote_pair_local(const struct remote_pair *p);
struct str remote_pair_domain(const struct remote_pair *p);
struct shard *remote_pair_shard(const struct remote_pair *p);

/* The attempt of p has become stream, which is authenticated; link_drained()
 * follows. */
struct link *remote_up(struct remote_pair *p, const struct link_stream *ops,
	void *stream);
/* It has failed, and nothing is left to try.  found: there is such a name, and a
 * service there; why (borrowed) is for an administrator. */
void remote_down(struct remote_pair *p, bool found, const char *why);
/* The stream of l has ended; l is freed. */
void remote_leave(struct link *l);
/* v is freed.  valid: the key is theirs.  why (borrowed), not NULL: they could not
 * be asked. */
void remote_verified(struct remote_verify *v, bool valid, const char *why);

/* --- any shard: sh is the caller's --------------------------------------------- */

/* key has come from somebody who says that he is remote (prepared), for local, a
 * domain of ours, on the stream with that id, which has no blank: fn(arg, ok, err)
 * on sh; err->code is ERR_INVALID when it is not theirs, any other when they could
 * not be asked. */
void remote_verify_ask(struct shard *sh, struct str local, struct str remote,
	struct str stream_id, struct str key, question_fn fn, void *arg);
/* A stream from that domain (prepared) has authenticated. */
void remote_came(struct shard *sh, struct str remote);

/* --- for who stops the server, each shard ---------------------------------------- */

/* What waits is answered, while there is somebody to be told; links stay, for what
 * sessions say last, until entity_close_all(). */
void remotes_stop(struct shard *sh);

/* --- for who publishes snapshots, each shard ------------------------------------ */

/* What is forbidden now ends, and who was left alone is tried again. */
void remotes_reloaded(struct shard *sh);

#endif
