/*
 * stream.h - an XML stream over a connection (RFC 6120 §4): what all of them do,
 * whoever is at the other side.
 *
 * Owner shard, as all of this folder.  A kind of stream, such as that of a
 * client, begins its own struct with a struct stream, and says by a table of
 * functions what it does in its own way.
 *
 *   accepted --stream_open()-------------> HEADER
 *   accepted --stream_tls_direct()-------> HANDSHAKE --> HEADER
 *   HEADER --their header, then ours-----> OPEN
 *   OPEN   --stream_tls_start()----------> HANDSHAKE --> HEADER
 *   OPEN   --stream_restart()------------> HEADER
 *   OPEN   --its kind says so------------> BOUND
 *   any    --stream_end(), stream_cut()--> CLOSED --its connection ends--> freed
 *
 * One that we open to somebody (initiated) goes the same way, but that our header
 * goes out whenever it comes to HEADER, and theirs makes it OPEN:
 *
 *   connected --stream_open_to()--> HEADER, or HANDSHAKE --> HEADER
 *   OPEN   --next, <proceed/>-----> HANDSHAKE --> HEADER
 *
 * Invariants: nothing is written before our header nor behind its end; the
 * parser is never given back while it is on the stack (feeding).
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uthash.h>

#include "base/buf.h"
#include "base/crowd.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/timer.h"
#include "xml/parser.h"
#include "xmpp/error.h"
#include "conf/listen_kind.h"
#include "core/place.h"
#include "core/shard.h"

struct arena;
struct conn;
struct elem;
struct element;
struct element_handler;
struct stanza;
struct stream;
struct stream_talk;
struct throttle;
struct visitors;
struct wire;

/* XEP-0368 §3, for clients, and for servers. */
#define STREAM_ALPN_CLIENT "xmpp-client"
#define STREAM_ALPN_SERVER "xmpp-server"

enum stream_stage {
	STAGE_HANDSHAKE, /* TLS is being agreed on */
	STAGE_HEADER,    /* the peer has to open a stream */
	STAGE_OPEN,      /* features were sent, or are about to come */
	STAGE_BOUND,     /* stanzas come and go */
	STAGE_CLOSED,    /* all is said; waits for the end of the connection */
};

/* Why nothing is read, for now: each reason goes by itself. */
enum stream_rest {
	REST_HOLD = 1 << 0,   /* until something is done: stream_hold() */
	REST_RATE = 1 << 1,   /* until resume_us */
	REST_READER = 1 << 2, /* until who takes its stanzas says so */
	REST_MOVE = 1 << 3,   /* until what was asked is answered; then it moves */
	REST_STOP = 1 << 4,   /* for good: the server stops */
	REST_TALK = 1 << 5,   /* until stanzas of stream_talk() are dealt with */
};
/* With these, what was read already is kept, and not handled. */
#define REST_KEEPS (REST_HOLD | REST_MOVE)

/* What an element asked for that cannot be done while its parser runs. */
enum stream_next { NEXT_NONE, NEXT_TLS, NEXT_RESTART, NEXT_MOVE };

/* How a stream lies in its bytes: an index of framings, see framing.h. */
enum framing_id { FRAMING_TCP };

/* What the header of the peer says, and what ours will. */
struct stream_header {
	struct arena *arena; /* in which the rest may lie */
	struct str to;   /* as it came; STR_NONE: not there */
	struct str from; /* the same */
	struct str given; /* the id, which is for those who have opened it */
	bool versioned;
	enum stream_cond cond; /* STREAM_COND_NONE: nothing is wrong */
	const char *text;
	/* For ours: */
	struct str host; /* prepared; STR_NONE: none of ours */
	struct str peer; /* as the peer may be called; STR_NONE: not at all */
	char id[RAND_ID_SIZE]; /* set when ours is written; "": initiated */
};

/* What a stream may send for long, and at once; more is read more slowly. */
struct stream_rates {
	uint64_t bytes, bytes_burst;     /* a second */
	uint64_t stanzas, stanzas_burst;
};

