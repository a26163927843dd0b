/*
 * c2s_int.h - what the files of a client's stream share.
 *
 * Owner shard, but for c2s_server: fds and what was listened on are for shard 0,
 * and the rest for any thread.
 */
#ifndef STREAM_CLIENT_C2S_INT_H
#define STREAM_CLIENT_C2S_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uthash.h>

#include "base/buf.h"
#include "base/crowd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timer.h"
#include "base/vec.h"
#include "xml/parser.h"
#include "xmpp/error.h"
#include "xmpp/ns.h"
#include "conf/conf.h"
#include "core/shard.h"
#include "account/session.h"
#include "stream/sasl/sasl.h"

struct visitors;
struct arena;
struct conn;
struct elem;
struct stanza;
struct tally;
struct throttle;

#define C2S_TAG 0x63327374u /* "c2st" */
#define C2S_BINDINGS 3
/* Features that a shard keeps.  A host has three kinds of them, as a rule. */
#define C2S_FEATURES 64

enum c2s_stage {
	C2S_HANDSHAKE, /* TLS is being agreed on */
	C2S_HEADER,    /* the client has to open a stream */
	C2S_OPEN,      /* features were sent */
	C2S_BOUND,     /* there is a session */
	C2S_CLOSED,    /* all is said; waits for the end of the connection */
};

/* Why nothing is read, for now: each reason goes by itself. */
enum c2s_rest {
	C2S_REST_LOGIN = 1 << 0,   /* until something is done, c2s_hold() */
	C2S_REST_RATE = 1 << 1,    /* until resume_us */
	C2S_REST_SESSION = 1 << 2, /* until its session says so */
};

/* What an element asked for that cannot be done while its parser runs. */
enum c2s_next { NEXT_NONE, NEXT_TLS, NEXT_RESTART };

/* Features as they were sent, for all streams of which the rest is the same. */
struct c2s_features {
	uint64_t serial; /* of the snapshot; 0: the place is free */
	const struct host *host;
	uint32_t state;  /* features_state() */
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
	UT_hash_handle hh; /* by token, of the shard */
	struct c2s *stream;
	uint64_t token;
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
	struct buf input;      /* came while it rested for C2S_REST_LOGIN */
	unsigned failures;
	unsigned mismatches;   /* exchanges that ended before a guess */
	uint8_t answer;        /* enum sasl_cond, with answer_us */
	uint8_t tls;           /* enum listen_tls, of the listener */
	bool crowded_out;      /* by other strangers */
	struct crowd_member stranger; /* until it has authenticated */
};

struct c2s {
	uint32_t tag;
	uint8_t stage : 4; /* enum c2s_stage */
	uint8_t next : 4;  /* enum c2s_next */
	uint8_t rest;      /* enum c2s_rest, or-ed: nothing is read */
	uint8_t mech;      /* enum sasl_mech, once authenticated */
	bool feeding : 1;       /* its parser is on the stack */
	bool headed : 1;        /* our header was sent */
	bool authenticated : 1;
	bool pinged : 1;        /* asked for a sign of life, at seen_us */
	bool counted : 1;       /* among the connections */
	TAILQ_ENTRY(c2s) link;  /* of the shard's */
	struct shard *shard;
	struct conn *conn;
	struct xml_parser *parser; /* NULL at rest */
	uint32_t parser_bytes; /* of it, counted in the share of the account */
	struct session *session;   /* NULL until bound */
	struct c2s_login *login;   /* NULL from then on */
	char *lang;                /* RFC 6120 §4.7.4; NULL: not said */
	struct timer timer;        /* the one of all that c2s_due() lists */
	int64_t seen_us;           /* the last bytes came, or the ping went */
	int64_t resume_us;         /* with C2S_REST_RATE */
	int64_t bytes_us;          /* when what came so far would have been */
	int64_t stanzas_us;        /* due at the permitted rate */
};

TAILQ_HEAD(c2s_list, c2s);

struct listener;

/* Of one shard. */
struct c2s_shard {
	struct c2s_list streams;
	struct c2s_login *logins; /* uthash by token */
	uint64_t last_token;
	struct xml_limits before; /* authentication */
	struct xml_limits after;
	struct log_limit refused;
	struct log_limit failed;
	struct log_limit unread;
	struct log_limit broken; /* credentials, certificates */
	struct c2s_features features[C2S_FEATURES];
	struct c2s_looks *looks; /* uthash by host */
	struct buf unknown;      /* see c2s_unknown_text() */
	struct listener **listeners;
	struct c2s_accept *accepts; /* their arguments */
	size_t n_listeners;
	bool closing;
	enum stream_cond closing_cond;
};

/* Argument of a listener. */
struct c2s_accept {
	struct shard *shard;
	int tls; /* enum listen_tls */
};

/* Of the server. */
struct c2s_server {
	struct tally *tally;       /* KEY_ALL, addresses */
	struct crowd *strangers;   /* by address */
	struct throttle *failures; /* of addresses and accounts */
	struct visitors *known;    /* accounts, and addresses they have used */
	struct config *listened;   /* a reference: what was bound; or NULL */
	int *fds;                  /* listener by listener, shard by shard */
	unsigned n_shards;
};

/* --- c2s.c: life ---------------------------------------------------------- */

