/*
 * test_muc_row.c - what is told of rooms that are not loaded, and by which words they are
 * found.
 */
#include "config.h"

#include "../../modules/muc/muc_row.h"

#include "test.h"

static const struct {
	const char *words, *wanted;
	bool has;
} word_cases[] = {
	{ "a dark cave", "cave", true },
	{ "a dark cave", "da", true },
	{ "a dark cave", "cave dark", true },
	{ "a dark cave", "ark", false },
	{ "a dark cave", "cave light", false },
	{ "a dark cave", "caves", false },
	{ "", "cave", false },
	{ "cave", "cave", true },
};

TEST(each_word_begins_one_of_the_room)
{
	for (size_t i = 0; i < COUNT(word_cases); i++) {
		TEST_CASE(word_cases[i].wanted);
		CHECK_INT(muc_row_has_words(str_c(word_cases[i].words),
				  str_c(word_cases[i].wanted)),
			word_cases[i].has);
	}
}

static struct muc_row
row_of(struct arena *a, const struct room_config *c)
{
	struct buf value = BUF_INIT;
	struct store_entry entry = { .key = STR("d'or") };
	struct muc_row row;

	muc_row_write(&value, entry.key, c);
	entry.value = arena_str(a, buf_str(&value));
	CHECK(muc_row_read(&row, a, STR("rooms.example"), &entry));
	CHECK_STR(stored_attr(entry.value, "words"),
		row.words.p);
	buf_done(&value);
	return row;
}

TEST(a_row_says_how_the_room_is)
{
	struct arena *a = arena_new();
	struct room_config c = { .persistent = true };
	struct muc_row row;

	room_config_init(&c);
	row = row_of(a, &c);
	CHECK_STR(row.jid, "d'or@rooms.example");
	CHECK_STR(row.name, "d'or");
	CHECK(row.desc.p == NULL && row.lang.p == NULL);
	CHECK(row.is_open && row.is_temporary && !row.shows_real);
	CHECK(!row.is_loaded);
	c.name = str_dup(STR("<Caf\xc3\xa9>"));
	c.desc = str_dup(STR("\"Tea\" & d'or"));
	c.members_only = c.persistent = true;
	c.whois = WHOIS_ANYONE;
	row = row_of(a, &c);
	CHECK_STR(row.name, "<Caf\xc3\xa9>");
	CHECK_STR(row.desc, "\"Tea\" & d'or");
	CHECK(!row.is_open && !row.is_temporary && row.shows_real);
	CHECK(muc_row_has_words(row.words, STR("cafe tea or")));
	c.members_only = false;
	c.has_password = true;
	CHECK(!row_of(a, &c).is_open);
	room_config_done(&c);
	arena_free(a);
}

TEST(what_was_damaged_is_no_row)
{
	static const char *const cases[] = { "", "<room", "x", "<room/>",
		"<query xmlns='" NS_MUC "'/>" };
	struct arena *a = arena_new();
	struct muc_row row;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_entry entry = { .key = STR("r"),
			.value = str_c(cases[i]) };

		TEST_CASE(cases[i]);
		CHECK(!muc_row_read(&row, a, STR("rooms.example"), &entry));
	}
	arena_free(a);
}

TEST_MAIN
