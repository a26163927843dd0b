/*
 * test_remote_shared.c - what one of ours says to many at other servers: serialised
 * once, written together, in order with all else that goes there, and as any other
 * stanza where that cannot be; with streams that go nowhere.
 */
#include "config.h"

#include "remote/remote.h"

#include <stdio.h>

#include "base/mem.h"
#include "xml/elem.h"
#include "core/audience.h"
#include "core/entity.h"
#include "core/place.h"
#include "core/route.h"
#include "core/router.h"
#include "remote/remote_int.h"

#include "c2s_world.h"
#include "fake_streams.h"
#include "test.h"

#define SHARDS 3
#define HERE "example.org"
#define DOMAINS 7
#define FAR "d0.example"
#define LOTS 1000000
#define ROMEO "romeo@example.org/orchard"

struct scene {
	struct world w;
	struct shard *shard; /* of the audience */
	struct audience *audience;
	struct fakes *fakes;
	int members; /* of others' domains: one after the other */
	int domains;
};

/* n members at so many domains of others, and as many at ours. */
static void
scene_init(struct scene *s, int n, int domains)
{
	char who[64];

	*s = (struct scene){ .members = n, .domains = domains };
	world_init(&s->w, SHARDS, "federation: { mode: on }\n", "");
	s->fakes = fakes_use(&s->w);
	s->shard = world_owner(&s->w, "romeo");
	s->audience = audience_new(s->shard, 1);
	for (int i = 0; i < n; i++) {
		snprintf(who, sizeof(who), "u%d@d%d.example", i, i % domains);
		audience_join(s->audience, jid_trusted(str_c(who)), 1);
		snprintf(who, sizeof(who), "u%d@example.org", i);
		audience_join(s->audience, jid_trusted(str_c(who)), 1);
	}
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
stanza_of(enum stanza_type type, struct jid to, int number)
{
	char id[16];

	snprintf(id, sizeof(id), "%d", number);
	return stanza_new(type, jid_trusted(STR(ROMEO)), to, str_c(id));
}

static void
say_to_all(struct scene *s, enum stanza_type type, int number)
{
	audience_send(s->audience,
		stanza_of(type, (struct jid){ .text = NULL }, number), 1, NULL,
		(struct jid){ .text = NULL });
}

static void
say_to(struct scene *s, const char *to, int number)
{
	router_send(s->shard,
		stanza_of(MESSAGE_CHAT, jid_trusted(str_c(to)), number));
}

static struct fake *
fake_at(int domain)
{
	struct fake *f;
	char name[32];

	snprintf(name, sizeof(name), "d%d.example", domain);
	f = fake_find(HERE, name);
	CHECK(f != NULL);
	return f;
}

/* A link to each domain; what brought it is forgotten. */
static void
links_up(struct scene *s, int64_t room)
{
	char who[32];

	for (int i = 0; i < s->domains; i++) {
		snprintf(who, sizeof(who), "x@d%d.example", i);
		say_to(s, who, 99);
	}
	world_settle(&s->w);
	for (int i = 0; i < s->domains; i++) {
		fake_up(fake_at(i), room + 1);
		fake_at(i)->wrote.n = 0;
		fake_at(i)->n_wrote = 0;
	}
}

static int
members_at(const struct scene *s, int domain)
{
	return s->members / s->domains + (domain < s->members % s->domains);
}

/* numbers[0] once, then numbers[1] as often as there are members, and so on. */
static void
check_wrote(const struct fake *f, const int *numbers, size_t n, int members)
{
	struct buf want = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		for (int j = 0; j < (i % 2 == 0 ? 1 : members); j++)
			buf_printf(&want, "%d ", numbers[i]);
	}
	CHECK_STR(buf_str(&f->wrote), buf_c(&want));
	buf_done(&want);
}

/* Each member was named, once a broadcast. */
static void
check_named(const struct scene *s, int domain, int times)
{
	struct str to = buf_str(&fake_at(domain)->to);
	char who[64];
	size_t n = 0;

	for (int i = domain; i < s->members; i += s->domains) {
		struct str rest = to;
		int found = 0;

		n += (size_t)snprintf(who, sizeof(who), "u%d@d%d.example ", i,
			domain);
		while ((rest.p = memmem(rest.p, rest.n, who, strlen(who))) !=
			NULL) {
			found += rest.p == to.p || rest.p[-1] == ' ';
			rest.p++;
			rest.n = (size_t)(to.p + to.n - rest.p);
		}
		CHECK_INT(found, times);
	}
	CHECK_INT(to.n, n * (size_t)times);
}

