/*
 * shown.c - the presence that somebody was shown last: hashes of it in a table with
 * some places for each hash of a sender, of which the one that was used least lately
 * is used next.
 */
#include "config.h"

#include "core/shown.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/stanza.h"
#include "core/server.h"
#include "core/stored.h"

/* Of a thousand senders hardly ever more share a set than it has places: with fewer
 * places some of three hundred would be shown twice, once in a hundred servers. */
#define SETS 256
#define PLACES 16

struct shown {
	struct place_shown {
		uint64_t from, what;
	} sets[SETS][PLACES]; /* each: the last one first */
};

/* Its type and all within; the id does not matter. */
static uint64_t
what_hash(const struct server *srv, const struct stanza *st)
{
	struct buf text = BUF_INIT;
	uint64_t hash;

	buf_printf(&text, "%d", (int)st->type);
	elem_each_child(st->root, e)
		stored_write(&text, e);
	hash = server_hash(srv, buf_str(&text));
	buf_done(&text);
	return hash;
}

bool
shown_before(struct shown **shown_io, const struct server *srv,
	const struct stanza *st)
{
	struct place_shown now = { server_hash(srv, jid_str(st->from)),
		what_hash(srv, st) };
	struct place_shown *set;
	bool same;
	size_t i = 0;

	if (*shown_io == NULL)
		*shown_io = xcalloc(1, sizeof(**shown_io));
	set = (*shown_io)->sets[now.from % SETS];
	while (i < PLACES - 1 && set[i].from != now.from)
		i++;
	same = set[i].from == now.from && set[i].what == now.what;
	memmove(set + 1, set, i * sizeof(set[0]));
	set[0] = now;
	return same;
}
