/*
 * test_timer.c - many timers over one clock.
 */
#include "config.h"

#include "base/timer.h"

#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

struct world;

struct bell {
	struct timer timer;
	struct world *world;
	struct bell *victim; /* cancelled when this one fires */
	int64_t again_us;    /* 0: not set again */
	unsigned fired;
};

struct world {
	struct timer_queue queue;
	struct bell *log[1024];
	size_t n;
};

static void
on_bell(struct timer *t)
{
	struct bell *b = CONTAINER_OF(t, struct bell, timer);
	struct world *w = b->world;

	CHECK(!timer_is_set(t));
	b->fired++;
	if (w->n < COUNT(w->log))
		w->log[w->n++] = b;
	if (b->victim != NULL)
		timer_cancel(&w->queue, &b->victim->timer);
	if (b->again_us != 0)
		timer_set(&w->queue, t, b->again_us, on_bell);
}

static void
bell_set(struct bell *b, struct world *w, int64_t at_us)
{
	b->world = w;
	timer_set(&w->queue, &b->timer, at_us, on_bell);
}

TEST(timer_queue_empty_has_nothing_to_do)
{
	struct world w = { .n = 0 };

	CHECK_INT(timer_queue_next(&w.queue), INT64_MAX);
	CHECK_INT(timer_queue_run(&w.queue, 100), INT64_MAX);
	timer_queue_done(&w.queue);
}

TEST(timer_fires_once_when_its_time_has_come)
{
	struct world w = { .n = 0 };
	struct bell b = { .fired = 0 };

	bell_set(&b, &w, 100);
	CHECK(timer_is_set(&b.timer));
	CHECK_INT(timer_queue_run(&w.queue, 99), 100);
	CHECK_INT(b.fired, 0);
	CHECK_INT(timer_queue_run(&w.queue, 100), INT64_MAX);
	CHECK_INT(b.fired, 1);
	CHECK_INT(timer_queue_run(&w.queue, 200), INT64_MAX);
	CHECK_INT(b.fired, 1);
	timer_queue_done(&w.queue);
}

TEST(timer_set_again_moves_it_both_ways)
{
	struct world w = { .n = 0 };
	struct bell a = { .fired = 0 }, b = { .fired = 0 };

	bell_set(&a, &w, 100);
	bell_set(&b, &w, 200);
	bell_set(&b, &w, 50);
	CHECK_INT(timer_queue_next(&w.queue), 50);
	bell_set(&b, &w, 300);
	CHECK_INT(timer_queue_next(&w.queue), 100);
	CHECK_INT(timer_queue_run(&w.queue, 200), 300);
	CHECK_INT(a.fired, 1);
	CHECK_INT(b.fired, 0);
	timer_queue_done(&w.queue);
}

TEST(timer_cancel_of_one_that_is_not_set_does_nothing)
{
	struct world w = { .n = 0 };
	struct bell a = { .fired = 0 }, b = { .fired = 0 };

	bell_set(&a, &w, 100);
	timer_cancel(&w.queue, &b.timer);
	timer_cancel(&w.queue, &a.timer);
	timer_cancel(&w.queue, &a.timer);
	CHECK(!timer_is_set(&a.timer));
	CHECK_INT(timer_queue_run(&w.queue, 100), INT64_MAX);
	CHECK_INT(a.fired, 0);
	timer_queue_done(&w.queue);
}

TEST(timers_fire_in_order_whatever_was_set_moved_and_cancelled)
{
	static struct bell bells[1000];
	struct world w = { .n = 0 };
	struct rand_seeded r;
	size_t n_set = 0;

	memset(bells, 0, sizeof(bells));
	rand_seeded_init(&r, 7);
	for (int i = 0; i < 10000; i++) {
		struct bell *b = &bells[rand_below(&r.source, COUNT(bells))];

		if (rand_below(&r.source, 3) == 0)
			timer_cancel(&w.queue, &b->timer);
		else
			bell_set(b, &w, (int64_t)rand_below(&r.source, 100000));
	}
	for (size_t i = 0; i < COUNT(bells); i++)
		n_set += timer_is_set(&bells[i].timer);
	CHECK(n_set > 0);
	for (int64_t now = 0; now <= 100000; now += 1000)
		CHECK(timer_queue_run(&w.queue, now) > now);
	CHECK_INT(w.n, n_set);
	for (size_t i = 1; i < w.n; i++)
		CHECK(w.log[i - 1]->timer.at_us <= w.log[i]->timer.at_us);
	timer_queue_done(&w.queue);
}

TEST(timer_cancelled_by_one_that_fires_before_it_stays_silent)
{
	struct world w = { .n = 0 };
	struct bell late = { .fired = 0 };
	struct bell same = { .fired = 0, .victim = &late };
	struct bell first = { .fired = 0, .victim = &same };

	bell_set(&late, &w, 300);
	bell_set(&same, &w, 100);
	bell_set(&first, &w, 90);
	CHECK_INT(timer_queue_run(&w.queue, 100), 300);
	CHECK_INT(first.fired, 1);
	CHECK_INT(same.fired, 0);
	CHECK(!timer_is_set(&same.timer));
	CHECK_INT(timer_queue_run(&w.queue, 300), INT64_MAX);
	CHECK_INT(late.fired, 1);
	timer_queue_done(&w.queue);
}

TEST(timer_set_again_by_itself_for_the_past_waits_for_the_next_run)
{
	struct world w = { .n = 0 };
	struct bell b = { .again_us = 50 };

	bell_set(&b, &w, 100);
	CHECK_INT(timer_queue_run(&w.queue, 100), 50);
	CHECK_INT(b.fired, 1);
	CHECK_INT(timer_queue_run(&w.queue, 100), 50);
	CHECK_INT(b.fired, 2);
	timer_queue_done(&w.queue);
}

static void
on_mover(struct timer *t)
{
	struct bell *b = CONTAINER_OF(t, struct bell, timer);

	bell_set(b->victim, b->world, b->again_us);
}

TEST(timer_moved_by_one_that_fires_before_it_keeps_the_new_time)
{
	struct world w = { .n = 0 };
	struct bell moved = { .fired = 0 };
	struct bell mover = { .world = &w, .victim = &moved, .again_us = 500 };

	bell_set(&moved, &w, 100);
	timer_set(&w.queue, &mover.timer, 90, on_mover);
	CHECK_INT(timer_queue_run(&w.queue, 200), 500);
	CHECK_INT(moved.fired, 0);
	CHECK_INT(timer_queue_run(&w.queue, 500), INT64_MAX);
	CHECK_INT(moved.fired, 1);
	timer_queue_done(&w.queue);
}

TEST_MAIN
