/*
 * test_audience.c - who is in an audience, against a plain list: while it
 * changes, what was taken of it before stays as it was.
 */
#include "config.h"

#include "core/audience_int.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "base/rand.h"
#include "base/share.h"
#include "core/budget.h"
#include "core/shard.h"
#include "test.h"

#define OWNER 7
#define LEAF_MAX 2048
#define CROWD 10000

struct fixture {
	struct server server;
	struct shard shard;
	struct snapshot snap;
	struct rand_seeded rand;
	struct audience *audience;
	uint8_t *flags; /* of each address; 0: it is none */
	unsigned n;     /* addresses */
	size_t members;
};

static void
fixture_init(struct fixture *f, unsigned n, unsigned n_shards)
{
	memset(f, 0, sizeof(*f));
	rand_seeded_init(&f->rand, n + 1);
	rand_bytes(&f->rand.source, &f->server.hash_key,
		sizeof(f->server.hash_key));
	f->server.n_shards = n_shards;
	f->server.shares = budget_shares_new();
	f->shard.server = &f->server;
	f->shard.snap = &f->snap;
	f->audience = audience_new(&f->shard, OWNER);
	f->flags = xcalloc(n + 1, 1);
	f->n = n;
}

static int64_t
bytes_held(struct fixture *f)
{
	return share_bytes(budget_share(&f->server, OWNER));
}

static void
fixture_done(struct fixture *f)
{
	audience_free(f->audience);
	CHECK_INT(bytes_held(f), 0);
	CHECK_INT(memuse_sum(MEMUSE_AUDIENCE).objects, 0);
	CHECK_INT(memuse_sum(MEMUSE_AUDIENCE).bytes, 0);
	free(f->server.shares);
	free(f->flags);
}

/* Every third is a bare address, the others are resources of one, of which a
 * few have many. */
static struct jid
address(unsigned i, char out[64])
{
	unsigned user = i % 3 == 2 ? i % 7 : i;
	int bare = snprintf(out, 64, "user%u@example.org", user);
	int len = i % 3 == 0 ?
		bare :
		bare + snprintf(out + bare, 64 - (size_t)bare, "/%u", i);

	return (struct jid){ out, (uint16_t)(strchr(out, '@') - out),
		(uint16_t)bare, (uint16_t)len };
}

static void
set(struct fixture *f, unsigned i, uint8_t flags)
{
	bool was = f->flags[i] != 0;
	char text[64];
	struct jid jid = address(i, text);

	CHECK_INT(audience_flags(f->audience, jid), f->flags[i]);
	if (flags != 0)
		CHECK(audience_join(f->audience, jid, flags) == !was);
	else
		CHECK(audience_leave(f->audience, jid) == was);
	CHECK_INT(audience_flags(f->audience, jid), flags);
	f->members += (flags != 0) - (size_t)was;
	f->flags[i] = flags;
}

/* --- as it has to be -------------------------------------------------------------- */

static void
check_leaf(const struct audience_part *p, uint32_t i)
{
	const struct audience_leaf *l = p->leaves[i].leaf;
	uint64_t first = 0;
	bool same = true;

	CHECK(i != 0 || p->leaves[i].low == 0);
	CHECK(l->used != 0 && l->used <= l->room);
	for (uint32_t at = 0; at < l->used;) {
		struct audience_walk walk = { i, at };
		const struct audience_member *m = audience_step(p, &walk);

		first = at == 0 ? m->hash : first;
		same = same && m->hash == first;
		CHECK(m->hash >= p->leaves[i].low);
		CHECK(i + 1 == p->n_leaves || m->hash < p->leaves[i + 1].low);
		at = walk.at;
	}
	CHECK(l->used <= LEAF_MAX || same);
}

static unsigned
number_of(struct jid jid)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*s", STR_ARG(jid_str(jid)));
	return (unsigned)strtoul(text + (jid_is_bare(jid) ? 4 :
							    jid.bare_len + 1),
		NULL, 10);
}

static void
check_is(const struct fixture *f, const struct audience *a, const uint8_t *flags,
	size_t members)
{
	uint8_t *found = xcalloc(f->n + 1, 1);

	CHECK_INT(audience_members(a), members);
	for (unsigned i = 0; i < a->n_parts; i++) {
		const struct audience_part *p = a->parts[i];
		struct audience_walk walk = { 0 };
		const struct audience_member *m;

		for (uint32_t j = 0; p != NULL && j < p->n_leaves; j++)
			check_leaf(p, j);
		while (p != NULL && (m = audience_step(p, &walk)) != NULL)
			found[number_of(audience_member_jid(m))] += m->flags;
	}
	CHECK(memcmp(found, flags, f->n) == 0);
	free(found);
}

TEST(who_joins_is_in_it_and_who_leaves_is_not)
{
	for (unsigned n = 0; n <= 300; n++) {
		struct fixture f;

		test_case_number("members", n);
		fixture_init(&f, n, 1 + n % 4);
		for (unsigned i = 0; i < n; i++)
			set(&f, i, 1);
		for (unsigned i = 0; i < n; i++)
			set(&f, i, 1 + i % 3);
		check_is(&f, f.audience, f.flags, n);
		CHECK_INT(bytes_held(&f), audience_bytes(f.audience));
		for (unsigned i = n; i-- > 0;) {
			set(&f, i, 0);
			set(&f, i, 0);
		}
		check_is(&f, f.audience, f.flags, 0);
		fixture_done(&f);
	}
}

