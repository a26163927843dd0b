/*
 * muc_list.c - the rooms that are in the list of a service, in pages (XEP-0045 §6.3,
 * XEP-0059).
 *
 *	asked --> part of the map --> rows that are wanted --enough, or the end--> who is in
 *	               ^                     | too few                      them, shard by
 *	               '---------------------'                              shard --> answered
 *
 * Shard of the asker.  The id of a page's end is the index of the room and its localpart:
 * so an index costs nothing, and what comes and goes in between moves it by as much
 * (XEP-0059 §2.1: it may be approximate).
 */
#include "config.h"

#include "muc_list.h"

#include "room.h"

/* A part of the map that is looked through at once. */
#define PART_ROWS 1000u
#define PART_BYTES ((size_t)256 << 10)
/* Beyond so many they are not counted for each page, but now and then. */
#define COUNT_ALWAYS 1000
#define COUNT_US (60 * US_PER_S)
/* Which look through the whole map, at once on each shard. */
#define SEARCHES_MAX 4

static struct store_place
listed_at(struct str domain)
{
	return (struct store_place){ domain, STR(""), STR(MAP_LISTED) };
}

/* --- what is stored ------------------------------------------------------------------------ */

void
muc_list_store(struct store_tx *tx, struct jid room, const struct room_config *c)
{
	struct buf value = BUF_INIT;

	if (!c->is_public) {
		muc_list_delete(tx, room);
		return;
	}
	muc_row_write(&value, jid_local(room), c);
	store_tx_set(tx, listed_at(jid_domain(room)), jid_local(room),
		buf_str(&value));
	buf_done(&value);
}

void
muc_list_delete(struct store_tx *tx, struct jid room)
{
	store_tx_delete(tx, listed_at(jid_domain(room)), jid_local(room));
}

/* --- how many there are ----------------------------------------------------------------------- */

static struct muc_count *
count_find(struct muc_shard *s, struct str domain)
{
	for (size_t i = 0; i < s->counts.n; i++) {
		if (str_is(domain, s->counts.p[i].domain))
			return &s->counts.p[i];
	}
	return NULL;
}

/* False: they are to be counted. */
static bool
count_known(struct module_ctx *m, struct shard *sh, struct str domain,
	uint64_t *out)
{
	const struct muc_count *c =
		count_find(module_shard_state(m, sh), domain);
	int64_t age_us;

	if (c == NULL || c->n <= COUNT_ALWAYS)
		return false;
	age_us = shard_wall_us(sh) - c->counted_us;
	*out = c->n;
	return age_us >= 0 && age_us < COUNT_US;
}

static void
count_note(struct module_ctx *m, struct shard *sh, struct str domain, uint64_t n)
{
	struct muc_shard *s = module_shard_state(m, sh);
	struct muc_count *c = count_find(s, domain);

	if (c == NULL) {
		c = vec_push(&s->counts);
		c->domain = str_dup(domain);
	}
	c->n = n;
	c->counted_us = shard_wall_us(sh);
}

/* --- asking ---------------------------------------------------------------------------------- */

/* In the arena of iq->st. */
struct listing {
	struct iq *iq; /* kept */
	struct module_entry *entry;
	struct str domain;
	struct muc_ask ask;
	struct muc_rows rows;  /* of backwards, the last comes first */
	size_t looked;         /* of these, who is in them is known */
	uint32_t enough;       /* rows */
	struct str at;         /* the last key that was looked at; STR_NONE */
	struct str after, before; /* localparts, of the ids that were asked with */
	int64_t index;         /* of the first row; -1: it is not known */
	int64_t count;         /* the same */
	bool is_complete;
	bool searches;         /* not all are wanted, so that many may be looked at */
};

static void listing_read(struct module_ctx *m, struct listing *l);

/* Before it is answered, which frees it. */
static struct module_entry *
listing_end(struct listing *l)
{
	struct muc_shard *s = module_entry_state(l->entry, l->iq->shard);

	s->searches -= l->searches;
	return l->entry;
}

static void
listing_fail(struct listing *l, enum stanza_cond cond)
{
	struct module_entry *entry = listing_end(l);

	iq_error(l->iq, cond, NULL);
	module_release(entry);
}

/* NULL: the service has gone, and that was answered. */
static struct module_ctx *
listing_module(struct listing *l)
{
	struct host *host = shard_host(l->iq->shard, l->domain);
	struct module_ctx *m =
		host != NULL ? module_at_host(host, l->entry) : NULL;

	if (m == NULL)
		listing_fail(l, COND_ITEM_NOT_FOUND);
	return m;
}

/* --- answering ------------------------------------------------------------------------------------ */

