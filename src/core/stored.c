/*
 * stored.c - XML elements as values of the store.
 */
#include "config.h"

#include "core/stored.h"

#include "store/store.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xml/writer.h"

/* Above what a stanza may be at the most generous configuration: what was
 * accepted once can be read, whatever the limits are now. */
static const struct xml_limits stored_limits = {
	.stanza_bytes = STORE_VALUE_MAX,
	.depth = 1024,
	.elements = STORE_VALUE_MAX / 4,
	.attrs = 65536,
	.name_bytes = 65536,
};

void
stored_write(struct buf *out, const struct elem *e)
{
	xml_write(out, e, STR_NONE);
}

struct elem *
stored_read(struct arena *a, struct str value)
{
	return xml_parse(a, value, &stored_limits, NULL);
}
