/*
 * stored.c - XML elements as values of the store.
 */
#include "config.h"

#include "core/stored.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "store/store.h"

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

/* --- a seal behind it ------------------------------------------------------ */

/* Of what stored_seal() says the beginning: against mistakes it is enough. */
#define TAIL ((size_t)8)

void
stored_seal_behind(struct buf *out, size_t from)
{
	char seal[STORED_SEAL_SIZE];

	stored_seal((struct str){ out->p + from, out->n - from }, seal);
	buf_add(out, seal, TAIL);
}

void
stored_write_sealed(struct buf *out, const struct elem *e)
{
	size_t from = out->n;

	stored_write(out, e);
	stored_seal_behind(out, from);
}

/* What we write ends with >, and a seal does not. */
static struct str
without_seal(struct str value)
{
	if (value.n > TAIL && value.p[value.n - 1] != '>')
		value.n -= TAIL;
	return value;
}

struct elem *
stored_read(struct arena *a, struct str value)
{
	return xml_parse(a, without_seal(value), &stored_limits, NULL);
}

/* --- the outermost element alone ------------------------------------------- */

struct str
stored_attr(struct str value, const char *name)
{
	struct str tag, rest, word, text;

	/* > is written as a reference everywhere else, and so is " */
	if (!str_cut(value, '>', &tag, &rest) ||
		!str_cut(tag, ' ', &word, &rest))
		return STR_NONE;
	while (str_cut(rest, '=', &word, &text)) {
		if (text.n == 0 || text.p[0] != '"')
			return STR_NONE;
		text = (struct str){ text.p + 1, text.n - 1 };
		if (!str_cut(text, '"', &text, &rest))
			return STR_NONE;
		if (str_is(word, name))
			return text;
		rest = str_trim(rest);
	}
	return STR_NONE;
}

struct str
stored_attr_text(struct arena *a, struct str text)
{
	struct buf out = BUF_INIT;
	struct str written;

	xml_escape(&out, text, true);
	written = arena_str(a, buf_str(&out));
	buf_done(&out);
	return written;
}

/* --- seals ---------------------------------------------------------------- */

struct str
stored_seal(struct str value, char out[STORED_SEAL_SIZE])
{
	static const struct hash_key key = { 0, 0 };
	uint64_t hash = hash_bytes(&key, value.p, value.n);

	for (int i = 0; i < STORED_SEAL_SIZE; i++, hash >>= 4)
		out[i] = "0123456789abcdef"[hash & 15];
	return (struct str){ out, STORED_SEAL_SIZE };
}

bool
stored_is_sealed(struct str value, struct str seal)
{
	char own[STORED_SEAL_SIZE];

	return str_eq(stored_seal(value, own), seal);
}

/* --- with a parser of the pool ------------------------------------------- */

/* What stands for the one element that there must be. */
struct reading {
	struct arena *a;
	struct elem *e;
	bool odd; /* there was something else */
};

static enum xml_verdict
on_opened(void *arg, const struct elem *root, struct str content_ns)
{
	struct reading *r = arg;

	(void)root;
	(void)content_ns;
	r->odd = true;
	return XML_STOP;
}

static enum xml_verdict
on_element(void *arg, struct arena *a, struct elem *e)
{
	struct reading *r = arg;

	if (r->e == NULL) {
		r->a = a;
		r->e = e;
		return XML_GO_ON;
	}
	arena_free(a);
	r->odd = true;
	return XML_STOP;
}

static enum xml_verdict
on_closed(void *arg)
{
	struct reading *r = arg;

	r->odd = true;
	return XML_STOP;
}

struct elem *
stored_read_own(struct xml_pool *pool, struct str value, struct arena **a_out)
{
	static const struct xml_events events = { on_opened, on_element,
		on_closed };
	struct reading r = { .e = NULL };
	struct xml_parser *p = xml_parser_get_primed(
		pool, STR(NS_CLIENT), &stored_limits, &events, &r);
	size_t used;
	bool ok;

	value = without_seal(value);
	ok =
		xml_parser_feed(p, value.p, value.n, &used) == XML_FAULT_NONE &&
		used == value.n && xml_parser_can_rest(p) && !r.odd;

	xml_parser_put(pool, p);
	if (ok && r.e != NULL) {
		*a_out = r.a;
		return r.e;
	}
	arena_free(r.a);
	return NULL;
}

bool
stored_is_whole(struct str value)
{
	struct str text = without_seal(value);
	char seal[STORED_SEAL_SIZE];

	if (text.n == value.n)
		return false;
	stored_seal(text, seal);
	return str_eq((struct str){ seal, TAIL },
		(struct str){ text.p + text.n, TAIL });
}

struct str
stored_text(struct xml_pool *pool, struct str value)
{
	struct str text = without_seal(value);
	struct arena *a;

	if (stored_is_whole(value))
		return text;
	if (text.n == 0 || text.p[text.n - 1] != '>' ||
		stored_read_own(pool, text, &a) == NULL)
		return STR_NONE;
	arena_free(a);
	return text;
}
