/*
 * trace.c - shows the stanzas of one account in the log.
 */
#include "config.h"

#include "account/trace.h"

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/ns.h"

/* What people write to each other is not for the log, and neither are their
 * passwords: structure and addresses are. */
static void
mask_text(struct arena *a, struct elem *e)
{
	elem_each(e, child) {
		if (elem_is_text(child))
			child->text = arena_printf(a, "[%zu bytes]",
				child->text.n);
		else
			mask_text(a, child);
	}
}

void
trace_write(const struct session *s, const char *direction,
	const struct stanza *st)
{
	struct arena *a = arena_new();
	struct elem *copy = elem_copy(a, st->root);
	struct buf out = BUF_INIT;

	mask_text(a, copy);
	xml_write(&out, copy, STR(NS_CLIENT));
	log_write(LOG_TRACE, LEVEL_INFO, session_who(s), "%s %.*s", direction,
		STR_ARG(buf_str(&out)));
	buf_done(&out);
	arena_free(a);
}
