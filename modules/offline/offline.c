/*
 * offline.c - keeps messages for one who is not there (XEP-0160); offline_flood.c
 * delivers them, with the time at which they came (XEP-0203).
 *
 * Owner shard of the account.  Messages are numbered entries of the log
 * "offline", oldest first, whose "with" is a seal and the sender, and where they
 * stand behind others '/' and the session they are for (offline_whom.c); the map
 * "offline_shares" says how much each sender has there.  How much there is is in
 * memory with the account, and one who has nothing waiting costs nothing.
 *
 * An entry is the message itself, or, where the same transaction puts that into the
 * account's archive, its id there, that of our own <stanza-id/> (XEP-0359; nobody
 * else can give it), and then it stays there (archive.c).  So its text is on disk
 * once.  It counts with what it takes here: ENTRY_BYTES and the id, however long the
 * message is.  What was archived before may have left the archive since.
 */
#include "config.h"

#include "offline.h"

struct offline_conf {
	int64_t messages;
	uint64_t bytes;
	int64_t sender_share;   /* percent of what there is for its kind */
	int64_t stranger_share; /* percent of all */
};

/* --- how much there is ------------------------------------------------------------- */

/* What sender has now. */
void
offline_share_write(struct store_tx *tx, struct account *acc,
	const struct backlog *b, struct str sender)
{
	struct quota quota = quotas_get(b->senders, sender);
	struct store_place at = account_place(acc, MAP_SHARES);
	struct buf value = BUF_INIT;

	quota_format(&value, quota);
	if (quota.n == 0)
		store_tx_delete(tx, at, sender);
	else
		store_tx_set(tx, at, sender, buf_str(&value));
	buf_done(&value);
}

/* There are sessions already when the module was switched on, or the account is
 * read anew. */
static enum hook_result
on_load(struct module_ctx *m, void *arg)
{
	const struct account_load *load = arg;
	struct backlog *b = NULL;

	for (size_t i = 0; i < load->n; i++) {
		const struct store_entry *e = &load->entries[i];

		if (str_is(e->with, LOG_OFFLINE) && e->key.p == NULL) {
			b = module_entity_state(m, &load->account->e);
			b->n = e->total;
			b->bytes = e->bytes;
		} else if (str_is(e->with, MAP_SHARES) && e->key.n != 0) {
			b = module_entity_state(m, &load->account->e);
			quotas_set(&b->senders, e->key, quota_parse(e->value));
		}
	}
	if (b != NULL) {
		offline_look(load->account, b);
		offline_flood_begin(m, load->account);
	}
	return HOOK_PASS;
}

/* --- keeping it --------------------------------------------------------------------------- */

/* value is what is stored of in->st. */
static void
keep(struct module_ctx *m, const struct account_stanza *in, struct store_tx *tx,
	struct str value, bool apart)
{
	struct account *acc = in->account;
	struct backlog *b = module_entity_state(m, &acc->e);
	struct str sender = jid_bare_str(in->st->from);
	struct buf with = BUF_INIT;
	char seal[STORED_SEAL_SIZE];

	b->n++;
	b->bytes += value.n;
	quotas_more(&b->senders, sender, value.n + ENTRY_BYTES, apart);
	buf_add_str(&with, stored_seal(value, seal));
	buf_add_str(&with, sender);
	if (in->behind && !in->stamped)
		offline_whom_write(acc, &with);
	store_tx_append(tx, account_place(acc, LOG_OFFLINE), STR_NONE,
		shard_wall_us(acc->e.shard), buf_str(&with), value);
	offline_share_write(tx, acc, b, sender);
	buf_done(&with);
	offline_look(acc, b);
	if (in->behind || b->flood != NULL)
		offline_flood_more(m, acc);
	else if (b->given != 0 || offline_has_stuck(b))
		account_reload(acc); /* nobody takes messages */
}

/* --- for whom there is room ----------------------------------------------------------------- */

/*
 * Nobody may fill it for the others: strangers together have a part of it, and
 * each sender a part of what there is for those of his kind.
 */
static bool
backlog_has_room(const struct backlog *b, const struct offline_conf *conf,
	struct str sender, bool apart, size_t more)
{
	struct quota one = quotas_get(b->senders, sender);
	uint64_t n = (uint64_t)conf->messages, bytes = conf->bytes;

