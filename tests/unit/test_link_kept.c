/*
 * test_link_kept.c - of links that count: what is said to one, and what is said to
 * many, in one order: kept, acknowledged, written once more, given back; with streams
 * that go nowhere.
 */
#include "config.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/rand.h"
#include "core/audience.h"
#include "core/place.h"
#include "core/router.h"
#include "remote/remote_int.h"

#include "c2s_world.h"
#include "fake_streams.h"
#include "test.h"

#define SHARDS 2
#define HERE "example.org"
#define FAR "far.example"
#define LOTS 1000000
#define ROMEO "romeo@example.org/orchard"

/* One that was written: "id to ", or, as a wire, the same. */
struct entry {
	struct fake *by;
	enum stanza_type type;
	char text[64];
};

static struct entry wrote[20000];
static size_t n_wrote;

static void
on_entry(struct fake *f, const struct stanza *st)
{
	struct entry *e = &wrote[n_wrote++];

	CHECK(n_wrote <= COUNT(wrote));
	CHECK(jid_eq(st->from, jid_trusted(STR(ROMEO))));
	*e = (struct entry){ .by = f, .type = st->type };
	snprintf(e->text, sizeof(e->text), "%.*s %.*s", STR_ARG(st->id),
		STR_ARG(jid_str(st->to)));
}

struct scene {
	struct world w;
	struct fakes *fakes;
	struct audience *audience; /* all of FAR */
	unsigned next; /* id */
};

static void
scene_init(struct scene *s, int members, const char *more)
{
	char text[200];

	s->next = 1;
	snprintf(text, sizeof(text), "federation: on\n%s", more);
	world_init(&s->w, SHARDS, text, "");
	s->fakes = fakes_use(&s->w);
	s->fakes->counts = true;
	s->fakes->on_write = on_entry;
	s->audience = audience_new(world_owner(&s->w, "romeo"), 1);
	for (int i = 0; i < members; i++) {
		snprintf(text, sizeof(text), "user%d@" FAR, i);
		audience_join(s->audience, jid_trusted(str_c(text)), 1);
	}
	n_wrote = 0;
}

static void
scene_done(struct scene *s)
{
	audience_free(s->audience);
	for (struct fake *f = s->fakes->first; f != NULL; f = f->next) {
		if (f->link != NULL)
			fake_break(f);
	}
	s->fakes->ends_at_once = true;
	world_done(&s->w);
	fakes_free();
}

static struct stanza *
make(struct scene *s, enum stanza_type type, const char *to)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", s->next++);
	return stanza_new(type, jid_trusted(STR(ROMEO)),
		to != NULL ? jid_trusted(str_c(to)) :
			     (struct jid){ .text = NULL },
		str_c(id));
}

static void
say(struct scene *s, enum stanza_type type)
{
	router_send(world_owner(&s->w, "romeo"),
		make(s, type, "juliet@" FAR));
	world_settle(&s->w);
}

static void
say_to_all(struct scene *s, enum stanza_type type)
{
	audience_send(s->audience, make(s, type, NULL), 1, NULL,
		(struct jid){ .text = NULL });
	world_settle(&s->w);
}

static struct fake *
link_up(struct scene *s, int64_t room)
{
	struct fake *f;

	say(s, MESSAGE_CHAT);
	f = fake_find(HERE, FAR);
	fake_up(f, room);
	world_settle(&s->w);
	return f;
}

/* Of the link's shard. */
static const struct gauge *
gauge_of(struct scene *s)
{
	return &s->w.server
			->shards[server_place_of(s->w.server, STR(FAR)).shard]
			->stats.link_bytes;
}

static size_t
unacked(const struct fake *f)
{
	size_t bytes;

	return link_unacked(f->link, &bytes);
}

/* All that is kept by f, which is all that waits. */
static void
check_kept(struct scene *s, const struct fake *f, size_t n)
{
	size_t bytes;

	CHECK_INT(link_unacked(f->link, &bytes), n);
	CHECK_INT(gauge_of(s)->now, bytes);
	CHECK((bytes != 0) == (n != 0));
}

/* After a break, and a pause. */
static struct fake *
next_stream(struct scene *s, struct fake *f)
{
	struct fake *next;

	fake_break(f);
	world_settle(&s->w);
	world_advance(&s->w, 5 * US_PER_S);
	next = fake_find(HERE, FAR);
	CHECK(next != f);
	return next;
}

/* What next has written is what is left of f behind h, of the types that are wanted;
 * all has come by one of these. */