static struct str
row_id(const struct listing *l, size_t i)
{
	struct arena *a = l->iq->st->arena;
	struct str local = l->rows.p[i].local;

	if (l->index < 0)
		return local;
	return arena_printf(a, "%lld/%.*s", (long long)l->index + (long long)i,
		STR_ARG(local));
}

static void
rows_turn_round(struct muc_rows *rows)
{
	for (size_t i = 0, j = rows->n; i + 1 < j; i++) {
		struct muc_row row = rows->p[i];

		rows->p[i] = rows->p[--j];
		rows->p[j] = row;
	}
}

static int
most_first(const void *a, const void *b)
{
	const struct muc_row *left = a, *right = b;

	if (left->occupants != right->occupants)
		return left->occupants < right->occupants ? 1 : -1;
	return str_cmp(left->local, right->local);
}

/* Of what was found, all sorted, those that are on the page. */
static void
sort(struct listing *l)
{
	const struct rsm *rsm = &l->ask.rsm;
	size_t from = 0, to;

	qsort(l->rows.p, l->rows.n, sizeof(l->rows.p[0]), most_first);
	l->count = (int64_t)l->rows.n;
	to = l->rows.n;
	if (rsm->by_index)
		from = rsm->index;
	else if (rsm->after.p != NULL)
		from = l->index < 0 ? to : (size_t)l->index;
	if (rsm->before.p != NULL)
		to = l->index < 0 ? 0 : (size_t)l->index;
	from = MIN(from, l->rows.n);
	to = MIN(to, l->rows.n);
	if (to > from && to - from > l->ask.max) {
		if (rsm->backwards)
			from = to - l->ask.max;
		else
			to = from + l->ask.max;
	}
	l->is_complete = rsm->backwards ? from == 0 : to == l->rows.n;
	l->index = (int64_t)from;
	l->rows.n = to > from ? (uint32_t)(to - from) : 0;
	memmove(l->rows.p, l->rows.p + from, l->rows.n * sizeof(l->rows.p[0]));
}

/* §2.6 of XEP-0059: the index of the first row, where that of the other end is known. */
static void
place(struct listing *l)
{
	int64_t n = (int64_t)l->rows.n;

	if (!l->ask.rsm.backwards)
		return;
	rows_turn_round(&l->rows);
	if (l->searches)
		l->index = -1;
	else if (l->ask.rsm.before.p == NULL)
		l->index = l->count >= n ? l->count - n : -1;
	else if (l->index >= 0)
		l->index = l->index > n ? l->index - n : 0;
}

static void
answer(struct listing *l)
{
	struct module_entry *entry;
	struct rsm_page page;

	if (l->ask.by_occupants)
		sort(l);
	else
		place(l);
	if (l->rows.n == 0 && l->ask.rsm.by_index && l->ask.rsm.index != 0) {
		listing_fail(l, COND_ITEM_NOT_FOUND);
		return;
	}
	page = (struct rsm_page){ .count = l->count };
	if (l->rows.n != 0) {
		page.first = row_id(l, 0);
		page.last = row_id(l, l->rows.n - 1);
		page.by_index = l->index >= 0;
		page.index = page.by_index ? (uint64_t)l->index : 0;
	}
	entry = listing_end(l);
	l->ask.answer(l->iq, &l->ask, &l->rows, &page, l->is_complete);
	module_release(entry);
}

/* --- who is in them ------------------------------------------------------------------------- */

static void
look_at_shard(struct shard *sh, void *arg)
{
	struct listing *l = arg;
	const struct entity *e;

	for (size_t i = l->looked; i < l->rows.n; i++) {
		struct muc_row *row = &l->rows.p[i];

		if (!place_is_here(sh, server_place_of(sh->server, row->jid)))
			continue;
		e = entity_find(sh, row->jid);
		if (e == NULL || e->class != &muc_room_class ||
			e->state != ENTITY_LOADED)
			continue;
		row->is_loaded = true;
		row->occupants = ((const struct room *)(const void *)e)->people.n;
	}
}

/* A temporary room that nobody is in is one whose end a crash has prevented. */
static void
drop_dead(struct listing *l)
{
	size_t n = l->looked;

	for (size_t i = l->looked; i < l->rows.n; i++) {
		if (!l->rows.p[i].is_temporary || l->rows.p[i].is_loaded)
			l->rows.p[n++] = l->rows.p[i];
	}
	l->rows.n = (uint32_t)n;
	l->looked = n;
}

static void
on_looked(struct shard *sh, void *arg)
{
	struct listing *l = arg;
	struct module_ctx *m;

	(void)sh;
	drop_dead(l);
	if (l->is_complete || l->rows.n >= l->enough) {
		answer(l);
		return;
	}
	m = listing_module(l);
	if (m != NULL)
		listing_read(m, l);
}