struct c2s_shard *c2s_shard(struct shard *sh);
/* A stream on conn (taken). */
void c2s_new(struct shard *sh, struct conn *conn, int tls);
/* By the token of its login; NULL when it has gone, or is closed. */
struct c2s *c2s_find(struct shard *sh, uint64_t token);
struct log_who c2s_who(const struct c2s *c);
/* Nothing more is read of c until no reason to rest is left.  What was read
 * already may still be handled: one piece, as large as the network's. */
void c2s_rest(struct c2s *c, enum c2s_rest why);
void c2s_go_on(struct c2s *c, enum c2s_rest why);
/* The same for C2S_REST_RATE, which goes at that time. */
void c2s_rest_until(struct c2s *c, int64_t us);
/* Nothing more is read of c until c2s_release(); bytes are kept. */
void c2s_hold(struct c2s *c);
/* False when c has moved to another shard, and must not be touched. */
bool c2s_release(struct c2s *c);
/* The host that the client has named; NULL: a reload has removed it. */
struct host *c2s_host(const struct c2s *c);
/* Sets the timer for what is due first. */
void c2s_arm(struct c2s *c);

/* --- c2s_header.c: how a stream begins and ends --------------------------- */

enum xml_verdict c2s_opened(void *arg, const struct elem *root,
	struct str content_ns);
/* Writes e, which stands in the stream. */
void c2s_write(struct c2s *c, const struct elem *e);
/* The same for a stanza, in its turn with those of the session. */
void c2s_write_stanza(struct c2s *c, struct stanza *st);
/* Error (cond STREAM_COND_NONE: without), end tag, end of the session.  text is
 * for people, and may be NULL.  Does nothing for a closed stream. */
void c2s_end(struct c2s *c, enum stream_cond cond, const char *text);
/* c2s_end with a condition that has a content: see-other-host. */
void c2s_end_with(struct c2s *c, enum stream_cond cond, struct str content,
	const char *text);
void c2s_fault(struct c2s *c, enum xml_fault fault);
void c2s_log_end(const struct c2s *c, const char *what, const char *why);

/* --- c2s_features.c ------------------------------------------------------- */

/* Sends them; ends the stream when there is nothing to offer. */
void c2s_features(struct c2s *c);
void c2s_features_free(struct c2s_shard *cs);
/* May the client log in as it is, or is TLS missing? */
bool c2s_may_log_in(const struct c2s *c);
bool c2s_offers_tls(const struct c2s *c);

/* --- c2s_tls.c ------------------------------------------------------------ */

/* rest (borrowed): the bytes that came behind <starttls/>. */
void c2s_tls_start(struct c2s *c, struct str rest);
void c2s_tls_direct(struct c2s *c);
void c2s_secured(void *arg);

/* --- c2s_auth.c ----------------------------------------------------------- */

void c2s_auth_init(struct c2s *c);
/* NULL is accepted. */
void c2s_auth_free(struct c2s_auth *auth);
/* Acts on the result of a step of sasl; out is what sasl has to say. */
void c2s_auth_go_on(struct c2s *c, enum sasl_result result,
	const struct buf *out);
/* The store, or a limit, keeps us from finding out. */
void c2s_auth_give_up(struct c2s *c);
/* An element in NS_SASL (borrowed); false when it is none of the client's. */
bool c2s_auth_element(struct c2s *c, const struct elem *e);
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
/* A bind or session iq on a stream that has a session; true: st was taken. */
bool c2s_bound_iq(struct c2s *c, struct stanza *st);

/* --- c2s_session.c -------------------------------------------------------- */

extern const struct session_stream c2s_session_stream;
/* a is taken, e lies in it and is a stanza. */
void c2s_bound_element(struct c2s *c, struct arena *a, struct elem *e);
/* Answers an element (borrowed) that stanza_from_elem() has refused. */
void c2s_refuse_elem(struct c2s *c, const struct elem *e,
	enum stanza_cond cond);

/* --- c2s_limits.c --------------------------------------------------------- */

/* False: refused, by one of the bounds on connections. */
bool c2s_count_in(struct c2s *c);
void c2s_count_out(struct c2s *c);
/* It is no stranger any more. */
void c2s_count_known(struct c2s *c);
void c2s_count_stanza(struct c2s *c);
/* n bytes were read: rests when there was too much. */
void c2s_count_bytes(struct c2s *c, size_t n);
void c2s_limits_set(struct shard *sh, struct c2s_shard *cs);
/* Something was written: the kernel is asked early when it is much, and a session
 * told when it refuses.  Who has none is cut off (hostile 12). */
void c2s_wrote(struct c2s *c);
/* Ends c without a word; on_conn_closed() ends the session. */
void c2s_cut(struct c2s *c, const char *why);
uint64_t c2s_streams_left(const struct server *srv);

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

/* --- c2s_ping.c ----------------------------------------------------------- */

int64_t c2s_ping_due(const struct c2s *c);
void c2s_ping(struct c2s *c);
/* It has given a sign of life. */
static inline void
c2s_seen(struct c2s *c)
{
	c->seen_us = c->shard->now_us;
	c->pinged = false;
}

/* --- c2s_listen.c --------------------------------------------------------- */


#endif
