/*
 * stanza.c - one parsed message, presence or iq.
 *
 * Called by its owner only.  Invariant: the fields say what the attributes of
 * root say, and root's addresses are prepared.
 */
#include "config.h"

#include "xmpp/stanza.h"

#include <assert.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/datetime.h"
#include "xmpp/ns.h"

#define ERROR_TEXT_MAX 1024 /* bytes of the text of an error that we send */

static const char *const kind_names[] = {
	[STANZA_MESSAGE] = "message",
	[STANZA_PRESENCE] = "presence",
	[STANZA_IQ] = "iq",
};

static const struct {
	const char *name; /* NULL: shown by leaving the attribute out */
	enum stanza_kind kind;
} types[] = {
	[MESSAGE_NORMAL] = { NULL, STANZA_MESSAGE },
	[MESSAGE_CHAT] = { "chat", STANZA_MESSAGE },
	[MESSAGE_GROUPCHAT] = { "groupchat", STANZA_MESSAGE },
	[MESSAGE_HEADLINE] = { "headline", STANZA_MESSAGE },
	[MESSAGE_ERROR] = { "error", STANZA_MESSAGE },
	[PRESENCE_AVAILABLE] = { NULL, STANZA_PRESENCE },
	[PRESENCE_UNAVAILABLE] = { "unavailable", STANZA_PRESENCE },
	[PRESENCE_SUBSCRIBE] = { "subscribe", STANZA_PRESENCE },
	[PRESENCE_SUBSCRIBED] = { "subscribed", STANZA_PRESENCE },
	[PRESENCE_UNSUBSCRIBE] = { "unsubscribe", STANZA_PRESENCE },
	[PRESENCE_UNSUBSCRIBED] = { "unsubscribed", STANZA_PRESENCE },
	[PRESENCE_PROBE] = { "probe", STANZA_PRESENCE },
	[PRESENCE_ERROR] = { "error", STANZA_PRESENCE },
	[IQ_GET] = { "get", STANZA_IQ },
	[IQ_SET] = { "set", STANZA_IQ },
	[IQ_RESULT] = { "result", STANZA_IQ },
	[IQ_ERROR] = { "error", STANZA_IQ },
};

/* The error type of each kind. */
static const enum stanza_type error_types[] = {
	[STANZA_MESSAGE] = MESSAGE_ERROR,
	[STANZA_PRESENCE] = PRESENCE_ERROR,
	[STANZA_IQ] = IQ_ERROR,
};

/* Of a stream: what stanzas have there (RFC 6120 §4.8.3, XEP-0114 §3). */
static bool
is_content_ns(struct str ns)
{
	return str_is(ns, NS_CLIENT) || str_is(ns, NS_SERVER) ||
		str_is(ns, NS_COMPONENT);
}

static bool
kind_of_elem(const struct elem *e, enum stanza_kind *kind_out)
{
	if (elem_is_text(e) || !is_content_ns(e->ns))
		return false;
	for (size_t i = 0; i < COUNT(kind_names); i++) {
		if (str_is(e->name, kind_names[i])) {
			*kind_out = (enum stanza_kind)i;
			return true;
		}
	}
	return false;
}

static bool
type_of_name(enum stanza_kind kind, struct str name, enum stanza_type *type_out)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		if (types[i].kind == kind && types[i].name != NULL &&
			str_is(name, types[i].name)) {
			*type_out = (enum stanza_type)i;
			return true;
		}
	}
	return false;
}

/* False for a type that must be answered with an error. */
static bool
read_type(struct arena *a, struct elem *e, enum stanza_kind kind,
	enum stanza_type *type_out)
{
	struct str name = elem_attr(e, "type");

	if (name.p != NULL && type_of_name(kind, name, type_out))
		return true;
	if (kind == STANZA_MESSAGE) {
		/* RFC 6121 §5.2.2: read as normal; sent on as such too, so
		 * that the next reader cannot see something else in it */
		if (name.p != NULL && !str_is(name, "normal"))
			elem_set_attr(a, e, "type", STR_NONE);
		*type_out = MESSAGE_NORMAL;
		return true;
	}
	*type_out = PRESENCE_AVAILABLE;
	return kind == STANZA_PRESENCE && name.p == NULL;
}

/* RFC 6120 §8.2.3 */
static bool
iq_is_sound(const struct elem *e, enum stanza_type type)
{
	if (elem_attr(e, "id").p == NULL)
		return false;
	if (type == IQ_GET || type == IQ_SET)
		return elem_count(e) == 1;
	if (type == IQ_RESULT)
		return elem_count(e) <= 1;
	return elem_child(e, NULL, "error") != NULL;
}

/* What a server stream calls NS_SERVER, and that of a component NS_COMPONENT, is
 * NS_CLIENT inside (RFC 6120 §4.8.3): e, and whatever below it inherited the
 * namespace. */
static void
canonicalise(struct elem *e, struct str ns)
{
	if (elem_is_text(e) || !str_eq(e->ns, ns))
		return;
	e->ns = xml_intern(STR(NS_CLIENT));
	elem_each(e, child)
		canonicalise(child, ns);
}

