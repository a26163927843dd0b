/*
 * test_slot.c - states in slots: found again, ended once, with their object.
 */
#include "config.h"

#include "core/slot.h"

#include "base/mem.h"
#include "test.h"

#define KINDS 300

struct state {
	int value;
};

struct kind {
	struct slot_kind slot; /* first */
	int value;
	int ended;
};

struct object {
	struct slot *slots;
	int ended;
};

static void
on_done(const struct slot_kind *kind, void *object, void *state)
{
	struct kind *k = (struct kind *)CONTAINER_OF(kind, struct kind, slot);
	struct object *o = object;

	CHECK_INT(((struct state *)state)->value, k->value);
	k->ended++;
	o->ended++;
}

static void
kinds_init(struct kind *kinds, int n)
{
	for (int i = 0; i < n; i++)
		kinds[i] = (struct kind){
			{ .size = sizeof(struct state), .done = on_done }, i + 1, 0
		};
}

static void
fill(struct object *o, struct kind *kinds, int n)
{
	for (int i = 0; i < n; i++) {
		struct state *state;

		CHECK(slot_find(o->slots, &kinds[i].slot) == NULL);
		state = slot_get(&o->slots, &kinds[i].slot);
		CHECK(slot_find(o->slots, &kinds[i].slot) == state);
		CHECK_INT(state->value, 0);
		state->value = kinds[i].value;
	}
}

TEST(every_kind_is_found_again)
{
	struct kind kinds[KINDS];
	struct object o = { .slots = NULL };

	kinds_init(kinds, KINDS);
	for (int n = 0; n <= KINDS; n += 50) {
		fill(&o, kinds, n);
		for (int i = 0; i < n; i++) {
			struct state *s = slot_get(&o.slots, &kinds[i].slot);

			CHECK_INT(s->value, kinds[i].value);
		}
		slot_drop_all(&o.slots, &o);
		CHECK(o.slots == NULL);
		CHECK_INT(o.ended, n);
		o.ended = 0;
	}
}

TEST(one_kind_leaves_the_others)
{
	struct kind kinds[KINDS];
	struct object o = { .slots = NULL };

	kinds_init(kinds, KINDS);
	fill(&o, kinds, KINDS);
	for (int i = 0; i < KINDS; i += 3)
		slot_drop(&o.slots, &kinds[i].slot, &o);
	for (int i = 0; i < KINDS; i += 3) {
		CHECK_INT(kinds[i].ended, 1);
		slot_drop(&o.slots, &kinds[i].slot, &o); /* it has none */
		CHECK_INT(kinds[i].ended, 1);
	}
	fill(&o, &kinds[3], 1); /* it begins anew */
	slot_drop_all(&o.slots, &o);
	for (int i = 0; i < KINDS; i++)
		CHECK_INT(kinds[i].ended, i == 3 ? 2 : 1);
}

TEST(objects_do_not_share)
{
	struct kind kinds[1];
	struct object a = { .slots = NULL }, b = { .slots = NULL };
	struct state *s;

	kinds_init(kinds, 1);
	fill(&a, kinds, 1);
	fill(&b, kinds, 1);
	slot_drop(&a.slots, &kinds[0].slot, &a);
	s = slot_get(&b.slots, &kinds[0].slot);
	CHECK_INT(s->value, kinds[0].value);
	slot_drop_all(&b.slots, &b);
	CHECK_INT(a.ended, 1);
	CHECK_INT(b.ended, 1);
}

TEST_MAIN
