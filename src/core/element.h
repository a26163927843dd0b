/*
 * element.h - elements of a stream that are no stanzas: found by (namespace, name,
 * stage of the stream) in a table, as requests are (iq.h).
 *
 * Shard of the stream.  Its host is the one that the client has named.  An element
 * that nobody takes ends the stream (RFC 6120 §4.9.3.24); where nobody has logged
 * in, with not-authorized.
 */
#ifndef CORE_ELEMENT_H
#define CORE_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "xmpp/error.h"
#include "core/hook.h"
#include "core/place.h"

struct arena;
struct elem;
struct element;
struct module_ctx;
struct session;
struct session_stream;
struct shard;

/* How far the client has come. */
enum element_stage {
	ELEMENT_STRANGER = 1,      /* it has not logged in, and could: where TLS
				    * is required, it is up */
	ELEMENT_AUTHENTICATED = 2, /* it has, and has no session; this is the
				    * shard of its account, as a rule */
	ELEMENT_BOUND = 4,         /* it has one */
};

/* What a stream does for who handles an element; see the functions below. */
struct element_stream {
	void (*write)(void *stream, const struct elem *e);
	void (*end)(void *stream, enum stream_cond cond, const char *text);
	void (*end_app)(void *stream, enum stream_cond cond,
		const struct elem *app, const char *text);
	bool (*move)(void *stream, struct place to);
	uint64_t (*keep)(void *stream);
	bool (*find)(struct shard *sh, uint64_t token, struct element *out);
	void (*go_on)(void *stream);
	void (*lose)(void *stream);
};

/* An element, or, after element_find(), the stream that it came in. */
struct element {
	struct shard *shard;
	struct host *host;       /* NULL, once found again: a reload removed it */
	struct session *session; /* NULL until bound */
	struct str account;      /* bare, until it is bound; STR_NONE: a stranger */
	enum element_stage stage;
	bool secure;             /* TLS is up */
	bool lost;               /* element_lose() was called before */
	struct elem *e;          /* lies in arena, both borrowed; NULL, once */
	struct arena *arena;     /* found again */
	void *stream;
	const struct element_stream *ops;
	/* What session_attach() wants with stream, at the shard of the account;
	 * NULL: not authenticated, or bound already. */
	const struct session_stream *session_ops;
};

/* HOOK_PASS: as if there were no handler. */
typedef enum hook_result (*element_fn)(struct module_ctx *m, struct element *el);

/* One row of a module's table, which ends with { .fn = NULL }. */
struct element_handler {
	unsigned stages; /* enum element_stage, or-ed */
	const char *ns;
	const char *name;
	element_fn fn;
};

/* Finds a stream again, on its shard. */
struct element_later {
	struct shard *shard;
	uint64_t token;
	const struct element_stream *ops;
};

/* --- for handlers ------------------------------------------------------------ */

/* Writes e (borrowed), behind all that was written; but ahead of stanzas that wait
 * because the client does not keep up. */
static inline void
element_write(struct element *el, const struct elem *e)
{
	el->ops->write(el->stream, e);
}

/* Ends the stream with an error (STREAM_COND_NONE: without).  text is for people,
 * and may be NULL. */
static inline void
element_end(struct element *el, enum stream_cond cond, const char *text)
{
	el->ops->end(el->stream, cond, text);
}

/* The same with a condition of an application (RFC 6120 §4.9.4): app, borrowed. */
static inline void
element_end_app(struct element *el, enum stream_cond cond,
	const struct elem *app, const char *text)
{
	el->ops->end_app(el->stream, cond, app, text);
}

/*
 * Behind this element the stream goes on at to, with all that was sent ahead; if
 * it is kept, when it reads on.  False when it has a session, and stays.
 */
static inline bool
element_move(struct element *el, struct place to)
{
	return el->ops->move(el->stream, to);
}

/*
 * The answer comes later: nothing more is read of the stream until
 * element_go_on(), which whoever finds it again has to call.  The handler answers
 * HOOK_HANDLED.
 */
static inline struct element_later
element_keep(struct element *el)
{
	return (struct element_later){ el->shard, el->ops->keep(el->stream),
		el->ops };
}

/* False when the stream has ended meanwhile. */
static inline bool
element_find(const struct element_later *later, struct element *out)
{
	return later->ops->find(later->shard, later->token, out);
}

/* Its client has lost a session that was to go on in this stream, and what it sends
 * now it may have sent there. */
static inline void
element_lose(struct element *el)
{
	el->ops->lose(el->stream);
}

/* Reads on; el is not valid any more. */
static inline void
element_go_on(struct element *el)
{
	el->ops->go_on(el->stream);
}

#endif
