/*
 * test_tag.c - objects that come back through a void *.
 */
#include "config.h"

#include "base/tag.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

struct thing {
	uint32_t tag;
	char rest[60];
};

static void
look(void *arg)
{
	struct thing *t = arg;

	TAG_CHECK(t, "thng");
}

/* Does a look at it end the process that looks, by an assertion? */
static bool
is_refused(void *arg)
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t child = fork();

	if (child == 0) {
		setrlimit(RLIMIT_CORE, &none);
		close(STDERR_FILENO);
		look(arg);
		_exit(0);
	}
	CHECK(child != -1 && waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST(tag_lets_pass_what_has_it_alone)
{
	struct thing right = { 0 }, other = { 0 }, none = { 0 };

	TAG_SET(&right, "thng");
	TAG_SET(&other, "othr");
	CHECK(!is_refused(&right));
	CHECK(is_refused(&other));
	CHECK(is_refused(&none));
}

TEST(tag_is_gone_when_the_object_has_ended)
{
	struct thing t = { 0 };

	TAG_SET(&t, "thng");
	TAG_CLEAR(&t);
	CHECK(is_refused(&t));
}

TEST(tag_has_the_letters_in_their_order)
{
	CHECK_INT(TAG("conn"), 0x636f6e6e);
	CHECK(TAG("abcd") != TAG("dcba"));
}

TEST_MAIN
