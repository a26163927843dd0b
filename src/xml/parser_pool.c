/*
 * parser_pool.c - parsers that wait for a stream.
 *
 * One pool for each shard, used on its thread only.  Two lists: parsers that
 * have been reset, and primed ones, which stand between two stanzas as if they
 * had read a plain header.  A parser that has grown is not kept.
 */
#include "config.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/rand.h"
#include "xml/names.h"
#include "xml/parser_int.h"
#include "xml/writer.h"

/* Of either kind; a parser at rest holds about 12 KiB. */
#define POOL_MAX 64
/* A parser that held more than this has buffers to match. */
#define KEEP_BYTES 16384
#define KEEP_OPEN 1024
/* What expat takes is counted for one parser in so many. */
#define SAMPLE 8

struct xml_pool {
	struct xml_parser *fresh;
	struct xml_parser *primed;
	unsigned n_fresh;
	unsigned n_primed;
	unsigned made;
};

static void *
on_parser_malloc(size_t n)
{
	return memuse_malloc(MEMUSE_PARSER, n);
}

static void *
on_parser_realloc(void *p, size_t n)
{
	return memuse_realloc(MEMUSE_PARSER, p, n);
}

static void
on_parser_free(void *p)
{
	memuse_free(MEMUSE_PARSER, p);
}

struct xml_parser *
parser_new(bool counted)
{
	static const XML_Memory_Handling_Suite counting = { on_parser_malloc,
		on_parser_realloc, on_parser_free };
	static const XML_Char separator[] = { SEPARATOR, '\0' };
	struct xml_parser *p = xcalloc(1, sizeof(*p));

	p->expat = XML_ParserCreate_MM("UTF-8",
		counted ? &counting : NULL, separator);
	if (p->expat == NULL)
		abort(); /* small allocations do not fail */
	p->counted = counted;
	rand_bytes(&rand_system, &p->salt, sizeof(p->salt));
	parser_setup(p);
	return p;
}

void
parser_free(struct xml_parser *p)
{
	if (p == NULL)
		return;
	XML_ParserFree(p->expat);
	arena_free(p->arena);
	buf_done(&p->held);
	buf_done(&p->header);
	buf_done(&p->text);
	vec_done(&p->open);
	free(p);
}

static struct buf
emptied(struct buf b)
{
	return (struct buf){ .p = b.p, .cap = b.cap };
}

/* To the state before the first byte. */
static void
parser_clear(struct xml_parser *p)
{
	arena_free(p->arena);
	*p = (struct xml_parser){
		.expat = p->expat,
		.salt = p->salt,
		.counted = p->counted,
		.held = emptied(p->held),
		.header = emptied(p->header),
		.text = emptied(p->text),
		.open = p->open,
	};
	XML_ParserReset(p->expat, "UTF-8");
	parser_setup(p);
}

struct xml_pool *
xml_pool_new(void)
{
	return xcalloc(1, sizeof(struct xml_pool));
}

/* Expat asks for memory with each element: one parser stands for several. */
static struct xml_parser *
pool_make(struct xml_pool *pool)
{
	struct xml_parser *p = parser_new(pool->made++ % SAMPLE == 0);

	memuse_count(MEMUSE_PARSER, 1, 0);
	if (p->counted) {
		memuse_sample(MEMUSE_PARSER, 1);
		memuse_add_part(MEMUSE_PARSER, p);
	}
	return p;
}

static void
pool_drop(struct xml_parser *p)
{
	memuse_count(MEMUSE_PARSER, -1, 0);
	if (p->counted) {
		memuse_sample(MEMUSE_PARSER, -1);
		memuse_remove_part(MEMUSE_PARSER, p);
	}
	parser_free(p);
}

static void
list_free(struct xml_parser *list)
{
	struct xml_parser *next;

	for (; list != NULL; list = next) {
		next = list->next;
		pool_drop(list);
	}
}

void
xml_pool_trim(struct xml_pool *pool)
{
	list_free(pool->fresh);
	list_free(pool->primed);
	*pool = (struct xml_pool){ .fresh = NULL };
}

void
xml_pool_free(struct xml_pool *pool)
{
	if (pool == NULL)
		return;
	xml_pool_trim(pool);
	free(pool);
}

static void
parser_own(struct xml_parser *p, const struct xml_limits *limits,
	const struct xml_events *events, void *arg)
{
	p->next = NULL;
	p->limits = limits;
	p->events = events;
	p->arg = arg;
}

struct xml_parser *
xml_parser_get(struct xml_pool *pool, const struct xml_limits *limits,
	const struct xml_events *events, void *arg)
{
	struct xml_parser *p = pool->fresh;

	if (p != NULL) {
		pool->fresh = p->next;
		pool->n_fresh--;
	} else {
		p = pool_make(pool);
	}
	parser_own(p, limits, events, arg);
	return p;
}

static void
header_write(struct buf *out, struct str content_ns)
{
	buf_add_c(out, "<stream:stream xmlns=\"");
	xml_escape(out, content_ns, true);
	if (parser_ns_has_dialback(content_ns))
		buf_add_c(out, "\" xmlns:db=\"" NS_DIALBACK);
	buf_add_c(out, "\" xmlns:stream=\"" NS_STREAM "\">");
}

struct xml_parser *
xml_parser_get_primed(struct xml_pool *pool, struct str content_ns,
	const struct xml_limits *limits, const struct xml_events *events,
	void *arg)
{
	struct xml_parser **at = &pool->primed, *p;

	while (*at != NULL && !str_eq((*at)->content_ns, content_ns))
		at = &(*at)->next;
	p = *at;
	if (p != NULL) {
		*at = p->next;
		pool->n_primed--;
		parser_own(p, limits, events, arg);
		return p;
	}
	p = xml_parser_get(pool, limits, events, arg);
	header_write(&p->header, content_ns);
	p->root_begun = true;
	/* only static names outlive the caller's */
	p->plain = names_find(content_ns, &p->content_ns);
	parser_prime(p);
	return p;
}

void
xml_parser_limit(struct xml_parser *p, const struct xml_limits *limits)
{
	p->limits = limits;
}

void
xml_parser_put(struct xml_pool *pool, struct xml_parser *p)
{
	if (p == NULL)
		return;
	if (p->widest > KEEP_BYTES || p->text.cap > KEEP_BYTES ||
		p->header.cap > KEEP_BYTES || p->open.room > KEEP_OPEN) {
		pool_drop(p);
	} else if (xml_parser_can_rest(p) && !p->halted &&
		pool->n_primed < POOL_MAX) {
		p->stopped = false;
		p->blank_bytes = 0;
		parser_own(p, NULL, NULL, NULL);
		p->next = pool->primed;
		pool->primed = p;
		pool->n_primed++;
	} else if (pool->n_fresh < POOL_MAX) {
		parser_clear(p);
		p->next = pool->fresh;
		pool->fresh = p;
		pool->n_fresh++;
	} else {
		pool_drop(p);
	}
}
