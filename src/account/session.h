/*
 * session.h - one bound resource of an account (RFC 6120 §7, RFC 6121 §4).
 *
 * Owner shard of the account.  A session can outlive its stream: it is asleep
 * then, until another one stands behind it (session.c draws its states).
 * Between the two is a narrow seam: stanza in, wire out, bound, lost, attached,
 * closed.  Other kinds of stream stand behind the same seam.
 */
#ifndef ACCOUNT_SESSION_H
#define ACCOUNT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/str.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"
#include "account/account.h"
#include "account/session_presence.h"

struct elem;
struct module_ctx;
struct requests;
struct session_out;
struct slot;
struct stanza;
struct wire;

/* What a session asks of its stream. */
struct session_stream {
	/* It stands behind s from now on, though it has not bound it; false: it
	 * may not, any more, and ends by itself. */
	bool (*attach)(void *stream, struct session *s);
	/* Writes st (borrowed) to the client. */
	void (*write)(void *stream, const struct stanza *st);
	/* Writes w (borrowed) with the address spliced in. */
	void (*write_wire)(void *stream, const struct wire *w, struct str to);
	/* Writes e (borrowed), which is no stanza. */
	void (*write_element)(void *stream, const struct elem *e);
	/* Closes it; the stream has forgotten the session, and makes no more
	 * call. */
	void (*close)(void *stream, enum stream_cond cond, const char *text);
	/* For the log and for lists: "tls", "cipher", "peer", "mechanism"; NULL
	 * when there is no such thing. */
	const char *(*describe)(void *stream, const char *what);
	/* Bytes that the kernel has yet to take; NULL: the stream does not
	 * know. */
	size_t (*queued)(void *stream);
	/* Bytes that the client has taken since the stream began; with
	 * queued. */
	uint64_t (*taken)(void *stream);
	/* Bytes that it has yet to take, those too that the kernel has; with
	 * queued. */
	size_t (*untaken)(void *stream);
	/* When something came from the client, monotonic; now, while nothing is
	 * read.  NULL: the stream does not know. */
	int64_t (*heard_us)(void *stream);
	/* Ends it without a word, at the end of the turn: session_lost() follows,
	 * without a goodbye.  why is for the log. */
	void (*cut)(void *stream, const char *why);
	/* The server stops: writes what there is, and ends it without an end, so
	 * that the client takes its connection for broken, and resumes; the stream
	 * has forgotten the session, and makes no more call.  NULL: it cannot. */
	void (*leave)(void *stream);
	/* More of what has come is dealt with, see session_count_input(); the
	 * session may end.  May be NULL. */
	void (*counted)(void *stream);
	/* Takes nothing more from the client, or goes on with it; what was read
	 * already may still come, a piece of some kilobytes.  NULL: it cannot.
	 * Never called twice with the same. */
	void (*rest)(void *stream, bool rests);
	/* As entity_class.warm, for write(): two steps.  May be NULL. */
	void (*warm)(const void *stream, unsigned step);
};

/* Drawn in session.c. */
enum session_state {
	SESSION_ATTACHED, /* a stream stands behind it */
	SESSION_ASLEEP,   /* none does; what it is sent waits, as when it is full */
	SESSION_HELD,     /* the same, but none will: it ends when its account is
			   * held no more */
	SESSION_ENDING,   /* it ends now */
};

/* Why its stream rests, for now: each reason goes by itself. */
enum session_rest {
	SESSION_REST_OWN = 1 << 0,    /* too much waits, see requests.h: what */
	SESSION_REST_OTHERS = 1 << 1, /* it asks its account, or others */
	SESSION_REST_READER = 1 << 2, /* whom it writes to reads slowly */
	SESSION_REST_LINE = 1 << 3,   /* too much waits in account_line.h */
	SESSION_REST_RECEIPTS = 1 << 4, /* too many are out, see
					 * session_count_input() */
};

