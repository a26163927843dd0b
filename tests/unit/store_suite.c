/*
 * store_suite.c - maps, transactions and owners, as every driver keeps them.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>

#include "test.h"

#define ROSTER PLACE("romeo", "roster")
#define ARCHIVE PLACE("romeo", "archive")

/* --- maps --------------------------------------------------------------- */

void
suite_a_key_is_found_until_it_is_deleted(const struct suite_kind *k)
{
	struct store_tx *tx;
	struct suite su;
	char out[200];

	suite_open(&su, k);
	CHECK_CSTR(suite_get(&su, ROSTER, "juliet", out, sizeof(out)), "");
	CHECK_INT(suite_set(&su, ROSTER, "juliet", "<item/>"), ERR_NONE);
	CHECK_CSTR(suite_get(&su, ROSTER, "juliet", out, sizeof(out)),
		"juliet=<item/>");
	CHECK_INT(suite_set(&su, ROSTER, "juliet", "<other/>"), ERR_NONE);
	CHECK_CSTR(suite_get(&su, ROSTER, "juliet", out, sizeof(out)),
		"juliet=<other/>");
	for (int twice = 0; twice < 2; twice++) {
		tx = store_tx_new();
		store_tx_delete(tx, ROSTER, STR("juliet"));
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	}
	CHECK_CSTR(suite_get(&su, ROSTER, "juliet", out, sizeof(out)), "");
	suite_close(&su);
}

void
suite_a_map_is_listed_in_byte_order(const struct suite_kind *k)
{
	static const char *const keys[] = { "b", "", "a", "\xc3\xa9", "Z", "ab",
		"B", "a b" };
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(keys); i++)
		CHECK_INT(suite_set(&su, ROSTER, keys[i], "v"), ERR_NONE);
	CHECK_INT(
		suite_set(&su, PLACE("romeo", "rooster"), "x", "v"), ERR_NONE);
	CHECK_INT(
		suite_set(&su, PLACE("romeo2", "roster"), "x", "v"), ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)),
		"=v B=v Z=v a=v a b=v ab=v b=v \xc3\xa9=v");
	CHECK_CSTR(
		suite_list(&su, PLACE("rome", "roster"), out, sizeof(out)), "");
	suite_close(&su);
}

struct many {
	struct suite *suite;
	size_t n;
	char text[200];
};

static void
on_many(void *arg, const struct store_answer *a, const struct err *err)
{
	struct many *m = arg;
	size_t n = 0;

	CHECK(err == NULL);
	m->text[0] = '\0';
	for (size_t i = 0; i < a->n; i++)
		n += (size_t)snprintf(m->text + n, sizeof(m->text) - n,
			"%.*s/%.*s ", STR_ARG(a->entries[i].with),
			STR_ARG(a->entries[i].key));
	m->suite->waiting--;
}

void
suite_several_maps_come_as_one_answer(const struct suite_kind *k)
{
	const struct str names[] = { STR("roster"), STR("none"), STR("block") };
	struct suite su;
	struct many m = { .suite = &su };

	suite_open(&su, k);
	suite_set(&su, PLACE("romeo", "block"), "tybalt", "v");
	suite_set(&su, ROSTER, "juliet", "v");
	suite_set(&su, ROSTER, "benvolio", "v");
	su.waiting++;
	store_list_many(su.store, STR("example.org"), STR("romeo"), names,
		COUNT(names), &su.mailbox, on_many, &m);
	suite_wait(&su);
	CHECK_CSTR(m.text, "roster/benvolio roster/juliet block/tybalt ");
	suite_close(&su);
}