	if (b->n >= n || b->bytes + b->n * ENTRY_BYTES + more > bytes)
		return false;
	if (apart) {
		n = n * (uint64_t)conf->stranger_share / 100;
		bytes = bytes / 100 * (uint64_t)conf->stranger_share;
		if (!quota_fits(quotas_apart(b->senders), n, bytes, more))
			return false;
	}
	return quota_fits(one, n * (uint64_t)conf->sender_share / 100,
		bytes / 100 * (uint64_t)conf->sender_share, more);
}

/* The message, with the time at which it came; or where the archive gets it. */
static void
value_write(const struct account_stanza *in, struct str archived,
	struct buf *out)
{
	struct account *acc = in->account;
	bool copy = in->early || in->behind; /* if not kept, it is delivered */
	struct stanza *st;

	if (archived.p != NULL && in->early && !in->with.aside) {
		buf_add_str(out, archived);
		return;
	}
	st = copy ? stanza_copy(in->st) : in->st;
	if (!in->stamped)
		stanza_add_delay(st, account_domain(acc),
			shard_wall_us(acc->e.shard));
	stored_write(out, st->root);
	if (copy)
		stanza_free(st);
}

static enum hook_result
keep_if_it_fits(struct module_ctx *m, struct account_stanza *in,
	struct str archived)
{
	struct account *acc = in->account;
	struct str sender = jid_bare_str(in->st->from);
	bool apart = account_is_stranger(acc, in->st->from);
	struct buf value = BUF_INIT;
	struct store_tx *tx;

	value_write(in, archived, &value);
	if (!backlog_has_room(module_entity_state(m, &acc->e), m->conf, sender,
		    apart, value.n + ENTRY_BYTES)) {
		acc->e.shard->stats.refused += !in->behind && !in->early;
	} else if ((tx = account_stanza_tx(in)) != NULL) {
		keep(m, in, tx, buf_str(&value), apart);
		in->kept = true;
	}
	buf_done(&value);
	return HOOK_PASS;
}

/* An anonymous account that exists is there for one session only. */
static bool
must_not_be_kept(const struct account *acc, const struct stanza *st)
{
	return stanza_has_hint(st, "no-store") ||
		(acc->anonymous && acc->exists && !acc->removing);
}

/* It is delivered if it is not kept.  Sessions that were saved have come back since
 * anybody looked, perhaps with all that is kept in hand. */
static bool
may_be_kept(struct module_ctx *m, const struct account_stanza *in)
{
	struct account *acc = in->account;
	const struct stanza *st = in->st;

	return (in->early || offline_look(acc, module_entity_state(m, &acc->e))) &&
		message_may_wait(st) && !must_not_be_kept(acc, st) &&
		acc->exists && !acc->removing &&
		!shard_refuses_writes(acc->e.shard);
}

/* What is worth keeping and must not be kept (XEP-0334 §4.2) is refused, so that
 * the sender knows (RFC 6121 §8.5.2.2.1).  An account that does not exist seems
 * to do all this, too (§8.5.1).  When the quota is reached the sender gets
 * service-unavailable (XEP-0160 §2); while the disk takes no writes, an error
 * that says that it will pass, whether there is such an account or not.  But what
 * is archived makes no error: we pass, and the core sees to that. */
static enum hook_result
on_offline(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;
	struct account *acc = in->account;
	struct stanza *st = in->st;
	struct str archived = stanza_id_by(st, acc->e.jid);

	if (in->behind || in->early)
		return may_be_kept(m, in) ?
			keep_if_it_fits(m, in, archived) :
			HOOK_PASS;
	if (!message_is_worth_keeping(st)) {
		stanza_free(st);
		return HOOK_HANDLED;
	}
	if (must_not_be_kept(acc, st))
		return HOOK_PASS;
	if (shard_refuses_writes(acc->e.shard)) {
		if (archived.p != NULL)
			return HOOK_PASS;
		router_bounce(acc->e.shard, st, COND_RESOURCE_CONSTRAINT,
			SHARD_REFUSES_TEXT);
		return HOOK_HANDLED;
	}
	if (!acc->exists || acc->removing) {
		stanza_free(st);
		return HOOK_HANDLED;
	}
	return keep_if_it_fits(m, in, archived);
}

