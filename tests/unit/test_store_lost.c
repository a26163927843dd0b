/*
 * test_store_lost.c - a database that is gone for a while: what waits keeps its
 * order, is done once, and nothing is acknowledged that is not there.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/share.h"
#include "store_suite.h"
#include "test.h"

static const struct suite_kind kinds[] = {
	{ "whole", "memory", true, false },
	{ "one by one", "memory", true, true },
	{ "threads", "memory", false, false },
};

#define MAP PLACE("romeo", "map")
#define LOG PLACE("romeo", "log")
#define MAX_TX 300

static const struct {
	const char *label;
	enum store_moment at;
} moments[] = {
	{ "begin", STORE_AT_BEGIN },
	{ "write", STORE_AT_WRITE },
	{ "commit", STORE_AT_COMMIT },
	{ "answer", STORE_AT_ANSWER },
};

/* Lost so often, and for moments that come of it; a negative number: ever. */
struct losses {
	enum store_moment at;
	int left;
	int asked_left;
};

static bool
loses(void *arg, enum store_moment at)
{
	struct losses *l = arg;

	if (at == STORE_AT_ASKED)
		return l->asked_left != 0 && l->asked_left-- != 0;
	return at == l->at && l->left != 0 && l->left-- != 0;
}

/* --- what is heard of it ------------------------------------------------ */

static atomic_int begun, ended;

static void
on_outage(void *arg, const struct store_outage *outage)
{
	(void)arg;
	atomic_fetch_add(outage->now ? &begun : &ended, 1);
}

static void
lost_open(struct suite *su, const struct suite_kind *kind)
{
	suite_open(su, kind);
	atomic_store(&begun, 0);
	atomic_store(&ended, 0);
	su->on_outage = on_outage;
	suite_reopen(su);
}

/* --- writing ------------------------------------------------------------ */

static struct suite_result results[2 * MAX_TX];

/* An entry without an id would be there twice if it was done twice. */
static struct store_tx *
tx_append(int i)
{
	struct store_tx *tx = store_tx_new();
	char text[16];

	snprintf(text, sizeof(text), "%d", i);
	store_tx_append(tx, LOG, STR_NONE, 1, STR(""), str_c(text));
	return tx;
}

static void
commit(struct suite *su, struct store_tx *tx, int i)
{
	suite_result_init(su, &results[i]);
	store_commit(su->store, tx, &su->mailbox, suite_on_done, &results[i]);
}

/* Each third one fails, as there is such a key; what is behind it in the chain
 * fails with it. */
static void
ask(struct suite *su, int i, struct store_chain *chain)
{
	struct store_tx *tx = tx_append(i);

	if (i % 3 == 2)
		store_tx_create(tx, MAP, STR("key"), STR("v"));
	if (chain != NULL)
		store_tx_chain(tx, &chain[i / 6]);
	commit(su, tx, i);
}

static enum err_code
wanted(int i, bool chained)
{
	if (chained && i % 6 > 2)
		return ERR_STORAGE;
	return i % 3 == 2 ? ERR_CONFLICT : ERR_NONE;
}