struct session {
	struct session *next; /* of the account */
	struct account *account;
	const struct session_stream *ops; /* NULL while it has no stream */
	void *stream;
	struct session_presence *presence; /* the last that was broadcast;
					    * NULL: not available */
	struct slot *slots; /* what modules keep with it */
	struct requests *requests; /* NULL: none is under way */
	struct session_out *out; /* NULL: the client keeps up */
	int64_t presence_us;   /* when presence came, wall clock */
	int64_t bound_us;      /* wall clock */
	uint32_t id;           /* for the log */
	uint16_t jid_len;      /* of the full address */
	int8_t priority;
	bool interested : 1;   /* asked for the roster (RFC 6121 §2.2) */
	bool copied : 1;       /* wants copies, see HOOK_ACCOUNT_COPY */
	bool full : 1;         /* what is written waits in out */
	bool counts : 1;       /* what comes, see session_count_input() */
	bool again : 1;        /* its client may send what it has sent in another one;
				* until RECENT_US after the account's last was bound */
	bool left : 1;         /* it ends, and nobody will come back for it: its
				* client has said goodbye, or is none any more */
	bool lost : 1;         /* it ends, and its client has not said a word */
	bool invisible : 1;    /* see session_set_invisible() */
	bool probes : 1;       /* with invisible: asks contacts for theirs all the
				* same */
	uint8_t state : 2;     /* enum session_state */
	uint8_t rest : 5;      /* enum session_rest, or-ed */
	char bytes[];          /* the full address, and a NUL */
};

/* Argument of HOOK_SESSION_SEND and HOOK_SESSION_DELIVER. */
struct session_stanza {
	struct account *account;
	struct session *session; /* SEND: NULL: a component sends a message as the
				  * account (XEP-0356) */
	struct stanza *st;
	struct line_tx with; /* SEND: see session_stanza_tx() */
	struct str archived; /* SEND: its id in the archive of who sends it, in
			      * the arena of st; STR_NONE: it has none */
	bool known;  /* SEND: it was sent again, and is there already: those who
		      * want copies have seen it */
	bool before; /* SEND: st waits in line until what was added is durable,
		      * unless a handler takes it */
};

/* Argument of HOOK_SESSION_ROOM_SAYS. */
struct session_room_says {
	struct session *session;
	const struct stanza *st; /* groupchat */
	bool known; /* somebody knows as whom it is in that room, */
	bool named; /* and that st is for it more than for all (mention.h) */
};

/* Argument of HOOK_SESSION_LOST. */
struct session_loss {
	struct session *session;
	int64_t sleep_us; /* how long it may sleep, when the handler says so */
	bool asks; /* its stream is there yet: nothing is to be done */
};

/* Argument of HOOK_SESSION_BACK. */
struct session_back {
	struct session *session;
	struct jid to; /* borrowed */
};

/* Argument of HOOK_SESSION_HIDDEN. */
struct session_hidden {
	struct session *session;
	bool shown; /* it was not invisible before: whoever sees it has to hear that
		     * it is not available */
	bool probe; /* it is available, and its contacts are to be probed */
	struct jid from; /* set: nothing but that he (bare) is not to see it any more,
			  * if he does because presence was sent to him */
};

/* Argument of HOOK_SESSION_TAKEN. */
struct session_taken {
	struct session *session;
	const int64_t *kept; /* as they were written */
	size_t n;
};

/* Argument of HOOK_SESSION_READ. */
struct session_read {
	struct session *session;
	uint64_t number; /* 0: none */
};

/* --- for streams, owner shard ------------------------------------------------- */

/*
 * Binds a resource (prepared; STR_NONE: ours to choose), by the conflict policy
 * of the configuration (RFC 6120 §7.7.2.2).  The session refers to stream until
 * session_lost() or ops->close().  NULL with *cond_out: conflict,
 * resource-constraint (too many sessions), not-allowed (a module refused).
 */
struct session *session_bind(struct account *acc, struct str resource,
	const struct session_stream *ops, void *stream,
	enum stanza_cond *cond_out);
/* For session_count(). */
void session_count_one(struct session *s);
/* A stanza has come from the client, whatever becomes of it: before
 * session_receive(), or whoever else answers it. */
