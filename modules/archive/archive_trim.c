/*
 * archive_trim.c - the owner has all of his archive deleted, or the oldest part of
 * it (inbox/xep-mam-trimming 0.0.1), where the configuration lets him.
 *
 * Owner shard of the account.  It goes up to the entry that was named, or that was the
 * last: what comes meanwhile stays.  Where something does, and where it is not all, it
 * goes in slices, oldest first.  What waits for who is
 * away goes on waiting (store_trim()).  It is answered when all of it has gone, and
 * nobody waits for that; one that is cut off has deleted the oldest, and no other.
 */
#include "config.h"

#include "archive.h"

struct trimming {
	struct module_entry *entry;
	struct iq *iq;    /* kept */
	struct str up_to; /* in its arena; STR_NONE: what was the last */
};

static void trimming_go_on(struct module_ctx *m, struct trimming *t);

static struct store_place
trimming_place(const struct trimming *t)
{
	struct jid who = t->iq->st->to;

	return (struct store_place){ jid_domain(who), jid_local(who),
		STR(ARCHIVE) };
}

/* COND_NONE: it is done. */
static void
trimming_end(struct trimming *t, enum stanza_cond cond)
{
	struct iq *iq = t->iq;

	free(t);
	if (cond == COND_NONE)
		iq_result(iq, NULL);
	else
		iq_error(iq, cond, NULL);
}

/* NULL: t has ended, for err, or because the module is not in force any more. */
static struct module_ctx *
trimming_find(struct trimming *t, const struct err *err)
{
	struct host *host =
		shard_host(t->iq->shard, jid_domain(t->iq->st->to));
	struct module_ctx *m =
		host != NULL ? module_at_host(host, t->entry) : NULL;

	if (m != NULL && err == NULL)
		return m;
	trimming_end(t, err != NULL ? stanza_cond_of(err->code) :
				      COND_SERVICE_UNAVAILABLE);
	return NULL;
}

static void
on_trimmed(void *arg, bool more, const struct err *err)
{
	struct trimming *t = arg;
	struct module_ctx *m = trimming_find(t, err);

	if (m == NULL)
		return;
	if (more)
		trimming_go_on(m, t);
	else
		trimming_end(t, COND_NONE);
}

static void
trimming_go_on(struct module_ctx *m, struct trimming *t)
{
	const struct store_trim trim = { .up_to = t->up_to,
		.waits = STR(LOG_OFFLINE) };

	module_trim(m, t->iq->shard, trimming_place(t), &trim, on_trimmed, t);
}

/* The entry that was named, or the last. */
static void
on_found(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct trimming *t = arg;
	struct module_ctx *m = trimming_find(t, err);

	if (m == NULL)
		return;
	if (answer->n == 0) {
		trimming_end(t, t->up_to.p != NULL ? COND_ITEM_NOT_FOUND :
						     COND_NONE);
		return;
	}
	t->up_to = arena_str(t->iq->st->arena, answer->entries[0].key);
	trimming_go_on(m, t);
}

static void
trimming_begin(struct module_ctx *m, struct iq *iq, struct str up_to)
{
	static const struct store_range last = { .max = 1, .backwards = true };
	struct trimming *t = xmalloc(sizeof(*t));

	*t = (struct trimming){ m->entry, iq, up_to };
	if (up_to.p == NULL)
		module_range(m, iq->shard, trimming_place(t), &last, on_found,
			t);
	else
		module_get_entries(m, iq->shard, trimming_place(t), &up_to, 1, 1,
			on_found, t);
}

/* §3.2: nothing, which asks for all, or one id; what is neither might mean less than
 * all. */
static bool
trim_read(struct arena *a, const struct elem *trim, struct str *up_to_out)
{
	const struct elem *id = elem_first_child(trim);

	*up_to_out = STR_NONE;
	if (str_trim(elem_text(a, trim)).n != 0)
		return false;
	if (id == NULL)
		return true;
	*up_to_out = elem_text(a, id);
	return elem_is(id, NS_MAM_TRIM, "id") && elem_count(trim) == 1;
}

enum hook_result
archive_on_trim(struct module_ctx *m, struct iq *iq)
{
	const struct archive_conf *conf = m->conf;
	struct str up_to;

	if (!conf->client_trim)
		return HOOK_PASS;
	if (!trim_read(iq->st->arena, iq->payload, &up_to))
		iq_error(iq, COND_BAD_REQUEST,
			"trim is empty, or has one id and nothing else");
	else if (up_to.p != NULL && (up_to.n == 0 || up_to.n >= STORE_ID_SIZE))
		iq_error(iq, COND_ITEM_NOT_FOUND, NULL);
	else if (iq_pass_on(iq))
		trimming_begin(m, iq, up_to);
	return HOOK_HANDLED;
}

enum hook_result
archive_on_trim_by_others(struct module_ctx *m, struct iq *iq)
{
	const struct archive_conf *conf = m->conf;

	return conf->client_trim ? archive_on_others(m, iq) : HOOK_PASS;
}
