/*
 * archive_retract.c - a message that its author takes back becomes a tombstone
 * (XEP-0424 §4), in the archive of each side, which each finds for itself.
 *
 * Owner shard of the account.  The retraction is archived as any message (§5), and
 * then, behind it:
 *
 *    entry_add --at the end of the turn, when it is with the store-->
 *        pages of the same conversation, backwards from the retraction,
 *        until it is found, or enough was looked at
 *            | it, and what corrects it
 *            v
 *        replaced, in one transaction for each page
 *
 * There is no index by the ids that senders give: one would be a page to write for each
 * message, for what few ever ask.  So what is more than LOOK_ENTRIES messages of its
 * conversation ago stays as it is, and so does what a crash, or a store that fails, comes
 * between; clients have the retraction.  Nor does a retraction without an id of its own
 * leave a tombstone, for nobody would know what that means, or one whose ids are absurd.
 * What waits for who is away, and lies in the archive, he gets as it is then.
 *
 * One after the other for each account, which may have some waiting: so who retracts
 * what was never sent, again and again, costs what one reader does.
 */
#include "config.h"

#include "archive.h"

/* So many messages of a conversation are looked through; at once, so many, or as
 * large. */
#define LOOK_ENTRIES 2048
#define PAGE_ENTRIES 128
#define PAGE_BYTES ((size_t)256 << 10)
/* No longer, both ids together: they are remembered. */
#define IDS_BYTES 1024
/* That wait at a shard, and of one account. */
#define WAIT_MAX 1024
#define WAIT_OF_ONE 64

struct retract {
	TAILQ_ENTRY(retract) link;  /* of the shard */
	struct module_entry *entry; /* held */
	struct shard *shard;
	struct archive_shard *here;
	struct arena *arena;
	struct jid user, with;
	struct retraction what;
	struct str before; /* what is older has not been looked at */
	int64_t wall_us;
	unsigned looked;
	bool own;   /* by one of the user's devices */
	bool ready; /* nothing of the user is before it */
	bool begun;
};

static struct archive_shard *
shard_of(struct module_ctx *m, struct shard *sh)
{
	struct archive_shard *as = module_shard_state(m, sh);

	if (as->retracts.tqh_last == NULL)
		TAILQ_INIT(&as->retracts);
	return as;
}

/* NULL: it is not in force there any more. */
static struct module_ctx *
retract_module(const struct retract *r)
{
	struct host *host = shard_host(r->shard, jid_domain(r->user));

	return host != NULL ? module_at_host(host, r->entry) : NULL;
}

static struct store_place
retract_place(const struct retract *r)
{
	return (struct store_place){ jid_domain(r->user), jid_local(r->user),
		STR(ARCHIVE) };
}

/* --- looking --------------------------------------------------------------------- */

static bool page_ask(struct retract *r);

/* The next one of the same user, or NULL. */
static struct retract *
retract_next(const struct retract *r)
{
	struct retract *next = TAILQ_NEXT(r, link);

	while (next != NULL && !jid_eq(next->user, r->user))
		next = TAILQ_NEXT(next, link);
	return next;
}

/* Of the next one of the user it is the turn; where the module has left, of none. */
static void
retract_end(struct retract *r)
{
	struct module_entry *entry;
	struct retract *next;
	bool begun = false;

	for (; r != NULL && !begun; r = next) {
		next = retract_next(r);
		entry = r->entry;
		TAILQ_REMOVE(&r->here->retracts, r, link);
		r->here->n_retracts--;
		arena_free(r->arena);
		if (next != NULL) {
			next->ready = true;
			begun = page_ask(next);
		}
		module_release(entry);
	}
}

/* Adds to tx what becomes of entry. */
static enum retracted
entry_look(const struct retract *r, struct store_tx *tx,
	const struct store_entry *entry)
{
	struct buf value = BUF_INIT;
	const struct elem *message;
	enum retracted is;
	struct arena *a;

	/* to read each would cost more than to look for the id in its bytes */
	if (!retraction_may_be_of(&r->what, entry->value))
		return RETRACTED_NOT;
	message = stored_read_own(r->shard->xml, entry->value, &a);
	if (message == NULL)
		return RETRACTED_NOT;
	is = retraction_of(&r->what, message, r->own);
	if (is != RETRACTED_NOT) {
		stored_write_sealed(&value,
			retraction_tombstone(a, &r->what, message, r->wall_us));
		store_tx_replace_entry(tx, retract_place(r), entry->key,
			buf_str(&value));
		buf_done(&value);
	}
	arena_free(a);
	return is;
}

