/*
 * stream_int.h - what the files of a stream share.
 *
 * Owner shard.
 */
#ifndef STREAM_STREAM_INT_H
#define STREAM_STREAM_INT_H

#include "stream/stream.h"

struct err;

/* --- stream.c ------------------------------------------------------------- */

/* Of struct conn_events, for x (a struct stream *) that has others for the rest. */
void stream_conn_closed(void *x, const struct err *why);

/* --- stream_header.c ------------------------------------------------------ */

/* Our header: x is initiated, and it is the first. */
void stream_greet(struct stream *x);
void stream_write_header(struct stream *x, struct stream_header *h);

/* --- stream_move.c: whose it is ------------------------------------------- */

/* x is on sh from now on, and on no shard any more. */
void stream_enter(struct stream *x, struct shard *sh);
void stream_leave(struct stream *x);
/* x can be found again, and cannot be any more: forgets what waits. */
void stream_wait_make(struct stream *x);
void stream_wait_free(struct stream *x);
/* Sends x to wait->to, if that is elsewhere; rest: what was read and not handled.
 * False: from here on x belongs to another thread. */
bool stream_do_move(struct stream *x, struct str rest);

/* --- stream_rate.c -------------------------------------------------------- */

void stream_count_element(struct stream *x);
void stream_count_bytes(struct stream *x, size_t n);
/* Rests when there was too much of either. */
void stream_judge_rate(struct stream *x);

/* --- stream_read.c -------------------------------------------------------- */

/* Takes n bytes of the peer.  False when x has moved. */
bool stream_read(struct stream *x, const char *p, size_t n);
/* Nobody holds it any more, as far as who calls knows.  False: the same. */
bool stream_continue(struct stream *x);
void stream_put_parser(struct stream *x);

/* --- stream_tls.c --------------------------------------------------------- */

/* rest (borrowed): the bytes that came behind <starttls/>, or <proceed/>. */
void stream_tls_start(struct stream *x, struct str rest);
/* The handshake is done. */
void stream_secured(struct stream *x);

/* --- stream_write.c ------------------------------------------------------- */

void stream_fault(struct stream *x, enum xml_fault fault);

#endif
