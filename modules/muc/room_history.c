/*
 * room_history.c - the last that was said in a room, in memory, for those who come in
 * (XEP-0045 §7.2.13, §7.2.14).
 *
 * Owner shard of the room.  Bounded by number, as the room is configured, and by bytes.
 */
#include "config.h"

#include "room.h"

#define HISTORY_BYTES (256u << 10)

/* --- what is kept --------------------------------------------------------------------- */

struct elem *
history_unpack(const struct room_said *said, struct arena *a)
{
	return elem_unpack(a,
		(struct str){ (const char *)(said + 1), said->bytes });
}

static void
drop_first(struct room_history *h)
{
	struct room_said *said = STAILQ_FIRST(&h->said);

	STAILQ_REMOVE_HEAD(&h->said, link);
	h->n--;
	h->bytes -= said->bytes;
	free(said);
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
	struct buf packed = BUF_INIT;
	struct room_said *said;

	elem_pack(&packed, e);
	if (packed.n <= HISTORY_BYTES && max != 0) {
		said = xmalloc(sizeof(*said) + packed.n);
		said->wall_us = wall_us;
		said->bytes = packed.n;
		memcpy(said + 1, packed.p, packed.n);
		STAILQ_INSERT_TAIL(&h->said, said, link);
		h->n++;
		h->bytes += said->bytes;
	}
	buf_done(&packed);
	while (h->n > max || h->bytes > HISTORY_BYTES)
		drop_first(h);
}

void
history_add(struct room_history *h, const struct stanza *st, int64_t wall_us,
	uint32_t max)
{
	history_put(h, st->root, wall_us, max);
}

/* --- what is asked for ------------------------------------------------------------------ */

/* Table 8; what is not given, or cannot be read, bounds nothing. */
struct wanted {
	long long chars, stanzas;
	int64_t since_us;
};

static void
read_bound(const struct elem *e, const char *name, long long *out)
{
	long long n;

	if (str_to_int(elem_attr(e, name), 0, INT32_MAX, &n))
		*out = n;
}

static struct wanted
read_wanted(const struct elem *x, int64_t now_us)
{
	const struct elem *e = x != NULL ? elem_child(x, NS_MUC, "history") : NULL;
	struct wanted w = { INT32_MAX, INT32_MAX, 0 };
	long long seconds = -1;
	int64_t since_us;

	if (e == NULL)
		return w;
	read_bound(e, "maxchars", &w.chars);
	read_bound(e, "maxstanzas", &w.stanzas);
	read_bound(e, "seconds", &seconds);
	if (seconds >= 0)
		w.since_us = now_us - seconds * US_PER_S;
	if (datetime_parse(elem_attr(e, "since"), &since_us))
		w.since_us = MAX(w.since_us, since_us);
	return w;
}

/* --- telling --------------------------------------------------------------------------- */

static struct stanza *
stanza_of(const struct room *r, const struct room_said *said, struct jid to)
{
	struct jid none = { .text = NULL };
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT, none, to, STR_NONE);
	struct elem *e = history_unpack(said, st->arena);
	struct str id = elem_attr(e, "id");

	stanza_set_from(st, jid_trusted(elem_attr(e, "from")));
	if (id.p != NULL)
		stanza_set_id(st, id);
	st->root->first = e->first; /* in the same arena */
	st->root->last = e->last;
	stanza_add_delay(st, jid_str(r->e.jid), said->wall_us);
	return st;
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

/* The last that is within all bounds: how many of the newest. */
static size_t
count_wanted(const struct room *r, const struct wanted *w, struct jid to)
{
	const struct room_said *said;
	struct VEC(long long) chars = { .n = 0 };
	long long left = w->chars;
	size_t n = 0;

	if (w->chars == INT32_MAX && w->since_us == 0)
		return (size_t)MIN((long long)r->history.n, w->stanzas);
	STAILQ_FOREACH (said, &r->history.said, link) {
		struct stanza *st = stanza_of(r, said, to);

		*vec_push(&chars) =
			said->wall_us < w->since_us ? INT64_MAX : chars_of(st);
		stanza_free(st);
	}
	while (n < chars.n && (long long)n < w->stanzas &&
		chars.p[chars.n - 1 - n] <= left)
		left -= chars.p[chars.n - 1 - n++];
	vec_done(&chars);
	return n;
}

void
history_tell(struct room *r, const struct elem *x, struct jid to)
{
	struct wanted w = read_wanted(x, shard_wall_us(r->e.shard));
	size_t skip = r->history.n - count_wanted(r, &w, to);
	const struct room_said *said;

	STAILQ_FOREACH (said, &r->history.said, link) {
		if (skip != 0)
			skip--;
		else
			router_send(r->e.shard, stanza_of(r, said, to));
	}
}
