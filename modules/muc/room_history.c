/*
 * room_history.c - the last that was said in a room, for those who come in (XEP-0045
 * §7.2.13, §7.2.14).
 *
 *	memory: the last ones --.
 *	                        |--> those within all bounds --> told, one after the other
 *	archive: read back -----'
 *	  from its end, until there are as many as are wanted
 *
 * What was taken back (XEP-0424) is left out; real addresses are in no history.
 */
#include "config.h"

#include "room.h"

#define HISTORY_BYTES (256u << 10)
/* The archive is asked so often for one who comes in, if much of what it has is no text. */
#define READS 4

/* --- one of it --------------------------------------------------------------------------- */

static struct room_said *
said_new(const struct elem *root, int64_t wall_us)
{
	struct buf packed = BUF_INIT;
	struct room_said *said;

	elem_pack(&packed, root);
	said = xmalloc(sizeof(*said) + packed.n);
	memuse_add_part(MEMUSE_ROOM, said);
	*said = (struct room_said){ .refs = 1, .wall_us = wall_us,
		.bytes = packed.n };
	memcpy(said + 1, packed.p, packed.n);
	buf_done(&packed);
	return said;
}

static void
said_unref(struct room_said *said)
{
	if (--said->refs != 0)
		return;
	memuse_remove_part(MEMUSE_ROOM, said);
	free(said);
}

struct elem *
history_unpack(const struct room_said *said, struct arena *a)
{
	return elem_unpack(a,
		(struct str){ (const char *)(said + 1), said->bytes });
}

struct stanza *
room_unpack(struct str packed, struct jid to)
{
	struct arena *a = arena_new();
	enum stanza_cond cond;
	struct stanza *st = stanza_from_elem(a, elem_unpack(a, packed), &cond);

	if (st == NULL) /* it was one */
		abort();
	stanza_set_to(st, jid_copy(a, to));
	return st;
}

struct stanza *
history_stanza(const struct room *r, const struct room_said *said, struct jid to)
{
	struct stanza *st = room_unpack(
		(struct str){ (const char *)(said + 1), said->bytes }, to);

	if (said->wall_us != 0)
		stanza_add_delay(st, jid_str(r->e.jid), said->wall_us);
	return st;
}

/* --- what is kept in memory ----------------------------------------------------------- */

static void
drop_first(struct room_history *h)
{
	struct room_said *said = STAILQ_FIRST(&h->said);

	STAILQ_REMOVE_HEAD(&h->said, link);
	h->n--;
	h->bytes -= said->bytes;
	said_unref(said);
}

void
history_init(struct room_history *h)
{
	*h = (struct room_history){ .n = 0 };
	STAILQ_INIT(&h->said);
}

void
history_done(struct room_history *h)
{
	while (h->n != 0)
		drop_first(h);
}

void
history_put(struct room_history *h, const struct elem *e, int64_t wall_us,
	uint32_t max)
{
	struct room_said *said = said_new(e, wall_us);

	STAILQ_INSERT_TAIL(&h->said, said, link);
	h->n++;
	h->bytes += said->bytes;
	h->added++;
	while (h->n > max || h->bytes > HISTORY_BYTES)
		drop_first(h);
}

void
history_add(struct room_history *h, const struct stanza *st, int64_t wall_us,
	uint32_t max)
{
	history_put(h, st->root, wall_us, max);
}

/* Is it the one that has this id, of this occupant? */
static bool
said_is(const struct room_said *said, struct jid room, struct str id,
	struct str occupant)
{
	struct arena *a;
	const struct elem *e, *by;
	bool is = false;

	if (memmem(said + 1, said->bytes, id.p, id.n) == NULL)
		return false;
	a = arena_new();
	e = history_unpack(said, a);
	by = elem_child(e, NS_OCCUPANT_ID, "occupant-id");
	elem_each_child(e, child)
		is |= elem_is(child, NS_SID, "stanza-id") &&
			str_eq(elem_attr(child, "by"), jid_bare_str(room)) &&
			str_eq(elem_attr(child, "id"), id);
	if (occupant.p != NULL)
		is = is && by != NULL && str_eq(elem_attr(by, "id"), occupant);
	arena_free(a);
	return is;
}

void
history_forget(struct room_history *h, struct jid room, struct str id,
	struct str occupant)
{
	struct room_said *said;