static void
check_wrote_again(const struct fake *f, const struct fake *next, size_t h,
	bool (*wants)(enum stanza_type type))
{
	size_t at = n_wrote - next->n_wrote, n = 0;

	CHECK_INT(at, f->n_wrote);
	for (size_t i = h; i < f->n_wrote; i++) {
		if (!wants(wrote[i].type))
			continue;
		CHECK_CSTR(wrote[at + n].text, wrote[i].text);
		CHECK_INT(wrote[at + n].type, wrote[i].type);
		n++;
	}
	CHECK_INT(next->n_wrote, n);
}

static bool
all(enum stanza_type type)
{
	(void)type;
	return true;
}

static bool
again(enum stanza_type type)
{
	return type != PRESENCE_AVAILABLE && type != PRESENCE_UNAVAILABLE;
}

static bool
count_message(void *arg, struct stanza *st)
{
	unsigned *n = arg;

	*n += st->kind == STANZA_MESSAGE;
	return true;
}

/* Those of which link_each() tells. */
static unsigned
messages_of(const struct fake *f)
{
	unsigned n = 0;

	link_each(f->link, count_message, &n);
	return n;
}

/* --- acknowledgements --------------------------------------------------------- */

static const int member_counts[] = { 0, 1, 2, 7, 8, 63, 300 };

TEST(what_many_get_is_written_as_wires_and_kept_like_all_else)
{
	for (size_t i = 0; i < COUNT(member_counts); i++) {
		unsigned n = (unsigned)member_counts[i];
		struct scene s;
		struct fake *f;

		test_case_number("members", n);
		scene_init(&s, (int)n, "");
		f = link_up(&s, LOTS);
		say_to_all(&s, PRESENCE_AVAILABLE);
		say(&s, MESSAGE_CHAT);
		say_to_all(&s, PRESENCE_UNAVAILABLE);
		CHECK_INT(f->n_wires, 2 * n);
		check_kept(&s, f, 2 * n + 2);
		for (uint32_t h = 0; h <= 2 * n + 2; h++) {
			fake_ack(f, h);
			check_kept(&s, f, 2 * n + 2 - h);
		}
		CHECK(!link_acked(f->link, 2 * n + 3));
		scene_done(&s);
	}
}

/* What is done at random: each is said in time. */
static void
do_something(struct scene *s, struct fake *f, struct rand_source *r)
{
	switch (rand_below(r, 5)) {
	case 0:
		say_to_all(s, PRESENCE_AVAILABLE);
		break;
	case 1:
		say_to_all(s, MESSAGE_GROUPCHAT);
		break;
	case 2:
		say(s, rand_below(r, 2) == 0 ? MESSAGE_CHAT :
					       PRESENCE_AVAILABLE);
		break;
	default:
		fake_ack(f, f->acked + (uint32_t)rand_below(r, unacked(f) + 1));
	}
}

TEST(at_random_they_are_counted_and_written_once_more_in_order)
{
	for (unsigned seed = 1; seed <= 60; seed++) {
		static const int counts[] = { 1, 3, 20, 170 };
		int n = counts[seed % COUNT(counts)];
		struct rand_seeded r;
		struct fake *f, *next;
		uint32_t h;
		struct scene s;

		test_case_number("seed", seed);
		rand_seeded_init(&r, seed);
		scene_init(&s, n, "");
		f = link_up(&s, LOTS);
		link_resumable(f->link, "key");
		for (unsigned i = 0; i < 2 + seed; i++) {
			do_something(&s, f, &r.source);
			check_kept(&s, f, f->n_wrote - f->acked);
		}
		say_to_all(&s, PRESENCE_AVAILABLE);
		h = f->acked + (uint32_t)rand_below(&r.source, unacked(f));
		next = next_stream(&s, f);
		s.fakes->no_wires = seed % 8 == 0;
		fake_up(next, 0);
		fake_resume(next, h, LOTS);
		check_wrote_again(f, next, h, all);
		CHECK_INT(next->n_wires == 0, s.fakes->no_wires);
		check_kept(&s, next, f->n_wrote - h);
		s.fakes->no_wires = false;
		say_to_all(&s, PRESENCE_AVAILABLE);
		fake_ack(next, (uint32_t)f->n_wrote + (uint32_t)n);
		check_kept(&s, next, 0);
		scene_done(&s);
	}
}

/* --- streams that break --------------------------------------------------------- */

static const struct {
	enum stanza_type type;
	bool again;
} kinds[] = {
	{ PRESENCE_AVAILABLE, false },
	{ PRESENCE_UNAVAILABLE, false },
	{ PRESENCE_SUBSCRIBED, true },
	{ MESSAGE_GROUPCHAT, true },
	{ MESSAGE_CHAT, true },
};

