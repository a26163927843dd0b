/*
 * store_suite_queue.c - sizes, order, batches and bounds, whatever the driver.
 */
#include "config.h"

#include "store_suite.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/store_int.h"
#include "test.h"

#define ROSTER PLACE("romeo", "roster")
#define ARCHIVE PLACE("romeo", "archive")
/* Two are a range, and four all that may wait. */
#define LARGE (STORE_QUEUE_MAX / 4)

/* --- texts -------------------------------------------------------------- */

static char *
text_of(size_t n)
{
	char *text = xmalloc(n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i % 26);
	text[n] = '\0';
	return text;
}

struct whole {
	struct suite *suite;
	struct store_entry want;
	bool equal;
};

static void
on_whole(void *arg, const struct store_answer *a, const struct err *err)
{
	struct whole *w = arg;

	w->equal = err == NULL && a->n == 1 &&
		str_eq(a->entries[0].key, w->want.key) &&
		str_eq(a->entries[0].value, w->want.value) &&
		str_eq(a->entries[0].with, w->want.with) &&
		a->entries[0].wall_us == w->want.wall_us;
	w->suite->waiting--;
}

static void
entry_round_trip(
	struct suite *su, struct store_place at, struct store_entry want)
{
	const struct store_range all = { .max = 2, .with = want.with };
	struct whole in_map = { su, want, false };
	struct whole in_log = { su, want, false };
	struct store_tx *tx = store_tx_new();

	in_map.want.with = STR_NONE;
	in_map.want.wall_us = 0;
	store_tx_clear(tx, at);
	store_tx_set(tx, at, want.key, want.value);
	store_tx_append(tx, at, want.key, want.wall_us, want.with, want.value);
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
	su->waiting += 2;
	store_get(su->store, at, want.key, &su->mailbox, on_whole, &in_map);
	store_range(su->store, at, &all, &su->mailbox, on_whole, &in_log);
	suite_wait(su);
	CHECK(in_map.equal);
	CHECK(in_log.equal);
}

/* hostile 18 */
void
suite_maximum_sizes_come_back_unchanged(const struct suite_kind *k)
{
	char *key = text_of(STORE_KEY_MAX), *value = text_of(STORE_VALUE_MAX);
	struct str longest = { key, STORE_KEY_MAX };
	struct suite su;

	suite_open(&su, k);
	entry_round_trip(&su, (struct store_place){ longest, longest, longest },
		(struct store_entry){
			.key = longest,
			.value = { value, STORE_VALUE_MAX },
			.with = longest,
			.wall_us = INT64_MAX,
		});
	suite_close(&su);
	free(key);
	free(value);
}

/* hostile 63 */
void
suite_odd_texts_come_back_unchanged(const struct suite_kind *k)
{
	static const char *const texts[] = {
		"",
		"'",
		"\"",
		"'; DROP TABLE map; --",
		"%_?1:a@b$c",
		"99999999999999999999999999999999",
		"-9223372036854775809",
		"1e400",
		"0x10",
		"NULL",
		"\xf0\x9f\x92\xa9\xcc\x81 \xe2\x80\xae\xd7\xa9",
		"\x01\x7f\t\n\\",
	};
	struct suite su;

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct str t = str_c(texts[i]);
		struct str host = t.n != 0 ? t : STR("host");

		TEST_CASE(texts[i]);
		entry_round_trip(&su, (struct store_place){ host, t, t },
			(struct store_entry){
				.key = t,
				.value = t,
				.with = t,
				.wall_us = INT64_MIN + 1,
			});
	}
	suite_close(&su);
}

void
suite_what_breaks_the_rules_is_refused(const struct suite_kind *k)
{
	char *longer = text_of(STORE_VALUE_MAX + 1);
	const struct {
		struct str key, value;
		enum err_code want;
	} cases[] = {
		{ STR("a\0b"), STR("v"), ERR_INVALID },
		{ STR("a"), STR("v\0w"), ERR_INVALID },
		{ STR("\xff"), STR("v"), ERR_INVALID },
		{ STR("\xed\xa0\x80"), STR("v"), ERR_INVALID },
		{ { longer, STORE_KEY_MAX + 1 }, STR("v"), ERR_LIMIT },
		{ STR("a"), { longer, STORE_VALUE_MAX + 1 }, ERR_LIMIT },
	};
	const struct store_place nowhere = { STR(""), STR("romeo"),
		STR("map") };
	struct suite_result r;
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_tx *tx = store_tx_new();

		store_tx_set(tx, ROSTER, STR("good"), STR("v"));
		store_tx_set(tx, ROSTER, cases[i].key, cases[i].value);
		store_tx_set(tx, ROSTER, STR("good"), STR("v"));
		CHECK_INT(suite_commit(&su, tx), cases[i].want);
	}
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "");
	/* what is nobody's any more may lie there */
	CHECK_INT(suite_set(&su, nowhere, "a", "v"), ERR_INVALID);
	suite_result_init(&su, &r);
	store_list(su.store, nowhere, &su.mailbox, suite_on_read, &r);
	suite_wait(&su);
	CHECK_INT(r.code, ERR_INVALID);
	suite_result_done(&r);
	suite_close(&su);
	free(longer);
}

