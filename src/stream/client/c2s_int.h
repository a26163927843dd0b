/*
 * c2s_int.h - what the files of a client's stream share.
 *
 * Owner shard.
 */
#ifndef STREAM_CLIENT_C2S_INT_H
#define STREAM_CLIENT_C2S_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uthash.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timer.h"
#include "base/vec.h"
#include "xml/parser.h"
#include "xmpp/error.h"
#include "xmpp/ns.h"
#include "conf/conf.h"
#include "core/element.h"
#include "core/shard.h"
#include "account/session.h"
#include "stream/stream.h"
#include "stream/sasl/sasl.h"

struct arena;
struct conn;
struct elem;
struct stanza;

#define C2S_BINDINGS 3
/* Features that a shard keeps.  A host has three kinds of them, as a rule. */
#define C2S_FEATURES 64

/* Features as they were sent, for all streams of which the rest is the same. */
struct c2s_features {
	uint64_t serial; /* of the snapshot; 0: the place is free */
	const struct host *host;
	uint32_t state;  /* features_state() */
	uint32_t told;   /* shard.features_told */
	struct buf bytes;
};

/* One exchange after the other, on one pair of features.  Borrows nothing of
 * its stream but what channel bindings need. */
struct c2s_auth {
	struct sasl_offer offer;
	char *host;
	struct sasl *sasl; /* NULL between two exchanges */
	const char *bindings[C2S_BINDINGS];
	uint8_t binding_set; /* 1 << enum tls_binding, the same */
	struct VEC(struct str) addresses;
};

/* What only a stream without a session needs. */
struct c2s_login {
	uint64_t credentials;  /* mark of those that were shown; 0: none */
	int64_t deadline_us;
	int64_t answer_us;     /* a failure is kept back until then; 0: none */
	int64_t slowed_us;     /* credentials are looked up then; 0: at once */
	char *host;            /* pinned by the first header (hostile 25) */
	char *from;            /* bare, the same, with a local part; or NULL */
	char *account;         /* bare; NULL until authenticated */
	struct c2s_auth *auth; /* NULL but while mechanisms are offered, and
				* while the worker has it */
	struct stanza *bind;   /* the iq that waits for the account */
	unsigned failures;
	unsigned mismatches;   /* exchanges that ended before a guess */
	uint8_t answer;        /* enum sasl_cond, with answer_us */
	uint8_t tls;           /* enum listen_tls, of the listener */
};

/* x.method is an enum sasl_mech. */
struct c2s {
	struct stream x;
	struct session *session; /* NULL until bound */
	struct c2s_login *login; /* NULL from then on */
};

/* Of one shard. */
struct c2s_shard {
	struct log_limit failed;
	struct log_limit broken; /* credentials */
	struct c2s_features features[C2S_FEATURES];
	struct c2s_looks *looks; /* uthash by host */
	struct buf unknown;      /* see c2s_unknown_text() */
};

/* --- c2s.c: life ---------------------------------------------------------- */

struct c2s_shard *c2s_shard(struct shard *sh);
static inline struct c2s *
c2s_of(struct stream *x)
{
	return CONTAINER_OF(x, struct c2s, x);
}
/* By its token; NULL when it has gone, or is closed. */
struct c2s *c2s_find(struct shard *sh, uint64_t token);
/* The host that the client has named; NULL: a reload has removed it. */
struct host *c2s_host(const struct c2s *c);
/* s is its session from now on. */
void c2s_bound(struct c2s *c, struct session *s);

/* --- c2s_header.c, for struct stream_kind --------------------------------- */

struct str c2s_domain(const struct stream *x);
void c2s_judge(struct stream *x, struct stream_header *h);
void c2s_opened(struct stream *x, const struct stream_header *h);
void c2s_log_end(const struct stream *x, const char *what, const char *why);

/* --- c2s_timer.c, the same ------------------------------------------------ */

int64_t c2s_due(const struct stream *x);
void c2s_do_due(struct stream *x);

/* --- c2s_features.c ------------------------------------------------------- */

/* Sends them; ends the stream when there is nothing to offer. */
void c2s_features(struct c2s *c);
void c2s_features_free(struct c2s_shard *cs);
/* May the client log in as it is, or is TLS missing? */
bool c2s_may_log_in(const struct c2s *c);
bool c2s_offers_tls(const struct c2s *c);

/* --- c2s_auth.c ----------------------------------------------------------- */

void c2s_auth_init(struct c2s *c);
/* NULL is accepted. */
void c2s_auth_free(struct c2s_auth *auth);
/* Acts on the result of a step of sasl; out is what sasl has to say. */
void c2s_auth_go_on(struct c2s *c, enum sasl_result result,
	const struct buf *out);