static inline void
session_count(struct session *s)
{
	if (s->counts)
		session_count_one(s);
}
/*
 * The client sent st (taken): its from is checked and stamped (RFC 6120
 * §8.1.2.1), what it says in our name is taken out, and it goes to the hooks and
 * the router.  False when from is not
 * the session's own: st is freed, and the caller closes with invalid-from.
 */
bool session_receive(struct session *s, struct stanza *st);
/* The stream is gone.  After a goodbye of either side, or when no handler of
 * HOOK_SESSION_LOST wants s to sleep, s ends: presence unavailable is sent on its
 * behalf, and it is freed.  What waits for the client finds another place. */
void session_lost(struct session *s, bool goodbye);
/* The kernel has refused more than a little: until session_drained(), nothing is
 * written to the stream, and waits with the session.  May be called by write()
 * and write_wire(). */
void session_full(struct session *s);
/* The stream is empty again. */
void session_drained(struct session *s);
/* A client that does not keep up cannot answer what it has yet to read: has it
 * taken anything since this was asked last? */
bool session_takes_anything(struct session *s);
/*
 * The client has said goodbye, and nothing more comes.  True: all that it has sent is
 * dealt with, as far as s counts that, and the last word is said to it
 * (HOOK_SESSION_STOPPING).  False: s takes no messages any more, and does not sleep;
 * the stream asks again when ops->counted() says
 * that there is more, or does not wait any longer.
 */
bool session_leaves(struct session *s, bool waits);
/* Writes st (borrowed), in its turn: what the stream itself has to say. */
void session_write_own(struct session *s, struct stanza *st);

/* --- owner shard ------------------------------------------------------------ */

struct jid session_jid(const struct session *s);
struct str session_resource(const struct session *s);
struct shard *session_shard(const struct session *s);
/* In acc, by resource; NULL.  None that ends. */
struct session *session_find(const struct account *acc, struct str resource);
/* The same, but only the one with that id, not another that has its address since;
 * 0: nobody knows which it was. */
struct session *session_find_one(const struct account *acc, struct str resource,
	uint32_t id);

/* Of its stream; see struct session_stream.  NULL also when it has none. */
const char *session_describe_stream(const struct session *s, const char *what);

/* Nobody comes back for it. */
static inline bool
session_ends(const struct session *s)
{
	return s->state >= SESSION_HELD;
}

static inline bool
session_is_available(const struct session *s)
{
	return s->presence != NULL;
}

/* Is one of its sessions? */
bool account_is_available(const struct account *acc);

/*
 * From now on s is invisible (XEP-0186 §3.1): it is available, if it was not, takes
 * messages, and is shown what others show it; but nobody sees it, except whom its
 * client sends presence directly.  Whoever saw it hears that it is not available
 * (HOOK_SESSION_HIDDEN).  probes: it asks its contacts for their presence, now and
 * whenever it becomes available.  It stays so until it ends, or is visible.
 */
void session_set_invisible(struct session *s, bool probes);
/* s is visible: as before its initial presence, but for those who were sent presence
 * directly (§3.2). */
void session_set_visible(struct session *s);

/* Available, and others may know it: what is said of a session to anybody but its
 * own client rests on this. */
static inline bool
session_is_visible(const struct session *s)
{
	return s->presence != NULL && !s->invisible;
}

/* Is one of its sessions? */
bool account_is_visible(const struct account *acc);
/* Is one available that asks contacts for their presence? */
bool account_probes(const struct account *acc);

/* Available, and takes messages for the bare address. */
static inline bool
session_takes_messages(const struct session *s)
{
	return s->presence != NULL && s->priority >= 0 && !s->left;
}

/*
 * The client's presence is st now (borrowed; its from is stamped, it has no to),
 * or none any more (NULL).  Runs HOOK_SESSION_AVAILABLE, _MESSAGES and
 * _UNAVAILABLE as it changes; broadcasting is the caller's.
 */
