/*
 * test_receipt.c - receipts: the count moves over the first gap only, whoever lets
 * go, and wherever.
 */
#include "config.h"

#include "core/receipt.h"

#include "c2s_world.h"
#include "test.h"

#define MOST 300

struct line {
	struct receipt_line line;
	struct shard sh;
	unsigned moved;
};

static void
on_moved(struct turn_end *t)
{
	CONTAINER_OF(t, struct line, line.moved)->moved++;
}

static void
line_init(struct line *l, uint32_t received)
{
	*l = (struct line){ .moved = 0 };
	receipt_line_begin(&l->line, &l->sh, received, on_moved);
}

/* What the end of a turn would do. */
static void
end_turn(struct line *l)
{
	struct turn_end *t;

	while ((t = LIST_FIRST(&l->sh.ends)) != NULL) {
		shard_not_at_end(t);
		t->fn(t);
	}
}

static struct stanza *
counted(struct receipt_line *line)
{
	struct jid nobody = { .text = NULL };
	struct stanza *st = stanza_new(MESSAGE_CHAT, nobody, nobody, STR_NONE);

	receipt_line_next(line);
	receipt_give(line, st);
	return st;
}

TEST(the_count_moves_as_far_as_all_is_dealt_with)
{
	for (unsigned n = 0; n <= MOST; n++) {
		struct line l;
		struct stanza *st[MOST];

		test_case_number("n", n);
		line_init(&l, 0);
		for (unsigned i = 0; i < n; i++)
			st[i] = counted(&l.line);
		CHECK_INT(receipt_line_handled(&l.line), 0);
		for (unsigned i = 0; i < n; i++) {
			stanza_free(st[i]);
			CHECK_INT(receipt_line_handled(&l.line), i + 1);
		}
		end_turn(&l);
		CHECK_INT(l.moved, n != 0); /* gathered */
		CHECK_INT(l.line.n_out, 0);
		receipt_line_end(&l.line);
	}
}

TEST(the_count_stands_at_the_first_gap)
{
	for (unsigned n = 1; n <= MOST; n += 7) {
		struct line l;
		struct stanza *st[MOST];

		test_case_number("n", n);
		line_init(&l, 0);
		for (unsigned i = 0; i < n; i++)
			st[i] = counted(&l.line);
		for (unsigned i = n; i-- > 0;) {
			CHECK_INT(receipt_line_handled(&l.line), 0);
			stanza_free(st[i]);
		}
		CHECK_INT(receipt_line_handled(&l.line), n);
		receipt_line_end(&l.line);
	}
}

TEST(what_carries_no_receipt_is_dealt_with_when_all_before_it_is)
{
	struct line l;
	struct stanza *st;

	line_init(&l, 0);
	receipt_line_next(&l.line);
	CHECK_INT(receipt_line_handled(&l.line), 1);
	st = counted(&l.line);
	receipt_line_next(&l.line);
	receipt_line_next(&l.line);
	CHECK_INT(receipt_line_handled(&l.line), 1);
	stanza_free(st);
	CHECK_INT(receipt_line_handled(&l.line), 4);
	receipt_line_end(&l.line);
}

TEST(numbers_go_round)
{
	struct line l;
	struct stanza *st[20];

	line_init(&l, UINT32_MAX - 10);
	for (unsigned i = 0; i < 20; i++)
		st[i] = counted(&l.line);
	CHECK_INT(l.line.received, 9);
	for (unsigned i = 0; i < 20; i++) {
		CHECK_INT(receipt_line_handled(&l.line),
			(uint32_t)(UINT32_MAX - 10 + i));
		stanza_free(st[i]);
	}
	CHECK_INT(receipt_line_handled(&l.line), 9);
	receipt_line_end(&l.line);
}