TEST(what_becomes_of_each_kind_that_many_got)
{
	for (unsigned i = 0; i < COUNT(kinds) * COUNT(member_counts); i++) {
		unsigned n = (unsigned)member_counts[i / COUNT(kinds)];
		enum stanza_type type = kinds[i % COUNT(kinds)].type;
		bool message = stanza_type_kind(type) == STANZA_MESSAGE;
		uint32_t h = 1 + n / 3;
		struct fake *f, *next;
		struct scene s;

		test_case_number("kind and members", i);
		scene_init(&s, (int)n, "");
		f = link_up(&s, LOTS);
		say_to_all(&s, type);
		say(&s, MESSAGE_CHAT);
		CHECK_INT(f->n_wires, message ? 0 : n);
		CHECK_INT(messages_of(f), 2 + (message ? n : 0));
		fake_ack(f, h);
		next = next_stream(&s, f);
		fake_up(next, LOTS);
		world_settle(&s.w);
		check_wrote_again(f, next, h, again);
		check_kept(&s, next,
			1 + (kinds[i % COUNT(kinds)].again ? n - n / 3 : 0));
		scene_done(&s);
	}
}

/* Whose it was counts as who has the pair come up. */
TEST(a_link_may_break_with_nothing_but_what_many_got)
{
	struct fake *f, *next;
	struct scene s;

	scene_init(&s, 20, "");
	f = link_up(&s, LOTS);
	link_resumable(f->link, "key");
	say_to_all(&s, PRESENCE_AVAILABLE);
	fake_ack(f, 5);
	next = next_stream(&s, f);
	fake_up(next, 0);
	/* the peer knows nothing of that stream */
	remote_not_resumed(next->link);
	fake_take(next, LOTS);
	CHECK_INT(next->n_wrote, 0);
	CHECK_INT(gauge_of(&s)->now, 0);
	say_to_all(&s, PRESENCE_AVAILABLE);
	CHECK_INT(next->n_wrote, 20);
	scene_done(&s);
}

/* --- bounds --------------------------------------------------------------------- */

static const char one_mib[] =
	"shards: 2\nstorage: { driver: memory }\nfederation: on\n"
	"hosts: { example.org: {} }\nlimits: { write_queue_bytes: 1MiB }\n";

TEST(it_has_a_bound_and_what_is_beyond_waits_in_order)
{
	for (int reload = 0; reload < 2; reload++) {
		struct scene s;
		struct fake *f;
		size_t bytes, n;

		test_case_number("reload", (unsigned)reload);
		scene_init(&s, 4000, "limits: { write_queue_bytes: 64KiB }\n");
		f = link_up(&s, LOTS);
		say_to_all(&s, PRESENCE_AVAILABLE);
		n = link_unacked(f->link, &bytes);
		CHECK(bytes >= 64 * 1024 && bytes < 70 * 1024);
		CHECK(n > 2000 && n < 4000);
		if (reload)
			world_reload(&s.w, one_mib);
		/* behind those that wait */
		say_to_all(&s, PRESENCE_UNAVAILABLE);
		say(&s, MESSAGE_CHAT);
		while (unacked(f) != 0)
			fake_ack(f, f->acked + MIN((uint32_t)unacked(f), 64));
		world_settle(&s.w);
		CHECK_INT(f->n_wrote, 8002);
		for (size_t i = 0; i < n_wrote; i++)
			CHECK(atoi(wrote[i].text) ==
				(i < 1 ? 1 : (int)((i - 1) / 4000) + 2));
		check_kept(&s, f, 0);
		scene_done(&s);
	}
}

/* What is shared is there once, and so it counts: not a stanza for each. */
TEST(it_counts_what_it_holds)
{
	size_t shared, alone;
	struct scene s;
	struct fake *f;

	scene_init(&s, 300, "");
	f = link_up(&s, LOTS);
	fake_ack(f, 1);
	say_to_all(&s, PRESENCE_AVAILABLE);
	(void)link_unacked(f->link, &shared);
	/* each has a length, and there are a wire and some runs */
	CHECK(shared > 300 * sizeof("user10@" FAR));
	CHECK(shared < 300 * sizeof("user10@" FAR) + 6000);
	fake_ack(f, 301);
	s.fakes->no_wires = true;
	say_to_all(&s, PRESENCE_AVAILABLE);
	(void)link_unacked(f->link, &alone);
	CHECK(alone > 10 * shared);
	scene_done(&s);
}

TEST_MAIN