static void
set_attr(struct stanza *st, const char *name, struct str value)
{
	elem_set_attr(st->arena, st->root, name, value);
}

static bool
read_address(struct arena *a, struct elem *e, const char *name,
	struct jid *out)
{
	struct str value = elem_attr(e, name);

	if (value.p == NULL)
		return true;
	if (!jid_parse(out, a, value, NULL))
		return false;
	if (!str_eq(value, jid_str(*out)))
		elem_set_attr(a, e, name, jid_str(*out));
	return true;
}

bool
elem_is_stanza(const struct elem *e)
{
	enum stanza_kind kind;

	return kind_of_elem(e, &kind);
}

struct stanza *
stanza_from_elem(struct arena *a, struct elem *e, enum stanza_cond *cond_out)
{
	struct jid from = { 0 }, to = { 0 };
	enum stanza_kind kind;
	enum stanza_type type;
	struct stanza *st;

	*cond_out = COND_BAD_REQUEST;
	if (!kind_of_elem(e, &kind))
		return NULL;
	if (!str_is(e->ns, NS_CLIENT))
		canonicalise(e, e->ns);
	if (!read_type(a, e, kind, &type) ||
		(kind == STANZA_IQ && !iq_is_sound(e, type)))
		return NULL;
	*cond_out = COND_JID_MALFORMED;
	if (!read_address(a, e, "from", &from) ||
		!read_address(a, e, "to", &to))
		return NULL;
	*cond_out = COND_NONE;
	st = arena_alloc(a, sizeof(*st));
	*st = (struct stanza){
		.arena = a,
		.root = e,
		.from = from,
		.to = to,
		.id = elem_attr(e, "id"),
		.kind = kind,
		.type = type,
	};
	return st;
}

struct stanza *
stanza_new(enum stanza_type type, struct jid from, struct jid to,
	struct str id)
{
	struct arena *a = arena_new();
	struct stanza *st = arena_zalloc(a, sizeof(*st));

	st->arena = a;
	st->made_here = true;
	st->kind = stanza_type_kind(type);
	st->type = type;
	st->root = elem_new(a, NS_CLIENT, kind_names[st->kind]);
	stanza_set_from(st, from);
	stanza_set_to(st, to);
	set_attr(st, "type", str_c(types[type].name));
	stanza_set_id(st, id);
	return st;
}

struct stanza *
stanza_copy(const struct stanza *st)
{
	struct arena *a = arena_new();
	struct stanza *copy = arena_alloc(a, sizeof(*copy));

	*copy = (struct stanza){
		.arena = a,
		.root = elem_copy(a, st->root),
		.from = jid_copy(a, st->from),
		.to = jid_copy(a, st->to),
		.kind = st->kind,
		.type = st->type,
		.made_here = st->made_here,
		.gone = st->gone,
		.copy = st->copy,
		.again = st->again,
		.session = st->session,
	};
	copy->id = elem_attr(copy->root, "id");
	return copy;
}

void
stanza_free(struct stanza *st)
{
	if (st == NULL)
		return;
	if (st->receipt != NULL)
		st->receipt->let_go(st->receipt);
	arena_free(st->arena);
}

/* The field points at the attribute's copy of the address. */
static void
set_address(struct stanza *st, const char *name, struct jid *field,
	struct jid j)
{
	if (jid_is_set(j) && jid_eq(j, *field))
		return;
	set_attr(st, name, jid_is_set(j) ? jid_str(j) : STR_NONE);
	*field = j;
	field->text = elem_attr(st->root, name).p;
}

void
stanza_set_from(struct stanza *st, struct jid from)
{
	set_address(st, "from", &st->from, from);
}

void
stanza_set_to(struct stanza *st, struct jid to)
{
	set_address(st, "to", &st->to, to);
}

void
stanza_set_id(struct stanza *st, struct str id)
{
	set_attr(st, "id", id);
	st->id = elem_attr(st->root, "id");
}

struct elem *
stanza_child(const struct stanza *st, const char *ns, const char *name)
{
	return elem_child(st->root, ns, name);
}

struct elem *
stanza_payload(const struct stanza *st)
{
	return elem_first_child(st->root);
}

enum stanza_kind
stanza_type_kind(enum stanza_type type)
{
	assert(type < COUNT(types));
	return types[type].kind;
}

/* At most max bytes, none of them the start of a character that is cut off. */
static struct str
cut_utf8(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max != 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
		max--;
	return (struct str){ s.p, max };
}

/* RFC 6120 §8.3.2 */
static void
add_error(struct stanza *st, enum stanza_cond cond, struct str text)
{
	struct elem *error, *t;

	error = elem_add(st->arena, st->root, NS_CLIENT, "error");
	elem_set_attr(st->arena, error, "type", str_c(stanza_cond_type(cond)));
	elem_add(st->arena, error, NS_STANZAS, stanza_cond_name(cond));
	if (text.n == 0)
		return;
	t = elem_add_with_text(st->arena, error, NS_STANZAS, "text",
		cut_utf8(text, ERROR_TEXT_MAX));
	elem_set_attr_ns(st->arena, t, NS_XML, "lang", STR("en"));
}

