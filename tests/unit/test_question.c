/*
 * test_question.c - open questions: each is closed once, and what nobody waits
 * for is dropped.
 */
#include "config.h"

#include "core/question.h"

#include "base/err.h"
#include "core/server.h"
#include "core/shard.h"
#include "test.h"

struct asker {
	struct shard *sh;
	unsigned ok, failed;
	uint64_t next; /* asked from within the answer */
};

static void
on_answer(void *arg, bool ok, const struct err *err)
{
	struct asker *a = arg;

	CHECK(ok == (err == NULL));
	a->ok += ok;
	a->failed += !ok;
}

static void
on_answer_ask(void *arg, bool ok, const struct err *err)
{
	struct asker *a = arg;

	on_answer(arg, ok, err);
	a->next = question_open(a->sh, on_answer, a);
}

TEST(each_is_answered_once_by_its_number)
{
	for (unsigned n = 0; n <= 300; n++) {
		struct shard sh = { .index = 0 };
		struct asker askers[300] = { { .sh = NULL } };
		uint64_t numbers[300];
		struct err err = { .code = ERR_MISSING };

		test_case_number("n", n);
		for (unsigned i = 0; i < n; i++)
			numbers[i] = question_open(&sh, on_answer, &askers[i]);
		for (unsigned i = n; i-- > 0;) {
			CHECK(numbers[i] != 0);
			question_close(&sh, numbers[i], i % 2 ? &err : NULL);
			question_close(&sh, numbers[i], NULL);
		}
		for (unsigned i = 0; i < n; i++) {
			CHECK_INT(askers[i].ok, i % 2 == 0);
			CHECK_INT(askers[i].failed, i % 2);
		}
		questions_free(sh.questions);
	}
}

TEST(an_answer_that_nobody_waits_for_is_dropped)
{
	static const uint64_t never[] = { 0, 1, UINT32_MAX, UINT64_MAX,
		UINT64_C(1) << 32, UINT64_C(3) << 32, UINT64_C(1) << 32 | 1 };
	struct shard sh = { .index = 0 };
	struct asker asker = { &sh, 0, 0, 0 };
	uint64_t first, second;

	for (size_t i = 0; i < COUNT(never); i++)
		question_close(&sh, never[i], NULL);
	first = question_open(&sh, on_answer, &asker);
	question_close(&sh, first, NULL);
	second = question_open(&sh, on_answer, &asker);
	CHECK(second != first);
	for (size_t i = 0; i < COUNT(never); i++)
		if (never[i] != first && never[i] != second)
			question_close(&sh, never[i], NULL);
	question_close(&sh, first, NULL);
	CHECK_INT(asker.ok, 1);
	question_close(&sh, second, NULL);
	CHECK_INT(asker.ok, 2);
	questions_free(sh.questions);
}

TEST(who_is_answered_may_ask_at_once)
{
	struct shard sh = { .index = 0 };
	struct asker asker = { &sh, 0, 0, 0 };
	uint64_t first = question_open(&sh, on_answer_ask, &asker);

	question_close(&sh, first, NULL);
	CHECK(asker.next != 0 && asker.next != first);
	question_close(&sh, first, NULL);
	CHECK_INT(asker.ok, 1);
	question_close(&sh, asker.next, NULL);
	CHECK_INT(asker.ok, 2);
	questions_free(sh.questions);
}

TEST(what_was_given_with_it_is_for_who_waits)
{
	struct shard sh = { .index = 0 };
	struct asker asker = { &sh, 0, 0, 0 };
	uint64_t number;

	CHECK(question_arg(&sh, 0, on_answer) == NULL);
	number = question_open(&sh, on_answer, &asker);
	CHECK(question_arg(&sh, number, on_answer) == &asker);
	CHECK(question_arg(&sh, number, on_answer_ask) == NULL);
	CHECK(question_arg(&sh, number + 1, on_answer) == NULL);
	question_close(&sh, number, NULL);
	CHECK(question_arg(&sh, number, on_answer) == NULL);
	questions_free(sh.questions);
}

TEST(at_the_end_all_are_closed_and_none_is_opened)
{
	for (unsigned n = 0; n <= 300; n++) {
		struct shard sh = { .index = 0 };
		struct asker asker = { &sh, 0, 0, 1 };

		test_case_number("n", n);
		for (unsigned i = 0; i < n; i++)
			question_open(&sh, i % 2 ? on_answer : on_answer_ask,
				&asker);
		questions_end(&sh);
		CHECK_INT(asker.failed, n);
		CHECK_INT(asker.ok, 0);
		CHECK_INT(asker.next, n == 0);
		CHECK_INT(question_open(&sh, on_answer, &asker), 0);
		questions_free(sh.questions);
	}
}

TEST(so_many_are_open_and_no_more)
{
	struct shard sh = { .index = 0 };
	struct asker asker = { &sh, 0, 0, 0 };
	uint64_t first = question_open(&sh, on_answer, &asker);

	for (unsigned i = 1; i < QUESTIONS_MAX; i++)
		CHECK(question_open(&sh, on_answer, &asker) != 0);
	CHECK(question_open(&sh, on_answer, &asker) == 0);
	question_close(&sh, first, NULL);
	CHECK(question_open(&sh, on_answer, &asker) != 0);
	CHECK(question_open(&sh, on_answer, &asker) == 0);
	questions_free(sh.questions);
}

/* Also where none was ever asked. */
TEST(who_is_refused_hears_of_it_later)
{
	struct shard sh = { .index = 0 }, *shards[] = { &sh };
	struct server srv = { .shards = shards, .n_shards = 1 };
	struct asker asker = { &sh, 0, 0, 0 };
	struct err err = ERR_INIT;

	TAG_SET(&sh, "shrd");
	sh.server = &srv;
	CHECK(mailbox_init(&sh.mailbox, &err));
	question_refuse(&sh, on_answer, &asker);
	CHECK_INT(asker.failed, 0);
	CHECK_INT(mailbox_run(&sh.mailbox, &sh, 10), 1);
	CHECK_INT(asker.failed, 1);
	questions_end(&sh);
	question_refuse(&sh, on_answer, &asker);
	CHECK_INT(mailbox_run(&sh.mailbox, &sh, 10), 1);
	CHECK_INT(asker.failed, 2);
	questions_free(sh.questions);
	mailbox_done(&sh.mailbox);
}

TEST_MAIN