/* Owners before and behind, and maps between, before and behind. */
void
suite_maps_that_were_not_asked_for_do_not_come(const struct suite_kind *k)
{
	static const char *const maps[] = { "", "a", "b", "bb", "c", "d", "e" };
	const struct str names[] = { STR("d"), STR("c"), STR("b"), STR("d2"),
		STR("") };
	const struct str none[] = { STR("0"), STR("ab"), STR("z") };
	struct suite su;
	struct many m = { .suite = &su };

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(maps); i++) {
		suite_set(&su, PLACE("romeo", maps[i]), "1", "v");
		suite_set(&su, PLACE("romeo", maps[i]), "2", "v");
		suite_set(&su, PLACE("rome", maps[i]), "3", "v");
		suite_set(&su, PLACE("romeo2", maps[i]), "4", "v");
	}
	su.waiting += 2;
	store_list_many(su.store, STR("example.org"), STR("romeo"), none,
		COUNT(none), &su.mailbox, on_many, &m);
	store_list_many(su.store, STR("example.org"), STR("juliet"), names,
		COUNT(names), &su.mailbox, on_many, &m);
	suite_wait(&su);
	CHECK_CSTR(m.text, "");
	su.waiting++;
	store_list_many(su.store, STR("example.org"), STR("romeo"), names,
		COUNT(names), &su.mailbox, on_many, &m);
	suite_wait(&su);
	CHECK_CSTR(m.text, "d/1 d/2 c/1 c/2 b/1 b/2 /1 /2 ");
	suite_close(&su);
}

void
suite_maps_and_logs_of_one_name_are_two_things(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	store_tx_append(tx, ROSTER, STR("id"), 1, STR_NONE, STR("v"));
	store_tx_set(tx, ROSTER, STR("key"), STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "key=v");
	CHECK_CSTR(suite_range(&su, ROSTER, &all, out, sizeof(out)), "id | 1");
	tx = store_tx_new();
	store_tx_clear(tx, ROSTER);
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "");
	CHECK_CSTR(suite_range(&su, ROSTER, &all, out, sizeof(out)), " | 0");
	suite_close(&su);
}

/* --- transactions ------------------------------------------------------- */

void
suite_a_failed_transaction_leaves_nothing(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	suite_set(&su, ROSTER, "juliet", "old");
	suite_set(&su, ROSTER, "nurse", "old");
	store_tx_set(tx, ROSTER, STR("juliet"), STR("new"));
	store_tx_set(tx, ROSTER, STR("mercutio"), STR("new"));
	store_tx_delete(tx, ROSTER, STR("nurse"));
	store_tx_append(tx, ARCHIVE, STR("1"), 1, STR_NONE, STR("v"));
	store_tx_clear_owner(tx, STR("example.org"), STR("tybalt"));
	store_tx_clear(tx, ROSTER);
	store_tx_set(tx, ROSTER, STR("after"), STR("new"));
	store_tx_create(tx, ROSTER, STR("after"), STR("newer"));
	CHECK_INT(suite_commit(&su, tx), ERR_CONFLICT);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)),
		"juliet=old nurse=old");
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)), " | 0");
	suite_close(&su);
}

void
suite_a_failure_spares_the_others_of_its_batch(const struct suite_kind *k)
{
	struct suite_result r[9];
	struct suite su;
	char key[8], out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(r); i++) {
		struct store_tx *tx = store_tx_new();

		snprintf(key, sizeof(key), "%zu", i);
		store_tx_set(tx, ROSTER, str_c(key), STR("v"));
		if (i % 3 == 1)
			store_tx_require(tx, ROSTER, STR("none"));
		suite_result_init(&su, &r[i]);
		store_commit(su.store, tx, &su.mailbox, suite_on_done, &r[i]);
	}
	suite_wait(&su);
	for (size_t i = 0; i < COUNT(r); i++)
		CHECK_INT(r[i].code, i % 3 == 1 ? ERR_MISSING : ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)),
		"0=v 2=v 3=v 5=v 6=v 8=v");
	suite_close(&su);
}

