/*
 * s2s_out_int.h - what the files of streams that we open to other servers share.
 *
 * Owner shard: that of the pair, which is that of the remote domain.
 */
#ifndef STREAM_SERVER_S2S_OUT_INT_H
#define STREAM_SERVER_S2S_OUT_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "base/str.h"
#include "xmpp/ns.h"
#include "dns/dns.h"
#include "remote/remote.h"
#include "stream/stream.h"
#include "stream/server/s2s_stanza.h"

struct conn;
struct link;
struct race;
struct s2s_out;
struct s2s_search;
struct target;
struct target_addresses;
struct targets;
struct tls_dane;
struct tls_judgement;

/* A key that the remote domain is asked about. */
struct way_ask {
	TAILQ_ENTRY(way_ask) in;
	struct remote_verify *verify;
};

TAILQ_HEAD(way_asks, way_ask);

/* Why there is no way, in words. */
#define S2S_WHY_SIZE 768

/*
 * The way from a domain of ours to a remote one, for a pair: from start() until the
 * pair hears that it is up and then gone, or that there is none, or gives it up.
 */
struct s2s_way {
	uint32_t tag;
	struct remote_pair *pair;
	struct shard *shard;
	struct s2s_search *search; /* NULL: it is up */
	struct s2s_out *stream;    /* NULL: none yet, or between two */
	struct link *link;         /* NULL: not up */
	bool unknown;              /* one who was reached does not serve the domain */
	bool not_believed;         /* one has asked whether our key is ours: no */
	struct way_asks asks;  /* that have yet to go out */
	struct way_asks asked; /* in stream, and not answered */
};

/* What was last said to the peer, and is to be answered. */
enum out_step {
	OUT_HEADER,   /* features are next */
	OUT_STARTTLS,
	OUT_JUDGED,   /* nothing: their certificate is looked at */
	OUT_SASL,
	OUT_DIALBACK, /* our key */
	OUT_KEYS,     /* those of theirs that we ask about, and nothing else */
	OUT_UP,
};

/* Stream management: s2s_out_sm.c draws it. */
enum out_sm {
	OUT_SM_OFF,
	OUT_SM_OFFERED,
	OUT_SM_RESUMES,
	OUT_SM_ASKED,
	OUT_SM_ON,
};

/* The stream of a way. */
struct s2s_out {
	struct stream x;
	struct s2s_way *way; /* NULL: it has ended */
	char *local, *domain; /* of the pair */
	char *target;        /* the name that has led to it */
	struct tls_dane *dane; /* what signed records say of it; NULL: nothing */
	const char *by;      /* how it has authenticated; NULL: not yet */
	char *id;            /* that the peer has given to the stream */
	enum out_step step;
	enum out_sm sm;
	struct s2s_limits limits; /* the peer's */
	uint64_t idle_taken; /* what it had taken when those were looked at */
	int64_t deadline_us; /* for being up, or resumed; up: for a blank;
			      * OPTION_NEVER */
	int64_t since_us;    /* it has begun */
	const char *why;     /* while we end it; NULL */
	bool blamed;         /* why it ends has been noted */
	bool misnamed;       /* the peer's header was for others */
	bool direct;         /* TLS began with the first byte */
	bool refused;        /* they do not take our certificate */
	bool at_dane;        /* its certificate is not what signed records say */
	bool ready;          /* questions may go out */
	bool bidi;           /* stanzas may come back (XEP-0288), when it is up: */
	struct s2s_pair back; /* these, as local and domain are; */
	struct s2s_sm_in *counts; /* and their number; NULL: they have none */
	struct stream_talk *talk; /* or NULL */
	uint64_t judged_of;   /* serial of the snapshot that permits them */
};

static inline struct s2s_out *
s2s_out_of(struct stream *x)
{
	return CONTAINER_OF(x, struct s2s_out, x);
}

/* --- s2s_way.c ------------------------------------------------------------------ */

/* a is answered as remote_verified() has it, and gone. */
void s2s_way_answer(struct way_asks *list, struct way_ask *a, enum err_code code,
	const char *why);
/* What was asked in a stream that is no more is yet to be asked. */
void s2s_way_ask_again(struct s2s_way *w);
/* There is none, as its pair is told; w is freed. */
void s2s_way_down(struct s2s_way *w, enum remote_failed what, const char *why);
/* o has authenticated: it is the link of its pair from now on. */
void s2s_way_up(struct s2s_out *o);
/* o has ended; it knows no way any more. */
void s2s_way_ended(struct s2s_out *o);
/* The step of the way that it is at, see remote_step(). */
const char *s2s_out_step(const struct s2s_out *o);

/* --- s2s_connect.c ------------------------------------------------------------ */