void session_set_presence(struct session *s, const struct stanza *st,
	int8_t priority);

/* Writes st (borrowed) to the client, after HOOK_SESSION_DELIVER. */
void session_write(struct session *s, struct stanza *st);
/*
 * As account_stanza_tx(), for HOOK_SESSION_SEND.  The stanza is routed at once,
 * and what was added is asked to be stored at the same moment; when that fails,
 * it has gone out all the same, and the account is read anew.  But where a
 * handler has said `before', it goes out when that is durable, in order with all
 * else that the account sends, or is refused.
 */
struct store_tx *session_stanza_tx(struct session_stanza *out);
/* The same for a message to several sessions: *copy_io is what they share, NULL
 * until it has to wait for one of them, and is unref'd by the caller.  True when
 * the stream has got it. */
bool session_write_copy(struct session *s, struct stanza *st,
	struct wire **copy_io);
/* The same for text, a stanza of jabber:client that stored_write() has written,
 * byte for byte: it need not be read for this.  False, and nothing is written,
 * when somebody wants to look inside, or it would have to wait. */
bool session_write_stored(struct session *s, struct str text);
/*
 * As session_write(), to a session that keeps its output, of what the caller keeps
 * elsewhere until the client has it: under a number of his, kept, which is not 0.
 * HOOK_SESSION_TAKEN tells when it has, not if the session ends before: then it
 * finds no other place but where it is kept.  False: a handler has kept it back.
 */
bool session_write_kept(struct session *s, struct stanza *st, int64_t kept);
/* How many of those it has not acknowledged, none of one that ends; and their
 * numbers, in the order in which they were written. */
size_t session_kept(const struct session *s);
void session_kept_numbers(const struct session *s, int64_t *out);
/* The same for one that many receive; wire_io as in entity.h, to: the address
 * to show. */
void session_write_shared(struct session *s, struct stanza *st,
	struct wire **wire_io, struct str to);
/* The same for w, the copy of the message st (borrowed; its type and addresses are
 * enough).  False, and nothing is written, when somebody wants to look inside. */
bool session_write_forwarded(struct session *s, const struct stanza *st,
	struct wire *w);
/* Writes e (borrowed), which is no stanza, and ahead of stanzas that wait; nothing
 * while no stream stands behind s. */
void session_write_element(struct session *s, const struct elem *e);
/* Bytes that were written and wait for the client to take them. */
size_t session_queued(const struct session *s);
/* More than write_queue_bytes of what was written is kept: the client has to
 * acknowledge it first; see session_keep_output(). */
bool session_is_behind(const struct session *s);
/* The client does not keep up: who has much to write goes on when
 * HOOK_SESSION_DRAINED says that it has taken what there was. */
static inline bool
session_is_full(const struct session *s)
{
	return s->full || (s->out != NULL && session_is_behind(s));
}
/* The client is not read any more until no reason is left.  Either may be called
 * again and again. */
void session_rest(struct session *s, enum session_rest why);
void session_go_on(struct session *s, enum session_rest why);
/* Nobody looks at what s is sent, or somebody does again (XEP-0352 §4.2): see
 * session_quiet.h.  What was held is written at once.  While s sleeps it is quiet,
 * whatever is said. */
void session_set_quiet(struct session *s, bool quiet);
/* Closes its stream with an error, if it has one, and ends the session: s is
 * freed. */
void session_close(struct session *s, enum stream_cond cond, const char *text);
/* Ends its stream without a word, at the end of the turn, as if it broke.  why is
 * for the log. */
void session_cut(struct session *s, const char *why);
/* When something came from the client, monotonic; now, when that cannot be said. */
int64_t session_heard_us(const struct session *s);
/* Bytes that it has taken since its stream began; 0, when that cannot be said. */
uint64_t session_taken(const struct session *s);
/* Bytes that its stream has got and it has not taken; 0, the same. */
size_t session_untaken(const struct session *s);

/* --- for who resumes sessions, owner shard ------------------------------------ */

