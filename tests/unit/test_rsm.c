/*
 * test_rsm.c - result sets: what is asked for, and what went out (XEP-0059).
 */
#include "config.h"

#include "xmpp/rsm.h"

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "core/stored.h"
#include "test.h"

#define SET "<q><set xmlns='" NS_RSM "'>"
#define END "</set></q>"

static const struct {
	const char *in;
	enum stanza_cond cond;
	bool has_max, backwards;
	uint32_t max;
	const char *after, *before; /* NULL: none */
} read_cases[] = {
	{ "<q/>", COND_NONE, false, false, 0, NULL, NULL },
	{ "<q><set xmlns='urn:x'><max>1</max></set></q>", COND_NONE, false,
		false, 0, NULL, NULL },
	{ SET END, COND_NONE, false, false, 0, NULL, NULL },
	{ SET "<max>10</max>" END, COND_NONE, true, false, 10, NULL, NULL },
	{ SET "<max> 10\n</max>" END, COND_NONE, true, false, 10, NULL, NULL },
	{ SET "<max>0</max>" END, COND_NONE, true, false, 0, NULL, NULL },
	{ SET "<max>4294967295</max>" END, COND_NONE, true, false, UINT32_MAX,
		NULL, NULL },
	/* hostile 63 */
	{ SET "<max>99999999999999999999999999</max>" END, COND_NONE, true,
		false, UINT32_MAX, NULL, NULL },
	{ SET "<max>-1</max>" END, COND_BAD_REQUEST, false, false, 0, NULL,
		NULL },
	{ SET "<max/>" END, COND_BAD_REQUEST, false, false, 0, NULL, NULL },
	{ SET "<max>1 OR 1=1</max>" END, COND_BAD_REQUEST, false, false, 0,
		NULL, NULL },
	{ SET "<max>0x10</max>" END, COND_BAD_REQUEST, false, false, 0, NULL,
		NULL },
	{ SET "<after>a</after>" END, COND_NONE, false, false, 0, "a", NULL },
	{ SET "<after/>" END, COND_NONE, false, false, 0, NULL, NULL },
	{ SET "<before>b</before>" END, COND_NONE, false, true, 0, NULL, "b" },
	{ SET "<before/>" END, COND_NONE, false, true, 0, NULL, NULL },
	{ SET "<before>'; DROP TABLE entries; --</before>" END, COND_NONE,
		false, true, 0, NULL, "'; DROP TABLE entries; --" },
	{ SET "<max>2</max><after>a</after><before>b</before>" END, COND_NONE,
		true, true, 2, "a", "b" },
	{ SET "<max>10</max><index>371</index>" END,
		COND_FEATURE_NOT_IMPLEMENTED, false, false, 0, NULL, NULL },
	{ SET "<index>0</index><before/>" END, COND_FEATURE_NOT_IMPLEMENTED,
		false, false, 0, NULL, NULL },
	{ SET "<index>0</index><after>a</after>" END,
		COND_FEATURE_NOT_IMPLEMENTED, false, false, 0, NULL, NULL },
	{ SET "<index/>" END, COND_FEATURE_NOT_IMPLEMENTED, false, false, 0,
		NULL, NULL },
	{ SET "<max>10</max><index> 0 </index>" END, COND_NONE, true, false,
		10, NULL, NULL },
};

