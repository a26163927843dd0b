/*
 * rooms_archive.c - what is in the archives of rooms: what was said there, each thing once,
 * in the order in which all have heard it, under the ids that they were told.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "core/stored.h"
#include "sim_rooms.h"

struct reading {
	struct scene *s;
	const struct order *order;
	unsigned room, last; /* what stands before, of bodies */
	bool has[SAID_MAX];
};

/* "m12" of a body, or "s12" of a subject. */
static unsigned
entry_id(const struct store_entry *entry, const char *tag, char letter)
{
	const char *at = memmem(entry->value.p, entry->value.n, tag, strlen(tag));

	return at != NULL && at[strlen(tag)] == letter ?
		(unsigned)strtoul(at + strlen(tag) + 1, NULL, 10) : 0;
}

static void
take_entry(struct reading *r, const struct store_entry *entry)
{
	struct scene *s = r->s;
	unsigned body = entry_id(entry, "<body>", 'm');
	unsigned id = body != 0 ? body : entry_id(entry, "<subject>", 's');

	if (id == 0 || id >= s->n_said || s->said[id].room != r->room) {
		scene_fail(s, "room%u has archived something else", r->room);
		return;
	}
	if (r->has[id])
		scene_fail(s, "room%u has archived m%u twice", r->room, id);
	r->has[id] = true;
	if (s->said[id].stanza_id[0] != '\0' &&
		!str_is(entry->key, s->said[id].stanza_id))
		scene_fail(s, "m%u is %.*s in the archive of room%u, and was %s",
			id, STR_ARG(entry->key), r->room, s->said[id].stanza_id);
	if (body == 0)
		return;
	if (r->order->before[body] != 0 && r->order->before[body] != r->last &&
		r->last != 0)
		scene_fail(s, "m%u is behind m%u in the archive of room%u, and was behind m%u",
			body, r->last, r->room, r->order->before[body]);
	r->last = body;
}

static void
on_entries(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct reading *r = arg;

	if (err != NULL)
		scene_fail(r->s, "the archive cannot be read: %s", err->text);
	for (size_t i = 0; err == NULL && i < answer->n; i++)
		take_entry(r, &answer->entries[i]);
}

/* All that was said up to the last, without a gap in what was heard; but what was said
 * while it was locked is nowhere. */
static void
check_chain(const struct reading *r)
{
	unsigned missing = 0;

	for (unsigned id = r->last; id != 0; id = r->order->before[id]) {
		if (!r->has[id])
			missing = id;
		else if (missing != 0)
			scene_fail(r->s, "m%u of room%u is not in its archive, m%u is",
				missing, r->room, id);
	}
	r->s->counts->archived += r->last != 0;
}

void
scene_check_archive(struct scene *s, const struct order *order, unsigned room)
{
	struct reading *r = xcalloc(1, sizeof(*r));
	struct store_range all = { .max = SAID_MAX };
	struct server *srv = s->worlds[0]->server;
	char local[8];

	*r = (struct reading){ .s = s, .order = order, .room = room };
	snprintf(local, sizeof(local), "room%u", room);
	store_range(srv->store, (struct store_place){ STR(ROOM_HOST), str_c(local),
		STR("archive") }, &all, &srv->shards[0]->mailbox, on_entries, r);
	scene_settle(s);
	check_chain(r);
	free(r);
}