void
suite_large_ranges_end_early(const struct suite_kind *k)
{
	char *value = text_of(LARGE);
	struct store_range range = { .max = 9 };
	struct suite su;
	char id[2] = "a", out[200];

	suite_open(&su, k);
	for (int i = 0; i < 4; i++, id[0]++) {
		struct store_tx *tx = store_tx_new();

		store_tx_append(tx, ARCHIVE, str_c(id), 1, STR_NONE,
			(struct str){ value, LARGE });
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	}
	CHECK_CSTR(suite_range(&su, ARCHIVE, &range, out, sizeof(out)),
		"a b more");
	range.backwards = true;
	CHECK_CSTR(suite_range(&su, ARCHIVE, &range, out, sizeof(out)),
		"c d more");
	CHECK_CSTR(suite_entries(&su, ARCHIVE, "d b a", 0, out, sizeof(out)),
		"d b more");
	CHECK_CSTR(suite_entries(&su, ARCHIVE, "d b a", SIZE_MAX, out,
			   sizeof(out)),
		"d b more");
	suite_close(&su);
	free(value);
}

/* --- order, batches, bounds --------------------------------------------- */

#define N_MANY 300

static void
key_ask(struct suite *su, int i, struct suite_result *r)
{
	struct store_tx *tx = store_tx_new();
	char key[16], owner[16];

	snprintf(key, sizeof(key), "%d", i);
	snprintf(owner, sizeof(owner), "o%d", i % 7);
	store_tx_set(tx, PLACE(owner, "map"), str_c(key), str_c(key));
	store_commit(su->store, tx, NULL, NULL, NULL);
	r->with_values = true;
	store_get(su->store, PLACE(owner, "map"), str_c(key), &su->mailbox,
		suite_on_read, r);
}

void
suite_reads_see_every_write_before_them(const struct suite_kind *k)
{
	struct suite_result r[N_MANY];
	char want[40];
	struct suite su;

	suite_open(&su, k);
	for (int i = 0; i < N_MANY; i++) {
		suite_result_init(&su, &r[i]);
		key_ask(&su, i, &r[i]);
	}
	suite_wait(&su);
	for (int i = 0; i < N_MANY; i++) {
		snprintf(want, sizeof(want), "%d=%d", i, i);
		CHECK_CSTR(r[i].text, want);
		suite_result_done(&r[i]);
	}
	suite_close(&su);
}

/* One thread that writes and reads without waiting in between. */
struct asker {
	pthread_t id;
	struct store *store;
	struct mailbox mailbox;
	int number;
	int waiting;
	int wrong;
};

struct ask {
	struct asker *asker;
	char want[16];
};

static void
on_ask_read(void *arg, const struct store_answer *a, const struct err *err)
{
	struct ask *q = arg;

	q->asker->waiting--;
	if (err != NULL || a->n != 1 || !str_is(a->entries[0].value, q->want))
		q->asker->wrong++;
}

static void *
asker_main(void *arg)
{
	struct asker *me = arg;
	struct pollfd pfd = { .fd = me->mailbox.fd, .events = POLLIN };
	struct ask asks[N_MANY];

	for (int i = 0; i < N_MANY; i++) {
		struct store_tx *tx = store_tx_new();
		char owner[16];

		asks[i].asker = me;
		snprintf(owner, sizeof(owner), "asker%d", me->number);
		snprintf(asks[i].want, sizeof(asks[i].want), "%d", i);
		store_tx_set(tx, PLACE(owner, "map"), STR("key"),
			str_c(asks[i].want));
		store_commit(me->store, tx, NULL, NULL, NULL);
		/* the newest value must not be older than ours, and nobody
		 * else writes: it is ours, unless our next one overtook */
		if (i % 10 != 9)
			continue;
		me->waiting++;
		store_get(me->store, PLACE(owner, "map"), STR("key"),
			&me->mailbox, on_ask_read, &asks[i]);
		while (me->waiting != 0) {
			if (poll(&pfd, 1, 60000) != 1)
				break;
			mailbox_drain(&me->mailbox, NULL, SIZE_MAX);
		}
	}
	return NULL;
}

void
suite_threads_read_what_they_wrote(const struct suite_kind *k)
{
	struct asker askers[4];
	struct err err = ERR_INIT;
	struct suite su;

	if (k->inline_work)
		return;
	suite_open(&su, k);
	for (int i = 0; i < (int)COUNT(askers); i++) {
		askers[i] = (struct asker){ .store = su.store, .number = i };
		CHECK(mailbox_init(&askers[i].mailbox, &err));
		CHECK(pthread_create(&askers[i].id, NULL, asker_main,
			      &askers[i]) == 0);
	}
	for (size_t i = 0; i < COUNT(askers); i++) {
		pthread_join(askers[i].id, NULL);
		CHECK_INT(askers[i].waiting, 0);
		CHECK_INT(askers[i].wrong, 0);
		mailbox_done(&askers[i].mailbox);
	}
	suite_close(&su);
}