/* The log holds those of n that were acknowledged, in order, once each. */
static void
check_log(struct suite *su, int n)
{
	const struct store_range all = { .max = 2 * MAX_TX };
	struct suite_result r;
	char *want = NULL;
	size_t size;
	FILE *out = open_memstream(&want, &size);
	const char *gap = "";
	int number = 1;

	for (int i = 0; i < n; i++) {
		if (results[i].code != ERR_NONE)
			continue;
		fprintf(out, "%s%d=%d", gap, number++, i);
		gap = " ";
	}
	fclose(out);
	suite_result_init(su, &r);
	r.with_values = true;
	store_range(
		su->store, LOG, &all, &su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK_INT(r.code, ERR_NONE);
	CHECK_CSTR(r.text, want);
	suite_result_done(&r);
	free(want);
}

/* Without threads, by the same handle. */
static void
read_between(struct suite *su)
{
	struct suite_result r;

	if (su->kind->inline_work)
		store_turn(su->store);
	suite_result_init(su, &r);
	store_get(su->store, PLACE("juliet", "map"), STR("a"), &su->mailbox,
		suite_on_read, &r);
	suite_wait(su);
	suite_result_done(&r);
}

static void
check_lost(const struct suite_kind *kind, enum store_moment at, int times,
	int n, bool chained)
{
	struct store_chain chain[MAX_TX / 6 + 1] = { { 0 } };
	struct losses l = { at, 0, 0 };
	struct suite su;

	lost_open(&su, kind);
	CHECK_INT(suite_set(&su, MAP, "key", "v"), ERR_NONE);
	l.left = times;
	l.asked_left = times / 2;
	store_lose_when(su.store, loses, &l);
	for (int i = 0; i < n; i++)
		ask(&su, i, chained ? chain : NULL);
	if (at != STORE_AT_BEGIN)
		read_between(&su);
	suite_wait(&su);
	for (int i = 0; i < n; i++)
		CHECK_INT(results[i].code, wanted(i, chained));
	check_log(&su, n);
	CHECK(store_takes_writes(su.store));
	CHECK_INT(atomic_load(&begun), atomic_load(&ended));
	if (at != STORE_AT_ANSWER)
		CHECK_INT(atomic_load(&begun), times > 1);
	suite_close(&su);
}

TEST(what_waits_is_done_once_and_in_order)
{
	for (size_t k = 0; k < 2; k++)
		for (size_t m = 0; m < COUNT(moments); m++)
			for (int n = 1; n <= MAX_TX; n += n < 9 ? 1 : 97)
				for (int times = 0; times < 4; times++)
					for (int c = 0; c < 2; c++)
						check_lost(&kinds[k],
							moments[m].at, times, n,
							c != 0);
}

/* With threads, it is tried again after some time, by itself. */
TEST(threads_try_again_by_themselves)
{
	for (size_t m = 0; m < COUNT(moments); m++) {
		check_lost(&kinds[2], moments[m].at, 1, 50, true);
		/* more would be refused */
		check_lost(&kinds[2], moments[m].at, 3, 1, false);
	}
}

/* From the second try on, no more comes to it. */
TEST(who_asks_meanwhile_is_refused_at_once)
{
	for (size_t k = 0; k < 2; k++) {
		struct losses l = { STORE_AT_BEGIN, 3, 0 };
		struct suite su;

		lost_open(&su, &kinds[k]);
		store_lose_when(su.store, loses, &l);
		commit(&su, tx_append(0), 0);
		store_turn(su.store);
		CHECK(store_takes_writes(su.store) && !results[0].came);
		commit(&su, tx_append(1), 1);
		store_turn(su.store);
		CHECK(!store_takes_writes(su.store));
		commit(&su, tx_append(2), 2);
		mailbox_drain(&su.mailbox, NULL, SIZE_MAX);
		CHECK(!results[0].came && !results[1].came && results[2].came);
		CHECK_INT(results[2].code, ERR_DISK);
		suite_wait(&su);
		CHECK_INT(results[0].code, ERR_NONE);
		CHECK_INT(results[1].code, ERR_NONE);
		check_log(&su, 3);
		suite_close(&su);
	}
}

/* What is lost for good has failed, also what waited behind it; and it is over
 * when the database is there again. */
static void
check_gone(const struct suite_kind *kind, enum store_moment at, int n)
{
	struct losses l = { at, -1, 0 };
	struct suite su;

	lost_open(&su, kind);
	store_lose_when(su.store, loses, &l);
	for (int i = 0; i < n; i++)
		commit(&su, tx_append(i), i);
	store_turn(su.store);
	for (int i = n; i < 2 * n; i++)
		commit(&su, tx_append(i), i);
	suite_wait(&su);
	for (int i = 0; i < 2 * n; i++)
		CHECK_INT(results[i].code, ERR_DISK);
	CHECK(!store_takes_writes(su.store));
	store_lose_when(su.store, NULL, NULL);
	store_turn(su.store);
	CHECK(store_takes_writes(su.store));
	CHECK_INT(atomic_load(&begun), 1);
	CHECK_INT(atomic_load(&ended), 1);
	check_log(&su, 2 * n);
	suite_close(&su);
}

TEST(what_is_gone_for_good_fails)
{
	for (size_t k = 0; k < 2; k++)
		for (size_t m = 0; m < 3; m++)
			for (int n = 1; n <= MAX_TX; n += n < 4 ? 1 : 148)
				check_gone(&kinds[k], moments[m].at, n);
}

/* Nobody can tell whether it was done: it was, and nobody says so. */
TEST(what_stays_in_doubt_is_told_as_such)
{
	for (size_t k = 0; k < 2; k++) {
		struct losses l = { STORE_AT_ANSWER, 1, -1 };
		struct suite su;

		lost_open(&su, &kinds[k]);
		store_lose_when(su.store, loses, &l);
		commit(&su, tx_append(0), 0);
		suite_wait(&su);
		CHECK_INT(results[0].code, ERR_STORAGE);
		CHECK(strstr(results[0].err, "not known whether") != NULL);
		CHECK_INT(atomic_load(&begun), 1);
		results[0].code = ERR_NONE;
		check_log(&su, 1);
		suite_close(&su);
	}
}

TEST(closing_does_not_wait_for_ever)
{
	for (size_t k = 0; k < 2; k++) {
		struct losses l = { STORE_AT_BEGIN, -1, 0 };
		struct suite su;

		lost_open(&su, &kinds[k]);
		store_lose_when(su.store, loses, &l);
		commit(&su, tx_append(0), 0);
		suite_result_init(&su, &results[1]);
		store_get(su.store, MAP, STR("a"), &su.mailbox, suite_on_read,
			&results[1]);
		suite_reopen(&su);
		CHECK_INT(results[0].code, ERR_DISK);
		CHECK_INT(results[1].code, ERR_BUSY);
		suite_result_done(&results[1]);
		suite_close(&su);
	}
}

/* --- reading ------------------------------------------------------------ */

#define READS 4

static void
read_all(struct suite *su, struct suite_result r[READS])
{
	const struct store_range all = { .max = 100 };
	const struct str ids[] = { STR("2"), STR("9"), STR("1") };

	for (int i = 0; i < READS; i++)
		suite_result_init(su, &r[i]);
	store_list(su->store, MAP, &su->mailbox, suite_on_read, &r[0]);
	store_get(su->store, MAP, STR("b"), &su->mailbox, suite_on_read, &r[1]);
	store_range(su->store, LOG, &all, &su->mailbox, suite_on_read, &r[2]);
	store_get_entries(su->store, LOG, ids, COUNT(ids), 0, &su->mailbox,
		suite_on_read, &r[3]);
	suite_wait(su);
}

static void
check_reads(const struct suite_kind *kind, enum store_moment at, int times)
{
	struct losses l = { at, times, 0 };
	struct suite_result r[READS];
	struct suite su;

	lost_open(&su, kind);
	CHECK_INT(suite_set(&su, MAP, "a", "v"), ERR_NONE);
	CHECK_INT(suite_set(&su, MAP, "b", "v"), ERR_NONE);
	CHECK_INT(suite_commit(&su, tx_append(0)), ERR_NONE);
	CHECK_INT(suite_commit(&su, tx_append(1)), ERR_NONE);
	store_lose_when(su.store, loses, &l);
	read_all(&su, r);
	for (int i = 0; i < READS; i++)
		CHECK_INT(r[i].code, times < 0 ? ERR_BUSY : ERR_NONE);
	if (times >= 0) {
		CHECK_CSTR(r[0].text, "a b");
		CHECK_CSTR(r[1].text, "b");
		CHECK_CSTR(r[2].text, "1 2");
		CHECK_CSTR(r[3].text, "2 1");
	}
	CHECK_INT(atomic_load(&begun), 0);
	for (int i = 0; i < READS; i++)
		suite_result_done(&r[i]);
	store_lose_when(su.store, NULL, NULL);
	CHECK_INT(suite_set(&su, MAP, "c", "v"), ERR_NONE);
	suite_close(&su);
}

TEST(reads_are_tried_again)
{
	for (size_t k = 0; k < 2; k++)
		for (int times = -1; times < 8; times++) {
			check_reads(&kinds[k], STORE_AT_BEGIN, times);
			check_reads(&kinds[k], STORE_AT_READ, times);
		}
	check_reads(&kinds[2], STORE_AT_BEGIN, 3);
	check_reads(&kinds[2], STORE_AT_READ, 3);
}

/* Names before the one that was lost come once. */
static void
on_many(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;

	CHECK(err == NULL);
	r->n = a->n;
	r->suite->waiting--;
}

struct second {
	int n;
};

static bool
loses_second(void *arg, enum store_moment at)
{
	struct second *s = arg;

	return at == STORE_AT_READ && ++s->n == 2;
}

TEST(what_was_found_before_does_not_come_twice)
{
	const struct str names[] = { STR("map"), STR("more") };
	struct second second = { 0 };
	struct suite_result r;
	struct suite su;

	lost_open(&su, &kinds[0]);
	CHECK_INT(suite_set(&su, MAP, "a", "v"), ERR_NONE);
	CHECK_INT(suite_set(&su, PLACE("romeo", "more"), "b", "v"), ERR_NONE);
	store_lose_when(su.store, loses_second, &second);
	suite_result_init(&su, &r);
	store_list_many(su.store, STR("example.org"), STR("romeo"), names, 2,
		&su.mailbox, on_many, &r);
	suite_wait(&su);
	CHECK_INT(r.n, 2);
	CHECK(second.n > 2);
	suite_close(&su);
}

struct losing {
	struct share share; /* of who asks */
	int reads, lost;
	int64_t most; /* bytes in it, at any loss */
};

/* Each second one: when the first map was found. */
static bool
loses_halfway(void *arg, enum store_moment at)
{
	struct losing *l = arg;

	if (at != STORE_AT_READ || ++l->reads % 2 == 1 || l->lost == 8)
		return false;
	l->most = MAX(l->most, share_bytes(&l->share));
	l->lost++;
	return true;
}

TEST(what_was_found_before_takes_no_memory)
{
	const struct str names[] = { STR("map"), STR("more") };
	struct losing losing = { .reads = 0 };
	char *value = xcalloc(1, 100001);
	struct suite_result r;
	struct suite su;

	memset(value, 'v', 100000);
	lost_open(&su, &kinds[0]);
	CHECK_INT(suite_set(&su, MAP, "a", value), ERR_NONE);
	CHECK_INT(suite_set(&su, PLACE("romeo", "more"), "b", "v"), ERR_NONE);
	store_lose_when(su.store, loses_halfway, &losing);
	suite_result_init(&su, &r);
	share_set(&losing.share);
	store_list_many(su.store, STR("example.org"), STR("romeo"), names, 2,
		&su.mailbox, on_many, &r);
	share_set(NULL);
	suite_wait(&su);
	CHECK_INT(r.n, 2);
	CHECK_INT(losing.lost, 8);
	CHECK(losing.most > 100000 && losing.most < 120000);
	CHECK_INT(share_bytes(&losing.share), 0);
	suite_close(&su);
	free(value);
}

/* --- at random ---------------------------------------------------------- */

static bool
loses_at_random(void *arg, enum store_moment at)
{
	uint8_t byte;

	(void)at;
	rand_bytes(arg, &byte, 1);
	return byte < 100;
}

/* What is answered is there, in order, and what is refused is not; but for what
 * stays in doubt, which may be either. */
static void
check_random(const struct suite_kind *kind, uint64_t seed)
{
	struct rand_seeded rand;
	struct suite su;
	bool doubt = false;
	int n = 1 + (int)(seed * 37 % MAX_TX);

	rand_seeded_init(&rand, seed);
	lost_open(&su, kind);
	store_lose_when(su.store, loses_at_random, &rand.source);
	for (int i = 0; i < n; i++) {
		commit(&su, tx_append(i), i);
		for (unsigned t = 0; t < seed % 3; t++)
			store_turn(su.store);
	}
	suite_wait(&su);
	store_lose_when(su.store, NULL, NULL);
	store_turn(su.store);
	for (int i = 0; i < n; i++)
		doubt |= results[i].code == ERR_STORAGE;
	if (!doubt)
		check_log(&su, n);
	CHECK(store_takes_writes(su.store));
	CHECK_INT(atomic_load(&begun), atomic_load(&ended));
	suite_close(&su);
}

TEST(at_random_nothing_is_told_that_is_not_there)
{
	for (size_t k = 0; k < 2; k++)
		for (uint64_t seed = 1; seed <= 300; seed++)
			check_random(&kinds[k], seed);
}

TEST_MAIN
