/*
 * s2s_in_int.h - what the files of a stream that another server has opened share.
 *
 * Owner shard.
 */
#ifndef STREAM_SERVER_S2S_IN_INT_H
#define STREAM_SERVER_S2S_IN_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/vec.h"
#include "xmpp/error.h"
#include "net/tls_peer.h"

#include "core/element.h"
#include "core/shard.h"
#include "remote/remote.h"
#include "stream/stream.h"
#include "stream/server/s2s_stanza.h"

struct s2s_in;
struct s2s_known;
struct s2s_sm_in;

/* A key that its domain is asked about. */
struct s2s_ask {
	LIST_ENTRY(s2s_ask) in;
	struct s2s_in *stream;  /* NULL: it is gone */
	char *local, *remote;   /* prepared */
	char *to, *from;        /* the same, as they came */
};

/* What signed records say of the certificate of a stream, where that is not trusted
 * by itself. */
struct s2s_dane {
	char *remote, *why;
	enum tls_dane_verdict verdict;
	bool named; /* it is trusted, for the name of a server of remote */
};

/* A key that waits for them: as it came; owned. */
struct s2s_dane_key {
	char *to, *from, *key;
};

/* The pairs that one stream may have, and be asked for at once. */
#define S2S_PAIRS_MAX 64

struct s2s_in {
	struct stream x;
	LIST_ENTRY(s2s_in) near; /* of the shard's */
	uint64_t serial;       /* the later, the higher */
	char *local;           /* that its header has named; NULL: not yet */
	char *from;            /* that it says it is; NULL: not said */
	char id[RAND_ID_SIZE]; /* of the stream, as the last header has it */
	bool external;         /* SASL is offered: its certificate is from's */
	bool asked;            /* for what it has to say by SASL */
	bool told;             /* why it is not who it says */
	bool verifies;         /* keys of ours */
	bool near_is_set;      /* it is one of its shard's */
	bool bidi;             /* what goes to from may go by it (XEP-0288) */
	bool full;             /* its links are */
	struct s2s_limits limits; /* the peer's, if it is bidi */
	uint64_t idle_taken;   /* what it had taken when those were looked at */
	bool begun;            /* they need not wait for whether it counts */
	bool resumes;          /* its <resume/> has no answer yet, for which they do */
	bool alone;            /* it goes on with no other stream */
	int64_t links_us;      /* how long they do, if there are any */
	int64_t linked_us;     /* since when there are */
	bool asked_peer;       /* what it has of theirs, and it has not answered */
	bool asks_again;       /* then there is more to ask about */
	uint32_t last_back;    /* number of the last of its links */
	uint32_t turn;         /* of its links, to be the first */
	int64_t used_us;       /* by a stanza, in either direction: if it is bidi */
	uint8_t failures;      /* by SASL, and of keys until it is authenticated */
	uint32_t n_asks;
	LIST_HEAD(, s2s_ask) asks;
	struct VEC(struct s2s_dane) danes; /* S2S_PAIRS_MAX at most */
	struct VEC(struct s2s_pair) pairs;
	struct s2s_sm_in *counts; /* what comes (s2s_sm.h); NULL: it does not */
	struct stream_talk *talk; /* or NULL */
	uint64_t judged_of;    /* serial of the snapshot that permits them */
	int64_t deadline_us;   /* to have one; it has had: for a blank, or
				* OPTION_NEVER */
};

static inline struct s2s_in *
s2s_in_of(struct stream *x)
{
	return CONTAINER_OF(x, struct s2s_in, x);
}

/* --- s2s_in.c ------------------------------------------------------------- */

/* NULL: there is none. */
struct s2s_pair *s2s_in_pair(const struct s2s_in *c, struct str local,
	struct str remote);
/* The peer has shown that it is remote; the first time, stanzas may come. */
void s2s_in_add_pair(struct s2s_in *c, struct str local, struct str remote,
	enum s2s_proof proof);
/* That pair, if there is one; where none is left, c ends. */
void s2s_in_forget_pair(struct s2s_in *c, struct str local, struct str remote);
/* Forgets the pairs that this turn's snapshot does not permit any more.  False: it
 * had some, has none now, and has ended. */
bool s2s_in_judge_pairs(struct s2s_in *c);

/* --- s2s_in_known.c --------------------------------------------------------- */

extern const char *const s2s_proof_names[];

/* c is one of its shard's, and is none any more. */
void s2s_in_enter(struct s2s_in *c);
void s2s_in_leave(struct s2s_in *c);
/* Why the stanzas of remote (prepared) do not come to local (as it said) by c, for
 * administrators: is kept at the shard of remote, and told once. */