/* The store, or a limit, keeps us from finding out. */
void c2s_auth_give_up(struct c2s *c);
/* Rows of c2s.c: elements of the exchange. */
enum hook_result c2s_on_auth(struct module_ctx *m, struct element *el);
enum hook_result c2s_on_response(struct module_ctx *m, struct element *el);
enum hook_result c2s_on_abort(struct module_ctx *m, struct element *el);
/* The failure that was kept back is due.  False when c has moved. */
bool c2s_auth_answer(struct c2s *c);
/* c has ended: what it has left unfinished counts. */
void c2s_auth_leave(struct c2s *c);

/* --- c2s_credentials.c ---------------------------------------------------- */

/* Holds c while it looks up what sasl needs, and goes on then. */
void c2s_credentials_find(struct c2s *c);
/* It was slowed, and is due. */
void c2s_credentials_due(struct c2s *c);
/* Has c failed too often from where it is, at the account that sasl names? */
bool c2s_credentials_throttled(struct c2s *c);

/* --- c2s_bind.c ----------------------------------------------------------- */

/* a is taken, e lies in it. */
void c2s_stranger_iq(struct c2s *c, struct arena *a, struct elem *e);
/* The same of a stanza. */
void c2s_unbound_element(struct c2s *c, struct arena *a, struct elem *e);
/* c has logged in, and is where its account is: while sessions of that wait in the
 * store, nothing is read, so that who wants to resume one finds it. */
void c2s_wait_for_sessions(struct c2s *c);
/* c has come to the shard of its account, maybe to bind there. */
void c2s_bind_moved(struct c2s *c);
/* May c, which has logged in, still have a session of acc?  False: it ends. */
bool c2s_may_take(struct c2s *c, struct account *acc);
/* A bind or session iq on a stream that has a session; true: st was taken. */
bool c2s_bound_iq(struct c2s *c, struct stanza *st);

/* --- c2s_session.c -------------------------------------------------------- */

extern const struct session_stream c2s_session_stream;
/* Writes st, in its turn with those of the session. */
void c2s_write_stanza(struct c2s *c, struct stanza *st);
/* a is taken, e lies in it and is a stanza. */
void c2s_bound_element(struct c2s *c, struct arena *a, struct elem *e);
/* Answers an element (borrowed) that stanza_from_elem() has refused. */
void c2s_refuse_elem(struct c2s *c, const struct elem *e,
	enum stanza_cond cond);

/* --- c2s_throttle.c: failed logins; account is bare ----------------------- */

/* Have there been so many from here that no more is judged? */
bool c2s_throttled(struct c2s *c, struct str account);
/* How long account is to wait before it is looked up; -1: it is refused. */
int64_t c2s_throttle_wait(struct c2s *c, struct str account);
void c2s_throttle_failure(struct c2s *c, struct str account);
/* From here on the address of c is known to account. */
void c2s_throttle_success(struct c2s *c, struct str account);

/* --- c2s_unknown.c -------------------------------------------------------- */

/* What SCRAM shows of an account to whoever asks. */
struct c2s_look {
	uint32_t iterations;
	uint32_t salt_bytes;
};

/* Are the looks in use at host at hand?  If not, then() is called when they
 * are. */
bool c2s_looks_loaded(struct shard *sh, struct str host,
	void (*then)(struct shard *sh, uint64_t token), uint64_t token);
/* An account of host looks so. */
void c2s_looks_meet(struct shard *sh, struct str host, struct c2s_look seen);
/* How account would look if it existed; iterations: where none does yet. */
struct c2s_look c2s_look_of(struct shard *sh, struct str host,
	struct str account, uint32_t iterations);
/* Text of credentials as an account has it, which fit nothing: to be read in
 * place of what is not there. */
struct str c2s_unknown_text(struct c2s_shard *cs);
void c2s_looks_free(struct c2s_shard *cs);

/* --- c2s_leave.c ----------------------------------------------------------- */

/* The client has said goodbye; see struct stream_kind. */
bool c2s_leaves(struct stream *x);
/* More of what it has sent is dealt with. */
void c2s_on_counted(void *stream);
/* Until when x, which leaves, waits for that. */
int64_t c2s_leave_due(const struct stream *x);
/* That time has come. */
void c2s_leave_now(struct c2s *c);

/* --- c2s_ping.c ----------------------------------------------------------- */

int64_t c2s_ping_due(const struct c2s *c);
void c2s_ping(struct c2s *c);

#endif
