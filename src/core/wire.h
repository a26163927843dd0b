/*
 * wire.h - a stanza as bytes, serialised once and shared by many recipients,
 * with only the address spliced in for each.
 *
 * Owner shard: the count is not atomic, a wire never crosses a mailbox.
 */
#ifndef CORE_WIRE_H
#define CORE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct share;
struct stanza;
struct xml_pool;

struct wire {
	struct share *share; /* in which it counts; may be NULL */
	int64_t wall_us; /* when the first who keeps it got it; 0: nobody does */
	struct wire *of; /* reference: what it is a copy of, if that may be lost
			  * for all; or NULL */
	uint32_t refs : 28;
	uint32_t dated : 1;  /* it says when it was sent */
	uint32_t taken : 1;  /* a message that one of several sessions has got */
	uint32_t copy : 1;   /* wire_forward() has made it */
	uint32_t one_account : 1; /* whoever has it is a session of the same */
	uint32_t to_at; /* where ` to="..."` belongs */
	uint32_t n;
	char bytes[];
};

/* One reference, owned by the caller.  The to of st is left out. */
struct wire *wire_new(const struct stanza *st);
/* The same of text, a stanza of jabber:client that stored_write() has written;
 * NULL when it does not begin like one.  Its to, if it has one, stays. */
struct wire *wire_of_stored(struct str text);
struct wire *wire_ref(struct wire *w);
/* Copes with NULL. */
void wire_unref(struct wire *w);
/* How a message is forwarded (XEP-0297 §3). */
struct wire_envelope {
	struct str from; /* of the message around it */
	const char *ns;  /* of the element in that; no byte of either has to be */
	const char *name; /* escaped */
	struct str id; /* which `from' has given it (XEP-0359), and it does not say
			* itself; STR_NONE: none */
};

/* One reference, owned by the caller: what forwards the message st (borrowed), which
 * has a to and of which w is the wire, or NULL; it is of its type, without a to. */
struct wire *wire_forward(const struct wire *w, const struct stanza *st,
	const struct wire_envelope *in);
/* How an entry of an archive is shown (XEP-0313 §4.2). */
struct wire_shown {
	struct str from;    /* whose archive it is */
	struct str queryid; /* STR_NONE: none */
	struct str id;
	int64_t wall_us;
};

/* The same of value, a message of jabber:client that stored_write_sealed() has
 * written, or stored_write(): it counts as a copy.  It goes out as it lies, so that one
 * damaged byte would end the stream; NULL: there is one, or it is no message.  The
 * pool's thread. */
struct wire *wire_result(struct xml_pool *pool, struct str value,
	const struct wire_shown *in);
/* One reference, owned by the caller: w for one who gets it late, with from (prepared)
 * and since when it has waited (XEP-0203 §2; of a copy, XEP-0297 §3.2); NULL when it
 * says already when it was sent, as it may once. */
struct wire *wire_delayed(const struct wire *w, struct str from);
/* w is a copy of `of': whether anybody has that is asked of that. */
void wire_set_of(struct wire *w, struct wire *of);
/* Somebody has it, and what it is a copy of. */
void wire_take(struct wire *w);
/* Somebody keeps it: it counts in share, in full and once, that of the first who
 * does, until it is freed. */
void wire_count(struct wire *w, struct share *share);
/* Bytes it holds in memory. */
static inline size_t
wire_bytes(const struct wire *w)
{
	return sizeof(*w) + w->n;
}
/* Without its to; borrowed. */
static inline struct str
wire_str(const struct wire *w)
{
	return (struct str){ w->bytes, w->n };
}
/* Appends the stanza with to (prepared; STR_NONE: without). */
void wire_write(const struct wire *w, struct str to, struct buf *out);
/* The stanza again, owned by the caller: for the rare case that somebody has to
 * look inside. */
struct stanza *wire_stanza(const struct wire *w);

#endif