/* --- when somebody may take it ------------------------------------------------------ */

static enum hook_result
on_messages(struct module_ctx *m, void *arg)
{
	const struct session *s = arg;

	offline_flood_begin(m, s->account);
	return HOOK_PASS;
}

static enum hook_result
on_room(struct module_ctx *m, void *arg)
{
	const struct session *s = arg;

	offline_flood_go_on(m, s->account);
	return HOOK_PASS;
}

static enum hook_result
on_asleep(struct module_ctx *m, void *arg)
{
	const struct session *s = arg;

	offline_flood_asleep(m, s->account);
	return HOOK_PASS;
}

static enum hook_result
on_closed(struct module_ctx *m, void *arg)
{
	const struct session *s = arg;
	struct backlog *b = module_entity_state(m, &s->account->e);

	if (b->n != 0) {
		offline_session_ends(b, s);
		offline_look(s->account, b);
	}
	offline_flood_go_on(m, s->account);
	return HOOK_PASS;
}

static enum hook_result
on_taken(struct module_ctx *m, void *arg)
{
	const struct session_taken *t = arg;

	/* what is written now would outlive it */
	if (!t->session->account->removing)
		offline_over(m, t->session->account, t->kept, t->n);
	return HOOK_PASS;
}

static void
backlog_done(struct entity *e, void *state)
{
	struct backlog *b = state;

	account_of(e)->backlog = false;
	quotas_free(&b->senders);
	offline_flood_forget(b);
	offline_flight_free(b);
}

/* clang-format off */

static const struct option offline_options[] = {
	{ .name = "max_messages", .type = OPT_INT, .dflt = "1000", .min = "1",
		.max = "1000000", .off = offsetof(struct offline_conf, messages),
		.help = "how many messages wait for one account; further ones "
			"are not kept, and those that no archive has either are "
			"refused with <service-unavailable/>" },
	{ .name = "max_bytes", .type = OPT_SIZE, .dflt = "4MiB", .min = "4KiB",
		.max = "16GiB", .off = offsetof(struct offline_conf, bytes),
		.help = "how large they may be together, with 256 bytes for "
			"each beside its text; a text that only the archive "
			"holds does not count" },
	{ .name = "stranger_share", .type = OPT_INT, .dflt = "20", .min = "1",
		.max = "100",
		.off = offsetof(struct offline_conf, stranger_share),
		.help = "percent of both that all senders together may take "
			"who are not in the roster" },
	{ .name = "sender_share", .type = OPT_INT, .dflt = "50", .min = "1",
		.max = "100", .off = offsetof(struct offline_conf, sender_share),
		.help = "percent that one sender may take of what there is for "
			"contacts, or for strangers" },
	{ .name = NULL },
};

/* clang-format on */

static const struct hook_handler offline_hooks[] = {
	{ HOOK_ACCOUNT_LOAD, HOOK_KEEP, on_load },
	{ HOOK_ACCOUNT_OFFLINE, HOOK_KEEP, on_offline },
	{ HOOK_SESSION_BOUND, HOOK_KEEP, on_room },
	{ HOOK_SESSION_MESSAGES, HOOK_KEEP, on_messages },
	{ HOOK_SESSION_DRAINED, HOOK_KEEP, on_room },
	{ HOOK_SESSION_ASLEEP, HOOK_KEEP, on_asleep },
	{ HOOK_SESSION_UNAVAILABLE, HOOK_KEEP, on_room },
	/* without a goodbye, where no module knows of presence */
	{ HOOK_SESSION_CLOSED, HOOK_KEEP, on_closed },
	{ HOOK_SESSION_TAKEN, HOOK_KEEP, on_taken },
	{ .fn = NULL },
};

MODULE(offline) = {
	.api = MODULE_API,
	.name = "offline",
	.summary = "keep messages for users who are away",
	.specs = "XEP-0160 1.0.1, XEP-0203 2.0, XEP-0334 1.0.0",
	.features = (const char *const[]){ "msgoffline", NULL },
	.options = offline_options,
	.conf_size = sizeof(struct offline_conf),
	.hooks = offline_hooks,
	.account_maps = (const char *const[]){ LOG_OFFLINE, MAP_SHARES,
		NULL },
	.entity_state = sizeof(struct backlog),
	.entity_done = backlog_done,
};
