/*
 * test_s2s_runs.c - whose stanzas a stream has written, by number.
 */
#include "config.h"

#include "stream/server/s2s_runs.h"

#include "base/rand.h"
#include "test.h"

static struct s2s_runs
made_of(const char *letters, uint32_t acked)
{
	struct s2s_runs r = { .acked = acked };

	for (; *letters != '\0'; letters++)
		s2s_runs_add(&r, (uint32_t)*letters);
	return r;
}

/* As many as h says. */
static void
take(struct s2s_runs *r, uint32_t h, const char *letters)
{
	uint32_t n;

	CHECK(s2s_runs_count(r, h, &n));
	CHECK_INT(n, strlen(letters));
	while (n != 0) {
		struct s2s_run run = s2s_runs_take(r, n);

		CHECK(run.n != 0 && run.n <= n);
		for (n -= run.n; run.n != 0; run.n--)
			CHECK_INT(run.whose, *letters++);
	}
}

TEST(of_one_there_is_one_run_without_memory)
{
	struct s2s_runs r = made_of("aaaa", 0);

	CHECK_INT(s2s_runs_bytes(&r), 0);
	take(&r, 1, "a");
	take(&r, 4, "aaa");
	CHECK(s2s_runs_at(&r, 0) == NULL);
	s2s_runs_add(&r, 'a');
	take(&r, 5, "a");
	CHECK_INT(s2s_runs_bytes(&r), 0);
}

TEST(of_several_each_has_its_own)
{
	struct s2s_runs r = made_of("aabaccc", 0);

	CHECK_INT(s2s_runs_at(&r, 1)->whose, 'b');
	CHECK_INT(s2s_runs_at(&r, 3)->n, 3);
	CHECK(s2s_runs_at(&r, 4) == NULL);
	take(&r, 1, "a");
	take(&r, 5, "abac");
	s2s_runs_add(&r, 'b');
	take(&r, 8, "ccb");
	s2s_runs_done(&r);
	CHECK_INT(s2s_runs_bytes(&r), 0);
}

static const struct {
	uint32_t acked, h, n;
	bool ok;
} said[] = {
	{ 0, 0, 0, true }, { 0, 3, 3, true }, { 0, 4, 0, false },
	{ 0, 0x7fffffff, 0, false }, { 10, 5, 0, true }, { 10, 14, 0, false },
	{ 0xfffffffe, 1, 3, true }, { 0xfffffffe, 2, 0, false },
	{ 0xfffffffe, 0xfffffffd, 0, true }, { 1, 0xffffffff, 0, true },
};

TEST(numbers_go_round)
{
	for (size_t i = 0; i < COUNT(said); i++) {
		struct s2s_runs r = made_of("aba", said[i].acked);
		uint32_t n;

		TEST_CASE(said[i].ok ? "has it" : "too high");
		CHECK_INT(s2s_runs_count(&r, said[i].h, &n), said[i].ok);
		CHECK_INT(n, said[i].n);
		s2s_runs_done(&r);
	}
}

/* Against an array; what is over gives its place to others. */
TEST(many_at_random)
{
	struct rand_seeded seeded;
	struct rand_source *rand = &seeded.source;
	static char wrote[20000];
	struct s2s_runs r = made_of("", 0);
	uint32_t from = 0, to = 0;

	rand_seeded_init(&seeded, 7);
	while (to < sizeof(wrote)) {
		for (uint64_t i = rand_below(rand, 20); i > 0 &&
			to < sizeof(wrote); i--) {
			wrote[to] = (char)('a' + rand_below(rand, 3));
			s2s_runs_add(&r, (uint32_t)wrote[to++]);
		}
		for (uint32_t n = (uint32_t)rand_below(rand, to - from + 1);
			n != 0;) {
			struct s2s_run run = s2s_runs_take(&r, n);

			for (n -= run.n; run.n != 0; run.n--)
				CHECK_INT(run.whose, wrote[from++]);
		}
		CHECK_INT(r.acked, from);
		CHECK_INT(r.wrote, to - from);
	}
	CHECK(s2s_runs_bytes(&r) < 4096);
	s2s_runs_done(&r);
}

TEST_MAIN