void
suite_writes_that_gather_are_one_commit(const struct suite_kind *k)
{
	struct suite_result r[N_MANY];
	struct store_stats st;
	struct suite su;

	suite_open(&su, k);
	for (int i = 0; i < N_MANY; i++) {
		suite_result_init(&su, &r[i]);
		key_ask(&su, i, &r[i]);
	}
	suite_wait(&su);
	for (int i = 0; i < N_MANY; i++)
		suite_result_done(&r[i]);
	store_stats(su.store, &st);
	CHECK_INT(st.writes, N_MANY);
	CHECK_INT(st.queued.now, 0);
	CHECK(st.queued.highest >= st.batches.max);
	CHECK(st.batches.max > 1);
	CHECK(st.batches.n < N_MANY);
	CHECK_INT(st.batches.sum, N_MANY);
	CHECK_INT(st.commit_us.n, st.batches.n);
	suite_close(&su);
}

#define N_LARGE 40
#define ENTRIES_EACH 100

/* What follows behind takes as long as there are of them. */
void
suite_a_commit_takes_so_many_entries(const struct suite_kind *k)
{
	struct suite_result r[N_LARGE];
	struct store_stats st;
	struct suite su;

	suite_open(&su, k);
	for (int i = 0; i < N_LARGE; i++) {
		struct store_tx *tx = store_tx_new();
		char owner[16];

		snprintf(owner, sizeof(owner), "o%d", i % 7);
		for (int n = 0; n < ENTRIES_EACH; n++)
			store_tx_append(tx, PLACE(owner, "log"), STR_NONE, n,
				STR(""), STR("text"));
		suite_result_init(&su, &r[i]);
		store_commit(su.store, tx, &su.mailbox, suite_on_done, &r[i]);
	}
	suite_wait(&su);
	for (int i = 0; i < N_LARGE; i++)
		CHECK_INT(r[i].code, ERR_NONE);
	store_stats(su.store, &st);
	CHECK_INT(st.writes, N_LARGE);
	CHECK(st.batches.max <= STORE_BATCH_ENTRIES / ENTRIES_EACH + 1);
	suite_close(&su);
}

struct order {
	struct suite *suite;
	int *next;
	int number;
	bool in_turn;
};

static void
on_in_turn(void *arg, bool ok, const struct err *err)
{
	struct order *o = arg;

	(void)err;
	o->in_turn = ok && (*o->next)++ == o->number;
	o->suite->waiting--;
}

void
suite_writes_are_answered_in_order(const struct suite_kind *k)
{
	struct order o[N_MANY];
	int next = 0;
	struct suite su;

	suite_open(&su, k);
	for (int i = 0; i < N_MANY; i++) {
		struct store_tx *tx = store_tx_new();

		o[i] = (struct order){ &su, &next, i, false };
		store_tx_set(tx, ROSTER, STR("a"), STR("v"));
		su.waiting++;
		store_commit(su.store, tx, &su.mailbox, on_in_turn, &o[i]);
	}
	suite_wait(&su);
	for (int i = 0; i < N_MANY; i++)
		CHECK(o[i].in_turn);
	suite_close(&su);
}

/* With threads what waits goes down meanwhile, so that nothing is certain. */
void
suite_what_waits_is_bounded(const struct suite_kind *k)
{
	char *value = text_of(LARGE);
	struct suite_result r[7];
	struct store_stats st;
	struct suite su;

	if (!k->inline_work) {
		free(value);
		return;
	}
	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(r); i++) {
		struct store_tx *tx = store_tx_new();

		store_tx_set(tx, ROSTER, STR("a"),
			(struct str){ value, LARGE });
		if (i == 5)
			store_tx_insist(tx);
		suite_result_init(&su, &r[i]);
		store_commit(su.store, tx, &su.mailbox, suite_on_done, &r[i]);
	}
	store_stats(su.store, &st);
	CHECK(st.queued_bytes.now > STORE_QUEUE_MAX);
	CHECK_INT(st.queued.now, 5);
	suite_wait(&su);
	CHECK_INT(r[3].code, ERR_NONE);
	CHECK_INT(r[4].code, ERR_BUSY);
	CHECK_INT(r[5].code, ERR_NONE);
	CHECK_INT(r[6].code, ERR_BUSY);
	store_stats(su.store, &st);
	CHECK_INT(st.queued_bytes.now, 0);
	CHECK(st.queued_bytes.highest > STORE_QUEUE_MAX);
	CHECK_INT(suite_set(&su, ROSTER, "a", "v"), ERR_NONE);
	suite_close(&su);
	free(value);
}

void
suite_closing_answers_everything(const struct suite_kind *k)
{
	struct suite_result r[N_MANY];
	struct suite su;

	suite_open(&su, k);
	for (int i = 0; i < N_MANY; i++) {
		suite_result_init(&su, &r[i]);
		key_ask(&su, i, &r[i]);
	}
	suite_reopen(&su);
	CHECK_INT(su.waiting, 0);
	for (int i = 0; i < N_MANY; i++) {
		CHECK_INT(r[i].n, 1);
		suite_result_done(&r[i]);
	}
	suite_close(&su);
}