/* --- what was taken before ------------------------------------------------------- */

#define TAKEN 20

struct taken {
	struct audience *audience;
	uint8_t *flags;
	size_t members;
};

static void
taken_check(const struct fixture *f, struct taken *t)
{
	if (t->audience != NULL)
		check_is(f, t->audience, t->flags, t->members);
	audience_free(t->audience);
	free(t->flags);
	t->audience = NULL;
	t->flags = NULL;
}

static void
change_at_random(unsigned n)
{
	struct taken taken[TAKEN] = { { .audience = NULL } };
	struct fixture f;

	fixture_init(&f, n, 3);
	for (unsigned step = 0; step < 20 * n; step++) {
		struct rand_source *r = &f.rand.source;
		struct taken *t = &taken[rand_below(r, TAKEN)];
		bool grows = step / (4 * n) % 2 == 0;

		set(&f, (unsigned)rand_below(r, n),
			rand_below(r, 4) < (grows ? 3 : 1) ?
				(uint8_t)(1 + rand_below(r, 3)) :
				0);
		if (rand_below(r, 10) != 0)
			continue;
		taken_check(&f, t);
		t->audience = audience_copy(f.audience);
		t->members = f.members;
		t->flags = memcpy(xmalloc(n), f.flags, n);
	}
	for (unsigned i = 0; i < TAKEN; i++)
		taken_check(&f, &taken[i]);
	check_is(&f, f.audience, f.flags, f.members);
	CHECK_INT(bytes_held(&f), audience_bytes(f.audience));
	fixture_done(&f);
}

TEST(what_was_taken_of_it_stays_as_it_was)
{
	static const unsigned sizes[] = { 1, 2, 3, 10, 64, 300, 1000 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		test_case_number("addresses", sizes[i]);
		change_at_random(sizes[i]);
	}
}

/* --- ten thousand ---------------------------------------------------------------- */

/* Each version that somebody still holds costs what one change copies, and not
 * the whole. */
TEST(ten_thousand_leave_one_by_one_while_each_state_is_held)
{
	static struct audience *held[CROWD];
	struct fixture f;
	int64_t full;

	fixture_init(&f, CROWD, 1);
	for (unsigned i = 0; i < CROWD; i++)
		set(&f, i, 1);
	full = bytes_held(&f);
	CHECK(full < CROWD * 128);
	for (unsigned i = 0; i < CROWD; i++) {
		held[i] = audience_copy(f.audience);
		set(&f, i, 0);
	}
	CHECK(bytes_held(&f) < full + CROWD * INT64_C(12) * 1024);
	for (unsigned i = 0; i < CROWD; i++) {
		CHECK_INT(audience_members(held[i]), CROWD - i);
		audience_free(held[i]);
	}
	check_is(&f, f.audience, f.flags, 0);
	fixture_done(&f);
}

/* Of what is left by those who leave in any order, little is empty. */
TEST(few_of_many_hold_little)
{
	struct fixture f;

	fixture_init(&f, CROWD, 1);
	for (unsigned i = 0; i < CROWD; i++)
		set(&f, i, 1);
	for (unsigned i = 0; i < CROWD; i++) {
		if (i % 100 != 0)
			set(&f, i, 0);
	}
	CHECK_INT(f.members, CROWD / 100);
	CHECK(bytes_held(&f) < CROWD / 100 * 256);
	check_is(&f, f.audience, f.flags, f.members);
	fixture_done(&f);
}

/* --- other threads ---------------------------------------------------------------- */

#define READERS 3
#define PARTS 3000

struct reading {
	struct audience_part **parts;
	size_t members;
};

/* Of the last of its references on any thread, the part is freed there. */
static void *
read_parts(void *arg)
{
	struct reading *reading = arg;

	for (unsigned i = 0; i < PARTS; i++) {
		struct audience_part *p = reading->parts[i];
		struct audience_walk walk = { 0 };

		while (audience_step(p, &walk) != NULL)
			reading->members++;
		audience_part_unref(p);
	}
	return NULL;
}

TEST(other_threads_read_what_changes_no_more)
{
	static struct audience_part *parts[READERS][PARTS];
	struct reading readings[READERS] = { { .members = 0 } };
	pthread_t threads[READERS];
	struct fixture f;
	size_t members = 0;

	fixture_init(&f, 300, 1);
	for (unsigned i = 0; i < 300; i++)
		set(&f, i, 1);
	for (unsigned i = 0; i < PARTS; i++) {
		set(&f, i % 299, f.flags[i % 299] != 0 ? 0 : 1);
		members += f.members;
		for (unsigned j = 0; j < READERS; j++)
			parts[j][i] = audience_part_ref(f.audience->parts[0]);
	}
	for (unsigned j = 0; j < READERS; j++) {
		readings[j].parts = parts[j];
		pthread_create(&threads[j], NULL, read_parts, &readings[j]);
	}
	for (unsigned i = 0; i < PARTS; i++)
		set(&f, i % 299, f.flags[i % 299] != 0 ? 0 : 1);
	for (unsigned j = 0; j < READERS; j++) {
		pthread_join(threads[j], NULL);
		CHECK_INT(readings[j].members, members);
	}
	fixture_done(&f);
}

TEST_MAIN
