/*
 * wire.c - a stanza as bytes, shared by many recipients of one shard.
 */
#include "config.h"

#include "core/wire.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "xmpp/datetime.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "core/stored.h"

/* What we have written ourselves was within limits when it came in: those of
 * what is read, of which more may be written. */
static const struct xml_limits own_limits = {
	.stanza_bytes = UINT32_MAX,
	.depth = UINT32_MAX,
	.elements = UINT32_MAX,
	.attrs = UINT32_MAX,
	.name_bytes = UINT32_MAX,
};

static struct wire *
wire_alloc(size_t n, size_t to_at)
{
	struct wire *w = xmalloc(sizeof(*w) + n);

	memuse_add(MEMUSE_WIRE, w);
	w->share = NULL;
	w->wall_us = 0;
	w->refs = 1;
	w->of = NULL;
	w->taken = false;
	w->copy = false;
	w->dated = false;
	w->one_account = false;
	w->n = (uint32_t)n;
	w->to_at = (uint32_t)to_at;
	return w;
}

struct wire *
wire_new(const struct stanza *st)
{
	struct buf out = BUF_INIT;
	struct wire *w;
	size_t to_at;

	/* most are smaller, and to grow would take longer than to write them */
	buf_reserve(&out, 1000);
	to_at = xml_write_without_to(&out, st->root, STR(NS_CLIENT));
	w = wire_alloc(out.n, to_at);
	memcpy(w->bytes, out.p, out.n);
	w->copy = st->copy;
	buf_done(&out);
	return w;
}

struct wire *
wire_of_stored(struct str text)
{
	const struct str ns = STR(" xmlns=\"" NS_CLIENT "\"");
	struct str name, rest;
	struct wire *w;

	if (!str_cut(text, ' ', &name, &rest))
		return NULL;
	rest = (struct str){ name.p + name.n, text.n - name.n };
	if (!str_starts(rest, ns))
		return NULL;
	/* the stream's header has declared it */
	w = wire_alloc(text.n - ns.n, name.n);
	memcpy(w->bytes, name.p, name.n);
	memcpy(w->bytes + name.n, rest.p + ns.n, rest.n - ns.n);
	return w;
}

static void
put_attr(struct buf *out, struct str name, struct str value)
{
	buf_add_str(out, name);
	xml_escape(out, value, true);
	buf_add_str(out, STR("\""));
}

static void
put_envelope(struct buf *out, const struct wire_envelope *in,
	const struct stanza *st)
{
	/* it may be told though it is the default */
	struct str type = elem_attr(st->root, "type");

	put_attr(out, STR("<message from=\""), in->from);
	if (type.p != NULL)
		put_attr(out, STR(" type=\""), type);
	buf_add_str(out, STR("><"));
	buf_add_c(out, in->name);
	buf_add_str(out, STR(" xmlns=\""));
	buf_add_c(out, in->ns);
	buf_add_str(out, STR("\"><forwarded xmlns=\"" NS_FORWARD "\">"));
}

/* As it would be written there. */
static void
put_message(struct buf *out, const struct wire *w, const struct stanza *st)
{
	if (w == NULL) {
		xml_write(out, st->root, STR(NS_FORWARD));
		return;
	}
	put_attr(out, STR("<message xmlns=\"" NS_CLIENT "\" to=\""),
		jid_str(st->to));
	buf_add(out, w->bytes + w->to_at, w->n - w->to_at);
}

/* Into the message at the end.  What has no child nobody has kept. */
static void
put_id(struct buf *out, const struct wire_envelope *in)
{
	const struct str end = STR("</message>");

	if (!str_eq((struct str){ out->p + out->n - end.n, end.n }, end))
		return;
	out->n -= end.n;
	put_attr(out, STR("<stanza-id xmlns=\"" NS_SID "\" by=\""), in->from);
	put_attr(out, STR(" id=\""), in->id);
	buf_add_str(out, STR("/></message>"));
}

struct wire *
wire_forward(const struct wire *w, const struct stanza *st,
	const struct wire_envelope *in)
{
	struct buf out = BUF_INIT;
	struct wire *copy;

	buf_reserve(&out, w != NULL ? w->n + 500 : 1000);
	put_envelope(&out, in, st);
	put_message(&out, w, st);
	if (in->id.p != NULL)
		put_id(&out, in);
	buf_add_str(&out, STR("</forwarded></"));
	buf_add_c(&out, in->name);
	buf_add_str(&out, STR("></message>"));
	copy = wire_alloc(out.n, STR("<message").n);
	memcpy(copy->bytes, out.p, out.n);
	copy->copy = true;
	buf_done(&out);
	return copy;
}

static void
put_shown(struct buf *out, struct str text, const struct wire_shown *in)
{
	char stamp[DATETIME_SIZE];

	put_attr(out, STR("<message from=\""), in->from);
	buf_add_c(out, "><result xmlns=\"" NS_MAM "\"");
	if (in->queryid.p != NULL)
		put_attr(out, STR(" queryid=\""), in->queryid);
	put_attr(out, STR(" id=\""), in->id);
	buf_add_c(out, "><forwarded xmlns=\"" NS_FORWARD "\">");
	put_attr(out, STR("<delay xmlns=\"" NS_DELAY "\" stamp=\""),
		datetime_format(stamp, in->wall_us));
	buf_add_c(out, "/>");
	buf_add_str(out, text);
	buf_add_c(out, "</forwarded></result></message>");
}