/*
 * The stream of s is gone: it sleeps, and ends when nobody has attached another
 * stream within for_us.  Meanwhile it is in its account as before: it is
 * available, takes messages, and counts.  What is written to it waits, up to
 * write_queue_max_bytes, beyond which it ends; it is full, so that whoever has
 * much to write waits, too.
 */
void session_detach(struct session *s, int64_t for_us);
/* The same while a stream stands behind s, which is closed with an error.  by: the
 * module without which nobody finds s again, also after a restart; or NULL. */
void session_put_to_sleep(struct session *s, const struct module_ctx *by,
	enum stream_cond cond, const char *text, int64_t for_us);
/* Since when it sleeps, wall clock; 0: it does not. */
int64_t session_asleep_since(const struct session *s);
/* s, which sleeps, ends, as if its time was over; never from within the call. */
void session_end_soon(struct session *s);
/*
 * stream stands behind s from now on, until session_lost() or ops->close(); it
 * has been authenticated for the account, and has no session, or one that was
 * detached: struct element has both.  One that still stands there is closed with
 * conflict.  What the client has not acknowledged is written to it, and what waits,
 * in order: call session_acked() before, with what it says that it has got.
 * False, and s is as it was, when stream may not have it.
 */
bool session_attach(struct session *s, const struct session_stream *ops,
	void *stream);
/*
 * From now on every stanza that is written to s has a number, of 32 bits, the
 * first that comes is 1 (XEP-0198 §4), and stays until the client acknowledges
 * it, or the other way round.  What is kept and what waits counts below
 * write_queue_max_bytes, together.
 *
 * While more than write_queue_bytes is kept, the session is full, so that who has
 * much to write goes on at the pace at which it is acknowledged; what is written
 * all the same is kept, too.  So whoever keeps output asks the client for
 * acknowledgements long before, by number and by time, and ends the session of one
 * who gives none.  They come as elements, never as stanzas, which may wait for what
 * they would set free.  And a session that rests for what waits in its own lines
 * (SESSION_REST_OWN, _OTHERS, _LINE) is not full for what is kept: what it has not
 * acknowledged may stand in what is not read.
 *
 * Off: what is not acknowledged counts as taken, or, if s is asleep, waits.  A
 * module that has said on says off in its session_done, for it can go while s
 * stays (of a session that ends it does no harm), and nobody else would.
 */
void session_keep_output(struct session *s, bool on);
bool session_keeps_output(const struct session *s);
/* The client has got all up to the number h, which is not kept any more; if it is
 * not full from then on, HOOK_SESSION_DRAINED follows, never from within the call.
 * False, and nothing is done, when that was not written yet, or nothing is
 * kept. */
bool session_acked(struct session *s, uint32_t h);
/* How many were written that it has not acknowledged. */
uint32_t session_unacked(const struct session *s);
/* The number of the last that was written. */
uint32_t session_sent(const struct session *s);

/* What the client has yet to acknowledge: what was written, and while it sleeps,
 * all that waits for it. */
struct session_backlog {
	uint32_t stanzas;
	size_t bytes;
};

struct session_backlog session_backlog(const struct session *s);
/* Is there an error among that, or can there be? */
bool session_owes_error(const struct session *s);

/*
 * From now on every stanza that comes has a number, of 32 bits, the first that
 * comes is 1 (XEP-0198 §4); or none has any more.  Messages, requests that the
 * server answers, and subscriptions carry a receipt (core/receipt.h): they are
 * handled when they are durable, delivered, or refused; all else is so at once.
 * HOOK_SESSION_COUNTED follows at the end of a turn in which receipts have come
 * in.  When more than limits: receipts_per_session are out, the stream rests.
 */
void session_count_input(struct session *s, bool on);
/* HOOK_SESSION_COUNTED is run at the end of this turn, while s counts. */
void session_look_at_counts(struct session *s);
/* How many have come, and up to which number they are handled; 0 where nothing is
 * counted. */
uint32_t session_received(const struct session *s);
uint32_t session_handled(const struct session *s);

struct log_who session_who(const struct session *s);

#endif