/* --- the map ----------------------------------------------------------------------------------- */

static bool
is_wanted(const struct listing *l, struct arena *a, const struct store_entry *entry,
	struct muc_row *row)
{
	const struct muc_ask *ask = &l->ask;

	/* most are none, and need not be read for that */
	if (ask->words.p != NULL &&
		!muc_row_has_words(stored_attr(entry->value, "words"), ask->words))
		return false;
	return muc_row_read(row, a, l->domain, entry) &&
		(ask->wants == NULL || ask->wants(ask, a, row));
}

static void
take(struct listing *l, const struct store_answer *found)
{
	struct arena *a = l->iq->st->arena;
	bool backwards = l->ask.rsm.backwards && !l->ask.by_occupants;
	const struct store_entry *entry = NULL;
	struct muc_row row;
	size_t i;

	for (i = 0; i < found->n && l->rows.n < l->enough; i++) {
		entry = &found->entries[backwards ? found->n - 1 - i : i];
		if (is_wanted(l, a, entry, &row))
			*vec_push_in(a, &l->rows) = row;
	}
	if (entry != NULL)
		l->at = arena_str(a, entry->key);
	l->is_complete = found->complete && i == found->n;
}

static void
on_page(void *arg, const struct store_answer *found, const struct err *err)
{
	struct listing *l = arg;
	struct module_ctx *m;

	if (err != NULL) {
		listing_fail(l, stanza_cond_of(err->code));
		return;
	}
	m = listing_module(l);
	if (m == NULL)
		return;
	if (l->count < 0 && !l->searches) {
		l->count = (int64_t)found->total;
		count_note(m, l->iq->shard, l->domain, found->total);
	}
	take(l, found);
	if (l->enough == 0)
		answer(l);
	else if (!l->is_complete && l->rows.n < l->enough)
		listing_read(m, l);
	else
		shard_visit_all(l->iq->shard, look_at_shard, on_looked, l);
}

/* From where the last part has ended. */
static void
listing_read(struct module_ctx *m, struct listing *l)
{
	bool is_first = l->at.p == NULL;
	bool backwards = l->ask.rsm.backwards && !l->ask.by_occupants;
	struct store_page page = {
		.after = l->after,
		.before = l->before,
		.skip = is_first && !l->ask.by_occupants ? l->ask.rsm.index : 0,
		.max = l->searches ? PART_ROWS :
				  l->enough - (uint32_t)l->rows.n,
		.max_bytes = PART_BYTES,
		.backwards = backwards,
		.count = l->count < 0 && !l->searches,
	};

	if (!is_first && backwards)
		page.before = l->at;
	else if (!is_first)
		page.after = l->at;
	module_page(m, l->iq->shard, listed_at(l->domain), &page, on_page, l);
}

/* What an id says: "index/localpart", or a localpart alone.  In l->index, that of the row
 * behind it. */
static struct str
id_read(struct listing *l, struct str id)
{
	struct str index, local;
	long long n;

	if (id.p == NULL || !str_cut(id, '/', &index, &local) ||
		!str_to_int(index, 0, UINT32_MAX, &n))
		return id;
	l->index = n;
	return local;
}

static void
bounds_read(struct listing *l)
{
	const struct rsm *rsm = &l->ask.rsm;

	l->index = -1;
	l->before = id_read(l, rsm->before);
	if (rsm->after.p != NULL) {
		l->index = -1;
		l->after = id_read(l, rsm->after);
		l->index += l->index >= 0;
	} else if (rsm->before.p == NULL && !rsm->backwards) {
		l->index = rsm->by_index ? rsm->index : 0;
	}
	if (l->ask.by_occupants) {
		l->after = l->before = STR_NONE;
		l->enough = MUC_PAGE_MAX;
	} else if (l->searches) {
		l->index = -1;
	}
}

bool
muc_list_ask(struct module_ctx *m, struct iq *iq, const struct muc_ask *ask)
{
	struct muc_shard *state = module_shard_state(m, iq->shard);
	struct listing *l;
	uint64_t known;

	if (ask->wants != NULL && state->searches == SEARCHES_MAX)
		return false;
	l = arena_zalloc(iq->st->arena, sizeof(*l));
	l->iq = iq;
	l->ask = *ask;
	l->ask.max = MIN(ask->max, MUC_PAGE_MAX);
	l->enough = l->ask.max;
	l->domain = jid_domain(iq->st->to);
	l->searches = ask->wants != NULL;
	state->searches += l->searches;
	l->count = -1;
	if (!l->searches && count_known(m, iq->shard, l->domain, &known))
		l->count = (int64_t)known;
	bounds_read(l);
	l->entry = module_hold(m);
	iq_keep(iq);
	listing_read(m, l);
	return true;
}
