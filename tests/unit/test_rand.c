/*
 * test_rand.c - random bytes, from the system or from a seed.
 */
#include "config.h"

#include "base/rand.h"

#include "base/mem.h"
#include "test.h"

TEST(rand_seeded_gives_the_same_bytes_for_the_same_seed)
{
	struct rand_seeded a, b, c;
	unsigned char x[37], y[37], z[37];

	rand_seeded_init(&a, 1);
	rand_seeded_init(&b, 1);
	rand_seeded_init(&c, 2);
	rand_bytes(&a.source, x, sizeof(x));
	rand_bytes(&b.source, y, sizeof(y));
	rand_bytes(&c.source, z, sizeof(z));
	CHECK(memcmp(x, y, sizeof(x)) == 0);
	CHECK(memcmp(x, z, sizeof(x)) != 0);
	rand_bytes(&a.source, y, sizeof(y));
	CHECK(memcmp(x, y, sizeof(x)) != 0);
}

/* splitmix64 of 0, from the vectors of its authors. */
TEST(rand_seeded_fills_its_state_by_splitmix64)
{
	struct rand_seeded r;

	rand_seeded_init(&r, 0);
	CHECK_INT(r.state[0], 0xe220a8397b1dcdaf);
	CHECK_INT(r.state[1], 0x6e789e6aa1b965f4);
	CHECK_INT(r.state[2], 0x06c45d188009454f);
	CHECK_INT(r.state[3], 0xf88bb8a8724c81ec);
}

/* state 1, 2, 3, 4: the first outputs that are published for xoshiro256** */
TEST(rand_seeded_is_xoshiro256)
{
	static const uint64_t want[] = { 11520, 0, 1509978240,
		UINT64_C(1215971899390074240) };
	struct rand_seeded r;

	rand_seeded_init(&r, 0);
	for (uint64_t i = 0; i < 4; i++)
		r.state[i] = i + 1;
	for (size_t i = 0; i < COUNT(want); i++) {
		uint64_t got;

		rand_bytes(&r.source, &got, sizeof(got));
		CHECK_INT(got, want[i]);
	}
}

TEST(rand_below_reaches_every_value_and_no_other)
{
	struct rand_seeded r;
	unsigned seen[7] = { 0 };

	rand_seeded_init(&r, 3);
	for (int i = 0; i < 7000; i++) {
		uint64_t value = rand_below(&r.source, COUNT(seen));

		CHECK(value < COUNT(seen));
		seen[value]++;
	}
	for (size_t i = 0; i < COUNT(seen); i++)
		CHECK(seen[i] > 800 && seen[i] < 1200);
	CHECK_INT(rand_below(&r.source, 1), 0);
}

/* A source whose first word is one of those that rand_below draws again. */
static void
low_then_high(struct rand_source *r, void *out, size_t n)
{
	struct rand_seeded *s = CONTAINER_OF(r, struct rand_seeded, source);

	memset(out, s->state[0]++ == 0 ? 0x00 : 0xff, n);
}

TEST(rand_below_draws_again_what_would_favour_small_values)
{
	struct rand_seeded s = { .source.bytes = low_then_high };

	/* 2^64 mod 3 is 1, so that 0 is refused; 2^64 - 1 mod 3 is 0 */
	CHECK_INT(rand_below(&s.source, 3), 0);
	CHECK_INT(s.state[0], 2);
}

static void
all_ones(struct rand_source *r, void *out, size_t n)
{
	(void)r;
	memset(out, 0xff, n);
}

/* 1, 2, 3 ... */
static void
count_on(struct rand_source *r, void *out, size_t n)
{
	struct rand_seeded *s = CONTAINER_OF(r, struct rand_seeded, source);
	unsigned char *at = out;

	s->state[1]++;
	for (size_t i = 0; i < n; i++)
		at[i] = (unsigned char)++s->state[0];
}

TEST(rand_buffered_gives_out_each_byte_of_its_source_once)
{
	struct rand_seeded s = { .source.bytes = count_on };
	bool seen[RAND_BUFFERED] = { false };
	struct rand_buffered r;
	unsigned char got[16];

	rand_buffered_init(&r, &s.source);
	for (size_t i = 0; i < RAND_BUFFERED; i += sizeof(got)) {
		rand_bytes(&r.source, got, sizeof(got));
		for (size_t k = 0; k < sizeof(got); k++) {
			size_t half = i < RAND_BUFFERED / 2 ? 256 : 0;

			CHECK(!seen[half + got[k]]);
			seen[half + got[k]] = true;
		}
	}
	CHECK_INT(s.state[1], 1);
	rand_bytes(&r.source, got, 1);
	CHECK_INT(s.state[1], 2);
}

TEST(rand_buffered_keeps_nothing_that_it_gave_out)
{
	struct rand_source ones = { .bytes = all_ones };
	unsigned char got[100], zeros[100] = { 0 };
	struct rand_buffered r;

	rand_buffered_init(&r, &ones);
	rand_bytes(&r.source, got, sizeof(got));
	CHECK_INT(got[99], 0xff);
	CHECK(memcmp(r.bytes + RAND_BUFFERED - sizeof(got), zeros,
		      sizeof(got)) == 0);
	CHECK_INT(r.bytes[RAND_BUFFERED - sizeof(got) - 1], 0xff);
}

TEST(rand_buffered_passes_on_what_is_larger_than_its_buffer)
{
	struct rand_seeded s = { .source.bytes = count_on };
	unsigned char got[RAND_BUFFERED + 1];
	struct rand_buffered r;

	rand_buffered_init(&r, &s.source);
	rand_bytes(&r.source, got, sizeof(got));
	CHECK_INT(s.state[0], sizeof(got));
	CHECK_INT(got[RAND_BUFFERED], 1);
	CHECK_INT(r.left, 0);
}

TEST(rand_id_holds_128_bits_in_22_letters)
{
	struct rand_source ones = { .bytes = all_ones };
	char a[RAND_ID_SIZE], b[RAND_ID_SIZE];
	struct str id = rand_id(&rand_system, a);

	CHECK_INT(id.n, 22);
	CHECK(id.p == a);
	CHECK_INT(strspn(a,
			  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
			  "wxyz0123456789-_"),
		22);
	rand_id(&rand_system, b);
	CHECK(strcmp(a, b) != 0);
	CHECK_STR(rand_id(&ones, a), "_____________________w");
}

TEST_MAIN