/* What a kind of stream does in its own way. */
struct stream_kind {
	struct str ns;    /* of its stanzas */
	const char *alpn; /* XEP-0368 §3 */
	bool may_go_elsewhere; /* to another server, when it is told to */
	bool no_version; /* headers have none (XEP-0114 §3) */
	bool of_servers; /* the peer is one, and may show its certificate */
	bool silent; /* ends without a word, in whatever protocol that would be */
	/* Namespaces that our header declares beside those of all, as they are
	 * written, with a blank before each; NULL: none. */
	const char *declares;
	/* As log_who. */
	void (*describe)(const void *x, char *out, size_t n);
	void (*log_end)(const struct stream *x, const char *what,
		const char *why);
	/* The domain of ours that x is for, whether we still serve it or not;
	 * STR_NONE: none was named yet. */
	struct str (*domain)(const struct stream *x);
	/* The same in this turn's snapshot, or NULL. */
	struct host *(*host)(const struct stream *x);
	/* Of an initiated one: the domain that it is to (prepared). */
	const char *(*peer)(const struct stream *x);
	/* The peer has sent its header: sets what ours will say if it is yet to
	 * come, or what is wrong (stream_header_refuse()). */
	void (*judge)(struct stream *x, struct stream_header *h);
	/* Both have been sent, and nothing was wrong with theirs (borrowed). */
	void (*opened)(struct stream *x, const struct stream_header *h);
	/* Its rates; NULL: those of clients. */
	struct stream_rates (*rates)(const struct stream *x);
	/* A whole element, while x is open or bound: e in a, which is taken. */
	void (*element)(struct stream *x, struct arena *a, struct elem *e);
	/* Those that are no stanzas, and that it handles itself, with no struct
	 * module_ctx; ends with { .fn = NULL }. */
	const struct element_handler *elements;
	/* Sets what the handler of an element is to know of x: stage, account,
	 * session.  False: modules are to keep out. */
	bool (*about)(const struct stream *x, struct element *out);
	/* It has come to another shard, where it will go on. */
	void (*moved)(struct stream *x);
	/* Another snapshot is in force; may end x.  Or NULL. */
	void (*reloaded)(struct stream *x);
	/* Much is written; refused: and the kernel does not take all of it. */
	void (*full)(struct stream *x, bool refused);
	/* It has taken all, after it had refused some. */
	void (*drained)(struct stream *x);
	/* When something of its own is due, and that is done. */
	int64_t (*due)(const struct stream *x);
	void (*do_due)(struct stream *x);
	/* x ends, by a goodbye of either side or an error: what is written now goes
	 * before that.  Or NULL. */
	void (*last)(struct stream *x);
	/* The peer has said goodbye.  True: x is held, and ends when its kind says
	 * so; false, or no such function: now. */
	bool (*leaves)(struct stream *x);
	/* x has ended, by a goodbye of either side, or it broke: nobody else is
	 * to write to it. */
	void (*ended)(struct stream *x, bool goodbye);
	/* The connection is gone; x is freed after this. */
	void (*closed)(struct stream *x);
};

/* What a stream has only while somebody may have to find it again: from the
 * beginning until it is bound, and later while it is held. */
struct stream_wait {
	UT_hash_handle hh; /* by token, of the shard */
	struct stream *stream;
	uint64_t token;
	struct place to;  /* with NEXT_RESTART and NEXT_MOVE */
	struct buf input; /* came while it was held */
	unsigned asked;   /* answers that come to this token, stream_asks() */
	uint32_t drained; /* as of the shard that it has left */
	struct crowd_member stranger; /* until it has authenticated */
};

struct stream {
	uint32_t tag;
	uint8_t stage : 4; /* enum stream_stage */
	uint8_t next : 4;  /* enum stream_next */
	uint8_t rest;      /* enum stream_rest, or-ed: nothing is read */
	uint8_t framing;   /* enum framing_id */
	uint8_t method;    /* how it has authenticated; its kind's own number */
	bool feeding : 1;  /* its parser is on the stack */
	bool headed : 1;   /* our header was sent */
	bool authenticated : 1;
	bool pinged : 1;   /* asked for a sign of life, at seen_us */
	bool counted : 1;  /* among the connections */
	bool hasty : 1;    /* its end waits for nobody */
	bool lost : 1;     /* a session was to go on in it, and could not */
	bool failed : 1;   /* we have ended it with an error */
	bool leaving : 1;  /* the peer has said goodbye, and waits for ours */
	bool initiated : 1; /* by us: our header comes first */
	uint32_t parser_bytes; /* counted in the share of the connection */
	const struct stream_kind *kind;
	TAILQ_ENTRY(stream) link; /* of the shard's */
	struct shard *shard;
	struct conn *conn;
	struct xml_parser *parser; /* NULL at rest */
	struct stream_wait *wait;  /* or NULL */
	char *lang;                /* RFC 6120 §4.7.4; NULL: not said */
	struct timer timer;        /* the one of all that may be due */
	int64_t seen_us;           /* the last bytes came, or the ping went */
	int64_t resume_us;         /* with REST_RATE */
	int64_t bytes_us;          /* when what came so far would have been */
	int64_t elements_us;       /* due at the permitted rate */
};