TEST(it_is_written_once_for_each_in_order_with_all_else)
{
	static const int counts[] = { 0, 1, 2, 300 };
	static const int numbers[] = { 0, 1, 2, 3, 4 };

	for (size_t at = 0; at < COUNT(counts); at++) {
		struct scene s;

		test_case_number("members", counts[at]);
		scene_init(&s, counts[at], DOMAINS);
		links_up(&s, LOTS);
		for (int i = 0; i < 5; i++) {
			char who[32];

			for (int d = 0; i % 2 == 0 && d < DOMAINS; d++) {
				snprintf(who, sizeof(who), "x@d%d.example", d);
				say_to(&s, who, i);
			}
			if (i % 2 != 0)
				say_to_all(&s,
					i == 1 ? PRESENCE_AVAILABLE :
						 PRESENCE_UNAVAILABLE,
					i);
		}
		world_settle(&s.w);
		for (int d = 0; d < DOMAINS; d++) {
			check_wrote(fake_at(d), numbers, 5, members_at(&s, d));
			CHECK_INT(fake_at(d)->n_wires,
				(unsigned)members_at(&s, d) * 2);
			check_named(&s, d, 2);
		}
		CHECK_INT(s.fakes->n, DOMAINS);
		scene_done(&s);
	}
}

/* A member may be the domain itself. */
TEST(a_domain_is_a_member_as_its_addresses_are)
{
	static const int numbers[] = { 0, 1 };
	struct scene s;

	scene_init(&s, 1, 1);
	audience_join(s.audience, jid_trusted(STR(FAR)), 1);
	links_up(&s, LOTS);
	say_to(&s, "x@" FAR, 0);
	say_to_all(&s, PRESENCE_AVAILABLE, 1);
	world_settle(&s.w);
	check_wrote(fake_at(0), numbers, 2, 2);
	CHECK_INT(fake_at(0)->n_wires, 2);
	scene_done(&s);
}

static const char *const mixed[] = { "a@" FAR, "b@" FAR, FAR, "c@" FAR, "a@" HERE,
	"b@" HERE, HERE, "c@" HERE, "d@d1.example", "d@" FAR, "d1.example",
	"e@" HERE, "a@d1.example", "e@" FAR };

/* Where the one before is helps to find where the next one is, and changes nothing. */
TEST(who_is_added_behind_another_is_where_he_would_be_alone)
{
	for (unsigned from = 0; from < COUNT(mixed); from++) {
		struct route_last last = { .whole = false };
		struct scene s;

		test_case_number("from", from);
		scene_init(&s, 0, 2);
		for (unsigned i = 0; i < COUNT(mixed); i++)
			audience_add(s.audience,
				jid_trusted(str_c(mixed[(from + i * 3) %
					COUNT(mixed)])),
				1, &last);
		/* each is looked for where he belongs, and nowhere else */
		for (unsigned i = 0; i < COUNT(mixed); i++)
			CHECK_INT(audience_flags(s.audience,
					  jid_trusted(str_c(mixed[i]))),
				1);
		links_up(&s, LOTS);
		say_to_all(&s, PRESENCE_AVAILABLE, 1);
		world_settle(&s.w);
		CHECK_INT(fake_at(0)->n_wires, 6);
		CHECK_INT(fake_at(1)->n_wires, 3);
		scene_done(&s);
	}
}

TEST(where_a_link_is_full_the_rest_waits_for_it)
{
	static const int numbers[] = { 0, 1, 2, 3 };

	for (int room = 1; room < 620; room += 103) {
		struct scene s;

		test_case_number("room", room);
		scene_init(&s, 300, 1);
		links_up(&s, room);
		for (int i = 0; i < 4; i += 2) {
			say_to(&s, "x@" FAR, i);
			say_to_all(&s, PRESENCE_AVAILABLE, i + 1);
		}
		world_settle(&s.w);
		CHECK_INT(fake_at(0)->n_wrote, MIN(room, 602));
		fake_take(fake_at(0), LOTS);
		world_settle(&s.w);
		check_wrote(fake_at(0), numbers, 4, 300);
		CHECK(fake_at(0)->n_wires < (unsigned)MIN(room + 1, 602));
		scene_done(&s);
	}
}

