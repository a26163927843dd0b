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

#include "xmpp/error.h"
#include "core/receipt.h"

struct arena;
struct elem;
struct link;
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
/* Writes <r/>. */
void s2s_sm_ask(struct stream *x);
/* e, an <a/>, has come: l, whose stream x is, has less to keep.  x may have ended. */
void s2s_sm_acked(struct stream *x, struct link *l, const struct elem *e);

/* --- what comes ---------------------------------------------------------------- */

struct s2s_sm_in {
	struct stream *x;
	struct receipt_line line;
	uint32_t told; /* the last number that the peer has heard */
	bool due;      /* it has asked, this turn */
	bool owes;     /* what it was told was not all, and it hears of more */
};

/* The peer has asked for it, and is answered. */
struct s2s_sm_in *s2s_sm_in_new(struct stream *x);
/* We have, and it has agreed: the same, without a word. */
struct s2s_sm_in *s2s_sm_in_begin(struct stream *x);
/* Copes with NULL. */
void s2s_sm_in_free(struct s2s_sm_in *in);
/* st (borrowed) has come, and carries a receipt from now on where somebody here
 * answers for it; NULL: it was refused.  x may rest. */
void s2s_sm_in_take(struct s2s_sm_in *in, struct stanza *st);
/* <r/>: answered at the end of the turn, once for all of that. */
void s2s_sm_in_ask(struct s2s_sm_in *in);
/* The last word, before x ends: what the peer has not heard yet. */
void s2s_sm_in_last(struct s2s_sm_in *in);

#endif
