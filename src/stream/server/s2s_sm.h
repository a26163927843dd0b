/*
 * s2s_sm.h - stream management between servers (XEP-0198): what comes by a stream
 * is counted, and its sender told up to which number all of it is dealt with.
 *
 *   a peer                         its stream                      wherever it waits
 *
 *   <enable/> -------------------> s2s_sm_in_new()
 *   7 8 9 -----------------------> s2s_sm_in_take(): each has the   7 is durable
 *                                  receipt of its number  <-------- 8 is with whom it
 *   <r/> ------------------------> s2s_sm_in_ask()                  was for
 *   <a h='8'/> <------------------ at the end of the turn
 *   <a h='9'/> <------------------ when there is more   <---------- 9 was refused
 *
 * Owner shard of the stream.  One that does not count has none of this.
 */
#ifndef STREAM_SERVER_S2S_SM_H
#define STREAM_SERVER_S2S_SM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/rand.h"
#include "base/timer.h"
#include "xmpp/error.h"
#include "core/receipt.h"
#include "stream/server/s2s_runs.h"

struct arena;
struct elem;
struct link;
struct s2s_out;
struct s2s_resume;
struct stanza;
struct stream;

/* --- elements ------------------------------------------------------------------ */

/* Answers <failed/>. */
void s2s_sm_fail(struct stream *x, enum stanza_cond cond);
/* §6: x ends, for more than was sent is acknowledged. */
void s2s_sm_end_too_high(struct stream *x, uint32_t h, uint32_t sent);
/* False: e has no h that is one. */
bool s2s_sm_get_h(const struct elem *e, uint32_t *h_out);
/* Writes <a/>. */
void s2s_sm_tell(struct stream *x, uint32_t h);

/* --- what goes, by a link (core/link.h) ------------------------------------------ */

/* Asks for it; what is written behind that is counted. */
void s2s_sm_enable(struct stream *x);
/* Asks to go on with the stream that had this id, by which h have come back. */
void s2s_sm_resume(struct stream *x, const char *id, uint32_t h);
/* Writes <r/>. */
void s2s_sm_ask(struct stream *x);
/* e, an <a/>, has come: l, whose stream x is, has less to keep.  x may have ended. */
void s2s_sm_acked(struct stream *x, struct link *l, const struct elem *e);

/* --- what comes ---------------------------------------------------------------- */

/* So long another stream may come to go on with one. */
#define S2S_SM_SLEEP_S 60
/* A place, and a secret. */
#define S2S_SM_ID_SIZE (12 + RAND_ID_SIZE)

struct s2s_sm_in {
	struct shard *shard;
	struct stream *x; /* NULL: it has gone, and another may go on with this */
	struct receipt_line line;
	uint32_t told; /* the last number that the peer has heard */
	int64_t told_us;
	bool due;      /* it has asked, this turn */
	bool owes;     /* what it was told was not all, and it hears of more */
	char id[S2S_SM_ID_SIZE]; /* "": none can go on with it */
	struct s2s_runs went;    /* what goes back by a stream of theirs, by whose
				  * link; see s2s_in_link.c */
	/* once its stream has gone, which was ours: the next one, which waits until all
	 * is dealt with; NULL: none yet */
	struct s2s_out *next;
	/* s2s_in_resume.c's own, if it was theirs: */
	TAILQ_ENTRY(s2s_sm_in) asleep;
	char *pairs;
	struct timer timer;
	struct s2s_resume *resume; /* who waits until all is dealt with; NULL */
};

/* The peer has asked for it, and is answered; resumes: another stream may go on with
 * it. */
struct s2s_sm_in *s2s_sm_in_new(struct stream *x, bool resumes);
/* We have, and it has agreed: without a word; what comes next has the number behind
 * received. */
struct s2s_sm_in *s2s_sm_in_begin(struct stream *x, uint32_t received);
/* x, or nobody yet, goes on with what had that id, behind n: the peer is told. */
struct s2s_sm_in *s2s_sm_in_go_on(struct shard *sh, struct stream *x,
	const char *id, uint32_t n);
/* Copes with NULL. */
void s2s_sm_in_free(struct s2s_sm_in *in);
/* Its stream, one of ours, has gone.  Has the peer perhaps not heard of all of it? */
bool s2s_sm_in_leave(struct s2s_sm_in *in);
/* All that has come is dealt with. */
bool s2s_sm_in_is_settled(const struct s2s_sm_in *in);
/* x goes on with it, and has told the peer so. */
void s2s_sm_in_join(struct s2s_sm_in *in, struct stream *x);
/* st (borrowed) has come, and carries a receipt from now on where somebody here
 * answers for it; NULL: it was refused.  x may rest. */
void s2s_sm_in_take(struct s2s_sm_in *in, struct stanza *st);
/* <r/>: answered at the end of the turn, once for all of that. */
void s2s_sm_in_ask(struct s2s_sm_in *in);
/* The last word, before x ends: what the peer has not heard yet. */
void s2s_sm_in_last(struct s2s_sm_in *in);

/* --- s2s_out_sm.c ----------------------------------------------------------------- */

/* What o goes on with is dealt with. */
void s2s_out_sm_settled(struct s2s_out *o);

/* --- s2s_in_resume.c ------------------------------------------------------------- */

/* A new id, whose home is here. */
void s2s_sm_id_make(struct shard *sh, char out[S2S_SM_ID_SIZE]);
/* in, whose stream has gone, may have been dealt with, and freed. */
void s2s_in_resume_look(struct s2s_sm_in *in);

#endif
