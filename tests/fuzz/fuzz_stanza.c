/*
 * fuzz_stanza.c - any bytes as a stanza: what is accepted is canonical, reads
 * as the same when it is written, and can be copied and answered.
 */
#include "config.h"

#include "fuzz.h"

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "xmpp/stanza.h"

static const struct xml_limits limits = {
	.stanza_bytes = 64 * 65536,
	.depth = 64,
	.elements = 1024,
	.attrs = 256,
	.name_bytes = 1024,
};

static void
check_same(const struct stanza *a, const struct stanza *b)
{
	FUZZ_CHECK(a->type == b->type && a->kind == b->kind);
	FUZZ_CHECK(jid_is_set(a->to) == jid_is_set(b->to));
	FUZZ_CHECK(!jid_is_set(a->to) || jid_eq(a->to, b->to));
	FUZZ_CHECK(jid_is_set(a->from) == jid_is_set(b->from));
	FUZZ_CHECK(!jid_is_set(a->from) || jid_eq(a->from, b->from));
	FUZZ_CHECK(str_eq(a->id, b->id));
}

/* What the next server or client will see. */
static void
check_written(const struct stanza *st)
{
	struct arena *a = arena_new();
	struct buf out = BUF_INIT;
	enum stanza_cond cond;
	struct stanza *again;
	struct elem *e;

	xml_write(&out, st->root, STR(""));
	e = xml_parse(a, buf_str(&out), &limits, NULL);
	FUZZ_CHECK(e != NULL);
	again = stanza_from_elem(a, e, &cond);
	FUZZ_CHECK(again != NULL);
	check_same(st, again);
	stanza_free(again);
	buf_done(&out);
}

static void
check_stanza(const struct stanza *st)
{
	struct stanza *copy = stanza_copy(st);
	struct stanza *error = stanza_error(st, COND_CONFLICT, STR("text"));

	check_same(st, copy);
	check_written(st);
	if (error != NULL) {
		check_written(error);
		FUZZ_CHECK(stanza_error(error, COND_CONFLICT, STR_NONE) ==
			NULL);
	}
	stanza_free(error);
	stanza_free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	enum stanza_cond cond;
	struct stanza *st, *error;
	struct elem *e = xml_parse(a, (struct str){ (const char *)data, n },
		&limits, NULL);

	st = e != NULL ? stanza_from_elem(a, e, &cond) : NULL;
	if (st != NULL) {
		check_stanza(st);
		stanza_free(st);
		return 0;
	}
	if (e != NULL) {
		FUZZ_CHECK(cond != COND_NONE);
		error = stanza_error_of_elem(e, cond, STR_NONE);
		if (error != NULL)
			check_written(error);
		stanza_free(error);
	}
	arena_free(a);
	return 0;
}
