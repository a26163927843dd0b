/*
 * last.c - tells how long a host has been up, and how long ago somebody was
 * last there (XEP-0012).
 *
 * What it tells of accounts is written by the presence module, when the last
 * available resource goes: map "last", key "seen",
 * <seen xmlns='urn:antiphon:last:1' at='...'>status</seen>.
 * Owner shard of the account; any shard for a host.
 */
#include "config.h"

#include "module/module.h"

#define MAP_LAST "last"
#define KEY_SEEN "seen"

static void
last_answer(struct iq *iq, int64_t ago_us, struct str status)
{
	struct elem *query = iq_payload(iq, NS_LAST, "query");
	struct arena *a = iq->st->arena;

	/* the wall clock may have been set back meanwhile */
	elem_set_attr(a, query, "seconds",
		arena_printf(a, "%lld",
			(long long)(MAX(ago_us, 0) / US_PER_S)));
	if (status.n != 0)
		elem_add_text(a, query, status);
	iq_result(iq, query);
}

/* XEP-0012 §5 */
static enum hook_result
on_host_last(struct module_ctx *m, struct iq *iq)
{
	(void)m;
	last_answer(iq, iq->shard->now_us - iq->shard->server->started_us,
		STR_NONE);
	return HOOK_HANDLED;
}

static void
on_seen(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct iq *iq = arg;
	struct elem *seen = NULL;
	int64_t at_us;

	if (err != NULL) {
		iq_error(iq, stanza_cond_of(err->code), NULL);
		return;
	}
	if (answer->n != 0)
		seen = stored_read(iq->st->arena, answer->entries[0].value);
	if (seen == NULL || !elem_is(seen, NS_SEEN, "seen") ||
		!datetime_parse(elem_attr(seen, "at"), &at_us))
		iq_error(iq, COND_ITEM_NOT_FOUND, "Never seen");
	else
		last_answer(iq, shard_wall_us(iq->shard) - at_us,
			elem_text(iq->st->arena, seen));
}

/* XEP-0012 §3.  Whoever may not know is answered as if there were no account
 * (RFC 6121 §8.5.1), and not with forbidden, which would tell that there is. */
static enum hook_result
on_account_last(struct module_ctx *m, struct iq *iq)
{
	struct account *acc = iq_account(iq);
	struct store_place at = account_place(acc, MAP_LAST);
	struct shard *sh = iq->shard;

	if (!account_shows_presence_to(acc, iq->st->from))
		return HOOK_PASS;
	if (account_is_visible(acc)) {
		last_answer(iq, 0, STR_NONE);
		return HOOK_HANDLED;
	}
	iq_keep(iq);
	module_get(m, sh, at, STR(KEY_SEEN), on_seen, iq);
	return HOOK_HANDLED;
}

static const struct iq_handler last_iqs[] = {
	{ IQ_GET, AT_HOST | AT_SERVICE, NS_LAST, "query", on_host_last },
	{ IQ_GET, AT_ACCOUNT, NS_LAST, "query", on_account_last },
	{ .fn = NULL },
};

MODULE(last) = {
	.api = MODULE_API,
	.name = "last",
	.summary = "tell the uptime, and when somebody was last there",
	.specs = "XEP-0012 2.0",
	.features = (const char *const[]){ NS_LAST, NULL },
	.account_features = (const char *const[]){ NS_LAST, NULL },
	.service_features = (const char *const[]){ NS_LAST, NULL },
	.iqs = last_iqs,
};
