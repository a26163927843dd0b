/*
 * archive_metadata.c - from when to when an archive goes (XEP-0313 §5).
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "archive.h"

/* Two reads, one after the other. */
struct metadata {
	struct module_entry *entry;
	struct iq *iq; /* kept */
	struct elem *answer; /* in its arena */
};

/* The module at the host of md now; NULL, and md has ended, when there is none any
 * more, or the store could not say. */
static struct module_ctx *
metadata_find(struct metadata *md, const struct err *err)
{
	struct iq *iq = md->iq;
	struct host *host = shard_host(iq->shard, jid_domain(iq->st->to));
	struct module_ctx *m =
		host != NULL ? module_at_host(host, md->entry) : NULL;

	if (err == NULL && m != NULL)
		return m;
	iq_error(iq, err != NULL ? stanza_cond_of(err->code) :
				   COND_SERVICE_UNAVAILABLE, NULL);
	free(md);
	return NULL;
}

static void
end_add(struct metadata *md, const char *name, const struct store_entry *e)
{
	archive_end_add(md->iq->st->arena, md->answer, name, e->key, e->wall_us);
}

static void
metadata_end(struct metadata *md)
{
	struct iq *iq = md->iq;
	struct elem *answer = md->answer;

	free(md);
	iq_result(iq, answer);
}

static void
metadata_read(struct module_ctx *m, struct metadata *md, bool backwards,
	store_read_fn fn)
{
	struct store_range one = { .max = 1, .backwards = backwards };
	struct jid who = md->iq->st->to;

	module_range(m, md->iq->shard,
		(struct store_place){ jid_domain(who), jid_local(who),
			STR(ARCHIVE) },
		&one, fn, md);
}

static void
on_last(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct metadata *md = arg;

	if (metadata_find(md, err) == NULL)
		return;
	/* it may have been emptied meanwhile */
	if (answer->n != 0)
		end_add(md, "end", &answer->entries[0]);
	else
		md->answer = iq_payload(md->iq, NS_MAM, "metadata");
	metadata_end(md);
}

static void
on_first(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct metadata *md = arg;
	struct module_ctx *m = metadata_find(md, err);

	if (m == NULL)
		return;
	if (answer->n == 0) {
		metadata_end(md);
		return;
	}
	end_add(md, "start", &answer->entries[0]);
	metadata_read(m, md, true, on_last);
}

enum hook_result
archive_on_metadata(struct module_ctx *m, struct iq *iq)
{
	struct metadata *md = xmalloc(sizeof(*md));

	*md = (struct metadata){ m->entry, iq,
		iq_payload(iq, NS_MAM, "metadata") };
	/* the owner's, whether or not he has said so */
	iq_keep(iq);
	metadata_read(m, md, false, on_first);
	return HOOK_HANDLED;
}