/* Begins in the next turn; s2s_out_open(), or s2s_way_down(), follow. */
struct s2s_search *s2s_search_new(struct s2s_way *w);
void s2s_search_drop(struct s2s_search *s);
/* The stream that was opened has ended. */
void s2s_search_next(struct s2s_search *s);
const char *s2s_search_waits_for(struct s2s_search *s);
/* Why the stream that was opened last has ended, for an administrator. */
const char *s2s_search_why(const struct s2s_search *s);
/* See struct remote_streams. */
enum remote_failed s2s_search_late(const struct s2s_search *s);
/* Is there somebody else to try, when this stream fails? */
bool s2s_search_has_more(const struct s2s_search *s);
/* Was SASL refused where the way was before? */
bool s2s_search_skips_external(const struct s2s_search *s);
/* It is not tried any more; again: where the stream is, once more. */
void s2s_search_skip_external(struct s2s_search *s, bool again);
/* Why the stream o ends, for an administrator; the first counts. */
void s2s_search_blame(struct s2s_out *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The name that has led to the stream; "": none. */
const char *s2s_search_target(const struct s2s_search *s);

/* What they say of it; a reference of the search's, or NULL. */
struct tls_dane *s2s_search_dane(const struct s2s_search *s);

/* --- s2s_steps.c -------------------------------------------------------------- */

/* Where their servers are. */
void s2s_step_targets(struct remote_pair *p, const struct targets *t);
/* And those of some of them, in the order of trying. */
void s2s_step_addresses(struct remote_pair *p, const struct target *group,
	const struct target_addresses *a);
/* Of a stream of p, whose peer is called so. */
void s2s_step_connected(const struct s2s_out *o, struct remote_pair *p,
	const char *peer);
void s2s_step_tls(const struct s2s_out *o, struct remote_pair *p);
/* What makes it fail is noted with the failure; believed: nothing does. */
void s2s_step_certificate(struct remote_pair *p, const struct tls_judgement *j,
	bool believed);
/* EXTERNAL was. */
void s2s_step_refused(struct remote_pair *p);
void s2s_step_up(const struct s2s_out *o, struct remote_pair *p);
/* All that p has noted of o, which is its link; its certificate is judged anew. */
void s2s_steps_tell(const struct s2s_out *o, struct remote_pair *p);

/* --- s2s_dane.c --------------------------------------------------------------- */

/* The answer to dane_ask() (or NULL) about n targets from t, TARGETS_MAX at most: a
 * loses those that are not to be connected to, and why gets the reason; out[i] is what
 * the certificate of t[i] is to be judged by, a reference of the caller's, or NULL. */
void s2s_dane_take(struct remote_pair *p, const struct dns_question *q,
	const struct target *t, size_t n, struct target_addresses *a,
	enum dns_trust trust, struct tls_dane **out, char why[S2S_WHY_SIZE]);

/* --- s2s_out.c ---------------------------------------------------------------- */

/* On a connection (taken) to the remote domain; direct: TLS from the first byte.
 * w->stream is set; it may have ended when this returns. */
void s2s_out_open(struct s2s_way *w, struct conn *conn, bool direct);
/* Ends o: why is for us, text for the peer. */
void s2s_out_end(struct s2s_out *o, enum stream_cond cond, const char *text,
	const char *why);

extern const struct link_stream s2s_link_stream;

/* It is up: its deadline is that of the next look whether the peer has heard anything. */
void s2s_out_watch_idle(struct s2s_out *o);
/* It has authenticated, by what that says. */
void s2s_out_up(struct s2s_out *o, const char *by);

/* --- s2s_out_sm.c ---------------------------------------------------------------- */

/* What they offer. */
void s2s_out_sm_read(struct s2s_out *o, const struct elem *features);
/* o is l, which has not written anything yet, and does from now on, or soon. */
void s2s_out_sm_up(struct s2s_out *o, struct link *l);
/* Rows of s2s_out.c. */
enum hook_result s2s_out_on_sm_enabled(struct module_ctx *m, struct element *el);
enum hook_result s2s_out_on_sm_resumed(struct module_ctx *m, struct element *el);
enum hook_result s2s_out_on_sm_failed(struct module_ctx *m, struct element *el);
enum hook_result s2s_out_on_sm_a(struct module_ctx *m, struct element *el);
enum hook_result s2s_out_on_sm_r(struct module_ctx *m, struct element *el);

/* --- s2s_out_auth.c ------------------------------------------------------------ */

/* Features have come, under TLS. */
void s2s_out_authenticate(struct s2s_out *o, struct arena *a,
	const struct elem *features);
/* False: it has ended, for the peer's certificate is not worth what the policy in force
 * demands. */
bool s2s_out_judge(struct s2s_out *o);
/* What o waits for, in words. */
const char *s2s_out_waits_for(const struct s2s_out *o);
/* What their certificate is worth, for an administrator. */
void s2s_out_judge_peer(const struct s2s_out *o, struct tls_judgement *out);
/* All that waits to be asked is asked. */
void s2s_out_ask(struct s2s_out *o);
/* Rows of s2s_out.c. */
enum hook_result s2s_out_on_success(struct module_ctx *m, struct element *el);
enum hook_result s2s_out_on_failure(struct module_ctx *m, struct element *el);
enum hook_result s2s_out_on_challenge(struct module_ctx *m, struct element *el);
enum hook_result s2s_out_on_result(struct module_ctx *m, struct element *el);
enum hook_result s2s_out_on_verify(struct module_ctx *m, struct element *el);

#endif
