/*
 * http_corpus.h - the requests in tests/fuzz/corpus/http, a file each.
 */
#ifndef TESTS_UNIT_HTTP_CORPUS_H
#define TESTS_UNIT_HTTP_CORPUS_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "test.h"

/* At the end of out. */
static inline void
corpus_read(const char *name, struct buf *out)
{
	char path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", CORPUS_DIR, name);
	f = fopen(path, "rb");
	CHECK(f != NULL);
	while ((n = fread(buf_reserve(out, 4096), 1, 4096, f)) > 0)
		out->n += n;
	fclose(f);
}

/* text is borrowed. */
static inline void
corpus_each(void (*fn)(void *arg, const char *name, struct str text), void *arg)
{
	DIR *dir = opendir(CORPUS_DIR);
	const struct dirent *e;
	unsigned n = 0;

	CHECK(dir != NULL);
	while ((e = readdir(dir)) != NULL) {
		const char *dot = strrchr(e->d_name, '.');
		struct buf text = BUF_INIT;

		if (dot == NULL || strcmp(dot, ".req") != 0)
			continue;
		corpus_read(e->d_name, &text);
		fn(arg, e->d_name, buf_str(&text));
		buf_done(&text);
		n++;
	}
	closedir(dir);
	CHECK(n > 200);
}

#endif