/* The newest first.  True: it is found. */
static bool
page_look(struct retract *r, struct module_ctx *m,
	const struct store_answer *page)
{
	struct store_tx *tx = store_tx_new();
	enum retracted is = RETRACTED_NOT;
	bool any = false;

	for (size_t i = page->n; i > 0 && is != RETRACTED_IT; i--) {
		is = entry_look(r, tx, &page->entries[i - 1]);
		any |= is != RETRACTED_NOT;
	}
	if (any)
		module_commit(m, r->shard, tx, NULL, NULL);
	else
		store_tx_free(tx);
	return is == RETRACTED_IT;
}

/* ERR_MISSING: the retraction could not be stored, or has gone already. */
static void
on_page(void *arg, const struct store_answer *page, const struct err *err)
{
	struct retract *r = arg;
	struct module_ctx *m = retract_module(r);

	if (err != NULL || m == NULL || page_look(r, m, page) ||
		page->complete || page->n == 0) {
		retract_end(r);
		return;
	}
	r->looked += (unsigned)page->n;
	r->before = arena_str(r->arena, page->entries[0].key);
	if (r->looked >= LOOK_ENTRIES || !page_ask(r))
		retract_end(r);
}

/* False: it cannot. */
static bool
page_ask(struct retract *r)
{
	struct module_ctx *m = retract_module(r);
	struct store_range range = {
		.with = jid_bare_str(r->with),
		.before_id = r->before,
		.max = PAGE_ENTRIES,
		.max_bytes = PAGE_BYTES,
		.backwards = true,
	};

	if (m == NULL)
		return false;
	r->begun = true;
	module_range(m, r->shard, retract_place(r), &range, on_page, r);
	return true;
}

/* --- it has come ------------------------------------------------------------------- */

static void
on_turn_end(struct turn_end *t)
{
	struct archive_shard *as = CONTAINER_OF(t, struct archive_shard, begin);
	struct retract *r, *next;

	for (r = TAILQ_FIRST(&as->retracts); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (r->ready && !r->begun && !page_ask(r)) {
			retract_end(r); /* and perhaps others */
			next = TAILQ_FIRST(&as->retracts);
		}
	}
}

static unsigned
count_of(const struct archive_shard *as, struct jid user)
{
	const struct retract *r;
	unsigned n = 0;

	TAILQ_FOREACH (r, &as->retracts, link)
		n += jid_eq(r->user, user);
	return n;
}

void
archive_retract(struct module_ctx *m, struct account *acc,
	const struct stanza *st, struct jid with, struct str id)
{
	struct archive_shard *as;
	struct retraction what;
	struct retract *r;
	struct arena *a;
	unsigned waiting;

	if (!retraction_read(&what, st) || what.id.n == 0 ||
		what.id.n + what.of.n > IDS_BYTES)
		return;
	as = shard_of(m, acc->e.shard);
	waiting = count_of(as, acc->e.jid);
	if (as->n_retracts >= WAIT_MAX || waiting >= WAIT_OF_ONE)
		return;
	a = arena_new();
	r = arena_zalloc(a, sizeof(*r));
	*r = (struct retract){
		.entry = module_hold(m),
		.shard = acc->e.shard,
		.here = as,
		.arena = a,
		.user = jid_copy(a, acc->e.jid),
		.with = jid_copy(a, with),
		.what = retraction_copy(a, &what),
		.before = arena_str(a, id),
		.wall_us = shard_wall_us(acc->e.shard),
		.own = jid_eq_bare(st->from, acc->e.jid),
		.ready = waiting == 0,
	};
	TAILQ_INSERT_TAIL(&as->retracts, r, link);
	as->n_retracts++;
	as->begin.fn = on_turn_end;
	shard_at_end(acc->e.shard, &as->begin);
}

void
archive_retracts_done(struct archive_shard *as)
{
	shard_not_at_end(&as->begin);
}