	if (id.n == 0)
		return; /* it names nothing */
	STAILQ_FOREACH (said, &h->said, link)
		if (said_is(said, room, id, occupant))
			break;
	if (said != NULL) /* by its place others are counted */
		said->gone = true;
}

/* --- what is asked for ------------------------------------------------------------------ */

/* Table 8, and what the room gives at most; what is not given, or cannot be read, bounds
 * nothing. */
struct wanted {
	long long chars, stanzas;
	int64_t since_us;
};

static void
read_bound(const struct elem *e, const char *name, long long *io)
{
	long long n;

	if (str_to_int(elem_attr(e, name), 0, INT32_MAX, &n))
		*io = MIN(*io, n);
}

static struct wanted
read_wanted(const struct room *r, const struct elem *x)
{
	const struct elem *e = x != NULL ? elem_child(x, NS_MUC, "history") : NULL;
	struct wanted w = { INT32_MAX, r->config.max_history, 0 };
	long long seconds = INT64_MAX;
	int64_t since_us;

	if (e == NULL)
		return w;
	read_bound(e, "maxchars", &w.chars);
	read_bound(e, "maxstanzas", &w.stanzas);
	read_bound(e, "seconds", &seconds);
	if (seconds != INT64_MAX)
		w.since_us = MAX(shard_wall_us(r->e.shard) - seconds * US_PER_S,
			1);
	if (datetime_parse(elem_attr(e, "since"), &since_us))
		w.since_us = MAX(w.since_us, since_us);
	if (w.chars == 0)
		w.stanzas = 0;
	return w;
}

static long long
chars_of(const struct stanza *st)
{
	struct buf text = BUF_INIT;
	long long n;

	stored_write(&text, st->root);
	n = (long long)text.n;
	buf_done(&text);
	return n;
}

/* --- out of memory --------------------------------------------------------------------- */

/* Does it fit?  Then there is less left. */
static bool
fits(const struct room *r, const struct room_said *said, struct jid to,
	long long *chars_io)
{
	struct stanza *st;

	if (*chars_io == INT32_MAX)
		return true;
	st = history_stanza(r, said, to);
	*chars_io -= chars_of(st);
	stanza_free(st);
	return *chars_io >= 0;
}

/* Of all that there are, the newest that fit stay. */
static void
bound_chars(struct history_told *t, const struct room *r, struct jid to,
	long long chars)
{
	size_t first = t->said.n;

	while (first != 0 && fits(r, t->said.p[first - 1], to, &chars))
		first--;
	t->at = first;
}

/* When those were added that are there still, ends with h->added. */
static void
pick(struct history_told *t, struct room *r, const struct wanted *w,
	uint64_t until)
{
	struct room_history *h = &r->history;
	uint64_t number = h->added - h->n;
	size_t newer = (size_t)MIN(h->added - MIN(until, h->added), h->n);
	size_t n = h->n - newer, skip;
	struct room_said *said;

	skip = n - (size_t)MIN((long long)n, w->stanzas);
	STAILQ_FOREACH (said, &h->said, link) {
		if (number++ >= until)
			break;
		if (skip != 0)
			skip--;
		else if (said->wall_us >= w->since_us && !said->gone) {
			said->refs++;
			*vec_push(&t->said) = said;
		}
	}
}

/* --- out of the archive ------------------------------------------------------------------- */

struct history_read {
	struct entity_ref ref;
	struct history_told *told; /* NULL: nobody waits any more */
	struct wanted wanted;
	struct jid to; /* bytes behind it */
	uint64_t until;
	unsigned reads;
	char *before; /* owned: somebody may have edited the ids; NULL: the end */
	struct VEC(struct room_said *) back; /* newest first */
	size_t bytes;
	void (*fn)(void *arg);
	void *arg;
};

static void
read_free(struct history_read *read)
{
	for (size_t i = 0; i < read->back.n; i++)
		said_unref(read->back.p[i]);
	vec_done(&read->back);
	free(read->before);
	free(read);
}

/* A subject is no part of it (§7.2.13), nor is what says nothing, or does not any more. */
static struct room_said *
said_of_entry(const struct room *r, const struct store_entry *entry, struct jid to)
{
	struct stanza *st = room_log_message(r, entry, false, to);
	struct room_said *said = NULL;

	if (st != NULL && stanza_child(st, NS_CLIENT, "body") != NULL)
		said = said_new(st->root, 0);
	stanza_free(st);
	return said;
}