/* Whether they are of one commit or of several; nobody else's are touched. */
void
suite_a_chain_breaks_where_one_of_it_fails(const struct suite_kind *k)
{
	struct store_chain chains[3] = { { 0 }, { 0 }, { 0 } };
	struct suite_result r[300];
	struct suite su;
	char key[8], found[16], out[100];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(r); i++) {
		struct store_tx *tx = store_tx_new();

		snprintf(key, sizeof(key), "%zu", i);
		store_tx_set(tx, ROSTER, str_c(key), STR("v"));
		if (i % 3 == 1 && i >= 100)
			store_tx_require(tx, ROSTER, STR("none"));
		/* refused before it is in a queue */
		if (i == 200)
			store_tx_set(tx, ROSTER, STR("\xff"), STR("v"));
		store_tx_chain(tx, i % 3 == 0 ? NULL : &chains[i % 3]);
		suite_result_init(&su, &r[i]);
		store_commit(su.store, tx, &su.mailbox, suite_on_done, &r[i]);
	}
	suite_wait(&su);
	for (size_t i = 0; i < COUNT(r); i++) {
		enum err_code want = ERR_NONE;

		if (i % 3 == 1 && i >= 100)
			want = i == 100 ? ERR_MISSING : ERR_STORAGE;
		if (i % 3 == 2 && i >= 200)
			want = i == 200 ? ERR_INVALID : ERR_STORAGE;
		CHECK_INT(r[i].code, want);
		snprintf(key, sizeof(key), "%zu", i);
		snprintf(found, sizeof(found), "%s=v", key);
		CHECK_CSTR(suite_get(&su, ROSTER, key, out, sizeof(out)),
			want == ERR_NONE ? found : "");
	}
	suite_close(&su);
}

/* What fails before it has changed anything is not taken back. */
void
suite_a_failure_at_once_spares_the_others_too(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct suite_result r[12];
	struct suite su;
	char key[8], out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(r); i++) {
		struct store_tx *tx = store_tx_new();

		snprintf(key, sizeof(key), "%zu", i);
		if (i % 4 == 1)
			store_tx_require(tx, ROSTER, STR("none"));
		if (i % 4 == 2)
			store_tx_create(tx, ROSTER, STR("0"), STR("v"));
		store_tx_append(tx, ARCHIVE, str_c(i % 4 == 3 ? "0" : key), 1,
			STR_NONE, STR("v"));
		store_tx_set(tx, ROSTER, str_c(key), STR("v"));
		suite_result_init(&su, &r[i]);
		store_commit(su.store, tx, &su.mailbox, suite_on_done, &r[i]);
	}
	suite_wait(&su);
	for (size_t i = 0; i < COUNT(r); i++)
		CHECK_INT(r[i].code,
			i % 4 == 0	     ? ERR_NONE
				: i % 4 == 1 ? ERR_MISSING
					     : ERR_CONFLICT);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "0=v 4=v 8=v");
	CHECK_CSTR(
		suite_range(&su, ARCHIVE, &all, out, sizeof(out)), "0 4 8 | 3");
	suite_close(&su);
}

void
suite_operations_of_a_transaction_see_those_before(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	store_tx_create(tx, ROSTER, STR("a"), STR("1"));
	store_tx_require(tx, ROSTER, STR("a"));
	store_tx_delete(tx, ROSTER, STR("a"));
	store_tx_create(tx, ROSTER, STR("a"), STR("2"));
	store_tx_append(tx, ARCHIVE, STR("x"), 1, STR_NONE, STR("v"));
	store_tx_delete_entry(tx, ARCHIVE, STR("x"));
	store_tx_append(tx, ARCHIVE, STR("x"), 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "a=2");
	suite_close(&su);
}