TAILQ_HEAD(stream_list, stream);

/* Of one shard. */
struct stream_shard {
	struct stream_list streams; /* of all kinds */
	struct stream_wait *waits;  /* uthash by token */
	uint64_t last_token;
	uint64_t limits_of; /* serial of the snapshot */
	struct xml_limits before; /* authentication */
	struct xml_limits after;
	struct log_limit refused;
	struct log_limit unread;
	struct log_limit broken; /* TLS */
	bool closing;
	enum stream_cond closing_cond;
	uint32_t drained; /* how often all were sent elsewhere */
	char *elsewhere;  /* the last time; NULL: never */
	void *client; /* of streams of clients */
	void (*client_free)(void *client);
	void *servers; /* of streams that servers open */
	void (*servers_free)(void *servers);
};

/* Of the server; any thread. */
struct stream_server {
	struct crowd *strangers;   /* by address */
	struct throttle *failures; /* of addresses, accounts, components */
	struct visitors *known;    /* accounts, and addresses they have used */
	uint8_t secret[32];        /* of this process: for keys of dialback */
	bool closing;              /* shard 0's: all are sent away for good */
};

/* --- stream.c: life ------------------------------------------------------- */

struct stream_shard *stream_shard(struct shard *sh);
/* x, zeroed, from xcalloc() and freed with the connection, becomes a stream on
 * conn (taken).  The caller sets what is its kind's own, and calls stream_arm(). */
void stream_open(struct stream *x, const struct stream_kind *kind,
	struct shard *sh, struct conn *conn);
/* The same on a connection that we have made; what is its kind's own is set, and
 * stream_count_in() comes after it.  direct: all is said under TLS, else our header
 * goes out.  It may have ended when this returns. */
void stream_open_to(struct stream *x, const struct stream_kind *kind,
	struct shard *sh, struct conn *conn, bool direct);
struct log_who stream_who(const struct stream *x);
/* The peer has shown who it is: other limits are in force. */
void stream_authenticated(struct stream *x);
/* Stanzas come and go from now on. */
void stream_bound(struct stream *x);
/* Sets the timer for what is due first. */
void stream_arm(struct stream *x);

/* It has given a sign of life. */
static inline void
stream_seen(struct stream *x)
{
	x->seen_us = x->shard->now_us;
	x->pinged = false;
}

/* --- stream_count.c: who may come ----------------------------------------- */

/* False: refused, by one of the bounds on connections.  Else it is a stranger, if it
 * has come to us. */
bool stream_count_in(struct stream *x);
void stream_count_out(struct stream *x);
/* A stranger has come to another shard. */
void stream_count_moved(struct stream *x);
/* It is no stranger any more. */
void stream_count_known(struct stream *x);

/* --- stream_read.c: resting ----------------------------------------------- */

/* Nothing more is read of x until no reason to rest is left.  What was read
 * already may still be handled: one piece, as large as the network's. */
void stream_rest(struct stream *x, enum stream_rest why);
void stream_go_on(struct stream *x, enum stream_rest why);
/* The same for REST_RATE, which goes at that time. */
void stream_rest_until(struct stream *x, int64_t us);
/* Nothing more is read of x until stream_release(); bytes are kept. */
void stream_hold(struct stream *x);
/* False when x has moved to another shard, and must not be touched. */
bool stream_release(struct stream *x);
/* The hold is over, but who calls has yet to say what comes of it: another one,
 * or stream_release(). */