static bool
is_enough(const struct history_read *read)
{
	return (long long)read->back.n >= read->wanted.stanzas ||
		read->bytes > HISTORY_BYTES;
}

/* From the last one on. */
static void
take_entries(const struct room *r, struct history_read *read,
	const struct store_answer *answer)
{
	for (size_t i = answer->n; i != 0 && !is_enough(read); i--) {
		const struct store_entry *entry = &answer->entries[i - 1];
		struct room_said *said = NULL;

		if (store_id_number(entry->key) <= read->until)
			said = said_of_entry(r, entry, read->to);
		if (said == NULL)
			continue;
		read->bytes += said->bytes;
		if (read->bytes > HISTORY_BYTES)
			said_unref(said);
		else
			*vec_push(&read->back) = said;
	}
}

/* It is told of what there is. */
static void
read_end(struct room *r, struct history_read *read)
{
	struct history_told *t = read->told;
	size_t n = read->back.n;

	for (size_t i = n; i != 0; i--)
		*vec_push(&t->said) = read->back.p[i - 1];
	read->back.n = 0;
	t->read = NULL;
	bound_chars(t, r, read->to, read->wanted.chars);
	read->fn(read->arg);
	read_free(read);
}

static void read_more(struct room *r, struct history_read *read);

static void
on_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct history_read *read = arg;
	struct entity *e = entity_ref_end(&read->ref);

	if (e == NULL || read->told == NULL) {
		read_free(read);
		return;
	}
	if (err == NULL)
		take_entries(room_of(e), read, answer);
	if (err != NULL || answer->complete || answer->n == 0 ||
		is_enough(read) || ++read->reads == READS) {
		read_end(room_of(e), read);
		return;
	}
	free(read->before);
	read->before = str_dup(answer->entries[0].key);
	read_more(room_of(e), read);
}

static void
read_more(struct room *r, struct history_read *read)
{
	/* what was said since he came stands behind it */
	uint64_t newer = r->log.last - MIN(r->log.last, read->until);
	uint64_t max = (uint64_t)read->wanted.stanzas +
		(read->before == NULL ? newer : 0);
	struct store_range range = {
		.max = (uint32_t)MIN(max, 4096),
		.max_bytes = 2 * HISTORY_BYTES,
		.since_us = read->wanted.since_us,
		.before_id = str_c(read->before),
		.backwards = true,
	};

	entity_ref(&read->ref, &r->e);
	module_range(module_of_entity(&r->e), r->e.shard,
		entity_place(&r->e, LOG_ARCHIVE), &range, on_read, read);
}

static void
read_archive(struct history_told *t, struct room *r, const struct wanted *w,
	struct jid to, uint64_t until)
{
	struct history_read *read = xcalloc(1, sizeof(*read) + to.len);

	memcpy(read + 1, to.text, to.len);
	read->to = to;
	read->to.text = (const char *)(read + 1);
	read->told = t;
	read->wanted = *w;
	read->until = until;
	t->read = read;
	read_more(r, read);
}

/* --- telling --------------------------------------------------------------------------- */

void
history_ask(struct history_told *t, struct room *r, const struct elem *x,
	struct jid to, const struct room_mark *mark, void (*fn)(void *arg),
	void *arg)
{
	struct wanted w = read_wanted(r, x);

	*t = (struct history_told){ .at = 0 };
	if (w.stanzas == 0 || (room_has_archive(r) && mark->number == 0))
		return;
	if (room_has_archive(r)) {
		read_archive(t, r, &w, to, mark->number);
		t->read->fn = fn;
		t->read->arg = arg;
	} else {
		pick(t, r, &w, mark->added);
		bound_chars(t, r, to, w.chars);
	}
}

struct stanza *
history_next(struct history_told *t, const struct room *r, struct jid to)
{
	while (t->at < t->said.n && t->said.p[t->at]->gone)
		t->at++;
	return t->at < t->said.n ? history_stanza(r, t->said.p[t->at++], to) : NULL;
}

void
history_told_end(struct history_told *t)
{
	for (size_t i = 0; i < t->said.n; i++)
		said_unref(t->said.p[i]);
	vec_done(&t->said);
	if (t->read != NULL)
		t->read->told = NULL;
	t->read = NULL;
}