void
suite_create_refuses_a_key_that_exists(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	store_tx_create(tx, ROSTER, STR("a"), STR("1"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	tx = store_tx_new();
	store_tx_create(tx, ROSTER, STR("a"), STR("2"));
	CHECK_INT(suite_commit(&su, tx), ERR_CONFLICT);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "a=1");
	suite_close(&su);
}

void
suite_require_refuses_a_key_that_does_not(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;

	suite_open(&su, k);
	store_tx_require(tx, ROSTER, STR("a"));
	CHECK_INT(suite_commit(&su, tx), ERR_MISSING);
	suite_set(&su, ROSTER, "a", "");
	tx = store_tx_new();
	store_tx_require(tx, ROSTER, STR("a"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	suite_close(&su);
}

/* --- owners ------------------------------------------------------------- */

static const char *
owners_text(struct suite *su, const char *name, const char *after, uint32_t max,
	char *out, size_t room)
{
	struct suite_result r;

	suite_result_init(su, &r);
	store_owners(su->store, STR("example.org"), str_c(name), str_c(after),
		max, &su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK_INT(r.code, ERR_NONE);
	snprintf(out, room, "%s%s", r.text, r.complete ? "" : " more");
	suite_result_done(&r);
	return out;
}

void
suite_an_owner_is_cleared_alone(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	store_tx_set(tx, ROSTER, STR("a"), STR("v"));
	store_tx_set(tx, PLACE("romeo", "vcard"), STR("a"), STR("v"));
	store_tx_append(tx, ARCHIVE, STR("1"), 1, STR_NONE, STR("v"));
	store_tx_append(
		tx, PLACE("romeo", "offline"), STR("1"), 1, STR_NONE, STR("v"));
	store_tx_set(tx, PLACE("romeo1", "roster"), STR("a"), STR("v"));
	store_tx_append(tx, PLACE("juliet", "archive"), STR("1"), 1, STR_NONE,
		STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	tx = store_tx_new();
	store_tx_clear_owner(tx, STR("example.org"), STR("romeo"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "");
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)), " | 0");
	CHECK_CSTR(owners_text(&su, "roster", NULL, 9, out, sizeof(out)),
		"romeo1");
	CHECK_CSTR(suite_range(&su, PLACE("juliet", "archive"), &all, out,
			   sizeof(out)),
		"1 | 1");
	suite_close(&su);
}

void
suite_owners_are_listed_in_pages(const struct suite_kind *k)
{
	static const char *const names[] = { "mercutio", "", "juliet", "romeo",
		"julia" };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(names); i++) {
		store_tx_set(tx, PLACE(names[i], "user"), STR("a"), STR("v"));
		store_tx_set(tx, PLACE(names[i], "user"), STR("b"), STR("v"));
	}
	store_tx_append(
		tx, PLACE("nurse", "user"), STR("1"), 1, STR_NONE, STR("v"));
	store_tx_set(tx,
		(struct store_place){
			STR("example.net"), STR("paris"), STR("user") },
		STR("a"), STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(owners_text(&su, "user", NULL, 9, out, sizeof(out)),
		" julia juliet mercutio romeo");
	CHECK_CSTR(owners_text(&su, "user", NULL, 2, out, sizeof(out)),
		" julia more");
	CHECK_CSTR(owners_text(&su, "user", "julia", 3, out, sizeof(out)),
		"juliet mercutio romeo");
	CHECK_CSTR(owners_text(&su, "user", "n", 3, out, sizeof(out)), "romeo");
	CHECK_CSTR(owners_text(&su, "user", "", 0, out, sizeof(out)), " more");
	CHECK_CSTR(owners_text(&su, "user", "romeo", 0, out, sizeof(out)), "");
	tx = store_tx_new();
	store_tx_delete(tx, PLACE("julia", "user"), STR("a"));
	store_tx_delete(tx, PLACE("juliet", "user"), STR("a"));
	store_tx_delete(tx, PLACE("juliet", "user"), STR("b"));
	store_tx_clear(tx, PLACE("romeo", "user"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(owners_text(&su, "user", NULL, 9, out, sizeof(out)),
		" julia mercutio");
	suite_close(&su);
}
