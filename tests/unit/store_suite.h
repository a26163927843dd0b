/*
 * store_suite.h - the behaviours that every storage driver shows, with threads
 * and without, and what the tests of the store use to ask it.
 */
#ifndef TESTS_UNIT_STORE_SUITE_H
#define TESTS_UNIT_STORE_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/str.h"
#include "store/store.h"

struct suite_kind {
	const char *label;
	const char *driver;
	bool inline_work;
	bool one_by_one; /* also where the driver takes whole batches */
};

/* An open store in a folder of its own, and a mailbox for its answers. */
struct suite {
	const struct suite_kind *kind;
	char folder[64];
	char path[96];
	struct store *store;
	struct mailbox mailbox;
	size_t waiting; /* answers still to come */
	bool may_be_new; /* for suite_try_open() */
	/* as in struct store_conf, with the suite */
	void (*on_outage)(void *arg, const struct store_outage *outage);
};

/* What came back; text is owned and lists the keys, with "=value" if asked. */
struct suite_result {
	struct suite *suite;
	bool came;
	bool with_values;
	enum err_code code;
	char err[240];
	size_t n;
	uint64_t total;
	bool complete;
	char *text;
};

void suite_open(struct suite *su, const struct suite_kind *kind);
/* Closes, deletes the folder. */
void suite_close(struct suite *su);
/* Closes and opens the store again, on the same files. */
void suite_reopen(struct suite *su);
/* The two halves of it. */
void suite_shut(struct suite *su);
bool suite_try_open(struct suite *su, struct err *err);
/* The exit code, or the signal as a negative number. */
int suite_child_wait(pid_t pid);
/* Until every answer has come. */
void suite_wait(struct suite *su);

/* Callbacks whose arg is a result that lives until suite_wait() returns. */
void suite_result_init(struct suite *su, struct suite_result *r);
void suite_result_done(struct suite_result *r);
void suite_on_done(void *arg, bool ok, const struct err *err);
void suite_on_read(void *arg, const struct store_answer *a,
	const struct err *err);

/* Ask and wait.  tx is taken. */
enum err_code suite_commit(struct suite *su, struct store_tx *tx);
enum err_code suite_set(struct suite *su, struct store_place at,
	const char *key, const char *value);
/* 400 keys, and as many entries of a log. */
void suite_fill(struct suite *su, struct store_place at);
/* The texts are valid until the next of these calls with the same buffer. */
const char *suite_get(struct suite *su, struct store_place at, const char *key,
	char *out, size_t room);
const char *suite_list(struct suite *su, struct store_place at, char *out,
	size_t room);
/* ids: with a space between. */
const char *suite_entries(struct suite *su, struct store_place at,
	const char *ids, size_t max_bytes, char *out, size_t room);
const char *suite_range(struct suite *su, struct store_place at,
	const struct store_range *range, char *out, size_t room);

/* The same of a part of a map (store_suite_page.c). */
const char *suite_page(struct suite *su, struct store_place at,
	const struct store_page *page, char *out, size_t room);

const char *suite_talks(struct suite *su, struct store_place at, uint32_t max,
	char *out, size_t room);

/* In a file of SQLite, by a handle of their own: text is carried out; the number in the
 * first row of its answer. */
void suite_sql_run(const char *path, const char *text);
int64_t suite_sql_number(const char *path, const char *text);

#define PLACE(o, n)                                                            \
	((struct store_place){ STR("example.org"), str_c(o), str_c(n) })

#define STORE_SUITE(X)                                                         \
	X(a_key_is_found_until_it_is_deleted)                                  \
	X(a_map_is_listed_in_byte_order)                                       \
	X(several_maps_come_as_one_answer)                                     \
	X(maps_that_were_not_asked_for_do_not_come)                            \
	X(maps_and_logs_of_one_name_are_two_things)                            \
	X(a_failed_transaction_leaves_nothing)                                 \
	X(a_failure_spares_the_others_of_its_batch)                            \
	X(a_failure_at_once_spares_the_others_too)                             \
	X(a_chain_breaks_where_one_of_it_fails)                                \
	X(operations_of_a_transaction_see_those_before)                        \
	X(create_refuses_a_key_that_exists)                                    \
	X(require_refuses_a_key_that_does_not)                                 \
	X(an_owner_is_cleared_alone)                                           \
	X(maps_are_read_in_pages)                                              \
	X(owners_are_listed_in_pages)                              \
	X(a_log_refuses_an_id_twice)                                           \
	X(ranges_of_a_log_are_paged)                                           \
	X(entries_are_read_by_their_ids)                                       \
	X(any_number_of_entries_is_read_by_ids)                                \
	X(an_entry_is_required)                                                \
	X(an_unknown_id_is_missing)                                            \
	X(times_may_go_back_in_a_log)                                          \
	X(logs_are_trimmed_by_age)                                             \
	X(logs_are_trimmed_by_count)                                           \
	X(logs_are_trimmed_by_size)                                            \
	X(a_bound_is_kept_whatever_comes)                                      \
	X(what_waits_under_a_name_is_moved)                                    \
	X(what_waits_for_places_is_moved)                                      \
	X(a_log_is_trimmed_in_slices)                                          \
	X(a_long_log_is_cleared_at_once)                                       \
	X(all_of_a_long_log_goes_at_once)                                      \
	X(a_clear_that_fails_has_cleared_nothing)                              \
	X(logs_are_walked_with_what_is_oldest)                                 \
	X(a_slice_has_a_size)                                                  \
	X(an_id_says_its_number)                                               \
	X(entries_lie_where_their_ids_say)                                     \
	X(a_number_is_refused_twice)                                           \
	X(conversations_come_with_their_last_entries)                          \
	X(entries_with_numbers_are_deleted)                                    \
	X(a_log_with_ids_goes_on_with_numbers)                                 \
	X(times_are_found_among_any_number)                                    \
	X(a_value_becomes_another)                                             \
	X(a_value_comes_back_when_that_fails)                                  \
	X(entries_are_read_in_the_order_of_times)                              \
	X(what_is_oldest_is_taken_away_in_slices)                              \
	X(the_order_of_times_is_asked_for_alone)                               \
	X(entries_are_found_by_words)                                          \
	X(words_of_what_is_new_are_those_that_were_said_last)                   \
	X(words_go_with_what_they_were_in)                                     \
	X(what_is_no_word_is_refused)                                          \
	X(entries_are_deleted_one_by_one)                                      \
	X(entries_without_ids_are_numbered)                                    \
	X(a_log_has_either_ids_or_numbers)                                     \
	X(logs_are_trimmed_to_an_entry)                                        \
	X(sizes_of_logs_come_with_the_maps)                                    \
	X(sizes_come_with_any_number_of_entries)                               \
	X(maximum_sizes_come_back_unchanged)                                   \
	X(odd_texts_come_back_unchanged)                                       \
	X(what_breaks_the_rules_is_refused)                                    \
	X(large_ranges_end_early)                                              \
	X(reads_see_every_write_before_them)                                   \
	X(threads_read_what_they_wrote)                                        \
	X(writes_that_gather_are_one_commit)                                   \
	X(a_commit_takes_so_many_entries)                                      \
	X(writes_are_answered_in_order)                                        \
	X(what_waits_is_bounded)                                               \
	X(closing_answers_everything)

#define STORE_SUITE_DECLARE(name) void suite_##name(const struct suite_kind *k);
STORE_SUITE(STORE_SUITE_DECLARE)
#undef STORE_SUITE_DECLARE

#endif
