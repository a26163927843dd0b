/*
 * session_presence.c - what a session keeps of its presence.
 *
 * Owner shard of the account.  It is packed, not serialised: every contact that
 * comes online asks for it, and a parser took most of that time.  It counts as a
 * wire does, below limits: memory.
 */
#include "config.h"

#include "account/session_presence.h"

#include <assert.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xml/elem_pack.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "account/session.h"

struct session_presence {
	uint32_t n;
	char packed[];
};

/* The addresses are the session's, and whoever asks has his own. */
static void
pack_without_addresses(struct buf *out, const struct stanza *st)
{
	struct arena *a = arena_new();
	struct elem root = *st->root;
	struct attr **tail = &root.attrs;

	for (const struct attr *at = st->root->attrs; at != NULL;
		at = at->next) {
		if (at->ns.p == NULL &&
			(str_is(at->name, "from") || str_is(at->name, "to")))
			continue;
		*tail = arena_alloc(a, sizeof(**tail));
		**tail = *at;
		tail = &(*tail)->next;
	}
	*tail = NULL;
	elem_pack(out, &root);
	arena_free(a);
}

struct session_presence *
session_presence_new(const struct stanza *st)
{
	struct buf packed = BUF_INIT;
	struct session_presence *p;

	pack_without_addresses(&packed, st);
	p = xmalloc(sizeof(*p) + packed.n);
	memuse_add(MEMUSE_WIRE, p);
	p->n = (uint32_t)packed.n;
	memcpy(p->packed, packed.p, packed.n);
	buf_done(&packed);
	return p;
}

void
session_presence_free(struct session_presence *p)
{
	if (p != NULL)
		memuse_remove(MEMUSE_WIRE, p);
	free(p);
}

int64_t
session_presence_bytes(const struct session_presence *p)
{
	return p != NULL ? (int64_t)sizeof(*p) + p->n : 0;
}

static struct str
packed_of(const struct session *s)
{
	return (struct str){ s->presence->packed, s->presence->n };
}

struct stanza *
session_presence(const struct session *s)
{
	struct arena *a = arena_new();
	enum stanza_cond cond;
	struct stanza *st =
		stanza_from_elem(a, elem_unpack(a, packed_of(s)), &cond);

	assert(st != NULL);
	stanza_set_from(st, session_jid(s));
	return st;
}

struct str
session_show(const struct session *s)
{
	return elem_packed_find(packed_of(s), NS_CLIENT, "show", NULL);
}

struct session_caps
session_caps(const struct session *s)
{
	struct str packed = packed_of(s);

	return (struct session_caps){
		.node = elem_packed_find(packed, NS_CAPS, "c", "node"),
		.hash = elem_packed_find(packed, NS_CAPS, "c", "hash"),
		.ver = elem_packed_find(packed, NS_CAPS, "c", "ver"),
	};
}