TEST(where_a_link_is_cut_the_rest_goes_to_the_next)
{
	struct scene s;
	struct fake *first;
	unsigned wrote;

	scene_init(&s, 300, 1);
	links_up(&s, 100);
	first = fake_at(0);
	say_to_all(&s, PRESENCE_AVAILABLE, 1);
	say_to(&s, "x@" FAR, 2);
	world_settle(&s.w);
	wrote = first->n_wrote;
	CHECK_INT(wrote, 100);
	fake_break(first);
	say_to_all(&s, PRESENCE_UNAVAILABLE, 3);
	world_settle(&s.w);
	world_advance(&s.w, 5 * US_PER_S);
	CHECK(fake_at(0) != first);
	fake_up(fake_at(0), LOTS);
	world_settle(&s.w);
	CHECK_INT(fake_at(0)->n_wrote, 300 - wrote + 1 + 300);
	CHECK(str_starts(buf_str(&fake_at(0)->wrote), STR("1 1 ")));
	CHECK_INT(fake_at(0)->n_wires, 0);
	say_to_all(&s, PRESENCE_AVAILABLE, 4);
	world_settle(&s.w);
	CHECK_INT(fake_at(0)->n_wires, 300);
	scene_done(&s);
}

TEST(a_stream_that_takes_no_wire_gets_stanzas)
{
	static const int numbers[] = { 0, 1 };
	struct scene s;

	scene_init(&s, 300, 1);
	s.fakes->no_wires = true;
	links_up(&s, LOTS);
	say_to(&s, "x@" FAR, 0);
	say_to_all(&s, PRESENCE_AVAILABLE, 1);
	world_settle(&s.w);
	check_wrote(fake_at(0), numbers, 2, 300);
	CHECK_INT(fake_at(0)->n_wires, 0);
	scene_done(&s);
}

static unsigned n_bare;

static void
on_probe(struct fake *f, const struct stanza *st)
{
	(void)f;
	if (st->type == PRESENCE_PROBE)
		n_bare += jid_is_bare(st->from);
}

/* RFC 6121 §4.3.1; and a remote remembers who has asked. */
TEST(probes_are_stanzas_of_their_own)
{
	struct scene s;

	n_bare = 0;
	scene_init(&s, 5, 1);
	links_up(&s, LOTS);
	s.fakes->on_write = on_probe;
	say_to_all(&s, PRESENCE_PROBE, 1);
	world_settle(&s.w);
	CHECK_INT(n_bare, 5);
	CHECK_INT(fake_at(0)->n_wires, 0);
	scene_done(&s);
}

/* What many are told is as good a use as any other. */
TEST(a_link_that_carries_broadcasts_is_not_idle)
{
	struct scene s;
	struct fake *f;

	scene_init(&s, 2, 1);
	links_up(&s, LOTS);
	f = fake_at(0);
	for (int minute = 0; minute < 60; minute++) {
		world_advance(&s.w, 60 * US_PER_S);
		say_to_all(&s, PRESENCE_AVAILABLE, minute);
		world_settle(&s.w);
	}
	CHECK(!f->told_to_end);
	CHECK_INT(f->n_wires, 120);
	world_advance(&s.w, 3600 * US_PER_S);
	CHECK(f->told_to_end);
	scene_done(&s);
}

/* A broadcast uses a stream that has come by itself as a stanza does. */
TEST(a_stream_that_came_is_used_by_it)
{
	struct shard *sh;
	struct fake *f;
	struct scene s;

	scene_init(&s, 1, 1);
	sh = s.w.server->shards[server_place_of(s.w.server, STR(FAR)).shard];
	f = fake_offer(sh, HERE, FAR, LOTS);
	CHECK(f != NULL);
	CHECK_INT(sh->remotes->guests, 1);
	say_to_all(&s, PRESENCE_AVAILABLE, 1);
	world_settle(&s.w);
	CHECK_INT(f->n_wires, 1);
	CHECK_INT(sh->remotes->guests, 0);
	scene_done(&s);
}

TEST_MAIN