void s2s_in_refuse(const struct s2s_in *c, struct str local, struct str remote,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A stream from remote has authenticated: what comes next is news again. */
void s2s_in_came(struct shard *sh, struct str remote);

/* --- s2s_in_auth.c ---------------------------------------------------------- */

/* For struct stream_kind. */
void s2s_in_judge(struct stream *x, struct stream_header *h);
void s2s_in_opened(struct stream *x, const struct stream_header *h);
/* What its certificate is worth for remote, as local judges. */
void s2s_in_judge_peer(const struct s2s_in *c, struct str local,
	struct str remote, struct tls_judgement *out);
/* Is it still worth what it was when EXTERNAL let remote in? */
bool s2s_in_takes_certificate(const struct s2s_in *c, struct str local,
	struct str remote);
/* Is a key enough, as the policy of local is and the peer's certificate?  Else
 * *text_out is for the peer. */
bool s2s_in_takes_dialback(const struct s2s_in *c, struct str local,
	struct str remote, const char **text_out);
/* Its features follow, now that s2s_in_dane() is known. */
void s2s_in_go_on(struct s2s_in *c);
/* Rows of s2s_in.c. */
enum hook_result s2s_in_on_auth(struct module_ctx *m, struct element *el);
enum hook_result s2s_in_on_response(struct module_ctx *m, struct element *el);
enum hook_result s2s_in_on_abort(struct module_ctx *m, struct element *el);
/* The peer was not remote.  False: it has failed too often on this stream, which has
 * ended. */
bool s2s_in_failed(struct s2s_in *c, struct str remote);
/* Has it failed too often lately, also on others? */
bool s2s_in_throttled(const struct s2s_in *c, struct str remote);

/* --- s2s_in_link.c ---------------------------------------------------------- */

extern const struct link_stream s2s_in_link_stream;

/* May it be asked to take stanzas? */
bool s2s_in_offers_bidi(const struct s2s_in *c);
/* Row of s2s_in.c. */
enum hook_result s2s_in_on_bidi(struct module_ctx *m, struct element *el);
/* The peer knows that this pair stands: what goes there may go by c from now on. */
void s2s_in_join(struct s2s_in *c, struct str local, struct str remote);
/* It may not any more. */
void s2s_in_part(struct s2s_pair *pair);
/* As .full of struct stream_kind.  False: nothing of that is for links. */
bool s2s_in_links_full(struct s2s_in *c, bool refused);
void s2s_in_links_drained(struct s2s_in *c);
/* What goes by c has a number from now on, behind from: its links keep it until it is
 * acknowledged. */
void s2s_in_count_links(struct s2s_in *c, uint32_t from);
/* The peer of c, which counts, has acknowledged all up to h: c may have ended. */
void s2s_in_acked(struct s2s_in *c, uint32_t h);
/* The peer has said whether it counts, or has had its time for that. */
void s2s_in_begin_links(struct s2s_in *c);
/* It has had that time. */
void s2s_in_links_late(struct s2s_in *c);
/* It goes on with no stream that broke. */
void s2s_in_links_alone(struct s2s_in *c);
/* Their begin waits for the answer to <resume/>, and does not wait longer. */
void s2s_in_links_wait(struct s2s_in *c);
void s2s_in_links_go_on(struct s2s_in *c);
/* c has broken, and another may go on with it: what its links keep waits for that, and
 * is by number whose line that is of the text of its pairs, from 1 on. */
void s2s_in_links_sleep(struct s2s_in *c);
/* l is one of s2s_in_link_stream. */
const struct s2s_in *s2s_in_of_link(const struct link *l);
/* One of its links waits for acknowledgements, and ends then. */
bool s2s_in_link_ends(const struct s2s_in *c);

/* --- s2s_in_dialback.c ------------------------------------------------------ */

/* Rows of s2s_in.c. */
enum hook_result s2s_in_on_result(struct module_ctx *m, struct element *el);
enum hook_result s2s_in_on_verify(struct module_ctx *m, struct element *el);
/* A key of <db:result/> from remote for local (prepared). */
void s2s_in_take_key(struct s2s_in *c, const struct s2s_dane_key *k,
	struct str local, struct str remote);
/* c ends, or begins anew: what was asked is for nobody any more. */
void s2s_in_forget_asks(struct s2s_in *c);

/* --- s2s_in_dane.c ------------------------------------------------------------ */

/* True: they are asked for, for the stream of c, which shows in its header, or by key
 * (taken; NULL: by the header), that it is remote: c is held, and s2s_in_go_on() or
 * s2s_in_take_key() follow if it does not end before.  j: what its certificate is
 * worth. */
bool s2s_in_dane_ask(struct s2s_in *c, struct str local, struct str remote,
	const struct tls_judgement *j, struct s2s_dane_key *key);
/* What they say; NULL: it was not asked. */
const struct s2s_dane *s2s_in_dane(const struct s2s_in *c, struct str remote);
/* c ends. */
void s2s_in_dane_done(struct s2s_in *c);

/* --- s2s_in_resume.c -------------------------------------------------------- */

/* c has broken: another stream may go on with what it counts. */
void s2s_in_sleep(struct s2s_in *c);
/* c has ended properly: none may. */
void s2s_in_no_resume(struct s2s_in *c);
/* The end of the shard. */
void s2s_in_sleepers_free(struct s2s_known *k);
/* A row of s2s_in.c. */
enum hook_result s2s_in_on_sm_resume(struct module_ctx *m, struct element *el);

#endif
