/*
 * fuzz_stored.c - any bytes as a value of the store, which may be damaged or
 * edited: read as what was written, or refused.  The first byte says as what.
 */
#include "config.h"

#include "fuzz.h"

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xmpp/stanza.h"
#include "xmpp/subscription.h"
#include "store/store.h"
#include "core/stored.h"
#include "account/credentials.h"
#include "account/roster.h"

static void
as_credentials(struct str value)
{
	struct xml_pool *pool = xml_pool_new();
	struct credentials c, again;
	struct buf out = BUF_INIT;

	if (credentials_parse(&c, pool, value, NULL)) {
		credentials_format(&out, &c);
		FUZZ_CHECK(credentials_parse(&again, pool, buf_str(&out),
			NULL));
		FUZZ_CHECK(credentials_hashes(&c) ==
			credentials_hashes(&again));
	}
	buf_done(&out);
	xml_pool_free(pool);
}

static void
as_contact(struct str value)
{
	struct xml_pool *pool = xml_pool_new();
	struct roster r = { .n = 0 };
	struct store_entry entry = { .key = STR("a@b.example"), .value = value };
	struct arena *a = arena_new();
	struct elem *query = elem_new(a, "jabber:iq:roster", "query");

	if (roster_load(&r, pool, &entry)) {
		FUZZ_CHECK(r.n == 1);
		FUZZ_CHECK(subscription_is_legal(roster_at(&r, 0)->state));
		roster_item_elem(a, query, roster_at(&r, 0));
	}
	roster_done(&r);
	arena_free(a);
	xml_pool_free(pool);
}

/* As what is handed on without reading it. */
static void
as_text(struct str value)
{
	struct xml_pool *pool = xml_pool_new();
	struct arena *a = arena_new();
	struct str text = stored_text(pool, value);
	struct buf out = BUF_INIT;

	/* a seal that fits says that it is ours */
	if (text.p != NULL && text.n == value.n) {
		struct elem *e = stored_read(a, text);

		FUZZ_CHECK(e != NULL);
		stored_write_sealed(&out, e);
		FUZZ_CHECK(stored_text(pool, buf_str(&out)).p != NULL);
	}
	buf_done(&out);
	arena_free(a);
	xml_pool_free(pool);
}

/* As what waits for somebody who is away. */
static void
as_stanza(struct str value)
{
	struct arena *a = arena_new();
	struct elem *e = stored_read(a, value);
	struct buf out = BUF_INIT;
	enum stanza_cond cond;
	struct stanza *st = NULL;

	if (e != NULL) {
		stored_write(&out, e);
		if (elem_is_stanza(e))
			st = stanza_from_elem(a, e, &cond);
	}
	buf_done(&out);
	if (st != NULL)
		stanza_free(st);
	else
		arena_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str value = { (const char *)data + 1, n - 1 };

	if (n == 0)
		return 0;
	switch (data[0]) {
	case 'c':
		as_credentials(value);
		break;
	case 'r':
		as_contact(value);
		break;
	case 't':
		as_text(value);
		break;
	default:
		as_stanza(value);
	}
	return 0;
}
