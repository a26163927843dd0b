/*
 * fuzz_xml_document.c - any bytes as a document: no crash, and what we write
 * of an accepted tree parses to the same tree.
 */
#include "config.h"

#include "fuzz.h"

#include "base/arena.h"
#include "base/err.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "../unit/tree.h"

/* What is written may be longer than what was read. */
static const struct xml_limits limits = {
	.stanza_bytes = 65536,
	.depth = 64,
	.elements = 1024,
	.attrs = 64,
	.name_bytes = 1024,
};
static const struct xml_limits wide = {
	.stanza_bytes = 64 * 65536,
	.depth = 64,
	.elements = 1024,
	.attrs = 256,
	.name_bytes = 1024,
};

static void
written_and_read_again(struct arena *a, const struct elem *e)
{
	struct buf out = BUF_INIT, first = BUF_INIT, again = BUF_INIT;
	struct err err = ERR_INIT;
	struct elem *copy;

	xml_write(&out, e, STR(""));
	copy = xml_parse(a, buf_str(&out), &wide, &err);
	FUZZ_CHECK(copy != NULL);
	tree_dump(&first, e);
	tree_dump(&again, copy);
	FUZZ_CHECK(str_eq(buf_str(&first), buf_str(&again)));
	buf_done(&out);
	buf_done(&first);
	buf_done(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct elem *e = xml_parse(a, (struct str){ (const char *)data, n },
		&limits, &err);

	if (e != NULL)
		written_and_read_again(a, e);
	else
		FUZZ_CHECK(err.text[0] != '\0');
	arena_free(a);
	return 0;
}