static inline void
stream_unhold(struct stream *x)
{
	x->rest &= (uint8_t)~REST_HOLD;
}
/* An answer will come to its token, and has come: until then x does not move. */
void stream_asks(struct stream *x);
void stream_answered(struct stream *x);
/* Behind the element that is being handled, who has opened the stream opens a new one
 * (RFC 6120 §4.3.3), which is read at to. */
void stream_restart(struct stream *x, struct place to);
/* Behind the element that is being handled, or once it is held no more, x goes on
 * at to: with what was sent ahead, what its header declared, TLS, rests, rates and
 * times.  False when it does not: it is bound, or at its end. */
bool stream_move(struct stream *x, struct place to);

/* --- stream_move.c: found again ------------------------------------------- */

/* By its token; NULL when it has gone, or is closed. */
struct stream *stream_find(struct shard *sh, uint64_t token);
/* To be found by, on this shard; x waits, see struct stream_wait. */
static inline uint64_t
stream_token(const struct stream *x)
{
	return x->wait->token;
}

/* --- stream_element.c ----------------------------------------------------- */

/* e (borrowed) in a is no stanza.  False when nobody handles it. */
bool stream_handle(struct stream *x, struct arena *a, struct elem *e);

/* --- stream_rate.c --------------------------------------------------------- */

/* Something of the peer's has been sent on its way: x rests if a shard, or the
 * store, has too much to do, or who has this hash too large a share of the memory. */
void stream_give_way(struct stream *x, uint64_t hash);

/* --- stream_talk.c --------------------------------------------------------- */

/* st, which nobody counts, has come by x: if it is said to all in a room, or the like,
 * x rests while too much of that waits (core/entity_line.h).  *talk_io is the kind's own,
 * made when need be. */
void stream_talk(struct stream *x, struct stream_talk **talk_io,
	struct stanza *st);
/* x has ended.  Copes with NULL. */
void stream_talk_free(struct stream_talk *t);

/* --- stream_header.c: how a stream begins --------------------------------- */

/* The first thing that is wrong counts. */
void stream_header_refuse(struct stream_header *h, enum stream_cond cond,
	const char *text);
/* §4.7.4: e, a stanza in a that has come by x, is in the language of its header if
 * it says nothing else. */
void stream_stamp_lang(const struct stream *x, struct arena *a,
	struct elem *e);

/* --- stream_recognise.c: before there is one -------------------------------- */

/* Is what begins so a stream whose stanzas are of ns?  Who takes it for that judges it
 * again. */
enum listen_verdict stream_recognise(struct str ns, struct str in);

/* --- stream_write.c: bytes out -------------------------------------------- */

/* Writes e, which stands in the stream. */
void stream_write(struct stream *x, const struct elem *e);
/* Writes st, whose namespace is that of the stream there. */
void stream_write_stanza(struct stream *x, const struct stanza *st);
/* The same if it is not longer than max bytes (0: any); false: nothing is written. */
bool stream_write_stanza_within(struct stream *x, const struct stanza *st,
	size_t max);
void stream_write_wire(struct stream *x, const struct wire *w, struct str to);
bool stream_write_wire_within(struct stream *x, const struct wire *w,
	struct str to, size_t max);
/* The same of an element that is serialised, with its namespace. */
void stream_write_bytes(struct stream *x, struct str bytes);

/* Error (cond STREAM_COND_NONE: without), and the end.  text is for people, and
 * may be NULL.  Does nothing for a closed stream. */
void stream_end(struct stream *x, enum stream_cond cond, const char *text);
/* The same with a condition that has a content: see-other-host. */
void stream_end_with(struct stream *x, enum stream_cond cond,
	struct str content, const char *text);
/* The same with a condition of an application (RFC 6120 §4.9.4), app (borrowed). */
void stream_end_app(struct stream *x, enum stream_cond cond,
	const struct elem *app, const char *text);
/* Ends x without a word, at the end of the turn; queued is for the log. */
void stream_cut(struct stream *x, const char *why, size_t queued);
/* Ends x without an end tag, behind what was written; nor is TLS closed.  Its kind
 * is not told. */
void stream_leave_open(struct stream *x);

/* --- stream_tls.c --------------------------------------------------------- */

/* All that is said is said under TLS. */
void stream_tls_direct(struct stream *x);

#endif
