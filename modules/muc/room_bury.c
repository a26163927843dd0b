/*
 * room_bury.c - what is left in the archive of what was taken back: a tombstone in its
 * place, and in those of messages that say the same anew (XEP-0308), which else would tell
 * what it was (XEP-0424 §4).
 *
 *	taken back --> what its author has said since, a page at a time, to the end, or until
 *	        |      enough was looked at: what replaces it, one transaction for each page
 *	        '----> a tombstone, in the transaction of what says so
 *
 * Owner shard of the room.  Corrections that a crash comes between, or a room that leaves
 * memory, stay as they are; clients have the retraction.
 */
#include "config.h"

#include "room.h"

/* So many messages of one author are looked through; at once, so many, or as large. */
#define LOOK_ENTRIES 2048
#define PAGE_ENTRIES 128
#define PAGE_BYTES ((size_t)256 << 10)

struct burying {
	struct entity_ref ref;
	struct arena *a;   /* owned, with all of this */
	struct str author; /* bare */
	struct str of;     /* the id that he has given the message */
	const struct elem *retracted; /* of its tombstone */
	struct str after;  /* looked at up to this one */
	unsigned looked;
	void (*fn)(void *arg); /* when it is over; may be NULL */
	void *arg;
};

/* --- tombstones ------------------------------------------------------------------------- */

bool
room_is_buried(const struct elem *message)
{
	return elem_child(message, NS_RETRACT, "retracted") != NULL;
}

struct elem *
room_tombstone(const struct room *r, struct arena *a, const struct elem *message,
	struct str id)
{
	const struct retraction what = { .id = id };

	return retraction_tombstone(a, &what, message, shard_wall_us(r->e.shard));
}

/* Who it was stays the last (room_log.h). */
void
room_bury(const struct room *r, struct store_tx *tx, struct str key,
	struct arena *a, const struct elem *message, struct elem *tomb)
{
	const struct elem *x = elem_child(message, NS_MUC_USER, "x");
	struct buf value = BUF_INIT;

	if (x != NULL)
		elem_append(tomb, elem_copy(a, x));
	stored_write_sealed(&value, tomb);
	store_tx_replace_entry(tx, entity_place(&r->e, LOG_ARCHIVE), key,
		buf_str(&value));
	buf_done(&value);
}

/* --- what corrects it ---------------------------------------------------------------------- */

static bool
is_anew(const struct burying *b, const struct elem *message)
{
	const struct elem *replaces =
		elem_child(message, NS_CORRECT, "replace");

	return replaces != NULL && b->of.n != 0 && str_eq(elem_attr(replaces, "id"), b->of) &&
		!room_is_buried(message);
}

/* True: it is one. */
static bool
entry_look(const struct room *r, const struct burying *b, struct store_tx *tx,
	const struct store_entry *entry)
{
	struct arena *a;
	const struct elem *message;
	struct elem *tomb, *retracted;
	bool is;

	/* to read each would cost more than to look for the word */
	if (memmem(entry->value.p, entry->value.n, NS_CORRECT,
		    strlen(NS_CORRECT)) == NULL)
		return false;
	message = stored_read_own(r->e.shard->xml, entry->value, &a);
	if (message == NULL)
		return false;
	is = is_anew(b, message);
	if (is) {
		tomb = room_tombstone(r, a, message,
			elem_attr(b->retracted, "id"));
		retracted = elem_child(tomb, NS_RETRACT, "retracted");
		elem_each_child(b->retracted, e)
			elem_append(retracted, elem_copy(a, e));
		room_bury(r, tx, entry->key, a, message, tomb);
	}
	arena_free(a);
	return is;
}

static void look(struct room *r, struct burying *b);

static void
end(struct burying *b)
{
	if (b->fn != NULL)
		b->fn(b->arg);
	arena_free(b->a);
}

static void
on_page(void *arg, const struct store_answer *page, const struct err *err)
{
	struct burying *b = arg;
	struct entity *e = entity_ref_end(&b->ref);
	struct module_ctx *m = e != NULL ? module_of_entity(e) : NULL;
	struct store_tx *tx;
	unsigned found = 0;

	if (err != NULL || m == NULL || page->n == 0) {
		end(b);
		return;
	}
	tx = store_tx_new();
	for (size_t i = 0; i < page->n; i++)
		found += entry_look(room_of(e), b, tx, &page->entries[i]);
	if (found != 0)
		module_commit(m, e->shard, tx, NULL, NULL);
	else
		store_tx_free(tx);
	b->looked += (unsigned)page->n;
	b->after = arena_str(b->a, page->entries[page->n - 1].key);
	if (page->complete || b->looked >= LOOK_ENTRIES)
		end(b);
	else
		look(room_of(e), b);
}

static void
look(struct room *r, struct burying *b)
{
	struct store_range range = {
		.with = b->author,
		.after_id = b->after,
		.max = PAGE_ENTRIES,
		.max_bytes = PAGE_BYTES,
	};

	entity_ref(&b->ref, &r->e);
	module_range(module_of_entity(&r->e), r->e.shard,
		entity_place(&r->e, LOG_ARCHIVE), &range, on_page, b);
}

void
room_bury_corrections(struct room *r, const struct store_entry *entry,
	const struct elem *message, const struct elem *tomb, void (*fn)(void *arg),
	void *arg)
{
	struct arena *a = arena_new();
	struct burying *b = arena_zalloc(a, sizeof(*b));

	*b = (struct burying){
		.a = a,
		.author = arena_str(a, entry->with),
		.of = arena_str(a, elem_attr(message, "id")),
		.retracted = elem_copy(a,
			elem_child(tomb, NS_RETRACT, "retracted")),
		.after = arena_str(a, entry->key),
		.fn = fn,
		.arg = arg,
	};
	look(r, b);
}