struct wire *
wire_result(struct xml_pool *pool, struct str value, const struct wire_shown *in)
{
	const struct str begin = STR("<message xmlns=\"" NS_CLIENT "\"");
	struct str text = stored_text(pool, value);
	struct buf out = BUF_INIT;
	struct wire *w;

	if (!str_starts(text, begin))
		return NULL;
	buf_reserve(&out, text.n + 500);
	put_shown(&out, text, in);
	w = wire_alloc(out.n, STR("<message").n);
	memcpy(w->bytes, out.p, out.n);
	w->copy = true;
	w->dated = true;
	buf_done(&out);
	return w;
}

/* Few have the word in them, and to read one takes longer than to write it. */
static bool
says_when(const struct wire *w)
{
	struct stanza *st;
	bool says;

	if (w->dated)
		return true;
	if (memmem(w->bytes, w->n, NS_DELAY, strlen(NS_DELAY)) == NULL)
		return false;
	st = wire_stanza(w);
	says = elem_child(w->copy ? stanza_forwarded(st) : st->root, NS_DELAY,
		       "delay") != NULL;
	stanza_free(st);
	return says;
}

/* Where a child may stand: the first of what forwards, or else the last; *end_out:
 * where what closes it begins. */
static size_t
child_at(const struct wire *w, size_t *end_out)
{
	const struct str forwarded =
		STR("<forwarded xmlns=\"" NS_FORWARD "\">");
	const char *at;

	if (w->copy) {
		at = memmem(w->bytes, w->n, forwarded.p, forwarded.n);
		assert(at != NULL);
		return *end_out = (size_t)(at - w->bytes) + forwarded.n;
	}
	if (w->bytes[w->n - 2] == '/') {
		*end_out = w->n;
		return w->n - STR("/>").n;
	}
	/* </message>, of <message */
	return *end_out = w->n - w->to_at - STR("/>").n;
}

struct wire *
wire_delayed(const struct wire *w, struct str from)
{
	struct buf out = BUF_INIT;
	char stamp[DATETIME_SIZE];
	struct wire *delayed;
	size_t at, end;

	if (says_when(w))
		return NULL;
	at = child_at(w, &end);
	buf_reserve(&out, w->n + 200);
	buf_add(&out, w->bytes, at);
	if (at != end)
		buf_add_c(&out, ">");
	put_attr(&out, STR("<delay xmlns=\"" NS_DELAY "\" from=\""), from);
	put_attr(&out, STR(" stamp=\""), datetime_format(stamp, w->wall_us));
	buf_add_c(&out, "/>");
	buf_add(&out, w->bytes + end, w->n - end);
	if (at != end) {
		buf_add_c(&out, "</");
		buf_add(&out, w->bytes + 1, w->to_at - 1);
		buf_add_c(&out, ">");
	}
	delayed = wire_alloc(out.n, w->to_at);
	memcpy(delayed->bytes, out.p, out.n);
	buf_done(&out);
	return delayed;
}

struct wire *
wire_ref(struct wire *w)
{
	w->refs++;
	return w;
}

void
wire_unref(struct wire *w)
{
	if (w == NULL || --w->refs != 0)
		return;
	wire_unref(w->of);
	share_count(w->share, -(int64_t)wire_bytes(w));
	memuse_remove(MEMUSE_WIRE, w);
	free(w);
}

void
wire_set_of(struct wire *w, struct wire *of)
{
	w->of = wire_ref(of);
	of->one_account = true;
}

void
wire_take(struct wire *w)
{
	w->taken = true;
	if (w->of != NULL)
		w->of->taken = true;
}

void
wire_count(struct wire *w, struct share *share)
{
	if (w->of != NULL)
		wire_count(w->of, share);
	if (w->share != NULL)
		return;
	w->share = share;
	share_count(share, (int64_t)wire_bytes(w));
}

void
wire_write(const struct wire *w, struct str to, struct buf *out)
{
	buf_reserve(out, w->n + to.n + sizeof(" to=\"\""));
	buf_add(out, w->bytes, w->to_at);
	if (to.p != NULL)
		put_attr(out, STR(" to=\""), to);
	buf_add(out, w->bytes + w->to_at, w->n - w->to_at);
}

struct stanza *
wire_stanza(const struct wire *w)
{
	struct arena *a = arena_new();
	struct buf doc = BUF_INIT;
	enum stanza_cond cond;
	struct elem *root;
	struct stanza *st;

	buf_add_str(&doc, STR("<w xmlns=\"" NS_CLIENT "\">"));
	buf_add(&doc, w->bytes, w->n);
	buf_add_str(&doc, STR("</w>"));
	root = xml_parse(a, buf_str(&doc), &own_limits, NULL);
	buf_done(&doc);
	assert(root != NULL);
	st = stanza_from_elem(a, elem_first_child(root), &cond);
	assert(st != NULL);
	st->copy = st->made_here = w->copy;
	return st;
}
