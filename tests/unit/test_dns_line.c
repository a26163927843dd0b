/*
 * test_dns_line.c - whose question is next.
 */
#include "config.h"

#include "dns/dns_int.h"

#include "base/mem.h"
#include "test.h"

#define N 12

struct row {
	struct line line;
	struct line_item items[N];
};

static void
row_init(struct row *r, size_t most)
{
	*r = (struct row){ .line.most = 0 };
	line_init(&r->line, most);
}

/* Those that go out, while there is room for them, in order: their numbers. */
static void
check_next(struct row *r, size_t room, const char *want)
{
	struct line_item *i;
	char got[N * 3 + 1] = "";

	while ((i = line_next(&r->line, room)) != NULL) {
		size_t at = strlen(got);

		CHECK(i->out);
		room -= i->n;
		snprintf(got + at, sizeof(got) - at, "%s%zu",
			at != 0 ? " " : "", (size_t)(i - r->items));
	}
	CHECK_STR(str_c(got), want);
}

static void
row_done(struct row *r)
{
	for (size_t i = 0; i < N; i++)
		line_leave(&r->line, &r->items[i]);
	CHECK(r->line.askers == NULL);
	CHECK(TAILQ_EMPTY(&r->line.all));
	CHECK(TAILQ_EMPTY(&r->line.turns));
}

TEST(one_after_the_other)
{
	struct row r;

	row_init(&r, 100);
	for (size_t i = 0; i < 5; i++)
		line_add(&r.line, &r.items[i], 7, 2);
	check_next(&r, 5, "0 1");
	check_next(&r, 1, "");
	check_next(&r, 100, "2 3 4");
	row_done(&r);
}

TEST(askers_in_turns)
{
	struct row r;

	row_init(&r, 100);
	for (size_t i = 0; i < 6; i++)
		line_add(&r.line, &r.items[i], 7, 2);
	line_add(&r.line, &r.items[6], 8, 2);
	line_add(&r.line, &r.items[7], 8, 2);
	line_add(&r.line, &r.items[8], 9, 2);
	check_next(&r, 100, "0 6 8 1 7 2 3 4 5");
	row_done(&r);
}

TEST(who_has_too_much_out_waits_for_himself)
{
	struct row r;

	row_init(&r, 4);
	for (size_t i = 0; i < 6; i++)
		line_add(&r.line, &r.items[i], 7, 2);
	line_add(&r.line, &r.items[6], 8, 2);
	check_next(&r, 100, "0 6 1");
	line_add(&r.line, &r.items[7], 9, 2);
	check_next(&r, 100, "7");
	line_leave(&r.line, &r.items[1]);
	check_next(&r, 100, "2");
	line_leave(&r.line, &r.items[6]);
	check_next(&r, 100, "");
	/* what leaves the line leaves room for nobody */
	line_leave(&r.line, &r.items[4]);
	check_next(&r, 100, "");
	line_leave(&r.line, &r.items[0]);
	line_leave(&r.line, &r.items[2]);
	check_next(&r, 100, "3 5");
	row_done(&r);
}

TEST(one_question_may_always_go_out)
{
	struct row r;

	row_init(&r, 4);
	line_add(&r.line, &r.items[0], 7, 24);
	line_add(&r.line, &r.items[1], 7, 24);
	check_next(&r, 1000, "0");
	line_leave(&r.line, &r.items[0]);
	check_next(&r, 1000, "1");
	row_done(&r);
}

TEST(nobodys_questions_have_no_bound)
{
	struct row r;

	row_init(&r, 4);
	for (size_t i = 0; i < N; i++)
		line_add(&r.line, &r.items[i], 0, 2);
	check_next(&r, 100, "0 1 2 3 4 5 6 7 8 9 10 11");
	row_done(&r);
}

TEST_MAIN
