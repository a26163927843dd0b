/*
 * test_event_memory.c - what libevent is given.
 */
#include "config.h"

#include "base/event_memory.h"

#include <stdint.h>
#include <string.h>

#include <event2/event.h>

#include "test.h"

#define MANY 5000 /* more than a slab has */

TEST(event_memory_gives_pieces_that_do_not_overlap)
{
	static uint64_t *got[MANY];

	for (uint64_t i = 0; i < MANY; i++) {
		got[i] = event_memory_alloc(24);
		got[i][0] = got[i][1] = got[i][2] = i;
	}
	for (uint64_t i = 0; i < MANY; i++) {
		CHECK_INT(got[i][0], i);
		CHECK_INT(got[i][2], i);
		event_memory_free(got[i]);
	}
}

TEST(event_memory_uses_what_was_freed_again)
{
	void *p = event_memory_alloc(16);
	void *large = event_memory_alloc(64);

	CHECK((uintptr_t)large % 16 == 0);
	event_memory_free(large);
	event_memory_free(p);
	CHECK(event_memory_alloc(8) == p);
	event_memory_free(p);
	event_memory_free(NULL);
}

static const struct {
	const char *label;
	size_t before, after;
} resize_cases[] = {
	{ "a piece that stays one", 8, 24 },
	{ "a piece that becomes too large", 24, 25 },
	{ "malloc's, growing", 100, 10000 },
	{ "malloc's, shrinking to a piece's size", 100, 8 },
};

TEST(event_memory_resize_keeps_what_was_there)
{
	for (size_t i = 0; i < COUNT(resize_cases); i++) {
		char *p = event_memory_resize(NULL, resize_cases[i].before);

		TEST_CASE(resize_cases[i].label);
		memset(p, 'x', resize_cases[i].before);
		p = event_memory_resize(p, resize_cases[i].after);
		memset(p + 8, 'y', resize_cases[i].after - 8);
		CHECK(memcmp(p, "xxxxxxxx", 8) == 0);
		event_memory_free(p);
	}
}

TEST(event_memory_serves_libevent)
{
	struct event_base *base;
	struct event *ev;

	event_memory_init();
	base = event_base_new();
	ev = event_new(base, 0, EV_READ, NULL, NULL);
	CHECK(base != NULL && ev != NULL);
	event_free(ev);
	event_base_free(base);
}

TEST_MAIN