TEST(what_a_set_asks_for_is_read)
{
	for (size_t i = 0; i < COUNT(read_cases); i++) {
		struct arena *a = arena_new();
		struct elem *e = stored_read(a, str_c(read_cases[i].in));
		const char *text = NULL;
		struct rsm rsm;
		enum stanza_cond cond;

		TEST_CASE(read_cases[i].in);
		CHECK(e != NULL);
		cond = rsm_read(a, e, &rsm, &text);
		CHECK_INT(cond, read_cases[i].cond);
		CHECK((text != NULL) == (cond != COND_NONE));
		CHECK_INT(rsm.has_max, read_cases[i].has_max);
		CHECK_INT(rsm.max, read_cases[i].max);
		CHECK_INT(rsm.backwards, read_cases[i].backwards);
		CHECK_INT(rsm.by_index, cond == COND_NONE &&
			strstr(read_cases[i].in, "<index>") != NULL);
		CHECK((rsm.after.p == NULL) == (read_cases[i].after == NULL));
		CHECK((rsm.before.p == NULL) ==
			(read_cases[i].before == NULL));
		if (read_cases[i].after != NULL)
			CHECK_STR(rsm.after, read_cases[i].after);
		if (read_cases[i].before != NULL)
			CHECK_STR(rsm.before, read_cases[i].before);
		arena_free(a);
	}
}

static const struct {
	const char *in;
	enum stanza_cond cond;
	uint32_t index;
} index_cases[] = {
	{ SET "<max>10</max><index>371</index>" END, COND_NONE, 371 },
	{ SET "<index>0</index>" END, COND_NONE, 0 },
	{ SET "<index>99999999999999999999</index>" END, COND_NONE, UINT32_MAX },
	{ SET "<index>-1</index>" END, COND_FEATURE_NOT_IMPLEMENTED, 0 },
	{ SET "<index/>" END, COND_FEATURE_NOT_IMPLEMENTED, 0 },
	{ SET "<index>3</index><before/>" END, COND_FEATURE_NOT_IMPLEMENTED, 0 },
	{ SET "<max>x</max><index>3</index>" END, COND_BAD_REQUEST, 3 },
};

TEST(what_is_counted_is_found_by_any_index)
{
	for (size_t i = 0; i < COUNT(index_cases); i++) {
		struct arena *a = arena_new();
		struct elem *e = stored_read(a, str_c(index_cases[i].in));
		const char *text = NULL;
		struct rsm rsm;

		TEST_CASE(index_cases[i].in);
		CHECK_INT(rsm_read_counted(a, e, &rsm, &text),
			index_cases[i].cond);
		CHECK_INT(rsm.index, index_cases[i].index);
		CHECK((text != NULL) == (index_cases[i].cond != COND_NONE));
		arena_free(a);
	}
}

static const struct {
	struct rsm_page page;
	const char *out;
} add_cases[] = {
	{ { STR_NONE, STR_NONE, -1, false, 0 }, "" },
	{ { STR_NONE, STR_NONE, 0, true, 0 }, "<count>0</count>" },
	{ { { "a", 1 }, { "b", 1 }, -1, false, 0 },
		"<first>a</first><last>b</last>" },
	{ { { "a", 1 }, { "b", 1 }, -1, true, 0 },
		"<first index=\"0\">a</first><last>b</last>" },
	{ { { "a", 1 }, { "b", 1 }, 12, true, 7 },
		"<first index=\"7\">a</first><last>b</last><count>12</count>" },
	{ { { "a", 1 }, { "a", 1 }, 800, false, 0 },
		"<first>a</first><last>a</last><count>800</count>" },
};

TEST(a_page_says_its_ends_and_how_many_there_are)
{
	for (size_t i = 0; i < COUNT(add_cases); i++) {
		struct arena *a = arena_new();
		struct elem *e = elem_new(a, NS_RSM, "q");
		struct buf out = BUF_INIT, due = BUF_INIT;

		TEST_CASE(add_cases[i].out);
		rsm_add(a, e, &add_cases[i].page);
		stored_write(&out, e);
		if (add_cases[i].out[0] != '\0')
			buf_printf(&due, "<q xmlns=\"" NS_RSM "\"><set>%s</set></q>",
				add_cases[i].out);
		else
			buf_add_c(&due, "<q xmlns=\"" NS_RSM "\"><set/></q>");
		buf_add(&due, "", 1);
		CHECK_STR(buf_str(&out), due.p);
		buf_done(&out);
		buf_done(&due);
		arena_free(a);
	}
}

TEST_MAIN
