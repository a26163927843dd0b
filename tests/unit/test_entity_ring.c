/*
 * test_entity_ring.c - what a report of a crash says of entities: of one that has
 * ended nothing is read but that.
 */
#include "config.h"

#include "core/entity_ring.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/crash_text.h"
#include "core/shard.h"
#include "c2s_world.h"
#include "test.h"

static void
silent_load(struct entity *e)
{
	(void)e;
}

static const struct entity_class silent = {
	.name = "silent",
	.size = sizeof(struct entity),
	.load = silent_load,
};

/* What the handler would write of ev, in t. */
static struct str
told(struct crash_text *t, const struct ring_event *ev)
{
	t->n = 0;
	ev->kind->describe(t, ev);
	return (struct str){ t->line, t->n };
}

TEST(an_entity_that_has_ended_is_told_as_such)
{
	const struct jid bare = jid_trusted(STR("gone@example.org"));
	struct crash_text t = { .fd = -1 };
	struct ring_event ev;
	struct entity *e;
	struct world w;

	CHECK(pipe2(t.probe, O_CLOEXEC | O_NONBLOCK) == 0);
	world_init(&w, 1, "", "");
	e = entity_get(w.server->shards[0], &silent, bare,
		server_hash(w.server, jid_str(bare)));
	CHECK(e != NULL);
	entity_loaded(e);
	ev = (struct ring_event){ &ring_loaded, e, e->hash, 0, 0 };
	CHECK(str_is(told(&t, &ev), "gone@example.org"));
	entity_drop(e);
	CHECK(str_starts(told(&t, &ev), STR("one that is gone, 0x")));
	world_done(&w);
	close(t.probe[0]);
	close(t.probe[1]);
}

TEST_MAIN
