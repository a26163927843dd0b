/*
 * s2s_stanza.h - what a stream of another server may bring, and stanzas that come by
 * it: the same whoever has opened it.
 *
 * Owner shard of the stream.
 */
#ifndef STREAM_SERVER_S2S_STANZA_H
#define STREAM_SERVER_S2S_STANZA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "xmpp/error.h"
#include "stream/stream.h"

struct arena;
struct elem;
struct element;
struct link;
struct s2s_back;
struct s2s_sm_in;
struct stanza;

/* How the peer has shown that it is remote. */
enum s2s_proof {
	S2S_EXTERNAL,
	S2S_DANE, /* the same, by a certificate that signed records are for */
	S2S_DIALBACK,
};

/* What is remote's goes to local by this stream; both prepared. */
struct s2s_pair {
	char *local, *remote;
	uint64_t hash; /* server_hash() of remote */
	int64_t since_us; /* of the wall clock */
	uint64_t received;
	enum s2s_proof proof;
	/* Where the link stands that goes the other way by this stream, if there is
	 * one; NULL: it goes one way. */
	struct link *const *link;
	struct s2s_back *back; /* of a stream that they have opened, see
				* s2s_in_link.c */
};

/* What the peer of a stream has said that it bears (XEP-0478); 0: nothing. */
struct s2s_limits {
	uint32_t max_bytes; /* of a stanza */
	uint32_t idle_s;    /* after which it may think that we are gone */
};

/* The stream that something has come by, and the pairs of it, all permitted. */
struct s2s_bringer {
	struct stream *x;
	struct s2s_pair *pairs;
	size_t n;
	struct s2s_sm_in *counts; /* what comes; NULL: nobody */
	struct stream_talk **talk; /* of it, while nobody does; see stream_talk() */
};

/* Why the stanzas of remote may not come to local; COND_NONE: they may.  *text_out
 * is for the peer. */
enum stanza_cond s2s_refuses(struct shard *sh, struct str local,
	struct str remote, const char **text_out);
/* Of the n pairs of a stream; NULL: there is none. */
struct s2s_pair *s2s_pair_find(struct s2s_pair *pairs, size_t n,
	struct str local, struct str remote);
/* a is taken, e lies in it and is a stanza that has come by b: it goes where it
 * belongs if it is of one of these pairs, else the stream ends. */
void s2s_stanza(const struct s2s_bringer *b, struct arena *a, struct elem *e);
/* st, of ours, is larger than domain takes: its sender is told (XEP-0478 §4). */
void s2s_bounce(struct shard *sh, const struct stanza *st, const char *domain,
	uint32_t max_bytes);
/* Is more written than links do by themselves, which stop when they are full?  Then it
 * is what the peer has asked for, and does not read. */
bool s2s_is_flooded(const struct stream *x);
/* What <limits/> in e says (XEP-0478 §3). */
struct s2s_limits s2s_read_limits(struct arena *a, const struct elem *e);
/* Adds <limits/> to e: what holds here. */
void s2s_add_limits(struct shard *sh, struct arena *a, struct elem *e);
/* When s2s_keep_alive() is to be called next, so that the peer of x hears something in
 * time; OPTION_NEVER: it does not want to. */
int64_t s2s_watch_idle(const struct stream *x, const struct s2s_limits *l,
	uint64_t *taken_out);
/* The same again; if nothing has gone out since, a blank does. */
int64_t s2s_keep_alive(struct stream *x, const struct s2s_limits *l,
	uint64_t *taken_io);
/* A <db:verify/> that has come by x, about a key that may be ours, is answered
 * (s2s_in_dialback.c). */
void s2s_verify(struct stream *x, struct element *el);
/* For struct stream_kind. */
struct stream_rates s2s_rates(const struct stream *x);

#endif
