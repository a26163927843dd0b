/*
 * test_err.c - why something did not work.
 */
#include "config.h"

#include "base/err.h"

#include <errno.h>

#include "base/mem.h"
#include "test.h"

TEST(err_set_fills_in_code_and_text_and_returns_false)
{
	struct err err = ERR_INIT;

	CHECK(!err_set(&err, ERR_LIMIT, "%d is above %d", 3, 2));
	CHECK_INT(err.code, ERR_LIMIT);
	CHECK_CSTR(err.text, "3 is above 2");
}

TEST(err_errno_ends_in_the_reason)
{
	struct err err = ERR_INIT;

	errno = ENOENT;
	CHECK(!err_errno(&err, "open %s", "/x"));
	CHECK_INT(err.code, ERR_SYSTEM);
	CHECK_CSTR(err.text, "open /x: No such file or directory");
}

TEST(err_prefix_keeps_the_code_and_puts_its_text_first)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_MISSING, "no such row");
	CHECK(!err_prefix(&err, "roster of %s", "romeo"));
	CHECK_INT(err.code, ERR_MISSING);
	CHECK_CSTR(err.text, "roster of romeo: no such row");
}

TEST(err_texts_that_are_too_long_are_cut)
{
	struct err err = ERR_INIT;
	char text[600];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, ERR_INVALID, "%s", text);
	CHECK_INT(strlen(err.text), sizeof(err.text) - 1);
	err_prefix(&err, "%s", text);
	CHECK_INT(strlen(err.text), sizeof(err.text) - 1);
	errno = EACCES;
	err_errno(&err, "%s", text);
	CHECK(strstr(err.text, "Permission denied") != NULL);
}

TEST(err_may_be_null)
{
	CHECK(!err_set(NULL, ERR_BUSY, "x"));
	CHECK(!err_errno(NULL, "x"));
	CHECK(!err_prefix(NULL, "x"));
}

TEST_MAIN
