/*
 * test_http_hostile.c - each request in tests/fuzz/corpus/http at each route: what the
 * parser refuses reaches nobody, is answered, and ends the connection; and nobody
 * sees more requests than the parser does.
 */
#include "config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/conn.h"
#include "http/http_parse.h"

#include "http_corpus.h"
#include "http_scene.h"
#include "test.h"

/* Those that the scene has, and the server's own. */
static const char *const paths[] = { "/now", "/echo", "/put", "/no", "/parts",
	"/health", "/", "/nowhere" };

/* text with each " /x" as path. */
static void
aim(struct buf *out, struct str text, const char *path)
{
	while (text.n > 0) {
		bool here = str_starts(text, STR(" /x"));

		if (here)
			buf_printf(out, " %s", path);
		else
			buf_add(out, text.p, 1);
		text.p += here ? 3 : 1;
		text.n -= here ? 3 : 1;
	}
}

struct seen {
	unsigned heads;
	bool bad, open; /* refused; or its end has not come */
};

static struct seen
parse(struct str in)
{
	const struct http_bounds bounds = { 16384, 8192, 100 };
	struct http_parser *p = http_parser_new(&bounds);
	struct http_bad bad = { .status = 0 };
	struct seen seen = { .heads = 0 };
	enum http_got got = HTTP_END;
	struct str body;

	while (got != HTTP_MORE && got != HTTP_BAD &&
		(in.n != 0 || got != HTTP_END)) {
		got = http_parser_next(p, &in, &body, &bad);
		seen.heads += got == HTTP_HEAD;
	}
	seen.bad = got == HTTP_BAD;
	seen.open = got == HTTP_MORE;
	http_parser_free(p);
	return seen;
}

static unsigned
count_answers(struct peer *p)
{
	unsigned n = 0;

	for (const char *at = buf_c(&p->got);
		(at = strstr(at, "HTTP/1.1 ")) != NULL; at++)
		n += at[9] >= '2' && at[9] <= '5' && at[12] == ' ';
	return n;
}

static void
try(struct scene *s, const char *name, struct str text, const char *path)
{
	struct seen seen;
	struct buf aimed = BUF_INIT;
	struct peer p;
	unsigned begun = scene_log.begun, answers;
	char label[100];

	snprintf(label, sizeof(label), "%.60s at %s", name, path);
	TEST_CASE(label);
	aim(&aimed, text, path);
	seen = parse(buf_str(&aimed));
	peer_open_web(&p, &s->world, 0, "http", NULL);
	peer_say_n(&p, aimed.p, aimed.n);
	answers = count_answers(&p);
	CHECK(scene_log.begun - begun <= seen.heads);
	CHECK(answers <= seen.heads + seen.bad);
	if (seen.bad) {
		CHECK(answers > 0);
		CHECK(p.closed);
	} else if (!seen.open && !p.closed) {
		CHECK_INT(answers, seen.heads);
	}
	peer_done(&p);
	CHECK_INT(scene_log.done, scene_log.begun);
	scene_log.bytes = 0;
	scene_log.body.n = 0;
	buf_done(&aimed);
}

static void
try_everywhere(void *scene, const char *name, struct str text)
{
	for (size_t i = 0; i < COUNT(paths); i++)
		try(scene, name, text, paths[i]);
}

TEST(what_the_parser_refuses_reaches_no_route)
{
	struct scene s;

	scene_init(&s, "", "");
	corpus_each(try_everywhere, &s);
	CHECK(scene_log.begun > 0);
	scene_done(&s);
}

TEST_MAIN