struct stanza *
stanza_error(const struct stanza *st, enum stanza_cond cond, struct str text)
{
	struct stanza *answer;

	if (st->type == IQ_RESULT || st->type == error_types[st->kind])
		return NULL;
	answer = stanza_new(error_types[st->kind], st->to, st->from, st->id);
	answer->session = st->session;
	add_error(answer, cond, text);
	return answer;
}

struct stanza *
stanza_error_of_elem(const struct elem *e, enum stanza_cond cond,
	struct str text)
{
	struct str type = elem_attr(e, "type"), id = elem_attr(e, "id");
	struct jid none = { 0 }, from = none, to = none;
	struct stanza *answer;
	enum stanza_kind kind;

	if (!kind_of_elem(e, &kind) || str_is(type, "error") ||
		(kind == STANZA_IQ && str_is(type, "result")))
		return NULL;
	if (kind == STANZA_IQ && id.p == NULL)
		id = STR(""); /* RFC 6120 §8.3.1, rule 3 */
	answer = stanza_new(error_types[kind], none, none, id);
	/* RFC 6120 §8.3.1, rule 2: an address that is malformed is left out */
	if (jid_parse(&to, answer->arena, elem_attr(e, "from"), NULL))
		stanza_set_to(answer, to);
	if (jid_parse(&from, answer->arena, elem_attr(e, "to"), NULL))
		stanza_set_from(answer, from);
	add_error(answer, cond, text);
	return answer;
}

struct stanza *
stanza_result(const struct stanza *st)
{
	struct stanza *answer;

	assert(st->type == IQ_GET || st->type == IQ_SET);
	answer = stanza_new(IQ_RESULT, st->to, st->from, st->id);
	answer->session = st->session;
	return answer;
}

struct elem *
stanza_forwarded(const struct stanza *copy)
{
	assert(copy->copy);
	/* when it was sent may stand in front of it */
	return elem_child(
		copy->root->first->first, NS_CLIENT, "message");
}

struct stanza *
stanza_original(const struct stanza *copy)
{
	struct arena *a = arena_new();
	enum stanza_cond cond;
	struct stanza *st = stanza_from_elem(a,
		elem_copy(a, stanza_forwarded(copy)), &cond);

	assert(st != NULL);
	return st;
}

bool
stanza_is_copy_again(struct stanza *st)
{
	const struct elem *e = st->root->first;
	struct jid from, to;

	if (st->kind != STANZA_MESSAGE || e == NULL || elem_is_text(e) ||
		e->first == NULL ||
		!elem_is(e->first, NS_FORWARD, "forwarded"))
		return false;
	e = elem_child(e->first, NS_CLIENT, "message");
	st->copy = e != NULL &&
		jid_parse(&from, st->arena, elem_attr(e, "from"), NULL) &&
		jid_parse(&to, st->arena, elem_attr(e, "to"), NULL);
	return st->copy;
}

size_t
stanza_bytes(const struct stanza *st)
{
	return arena_bytes(st->arena);
}

void
stanza_add_delay(struct stanza *st, struct str from, int64_t wall_us)
{
	char stamp[DATETIME_SIZE];
	struct elem *delay = elem_add(st->arena, st->root, NS_DELAY, "delay");

	if (from.n != 0)
		elem_set_attr(st->arena, delay, "from", from);
	elem_set_attr(st->arena, delay, "stamp",
		datetime_format(stamp, wall_us));
}

bool
stanza_has_hint(const struct stanza *st, const char *name)
{
	return stanza_child(st, NS_HINTS, name) != NULL;
}

/* --- ids (XEP-0359) ----------------------------------------------------------- */

/* What is no address, somebody who reads less strictly could take for any. */
bool
stanza_is_id_by(const struct stanza *st, const struct elem *e, struct jid who)
{
	struct jid by;

	return elem_is(e, NS_SID, "stanza-id") &&
		(!jid_parse(&by, st->arena, elem_attr(e, "by"), NULL) ||
			jid_eq_bare(by, who));
}

struct claim {
	struct stanza *st;
	struct jid who;
};

static bool
is_claimed(void *arg, const struct elem *e)
{
	const struct claim *c = arg;

	return stanza_is_id_by(c->st, e, c->who);
}

void
stanza_drop_ids_by(struct stanza *st, struct jid who)
{
	struct claim claim = { st, who };

	/* few have any */
	if (stanza_child(st, NS_SID, "stanza-id") != NULL)
		elem_drop(st->root, is_claimed, &claim);
}

void
stanza_add_id(struct stanza *st, struct jid who, struct str id)
{
	struct elem *e = elem_add(st->arena, st->root, NS_SID, "stanza-id");

	elem_set_attr(st->arena, e, "by", jid_bare_str(who));
	elem_set_attr(st->arena, e, "id", id);
}

struct str
stanza_id_by(const struct stanza *st, struct jid who)
{
	elem_each_child(st->root, e) {
		if (elem_is(e, NS_SID, "stanza-id") &&
			str_eq(elem_attr(e, "by"), jid_bare_str(who)))
			return elem_attr(e, "id");
	}
	return STR_NONE;
}