TEST(the_last_of_several_holders_counts)
{
	struct line l;
	struct stanza *st, *beside, *answer, *copy;
	struct jid nobody = { .text = NULL };

	line_init(&l, 0);
	st = counted(&l.line);
	copy = stanza_copy(st);
	CHECK(copy->receipt == NULL);
	stanza_free(copy);
	beside = stanza_new(MESSAGE_CHAT, nobody, nobody, STR_NONE);
	receipt_share(beside, st);
	answer = stanza_new(MESSAGE_ERROR, nobody, nobody, STR_NONE);
	receipt_move(answer, st);
	stanza_free(st);
	stanza_free(beside);
	CHECK_INT(receipt_line_handled(&l.line), 0);
	receipt_let_go(answer);
	CHECK_INT(receipt_line_handled(&l.line), 1);
	stanza_free(answer);
	CHECK_INT(l.line.n_out, 0);
	receipt_line_end(&l.line);
}

TEST(a_line_may_end_before_its_receipts_come_in)
{
	struct line l;
	struct stanza *st[10];

	line_init(&l, 0);
	for (unsigned i = 0; i < 10; i++)
		st[i] = counted(&l.line);
	stanza_free(st[3]);
	receipt_line_end(&l.line);
	end_turn(&l);
	CHECK_INT(l.moved, 0);
	memset(&l.line, 0xff, sizeof(l.line)); /* is not looked at */
	for (unsigned i = 0; i < 10; i++)
		if (i != 3)
			stanza_free(st[i]);
}

/* --- from another shard ------------------------------------------------------- */

static void
on_other_shard(struct shard *sh, void *arg)
{
	(void)sh;
	stanza_free(arg);
}

TEST(a_receipt_comes_home_by_mail)
{
	struct world w;
	struct line l = { .moved = 0 };
	struct stanza *a, *b;

	world_init(&w, 2, "", "");
	receipt_line_begin(&l.line, w.server->shards[0], 0, on_moved);
	a = counted(&l.line);
	b = counted(&l.line);
	shard_post(w.server->shards[1], on_other_shard, b, 0);
	shard_post(w.server->shards[1], on_other_shard, a, 0);
	shard_turn(w.server->shards[1]);
	CHECK_INT(receipt_line_handled(&l.line), 0);
	CHECK_INT(l.line.n_out, 2);
	shard_turn(w.server->shards[0]);
	CHECK_INT(receipt_line_handled(&l.line), 2);
	CHECK_INT(l.moved, 1);
	/* on its way home, when the line ends */
	a = counted(&l.line);
	shard_post(w.server->shards[1], on_other_shard, a, 0);
	shard_turn(w.server->shards[1]);
	receipt_line_end(&l.line);
	shard_turn(w.server->shards[0]);
	CHECK_INT(l.moved, 1);
	world_done(&w);
}

/* --- the end of a turn ---------------------------------------------------------- */

struct end {
	struct turn_end t;
	struct end *other;
	struct shard *sh;
	unsigned n;
	bool again;
};

static void
on_end(struct turn_end *t)
{
	struct end *e = CONTAINER_OF(t, struct end, t);

	e->n++;
	if (e->again)
		shard_at_end(e->sh, &e->t);
	if (e->other != NULL)
		shard_not_at_end(&e->other->t);
}

TEST(what_is_asked_for_at_the_end_of_a_turn_is_done_once)
{
	struct world w;
	struct shard *sh;
	struct end a, b;

	world_init(&w, 1, "", "");
	sh = w.server->shards[0];
	a = b = (struct end){ .t.fn = on_end, .sh = sh };
	shard_at_end(sh, &b.t);
	shard_at_end(sh, &a.t);
	shard_at_end(sh, &a.t);
	a.other = &b; /* which is not done then */
	a.again = true; /* at the next turn */
	CHECK(shard_turn(sh));
	CHECK_INT(a.n, 1);
	CHECK_INT(b.n, 0);
	a.again = false;
	shard_turn(sh);
	CHECK_INT(a.n, 2);
	shard_turn(sh);
	CHECK_INT(a.n, 2);
	world_done(&w);
}

TEST_MAIN
